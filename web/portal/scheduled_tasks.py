"""/portal/scheduled-tasks: what is sent at its time, its history; pause, resume, cancel, run now, decide."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from domain.cadences import Cadence, Repeat
from domain.errors import Refusal
from domain.recipients import explain_code
from domain.refusals import REFUSALS, explain
from domain.scheduled_tasks import (
    ALLOWED,
    DECIDABLE,
    Decision,
    MailContent,
    Misfire,
    Overlap,
    RunState,
    SmsContent,
    TaskCommand,
    TaskState,
    Why,
)
from services.scheduled_tasks import TaskView, Values
from store.columns import now
from web.i18n import mark as _
from web.i18n import translate
from web.pages import Caller, Signed, fragment, language_of, refused, render, see, served, translator

router = APIRouter(prefix="/portal/scheduled-tasks")

PAGE = 20
RUNS = 30
RECONNECT_MS = 2000
HOME = "/portal/scheduled-tasks"


@dataclass(frozen=True)
class Look:
    """A state in words, its Tabler colour, and what it means for the customer."""

    word: str
    tone: str
    meaning: str


LOOKS = {
    TaskState.ACTIVE: Look(_("按时执行"), "success", _("到时间自动执行。")),
    TaskState.PAUSED: Look(_("已暂停"), "warning", _("暂停期间的执行时间不补发，点“继续执行”后从下一次开始。")),
    TaskState.NEEDS_HUMAN: Look(_("需要处理"), "danger", _("解决下面的问题后，点“继续执行”或“立即执行”。")),
    TaskState.ENDED: Look(_("已结束"), "secondary", _("所有执行时间都已过去。")),
    TaskState.CANCELLED: Look(_("已取消"), "secondary", _("不再执行，已受理的不受影响。")),
}
RUN_LOOKS = {
    RunState.WAITING: Look(_("排队中"), "info", _("等待上一次执行结束。")),
    RunState.ASKED: Look(_("等您决定"), "warning", _("已经延误，请决定照常发送还是跳过。")),
    RunState.SENDING: Look(_("受理中"), "info", _("正在逐批受理联系人。")),
    RunState.BLOCKED: Look(_("受阻"), "danger", _("解决问题后点“继续发送”。")),
    RunState.DONE: Look(_("已完成"), "success", _("全部已受理。")),
    RunState.SKIPPED: Look(_("已跳过"), "secondary", _("这一次没有发送。")),
    RunState.CANCELLED: Look(_("已停止"), "secondary", _("未受理的不再发送。")),
}
WHYS = {
    Why.OVERLAP: _("上一次执行还没有结束"),
    Why.MISSED: _("到时间时系统没有运行，超过了补发时限"),
    Why.LATE: _("已经延误，按规则跳过"),
    Why.UNANSWERED: _("延误后无人确认"),
    Why.DECIDED: _("人工决定"),
    Why.PAUSED: _("任务暂停中"),
}
REPEATS = {
    Repeat.ONCE: _("只执行一次"),
    Repeat.DAILY: _("每天"),
    Repeat.WEEKLY: _("每周"),
    Repeat.MONTHLY: _("每月"),
    Repeat.CRON: _("cron 表达式"),
}
WEEKDAYS = {1: _("周一"), 2: _("周二"), 3: _("周三"), 4: _("周四"), 5: _("周五"), 6: _("周六"), 7: _("周日")}
OVERLAPS = {
    Overlap.BUFFER_ONE: _("等上一次结束后再执行（最多排一次）"),
    Overlap.SKIP: _("跳过这一次"),
}
MISFIRES = {
    Misfire.ASK: _("先询问我（24 小时内不决定则跳过）"),
    Misfire.SKIP: _("跳过这一次"),
    Misfire.SEND: _("照常发送"),
}
CHANNELS = {"sms": _("短信"), "email": _("邮件")}
DONE = {
    TaskCommand.PAUSE: _("已暂停。"),
    TaskCommand.RESUME: _("已继续。"),
    TaskCommand.CANCEL: _("已取消。"),
    TaskCommand.RUN: _("已开始执行。"),
    TaskCommand.EDIT: _("已保存，从下一次执行起生效。"),
}
DECIDED = {Decision.SEND: _("已决定发送。"), Decision.SKIP: _("已决定不再发送。")}


@router.get("")
async def tasks(request: Request, caller: Signed, after: UUID | None = None) -> Response:
    """Newest first, each with its next time and its newest run."""
    found = await served(request).scheduled_tasks.page(caller, after, PAGE + 1)
    following = found[PAGE - 1].id if len(found) > PAGE else None
    rows = [(view, next(iter(view.upcoming(now(), 1).times), None)) for view in found[:PAGE]]
    return render(
        request, "portal/scheduled_tasks.html", rows=rows, after=after, next=following, LOOKS=LOOKS,
        RUN_LOOKS=RUN_LOOKS, CHANNELS=CHANNELS, spoken=spoken(language_of(request)),
    )  # fmt: skip


@router.get("/{task_id}")
async def task(request: Request, caller: Signed, task_id: UUID, after: UUID | None = None) -> Response:
    """One task, live, with its history."""
    view = await served(request).scheduled_tasks.get(caller, task_id)
    names = await names_of(request, caller, view.content)
    return render(request, "portal/scheduled_tasks_one.html", names=names, **await shown(request, caller, view, after))


async def names_of(request: Request, caller: Caller, content: SmsContent | MailContent) -> dict[str, str]:
    """What the template and the lists are called; what is there no more stays as the task calls it."""
    if isinstance(content, MailContent):
        known = {str(each.id): each.name for each in await served(request).audience.choices(caller)}
        return {"template": content.template, "lists": ", ".join(known.get(each, each) for each in content.lists)}
    template = content.template
    with contextlib.suppress(Refusal):
        template = (await served(request).sms_templates.get(caller, template)).row.name
    chosen = await served(request).contacts.by_ref(caller, content.contact_list)
    return {"template": template, "lists": f"{chosen.name} ({chosen.members})" if chosen else content.contact_list}


async def _own(request: Request, caller: Signed, task_id: UUID) -> TaskView:
    """Refuses before a stream begins."""
    return await served(request).scheduled_tasks.get(caller, task_id)


@router.get("/{task_id}/events", response_class=EventSourceResponse)
async def events(
    request: Request, caller: Signed, own: Annotated[TaskView, Depends(_own)]
) -> AsyncIterator[ServerSentEvent]:
    """Events `task`: the part of the page that changes, now and after each change."""
    async for view in served(request).scheduled_tasks.watch(caller, own.id):
        html = fragment(request, "portal/scheduled_tasks_live.html", **await shown(request, caller, view, None))
        yield ServerSentEvent(event="task", retry=RECONNECT_MS, data=html)


@router.post("/{task_id}/pause")
async def pause(request: Request, caller: Signed, task_id: UUID) -> Response:
    """With the reason, if one was given."""
    reason = str((await request.form()).get("reason", ""))
    return await _acted(
        request, task_id, TaskCommand.PAUSE, served(request).scheduled_tasks.pause(caller, task_id, reason)
    )


@router.post("/{task_id}/resume")
async def resume(request: Request, caller: Signed, task_id: UUID) -> Response:
    return await _acted(request, task_id, TaskCommand.RESUME, served(request).scheduled_tasks.resume(caller, task_id))


@router.post("/{task_id}/cancel")
async def cancel(request: Request, caller: Signed, task_id: UUID) -> Response:
    return await _acted(request, task_id, TaskCommand.CANCEL, served(request).scheduled_tasks.cancel(caller, task_id))


@router.post("/{task_id}/run")
async def run(request: Request, caller: Signed, task_id: UUID) -> Response:
    return await _acted(request, task_id, TaskCommand.RUN, served(request).scheduled_tasks.run_now(caller, task_id))


@router.post("/{task_id}/runs/{run_id}/decide")
async def decide(request: Request, caller: Signed, task_id: UUID, run_id: UUID) -> Response:
    """Send or skip a late run, go on with a blocked one or stop it."""
    asked = str((await request.form()).get("decision", ""))
    if asked not in {each.value for each in Decision}:
        raise Refusal("required", field="decision")
    decision = Decision(asked)
    doing = served(request).scheduled_tasks.decide(caller, task_id, run_id, decision)
    return await _acted(request, task_id, decision, doing)


async def _acted(request: Request, task_id: UUID, asked: TaskCommand | Decision, doing: Any) -> Response:
    """Do it, and say on the task's page how it went."""
    here = f"{HOME}/{task_id}"
    try:
        await doing
    except Refusal as refusal:
        if refusal.code in ("task_not_found", "run_not_found"):
            raise
        said = refused(refusal, language_of(request))
        return see(here, request, said[refusal.field or ""], "danger")
    words = DONE[asked] if isinstance(asked, TaskCommand) else DECIDED[asked]
    return see(here, request, translator(request)(words))


async def shown(request: Request, caller: Caller, view: TaskView, after: UUID | None) -> dict[str, Any]:
    """What the page of one task needs; its live part needs the same."""
    language = language_of(request)
    found = await served(request).scheduled_tasks.runs(caller, view.id, after, RUNS + 1)
    opened = view.run if view.run and view.run["ended_at"] is None else None
    state = RunState(opened["state"]) if opened else None
    return {
        "view": view, "row": view.row, "look": LOOKS[view.state], "LOOKS": LOOKS, "RUN_LOOKS": RUN_LOOKS,
        "CHANNELS": CHANNELS, "OVERLAPS": OVERLAPS, "MISFIRES": MISFIRES,
        "said": spoken(language)(view.cadence), "upcoming": view.upcoming(now()), "content": view.content,
        "is_mail": isinstance(view.content, MailContent), "opened": opened,
        "problem": _problem(view, language), "after": after,
        "runs": [(each, why(each, language), refusals(each, language)) for each in found[:RUNS]],
        "next": found[RUNS - 1]["id"] if len(found) > RUNS else None,
        "can": {command.value: view.state in ALLOWED[command] for command in TaskCommand},
        "decidable": {each.value: state in DECIDABLE[each] for each in Decision},
    }  # fmt: skip


def _problem(view: TaskView, language: str) -> tuple[str, str] | None:
    if view.state is not TaskState.NEEDS_HUMAN or view.row["reason"] not in REFUSALS:
        return None
    _status, detail, step = explain(Refusal(view.row["reason"], **view.row["reason_params"]), language)
    return detail, step


def why(run: Values, language: str) -> str:
    """Why a run was skipped or is blocked, in words."""
    code = run["reason"]
    if code in {each.value for each in Why}:
        return translate(language, WHYS[Why(code)])
    if code in REFUSALS:
        return explain(Refusal(code, **run["reason_params"]), language)[1]
    return str(code)


def refusals(run: Values, language: str) -> list[tuple[str, int]]:
    """Why numbers were refused, and how many for each reason."""
    return [(explain_code(code, language, {}), count) for code, count in run["refused_by"].items()]


def spoken(language: str) -> Any:
    """A function that says when a task happens."""

    def say(cadence: Cadence) -> str:
        clock = cadence.time.isoformat("minutes") if cadence.time else ""
        repeat = translate(language, REPEATS[cadence.repeat])
        between = "、" if language == "zh" else ", "
        if cadence.repeat is Repeat.WEEKLY:
            days = between.join(translate(language, WEEKDAYS[day]) for day in sorted(cadence.weekdays))
            return f"{repeat} {days} {clock}"
        if cadence.repeat is Repeat.MONTHLY:
            days = between.join(str(day) for day in sorted(cadence.days))
            return translate(language, _("每月 {days} 日 {clock}"), days=days, clock=clock)
        return f"{repeat} {cadence.cron if cadence.repeat is Repeat.CRON else clock}".strip()

    return say
