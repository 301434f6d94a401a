"""Review cases for operators: what waits, everything that is needed to decide, and the decision itself.

The console's decision and the Temporal UI's update end in the same compare-and-set of the store, so that of several
deciders exactly one counts; the others are told who was first.
"""

import asyncio
import datetime as dt
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.errors import Refusal
from domain.ids import Kind, workflow_id
from domain.operators import Duty, Operator
from domain.reviews import (
    MAX_REASON,
    MAX_TOTAL,
    Decision,
    DecisionResult,
    ReviewDecision,
    ReviewState,
    Ruling,
    objection,
)
from domain.template_lint import Finding, lint
from domain.templates import Content
from domain.times import business_day
from services.certification_views import CertificationCase, ShownPaper
from services.certifications import Certifications
from services.foundation import Foundation
from store import certification as certification_store
from store import review_cases
from store import templates as templates_store
from store.certification import Certification
from store.columns import now
from store.db import Session
from store.review_cases import AccountSummary
from store.templates import Template, TemplateVersion, VersionHead

SHOWN_LINES = 400
"""Of a difference; more is not read on one page."""


@dataclass(frozen=True)
class ChangedLine:
    """One line of a difference; `mark` is `+`, `-` or a blank."""

    mark: str
    text: str


@dataclass(frozen=True)
class TemplateCase:
    """A version under review, and what it is judged by."""

    row: Template
    version: TemplateVersion
    heads: Sequence[VersionHead]
    findings: Sequence[Finding]
    account: AccountSummary
    changes: Sequence[ChangedLine]
    since: int | None
    """The approved version that `changes` begin from; None when there is none."""

    @property
    def content(self) -> Content:
        return Content(self.version.subject, self.version.html, self.version.text)

    @property
    def open(self) -> bool:
        return self.version.state == ReviewState.SUBMITTED

    @property
    def workflow_id(self) -> str:
        return workflow_id(Kind.TEMPLATE_REVIEW, self.version.id)


@dataclass(frozen=True)
class ApplicationCase:
    """An application as the operator who decides sees it."""

    case: CertificationCase
    account: AccountSummary

    @property
    def open(self) -> bool:
        return self.case.row.state == ReviewState.SUBMITTED


class ReviewDesk:
    def __init__(self, base: Foundation, certifications: Certifications) -> None:
        self._base = base
        self._certifications = certifications

    async def template(self, operator: Operator, version_id: UUID) -> TemplateCase:
        """One version with its surroundings, whatever its state (a draft is the customer's own). Raises `not_found`."""
        operator.require(Duty.REVIEW)
        async with self._base.db.read() as session:
            version = await session.get(TemplateVersion, version_id)
            if version is None or version.state == ReviewState.DRAFT:
                raise Refusal("not_found", what="template version")
            return await _template_case(session, version)

    async def decide_template(self, operator: Operator, version_id: UUID, decision: ReviewDecision) -> DecisionResult:
        """Approve or reject; `accepted` is False when somebody else decided first, or the case changed since."""
        operator.require(Duty.REVIEW)
        require_decidable(decision, Kind.TEMPLATE_REVIEW)
        reason = decision.reason.strip()
        ruling = Ruling(decision.decision, operator.actor, reason, decision.version)
        async with self._base.db.begin() as session:
            return await templates_store.decide(session, version_id, ruling, now())

    async def certification(self, operator: Operator, certification_id: UUID) -> ApplicationCase:
        """One application, unmasked (its view is audited), with the customer. Raises `not_found`."""
        await self._require_duty(operator, certification_id)
        found = await self._certifications.case_for_operator(operator, certification_id)
        async with self._base.db.read() as session:
            account = await review_cases.summary(session, found.row.account_id)
        if account is None:
            raise Refusal("not_found", what="certification")
        return ApplicationCase(found, account)

    async def paper(self, operator: Operator, certification_id: UUID, document_id: UUID) -> ShownPaper:
        """One of its papers; that it was seen is written down."""
        await self._require_duty(operator, certification_id)
        async with self._base.db.read() as session:
            papers = await certification_store.documents(session, certification_id)
        if document_id not in {each.id for each in papers}:
            raise Refusal("not_found", what="document")
        return await self._certifications.paper_for_operator(operator, document_id)

    async def decide_certification(
        self, operator: Operator, certification_id: UUID, decision: ReviewDecision
    ) -> DecisionResult:
        """Approve or reject, with a reason per part; as for templates."""
        row = await self._require_duty(operator, certification_id)
        ended = row.valid_until is not None and row.valid_until < business_day(now())
        if decision.decision is Decision.APPROVE and ended and row.state == ReviewState.SUBMITTED:
            raise Refusal("review_document_expired", field="decision", day=row.valid_until)
        require_decidable(decision, Kind.CERTIFICATION_REVIEW)
        ruling = Ruling(
            decision.decision, operator.actor, decision.reason.strip(), decision.version, decision.parts
        )  # fmt: skip
        async with self._base.db.begin() as session:
            return await certification_store.decide(session, certification_id, ruling, now())

    async def revoke_certification(self, operator: Operator, certification_id: UUID, reason: str) -> None:
        """Take an approval back, for who may decide on it and on the others (`Duty.REVIEW`)."""
        operator.require(Duty.REVIEW)
        await self._require_duty(operator, certification_id)
        await self._certifications.revoke(operator, certification_id, reason)

    async def _require_duty(self, operator: Operator, certification_id: UUID) -> Certification:
        """Applications without a website are support's, the others are the reviewers'."""
        async with self._base.db.read() as session:
            row = await session.get(Certification, certification_id)
        if row is None or row.submitted_at is None:
            if not operator.may(Duty.EXCEPTIONS):
                operator.require(Duty.REVIEW)
            raise Refusal("not_found", what="certification")
        operator.require(Duty.EXCEPTIONS if row.exception else Duty.REVIEW)
        return row


def require_decidable(decision: ReviewDecision, kind: Kind) -> None:
    """What `domain.reviews.objection` says, as a refusal at the field."""
    reasons = {"reason": decision.reason, **{f"part.{name}": why for name, why in decision.parts.items()}}
    if decision.decision is Decision.REJECT and not any(why.strip() for why in reasons.values()):
        raise Refusal("required", field="reason")
    if decision.decision is Decision.APPROVE and decision.parts:
        raise Refusal("review_approves_objections", field="decision")
    for field, why in reasons.items():
        if len(why.strip()) > MAX_REASON:
            raise Refusal("text_too_long", field=field, limit=MAX_REASON)
        if "@" in why or "\x00" in why:
            raise Refusal("review_reason_address", field=field)
    if sum(len(why.strip()) for why in reasons.values()) > MAX_TOTAL:
        raise Refusal("review_reasons_too_long", field="reason", limit=MAX_TOTAL)
    if objection(decision, kind):
        raise Refusal("invalid", field="reason", reason=objection(decision, kind))


async def _template_case(session: Session, version: TemplateVersion) -> TemplateCase:
    row = await session.get(Template, version.template_id)
    account = await review_cases.summary(session, version.account_id)
    if row is None or account is None:
        raise Refusal("not_found", what="template version")
    before = await review_cases.last_approved(session, version)
    content = Content(version.subject, version.html, version.text)
    findings = await asyncio.to_thread(lint, content)
    changes = await asyncio.to_thread(_difference, before, version) if before else []
    heads = await templates_store.heads(session, row.id)
    return TemplateCase(row, version, heads, findings, account, changes, before.number if before else None)


def _difference(before: TemplateVersion, after: TemplateVersion) -> list[ChangedLine]:
    """Lines that differ, with three lines around; subject, HTML and text one below the other."""
    compared = list(difflib.unified_diff(_lines(before), _lines(after), lineterm="", n=3))[2:]
    if compared and compared[0].startswith(("@@ -1,", "@@ -1 ")):
        compared = compared[1:]
    return [_changed(line) for line in compared[:SHOWN_LINES]]


def _changed(line: str) -> ChangedLine:
    """A line of a unified diff; where lines were left out, an ellipsis."""
    return ChangedLine(" ", "…") if line.startswith("@@") else ChangedLine(line[0], line[1:])


def _lines(version: TemplateVersion) -> list[str]:
    return [f"Subject: {version.subject}", *version.html.splitlines(), *version.text.splitlines()]


def is_overdue(due_at: dt.datetime | None, at: dt.datetime) -> bool:
    """Whether the promised time has passed."""
    return due_at is not None and due_at < at
