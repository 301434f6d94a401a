"""Versions of SMS templates on the reviewers' desk."""

from uuid import UUID

from activities.reviews import Letter
from domain.ids import Process
from domain.notices import Notice
from domain.reviews import DecisionResult, ReviewCase, ReviewState, ReviewVerdict, ruling
from domain.sms import Market, SmsKind
from domain.sms_template_lint import ChosenSignature, lint
from domain.sms_templates import SmsContent, preview, sample_values
from domain.working_time import Due
from store import sms_templates as rows
from store.db import Session
from store.sms_signatures import SmsSignature
from store.sms_templates import SmsTemplate, SmsTemplateVersion

_NOTICES = {
    ReviewState.APPROVED: Notice.SMS_TEMPLATE_APPROVED,
    ReviewState.REJECTED: Notice.SMS_TEMPLATE_REJECTED,
}


class SmsTemplateDesk:
    """See `activities.reviews.Desk`."""

    async def case(self, session: Session, process: Process) -> ReviewCase | None:
        row = await session.get(SmsTemplateVersion, UUID(process.subject))
        signature = await session.get(SmsSignature, row.signature_id) if row else None
        if row is None or signature is None:
            return None
        versions = await rows.versions(session, row.template_id)
        earlier = [each.state for each in versions if each.number < row.number]
        return ReviewCase(
            state=ReviewState(row.state),
            version=row.row_version,
            title=f"SMS template, {row.kind}, {row.market}, version {row.number}",
            facts=(*_facts(row, signature), _history(earlier)),
            submitted_at=row.submitted_at,
            due_at=row.due_at,
            due_provisional=row.due_provisional,
        )

    async def promise(self, session: Session, process: Process, due: Due) -> None:
        await rows.set_due(session, UUID(process.subject), due)

    async def decide(self, session: Session, verdict: ReviewVerdict) -> DecisionResult:
        return await rows.decide(session, UUID(verdict.process.subject), ruling(verdict.decision), verdict.now)

    async def letter(self, session: Session, process: Process) -> Letter | None:
        row = await session.get(SmsTemplateVersion, UUID(process.subject))
        template = await session.get(SmsTemplate, row.template_id) if row else None
        notice = _NOTICES.get(ReviewState(row.state)) if row else None
        if row is None or template is None or notice is None:
            return None
        variables = {"template": template.name, "version": str(row.number), "reason": row.reason or ""}
        return Letter(notice, variables, f"/portal/sms-templates/{template.id}")


def _facts(row: SmsTemplateVersion, signature: SmsSignature) -> tuple[str, ...]:
    """Counts that help to judge; the text itself is on the case's page."""
    content = SmsContent(SmsKind(row.kind), Market(row.market), signature.text, row.content, row.signature_last)
    chosen = ChosenSignature(signature.text, ReviewState(signature.state), Market(signature.market))
    usual = preview(content, sample_values(content))
    return (
        f"variables: {len(row.variables)}",
        f"parts: {usual.segments} with usual values, up to {usual.most_segments}",
        f"lint findings: {len(lint(content, chosen))}",
    )


def _history(states: list[str]) -> str:
    return f"earlier versions: {len(states)} ({states.count('approved')} approved, {states.count('rejected')} rejected)"
