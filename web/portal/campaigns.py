"""/portal/campaigns: the account's campaigns, and each of them live; pause, resume, cancel, another content."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.responses import HTMLResponse, Response

from domain.campaigns import ALLOWED, CampaignState, Command, DailyHours
from domain.errors import Refusal
from domain.lanes import lane_title
from domain.money import show_unit
from domain.refusals import explain
from domain.reviews import ReviewState
from services.campaign_view import CampaignView
from store.columns import now
from store.sends_read import OUTCOMES
from web.i18n import mark as _
from web.pages import Caller, Signed, fragment, language_of, refused, render, see, served, translator
from web.portal.sends import bar
from web.portal.suppressions import HELD

router = APIRouter(prefix="/portal/campaigns")

PAGE = 20
RECONNECT_MS = 2000


@dataclass(frozen=True)
class Look:
    """A state in words, its Tabler colour, and what it means for the customer."""

    word: str
    tone: str
    meaning: str


LOOKS = {
    CampaignState.SCHEDULED: Look(_("待开始"), "info", _("到开始时间后自动开始。")),
    CampaignState.PREPARING: Look(
        _("准备中"), "info", _("正在复制地址列表的成员，然后预留费用与额度。在此期间不能修改这些列表。")
    ),
    CampaignState.SENDING: Look(_("发送中"), "success", _("正在发送，本页自动更新。")),
    CampaignState.PAUSED: Look(
        _("已暂停"), "warning", _("不再开始新的发送，点“继续”后接着发送。暂停的时间不计入有效时长。")
    ),
    CampaignState.BLOCKED: Look(_("无法开始"), "danger", _("解决下面的问题后，点“继续”重试。")),
    CampaignState.CANCELLING: Look(_("取消中"), "warning", _("正在丢弃尚未发出的邮件，并退回预留的费用。")),
    CampaignState.FINISHED: Look(_("已完成"), "success", _("每封邮件都有了结果，报告已发到所有者的邮箱。")),
    CampaignState.CANCELLED: Look(_("已取消"), "secondary", _("未发出的邮件已丢弃，不收费。已发出的不受影响。")),
}
DONE = {
    Command.PAUSE: _("已暂停。"),
    Command.RESUME: _("已继续。"),
    Command.CANCEL: _("正在取消。"),
    Command.REVISE: _("未发出的邮件将使用新版本。"),
}
"""What the next page says."""


@router.get("")
async def campaigns(request: Request, caller: Signed, after: UUID | None = None) -> Response:
    """Newest first."""
    found = await served(request).campaigns.page(caller, after, PAGE + 1)
    rows = [(view, parts(view)) for view in found[:PAGE]]
    following = found[PAGE - 1].row.id if len(found) > PAGE else None
    return render(request, "portal/campaigns.html", rows=rows, after=after, next=following, LOOKS=LOOKS)


@router.get("/{campaign_id}")
async def campaign(request: Request, caller: Signed, campaign_id: UUID) -> Response:
    """One campaign, live."""
    view = await served(request).campaigns.view(caller, campaign_id)
    return render(request, "portal/campaigns_one.html", **shown(view, language_of(request)))


async def _own(request: Request, caller: Signed, campaign_id: UUID) -> CampaignView:
    """Refuses before a stream begins."""
    return await served(request).campaigns.view(caller, campaign_id)


@router.get("/{campaign_id}/events", response_class=EventSourceResponse)
async def events(
    request: Request, caller: Signed, own: Annotated[CampaignView, Depends(_own)]
) -> AsyncIterator[ServerSentEvent]:
    """Events `campaign`: the part of the page that changes, now and after each change."""
    language = language_of(request)
    async for view in served(request).campaigns.watch(caller, own.row.id):
        html = fragment(request, "portal/campaigns_live.html", **shown(view, language))
        yield ServerSentEvent(event="campaign", retry=RECONNECT_MS, data=html)


@router.get("/{campaign_id}/contents")
async def contents(request: Request, caller: Signed, campaign_id: UUID) -> Response:
    """Which content went to how many, and the form for another one."""
    return await _contents(request, caller, campaign_id)


@router.post("/{campaign_id}/pause")
async def pause(request: Request, caller: Signed, campaign_id: UUID) -> Response:
    return await _act(request, caller, campaign_id, Command.PAUSE)


@router.post("/{campaign_id}/resume")
async def resume(request: Request, caller: Signed, campaign_id: UUID) -> Response:
    return await _act(request, caller, campaign_id, Command.RESUME)


@router.post("/{campaign_id}/cancel")
async def cancel(request: Request, caller: Signed, campaign_id: UUID) -> Response:
    """What is unsent is dropped."""
    return await _act(request, caller, campaign_id, Command.CANCEL)


@router.post("/{campaign_id}/revise")
async def revise(request: Request, caller: Signed, campaign_id: UUID) -> Response:
    """Another approved version of the template for what is unsent."""
    asked = str((await request.form()).get("version", "")).strip()
    here = f"/portal/campaigns/{campaign_id}/contents"
    try:
        version = _number(asked)
        await served(request).campaigns.act(caller, campaign_id, Command.REVISE, version)
    except Refusal as refusal:
        if refusal.code == "campaign_not_found":
            raise
        return await _contents(request, caller, campaign_id, refusal)
    return see(here, request, translator(request)(DONE[Command.REVISE]))


def _number(asked: str) -> int | None:
    """A version's number; blank: the newest. Raises the refusal `campaign_version`."""
    if not asked:
        return None
    if not (asked.isascii() and asked.isdigit() and len(asked) < 10):
        raise Refusal("campaign_version", field="version")
    return int(asked)


async def _act(request: Request, caller: Caller, campaign_id: UUID, asked: Command) -> Response:
    """Do it, and say on the next page how it went."""
    here = f"/portal/campaigns/{campaign_id}"
    try:
        await served(request).campaigns.act(caller, campaign_id, asked)
    except Refusal as refusal:
        if refusal.code == "campaign_not_found":
            raise
        said = refused(refusal, language_of(request))
        return see(here, request, said[refusal.field or ""], "danger")
    return see(here, request, translator(request)(DONE[asked]))


async def _contents(
    request: Request, caller: Caller, campaign_id: UUID, refusal: Refusal | None = None
) -> HTMLResponse:  # fmt: skip
    view = await served(request).campaigns.view(caller, campaign_id)
    known = {
        "view": view, "row": view.row, "revisions": await served(request).campaigns.revisions(caller, campaign_id),
        "versions": await _versions(request, caller, view), "can_revise": _can(Command.REVISE, view),
        "address": f"/portal/campaigns/{campaign_id}/contents",
    }  # fmt: skip
    language = language_of(request)
    errors = refused(refusal, language) if refusal else {}
    status = explain(refusal, language)[0] if refusal else 200
    return render(request, "portal/campaigns_contents.html", status, errors=errors, **known)


async def _versions(request: Request, caller: Caller, view: CampaignView) -> list[int]:
    """Approved versions that what is unsent could get instead, newest first; none when the template is gone."""
    try:
        template = await served(request).templates.get(caller, view.row.template)
    except Refusal:
        return []
    approved = [head.number for head in template.heads if head.state == ReviewState.APPROVED]
    return [number for number in approved if number != view.row.template_version]


def _can(asked: Command, view: CampaignView) -> bool:
    return CampaignState(view.row.state) in ALLOWED[asked]


def parts(view: CampaignView) -> list[tuple[str, int, float, float]]:
    """The bar of outcomes."""
    counts = view.counts
    known = {name: getattr(counts, name) for name in ("delivered", "bounced", "dropped", "unknown", "deferred")}
    rest = dict.fromkeys(OUTCOMES, 0) | known | {"queued": max(0, view.waiting - counts.deferred)}
    return bar(rest, counts.recipients)


def percent(view: CampaignView) -> int:
    """Never 100 while something waits."""
    if not view.counts.recipients:
        return 100 if view.row.is_over else 0
    return int(100 * (view.counts.recipients - view.waiting) / view.counts.recipients)


def shown(view: CampaignView, language: str) -> dict[str, Any]:
    """What the live part of the page needs."""
    row = view.row
    problem = explain(view.problem, language)[1:] if view.problem else None
    return {
        "view": view,
        "row": row,
        "counts": view.counts,
        "look": LOOKS[CampaignState(row.state)],
        "HELD": HELD,
        "problem": problem,
        "bar": parts(view),
        "percent": percent(view),
        "lanes": [(lane_title(lane.lane, language), lane, _share(lane)) for lane in view.counts.lanes],
        "cost": show_unit(view.charged_micro),
        "rests_until": rests_until(view),
        "can": {command.value: _can(command, view) for command in Command},
    }


def _share(lane: Any) -> int:
    """Of a provider's messages with an outcome, in percent."""
    return int(100 * (lane.delivered + lane.bounced + lane.dropped) / max(1, lane.recipients))


def rests_until(view: CampaignView) -> Any:
    """When its daily hours begin next, while it would be sending outside of them."""
    row = view.row
    if row.state != CampaignState.SENDING or row.hours_from is None or row.hours_to is None:
        return None
    moment = now()
    hours = DailyHours(row.hours_from, row.hours_to)
    return None if hours.contains(moment) else hours.next_opening(moment)
