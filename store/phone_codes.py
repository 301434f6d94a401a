"""Mobile numbers that wait for their code, and the proofs of work that were spent on asking for one."""

import datetime as dt
from uuid import UUID

from sqlalchemy import Index, SmallInteger, delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Field, SQLModel, col, select

from domain.accounts import AccountState
from domain.errors import Refusal
from domain.phone_codes import ACCOUNTS_PER_PHONE, CODE_VALID, RESEND_AFTER, TRIES, PhoneStage, PhoneStep
from store.accounts import Account, Member
from store.columns import moment
from store.db import Connection, Session, affected
from store.ledger import Price
from store.sms_gateways import SmsGateway

PHONE_LOCK = 25


class PhoneCode(SQLModel, table=True):
    """The number that a member wants to have confirmed, and the code that was sent to it last. One row a member."""

    __tablename__ = "phone_code"
    member_id: UUID = Field(foreign_key="member.id", primary_key=True)
    account_id: UUID = Field(foreign_key="account.id", index=True)
    phone: str
    """E.164; emptied when the registration expires."""
    send_id: UUID | None = None
    """Of the code that was sent last: what its digest is bound to, and the key under which its SMS was accepted."""
    digest: bytes | None = None
    """HMAC of the code; None: there is none that could be typed."""
    tries: int = Field(default=0, sa_type=SmallInteger)
    """Wrong ones."""
    codes_sent: int = 0
    sent_at: dt.datetime | None = moment(default=None)
    expires_at: dt.datetime | None = moment(default=None)


class SpentProof(SQLModel, table=True):
    """A proof of work that was accepted: no other SMS is sent for it. Deleted once it would be refused as too old."""

    __tablename__ = "spent_proof"
    __table_args__ = (Index("spent_proof_expires", "expires_at"),)
    nonce: str = Field(primary_key=True)
    expires_at: dt.datetime = moment()


async def of_member(session: Session, member_id: UUID, *, lock: bool = False) -> PhoneCode | None:
    """The member's row. Who locks it has locked the member before, so that two cannot make it at once."""
    return await session.get(PhoneCode, member_id, with_for_update=lock, populate_existing=lock)


def step(member: Member, row: PhoneCode | None) -> PhoneStep:
    """What the rows say."""
    confirmed = member.phone or ""
    if row is None or not row.phone:
        return PhoneStep(PhoneStage.CONFIRMED if confirmed else PhoneStage.NONE, confirmed, confirmed=confirmed)
    return PhoneStep(
        stage=_stage(member, row),
        phone=row.phone,
        codes_sent=row.codes_sent,
        tries_left=TRIES - row.tries if row.digest else 0,
        resend_at=row.sent_at + RESEND_AFTER if row.sent_at else None,
        expires_at=row.expires_at if row.digest else None,
        confirmed=confirmed,
    )


def _stage(member: Member, row: PhoneCode) -> PhoneStage:
    if member.phone == row.phone:
        return PhoneStage.CONFIRMED
    return PhoneStage.SENT if row.codes_sent else PhoneStage.GIVEN


def want(member: Member, phone: str) -> PhoneCode:
    """A number that was written into the form; no code yet."""
    return PhoneCode(member_id=member.id, account_id=member.account_id, phone=phone)


def note_sent(row: PhoneCode, phone: str, send_id: UUID, digest: bytes, at: dt.datetime) -> None:
    """A new code, which is the only one that counts."""
    row.phone, row.send_id, row.digest, row.tries = phone, send_id, digest, 0
    row.codes_sent += 1
    row.sent_at, row.expires_at = at, at + CODE_VALID


async def confirm(session: Session, member: Member, row: PhoneCode, at: dt.datetime) -> bool:
    """Put the number on the (locked) member. False: enough other accounts have it."""
    await session.exec(select(func.pg_advisory_xact_lock(func.hashtextextended(row.phone, PHONE_LOCK))))
    if await _other_accounts(session, row.phone, member.account_id) >= ACCOUNTS_PER_PHONE:
        return False
    member.phone, member.phone_confirmed_at = row.phone, at
    row.digest, row.expires_at, row.tries = None, None, 0
    return True


async def vouch(session: Session, member: Member, at: dt.datetime) -> None:
    """An operator stands for the number that a (locked) member gave, instead of its code.

    Raises `phone_missing` or `phone_taken`; when it is confirmed already, nothing changes.
    """
    row = await of_member(session, member.id, lock=True)
    if row is None or not row.phone:
        raise Refusal("phone_missing", field="phone")
    if member.phone != row.phone and not await confirm(session, member, row, at):
        raise Refusal("phone_taken", field="phone", limit=ACCOUNTS_PER_PHONE)


async def _other_accounts(session: Session, phone: str, account: UUID) -> int:
    query = (
        select(func.count(col(Member.account_id).distinct()))
        .join(Account, col(Account.id) == col(Member.account_id))
        .where(col(Member.phone) == phone, col(Member.removed_at).is_(None), col(Member.account_id) != account)
        .where(col(Account.state).in_([AccountState.PENDING.value, AccountState.ACTIVE.value]))
    )
    return (await session.exec(query)).one()


async def forget(session: Session, member: Member) -> None:
    """The number goes: the registration expired, or its owner took it off."""
    member.phone, member.phone_confirmed_at = None, None
    row = await of_member(session, member.id, lock=True)
    if row is not None:
        row.phone, row.send_id, row.digest, row.expires_at = "", None, None, None


_FORGET = """
WITH old AS MATERIALIZED (
    SELECT p.member_id FROM phone_code p JOIN member m ON m.id = p.member_id
    WHERE p.phone <> '' AND p.phone IS DISTINCT FROM m.phone AND coalesce(p.sent_at, m.created_at) < $1
    LIMIT $2 FOR UPDATE OF p SKIP LOCKED
)
UPDATE phone_code p SET phone = '', send_id = NULL, digest = NULL, expires_at = NULL
FROM old WHERE p.member_id = old.member_id
"""


async def forget_unproved(connection: Connection, before: dt.datetime, limit: int) -> int:
    """Forget some numbers that have waited for their code since before then; how many."""
    done = await connection.execute(_FORGET, before, limit)
    return affected(done)


async def waiting(session: Session, account: UUID) -> list[tuple[Member, PhoneCode]]:
    """The members of an account whose number waits for its code."""
    query = (
        select(Member, PhoneCode)
        .join(PhoneCode, col(PhoneCode.member_id) == col(Member.id))
        .where(col(Member.account_id) == account, col(Member.removed_at).is_(None))
        .where(col(PhoneCode.phone) != "", col(Member.phone).is_distinct_from(col(PhoneCode.phone)))
        .order_by(col(Member.id))
    )
    return list(await session.exec(query))


async def has_carrier(session: Session) -> bool:
    """Whether anything could take an SMS."""
    query = select(SmsGateway.id).where(col(SmsGateway.state) == "enabled").limit(1)
    return (await session.exec(query)).first() is not None


async def is_sold(session: Session, item: str, at: dt.datetime) -> bool:
    """Whether this has a price for everybody: where customers cannot send, the platform does not either."""
    general = col(Price.account_id).is_(None), col(Price.item) == item, col(Price.effective_from) <= at
    return (await session.exec(select(Price.id).where(*general).limit(1))).first() is not None


async def spend_proof(session: Session, nonce: str, expires_at: dt.datetime) -> bool:
    """Whether it was not spent before."""
    made = insert(SpentProof).values(nonce=nonce, expires_at=expires_at).on_conflict_do_nothing()
    return int((await session.exec(made)).rowcount) == 1


async def sweep_proofs(session: Session, before: dt.datetime) -> None:
    """Delete those that expired before this moment."""
    await session.exec(delete(SpentProof).where(col(SpentProof.expires_at) < before))
