"""Signatures of SMS on the reviewers' desk. The subject of their processes is the submission, not the signature."""

from uuid import UUID

from activities.reviews import Letter
from domain.ids import Process
from domain.notices import Notice
from domain.reviews import DecisionResult, ReviewCase, ReviewState, ReviewVerdict, ruling
from domain.working_time import Due
from store import sms_signatures as rows
from store.db import Session

_NOTICES = {
    ReviewState.APPROVED: Notice.SMS_SIGNATURE_APPROVED,
    ReviewState.REJECTED: Notice.SMS_SIGNATURE_REJECTED,
}


class SmsSignatureDesk:
    """See `activities.reviews.Desk`."""

    async def case(self, session: Session, process: Process) -> ReviewCase | None:
        """None when it was submitted again since: that is another process's matter."""
        row = await rows.under_review(session, UUID(process.subject))
        if row is None:
            return None
        return ReviewCase(
            state=ReviewState(row.state),
            version=row.row_version,
            title=f"SMS signature, {row.market}, of a {row.source.replace('_', '-')}",
            facts=(f"proof: {'uploaded' if row.paper_id else 'none'}", f"note: {'yes' if row.note else 'none'}"),
            submitted_at=row.submitted_at,
            due_at=row.due_at,
            due_provisional=row.due_provisional,
        )

    async def promise(self, session: Session, process: Process, due: Due) -> None:
        await rows.set_due(session, UUID(process.subject), due)

    async def decide(self, session: Session, verdict: ReviewVerdict) -> DecisionResult:
        return await rows.decide(session, UUID(verdict.process.subject), ruling(verdict.decision), verdict.now)

    async def letter(self, session: Session, process: Process) -> Letter | None:
        row = await rows.under_review(session, UUID(process.subject))
        notice = _NOTICES.get(ReviewState(row.state)) if row else None
        if row is None or notice is None:
            return None
        variables = {"signature": f"【{row.text}】", "reason": row.reason or ""}
        return Letter(notice, variables, f"/portal/sms-signatures/{row.number}")
