"""Scheduled tasks by plain rows: a contact list, a task, runs of it, and their processes at work."""

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID

from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from activities.discretion import Discretion
from activities.scheduled_tasks import ScheduledTaskActivities
from domain.cadences import Cadence, Repeat, next_time
from domain.ids import Kind, Process, new_id, workflow_id
from domain.policy import Policy
from domain.scheduled_tasks import MailContent, NewTask, Rules, RunLook, RunStep, SmsContent
from domain.sms import SmsKind
from store import scheduled_runs, scheduled_tasks
from store.columns import now
from store.db import Database
from tests.sms_world import SmsCustomer, make_sms_customer
from tests.webhook_world import POLICY
from worker import sandbox_runner
from workflows.scheduled_task import ScheduledTask

Handle = WorkflowHandle[ScheduledTask, RunLook]
NUMBERS = count(1)
QUEUES = count(1)
DAILY = Cadence(Repeat.DAILY, time=dt.time(9))


async def make_contacts(db: Database, account: UUID, phones: list[str], name: str = "") -> UUID:
    """A contact list with these numbers; each has the value `name`."""
    made = new_id()
    async with db.raw() as connection:
        await connection.execute(
            "INSERT INTO contact_list (id, account_id, name, description, members, created_at, updated_at)"
            " VALUES ($1, $2, $3, '', $4, now(), now())",
            *(made, account, name or f"list {next(NUMBERS)}", len(phones)),
        )
        await connection.executemany(
            "INSERT INTO contact (list_id, account_id, phone, user_name, variables, created_at, updated_at)"
            " VALUES ($1, $2, $3, '', '{\"name\": \"Li\"}', now(), now())",
            [(made, account, phone) for phone in phones],
        )
    return made


def phones(number: int, first: int = 0) -> list[str]:
    return [f"+86138{first + n:08d}" for n in range(number)]


@dataclass
class Planned:
    """A task of a customer, and what a test does with it."""

    db: Database
    customer: SmsCustomer
    contact_list: UUID
    task: UUID

    async def run_for(self, planned: dt.datetime, *, by: str = "") -> Process:
        """A run for this time, enlisted as rows enlist it; its process."""
        async with self.db.raw() as connection:
            row = await scheduled_tasks.lock(connection, self.task)
            run = await scheduled_runs.enlist(connection, row, planned, now(), by=by)
        assert run is not None
        return Process(Kind.SCHEDULED_TASK, str(run), str(self.customer.account), 1)

    async def row(self) -> Any:
        return await self.db.pool.fetchrow("SELECT * FROM scheduled_task WHERE id = $1", self.task)

    async def run_rows(self) -> list[Any]:
        rows = await self.db.pool.fetch("SELECT * FROM scheduled_run WHERE task_id = $1 ORDER BY planned_at", self.task)
        return list(rows)

    async def texted(self) -> list[str]:
        """Every number that a message was accepted for, as often as it was."""
        rows = await self.db.pool.fetch(
            "SELECT address FROM message WHERE account_id = $1 ORDER BY id", self.customer.account
        )
        return [row["address"] for row in rows]


async def change(planned: Planned, **values: object) -> None:
    """What the row of the task says, without asking the service."""
    for name, value in values.items():
        await planned.db.pool.execute(f"UPDATE scheduled_task SET {name} = $2 WHERE id = $1", planned.task, value)


async def make_task(
    db: Database, numbers: list[str], *, fen: int = 1_000_000, cadence: Cadence = DAILY, rules: Rules = Rules(),
    kind: SmsKind = SmsKind.NOTICE,
) -> Planned:  # fmt: skip
    """An active task of a new customer with this contact list."""
    customer = await make_sms_customer(db, fen=fen)
    chosen = await make_contacts(db, customer.account, numbers)
    content = SmsContent(customer.name, kind.value, str(chosen))
    return Planned(db, customer, chosen, await add_task(db, customer.account, content, cadence, rules))


async def add_task(
    db: Database, account: UUID, content: SmsContent | MailContent, cadence: Cadence = DAILY, rules: Rules = Rules()
) -> UUID:
    asked = NewTask("Morning", content, cadence, rules)
    async with db.raw() as connection:
        made = await scheduled_tasks.create(connection, account, asked, next_time(cadence, now()), (now(), "test"))
    assert made is not None
    return made


def activities(db: Database, policy: Policy = POLICY) -> ScheduledTaskActivities:
    return ScheduledTaskActivities(db, policy)


def step(process: Process, at: dt.datetime | None = None) -> RunStep:
    name = workflow_id(Kind.SCHEDULED_TASK, process.subject)
    return RunStep(process, process.subject, name, at or now())


@asynccontextmanager
async def working(client: Client, db: Database, queue: str) -> AsyncIterator[None]:
    """A worker for runs on this queue."""
    made = activities(db)
    async with Worker(
        client,
        task_queue=queue,
        workflows=[ScheduledTask],
        activities=[made.open, made.look, made.send, made.decide, made.close],
        workflow_runner=sandbox_runner(),
        interceptors=[Discretion()],
    ):
        yield


@asynccontextmanager
async def running(client: Client, db: Database, process: Process) -> AsyncIterator[Handle]:
    """The process of a run, at work."""
    queue = f"scheduled-{next(QUEUES)}"
    async with working(client, db, queue):
        yield await client.start_workflow(ScheduledTask.run, process, id=process.workflow_id, task_queue=queue)
