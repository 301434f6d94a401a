"""Phone numbers that are nobody's business any more are forgotten."""

import datetime as dt

from domain.accounts import SYSTEM_ACCOUNT
from services.sms_receipts import NOBODYS_KEPT, SmsReceipts
from store.columns import now
from store.db import Database
from store.sms_replies import SmsReply
from tests.sms_world import make_sms_customer


async def test_replies_that_no_customer_was_told_of_are_forgotten_after_three_months(db: Database) -> None:
    customer = await make_sms_customer(db, fen=0)
    old, late = now() - NOBODYS_KEPT - dt.timedelta(hours=1), now() - NOBODYS_KEPT + dt.timedelta(hours=1)
    async with db.begin() as session:
        for account in (None, SYSTEM_ACCOUNT, customer.account):
            for at in (old, late):
                session.add(SmsReply(
                    account_id=account, phone="+8613900000000", recipient="1069", gateway=1, content="?", at=at,
                ))  # fmt: skip
    await SmsReceipts(db).forget()
    rows = await db.pool.fetch("SELECT account_id, at FROM sms_reply")
    left = {(row["account_id"], row["at"]) for row in rows}
    assert left == {(None, late), (SYSTEM_ACCOUNT, late), (customer.account, old), (customer.account, late)}
