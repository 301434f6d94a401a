"""/portal/: what needs attention, what was sent today and in two weeks, what is left of quota and money."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from domain.dashboard import Attention, Concern, DayCount
from domain.money import show_yuan
from domain.step_texts import NAMES, in_language, missing_text
from services.dashboard import Overview
from services.onboarding import StepView
from web.i18n import mark as _
from web.pages import Signed, language_of, render, served

router = APIRouter(prefix="/portal")

HEIGHT, WIDTH, TOP = 120, 40, 14
"""Of the chart, in its own units: the tallest bar, one day, and the room for the number above it."""


@dataclass(frozen=True)
class Card:
    """How a concern is told: a headline, where to go, what the link says; `{label}` is the thing's name."""

    tone: str
    text: str
    place: str
    link: str


CARDS = {
    Concern.DOMAIN_BROKEN: Card(
        "danger", _("发信域名 {label} 的解析记录缺失或有误，已暂停发信。"),
        "/portal/domains/{subject}", _("查看应发布的记录"),
    ),
    Concern.DOMAIN_LOST: Card(
        "danger", _("发信域名 {label} 的所有权记录指向另一个账户，不能再用它发信。"),
        "/portal/domains/{subject}", _("查看域名"),
    ),
    Concern.WEBHOOK_DISABLED: Card(
        "danger", _("WebHook {label} 已被停用，事件正在等待。"), "/portal/webhooks/{subject}", _("查看推送记录并启用")
    ),
    Concern.QUALITY_BAD: Card(
        "danger", _("最近 7 天的发信质量差，邮件可能被拒收。"), "/portal/sending-quality", _("查看原因和建议")
    ),
    Concern.CERTIFICATION_REJECTED: Card("danger", _("认证未通过。"), "/portal/certification", _("查看原因并修改")),
    Concern.CERTIFICATION_EXPIRES: Card("warning", _("认证即将到期。"), "/portal/certification", _("重新认证")),
    Concern.TEMPLATE_REJECTED: Card(
        "warning", _("模板“{label}”未通过审核。"), "/portal/templates/{subject}", _("修改模板")
    ),
    Concern.SMS_SIGNATURE_REJECTED: Card(
        "warning", _("短信签名【{label}】未通过审核。"), "/portal/sms-signatures/{subject}", _("修改签名")
    ),
    Concern.SMS_TEMPLATE_REJECTED: Card(
        "warning", _("短信模板“{label}”未通过审核。"), "/portal/sms-templates/{subject}", _("修改模板")
    ),
    Concern.QUOTA_USED_UP: Card(
        "danger", _("今天的额度已用完，北京时间 0 点恢复。"), "/portal/onboarding", _("如何提高额度")
    ),
    Concern.QUOTA_NEARLY_USED: Card("warning", _("今天的额度快用完了。"), "/portal/onboarding", _("如何提高额度")),
    Concern.BALANCE_LOW: Card("warning", _("余额不足，可能很快不能发送收费邮件。"), "/portal/recharges", _("去充值")),
}  # fmt: skip
WORDS = {
    Concern.TEMPLATE_REJECTED,
    Concern.SMS_SIGNATURE_REJECTED,
    Concern.SMS_TEMPLATE_REJECTED,
    Concern.CERTIFICATION_REJECTED,
    Concern.CERTIFICATION_EXPIRES,
}
"""Concerns whose detail is meant for people: a reviewer's reason, a date."""
REVIEWS = {
    "template": (_("模板审核"), "/portal/templates/"),
    "sms_signature": (_("短信签名审核"), "/portal/sms-signatures/"),
    "sms_template": (_("短信模板审核"), "/portal/sms-templates/"),
    "certification": (_("认证审核"), "/portal/certification"),
}


@dataclass(frozen=True)
class Bar:
    """One day of the chart: three parts from the bottom up, as (class, y, height)."""

    day: DayCount
    x: int
    parts: tuple[tuple[str, float, float], ...]
    top: float


@router.get("/")
async def dashboard(request: Request, caller: Signed) -> HTMLResponse:
    """The whole page."""
    overview = await served(request).dashboard.show(caller)
    return render(request, "portal/dashboard.html", **_context(overview, language_of(request)))


def _context(overview: Overview, language: str) -> dict[str, Any]:
    return {
        "overview": overview,
        "attention": [(CARDS[each.concern], _filled(each), _detail(each)) for each in overview.attention],
        "reviews": [(each, *REVIEWS[each.kind]) for each in overview.waiting],
        "step": _step(overview.next_step, language) if overview.next_step else None,
        "sms_step": _step(overview.sms_step, language) if overview.sms_step else None,
        "bars": chart(overview.days),
        "yuan": show_yuan,
        "chart_size": (WIDTH * len(overview.days), TOP + HEIGHT + 20),
    }


def _filled(each: Attention) -> str:
    return CARDS[each.concern].place.format(subject=each.subject)


def _detail(each: Attention) -> str:
    return each.detail if each.concern in WORDS else ""


def _step(step: StepView, language: str) -> dict[str, str]:
    return {
        "name": in_language(NAMES[step.step], language),
        "missing": missing_text(step.lack, language) if step.lack else "",
        "place": step.place or "/portal/onboarding",
    }


def chart(days: tuple[DayCount, ...]) -> list[Bar]:
    """Bars in the chart's units; the busiest day is as tall as the chart."""
    most = max((day.total for day in days), default=0) or 1
    return [_bar(day, number * WIDTH, HEIGHT / most) for number, day in enumerate(days)]


def _bar(day: DayCount, x: int, scale: float) -> Bar:
    bottom, parts = float(TOP + HEIGHT), []
    for name, number in (("delivered", day.delivered), ("pending", day.pending), ("failed", day.failed)):
        height = round(number * scale, 2)
        bottom = round(bottom - height, 2)
        if height:
            parts.append((name, bottom, height))
    return Bar(day, x, tuple(parts), bottom)
