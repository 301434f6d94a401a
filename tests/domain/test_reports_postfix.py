"""Postfix takes mails of ours, cannot deliver them, and tells our return path: its own words, over SMTP."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiosmtplib
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from bench import postfix
from domain.reports import Report, Reported, ReportKind, read_report
from stack import temporary_folder
from supervision.ports import LOOPBACK
from tests.patience import until

RETURN_PATH = "b+abcdefghijklmnopqrstuvwxyz@bounce.songda.example"
MESSAGE_ID = "0192f0a1b2c3d4e5f60718293a4b5c6d.1@shop.example"
REFUSALS = {
    "nobody": "550 5.1.1 <nobody@dest.example>: no such user here",
    "用户": "550 5.1.1 no such user here",
    "full": "552 5.2.2 quota exceeded",
    "busy": "450 4.2.0 come back later",
}
IMPATIENT = {
    "queue_run_delay": "1s",
    "minimal_backoff_time": "1s",
    "maximal_backoff_time": "1s",
    "delay_warning_time": "1s",
    "maximal_queue_lifetime": "4s",
    "transport_retry_time": "1s",
    "bounce_queue_lifetime": "60s",
}


class World:
    """The Internet behind Postfix: refuses by local part, keeps what comes to the return path."""

    def __init__(self) -> None:
        self.came: list[bytes] = []

    async def handle_RCPT(  # noqa: N802 (aiosmtpd finds its hooks by these names)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refusal = REFUSALS.get(address.partition("@")[0])
        if refusal is None:
            envelope.rcpt_tos.append(address)
        return refusal or "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if envelope.rcpt_tos == [RETURN_PATH]:
            sender = (envelope.mail_from or "").strip("<>")
            self.came.append(b"Return-Path: <%b>\r\n%b" % (sender.encode(), envelope.original_content or b""))
            keep(self.came[-1])
        return "250 2.0.0 OK"


def keep(raw: bytes) -> None:
    """For the corpus: `SONGDA_KEEP_REPORTS=folder` writes down what came."""
    if folder := os.environ.get("SONGDA_KEEP_REPORTS"):
        (Path(folder) / f"postfix-{abs(hash(raw))}.eml").write_bytes(raw)


Hand = Callable[..., Awaitable[list[Report]]]


@pytest.fixture(scope="module")
async def hand() -> AsyncIterator[Hand]:
    """Give Postfix a mail; the reports that it sends for it."""
    if (reason := postfix.missing()) is not None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{reason} `make postfix` installs it in CI.")
    world, port, loop = World(), postfix.free_port(), asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(world, hostname="dest.example", loop=loop, enable_SMTPUTF8=True), LOOPBACK, port
    )
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(server.close)
        folder = await stack.enter_async_context(temporary_folder())
        instance = postfix.Instance(folder / "postfix", postfix.free_port(), port, 2, IMPATIENT)
        await stack.enter_async_context(postfix.running(instance))

        async def one(recipient: str, count: int = 1, options: tuple[str, ...] = ()) -> list[Report]:
            world.came.clear()
            content = f"From: a@shop.example\r\nTo: {recipient}\r\nMessage-ID: <{MESSAGE_ID}>\r\n\r\nHello.\r\n"
            async with aiosmtplib.SMTP(hostname=LOOPBACK, port=instance.port, start_tls=False) as client:
                utf8 = [] if recipient.isascii() else ["SMTPUTF8", "BODY=8BITMIME"]
                await client.sendmail(
                    RETURN_PATH, [recipient], content.encode(), mail_options=utf8, rcpt_options=options
                )

            async def enough() -> bool:
                return len(world.came) >= count

            await until(enough)
            return [read_report(raw) for raw in world.came]

        yield one


def is_about_our_mail(report: Report) -> bool:
    return report.message_ids[:1] == (MESSAGE_ID,) and RETURN_PATH in report.return_paths


@pytest.mark.parametrize(
    ("recipient", "status", "code"), [("nobody@dest.example", "5.1.1", 550), ("full@dest.example", "5.2.2", 552)]
)
async def test_a_refused_recipient_is_returned(hand: Hand, recipient: str, status: str, code: int) -> None:
    (report,) = await hand(recipient)
    assert (report.kind, report.source) == (ReportKind.BOUNCE, "dsn")
    (found,) = report.recipients
    assert (found.address, found.action, found.status, found.code) == (recipient, "failed", status, code)
    assert found.diagnostic.startswith(f"{code} {status} ")
    assert is_about_our_mail(report)


async def test_a_mail_that_waits_is_a_delay_and_at_last_a_bounce_with_the_status_of_the_delay(hand: Hand) -> None:
    delay, bounce = await hand("busy@dest.example", 2)
    assert (delay.kind, delay.recipients[0].action, delay.recipients[0].status) == (
        ReportKind.DELAY, "delayed", "4.2.0",
    )  # fmt: skip
    assert (bounce.kind, bounce.recipients[0].action, bounce.recipients[0].status) == (
        ReportKind.BOUNCE, "failed", "4.2.0",
    )  # fmt: skip
    assert is_about_our_mail(delay)
    assert is_about_our_mail(bounce)


async def test_a_success_that_was_asked_for(hand: Hand) -> None:
    (report,) = await hand("anybody@dest.example", options=("NOTIFY=SUCCESS", "ORCPT=rfc822;any+2Bbody@dest.example"))
    assert report.kind == ReportKind.DELIVERED
    assert report.recipients == (
        Reported("any+body@dest.example", "relayed", "2.0.0", 0, report.recipients[0].diagnostic, LOOPBACK),
    )


async def test_an_address_beyond_ascii(hand: Hand) -> None:
    (report,) = await hand("用户@dest.example")
    assert [(each.address, each.status) for each in report.recipients] == [("用户@dest.example", "5.1.1")]
    assert is_about_our_mail(report)
