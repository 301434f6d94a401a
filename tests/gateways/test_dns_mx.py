"""RFC 5321 §5.1 against a DNS server over UDP: which servers take a domain's mail, and which of them we connect to."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from domain.networks import Reach
from domain.sending import OutcomeKind
from gateways.dns import ADDRESSES_KEPT, HOSTS_ASKED, DnsResolver
from tests.dns_world import DnsWorld, dns_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[DnsWorld]:
    async with dns_world(tmp_path) as started:
        yield started


async def servers(resolver: DnsResolver, domain: str) -> list[str]:
    return [host.name for host in (await resolver.mail_hosts(domain)).hosts]


async def why(resolver: DnsResolver, domain: str) -> tuple[OutcomeKind, str]:
    route = await resolver.mail_hosts(domain)
    assert route.failure is not None and route.hosts == ()
    return route.failure.kind, route.failure.enhanced


async def test_better_preferences_come_first_and_equal_ones_take_turns(world: DnsWorld) -> None:
    await world.put("shop.example", "MX", "20 c.shop.example.", "10 a.shop.example.", "10 b.shop.example.")
    for name in "abc":
        await world.put(f"{name}.shop.example", "A", "192.0.2.1")
    seen = {tuple(await servers(world.resolver, "shop.example")) for _ in range(40)}
    first = ("a.shop.example", "b.shop.example")
    assert seen == {(*first, "c.shop.example"), (*reversed(first), "c.shop.example")}


async def test_a_servers_addresses_take_turns_ipv4_first(world: DnsWorld) -> None:
    await world.put("shop.example", "A", "192.0.2.1", "192.0.2.2")
    await world.put("shop.example", "AAAA", "2001:db8::1", "2001:db8::2")
    seen = {(await world.resolver.mail_hosts("shop.example")).hosts[0].addresses for _ in range(60)}
    assert {addresses[0] for addresses in seen} == {"192.0.2.1", "192.0.2.2"}
    assert all([":" in each for each in addresses] == [False, False, True, True] for addresses in seen)


async def test_an_mx_hides_the_domains_own_address(world: DnsWorld) -> None:
    """Even when its servers cannot be found: the address is of its web pages."""
    await world.put("shop.example", "MX", "10 ghost.shop.example.")
    await world.put("shop.example", "A", "192.0.2.1")
    assert await why(world.resolver, "shop.example") == (OutcomeKind.BOUNCED, "5.4.4")


async def test_only_ipv6(world: DnsWorld) -> None:
    await world.put("six.example", "AAAA", "2001:db8::9")
    [host] = (await world.resolver.mail_hosts("six.example")).hosts
    assert (host.name, host.addresses) == ("six.example", ("2001:db8::9",))


async def test_a_null_mx_beside_others_is_none(world: DnsWorld) -> None:
    await world.put("odd.example", "MX", "0 .", "10 mx.odd.example.")
    await world.put("mx.odd.example", "A", "192.0.2.1")
    assert await servers(world.resolver, "odd.example") == ["mx.odd.example"]


async def test_an_ip_address_is_no_mail_servers_name(world: DnsWorld) -> None:
    await world.put("literal.example", "MX", "10 192.0.2.1.")
    assert await why(world.resolver, "literal.example") == (OutcomeKind.BOUNCED, "5.4.4")


async def test_an_alias_of_a_server_is_followed(world: DnsWorld) -> None:
    """RFC 2181 §10.3 forbids it, and everybody's resolver does it."""
    await world.put("shop.example", "MX", "10 alias.shop.example.")
    await world.put("alias.shop.example", "CNAME", "real.shop.example.")
    await world.put("real.shop.example", "A", "192.0.2.1")
    [host] = (await world.resolver.mail_hosts("shop.example")).hosts
    assert (host.name, host.addresses) == ("alias.shop.example", ("192.0.2.1",))


def at(world: DnsWorld, *allowed: str, ours: tuple[str, ...] = ()) -> DnsResolver:
    """Another resolver for the same server."""
    [server] = world.resolver._resolver.nameservers
    text = f"{server.address}:{server.port}"  # type: ignore[union-attr]
    return DnsResolver([text], 1.0, reach=Reach(allowed), ourselves=lambda: ours)


@pytest.mark.parametrize(
    ("type_", "address"),
    [
        ("A", "127.0.0.1"),
        ("A", "10.0.0.1"),
        ("A", "169.254.169.254"),
        ("A", "100.64.0.1"),
        ("A", "0.0.0.0"),
        ("A", "224.0.0.1"),
        ("AAAA", "::1"),
        ("AAAA", "fe80::1"),
        ("AAAA", "fd00::1"),
        ("AAAA", "::ffff:10.0.0.1"),
        ("AAAA", "64:ff9b::a00:1"),
    ],
)
async def test_nobodys_mx_leads_into_our_own_network(world: DnsWorld, type_: str, address: str) -> None:
    """Whoever owns a domain could make us talk to a server of ours (SSRF)."""
    await world.put("evil.example", "MX", "10 mx.evil.example.")
    await world.put("mx.evil.example", type_, address)
    assert await why(at(world), "evil.example") == (OutcomeKind.BOUNCED, "5.4.4")
    await world.put("bare.example", type_, address)
    assert await why(at(world), "bare.example") == (OutcomeKind.BOUNCED, "5.4.4")


async def test_other_addresses_of_it_are_used(world: DnsWorld) -> None:
    await world.put("half.example", "MX", "10 in.half.example.", "20 out.half.example.")
    await world.put("in.half.example", "A", "10.0.0.1")
    await world.put("out.half.example", "A", "10.0.0.2", "1.1.1.1")
    [host] = (await at(world).mail_hosts("half.example")).hosts
    assert (host.name, host.addresses) == ("out.half.example", ("1.1.1.1",))


async def test_an_operator_may_allow_a_network(world: DnsWorld) -> None:
    await world.put("intern.example", "A", "10.1.2.3")
    assert await servers(at(world, "10.1.0.0/16"), "intern.example") == ["intern.example"]


async def test_we_are_no_server_of_others(world: DnsWorld) -> None:
    """Those that stand behind ourselves would send it back to us (RFC 5321 §5.1)."""
    await world.put("loop.example", "MX", "10 out1.songda.test.", "20 far.example.")
    await world.put("good.example", "MX", "5 far.example.", "10 out1.songda.test.", "20 behind.example.")
    for name in ("out1.songda.test", "far.example", "behind.example"):
        await world.put(name, "A", "1.1.1.1")
    resolver = at(world, ours=("out1.songda.test",))
    assert await why(resolver, "loop.example") == (OutcomeKind.BOUNCED, "5.4.6")
    assert await servers(resolver, "good.example") == ["far.example"]


async def test_a_thousand_servers_are_not_asked_for(world: DnsWorld) -> None:
    await world.put("wide.example", "MX", *(f"{n} mx{n}.wide.example." for n in range(1, 31)))
    for n in range(1, 31):
        await world.put(f"mx{n}.wide.example", "A", f"192.0.2.{n}")
    assert await servers(world.resolver, "wide.example") == [f"mx{n}.wide.example" for n in range(1, HOSTS_ASKED + 1)]
    await world.put("many.example", "A", *(f"192.0.2.{n}" for n in range(1, 31)))
    [host] = (await world.resolver.mail_hosts("many.example")).hosts
    assert len(host.addresses) == ADDRESSES_KEPT


async def test_what_an_address_is_called(world: DnsWorld) -> None:
    await world.put("2.2.0.192.in-addr.arpa", "PTR", "Out1.Songda.test.")
    assert (await world.resolver.names("192.0.2.2")).values == ("out1.songda.test",)
