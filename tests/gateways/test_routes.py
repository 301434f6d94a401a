"""The way of a mail by the rules of destinations, with a DNS server over UDP."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from activities.recipient_lanes import route_lane
from domain.destinations import Destinations, Match, Rule, SmartHost, Treatment
from domain.lanes import RELAY
from domain.sending import OutcomeKind, Reason
from domain.transport import Login, MailRoute, Tls
from gateways.routes import Routes
from tests.dns_world import DnsWorld, dns_world

LOGIN = Login("u", "p")
RELAYED = Treatment(Tls.REQUIRED, (SmartHost("relay.songda.test", 587), SmartHost("10.0.0.9")), LOGIN)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[DnsWorld]:
    async with dns_world(tmp_path) as started:
        await started.put("shop.example", "MX", "10 mx.shop.example.")
        await started.put("mx.shop.example", "A", "192.0.2.1")
        await started.put("bank.example", "MX", "10 mx.bank.example.", "20 mx1.qq.com.")
        await started.put("mx.bank.example", "A", "192.0.2.2")
        await started.put("mx1.qq.com", "A", "192.0.2.3")
        await started.put("relay.songda.test", "A", "10.0.0.7", "10.0.0.8")
        yield started


async def way(world: DnsWorld, domain: str, *rules: Rule, otherwise: Treatment | None = None) -> MailRoute:
    destinations = Destinations(rules, otherwise or Treatment())
    return await Routes(world.resolver, lambda: destinations).mail_hosts(domain)


def rule(match: Match, pattern: str, treatment: Treatment) -> Rule:
    return Rule(match, pattern, treatment)


async def test_without_rules_by_mx(world: DnsWorld) -> None:
    route = await way(world, "shop.example")
    assert [host.name for host in route.hosts] == ["mx.shop.example"]
    assert (route.tls, route.relay) == (Tls.OPPORTUNISTIC, False)


@pytest.mark.parametrize(
    ("match", "pattern"),
    [(Match.DOMAIN, "shop.example"), (Match.DOMAIN, "example"), (Match.MX, "shop.example"), (Match.LANE, "other")],
)
async def test_a_rule_says_how_it_is_encrypted(world: DnsWorld, match: Match, pattern: str) -> None:
    route = await way(world, "shop.example", rule(match, pattern, Treatment(Tls.VERIFIED)))
    assert ([host.name for host in route.hosts], route.tls) == (["mx.shop.example"], Tls.VERIFIED)


@pytest.mark.parametrize(
    ("match", "pattern"), [(Match.DOMAIN, "shop.example"), (Match.MX, "mx.shop.example"), (Match.LANE, "other")]
)
async def test_a_rule_names_smart_hosts(world: DnsWorld, match: Match, pattern: str) -> None:
    route = await way(world, "shop.example", rule(match, pattern, RELAYED))
    assert [(host.name, host.port) for host in route.hosts] == [("relay.songda.test", 587), ("10.0.0.9", 25)]
    assert {*route.hosts[0].addresses} == {"10.0.0.7", "10.0.0.8"}, "an operator's choice may be on our own network"
    assert (route.tls, route.relay, route.login) == (Tls.REQUIRED, True, LOGIN)
    assert route_lane(route) == RELAY


async def test_a_smart_host_for_all_asks_for_no_mx(world: DnsWorld) -> None:
    """It takes mail for domains that only it can find."""
    route = await way(world, "unknown.intern", otherwise=RELAYED)
    assert route.relay and route.hosts[0].name == "relay.songda.test"


async def test_the_exception_goes_by_mx(world: DnsWorld) -> None:
    route = await way(world, "shop.example", rule(Match.DOMAIN, "shop.example", Treatment()), otherwise=RELAYED)
    assert not route.relay and route.hosts[0].name == "mx.shop.example"


async def test_a_smart_host_that_is_not_found_defers(world: DnsWorld) -> None:
    lost = Treatment(Tls.NONE, (SmartHost("gone.songda.test"),))
    route = await way(world, "shop.example", rule(Match.DOMAIN, "shop.example", lost))
    assert route.failure is not None and route.hosts == ()
    assert (route.failure.kind, route.failure.reason, route.relay) == (OutcomeKind.DEFERRED, Reason.CONN, True)


async def test_a_domain_that_accepts_no_mail_is_not_relayed_by_the_rule_of_its_servers(world: DnsWorld) -> None:
    await world.put("null.example", "MX", "0 .")
    route = await way(world, "null.example", rule(Match.LANE, "other", RELAYED))
    assert route.failure is not None and route.failure.kind is OutcomeKind.BOUNCED


async def test_domains_share_connections_only_when_they_are_treated_alike(world: DnsWorld) -> None:
    await world.put("twin.example", "MX", "10 mx.shop.example.")
    strict = rule(Match.DOMAIN, "twin.example", Treatment(Tls.REQUIRED))
    one, two = await way(world, "shop.example", strict), await way(world, "twin.example", strict)
    assert one.destination == two.destination and one.connection != two.connection


async def test_a_server_that_relays_shares_no_connection_with_itself_as_an_mx(world: DnsWorld) -> None:
    """On its other port, or for others' mail, it says other things."""
    await world.put("twin.example", "MX", "10 mx.shop.example.")
    routes = [await way(world, "shop.example")]
    for port in (25, 587):
        relayed = Treatment(smart_hosts=(SmartHost("mx.shop.example", port),))
        routes.append(await way(world, "twin.example", rule(Match.DOMAIN, "twin.example", relayed)))
    assert len({route.destination for route in routes}) == 1
    assert len({route.connection for route in routes}) == 3
