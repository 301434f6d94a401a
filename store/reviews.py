"""Reviews of every queue, as reports count them."""

import datetime as dt
from typing import Any

from sqlmodel import col, select

from domain.certification import CertificationState
from domain.review_queues import Queue
from domain.review_report import Reviewed
from domain.reviews import ReviewState
from store.certification import Certification
from store.db import Session
from store.sms_signatures import SmsSignature
from store.sms_templates import SmsTemplateVersion
from store.templates import TemplateVersion

TABLES: dict[Queue, type[TemplateVersion] | type[Certification] | type[SmsTemplateVersion] | type[SmsSignature]] = {
    Queue.TEMPLATES: TemplateVersion,
    Queue.CERTIFICATIONS: Certification,
    Queue.EXCEPTIONS: Certification,
    Queue.SMS_TEMPLATES: SmsTemplateVersion,
    Queue.SMS_SIGNATURES: SmsSignature,
}

DECIDED = (ReviewState.APPROVED.value, ReviewState.REJECTED.value, CertificationState.REVOKED.value)
"""An approval that was taken back later was decided once, in time or not."""


async def decided(session: Session, queue: Queue, since: dt.datetime, until: dt.datetime) -> list[Reviewed]:
    """What people decided from `since` up to `until`; not what was approved without review (samples)."""
    table = TABLES[queue]
    spanned = (col(table.decided_at) >= since, col(table.decided_at) < until)
    return await _read(session, queue, *spanned, col(table.state).in_(DECIDED))


async def waiting(session: Session, queue: Queue) -> list[Reviewed]:
    """What waits for its decision."""
    return await _read(session, queue, col(TABLES[queue].state) == ReviewState.SUBMITTED.value)


async def _read(session: Session, queue: Queue, *conditions: Any) -> list[Reviewed]:
    table = TABLES[queue]
    query = select(table.submitted_at, table.due_at, table.decided_at).where(*conditions, *_of_queue(queue))
    found = await session.exec(query.where(col(table.submitted_at).is_not(None)))
    return [Reviewed(submitted, due, decided) for submitted, due, decided in found if submitted]


def _of_queue(queue: Queue) -> tuple[Any, ...]:
    """Certifications wait in two queues, as different people decide on them."""
    if TABLES[queue] is not Certification:
        return ()
    return (col(Certification.exception) == (queue is Queue.EXCEPTIONS),)
