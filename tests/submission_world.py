"""The submission door over real sockets, with a customer whose template is `hello`."""

import asyncio
import contextlib
import smtplib
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import TypeVar

from domain.secrets import new_token
from domain.senders import SendKind
from services.catalog import build_services
from smtp.limits import Room
from smtp.logins import Failures
from smtp.submission import Submissions
from store.db import Database
from store.senders import ApiKey
from tests.sending_world import VAULT, Customer, make_customer
from tests.sends_doors import foundation
from tests.tls_world import certificate

NAME = "smtp.songda.test"
T = TypeVar("T")


@dataclass
class World:
    db: Database
    customer: Customer
    key: str
    port: int
    room: Room
    trusting: ssl.SSLContext = field(repr=False)

    @property
    def user(self) -> str:
        return self.customer.api_user_name

    @property
    def sender(self) -> str:
        return f"hi@{self.customer.domain_name}"

    def mail(self, **fields: str) -> EmailMessage:
        """A good mail; header fields may be changed or added, their underscores are hyphens."""
        mail = EmailMessage()
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        for name, value in ({"From": self.sender, "Subject": "你好 李雷"} | named).items():
            mail[name] = value
        mail.set_content("Hello 李雷\n")
        mail.add_alternative("<p>Hello 李雷</p>\n", subtype="html")
        return mail

    def raw(self, *lines: str) -> bytes:
        """A good mail as bytes, with more header lines in front."""
        head = [*lines, f"From: {self.sender}", "Subject: =?utf-8?b?5L2g5aW9?= World", "Content-Type: text/html"]
        return "\r\n".join([*head, "", "<p>Hello World</p>", ""]).encode()

    async def use(self, work: Callable[[smtplib.SMTP], T], tls: bool = True) -> T:
        """What a client of the standard library does when it is signed in, beside the event loop."""
        return await asyncio.to_thread(self._use, work, tls)

    def _use(self, work: Callable[[smtplib.SMTP], T], tls: bool) -> T:
        with smtplib.SMTP("127.0.0.1", self.port, timeout=20) as client:
            if tls:
                client._host = NAME  # type: ignore[attr-defined] # whom the certificate must name
                client.starttls(context=self.trusting)
            client.login(self.user, self.key)
            return work(client)

    async def send(self, mail: EmailMessage | bytes, *to: str) -> str:
        """The reply to DATA, whatever it is."""
        content = mail if isinstance(mail, bytes) else mail.as_bytes()
        recipients = to or ("li.lei@qq.com",)

        def work(client: smtplib.SMTP) -> str:
            client.mail(self.sender)
            for one in recipients:
                client.rcpt(one)
            code, said = client.data(content)
            return f"{code} {said.decode()}"

        return await self.use(work)

    async def refused(self, mail: EmailMessage | bytes, *to: str) -> str:
        """The reply to a mail of which nothing was accepted."""
        reply = await self.send(mail, *to)
        assert await self.count() == 0
        assert await self.db.pool.fetchval("SELECT count(*) FROM quota_use") == 0
        return reply

    async def count(self) -> int:
        """Submissions."""
        return int(await self.db.pool.fetchval("SELECT count(*) FROM submission"))

    async def messages(self) -> list[tuple[str, dict[str, str]]]:
        rows = await self.db.pool.fetch("SELECT address, variables FROM message ORDER BY submission_id, ordinal")
        return [(row["address"], row["variables"]) for row in rows]

    @contextlib.asynccontextmanager
    async def talk(self) -> AsyncIterator["Talk"]:
        """A bare connection, greeted."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            talk = Talk(reader, writer)
            assert (await talk.reply()).startswith("220 ")
            yield talk
        finally:
            writer.close()

    @contextlib.asynccontextmanager
    async def signed_in(self, tls: bool) -> AsyncIterator["Talk"]:
        async with self.talk() as talk:
            if tls:
                assert (await talk.say("EHLO me"))[:3] == "250"
                assert (await talk.say("STARTTLS"))[:3] == "220"
                await talk.writer.start_tls(self.trusting, server_hostname=NAME, ssl_handshake_timeout=5)
            assert (await talk.say("EHLO me"))[:3] == "250"
            assert (await talk.say(f"AUTH PLAIN {self.plain()}"))[:3] == "235"
            yield talk

    def plain(self, user: str | None = None, key: str | None = None) -> str:
        """The answer of AUTH PLAIN."""
        return in_base64(f"\0{user or self.user}\0{key or self.key}")


@dataclass
class Talk:
    """Bytes in, replies out."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def reply(self) -> str:
        """One reply with all its lines; empty at the end of the connection."""
        lines: list[str] = []
        async with asyncio.timeout(20):
            while not lines or lines[-1][3:4] == "-":
                line = await self.reader.readline()
                if not line:
                    break
                lines.append(line.decode().rstrip("\r\n"))
        return "\n".join(lines)

    async def say(self, line: str) -> str:
        await self.put(line.encode() + b"\r\n")
        return await self.reply()

    async def put(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def mail(self, content: bytes) -> str:
        """The reply to a whole mail, whose content ends its last line."""
        await self.put(b"MAIL FROM:<>\r\nRCPT TO:<li.lei@qq.com>\r\nDATA\r\n" + content + b".\r\n")
        assert [(await self.reply())[:3] for _ in range(3)] == ["250", "250", "354"]
        return await self.reply()

    async def rest(self) -> list[str]:
        """Every reply until the server closes."""
        found = []
        while said := await self.reply():
            found.append(said)
        return found


def in_base64(text: str) -> str:
    return b64encode(text.encode()).decode()


async def make_sender(db: Database, kind: SendKind = SendKind.TRIGGER) -> tuple[Customer, str]:
    """A customer, and the key of its API user."""
    customer, key = await make_customer(db, quota=100_000, kind=kind), new_token("sk_")
    row = ApiKey(account_id=customer.account, api_user_id=customer.api_user, prefix=key[:10], digest=VAULT.digest(key))
    async with db.begin() as session:
        session.add(row)
    return customer, key


@contextlib.asynccontextmanager
async def submission(
    db: Database,
    folder: Path,
    *,
    plain_login: bool = False,
    room: Room | None = None,
    kind: SendKind = SendKind.TRIGGER,
) -> AsyncIterator[World]:
    """The door with a certificate, on a port of its own."""
    server_tls, trusting = certificate(folder, NAME)
    customer, key = await make_sender(db, kind)
    room = room or Room()
    door = Submissions(build_services(await foundation(db)), Failures(0.01), room, NAME, server_tls, plain_login)
    server = await asyncio.get_running_loop().create_server(door.connection, "127.0.0.1", 0)
    try:
        yield World(db, customer, key, server.sockets[0].getsockname()[1], room, trusting)
    finally:
        server.close()
        await room.connections.end(5)
