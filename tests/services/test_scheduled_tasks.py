"""What customers can do with scheduled tasks, over real rows; Temporal is not needed for any of it."""

import asyncio
import datetime as dt
from dataclasses import replace
from itertools import count
from uuid import UUID

import pytest
from temporalio.client import Client

from domain.accounts import Caller, Role
from domain.cadences import Cadence, Repeat
from domain.errors import Refusal
from domain.ids import new_id
from domain.scheduled_tasks import Decision, MailContent, NewTask, RunState, SmsContent, TaskState
from services.clockwork import Clockwork
from services.foundation import Foundation
from services.scheduled_tasks import ScheduledTasks
from store.columns import now
from store.db import Database
from tests.schedule_world import DAILY, make_contacts, phones
from tests.sending_world import VAULT
from tests.sms_world import SmsCustomer, make_sms_customer
from tests.webhook_world import POLICY

FIRST = count(90_000_000, 100)


@pytest.fixture
async def tasks(db: Database) -> ScheduledTasks:
    away = await Client.connect("127.0.0.1:1", lazy=True)
    return ScheduledTasks(Foundation(db, Clockwork(db, away), VAULT, POLICY))


@pytest.fixture
async def customer(db: Database) -> SmsCustomer:
    return await make_sms_customer(db)


async def wanted(db: Database, customer: SmsCustomer, cadence: Cadence = DAILY) -> NewTask:
    chosen = await make_contacts(db, customer.account, phones(2, next(FIRST)))
    return NewTask("Morning", SmsContent(customer.name, "notice", str(chosen)), cadence)


async def made(db: Database, tasks: ScheduledTasks, customer: SmsCustomer) -> UUID:
    return (await tasks.create(customer.caller(), await wanted(db, customer))).id


def code(error: pytest.ExceptionInfo[Refusal]) -> tuple[str, str | None]:
    return error.value.code, error.value.field


async def test_from_creation_to_cancellation(db: Database, tasks: ScheduledTasks, customer: SmsCustomer) -> None:
    caller, task = customer.caller(), await made(db, tasks, customer)
    view = await tasks.get(caller, task)
    assert (view.state, view.run) == (TaskState.ACTIVE, None)
    times = view.upcoming(now()).times
    assert len(times) == 5 and times[0] == view.row["next_at"] and {each.hour for each in times} == {1}
    assert (await tasks.get_by_number(caller, view.row["number"])).id == task
    paused = await tasks.pause(caller, task, "stock-taking")
    assert (paused.state, paused.row["reason"], paused.upcoming(now()).times) == (TaskState.PAUSED, "stock-taking", ())
    assert (await tasks.resume(caller, task)).state is TaskState.ACTIVE
    assert (await tasks.cancel(caller, task)).is_over
    for doing in (tasks.pause(caller, task), tasks.resume(caller, task), tasks.run_now(caller, task)):
        with pytest.raises(Refusal, match="task_state"):
            await doing
    noted = await db.pool.fetch("SELECT action FROM audit_entry WHERE account_id = $1 ORDER BY id", customer.account)
    assert [row["action"].removeprefix("scheduled_task.") for row in noted] == ["create", "pause", "resume", "cancel"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sms_user": "nobody"}, ("sms_user_unknown", "sms_user")),
        ({"template": "nothing"}, ("sms_template_unknown", "template")),
        ({"contact_list": str(new_id())}, ("contact_list_unknown", "contact_list")),
        ({"contact_list": "\0"}, ("invalid", "contact_list")),
        ({"label": "\ud800"}, ("invalid", "label")),
    ],
)
async def test_names_of_nothing(
    db: Database, tasks: ScheduledTasks, customer: SmsCustomer, changes: dict[str, str], expected: tuple[str, str]
) -> None:
    asked = await wanted(db, customer)
    assert isinstance(asked.content, SmsContent)
    with pytest.raises(Refusal) as error:
        await tasks.create(customer.caller(), replace(asked, content=replace(asked.content, **changes)))
    assert code(error) == expected
    assert await db.pool.fetchval("SELECT count(*) FROM scheduled_task") == 0


async def test_the_past_is_refused_and_now_is_not(db: Database, tasks: ScheduledTasks, customer: SmsCustomer) -> None:
    at = now() - dt.timedelta(seconds=1)
    asked = await wanted(db, customer, Cadence(Repeat.ONCE, at=at))
    with pytest.raises(Refusal) as error:
        await tasks.create(customer.caller(), asked)
    assert code(error) == ("schedule_past", "at")
    task = (await tasks.create(customer.caller(), asked, run_now=True)).id
    view = await tasks.get(customer.caller(), task)
    assert view.run is not None and view.run["by_hand"] and view.row["next_at"] is None


async def test_a_repeated_key_is_one_task(db: Database, tasks: ScheduledTasks, customer: SmsCustomer) -> None:
    asked = replace(await wanted(db, customer), idempotency_key="k")
    first, again = [await tasks.create(customer.caller(), asked) for _ in range(2)]
    assert (again.id, again.number, again.repeated) == (first.id, first.number, True)
    evening = replace(asked.cadence, time=dt.time(20))
    for other in (replace(asked, name="Evening"), replace(asked, cadence=evening)):
        with pytest.raises(Refusal, match="idempotency_reused"):
            await tasks.create(customer.caller(), other)
    await tasks.edit(customer.caller(), first.id, replace(asked, cadence=evening), 1)
    assert (await tasks.create(customer.caller(), asked)).id == first.id


async def test_a_double_click_is_one_task(db: Database, tasks: ScheduledTasks, customer: SmsCustomer) -> None:
    asked = replace(await wanted(db, customer), idempotency_key="k")
    made = await asyncio.gather(*(tasks.create(customer.caller(), asked) for _ in range(4)))
    assert len({each.id for each in made}) == 1 and [each.repeated for each in made].count(False) == 1


async def test_what_blocks_a_run_is_mended_without_another_time(
    db: Database, tasks: ScheduledTasks, customer: SmsCustomer
) -> None:
    caller, at = customer.caller(), now().replace(microsecond=0) + dt.timedelta(hours=1)
    asked = await wanted(db, customer, Cadence(Repeat.ONCE, at=at))
    task = (await tasks.create(caller, asked)).id
    past = replace(asked, cadence=Cadence(Repeat.ONCE, at=at - dt.timedelta(hours=2)))
    await db.pool.execute(
        "UPDATE scheduled_task SET cadence = jsonb_build_object('at', $1::text), next_at = NULL, state = 'needs_human',"
        " reason = 'contact_list_unknown'",
        (at - dt.timedelta(hours=2)).isoformat(),
    )
    with pytest.raises(Refusal, match="schedule_past"):
        await tasks.edit(caller, task, past, 1)
    await db.pool.execute("UPDATE scheduled_task SET state = 'active'")
    run = (await tasks.run_now(caller, task)).run
    assert run is not None
    assert (await tasks.check(caller, past, task)).times == ()
    view = await tasks.edit(caller, task, past, 1)
    assert view.row["next_at"] is None and view.upcoming(now()).times == ()


async def test_a_pause_is_not_ended_by_an_edit(db: Database, tasks: ScheduledTasks, customer: SmsCustomer) -> None:
    caller, task = customer.caller(), await made(db, tasks, customer)
    await tasks.pause(caller, task, "task_missed")
    view = await tasks.edit(caller, task, await wanted(db, customer), 1)
    assert (view.state, view.row["reason"]) == (TaskState.PAUSED, "task_missed")


async def test_of_two_who_edit_one_is_told(db: Database, tasks: ScheduledTasks, customer: SmsCustomer) -> None:
    caller, task = customer.caller(), await made(db, tasks, customer)
    evening = replace(await wanted(db, customer), cadence=Cadence(Repeat.DAILY, time=dt.time(20)))
    both = await asyncio.gather(*(tasks.edit(caller, task, evening, 1) for _ in range(2)), return_exceptions=True)
    refused = [each for each in both if isinstance(each, Refusal)]
    assert len(refused) == 1 and refused[0].code == "task_changed" and refused[0].params["current"] == 2
    view = await tasks.get(caller, task)
    assert view.row["next_at"].hour == 12 and view.row["wanted_version"] == 2
    mail = MailContent("u", "t", "a@b.example", ("x",))
    with pytest.raises(Refusal, match="task_channel"):
        await tasks.edit(caller, task, replace(evening, content=mail), 2)


async def test_one_run_at_a_time_and_a_decision_once(
    db: Database, tasks: ScheduledTasks, customer: SmsCustomer
) -> None:
    caller, task = customer.caller(), await made(db, tasks, customer)
    view = await tasks.run_now(caller, task)
    assert view.run is not None
    with pytest.raises(Refusal, match="task_running"):
        await tasks.run_now(caller, task)
    run = view.run["id"]
    await db.pool.execute("UPDATE scheduled_run SET state = 'asked' WHERE id = $1", run)
    decisions = (Decision.SKIP, Decision.SEND)
    both = await asyncio.gather(*(tasks.decide(caller, task, run, each) for each in decisions), return_exceptions=True)
    states = [each.run["state"] for each in both if not isinstance(each, BaseException) and each.run]
    assert len(states) in (1, 2)  # a run that is being sent can still be stopped
    kept = await tasks.run(caller, task, run)
    assert kept["decided_by"] == f"member/{customer.member}"
    if len(states) == 1:
        assert kept["state"] == RunState.SKIPPED
    else:
        assert kept["state"] == RunState.CANCELLED


async def test_cancelling_stops_an_open_run(db: Database, tasks: ScheduledTasks, customer: SmsCustomer) -> None:
    caller, task = customer.caller(), await made(db, tasks, customer)
    await tasks.run_now(caller, task)
    view = await tasks.cancel(caller, task)
    assert view.is_over and view.run is not None and view.run["state"] == RunState.SKIPPED
    wanted_nudge = await db.pool.fetchval("SELECT nudge_wanted FROM clockwork WHERE kind = 'scheduled-task'")
    assert wanted_nudge


async def test_a_missed_task_gets_another_time(db: Database, tasks: ScheduledTasks, customer: SmsCustomer) -> None:
    caller, task = customer.caller(), await made(db, tasks, customer)
    await db.pool.execute(
        "UPDATE scheduled_task SET state = 'needs_human', reason = 'task_missed', reason_params = '{\"time\": \"x\"}',"
        " repeat = 'once', cadence = jsonb_build_object('at', (now() - interval '1 day')::text), next_at = NULL"
    )
    with pytest.raises(Refusal, match="schedule_past"):
        await tasks.resume(caller, task)
    later = replace(await wanted(db, customer), cadence=Cadence(Repeat.ONCE, at=now() + dt.timedelta(hours=1)))
    view = await tasks.edit(caller, task, later, 1)
    assert (view.state, len(view.upcoming(now()).times)) == (TaskState.ACTIVE, 1)


async def test_of_others_there_is_nothing(db: Database, tasks: ScheduledTasks, customer: SmsCustomer) -> None:
    task = await made(db, tasks, customer)
    other = (await make_sms_customer(db)).caller()
    for doing in (
        tasks.get(other, task), tasks.pause(other, task), tasks.cancel(other, task), tasks.runs(other, task, None, 5),
        tasks.edit(other, task, await wanted(db, customer), 1), tasks.run_now(other, task),
    ):  # fmt: skip
        with pytest.raises(Refusal, match="task_not_found"):
            await doing
    viewer = replace(customer.caller(), role=Role.VIEWER)
    assert (await tasks.get(viewer, task)).id == task
    with pytest.raises(Refusal, match="role_forbids"):
        await tasks.pause(viewer, task)
    assert await tasks.page(other, None, 5) == []


async def test_a_key_of_an_sms_user_names_it(db: Database, tasks: ScheduledTasks, customer: SmsCustomer) -> None:
    asked = await wanted(db, customer)
    assert isinstance(asked.content, SmsContent)
    nameless = replace(asked, content=replace(asked.content, sms_user=""))
    task = (await tasks.create(customer.by_key(), nameless)).id
    content = (await tasks.get(customer.by_key(), task)).content
    assert isinstance(content, SmsContent) and content.sms_user == customer.name
    with pytest.raises(Refusal, match="required"):
        await tasks.create(Caller(customer.account, member_id=customer.member), nameless)
