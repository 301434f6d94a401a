"""The inbound door (port 25 of the bounce host): takes what the world answers, and relays nothing.

Recipients: our return paths with the right MAC; at our bounce hosts `fbl` (feedback loops), `postmaster` and `abuse`
(RFC 5321 §4.5.1, RFC 2142). All others are refused at RCPT, and this door sends no mail, so nobody can have it write to
others. 250 after DATA: what was said is in the database.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import structlog
from aiosmtpd.smtp import Envelope, Session

from domain import verp
from domain.networks import neighbourhood
from domain.reports.mime import MAIL_OCTETS
from services.inbound import BELOW, Inbound
from smtp.limits import Room
from smtp.protocol import TROUBLE, Dialogue
from store.db import DATABASE_TROUBLE

log = structlog.get_logger(__name__)

DATA_SIZE = 25_000_000
"""Bytes of a mail: a report may quote all of what it returns."""
MAX_RECIPIENTS = 10
"""A report is about one mail, and our mails have one recipient each."""
MAX_REFUSED = 10
"""Recipients of one connection that we do not have, before it is ended: who tries names shall find no more."""
LETTERS_PER_HOUR = 300
COMPLAINTS_PER_HOUR = 20_000
CALLS = {"*": 20, "EHLO": 5, "HELO": 5, "MAIL": 200, "RCPT": 400, "DATA": 200, "RSET": 200}
"""Commands of one connection."""
KEEP_SECONDS = 120.0
"""For a mail to be read and kept; peers wait ten minutes (RFC 5321 §4.5.3.2.6)."""
POSTMASTER = "postmaster"

UNKNOWN = "550 5.1.1 no such mailbox here"
NO_RELAY = "550 5.7.1 relaying denied"
TAKEN = "250 2.1.5 ok"
LATER = "452 4.3.1 too many of these just now, try again later"
KEPT = "250 2.0.0 kept"


class Mailbox(StrEnum):
    """What a recipient of ours stands for."""

    RETURN_PATH = "return_path"
    COMPLAINTS = "complaints"
    LETTERS = "letters"


MAILBOXES = {
    "fbl": Mailbox.COMPLAINTS, POSTMASTER: Mailbox.LETTERS, "abuse": Mailbox.LETTERS, "mailer-daemon": Mailbox.LETTERS,
}  # fmt: skip


@dataclass
class Pace:
    """So many an hour, saved up for at most an hour: for mailboxes that anybody may write to.

    A quarter of them from one address: else a single one could keep out all complaints by naming the mailbox often.
    """

    per_hour: int
    _left: float = field(init=False)
    _at: float = field(init=False)
    _since: float = field(init=False)
    _of: Counter[str] = field(init=False, default_factory=Counter)

    def __post_init__(self) -> None:
        self._left, self._at = float(self.per_hour), time.monotonic()
        self._since = self._at

    def take(self, place: str) -> bool:
        """Whether one more may come now from there (`domain.networks.neighbourhood`)."""
        now = time.monotonic()
        if now - self._since >= 3600:
            self._since = now
            self._of.clear()
        self._left = min(self.per_hour, self._left + (now - self._at) * self.per_hour / 3600)
        self._at = now
        if self._left < 1 or self._of[place] >= self.per_hour // 4:
            return False
        self._left -= 1
        self._of[place] += 1
        return True


@dataclass
class Door:
    """What all connections of the process share."""

    inbound: Inbound
    key: bytes
    """`Vault.verp_key`."""
    host: str
    """The platform's bounce host, lower-case."""
    paces: dict[Mailbox, Pace] = field(
        default_factory=lambda: {
            Mailbox.COMPLAINTS: Pace(COMPLAINTS_PER_HOUR), Mailbox.LETTERS: Pace(LETTERS_PER_HOUR),
        }
    )  # fmt: skip

    async def reply_to(self, address: str, place: str) -> tuple[str, Mailbox | None, int]:
        """(reply, mailbox, message) for one recipient; mailbox None: it is refused.

        A return path with the right MAC needs no look into the database, and where it leads to only a host of ours.
        """
        local, _, host = address.lower().rpartition("@")
        message = verp.read_return_path(self.key, address)
        if message is not None and (host == self.host or host.startswith(BELOW)):
            return TAKEN, Mailbox.RETURN_PATH, message
        if not await self.inbound.is_our_host(host):
            return NO_RELAY, None, 0
        mailbox = MAILBOXES.get(local)
        if mailbox is None:
            return UNKNOWN, None, 0
        return (TAKEN, mailbox, 0) if self.paces[mailbox].take(place) else (LATER, None, 0)


class Hooks:
    """One connection's hooks."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self.refused = 0
        self._named: list[int] = []
        self._mailboxes: set[Mailbox] = set()

    async def handle_EHLO(
        self, _server: Any, session: Session, _envelope: Envelope, name: str, lines: list[str]
    ) -> list[str]:
        """aiosmtpd offers AUTH after STARTTLS, which nobody can use here, and HELP, which helps nobody."""
        session.host_name = name
        kept = [line for line in lines if not line[4:].startswith(("AUTH", "HELP"))]
        return [*kept, "250 ENHANCEDSTATUSCODES"]

    async def handle_MAIL(
        self, _server: Any, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Anybody, and most often nobody (`<>`): what a mail proves is in its recipient."""
        self.forget()
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 ok"

    async def handle_RCPT(
        self, server: "InboundDialogue", _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if len(envelope.rcpt_tos) >= MAX_RECIPIENTS:
            return "452 4.5.3 too many recipients"
        try:
            reply, mailbox, message = await self._door.reply_to(address, neighbourhood(server.address))
        except DATABASE_TROUBLE as error:
            log.warning("inbound_waits", error=type(error).__name__)
            return TROUBLE
        if mailbox is None:
            self.refused += 1
            return reply
        server.stay()
        envelope.rcpt_tos.append(address)
        self._mailboxes.add(mailbox)
        if mailbox is Mailbox.RETURN_PATH:
            self._named.append(message)
        return reply

    async def handle_DATA(self, _server: Any, _session: Session, envelope: Envelope) -> str:
        """Kept before it is taken. The envelope sender goes on top, as it does at any last server (RFC 5321 §4.4)."""
        sender = (envelope.mail_from or "").strip("<>").encode("utf-8", "replace")
        content = envelope.content
        raw = b"Return-Path: <%b>\r\n%b" % (sender, content if isinstance(content, bytes) else b"")
        try:
            async with asyncio.timeout(KEEP_SECONDS):
                await self._keep(raw)
        except DATABASE_TROUBLE as error:
            log.warning("inbound_waits", error=type(error).__name__)
            return TROUBLE
        finally:
            self.forget()
        return KEPT

    async def _keep(self, raw: bytes) -> None:
        if self._named or Mailbox.COMPLAINTS in self._mailboxes:
            await self._door.inbound.report(raw, list(dict.fromkeys(self._named)))
        if Mailbox.LETTERS in self._mailboxes:
            await self._door.inbound.letter(raw)

    async def handle_RSET(self, _server: Any, _session: Session, _envelope: Envelope) -> str:
        self.forget()
        return "250 2.0.0 ok"

    def forget(self) -> None:
        """The recipients of the mail before."""
        self._named.clear()
        self._mailboxes.clear()


class InboundDialogue(Dialogue):
    """Lines may end as they like: nothing is passed on, and what a mail says is read by one program."""

    greeting = "ESMTP"
    refuses_bare = False
    kept_size = MAIL_OCTETS

    def __init__(self, door: Door, room: Room, tls: Any = None) -> None:
        self._hooks = Hooks(door)
        super().__init__(
            self._hooks, room, hostname=door.host, tls_context=tls, data_size_limit=DATA_SIZE, enable_SMTPUTF8=True,
            auth_exclude_mechanism=("LOGIN", "PLAIN"), command_call_limit=CALLS,
        )  # fmt: skip

    async def smtp_RCPT(self, arg: str | None) -> None:
        """`<postmaster>` without a domain, too (RFC 5321 §4.5.1); and an end for who tries names."""
        if self._hooks.refused >= MAX_REFUSED:
            await self.hang_up("421 4.7.0 too many recipients that we do not have")
            return
        if arg is not None and "".join(arg.lower().split()) == f"to:<{POSTMASTER}>":
            arg = f"TO:<{POSTMASTER}@{self.hostname}>"
        await super().smtp_RCPT(arg)

    async def smtp_VRFY(self, arg: str | None) -> None:
        """Says nothing of anybody (RFC 5321 §7.3)."""
        await self.push("252 2.1.5 send a mail, and see")

    async def smtp_EXPN(self, arg: str | None) -> None:
        await self.push("502 5.5.1 no lists here")

    async def smtp_HELP(self, arg: str | None) -> None:
        await self.push("214 2.0.0 see RFC 5321")

    async def smtp_AUTH(self, arg: str | None) -> None:
        await self.push("502 5.5.1 nobody signs in here")
