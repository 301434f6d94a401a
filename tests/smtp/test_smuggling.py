"""One mail is one mail: nothing but `<CRLF>.<CRLF>` ends it, and what comes before TLS is forgotten after it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from domain.sendcloud import submission_of
from store.db import Database
from tests.submission_world import World, submission

ENDS = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\r\n.\r\r\n", b"\n\r.\r\n", b"\r\n.\0\r\n",
    b"\r\n\0.\r\n", b"\r\n\x00.\x00\r\n", b"\r\n..\r\n", b"\r\n. \r\n", b"\r\n.\t\r\n", b"\r\n .\r\n", b"\n\n.\n\n",
    b"\x85.\x85", b"\xe2\x80\xa8.\xe2\x80\xa8", b"\r\n.\x0b\r\n", b"\x0b.\x0b", b"\r\n.\r\r\n", b"\n..\r\n",
]  # fmt: skip
"""What some server took for the end of a mail, or could."""


@pytest.fixture
async def world(db: Database, tmp_path: Path) -> AsyncIterator[World]:
    async with submission(db, tmp_path, plain_login=True) as made:
        yield made


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_no_sequence_ends_a_mail_or_starts_a_second(world: World, tls: bool) -> None:
    smuggled = b"MAIL FROM:<evil@x.test>\r\nRCPT TO:<victim@x.test>\r\nDATA\r\n" + world.raw() + b"\r\n"
    async with world.signed_in(tls) as talk:
        for end in ENDS:
            reply = await talk.mail(world.raw() + end + smuggled)
            assert reply[:1] == "5", (end, reply)
            assert (await talk.say("NOOP"))[:3] == "250", end  # one reply, and not that of a second mail
    assert "victim@x.test" not in [address for address, _ in await world.messages()]
    assert await world.count() == 0  # what follows is content, and no template says it


@pytest.mark.parametrize("bare", [b"\r", b"\0"], ids=["CR", "NUL"])
@pytest.mark.parametrize("place", ["head", "body", "first", "last"])
async def test_a_bare_cr_or_a_nul_is_refused(world: World, bare: bytes, place: str) -> None:
    good = world.raw()
    raw = {
        "head": b"X-A: b" + bare + b"c\r\n" + good, "body": good.replace(b"World</p>", b"World" + bare + b"</p>"),
        "first": bare + good, "last": good + bare + b"\r\n",
    }[place]  # fmt: skip
    async with world.signed_in(False) as talk:
        assert (await talk.mail(raw))[:9] == "550 5.6.0"
        assert (await talk.mail(good))[:3] == "250"
    assert await world.count() == 1


async def test_a_bare_lf_is_a_line_end(world: World) -> None:
    async with world.signed_in(False) as talk:
        assert (await talk.mail(world.raw().replace(b"\r\n", b"\n") + b"\r\n"))[:3] == "250"
    assert await world.messages() == [("li.lei@qq.com", {"name": "World"})]


@pytest.mark.parametrize(
    ("sent", "meant"), [(b"..", b"."), (b"...", b".."), (b".a", b"a"), (b"..a", b".a"), (b"a.", b"a.")]
)
async def test_dots_that_begin_lines_are_undone(world: World, sent: bytes, meant: bytes) -> None:
    await world.db.pool.execute("UPDATE template_version SET html = '<pre>\n%name%\n</pre>'")
    raw = (
        world.raw().replace(b"<p>Hello World</p>", b"<pre>\r\n" + sent + b"\r\n</pre>").replace(b" World", b" " + meant)
    )
    async with world.signed_in(False) as talk:
        assert (await talk.mail(raw))[:3] == "250"
    assert await world.messages() == [("li.lei@qq.com", {"name": meant.decode()})]


async def test_an_empty_mail_ends_at_its_dot(world: World) -> None:
    async with world.signed_in(False) as talk:
        assert (await talk.mail(b""))[:3] == "550"
        assert (await talk.mail(b"\r\n"))[:3] == "550"
        assert (await talk.mail(world.raw()))[:3] == "250"


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 4_096])
async def test_the_end_is_found_however_the_bytes_arrive(world: World, size: int) -> None:
    whole = world.raw() + b".\r\n"
    async with world.signed_in(False) as talk:
        for command in ("MAIL FROM:<>", "RCPT TO:<li.lei@qq.com>", "DATA"):
            await talk.say(command)
        for at in range(0, len(whole), size):
            await talk.put(whole[at : at + size])
        assert submission_of((await talk.reply()).split("#")[1]) is not None


async def test_what_came_before_tls_is_forgotten(world: World) -> None:
    async with world.talk() as talk:
        await talk.say("EHLO me")
        await talk.put(f"STARTTLS\r\nEHLO evil\r\nAUTH PLAIN {world.plain()}\r\nMAIL FROM:<a@b.test>\r\n".encode())
        assert (await talk.reply())[:3] == "220"
        await talk.writer.start_tls(world.trusting, server_hostname="smtp.songda.test")
        assert (await talk.say("MAIL FROM:<a@b.test>"))[:3] == "503"  # not greeted, let alone signed in
        assert (await talk.say("EHLO me"))[:3] == "250"
        assert (await talk.say("MAIL FROM:<a@b.test>"))[:3] == "530"


async def test_who_signed_in_before_tls_signs_in_again(world: World) -> None:
    async with world.signed_in(False) as talk:
        await talk.say("STARTTLS")
        await talk.writer.start_tls(world.trusting, server_hostname="smtp.songda.test")
        assert "STARTTLS" not in await talk.say("EHLO me")
        assert (await talk.say("MAIL FROM:<a@b.test>"))[:3] == "530"
        assert (await talk.say("STARTTLS"))[:3] == "503"


async def test_nobody_relays(world: World) -> None:
    async with world.talk() as talk:
        await talk.put(b"HELO me\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\nQUIT\r\n")
        assert [reply[:3] for reply in await talk.rest()] == ["250", "530", "530", "530", "221"]
