"""The interception list as customers and operators see and change it; requests to lift what is not one's own."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, update
from sqlmodel import col, func, select

from domain.accounts import SYSTEM_ACCOUNT
from domain.ids import new_id
from domain.sms_results import ResultCode, SmsScope
from store.accounts import Account
from store.columns import holds
from store.db import Session
from store.sms_interceptions import SmsInterception, SmsUnblockRequest

OPERATORS_CODE = ResultCode.OTHER
"""Of what an operator entered: no carrier said anything."""


@dataclass(frozen=True)
class Sought:
    """What a list is narrowed to; empty: all. `phone` is a part of the number; `blocking` at `at`, or not any more."""

    at: dt.datetime
    phone: str = ""
    scope: str = ""
    code: int | None = None
    blocking: bool | None = None


async def page(
    session: Session, account: UUID, sought: Sought, after: UUID | None, limit: int
) -> list[SmsInterception]:
    """What the account's own messages met, newest first, older than `after`; without what was removed."""
    query = select(SmsInterception).where(*_own(account), *_narrowed(sought))
    if after is not None:
        query = query.where(col(SmsInterception.id) < after)
    return list(await session.exec(query.order_by(col(SmsInterception.id).desc()).limit(limit)))


async def count(session: Session, account: UUID, sought: Sought) -> int:
    """How many there are."""
    query = select(func.count()).select_from(SmsInterception).where(*_own(account), *_narrowed(sought))
    return (await session.exec(query)).one()


async def find(session: Session, account: UUID, interception: UUID) -> SmsInterception | None:
    """One record of the account that was not removed."""
    query = select(SmsInterception).where(*_own(account), SmsInterception.id == interception)
    return (await session.exec(query)).first()


async def of_others(session: Session, account: UUID, phone: str, at: dt.datetime) -> SmsInterception | None:
    """What blocks exactly this number for everybody and is not the account's own; the one that lasts longest."""
    query = select(SmsInterception).where(
        SmsInterception.phone == phone, SmsInterception.account_id != account, *_global(), *_blocking(at)
    )
    return (await session.exec(query.order_by(col(SmsInterception.until).desc()).limit(1))).first()


async def remove(
    session: Session, account: UUID, interceptions: Sequence[UUID], by: str, at: dt.datetime
) -> list[SmsInterception]:
    """Records of the account that block nobody from now on; those that were there."""
    mine = [*_own(account), col(SmsInterception.id).in_(interceptions)]
    return await _remove(session, mine, by, at)


async def lift(session: Session, phone: str, by: str, at: dt.datetime) -> list[SmsInterception]:
    """No global record of this number blocks from now on, whoever met it; those that did."""
    every = [col(SmsInterception.phone) == phone, *_global(), *_blocking(at)]
    return await _remove(session, every, by, at)


async def add_global(session: Session, phone: str, until: dt.datetime, note: str, at: dt.datetime) -> SmsInterception:
    """An operator's own: it blocks everybody until then, whatever stood there before."""
    mine = select(SmsInterception).where(
        SmsInterception.account_id == SYSTEM_ACCOUNT,
        SmsInterception.phone == phone,
        SmsInterception.code == OPERATORS_CODE.value,
    )
    row = (await session.exec(mine.with_for_update())).first()
    if row is None:
        row = SmsInterception(account_id=SYSTEM_ACCOUNT, phone=phone, code=OPERATORS_CODE.value, scope="", times=0)
    elif row.removed_at is not None:
        row.id, row.created_at, row.times = new_id(), at, 0
    row.scope, row.until, row.note = SmsScope.GLOBAL.value, until, note
    row.updated_at, row.removed_at, row.removed_by = at, None, None
    session.add(row)
    await session.flush()
    return row


async def global_page(
    session: Session, phone: str, after: UUID | None, limit: int, at: dt.datetime
) -> list[SmsInterception]:
    """Whatever blocks everybody just now, newest first; `phone` is a whole number, or empty: all."""
    query = select(SmsInterception).where(*_global(), *_blocking(at))
    if phone:
        query = query.where(SmsInterception.phone == phone)
    if after is not None:
        query = query.where(col(SmsInterception.id) < after)
    return list(await session.exec(query.order_by(col(SmsInterception.id).desc()).limit(limit)))


async def requests_of(session: Session, account: UUID, limit: int) -> list[SmsUnblockRequest]:
    """What the account asked for, newest first."""
    query = select(SmsUnblockRequest).where(SmsUnblockRequest.account_id == account)
    return list(await session.exec(query.order_by(col(SmsUnblockRequest.id).desc()).limit(limit)))


async def find_request(session: Session, account: UUID, request: UUID) -> SmsUnblockRequest | None:
    """One request of the account."""
    query = select(SmsUnblockRequest).where(SmsUnblockRequest.account_id == account, SmsUnblockRequest.id == request)
    return (await session.exec(query)).first()


async def open_phones(session: Session, account: UUID) -> set[str]:
    """The numbers that the account waits for an answer about. Locks the account's row, so that a limit holds."""
    await session.exec(select(Account.id).where(Account.id == account).with_for_update(key_share=True))
    query = select(SmsUnblockRequest.phone).where(
        SmsUnblockRequest.account_id == account, col(SmsUnblockRequest.decided_at).is_(None)
    )
    return set(await session.exec(query))


async def open_requests(session: Session, limit: int) -> list[tuple[SmsUnblockRequest, str]]:
    """Requests that wait for support with the account's name, the oldest first."""
    query = (
        select(SmsUnblockRequest, Account.name)
        .join(Account, col(Account.id) == col(SmsUnblockRequest.account_id))
        .where(col(SmsUnblockRequest.decided_at).is_(None))
        .order_by(col(SmsUnblockRequest.id))
        .limit(limit)
    )
    return [(row[0], row[1]) for row in await session.exec(query)]


async def lock_request(session: Session, request: UUID) -> SmsUnblockRequest | None:
    """Of any account, for the one who decides."""
    query = select(SmsUnblockRequest).where(SmsUnblockRequest.id == request)
    return (await session.exec(query.with_for_update())).first()


async def _remove(
    session: Session, which: list[ColumnElement[bool]], by: str, at: dt.datetime
) -> list[SmsInterception]:
    """In the order in which failures are noted (`store.sms_interceptions`), so that nobody waits in a circle."""
    key = col(SmsInterception.account_id), col(SmsInterception.phone), col(SmsInterception.code)
    found = list(await session.exec(select(SmsInterception).where(*which).order_by(*key).with_for_update()))
    await session.exec(
        update(SmsInterception)
        .where(col(SmsInterception.id).in_([row.id for row in found]))
        .values(removed_at=at, removed_by=by)
    )
    return found


def _own(account: UUID) -> list[ColumnElement[bool]]:
    return [col(SmsInterception.account_id) == account, col(SmsInterception.removed_at).is_(None)]


def _global() -> list[ColumnElement[bool]]:
    return [col(SmsInterception.scope) == SmsScope.GLOBAL.value]


def _blocking(at: dt.datetime) -> list[ColumnElement[bool]]:
    return [col(SmsInterception.until) > at, col(SmsInterception.removed_at).is_(None)]


def _narrowed(sought: Sought) -> list[ColumnElement[bool]]:
    rules: list[ColumnElement[bool]] = []
    if sought.phone:
        rules.append(holds(col(SmsInterception.phone), sought.phone))
    if sought.scope:
        rules.append(col(SmsInterception.scope) == sought.scope)
    if sought.code is not None:
        rules.append(col(SmsInterception.code) == sought.code)
    if sought.blocking is not None:
        blocks = func.coalesce(col(SmsInterception.until) > sought.at, False)
        rules.append(blocks == sought.blocking)
    return rules
