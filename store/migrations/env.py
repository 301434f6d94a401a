"""Alembic's entry: runs the scripts of `versions/` against the URL that `songda migrate` gives."""

import asyncio
import importlib
import pkgutil

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

import store
from store.db import sqlalchemy_url


def declare_tables() -> None:
    """Import every store module, so that the metadata is whole."""
    for module in pkgutil.iter_modules(store.__path__, "store."):
        if module.name != "store.migrations":
            importlib.import_module(module.name)


def migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=SQLModel.metadata, compare_server_default=False)
    with context.begin_transaction():
        context.run_migrations()


async def run() -> None:
    engine = create_async_engine(sqlalchemy_url(context.config.get_main_option("sqlalchemy.url") or ""))
    async with engine.begin() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


declare_tables()
asyncio.run(run())
