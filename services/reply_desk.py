"""The classifier's table in operators' hands: every change is on record, and takes effect everywhere within seconds."""

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.errors import Refusal
from domain.operators import Duty, Operator
from domain.reply_rules import MAX_RULES, Pattern, ReplyRules, Rule, Verdict, check
from domain.retry_curves import CurveKey, curve_of, tries
from domain.senders import SendKind
from domain.sending import Outcome, OutcomeKind
from services.foundation import Foundation
from services.reply_rules import curves_of, usable
from services.reply_seeding import BY_KEY, put_back
from store import reply_rules as rows
from store.audit_log import note
from store.columns import now
from store.db import Session
from store.reply_rules import ReplyRule

MAX_NOTE = 200
"""Characters."""
MAX_REPLY = 2_000
"""Of a reply that is tried."""


@dataclass(frozen=True)
class Content:
    """What a row says."""

    pattern: Pattern
    verdict: Verdict
    note: str = ""


@dataclass(frozen=True)
class Trial:
    """What would become of a mail after a reply: by which row, and how long after its first try the next ones come."""

    outcome: Outcome
    row: ReplyRule | None
    """None: no row fits."""
    tries: Mapping[SendKind, tuple[dt.timedelta, ...]]


class ReplyDesk:
    """Needs `Duty.LANES`. Whoever changes a row says which state of it they saw (`row_version`)."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def listed(self, operator: Operator) -> list[ReplyRule]:
        """The whole table, in order."""
        operator.require(Duty.LANES)
        async with self._base.db.read() as session:
            return await rows.every_rule(session)

    async def add(self, operator: Operator, content: Content, position: int = 1) -> None:
        """At this place. Raises `Refusal`: what `check` refuses, `reply_rules_full`, `text_too_long`."""
        operator.require(Duty.LANES)
        _checked(content)
        async with self._table() as (session, table):
            if len(table) >= MAX_RULES:
                raise Refusal("reply_rules_full", limit=MAX_RULES)
            row = ReplyRule(position=0, reason="", action="", scope="", changed_by=operator.actor)
            row.take(content.pattern, content.verdict, content.note)
            session.add(row)
            table.insert(_within(position, len(table) + 1) - 1, row)
            await note(session, operator.actor, "reply_rule.added", f"reply-rule/{row.id}", after=_said(row))

    async def edit(self, operator: Operator, rule_id: UUID, content: Content, row_version: int) -> None:
        """Raises `Refusal`: `not_found`, `reply_rule_changed_meanwhile`, and as `add`."""
        operator.require(Duty.LANES)
        _checked(content)
        async with self._row(operator, rule_id, row_version) as (session, row, _):
            before = _said(row)
            row.take(content.pattern, content.verdict, content.note)
            row.edited = bool(row.seed)
            await note(session, operator.actor, "reply_rule.edited", _subject(row), before=before, after=_said(row))

    async def move(self, operator: Operator, rule_id: UUID, position: int, row_version: int) -> None:
        """To this place, 1 for the first; the others make room."""
        operator.require(Duty.LANES)
        async with self._row(operator, rule_id, row_version) as (session, row, table):
            before = table.index(row) + 1
            table.remove(row)
            table.insert(_within(position, len(table) + 1) - 1, row)
            after = table.index(row) + 1
            await note(session, operator.actor, "reply_rule.moved", _subject(row), before=before, after=after)

    async def enable(self, operator: Operator, rule_id: UUID, row_version: int, *, enabled: bool) -> None:
        """Whether it is looked at."""
        operator.require(Duty.LANES)
        async with self._row(operator, rule_id, row_version) as (session, row, _):
            row.enabled, row.edited = enabled, bool(row.seed)
            done = "reply_rule.enabled" if enabled else "reply_rule.disabled"
            await note(session, operator.actor, done, _subject(row))

    async def delete(self, operator: Operator, rule_id: UUID, row_version: int) -> None:
        """One of their own. Raises `reply_rule_ships` for one that ships: it would come back with the next upgrade."""
        operator.require(Duty.LANES)
        async with self._row(operator, rule_id, row_version) as (session, row, table):
            if row.seed:
                raise Refusal("reply_rule_ships")
            table.remove(row)
            await session.delete(row)
            await note(session, operator.actor, "reply_rule.deleted", _subject(row), before=_said(row))

    async def restore(self, operator: Operator, rule_id: UUID, row_version: int) -> None:
        """What it says as it ships, where it stands. Raises `reply_rule_own` for one that does not ship."""
        operator.require(Duty.LANES)
        async with self._row(operator, rule_id, row_version) as (session, row, _):
            if row.seed not in BY_KEY:
                raise Refusal("reply_rule_own")
            before = _said(row)
            put_back(row, BY_KEY[row.seed])
            await note(session, operator.actor, "reply_rule.restored", _subject(row), before=before, after=_said(row))

    async def restore_all(self, operator: Operator) -> None:
        """Every row that ships, as and where it ships; operators' own rows stay in front of what they stand before."""
        operator.require(Duty.LANES)
        async with self._table() as (session, table):
            changed = 0
            for row in table:
                if row.seed in BY_KEY and row.edited:
                    put_back(row, BY_KEY[row.seed])
                    row.row_version += 1
                    row.changed_by, row.changed_at = operator.actor, now()
                    changed += 1
            table[:] = _as_shipped(table)
            await note(session, operator.actor, "reply_rule.all_restored", "reply-rule/all", rows=changed)

    async def attempt(self, operator: Operator, host: str, code: int, text: str) -> Trial:
        """What the table, as it is now, says of a reply; nothing changes. Raises `reply_code_malformed`."""
        operator.require(Duty.LANES)
        if code != 0 and not 400 <= code <= 599:
            raise Refusal("reply_code_malformed", field="reply_code")
        async with self._base.db.read() as session:
            table, curves = await rows.every_rule(session), curves_of(await rows.every_curve(session))
        decided = ReplyRules(usable(table)).decide(host, code, text[:MAX_REPLY])
        row = next((row for row in table if decided.rule and str(row.id) == decided.rule.name), None)
        return Trial(decided.outcome, row, _tries(decided.outcome, curves))

    @asynccontextmanager
    async def _table(self) -> AsyncIterator[tuple[Session, list[ReplyRule]]]:
        """All rows, while nobody else changes any; the list is their order afterwards."""
        async with self._base.db.begin() as session:
            await rows.raise_edition(session)
            table = await rows.every_rule(session)
            yield session, table
            rows.number(table)

    @asynccontextmanager
    async def _row(
        self, operator: Operator, rule_id: UUID, row_version: int
    ) -> AsyncIterator[tuple[Session, ReplyRule, list[ReplyRule]]]:
        """One of them, as it was seen."""
        async with self._table() as (session, table):
            row = next((row for row in table if row.id == rule_id), None)
            if row is None:
                raise Refusal("not_found", what="reply_rule")
            if row.row_version != row_version:
                raise Refusal("reply_rule_changed_meanwhile")
            row.row_version += 1
            row.changed_by, row.changed_at = operator.actor, now()
            yield session, row, table


def _checked(content: Content) -> None:
    check(Rule("", content.pattern, content.verdict))
    if len(content.note) > MAX_NOTE:
        raise Refusal("text_too_long", field="note", limit=MAX_NOTE)


def _within(position: int, last: int) -> int:
    return max(1, min(position, last))


def _subject(row: ReplyRule) -> str:
    return f"reply-rule/{row.id}"


def _said(row: ReplyRule) -> dict[str, Any]:
    return row.model_dump(include={
        "provider", "enhanced", "code", "text", "reason", "action", "scope", "note", "enabled", "seed",
    })  # fmt: skip


def _as_shipped(table: list[ReplyRule]) -> list[ReplyRule]:
    """In the order of the seeds, each behind the rows that stand directly before it."""
    parts: dict[str, list[ReplyRule]] = {}
    own: list[ReplyRule] = []
    for row in table:
        own.append(row)
        if row.seed in BY_KEY:
            parts[row.seed], own = own, []
    return [row for key in BY_KEY for row in parts.get(key, [])] + own


def _tries(outcome: Outcome, curves: Mapping[CurveKey, Any]) -> dict[SendKind, tuple[dt.timedelta, ...]]:
    if outcome.kind is not OutcomeKind.DEFERRED:
        return {}
    return {kind: tuple(tries(curve_of(curves, kind, outcome.reason), kind)) for kind in SendKind}
