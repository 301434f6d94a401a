"""`/v1/api-users`."""

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


async def test_an_api_user_from_creation_to_disabling(house: Doors) -> None:
    domain, more = await house.usable("shop.example"), await house.usable("more.example")
    wanted = {"name": "shop_1", "kind": "batch", "domain_ids": [str(domain)], "resend_uncertain": False}
    made = await house.http.post("/v1/api-users", json=wanted)
    assert made.status_code == 201
    body = made.json()
    path = f"/v1/api-users/{body['id']}"
    assert made.headers["location"] == path
    assert (body["kind"], body["resend_uncertain"], body["is_test"]) == ("batch", False, False)
    assert body["domains"] == [{"id": str(domain), "name": "shop.example", "state": "usable"}]
    key = body.pop("key")
    assert key.startswith(body["keys"][0]["prefix"])

    read = await house.http.get(path)
    assert read.json() == body and key not in read.text
    bound = await house.http.put(f"{path}/domains/{more}")
    assert len(bound.json()["domains"]) == 2
    unbound = await house.http.delete(f"{path}/domains/{domain}")
    assert [each["name"] for each in unbound.json()["domains"]] == ["more.example"]

    reset = await house.http.post(f"{path}/key")
    assert reset.status_code == 201 and reset.json()["key"] != key
    new, old = reset.json()["keys"]
    assert new["expires_at"] is None and old["expires_at"] is not None
    assert len((await house.http.post(f"{path}/key", json={"at_once": True})).json()["keys"]) == 1

    disabled = await house.http.patch(path, json={"enabled": False})
    assert disabled.json()["disabled_at"] is not None
    assert (await house.http.post(f"{path}/key")).json()["code"] == "api_user_disabled"


async def test_a_domain_that_cannot_be_used_is_named(house: Doors) -> None:
    domain = await house.usable("shop.example")
    await house.state(domain, DomainState.BROKEN, "dkim")
    wanted = {"name": "shop_1", "kind": "trigger", "domain_ids": [str(domain)]}
    refused = (await house.http.post("/v1/api-users", json=wanted)).json()
    assert (refused["code"], refused["field"]) == ("domain_not_usable", "domain_ids[0]")
    assert "shop.example" in refused["detail"] and "DKIM" in refused["detail"]
    wanted["domain_ids"] = [str(new_id())]
    assert (await house.http.post("/v1/api-users", json=wanted)).json()["code"] == "domain_not_found"
    assert (await house.http.get("/v1/api-users")).json()["items"] == []


@pytest.mark.parametrize("change", [{"kind": "both"}, {"name": "no spaces"}, {"domain_ids": ["x"]}])
async def test_values_out_of_range_are_refused(house: Doors, change: dict[str, object]) -> None:
    refused = await house.http.post("/v1/api-users", json={"name": "shop_1", "kind": "trigger"} | change)
    assert refused.status_code == 422
    assert str(refused.json()["field"]).startswith(next(iter(change)))


async def test_lists_come_in_pages(house: Doors) -> None:
    for number in (1, 2, 3):
        await house.http.post("/v1/api-users", json={"name": f"shop_{number}", "kind": "trigger"})
    first = (await house.http.get("/v1/api-users", params={"limit": 2})).json()
    second = (await house.http.get("/v1/api-users", params={"cursor": first["next_cursor"]})).json()
    assert [row["name"] for page in (first, second) for row in page["items"]] == ["shop_3", "shop_2", "shop_1"]


async def test_a_key_makes_no_keys(house: Doors) -> None:
    made = (await house.http.post("/v1/api-users", json={"name": "shop_1", "kind": "trigger"})).json()
    house.http.headers["authorization"] = f"Bearer {made['key']}"
    assert (await house.http.get("/v1/api-users")).status_code == 200
    refused = await house.http.post(f"/v1/api-users/{made['id']}/key")
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


async def test_every_route_is_described(house: Doors) -> None:
    paths = (await house.http.get("/openapi.json")).json()["paths"]
    ours = {path: verbs for path, verbs in paths.items() if path.startswith(("/v1/domains", "/v1/api-users"))}
    assert len(ours) == 7
    for path, verbs in ours.items():
        for verb, described in verbs.items():
            assert described["summary"], (verb, path)
            assert "application/problem+json" in described["responses"]["422"]["content"], (verb, path)


@pytest.mark.parametrize(
    ("kind", "chosen", "expected"),
    [
        ("batch", {}, (True, True)),
        ("trigger", {}, (False, False)),
        ("batch", {"track_opens": False}, (True, False)),
        ("trigger", {"track_clicks": True}, (True, False)),
    ],
)
async def test_batch_is_tracked_unless_told_otherwise(
    house: Doors, kind: str, chosen: dict[str, bool], expected: tuple[bool, bool]
) -> None:
    made = (await house.http.post("/v1/api-users", json={"name": "shop_1", "kind": kind} | chosen)).json()
    assert (made["track_clicks"], made["track_opens"]) == expected
    path = f"/v1/api-users/{made['id']}"
    changed = (await house.http.patch(path, json={"track_clicks": not expected[0]})).json()
    assert (changed["track_clicks"], changed["track_opens"]) == (not expected[0], expected[1])
    assert (await house.http.get(path)).json() == changed
