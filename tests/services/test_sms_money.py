"""What SMS cost when one request goes to countries of several prices, by whatever becomes of each text."""

import datetime as dt
from uuid import UUID

from domain.sms import SmsKind, SmsRecipient
from store.columns import now
from store.db import Database
from tests.money_world import standing
from tests.sms_engine_world import (
    LOST,
    REFUSED,
    FakeCarrier,
    accept_sms,
    audited,
    books,
    e164,
    engine,
    message,
    new_phones,
    receipt,
)
from tests.sms_world import add_international, add_template, make_sms_customer, set_sms_price

BRITISH = [f"+44740012345{n}" for n in range(3)]
GERMAN = [f"+49151234567{n}0" for n in range(3)]
BOTH = 300_000 + 410_000


async def test_each_countrys_segments_cost_its_price_of_the_acceptance(db: Database) -> None:
    """Of each country one is taken, one refused, and one uncertain: given up, and proved by late receipts."""
    customer = await make_sms_customer(db)
    account, lost = customer.account, {BRITISH[2], GERMAN[2]}
    await add_international(db, customer, "Please note: %code%. " + "It is a long text. " * 10)
    await set_sms_price(db, "sms:GB", 300_000)
    await set_sms_price(db, "sms:DE", 410_000)
    carrier = FakeCarrier(1, lambda asked: {**dict.fromkeys(lost, LOST), BRITISH[1]: REFUSED, GERMAN[1]: REFUSED}.get(
        asked.phone))  # fmt: skip
    people = tuple(SmsRecipient(one, {"code": "7"}) for one in (*BRITISH, *GERMAN))
    before = await standing(db, account)
    accepted = await accept_sms(db, customer, template="world", recipients=people)
    assert len(accepted.submissions) == 2 and {one.segments for one in accepted.messages} == {2}
    assert (await standing(db, account))[2] == 3 * 2 * BOTH
    await set_sms_price(db, "sms:GB", 999_999, now())
    async with engine(db, carrier) as up:
        assert (await up.send()).delivered == 2
        await up.settle()
        assert (await standing(db, account))[2] == 2 * BOTH, "of what is uncertain"
        await up.receipts.sweep(now() + dt.timedelta(hours=73))
        await up.settle()
        assert await spent(db, account, before) == (2 * BOTH, 0)
        await audited(db)
        for phone in lost:
            await up.hear(receipt(1, f"x{phone}", phone), receipt(1, f"y{phone}", phone))
        await up.receipts.sweep(now() + dt.timedelta(seconds=30))
    assert {(await message(db, phone))["state"] for phone in lost} == {"delivered"}
    assert await spent(db, account, before) == (4 * BOTH, 0)
    assert await db.pool.fetchval("SELECT count(*) FROM journal WHERE kind = 'adjustment'") == 4, "each part by itself"
    await audited(db)


async def spent(db: Database, account: UUID, before: tuple[int, int, int]) -> tuple[int, int]:
    """(micro-yuan since then, micro-yuan held)."""
    balance, carry, held = await standing(db, account)
    return (before[0] - balance) * 10_000 + carry - before[1], held


async def test_a_receipt_that_comes_twice_proves_one_part(db: Database) -> None:
    """The worker is killed between its commit and its answer, and the carrier says it again; of which part, only its id
    tells."""
    customer, carrier = await make_sms_customer(db), FakeCarrier(1, lambda asked: LOST)
    await add_template(db, customer, SmsKind.NOTICE, "请注意：" + "今天的通知很长。" * 12, name="long")
    phone, nameless = new_phones(2)
    async with engine(db, carrier) as up:
        await accept_sms(db, customer, phone, nameless, template="long")
        await up.send()
        twice = [receipt(1, "a", e164(phone))] * 2 + [receipt(1, "", e164(nameless))] * 2
        await up.hear(*twice)
        for _ in range(3):
            await up.receipts.sweep(now() + dt.timedelta(seconds=30))
        await up.hear(*twice)
        await up.receipts.sweep(now() + dt.timedelta(seconds=30))
        found = {one: await message(db, e164(one)) for one in (phone, nameless)}
        assert {one: (row["state"], row["submitted"]) for one, row in found.items()} == {
            phone: ("sent", 1), nameless: ("sent", 0),
        }  # fmt: skip
        await up.hear(receipt(1, "b", e164(phone)))
        await up.receipts.sweep(now() + dt.timedelta(seconds=30))
        assert (await message(db, e164(phone)))["state"] == "delivered"
        await up.settle()
    assert await books(db, customer.account) == (2, 2)
    await audited(db, dt.timedelta(hours=1))
