"""Contact lists: names, counts, searches, exports that can be imported, other accounts, two at once."""

import asyncio
from pathlib import Path

import pytest

from domain.contacts import MAX_CHANGES, NewContact
from domain.errors import Refusal
from domain.ids import new_id
from services import contacts as service
from services.contacts import ListChange
from services.sms_labels import SmsLabels
from store import contacts as rows
from store.db import Database
from tests.contacts_world import Mine, contacts_of, csv_of, numbers


@pytest.fixture
async def mine(db: Database, tmp_path: Path) -> Mine:
    return await contacts_of(db, tmp_path)


def people(*phones: str) -> list[NewContact]:
    return [NewContact(phone, "李雷", {"code": "1"}) for phone in phones]


async def refusal_of(call: object) -> tuple[str, str | None]:
    with pytest.raises(Refusal) as refused:
        await call  # type: ignore[misc]
    return refused.value.code, refused.value.field


async def test_a_list_has_a_number_and_a_name_of_its_own(mine: Mine) -> None:
    first, second = await mine.made("A"), await mine.made("B")
    assert first.number and second.number and second.number > first.number
    assert await refusal_of(mine.made(" A ")) == ("contact_list_exists", "name")
    assert await refusal_of(mine.contacts.change(mine.caller, second.id, ListChange("A"))) == (
        "contact_list_exists",
        "name",
    )
    await mine.contacts.delete(mine.caller, first.id)
    changed = await mine.contacts.change(mine.caller, second.id, ListChange("A", "described"))
    assert (changed.name, changed.description, changed.number) == ("A", "described", second.number)


async def test_two_lists_of_one_name_at_once_become_one(mine: Mine) -> None:
    done = await asyncio.gather(*(mine.made("A") for _ in range(4)), return_exceptions=True)
    refused = [each for each in done if isinstance(each, Refusal)]
    assert [each.code for each in refused] == ["contact_list_exists"] * 3


async def test_an_account_has_so_many_lists(mine: Mine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_LISTS", 2)
    done = await asyncio.gather(*(mine.made(str(n)) for n in range(4)), return_exceptions=True)
    assert sum(isinstance(each, Refusal) for each in done) == 2


async def test_contacts_are_counted_searched_and_removed(mine: Mine) -> None:
    target = await mine.made()
    changed = await mine.contacts.put(mine.caller, target.id, people("138-0000-0001", "13900000002", "+447400123456"))
    assert (changed.added, changed.updated) == (3, 0)
    changed = await mine.contacts.put(mine.caller, target.id, people("+8613800000001", "13700000003"))
    assert (changed.added, changed.updated) == (1, 1)
    found = await mine.contacts.contacts(mine.caller, target.id, "138")
    assert [each.phone for each in found.contacts] == ["+8613800000001"]
    assert [each.phone for each in (await mine.contacts.contacts(mine.caller, target.id, "+44")).contacts] == [
        "+447400123456"
    ]
    first = await mine.contacts.contacts(mine.caller, target.id, limit=3)
    rest = await mine.contacts.contacts(mine.caller, target.id, after=first.next_after or 0, limit=3)
    assert (len(first.contacts), len(rest.contacts), rest.next_after) == (3, 1, None)
    assert await mine.contacts.remove(mine.caller, target.id, ["138 0000 0001", "13911111111"]) == 1
    await mine.contacts.remove_one(mine.caller, target.id, found.contacts[0].id + 1)
    assert await refusal_of(mine.contacts.remove_one(mine.caller, target.id, found.contacts[0].id)) == (
        "contact_not_found",
        None,
    )
    assert await mine.counted(target.id) == (2, 2)


async def test_of_wrong_contacts_none_is_written_and_the_field_is_named(mine: Mine) -> None:
    target = await mine.made()
    put = mine.contacts.put
    assert await refusal_of(put(mine.caller, target.id, people("13800000001", "1"))) == (
        "phone_invalid",
        "contacts[1].phone",
    )
    assert await refusal_of(put(mine.caller, target.id, people("13800000001", "+86 13800000001"))) == (
        "contact_repeated",
        "contacts[1].phone",
    )
    assert (await refusal_of(put(mine.caller, target.id, [])))[0] == "contact_no_phones"
    many = people(*numbers(MAX_CHANGES + 1))
    assert (await refusal_of(put(mine.caller, target.id, many)))[0] == "contact_too_many_at_once"
    assert await refusal_of(mine.contacts.remove(mine.caller, target.id, ["13800000001", "x"])) == (
        "phone_invalid",
        "phones[1]",
    )
    assert await mine.counted(target.id) == (0, 0)


async def test_changes_at_once_are_counted_right(mine: Mine) -> None:
    target = await mine.made()
    phones = numbers(40)

    async def change(n: int) -> None:
        await mine.contacts.put(mine.caller, target.id, people(*phones[n : n + 20]))
        await mine.contacts.remove(mine.caller, target.id, phones[n : n + 5])

    await asyncio.gather(*(change(n) for n in range(0, 20, 4)))
    said, there = await mine.counted(target.id)
    assert said == there > 0


async def test_an_export_can_be_imported_again(mine: Mine) -> None:
    source, target = await mine.made("A"), await mine.made("B")
    await mine.contacts.put(
        mine.caller,
        source.id,
        [
            NewContact("13800000001", "=HYPERLINK(1)", {"code": "007", "city": "武汉"}),
            NewContact("+447400123456", "Ann", {"code": "-1", "phone": "left out"}),
        ],
    )
    data = b"".join([piece async for piece in await mine.contacts.export(mine.caller, source.id)])
    lines = data.decode("utf-8-sig").splitlines()
    assert lines[0] == "phone,userName,city,code" and lines[1].startswith("13800000001,")
    assert not any(cell.startswith(("=", "+", "-", "@")) for line in lines for cell in line.split(","))
    row = await mine.imported(target.id, data)
    assert (row.added, row.refused) == (2, 0)
    assert set(await mine.members(target.id)) == {"+8613800000001", "+447400123456"}


async def test_another_accounts_lists_and_contacts_are_not_there(mine: Mine, db: Database, tmp_path: Path) -> None:
    target, other = await mine.made(), await contacts_of(db, tmp_path)
    await mine.contacts.put(mine.caller, target.id, people("13800000001"))
    (contact,) = (await mine.contacts.contacts(mine.caller, target.id)).contacts
    hers = other.contacts
    for call in (
        hers.get(other.caller, target.id),
        hers.delete(other.caller, target.id),
        hers.change(other.caller, target.id, ListChange("x")),
        hers.contacts(other.caller, target.id),
        hers.contact(other.caller, target.id, contact.id),
        hers.put(other.caller, target.id, people("13800000002")),
        hers.remove(other.caller, target.id, ["13800000001"]),
        hers.remove_one(other.caller, target.id, contact.id),
        hers.export(other.caller, target.id),
        hers.named(other.caller, target.name),
        other.uploaded(target.id, csv_of(numbers(1))),
    ):
        assert (await refusal_of(call))[0] == "contact_list_not_found"
    own = await other.made()
    assert (await refusal_of(hers.contact(other.caller, own.id, contact.id)))[0] == "contact_not_found"
    assert (await refusal_of(hers.remove_one(other.caller, own.id, contact.id)))[0] == "contact_not_found"
    async with db.raw() as connection:
        account = other.caller.account_id
        assert await rows.chunk(connection, account, target.id, 0, 10) == []
        assert await rows.last(connection, account, target.id) is None
        assert await rows.find_list(connection, account, str(target.number)) is None
        assert await rows.numbered_contacts(connection, account, target.id, rows.Sought(limit=10)) == (0, [])
    assert await mine.counted(target.id) == (1, 1)


async def test_a_task_reads_whom_the_list_held_when_it_began(mine: Mine) -> None:
    """Chunk by chunk, while contacts come and go, and the list itself."""
    target, account = await mine.made(), mine.caller.account_id
    phones = numbers(25)
    await mine.contacts.put(mine.caller, target.id, people(*phones))
    async with mine.db.raw() as connection:
        end = await rows.last(connection, account, target.id)
        first = await rows.chunk(connection, account, target.id, 0, 10)
    await mine.contacts.remove(mine.caller, target.id, [phones[0], phones[15]])
    await mine.contacts.put(mine.caller, target.id, people("13900000000", phones[20]))
    async with mine.db.raw() as connection:
        second = await rows.chunk(connection, account, target.id, first[-1].id, 100)
    assert end is not None
    read = [each.phone for each in (*first, *second) if each.id <= end]
    assert read == [f"+86{phone}" for n, phone in enumerate(phones) if n != 15]
    await mine.contacts.delete(mine.caller, target.id)
    async with mine.db.raw() as connection:
        assert await rows.chunk(connection, account, target.id, 0, 10) == []
        assert await rows.last(connection, account, target.id) is None
    assert await mine.db.pool.fetchval("SELECT count(*) FROM contact") == 0


async def test_a_list_is_found_by_id_number_or_name(mine: Mine) -> None:
    target = await mine.made("Members")
    async with mine.db.raw() as connection:
        for ref in (str(target.id), str(target.number), " Members "):
            assert await rows.find_list(connection, mine.caller.account_id, ref) == target.id
        assert await rows.find_list(connection, mine.caller.account_id, str(new_id())) is None


async def test_labels_are_numbered_renamed_and_each_accounts_own(mine: Mine, db: Database, tmp_path: Path) -> None:
    labels, other = SmsLabels(mine.base), await contacts_of(db, tmp_path)
    made = await labels.create(mine.caller, " spring ")
    assert made.id is not None and made.name == "spring"
    assert await refusal_of(labels.create(mine.caller, "spring")) == ("sms_label_exists", "name")
    assert (await labels.create(other.caller, "spring")).id != made.id
    second = await labels.create(mine.caller, "autumn")
    assert second.id is not None
    assert await refusal_of(labels.rename(mine.caller, second.id, "spring")) == ("sms_label_exists", "name")
    assert (await labels.rename(mine.caller, second.id, "winter")).name == "winter"
    assert [each.name for each in (await labels.page(mine.caller, "", 0, 10))[1]] == ["winter", "spring"]
    for call in (labels.get, labels.delete):
        assert await refusal_of(call(other.caller, made.id)) == ("sms_label_not_found", None)
    assert await refusal_of(labels.get(mine.caller, 2**70)) == ("sms_label_not_found", None)
    for name in ("", "x" * 51, "a\nb"):
        assert (await refusal_of(labels.create(mine.caller, name)))[1] == "name"
    await labels.delete(mine.caller, made.id)
    assert (await labels.page(mine.caller, "", 0, 10))[0] == 1
