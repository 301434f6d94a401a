"""/portal/webhooks: where events go, the signing secret (shown once), numbers, replays, and the delivery log, live."""

import datetime as dt
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from domain.errors import Refusal
from domain.times import SHANGHAI
from domain.webhook_replays import ReplayStage, Wanted
from domain.webhooks import (
    MAX_ENDPOINTS,
    PING,
    SMS_EVENTS,
    DisabledBy,
    EndpointState,
    Event,
    Failure,
    Format,
    event_id,
)  # fmt: skip
from services.webhooks import Change, EndpointStatus, Revealed
from store.webhooks import LogFilter
from web.i18n import mark as _
from web.pages import Caller, Signed, again, language_of, refused, render, see, served, translator
from web.shown_once import carried, carry, shown

router = APIRouter(prefix="/portal/webhooks")

LOG_PAGE = 30
REPLAYS_SHOWN = 5


@dataclass(frozen=True)
class LogView:
    """Which part of the delivery log is looked at."""

    before: int | None = None
    only: LogFilter = field(default_factory=LogFilter)

    @property
    def query(self) -> str:
        """What the next page's address carries on."""
        said = {"result": RESULTS[self.only.acknowledged], "event": self.only.kind, "of": self.only.message}
        return urlencode({name: value for name, value in said.items() if value})

    @property
    def newest(self) -> bool:
        """The page that is kept up to date by itself."""
        return self == LogView()


RESULTS: dict[bool | None, str] = {True: "acknowledged", False: "failed", None: ""}


def log_view(
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    result: Annotated[str, Query(max_length=20)] = "",
    event: Annotated[str, Query(max_length=20)] = "",
    of: Annotated[str, Query(max_length=20)] = "",
) -> LogView:
    """What does not make sense is not asked for."""
    acknowledged = {word: value for value, word in RESULTS.items()}.get(result)
    message = int(of) if of.isascii() and of.isdigit() and len(of) < 19 else None
    return LogView(before, LogFilter(acknowledged, event if event in (*Event, PING) else "", message))


Shown = Annotated[LogView, Depends(log_view)]
EVENTS = {
    Event.REQUEST: _("请求：一个收件人的发送请求已被接受"),
    Event.DELIVER: _("送达：收件服务器已接收"),
    Event.SOFT_BOUNCE: _("软退信：暂时失败，仍会重试"),
    Event.INVALID: _("无效：收件服务器拒绝，不再重试"),
    Event.OPEN: _("打开"),
    Event.CLICK: _("点击"),
    Event.UNSUBSCRIBE: _("取消订阅"),
    Event.REPORT_SPAM: _("垃圾举报"),
    Event.ROUTE: _("收信路由"),
    Event.SMS_REQUEST: _("短信请求：一个号码的短信请求已被接受"),
    Event.SMS_DELIVER: _("短信送达：手机已收到"),
    Event.SMS_WORKERERROR: _("短信处理失败：未交给运营商（4xx）"),
    Event.SMS_DELIVERERROR: _("短信发送失败：运营商回报失败（5xx）"),
    Event.SMS_REPLY: _("短信回复：手机用户回复了短信"),
    Event.SMS_TEMPLATE_VERIFY: _("短信模板审核：通过或不通过"),
}
ERRORS = {
    Failure.DNS: _("域名没有解析到地址"),
    Failure.REFUSED_ADDRESS: _("地址属于内网或保留网段，不允许推送"),
    Failure.REFUSED_PORT: _("端口不允许，请使用 80、443 或 8443"),
    Failure.CONNECT: _("无法建立连接"),
    Failure.TLS: _("TLS 证书无法验证"),
    Failure.TIMEOUT: _("在规定时间内没有应答（15 秒，SendCloud 格式 3 秒）"),
    Failure.BROKEN: _("连接中断，或应答不是 HTTP"),
    Failure.SECRET: _("密钥无法读取，请更换密钥"),
}
WHY = {
    DisabledBy.CUSTOMER: _("已由您停用。之前等待的事件在启用后送出；停用期间发生的事件，请在启用后重放。"),
    DisabledBy.GONE: _("接收端回答 HTTP 410，已停止推送。等待的事件会保留，启用后送出；停用期间发生的事件可以重放。"),
    DisabledBy.FAILING: _("72 小时没有一次成功，已停止推送。等待的事件会保留，修复后请启用；期间发生的事件可以重放。"),
}
FORMATS = {
    Format.STANDARD: _("Standard Webhooks：JSON，推荐"),
    Format.SENDCLOUD: _("SendCloud：表单，与原有接收程序兼容"),
}
STAGES = {
    ReplayStage.REPEATING: _("正在查找推送过的事件"),
    ReplayStage.REBUILDING: _("正在按发送记录补齐"),
    ReplayStage.DONE: _("已完成"),
    ReplayStage.STOPPED: _("已停止"),
}


@router.get("")
async def webhooks(request: Request, caller: Signed) -> Response:
    """All endpoints (an account has few)."""
    return render(request, "portal/webhooks.html", rows=await _rows(request, caller), **words_of(request))


@router.get("/new")
async def new_webhook(request: Request, caller: Signed, sms: bool = False) -> Response:
    """An empty form with the usual events chosen: of mail, or all of SMS for an SMSHook."""
    chosen = [*SMS_EVENTS] if sms else [Event.DELIVER.value, Event.INVALID.value, Event.SOFT_BOUNCE.value]
    return render(request, "portal/webhooks_new.html", chosen=chosen, **words_of(request))


@router.post("/new")
async def create_webhook(request: Request, caller: Signed) -> Response:
    """Create, then show the secret once."""
    url, events = await _form(request)
    form = str((await request.form()).get("format", ""))
    try:
        known = Format(form) if form in list(Format) else Format.STANDARD
        made = await served(request).webhooks.create(caller, url, events, known)
    except Refusal as refusal:
        typed = {"url": url, "format": form}
        return again(request, "portal/webhooks_new.html", refusal, typed, chosen=events, **words_of(request))
    return _with_secret(request, made, translator(request)("WebHook 已创建，请保存签名密钥。"))


@router.get("/{webhook_id}")
async def webhook(request: Request, caller: Signed, webhook_id: UUID, only: Shown) -> Response:
    """One endpoint and its delivery log."""
    status = await served(request).webhooks.get(caller, webhook_id)
    context = await _log(request, caller, webhook_id, only)
    secret = carried(request, request.url.path)
    response = render(request, "portal/webhooks_one.html", secret=secret, **_one(request, status), **context)
    return shown(request, response, request.url.path) if secret else response


@router.get("/{webhook_id}/live")
async def live(request: Request, caller: Signed, webhook_id: UUID) -> Response:
    """The part of the page that changes; the script asks for it every few seconds."""
    status = await served(request).webhooks.get(caller, webhook_id)
    context = await _log(request, caller, webhook_id, LogView())
    return render(request, "portal/webhooks_live.html", **_one(request, status), **context)


@router.post("/{webhook_id}")
async def change_webhook(request: Request, caller: Signed, webhook_id: UUID) -> Response:
    """Save URL and events."""
    url, events = await _form(request)
    try:
        await served(request).webhooks.change(caller, webhook_id, Change(url, events))
    except Refusal as refusal:
        status = await served(request).webhooks.get(caller, webhook_id)
        context = {**_one(request, status), **await _log(request, caller, webhook_id, LogView()), "chosen": events}
        return again(request, "portal/webhooks_one.html", refusal, {"url": url}, secret="", **context)
    return see(f"/portal/webhooks/{webhook_id}", request, translator(request)("已保存。"))


@router.post("/{webhook_id}/secret")
async def rotate(request: Request, caller: Signed, webhook_id: UUID) -> Response:
    """A new secret, shown once."""
    made = await served(request).webhooks.rotate(caller, webhook_id)
    return _with_secret(request, made, translator(request)("密钥已更换。24 小时内新旧密钥同时签名。"))


@router.post("/{webhook_id}/ping")
async def ping(request: Request, caller: Signed, webhook_id: UUID) -> Response:
    """Send a test event."""
    done = served(request).webhooks.ping(caller, webhook_id)
    return await _do(request, webhook_id, done, _("测试事件已发出，结果会显示在推送记录中。"))


@router.post("/{webhook_id}/retry")
async def retry(request: Request, caller: Signed, webhook_id: UUID) -> Response:
    """Try now."""
    return await _do(request, webhook_id, served(request).webhooks.retry(caller, webhook_id), _("正在重试。"))


@router.post("/{webhook_id}/enable")
async def enable(request: Request, caller: Signed, webhook_id: UUID) -> Response:
    done = served(request).webhooks.change(caller, webhook_id, Change(state=EndpointState.ENABLED))
    return await _do(request, webhook_id, done, _("已启用，等待的事件正在送出。"))


@router.post("/{webhook_id}/disable")
async def disable(request: Request, caller: Signed, webhook_id: UUID) -> Response:
    done = served(request).webhooks.change(caller, webhook_id, Change(state=EndpointState.DISABLED))
    return await _do(request, webhook_id, done, _("已停用。"))


@router.post("/{webhook_id}/replay")
async def replay(request: Request, caller: Signed, webhook_id: UUID) -> Response:
    """Send again what happened in a span, or to one message."""
    form = {name: str(value).strip() for name, value in (await request.form()).items()}
    try:
        await served(request).webhooks.replay(caller, webhook_id, _wanted(form))
    except Refusal as refusal:
        if refusal.code == "not_found" and refusal.params.get("what") == "webhook":
            raise
        status = await served(request).webhooks.get(caller, webhook_id)
        context = {**_one(request, status), **await _log(request, caller, webhook_id, LogView())}
        here = f"/portal/webhooks/{webhook_id}"
        return again(request, "portal/webhooks_one.html", _at(refusal), form, address=here, secret="", **context)
    return see(f"/portal/webhooks/{webhook_id}", request, translator(request)("重放已开始。"))


@router.post("/{webhook_id}/replay/stop")
async def stop_replay(request: Request, caller: Signed, webhook_id: UUID) -> Response:
    """Put no further events among those that wait."""
    return await _do(request, webhook_id, served(request).webhooks.stop_replay(caller, webhook_id), _("重放已停止。"))


def _at(refusal: Refusal) -> Refusal:
    """At the form's one field for both kinds of numbers."""
    if refusal.field not in ("message_id", "submission_id"):
        return refusal
    return Refusal(refusal.code, "of", **refusal.params)


def _wanted(form: dict[str, str]) -> Wanted:
    """Times are of Shanghai; a number is a message's, anything else a request's id."""
    name = form.get("of", "")
    message = int(name) if name.isascii() and name.isdigit() and len(name) < 19 else None
    try:
        submission = UUID(name) if name and message is None else None
    except ValueError:
        raise Refusal("not_found", field="of", what="message") from None
    return Wanted(_moment(form, "since"), _moment(form, "until"), (), submission, message)


def _moment(form: dict[str, str], name: str) -> dt.datetime | None:
    text = form.get(name, "")
    try:
        return dt.datetime.fromisoformat(text).replace(tzinfo=SHANGHAI) if text else None
    except ValueError:
        raise Refusal("invalid", field=name, reason=text[:40]) from None


@router.post("/{webhook_id}/delete")
async def delete(request: Request, caller: Signed, webhook_id: UUID) -> Response:
    """Remove it and what waits for it."""
    await served(request).webhooks.delete(caller, webhook_id)
    return see("/portal/webhooks", request, translator(request)("WebHook 已删除。"))


async def _do(request: Request, webhook_id: UUID, action: Awaitable[Any], said: str) -> Response:
    """Act, and say on the next page how it went."""
    here = f"/portal/webhooks/{webhook_id}"
    try:
        await action
    except Refusal as refusal:
        if refusal.code == "not_found":
            raise
        return see(here, request, refused(refusal, language_of(request))[refusal.field or ""], "danger")
    return see(here, request, translator(request)(said))


async def _form(request: Request) -> tuple[str, list[str]]:
    form = await request.form()
    return str(form.get("url", "")), [str(value) for value in form.getlist("events")]


async def _rows(request: Request, caller: Caller) -> list[EndpointStatus]:
    return await served(request).webhooks.page(caller, None, MAX_ENDPOINTS)


async def _log(request: Request, caller: Caller, webhook_id: UUID, view: LogView) -> dict[str, Any]:
    hooks = served(request).webhooks
    found = await hooks.attempts(caller, webhook_id, view.before, LOG_PAGE + 1, view.only)
    following = found[LOG_PAGE - 1].id if len(found) > LOG_PAGE else None
    replays = await hooks.replays(caller, webhook_id, REPLAYS_SHOWN)
    return {"attempts": found[:LOG_PAGE], "view": view, "next": following, "replays": replays}


def _one(request: Request, status: EndpointStatus) -> dict[str, Any]:
    endpoint = status.endpoint
    return {"status": status, "endpoint": endpoint, "chosen": endpoint.events, **words_of(request)}


def words_of(request: Request) -> dict[str, Any]:
    """The words of every page about endpoints."""
    _ = translator(request)

    def error(code: str) -> str:
        return _(ERRORS[Failure(code)]) if code in ERRORS else code.replace("http_", "HTTP ")

    return {
        "EVENTS": EVENTS, "WHY": WHY, "FORMATS": FORMATS, "STAGES": STAGES, "error_text": error, "event_id": event_id,
    }  # fmt: skip


def _with_secret(request: Request, made: Revealed, said: str) -> Response:
    """To the endpoint's page, which shows the secret this once."""
    here = f"/portal/webhooks/{made.status.endpoint.id}"
    response = see(here, request, said)
    carry(request, response, here, made.secret)
    return response
