"""STARTTLS as a destination wants it, over sockets: offered or not, trusted or not, broken, tampered with."""

import ssl
from pathlib import Path

import pytest

from domain.sending import Outcome, OutcomeKind, Reason
from domain.transport import MailHost, MailRoute, Tls
from gateways.smtp import SmtpOptions, SmtpTransport
from tests.receiving_world import MAIL, PATIENCE, Receiver
from tests.tls_world import certificate

NAME = "mx.shop.test"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def tls(folder: Path) -> ssl.SSLContext:
    """A server's side for NAME, whose certificate `trusting` believes."""
    return certificate(folder, NAME)[0]


def transport(authorities: str = "") -> SmtpTransport:
    return SmtpTransport(SmtpOptions(1, "out.test", PATIENCE, authorities))


async def deliver(receiver: Receiver, tls: Tls, authorities: str = "", name: str = NAME) -> Outcome:
    opened = await transport(authorities).connect(receiver.route(name, tls=tls))
    if isinstance(opened, Outcome):
        return opened
    try:
        return await opened.deliver(MAIL)
    finally:
        await opened.close()


async def test_it_is_used_where_it_is_offered_and_ehlo_is_said_again(tls: ssl.SSLContext) -> None:
    """RFC 3207 §4.2: what was said before the handshake is void. A server may refuse MAIL without another EHLO."""
    async with Receiver(tls).serving() as receiver:
        outcome = await deliver(receiver, Tls.OPPORTUNISTIC)
    [visit] = receiver.visits
    assert outcome.kind is OutcomeKind.DELIVERED
    assert visit.encrypted and visit.mails == 1 and visit.greeted_as == ["out.test", "out.test"]


async def test_what_the_server_offers_after_it_is_believed(tls: ssl.SSLContext) -> None:
    async with Receiver(tls).serving() as receiver:
        opened = await transport().connect(receiver.route())
        assert not isinstance(opened, Outcome)
        assert opened._pipelines and opened._takes_utf8
        await opened.close()


@pytest.mark.parametrize("policy", [Tls.NONE, Tls.OPPORTUNISTIC])
async def test_a_server_without_it_gets_mail_in_the_clear(policy: Tls) -> None:
    async with Receiver().serving() as receiver:
        assert (await deliver(receiver, policy)).kind is OutcomeKind.DELIVERED
    assert not receiver.visits[0].encrypted


async def test_none_means_none(tls: ssl.SSLContext) -> None:
    async with Receiver(tls).serving() as receiver:
        assert (await deliver(receiver, Tls.NONE)).kind is OutcomeKind.DELIVERED
    assert not receiver.visits[0].encrypted


async def test_a_handshake_that_breaks_is_given_up_for_one_connection_in_the_clear(tls: ssl.SSLContext) -> None:
    """As Postfix does: a new connection, since this one is in no state, and no second handshake on it."""
    async with Receiver(tls, broken_handshake=True).serving() as receiver:
        assert (await deliver(receiver, Tls.OPPORTUNISTIC)).kind is OutcomeKind.DELIVERED
    assert [(visit.encrypted, visit.mails) for visit in receiver.visits] == [(False, 0), (False, 1)]


async def test_starttls_that_is_refused_in_words_costs_no_second_connection(tls: ssl.SSLContext) -> None:
    async with Receiver(tls, {"STARTTLS": "454 4.7.0 not now"}).serving() as receiver:
        assert (await deliver(receiver, Tls.OPPORTUNISTIC)).kind is OutcomeKind.DELIVERED
    assert [(visit.encrypted, visit.mails) for visit in receiver.visits] == [(False, 1)]


@pytest.mark.parametrize(
    ("faults", "enhanced"),
    [
        ({"tls": None}, "4.7.4"),
        ({"replies": {"STARTTLS": "454 4.7.0 not now"}}, "4.7.4"),
        ({"broken_handshake": True}, "4.7.5"),
    ],
)
@pytest.mark.parametrize("policy", [Tls.REQUIRED, Tls.VERIFIED])
async def test_where_it_is_required_nothing_goes_in_the_clear(
    tls: ssl.SSLContext, faults: dict[str, object], enhanced: str, policy: Tls
) -> None:
    async with Receiver(**{"tls": tls, **faults}).serving() as receiver:  # type: ignore[arg-type]
        outcome = await deliver(receiver, policy)
    assert (outcome.kind, outcome.reason, outcome.enhanced) == (OutcomeKind.DEFERRED, Reason.TLS, enhanced), outcome
    assert [visit.senders for visit in receiver.visits] == [[]], "not a word of a mail, and one try"


async def test_required_takes_any_certificate(tls: ssl.SSLContext) -> None:
    async with Receiver(tls).serving() as receiver:
        assert (await deliver(receiver, Tls.REQUIRED, name="another.name.test")).kind is OutcomeKind.DELIVERED
    assert receiver.visits[0].encrypted


async def test_verified_wants_an_authority_that_it_knows(tls: ssl.SSLContext, folder: Path) -> None:
    async with Receiver(tls).serving() as receiver:
        stranger = await deliver(receiver, Tls.VERIFIED)
        known = await deliver(receiver, Tls.VERIFIED, str(folder / "server.pem"))
    assert (stranger.reason, stranger.enhanced) == (Reason.TLS, "4.7.5")
    assert "self-signed certificate" in stranger.text
    assert known.kind is OutcomeKind.DELIVERED


async def test_verified_wants_the_servers_own_name(tls: ssl.SSLContext, folder: Path) -> None:
    async with Receiver(tls).serving() as receiver:
        outcome = await deliver(receiver, Tls.VERIFIED, str(folder / "server.pem"), "mx.other.test")
    assert (outcome.kind, outcome.reason) == (OutcomeKind.DEFERRED, Reason.TLS)
    assert "mx.other.test" in outcome.text


async def test_what_is_slipped_in_before_the_handshake_is_thrown_away(tls: ssl.SSLContext) -> None:
    """RFC 3207 §5: a man in the middle appends a reply to the 220; read as TLS' own, it would answer our EHLO."""
    injected = b"250-mx.evil.test\r\n250 AUTH PLAIN\r\n"
    async with Receiver(tls, injected=injected).serving() as receiver:
        opened = await transport().connect(receiver.route(tls=Tls.REQUIRED))
        if isinstance(opened, Outcome):
            assert opened.reason == Reason.TLS
        else:
            assert opened._pipelines, "the encrypted server's own answer"
            assert (await opened.deliver(MAIL)).kind is OutcomeKind.DELIVERED
            await opened.close()


async def test_the_next_server_may_have_what_is_required(tls: ssl.SSLContext) -> None:
    async with Receiver().serving() as bare, Receiver(tls).serving() as good:
        hosts = (MailHost("mx1.test", ("127.0.0.1",), bare.port), MailHost("mx2.test", ("127.0.0.1",), good.port))
        opened = await transport().connect(MailRoute("shop.test", hosts, tls=Tls.REQUIRED))
        assert not isinstance(opened, Outcome)
        assert (await opened.deliver(MAIL)).host == "mx2.test"
        await opened.close()
