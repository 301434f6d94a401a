"""Smart hosts, over sockets: logins over TLS only, and faults of ours that bounce nobody's mail."""

from dataclasses import replace
from pathlib import Path

import pytest

from domain.sending import Outcome, OutcomeKind, Reason
from domain.transport import Login, MailRoute, Tls
from gateways.smtp import SmtpOptions, SmtpTransport
from tests.receiving_world import MAIL, PATIENCE, Receiver
from tests.tls_world import certificate

NAME = "relay.songda.test"
LOGIN = Login("songda", "a secret")


async def deliver(receiver: Receiver, route: MailRoute, mail: object = MAIL) -> Outcome:
    opened = await SmtpTransport(SmtpOptions(1, "out.test", PATIENCE)).connect(route)
    if isinstance(opened, Outcome):
        return opened
    try:
        return await opened.deliver(mail)  # type: ignore[arg-type]
    finally:
        await opened.close()


def relayed(receiver: Receiver, tls: Tls = Tls.REQUIRED, login: Login | None = LOGIN) -> MailRoute:
    return receiver.route(NAME, tls=tls, relay=True, login=login)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
async def test_it_takes_our_login_over_tls(tmp_path: Path, mechanism: str) -> None:
    server, _ = certificate(tmp_path, NAME)
    async with Receiver(server, login=(LOGIN.user, LOGIN.password), mechanisms=mechanism).serving() as receiver:
        outcome = await deliver(receiver, relayed(receiver))
    [visit] = receiver.visits
    assert (outcome.kind, outcome.host) == (OutcomeKind.DELIVERED, NAME)
    assert (visit.encrypted, visit.login, visit.mails) == (True, mechanism, 1)


async def test_it_may_ask_for_none(tmp_path: Path) -> None:
    async with Receiver().serving() as receiver:
        assert (await deliver(receiver, relayed(receiver, Tls.OPPORTUNISTIC, None))).kind is OutcomeKind.DELIVERED


async def test_a_wrong_password_defers_and_says_so(tmp_path: Path) -> None:
    server, _ = certificate(tmp_path, NAME)
    async with Receiver(server, login=(LOGIN.user, "another")).serving() as receiver:
        outcome = await deliver(receiver, relayed(receiver))
    assert (outcome.kind, outcome.reason, outcome.code) == (OutcomeKind.DEFERRED, Reason.CONN, 535)
    assert "the smart host took no login" in outcome.text and LOGIN.password not in outcome.text
    assert receiver.visits[0].senders == []


async def test_a_password_is_never_said_in_the_clear() -> None:
    async with Receiver(login=(LOGIN.user, LOGIN.password)).serving() as receiver:
        outcome = await deliver(receiver, relayed(receiver, Tls.OPPORTUNISTIC))
    assert (outcome.kind, receiver.visits[0].login) == (OutcomeKind.DEFERRED, "")
    assert "not encrypted" in outcome.text


@pytest.mark.parametrize(
    ("verb", "reply"),
    [
        ("MAIL", "530 5.7.0 Authentication required"),
        ("RCPT", "554 5.7.1 <amy@shop.test>: Relay access denied"),
        ("RCPT", "550 relaying denied"),
    ],
)
async def test_what_it_has_against_us_is_no_bounce_of_the_recipient(verb: str, reply: str) -> None:
    async with Receiver(replies={verb: reply}).serving() as receiver:
        outcome = await deliver(receiver, relayed(receiver, Tls.NONE, None))
        direct = await deliver(receiver, receiver.route())
    assert (outcome.kind, outcome.reason) == (OutcomeKind.DEFERRED, Reason.CONN)
    assert verb == "MAIL" or direct.kind is OutcomeKind.BOUNCED, "from a server of the recipient's it would be one"


async def test_what_it_has_against_a_recipient_is_one() -> None:
    async with Receiver(replies={"RCPT": "550 5.1.1 no such user"}).serving() as receiver:
        outcome = await deliver(receiver, relayed(receiver, Tls.NONE, None))
    assert (outcome.kind, outcome.reason) == (OutcomeKind.BOUNCED, Reason.INVALID_MAILBOX)


async def test_addresses_beyond_ascii_go_through_it() -> None:
    async with Receiver().serving() as receiver:
        mail = replace(MAIL, recipient="用户@例子.test", is_utf8=True)
        assert (await deliver(receiver, relayed(receiver, Tls.NONE, None), mail)).kind is OutcomeKind.DELIVERED
    assert receiver.visits[0].senders == ["FROM:<b+1@bounce.test> SMTPUTF8"]
    assert receiver.visits[0].recipients == ["TO:<用户@例子.test>"]


async def test_port_465_is_encrypted_before_the_greeting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server, _ = certificate(tmp_path, NAME)
    taken = Receiver(server, login=(LOGIN.user, LOGIN.password), implicit=True)
    async with taken.serving() as receiver:
        monkeypatch.setattr("gateways.smtp_opening.IMPLICIT_TLS", receiver.port)
        outcome = await deliver(receiver, relayed(receiver))
        stranger = await deliver(receiver, relayed(receiver, Tls.VERIFIED))
    assert (outcome.kind, receiver.visits[0].login) == (OutcomeKind.DELIVERED, "PLAIN")
    assert (stranger.kind, stranger.reason) == (OutcomeKind.DEFERRED, Reason.TLS)
