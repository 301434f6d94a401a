"""/console/cases/template-review/{version}: everything needed to decide on a template, and the decision."""

import datetime as dt
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, Response

from domain.errors import Refusal
from domain.operators import Operator
from domain.policy import Policy
from domain.reviews import Decision, ReviewDecision
from services.review_desk import TemplateCase, is_overdue
from services.templates import preview_of
from web.console.pages import again, language_of, render, see, served, translator
from web.console.sessions import SignedOperator
from web.portal.templates import tones
from web.security import PREVIEW_HEADERS
from web.temporal_links import process_url

router = APIRouter(prefix="/console/cases/template-review")
PAGE = "console/template_case.html"
Text = Annotated[str, Form()]
Version = Annotated[int, Form(ge=1, le=2**31 - 1)]


@router.get("/{subject}")
async def case(request: Request, operator: SignedOperator, subject: UUID) -> Response:
    """Rendered, source, findings, variables, what changed, history, the customer; and the form."""
    found = await served(request).review_desk.template(operator, subject)
    return render(request, PAGE, **await _shown(request, found))


@router.get("/{subject}/body")
async def body(request: Request, operator: SignedOperator, subject: UUID) -> Response:
    """The version's HTML for the frame, with samples for values."""
    found = await served(request).review_desk.template(operator, subject)
    shown = await preview_of(found.content, {})
    return HTMLResponse(shown.html.encode(errors="replace"), headers=PREVIEW_HEADERS)


@router.post("/{subject}/decide")
async def decide(
    request: Request,
    operator: SignedOperator,
    subject: UUID,
    decision: Text = "",
    reason: Text = "",
    version: Version = 0,
) -> Response:
    """One compare-and-set with the row version that was on the screen."""
    desk, values = served(request).review_desk, {"reason": reason, "decision": decision}
    try:
        result = await desk.decide_template(operator, subject, given_decision(operator, decision, reason, version))
    except Refusal as refusal:
        if refusal.code == "not_found":
            raise
        found = await desk.template(operator, subject)
        return again(request, PAGE, refusal, values, **await _shown(request, found))
    if result.accepted:
        _ = translator(request)
        return see("/console/template-queue/list", request, _("决定已生效，客户会收到邮件。"))
    found = await desk.template(operator, subject)
    return render(request, PAGE, 409, **await _shown(request, found) | {"late": True, "values": values})


def given_decision(operator: Operator, decision: str, reason: str, version: int) -> ReviewDecision:
    """Raises the refusal `required` when neither button was pressed, `stale_form` without the version seen."""
    if decision not in set(Decision):
        raise Refusal("required", field="decision")
    if version < 1:
        raise Refusal("stale_form")
    return ReviewDecision(Decision(decision), reason, operator.actor, version)


async def _shown(request: Request, found: TemplateCase) -> dict[str, Any]:
    policy: Policy = served(request).foundation.policy
    return {
        "case": found,
        "address": f"{router.prefix}/{found.version.id}",
        "shown": await preview_of(found.content, {}),
        "findings": tones(found.findings, language_of(request)),
        "overdue": found.open and is_overdue(found.version.due_at, dt.datetime.now(dt.UTC)),
        "process_url": process_url(policy, found.workflow_id),
        "late": False,
    }
