"""The audit's checks of SMS: clean after every end, and each kind of corruption is found and named."""

import datetime as dt

from domain.sms import SmsKind
from services.audit import GRACE
from services.settlement import Settlement
from store.audit import check
from store.columns import now
from store.db import Database
from tests.sms_engine_world import (
    LOST,
    REFUSED,
    FakeCarrier,
    accept_sms,
    audited,
    e164,
    engine,
    new_phones,
    receipt,
)
from tests.sms_world import add_template, make_sms_customer

PARTS = "each SMS counts the parts that carriers took"
HOLDS = "each hold counts what its messages ended as"
PAGES = "pages' totals equal what their SMS came to"
AGAIN = "no SMS was tried again that a carrier may have taken"
BREAKAGES = [
    ("DELETE FROM sms_part WHERE message_id IN (SELECT id FROM message WHERE state = 'delivered')", PARTS),
    ("UPDATE message SET submitted = submitted - 1 WHERE state = 'delivered'", PARTS),
    ("UPDATE message SET submitted = submitted - 1 WHERE state = 'delivered'", HOLDS),
    ("UPDATE message SET state = 'dropped' WHERE state = 'delivered'", PARTS),
    ("UPDATE message SET state = 'queued' WHERE state = 'delivered'", PARTS),
    ("UPDATE hold SET sent = sent - 1, unsent = unsent + 1 WHERE sent > 0", HOLDS),
    ("UPDATE message SET segments = 9", "a submission is chargeable from where its hold says, or has none"),
    (
        "INSERT INTO sms_part (message_id, attempt, part, gateway, smsc_id, submitted_at, state, error)"
        " VALUES (-1, 1, 0, 1, 'x', now(), '', '')",
        "a mail has no parts, and every part has its SMS",
    ),
    (
        "UPDATE sms_part SET attempt = 2 WHERE part = 1",
        "no SMS was submitted twice",
    ),
    ("UPDATE message SET possible_duplicate = true WHERE state = 'delivered'", AGAIN),
    (
        "INSERT INTO attempt (message_id, number, started_at, ended_at, kind, reason, code, enhanced, reply, host)"
        " SELECT id, 1, now(), now(), 'uncertain', 'uncertain', 0, '', '', '' FROM message WHERE state = 'delivered'",
        AGAIN,
    ),
    (
        "UPDATE sms_part SET state = 'UNDELIV' WHERE state = 'DELIVRD'",
        "what the receipts of its parts say is what an SMS ended as",
    ),
    ("UPDATE sms_part SET state = 'DELIVRD'", "what the receipts of its parts say is what an SMS ended as"),
    (
        "UPDATE message SET state = 'bounced', reason = 'sms.other' WHERE state = 'delivered'",
        "what the receipts of its parts say is what an SMS ended as",
    ),
    ("UPDATE sms_uncertain SET settled_at = now()", "only what is uncertain waits for a receipt that proves it"),
    (
        "INSERT INTO sms_uncertain (message_id, phone, gateway, attempt, since)"
        " SELECT id, address, 1, 1, now() FROM message WHERE state = 'delivered'",
        "only what is uncertain waits for a receipt that proves it",
    ),
    ("UPDATE page SET delivered = delivered - 1", PAGES),
    ("UPDATE page SET uncertain = 0", PAGES),
    ("UPDATE message SET state = 'bounced' WHERE state = 'sent' AND reason = 'uncertain'", PAGES),
    ("DELETE FROM sms_uncertain", "every SMS that is uncertain can still be found by its receipt"),
    (
        "UPDATE message SET attempted_at = now() - interval '74 hours' WHERE state = 'sent'",
        "no SMS waits for its receipt past its time",
    ),
    (
        "INSERT INTO sms_receipt (gateway, smsc_id, phone, state, error, body, arrived_at, fate)"
        " SELECT gateway, smsc_id, '', 'DELIVRD', '', '', now() - interval '2 hours', '' FROM sms_part"
        " WHERE state = ''",
        "no receipt waits that could be matched",
    ),
    (
        "UPDATE message SET state = 'bounced', reason = 'sms.other'"
        " WHERE id IN (SELECT message_id FROM sms_correction)",
        "every correction of an SMS is a step forwards, and the last one says what its message is",
    ),
    (
        "UPDATE sms_correction SET from_state = 'delivered'",
        "every correction of an SMS is a step forwards, and the last one says what its message is",
    ),
    (
        "UPDATE sms_correction SET charging = '', segments = 0",
        "every adjustment belongs to a correction that charged",
    ),
    ("UPDATE sms_correction SET charging = 'waived'", HOLDS),
]


async def test_each_breakage_is_found(db: Database) -> None:
    await every_end(db)
    await audited(db, GRACE)
    late = now() - GRACE
    async with db.pool.acquire() as connection:
        for breakage, expected in BREAKAGES:
            transaction = connection.transaction()
            await transaction.start()
            changed = await connection.execute(breakage)
            found = [finding.name for finding in await check(connection, late) if finding.count]
            await transaction.rollback()
            assert not changed.endswith(" 0"), breakage
            assert expected in found, breakage


async def every_end(db: Database) -> None:
    """A delivered text of two parts, one that waits for its receipt, one refused, one uncertain, one corrected."""
    customer = await make_sms_customer(db)
    await add_template(db, customer, SmsKind.NOTICE, "请注意：" + "今天的通知很长。" * 12, name="long")
    arrives, waits, refused, lost, late = new_phones(5)
    answers = {e164(refused): REFUSED, e164(lost): LOST, e164(late): LOST}
    carrier = FakeCarrier(1, lambda asked: answers.get(asked.phone))
    async with engine(db, carrier) as up:
        await accept_sms(db, customer, arrives, template="long")
        await accept_sms(db, customer, late)
        await up.send()
        for one in carrier.ids[e164(arrives)]:
            await up.hear(receipt(1, one, e164(arrives)))
        await up.receipts.sweep(now() + dt.timedelta(hours=73))
        await Settlement(db).settle_all()
        await up.hear(receipt(1, "x", e164(late)))
        await up.receipts.sweep(now() + dt.timedelta(seconds=30))
        await accept_sms(db, customer, waits, refused, lost)
        await up.send()
