"""SMS templates and signatures under review, for operators: everything that is needed to decide, and the decision.

As `services/review_desk.py` does for e-mail templates and certifications.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.errors import Refusal
from domain.ids import Kind
from domain.operators import Duty, Operator
from domain.reviews import DecisionResult, ReviewDecision, ReviewState, Ruling
from domain.sms_templates import SmsPreview
from domain.template_lint import Finding
from domain.times import business_day
from services.certification_views import ShownPaper
from services.foundation import Foundation
from services.review_desk import require_decidable
from services.sms_signatures import SmsSignatures, signature_review_id
from services.sms_templates import content_of, findings_of, review_id, sampled
from store import certification, review_cases, sms_signatures, sms_templates
from store.columns import now
from store.db import Session
from store.review_cases import AccountSummary
from store.sms_signatures import SmsSignature, Wanted
from store.sms_templates import SmsTemplate, SmsTemplateVersion

SHOWN_SIGNATURES = 50


@dataclass(frozen=True)
class SmsTemplateCase:
    """A version under review, and what it is judged by."""

    row: SmsTemplate
    version: SmsTemplateVersion
    signature: SmsSignature
    versions: Sequence[SmsTemplateVersion]
    findings: Sequence[Finding]
    shown: SmsPreview
    account: AccountSummary

    @property
    def before(self) -> SmsTemplateVersion | None:
        """The newest approved version before this one: what changed since is what a reviewer reads."""
        earlier = (each for each in self.versions if each.number < self.version.number)
        return next((each for each in earlier if each.state == ReviewState.APPROVED), None)

    @property
    def open(self) -> bool:
        return self.version.state == ReviewState.SUBMITTED

    @property
    def workflow_id(self) -> str:
        return review_id(self.version.id)


@dataclass(frozen=True)
class SignatureCase:
    """A signature under review, with the account's others, and what the account is certified as."""

    row: SmsSignature
    others: Sequence[SmsSignature]
    certified: Sequence[tuple[str, UUID]]
    """Kinds of certification that count today, and where what was proved can be read."""
    account: AccountSummary

    @property
    def open(self) -> bool:
        return self.row.state == ReviewState.SUBMITTED

    @property
    def workflow_id(self) -> str:
        return signature_review_id(self.row) or ""


class SmsReviewDesk:
    def __init__(self, base: Foundation, signatures: SmsSignatures) -> None:
        self._base = base
        self._signatures = signatures

    async def template(self, operator: Operator, version_id: UUID) -> SmsTemplateCase:
        """One version with its surroundings, whatever its state (a draft is the customer's own). Raises `not_found`."""
        operator.require(Duty.REVIEW)
        async with self._base.db.read() as session:
            version = await session.get(SmsTemplateVersion, version_id)
            if version is None or version.state == ReviewState.DRAFT:
                raise Refusal("not_found", what="SMS template version")
            return await _template_case(session, version)

    async def decide_template(self, operator: Operator, version_id: UUID, decision: ReviewDecision) -> DecisionResult:
        """Approve or reject; `accepted` is False when somebody else decided first, or the case changed since."""
        operator.require(Duty.REVIEW)
        require_decidable(decision, Kind.SMS_TEMPLATE_REVIEW)
        async with self._base.db.begin() as session:
            return await sms_templates.decide(session, version_id, _ruling(operator, decision), now())

    async def signature(self, operator: Operator, review: UUID) -> SignatureCase:
        """The signature of one submission. Raises `not_found` when it was submitted again since."""
        operator.require(Duty.REVIEW)
        async with self._base.db.read() as session:
            row = await sms_signatures.under_review(session, review)
            account = await review_cases.summary(session, row.account_id, SmsTemplateVersion) if row else None
            if row is None or account is None:
                raise Refusal("not_found", what="SMS signature")
            found = await sms_signatures.page(session, row.account_id, Wanted(), SHOWN_SIGNATURES)
            held = await certification.in_force(session, row.account_id, business_day(now()))
        others = [each for each in found if each.id != row.id]
        return SignatureCase(row, others, [(one.kind, one.id) for one in held], account)

    async def decide_signature(self, operator: Operator, review: UUID, decision: ReviewDecision) -> DecisionResult:
        """As for templates."""
        operator.require(Duty.REVIEW)
        require_decidable(decision, Kind.SMS_SIGNATURE_REVIEW)
        async with self._base.db.begin() as session:
            return await sms_signatures.decide(session, review, _ruling(operator, decision), now())

    async def proof(self, operator: Operator, review: UUID) -> ShownPaper:
        """The bytes of the proof; that they were seen is written down."""
        return await self._signatures.paper_for_operator(operator, review)


def _ruling(operator: Operator, decision: ReviewDecision) -> Ruling:
    return Ruling(decision.decision, operator.actor, decision.reason.strip(), decision.version)


async def _template_case(session: Session, version: SmsTemplateVersion) -> SmsTemplateCase:
    row = await session.get(SmsTemplate, version.template_id)
    signature = await session.get(SmsSignature, version.signature_id)
    account = await review_cases.summary(session, version.account_id, SmsTemplateVersion)
    if row is None or signature is None or account is None:
        raise Refusal("not_found", what="SMS template version")
    findings = await asyncio.to_thread(findings_of, version, signature)
    shown = await sampled(content_of(version, signature), {})
    versions = await sms_templates.versions(session, row.id)
    return SmsTemplateCase(row, version, signature, versions, findings, shown, account)
