"""Lines, lanes and slots of SMS: what waits for what, and where it is seen."""

import asyncio
import datetime as dt

import pytest

from activities.lanes import Lanes
from domain.channels import DueLine
from domain.sms import SmsKind
from store import lanes_read, pages
from store.db import Database
from tests.patience import until
from tests.sending_world import make_customer, submit
from tests.sms_engine_world import (
    THROTTLED,
    FakeCarrier,
    accept_sms,
    audited,
    e164,
    engine,
    new_phones,
)
from tests.sms_world import make_sms_customer


async def _true(value: bool) -> bool:
    return value


async def test_a_full_lane_keeps_a_text_waiting_and_counts_its_parts(db: Database) -> None:
    customer, carrier = await make_sms_customer(db), FakeCarrier(1)
    await accept_sms(db, customer)
    async with engine(db, carrier) as up:
        await db.pool.execute("UPDATE lane SET paused_at = now() WHERE name = 'sms-1'")
        lanes = Lanes(db, up.sender)
        running = asyncio.create_task(lanes.run())
        try:
            await until(lambda: _true(lanes._informed))
            assert lanes.take("sms-1", express=True) > 0
            await db.pool.execute("UPDATE lane SET paused_at = NULL, rate_per_s = 10 WHERE name = 'sms-1'")
            await until(lambda: _true(lanes.take("sms-1", express=True, count=4) == 0.0))
            assert lanes.take("sms-1", express=True) > 0, "three more are owed"
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("kind", [SmsKind.MARKETING, SmsKind.NOTICE])
async def test_codes_do_not_wait_for_a_flood_of_the_same_account(db: Database, kind: SmsKind) -> None:
    """All the room of the flood is taken by dialogues that hang; more of it waits, longer than the code."""
    customer, gate = await make_sms_customer(db), asyncio.Event()
    carrier = FakeCarrier(1, gate=gate)
    await accept_sms(db, customer, *new_phones(40), kind=kind)
    await db.pool.execute("UPDATE due SET due_at = now()")
    async with engine(db, carrier) as up:
        page = await up.page(kind.line)
        assert page is not None
        flood = asyncio.create_task(up.deliver(page))
        await until(lambda: _true(len(carrier.got) >= 4))
        await accept_sms(db, customer, *new_phones(40), kind=kind)
        [phone] = new_phones(1)
        await accept_sms(db, customer, phone, kind=SmsKind.CODE)
        codes = await up.page(DueLine.SMS_CODES)
        assert codes is not None
        code = asyncio.create_task(up.deliver(codes))
        await until(lambda: _true(e164(phone) in {text.phone for text in carrier.got}))
        gate.set()
        assert (await code).delivered == 1
        assert (await flood).delivered == 40
    await audited(db)


async def test_the_queue_status_shows_sms_in_the_lane_of_their_gateway(db: Database) -> None:
    customer = await make_sms_customer(db)
    await accept_sms(db, customer, *new_phones(3))
    async with db.read() as session:
        [line] = await lanes_read.waiting_of(session, customer.account)
    assert (line.lane, line.domain, line.waiting, line.api_user_id) == ("sms", None, 3, customer.sms_user)
    async with engine(db, FakeCarrier(1), FakeCarrier(2)), db.read() as session:
        [line] = await lanes_read.waiting_of(session, customer.account)
        assert line.lane == "sms-1"
        assert await lanes_read.waiting_of_all(session) == {"sms-1": 3}
        assert await lanes_read.api_user_names(session, customer.account, [line.api_user_id]) == {
            customer.sms_user: customer.name
        }


async def test_lines_are_claimed_each_by_itself_and_kept_whatever_happens(db: Database) -> None:
    customer, mailer = await make_sms_customer(db), await make_customer(db)
    carrier = FakeCarrier(1, lambda asked: THROTTLED)
    await submit(db, mailer, ["a@x.test"])
    await accept_sms(db, customer)
    await accept_sms(db, customer, kind=SmsKind.MARKETING)
    await accept_sms(db, customer, kind=SmsKind.CODE)
    await db.pool.execute("UPDATE due SET due_at = now()")
    async with db.raw() as connection:
        found = {line: await pages.claim_batch(connection, line=line) for line in DueLine}
        assert {line: batch and batch.messages for line, batch in found.items()} == dict.fromkeys(DueLine, 1)
        assert [await pages.next_due(connection, line) for line in DueLine] == [None] * len(DueLine)
        rows = await connection.fetch("SELECT channel, line FROM page ORDER BY line")
        assert [tuple(row) for row in rows] == [("email", 0), ("sms", 1), ("sms", 2), ("sms", 3)]
        for batch in found.values():  # nobody tried
            assert batch is not None
            taken = await pages.take_page(connection, batch.page)
            assert taken is not None and await pages.close_page(connection, batch.page, taken.epoch, dt.timedelta(0))
        rows = await connection.fetch("SELECT line FROM due ORDER BY line")
        assert [row["line"] for row in rows] == [0, 1, 2, 3]
    async with engine(db, carrier) as up:
        for line in (DueLine.SMS, DueLine.SMS_MARKETING, DueLine.SMS_CODES):
            await up.send(line)
            up.routes._pauses.clear()
        assert [row["line"] for row in await db.pool.fetch("SELECT line FROM due ORDER BY line")] == [0, 1, 2, 3]
    await audited(db)
