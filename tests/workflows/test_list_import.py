"""The process of an import on the time-skipping server, over real rows and a real folder."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities import list_import as reading
from activities.discretion import Discretion
from domain.audience import ImportProgress, ImportState
from domain.queues import IMPORTS
from store.audience_import import ListImport as Row
from store.db import Database
from tests.audience_world import Lists, csv_of, frozen, lists
from tests.kept_histories import keep
from tests.patience import until
from worker import sandbox_runner
from workflows.list_import import ListImport

Handle = WorkflowHandle[ListImport, ImportProgress]


@pytest.fixture
async def mine(db: Database, tmp_path: Path) -> Lists:
    return await lists(db, tmp_path)


@asynccontextmanager
async def importing(env: WorkflowEnvironment, mine: Lists, row: Row) -> AsyncIterator[Handle]:
    """The process of this import, under workers of its own."""
    queue = f"list-import-{row.id}"
    handle = await env.client.start_workflow(
        ListImport.run, mine.process(row), id=mine.process(row).workflow_id, task_queue=queue
    )
    runner: dict[str, Any] = {"workflow_runner": sandbox_runner(), "interceptors": [Discretion()]}
    async with (
        Worker(env.client, task_queue=queue, workflows=[ListImport], **runner),
        Worker(env.client, task_queue=IMPORTS, activities=[mine.activities.read, mine.activities.close], **runner),
    ):
        yield handle


async def test_a_file_is_imported_and_forgotten(temporal_env: WorkflowEnvironment, mine: Lists, tmp_path: Path) -> None:
    target = await mine.made()
    row = await mine.uploaded(target.id, csv_of(["a@x.cn", "b@x.cn", "nobody"]))
    assert list(tmp_path.iterdir())
    async with importing(temporal_env, mine, row) as handle:
        done = await handle.result()
        assert (done.state, done.added, done.refused, done.lines) == (ImportState.DONE, 2, 1, 4)
        assert await handle.query(ListImport.progress) == done
        await keep(handle, "done", "a@x.cn", "x.cn", "nobody")
    assert not list(tmp_path.iterdir())
    closed = await mine.db.pool.fetchval(
        "SELECT closed_at IS NOT NULL FROM clockwork WHERE workflow_id = $1", mine.process(row).workflow_id
    )
    assert closed


async def test_it_waits_for_a_campaign_that_copies_the_list(temporal_env: WorkflowEnvironment, mine: Lists) -> None:
    target = await mine.made()
    row = await mine.uploaded(target.id, csv_of(["a@x.cn"]))
    with temporal_env.auto_time_skipping_disabled():
        async with importing(temporal_env, mine, row) as handle:
            async with frozen(mine.db, target.id):

                async def is_held() -> bool:
                    return (await handle.query(ListImport.progress)).held

                await until(is_held)
            await handle.signal(ListImport.nudge)
            assert (await handle.result()).added == 1
            await keep(handle, "held-then-done", "a@x.cn")


async def test_a_long_file_takes_many_looks_and_runs(
    temporal_env: WorkflowEnvironment, mine: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PORTION_BYTES", 2_000)
    target = await mine.made()
    row = await mine.uploaded(target.id, csv_of([f"m{n}@x.cn" for n in range(1_500)]))
    clock = SimpleNamespace(monotonic=count(0, 6).__next__)  # six seconds between any two questions for the time
    monkeypatch.setattr(reading, "time", clock)
    async with importing(temporal_env, mine, row) as handle:
        done = await handle.result()
        assert (done.state, done.added) == (ImportState.DONE, 1_500)
        await keep(handle, "many-looks", "x.cn")


async def test_a_file_that_cannot_be_read_ends_the_process(temporal_env: WorkflowEnvironment, mine: Lists) -> None:
    target = await mine.made()
    row = await mine.uploaded(target.id, b"name\nAnn\n")
    async with importing(temporal_env, mine, row) as handle:
        assert (await handle.result()).state is ImportState.FAILED
        await keep(handle, "failed", "Ann")


async def test_a_stopped_import_ends_at_its_next_portion(temporal_env: WorkflowEnvironment, mine: Lists) -> None:
    target = await mine.made()
    row = await mine.uploaded(target.id, csv_of(["a@x.cn"]))
    await mine.imports.cancel(mine.caller, target.id, row.id)
    async with importing(temporal_env, mine, row) as handle:
        assert (await handle.result()).state is ImportState.CANCELLED
        await keep(handle, "cancelled")
