"""/console/reply-rules: what servers' replies mean, row by row; a reply is tried before a row is trusted."""

import datetime as dt
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from domain.errors import Refusal
from domain.operators import Duty, Operator
from domain.reply_rules import ACTIONS, REASONS, read_pattern, read_verdict
from domain.sending import OutcomeKind, Scope
from domain.spreadsheets import BOM, cell, csv_lines
from services.reply_desk import Content
from store.reply_rules import ReplyRule
from web.console.pages import acted, again, render, see, served, translator, unless_about_the_page
from web.console.sessions import SignedOperator
from web.i18n import mark as _
from web.portal import sends
from web.portal.records.words import KINDS

router = APIRouter(prefix="/console/reply-rules")
PLACE = "/console/reply-rules"
PAGE, ONE = "console/reply_rules.html", "console/reply_rule.html"
Text = Annotated[str, Form()]
Version = Annotated[int, Form()]
WHAT_HAPPENS = {OutcomeKind.DEFERRED.value: _("稍后重试"), OutcomeKind.BOUNCED.value: _("退信")}
SCOPES = {
    Scope.RECIPIENT.value: _("这个收件人"),
    Scope.SENDER.value: _("发件地址或发信域名"),
    Scope.CONTENT.value: _("邮件内容"),
    Scope.CONNECTION.value: _("这个连接，或连接数"),
    Scope.ADDRESS.value: _("我们的发信 IP"),
}
"""What a refusal is about."""
COLUMNS = (
    "position", "provider", "enhanced", "code", "text", "reason", "action", "scope", "enabled", "seed", "edited",
    "note", "changed_by",
)  # fmt: skip
"""Of the file."""
TRIES_SHOWN = 12
LONGEST_SEARCH = 100


@router.get("")
async def listed(request: Request, operator: SignedOperator, q: str = "") -> Response:
    """The table in its order; with `?q=` the rows with that text."""
    return render(request, PAGE, **await _shown(request, operator, q))


@router.post("/try")
async def attempt(
    request: Request, operator: SignedOperator, host: Text = "", reply_code: Text = "", reply: Text = ""
) -> Response:
    """A reply, and which row decides what; nothing is kept."""
    values = {"host": host, "reply_code": reply_code, "reply": reply}
    shown = await _shown(request, operator, "")
    try:
        trial = await served(request).reply_desk.attempt(operator, host, _code(reply_code), reply)
    except Refusal as refusal:
        return again(request, PAGE, refusal, values, address=PLACE, **shown)
    return render(request, PAGE, values=values, address=PLACE, **(shown | {"trial": trial}))


@router.get("/export.csv")
async def export(request: Request, operator: SignedOperator) -> Response:
    """The table as a file for spreadsheets, in its order."""
    table = await served(request).reply_desk.listed(operator)
    await served(request).console_home.note_export(operator, "reply-rules")
    data = BOM + csv_lines([COLUMNS, *([cell(getattr(row, name)) for name in COLUMNS] for row in table)])
    headers = {"Content-Disposition": 'attachment; filename="reply-rules.csv"'}
    return Response(data, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/new")
async def blank(request: Request, operator: SignedOperator) -> Response:
    """A row of one's own."""
    operator.require(Duty.LANES)
    values = {"reason": REASONS[0].value, "action": "", "scope": "", "position": 1}
    return render(request, ONE, row=None, values=values, **_words())


@router.post("/new")
async def add(
    request: Request, operator: SignedOperator, provider: Text = "", enhanced: Text = "", code: Text = "",
    text: Text = "", reason: Text = "", action: Text = "", scope: Text = "", note: Text = "", position: Text = "1",
) -> Response:  # fmt: skip
    """It counts for every process within two seconds."""
    typed = {
        "provider": provider, "enhanced": enhanced, "code": code, "text": text, "reason": reason, "action": action,
        "scope": scope, "note": note,
    }  # fmt: skip
    try:
        await served(request).reply_desk.add(operator, _content(operator, typed), _position(operator, position))
    except Refusal as refusal:
        unless_about_the_page(refusal)
        values = typed | {"position": position}
        return again(request, ONE, refusal, values, address=f"{PLACE}/new", row=None, **_words())
    return see(PLACE, request, translator(request)("规则已添加，约两秒内生效。"))


@router.post("/restore-all")
async def restore_all(request: Request, operator: SignedOperator) -> Response:
    """Every row that ships, as and where it ships."""
    await served(request).reply_desk.restore_all(operator)
    return see(PLACE, request, translator(request)("自带的规则已全部恢复，自建的规则保留。"))


@router.get("/{rule_id}")
async def one(request: Request, operator: SignedOperator, rule_id: UUID) -> Response:
    """The forms that change a row."""
    row = await _row(request, operator, rule_id)
    return render(request, ONE, row=row, values=row.model_dump(), **_words())


@router.post("/{rule_id}/edit")
async def edit(
    request: Request, operator: SignedOperator, rule_id: UUID, provider: Text = "", enhanced: Text = "",
    code: Text = "", text: Text = "", reason: Text = "", action: Text = "", scope: Text = "", note: Text = "",
    row_version: Version = -1,
) -> Response:  # fmt: skip
    """As `add`."""
    typed = {
        "provider": provider, "enhanced": enhanced, "code": code, "text": text, "reason": reason, "action": action,
        "scope": scope, "note": note,
    }  # fmt: skip
    try:
        await served(request).reply_desk.edit(operator, rule_id, _content(operator, typed), row_version)
    except Refusal as refusal:
        return await _again(request, operator, rule_id, refusal, typed)
    return see(PLACE, request, translator(request)("规则已保存，约两秒内生效。"))


@router.post("/{rule_id}/move")
async def move(
    request: Request, operator: SignedOperator, rule_id: UUID, position: Text = "", row_version: Version = -1
) -> Response:
    """The others make room."""
    try:
        await served(request).reply_desk.move(operator, rule_id, _position(operator, position), row_version)
    except Refusal as refusal:
        return await _again(request, operator, rule_id, refusal, {"position": position})
    return see(PLACE, request, translator(request)("已移动，约两秒内生效。"))


@router.post("/{rule_id}/enable")
async def enable(request: Request, operator: SignedOperator, rule_id: UUID, row_version: Version = -1) -> Response:
    """Look at it again."""
    act = served(request).reply_desk.enable(operator, rule_id, row_version, enabled=True)
    return await acted(request, PLACE, act, "规则已启用，约两秒内生效。")


@router.post("/{rule_id}/disable")
async def disable(request: Request, operator: SignedOperator, rule_id: UUID, row_version: Version = -1) -> Response:
    """Keep it, but look at it no more."""
    act = served(request).reply_desk.enable(operator, rule_id, row_version, enabled=False)
    return await acted(request, PLACE, act, "规则已停用，约两秒内生效。")


@router.post("/{rule_id}/delete")
async def delete(request: Request, operator: SignedOperator, rule_id: UUID, row_version: Version = -1) -> Response:
    """One of their own."""
    act = served(request).reply_desk.delete(operator, rule_id, row_version)
    return await acted(request, PLACE, act, "规则已删除。")


@router.post("/{rule_id}/restore")
async def restore(request: Request, operator: SignedOperator, rule_id: UUID, row_version: Version = -1) -> Response:
    """What it says as it ships."""
    act = served(request).reply_desk.restore(operator, rule_id, row_version)
    return await acted(request, PLACE, act, "规则已恢复。")


async def _again(
    request: Request, operator: Operator, rule_id: UUID, refusal: Refusal, typed: dict[str, str]
) -> Response:
    """The forms once more: with what was typed, and the message at its field."""
    unless_about_the_page(refusal)
    row = await _row(request, operator, rule_id)
    values = row.model_dump() | typed
    return again(request, ONE, refusal, values, address=f"{PLACE}/{rule_id}", row=row, **_words())


async def _row(request: Request, operator: Operator, rule_id: UUID) -> ReplyRule:
    table = await served(request).reply_desk.listed(operator)
    found = next((row for row in table if row.id == rule_id), None)
    if found is None:
        raise Refusal("not_found", what="reply_rule")
    return found


async def _shown(request: Request, operator: Operator, q: str) -> dict[str, Any]:
    table = await served(request).reply_desk.listed(operator)
    wanted = " ".join(q[:LONGEST_SEARCH].lower().split())
    rows = [
        row for row in table if wanted in f"{row.provider} {row.enhanced} {row.code} {row.text} {row.reason}".lower()
    ]
    return {"rows": rows, "all": len(table), "q": wanted, "trial": None, "clock": clock, **_words()}


def _words() -> dict[str, Any]:
    return {
        "REASONS": {reason.value: sends.REASONS[reason] for reason in REASONS}, "SCOPES": SCOPES, "KINDS": KINDS,
        "WHAT_HAPPENS": {kind.value: WHAT_HAPPENS[kind.value] for kind in ACTIONS}, "TRIES_SHOWN": TRIES_SHOWN,
    }  # fmt: skip


def _content(operator: Operator, typed: dict[str, str]) -> Content:
    """Raises `duty_forbidden` before anything is said of the values, and what `read_verdict` refuses."""
    operator.require(Duty.LANES)
    pattern = read_pattern(typed["provider"], typed["enhanced"], typed["code"], typed["text"])
    verdict = read_verdict(typed["reason"], typed["action"], typed["scope"])
    return Content(pattern, verdict, " ".join(typed["note"].replace("\0", "").split()))


def _position(operator: Operator, text: str) -> int:
    """Raises `duty_forbidden`, `required`."""
    operator.require(Duty.LANES)
    if not (text.strip().isascii() and text.strip().isdigit() and len(text.strip()) < 6):
        raise Refusal("required", field="position")
    return int(text)


def _code(text: str) -> int:
    """Raises the refusal `reply_code_malformed`; blank: a report that names none."""
    digits = text.strip() or "0"
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 3):
        raise Refusal("reply_code_malformed", field="reply_code")
    return int(digits)


def clock(after: dt.timedelta) -> str:
    """`1:30` hours and minutes."""
    minutes = after // dt.timedelta(minutes=1)
    return f"{minutes // 60}:{minutes % 60:02}"
