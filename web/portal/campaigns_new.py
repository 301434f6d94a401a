"""/portal/campaigns/new: a campaign in five steps. What was chosen travels in the form, so it needs no script."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from domain.campaigns import LIVES_HOURS, MAX_LISTS, DailyHours, NewCampaign
from domain.errors import Refusal
from domain.money import MICRO_PER_FEN, show_unit, show_yuan
from domain.refusals import explain
from domain.secrets import new_token
from domain.senders import SendKind
from domain.times import SHANGHAI, business_day
from services.ledger import Balance
from store.audience import AddressList
from store.columns import now
from store.sends_read import Approved
from web.i18n import mark as _
from web.pages import Caller, Signed, language_of, refused, render, see, served, translator

router = APIRouter(prefix="/portal/campaigns/new")

TEMPLATE = "portal/campaigns_new.html"
STEPS = {
    "content": _("内容"),
    "sender": _("发件人"),
    "lists": _("地址列表"),
    "time": _("时间"),
    "check": _("确认"),
}
ORDER = tuple(STEPS)
FIELDS = {
    "content": ("name", "template"),
    "sender": ("api_user", "from", "from_name", "reply_to", "label"),
    "lists": ("lists",),
    "time": ("when", "start_at", "daily", "hours_from", "hours_to", "lives_hours"),
}
"""What each step asks for."""
REQUIRED = ("name", "template", "api_user", "from")
_STEP_OF = {name: step for step, names in FIELDS.items() for name in names} | {"hours": "time"}
_UNCHOSEN = ("-",)
"""Stands for the lists while a step before them is looked at."""


@dataclass(frozen=True)
class Draft:
    """The form: which step was shown, where its button leads, and all that was filled in so far."""

    values: Mapping[str, str]
    lists: tuple[str, ...] = ()
    step: str = "content"
    to: str = "content"

    @property
    def goes_on(self) -> bool:
        """Whether it wants to a later step; else it goes back, which asks nothing of the fields."""
        return self.to not in ORDER or ORDER.index(self.to) > ORDER.index(self.step)

    def asked(self) -> NewCampaign:
        """As the services understand it. Raises `Refusal` for what is no time or number."""
        value = self.values
        return NewCampaign(
            value["name"].strip(), value["api_user"], value["template"], value["from"].strip(), self.lists,
            value["from_name"].strip(), value["reply_to"].strip(), value["label"].strip(), self._start_at(),
            self._hours(), self._lives_hours(), f"form/{value['form'][:64]}",
        )  # fmt: skip

    def _start_at(self) -> dt.datetime | None:
        if self.values["when"] != "at":
            return None
        try:
            return dt.datetime.fromisoformat(self.values["start_at"].strip()).replace(tzinfo=SHANGHAI)
        except ValueError as error:
            raise Refusal("campaign_time_malformed", field="start_at") from error

    def _hours(self) -> DailyHours | None:
        if not self.values["daily"]:
            return None
        try:
            since, until = (dt.time.fromisoformat(self.values[name].strip()) for name in ("hours_from", "hours_to"))
        except ValueError as error:
            raise Refusal("campaign_hours_malformed", field="hours") from error
        return DailyHours(since.replace(tzinfo=None), until.replace(tzinfo=None))

    def _lives_hours(self) -> int:
        """Zero for what is no number: it is refused with the limits."""
        text = self.values["lives_hours"].strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


@dataclass(frozen=True)
class Estimate:
    """What the campaign will need. `members` counts an address in two lists twice; money is in micro-yuan."""

    members: int
    quota_left: int
    daily_quota: int
    unit: int
    cost: int
    available: int | None
    """None: this member may not see it."""


@router.get("")
async def new_campaign(request: Request, caller: Signed, template: str = "") -> Response:
    """The first step."""
    return await _page(request, caller, Draft(_blank() | {"template": template}), "content")


@router.post("")
async def go_on(request: Request, caller: Signed) -> Response:
    """The next step or an earlier one; at the end the campaign is made."""
    draft = _draft(await request.form())
    if draft.goes_on:
        refusal = await _wrong(request, caller, draft)
        if refusal is not None:
            return await _again(request, caller, draft, refusal)
    if draft.to != "create":
        return await _page(request, caller, draft, draft.to)
    try:
        made = await served(request).campaigns.create(caller, draft.asked())
    except Refusal as refusal:
        return await _again(request, caller, draft, refusal)
    return see(f"/portal/campaigns/{made.id}", request, translator(request)("群发任务已创建。"))


def _blank() -> dict[str, str]:
    fields = {name: "" for names in FIELDS.values() for name in names if name != "lists"}
    times = {"when": "now", "hours_from": "09:00", "hours_to": "18:00", "lives_hours": str(LIVES_HOURS)}
    return fields | times | {"form": new_token()}


def _draft(form: FormData) -> Draft:
    blank = _blank()
    values = {name: str(form.get(name, "" if name == "daily" else default))[:1000] for name, default in blank.items()}
    step, to = str(form.get("step", "content")), str(form.get("to", "content"))
    return Draft(
        values | {"form": values["form"] or blank["form"]},
        tuple(str(one) for one in form.getlist("lists"))[: MAX_LISTS + 1],
        step if step in ORDER else "content",
        to if to in (*ORDER, "create") else "content",
    )


async def _wrong(request: Request, caller: Caller, draft: Draft) -> Refusal | None:
    """What is wrong before the step that is wanted; later fields are not looked at yet."""
    last = ORDER.index(draft.to) - 1 if draft.to in ORDER else len(ORDER)
    try:
        for name in REQUIRED:
            if ORDER.index(_STEP_OF[name]) <= last and not draft.values[name].strip():
                raise Refusal("required", field=name)
        asked = draft.asked()
        if last < ORDER.index("lists"):
            asked = replace(asked, lists=_UNCHOSEN)
        await served(request).campaigns.check(caller, asked)
    except Refusal as refusal:
        return refusal if ORDER.index(_step_of(refusal, draft)) <= last else None
    return None


def _step_of(refusal: Refusal, draft: Draft) -> str:
    """Where the field is that a refusal names; the step that was shown when it names none."""
    return _STEP_OF.get((refusal.field or "").partition("[")[0], draft.step)


async def _again(request: Request, caller: Caller, draft: Draft, refusal: Refusal) -> Response:
    """The step with the field that is wrong."""
    place = (refusal.field or "").partition("[")[0]
    if refusal.code == "idempotency_reused":
        place = ""
        draft = replace(draft, values={**draft.values, "form": new_token()})
    moved = Refusal(refusal.code, place if place in _STEP_OF else "", **refusal.params)
    return await _page(request, caller, draft, _step_of(refusal, draft), moved)


async def _page(request: Request, caller: Caller, draft: Draft, step: str, refusal: Refusal | None = None) -> Response:
    language = language_of(request)
    errors = refused(refusal, language) if refusal else {}
    status = explain(refusal, language)[0] if refusal else 200
    choices = await served(request).sending.choices(caller)
    lists = await served(request).audience.choices(caller)
    templates = [one for one in choices.templates if one.kind == SendKind.BATCH]
    users = [one for one in choices.identities if one.kind == SendKind.BATCH and not one.is_test]
    context: dict[str, Any] = {
        "step": step, "STEPS": STEPS, "ORDER": ORDER, "FIELDS": FIELDS, "draft": draft, "values": draft.values,
        "errors": errors, "templates": templates, "users": users, "lists": lists,
        "domains": sorted({domain for user in users for domain in user.domains}),
        "address": "/portal/campaigns/new", "today": dt.datetime.now(SHANGHAI),
    }  # fmt: skip
    if step == "check":
        context |= await _last(request, caller, draft, templates, lists)
    return render(request, TEMPLATE, status, **context)


async def _last(
    request: Request, caller: Caller, draft: Draft, templates: list[Approved], lists: list[AddressList]
) -> dict[str, Any]:  # fmt: skip
    """What the last step shows: everything that was chosen, the estimate, and what may stand in the way."""
    asked = draft.asked()
    chosen = [one for one in lists if {str(one.id), one.alias} & set(draft.lists)]
    template = next((one for one in templates if one.invoke_name == asked.template), None)
    estimate = estimated(asked, chosen, await served(request).ledger.balance(caller))
    _ = translator(request)
    return {
        "asked": asked,
        "chosen": chosen,
        "letter": template,
        "estimate": estimate,
        "unit": show_unit(estimate.unit),
        "cost": show_yuan(-(-estimate.cost // MICRO_PER_FEN)),
        "available": None if estimate.available is None else show_yuan(estimate.available // MICRO_PER_FEN),
        "warnings": [_(text, **params) for text, params in warnings(asked, estimate)],
    }


def estimated(asked: NewCampaign, chosen: list[AddressList], balance: Balance) -> Estimate:
    """By the lists as they are now, and the quota of the day on which it begins."""
    standing, moment = balance.standing, now()
    is_today = asked.start_at is None or business_day(max(asked.start_at, moment)) == business_day(moment)
    used = standing.used if is_today else 0
    members = sum(one.members for one in chosen)
    charged = max(0, members - max(0, standing.free_quota - used))
    purse = standing.purse
    return Estimate(
        members=members,
        quota_left=max(0, standing.daily_quota - used),
        daily_quota=standing.daily_quota,
        unit=balance.unit_micro,
        cost=charged * balance.unit_micro,
        available=purse.available_fen * MICRO_PER_FEN if purse else None,
    )


def warnings(asked: NewCampaign, estimate: Estimate) -> list[tuple[str, dict[str, object]]]:
    """What may keep it from beginning, or surprise: Chinese texts with their parameters."""
    found: list[tuple[str, dict[str, object]]] = []
    if not estimate.members:
        found.append((_("所选的地址列表还没有成员，任务会立即结束。"), {}))
    if estimate.members > estimate.quota_left:
        text = _("当日额度还剩 {left} 封，少于 {members} 个成员。额度不足时任务不会开始。")
        found.append((text, {"left": f"{estimate.quota_left:,}", "members": f"{estimate.members:,}"}))
    if estimate.available is not None and estimate.cost > estimate.available:
        found.append((_("可用余额不足以支付预计费用。余额不足时任务不会开始，请先充值。"), {}))
    if asked.start_at is not None and asked.start_at <= now():
        found.append((_("开始时间已过，创建后立即开始。"), {}))
    return found
