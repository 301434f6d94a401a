"""Whose is it? Every route of `/v1` and `/portal`, called by nobody and by another account (design §6).

The cases come from the application's route table: a new route that is not understood here fails, until
`tests/route_cases.py` says how it is to be called.
"""

from collections.abc import AsyncIterator

import pytest

from store.db import Database
from tests.route_cases import BODIES, OPEN, OWN, QUERIES, STREAMS
from tests.route_table import Call, Door, calls
from tests.tenants_world import Two, two_accounts

CLOSED = [call for call in calls() if call.door is Door.MEMBER]
OBJECTS = [call for call in CLOSED if call.names]
COLLECTIONS = [call for call in CLOSED if not call.names and call.key not in STREAMS]


@pytest.fixture(scope="module")
async def two(postgres_url: str) -> AsyncIterator[Two]:
    db = await Database.open(postgres_url, connections=5)
    async with two_accounts(db) as made:
        yield made
    await db.close()


def test_the_route_table_is_read_and_every_exception_is_a_route() -> None:
    known = {call.key for call in calls()}
    assert len(CLOSED) > 150
    assert {path for _, path in known} >= {"/v1/sends/{send_id}", "/portal/domains/{domain_id}/delete", "/portal/"}
    assert OPEN | STREAMS | set(BODIES) | set(OWN) <= known, "an exception for a route that is gone"
    assert set(QUERIES) <= {path for _, path in known}


@pytest.mark.parametrize("call", OBJECTS, ids=str)
async def test_another_accounts_object_is_not_there(two: Two, call: Call) -> None:
    unknown = [name for name in call.names if name not in two.hers]
    assert not unknown, f"say in `furnish` what {unknown} of the first account is"
    before = await two.stand()
    for path in two.paths(call):
        answer = await two.ask(two.bob, call, path, **two.filled(BODIES.get(call.key, {})))
        assert answer.status_code == 404, f"{call.method} {path}: {answer.status_code} {answer.text[:300]}"
        assert [value for value in two.leaks(answer.text) if value not in path] == []
    assert await two.stand() == before


@pytest.mark.parametrize("call", COLLECTIONS, ids=str)
async def test_what_names_no_object_shows_and_changes_the_callers_own(two: Two, call: Call) -> None:
    assert call.method == "GET" or call.key in OWN, "say in `OWN` how this route is called"
    before = await two.stand()
    path = call.path + two.filled(QUERIES.get(call.path, "")) if call.method == "GET" else call.path
    options = two.filled(OWN.get(call.key, {}))
    answer = await two.ask(two.bob, call, path, **options)
    assert answer.status_code < 500, answer.text[:300]
    if call.method == "GET":
        onward = answer.status_code == 303 and answer.headers["location"].startswith(call.place)
        assert answer.status_code == 200 or onward, f"{answer.status_code} {answer.text[:300]}"
    given = f"{path} {options}"
    assert [value for value in two.leaks(answer.text) if value not in given] == []
    assert await two.stand() == before


@pytest.mark.parametrize("verb", ["bind", "unbind"])
async def test_a_page_does_not_bind_another_accounts_domain_to_ones_own_api_user(two: Two, verb: str) -> None:
    """The object in the path is the caller's; the one in the form is not."""
    call = Call("POST", "/portal/api-users/{api_user_id}/" + verb)
    path = f"/portal/api-users/{two.his['api_user_id']}/{verb}"
    users = "SELECT count(*) FROM api_user_domain WHERE api_user_id::text = $1"
    before, bound = await two.stand(), await two.home.db.pool.fetchval(users, two.his["api_user_id"])
    answer = await two.page(two.bob, call, path, data={"domain": two.hers["domain_id"][0]})
    assert answer.status_code in (303, 404)
    assert await two.stand() == before
    assert await two.home.db.pool.fetchval(users, two.his["api_user_id"]) == bound


async def test_her_own_calls_do_find_her_objects(two: Two) -> None:
    """Else a 404 above would say nothing."""
    for call in OBJECTS:
        if call.method == "GET":
            for path in two.paths(call):
                answer = await two.ask(two.alice, call, path)
                sent_on = answer.status_code == 303 and answer.headers["location"].startswith("/portal/")
                assert answer.status_code == 200 or sent_on, f"{path}: {answer.status_code} {answer.text[:300]}"


KEYS_MAY = {
    ("POST", "/v1/sends"),
    ("POST", "/v1/sends/upload"),
    ("POST", "/v1/templates/preview"),
    ("POST", "/v1/templates/{ref}/preview"),
}
"""An API user's key sends and reads. Whoever finds one in a leaked file must not own the account by it."""


@pytest.fixture(scope="module")
async def key(two: Two) -> str:
    return str((await two.made(two.alice, f"/v1/api-users/{two.hers['api_user_id'][0]}/key", {}))["key"])


@pytest.mark.parametrize("call", [call for call in CLOSED if call.method != "GET" and not call.is_page], ids=str)
async def test_a_key_changes_nothing(two: Two, key: str, call: Call) -> None:
    path = next(iter(two.paths(call))) if call.names else call.path
    two.http.cookies.clear()
    answer = await two.http.request(call.method, path, headers={"authorization": f"Bearer {key}"})
    assert (answer.status_code == 403) is (call.key not in KEYS_MAY), answer.text[:300]


async def test_a_key_opens_no_page(two: Two, key: str) -> None:
    two.http.cookies.clear()
    two.http.cookies.set("songda_session", key)
    assert (await two.http.get("/portal/account")).status_code == 303
