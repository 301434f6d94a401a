"""One SMPP connection when its peer is odd: silent, deaf, no longer bound, or of another kind."""

import asyncio
import datetime as dt
import itertools
import random
import struct
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.sending import OutcomeKind
from gateways import smpp, smpp_binds, smpp_link
from gateways.smpp_pdu import Frames, Pdu, pdu
from sandbox.smsc import Behaviour
from tests.smpp_world import Heard, Line, MemoryBook, config_of, gateway, line, ready, until

PHONE = "+8613800130000"
ENDINGS = ("0000", "1111", "9010", "9013", "9015", "9016", "9017", "9018", "9040")
BIND_ANSWER = struct.pack(">IIII", 18, 0x80000009, 0, 1) + b"x\0"
Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def bound_to(peer: Peer) -> AsyncIterator[MemoryBook]:
    """A gateway whose carrier answers the bind, and then does what `peer` does."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(100)
            writer.write(BIND_ANSWER)
            await peer(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    book = MemoryBook(config_of(server.sockets[0].getsockname()[1]))
    async with server, gateway(book, Heard()):
        yield book


@given(st.lists(st.binary(max_size=40), max_size=5), st.lists(st.integers(1, 30), min_size=1))
def test_pdus_are_cut_out_wherever_the_octets_are_parted(bodies: list[bytes], steps: list[int]) -> None:
    sent = b"".join(pdu(5, at, body) for at, body in enumerate(bodies))
    found: list[Pdu] = []
    frames, at, size = Frames(), 0, itertools.cycle(steps)
    while at < len(sent):
        step = next(size)
        found += frames.feed(sent[at : at + step])
        at += step
    assert [(each.sequence, each.body) for each in found] == list(enumerate(bodies))


async def test_a_half_open_connection_costs_one_window_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smpp, "ANSWER_SECONDS", 0.3)
    async with line(window=2) as up:
        for session in up.smsc.sessions:
            monkeypatch.setattr(session, "send", lambda octets: None)
        sent = [asyncio.ensure_future(up.submit(f"+8613800131{number:03d}")) for number in range(8)]
        kinds = [done.outcome.kind for done in await asyncio.gather(*sent)]
        assert kinds.count(OutcomeKind.UNCERTAIN) == len(up.taken) == 2
        assert kinds.count(OutcomeKind.DEFERRED) == 6, "nothing of them was written"
        await until(lambda: up.smsc.counts["binds"] == 2)


async def test_a_carrier_that_leaves_one_text_unanswered_is_still_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smpp, "ANSWER_SECONDS", 0.3)
    async with line(window=1) as up:
        assert (await up.submit("+8613800139018")).outcome.kind is OutcomeKind.UNCERTAIN
        done = await asyncio.gather(*(up.submit(PHONE) for _ in range(3)))
        assert {each.outcome.kind for each in done} == {OutcomeKind.DELIVERED}
        assert up.smsc.counts["binds"] == 1


async def test_who_says_that_we_are_not_bound_is_bound_to_again() -> None:
    async with line(Behaviour(receipt_delay=0.0, answer_delay=0.3)) as up:
        in_flight = asyncio.ensure_future(up.submit(PHONE))
        await until(lambda: up.taken)
        (session,) = up.smsc.sessions
        session.bind = "RX"
        done = await up.submit(PHONE)
        assert (done.outcome.kind, done.outcome.text) == (OutcomeKind.DEFERRED, "ESME_RINVBNDSTS")
        assert (await in_flight).outcome.kind is OutcomeKind.DELIVERED, "what was in flight is still answered"
        await until(lambda: up.smsc.counts["binds"] == 2)
        await ready(up.carriers)
        assert (await up.submit(PHONE)).ids


async def test_who_changes_a_gateway_makes_no_text_uncertain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smpp_binds, "PATIENCE", 0.1)
    async with line(Behaviour(receipt_delay=0.0, answer_delay=0.6)) as up:
        sent = asyncio.ensure_future(up.submit(PHONE))
        await until(lambda: up.taken)
        up.book.now = []
        await up.carriers.look()
        assert (await sent).outcome.kind is OutcomeKind.DELIVERED
        await until(lambda: not up.smsc.sessions)


@pytest.mark.parametrize("length", [0, 15, 70_001, 0xFFFFFFFF])
async def test_a_length_that_cannot_be_is_nacked(length: int) -> None:
    answers: list[bytes] = []

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(struct.pack(">IIII", length, 5, 0, 7))
        answers.append(await reader.readexactly(16))

    async with bound_to(peer) as book:
        await until(book.has_problem)
        await until(lambda: answers)
    assert answers[0] == struct.pack(">IIII", 16, 0x80000000, 2, 0)


async def test_a_command_that_nobody_knows_is_nacked_and_the_bind_goes_on() -> None:
    answers: list[bytes] = []

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for command in (0x103, 0x15):  # data_sm, enquire_link
            writer.write(struct.pack(">IIII", 16, command, 0, 7))
            answers.append(await reader.readexactly(16))
        await reader.readexactly(16)  # unbind

    async with bound_to(peer) as book:
        await until(lambda: len(answers) == 2)
        assert book.sights[0].bound == 1 or await until(lambda: book.sights[0].bound == 1)
    assert answers[0] == struct.pack(">IIII", 16, 0x80000000, 3, 7)
    assert answers[1] == struct.pack(">IIII", 16, 0x80000015, 0, 7)


async def test_a_carrier_that_asks_and_does_not_read_the_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smpp_link, "MOST_UNREAD", 10_000)
    cut: list[bool] = []

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        many = struct.pack(">IIII", 16, 0x15, 0, 7) * 10_000
        try:
            while True:
                writer.write(many)
                await writer.drain()
        except ConnectionError:
            cut.append(True)

    async with bound_to(peer):
        await until(lambda: cut)


async def test_the_carriers_unbind_ends_the_bind_and_another_follows() -> None:
    async with line(enquire=dt.timedelta(seconds=5)) as up:
        (session,) = up.smsc.sessions
        session.send(struct.pack(">IIII", 16, 6, 0, 9))
        await until(lambda: up.smsc.counts["binds"] == 2)
        await ready(up.carriers)
        assert (await up.submit(PHONE)).ids


async def test_whatever_breaks_nothing_is_sent_twice_and_what_was_not_taken_is_not_said_to_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(smpp, "ANSWER_SECONDS", 0.5)
    dice = random.Random(58)
    async with line(Behaviour(receipt_delay=0.0, answer_delay=0.01, throttle=200), binds=3, window=4) as up:

        async def cut() -> None:
            while True:
                await asyncio.sleep(0.1)
                if up.smsc.sessions:
                    dice.choice(list(up.smsc.sessions)).cut()

        cutting = asyncio.create_task(cut())
        phones = [f"+86139{number:04d}{dice.choice(ENDINGS)}" for number in range(300)]
        done = await asyncio.gather(*(in_turn(up, phone, number) for number, phone in enumerate(phones)))
        cutting.cancel()
    taken = Counter(part.text.phone for part in up.taken)
    kinds = dict(zip(phones, (each.outcome.kind for each in done), strict=True))
    assert max(taken.values()) == 1
    assert {phone for phone, kind in kinds.items() if kind is OutcomeKind.DELIVERED} <= taken.keys()
    assert {kinds[phone] for phone in taken} <= {OutcomeKind.DELIVERED, OutcomeKind.UNCERTAIN}
    assert set(kinds.values()) == {OutcomeKind.DELIVERED, OutcomeKind.UNCERTAIN, OutcomeKind.DEFERRED}


async def in_turn(up: Line, phone: str, number: int) -> Any:
    await asyncio.sleep(number * 0.01)
    return await up.submit(phone)


async def test_no_password_is_written_down(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with line() as up:
        up.book.now = [config_of(up.smsc.port, password="hush-hush")]
        await until(lambda: up.book.sights and "ESME_RINVPASWD" in up.book.sights[0].problem)
    said = capfd.readouterr()
    assert "smpp_cannot_bind" in said.out + said.err + caplog.text
    assert "hush" not in said.out + said.err + caplog.text
