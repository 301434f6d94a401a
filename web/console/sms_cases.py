"""/console/cases/sms-template-review and sms-signature-review: what is needed to decide, and the decision."""

import datetime as dt
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from domain.errors import Refusal
from services.review_desk import is_overdue
from services.sms_review_desk import SignatureCase, SmsTemplateCase
from web.console.cases import given_decision
from web.console.pages import again, language_of, render, see, served, translator
from web.console.sessions import SignedOperator
from web.i18n import mark as _
from web.portal.certification import KINDS as CERTIFICATIONS
from web.portal.certification import attachment
from web.portal.sms_template_words import KINDS, MARKETS, SOURCES, STATES
from web.portal.templates import tones
from web.temporal_links import process_url

router = APIRouter(prefix="/console/cases")
TEMPLATE_PAGE, SIGNATURE_PAGE = "console/sms_template_case.html", "console/sms_signature_case.html"
Text = Annotated[str, Form()]
Version = Annotated[int, Form(ge=1, le=2**31 - 1)]


@router.get("/sms-template-review/{subject}")
async def template(request: Request, operator: SignedOperator, subject: UUID) -> Response:
    """As a handset shows it, the text, findings, what was approved before, history, the customer; and the form."""
    found = await served(request).sms_review_desk.template(operator, subject)
    return render(request, TEMPLATE_PAGE, **_template(request, found))


@router.post("/sms-template-review/{subject}/decide")
async def decide_template(
    request: Request, operator: SignedOperator, subject: UUID,
    decision: Text = "", reason: Text = "", version: Version = 0,
) -> Response:  # fmt: skip
    """One compare-and-set with the row version that was on the screen."""
    desk, values = served(request).sms_review_desk, {"reason": reason, "decision": decision}
    try:
        result = await desk.decide_template(operator, subject, given_decision(operator, decision, reason, version))
    except Refusal as refusal:
        if refusal.code == "not_found":
            raise
        shown = _template(request, await desk.template(operator, subject))
        return again(request, TEMPLATE_PAGE, refusal, values, **shown)
    if result.accepted:
        said = translator(request)(_("决定已生效，客户会收到邮件。"))
        return see("/console/sms-template-queue/list", request, said)
    shown = _template(request, await desk.template(operator, subject))
    return render(request, TEMPLATE_PAGE, 409, **shown | {"late": True, "values": values})


@router.get("/sms-signature-review/{subject}")
async def signature(request: Request, operator: SignedOperator, subject: UUID) -> Response:
    """The text, what it stands for, the proof, the customer with their other signatures; and the form."""
    found = await served(request).sms_review_desk.signature(operator, subject)
    return render(request, SIGNATURE_PAGE, **_signature(request, found))


@router.get("/sms-signature-review/{subject}/proof")
async def proof(request: Request, operator: SignedOperator, subject: UUID) -> Response:
    """The proof's bytes, as a download; each look is noted."""
    return attachment(await served(request).sms_review_desk.proof(operator, subject))


@router.post("/sms-signature-review/{subject}/decide")
async def decide_signature(
    request: Request, operator: SignedOperator, subject: UUID,
    decision: Text = "", reason: Text = "", version: Version = 0,
) -> Response:  # fmt: skip
    """As for templates."""
    desk, values = served(request).sms_review_desk, {"reason": reason, "decision": decision}
    try:
        result = await desk.decide_signature(operator, subject, given_decision(operator, decision, reason, version))
    except Refusal as refusal:
        if refusal.code == "not_found":
            raise
        shown = _signature(request, await desk.signature(operator, subject))
        return again(request, SIGNATURE_PAGE, refusal, values, **shown)
    if result.accepted:
        said = translator(request)(_("决定已生效，客户会收到邮件。"))
        return see("/console/sms-signature-queue/list", request, said)
    shown = _signature(request, await desk.signature(operator, subject))
    return render(request, SIGNATURE_PAGE, 409, **shown | {"late": True, "values": values})


def _template(request: Request, found: SmsTemplateCase) -> dict[str, Any]:
    return {
        "case": found,
        "address": f"{router.prefix}/sms-template-review/{found.version.id}",
        "findings": tones(found.findings, language_of(request)),
        **_common(request, found, found.version.due_at),
    }


def _signature(request: Request, found: SignatureCase) -> dict[str, Any]:
    return {
        "case": found,
        "address": f"{router.prefix}/sms-signature-review/{found.row.review_id}",
        "SOURCES": SOURCES,
        "CERTIFICATIONS": CERTIFICATIONS,
        **_common(request, found, found.row.due_at),
    }


def _common(request: Request, found: SmsTemplateCase | SignatureCase, due_at: dt.datetime | None) -> dict[str, Any]:
    return {
        "overdue": found.open and is_overdue(due_at, dt.datetime.now(dt.UTC)),
        "process_url": process_url(served(request).foundation.policy, found.workflow_id),
        "late": False,
        "KINDS": KINDS,
        "MARKETS": MARKETS,
        "STATES": STATES,
    }
