"""Certifications on the reviewers' desk. Nothing of a person's details leaves the rows here: counts and kinds only."""

from uuid import UUID

from activities.reviews import Letter
from domain.certification import CertificationKind, CertificationState, objections_in_words
from domain.ids import Process
from domain.notices import Notice
from domain.reviews import DecisionResult, ReviewCase, ReviewVerdict, ruling
from domain.working_time import Due
from store import certification as rows
from store import onboarding
from store.certification import Certification
from store.db import Session

_NOTICES = {
    CertificationState.APPROVED: Notice.CERTIFICATION_APPROVED,
    CertificationState.REJECTED: Notice.CERTIFICATION_REJECTED,
}
_KINDS = {
    (CertificationKind.INDIVIDUAL, "zh"): "个人认证",
    (CertificationKind.ENTERPRISE, "zh"): "企业认证",
    (CertificationKind.INDIVIDUAL, "en"): "individual",
    (CertificationKind.ENTERPRISE, "en"): "enterprise",
}
ONLY_CONSOLE = "**without a website: an operator who is signed in at the console has to decide (support)**"


class CertificationDesk:
    """See `activities.reviews.Desk`."""

    async def case(self, session: Session, process: Process) -> ReviewCase | None:
        row = await session.get(Certification, UUID(process.subject))
        if row is None:
            return None
        return ReviewCase(
            state=rows.REVIEW_STATES[CertificationState(row.state)],
            version=row.row_version,
            title=f"{row.kind.capitalize()} certification, application {row.number}",
            facts=await _facts(session, row),
            submitted_at=row.submitted_at,
            due_at=row.due_at,
            due_provisional=row.due_provisional,
        )

    async def promise(self, session: Session, process: Process, due: Due) -> None:
        await rows.set_due(session, UUID(process.subject), due)

    async def decide(self, session: Session, verdict: ReviewVerdict) -> DecisionResult:
        return await rows.decide(session, UUID(verdict.process.subject), ruling(verdict.decision), verdict.now)

    async def letter(self, session: Session, process: Process) -> Letter | None:
        """None for what was withdrawn or revoked: the service that revokes tells of it."""
        row = await session.get(Certification, UUID(process.subject))
        reader = await onboarding.addressee(session, UUID(process.account))
        notice = _NOTICES.get(CertificationState(row.state)) if row else None
        if row is None or reader is None or notice is None:
            return None
        kind, language = CertificationKind(row.kind), reader[2]
        told = (row.reason, objections_in_words(kind, row.part_reasons, language))
        variables = {"kind": _KINDS[kind, language], "reason": "\n".join(words for words in told if words)}
        return Letter(notice, variables, f"/portal/certification/{row.id}")


async def _facts(session: Session, row: Certification) -> tuple[str, ...]:
    """What helps to find one's way; details and papers are on the case's page, where every view is written down."""
    papers = await rows.documents(session, row.id)
    earlier = [each for each in await rows.page(session, row.account_id, row.id, 100) if each.submitted_at is not None]
    states = [each.state for each in earlier]
    counts = f"{states.count('approved')} approved, {states.count('rejected')} rejected"
    return (
        f"papers: {len(papers)}",
        f"earlier applications: {len(earlier)} ({counts})",
        *((f"corrects application {await _number(session, row.corrects)}",) if row.corrects else ()),
        *((ONLY_CONSOLE,) if row.exception else ()),
    )


async def _number(session: Session, certification: UUID) -> int:
    row = await session.get(Certification, certification)
    return row.number if row else 0
