"""The rows that tests get instead of a run of `ensure_platform` are those that it makes."""

import pytest

from services.platform import ensure_platform
from store.db import Database
from tests import platform_rows
from tests.conftest import empty
from tests.dns_world import POLICY, VAULT


async def everything(db: Database, tables: list[str]) -> dict[str, str]:
    """All rows of all tables that have any."""
    query = "SELECT json_agg(row ORDER BY row::text)::text FROM {} AS row"
    found = {name: await db.pool.fetchval(query.format(name)) for name in tables}
    return {name: rows for name, rows in found.items() if rows}


async def test_rows_put_back_are_what_was_made(
    db: Database, scratch_tables: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform_rows, "MADE", {})
    await platform_rows.have_platform(db, VAULT, POLICY)
    made = await everything(db, scratch_tables)
    await empty(db, scratch_tables)
    assert await everything(db, scratch_tables) == {}
    await platform_rows.have_platform(db, VAULT, POLICY)
    assert made.keys() == platform_rows.OWN.keys()
    assert await everything(db, scratch_tables) == made


async def test_a_second_run_changes_nothing(db: Database, scratch_tables: list[str]) -> None:
    await platform_rows.have_platform(db, VAULT, POLICY)
    made = await everything(db, scratch_tables)
    await ensure_platform(db, VAULT, POLICY)
    assert await everything(db, scratch_tables) == made
