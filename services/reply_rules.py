"""What replies mean and when to try again, as a process knows it: always what operators said last."""

import asyncio
from collections.abc import Iterable, Mapping

import structlog

from domain.errors import Refusal
from domain.reply_rule_seeds import shipped
from domain.reply_rules import ReplyRules, Rule, check
from domain.retry_curves import SHIPPED, CurveKey, curve_of
from domain.sending import Curve, Outcome
from store import reply_rules as rows
from store.db import DATABASE_TROUBLE, Database
from store.reply_rules import ReplyRule, RetryCurve

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
"""Between two looks, each at one row, at whether anything was changed."""


class LiveReplyRules:
    """One instance per process that hears replies; `run` it as a task beside what uses it.

    Without the database it goes on with what it read last, and before that with the table that ships.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._edition = 0
        self._rules = shipped()
        self._curves: Mapping[CurveKey, Curve] = SHIPPED

    @classmethod
    async def open(cls, db: Database) -> "LiveReplyRules":
        """With what operators said until now, if the database answers."""
        made = cls(db)
        await made.refresh()
        return made

    def classify(self, host: str, code: int, text: str) -> Outcome:
        """A `domain.transport.Classifier`. Never raises."""
        return self._rules.classify(host, code, text)

    def curve(self, kind: str, reason: str) -> Curve:
        """When a message of this `SendKind` that was deferred for this `Reason` is tried again."""
        return curve_of(self._curves, kind, reason)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.refresh()

    async def refresh(self) -> None:
        """Take over what was changed since the last look."""
        try:
            await self._look()
        except DATABASE_TROUBLE as error:
            log.warning("reply_rules_as_before", error=type(error).__name__)

    async def _look(self) -> None:
        async with self._db.pool.acquire() as connection:
            edition = await rows.edition(connection)  # before the rows: a change after it is found by the next look
        if edition == self._edition:
            return
        async with self._db.read() as session:
            table, curves = await rows.every_rule(session), await rows.every_curve(session)
        self._rules = ReplyRules(usable(table)) if table else shipped()
        self._curves = curves_of(curves)
        self._edition = edition
        log.info("reply_rules_read", edition=edition, rows=len(table))


def usable(table: Iterable[ReplyRule]) -> Iterable[Rule]:
    """Rows that count, in order. One that cannot be read (by hand, or another version's) is left out and named."""
    for row in table:
        try:
            if row.enabled:
                yield check(row.rule)
        except (ValueError, Refusal):
            log.warning("reply_rule_left_out", rule_id=str(row.id))


def curves_of(table: Iterable[RetryCurve]) -> dict[CurveKey, Curve]:
    """By what they are for; with the same exception."""
    found: dict[CurveKey, Curve] = {}
    for row in table:
        try:
            found[row.key] = row.curve
        except ValueError:
            log.warning("retry_curve_left_out", curve=f"{row.curve_class}/{row.kind}")
    return found
