"""Submitting over SMPP: every way in which it can end, against a carrier on a socket."""

import asyncio
import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from domain.sending import OutcomeKind, Scope
from domain.sms_carriers import Bind, IdForm
from domain.transport import Tls
from gateways import smpp, smpp_binds
from gateways.smpp_link import Link
from gateways.smpp_submit import cut, validity
from sandbox import smsc_wire as wire
from sandbox.smsc import Behaviour
from tests.smpp_world import (
    QUICK,
    Heard,
    MemoryBook,
    config_of,
    free_port,
    gateway,
    line,
    ready,
    sms,
    smsc_on,
    until,
)
from tests.tls_world import certificate

PHONE = "+8613800130000"
LONG = "【送达】" + "很长的文字😀" * 20


def ending(digits: str) -> str:
    return f"+861380013{digits}"


async def test_a_text_is_taken_and_its_receipt_heard() -> None:
    async with line() as up:
        done = await up.submit(PHONE, reference=0xABCD)
        assert done.outcome.kind is OutcomeKind.DELIVERED
        assert (done.outcome.host, done.outcome.egress) == ("China Pretend Mobile", 1)
        receipt = await up.heard.receipt_of(done.ids[0])
        assert (receipt.phone, receipt.state, receipt.reference) == (PHONE, "DELIVRD", 0xABCD)
        (taken,) = up.taken
        assert (taken.text.source, taken.text.content) == ("106900001", "【送达】您的验证码是 123456")


async def test_a_long_text_goes_in_parts_that_fit_together() -> None:
    async with line() as up:
        done = await up.submit(PHONE, LONG, reference=0x1207)
        parts = [taken.text for taken in up.taken]
        assert "".join(part.content for part in parts) == LONG
        assert [(part.concatenation, part.part, part.total) for part in parts] == [(7, 1, 3), (7, 2, 3), (7, 3, 3)]
        assert len(done.ids) == len(set(done.ids)) == 3


@pytest.mark.parametrize(
    ("text", "coding", "parts"),
    [("hello", 0, 1), ("a" * 161, 0, 2), ("€" * 80, 0, 1), ("你" * 70, 8, 1), ("你" * 71, 8, 2), ("你a" * 100, 8, 3)],
)
def test_parts_never_change_their_alphabet(text: str, coding: int, parts: int) -> None:
    made = cut(sms(PHONE, text))
    assert len(made) == parts and {part.data_coding for part in made} == {coding}
    assert all(len(part.text) <= (160 if coding == 0 else 140) for part in made)


def test_the_period_that_a_carrier_may_try() -> None:
    assert validity(dt.timedelta(minutes=10)) == "000000001000000R"
    assert validity(dt.timedelta(hours=72)) == "000003000000000R"
    assert validity(dt.timedelta(seconds=-5)) == "000000000100000R"
    assert len(validity(dt.timedelta(days=4000))) == 16


@pytest.mark.parametrize(
    ("digits", "kind", "text", "scope"),
    [
        ("9010", OutcomeKind.DEFERRED, "ESME_RTHROTTLED", Scope.ADDRESS),
        ("9011", OutcomeKind.DEFERRED, "ESME_RMSGQFUL", Scope.ADDRESS),
        ("9012", OutcomeKind.BOUNCED, "ESME_RINVDSTADR", Scope.RECIPIENT),
        ("9013", OutcomeKind.DEFERRED, "ESME_RSYSERR", Scope.CONNECTION),
        ("9014", OutcomeKind.DEFERRED, "0x00000401", Scope.CONNECTION),
    ],
)
async def test_refusals(digits: str, kind: OutcomeKind, text: str, scope: Scope) -> None:
    async with line() as up:
        done = await up.submit(ending(digits))
        assert (done.outcome.kind, done.outcome.text, done.outcome.scope) == (kind, text, scope)
        assert done.ids == () and up.taken == []


async def test_a_carrier_that_hangs_up_after_the_text_was_written_leaves_it_uncertain() -> None:
    async with line() as up:
        for digits, taken in (("9015", 1), ("9016", 1)):
            await ready(up.carriers)
            done = await up.submit(ending(digits))
            assert done.outcome.kind is OutcomeKind.UNCERTAIN and done.ids == ()
            assert len(up.taken) == taken, "the gateway never sends it again"
        await until(lambda: [receipt.phone for receipt in up.heard.receipts] == [ending("9015")])


async def test_no_answer_is_uncertain_and_gives_the_place_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smpp, "ANSWER_SECONDS", 0.3)
    async with line(window=1) as up:
        for digits in ("9017", "9018"):
            assert (await up.submit(ending(digits))).outcome.kind is OutcomeKind.UNCERTAIN
        assert (await up.submit(PHONE)).outcome.kind is OutcomeKind.DELIVERED


async def test_a_text_of_which_a_part_was_taken_is_finished_when_the_carrier_slows_down() -> None:
    async with line(Behaviour(receipt_delay=0.0, throttle=2)) as up:
        done = await up.submit(PHONE, LONG)
        assert done.outcome.kind is OutcomeKind.DELIVERED and len(done.ids) == 3
        assert up.smsc.counts["throttled"] > 0


async def test_parts_that_were_not_written_go_over_another_bind(monkeypatch: pytest.MonkeyPatch) -> None:
    async with line(binds=2) as up:
        await until(lambda: up.smsc.counts["binds"] == 2)
        ask = Link.ask
        broken: list[Link] = []

        async def once(link: Link, command: int, write: Any) -> Any:
            answer = await ask(link, command, write)
            if command == 4 and not broken:
                broken.append(link)
                link.abort("gone")
            return answer

        monkeypatch.setattr(Link, "ask", once)
        done = await up.submit(PHONE, LONG)
        assert done.outcome.kind is OutcomeKind.DELIVERED and len(set(done.ids)) == 3
        assert [taken.text.part for taken in up.taken] == [1, 2, 3], "each once"


@pytest.mark.parametrize(("command", "kind"), [(0x80000000, OutcomeKind.DEFERRED), (0x80000005, OutcomeKind.UNCERTAIN)])
async def test_answers_that_are_none(monkeypatch: pytest.MonkeyPatch, command: int, kind: OutcomeKind) -> None:
    async with line() as up:
        monkeypatch.setattr(wire, "answer", lambda to, *_, **__: wire.unit(command, to.sequence, status=3))
        assert (await up.submit(PHONE)).outcome.kind is kind


async def test_never_more_in_flight_than_the_window() -> None:
    async with line(Behaviour(receipt_delay=0.0, answer_delay=0.05), window=3, binds=2) as up:
        await until(lambda: up.smsc.counts["binds"] == 2)
        most = 0

        async def watch() -> None:
            nonlocal most
            while True:
                most = max(most, len(up.taken) - sum(done.done() for done in sent))
                await asyncio.sleep(0.005)

        sent = [asyncio.ensure_future(up.submit(f"+8613800131{number:03d}")) for number in range(30)]
        watching = asyncio.ensure_future(watch())
        done = await asyncio.gather(*sent)
        watching.cancel()
        assert {each.outcome.kind for each in done} == {OutcomeKind.DELIVERED}
        assert 3 < most <= 6, "two binds of three"


async def test_texts_that_wait_for_their_turn_are_not_lost_with_the_carrier() -> None:
    async with line(Behaviour(receipt_delay=0.0, answer_delay=30.0), window=1) as up:
        sent = [asyncio.ensure_future(up.submit(f"+8613800131{number:03d}")) for number in range(5)]
        await until(lambda: len(up.taken) == 1)
        for session in list(up.smsc.sessions):
            session.cut()
        first, *others = [done.outcome.kind for done in await asyncio.gather(*sent)]
        assert first is OutcomeKind.UNCERTAIN
        assert set(others) == {OutcomeKind.DEFERRED}, "nothing of them was written"


async def test_a_wrong_password_is_said_and_tried_ever_more_rarely() -> None:
    port = free_port()
    book, heard = MemoryBook(config_of(port, password="wrong")), Heard()
    async with smsc_on(port) as (smsc, _), gateway(book, heard) as carriers:
        await until(lambda: book.sights and "ESME_RINVPASWD" in book.sights[0].problem)
        carrier = carriers.get(1)
        assert carrier is not None and not carrier.ready
        outcome = (await carrier.submit(sms(PHONE))).outcome
        assert (outcome.kind, outcome.text) == (OutcomeKind.DEFERRED, "no bind is up")
        assert smsc.counts["binds"] == 0
        book.now = [config_of(port)]
        await ready(carriers)


def test_waits_grow_to_a_minute() -> None:
    steps = smpp_binds.waits(1.0)
    found = [next(steps) for _ in range(9)]
    assert 0.7 <= found[0] <= 1 and 45 <= found[-1] <= 60


async def test_it_is_bound_again_when_the_carrier_is_back_and_hears_what_waited() -> None:
    port = free_port()
    book, heard = MemoryBook(config_of(port)), Heard()
    async with gateway(book, heard) as carriers:
        async with smsc_on(port, replace(QUICK, receipts=False)):
            await ready(carriers)
        await until(lambda: not (carriers.get(1) or pytest.fail("gone")).ready)
        async with smsc_on(port) as (smsc, taken):
            smsc.reply(PHONE, "106900001", "hello")
            await ready(carriers)
            await until(lambda: [reply.content for reply in heard.replies] == ["hello"])
            assert (await carriers.get(1).submit(sms(PHONE))).ids  # type: ignore[union-attr]
            assert len(taken) == 1


async def test_a_transmitter_and_a_receiver() -> None:
    async with line(bind=Bind.PAIR) as up:
        await until(lambda: sorted(session.bind for session in up.smsc.sessions) == ["RX", "TX"])
        done = await up.submit(PHONE)
        await up.heard.receipt_of(done.ids[0])
        next(session for session in up.smsc.sessions if session.bind == "RX").cut()
        await until(lambda: up.smsc.counts["binds"] == 4)
        await until(lambda: sorted(session.bind for session in up.smsc.sessions) == ["RX", "TX"])


async def test_ids_that_are_hexadecimal_in_the_answer_and_decimal_in_the_receipt() -> None:
    async with line(carrier=1, id_form=IdForm.HEX_TO_DECIMAL) as up:
        done = await up.submit(PHONE)
        assert done.ids[0].isdigit()
        assert (await up.heard.receipt_of(done.ids[0])).state == "DELIVRD"
        assert up.taken[0].smsc_id != done.ids[0]


async def test_a_silent_carrier_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smpp, "ANSWER_SECONDS", 0.3)
    async with line(enquire=dt.timedelta(seconds=0.3)) as up:
        await asyncio.sleep(1.0)
        assert up.smsc.counts["binds"] == 1, "enquire_link is answered"
        for session in up.smsc.sessions:
            monkeypatch.setattr(session, "send", lambda octets: None)
        await until(lambda: up.smsc.counts["binds"] == 2)


async def test_operators_changes_are_followed() -> None:
    async with line() as up:
        up.book.now = None
        await up.carriers.look()
        assert up.carriers.get(1) is not None, "while nobody can say, what was known holds"
        up.book.now = []
        await until(lambda: up.carriers.get(1) is None)
        await until(lambda: not up.smsc.sessions)
        up.book.now = [config_of(up.smsc.port, binds=2)]
        await until(lambda: up.smsc.counts["binds"] == 3 and up.carriers.get(1))
        await until(lambda: [sight.bound for sight in up.book.sights] == [2])


async def test_a_change_lets_what_is_in_flight_end() -> None:
    async with line(Behaviour(receipt_delay=0.0, answer_delay=0.5)) as up:
        sent = asyncio.ensure_future(up.submit(PHONE))
        await until(lambda: up.taken)
        up.book.now = []
        await up.carriers.look()
        assert (await sent).outcome.kind is OutcomeKind.DELIVERED


async def test_encrypted_binds(tmp_path: Path) -> None:
    server, _ = certificate(tmp_path, "localhost")
    port = free_port()
    pem = tmp_path / "server.pem"
    for tls, host, authorities, bound in (
        (Tls.REQUIRED, "127.0.0.1", "", True),
        (Tls.VERIFIED, "localhost", str(pem), True),
        (Tls.VERIFIED, "localhost", "", False),
        (Tls.VERIFIED, "127.0.0.1", str(pem), False),  # the certificate has another name
        (Tls.NONE, "127.0.0.1", "", False),
    ):
        book, heard = MemoryBook(config_of(port, tls=tls, host=host)), Heard()
        async with smsc_on(port, tls=server) as (_, taken), gateway(book, heard, authorities=authorities) as carriers:
            if not bound:
                await until(book.has_problem)
                assert not carriers.get(1).ready  # type: ignore[union-attr]
                continue
            await ready(carriers)
            assert (await carriers.get(1).submit(sms(PHONE))).ids  # type: ignore[union-attr]
            assert len(taken) == 1


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\1", b"\xff" * 64, b""])
async def test_a_peer_that_speaks_something_else(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    book, heard = MemoryBook(config_of(port)), Heard()
    async with server, gateway(book, heard) as carriers:
        await until(book.has_problem)
        assert not carriers.get(1).ready  # type: ignore[union-attr]


async def test_garbage_in_the_midst_ends_the_bind_and_no_more() -> None:
    async with line() as up:
        done = await up.submit(ending("9040"))
        assert done.outcome.kind is OutcomeKind.DELIVERED
        await until(lambda: up.smsc.counts["binds"] == 2)
        await ready(up.carriers)
        assert (await up.submit(PHONE)).ids
