"""Template versions on the reviewers' desk."""

from uuid import UUID

from activities.reviews import Letter
from domain.ids import Process
from domain.notices import Notice
from domain.reviews import DecisionResult, ReviewCase, ReviewState, ReviewVerdict, ruling
from domain.template_lint import lint
from domain.templates import Content
from domain.working_time import Due
from store import templates as rows
from store.db import Session
from store.templates import Template, TemplateVersion

_NOTICES = {
    ReviewState.APPROVED: Notice.TEMPLATE_APPROVED,
    ReviewState.REJECTED: Notice.TEMPLATE_REJECTED,
}


class TemplateDesk:
    """See `activities.reviews.Desk`."""

    async def case(self, session: Session, process: Process) -> ReviewCase | None:
        row = await session.get(TemplateVersion, UUID(process.subject))
        template = await session.get(Template, row.template_id) if row else None
        if row is None or template is None:
            return None
        earlier = [head for head in await rows.heads(session, template.id) if head.number < row.number]
        return ReviewCase(
            state=ReviewState(row.state),
            version=row.row_version,
            title=f"E-mail template, {template.kind}, version {row.number}",
            facts=_facts(row, earlier),
            submitted_at=row.submitted_at,
            due_at=row.due_at,
            due_provisional=row.due_provisional,
        )

    async def promise(self, session: Session, process: Process, due: Due) -> None:
        await rows.set_due(session, UUID(process.subject), due)

    async def decide(self, session: Session, verdict: ReviewVerdict) -> DecisionResult:
        return await rows.decide(session, UUID(verdict.process.subject), ruling(verdict.decision), verdict.now)

    async def letter(self, session: Session, process: Process) -> Letter | None:
        row = await session.get(TemplateVersion, UUID(process.subject))
        template = await session.get(Template, row.template_id) if row else None
        notice = _NOTICES.get(ReviewState(row.state)) if row else None
        if row is None or template is None or notice is None:
            return None
        variables = {"template": template.name, "version": str(row.number), "reason": row.reason or ""}
        return Letter(notice, variables, f"/portal/templates/{template.id}")


def _facts(row: TemplateVersion, earlier: list[rows.VersionHead]) -> tuple[str, ...]:
    """Counts that help to judge; the content itself is on the case's page."""
    states = [head.state for head in earlier]
    findings = lint(Content(row.subject, row.html, row.text))
    size = len(row.html.encode()) // 1024 + 1
    return (
        f"variables: {len(row.variables)}",
        f"size: {size} KB",
        f"lint warnings: {len(findings)}",
        f"earlier versions: {len(earlier)} ({states.count('approved')} approved, {states.count('rejected')} rejected)",
    )
