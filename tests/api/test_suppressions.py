"""`/v1/suppressions`."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest

from domain.accounts import SYSTEM_ACCOUNT
from domain.ids import iso
from services.suppressions import AT_ONCE
from store.columns import now
from store.db import Database
from store.suppressions import complain
from tests.domain_doors import Doors, doors
from tests.suppressed_world import HOUR, bury


@pytest.fixture
async def house(db: Database) -> AsyncIterator[Doors]:
    async with doors(db) as opened:
        yield opened


async def listed(house: Doors, **params: str | int) -> list[str]:
    answer = await house.http.get("/v1/suppressions", params=params)
    assert answer.status_code == 200, answer.text
    return [row["address"] for row in answer.json()["items"]]


async def test_entered_found_and_freed(house: Doors) -> None:
    wanted = {"addresses": ["Li.Lei@QQ.com", "han@example.org", " li.lei@qq.com "]}
    made = await house.http.post("/v1/suppressions", json=wanted)
    assert (made.status_code, made.json()) == (201, {"added": 2, "known": 1})
    assert (await house.http.post("/v1/suppressions", json=wanted)).json() == {"added": 0, "known": 3}
    assert await listed(house, q="LI.") == ["li.lei@qq.com"]
    assert await listed(house, q="%") == [] and await listed(house, q="_") == []
    row = (await house.http.get("/v1/suppressions", params={"q": "han@"})).json()["items"][0]
    assert (row["reason"], row["message_id"]) == ("manual", None)
    path = f"/v1/suppressions/{row['id']}"
    assert (await house.http.delete(path)).status_code == 204
    gone = await house.http.delete(path)
    assert (gone.status_code, gone.json()["code"]) == (404, "suppression_unknown")
    assert await listed(house) == ["li.lei@qq.com"]
    notes = await house.db.pool.fetch(
        "SELECT action, detail FROM audit_entry WHERE action LIKE 'suppression.%' ORDER BY id"
    )
    assert [tuple(note) for note in notes] == [
        ("suppression.added", {"count": 2}), ("suppression.removed", {"reason": "manual"}),
    ]  # fmt: skip


async def test_one_bad_address_enters_none(house: Doors) -> None:
    answer = await house.http.post("/v1/suppressions", json={"addresses": ["a@x.example", "nobody"]})
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "address_no_at", "addresses[1]")
    assert await listed(house) == []
    wrongs: list[dict[str, list[str]]] = [{}, {"addresses": []}, {"addresses": ["a@x.example"] * 1001}]
    for wrong in wrongs:
        assert (await house.http.post("/v1/suppressions", json=wrong)).status_code == 422


async def test_newest_first_in_pages(house: Doors) -> None:
    for number in (1, 2, 3):
        await house.http.post("/v1/suppressions", json={"addresses": [f"r{number}@x.example"]})
    first = (await house.http.get("/v1/suppressions", params={"limit": 2})).json()
    assert [row["address"] for row in first["items"]] == ["r3@x.example", "r2@x.example"]
    assert await listed(house, cursor=first["next_cursor"]) == ["r1@x.example"]


async def test_all_of_them_for_a_spreadsheet(house: Doors) -> None:
    await house.http.post("/v1/suppressions", json={"addresses": ["a@x.example", "=b@x.example"]})
    answer = await house.http.get("/v1/suppressions.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert {(row["address"], row["reason"]) for row in rows} == {("a@x.example", "manual"), ("'=b@x.example", "manual")}


async def rows(house: Doors) -> dict[tuple[str, str], dict[str, Any]]:
    items = (await house.http.get("/v1/suppressions", params={"limit": 100})).json()["items"]
    return {(row["address"], row["reason"]): row for row in items}


async def test_scope_end_and_note_are_kept_and_the_list_is_narrowed_by_them(house: Doors) -> None:
    until = iso(now() + HOUR)
    wanted = {"addresses": ["a@x.example"], "scope": "all", "until": until, "note": "by telephone"}
    assert (await house.http.post("/v1/suppressions", json=wanted)).status_code == 201
    await house.http.post("/v1/suppressions", json={"addresses": ["b@x.example"]})
    row = (await rows(house))["a@x.example", "manual"]
    assert (row["scope"], row["until"], row["note"]) == ("all", until, "by telephone")
    assert (await house.http.get(f"/v1/suppressions/{row['id']}")).json() == row
    assert await listed(house, scope="all") == ["a@x.example"]
    assert await listed(house, scope="batch", reason="manual") == ["b@x.example"]
    assert await listed(house, reason="complaint") == []
    assert (await house.http.get("/v1/suppressions", params={"reason": "dead"})).status_code == 422
    assert "a@x.example" not in (await house.http.get("/v1/suppressions.csv", params={"scope": "batch"})).text


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"until": "2020-01-01T00:00:00Z"}, "until"), ({"until": "2999-01-01T00:00:00Z"}, "until"),
        ({"until": "2026-12-24T00:00:00"}, "until"), ({"scope": "some"}, "scope"), ({"note": "x" * 201}, "note"),
        ({"note": "a\nb"}, "note"), ({"reason": "complaint"}, "reason"),
    ],
)  # fmt: skip
async def test_what_cannot_be_entered_is_said_at_its_field(house: Doors, changes: dict[str, str], field: str) -> None:
    answer = await house.http.post("/v1/suppressions", json={"addresses": ["a@x.example"]} | changes)
    assert answer.status_code == 422
    assert field in (answer.json().get("field") or answer.json()["errors"][0]["field"])
    assert await listed(house) == []


async def test_a_complaint_is_removed_only_by_who_says_so(house: Doors) -> None:
    async with house.db.raw() as connection:
        account = await connection.fetchval("SELECT id FROM account WHERE id <> $1", SYSTEM_ACCOUNT)
        await complain(connection, account, "li@x.example", 7, now())
    await house.http.post("/v1/suppressions", json={"addresses": ["a@x.example", "b@x.example"]})
    found = await rows(house)
    ids = [row["id"] for row in found.values()]
    one = f"/v1/suppressions/{found['li@x.example', 'complaint']['id']}"
    for refused in (await house.http.delete(one), await house.http.post("/v1/suppressions/remove", json={"ids": ids})):
        assert (refused.status_code, refused.json()["code"]) == (409, "suppression_complained")
    assert len(await rows(house)) == 3, "all or none"
    gone = await house.http.post("/v1/suppressions/remove", json={"ids": ids, "despite_complaint": True})
    assert (gone.status_code, gone.json()) == (200, {"removed": 3})
    notes = await house.db.pool.fetch("SELECT detail->>'reason' FROM audit_entry WHERE action = 'suppression.removed'")
    assert sorted(note[0] for note in notes) == ["complaint", "manual", "manual"]
    assert (await house.http.post("/v1/suppressions/remove", json={"ids": ids})).status_code == 404


async def test_why_an_address_is_not_written_to(house: Doors) -> None:
    async def why() -> dict[str, Any]:
        answer = await house.http.get("/v1/suppressions/lookup", params={"address": "LI@X.example"})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    assert await why() == {"address": "LI@x.example", "batch": True, "trigger": True, "held": []}
    await house.http.post("/v1/suppressions", json={"addresses": ["li@x.example"]})
    (held,) = (await why())["held"]
    assert (held["reason"], held["suppression"]["address"]) == ("manual", "li@x.example")
    assert ((await why())["batch"], (await why())["trigger"]) == (False, True)
    until = (now() + HOUR).replace(microsecond=0)
    await bury(house.db, "li@x.example", until)
    said = await why()
    assert (said["batch"], said["trigger"]) == (False, False)
    assert said["held"][1] == {"reason": "dead", "scope": "all", "until": iso(until), "suppression": None}
    await house.db.pool.execute("UPDATE dead_address SET until = now()")
    assert (await why())["trigger"] is True
    wrong = await house.http.get("/v1/suppressions/lookup", params={"address": "nobody"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "address_no_at")


async def put(house: Doors, data: bytes, **form: str) -> dict[str, Any]:
    files = {"file": ("list.csv", data, "text/csv")}
    answer = await house.http.post("/v1/suppressions/import", data=form, files=files)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_what_is_exported_can_be_imported_again(house: Doors) -> None:
    """Into the account as it was, and into one that is empty: the same entries."""
    until = iso(now() + HOUR)
    first = {"addresses": ["=a@x.example", "b@x.example"], "scope": "all", "until": until, "note": "=1+1"}
    await house.http.post("/v1/suppressions", json=first)
    assert (await put(house, b"email,reason\nb@x.example,unsubscribe\nc@x.example,complaint\n"))["added"] == 2
    before = await rows(house)
    data = (await house.http.get("/v1/suppressions.csv")).content
    assert await put(house, data) == {"added": 0, "known": 4, "ended": 0, "refused": 0, "problems": []}
    assert await rows(house) == before
    await house.db.pool.execute("DELETE FROM suppression")
    assert (await put(house, data))["added"] == 4
    again = await rows(house)
    assert again.keys() == before.keys()
    for name in ("scope", "until", "note"):  # times are exported to the second
        assert [str(row[name])[:19] for row in again.values()] == [str(row[name])[:19] for row in before.values()]


async def test_a_files_wrong_lines_are_told_and_the_others_entered(house: Doors) -> None:
    done = await put(
        house, b"address,until\na@x.example,\nnobody,\nb@x.example,soon\nc@x.example,2020-01-01\n", scope="all"
    )
    assert (done["added"], done["ended"], done["refused"]) == (1, 1, 2)
    assert [(one["line"], one["code"]) for one in done["problems"]] == [(3, "address_no_at"), (4, "suppression_cell")]
    assert "soon" in done["problems"][1]["detail"]
    assert (await rows(house))["a@x.example", "manual"]["scope"] == "all"
    notes = await house.db.pool.fetch("SELECT detail FROM audit_entry WHERE action = 'suppression.imported'")
    assert [note["detail"] for note in notes] == [{"count": 1}]


async def test_a_file_that_is_none_enters_nothing(house: Doors) -> None:
    for data, code in (
        (b"", "csv_empty"),
        (b"PK\x03\x04", "csv_spreadsheet"),
        (b"name\nLi\n", "csv_no_address_column"),
    ):
        files = {"file": ("list.csv", data, "text/csv")}
        answer = await house.http.post("/v1/suppressions/import", files=files)
        assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, code, "file")
    assert await listed(house) == []


async def test_a_file_of_several_statements_is_one_import(house: Doors) -> None:
    count = 2 * AT_ONCE + 1
    lines = b"".join(b"r%d@x.example\n" % number for number in range(count))
    assert (await put(house, lines))["added"] == count
    assert (await put(house, lines))["known"] == count
    assert await house.db.pool.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'suppression.imported'") == 1
