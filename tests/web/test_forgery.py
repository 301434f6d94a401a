"""Forms of other sites: every change of every page router, without our token, with a stranger's, from elsewhere.

The cases come from the route table. What starlette-admin serves can change nothing: `tests/test_strangers.py`.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx2
import pytest

from store.db import Database
from tests.accounts_world import csrf_of
from tests.operators_world import signed
from tests.route_cases import FROM_ANYWHERE
from tests.route_table import Call, Door, calls
from tests.tenants_world import OPERATOR, SESSION, Two, two_accounts

SOME_ID = "01935b2e-7c1a-7aaa-8000-3f5a9c0d1e2f"
CHANGES = [
    call
    for call in calls()
    if call.method not in ("GET", "HEAD") and call.is_page and not call.admin and call.key not in FROM_ANYWHERE
]
PAGES = {Door.VISITOR: "/login", Door.MEMBER: "/portal/account", Door.OPERATOR: "/console/me"}
"""Where each kind of visitor finds a token."""
HERE = {"sec-fetch-site": "same-origin"}
FOREIGN = (
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://songda.test.evil.example"},
    {"origin": "http://songda.test:81"},
)
ENDS = {"/logout", "/console/logout"}


@dataclass
class Browser:
    """One of a kind: its cookies, and the token in its pages."""

    cookies: dict[str, str]
    token: str = ""


@dataclass
class Scene:
    two: Two
    victims: dict[Door, Browser] = field(default_factory=dict)
    others: dict[Door, Browser] = field(default_factory=dict)

    async def browser(self, door: Door, signed: dict[str, str]) -> Browser:
        http = self.two.http
        http.cookies.clear()
        http.cookies.update(signed)
        token = csrf_of(await http.get(PAGES[door]))
        assert token
        return Browser({cookie.name: cookie.value or "" for cookie in http.cookies.jar}, token)

    async def send(self, call: Call, token: str, headers: dict[str, str]) -> httpx2.Response:
        """By the victim's browser, whose cookies go along."""
        http, path = self.two.http, re.sub(r"{\w+}", SOME_ID, call.path)
        http.cookies.clear()
        http.cookies.update(self.victims[call.door].cookies)
        http.headers.pop("sec-fetch-site", None)
        return await http.request(call.method, path, data={"csrf_token": token} if token else {}, headers=headers)


@pytest.fixture(scope="module")
async def scene(postgres_url: str) -> AsyncIterator[Scene]:
    db = await Database.open(postgres_url, connections=5)
    async with two_accounts(db) as two:
        made, second = Scene(two), (await signed(two.home, "second")).token
        others = {Door.VISITOR: {}, Door.MEMBER: {SESSION: two.bob.token}, Door.OPERATOR: {OPERATOR: second}}
        for door in Door:
            made.victims[door] = await made.browser(door, two.cookies(door))
            made.others[door] = await made.browser(door, others[door])
        yield made
    await db.close()


def test_every_kind_of_page_is_looked_at() -> None:
    assert {call.door for call in CHANGES} == set(Door)
    assert len(CHANGES) > 50


@pytest.mark.parametrize("door", Door)
async def test_a_change_needs_the_token_of_this_session(scene: Scene, door: Door) -> None:
    assert len({scene.victims[door].token, scene.others[door].token}) == 2
    before, let_in = await scene.two.stand(), []
    for call in [call for call in CHANGES if call.door is door]:
        for token in ("", "nonsense", scene.others[door].token, "令牌"):
            answer = await scene.send(call, token, HERE)
            if answer.status_code != 403:
                let_in.append(f"{call} with {token!r}: {answer.status_code}")
    assert let_in == []
    assert await scene.two.stand() == before


@pytest.mark.parametrize("door", Door)
async def test_a_change_must_come_from_our_own_pages(scene: Scene, door: Door) -> None:
    before, let_in = await scene.two.stand(), []
    for call in [call for call in CHANGES if call.door is door]:
        for headers in FOREIGN:
            answer = await scene.send(call, scene.victims[door].token, headers)
            if answer.status_code != 403:
                let_in.append(f"{call} from {headers}: {answer.status_code}")
    assert let_in == []
    assert await scene.two.stand() == before


@pytest.mark.parametrize("door", Door)
async def test_our_own_forms_pass(scene: Scene, door: Door) -> None:
    """Else a 403 above would say nothing."""
    kept_out = []
    for call in [call for call in CHANGES if call.door is door and call.path not in ENDS]:
        answer = await scene.send(call, scene.victims[door].token, HERE)
        if answer.status_code in (403, 500):
            kept_out.append(f"{call}: {answer.status_code} {answer.text[:300]}")
    assert kept_out == []


@pytest.mark.parametrize("door", Door)
async def test_a_token_in_a_header_counts_as_one_in_the_form(scene: Scene, door: Door) -> None:
    call = next(call for call in CHANGES if call.door is door and call.path not in ENDS)
    assert (await scene.send(call, "", HERE | {"x-csrf-token": "nonsense"})).status_code == 403
    assert (await scene.send(call, "", HERE | {"x-csrf-token": scene.victims[door].token})).status_code != 403
