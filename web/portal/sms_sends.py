"""/portal/sms-sends: SMS that were accepted and what became of each, live; and a new one to pasted numbers."""

import re
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from starlette.responses import JSONResponse, Response

from domain.errors import Refusal
from domain.recipients import explain_code
from domain.secrets import new_token
from domain.sms import MAX_NUMBERS, SmsRecipient, SmsRequest
from domain.sms_text import compose
from services.sms_reads import SmsSendView
from store.sms_reads import SMS_OUTCOMES
from web.i18n import mark as _
from web.pages import Caller, Signed, again, language_of, render, see, served, translator
from web.portal.sms_words import REASONS

router = APIRouter(prefix="/portal/sms-sends")

PAGE = 50
SENDS_PAGE = 20
PREFIX = "var_"
"""Of the fields that hold variables, so that none is mistaken for another field."""
KINDS = {"code": _("验证码"), "notice": _("通知"), "marketing": _("营销")}
_BETWEEN = re.compile(r"[\s,;，；、]+")


@router.get("")
async def sends(request: Request, caller: Signed, after: UUID | None = None) -> Response:
    """Newest first, each with its outcomes."""
    reads = served(request).sms_reads
    found = await reads.sends(caller, after, SENDS_PAGE + 1)
    shown = found[:SENDS_PAGE]
    counts = await reads.outcomes(caller, shown)
    rows = [(send, bar(counts[send.id], send.recipients)) for send in shown]
    after_last = shown[-1].id if len(found) > SENDS_PAGE else None
    return render(request, "portal/sms_sends.html", rows=rows, next=after_last, KINDS=KINDS)


@router.get("/new")
async def new_send(request: Request, caller: Signed, sms_user: str = "", template: str = "") -> Response:
    """An empty form, with what a link may have chosen already."""
    values = {"sms_user": sms_user, "template": template, "form": new_token()}
    return render(request, "portal/sms_sends_new.html", values=values, **await options(request, caller, template))


@router.post("/new")
async def create_send(request: Request, caller: Signed) -> Response:
    """Accept it, or show the form again with what is wrong at its field."""
    form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    form.setdefault("form", new_token())
    try:
        accepted = await served(request).sms.send(caller, _request(form))
    except Refusal as refusal:
        if refusal.code == "idempotency_reused":
            form["form"] = new_token()
        moved = Refusal(refusal.code, field_of(refusal.field or ""), **refusal.params)
        shown = await options(request, caller, form.get("template", ""))
        return again(request, "portal/sms_sends_new.html", moved, form, **shown)
    _ = translator(request)
    said = _("已接受 {count} 个号码。", count=len(accepted.messages))
    if accepted.sends_at:
        said = _("已接受 {count} 个号码；营销短信将在允许的时段开始发送。", count=len(accepted.messages))
    place = f"/portal/sms-sends/{accepted.submissions[0]}" if len(accepted.submissions) == 1 else "/portal/sms-sends"
    return see(place, request, said)


def _request(form: dict[str, str]) -> SmsRequest:
    for name in ("sms_user", "template", "phones"):
        if not form.get(name, "").strip():
            raise Refusal("required", field=name)
    values = values_of(form)
    numbers = [each for each in _BETWEEN.split(form["phones"]) if each]
    recipients = tuple(SmsRecipient(phone, values, line) for line, phone in enumerate(numbers, 1))
    return SmsRequest(
        form["sms_user"], form["template"], recipients, label=form.get("label", "").strip(),
        idempotency_key=f"form/{form['form'][:64]}", skip_invalid=bool(form.get("skip_invalid")),
    )  # fmt: skip


def values_of(form: dict[str, str]) -> dict[str, str]:
    """What the form gives for the template's variables."""
    return {name.removeprefix(PREFIX): value for name, value in form.items() if name.startswith(PREFIX)}


def field_of(field: str) -> str:
    """The form's field for a field of the request."""
    if field.startswith("recipients"):
        return "" if field.endswith("variables") else "phones"
    return "" if field == "Idempotency-Key" else field


async def options(request: Request, caller: Caller, template: str) -> dict[str, Any]:
    """What the forms offer, and the template that is chosen."""
    users = [each.row.name for each in await served(request).sms_users.page(caller) if each.row.disabled_at is None]
    templates = await served(request).sms_templates.sendable(caller)
    chosen = next((one for one in templates if str(one.number) == template), next(iter(templates), None))
    text = compose(chosen.signature, chosen.content, chosen.signature_last, chosen.market) if chosen else ""
    return {
        "users": users, "templates": templates, "chosen": chosen, "text": text, "prefix": PREFIX, "limit": MAX_NUMBERS,
        "KINDS": KINDS,
    }  # fmt: skip


def bar(outcomes: dict[str, int], total: int) -> list[tuple[str, int, float, float]]:
    """(outcome, messages, where its part of the bar begins, how wide it is), in percent of all."""
    parts = []
    at = 0.0
    for outcome in SMS_OUTCOMES:
        width = 100 * outcomes[outcome] / max(1, total)
        parts.append((outcome, outcomes[outcome], round(at, 3), round(width, 3)))
        at += width
    return parts


@router.get("/{sms_id}")
async def send_page(
    request: Request, caller: Signed, sms_id: UUID, state: str = "", at: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0
) -> Response:
    """One send, live: a bar of outcomes, and its messages with what carriers said."""
    reads = served(request).sms_reads
    view = await reads.view(caller, sms_id)
    outcome = state if state in SMS_OUTCOMES else None
    found = await reads.messages(caller, sms_id, (outcome, at, PAGE + 1))
    language = language_of(request)
    rejected = [(one.line, one.address, explain_code(one.reason, language, one.params)) for one in view.rejected]
    return render(
        request, "portal/sms_sends_one.html", view=view, send=view.send, bar=bar(view.outcomes, view.send.recipients),
        percent=_percent(view), messages=found[:PAGE], state=outcome or "", at=at, rejected=rejected,
        next=found[PAGE].ordinal if len(found) > PAGE else None, OUTCOMES=SMS_OUTCOMES, REASONS=REASONS, KINDS=KINDS,
    )  # fmt: skip


@router.get("/{sms_id}/progress")
async def send_progress(request: Request, caller: Signed, sms_id: UUID) -> JSONResponse:
    """What the page's script asks for while messages are under way."""
    view = await served(request).sms_reads.view(caller, sms_id)
    parts = [{"outcome": o, "count": n, "x": x, "width": w} for o, n, x, w in bar(view.outcomes, view.send.recipients)]
    return JSONResponse({"finished": view.waiting == 0, "percent": _percent(view), "parts": parts})


@router.get("/{sms_id}/messages.csv")
async def send_export(request: Request, caller: Signed, sms_id: UUID) -> StreamingResponse:
    """All messages for a spreadsheet."""
    return StreamingResponse(
        await served(request).sms_reads.export(caller, sms_id), media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="sms-{sms_id}.csv"'},
    )  # fmt: skip


def _percent(view: SmsSendView) -> int:
    """Never 100 while something waits."""
    return int(100 * (view.send.recipients - view.waiting) / max(1, view.send.recipients))
