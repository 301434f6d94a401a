"""Which of our addresses speaks, and what an operator may enter."""

from collections import Counter

import pytest

from domain.egress import EgressEntry, Source, read_entry, source_for
from domain.errors import Refusal
from domain.refusals import explain
from domain.transport import MailHost, MailRoute

OURS = tuple(Source(n, f"192.0.2.{n}", f"out{n}.test") for n in range(1, 5))
SIX = Source(6, "2001:db8::6", "out6.test")


def to(name: str, *, relay: bool = False) -> MailRoute:
    return MailRoute("shop.test", (MailHost(name, ("198.51.100.1",)),), relay=relay)


def chosen(name: str, sources: tuple[Source, ...], turn: int = 0, *, relay: bool = False) -> int:
    found = source_for(to(name, relay=relay), "198.51.100.1", sources, turn)
    assert found is not None
    return found.number


def test_large_providers_and_smart_hosts_hear_all_in_turn() -> None:
    assert [chosen("mx1.qq.com", OURS, turn) for turn in range(8)] == [1, 2, 3, 4, 1, 2, 3, 4]
    assert {chosen("relay.test", OURS, turn, relay=True) for turn in range(4)} == {1, 2, 3, 4}


def test_small_sites_are_spread_and_each_keeps_its_own() -> None:
    found = {f"mx{n}.test": chosen(f"mx{n}.test", OURS, n) for n in range(400)}
    assert all(60 < count < 140 for count in Counter(found.values()).values())
    assert all(chosen(name, OURS, 7) == number for name, number in found.items())
    fewer = {name: chosen(name, OURS[:3]) for name in found}
    assert {name for name in found if found[name] != fewer[name]} == {name for name in found if found[name] == 4}


def test_an_address_reaches_its_own_family() -> None:
    assert source_for(to("mx.test"), "2001:db8::1", (*OURS, SIX), 0) == SIX
    assert source_for(to("mx.test"), "2001:db8::1", OURS, 0) is None
    system = Source(0, "", "out.test")
    assert source_for(to("mx.test"), "2001:db8::1", (system,), 0) == system


def test_an_entry_as_it_is_typed() -> None:
    made = read_entry(" 192.0.2.1 ", "Out1.Songda.TEST.", "mail-1", "203.0.113.9", " the first ")
    assert made == EgressEntry("192.0.2.1", "out1.songda.test", "mail-1", "203.0.113.9", "the first")
    assert made.seen_as == "203.0.113.9" and read_entry("::1", "a.test").seen_as == "::1"


@pytest.mark.parametrize(
    ("typed", "code", "field"),
    [
        (("nowhere", "a.test"), "egress_address_malformed", "source"),
        (("0.0.0.0", "a.test"), "egress_address_malformed", "source"),
        (("224.0.0.1", "a.test"), "egress_address_malformed", "source"),
        (("fe80::1%eth0", "a.test"), "egress_address_malformed", "source"),
        (("192.0.2.0/24", "a.test"), "egress_address_malformed", "source"),
        (("192.0.2.1", ""), "egress_name_malformed", "ehlo_name"),
        (("192.0.2.1", "localhost"), "egress_name_malformed", "ehlo_name"),
        (("192.0.2.1", "192.0.2.1"), "egress_name_malformed", "ehlo_name"),
        (("192.0.2.1", "a.test\r\nMAIL"), "egress_name_malformed", "ehlo_name"),
        (("192.0.2.1", "a.test", "a host"), "egress_host_malformed", "host"),
        (("192.0.2.1", "a.test", "", "x"), "egress_address_malformed", "public"),
        (("192.0.2.1", "a.test", "", "", "x" * 201), "text_too_long", "note"),
    ],
)
def test_what_is_no_address_of_ours_is_said_at_its_field(typed: tuple[str, ...], code: str, field: str) -> None:
    with pytest.raises(Refusal) as caught:
        read_entry(*typed)
    assert (caught.value.code, caught.value.field) == (code, field)
    assert all(all(explain(caught.value, language)) for language in ("zh", "en"))
