"""Whoever follows something (an import, here) sees it get on, by one reader for all."""

import asyncio
from pathlib import Path

import pytest

from domain.audience import ImportState
from services import live_feed
from store.audience_import import ListImport
from store.db import Database
from tests.audience_world import csv_of, lists
from tests.patience import PATIENCE, until


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_feed, "LOOK_EVERY", 0.02)


async def test_followers_see_an_import_get_on_and_end(db: Database, tmp_path: Path) -> None:
    mine = await lists(db, tmp_path)
    target = await mine.made()
    row = await mine.uploaded(target.id, csv_of(["a@x.cn"]))
    feed, seen = mine.imports._feed, [list[str](), list[str]()]

    async def follow(states: list[str]) -> None:
        async for each in feed.follow(row.id, PATIENCE):
            states.append(each.state)

    following = [asyncio.create_task(follow(states)) for states in seen]

    async def both_saw_it() -> bool:
        return all(seen)

    await until(both_saw_it)
    await mine.reads(row)
    await asyncio.gather(*following)
    for states in seen:
        assert states[0] == ImportState.WAITING and states[-1] == ImportState.DONE
        assert len(states) == len(set(states)), "told of changes only"


async def test_nobody_is_read_for_when_the_time_is_over(db: Database, tmp_path: Path) -> None:
    mine = await lists(db, tmp_path)
    row = await mine.uploaded((await mine.made()).id, csv_of(["a@x.cn"]))
    feed = mine.imports._feed
    seen: list[ListImport] = [each async for each in feed.follow(row.id, 0.3)]
    assert [each.state for each in seen] == [ImportState.WAITING]

    async def is_at_rest() -> bool:
        return feed._reader is not None and feed._reader.done()

    await until(is_at_rest)
