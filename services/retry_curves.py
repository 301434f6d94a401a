"""Retry curves in operators' hands: every change is on record, and takes effect everywhere within seconds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from domain.errors import Refusal
from domain.operators import Duty, Operator
from domain.retry_curves import SHIPPED, CurveKey, minutes
from domain.sending import Curve
from services.foundation import Foundation
from services.reply_seeding import curve_as_shipped, put_curve_back
from store import reply_rules as rows
from store.audit_log import note
from store.columns import now
from store.db import Session
from store.reply_rules import RetryCurve


class CurveDesk:
    """Needs `Duty.LANES`. A curve counts for what is deferred from then on; what waits keeps its time."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def listed(self, operator: Operator) -> dict[CurveKey, RetryCurve]:
        """Every curve, in the order in which they ship."""
        operator.require(Duty.LANES)
        async with self._base.db.read() as session:
            known = {(row.curve_class, row.kind): row for row in await rows.every_curve(session)}
        return {
            key: known.get((key.curve_class.value, key.kind.value)) or curve_as_shipped(key, curve)
            for key, curve in SHIPPED.items()
        }

    async def set_curve(self, operator: Operator, key: CurveKey, curve: Curve, row_version: int) -> None:
        """Raises `Refusal`: `retry_curve_changed_meanwhile`."""
        operator.require(Duty.LANES)
        async with self._row(operator, key, row_version) as (session, row):
            before = _said(row)
            row.waits, row.give_up_after = minutes(curve)
            row.edited = True
            await note(session, operator.actor, "retry_curve.set", _subject(row), before=before, after=_said(row))

    async def restore(self, operator: Operator, key: CurveKey, row_version: int) -> None:
        """As it ships. Raises as `set_curve`."""
        operator.require(Duty.LANES)
        async with self._row(operator, key, row_version) as (session, row):
            before = _said(row)
            put_curve_back(row, SHIPPED[key])
            await note(session, operator.actor, "retry_curve.restored", _subject(row), before=before, after=_said(row))

    @asynccontextmanager
    async def _row(self, operator: Operator, key: CurveKey, row_version: int) -> AsyncIterator[tuple[Session, Any]]:
        async with self._base.db.begin() as session:
            await rows.raise_edition(session)
            row = await rows.curve_row(session, key)
            if row is None:
                row = curve_as_shipped(key, SHIPPED[key])
                session.add(row)
            if row.row_version != row_version:
                raise Refusal("retry_curve_changed_meanwhile")
            row.row_version += 1
            row.changed_by, row.changed_at = operator.actor, now()
            yield session, row


def _subject(row: RetryCurve) -> str:
    return f"retry-curve/{row.curve_class}/{row.kind}"


def _said(row: RetryCurve) -> dict[str, Any]:
    return {"waits": list(row.waits), "give_up_after": row.give_up_after}
