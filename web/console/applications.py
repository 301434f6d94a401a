"""/console/cases/certification-review/{id}: an application with its papers, a reason per part, and the decision."""

import datetime as dt
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from domain.certification import PART_NAMES, Part, part_name, parts_of
from domain.errors import Refusal
from domain.operators import Operator
from domain.reviews import Decision, ReviewDecision
from services.review_desk import ApplicationCase, is_overdue
from web.console.cases import Version, given_decision
from web.console.pages import again, language_of, render, see, served, translator, unless_about_the_page
from web.console.sessions import SignedOperator
from web.temporal_links import process_url

router = APIRouter(prefix="/console/cases/certification-review")
PAGE = "console/certification_case.html"
PART = "part."
"""What the names of the form's reasons per part begin with."""
Text = Annotated[str, Form()]
PAPER_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox",
    "x-frame-options": "SAMEORIGIN",
    "cross-origin-resource-policy": "same-origin",
}
"""A customer's file in a frame: no script, an origin of its own."""


@router.get("/{subject}")
async def case(request: Request, operator: SignedOperator, subject: UUID) -> Response:
    """Nothing masked; that it was seen is in the audit log."""
    found = await served(request).review_desk.certification(operator, subject)
    return render(request, PAGE, **_shown(request, found))


@router.get("/{subject}/papers/{document_id}")
async def paper(request: Request, operator: SignedOperator, subject: UUID, document_id: UUID) -> Response:
    """One file: pictures are shown in place, a PDF is downloaded (browsers show none in a sandbox)."""
    shown = await served(request).review_desk.paper(operator, subject, document_id)
    how = "inline" if shown.media_type.value.startswith("image/") else "attachment"
    named = {"content-disposition": f"{how}; filename*=UTF-8''{quote(shown.name)}"}
    return Response(shown.data, media_type=shown.media_type.value, headers=PAPER_HEADERS | named)


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
    desk, parts = served(request).review_desk, await _parts(request)
    values = {"reason": reason, "decision": decision} | {f"{PART}{part}": why for part, why in parts.items()}
    try:
        result = await desk.decide_certification(operator, subject, _given(operator, decision, reason, version, parts))
    except Refusal as refusal:
        unless_about_the_page(refusal)
        found = await desk.certification(operator, subject)
        return again(request, PAGE, refusal, values, **_shown(request, found))
    if result.accepted:
        _ = translator(request)
        return see("/console/", request, _("决定已生效，客户会收到邮件。"))
    found = await desk.certification(operator, subject)
    return render(request, PAGE, 409, **_shown(request, found) | {"late": True, "values": values})


@router.post("/{subject}/revoke")
async def revoke(
    request: Request, operator: SignedOperator, subject: UUID, reason: Text = "", sure: Text = ""
) -> Response:
    """Take an approval back; the customer reads the reason."""
    _, desk = translator(request), served(request).review_desk
    try:
        if sure != "yes":
            raise Refusal("required", field="sure")
        await desk.revoke_certification(operator, subject, reason)
    except Refusal as refusal:
        unless_about_the_page(refusal)
        found = await desk.certification(operator, subject)
        return again(request, PAGE, refusal, {"reason": reason}, **_shown(request, found))
    return see(f"{router.prefix}/{subject}", request, _("认证已撤销，客户会收到邮件。"))


async def _parts(request: Request) -> dict[str, str]:
    """The reasons per part that are not blank."""
    form = await request.form()
    named = {name[len(PART) :]: str(why).strip() for name, why in form.items() if name.startswith(PART)}
    return {part: why for part, why in named.items() if why}


def _given(operator: Operator, decision: str, reason: str, version: int, parts: dict[str, str]) -> ReviewDecision:
    plain = given_decision(operator, decision, reason, version)
    return ReviewDecision(Decision(plain.decision), reason, operator.actor, version, parts)


def _shown(request: Request, found: ApplicationCase) -> dict[str, Any]:
    row, kind, language = found.case.row, found.case.kind, language_of(request)
    given = [part for part in parts_of(kind) if part in found.case.typed or part in _papers(found)]
    return {
        "case": found,
        "address": f"{router.prefix}/{found.case.row.id}",
        "parts": [(part, part_name(part, kind, language)) for part in given],
        "papers": _papers(found),
        "part_names": {part.value: names[0 if language == "zh" else 1] for part, names in PART_NAMES.items()},
        "overdue": found.open and is_overdue(row.due_at, dt.datetime.now(dt.UTC)),
        "process_url": process_url(served(request).foundation.policy, found.case.workflow_id),
        "late": False,
    }


def _papers(found: ApplicationCase) -> dict[Part, Any]:
    return {Part(document.part): document for document in found.case.documents}
