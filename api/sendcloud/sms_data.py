"""`/smsapi/data/*` and `/smsapi/status/query`: statistics and results (reference/sendcloud-api.md §7.5).

Days are of Asia/Shanghai. Every number of a statistics row is a string, sizes are numbers, as SendCloud's samples have
them. `requestNum` is the sum of `sendNum` (delivered), of both kinds of failures and of what is still under way.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import Response

from api.sendcloud.sms_envelope import offending, success
from api.sendcloud.sms_signing import SmsCall, sms_route
from api.sendcloud.sms_words import MARKETS as MARKET_WORDS
from api.sendcloud.sms_words import second
from domain.contacts import storable
from domain.errors import Refusal
from domain.sendcloud_sms import read_sms_id, sms_id, wire_phone
from domain.sms import Market
from domain.sms_hook import FAILURES as LOGS
from domain.sms_numbers import read_phone
from domain.sms_results import ResultCode, code_of
from domain.sms_statistics import MAX_DAYS, YEARS, Line, moments, total
from domain.times import business_day
from store.columns import now
from store.sms_reads import Asked, Status

MARKETS = {"0": Market.DOMESTIC, "2": Market.INTERNATIONAL}
"""By msgType. The others (MMS, voice, QR, YX) are never sent here."""
MSG_TYPES = {market.value: number for number, market in MARKETS.items()}
KNOWN_TYPES = frozenset("012345")
STATUS_DAYS = 30
STATUS_NAMES = 100
USUAL_DAYS = 1
DELIVERED, UNDER_WAY = 200, 0
NOT_PROCESSED = {
    "globalBlackListNum": ResultCode.BLOCKED_GLOBAL,
    "userBlackListNum": ResultCode.BLOCKED_LOCAL,
    "unsubscribleNum": ResultCode.OPTED_OUT,
    "keyWordFilterNum": ResultCode.KEYWORD,
    "errorVarsNum": ResultCode.VARIABLES,
    "varsContentTooLongNum": ResultCode.TOO_LONG,
    "encodingExceptionNum": None,
    "sendTypeUnsupportedNum": ResultCode.PROCESSING,
}
"""The documented columns, misspelt one included. None: cannot happen here."""
NOT_DELIVERED = {
    "emptyPhoneNumberNum": ResultCode.EMPTY_NUMBER,
    "outOfServiceNum": ResultCode.SUSPENDED,
    "complaintsNum": ResultCode.BLACKLISTED,
    "busyNum": ResultCode.BUSY,
    "noAnswerNum": ResultCode.NO_ANSWER,
    "interceptNum": ResultCode.INTERCEPTED,
    "breakDownNum": ResultCode.HANDSET,
    "notInServiceNum": ResultCode.OUT_OF_AREA,
    "shutDownNum": ResultCode.SWITCHED_OFF,
    "othersNum": ResultCode.OTHER,
}
FAILURES = {
    ResultCode.PROCESSING: "其他",
    ResultCode.BLOCKED_GLOBAL: "全局拦截列表",
    ResultCode.BLOCKED_LOCAL: "局部拦截列表",
    ResultCode.OPTED_OUT: "取消订阅",
    ResultCode.KEYWORD: "关键字过滤",
    ResultCode.VARIABLES: "变量错误",
    ResultCode.TOO_LONG: "内容超过500字",
    ResultCode.EMPTY_NUMBER: "空号",
    ResultCode.SUSPENDED: "停机",
    ResultCode.BLACKLISTED: "运营商黑名单",
    ResultCode.BUSY: "忙",
    ResultCode.NO_ANSWER: "无应答",
    ResultCode.INTERCEPTED: "投诉拦截",
    ResultCode.HANDSET: "终端故障",
    ResultCode.OUT_OF_AREA: "不在服务区",
    ResultCode.SWITCHED_OFF: "关机",
    ResultCode.OTHER: "其他",
}
Row = dict[str, str]


async def send_day(call: SmsCall) -> Response:
    """What was asked for and delivered, by day and template, or all of it together."""
    first, last, found = await _found(call)
    if _aggregated(call):
        return success({"total": _send_row(total(found), (f"{first}到{last}", "None", "None"))})
    rows = [_send_row(line, _about(line)) for line in found]
    return success({"dataList": rows, "dataListSize": len(rows)})


async def process_failed(call: SmsCall) -> Response:
    """Why messages failed before a carrier had them."""
    return await _failures(call, NOT_PROCESSED)


async def send_failed(call: SmsCall) -> Response:
    """Why carriers did not deliver."""
    return await _failures(call, NOT_DELIVERED)


async def _failures(call: SmsCall, columns: Mapping[str, ResultCode | None]) -> Response:
    first, last, found = await _found(call)
    if _aggregated(call):
        return success({"total": _named((f"{first}到{last}", "None", "None")) | _reasons(total(found), columns)})
    rows = [_named(_about(line)) | _reasons(line, columns) for line in found]
    return success({"count": len(rows), "voList": rows})


async def _found(call: SmsCall) -> tuple[dt.date, dt.date, list[Line]]:
    first, last = _days(call, MAX_DAYS)
    markets, templates = _markets(call), call.given.several("templateIdsStr")
    for each in templates:
        _number(each, "templateIdsStr")
    found = await call.served.sms_reads.statistics(call.caller, first, last)
    return first, last, [
        line for line in found
        if (not markets or line.market in markets) and (not templates or str(line.template) in templates)
    ]  # fmt: skip


def _days(call: SmsCall, most: int, usual: int = USUAL_DAYS) -> tuple[dt.date, dt.date]:
    """The days that are asked about, both count: `days` of them until today, or `startDate` to `endDate`."""
    today = business_day(now())
    days, start, end = (call.given.text(name) for name in ("days", "startDate", "endDate"))
    if start or end:
        first, last = _day(start, "startDate"), _day(end, "endDate")
        if first > last or (last - first).days >= most:
            raise offending(501, "startDate", f"{start}（最多{most}天，且不晚于endDate）")
        return first, last
    count = _number(days, "days") if days else usual
    if not 1 <= count <= most:
        raise offending(501, "days", f"{days}（1到{most}）")
    return today - dt.timedelta(days=count - 1), today


def _day(text: str, name: str) -> dt.date:
    try:
        found = dt.datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day, of Shanghai
    except ValueError as error:
        raise offending(501, name, f"{text}（yyyy-MM-dd）") from error
    if found.year not in YEARS:
        raise offending(501, name, text)
    return found


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise offending(501, name, text)
    return int(text)


def _markets(call: SmsCall) -> tuple[str, ...]:
    """Of `msgTypeStr`, `;` between several; none: all."""
    asked = call.given.several("msgTypeStr")
    for each in asked:
        if each not in KNOWN_TYPES:
            raise offending(501, "msgTypeStr", each)
    return tuple(MARKETS[each].value if each in MARKETS else "none" for each in asked)


def _aggregated(call: SmsCall) -> bool:
    said = call.given.text("aggregate") or call.given.text("Aggregate")  # the official sample for Java says so
    if said not in ("", "0", "1"):
        raise offending(501, "aggregate", said)
    return said == "1"


def _about(line: Line) -> tuple[str, str, str]:
    return line.day.isoformat(), str(line.template), MSG_TYPES[line.market]


def _named(about: tuple[str, str, str]) -> Row:
    return dict(zip(("sendDate", "templateId", "msgType"), about, strict=True))


def _send_row(line: Line, about: tuple[str, str, str]) -> Row:
    return _named(about) | {
        "requestNum": str(line.requested),
        "sendNum": str(line.delivered),
        "processFailedNum": str(line.not_processed),
        "sendFailedNum": str(line.not_delivered),
        "billingNum": str(line.charged),
        "sendRatio": line.ratio(line.delivered),
        "processFailedRatio": line.ratio(line.not_processed),
        "sendFailedRatio": line.ratio(line.not_delivered),
    }


def _reasons(line: Line, columns: Mapping[str, ResultCode | None]) -> Row:
    return {name: str(line.reasons[code]) if code else "0" for name, code in columns.items()}


async def status_query(call: SmsCall) -> Response:
    """What became of messages: by phone, smsId, type or template, of at most 30 days."""
    number, found = await call.served.sms_reads.status(call.caller, _asked(call))
    return success({"total": str(number), "voListSize": len(found), "voList": [_status(one) for one in found]})


def _asked(call: SmsCall) -> Asked:
    given = call.given
    ids = _few(given.several("smsIds"), "smsIds")
    since, until = moments(*_days(call, STATUS_DAYS, STATUS_DAYS if ids else USUAL_DAYS))
    names = [(name.submission, name.ordinal) for each in ids if (name := read_sms_id(each))]
    if ids and not names:
        raise offending(501, "smsIds", ids[0])
    template = given.text("templateId")
    return Asked(
        since=since,
        until=until,
        phones=[_phone(each) for each in _few(given.several("phones"), "phones")],
        names=names,
        markets=_markets(call),
        template=_number(template, "templateId") if template else None,
        template_name=storable(given.text("templateName")),
        start=_between(given.text("start"), "start", 0, 10**9, 0),
        limit=_between(given.text("limit"), "limit", 0, 100, 100),
    )


def _few(values: list[str], name: str) -> list[str]:
    if len(values) > STATUS_NAMES:
        raise offending(501, name, f"{len(values)}（最多{STATUS_NAMES}个）")
    return values


def _phone(written: str) -> str:
    try:
        return read_phone(written).e164
    except Refusal as refusal:
        raise offending(412, "phones", written) from refusal


def _between(text: str, name: str, least: int, most: int, otherwise: int) -> int:
    number = _number(text, name) if text else otherwise
    if not least <= number <= most:
        raise offending(501, name, text)
    return number


def _status(one: Status) -> dict[str, Any]:
    code, words = _result(one)
    return {
        "smsId": sms_id(one.send_id, one.ordinal, one.phone),
        "msgType": MARKET_WORDS[Market(one.market)],
        "receiver": wire_phone(one.phone),
        "requestTime": second(one.accepted_at),
        "sendLog": one.reply or _log(code),
        "smsUser": one.sms_user,
        "status": words,
        "statusCode": code,
        "templateId": str(one.template),
        "templateName": one.template_name,
        "updateTime": second(one.changed_at),
    }


def _result(one: Status) -> tuple[int, str]:
    """Code and words: `处理失败-局部拦截列表`, say. What is under way has the code 0: it must be a number."""
    if one.outcome == "delivered":
        return DELIVERED, "送达"
    if one.outcome in ("queued", "deferred", "sent"):
        return UNDER_WAY, "请求"
    code = code_of(one.reason)
    return int(code), f"{'发送失败' if code.is_delivery else '处理失败'}-{FAILURES[code]}"


def _log(code: int) -> str:
    """What is told where no carrier said anything."""
    if code in (DELIVERED, UNDER_WAY):
        return "发送成功" if code == DELIVERED else ""
    return LOGS[ResultCode(code)]


_CALLS: dict[str, Callable[..., Any]] = {
    "data/sendDay": send_day,
    "data/processFailed": process_failed,
    "data/sendFailed": send_failed,
    "status/query": status_query,
}
ROUTES = [sms_route(path, handler) for path, handler in _CALLS.items()]
