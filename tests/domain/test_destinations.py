"""Rules of destinations: which one holds, and what an operator may type."""

import pytest

from domain.destinations import (
    Destinations,
    Match,
    Rule,
    SmartHost,
    Treatment,
    checked_login,
    read_policy,
    read_smart_hosts,
)
from domain.errors import Refusal
from domain.refusals import explain
from domain.transport import Login, Tls

NONE, REQUIRED, VERIFIED = Treatment(Tls.NONE), Treatment(Tls.REQUIRED), Treatment(Tls.VERIFIED)
RELAYED = Treatment(Tls.REQUIRED, (SmartHost("relay.test"),))


def refused(code: str, field: str, act: object, *args: object) -> None:
    with pytest.raises(Refusal) as caught:
        act(*args)  # type: ignore[operator]
    assert (caught.value.code, caught.value.field) == (code, field)
    assert all(all(explain(caught.value, language)) for language in ("zh", "en"))


def test_the_recipients_domain_beats_its_servers_and_these_beat_the_lane() -> None:
    lane, mx, domain = (
        Rule(Match.LANE, "qq", NONE),
        Rule(Match.MX, "qq.com", REQUIRED),
        Rule(Match.DOMAIN, "a.cn", VERIFIED),
    )
    assert Destinations((lane, mx, domain)).of_servers("a.cn", ["mx1.qq.com"]) == VERIFIED
    assert Destinations((lane, mx, domain)).of_servers("b.cn", ["mx1.qq.com"]) == REQUIRED
    assert Destinations((lane, domain)).of_servers("b.cn", ["mx1.qq.com"]) == NONE
    assert Destinations((lane, mx, domain), RELAYED).of_servers("b.cn", ["mx.b.cn"]) == RELAYED


def test_the_longest_pattern_wins_and_ends_at_a_dot() -> None:
    found = Destinations((Rule(Match.DOMAIN, "b.cn", NONE), Rule(Match.DOMAIN, "a.b.cn", REQUIRED)))
    assert found.of_domain("x.a.b.cn") == found.of_domain("a.b.cn") == REQUIRED
    assert found.of_domain("b.cn") == found.of_domain("y.b.cn") == NONE
    assert found.of_servers("ab.cn", ["mx.ab.cn"]) == Treatment()


def test_what_is_known_before_the_dns_is_asked() -> None:
    assert Destinations((), RELAYED).of_domain("a.cn") == RELAYED
    assert Destinations((Rule(Match.DOMAIN, "b.cn", NONE),), RELAYED).of_domain("a.cn") == RELAYED
    assert Destinations((Rule(Match.MX, "b.cn", NONE),), RELAYED).of_domain("a.cn") is None, "its MX may be in a rule"


@pytest.mark.parametrize(
    ("typed", "hosts"),
    [
        ("", ()),
        ("Relay.Songda.TEST", (SmartHost("relay.songda.test", 25),)),
        ("relay.songda.test:587\n10.0.0.1:2525", (SmartHost("relay.songda.test", 587), SmartHost("10.0.0.1", 2525))),
        ("[2001:DB8::1]:465, postfix", (SmartHost("2001:db8::1", 465), SmartHost("postfix", 25))),
        ("中继.例子.test", (SmartHost("xn--fiqv10j.xn--fsqu00a.test", 25),)),
    ],
)
def test_smart_hosts_as_they_are_typed(typed: str, hosts: tuple[SmartHost, ...]) -> None:
    assert read_smart_hosts(typed) == hosts
    assert read_smart_hosts("\n".join(map(str, hosts))) == hosts, "and as they are kept"


NO_HOSTS = (
    "a.test:0",
    "a.test:65536",
    "a.test:x",
    "a..test",
    "http://a.test",
    "1.2.3.999",
    "[a.test]",
    "a_b.test",
    "a@b",
)


@pytest.mark.parametrize("typed", [*NO_HOSTS, "\n".join(f"h{n}.test" for n in range(6))])
def test_what_is_no_smart_host(typed: str) -> None:
    refused("smart_host_malformed", "smart_hosts", read_smart_hosts, typed)


def test_a_rule_as_it_is_typed() -> None:
    made = read_policy("domain", " .Bank.Example. ", "verified", "")
    assert (made.match, made.pattern, made.tls) == (Match.DOMAIN, "bank.example", Tls.VERIFIED)
    assert read_policy("lane", "qq", "none", "").pattern == "qq"
    refused("policy_match_unknown", "match", read_policy, "colour", "a.cn", "none", "")
    refused("policy_tls_unknown", "tls", read_policy, "domain", "a.cn", "perhaps", "")
    refused("policy_pattern_malformed", "pattern", read_policy, "domain", "no domain", "none", "")
    refused("policy_pattern_malformed", "pattern", read_policy, "lane", "relay", "none", "")
    refused("policy_pattern_malformed", "pattern", read_policy, "lane", "nowhere", "none", "")


def test_a_login_belongs_to_an_encrypted_smart_host() -> None:
    hosts = (SmartHost("relay.test"),)
    checked_login(Tls.REQUIRED, hosts, "user", "password")
    checked_login(Tls.NONE, hosts, "", None)
    refused("smart_host_login_alone", "user", checked_login, Tls.REQUIRED, (), "user", "password")
    refused("smart_host_login_in_clear", "tls", checked_login, Tls.OPPORTUNISTIC, hosts, "user", "password")
    refused("text_too_long", "password", checked_login, Tls.REQUIRED, hosts, "user", "x" * 501)


def test_a_password_is_in_no_text() -> None:
    assert "hush" not in repr(Login("user", "hush"))
    assert "hush" not in repr(Destinations((Rule(Match.DOMAIN, "a.cn", Treatment(login=Login("user", "hush"))),)))
