"""What one client can take of the submission door: connections, commands, time, memory."""

import asyncio
import contextlib
import smtplib
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from domain.networks import neighbourhood
from smtp import protocol
from smtp.limits import Connections, Memory, Room
from smtp.submission import SubmissionDialogue
from store.db import Database
from tests import patience
from tests.submission_world import NAME, World, submission


@pytest.fixture
async def narrow(db: Database, tmp_path: Path) -> AsyncIterator[World]:
    """Room for three connections of one address, and for 200 KB of mails."""
    async with submission(db, tmp_path, plain_login=True, room=Room(Connections(10, 3), Memory(200_000))) as made:
        yield made


async def until(check: Callable[[], bool]) -> None:
    async def look() -> bool:
        return check()

    await patience.until(look)


async def test_one_address_has_so_many_connections_and_gets_them_back(narrow: World) -> None:
    async with narrow.talk(), narrow.talk():
        async with narrow.talk():
            reader, writer = await asyncio.open_connection("127.0.0.1", narrow.port)
            assert (await reader.read())[:10] == b"421 4.7.0 "
            writer.close()
        await until(lambda: len(narrow.room.connections) == 2)
        async with narrow.talk() as talk:
            assert (await talk.say("EHLO me"))[:3] == "250"


@pytest.mark.parametrize("way", ["close", "tls", "tls-garbage", "half", "abort", "in-data"])
async def test_however_a_client_leaves_its_place_is_free(narrow: World, way: str) -> None:
    async with narrow.talk() as talk:
        await talk.say("EHLO me")
        if way.startswith("tls"):
            await talk.say("STARTTLS")
        if way == "tls":
            await talk.writer.start_tls(narrow.trusting, server_hostname=NAME)
            await talk.say("EHLO me")
        if way == "tls-garbage":
            await talk.put(b"EHLO me\r\n" * 100)
        if way == "half":
            talk.writer.write_eof()
        if way == "in-data":
            await talk.put(f"AUTH PLAIN {narrow.plain()}\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\nabc".encode())
            await until(lambda: narrow.room.memory.left == 200_000)
        if way == "abort":
            talk.writer.transport.abort()
    await until(lambda: len(narrow.room.connections) == 0)


async def test_one_user_has_so_many_connections(narrow: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smtp.submission.PER_USER", 1)
    async with narrow.signed_in(False), narrow.talk() as talk:
        await talk.say("EHLO me")
        assert (await talk.say(f"AUTH PLAIN {narrow.plain()}"))[:9] == "421 4.7.0"
        assert await talk.rest() == []


async def test_mails_in_flight_take_so_much_memory_and_give_it_back(narrow: World) -> None:
    async with narrow.signed_in(False) as talk, narrow.signed_in(True) as other:
        await talk.put(b"MAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\n")
        assert [(await talk.reply())[:3] for _ in range(3)] == ["250", "250", "354"]
        await talk.put(b"x" * 140_000)
        await until(lambda: narrow.room.memory.left < 100_000)
        assert (await other.mail(narrow.raw() + b"y" * 120_000 + b"\r\n"))[:9] == "452 4.3.1"
        assert (await other.mail(narrow.raw()))[:3] == "250"
        await talk.put(b"\r\n.\r\n")
        assert (await talk.reply())[:1] == "5"
        assert narrow.room.memory.left == 200_000
        assert (await other.mail(narrow.raw() + b" " * 120_000 + b"\r\n"))[:3] == "250"


async def test_a_mail_has_a_size(db: Database, tmp_path: Path) -> None:
    async with submission(db, tmp_path, plain_login=True) as world, world.signed_in(False) as talk:
        announced = await talk.say("MAIL FROM:<> SIZE=16000001")
        assert announced.strip() == "552 5.3.4 message size exceeds the limit of 16000000 bytes"
        assert (await talk.mail(world.raw() + (b"x" * 998 + b"\r\n") * 17_000))[:9] == "552 5.3.4"
        assert (await talk.mail(world.raw() + b"\r\n" * 5_000_000))[:9] == "552 5.3.4"
        assert (await talk.mail(world.raw()))[:3] == "250"


async def test_a_line_may_be_long(narrow: World) -> None:
    await narrow.db.pool.execute("UPDATE template_version SET html = '<p>%name%</p>'")
    long = "L" * 12_000
    raw = narrow.raw().replace(b"Hello World", long.encode()).replace(b"Subject: ", f"Subject: {'a' * 5} ".encode())
    await narrow.db.pool.execute("UPDATE template_version SET subject = 'aaaaa 你好 World'")
    async with narrow.signed_in(False) as talk:
        assert (await talk.mail(raw.replace(b"aaaaa =?", b"=?utf-8?q?aaaaa_?= =?")))[:3] == "250"
    assert await narrow.messages() == [("li.lei@qq.com", {"name": long})]


async def test_a_command_of_any_length_is_an_error_and_no_more(narrow: World) -> None:
    async with narrow.signed_in(False) as talk:
        for size in (3_000, 70_000, 3_000_000):
            assert (await talk.say("MAIL FROM:<" + "a" * size))[:1] == "5"
        assert (await talk.mail(narrow.raw()))[:3] == "250"


async def test_names_of_commands_are_not_kept(narrow: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """aiosmtpd's own table remembers each one that is too long: 60 KB a line, of who has not signed in."""
    made: list[SubmissionDialogue] = []
    begin = SubmissionDialogue.connection_made

    def noted(dialogue: SubmissionDialogue, transport: asyncio.Transport) -> None:
        made.append(dialogue)
        begin(dialogue, transport)

    monkeypatch.setattr(SubmissionDialogue, "connection_made", noted)
    async with narrow.talk() as talk:
        await talk.say("EHLO me")
        for number in range(5):
            assert (await talk.say(f"{number}" + "A" * 60_000))[:3] == "500"
        assert sum(map(len, made[0].command_size_limits)) < 1_000


GARBAGE = [
    b"\x00\r\n", b"\xff\xfe\r\n", b"\r\n", b"EHLO\r\n", b"MAIL\r\n", b"RCPT TO:<\xff>\r\n", b"MAIL FROM:<((((((\r\n",
    b"MAIL FROM:<a@b.test> FOO=1\r\n", b"DATA now\r\n", b"QUIT x\r\n", b"MAIL FROM:<\r\n", b"BDAT 3\r\nabc\r\n",
    b"MAIL FROM:" + b"(" * 2000 + b"\r\n",
]  # fmt: skip


@pytest.mark.parametrize("line", GARBAGE)
async def test_garbage_is_an_error_and_the_dialogue_goes_on(narrow: World, line: bytes) -> None:
    async with narrow.signed_in(False) as talk:
        await talk.put(line)
        assert (await talk.reply())[:1] in "45"
        if line.startswith(b"BDAT"):
            assert (await talk.reply())[:1] == "5"
        assert (await talk.mail(narrow.raw()))[:3] == "250"


async def test_commands_are_counted(narrow: World) -> None:
    async with narrow.signed_in(False) as talk:
        replies = [await talk.say("VRFY a@b.test") for _ in range(21)]
        assert [reply[:3] for reply in replies] == ["252"] * 20 + ["421"]
        assert await talk.rest() == []
    async with narrow.talk() as talk:
        await talk.put(b"FOO\r\n" * 30)
        assert len(await talk.rest()) <= 6


async def test_who_says_nothing_is_hung_up_on(narrow: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "UNKNOWN_IDLE", 0.05)
    async with narrow.talk() as talk:
        assert await talk.rest() == []


async def test_who_says_much_and_never_signs_in_is_hung_up_on(narrow: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command is another minute; with those of all kinds a stranger would keep a place for weeks."""
    monkeypatch.setattr(protocol, "UNKNOWN_SECONDS", 0.2)
    async with narrow.talk() as talk:
        busy = asyncio.create_task(_say_again(narrow, talk.writer, b"NOOP\r\n"))
        assert len(await talk.rest()) < 900
        busy.cancel()
    monkeypatch.setattr(protocol, "UNKNOWN_SECONDS", 0.05)
    async with narrow.talk() as talk:
        assert await talk.rest() == []


async def test_who_has_signed_in_may_stay(narrow: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async with narrow.signed_in(True) as talk:
        monkeypatch.setattr(protocol, "UNKNOWN_SECONDS", 0.0)
        assert (await talk.say("NOOP"))[:3] == "250"
        assert (await talk.mail(narrow.raw()))[:3] == "250"


async def test_who_does_not_read_our_replies_loses_the_place(narrow: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is still to be written would keep the connection for as long as the client likes."""
    monkeypatch.setattr(protocol, "UNKNOWN_IDLE", 0.5)
    client = socket.create_connection(("127.0.0.1", narrow.port))
    try:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        await until(lambda: len(narrow.room.connections) == 1)
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(0.3):
                while True:
                    await asyncio.get_running_loop().sock_sendall(client, b"\r\n" * 5_000)
        await until(lambda: len(narrow.room.connections) == 0)
    finally:
        client.close()


async def test_a_mail_that_trickles_in_is_hung_up_on(narrow: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "DATA_SECONDS", 0.2)
    async with narrow.signed_in(False) as talk:
        await talk.put(b"MAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\n")
        assert [(await talk.reply())[:3] for _ in range(3)] == ["250", "250", "354"]
        trickle = asyncio.create_task(_trickle(narrow, talk.writer))
        assert await talk.rest() == []
        trickle.cancel()
    await until(lambda: len(narrow.room.connections) == 0)
    assert narrow.room.memory.left == 200_000


async def _trickle(world: World, writer: asyncio.StreamWriter) -> None:
    await _say_again(world, writer, b"x")


async def _say_again(world: World, writer: asyncio.StreamWriter, words: bytes) -> None:
    while len(world.room.connections):
        writer.write(words)
        await asyncio.sleep(0.01)


async def test_a_door_that_closes_answers_the_mail_under_way(narrow: World) -> None:
    async with narrow.signed_in(False) as busy, narrow.talk() as idle:
        await busy.put(b"MAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\n")
        assert [(await busy.reply())[:3] for _ in range(3)] == ["250", "250", "354"]
        ending = asyncio.create_task(narrow.room.connections.end(10))
        assert [reply[:3] for reply in await idle.rest()] == ["421"]
        await busy.put(narrow.raw() + b".\r\n")
        assert [reply[:3] for reply in await busy.rest()] == ["250", "421"]
        await ending
    assert await narrow.count() == 1


async def test_a_client_of_the_standard_library_sees_a_refused_sign_in(narrow: World) -> None:
    def work() -> int:
        with smtplib.SMTP("127.0.0.1", narrow.port, timeout=20) as client:
            with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
                client.login(narrow.user, "sk_wrong")
            return refused.value.smtp_code

    assert await asyncio.to_thread(work) == 535


def test_nobody_takes_all_of_the_memory() -> None:
    memory = Memory(100)
    with memory.share("a") as one, memory.share("a") as two, memory.share("b") as other:
        assert one.grow(60) and not two.grow(16) and two.grow(15)
        assert other.grow(25) and not other.grow(1)
    assert memory.left == 100
    with memory.share("a") as one:
        assert one.grow(75)


async def test_memory_is_a_users_once_it_has_signed_in(narrow: World) -> None:
    async with narrow.signed_in(False), narrow.talk():
        await until(lambda: len(narrow.room.connections) == 2)
        owners = sorted(map(narrow.room.connections.owner, narrow.room.connections._open))
        assert owners[0] == "127.0.0.1" and owners[1].startswith("user ")


def test_an_ipv6_customer_has_a_network() -> None:
    assert neighbourhood("2001:db8:1:2:3::4") == neighbourhood("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert neighbourhood("::ffff:192.0.2.1") == neighbourhood("192.0.2.1") == "192.0.2.1"
    assert neighbourhood("fe80::1%eth0") == "fe80::/64"
