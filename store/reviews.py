"""Reviews of every kind, as reports count them."""

import datetime as dt
from typing import Any

from sqlmodel import col, select

from domain.ids import Kind
from domain.review_report import Reviewed
from domain.reviews import ReviewState
from store.certification import Certification
from store.db import Session
from store.templates import TemplateVersion

TABLES: dict[Kind, type[TemplateVersion] | type[Certification]] = {
    Kind.TEMPLATE_REVIEW: TemplateVersion,
    Kind.CERTIFICATION_REVIEW: Certification,
}

DECIDED = (ReviewState.APPROVED.value, ReviewState.REJECTED.value)


async def decided(session: Session, kind: Kind, since: dt.datetime, until: dt.datetime) -> list[Reviewed]:
    """What people decided from `since` up to `until`.

    Left out: what was approved without review (samples), and approvals that were revoked, whose row says when that was.
    """
    table = TABLES[kind]
    spanned = (col(table.decided_at) >= since, col(table.decided_at) < until)
    return await _read(session, kind, *spanned, col(table.state).in_(DECIDED))


async def waiting(session: Session, kind: Kind) -> list[Reviewed]:
    """What waits for its decision."""
    return await _read(session, kind, col(TABLES[kind].state) == ReviewState.SUBMITTED.value)


async def _read(session: Session, kind: Kind, *conditions: Any) -> list[Reviewed]:
    table = TABLES[kind]
    query = select(table.submitted_at, table.due_at, table.decided_at).where(*conditions)
    found = await session.exec(query.where(col(table.submitted_at).is_not(None)))
    return [Reviewed(submitted, due, decided) for submitted, due, decided in found if submitted]
