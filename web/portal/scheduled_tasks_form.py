"""/portal/scheduled-tasks/new and …/edit: one form; its next page shows the times, and saves. It needs no script."""

import contextlib
import datetime as dt
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from domain.cadences import DEFAULT_ZONE, Cadence, Repeat, read_moment, read_zone
from domain.campaigns import MAX_LISTS
from domain.channels import Channel
from domain.errors import Refusal
from domain.refusals import explain
from domain.scheduled_tasks import CATCH_UP, LATE, MailContent, Misfire, NewTask, Overlap, Rules, SmsContent
from domain.secrets import new_token
from domain.senders import SendKind
from services.scheduled_tasks import TaskView
from web.pages import Caller, Signed, language_of, refused, render, see, served, translator
from web.portal.scheduled_tasks import DONE, HOME, MISFIRES, OVERLAPS, REPEATS, WEEKDAYS, TaskCommand, names_of, spoken

router = APIRouter(prefix=HOME)

TEMPLATE = "portal/scheduled_tasks_form.html"
PLAIN = {
    "channel": "sms", "name": "", "label": "", "template": "", "sms_user": "", "contact_list": "", "api_user": "",
    "from": "", "from_name": "", "reply_to": "", "repeat": "once", "at": "", "time": "09:00", "days": "", "cron": "",
    "time_zone": DEFAULT_ZONE, "starts_at": "", "ends_at": "", "overlap": Overlap.BUFFER_ONE.value,
    "catch_up_minutes": str(CATCH_UP), "late_minutes": str(LATE), "misfire": Misfire.ASK.value, "version": "0",
}  # fmt: skip
"""The fields of one value, and what is in them at first."""
MANY = ("lists", "weekdays")
_HERE = {
    "sms_template": "template", "sender": "from", "text": "", "recipients": "", "Idempotency-Key": "", "version": "",
}  # fmt: skip
_TIME_FIELDS = frozenset({"at", "starts_at", "ends_at"})


@dataclass(frozen=True)
class Draft:
    """The form as it was filled in."""

    values: dict[str, str]
    lists: tuple[str, ...] = ()
    weekdays: tuple[str, ...] = ()
    step: str = ""
    """`check`: show the times; `save`: do it; blank: the form again."""

    @property
    def is_sms(self) -> bool:
        return self.values["channel"] != Channel.EMAIL

    def asked(self) -> NewTask:
        """As the services understand it. Raises `Refusal` for what is no time or number."""
        value = self.values
        rules = Rules(
            Overlap(value["overlap"]) if value["overlap"] in set(Overlap) else Overlap.BUFFER_ONE,
            _number(value["catch_up_minutes"]), _number(value["late_minutes"]),
            Misfire(value["misfire"]) if value["misfire"] in set(Misfire) else Misfire.ASK,
        )  # fmt: skip
        key = f"form/{value['form'][:64]}"
        return NewTask(value["name"].strip(), self._content(), self._cadence(), rules, key)

    def _content(self) -> SmsContent | MailContent:
        value = self.values
        required = ("sms_user", "template", "contact_list") if self.is_sms else ("api_user", "template", "from")
        for name in required:
            if not value[name].strip():
                raise Refusal("required", field=name)
        label = value["label"].strip()
        if self.is_sms:
            return SmsContent(value["sms_user"], value["template"], value["contact_list"], label)
        return MailContent(
            value["api_user"], value["template"], value["from"].strip(), self.lists, value["from_name"].strip(),
            value["reply_to"].strip(), label,
        )  # fmt: skip

    def _cadence(self) -> Cadence:
        value = self.values
        zone = value["time_zone"].strip()
        read_zone(zone)
        repeat = Repeat(value["repeat"]) if value["repeat"] in set(Repeat) else Repeat.ONCE
        once = repeat is Repeat.ONCE
        asked = [name for name in ("at",) if once] + [name for name in ("starts_at", "ends_at") if not once]
        moments = {name: read_moment(value[name], zone, name) for name in asked if value[name].strip()}
        return Cadence(
            repeat, zone, moments.get("at"), _clock(value["time"]) if not once else None,
            tuple(int(day) for day in self.weekdays if day in set("1234567")) if repeat is Repeat.WEEKLY else (),
            _days(value["days"]) if repeat is Repeat.MONTHLY else (),
            value["cron"].strip() if repeat is Repeat.CRON else "", moments.get("starts_at"), moments.get("ends_at"),
        )  # fmt: skip


def _number(text: str) -> int:
    """Zero for what is no number: it is refused with the limits."""
    return int(text) if text.isascii() and text.strip().isdigit() and len(text) < 6 else 0


def _clock(text: str) -> dt.time | None:
    if not text.strip():
        return None
    try:
        return dt.time.fromisoformat(text.strip()).replace(second=0, microsecond=0, tzinfo=None)
    except ValueError as error:
        raise Refusal("schedule_time_malformed", field="time") from error


def _days(text: str) -> tuple[int, ...]:
    """Days of a month as people write them: `1, 15`. Zero for what is no number."""
    return tuple(_number(piece) for piece in text.replace("，", ",").replace("、", ",").split(",") if piece.strip())


@router.get("/new")
async def new_task(request: Request, caller: Signed, channel: str = "sms") -> Response:
    """An empty form."""
    chosen = Channel.EMAIL if channel == Channel.EMAIL else Channel.SMS
    draft = Draft(PLAIN | {"channel": chosen.value, "form": new_token()})
    return await _page(request, caller, draft, f"{HOME}/new")


@router.post("/new")
async def create_task(request: Request, caller: Signed) -> Response:
    """The times first; then it is made."""
    draft, here = _draft(await request.form()), f"{HOME}/new"
    try:
        asked = draft.asked()
        if draft.step != "save":
            return await _checked(request, caller, draft, asked, here)
        made = await served(request).scheduled_tasks.create(caller, asked)
    except Refusal as refusal:
        return await _again(request, caller, draft, refusal, here)
    return see(f"{HOME}/{made.id}", request, translator(request)("定时任务已创建。"))


@router.get("/{task_id}/edit")
async def edit(request: Request, caller: Signed, task_id: UUID) -> Response:
    """The form, filled in."""
    view = await served(request).scheduled_tasks.get(caller, task_id)
    return await _page(request, caller, _filled(view), f"{HOME}/{task_id}/edit")


@router.post("/{task_id}/edit")
async def save(request: Request, caller: Signed, task_id: UUID) -> Response:
    """The times first; then it is changed, unless somebody else did so meanwhile."""
    await served(request).scheduled_tasks.get(caller, task_id)
    draft, here = _draft(await request.form()), f"{HOME}/{task_id}/edit"
    try:
        asked = draft.asked()
        if draft.step != "save":
            return await _checked(request, caller, draft, asked, here, task_id)
        await served(request).scheduled_tasks.edit(caller, task_id, asked, _number(draft.values["version"]))
    except Refusal as refusal:
        return await _again(request, caller, draft, refusal, here)
    return see(f"{HOME}/{task_id}", request, translator(request)(DONE[TaskCommand.EDIT]))


def _draft(form: FormData) -> Draft:
    values = {name: str(form.get(name, default))[:1000] for name, default in PLAIN.items()}
    many = [tuple(str(one) for one in form.getlist(name))[: MAX_LISTS + 1] for name in MANY]
    token = str(form.get("form", "")) or new_token()
    return Draft(values | {"form": token}, many[0], many[1], str(form.get("step", "")))


def _filled(view: TaskView) -> Draft:
    cadence, content, rules = view.cadence, view.content, view.rules
    zone = read_zone(cadence.zone)
    moments = {
        name: _written(found.astimezone(zone)) if (found := getattr(cadence, name)) else "" for name in _TIME_FIELDS
    }
    values = PLAIN | moments | {
        "channel": view.row["channel"], "name": view.row["name"], "label": content.label, "template": content.template,
        "repeat": cadence.repeat.value, "time": cadence.time.isoformat("minutes") if cadence.time else "09:00",
        "days": ", ".join(str(day) for day in cadence.days), "cron": cadence.cron, "time_zone": cadence.zone,
        "overlap": rules.overlap.value, "catch_up_minutes": str(rules.catch_up), "late_minutes": str(rules.late),
        "misfire": rules.misfire.value, "version": str(view.row["version"]), "form": new_token(),
    }  # fmt: skip
    weekdays = tuple(str(day) for day in cadence.weekdays)
    if isinstance(content, SmsContent):
        values |= {"sms_user": content.sms_user, "contact_list": content.contact_list}
        return Draft(values, weekdays=weekdays)
    values |= {"api_user": content.api_user, "from": content.sender, "from_name": content.sender_name}
    return Draft(values | {"reply_to": content.reply_to}, content.lists, weekdays)


def _has_offset(text: str) -> bool:
    """Whether it says by which clock; no control of a browser for local times shows that."""
    with contextlib.suppress(ValueError):
        return dt.datetime.fromisoformat(text.strip()).tzinfo is not None
    return False


def _written(local: dt.datetime) -> str:
    """As browsers fill it in, seconds only where there are any; with its offset when the clock shows it twice."""
    if local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        return local.isoformat()
    return local.replace(tzinfo=None).isoformat(timespec="seconds" if local.second else "minutes")


async def _checked(
    request: Request, caller: Caller, draft: Draft, asked: NewTask, here: str, task: UUID | None = None
) -> Response:
    """The last page: what was filled in, and the next five times."""
    if not draft.step:
        return await _page(request, caller, draft, here)
    found = await served(request).scheduled_tasks.check(caller, asked, task)
    names = await names_of(request, caller, asked.content)
    about = {"upcoming": found, "names": names, "said": spoken(language_of(request))(asked.cadence)}
    return await _page(request, caller, draft, here, **about)


async def _again(request: Request, caller: Caller, draft: Draft, refusal: Refusal, here: str) -> Response:
    """The form with the message at its field."""
    place = (refusal.field or "").partition("[")[0]
    place = _HERE.get(place, place)
    if refusal.code == "idempotency_reused":
        draft = Draft(draft.values | {"form": new_token()}, draft.lists, draft.weekdays)
    moved = Refusal(refusal.code, place if place in PLAIN or place in MANY else "", **refusal.params)
    language = language_of(request)
    about = {"errors": refused(moved, language), "twice": place if refusal.code == "schedule_time_twice" else ""}
    return await _page(request, caller, draft, here, status=explain(refusal, language)[0], **about)


async def _page(
    request: Request, caller: Caller, draft: Draft, here: str, *, status: int = 200, **context: Any
) -> Response:  # fmt: skip
    known: dict[str, Any] = {
        "values": draft.values, "draft": draft, "PLAIN": PLAIN, "action": here, "REPEATS": REPEATS, "upcoming": None,
        "WEEKDAYS": WEEKDAYS, "OVERLAPS": OVERLAPS, "MISFIRES": MISFIRES, "address": here, "is_sms": draft.is_sms,
        "is_new": here.endswith("/new"), "twice": "",
        "spelt": {name for name in _TIME_FIELDS if _has_offset(draft.values[name])},
    }  # fmt: skip
    choices = await (_sms_choices if draft.is_sms else _mail_choices)(request, caller)
    return render(request, TEMPLATE, status, **known | choices | context)


async def _sms_choices(request: Request, caller: Caller) -> dict[str, Any]:
    users = [each.row.name for each in await served(request).sms_users.page(caller) if each.row.disabled_at is None]
    templates = await served(request).sms_templates.sendable(caller)
    lists = await served(request).contacts.choices(caller)
    return {"users": users, "templates": templates, "lists": lists}


async def _mail_choices(request: Request, caller: Caller) -> dict[str, Any]:
    choices = await served(request).sending.choices(caller)
    users = [one for one in choices.identities if one.kind == SendKind.BATCH and not one.is_test]
    return {
        "users": [one.name for one in users],
        "templates": [one for one in choices.templates if one.kind == SendKind.BATCH],
        "lists": await served(request).audience.choices(caller),
        "domains": sorted({domain for user in users for domain in user.domains}),
    }
