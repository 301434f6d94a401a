"""The resolver against a DNS server over UDP."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import dns.name
import pytest

from domain.dns import DnsAnswer, DnsResult
from domain.sending import OutcomeKind
from gateways.dns import DnsResolver
from sandbox.zones import Fault, Found
from tests.dns_world import DnsWorld, dns_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[DnsWorld]:
    async with dns_world(tmp_path) as started:
        yield started


async def test_strings_of_a_long_txt_are_joined(world: DnsWorld) -> None:
    value = "v=DKIM1; k=rsa; p=" + "A" * 400
    await world.put("k._domainkey.shop.example", "TXT", value)
    assert await world.resolver.txt("k._domainkey.shop.example") == DnsAnswer(DnsResult.FOUND, (value,), 60)


async def test_octets_that_are_no_text_can_be_stored_and_shown(world: DnsWorld) -> None:
    await world.put("odd.example", "TXT", '"a\\000b\\255c"')
    assert (await world.resolver.txt("odd.example")).values == ("a\\x00b\\xffc",)


async def test_absence_is_told_from_silence(world: DnsWorld) -> None:
    await world.put("here.example", "A", "192.0.2.1")
    await world.put("slow.example", "TXT", "x")
    await world.put("ill.example", "TXT", "x")
    await world.silence("slow.example", Fault.TIMEOUT)
    await world.silence("ill.example", Fault.SERVFAIL)
    ask = world.resolver.txt
    names = ("gone.example", "here.example", "slow.example", "ill.example", "a" * 64 + ".example")
    answers = await asyncio.gather(*(ask(name) for name in names))
    assert [answer.result for answer in answers] == [
        DnsResult.NO_NAME,
        DnsResult.NO_DATA,
        DnsResult.TIMEOUT,
        DnsResult.SERVER_FAILURE,
        DnsResult.SERVER_FAILURE,
    ]
    assert [answer.reachable for answer in answers] == [True, True, False, False, False]


async def test_aliases_and_mail_exchangers(world: DnsWorld) -> None:
    await world.put("track.shop.example", "CNAME", "Track.Songda.example.")
    await world.put("shop.example", "MX", "10 MX1.shop.example.", "20 mx2.shop.example.")
    assert (await world.resolver.cname("track.shop.example")).values == ("track.songda.example",)
    assert (await world.resolver.mx("shop.example")).values == ("10 mx1.shop.example", "20 mx2.shop.example")


async def test_servers_come_in_the_order_of_preference_and_equals_in_any(world: DnsWorld) -> None:
    await world.put("shop.example", "MX", "20 last.shop.example.", "10 a.shop.example.", "10 b.shop.example.")
    for number, name in enumerate(("last", "a", "b"), 1):
        await world.put(f"{name}.shop.example", "A", f"192.0.2.{number}")
    await world.put("a.shop.example", "AAAA", "2001:db8::2")
    seen: Counter[str] = Counter()
    for _ in range(60):
        route = await world.resolver.mail_hosts("Shop.Example.")
        assert [host.name for host in route.hosts][2] == "last.shop.example"
        seen[route.hosts[0].name] += 1
    assert set(seen) == {"a.shop.example", "b.shop.example"}
    by_name = {host.name: host.addresses for host in route.hosts}
    assert by_name["a.shop.example"] == ("192.0.2.2", "2001:db8::2")
    assert route.domain == "shop.example" and route.failure is None


async def test_without_mx_the_domain_itself_takes_mail(world: DnsWorld) -> None:
    await world.put("plain.example", "A", "192.0.2.9")
    route = await world.resolver.mail_hosts("plain.example")
    assert [(host.name, host.addresses) for host in route.hosts] == [("plain.example", ("192.0.2.9",))]


async def test_a_host_without_an_address_is_left_out(world: DnsWorld) -> None:
    await world.put("shop.example", "MX", "5 ghost.shop.example.", "10 mx.shop.example.")
    await world.put("mx.shop.example", "A", "192.0.2.1")
    assert [host.name for host in (await world.resolver.mail_hosts("shop.example")).hosts] == ["mx.shop.example"]


async def test_why_mail_has_no_way(world: DnsWorld) -> None:
    await world.put("null.example", "MX", "0 .")
    await world.put("lost.example", "MX", "10 ghost.lost.example.")
    await world.put("text.example", "TXT", "no mail here")
    await world.put("ill.example", "MX", "10 mx.ill.example.")
    await world.silence("ill.example")
    await world.put("half.example", "MX", "10 mx.ill.example.")
    failures = {}
    for name in ("null", "lost", "text", "gone", "ill", "half"):
        route = await world.resolver.mail_hosts(f"{name}.example")
        assert route.hosts == () and route.failure is not None
        failures[name] = (route.failure.kind, route.failure.reason, route.failure.enhanced)
    permanent, temporary = OutcomeKind.BOUNCED, OutcomeKind.DEFERRED
    assert failures == {
        "null": (permanent, "hard.bad_domain", "5.1.10"),
        "gone": (permanent, "hard.bad_domain", "5.1.2"),
        "text": (permanent, "hard.bad_domain", "5.4.4"),
        "lost": (permanent, "hard.bad_domain", "5.4.4"),
        "ill": (temporary, "soft.conn", "4.4.3"),
        "half": (temporary, "soft.conn", "4.4.3"),
    }


async def test_a_route_is_kept_and_asked_for_once_by_many(world: DnsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: Counter[str] = Counter()
    find = world.zones.find

    def counting(owner: dns.name.Name, type_: str) -> Found:
        asked[type_] += 1
        return find(owner, type_)

    monkeypatch.setattr(world.zones, "find", counting)
    await world.put("shop.example", "MX", "10 mx.shop.example.", ttl=1)
    await world.put("mx.shop.example", "A", "192.0.2.1")
    first = await asyncio.gather(*(world.resolver.mail_hosts("shop.example") for _ in range(20)))
    await world.put("mx.shop.example", "A", "192.0.2.2")
    kept = await world.resolver.mail_hosts("shop.example")
    assert asked == {"MX": 1, "A": 1, "AAAA": 1}
    await asyncio.sleep(1.1)  # the MX record's time to live
    fresh = await world.resolver.mail_hosts("shop.example")
    addresses = [route.hosts[0].addresses for route in (*first, kept, fresh)]
    assert addresses == [("192.0.2.1",)] * 21 + [("192.0.2.2",)]


@pytest.mark.parametrize("text", ["dns.example:53", "127.0.0.1", "127.0.0.1:x"])
def test_a_name_server_is_an_address_with_a_port(text: str) -> None:
    with pytest.raises(ValueError):
        DnsResolver([text])


def test_name_servers_may_be_ipv6() -> None:
    DnsResolver(["[::1]:5353", "127.0.0.1:53"])
