"""What the modules of `/smsapi` share: the words of its values, its dates, its numbers (reference §7.4)."""

import datetime as dt
from collections.abc import Mapping
from typing import TypeVar

from api.sendcloud.parameters import Parameters
from api.sendcloud.sms_envelope import SmsFailure, offending
from api.sendcloud.sms_signing import SmsCall
from domain.reviews import ReviewState
from domain.sms import Market, SmsKind
from domain.times import SHANGHAI

VERIFY = {
    ReviewState.APPROVED: "审核通过",
    ReviewState.SUBMITTED: "待审核",
    ReviewState.REJECTED: "审核不通过",
    ReviewState.DRAFT: "未提交审核",
    ReviewState.WITHDRAWN: "未提交审核",
}
"""`isVerify` and `verifyStatus`. The first three are documented; the last is ours, for what nobody reviews."""
VERIFY_STATES = {
    "1": (ReviewState.APPROVED,),
    "-1": (ReviewState.REJECTED,),
    "0": (ReviewState.SUBMITTED, ReviewState.DRAFT, ReviewState.WITHDRAWN),
}
"""By `isVerifyStr`; 0 is everything that nobody has decided."""
MARKETS = {Market.DOMESTIC: "国内短信", Market.INTERNATIONAL: "国际短信"}
SIGN_TYPES = {"0": Market.DOMESTIC, "1": Market.INTERNATIONAL}
KINDS = {SmsKind.CODE: "验证码", SmsKind.NOTICE: "通知", SmsKind.MARKETING: "营销"}
KIND_NUMBERS = {"0": SmsKind.CODE, "1": SmsKind.NOTICE, "2": SmsKind.MARKETING}
INSERTED, UPDATED, SUBMITTED, DELETED = "插入成功", "更新成功", "提交成功", "删除成功"
FOUND, SAVED = "查询成功", "保存成功"
"""What SendCloud's samples say besides; each kind of object has words of its own."""
USUAL_LIMIT, LARGEST_LIMIT = 100, 1_000
LONGEST_REQUEST_ID = 128
_LARGEST = 2**63 - 1
T = TypeVar("T")


def day(moment: dt.datetime) -> str:
    """As templates have their dates."""
    return f"{moment.astimezone(SHANGHAI):%Y-%m-%d}"


def second(moment: dt.datetime | None) -> str:
    """As everything else has its times; empty: not yet."""
    return f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}" if moment else ""


def window(given: Parameters) -> tuple[int, int]:
    """`start` (0) and `limit` (100). Raises `SmsFailure` 501."""
    return _within(given, "start", 0, _LARGEST), _within(given, "limit", USUAL_LIMIT, LARGEST_LIMIT)


def _within(given: Parameters, name: str, usual: int, most: int) -> int:
    said = given.text(name)
    if not said:
        return usual
    found = number_of(said)
    if found is None:
        raise offending(501, name, said)
    return min(found, most)


def number_of(text: str) -> int | None:
    """A number that can be one of ours; None: it cannot."""
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    return found if (found := int(text)) <= _LARGEST else None


def chosen(given: Parameters, name: str, choices: Mapping[str, T], usual: str = "") -> T:
    """What a parameter chooses. Raises `SmsFailure` 501 for anything else."""
    said = given.text(name) or usual
    if said not in choices:
        raise offending(501, name, said)
    return choices[said]


async def label_of(call: SmsCall) -> str:
    """The name of `labelId`; 0 and nothing are no label. Raises `SmsFailure` 501, or the refusal of an unknown one."""
    said = call.given.text("labelId")
    if said in ("", "0"):
        return ""
    number = number_of(said)
    if number is None:
        raise offending(501, "labelId", said)
    return (await call.served.sms_labels.get(call.caller, number)).name


def request_id(call: SmsCall) -> str | None:
    """`sendRequestId`, as a key of this SMS user's. Raises `SmsFailure` 501."""
    said = call.given.text("sendRequestId")
    if len(said) > LONGEST_REQUEST_ID:
        raise SmsFailure(501, f"sendRequestId长度不能超过{LONGEST_REQUEST_ID}")
    return f"smsapi/{call.caller.sms_user_id}/{said}" if said else None
