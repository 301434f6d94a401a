"""What every answer carries: content policy, framing, caching, referrer. The addresses come from the route table."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from store.db import Database
from tests.guarded import missing
from tests.route_cases import STREAMS
from tests.route_table import Call, Door, calls
from tests.tenants_world import Two, two_accounts

GETS = [call for call in calls() if call.method == "GET" and call.key not in STREAMS]
PLACES = sorted({call.place for call in GETS})
ASTRAY = ("/nothing", "/portal/nothing", "/console/nothing", "/v1/nothing", "/static/nothing", "/assets/nothing")
FILES = ("/static/songda.js", "/assets/css/vendor/tabler.min.css", "/docs", "/openapi.json")


@pytest.fixture(scope="module")
async def two(postgres_url: str) -> AsyncIterator[Two]:
    db = await Database.open(postgres_url, connections=5)
    async with two_accounts(db) as made:
        yield made
    await db.close()


async def asked(two: Two, call: Call) -> httpx2.Response:
    """As the one it is for, without following."""
    known = two.hers | two.desk
    path = call.filled(*(known.get(name, ["01935b2e-7c1a-7aaa-8000-3f5a9c0d1e2f"])[0] for name in call.names))
    two.http.cookies.clear()
    two.http.cookies.update(two.cookies(call.door))
    headers = {} if call.is_page else {"authorization": f"Bearer {two.alice.token}"}
    return await two.http.get(path, headers=headers)


@pytest.mark.parametrize("place", PLACES)
async def test_every_answer_is_guarded(two: Two, place: str) -> None:
    lacking = {}
    for call in [call for call in GETS if call.place == place]:
        answer = await asked(two, call)
        if found := missing(answer):
            lacking[f"{call} ({answer.status_code})"] = found
    assert lacking == {}


@pytest.mark.parametrize("path", [*ASTRAY, *FILES])
async def test_files_and_dead_ends_are_guarded(two: Two, path: str) -> None:
    for method in ("GET", "POST", "DELETE", "TRACE"):
        answer = await two.http.request(method, path)
        assert missing(answer) == [], f"{method} {answer.status_code}"


def test_all_doors_are_walked() -> None:
    assert {call.door for call in GETS} == set(Door)
    assert len(GETS) > 120
