"""The answers of `/smsapi`: HTTP 200 always, the result in the body (reference/sendcloud-api.md §1.1, §7.6)."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from api.sendcloud.envelope import SHOWN, detail_of, envelope
from domain.errors import Refusal, SongdaError

OK = 200
PART = 311
NONE = 312
MESSAGES = {
    OK: "请求成功",
    PART: "部分成功",
    NONE: "全部请求失败",
    411: "手机号不能为空",
    412: "手机号格式错误",
    413: "有重复的手机号",
    421: "签名参数错误",
    422: "签名错误",
    431: "模板不存在",
    432: "模板未提交审核或者未审核通过",
    433: "模板ID不能为空",
    441: "替换变量格式错误",
    451: "定时发送时间的格式错误",
    452: "定时发送时间早于服务器时间, 时间已过去",
    460: "替换变量后的短信内容不能超过500个字符",
    461: "时间戳无效, 与服务器时间间隔大于60秒",
    471: "smsUser不存在",
    472: "smsUser不能为空",
    473: "没有权限, 免费用户不能发送短信",
    474: "用户不存在",
    481: "手机号和替换变量不能为空",
    482: "手机号和替换变量格式错误",
    483: "替换变量的值不能超过32个字符，且不能含有http链接",
    496: "一分钟内给当前手机号发信太多",
    498: "一天内给当前手机号发信太多",
    499: "账户额度不够",
    501: "服务器异常",
    601: "你没有权限访问",
}
"""By code, in the words of SendCloud's table. Ours differs in 461 (its 6 seconds are 60 here) and 483 (links, too)."""
REFUSALS = {
    "account_not_active": 474, "unauthenticated": 474, "step_missing": 473, "sms_user_not_found": 471,
    "sms_user_disabled": 473, "sms_user_not_yours": 471, "forbidden": 601, "role_forbids": 601, "sms_user_unknown": 471,
    "sms_template_unknown": 431, "sms_template_not_found": 431, "sms_template_not_approved": 432,
    "sms_template_market": 432, "phone_empty": 411, "no_recipients": 411, "phone_invalid": 412, "phone_landline": 412,
    "phone_not_mobile": 412, "phone_not_domestic": 412, "phone_not_international": 412, "phone_duplicate": 413,
    "variables_missing": 441, "sms_value_control": 441, "sms_value_too_long": 483, "sms_value_link": 483,
    "sms_too_long": 460, "sms_too_often_minute": 496, "sms_same_text": 496, "sms_too_often_hour": 498,
    "sms_too_often_day": 498, "balance_insufficient": 499, "contact_no_phones": 411, "contact_phone_scientific": 412,
    "contact_variable_name": 441, "member_too_many_variables": 441,
    "schedule_time_malformed": 451, "schedule_time_missing": 451, "schedule_time_twice": 451, "schedule_too_far": 451,
    "schedule_past": 452, "sms_none_left": NONE, "sms_opted_out": NONE, "sms_blocked_local": NONE,
    "sms_blocked_global": NONE, "sms_country_unpriced": NONE, "too_many_requests": 501,
}  # fmt: skip
"""Refusals of the services by code; of others the caller says which code stands for its call."""


class SmsFailure(SongdaError):
    """The call is refused; `info` is what the answer carries nevertheless."""

    def __init__(self, code: int, detail: str = "", info: Mapping[str, Any] | None = None) -> None:
        super().__init__(str(code))
        self.code = code
        self.detail = detail
        self.info = info or {}

    def answer(self) -> Response:
        """The documented message, and behind a full stop what is wrong and what to do."""
        message = MESSAGES[self.code] + (f". {self.detail}" if self.detail else "")
        return envelope(False, self.code, message, self.info)


def success(info: Mapping[str, Any], message: str = "", code: int = OK) -> Response:
    """What was asked for is done; some calls have a message of their own (`插入成功`)."""
    return envelope(True, code, message or MESSAGES[code], info)


def offending(code: int, name: str, value: str) -> SmsFailure:
    """`<message>. 参数<name>: <value>`."""
    return SmsFailure(code, f"参数{name}: {value[:SHOWN]}")


def failure_of(refusal: Refusal, otherwise: int = 501) -> SmsFailure:
    """A refusal of the services in SendCloud's words. `otherwise`: the code where none is named for it."""
    return SmsFailure(REFUSALS.get(refusal.code, otherwise), detail_of(refusal))
