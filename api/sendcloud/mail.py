"""`/apiv2/mail/send` (reference/sendcloud-api.md §3.1), a thin adapter over `services.sending`.

A route of Starlette's, not of FastAPI's: nothing here is declared by models, and every answer is an envelope.
"""

import json
import re
from typing import Any

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from api.sendcloud import parameters
from api.sendcloud.envelope import Failure, failure_of, success
from api.sendcloud.parameters import Parameters
from domain import xsmtpapi
from domain.addresses import BadAddress, normalise_address
from domain.campaigns import MAX_NAME, NewCampaign
from domain.custom_headers import kept, may_keep
from domain.errors import Refusal
from domain.free_content import FreeMail, Written
from domain.sendcloud import email_ids, task_id
from domain.senders import SendKind
from domain.sending import Accepted, Recipient
from domain.xsmtpapi import BadXsmtpapi, Fault, Personal
from services.api_keys import Holder
from services.catalog import Services
from store.db import DATABASE_TROUBLE

log = structlog.get_logger(__name__)

PATH = "/apiv2/mail/send"
MOST_TO = 100
MOST_LISTS = 5
MOST_REPLY_TO = 3
SUMMARY_BYTES = 200
LONGEST_REQUEST_ID = 128
XSMTPAPI_FAULTS = {
    Fault.NO_JSON: 40817, Fault.SHAPE: 40813, Fault.NO_TO: 40815, Fault.EMPTY_TO: 40816, Fault.TOO_MANY: 40827,
}  # fmt: skip
_NAMED = re.compile(r"\s*(?P<name>[^<>]*?)\s*<\s*(?P<address>[^<>]*?)\s*>\s*")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


class MailSend:
    """ASGI application of one path."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await answer_to(Request(scope, receive))
        await answer(scope, receive, send)


def route() -> Route:
    """GET and POST, and no HEAD: it would send."""
    made = Route(PATH, MailSend(), methods=["GET", "POST"])
    (made.methods or set()).discard("HEAD")
    return made


async def answer_to(request: Request) -> Response:
    """One call, whatever becomes of it."""
    given = Parameters()
    try:
        given = await parameters.read(request)
        return await _send(request.app.state.services, given)
    except Failure as failure:
        return failure.answer()
    except Refusal as refusal:
        return failure_of(refusal, given).answer()
    except HTTPException as problem:  # the body is too large
        return Failure(40901, detail=str(problem.detail)).answer()
    except DATABASE_TROUBLE as problem:
        log.warning("mail_send_failed", error=type(problem).__name__)
        return Failure(40902, detail="系统繁忙，请稍后重试").answer()


async def _send(served: Services, given: Parameters) -> Response:
    holder = await served.accounts.api_user(given.text("apiUser"), given.text("apiKey"))
    if holder.caller.api_user_id is not None:
        await served.call_rate.take(holder.caller.api_user_id)
    _refuse_what_comes_later(given)
    wants_ids = given.flag("respEmailId", 40859, True)
    if given.flag("useAddressList", 40874, False):
        return await _send_to_lists(served, holder, given)
    recipients, written = _recipients(given), _written(given)
    mail = _mail(holder, given, recipients, written)
    accepted = await served.sending.send_content(holder, mail)
    if accepted.repeated:
        raise Failure(40000, "sendRequestId", given.text("sendRequestId"))
    return success({"emailIdList": _email_ids(accepted, recipients)} if wants_ids else {})


async def _send_to_lists(served: Services, holder: Holder, given: Parameters) -> Response:
    """To the members of address lists, each alone: a campaign. cc, bcc and xsmtpapi are ignored."""
    if holder.kind is not SendKind.BATCH:
        raise Failure(40820)
    lists = given.several("to")
    if not lists:
        raise Failure(40805, "to", given.text("to"))
    if len(lists) > MOST_LISTS:
        raise Failure(40864, "to", given.text("to"))
    if broken := next((alias for alias in lists if "@" not in alias), None):
        raise Failure(40862, "to", broken)
    mail = _mail(holder, given, (), _written(given))
    if mail.headers:
        raise Failure(40869, "headers", given.text("headers"), "使用地址列表时暂不支持自定义头字段")
    template = await served.sending.template_of(holder, mail.written)
    asked = NewCampaign(
        mail.written.subject[:MAX_NAME], holder.name, template, mail.sender, tuple(lists), mail.sender_name,
        mail.reply_to, mail.label, idempotency_key=mail.idempotency_key,
    )  # fmt: skip
    created = await served.campaigns.create(holder.caller, asked)
    if created.repeated:
        raise Failure(40000, "sendRequestId", given.text("sendRequestId"))
    return success({"maillistTaskId": [task_id(created.id)]}, 40821)


def _refuse_what_comes_later(given: Parameters) -> None:
    """Better no mail than one without its attachment."""
    if given.files:
        raise Failure(40875 if "embeddedImage" in given.files else 40867, given.files[0])
    if given.text("embeddedCid"):
        raise Failure(40875, "embeddedCid", given.text("embeddedCid"))
    if given.flag("useNotification", 40829, False):
        raise Failure(40829, "useNotification", "true")
    if given.flag("gzipCompress", 40861, False):
        raise Failure(40861, "gzipCompress", "true")


def _headers(given: Parameters) -> dict[str, str]:
    """All of them can be kept, or the mail is refused."""
    text = given.text("headers")
    try:
        said = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        raise Failure(40869, "headers", text) from None
    if not isinstance(said, dict | None):
        raise Failure(40869, "headers", text)
    fields = {name: str(value) for name, value in (said or {}).items()}
    found = kept(fields.items())
    if left := [name for name, value in fields.items() if name not in found or not may_keep(name, value)]:
        raise Failure(40869, "headers", left[0], "只支持SC-Custom-*、References和In-Reply-To")
    return found


def _mail(holder: Holder, given: Parameters, recipients: tuple[Recipient, ...], written: Written) -> FreeMail:
    sender, name = _sender(given)
    request_id = given.text("sendRequestId")
    if len(request_id) > LONGEST_REQUEST_ID:
        raise Failure(40901, "sendRequestId", request_id, f"长度不能超过{LONGEST_REQUEST_ID}")
    key = f"apiv2/{holder.caller.api_user_id}/{request_id}" if request_id else None
    return FreeMail(sender, written, recipients, name, _reply_to(given), _label(given), key, _headers(given))


def _sender(given: Parameters) -> tuple[str, str]:
    """Address and name: `a@b`, `Name<a@b>`, or the name in `fromName`."""
    said = given.text("from")
    if not said:
        raise Failure(40801, "from", said)
    match = _NAMED.fullmatch(said)
    address, name = (match["address"], match["name"].strip('"')) if match else (said, "")
    name = given.text("fromName") or name
    if _CONTROLS.search(name):
        raise Failure(40804, "fromName", name)
    return address, name


def _reply_to(given: Parameters) -> str:
    """One address; empty: that of `from`."""
    said = given.several("replyTo")
    if len(said) > MOST_REPLY_TO:
        raise Failure(40879, "replyTo", given.text("replyTo"))
    if len(said) > 1:
        raise Failure(40811, "replyTo", given.text("replyTo"), "暂只支持一个回复地址")
    return said[0] if said else ""


def _label(given: Parameters) -> str:
    number = given.text("labelId")
    if number not in ("", "0"):
        raise Failure(40106, "labelId", number)
    return given.text("labelName")


def _written(given: Parameters) -> Written:
    subject, html = given.text("subject"), given.get("html", "")
    if not subject:
        raise Failure(40808, "subject", subject)
    if _CONTROLS.search(subject):
        raise Failure(40809, "subject", subject)
    plain = "" if html.strip() else given.get("plain", "")
    if not html.strip() and not plain.strip():
        raise Failure(40870)
    _check_summary(given.text("contentSummary"), html)
    return Written(subject, html if html.strip() else "", plain)


def _check_summary(summary: str, html: str) -> None:
    """A line of text that no approved template holds."""
    if len(summary.encode(errors="replace")) > SUMMARY_BYTES:
        raise Failure(40878, "contentSummary", summary)
    if summary and html.strip():
        raise Failure(40908, "contentSummary", summary, "邮件摘要不是已审核模板的内容")


def _recipients(given: Parameters) -> tuple[Recipient, ...]:
    """Those of `xsmtpapi`, else those of `to`; each is written to alone."""
    personal = _personal(given.text("xsmtpapi"))
    if personal is not None and personal.to is not None:
        pairs = zip(personal.to, personal.values, strict=True)
        return tuple(Recipient(_address(to, 40880), own, n) for n, (to, own) in enumerate(pairs, 1))
    for name, code in (("cc", 40853), ("bcc", 40856)):
        if given.several(name):
            raise Failure(code, name, given.text(name))
    return _broadcast(given, personal)


def _personal(text: str) -> Personal | None:
    try:
        return xsmtpapi.read(text)
    except BadXsmtpapi as bad:
        raise Failure(XSMTPAPI_FAULTS[bad.fault], "xsmtpapi", bad.value, bad.detail_zh) from None


def _broadcast(given: Parameters, personal: Personal | None) -> tuple[Recipient, ...]:
    to = given.several("to")
    if not to:
        raise Failure(40805, "to", given.text("to"))
    if len(to) > MOST_TO:
        raise Failure(40807, "to", str(len(to)))
    common: dict[str, Any] = personal.common if personal else {}
    return tuple(Recipient(_address(each, 40806), common, n) for n, each in enumerate(to, 1))


def _address(said: str, code: int) -> str:
    try:
        return normalise_address(said)
    except BadAddress:
        raise Failure(code, "xsmtpapi" if code == 40880 else "to", said) from None


def _email_ids(accepted: Accepted, recipients: tuple[Recipient, ...]) -> list[str]:
    """Of the messages there are: not of those left out, and one of a repeated address."""
    left_out = {one.line for one in accepted.rejected}
    kept = dict.fromkeys(one.address for one in recipients if one.line not in left_out)
    return email_ids(accepted.submission_id, kept)
