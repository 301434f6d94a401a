"""The mailbox providers of the pretend Internet and their SMTP servers, one loopback address each."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from dataclasses import asdict, dataclass
from typing import AnyStr
from weakref import WeakSet

from aiosmtpd.smtp import SMTP, Envelope, Session

from sandbox.answer_rows import Sender
from sandbox.answers import Received, answers_to
from sandbox.config import PortBusy, Record, SandboxConfig
from sandbox.database import Database
from sandbox.mailbox import Mailbox, Message, receive
from sandbox.manners import Action, Manners, Rule, Stage, Wording
from sandbox.postman import Postman

_SIZE_LIMIT = 35 * 1024 * 1024
_SESSION_TIMEOUT = 900.0  # longer than any scripted wait, so that the script decides


@dataclass(frozen=True)
class Provider:
    """One mailbox provider: ``number`` is the last part of its loopback address."""

    name: str
    title: str
    number: int
    domains: tuple[str, ...]
    hosts: tuple[str, ...]
    wording: Wording


# Texts of limits and refusals: those the senders' guides of each provider name (see README, "Manners").
PROVIDERS: tuple[Provider, ...] = (
    Provider(
        "qq",
        "QQ 邮箱 QQ Mail",
        1,
        ("qq.com", "vip.qq.com", "foxmail.com"),
        ("mx1.qq.com", "mx2.qq.com"),
        Wording(
            greylist="450 4.7.1 Greylisted, please try again later",
            throttle="550 Ip frequency limited",
            unknown="550 5.1.1 Mailbox not found",
            full="552 5.2.2 Mailbox is full",
            fulltemp="452 4.2.2 Mailbox is full, try again later",
            blocked="550 Mail content denied",
        ),
    ),
    Provider(
        "163",
        "网易邮箱 NetEase Mail",
        2,
        ("163.com", "126.com", "yeah.net", "vip.163.com"),
        ("163mx01.mxmail.netease.com", "163mx02.mxmail.netease.com"),
        Wording(
            greylist="450 4.7.1 Greylisted, try again later",
            throttle="421 HL:ICC",
            unknown="550 5.1.1 User not found",
            full="552 5.2.2 User mailbox is full",
            fulltemp="452 4.2.2 User mailbox is full",
            blocked="554 DT:SPM",
        ),
    ),
    Provider(
        "sina",
        "新浪邮箱 Sina Mail",
        3,
        ("sina.com", "sina.cn", "vip.sina.com"),
        ("freemx.sinamail.sina.com.cn",),
        Wording(
            greylist="450 4.7.1 greylisted, please try again later",
            throttle="451 out of allow RCPT numbers",
            unknown="550 5.1.1 mailbox unavailable",
            full="552 5.2.2 mailbox full",
            fulltemp="452 4.2.2 mailbox full, try again later",
            blocked="552 message rejected by anti-spam engine",
        ),
    ),
    Provider(
        "gmail",
        "Gmail",
        4,
        ("gmail.com", "googlemail.com"),
        ("gmail-smtp-in.l.google.com", "alt1.gmail-smtp-in.l.google.com"),
        Wording(
            greylist="450 4.2.1 This user gets mail too quickly, try again later",
            throttle="421-4.7.28 Too much mail from your address.\r\n421 4.7.28 Slow down and try again",
            unknown="550-5.1.1 This account does not exist.\r\n550 5.1.1 Check the address for typing errors",
            full="552 5.2.2 The inbox of this account is full",
            fulltemp="452 4.2.2 The inbox of this account is full, try again later",
            blocked="550 5.7.26 Unauthenticated mail is blocked",
        ),
    ),
    Provider(
        "outlook",
        "Outlook",
        5,
        ("outlook.com", "hotmail.com", "live.com", "live.cn", "msn.com"),
        ("outlook-com.olc.protection.outlook.com",),
        Wording(
            greylist="450 4.7.0 Temporary policy, try again later (greylist)",
            throttle="421 RP-001 Too many connections or messages from your address",
            unknown="550 5.1.1 Requested action not taken: mailbox unavailable",
            full="552 5.2.2 Mailbox full, storage limit reached",
            fulltemp="452 4.2.2 Mailbox full, storage limit reached",
            blocked="550 5.7.515 Access denied, the sending domain does not authenticate",
        ),
    ),
    Provider(
        "company",
        "公司邮箱 Company mail",
        6,
        ("company.example",),
        ("mail.company.example",),
        Wording(
            greylist="450 4.2.0 Greylisted, see you again in a moment",
            throttle="451 4.7.1 Requested mail action not taken: too much mail, try again later",
            unknown="550 5.1.1 No such user here",
            full="552 5.2.2 Quota exceeded, mailbox full",
            fulltemp="452 4.2.2 Quota exceeded, mailbox full",
            blocked="554 5.7.1 Message content rejected",
        ),
    ),
)


def built_in_records(ip_base: str) -> list[Record]:
    """MX and A records of every provider; preferences are 10, 20, … in the order of the hosts."""
    records = []
    for provider in PROVIDERS:
        exchange = tuple(f"{10 * (at + 1)} {host}." for at, host in enumerate(provider.hosts))
        records += [Record(domain, "MX", exchange) for domain in provider.domains]
        records += [Record(host, "A", (f"{ip_base}{provider.number}",)) for host in provider.hosts]
    return records


class MailServer:
    """The SMTP server of one provider."""

    def __init__(self, provider: Provider, host: str, port: int, mailbox: Mailbox, postman: Postman) -> None:
        self.provider = provider
        self.host = host
        self.port = port
        self.manners = Manners(provider.wording)
        self.counts = {"connections": 0, "accepted": 0, "refused": 0, "broken_off": 0}
        self.mailbox = mailbox
        self._postman = postman
        self._server: asyncio.Server | None = None
        self._sessions: WeakSet[_Dialogue] = WeakSet()

    async def start(self) -> None:
        """Listen; raises PortBusy."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._dialogue, self.host, self.port, backlog=1024)
        except OSError as problem:
            reason = problem.strerror or str(problem)
            raise PortBusy(f"mail provider {self.provider.name}", self.host, self.port, reason) from None

    async def stop(self) -> None:
        """Stop listening and cut what is still open."""
        if self._server is not None:
            self._server.close()
        for session in list(self._sessions):
            session.cut()

    async def answer_afterwards(self, number: int, message: Message) -> None:
        """Have sent what the recipients' side answers to a mail that was taken; raises sqlite3.Error."""
        for recipient in message.recipients:
            if manner := self.manners.afterwards(recipient, time.monotonic()):
                await self.answer(number, message.mail_from, recipient, message.raw, manner)

    async def answer(
        self, number: int, mail_from: str, recipient: str, raw: bytes, manner: tuple[Action, float]
    ) -> None:
        """Have an answer to one mail sent in its manner, after so many seconds."""
        name, host, wording = self.provider.name, self.provider.hosts[0], self.provider.wording
        mail = Received(name, host, wording, mail_from, recipient, raw, self._postman.reaches)
        await self._postman.owe(number, Sender(host, self.host), answers_to(mail, *manner))

    def _dialogue(self) -> _Dialogue:
        session = _Dialogue(self)
        self._sessions.add(session)
        return session


class _Dialogue(SMTP):
    """One SMTP session: aiosmtpd speaks the protocol, the provider's manners decide."""

    # Also the size of the stream buffer; real senders write lines longer than the 1,000 bytes of RFC 5321.
    line_length_limit = 65_536

    def __init__(self, mail_server: MailServer) -> None:
        super().__init__(
            _Receiver(mail_server),
            hostname=mail_server.provider.hosts[0],
            ident="ESMTP sandbox",
            data_size_limit=_SIZE_LIMIT,
            enable_SMTPUTF8=True,
            timeout=_SESSION_TIMEOUT,
            loop=asyncio.get_running_loop(),
        )
        self._mail_server = mail_server
        self._greeted = False

    async def push(self, status: AnyStr) -> None:
        """Send one reply; a refused greeting and every 421 end the connection (RFC 5321 §3.8)."""
        if not self._greeted:
            self._greeted = True
            self._mail_server.counts["connections"] += 1
            verdict = self._mail_server.manners.at_connect()
            if verdict.close:
                await self.hang_up()
            if verdict.reply:
                await super().push(verdict.reply)
                await self.hang_up()
        await super().push(status)
        if status[:3] in ("421", b"421"):
            await self.hang_up()

    async def hang_up(self) -> None:
        """Close the connection; never returns, aiosmtpd cancels the dialogue once the socket is gone."""
        self.cut()
        await asyncio.Event().wait()

    def cut(self) -> None:
        """Close the connection after what was written."""
        if self.transport is not None:
            self.transport.close()


class _Receiver:
    """The hooks aiosmtpd calls."""

    def __init__(self, mail_server: MailServer) -> None:
        self._mail_server = mail_server

    async def handle_RCPT(  # noqa: N802 (aiosmtpd finds its hooks by these names)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        verdict = self._mail_server.manners.at_rcpt(address, envelope.mail_from or "", time.monotonic())
        if verdict.wait:
            await asyncio.sleep(verdict.wait)
        if verdict.reply:
            self._mail_server.counts["refused"] += 1
            return verdict.reply
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802
        self, server: _Dialogue, session: Session, envelope: Envelope
    ) -> str:
        mailbox, counts = self._mail_server.mailbox, self._mail_server.counts
        message = receive(self._mail_server.provider.name, session, envelope)
        now = time.monotonic()
        verdict = self._mail_server.manners.at_data(envelope.rcpt_tos, message.message_id, now)
        if verdict.keep:
            try:
                number = await mailbox.add(message)
                if not (verdict.close or verdict.reply):
                    await self._mail_server.answer_afterwards(number, message)
            except sqlite3.Error as problem:
                return f"451 4.3.0 The sandbox cannot store mail: {problem}"
            counts["accepted"] += 1
        if verdict.wait:
            await asyncio.sleep(verdict.wait)
        if verdict.close:
            counts["broken_off"] += 1
            await server.hang_up()
        if verdict.reply:
            counts["refused"] += 1
            return verdict.reply
        return f"250 2.0.0 OK queued as {number}"


class MailServers:
    """All providers, by name, and their scripts, which survive a restart."""

    def __init__(self, config: SandboxConfig, database: Database, mailbox: Mailbox, postman: Postman) -> None:
        self._database = database
        self.by_name = {
            p.name: MailServer(p, f"{config.provider_ip_base}{p.number}", config.smtp_port, mailbox, postman)
            for p in PROVIDERS
        }

    async def start(self) -> None:
        """Load the scripts and listen; raises PortBusy."""
        for name, text in (await self._database.run(_read_scripts)).items():
            if name in self.by_name:
                self.by_name[name].manners.replace(tuple(_rule(line) for line in json.loads(text)))
        for server in self.by_name.values():
            await server.start()

    async def stop(self) -> None:
        """Stop all servers."""
        for server in self.by_name.values():
            await server.stop()

    async def set_script(self, name: str, script: tuple[Rule, ...]) -> None:
        """Install ``script`` at provider ``name`` (KeyError when there is none) and remember it."""
        server = self.by_name[name]
        text = json.dumps([asdict(rule) for rule in script])
        await self._database.run(_write_script, name, text)
        server.manners.replace(script)


def _rule(line: dict[str, object]) -> Rule:
    return Rule(**{**line, "action": Action(line["action"]), "stage": Stage(line["stage"])})  # type: ignore[arg-type]


def _read_scripts(db: sqlite3.Connection) -> dict[str, str]:
    rows = db.execute("SELECT name, script FROM scripts WHERE kind = 'provider'").fetchall()
    return {row["name"]: row["script"] for row in rows}


def _write_script(db: sqlite3.Connection, name: str, text: str) -> None:
    db.execute("INSERT OR REPLACE INTO scripts (kind, name, script) VALUES ('provider', ?, ?)", (name, text))
