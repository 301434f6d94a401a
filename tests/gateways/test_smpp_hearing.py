"""What carriers tell: heard in every form, and answered when it is durable."""

import asyncio
import datetime as dt
import struct
from typing import Any

import pytest

from domain.sms_carriers import Assembled
from domain.sms_transport import Reply
from gateways import smpp, smpp_hearing
from sandbox import smsc
from sandbox.smsc_script import LONG_REPLY
from sandbox.smsc_wire import PAYLOAD, Outgoing
from tests.smpp_world import Line, config_of, gateway, line, ready, sms, until

PHONE = "+8613800130000"
OURS = "106900001"


async def told(digits: str, receipts: int = 1) -> list[Any]:
    async with line() as up:
        done = await up.submit(f"+861380013{digits}", "【送达】" + "长" * (80 if digits == "9028" else 1))
        await until(lambda: len(up.heard.receipts) >= receipts)
        found = up.heard.receipts
        assert {receipt.smsc_id for receipt in found} <= {*done.ids, ""}
        return [(receipt.state, receipt.error, bool(receipt.smsc_id)) for receipt in found]


@pytest.mark.parametrize(
    ("digits", "heard"),
    [
        ("9001", [("UNDELIV", "MK:0001", True)]),
        ("9003", [("REJECTD", "MA:0001", True)]),
        ("9004", [("REJECTD", "KEYWORD", True)]),
        ("9007", [("EXPIRED", "err:011", True)]),
        ("9021", [("DELIVRD", "", True)] * 2),
        ("9022", [("STRANGE", "err:777", True)]),
        ("9023", [("DELIVRD", "", True)]),
        ("9025", [("DELIVRD", "", False)]),
        ("9026", [("ENROUTE", "", True), ("ACCEPTD", "", True), ("DELIVRD", "", True)]),
        ("9027", [("DELIVRD", "", True)]),
        ("9028", [("DELIVRD", "", True), ("UNDELIV", "MK:0012", True)]),
        ("9029", [("DELIVRD", "", True)]),
    ],
)
async def test_receipts_in_every_form(digits: str, heard: list[Any]) -> None:
    assert await told(digits, len(heard)) == heard


async def test_a_receipt_without_id_has_our_reference() -> None:
    async with line() as up:
        await up.submit("+8613800139025", reference=4711)
        await until(lambda: [receipt.reference for receipt in up.heard.receipts] == [4711])


@pytest.mark.parametrize(("digits", "content"), [("9031", "TD"), ("9033", "退订"), ("9035", LONG_REPLY)])
async def test_replies(digits: str, content: str) -> None:
    async with line() as up:
        await up.submit(f"+861380013{digits}")
        await until(lambda: up.heard.replies)
        (reply,) = up.heard.replies
        assert (reply.sender, reply.recipient, reply.content) == (f"+861380013{digits}", OURS, content)
        assert up.book.pieces == {}, "its parts are not kept any longer"


async def test_nothing_is_answered_before_it_is_durable_and_so_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(smsc, "_AGAIN", 0.1)
    async with line() as up:
        up.heard.trouble = True
        done = await up.submit(PHONE)
        up.smsc.reply(PHONE, OURS, "退订")
        await until(lambda: up.smsc.counts["repeated"] >= 2)
        assert up.smsc.counts["told"] == 0 and up.heard.receipts == []
        up.heard.trouble = False
        await up.heard.receipt_of(done.ids[0])
        await until(lambda: [reply.content for reply in up.heard.replies] == ["退订"])
        await until(lambda: up.smsc.counts["told"] == 2)


async def test_a_carrier_that_is_not_answered_in_time_hangs_up_and_tells_again() -> None:
    async with line() as up:
        durable = asyncio.Event()
        kept = up.heard.receipt

        async def slow(receipt: Any) -> None:
            await durable.wait()
            await kept(receipt)

        up.carriers._hears = type(up.heard.hears)(slow, up.heard.reply)
        up.book.now = []
        await up.carriers.look()
        up.book.now = [changed(up)]
        await until(lambda: up.carriers.get(1) and up.carriers.get(1).ready)  # type: ignore[union-attr]
        await up.submit(PHONE)
        await until(lambda: sum(session.unanswered for session in up.smsc.sessions) == 1)
        for session in list(up.smsc.sessions):
            session.cut()
        durable.set()
        await until(lambda: len(up.heard.receipts) == 2), "told again: whoever matches them knows it already"


def changed(up: Line) -> Any:
    return config_of(up.smsc.port, window=5)


async def test_parts_of_a_reply_in_any_order_and_twice() -> None:
    async with line() as up:
        for at in (3, 1, 1, 2):
            header = bytes((5, 0, 3, 9, 3, at))
            body = header + f"第{at}段".encode("utf-16-be")
            up.smsc.deliver(Outgoing(PHONE, OURS, body, esm_class=0x40, data_coding=8))
        await until(lambda: [reply.content for reply in up.heard.replies] == ["第1段第2段第3段"])


async def test_an_emoji_that_a_handset_cut_in_two() -> None:
    content = "很高兴" * 22 + "😀，谢谢" + "😀" * 40
    octets = content.encode("utf-16-be")
    parts = [octets[at : at + 134] for at in range(0, len(octets), 134)]
    assert parts[0][-2] & 0xFC == 0xD8, "a first half ends it"
    async with line() as up:
        for at, part in reversed(list(enumerate(parts, 1))):
            header = bytes((5, 0, 3, 9, len(parts), at))
            up.smsc.deliver(Outgoing(PHONE, OURS, header + part, esm_class=0x40, data_coding=8))
        await until(lambda: [reply.content for reply in up.heard.replies] == [content])


async def test_two_processes_are_bound_and_each_hears_some_parts() -> None:
    async with line() as up, gateway(up.book, up.heard) as other:
        await ready(other)
        assert up.smsc.counts["binds"] == 2
        first, second = up.smsc.sessions
        for at, session in ((1, first), (2, second), (3, first)):
            header = bytes((5, 0, 3, 9, 3, at))
            session.deliver(Outgoing(PHONE, OURS, header + b"\0a", esm_class=0x40, data_coding=8))
        await until(lambda: [reply.content for reply in up.heard.replies] == ["aaa"])
        carrier = other.get(1)
        assert carrier is not None
        done = await asyncio.gather(*(each.submit(sms(PHONE)) for each in (carrier, up.carriers.get(1)) if each))
        for each in done:
            await up.heard.receipt_of(each.ids[0])


async def test_a_long_text_in_one_piece() -> None:
    async with line() as up:
        payload = (PAYLOAD, LONG_REPLY.encode("utf-16-be"))
        up.smsc.deliver(Outgoing(PHONE, OURS, b"", data_coding=8, tlvs=(payload,)))
        await until(lambda: [reply.content for reply in up.heard.replies] == [LONG_REPLY])


async def test_texts_whose_parts_do_not_all_come_are_given_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smpp, "GIVEN_OUT_EVERY", 1.0)
    async with line() as up:
        reply = Reply(1, PHONE, OURS, "half…", dt.datetime.now(dt.UTC))
        up.book.late = [Assembled("a key", reply)]
        up.book.pieces["a key"] = {}
        await until(lambda: up.heard.replies == [reply] and "a key" not in up.book.pieces)


async def test_what_cannot_be_read_is_refused_for_good() -> None:
    async with line() as up:
        (session,) = up.smsc.sessions
        answers: list[int] = []
        take = session._take

        def watch(unit: Any) -> None:
            answers.append(unit.status)
            take(unit)

        session._take = watch  # type: ignore[method-assign]
        session.send(struct.pack(">IIII", 20, 5, 0, 77) + b"\xff\xff\xff\xff")
        await until(lambda: answers == [0x65])
        assert (await up.submit(PHONE)).ids, "the bind goes on"


async def test_a_flood_is_slowed_down_and_lost_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smpp_hearing, "MOST_AT_ONCE", 3)
    monkeypatch.setattr(smsc, "_AGAIN", 0.1)
    async with line() as up:
        for number in range(30):
            up.smsc.reply(PHONE, OURS, f"no {number}")
        await until(lambda: len(up.heard.replies) == 30)
        assert up.smsc.counts["repeated"] > 0
        assert len({reply.content for reply in up.heard.replies}) == 30
