"""The database handle: one SQLAlchemy engine for rows, one asyncpg pool for the sending path.

Every change of state is one transaction: `async with db.begin() as session`. Reads that need no transaction use
`db.read()`. The sending path (accept, relay, group commit) takes asyncpg connections directly: no ORM objects there.

Whoever holds a connection asks for no other, and holds none while a client takes an answer in: else as many as there
are connections wait for each other, and everybody for them. The exceptions are a worker's relay and reconcile: one of
each, so they leave enough for all who give theirs back.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

Session = AsyncSession
IDLE_ON_SENDING_PATH = "5s"
"""A process that was stopped inside a transaction must lose its locks before its sender lease (10 s) has ended:
else whoever takes its pages over would wait for it."""
IDLE_ELSEWHERE = "20s"
LONGEST = "60s"
"""Of a whole transaction: a process stopped between two messages of one query counts as active, not as idle."""
LONGEST_WHILE_SENDING = "8s"
"""In a worker: before its sender lease has ended, as above."""
BY_INDEX = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "jit": "off"}
"""In a worker: its statements are prepared once, perhaps while a table is nearly empty, and the plan that is best then
reads the whole table. Kept when a campaign has filled it, such a plan made a commit fifty times slower."""
DATABASE_TROUBLE = (
    OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, SQLAlchemyError,
)  # fmt: skip
"""What a loop that outlives a restart of the database catches, to try again later. (The internal error is what asyncpg
says of a connection that was cut in the midst of an answer.)"""
OUT_OF_SERVICE = ("08", "53", "57", "58")
"""Classes of SQLSTATE: connection broken, no room (disk, memory, connections), being stopped, error of the system."""
AGAIN_SECONDS = 5
"""After which a client may try again then."""
_CUT = (ConnectionError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError, PoolTimeout)
Connection: TypeAlias = asyncpg.pool.PoolConnectionProxy


def by_column(rows: Sequence[tuple[Any, ...]], width: int = 0) -> list[tuple[Any, ...]]:
    """Rows as columns, for `unnest`; `width` empty ones of no rows."""
    return list(zip(*rows, strict=True)) if rows else [()] * width


def affected(status: str) -> int:
    """How many rows a statement was about, by the status that asyncpg's `execute` returns: `DELETE 3`."""
    return int(status.rpartition(" ")[2])


def asyncpg_dsn(url: str) -> str:
    """`postgresql://…` as asyncpg wants it, whatever driver the URL names."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def sqlalchemy_url(url: str) -> str:
    """The same URL with the asyncpg driver named."""
    return make_url(url).set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


def out_of_service(error: BaseException) -> bool:
    """Whether the database cannot do anything for anybody just now, whatever was asked of it."""
    state = getattr(error.orig if isinstance(error, DBAPIError) else error, "sqlstate", None)
    if state is not None:
        return str(state)[:2] in OUT_OF_SERVICE
    if isinstance(error, DBAPIError):
        return error.connection_invalidated
    return isinstance(error, _CUT) and not isinstance(error, ValueError)  # which a query's wrong argument is


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


async def _as_it_is(connection: asyncpg.Connection) -> None:
    """What happens when a connection goes back, after a roll-back of what was open: nothing.

    asyncpg would ask for a reset of the whole session each time, one round trip more for every transaction. Nobody here
    sets anything for longer than a transaction (`SET LOCAL`, `pg_advisory_xact_lock`), and who listens stops by itself.
    """


def _limits(idle: str, longest: str) -> dict[str, str]:
    """After which PostgreSQL ends a session that holds a transaction, and its locks with it."""
    return {"idle_in_transaction_session_timeout": idle, "transaction_timeout": longest}


class Database:
    """Open with `await Database.open(url)`, close with `await db.close()`."""

    def __init__(self, url: str, engine: AsyncEngine, pool: asyncpg.Pool) -> None:
        self.url = url
        self.engine = engine
        self.pool = pool

    @classmethod
    async def open(
        cls, url: str, connections: int = 10, longest: str = LONGEST, planning: Mapping[str, str] | None = None
    ) -> "Database":
        """`longest` is how long a transaction of the sending path may take, `planning` what PostgreSQL is told of its
        statements' plans. Needs PostgreSQL 17 or newer.

        Raises `OSError` or `asyncpg.PostgresError` when the server cannot be reached.
        """
        pool = await asyncpg.create_pool(
            asyncpg_dsn(url),
            min_size=1,
            max_size=connections,
            init=_prepare,
            reset=_as_it_is,
            server_settings=_limits(IDLE_ON_SENDING_PATH, longest) | dict(planning or {}),
        )
        engine = create_async_engine(
            sqlalchemy_url(url),
            pool_size=connections,
            max_overflow=0,
            pool_pre_ping=True,
            connect_args={"server_settings": _limits(IDLE_ELSEWHERE, LONGEST)},
            hide_parameters=True,  # values may be addresses, and errors reach logs and histories
        )
        return cls(url, engine, pool)

    async def close(self) -> None:
        await self.engine.dispose()
        await self.pool.close()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        async with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Session]:
        """A session whose changes are not kept."""
        async with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @asynccontextmanager
    async def look(self, seconds: int) -> AsyncIterator[Session]:
        """A transaction that can write nothing; PostgreSQL breaks each of its queries off after so many seconds."""
        async with self.read() as session:
            connection = await session.connection()
            await connection.execute(text("SET TRANSACTION READ ONLY"))
            await connection.execute(text(f"SET LOCAL statement_timeout = '{seconds:d}s'"))
            yield session

    @asynccontextmanager
    async def raw(self) -> AsyncIterator[Connection]:
        """One transaction on a plain asyncpg connection."""
        async with self.pool.acquire() as connection, connection.transaction():
            yield connection
