"""Files are read into contact lists by the machinery of address lists: every line once, whatever is killed when."""

import asyncio
import contextlib
import random
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities import list_import
from domain.audience import ImportOrder, ImportState
from domain.errors import Refusal
from domain.ids import Kind, Process
from store.db import Database
from tests.audience_world import lists_of, workbook
from tests.contacts_world import Mine, contacts_of, csv_of, numbers


@pytest.fixture
async def mine(db: Database, tmp_path: Path) -> Mine:
    return await contacts_of(db, tmp_path)


@pytest.fixture
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_import, "PORTION_BYTES", 4_000)


async def test_a_file_becomes_contacts_and_says_which_lines_did_not(mine: Mine) -> None:
    target = await mine.made()
    data = (
        "手机号,姓名,code\n13800138000,李雷,1\n010-62771234,Landline,1\n+86 138 0013 8001,韩梅梅,2\n"
        "1.38E+10,Excel,1\n13800138002,short\n138-0013-8000,李雷雷,3\n+447400123456,Ann,4\n"
    ).encode()
    row = await mine.imported(target.id, data)
    assert row.state == ImportState.DONE and row.line == row.total_lines == 8
    assert (row.added, row.updated, row.repeated, row.refused) == (3, 0, 1, 3)
    assert await mine.members(target.id) == {
        "+8613800138000": ("李雷雷", {"code": "3"}),
        "+8613800138001": ("韩梅梅", {"code": "2"}),
        "+447400123456": ("Ann", {"code": "4"}),
    }
    refused = await mine.imports.refused(mine.caller, target.id, row.id)
    assert [(each.line, each.address, each.code) for each in refused] == [
        (3, "010-62771234", "phone_landline"),
        (5, "1.38E+10", "contact_phone_scientific"),
        (6, "13800138002", "csv_fields"),
    ]
    csv = b"".join([piece async for piece in await mine.imports.export_refused(mine.caller, target.id, row.id, "zh")])
    assert csv.decode("utf-8-sig").splitlines()[0] == "line,phone,code,reason"
    assert await mine.counted(target.id) == (3, 3)


async def test_who_is_there_already_is_updated_and_counted_so(mine: Mine) -> None:
    target = await mine.made()
    first, second = numbers(2)
    await mine.imported(target.id, csv_of([first], "old"))
    row = await mine.imported(target.id, csv_of([first, second], "new"))
    assert (row.added, row.updated, row.repeated) == (1, 1, 0)
    assert {values["code"] for _, values in (await mine.members(target.id)).values()} == {"new"}


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("phone,姓名\n13800138000,李雷\n".encode("gb18030"), "gb18030.csv"),
        ("phone,姓名\n13800138000,李雷\n".encode("utf-16"), "utf16.txt"),
        ("\ufeffphone;姓名\r\n13800138000;李雷\r\n".encode(), "excel.csv"),
        ("phone\t姓名\r13800138000\t李雷\r".encode(), "mac.tsv"),
        (workbook([["phone", "姓名"], [13800138000.0, "李雷"]]), "book.xlsx"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_files_as_people_have_them(mine: Mine, data: bytes, name: str) -> None:
    target = await mine.made()
    row = await mine.imported(target.id, data, name)
    assert (row.state, row.failure) == (ImportState.DONE, None)
    assert await mine.members(target.id) == {"+8613800138000": ("李雷", {})}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"PK\x03\x04 no workbook", "xlsx_damaged"),
        (b"name,city\nAnn,Wuhan\n", "csv_no_phone_column"),
        (b"email,name\na@x.cn,Ann\n", "csv_no_phone_column"),
        (b"phone,name\n", "csv_no_lines"),
        (b"\n\n", "csv_empty"),
        (b"1\x003800138000\n", "csv_not_text"),
    ],
)
async def test_a_file_that_cannot_be_read_at_all_fails_with_its_reason(mine: Mine, data: bytes, code: str) -> None:
    target = await mine.made()
    row = await mine.imported(target.id, data)
    assert (row.state, row.failure) == (ImportState.FAILED, code)
    assert await mine.counted(target.id) == (0, 0)


@pytest.mark.usefixtures("small_portions")
async def test_two_imports_at_once_count_every_number_once(mine: Mine) -> None:
    target = await mine.made()
    files = csv_of(numbers(1_000), "a"), csv_of(numbers(1_000, first=500), "b")
    rows = [await mine.uploaded(target.id, data) for data in files]
    await asyncio.gather(*(mine.reads(row) for row in rows))
    done = [await mine.imports.get(mine.caller, target.id, row.id) for row in rows]
    assert [each.state for each in done] == [ImportState.DONE] * 2
    assert sum(each.added for each in done) == 1_500
    assert sum(each.updated + each.repeated for each in done) == 500
    assert await mine.counted(target.id) == (1_500, 1_500)


@pytest.mark.usefixtures("small_portions")
async def test_an_import_that_is_killed_again_and_again_counts_every_line_once(mine: Mine) -> None:
    target, chance, kills = await mine.made(), random.Random(7), 0
    phones = numbers(2_000)
    row = await mine.uploaded(target.id, csv_of(phones + phones[:500] + ["nobody"]))
    order = ImportOrder(Process(Kind.LIST_IMPORT, str(row.id), str(row.account_id), 1), 60.0)
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
    assert (done.state, done.added, done.updated, done.repeated, done.refused) == (ImportState.DONE, 2_000, 0, 500, 1)
    assert await mine.counted(target.id) == (2_000, 2_000)


@pytest.mark.usefixtures("small_portions")
async def test_an_import_ends_with_its_list(mine: Mine) -> None:
    target = await mine.made()
    row = await mine.uploaded(target.id, csv_of(numbers(2_000)))
    await mine.reads(row, 0.001)
    await mine.contacts.delete(mine.caller, target.id)
    assert (await mine.reads(row)).state is ImportState.CANCELLED
    assert await mine.db.pool.fetchval("SELECT count(*) FROM contact") == 0


async def test_lists_of_the_other_kind_are_not_there(mine: Mine, tmp_path: Path) -> None:
    """A file of numbers is read into no list of addresses, and the other way round."""
    others = lists_of(mine.db, mine.base, mine.caller, tmp_path)
    contacts, addresses = await mine.made(), await others.made()
    with pytest.raises(Refusal, match="contact_list_not_found"):
        await mine.uploaded(addresses.id, csv_of(numbers(1)))
    with pytest.raises(Refusal, match="list_not_found"):
        await others.uploaded(contacts.id, csv_of(numbers(1)))
