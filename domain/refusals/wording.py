"""Every refusal Songda gives: stable code, HTTP status, and texts in both languages with the next step.

The texts are `str.format` patterns over the refusal's params.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from domain.errors import Refusal


@dataclass(frozen=True)
class Wording:
    """`detail` says what is wrong with the value; `next_step` what to do about it."""

    status: int
    detail_zh: str
    next_zh: str
    detail_en: str
    next_en: str


REFUSALS: dict[str, Wording] = {}
WORDS = {
    "ownership": ("所有权", "ownership"),
    "spf": ("SPF", "SPF"),
    "dkim": ("DKIM", "DKIM"),
    "template": ("模板", "template"),
    "send": ("发送", "send"),
    "message": ("邮件", "message"),
    "sms": ("短信发送", "SMS send"),
    "sms_message": ("短信", "SMS"),
    "webhook": ("WebHook", "webhook"),
    "certification": ("认证申请", "certification"),
    "document": ("文件", "document"),
    "price": ("价格", "price"),
    "lane": ("通道", "lane"),
    "egress": ("出口地址", "egress address"),
    "destination": ("规则", "rule"),
    "reply_rule": ("规则", "rule"),
    "retry_curve": ("重试曲线", "retry curve"),
    "payment": ("付款", "payment"),
    "account": ("账户", "account"),
    "member": ("成员", "member"),
    "owner": ("所有者", "owner"),
    "admin": ("管理员", "administrator"),
    "developer": ("开发者", "developer"),
    "finance": ("财务", "finance"),
    "viewer": ("查看者", "viewer"),
    "scheduled": ("待开始", "scheduled"),
    "preparing": ("准备中", "being prepared"),
    "sending": ("发送中", "being sent"),
    "paused": ("已暂停", "paused"),
    "blocked": ("无法开始", "blocked"),
    "cancelling": ("取消中", "being cancelled"),
    "finished": ("已完成", "finished"),
    "cancelled": ("已取消", "cancelled"),
    "pause": ("暂停", "pause"),
    "resume": ("继续", "resume"),
    "cancel": ("取消", "cancel"),
    "revise": ("更换内容", "change its content"),
    "active": ("进行中", "active"),
    "needs_human": ("需要处理", "in need of a person"),
    "ended": ("已结束", "over"),
    "waiting": ("排队中", "waiting for its turn"),
    "asked": ("待确认", "waiting for a decision"),
    "done": ("已完成", "done"),
    "skipped": ("已跳过", "skipped"),
    "run": ("立即执行", "run now"),
    "edit": ("修改", "be changed"),
    "skip": ("跳过", "skip"),
    "dns": ("域名没有解析到地址", "no address for the name"),
    "refused_address": ("不允许的地址", "an address that is not allowed"),
    "refused_port": ("不允许的端口", "a port that is not allowed"),
    "connect": ("无法建立连接", "no connection"),
    "tls": ("TLS 证书无法验证", "a TLS certificate that cannot be verified"),
    "timeout": ("超时", "no answer in time"),
    "broken": ("连接中断", "a broken connection"),
}
"""(Chinese, English) of the codes that params hold."""


def register(code: str, status: int, zh: tuple[str, str], en: tuple[str, str]) -> None:
    """Add one refusal to the table; a code is registered once."""
    if code in REFUSALS:
        raise ValueError(f"refusal {code} is registered twice")
    REFUSALS[code] = Wording(status, zh[0], zh[1], en[0], en[1])


def explain(refusal: Refusal, language: str) -> tuple[int, str, str]:
    """(HTTP status, detail, next step) of a refusal in `zh` or `en`."""
    wording = REFUSALS[refusal.code]
    if language == "zh":
        detail, step = wording.detail_zh, wording.next_zh
    else:
        detail, step = wording.detail_en, wording.next_en
    params = _spoken(refusal.params, language)
    return wording.status, detail.format(**params), step.format(**params)


_SPOKEN = ("record", "what", "role", "state", "command", "result")


def _spoken(params: Mapping[str, object], language: str) -> dict[str, object]:
    """Codes among the params as a reader's words; what has no entry stays."""
    chosen = 0 if language == "zh" else 1
    known = {name: WORDS.get(str(params[name])) for name in _SPOKEN if name in params}
    return {**params, **{name: words[chosen] for name, words in known.items() if words}}
