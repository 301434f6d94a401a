"""`/v1/suppressions`."""

import csv
import io
from collections.abc import AsyncIterator

import pytest

from store.db import Database
from tests.domain_doors import Doors, doors


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
