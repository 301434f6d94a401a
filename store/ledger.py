"""The books: double entry, append-only, in fen; prices in micro-yuan; money held for what is being sent.

Conventions: an entry's amount is positive when the account's worth to its holder grows. A recharge takes from
`clearing:alipay` and gives to the customer's `prepaid`; a charge takes from `prepaid` and gives to `revenue`.
"""

import datetime as dt
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from domain.ids import new_id
from domain.ledger import PREPAID, NewJournal
from store.columns import moment, now
from store.db import Connection


class LedgerAccount(SQLModel, table=True):
    """`account_id` is None for the platform's own. Only a customer's `prepaid` has running figures in its row.

    Available, in micro-yuan: `balance_fen * 10_000 - carry_micro - held_micro`, never below zero.
    """

    __tablename__ = "ledger_account"
    __table_args__ = (
        Index("ledger_account_name", "account_id", "name", unique=True, postgresql_nulls_not_distinct=True),
        CheckConstraint("carry_micro >= 0 AND carry_micro < 10000", name="carry"),
        CheckConstraint("held_micro >= 0", name="held"),
        CheckConstraint("balance_fen * 10000 - carry_micro - held_micro >= 0 OR account_id IS NULL", name="available"),
    )
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    account_id: UUID | None = Field(default=None, foreign_key="account.id")
    name: str
    """`prepaid`, `revenue`, `clearing:alipay`, `refunds`."""
    balance_fen: int = Field(default=0, sa_type=BigInteger)
    carry_micro: int = Field(default=0, sa_type=BigInteger)
    """Charged, but less than a fen: posted with the next charges."""
    held_micro: int = Field(default=0, sa_type=BigInteger)


class Journal(SQLModel, table=True):
    """One event in the books; its entries sum to zero. `(kind, reference, round)` is posted once."""

    __tablename__ = "journal"
    __table_args__ = (
        UniqueConstraint("kind", "reference", "round"),
        Index("journal_account", "account_id", "id"),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    kind: str
    reference: UUID
    """The payment, or the submission."""
    round: int = 0
    account_id: UUID | None = Field(default=None, foreign_key="account.id")
    """Whose statement shows it."""
    at: dt.datetime = moment(default_factory=now)
    memo: str = ""
    """For the statement: `20 × ¥0.0045`. No personal data."""


class Entry(SQLModel, table=True):
    __tablename__ = "entry"
    __table_args__ = (Index("entry_journal", "journal_id"), Index("entry_ledger_account", "ledger_account_id", "id"))
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    journal_id: UUID = Field(foreign_key="journal.id")
    ledger_account_id: int = Field(sa_type=BigInteger, foreign_key="ledger_account.id")
    amount_fen: int = Field(sa_type=BigInteger)
    balance_after_fen: int | None = Field(default=None, sa_type=BigInteger)
    """Of a customer's `prepaid`; for the statement."""


class Price(SQLModel, table=True):
    """Append-only: a new price begins at a time, for everybody or for one account (whose own beats the general)."""

    __tablename__ = "price"
    __table_args__ = (Index("price_effective", "item", "effective_from"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    item: str
    """`email`."""
    account_id: UUID | None = Field(default=None, foreign_key="account.id")
    unit_micro: int = Field(sa_type=BigInteger)
    effective_from: dt.datetime = moment()
    set_by: str
    set_at: dt.datetime = moment(default_factory=now)


class Hold(SQLModel, table=True):
    """Money reserved for the messages of one submission that the free quota does not cover.

    Messages from ordinal `free` on are charged when handed over. Open until every one of them is settled.
    """

    __tablename__ = "hold"
    __table_args__ = (
        Index("hold_open", "account_id", postgresql_where=text("closed_at IS NULL")),
        CheckConstraint("sent >= 0 AND unsent >= 0 AND sent + unsent <= messages", name="settled"),
    )
    submission_id: UUID = Field(foreign_key="submission.id", primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    unit_micro: int = Field(sa_type=BigInteger)
    free: int
    messages: int
    """Units: a mail is one, an SMS as many as its segments; so are `sent` and `unsent`."""
    sent: int = 0
    unsent: int = 0
    round: int = 0
    """Settlements so far."""
    opened_at: dt.datetime = moment(default_factory=now)
    closed_at: dt.datetime | None = moment(default=None)


class Tally(SQLModel, table=True):
    """Chargeable messages that a group commit settled: written without locks, taken by the settlement."""

    __tablename__ = "tally"
    __table_args__ = (Index("tally_account", "account_id", "id"),)
    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    account_id: UUID
    submission_id: UUID
    sent: int
    unsent: int


_POST = """
INSERT INTO journal (id, kind, reference, round, account_id, at, memo) VALUES ($1, $2, $3, $4, $5, now(), $6)
ON CONFLICT (kind, reference, round) DO NOTHING RETURNING id
"""
# What is added comes first, so that the entries of one customer have the order of their balances.
_ADD = """
INSERT INTO ledger_account (account_id, name, balance_fen, carry_micro, held_micro) VALUES ($1, $2, $3, 0, 0)
ON CONFLICT (account_id, name) DO UPDATE SET balance_fen = ledger_account.balance_fen + excluded.balance_fen
RETURNING id, balance_fen
"""
_OPEN = """
INSERT INTO ledger_account (account_id, name, balance_fen, carry_micro, held_micro) VALUES ($1, $2, 0, 0, 0)
ON CONFLICT (account_id, name) DO NOTHING RETURNING id
"""
_FIND = "SELECT id FROM ledger_account WHERE account_id IS NOT DISTINCT FROM $1 AND name = $2"


async def post(connection: Connection, journal: NewJournal) -> bool:
    """Write a journal and its entries in the caller's transaction; False, and nothing written, if posted before.

    A customer's `prepaid` row is changed and stays locked until the transaction ends. Raises
    `asyncpg.CheckViolationError` when more would be taken than is available.
    """
    names = (journal.kind, journal.reference, journal.round, journal.account_id, journal.memo)
    posted = await connection.fetchval(_POST, new_id(), *names)
    if posted is None:
        return False
    for name, account, amount in journal.lines:
        found, balance_after = await _book(connection, name, account, amount)
        await connection.execute(
            "INSERT INTO entry (journal_id, ledger_account_id, amount_fen, balance_after_fen) VALUES ($1, $2, $3, $4)",
            *(posted, found, amount, balance_after),
        )
    return True


async def _book(connection: Connection, name: str, account: UUID | None, amount: int) -> tuple[int, int | None]:
    """The ledger account's id, and its balance afterwards where one is kept."""
    if account is not None and name == PREPAID:
        row = await connection.fetchrow(_ADD, account, name, amount)
        return row["id"], row["balance_fen"]
    return await ledger_account(connection, name, account), None


async def ledger_account(connection: Connection, name: str, account: UUID | None = None) -> int:
    """The id of a ledger account, opened when it is the first of its name."""
    found = await connection.fetchval(_FIND, account, name)
    if found is None:  # perhaps another transaction opens it at the same time
        found = await connection.fetchval(_OPEN, account, name) or await connection.fetchval(_FIND, account, name)
    return int(found)
