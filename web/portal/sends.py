"""/portal/sends: what was sent and what became of it, live; and a new send by paste or file."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from starlette.datastructures import UploadFile
from starlette.responses import JSONResponse, Response

from domain.delimited import decode
from domain.errors import Refusal
from domain.recipients import MAX_FILE_BYTES, BadLines, LineProblem, explain_code
from domain.refusals import explain
from domain.secrets import new_token
from domain.sending import MAX_RECIPIENTS, Reason, SendRequest
from services.sending import Check, SendView
from store.sends_read import OUTCOMES
from web.i18n import mark as _
from web.pages import Caller, Signed, again, language_of, refused, render, see, served, translator
from web.portal.suppressions import HELD

router = APIRouter(prefix="/portal/sends")

PAGE = 50
SENDS_PAGE = 20
PROBLEMS_SHOWN = 50
KEPT_BYTES = 1_000_000
"""An uploaded file of this size comes back as text when the form must be shown again; browsers keep no file."""
REASONS = {
    Reason.INVALID_MAILBOX: _("收件邮箱不存在"),
    Reason.BAD_DOMAIN: _("收件域名不存在，或不接收邮件"),
    Reason.DISABLED: _("收件邮箱已停用"),
    Reason.SYNTAX: _("收件地址的写法不被对方接受"),
    Reason.SMTPUTF8: _("对方服务器不支持国际化邮箱地址"),
    Reason.FULL: _("收件邮箱已满"),
    Reason.GREYLIST: _("对方要求稍后再试（灰名单）"),
    Reason.RATE_LIMITED: _("对方限制了接收频率"),
    Reason.CONN: _("无法连接，或对方暂时拒收"),
    Reason.AUTH: _("未通过对方的 SPF、DKIM 或 DMARC 验证"),
    Reason.CONTENT: _("内容被对方判为垃圾邮件"),
    Reason.IP: _("发信 IP 在对方的拦截名单中"),
    Reason.TLS: _("无法与对方建立所要求的加密连接"),
    Reason.DOMAIN: _("发信域名被对方拦截"),
    Reason.REFUSED: _("收件人或其单位拒收"),
    Reason.OTHER: _("对方按自己的规则拒收"),
    Reason.EXPIRED: _("到重试截止时间仍未送达"),
    Reason.RENDER_FAILED: _("无法用模板和变量生成邮件"),
    Reason.CANCELLED: _("群发任务已取消"),
    Reason.SUPPRESSED: _("发信前被拦截：退订、举报、手工添加或邮箱不存在"),
    Reason.UNCERTAIN: _("交付结束时连接中断，不确定是否收到"),
}
"""Why a message was not delivered; the codes are also those of `/v1`, webhooks and files."""
FIELDS = ("api_user", "template", "from", "from_name", "reply_to", "label", "recipients", "form")


@router.get("")
async def sends(request: Request, caller: Signed, after: UUID | None = None) -> Response:
    """Newest first, each with its outcomes."""
    found = await served(request).sending.sends(caller, after, SENDS_PAGE + 1)
    shown = found[:SENDS_PAGE]
    counts = await served(request).sending.outcomes(caller, shown)
    rows = [(send, bar(counts[send.id], send.recipients)) for send in shown]
    return render(request, "portal/sends.html", rows=rows, next=shown[-1].id if len(found) > SENDS_PAGE else None)


@router.get("/new")
async def new_send(request: Request, caller: Signed, template: str = "", api_user: str = "") -> Response:
    """An empty form, with what a link may have chosen already."""
    values = {"template": template, "api_user": api_user, "form": new_token()}
    return render(request, "portal/sends_new.html", values=values, **await _options(request, caller))


@router.post("/new")
async def create_send(request: Request, caller: Signed) -> Response:
    """Check the recipients, or send."""
    draft = await _draft(request)
    if draft.step == "check":
        return await _checked(request, caller, draft)
    try:
        accepted = await served(request).sending.send_file(caller, draft.request(), draft.data)
    except BadLines:
        return await _checked(request, caller, draft, status=422)
    except Refusal as refusal:
        return await _again(request, caller, draft, refusal)
    _ = translator(request)
    return see(
        f"/portal/sends/{accepted.submission_id}",
        request,
        _("已接受 {count} 个收件人，正在发送。", count=accepted.accepted),
    )


class Draft:
    """What the form holds; `data` are the recipients, pasted or uploaded."""

    def __init__(self, values: dict[str, str], upload: bytes, skip: bool, step: str) -> None:
        self.values = values
        self.skip = skip
        self.step = step
        self.data = upload or values["recipients"].encode()
        self.place = "recipients"
        """The field that problems of recipients belong to."""
        if upload:
            self._keep(upload)

    def _keep(self, upload: bytes) -> None:
        self.place = "file"
        try:
            text = "\n".join(decode(upload).lines)
        except Refusal:
            return
        if len(upload) <= KEPT_BYTES:
            self.values["recipients"] = text
            self.place = "recipients"

    def request(self) -> SendRequest:
        """Raises `Refusal` for a field that is empty."""
        for name in ("api_user", "template", "from"):
            if not self.values[name]:
                raise Refusal("required", field=name)
        if not self.data.strip():
            raise Refusal("no_recipients", field="recipients")
        return SendRequest(
            self.values["api_user"], self.values["template"], self.values["from"], (),
            sender_name=self.values["from_name"], reply_to=self.values["reply_to"], label=self.values["label"],
            idempotency_key=f"form/{self.values['form'][:64]}", skip_invalid=self.skip,
        )  # fmt: skip


async def _draft(request: Request) -> Draft:
    form = await request.form()
    values = {name: value if isinstance(value := form.get(name), str) else "" for name in FIELDS}
    values = {name: value if name == "recipients" else value.strip() for name, value in values.items()}
    upload = form.get("file")
    data = await upload.read(MAX_FILE_BYTES + 1) if isinstance(upload, UploadFile) else b""
    return Draft(values, data, bool(form.get("skip_invalid")), str(form.get("step", "send")))


async def _checked(request: Request, caller: Caller, draft: Draft, status: int = 200) -> Response:
    """The form with what was found in the recipients; nothing was sent."""
    try:
        if not draft.data.strip():
            raise Refusal("no_recipients", field="recipients")
        check = await served(request).sending.check(caller, draft.values["template"], draft.data)
    except Refusal as refusal:
        return await _again(request, caller, draft, refusal)
    shown = await _options(request, caller, draft) | {"check": _shown(check, language_of(request))}
    return render(request, "portal/sends_new.html", status, values=draft.values, **shown)


async def _again(request: Request, caller: Caller, draft: Draft, refusal: Refusal) -> Response:
    """The form with the message at its field."""
    place, line = refusal.field or "", ""
    if refusal.code == "idempotency_reused":
        place = ""
        draft.values["form"] = new_token()
    elif place.startswith(("recipients", "lines", "line", "file")):
        line = place.partition("[")[2].partition("]")[0] if place.startswith("lines[") else ""
        place = draft.place
    moved = Refusal(refusal.code, place, **refusal.params)
    options = await _options(request, caller, draft)
    if not line:
        return again(request, "portal/sends_new.html", moved, draft.values, **options)
    language = language_of(request)
    _ = translator(request)
    message = _("第 {line} 行：", line=line) + refused(moved, language)[place]
    status = explain(refusal, language)[0]
    return render(request, "portal/sends_new.html", status, errors={place: message}, values=draft.values, **options)


async def _options(request: Request, caller: Caller, draft: Draft | None = None) -> dict[str, Any]:
    choices = await served(request).sending.choices(caller)
    return {
        "choices": choices,
        "senders": sorted({domain for user in choices.identities for domain in user.domains}),
        "limit": MAX_RECIPIENTS,
        "check": None,
        "skip_invalid": draft is not None and draft.skip,
        "reselect": draft is not None and draft.place == "file",
    }


def _shown(check: Check, language: str) -> dict[str, Any]:
    """What was found in a file, with texts."""
    return {
        "parsed": check.parsed,
        "first": check.parsed.recipients[0] if check.parsed.recipients else None,
        "lacking": check.lacking,
        "subject": check.subject,
        "text": check.text,
        "problems": [_line(problem, language) for problem in check.parsed.problems[:PROBLEMS_SHOWN]],
        "warnings": [_line(warning, language) for warning in check.parsed.warnings[:PROBLEMS_SHOWN]],
    }


def _line(problem: LineProblem, language: str) -> tuple[int, str, str, str]:
    _, detail, step = explain(problem.refusal(), language)
    return problem.line, problem.value, detail, step


def bar(outcomes: dict[str, int], total: int) -> list[tuple[str, int, float, float]]:
    """(outcome, messages, where its part of the bar begins, how wide it is), in percent of all."""
    parts = []
    at = 0.0
    for outcome in OUTCOMES:
        width = 100 * outcomes[outcome] / max(1, total)
        parts.append((outcome, outcomes[outcome], round(at, 3), round(width, 3)))
        at += width
    return parts


@router.get("/{send_id}")
async def send_page(
    request: Request, caller: Signed, send_id: UUID, state: str = "", at: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0
) -> Response:
    """One send, live: a bar of outcomes, and its messages with their attempts."""
    view = await served(request).sending.view(caller, send_id)
    outcome = state if state in OUTCOMES else None
    found = await served(request).sending.messages(caller, send_id, (outcome, at, PAGE + 1))
    messages = found[:PAGE]
    language = language_of(request)
    rejected = [(one.line, one.address, explain_code(one.reason, language, one.params)) for one in view.rejected]
    return render(
        request, "portal/sends_one.html", view=view, send=view.send, bar=bar(view.outcomes, view.send.recipients),
        percent=_percent(view), messages=messages, tries=await served(request).sending.tries(messages),
        state=outcome or "", next=found[PAGE].ordinal if len(found) > PAGE else None, at=at, rejected=rejected,
        OUTCOMES=OUTCOMES, REASONS=REASONS, HELD=HELD, done=await served(request).sending.engagement(caller, send_id),
    )  # fmt: skip


@router.get("/{send_id}/progress")
async def send_progress(request: Request, caller: Signed, send_id: UUID) -> JSONResponse:
    """What the page's script asks for while messages are under way."""
    view = await served(request).sending.view(caller, send_id)
    parts = [{"outcome": o, "count": n, "x": x, "width": w} for o, n, x, w in bar(view.outcomes, view.send.recipients)]
    return JSONResponse({"finished": view.waiting == 0, "percent": _percent(view), "parts": parts})


@router.get("/{send_id}/messages.csv")
async def send_export(request: Request, caller: Signed, send_id: UUID) -> StreamingResponse:
    """All messages for a spreadsheet."""
    return StreamingResponse(
        await served(request).sending.export(caller, send_id), media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="send-{send_id}.csv"'},
    )  # fmt: skip


def _percent(view: SendView) -> int:
    """Never 100 while something waits."""
    return int(100 * (view.send.recipients - view.waiting) / max(1, view.send.recipients))
