"""Receipts of SMS: in whatever order, twice, for nobody; uncertain and missing ones are in `test_sms_uncertain.py`."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator

import pytest

from domain.accounts import SYSTEM_ACCOUNT
from domain.errors import LeaseLost
from domain.sms import SmsKind
from domain.sms_outcomes import reference_of
from domain.sms_reporting import WAITS
from domain.sms_transport import Submitted
from services.sms_receipts import SmsReceipts
from store import dead_senders, sms_sweeping
from store.columns import now
from store.db import Database
from tests.sms_engine_world import (
    TAKEN,
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


async def test_delivered(house: House) -> None:
    phone = await house.sent()
    assert await house.state(phone) == ("sent", "") and await house.events() == []
    await house.says(phone, "ENROUTE")
    await house.says(phone, "ACCEPTD")
    assert await house.state(phone) == ("sent", "")
    await house.says(phone)
    row = await house.row(phone)
    assert (row["state"], row["reason"], row["finished_at"] is not None) == ("delivered", "", True)
    assert await house.events() == [("sms_deliver", 200)]
    await house.says(phone)
    await house.says(phone, "UNDELIV", error="MK:0001")
    assert await house.state(phone) == ("delivered", ""), "the first final word counts"
    assert len(await house.events()) == 1
    fates = await house.db.pool.fetch("SELECT fate FROM sms_receipt")
    assert [row["fate"] for row in fates] == ["repeated", "repeated"]


@pytest.mark.parametrize(
    ("state", "error", "reason", "code"),
    [
        ("UNDELIV", "MK:0001", "sms.empty_number", 500),
        ("REJECTD", "MA:0001", "sms.blacklisted", 520),
        ("MK:0004", "", "sms.suspended", 510),
        ("EXPIRED", "", "expired", 590),
        ("STRANGE", "777", "sms.other", 590),
        ("UNDELIV", "\0\n" * 300, "sms.other", 590),
    ],
)
async def test_failed(house: House, state: str, error: str, reason: str, code: int) -> None:
    phone = await house.sent()
    await house.says(phone, state, error=error)
    assert await house.state(phone) == ("bounced", reason)
    assert await house.events() == [("sms_delivererror", code)]
    assert await house.db.pool.fetchval("SELECT code FROM sms_interception WHERE phone = $1", phone) == code
    await house.up.settle()
    assert await books(house.db, house.customer.account) == (1, 0), "the carrier took it, so it is charged"


async def test_a_receipt_without_an_id_is_found_by_number_and_reference(house: House) -> None:
    phone, other, long = await house.sent(), await house.sent(), await house.sent(template="long")
    reference = reference_of((await house.row(phone))["id"])
    for said in (
        receipt(1, "", phone, "DELIVRD"), receipt(1, "", phone, "DELIVRD", reference=reference + 1),
        receipt(1, "", other, "DELIVRD", reference=reference), receipt(2, "", phone, "DELIVRD", reference=reference),
        receipt(1, "", long, "DELIVRD", reference=reference_of((await house.row(long))["id"])),
    ):  # fmt: skip
        await house.up.hear(said)
    assert {(await house.state(each))[0] for each in (phone, other, long)} == {"sent"}
    await house.up.hear(receipt(1, "", phone, "DELIVRD", reference=reference))
    assert await house.state(phone) == ("delivered", "")
    await house.up.hear(receipt(1, "", phone, "UNDELIV", reference=reference))
    assert await house.state(phone) == ("delivered", ""), "the first final word counts"


async def test_of_several_parts_each_must_arrive(house: House) -> None:
    phone = await house.sent(template="long")
    await house.says(phone, part=1)
    assert await house.state(phone) == ("sent", "")
    await house.says(phone, part=1)
    assert await house.state(phone) == ("sent", ""), "the same part twice is one"
    await house.says(phone, part=0)
    assert await house.state(phone) == ("delivered", "")
    other = await house.sent(template="long")
    await house.says(other, part=1, state="UNDELIV", error="MK:0012")
    await house.says(other, part=0)
    assert await house.state(other) == ("bounced", "sms.switched_off")
    assert [code for _, code in await house.events()] == [200, 580]


async def test_receipts_that_come_together(house: House) -> None:
    """Many at once, some of them twice in one batch, some of one message, some of nobody."""
    phones = [await house.sent(template="long") for _ in range(5)]
    said = [receipt(1, one, phone) for phone in phones for one in house.carrier.ids[phone]]
    said += [*said, receipt(1, "nobody", phones[0]), receipt(2, house.carrier.ids[phones[0]][0], phones[0])]
    await asyncio.gather(*(house.up.receipts.take(one) for one in said))
    assert {await house.state(phone) for phone in phones} == {("delivered", "")}
    assert [kind for kind, _ in await house.events()] == ["sms_deliver"] * 5
    other = SmsReceipts(house.db)
    await asyncio.gather(*(taker.take(one) for one in said for taker in (other, house.up.receipts)))
    assert len(await house.events()) == 5


async def test_another_processes_word_of_the_same_part_waits_for_the_first(house: House) -> None:
    phone = await house.sent()
    takers = [SmsReceipts(house.db) for _ in range(6)]
    said = receipt(1, house.carrier.ids[phone][0], phone)
    await asyncio.gather(*(taker.take(said) for taker in takers))
    assert await house.events() == [("sms_deliver", 200)]
    assert await house.db.pool.fetchval("SELECT count(*) FROM sms_receipt WHERE fate = 'repeated'") == 5


async def test_a_receipt_that_overtakes_the_commit_of_its_part(house: House) -> None:
    """The carrier tells before its answer is recorded: the answer waits at the gate."""
    known = Submitted(TAKEN, ("early-1",))
    house.carrier.answer = lambda asked: known
    waiting = await house.at_the_gate()
    await house.up.hear(receipt(1, "early-1", waiting.phone))
    await house.up.receipts.sweep()
    assert await house.state(waiting.phone) == ("queued", "")
    waiting.gate.set()
    await waiting.sending
    assert await house.state(waiting.phone) == ("sent", "")
    await house.up.receipts.sweep(far=False)
    assert await house.state(waiting.phone) == ("delivered", "")
    assert await house.db.pool.fetchval("SELECT count(*) FROM sms_receipt") == 0


async def test_a_text_that_looks_like_a_receipt_says_nothing_of_others(house: House) -> None:
    phone = await house.sent()
    await house.up.hear(receipt(1, house.carrier.ids[phone][0], "+8613900000000", "UNDELIV"))
    assert await house.state(phone) == ("sent", "")
    await house.up.hear(receipt(1, house.carrier.ids[phone][0], "13800"))
    assert await house.state(phone) == ("delivered", ""), "a number that cannot be read is no other number"
    other = await house.sent()
    await house.up.hear(receipt(1, house.carrier.ids[other][0], f"+{other[3:]}"))
    assert await house.state(other) == ("delivered", ""), "nor is one whose country the carrier left out"


async def test_ids_that_a_carrier_uses_again_mean_the_newest(house: House) -> None:
    house.carrier.answer = lambda asked: Submitted(TAKEN, ("7",))
    first = await house.sent()
    await house.up.hear(receipt(1, "7", first))
    second = await house.sent()
    await house.up.hear(receipt(1, "7", second, "UNDELIV", error="MK:0001"))
    assert (await house.state(first), await house.state(second)) == (
        ("delivered", ""), ("bounced", "sms.empty_number"),
    )  # fmt: skip


async def test_nobodys_receipts_are_named_and_forgotten(house: House) -> None:
    await house.up.hear(receipt(1, "nobody", "+8613900000000"))
    await house.later(dt.timedelta(minutes=6))
    assert await house.db.pool.fetchval("SELECT fate FROM sms_receipt") == "unknown"
    await house.db.pool.execute("UPDATE sms_receipt SET arrived_at = now() - interval '8 days'")
    await house.up.receipts.forget()
    assert await house.db.pool.fetchval("SELECT count(*) FROM sms_receipt") == 0


async def test_a_receipt_outlives_an_outage_after_a_kill(house: House) -> None:
    """Its worker is killed before the carrier's answer is recorded, and no worker is there for ten minutes."""
    waiting = await house.at_the_gate()
    await house.up.hear(receipt(1, "x1", waiting.phone))
    await house.db.pool.execute("UPDATE sms_receipt SET arrived_at = now() - interval '10 minutes'")
    await house.db.pool.execute("UPDATE slot SET intent_at = now() - interval '11 minutes' WHERE message_id > 0")
    await house.db.pool.execute("UPDATE sender SET lease_until = now() - interval '1 second'")
    await house.up.receipts.sweep()
    async with house.db.raw() as connection:
        assert await dead_senders.settle_dead_sender(connection) == 1
        assert await sms_sweeping.name_nobodys(connection, now() - WAITS, 10) == 0, "nobody has asked yet whose it is"
    await house.up.receipts.sweep()
    assert await house.state(waiting.phone) == ("delivered", "")
    waiting.gate.set()
    with pytest.raises(LeaseLost):
        await waiting.sending
    await house.up.deliver(waiting.page)


async def test_a_carriers_word_is_never_ours_for_no_receipt(house: House) -> None:
    for word in ("LATE", "\x01"):
        phone = await house.sent()
        await house.says(phone, word)
        assert await house.state(phone) == ("bounced", "sms.other")


async def test_the_platforms_own_lists_no_number(house: House) -> None:
    phone = await house.sent(kind=SmsKind.CODE)
    await house.db.pool.execute("UPDATE message SET account_id = $1", SYSTEM_ACCOUNT)
    await house.db.pool.execute("UPDATE submission SET account_id = $1", SYSTEM_ACCOUNT)
    await house.says(phone, "UNDELIV", error="MK:0001")
    assert await house.state(phone) == ("bounced", "sms.empty_number")
    assert await house.db.pool.fetchval("SELECT count(*) FROM sms_interception") == 0
    await house.db.pool.execute("UPDATE message SET account_id = $1", house.customer.account)
    await house.db.pool.execute("UPDATE submission SET account_id = $1", house.customer.account)


async def test_a_receipt_is_not_answered_while_it_cannot_be_kept(house: House) -> None:
    phone = await house.sent()
    await house.db.pool.execute("ALTER TABLE sms_part RENAME TO sms_part_away")
    try:
        with pytest.raises(Exception, match="sms_part"):
            await house.says(phone)
    finally:
        await house.db.pool.execute("ALTER TABLE sms_part_away RENAME TO sms_part")
    await house.says(phone)
    assert await house.state(phone) == ("delivered", "")
