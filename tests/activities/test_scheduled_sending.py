"""Chunks of a run: killed between or within them, two workers at once, changed meanwhile."""

import asyncio
import datetime as dt
from itertools import count

import pytest
from temporalio.testing import ActivityEnvironment

from activities import scheduled_sending, scheduled_tasks
from domain.errors import Refusal, StaleEpoch
from domain.ids import Process
from domain.refusals import explain
from domain.scheduled_tasks import (
    Decision,
    MailContent,
    RunLook,
    RunOrderStep,
    RunState,
    RunStep,
    SmsContent,
    TaskState,
)
from domain.sms import SmsKind
from store import scheduled_tasks as rows
from store.columns import now
from store.db import Database
from tests.campaign_world import make_batch_customer, make_list
from tests.schedule_world import Planned, activities, add_task, make_contacts, make_task, phones, step

FIRST = count(70_000_000, 10_000)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduled_sending, "CHUNK", 10)


def some(number: int) -> list[str]:
    return phones(number, next(FIRST))


async def begun(db: Database, numbers: list[str], kind: SmsKind = SmsKind.NOTICE) -> tuple[Planned, RunStep]:
    """A run that is to send now."""
    planned = await make_task(db, numbers, kind=kind)
    process = await planned.run_for(now())
    await look(db, step(process))
    return planned, step(process)


async def look(db: Database, asked: RunStep) -> RunLook:
    seen = await ActivityEnvironment().run(activities(db).look, asked)
    assert isinstance(seen, RunLook)
    return seen


async def send(db: Database, asked: RunStep) -> RunLook:
    seen = await ActivityEnvironment().run(activities(db).send, asked)
    assert isinstance(seen, RunLook)
    return seen


async def test_two_workers_send_each_chunk_once(db: Database) -> None:
    planned, asked = await begun(db, some(95))
    await asyncio.gather(*(send(db, asked) for _ in range(3)))
    assert (await look(db, asked)).state is RunState.DONE
    texted = await planned.texted()
    assert len(texted) == len(set(texted)) == 95
    (run,) = await planned.run_rows()
    assert (run["listed"], run["accepted"], len(run["submissions"])) == (95, 95, 10)


async def test_killed_at_any_moment_it_goes_on_at_its_checkpoint(db: Database) -> None:
    planned, asked = await begun(db, some(95))
    for after in (0.01, 0.03, 0.06, 0.1):
        attempt = asyncio.create_task(send(db, asked))
        await asyncio.sleep(after)
        attempt.cancel()
        await asyncio.gather(attempt, return_exceptions=True)
    assert (await send(db, asked)).state is RunState.DONE
    texted = await planned.texted()
    assert len(texted) == len(set(texted)) == 95
    holds = await db.pool.fetchval("SELECT sum(messages) FROM hold WHERE account_id = $1", planned.customer.account)
    assert holds == 95


async def test_a_pause_stops_between_chunks_and_a_resumption_goes_on(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    planned, asked = await begun(db, some(40))
    monkeypatch.setattr(scheduled_tasks, "STRETCH", 0.0)  # one chunk at a time
    assert (await send(db, asked)).listed == 10
    await change(planned, TaskState.PAUSED)
    paused = await send(db, asked)
    assert (paused.listed, paused.paused, paused.state) == (10, True, RunState.SENDING)
    await change(planned, TaskState.ACTIVE)
    monkeypatch.undo()
    assert (await send(db, asked)).state is RunState.DONE
    assert len(await planned.texted()) == 40


async def change(planned: Planned, state: TaskState) -> None:
    async with planned.db.raw() as connection:
        await rows.move(connection, planned.task, state)


async def test_what_has_begun_goes_on_with_what_it_began_with(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """The task gets another list meanwhile, and the list another contact."""
    numbers = some(20)
    planned, asked = await begun(db, numbers)
    monkeypatch.setattr(scheduled_tasks, "STRETCH", 0.0)
    await send(db, asked)
    other = await make_contacts(db, planned.customer.account, some(5))
    content = SmsContent(planned.customer.name, "notice", str(other))
    await db.pool.execute("UPDATE scheduled_task SET content = $2 WHERE id = $1", planned.task, rows.asdict(content))
    await db.pool.execute(
        "INSERT INTO contact (list_id, account_id, phone, user_name, variables, created_at, updated_at)"
        " VALUES ($1, $2, $3, '', '{\"name\": \"x\"}', now(), now())",
        *(planned.contact_list, planned.customer.account, some(1)[0]),
    )
    monkeypatch.undo()
    assert (await send(db, asked)).state is RunState.DONE
    assert sorted(await planned.texted()) == sorted(numbers)


async def test_another_list_of_the_same_name_is_another_list(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = some(20)
    planned, asked = await begun(db, numbers)
    named = SmsContent(planned.customer.name, "notice", "members")
    await db.pool.execute("UPDATE scheduled_task SET content = $2 WHERE id = $1", planned.task, rows.asdict(named))
    await db.pool.execute("UPDATE contact_list SET name = 'members' WHERE id = $1", planned.contact_list)
    monkeypatch.setattr(scheduled_tasks, "STRETCH", 0.0)
    await send(db, asked)
    await db.pool.execute("UPDATE contact_list SET name = 'old members' WHERE id = $1", planned.contact_list)
    await make_contacts(db, planned.customer.account, some(5), "members")
    monkeypatch.undo()
    assert (await send(db, asked)).state is RunState.DONE
    assert sorted(await planned.texted()) == sorted(numbers)


async def test_a_run_that_has_begun_is_not_overtaken(db: Database) -> None:
    """A tick that Temporal had buffered is of an earlier time than the run that a person has started meanwhile."""
    planned, _ = await begun(db, some(5))
    earlier = await planned.run_for(now() - dt.timedelta(minutes=5))
    assert (await look(db, step(earlier))).state is RunState.WAITING


async def test_each_run_by_mail_is_a_campaign_of_its_own(db: Database) -> None:
    customer = await make_batch_customer(db)
    chosen = await make_list(db, customer, ["a@a.test"])
    content = MailContent(customer.api_user_name, "hello", f"hello@{customer.domain_name}", (str(chosen),))
    planned = Planned(db, customer, chosen, await add_task(db, customer.account, content))  # type: ignore[arg-type]
    for days in (2, 1):
        process = await planned.run_for(now() - dt.timedelta(days=days), by="member/x")
        await look(db, step(process))
        assert (await send(db, step(process))).state is RunState.DONE
    runs = await planned.run_rows()
    campaigns = await db.pool.fetch("SELECT id, state FROM campaign ORDER BY id")
    assert [row["id"] for row in campaigns] == [run["campaign_id"] for run in runs]
    assert {row["state"] for row in campaigns} == {"scheduled"}
    started = await db.pool.fetch("SELECT subject FROM clockwork WHERE kind = 'campaign' ORDER BY subject")
    assert [row["subject"] for row in started] == sorted(str(row["id"]) for row in campaigns)


async def test_a_list_that_was_deleted_blocks(db: Database) -> None:
    planned, asked = await begun(db, some(5))
    await db.pool.execute("UPDATE contact_list SET deleted_at = now()")
    seen = await send(db, asked)
    assert (seen.state, seen.reason) == (RunState.BLOCKED, "contact_list_unknown")
    assert (await planned.row())["state"] == "needs_human"


@pytest.mark.parametrize(
    ("table", "taken", "given_back", "reason"),
    [
        ("account", "state = 'suspended'", "state = 'active'", "account_not_active"),
        ("sms_template_version", "state = 'withdrawn'", "state = 'approved'", "step_missing"),
        ("sms_user", "disabled_at = now()", "disabled_at = NULL", "step_missing"),
    ],
)
async def test_what_is_taken_away_meanwhile_blocks_until_it_is_back(
    db: Database, monkeypatch: pytest.MonkeyPatch, table: str, taken: str, given_back: str, reason: str
) -> None:
    planned, asked = await begun(db, some(20))
    key = {"account": "id = $1", "sms_user": "account_id = $1"}.get(
        table, "template_id IN (SELECT id FROM sms_template WHERE account_id = $1)"
    )
    monkeypatch.setattr(scheduled_tasks, "STRETCH", 0.0)
    await send(db, asked)
    await db.pool.execute(f"UPDATE {table} SET {taken} WHERE {key}", planned.customer.account)
    seen = await send(db, asked)
    assert (seen.state, seen.reason, seen.accepted) == (RunState.BLOCKED, reason, 10)
    task = await planned.row()
    assert (task["state"], task["reason"]) == ("needs_human", reason)
    assert explain(Refusal(reason, **task["reason_params"]), "en")[1]  # as pages and mails say it
    await db.pool.execute(f"UPDATE {table} SET {given_back} WHERE {key}", planned.customer.account)
    monkeypatch.undo()
    order = RunOrderStep(asked, Decision.SEND)
    assert (await ActivityEnvironment().run(activities(db).decide, order)).state == "sending"
    assert (await send(db, asked)).state is RunState.DONE
    texted = await planned.texted()
    assert len(texted) == len(set(texted)) == 20 and (await planned.row())["state"] == "active"


async def test_an_empty_list_is_done_at_once(db: Database) -> None:
    _, asked = await begun(db, [])
    assert (await send(db, asked)).state is RunState.DONE


async def test_a_chunk_of_refused_numbers_is_no_obstacle(db: Database) -> None:
    """Ten numbers that nobody can be texted at, then one, then good ones."""
    bad = [f"+8610{n:08d}" for n in range(11)]
    planned, asked = await begun(db, [*bad, *some(12)])
    seen = await send(db, asked)
    assert (seen.state, seen.listed, seen.accepted, seen.refused) == (RunState.DONE, 23, 12, 11)
    (run,) = await planned.run_rows()
    assert sum(run["refused_by"].values()) == 11


async def test_marketing_hours_are_told(db: Database) -> None:
    night = dt.datetime(2030, 1, 1, 15, 0, tzinfo=dt.UTC)  # 23:00 in Shanghai
    planned, asked = await begun(db, some(3), SmsKind.MARKETING)
    await send(db, RunStep(asked.process, asked.run, asked.workflow_id, night))
    (run,) = await planned.run_rows()
    assert run["state"] == "done" and run["sends_at"] > night


async def test_a_run_from_before_a_restored_database_stands_back(db: Database) -> None:
    planned, asked = await begun(db, some(3))
    old = Process(asked.process.kind, asked.process.subject, asked.process.account, 0)
    with pytest.raises(StaleEpoch):
        await send(db, RunStep(old, asked.run, asked.workflow_id, now()))
    assert await planned.texted() == []
