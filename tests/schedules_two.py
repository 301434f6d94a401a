"""Scheduled tasks for the tests that ask of every route whose it is: by plain rows, one with a run."""

from typing import Any
from uuid import UUID

from domain.ids import new_id
from store.db import Database
from tests.sms_two_world import SMS_OPEN

Key = tuple[str, str]
_SMS = {"sms_user": "{sms_user}", "template": "{sms_template}", "contact_list": "{contact_list_id}"}
_TASK: dict[str, Any] = {"name": "Morning", "sms": _SMS, "schedule": {"repeat": "daily", "time": "09:00"}}
_FORM = _SMS | {"channel": "sms", "name": "Morning", "repeat": "daily", "time": "09:00", "step": "save"}
_V1, _PAGES = "/v1/scheduled-tasks", "/portal/scheduled-tasks"
BODIES: dict[Key, dict[str, Any]] = {
    ("PUT", f"{_V1}/{{task_id}}"): {"json": _TASK | {"version": 1}},
    ("POST", f"{_PAGES}/{{task_id}}/edit"): {"data": _FORM | {"version": "1"}},
    ("POST", f"{_V1}/{{task_id}}/runs/{{run_id}}/decide"): {"json": {"decision": "send"}},
    ("POST", f"{_PAGES}/{{task_id}}/runs/{{run_id}}/decide"): {"data": {"decision": "skip"}},
}
_ACTIVE = "UPDATE scheduled_task SET state = 'active'"
_PAUSED = "UPDATE scheduled_task SET state = 'paused'"
_ASKED = "UPDATE scheduled_run SET state = 'asked', ended_at = NULL, expires_at = now() + interval '1 day'"
BEFORE: dict[Key, str] = {
    ("POST", _V1): SMS_OPEN,
    ("POST", f"{_V1}/preview"): SMS_OPEN,
    ("POST", f"{_PAGES}/new"): SMS_OPEN,
    ("PUT", f"{_V1}/{{task_id}}"): SMS_OPEN,
    ("POST", f"{_PAGES}/{{task_id}}/edit"): SMS_OPEN,
    **{
        ("POST", f"{door}/{{task_id}}/{command}"): before
        for door in (_V1, _PAGES)
        for command, before in {"pause": _ACTIVE, "resume": _PAUSED, "cancel": _ACTIVE, "run": _ACTIVE}.items()
    },
    ("POST", f"{_V1}/{{task_id}}/runs/{{run_id}}/decide"): _ASKED,
    ("POST", f"{_PAGES}/{{task_id}}/runs/{{run_id}}/decide"): _ASKED,
}
OWN: dict[Key, tuple[dict[str, Any], int, int]] = {
    ("POST", _V1): ({"json": _TASK}, 201, 422),
    ("POST", f"{_V1}/preview"): ({"json": _TASK}, 200, 422),
    ("POST", f"{_PAGES}/new"): ({"data": _FORM}, 303, 422),
}
QUERIES = {
    _V1: "?cursor={task_id}",
    _PAGES: "?after={task_id}",
    f"{_V1}/{{task_id}}/runs": "?cursor={run_id}",
    f"{_PAGES}/{{task_id}}": "?after={run_id}",
}
_TASK_ROW = """
INSERT INTO scheduled_task (id, account_id, channel, name, content, repeat, zone, cadence, overlap, catch_up, late,
    misfire, state, reason, reason_params, next_at, version, wanted_version, applied_version, applied_epoch, created_at,
    created_by, changed_at)
VALUES ($1, $2, 'sms', $3, jsonb_build_object('sms_user', 'x', 'template', '1', 'contact_list', '1', 'label', '',
    'tag', ''), 'daily', 'Asia/Shanghai', '{"time": "09:00"}', 'buffer_one', 60, 15, 'ask', 'active', '', '{}',
    now() + interval '1 day', 1, 1, 1, 1, now(), 'test', now())
"""
_RUN_ROW = """
INSERT INTO scheduled_run (id, task_id, account_id, planned_at, by_hand, state, reason, reason_params, workflow_id,
    recorded_at, decided_by, place, listed, accepted, refused, refused_by, submissions, ended_at)
VALUES ($1, $2, $3, now() - interval '1 hour', false, 'done', '', '{}', 'scheduled-task/' || ($2::uuid)::text, now(),
    '', 0, 1, 1, 0, '{}', '{}', now())
"""


async def with_tasks(db: Database, account: UUID, secret: str) -> dict[str, list[str]]:
    """A task and its run, which is over. `secret` is in what only the account may see."""
    task, run = new_id(), new_id()
    await db.pool.execute(_TASK_ROW, task, account, f"{secret} {task.hex[-6:]}")
    await db.pool.execute(_RUN_ROW, run, task, account)
    return {"task_id": [str(task)], "run_id": [str(run)]}
