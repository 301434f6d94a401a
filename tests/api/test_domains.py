"""`/v1/domains`."""

from collections.abc import AsyncIterator

import pytest

from domain.domains import DomainState
from domain.ids import new_id
from store.db import Database
from tests.domain_doors import Doors, doors


@pytest.fixture
async def house(db: Database) -> AsyncIterator[Doors]:
    async with doors(db) as opened:
        yield opened


async def test_a_domain_from_add_to_delete(house: Doors) -> None:
    added = await house.http.post("/v1/domains", json={"name": "Mail.Shop.Example"})
    assert added.status_code == 201
    body = added.json()
    assert added.headers["location"] == f"/v1/domains/{body['id']}"
    assert (body["name"], body["state"], body["problem"]) == ("mail.shop.example", "pending", None)
    assert body["workflow_id"] == f"domain/{body['id']}"
    records = {record["purpose"]: record for record in body["records"]}
    assert list(records) == ["ownership", "spf", "dkim", "dmarc", "mx", "tracking"]
    assert [purpose for purpose, record in records.items() if record["needed"]] == ["ownership", "spf", "dkim"]
    assert {record["state"] for record in body["records"]} == {"unchecked"}
    assert records["ownership"]["value"].startswith("songda-account=")
    assert records["dkim"]["txt_strings"].count('"') == 4
    assert "private" not in added.text.lower()

    assert (await house.http.get(f"/v1/domains/{body['id']}")).json() == body
    checked = await house.http.post(f"/v1/domains/{body['id']}/check")
    assert checked.status_code == 202
    again = await house.http.post(f"/v1/domains/{body['id']}/check")
    assert again.status_code == 429 and 1 <= int(again.headers["retry-after"]) <= 10
    assert (await house.http.delete(f"/v1/domains/{body['id']}")).status_code == 204
    gone = await house.http.get(f"/v1/domains/{body['id']}")
    assert (gone.status_code, gone.json()["code"]) == (404, "domain_not_found")


async def test_refusals_name_the_field_and_the_next_step(house: Doors) -> None:
    for name, status, code in (
        ("com.cn", 422, "domain_is_public_suffix"),
        ("http://shop.example", 422, "domain_not_a_name"),
        ("x.mail.songda.example", 422, "domain_of_platform"),
        ("", 422, "required"),
    ):
        refused = await house.http.post("/v1/domains", json={"name": name})
        problem = refused.json()
        assert (refused.status_code, problem["code"], problem["field"]) == (status, code, "name")
        assert refused.headers["content-type"] == "application/problem+json"
        assert problem["detail"] and problem["next_step"]
    await house.http.post("/v1/domains", json={"name": "shop.example"})
    taken = await house.http.post("/v1/domains", json={"name": "SHOP.example"}, headers={"accept-language": "zh-CN"})
    assert (taken.status_code, taken.json()["detail"]) == (409, "域名 shop.example 已在您的账户中。")


async def test_lists_come_in_pages(house: Doors) -> None:
    for name in ("a", "b", "c"):
        await house.http.post("/v1/domains", json={"name": f"{name}.example"})
    first = (await house.http.get("/v1/domains", params={"limit": 2})).json()
    assert [row["name"] for row in first["items"]] == ["c.example", "b.example"]
    second = (await house.http.get("/v1/domains", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [row["name"] for row in second["items"]] == ["a.example"] and second["next_cursor"] is None


async def test_strangers_are_refused(house: Doors) -> None:
    house.http.headers.pop("authorization")
    for method, path in (("GET", "/v1/domains"), ("POST", "/v1/domains"), ("GET", f"/v1/domains/{new_id()}")):
        assert (await house.http.request(method, path, json={"name": "shop.example"})).status_code == 401


async def test_a_key_reads_domains_but_changes_none(house: Doors) -> None:
    domain = await house.usable()
    made = await house.http.post("/v1/api-users", json={"name": "shop_1", "kind": "trigger"})
    house.http.headers["authorization"] = f"Bearer {made.json()['key']}"
    assert (await house.http.get(f"/v1/domains/{domain}")).json()["state"] == DomainState.USABLE
    assert (await house.http.delete(f"/v1/domains/{domain}")).status_code == 403
