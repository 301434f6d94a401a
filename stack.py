"""Everything on one machine: PostgreSQL, Temporal, the sandbox, the API and the worker as supervised children.

`Stack` starts, watches and stops them; `songda up`, `songda demo` and the fault tests use it.
"""

import asyncio
import functools
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO

from domain.queues import EXPRESS
from sandbox.pay_keys import APP_ID, SELLER_ID, kept_keys
from supervision import http, postgres, smtp, temporal
from supervision.children import Child, Program, describe_end, rotate
from supervision.errors import CannotStart
from supervision.folder import (
    Folder,
    end_leftovers,
    hold,
    is_held,
    kept_secret,
    remember_children,
    write_private,
)
from supervision.ports import INBOUND_ADDRESS, LOOPBACK, Ports, check_free, listens_on

SAME_SOURCE = {"PYTHONPATH": str(Path(__file__).resolve().parent), "PYTHONUNBUFFERED": "1"}
"""Children import what we imported, installed or not."""
SANDBOX_TIME_SCALE = 60.0
SANDBOX_PAID_QUOTA = 100_000
"""Messages a day of a paying customer: enough to try a list of one's own on the pretend Internet."""
SANDBOX_LEAD = "lead@company.example"
"""A mailbox of the pretend Internet: mails to whoever leads the reviewers can be read on the sandbox's page."""
PROCESS_PROBE = 0.25
"""Seconds between probes that are processes themselves, and would slow down what they wait for."""
STOP_ORDER = (("worker", "api", "submission", "inbound"), ("sandbox",), ("temporal",), ("postgres",))
"""Second and further processes of a role, `worker-2`, end with the first."""

Report = Callable[[str], None]


def default_data() -> Path:
    """`~/.local/share/songda`; root's home is closed to PostgreSQL's user, hence `/var/lib/songda/stack`."""
    if os.geteuid() == 0:
        return Path("/var/lib/songda/stack")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "songda"


@dataclass(frozen=True)
class Options:
    """What `songda up` may be told."""

    data: Path = field(default_factory=default_data)
    port_base: int = 8600
    time_scale: float = SANDBOX_TIME_SCALE
    """Retry, polling and reminder intervals are divided by it."""
    sandbox: bool = True
    workers: int = 1
    """Worker processes; only the first serves metrics."""
    apis: int = 1
    """API processes, which share one port: the system deals out connections."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Environment of our own roles, over what the stack would set."""


@dataclass(frozen=True)
class Addresses:
    """Where the parts of a running stack are reached. The database URL holds a password."""

    public_url: str
    submission: str
    """`host:port` of SMTP submission."""
    sandbox_url: str | None
    temporal_address: str
    temporal_ui_url: str
    database_url: str
    metrics_url: str
    data: str
    logs: str
    pid: int
    time_scale: float


def first_operator_file(data: Path) -> Path:
    """Name, password and authenticator's secret of the operator that a stack with the sandbox makes; mode 600."""
    return data / "console-admin.json"


def numbered(role: str, count: int) -> list[str]:
    """`worker`, `worker-2`, `worker-3`, …"""
    return [role, *(f"{role}-{number}" for number in range(2, count + 1))]


def running_stack(data: Path) -> Addresses | None:
    """The stack that runs on this data folder and is ready, if any."""
    folder = Folder(data.absolute())
    if not is_held(folder) or not folder.addresses.exists():
        return None
    return Addresses(**json.loads(folder.addresses.read_text()))


@asynccontextmanager
async def temporary_folder() -> AsyncIterator[Path]:
    """A data folder that is removed at the end; PostgreSQL's user can walk to it."""
    folder = Path(tempfile.mkdtemp(prefix="songda-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


class Stack:
    """`async with Stack(options) as stack:` or `start()` and `stop()`, on the main thread (Linux ties the lives of
    children to the thread that made them). `report` receives one line per event."""

    def __init__(self, options: Options, report: Report = print) -> None:
        self.options = options
        self.ports = Ports(options.port_base)
        self._folder = Folder(options.data.absolute())
        self._report = report
        self._children: dict[str, Child] = {}
        self._second: Child | None = None
        self._lock: IO[str] | None = None
        self._cluster: postgres.Cluster | None = None
        self._temporal = temporal.Server(
            temporal.find_binary(),
            self._folder.temporal / "temporal.db",
            self.ports.temporal,
            self.ports.temporal_ui,
            self.ports.temporal_http,
        )

    async def __aenter__(self) -> "Stack":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def addresses(self) -> Addresses:
        """Known once the database is prepared."""
        if self._cluster is None:
            raise CannotStart("The stack has not been started.")
        sandbox_url = f"http://{LOOPBACK}:{self.ports.sandbox}" if self.options.sandbox else None
        return Addresses(
            public_url=f"http://{LOOPBACK}:{self.ports.api}",
            submission=f"{LOOPBACK}:{self.ports.submission}",
            sandbox_url=sandbox_url,
            temporal_address=self._temporal.address,
            temporal_ui_url=f"http://{LOOPBACK}:{self.ports.temporal_ui}",
            database_url=self._cluster.url(),
            metrics_url=f"http://{LOOPBACK}:{self.ports.metrics}/metrics",
            data=str(self._folder.root),
            logs=str(self._folder.logs),
            pid=os.getpid(),
            time_scale=self.options.time_scale,
        )

    def pids(self) -> dict[str, int]:
        """Role to process id, of those that are up."""
        return {role: child.pid for role, child in self._children.items() if child.pid is not None}

    def restarts(self) -> dict[str, int]:
        """Role to the number of times it was started again."""
        return {role: child.restarts for role, child in self._children.items()}

    async def start_second_worker(self) -> asyncio.subprocess.Process:
        """One that nobody restarts, for tests of take-over; `stop` ends it, if it still runs."""
        program = Program("second-worker", self._python("worker"), self._environment())
        self._second = self._child(program)
        await self._second.start()
        return self._second.process

    async def start(self) -> None:
        """Returns when everything answers; raises `CannotStart`, with everything stopped again."""
        try:
            await self._claim()
            await self._launch()
        except BaseException:
            await self.stop()
            raise
        for child in self._children.values():
            child.watch()
        write_private(self._folder.addresses, json.dumps(asdict(self.addresses)))

    async def stop(self) -> None:
        """In reverse order; the data stays. Safe to call twice."""
        if self._lock is not None:
            self._folder.addresses.unlink(missing_ok=True)
        if self._second is not None:
            await self._second.stop()
        for roles in STOP_ORDER:
            ending = [child for name, child in self._children.items() if name.partition("-")[0] in roles]
            await asyncio.gather(*(child.stop() for child in ending))
        if self._lock is not None:
            self._folder.children.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    async def _claim(self) -> None:
        self._folder.make()
        self._lock = hold(self._folder)
        await asyncio.to_thread(end_leftovers, self._folder, self._report)
        check_free(self.ports, self.options.sandbox)

    async def _launch(self) -> None:
        try:
            await self._launch_together()
        except BaseExceptionGroup as problems:
            raise problems.exceptions[0] from None  # the others follow from it

    async def _launch_together(self) -> None:
        async with asyncio.TaskGroup() as group:
            rows = group.create_task(self._start_postgres())
            clock = group.create_task(self._start_temporal())
            await rows
            if self.options.sandbox:  # it publishes records that the migration wrote down
                group.create_task(self._start_sandbox())
            await clock
            group.create_task(self._start_apis())
            group.create_task(self._start_workers())
            group.create_task(self._start_doors())

    async def _start_postgres(self) -> None:
        parts = (self._folder.postgres, self.ports.postgres, self._report)
        self._cluster = await asyncio.to_thread(postgres.prepare, *parts)
        program = Program(
            "postgres",
            self._cluster.command(),
            stop_signal=signal.SIGINT,
            patience=30,
            death_signal=signal.SIGINT,
            owner=self._cluster.owner,
        )
        child = await self._run(program)
        await child.until_ready(functools.partial(postgres.answers, self._cluster), 120)
        await postgres.ensure_database(self._cluster)
        await self._migrate()
        self._report("PostgreSQL is ready, the schema is current.")

    @property
    def _records_file(self) -> Path:
        """The DNS records that make the platform's own domain deliverable, for the sandbox."""
        return self._folder.root / "platform-records.json"

    async def _migrate(self) -> None:
        """As a process of its own: alembic need not stay in our memory."""
        arguments = self._python("migrate", "--records-file", str(self._records_file))
        if self.options.sandbox:  # where real customers are, nobody may sign in until somebody says who
            arguments += ["--first-operator", str(first_operator_file(self._folder.root))]
            arguments += ["--sandbox-carriers", str(self.ports.providers)]
        child = self._child(Program("migrate", arguments, self._environment()))
        await child.start()
        if (returncode := await child.wait()) != 0:
            raise CannotStart(f"The migration {describe_end(returncode)}: {child.last_line()} (see {child.log})")

    async def _start_temporal(self) -> None:
        child = await self._run(Program("temporal", self._temporal.command()))
        await child.until_ready(functools.partial(temporal.is_serving, self._temporal), 60, PROCESS_PROBE)
        await temporal.keep_closed_workflows(self._temporal)
        self._report("Temporal is ready (its development server, which Temporal labels as not for production).")

    async def _start_sandbox(self) -> None:
        where = ["--data", str(self._folder.sandbox), "--port-base", str(self.ports.base)]
        scale = ["--time-scale", str(self.options.time_scale)]
        arguments = self._python("sandbox", *where, *scale, "--records-file", str(self._records_file))
        child = await self._run(Program("sandbox", arguments, SAME_SOURCE))
        await child.until_ready(functools.partial(http.is_healthy, LOOPBACK, self.ports.sandbox), 30)
        self._report("The sandbox is ready: DNS, six mailbox providers, two phone carriers, a pay desk, web pages.")

    async def _start_apis(self) -> None:
        options = ["--host", LOOPBACK, "--port", str(self.ports.api)]
        options += ["--share-port"] if self.options.apis > 1 else []
        for role in numbered("api", self.options.apis):
            child = await self._run(Program(role, self._python("api", *options), self._environment()))
            await child.until_ready(functools.partial(self._api_answers, child), 60)
        self._report("The API and the pages are ready.")

    async def _api_answers(self, child: Child) -> bool:
        """Whether this very process listens: another that shares the port may be the one that answers."""
        listens = child.pid is not None and listens_on(child.pid, self.ports.api)
        return listens and await http.is_healthy(LOOPBACK, self.ports.api)

    async def _start_workers(self) -> None:
        environment = self._environment()
        metrics = {"SONGDA_METRICS_PORT": str(self.ports.metrics)}
        roles = numbered("worker", self.options.workers)
        programs = [Program(role, self._python("worker"), environment, patience=30) for role in roles]
        programs[0] = replace(programs[0], environment=environment | metrics)
        children = [await self._run(program) for program in programs]
        await children[0].until_ready(functools.partial(temporal.is_polled, self._temporal, EXPRESS), 60, PROCESS_PROBE)
        self._report("The worker is ready." if len(children) == 1 else "The workers are ready.")

    async def _start_doors(self) -> None:
        """The two SMTP servers, a process each."""
        doors = [("submission", LOOPBACK, self.ports.submission), ("inbound", INBOUND_ADDRESS, self.ports.inbound)]
        for role, host, port in doors:
            arguments = self._python("smtp", role, "--host", host, "--port", str(port))
            child = await self._run(Program(role, arguments, self._environment()))
            await child.until_ready(functools.partial(smtp.greets, host, port), 60)
        self._report("The SMTP doors are ready: submission, inbound.")

    async def _run(self, program: Program) -> Child:
        child = self._child(program)
        self._children[program.role] = child
        await child.start()
        return child

    def _child(self, program: Program) -> Child:
        log = self._folder.log(program.role)
        rotate(log)
        return Child(program, log, self._report, lambda: remember_children(self._folder, self.pids()))

    def _python(self, *arguments: str) -> list[str]:
        """The same interpreter as ours."""
        return [sys.executable, "-m", "cli", *arguments]

    def _environment(self) -> dict[str, str]:
        """The settings of our own roles."""
        where = self.addresses
        return (
            SAME_SOURCE
            | {
                "DATABASE_URL": where.database_url,
                "TEMPORAL_ADDRESS": where.temporal_address,
                "TEMPORAL_NAMESPACE": "default",
                "SONGDA_TEMPORAL_UI_URL": where.temporal_ui_url,
                "SONGDA_SECRET_KEY": kept_secret(self._folder.root / "secret-key"),
                "SONGDA_PUBLIC_URL": where.public_url,
                "SONGDA_TIME_SCALE": str(self.options.time_scale),
                "SONGDA_DOCUMENTS_URL": (self._folder.root / "documents").as_uri(),
            }
            | (self._sandbox_environment() if self.options.sandbox else {})
            | dict(self.options.settings)
        )

    def _sandbox_environment(self) -> dict[str, str]:
        """The pretend Internet instead of the real one."""
        return {
            "SONGDA_DNS_NAMESERVERS": json.dumps([f"{LOOPBACK}:{self.ports.dns}"]),
            "SONGDA_PAID_DAILY_QUOTA": str(SANDBOX_PAID_QUOTA),
            "SONGDA_SMTP_PORT": str(self.ports.providers),
            "SONGDA_DELIVERY_ALLOWED_NETWORKS": json.dumps(["127.0.0.0/8"]),
            "SONGDA_LEAD_EMAIL": SANDBOX_LEAD,
            "SONGDA_SUBMISSION_PLAIN_LOGIN": "true",
            "SONGDA_SUBMISSION_HOST_NAME": LOOPBACK,
            "SONGDA_SUBMISSION_PORT": str(self.ports.submission),
            "SONGDA_WEBHOOK_ALLOWED_NETWORKS": json.dumps(["127.0.0.0/8"]),
        } | self._alipay_environment()

    def _alipay_environment(self) -> dict[str, str]:
        """The sandbox's pay desk as the payment provider; the keys are made at the first start and stay."""
        keys = kept_keys(self._folder.sandbox / "alipay")
        return {
            "SONGDA_ALIPAY_APP_ID": APP_ID,
            "SONGDA_ALIPAY_SELLER_ID": SELLER_ID,
            "SONGDA_ALIPAY_GATEWAY_URL": f"http://{LOOPBACK}:{self.ports.sandbox}/alipay/gateway.do",
            "SONGDA_ALIPAY_PRIVATE_KEY": keys.app_private,
            "SONGDA_ALIPAY_PUBLIC_KEY": keys.desk_public,
        }
