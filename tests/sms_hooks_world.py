"""SMS that were sent, failed or wait, by plain rows; what handsets answer."""

import datetime as dt

from domain.accounts import SYSTEM_ACCOUNT, AccountState
from domain.ids import new_id
from domain.sending import MessageState
from domain.sms import SmsKind
from domain.sms_transport import Reply
from store.accounts import Account
from store.columns import now
from store.db import Database
from tests.sms_world import SmsCustomer

GATEWAY = 7
SOURCE = "1069012345"


async def texted(
    db: Database,
    customer: SmsCustomer,
    phone: str,
    *,
    kind: SmsKind = SmsKind.MARKETING,
    state: MessageState = MessageState.SENT,
    gateway: int = GATEWAY,
    ago: dt.timedelta = dt.timedelta(minutes=1),
    reason: str = "",
    label: str = "",
    tag: str = "",
) -> int:
    """One message of the customer to this number (E.164), as it stands `ago` after its try; its id."""
    submission, at = new_id(), now() - ago
    ended = state not in (MessageState.QUEUED, MessageState.SENT)
    await db.pool.execute(
        "INSERT INTO submission (id, account_id, channel, api_user_id, template_version_id, kind, is_test, sender,"
        " sender_name, reply_to, label, accepted_at, expires_at, recipients, duplicates, rejected, is_campaign,"
        " country, tag) VALUES ($1, $2, 'sms', $3, $4, $5, false, '', '', '', $6, $7, $8, 1, 0, '[]', false, 'CN', $9)",
        submission, customer.account, customer.sms_user, customer.versions[kind], kind.value, label, at,
        at + dt.timedelta(hours=72), tag,
    )  # fmt: skip
    message: int = await db.pool.fetchval(
        "INSERT INTO message (submission_id, account_id, ordinal, address, variables, state, attempts, round,"
        " attempted_at, finished_at, reason, code, enhanced, reply, host, possible_duplicate, egress,"
        " segments, submitted) VALUES ($1, $2, 0, $3, '{}', $4, $5, 0, $6, $7, $8, 0, '', '', '', false, $9, 2, $10)"
        " RETURNING id",
        submission, customer.account, phone, state.value, int(state is not MessageState.QUEUED),
        None if state is MessageState.QUEUED else at, at if ended else None, reason, gateway,
        0 if state is MessageState.QUEUED else 2,
    )  # fmt: skip
    return message


async def platform(db: Database) -> None:
    """The account that operators' records are of."""
    async with db.begin() as session:
        session.add(Account(id=SYSTEM_ACCOUNT, name="Songda", state=AccountState.ACTIVE.value))


def answer(phone: str, content: str, *, gateway: int = GATEWAY, at: dt.datetime | None = None) -> Reply:
    """What a handset sends."""
    return Reply(gateway, phone, SOURCE, content, at or now())
