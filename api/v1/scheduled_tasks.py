"""`/v1/scheduled-tasks`: SMS to a contact list or a campaign by mail, once at a time or again and again."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from starlette.status import HTTP_201_CREATED

from api.callers import MemberCaller, Served
from api.paging import Cursor, Limit, next_cursor
from api.problems import Problem, language_of
from api.v1.scheduled_tasks_models import (
    RUN_ID,
    TASK_ID,
    DecideIn,
    PauseIn,
    PreviewOut,
    RunOut,
    RunPage,
    TaskCreated,
    TaskEdit,
    TaskIn,
    TaskOut,
    TaskPage,
)
from api.v1.sends import Key

REFUSED: dict[int | str, dict[str, Any]] = {code: {"model": Problem} for code in (401, 403, 404, 409, 422)}
router = APIRouter(prefix="/v1/scheduled-tasks", tags=["scheduled tasks"], responses=REFUSED)

TaskId = Annotated[UUID, Path(examples=[TASK_ID])]
RunId = Annotated[UUID, Path(examples=[RUN_ID])]


@router.post("", status_code=HTTP_201_CREATED, summary="Create a scheduled task")
async def create_task(
    served: Served, caller: MemberCaller, body: TaskIn, response: Response, key: Key = None
) -> TaskCreated:
    """Refused when its time has passed, does not exist (a clock is set forward) or exists twice (set back)."""
    made = await served.scheduled_tasks.create(caller, body.asked(key))
    url = f"/v1/scheduled-tasks/{made.id}"
    response.headers["Location"] = url
    return TaskCreated(id=made.id, number=made.number, repeated=made.repeated, url=url)


@router.post("/preview", summary="The next five times of a task before it is created")
async def preview_task(served: Served, caller: MemberCaller, body: TaskIn) -> PreviewOut:
    """Checks everything that creating it would check, and makes nothing."""
    return PreviewOut.of(await served.scheduled_tasks.check(caller, body.asked()))


@router.get("", summary="List scheduled tasks")
async def list_tasks(
    served: Served, caller: MemberCaller, request: Request, cursor: Cursor = None, limit: Limit = 20
) -> TaskPage:
    """Newest first, each with its next times and its open or newest run."""
    found = await served.scheduled_tasks.page(caller, cursor, limit)
    items = [TaskOut.of(view, language_of(request)) for view in found]
    return TaskPage(items=items, next_cursor=next_cursor(found, limit))


@router.get("/{task_id}", summary="One scheduled task")
async def get_task(served: Served, caller: MemberCaller, task_id: TaskId, request: Request) -> TaskOut:
    """What it sends, when, its state, and its open or newest run."""
    return TaskOut.of(await served.scheduled_tasks.get(caller, task_id), language_of(request))


@router.put("/{task_id}", summary="Change a scheduled task")
async def edit_task(served: Served, caller: MemberCaller, task_id: TaskId, request: Request, body: TaskEdit) -> TaskOut:
    """Counts from the next time on; a run that has begun to send goes on with what it began with."""
    view = await served.scheduled_tasks.edit(caller, task_id, body.asked(), body.version)
    return TaskOut.of(view, language_of(request))


@router.post("/{task_id}/pause", summary="Pause a scheduled task")
async def pause_task(
    served: Served, caller: MemberCaller, task_id: TaskId, request: Request, body: PauseIn | None = None
) -> TaskOut:
    """Its times pass without a run, and an open run accepts nothing more, until it is resumed."""
    view = await served.scheduled_tasks.pause(caller, task_id, body.reason if body else "")
    return TaskOut.of(view, language_of(request))


@router.post("/{task_id}/resume", summary="Resume a scheduled task")
async def resume_task(served: Served, caller: MemberCaller, task_id: TaskId, request: Request) -> TaskOut:
    """From the next time on; a blocked run tries again."""
    return TaskOut.of(await served.scheduled_tasks.resume(caller, task_id), language_of(request))


@router.post("/{task_id}/cancel", summary="Cancel a scheduled task")
async def cancel_task(served: Served, caller: MemberCaller, task_id: TaskId, request: Request) -> TaskOut:
    """For good. What is not accepted yet of an open run is not sent."""
    return TaskOut.of(await served.scheduled_tasks.cancel(caller, task_id), language_of(request))


@router.post("/{task_id}/run", summary="Run a scheduled task now")
async def run_task(served: Served, caller: MemberCaller, task_id: TaskId, request: Request) -> TaskOut:
    """Beside its times; refused while a run is open."""
    return TaskOut.of(await served.scheduled_tasks.run_now(caller, task_id), language_of(request))


@router.get("/{task_id}/runs", summary="Runs of a scheduled task")
async def list_runs(
    served: Served, caller: MemberCaller, task_id: TaskId, request: Request, cursor: Cursor = None, limit: Limit = 20
) -> RunPage:
    """Newest first; times that were skipped are here, with the reason."""
    found = await served.scheduled_tasks.runs(caller, task_id, cursor, limit)
    items = [RunOut.of(run, language_of(request)) for run in found]
    return RunPage(items=items, next_cursor=str(found[-1]["id"]) if len(found) == limit else None)


@router.get("/{task_id}/runs/{run_id}", summary="One run of a scheduled task")
async def get_run(served: Served, caller: MemberCaller, task_id: TaskId, run_id: RunId, request: Request) -> RunOut:
    """Its state, counts, and what it made."""
    return RunOut.of(await served.scheduled_tasks.run(caller, task_id, run_id), language_of(request))


@router.post("/{task_id}/runs/{run_id}/decide", summary="Decide on a late or blocked run")
async def decide_run(
    served: Served, caller: MemberCaller, task_id: TaskId, run_id: RunId, request: Request, body: DecideIn
) -> TaskOut:
    """Of two who decide, exactly one does; the other is told the state."""
    view = await served.scheduled_tasks.decide(caller, task_id, run_id, body.decision)
    return TaskOut.of(view, language_of(request))
