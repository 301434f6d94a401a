"""`songda audit` and `songda reconcile` as an operator's script meets them: exit codes, JSON, one line of refusal."""

import asyncio
import json
import subprocess
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from domain.ids import Kind, new_id
from services.clockwork import Clockwork
from store import clockwork as rows
from store.columns import now
from store.db import Database
from supervision import postgres
from tests.sending_world import make_customer, submit
from tests.test_cli import NOBODY_LISTENS, complaint, songda


async def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """One command, without holding up our own connections."""
    return await asyncio.to_thread(songda, *arguments, **environment)


async def test_an_audit_of_clean_books_exits_0(db: Database) -> None:
    await submit(db, await make_customer(db), ["a@x.test", "b@x.test"])
    ended = await run("audit", DATABASE_URL=db.url)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "accepted 2" in ended.stdout and "The books are closed." in ended.stdout
    ended = await run("audit", "--json", DATABASE_URL=db.url)
    said = json.loads(ended.stdout)
    assert (ended.returncode, said["clean"], said["totals"]["queued"]) == (0, True, 2)
    assert all(finding["count"] == 0 for finding in said["findings"])


async def test_an_audit_that_finds_something_names_it_and_exits_1(db: Database) -> None:
    await submit(db, await make_customer(db), ["a@x.test", "b@x.test"])
    await db.pool.execute("DELETE FROM due WHERE message_id = (SELECT min(id) FROM message)")
    message = await db.pool.fetchval("SELECT min(id) FROM message")
    ended = await run("audit", DATABASE_URL=db.url)
    assert ended.returncode == 1
    assert f"message={message}" in ended.stdout and "do not close" in ended.stdout
    assert "x.test" not in ended.stdout, "rows are named by id: a report may be mailed around"
    ended = await run("audit", "--json", DATABASE_URL=db.url)
    said = json.loads(ended.stdout)
    (finding,) = [finding for finding in said["findings"] if finding["count"]]
    assert (ended.returncode, said["clean"], finding["rows"][0]["message"]) == (1, False, message)


async def test_the_grace_decides_what_is_late(db: Database) -> None:
    async with db.begin() as session:
        await rows.enlist(session, Kind.DOMAIN, new_id(), new_id())
    assert (await run("audit", DATABASE_URL=db.url)).returncode == 0
    assert (await run("audit", "--grace", "0", DATABASE_URL=db.url)).returncode == 1


@pytest.mark.parametrize("command", ["audit", "reconcile"])
def test_without_books_one_line_says_what_to_do(command: str, tmp_path: Path) -> None:
    assert "--data DIR, or set DATABASE_URL" in complaint(songda(command, "--data", str(tmp_path)))
    assert "cannot be used" in complaint(songda(command, DATABASE_URL=f"postgresql://songda@{NOBODY_LISTENS}/x"))


@pytest.mark.parametrize("command", ["audit", "reconcile"])
def test_a_database_without_tables_is_no_traceback(command: str, postgres_server: postgres.Cluster) -> None:
    assert "songda migrate" in complaint(songda(command, DATABASE_URL=postgres_server.url("postgres")))


async def test_a_folder_that_is_named_is_never_mixed_with_the_environment(db: Database, tmp_path: Path) -> None:
    """One installation's rows compared with another's Temporal would mark every process."""
    ended = await run("reconcile", "--data", str(tmp_path), DATABASE_URL=db.url)
    assert "No stack is running on this data folder" in complaint(ended)


def reach(dev_temporal: WorkflowEnvironment) -> str:
    return dev_temporal.client.service_client.config.target_host


async def test_reconcile_rebuilds_and_says_what_it_did(db: Database, dev_temporal: WorkflowEnvironment) -> None:
    """No secret is needed for it: only ids and counts go to Temporal."""
    async with db.begin() as session:
        never_started, lost = [await rows.enlist(session, Kind.DOMAIN, new_id(), new_id()) for _ in range(2)]
    async with db.begin() as session:
        await rows.stamp_started(session, lost)
    where = {"DATABASE_URL": db.url, "TEMPORAL_ADDRESS": reach(dev_temporal)}
    ended = await run("reconcile", "--json", **where)
    assert (ended.returncode, ended.stderr) == (0, "")
    found = json.loads(ended.stdout)
    assert (found["started"], found["restarted"], found["running"], found["needs_human"]) == (1, 1, 1, 0)
    for name in (never_started, lost):
        await dev_temporal.client.get_workflow_handle(name).terminate()
    ended = await run("reconcile", **where)
    assert ended.returncode == 1, "a person must look"
    assert "needs_human 2" in ended.stdout
    assert (await run("reconcile", **where)).returncode == 1, "until somebody deals with it"


async def test_reconcile_without_temporal_is_one_line_and_changes_nothing(db: Database) -> None:
    async with db.begin() as session:
        name = await rows.enlist(session, Kind.DOMAIN, new_id(), new_id())
        await rows.stamp_started(session, name)
    ended = await run("reconcile", DATABASE_URL=db.url, TEMPORAL_ADDRESS=NOBODY_LISTENS)
    assert f"Temporal does not answer at {NOBODY_LISTENS}" in complaint(ended)
    async with db.read() as session:
        row = await session.get_one(rows.Clockwork, name)
    assert row.started_at is not None and row.started_at <= now() and row.needs_human is None


async def test_two_reconciles_at_once_do_the_work_once(db: Database, dev_temporal: WorkflowEnvironment) -> None:
    async with db.begin() as session:
        names = [await rows.enlist(session, Kind.DOMAIN, new_id(), new_id()) for _ in range(5)]
    works = [Clockwork(db, dev_temporal.client) for _ in range(2)]
    started = await asyncio.gather(*(work.start_unstarted() for work in works))
    assert sum(started) >= 5
    found = await works[0].check_all()
    assert (found["running"], found["restarted"]) == (5, 0)
    for name in names:
        await dev_temporal.client.get_workflow_handle(name).terminate()
