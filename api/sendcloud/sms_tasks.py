"""Tasks on contact lists on `/smsapi` (reference §7.4): a scheduled task of one time, over `services.scheduled_tasks`.

It sends as the SMS user that signs: `senderName` is a free text to SendCloud, and nothing here. A repeated
`sendRequestId` gets the task of the first call (ours: SendCloud names none for tasks, and a list is texted only once).
"""

import datetime as dt
from typing import Any

from starlette.responses import Response

from api.sendcloud.sms_envelope import SmsFailure, offending, success
from api.sendcloud.sms_signing import SmsCall, sms_route
from api.sendcloud.sms_words import FOUND, label_of, number_of, request_id, second
from domain.cadences import Cadence, Repeat
from domain.errors import Refusal
from domain.scheduled_tasks import NewTask, RunState, SmsContent, TaskState
from domain.times import SHANGHAI
from services.scheduled_tasks import TaskView

MOMENT = "%Y-%m-%d %H:%M:%S"
WAITING = "等待执行"
SAVED = "联系人列表任务保存成功"
TASK_STATES = {
    TaskState.ACTIVE: WAITING,
    TaskState.PAUSED: "已暂停",
    TaskState.NEEDS_HUMAN: "等待处理",
    TaskState.ENDED: "执行完成",
    TaskState.CANCELLED: "已取消",
}
"""Of a task that has not run. Only the first word is recorded; the others are ours."""
RUN_STATES = {
    RunState.WAITING: WAITING,
    RunState.ASKED: "等待处理",
    RunState.SENDING: "执行中",
    RunState.BLOCKED: "等待处理",
    RunState.DONE: "执行完成",
    RunState.SKIPPED: "已跳过",
    RunState.CANCELLED: "已取消",
}


async def send(call: SmsCall) -> Response:
    """One template to everybody on a list, now or at `executeTime` (Asia/Shanghai)."""
    given = call.given
    name = _required(call, "contactListName")
    task_name = _required(call, "taskName")
    template = _template(call)
    at = _moment(given.text("executeTime"))
    label = await label_of(call)
    members = await call.served.contacts.named(call.caller, name, "contactListName")
    content = SmsContent(call.sms_user, template, str(members.id), label)
    asked = NewTask(task_name, content, Cadence(Repeat.ONCE, at=at), idempotency_key=request_id(call))
    created = await call.served.scheduled_tasks.create(call.caller, asked, run_now=at is None)
    view = await call.served.scheduled_tasks.get(call.caller, created.id)
    return success({"smsTask": await _values(call, view)}, SAVED)


async def query(call: SmsCall) -> Response:
    """One task as it stands."""
    said = call.given.text("taskId")
    number = number_of(said)
    if number is None:
        raise offending(501, "taskId", said)
    view = await call.served.scheduled_tasks.get_by_number(call.caller, number)
    values = await _values(call, view)
    return success({"smsTask": values | {"labelId": await _label_id(call, view)}}, FOUND)


def _required(call: SmsCall, name: str) -> str:
    if not (said := call.given.text(name)):
        raise SmsFailure(501, f"{name}不能为空")
    return said


def _template(call: SmsCall) -> str:
    """By its number; a template's name is none here. Raises `SmsFailure` 433 or 431."""
    said = call.given.text("templateId")
    if not said:
        raise SmsFailure(433)
    number = number_of(said)
    if number is None:
        raise offending(431, "templateId", said)
    return str(number)


def _moment(text: str) -> dt.datetime | None:
    """Empty: now. Raises `SmsFailure` 451."""
    if not text:
        return None
    try:
        return dt.datetime.strptime(text, MOMENT).replace(tzinfo=SHANGHAI)
    except ValueError:
        raise offending(451, "executeTime", text) from None


async def _label_id(call: SmsCall, view: TaskView) -> int | None:
    if not view.content.label:
        return None
    _, found = await call.served.sms_labels.page(call.caller, view.content.label, 0, 1)
    return found[0].id if found else None


async def _values(call: SmsCall, view: TaskView) -> dict[str, Any]:
    content = view.content
    if not isinstance(content, SmsContent):  # of mail: no task of this API
        raise Refusal("task_not_found")
    name, count = await _members(call, content.contact_list)
    run = view.run
    return {
        "taskId": view.row["number"],
        "contactListName": name,
        "taskName": view.row["name"],
        "senderName": content.sms_user,
        "templateId": number if (number := number_of(content.template)) is not None else content.template,
        "memberCount": run["listed"] if run and run["ended_at"] else count,
        "status": RUN_STATES[RunState(run["state"])] if run else TASK_STATES[view.state],
        "createTime": second(view.row["created_at"]),
        "endTime": second(run["ended_at"] if run else None),
    }


async def _members(call: SmsCall, ref: str) -> tuple[str, int]:
    """(name of the list, how many are in it); of one that was deleted, nothing."""
    row = await call.served.contacts.by_ref(call.caller, ref)
    return (row.name, row.members) if row else ("", 0)


ROUTES = [sms_route("sendContactListTask", send), sms_route("queryContactListTask", query)]
