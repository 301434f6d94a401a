"""Receipts of what a carrier may have taken without saying so, and those that never come: what is known then, and what
it costs."""

import datetime as dt
from collections.abc import AsyncIterator

import pytest

from domain.sms_outcomes import reference_of
from store.db import Database
from tests.sms_engine_world import (
    accept_sms,
    audited,
    books,
    receipt,
)
from tests.sms_receipts_world import House, receipts_house

DAYS = dt.timedelta(days=1)
EVENTS = ["sms_deliver", "sms_delivererror", "sms_workererror"]


@pytest.fixture
async def house(db: Database) -> AsyncIterator[House]:
    async with receipts_house(db) as made:
        yield made


async def test_an_uncertain_message_is_charged_when_its_receipt_comes(house: House) -> None:
    phone = await house.sent(lost=True)
    row = await house.row(phone)
    assert (row["state"], row["reason"]) == ("sent", "uncertain")
    await house.up.settle()
    assert await books(house.db, house.customer.account) == (0, 1)
    await house.up.hear(receipt(1, "x1", phone, reference=reference_of(row["id"])))
    await house.up.receipts.sweep()
    assert await house.state(phone) == ("sent", "uncertain"), "its part may be in a commit that is under way"
    await house.later(dt.timedelta(seconds=30))
    assert await house.state(phone) == ("delivered", "")
    await house.up.settle()
    assert await books(house.db, house.customer.account) == (1, 0)
    await house.up.hear(receipt(1, "x1", phone, "UNDELIV"))
    assert await house.state(phone) == ("delivered", "")
    assert [kind for kind, _ in await house.events()] == ["sms_deliver"]


async def test_without_a_reference_the_only_candidate_is_meant(house: House) -> None:
    phone = await house.sent(lost=True)
    await house.up.hear(receipt(2, "x1", phone), receipt(1, "x2", "+8613900000000"))
    await house.later(dt.timedelta(seconds=30))
    assert await house.state(phone) == ("sent", "uncertain"), "another gateway's, or another number's"
    await house.up.hear(receipt(1, "", phone, "UNDELIV", error="MK:0012"))
    await house.later(dt.timedelta(seconds=30))
    assert await house.state(phone) == ("bounced", "sms.switched_off")


async def test_of_two_candidates_only_the_reference_says_which(house: House) -> None:
    phone = await house.sent(lost=True)
    first = await house.row(phone)
    await house.db.pool.execute("DELETE FROM sms_recent")
    await accept_sms(house.db, house.customer, phone)
    await house.up.send()
    second = await house.row(phone)
    assert first["id"] != second["id"] and second["reason"] == "uncertain"
    await house.up.hear(receipt(1, "x1", phone))
    await house.later(dt.timedelta(seconds=30))
    assert await house.db.pool.fetchval("SELECT count(*) FROM sms_receipt WHERE fate = ''") == 1
    await house.up.hear(receipt(1, "x2", phone, reference=reference_of(second["id"])))
    await house.later(dt.timedelta(seconds=30))
    assert await house.state(phone) == ("delivered", "")
    await house.later(dt.timedelta(seconds=30))
    assert await house.db.pool.fetchval("SELECT state FROM message WHERE id = $1", first["id"]) == "delivered", (
        "then it is the only candidate for the other receipt"
    )


async def test_an_uncertain_long_text_needs_all_its_receipts(house: House) -> None:
    phone = await house.sent(template="long", lost=True)
    await house.up.hear(receipt(1, "x1", phone))
    await house.later(dt.timedelta(seconds=30))
    assert (await house.row(phone))["submitted"] == 1 and await house.state(phone) == ("sent", "uncertain")
    await audited(house.db)
    await house.up.hear(receipt(1, "x2", phone))
    await house.later(dt.timedelta(seconds=30))
    assert await house.state(phone) == ("delivered", "")
    await house.up.settle()
    assert await books(house.db, house.customer.account) == (2, 0)


async def test_without_a_receipt_it_expires_and_stays_charged(house: House) -> None:
    phone = await house.sent()
    await house.later(dt.timedelta(hours=71))
    assert await house.state(phone) == ("sent", "")
    await house.later(dt.timedelta(hours=73))
    assert await house.state(phone) == ("bounced", "expired")
    await house.up.settle()
    assert await books(house.db, house.customer.account) == (1, 0)
    assert await house.events() == [("sms_delivererror", 590)]
    assert await house.db.pool.fetchval("SELECT count(*) FROM sms_interception") == 0, "no carrier said so"
    await audited(house.db)
    await house.says(phone)
    assert await house.state(phone) == ("delivered", ""), "one that comes later is right"
    await house.says(phone, "UNDELIV")
    assert await house.state(phone) == ("delivered", "")
    assert [kind for kind, _ in await house.events()] == ["sms_delivererror", "sms_deliver"]
    assert await books(house.db, house.customer.account) == (1, 0)
    said = await house.db.pool.fetchval("SELECT data->>'corrects' FROM webhook_event ORDER BY id DESC LIMIT 1")
    assert said == "bounced"


async def test_an_uncertain_one_without_a_receipt_is_unknown_and_free(house: House) -> None:
    phone = await house.sent(lost=True)
    await house.later(dt.timedelta(hours=73))
    assert await house.state(phone) == ("unknown", "uncertain")
    await house.up.settle()
    assert await books(house.db, house.customer.account) == (0, 0)
    await audited(house.db)
    await house.up.hear(receipt(1, "x1", phone))
    await house.later(dt.timedelta(seconds=30))
    assert await house.state(phone) == ("delivered", ""), "a receipt that comes later is right"
    await house.up.settle()
    assert await books(house.db, house.customer.account) == (1, 0), "and it is charged after all"
    assert await house.db.pool.fetchval("SELECT count(*) FROM journal WHERE kind = 'adjustment'") == 1
    await house.up.hear(receipt(1, "x1", phone, "UNDELIV"))
    assert await house.state(phone) == ("delivered", "")


async def test_what_cannot_be_paid_any_more_is_waived(house: House) -> None:
    phone = await house.sent(lost=True)
    await house.later(dt.timedelta(hours=73))
    await house.up.settle()
    account = house.customer.account
    await house.db.pool.execute("UPDATE ledger_account SET balance_fen = 0 WHERE account_id = $1", account)
    await house.up.hear(receipt(1, "x1", phone))
    await house.later(dt.timedelta(seconds=30))
    assert await house.state(phone) == ("delivered", "")
    assert await books(house.db, account) == (0, 0)
    assert await house.db.pool.fetchval("SELECT charging FROM sms_correction WHERE segments = 1") == "waived"
    await house.db.pool.execute(
        "UPDATE ledger_account SET balance_fen = (SELECT sum(amount_fen) FROM entry e"
        " WHERE e.ledger_account_id = ledger_account.id) WHERE account_id = $1",
        account,
    )
