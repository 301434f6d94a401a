"""The inbound door: whom it takes mail for, that it keeps it first, and that nothing gets through it."""

import asyncio
import smtplib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from domain.domains import DomainState
from domain.sending import Outcome
from domain.transport import Mail, MailRoute
from services.audit import audit
from smtp import protocol
from smtp.inbound import LETTERS_PER_HOUR, MAX_RECIPIENTS, MAX_REFUSED, Mailbox, Pace
from smtp.limits import Connections, Memory, Room
from store.db import Database
from store.domains import SenderDomain
from supervision import postgres
from tests import patience
from tests.inbound_world import World, opened
from tests.money_world import finish, send
from tests.reports_world import REPLY, complaint, dsn, inbound, path_of
from tests.sending_world import DELIVERED, VAULT, FakeConnection, FakeServers, make_customer
from tests.sends_doors import deliver_once
from tests.smtp.test_smuggling import ENDS

ADDRESS = "p0@x.test"
HARD = dsn(ADDRESS)


@pytest.fixture
async def world(db: Database) -> AsyncIterator[World]:
    async with opened(db) as made:
        yield made


async def delivered(db: Database, how: str = "delivered") -> int:
    """A message that ended so."""
    await send(db, await make_customer(db), 1)
    await finish(db, [how])
    return int(await db.pool.fetchval("SELECT max(id) FROM message"))


async def state(db: Database, message: int) -> str:
    return str(await db.pool.fetchval("SELECT state FROM message WHERE id = $1", message))


def turned(address: str) -> str:
    """One letter of the MAC is another."""
    local, _, host = address.partition("@")
    return f"{local[:-1]}{'a' if local[-1] != 'a' else 'b'}@{host}"


@pytest.mark.parametrize(
    ("to", "reply"),
    [
        (path_of(7), "250 2.1.5"),
        (path_of(7).upper(), "250 2.1.5"),
        (path_of(7, "bounce.shop.example"), "250 2.1.5"),
        (turned(path_of(7)), "550 5.1.1"),
        (path_of(7, "other.example"), "550 5.7.1"),
        (path_of(7, "mail.bounce.test"), "550 5.7.1"),
        ("b+7@bounce.test", "550 5.1.1"),
        ("fbl@bounce.test", "250 2.1.5"),
        ("Postmaster@bounce.test", "250 2.1.5"),
        ("abuse@BOUNCE.TEST", "250 2.1.5"),
        ("POSTMASTER", "250 2.1.5"),
        ("postmaster@bounce.held.example", "250 2.1.5"),
        ("postmaster@bounce.claimed.example", "550 5.7.1"),
        ("postmaster@held.example", "550 5.7.1"),
        ("li.lei@bounce.held.example", "550 5.1.1"),
        ("li.lei@bounce.test", "550 5.1.1"),
        ("li.lei@qq.com", "550 5.7.1"),
        ("li.lei%qq.com@bounce.test", "550 5.1.1"),
        ('"li.lei@qq.com"@bounce.test', "550 5.1.1"),
        ("@bounce.test:li.lei@qq.com", "550 5.7.1"),
        ("qq.com!li.lei@bounce.test", "550 5.1.1"),
        ("li.lei", "55"),
        ("", "5"),
        ("李雷@bounce.test", "550 5.1.1"),
    ],
)
async def test_whom_mail_is_taken_for(world: World, to: str, reply: str) -> None:
    """A right MAC, and the mailboxes that every host must have; nothing is relayed, however it is written."""
    account = (await make_customer(world.db)).account
    async with world.db.begin() as session:
        for name, of in (("held.example", DomainState.BROKEN), ("claimed.example", DomainState.PENDING)):
            session.add(
                SenderDomain(
                    account_id=account, name=name, state=of.value, ownership_token=name, dkim_selector="s",
                    dkim_public="p", dkim_private=b"",
                )
            )  # fmt: skip
    async with world.talk() as talk:
        assert (await talk.say("MAIL FROM:<>"))[:3] == "250"
        assert (await talk.say(f"RCPT TO:<{to}>")).startswith(reply)
        if reply[0] == "5":
            assert (await talk.say("DATA"))[:3] == "503"


@pytest.mark.parametrize("sender", ["", "mailer@shop.test", "李@例子.test"])
async def test_a_bounce_corrects_before_it_is_taken(world: World, sender: str) -> None:
    message = await delivered(world.db)
    assert (await world.send(HARD, path_of(message), sender=sender))[:3] == "250"
    assert await state(world.db, message) == "bounced"
    assert (await audit(world.db)).clean


async def test_one_mail_about_several(world: World) -> None:
    one, two = await delivered(world.db), await delivered(world.db)
    assert (await world.send(HARD, path_of(one), path_of(two), path_of(one)))[:3] == "250"
    assert [await state(world.db, message) for message in (one, two)] == ["bounced", "bounced"]
    assert await world.db.pool.fetchval("SELECT count(*) FROM report") == 2


async def test_a_complaint_of_a_loop(world: World) -> None:
    message = await delivered(world.db)
    quoted = f"Return-Path: <{path_of(message)}>\r\n"
    assert (await world.send(complaint(quoted), "fbl@bounce.test"))[:3] == "250"
    assert await world.db.pool.fetchval("SELECT message_id FROM suppression") == message
    forged = f"Return-Path: <{turned(path_of(message))}>\r\n"
    assert (await world.send(complaint(forged), "fbl@bounce.test"))[:3] == "250"
    assert await world.db.pool.fetchval("SELECT count(*) FROM report WHERE effect = 'no_message'") == 1


async def test_the_recipients_of_a_mail_are_not_those_of_the_next(world: World) -> None:
    one, two, three = [await delivered(world.db) for _ in range(3)]
    async with world.talk() as talk:
        for to, leaves in ((one, "RSET"), (two, "EHLO mx.shop.test"), (three, "DATA")):
            assert (await talk.say("MAIL FROM:<>"))[:3] == "250"
            assert (await talk.say(f"RCPT TO:<{path_of(to)}>"))[:3] == "250"
            await talk.say(leaves)
        await talk.put(HARD + b"\r\n.\r\n")
        assert (await talk.reply())[:3] == "250"
    assert [await state(world.db, message) for message in (one, two, three)] == ["delivered", "delivered", "bounced"]


async def test_no_sequence_ends_a_mail_or_starts_a_second(world: World) -> None:
    """Lines may end as they like, since nothing is passed on; the mail ends where it ends."""
    one, two = await delivered(world.db), await delivered(world.db)
    second = f"MAIL FROM:<>\r\nRCPT TO:<{path_of(two)}>\r\nDATA\r\n".encode() + HARD
    async with world.talk() as talk:
        for end in ENDS:
            for line in ("MAIL FROM:<>", f"RCPT TO:<{path_of(one)}>", "DATA"):
                await talk.say(line)
            await talk.put(REPLY + end + second + b"\r\n.\r\n")
            assert (await talk.reply())[:3] == "250", end
            assert (await talk.say("RSET"))[:3] == "250", end
    assert await state(world.db, two) == "delivered"
    assert {row["message_id"] for row in await world.db.pool.fetch("SELECT message_id FROM report")} == {one}


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\r\n", b"\0" * 1000, b"\xff" * 5000, b"Subject: " + b"a" * 300_000, b"a" * 1_000_000 + b"\r\n",
        b"\r\n" * 200_000, HARD.replace(b"\r\n", b"\n"), HARD.replace(b"b1", b"b" * 90_000),
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + b"--a\r\n" * 20_000,
        b"".join(b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (n, n) for n in range(2000)),
        HARD.replace(b"5.1.1", b"5." + b"1" * 5000), HARD.replace(b"p0@x.test", b"a" * 9000 + b"@x.test"),
        b"From: \xe6\x9d\x8e\r\nSubject: =?utf-8?b?" + b"A" * 50_000 + b"?=\r\n\r\n",
    ],
    ids=range(14),
)  # fmt: skip
async def test_whatever_a_mail_holds_it_is_taken(world: World, raw: bytes) -> None:
    message = await delivered(world.db)
    assert (await world.send(raw, path_of(message)))[:3] == "250"
    assert await world.db.pool.fetchval("SELECT count(*) FROM report") == 1
    assert (await audit(world.db)).clean


async def test_what_the_door_says_of_itself(world: World) -> None:
    """No version, no sign-in, no names."""
    async with world.talk() as talk:
        offered = (await talk.say("EHLO x")).splitlines()
        assert offered[0] == "250-bounce.test" and offered[-1] == "250 ENHANCEDSTATUSCODES"
        assert not [line for line in offered if "AUTH" in line or "STARTTLS" in line]
        assert "250-SIZE 25000000" in offered
        for line, reply in (
            ("VRFY postmaster", "252"), ("VRFY li.lei", "252"), ("EXPN staff", "502"), ("AUTH PLAIN AGEAYg==", "502"),
            ("HELP", "214"), ("MAIL FROM:<> SIZE=25000001", "552"), ("STARTTLS", "454"),
        ):  # fmt: skip
            assert (await talk.say(line))[:3] == reply, line


async def test_a_peer_may_encrypt(db: Database, tmp_path: Path) -> None:
    message = await delivered(db)
    async with opened(db, folder=tmp_path) as world:

        def work() -> int:
            with smtplib.SMTP("127.0.0.1", world.port, timeout=20) as client:
                client._host = "bounce.test"  # type: ignore[attr-defined] # whom the certificate must name
                client.starttls(context=world.trusting)
                client.ehlo()
                assert not client.has_extn("auth") and not client.has_extn("starttls")
                return len(client.sendmail("", [path_of(message)], HARD))

        assert await asyncio.to_thread(work) == 0
    assert await state(db, message) == "bounced"


# What one peer can take of it.


async def test_who_tries_names_is_sent_away(world: World) -> None:
    async with world.talk() as talk:
        await talk.say("MAIL FROM:<a@b.test>")
        for number in range(MAX_REFUSED):
            assert (await talk.say(f"RCPT TO:<user{number}@bounce.test>"))[:9] == "550 5.1.1"
        assert (await talk.say("RCPT TO:<postmaster@bounce.test>"))[:9] == "421 4.7.0"
        assert await talk.rest() == []


async def test_a_mail_has_so_many_recipients(world: World) -> None:
    async with world.talk() as talk:
        await talk.say("MAIL FROM:<>")
        replies = [(await talk.say(f"RCPT TO:<{path_of(n)}>"))[:9] for n in range(1, MAX_RECIPIENTS + 2)]
    assert replies == ["250 2.1.5"] * MAX_RECIPIENTS + ["452 4.5.3"]


async def test_a_connection_has_so_many_commands(world: World) -> None:
    async with world.talk() as talk:
        replies = [await talk.say("NOOP") for _ in range(21)]
        assert [reply[:3] for reply in replies] == ["250"] * 20 + ["421"]
        assert await talk.rest() == []


async def test_one_address_has_so_many_connections(db: Database) -> None:
    async with opened(db, room=Room(Connections(10, 2))) as world, world.talk(), world.talk():
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        assert (await reader.read())[:10] == b"421 4.7.0 "
        writer.close()


async def test_mails_in_flight_have_so_much_room(db: Database) -> None:
    """The second is put off while the first is under way, and taken afterwards."""
    room = Room(memory=Memory(300_000))
    message = await delivered(db)
    large = HARD + b"x" * 200_000
    async with opened(db, room=room) as world:
        async with world.talk() as slow:
            for line in ("MAIL FROM:<>", f"RCPT TO:<{path_of(message)}>", "DATA"):
                await slow.say(line)
            await slow.put(large)

            async def arrived() -> bool:
                return room.memory.left < 150_000

            await patience.until(arrived)
            assert (await world.send(large, path_of(message)))[:9] == "452 4.3.1"
        assert (await world.send(large, path_of(message)))[:3] == "250"
        assert room.memory.left == 300_000


async def test_of_a_large_mail_only_the_part_that_is_read_takes_room(db: Database) -> None:
    """Else three slow strangers would keep the room of all."""
    message = await delivered(db)
    async with opened(db, room=Room(memory=Memory(1_500_000))) as world:
        assert (await world.send(HARD + b"x" * 8_000_000, path_of(message)))[:9] == "250 2.0.0"
        assert (await world.send(HARD + b"x" * 25_000_000, path_of(message)))[:9] == "552 5.3.4"
        assert await state(db, message) == "bounced"
        assert world.room.memory.left == 1_500_000


async def test_a_stranger_who_names_no_mailbox_of_ours_does_not_stay(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "UNKNOWN_SECONDS", 0.3)
    async with world.talk() as talk:
        await talk.say("MAIL FROM:<a@b.test>")
        assert (await talk.say("RCPT TO:<li.lei@qq.com>"))[:3] == "550"
        assert await talk.rest() == []
    async with world.talk() as talk:
        await talk.say("MAIL FROM:<a@b.test>")
        assert (await talk.say("RCPT TO:<postmaster>"))[:3] == "250"
        monkeypatch.setattr(protocol, "UNKNOWN_SECONDS", 0.0)
        await talk.say("RSET")
        assert (await talk.say("NOOP"))[:3] == "250"


async def test_open_mailboxes_have_a_pace(world: World) -> None:
    world.door.paces[Mailbox.LETTERS] = Pace(8)
    replies = [(await world.send(b"Subject: hi\r\n\r\n%d" % n, "postmaster@bounce.test"))[:9] for n in range(3)]
    assert replies == ["250 2.0.0", "250 2.0.0", "452 4.3.1"]
    assert await world.db.pool.fetchval("SELECT count(*) FROM report WHERE effect = 'letter'") == 2
    assert LETTERS_PER_HOUR >= 2


def test_one_address_does_not_use_up_the_pace_of_all() -> None:
    pace = Pace(8)
    assert [pace.take("a") for _ in range(4)] == [True, True, False, False]
    assert [pace.take(place) for place in "bbccdd"] == [True] * 6
    assert not pace.take("e")


# What may go wrong.


async def test_without_the_database_the_peer_tries_again(
    world: World, postgres_server: postgres.Cluster, postgres_url: str
) -> None:
    """Refused connections, as while PostgreSQL restarts; afterwards the same mail is taken."""
    message = await delivered(world.db)
    name = postgres_url.rpartition("/")[2]
    admin = await asyncpg.connect(postgres_server.url("postgres"))
    try:
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        assert (await world.send(HARD, path_of(message)))[:9] == "451 4.3.0"
        assert (await world.send(HARD, "postmaster@bounce.held.example"))[:9] == "451 4.3.0"
    finally:
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        await admin.close()
    assert await state(world.db, message) == "delivered"
    assert (await world.send(HARD, path_of(message)))[:3] == "250"
    assert await state(world.db, message) == "bounced"


KILLED = """
import asyncio, os, sys
from services.inbound import Inbound
from smtp.inbound import Door, InboundDialogue
from smtp.limits import Room
from domain.reply_rule_seeds import classify
from store.db import Database
from tests.reports_world import HOST
from tests.sending_world import VAULT

class Killed(Inbound):
    async def report(self, raw, messages):
        await super().report(raw, messages)
        os.kill(os.getpid(), 9)

async def main():
    db = await Database.open(sys.argv[1], connections=2)
    door, room = Door(Killed(db, VAULT, HOST, classify), VAULT.verp_key, HOST), Room()
    server = await asyncio.get_running_loop().create_server(lambda: InboundDialogue(door, room), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_killed_before_its_reply_the_repeated_mail_counts_once(world: World, postgres_url: str) -> None:
    """The peer heard no 250, so it sends the mail again."""
    message = await delivered(world.db)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, postgres_url, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    other = World(world.db, int(await process.stdout.readline()), world.room, world.door)
    assert await other.send(HARD, path_of(message)) == ""
    assert await process.wait() == -9
    assert await state(world.db, message) == "bounced"
    assert (await world.send(HARD, path_of(message)))[:3] == "250"
    counts = await world.db.pool.fetchrow("SELECT (SELECT count(*) FROM report), (SELECT count(*) FROM correction)")
    assert tuple(counts) == (1, 1)
    assert (await audit(world.db)).clean


async def test_the_same_mail_at_once_on_many_connections(world: World) -> None:
    message = await delivered(world.db, "unknown")
    replies = await asyncio.gather(*(world.send(raw, path_of(message)) for raw in [HARD] * 10 + [HARD + b"x"] * 10))
    assert {reply[:3] for reply in replies} == {"250"}
    assert await world.db.pool.fetchval("SELECT count(*) FROM correction") == 1
    assert (await audit(world.db)).clean


class Returning(FakeServers):
    """Servers that take each mail, and return it before they have even said so."""

    def __init__(self, door: World) -> None:
        super().__init__()
        self.door = door

    async def connect(self, route: MailRoute) -> "ReturningConnection":
        return ReturningConnection(self)


class ReturningConnection(FakeConnection):
    servers: Returning

    async def deliver(self, mail: Mail) -> Outcome:
        assert (await self.servers.door.send(dsn(mail.recipient), mail.envelope_from))[:3] == "250"
        return DELIVERED


async def test_the_whole_circle(world: World) -> None:
    """Rendered, sent, taken, returned to the return path, corrected: whichever is committed first."""
    customer = await make_customer(world.db)
    await send(world.db, customer, 5)
    await deliver_once(world.db, Returning(world))
    await inbound(world.db).catch_up()
    rows = await world.db.pool.fetch("SELECT DISTINCT state, reason FROM message")
    assert [tuple(row) for row in rows] == [("bounced", "hard.invalid_mailbox")]
    before = await world.db.pool.fetch("SELECT DISTINCT from_state FROM correction")
    assert [row["from_state"] for row in before] == ["delivered"]
    assert (await audit(world.db)).clean


def test_the_key_is_of_its_own() -> None:
    assert VAULT.verp_key != VAULT.link_key
