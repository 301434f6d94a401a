"""Which of our addresses speaks, over sockets: what the server sees of it, in turn, by family, and what is recorded."""

import socket
from collections import Counter

import pytest

from domain.egress import Source
from domain.sending import Outcome, OutcomeKind, Reason
from domain.transport import MailHost, MailRoute
from gateways.own_addresses import bind_problem
from gateways.smtp import SmtpOptions, SmtpTransport
from tests.receiving_world import MAIL, PATIENCE, Receiver

TWO, THREE = Source(2, "127.0.0.2", "out2.songda.test"), Source(3, "127.0.0.3", "out3.songda.test")
SIX = Source(6, "::1", "out6.songda.test")


def transport(*sources: Source) -> SmtpTransport:
    return SmtpTransport(SmtpOptions(1, "out.test", PATIENCE), sources=lambda: sources)


async def deliver(transport: SmtpTransport, route: MailRoute) -> Outcome:
    opened = await transport.connect(route)
    if isinstance(opened, Outcome):
        return opened
    try:
        return await opened.deliver(MAIL)
    finally:
        await opened.close()


async def test_the_server_sees_the_address_and_its_name() -> None:
    async with Receiver().serving() as receiver:
        outcome = await deliver(transport(TWO), receiver.route())
    [visit] = receiver.visits
    assert (visit.peer, visit.greeted_as) == ("127.0.0.2", ["out2.songda.test"])
    assert (outcome.kind, outcome.egress) == (OutcomeKind.DELIVERED, 2)


async def test_without_addresses_of_ours_the_system_chooses() -> None:
    async with Receiver().serving() as receiver:
        outcome = await deliver(SmtpTransport(SmtpOptions(1, "out.test", PATIENCE)), receiver.route())
    assert (receiver.visits[0].peer, receiver.visits[0].greeted_as, outcome.egress) == ("127.0.0.1", ["out.test"], 0)


async def test_a_large_provider_hears_them_in_turn() -> None:
    async with Receiver().serving() as receiver:
        wire = transport(TWO, THREE)
        outcomes = [await deliver(wire, receiver.route("mx1.qq.com")) for _ in range(6)]
    assert Counter(visit.peer for visit in receiver.visits) == {"127.0.0.2": 3, "127.0.0.3": 3}
    assert Counter(outcome.egress for outcome in outcomes) == {2: 3, 3: 3}


async def test_a_small_site_always_hears_the_same_one() -> None:
    """Whoever greylists knows us by our address when we come again."""
    wire, another = transport(TWO, THREE), transport(THREE, TWO)
    async with Receiver().serving() as receiver:
        for each in (wire, wire, another, another):
            assert (await deliver(each, receiver.route("mx.shop.test"))).egress
    assert len({visit.peer for visit in receiver.visits}) == 1


async def test_a_refused_greeting_says_which_address_it_refused() -> None:
    async with Receiver(replies={"greeting": "554 no service: listed by an rbl"}).serving() as receiver:
        outcome = await deliver(transport(THREE), receiver.route())
    assert (outcome.kind, outcome.egress, outcome.code) == (OutcomeKind.DEFERRED, 3, 554)


async def test_only_an_address_of_its_family_can_reach_a_server() -> None:
    async with Receiver().serving() as four:
        hosts = (MailHost("six.test", ("::1",), 1), MailHost("four.test", ("::2", "127.0.0.1"), four.port))
        outcome = await deliver(transport(TWO), MailRoute("shop.test", hosts))
    assert (outcome.kind, outcome.host) == (OutcomeKind.DELIVERED, "four.test")


@pytest.mark.skipif(bool(bind_problem("::1")), reason="no IPv6 on this machine")
async def test_ipv6() -> None:
    async with Receiver().serving("::1") as receiver:
        route = MailRoute("shop.test", (MailHost("six.test", ("127.0.0.1", "::1"), receiver.port),))
        outcome = await deliver(transport(SIX), route)
    assert (outcome.kind, outcome.egress, receiver.visits[0].peer) == (OutcomeKind.DELIVERED, 6, "::1")


@pytest.mark.parametrize("sources", [(), (SIX,)])
async def test_nothing_is_sent_when_no_address_may_speak(sources: tuple[Source, ...]) -> None:
    async with Receiver().serving() as receiver:
        outcome = await deliver(transport(*sources), receiver.route())
    assert (outcome.kind, outcome.reason) == (OutcomeKind.DEFERRED, Reason.CONN)
    assert "no address of ours" in outcome.text and receiver.visits == []


async def test_an_address_that_this_machine_has_not_is_a_deferral() -> None:
    async with Receiver().serving() as receiver:
        outcome = await deliver(transport(Source(9, "192.0.2.9", "out9.songda.test")), receiver.route())
    assert (outcome.kind, outcome.egress, receiver.visits) == (OutcomeKind.DEFERRED, 9, [])


async def test_at_most_five_addresses_are_called() -> None:
    """A server of the second place comes to its turn, however many addresses the first has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = int(probe.getsockname()[1])
    far = MailHost("mx1.test", tuple(f"127.0.1.{n}" for n in range(100, 120)), nobody)
    async with Receiver().serving() as receiver:
        near = MailHost("mx2.test", ("127.0.0.1",), receiver.port)
        assert (await deliver(transport(TWO), MailRoute("shop.test", (far, near)))).host == "mx2.test"
        refusing = [MailHost(f"mx{n}.test", (f"127.0.1.{n}",), nobody) for n in range(100, 105)]
        outcome = await deliver(transport(TWO), MailRoute("shop.test", (*refusing, near)))
    assert (outcome.kind, outcome.host) == (OutcomeKind.DEFERRED, "mx104.test")
    assert len(receiver.visits) == 1


@pytest.mark.parametrize("greeting", ["421 busy", "450 not now", "554 no service", "550 go away"])
async def test_a_refused_greeting_leads_to_the_next_server_and_bounces_nothing(greeting: str) -> None:
    async with Receiver(replies={"greeting": greeting}).serving() as rude, Receiver().serving() as kind:
        one, two = (MailHost(f"mx{n}.test", ("127.0.0.1",), each.port) for n, each in ((1, rude), (2, kind)))
        assert (await deliver(transport(TWO), MailRoute("shop.test", (one, two)))).kind is OutcomeKind.DELIVERED
        alone = await deliver(transport(TWO), MailRoute("shop.test", (one,)))
    assert alone.kind is OutcomeKind.DEFERRED


async def test_a_refused_recipient_leads_to_no_other_server() -> None:
    async with Receiver(replies={"RCPT": "550 5.1.1 no such user"}).serving() as one, Receiver().serving() as two:
        hosts = (MailHost("mx1.test", ("127.0.0.1",), one.port), MailHost("mx2.test", ("127.0.0.1",), two.port))
        outcome = await deliver(transport(TWO), MailRoute("shop.test", hosts))
    assert (outcome.kind, outcome.host, two.visits) == (OutcomeKind.BOUNCED, "mx1.test", [])
