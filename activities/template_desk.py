"""Template versions on the reviewers' desk."""

from uuid import UUID

from activities.reviews import Letter
from domain import working_time
from domain.ids import Process
from domain.notices import Notice
from domain.reviews import DecisionResult, ReviewCase, ReviewLook, ReviewState, ReviewVerdict
from domain.template_lint import lint
from domain.templates import Content
from store import templates as rows
from store.db import Session
from store.templates import Template, TemplateVersion

_NOTICES = {
    ReviewState.APPROVED: Notice.TEMPLATE_APPROVED,
    ReviewState.REJECTED: Notice.TEMPLATE_REJECTED,
}


class TemplateDesk:
    """See `activities.reviews.Desk`."""

    async def case(self, session: Session, look: ReviewLook) -> ReviewCase | None:
        row = await session.get(TemplateVersion, UUID(look.process.subject))
        template = await session.get(Template, row.template_id) if row else None
        if row is None or template is None:
            return None
        if row.state == ReviewState.SUBMITTED and row.due_at is None:
            row.due_at = working_time.due(row.submitted_at or look.now, working_time.TEMPLATE_REVIEW)
            await rows.set_due(session, row.id, row.due_at)
        earlier = [head for head in await rows.heads(session, template.id) if head.number < row.number]
        return ReviewCase(
            state=ReviewState(row.state),
            version=row.row_version,
            title=f"E-mail template, {template.kind}, version {row.number}",
            facts=_facts(row, earlier),
            due_at=row.due_at,
        )

    async def decide(self, session: Session, verdict: ReviewVerdict) -> DecisionResult:
        decision = verdict.decision
        ruling = rows.Ruling(decision.decision, decision.actor, decision.reason.strip(), decision.version)
        return await rows.decide(session, UUID(verdict.process.subject), ruling, verdict.now)

    async def letter(self, session: Session, process: Process) -> Letter | None:
        row = await session.get(TemplateVersion, UUID(process.subject))
        template = await session.get(Template, row.template_id) if row else None
        notice = _NOTICES.get(ReviewState(row.state)) if row else None
        if row is None or template is None or notice is None:
            return None
        variables = {"template": template.name, "version": str(row.number), "reason": row.reason or ""}
        return Letter(notice, variables, f"/portal/templates/{template.id}")


def _facts(row: TemplateVersion, earlier: list[rows.VersionHead]) -> tuple[str, ...]:
    """Counts that help to judge; the content itself is on the preview page."""
    states = [head.state for head in earlier]
    findings = lint(Content(row.subject, row.html, row.text))
    size = len(row.html.encode()) // 1024 + 1
    return (
        f"variables: {len(row.variables)}",
        f"size: {size} KB",
        f"lint warnings: {len(findings)}",
        f"earlier versions: {len(earlier)} ({states.count('approved')} approved, {states.count('rejected')} rejected)",
    )
