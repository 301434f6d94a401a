"""The database's schema: bring it to the newest, or say in one line why it cannot be used."""

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy.engine import make_url

from supervision.errors import CannotStart


def upgrade(database_url: str) -> None:
    """`alembic upgrade head` with the scripts of `store/migrations`; blocks. Raises what the driver raises."""
    config = Config()
    config.set_main_option("script_location", "store:migrations")
    config.set_main_option("sqlalchemy.url", database_url.replace("%", "%%"))
    command.upgrade(config, "head")


async def check_reachable(database_url: str) -> None:
    """Raises `CannotStart` when nobody answers at that URL or lets us in."""
    await (await _connect(database_url)).close()


async def check_migrated(database_url: str) -> None:
    """Raises `CannotStart` also when the schema was never made."""
    connection = await _connect(database_url)
    try:
        if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
            raise CannotStart(f"The database {_shown(database_url)} has no tables yet: run `songda migrate` first.")
    finally:
        await connection.close()


async def _connect(database_url: str) -> asyncpg.Connection:
    dsn = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        return await asyncpg.connect(dsn, timeout=10)
    except (OSError, TimeoutError, asyncpg.PostgresError) as problem:
        reason = " ".join(str(problem).split()) or type(problem).__name__
        raise CannotStart(
            f"The database {_shown(database_url)} cannot be used ({reason}): start it, or set DATABASE_URL."
        ) from problem


def _shown(database_url: str) -> str:
    """The URL with its password hidden."""
    return make_url(database_url).render_as_string(hide_password=True)
