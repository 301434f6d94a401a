"""The answers of SendCloud's API: always HTTP 200, the result in the body (reference/sendcloud-api.md §1.1, §11)."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from domain.errors import Refusal, SongdaError
from domain.refusals import explain

OK = 200
MESSAGES = {
    OK: "请求成功",
    40000: "重复请求",
    40005: "认证失败",
    40105: "标签名称长度不能超过50个字符",
    40106: "标签不存在",
    40801: "from不能为空",
    40802: "from格式错误",
    40804: "fromName格式错误",
    40805: "to不能为空",
    40806: "to中有格式错误的地址",
    40807: "to的收件人个数不能超过100",
    40808: "subject不能为空",
    40809: "subject格式错误",
    40811: "replyTo格式错误",
    40813: "xsmtpapi格式错误",
    40815: "xsmtpapi中没有to",
    40816: "xsmtpapi中的to不能为空",
    40817: "xsmtpapi解析错误",
    40820: "没有使用地址列表的权限",
    40821: "地址列表任务创建成功",
    40822: "地址列表任务创建失败",
    40827: "xsmtpapi中to的收件人个数不能超过100",
    40829: "暂不支持已读回执",
    40853: "暂不支持抄送",
    40856: "暂不支持密送",
    40859: "respEmailId格式错误",
    40861: "gzipCompress格式错误",
    40862: "to中的地址列表格式错误",
    40863: "to中有不存在的地址列表",
    40864: "地址列表个数不能超过5",
    40867: "附件异常，暂不支持附件",
    40869: "headers格式错误",
    40870: "html和plain不能同时为空",
    40874: "useAddressList格式错误",
    40875: "暂不支持内嵌图片",
    40878: "contentSummary不能超过200字节",
    40879: "replyTo的个数不能超过3",
    40880: "xsmtpapi中的to有格式错误的地址",
    40901: "邮件发送失败",
    40902: "未知异常",
    40908: "模板匹配失败",
    40912: "余额不足",
    40913: "Request quota exceeded",
}
"""By code. Of the messages on the wire those of 200, 40005, 40821, 40863 and 40913 are recorded; the rest is ours."""

REFUSALS = {
    "unauthenticated": 40005, "account_not_active": 40005, "api_user_disabled": 40005, "api_user_unknown": 40005,
    "api_user_not_yours": 40005, "domain_unknown": 40802, "domain_not_usable": 40802, "domain_not_bound": 40802,
    "content_not_approved": 40908, "quota_exceeded": 40913, "test_quota_exceeded": 40913,
    "balance_insufficient": 40912, "idempotency_reused": 40000, "campaign_needs_batch": 40820,
    "campaign_test_user": 40820, "campaign_list_unknown": 40863,
}  # fmt: skip
"""Refusals whose code says everything; of others the field does (`FIELDS`)."""
FIELDS = {"from": 40802, "from_name": 40804, "reply_to": 40811, "label": 40105}
NAMES = {"from_name": "fromName", "reply_to": "replyTo", "label": "labelName"}
SHOWN = 200
"""Characters of an offending value that are given back."""


class Failure(SongdaError):
    """The request cannot be accepted; `name` and `value` are of the offending parameter."""

    def __init__(self, code: int, name: str = "", value: str = "", detail: str = "") -> None:
        super().__init__(str(code))
        self.code = code
        self.name = name
        self.value = value
        self.detail = detail

    def answer(self) -> Response:
        """`<message>. 参数<name>: <value>`."""
        message = MESSAGES[self.code] + (f". {self.detail}" if self.detail else "")
        if self.name:
            message += f". 参数{self.name}: {self.value[:SHOWN]}"
        return envelope(False, self.code, message, {})


def success(info: Mapping[str, Any], code: int = OK) -> Response:
    """What was asked for is done."""
    return envelope(True, code, MESSAGES[code], info)


def failure_of(refusal: Refusal, parameters: Mapping[str, str]) -> Failure:
    """A refusal of the services in SendCloud's words. Texts are Chinese, as everywhere on this wire."""
    field = refusal.field or ""
    code = REFUSALS.get(refusal.code) or FIELDS.get(field, 40901)
    if code == 40005:
        return Failure(code)
    if code == 40863:
        return Failure(code, "to", str(refusal.params.get("name", "")))
    name = NAMES.get(field, field) if code in FIELDS.values() else ""
    return Failure(code, name, parameters.get(name, ""), detail_of(refusal))


def detail_of(refusal: Refusal) -> str:
    """What is wrong and what to do, in one line."""
    _, detail, step = explain(refusal, "zh")
    return f"{detail}{step}"


def envelope(result: bool, code: int, message: str, info: Mapping[str, Any]) -> Response:
    """The four keys of every answer."""
    body = {"result": result, "statusCode": code, "message": message, "info": info}
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text.encode(errors="replace"), media_type="application/json;charset=UTF-8")
