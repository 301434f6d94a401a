"""The sink: what it counts and writes down, over real sockets, from senders that pipeline and senders that do not."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bench.sink import Book, Counters, Dialogue
from bench.sinks import OURS, Sink
from domain.sending import OutcomeKind
from domain.transport import Mail, MailHost, MailRoute
from gateways.smtp import SmtpConnection, SmtpOptions, SmtpTransport
from tests.patience import until

HEAD = b"From: a@x.example\r\nMessage-Id: <1@x.example>\r\nSubject: s\r\n\r\n"


@pytest.fixture
async def sink(tmp_path: Path) -> AsyncIterator[Sink]:
    """Inside this process: the same server as `python -m bench.sink`."""
    counters, record = Counters(tmp_path / "counters", create=True), tmp_path / "record"
    book = Book(counters, record)
    server = await asyncio.get_running_loop().create_server(lambda: Dialogue(book), "127.0.0.1", 0)
    async with server:
        yield Sink(OURS, server.sockets[0].getsockname()[1], counters, record)


async def connect(sink: Sink) -> SmtpConnection:
    route = MailRoute("x.example", (MailHost("mx", ("127.0.0.1",)),))
    found = await SmtpTransport(SmtpOptions(sink.port, timeout=5)).connect(route)
    assert isinstance(found, SmtpConnection)
    return found


async def test_every_mail_is_written_down_with_its_message_id_before_the_answer(sink: Sink) -> None:
    connection = await connect(sink)
    for number in range(3):
        content = HEAD.replace(b"<1@", b"<%d@" % number) + b"hello\r\n.a line with a dot\r\n"
        outcome = await connection.deliver(Mail("b@x.example", f"r{number}@x.example", content))
        assert outcome.kind is OutcomeKind.DELIVERED
        assert [line[1:] for line in sink.records()][-1] == (f"r{number}@x.example", f"{number}@x.example")
    assert sink.mails() == 3
    assert [line[1] for line in sink.records("r1")] == ["r1@x.example"]
    await connection.close()


async def test_connections_open_now_and_at_most(sink: Sink) -> None:
    opened = [await connect(sink) for _ in range(3)]
    assert (sink.open_connections(), sink.most_connections()) == (3, 3)
    for connection in opened:
        await connection.close()

    async def all_closed() -> bool:
        return sink.open_connections() == 0

    await until(all_closed)
    assert sink.most_connections() == 3


async def test_a_pipelined_dialogue_in_one_write_and_one_cut_to_single_bytes(sink: Sink) -> None:
    dialogue = (
        b"EHLO me\r\nMAIL FROM:<b@x.example>\r\nRCPT TO:<r@x.example>\r\nRCPT TO:<s@x.example>\r\nDATA\r\n"
        + HEAD + b"text\r\n.\r\nMAIL FROM:<b@x.example>\r\nRCPT TO:<t@x.example>\r\nDATA\r\n.\r\nQUIT\r\n"
    )  # fmt: skip
    whole, cut = await said(sink, [dialogue]), await said(sink, [dialogue[n : n + 1] for n in range(len(dialogue))])
    assert whole == cut
    assert [line[:3] for line in whole.splitlines() if line[3:4] == b" "] == [
        *(b"220", b"250", b"250", b"250", b"250", b"354", b"250"),
        *(b"250", b"250", b"354", b"250", b"221"),
    ]
    assert [line[1:] for line in sink.records()[:3]] == [
        ("r@x.example", "1@x.example"), ("s@x.example", "1@x.example"), ("t@x.example", "-"),
    ]  # fmt: skip
    assert sink.mails() == 6


async def said(sink: Sink, parts: list[bytes]) -> bytes:
    """Everything the sink answers until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", sink.port)
    for part in parts:
        writer.write(part)
        await writer.drain()
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return answer


async def test_data_without_a_recipient_is_refused(sink: Sink) -> None:
    answer = await said(sink, [b"MAIL FROM:<b@x.example>\r\nDATA\r\nQUIT\r\n"])
    assert b"503" in answer
    assert sink.mails() == 0
