"""What the console shows of one customer."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import col, func, select

from store.accounts import Account, Member
from store.clockwork import Clockwork
from store.db import Session
from store.ledger import LedgerAccount
from store.onboarding import Onboarding


@dataclass(frozen=True)
class CustomerRow:
    """One account, its people, its balance, where it stands."""

    account: Account
    members: list[tuple[str, str, dt.datetime | None]]
    """(address, role, confirmed at)."""
    stage: str
    balance_fen: int
    processes: int
    """Open ones."""


async def customer(session: Session, account_id: UUID) -> CustomerRow | None:
    """None for an unknown account."""
    account = await session.get(Account, account_id)
    if account is None:
        return None
    people = (
        select(Member.email, Member.role, Member.email_confirmed_at)
        .where(col(Member.account_id) == account_id, col(Member.removed_at).is_(None))
        .order_by(col(Member.id))
    )
    stage = select(Onboarding.stage).where(col(Onboarding.account_id) == account_id)
    balance = select(LedgerAccount.balance_fen).where(
        col(LedgerAccount.account_id) == account_id, col(LedgerAccount.name) == "prepaid"
    )
    running = select(func.count()).where(col(Clockwork.account_id) == account_id, col(Clockwork.closed_at).is_(None))
    return CustomerRow(
        account,
        list(await session.exec(people)),
        (await session.exec(stage)).one_or_none() or "",
        (await session.exec(balance)).one_or_none() or 0,
        (await session.exec(running)).one(),
    )
