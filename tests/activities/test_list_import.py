"""Files are read into lists: every line once, whatever is killed when."""

import asyncio
import contextlib
import random
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities import list_import
from domain.audience import ImportOrder, ImportState
from domain.errors import StaleEpoch
from store import audience_import as rows
from store.audience_import import Took
from store.db import Database
from tests.audience_world import Lists, csv_of, frozen, lists, workbook


@pytest.fixture
async def mine(db: Database, tmp_path: Path) -> Lists:
    return await lists(db, tmp_path)


@pytest.fixture
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of some thousand lines has many checkpoints then."""
    monkeypatch.setattr(list_import, "PORTION_BYTES", 8_000)


async def test_a_file_becomes_members_and_says_which_lines_did_not(mine: Lists) -> None:
    target = await mine.made()
    data = (
        b"email,name,city\na@x.cn,Ann,Wuhan\nnobody,Bob,\nA@X.cn,Again,Beijing\nb@x.cn,Bea\nc@x.cn,Cid,\na@x.cn,Last,\n"
    )
    row = await mine.imported(target.id, data)
    assert row.state == ImportState.DONE and row.line == row.total_lines == 7
    assert (row.added, row.updated, row.repeated, row.refused) == (3, 0, 1, 2)
    members = await mine.members(target.id)
    assert members["a@x.cn"] == {"email": "a@x.cn", "name": "Last", "city": ""}
    assert set(members) == {"a@x.cn", "A@x.cn", "c@x.cn"}
    refused = await mine.imports.refused(mine.caller, target.id, row.id)
    assert [(each.line, each.address, each.code) for each in refused] == [
        (3, "nobody", "address_no_at"),
        (5, "b@x.cn", "csv_fields"),
    ]
    assert await mine.counted(target.id) == (3, 3)


async def test_who_is_there_already_is_updated_and_counted_so(mine: Lists) -> None:
    target = await mine.made()
    await mine.audience.put_members(mine.caller, target.id, [("a@x.cn", {"old": "1"}), ("z@x.cn", {})])
    row = await mine.imported(target.id, csv_of(["a@x.cn", "b@x.cn"], "new"))
    assert (row.added, row.updated, row.repeated) == (1, 1, 0)
    assert (await mine.members(target.id))["a@x.cn"] == {"email": "a@x.cn", "name": "new"}
    assert await mine.counted(target.id) == (3, 3)
    again = await mine.imported(target.id, csv_of(["a@x.cn", "b@x.cn"], "newer"))
    assert (again.added, again.updated) == (0, 2)


@pytest.mark.usefixtures("small_portions")
async def test_repeats_are_counted_across_portions_and_the_last_line_wins(mine: Lists) -> None:
    target = await mine.made()
    addresses = [f"m{n}@x.cn" for n in range(500)]
    data = csv_of(addresses, "first") + csv_of(addresses[:100], "last").partition(b"\n")[2]
    row = await mine.imported(target.id, data)
    assert (row.added, row.updated, row.repeated) == (500, 0, 100)
    members = await mine.members(target.id)
    assert [members[f"m{n}@x.cn"]["name"] for n in (0, 99, 100)] == ["last", "last", "first"]


def mixed_lines(count: int) -> tuple[bytes, int, int, int]:
    """(file, members, repeats, refused)."""
    lines = ["email,name"]
    for n in range(count):
        lines.append("nobody,x" if n % 10 == 3 else f"m{n % (count // 2)}@d{n % 7}.cn,n{n}")
    good = [line.partition(",")[0] for line in lines[1:] if not line.startswith("nobody")]
    return "\n".join(lines).encode(), len(set(good)), len(good) - len(set(good)), count - len(good)


@pytest.mark.usefixtures("small_portions")
async def test_an_import_that_is_killed_again_and_again_counts_every_line_once(mine: Lists) -> None:
    """At any moment: while it reads, writes, commits, or finds out how to read."""
    data, members, repeats, refused = mixed_lines(10_000)
    target, chance, kills = await mine.made(), random.Random(7), 0
    row = await mine.uploaded(target.id, data)
    order = ImportOrder(mine.process(row), 60.0)
    while True:
        reading = asyncio.create_task(ActivityEnvironment().run(mine.activities.read, order))
        await asyncio.wait([reading], timeout=chance.uniform(0, 0.05))
        if reading.done():
            break
        reading.cancel()
        kills += 1
        with contextlib.suppress(asyncio.CancelledError):
            await reading
    done = await mine.imports.get(mine.caller, target.id, row.id)
    assert kills > 3, "nothing was killed: this says nothing"
    assert done.state == ImportState.DONE and done.line == 10_001
    assert (done.added, done.updated, done.repeated, done.refused) == (members, 0, repeats, refused)
    assert await mine.counted(target.id) == (members, members)
    kept = await mine.db.pool.fetchval("SELECT count(*) FROM list_import_refused WHERE import_id = $1", row.id)
    assert kept == refused


@pytest.mark.usefixtures("small_portions")
async def test_two_attempts_at_once_write_every_portion_once(mine: Lists) -> None:
    """As when a worker was taken for dead and was not."""
    data, members, repeats, refused = mixed_lines(2_000)
    target = await mine.made()
    row = await mine.uploaded(target.id, data)
    await asyncio.gather(*(mine.reads(row) for _ in range(3)))
    done = await mine.imports.get(mine.caller, target.id, row.id)
    assert (done.added, done.repeated, done.refused, done.line) == (members, repeats, refused, 2_001)
    assert await mine.counted(target.id) == (members, members)


async def test_a_portion_that_was_written_already_is_not_written_again(mine: Lists) -> None:
    target = await mine.made()
    row = await mine.imported(target.id, csv_of(["a@x.cn"]))
    async with mine.db.raw() as connection:
        took = await rows.take(connection, row.id, rows.Step(0, 10, 1, {"b@x.cn": "{}"}))
    assert took is Took.MOVED
    assert set(await mine.members(target.id)) == {"a@x.cn"}


@pytest.mark.usefixtures("small_portions")
async def test_a_look_ends_after_its_seconds_and_the_next_goes_on(mine: Lists) -> None:
    target = await mine.made()
    row = await mine.uploaded(target.id, csv_of([f"m{n}@x.cn" for n in range(3_000)]))
    first = await mine.reads(row, 0.001)
    assert not first.ended and first.lines < 3_001
    looks = 1
    while not (await mine.reads(row, 0.2)).ended:
        looks += 1
    assert await mine.counted(target.id) == (3_000, 3_000)


@pytest.mark.usefixtures("small_portions")
async def test_while_a_campaign_copies_the_list_the_import_waits(mine: Lists) -> None:
    target = await mine.made()
    row = await mine.uploaded(target.id, csv_of([f"m{n}@x.cn" for n in range(1_000)]))
    async with frozen(mine.db, target.id):
        held = await mine.reads(row)
        assert (held.held, held.ended, held.added) == (True, False, 0)
        assert await mine.counted(target.id) == (0, 0)
    done = await mine.reads(row)
    assert (done.held, done.state, done.added) == (False, ImportState.DONE, 1_000)


async def test_a_campaign_that_begins_waits_for_the_portion_that_is_being_written(mine: Lists) -> None:
    """Who holds the row when it asks is not frozen in the midst: the lock is what keeps the copy whole."""
    target = await mine.made()
    row = await mine.uploaded(target.id, csv_of(["a@x.cn"]))
    async with mine.db.raw() as campaign:
        await campaign.execute("SELECT FROM address_list WHERE id = $1 FOR UPDATE", target.id)
        reading = asyncio.create_task(mine.reads(row))
        await asyncio.sleep(0.3)
        assert not reading.done() and await mine.counted(target.id) == (0, 0)
        await campaign.execute("INSERT INTO list_freeze (list_id, campaign_id) VALUES ($1, $1)", target.id)
    assert (await reading).held
    await mine.db.pool.execute("DELETE FROM list_freeze")
    assert (await mine.reads(row)).added == 1


@pytest.mark.usefixtures("small_portions")
async def test_an_import_ends_with_its_list_and_when_it_is_stopped(mine: Lists) -> None:
    for stop in (mine.audience.delete, None):
        target = await mine.made()
        row = await mine.uploaded(target.id, csv_of([f"m{n}@x.cn" for n in range(2_000)]))
        await mine.reads(row, 0.001)
        if stop:
            await stop(mine.caller, target.id)
        else:
            await mine.imports.cancel(mine.caller, target.id, row.id)
        stood = await mine.reads(row)
        assert stood.state is ImportState.CANCELLED and stood.lines < 2_001


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("email,名字\na@x.cn,李雷\n".encode("gb18030"), "gb18030.csv"),
        ("email,名字\na@x.cn,李雷\n".encode("utf-16"), "utf16.txt"),
        ("\ufeffemail;名字\r\na@x.cn;李雷\r\n".encode(), "excel.csv"),
        ("email\t名字\ra@x.cn\t李雷\r".encode(), "mac.tsv"),
        (workbook([["email", "名字"], ["a@x.cn", "李雷"]]), "book.xlsx"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_files_as_people_have_them(mine: Lists, tmp_path: Path, data: bytes, name: str) -> None:
    target = await mine.made()
    row = await mine.imported(target.id, data, name)
    assert (row.state, row.failure) == (ImportState.DONE, None)
    assert await mine.members(target.id) == {"a@x.cn": {"email": "a@x.cn", "名字": "李雷"}}
    await ActivityEnvironment().run(mine.activities.close, mine.process(row))
    assert list(tmp_path.iterdir()) == [], "the file is forgotten, also what was written anew"


async def test_a_workbook_keeps_its_row_numbers_and_plain_numbers(mine: Lists) -> None:
    target = await mine.made()
    cells: list[list[Any]] = [[], ["email", "phone"], ["a@x.cn", 13800138000.0], [], ["nobody", 1.5]]
    row = await mine.imported(target.id, workbook(cells), "book.xlsx")
    assert (await mine.members(target.id))["a@x.cn"]["phone"] == "13800138000"
    assert [each.line for each in await mine.imports.refused(mine.caller, target.id, row.id)] == [5]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"PK\x03\x04 no workbook", "xlsx_damaged"),
        (b"name,city\nAnn,Wuhan\n", "csv_no_address_column"),
        (b"email,name\n", "csv_no_lines"),
        (b"\n\n", "csv_empty"),
        (b"a\0b@x.cn\n", "csv_not_text"),
        (b"\xff\xfea", "csv_not_text"),
    ],
)
async def test_a_file_that_cannot_be_read_at_all_fails_with_its_reason(mine: Lists, data: bytes, code: str) -> None:
    target = await mine.made()
    row = await mine.imported(target.id, data)
    assert (row.state, row.failure, row.finished_at is not None) == (ImportState.FAILED, code, True)
    assert await mine.counted(target.id) == (0, 0)


async def test_a_file_with_too_many_lines_fails_before_any_is_read(db: Database, tmp_path: Path) -> None:
    mine = await lists(db, tmp_path, max_lines=10)
    target = await mine.made()
    row = await mine.imported(target.id, csv_of([f"m{n}@x.cn" for n in range(10)]))
    assert (row.failure, row.failure_params) == ("import_too_many_lines", {"limit": 10, "found": 11})
    assert await mine.counted(target.id) == (0, 0)


async def test_a_line_without_end_is_one_refused_line(mine: Lists) -> None:
    target = await mine.made()
    data = csv_of(["a@x.cn"]) + b"b" * 1_500_000 + b"\nc@x.cn,Cid\n"
    row = await mine.imported(target.id, data)
    assert (row.state, row.added, row.refused, row.line) == (ImportState.DONE, 2, 1, 4)
    refused = await mine.imports.refused(mine.caller, target.id, row.id)
    assert [(each.line, each.code) for each in refused] == [(3, "csv_line_too_long")]


async def test_a_process_from_before_a_restore_stands_back(mine: Lists) -> None:
    target = await mine.made()
    row = await mine.uploaded(target.id, csv_of(["a@x.cn"]))
    await mine.db.pool.execute("UPDATE database_epoch SET epoch = 2")
    try:
        with pytest.raises(StaleEpoch):
            await mine.reads(row)
    finally:
        await mine.db.pool.execute("UPDATE database_epoch SET epoch = 1")
