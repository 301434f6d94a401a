"""The classifier's table and the retry curves as operators keep them (design §4.5).

`reply_edition` is one row: whoever changes anything raises it first, so that changes come one after the other, and
every process sees by one look that there is something new.
"""

import datetime as dt
from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import ARRAY, Integer
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Field, SQLModel, col, select

from domain.ids import new_id
from domain.reply_rules import Pattern, Rule, Verdict
from domain.retry_curves import CurveClass, CurveKey
from domain.senders import SendKind
from domain.sending import Curve, OutcomeKind, Reason, Scope
from store.columns import moment, now
from store.db import Connection, Session


class ReplyRule(SQLModel, table=True):
    """One row of the table; the first by `position` that is enabled and fits decides."""

    __tablename__ = "reply_rule"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    position: int
    """1, 2, 3, … without gaps."""
    provider: str = ""
    enhanced: str = ""
    code: str = ""
    text: str = ""
    reason: str
    action: str
    scope: str
    note: str = ""
    enabled: bool = True
    seed: str = ""
    """The key of the row that shipped; empty: an operator's own."""
    edited: bool = False
    """An operator changed what shipped; an upgrade leaves it alone."""
    row_version: int = 0
    changed_by: str = ""
    changed_at: dt.datetime = moment(default_factory=now)

    @property
    def rule(self) -> Rule:
        """Raises `ValueError` for a word that this version does not know."""
        pattern = Pattern(self.provider, self.enhanced, self.code, self.text)
        return Rule(str(self.id), pattern, Verdict(Reason(self.reason), OutcomeKind(self.action), Scope(self.scope)))

    def take(self, pattern: Pattern, verdict: Verdict, note: str) -> None:
        """Say this from now on."""
        self.provider, self.enhanced, self.code, self.text = (
            pattern.provider, pattern.enhanced, pattern.code, pattern.text,
        )  # fmt: skip
        self.reason, self.action, self.scope = verdict.reason.value, verdict.kind.value, verdict.scope.value
        self.note = note


class RetryCurve(SQLModel, table=True):
    """Minutes of a curve, see `domain.retry_curves`. `edited`: an upgrade leaves it alone."""

    __tablename__ = "retry_curve"
    curve_class: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    waits: list[int] = Field(sa_type=ARRAY(Integer))
    give_up_after: int
    edited: bool = False
    row_version: int = 0
    changed_by: str = ""
    changed_at: dt.datetime = moment(default_factory=now)

    @property
    def key(self) -> CurveKey:
        """Raises `ValueError` for a word that this version does not know."""
        return CurveKey(CurveClass(self.curve_class), SendKind(self.kind))

    @property
    def curve(self) -> Curve:
        return Curve(tuple(dt.timedelta(minutes=wait) for wait in self.waits), dt.timedelta(minutes=self.give_up_after))


class ReplyEdition(SQLModel, table=True):
    __tablename__ = "reply_edition"
    id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    edition: int


async def edition(connection: Connection) -> int:
    """Of both tables; 0: they were never filled."""
    return await connection.fetchval("SELECT edition FROM reply_edition WHERE id = 1") or 0


async def raise_edition(session: Session) -> None:
    """Before any change, and before what it rests on is read: nobody else changes anything until the end."""
    raised = {"edition": ReplyEdition.edition + 1}
    first = insert(ReplyEdition).values(id=1, edition=1)
    await session.exec(first.on_conflict_do_update(index_elements=["id"], set_=raised))


async def every_rule(session: Session) -> list[ReplyRule]:
    """In order."""
    return list(await session.exec(select(ReplyRule).order_by(col(ReplyRule.position), col(ReplyRule.id))))


async def every_curve(session: Session) -> list[RetryCurve]:
    """In no order."""
    return list(await session.exec(select(RetryCurve)))


async def curve_row(session: Session, key: CurveKey) -> RetryCurve | None:
    return await session.get(RetryCurve, (key.curve_class.value, key.kind.value))


def number(rows: Iterable[ReplyRule]) -> None:
    """This is their order from now on."""
    for position, row in enumerate(rows, start=1):
        row.position = position
