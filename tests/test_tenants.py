"""Whose is it? Every route of `/v1` and `/portal`, called by nobody and by another account (design §6).

The cases come from the application's route table: a new route that is not understood here fails, until it says how it
is to be called (`BODIES`, `OWN`, `OPEN`).
"""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import httpx2
import pytest
from fastapi.routing import APIRoute

from api.app import create_app
from domain.accounts import SignedIn
from settings import Settings
from store.db import Database
from tests.accounts_world import SECRET, House, house

ALICE, BOB = "alice@first.example", "bob@second.example"
NUMBER = "1"
HERS = {"subject": "Secret of Alice %name%", "html": "<p>Dear %name%</p>"}
CONTENT = {"subject": "Hello %name%", "html": "<p>Dear %name%</p>"}

OPEN = {
    ("POST", "/v1/registrations"),
    ("POST", "/v1/registrations/resend"),
    ("POST", "/v1/registrations/address"),
    ("POST", "/v1/registrations/confirm"),
    ("POST", "/v1/sessions"),
    ("POST", "/v1/password-resets"),
    ("POST", "/v1/password-resets/complete"),
    ("POST", "/v1/contact"),
}
"""For visitors without an account: secrets in their bodies stand for a login, and their own tests look at them."""
STREAMS = {("GET", "/v1/onboarding/events"), ("GET", "/portal/onboarding/events")}
"""They go on for ever; they name no object, and are the caller's own."""

BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("PATCH", "/v1/api-users/{api_user_id}"): {"json": {"enabled": False}},
    ("PATCH", "/v1/webhooks/{webhook_id}"): {"json": {"state": "disabled"}},
    ("PUT", "/v1/templates/{ref}"): {"json": CONTENT},
    ("POST", "/v1/templates/{ref}/preview"): {"json": {"values": {}}},
    ("POST", "/portal/templates/{ref}/edit"): {"data": CONTENT | {"name": "x"}},
    ("POST", "/portal/api-users/{api_user_id}/bind"): {"data": {"domain": "{domain_id}"}},
    ("POST", "/portal/api-users/{api_user_id}/unbind"): {"data": {"domain": "{domain_id}"}},
    ("POST", "/portal/api-users/{api_user_id}/change"): {"data": {"enabled": "false"}},
    ("POST", "/portal/webhooks/{webhook_id}"): {"data": {"url": "https://a.example/x", "events": "deliver"}},
}
"""What a call of a route that names an object needs, so that nothing but the object is missing."""

_SEND = {"api_user": "{api_user}", "template": "{template}", "from": "x@{domain}"}
OWN: dict[tuple[str, str], dict[str, Any]] = {
    ("PATCH", "/v1/account"): {"json": {"language": "en"}},
    ("PUT", "/v1/account/password"): {"json": {"current": "wrong", "new": "another four words here"}},
    ("DELETE", "/v1/sessions"): {},
    ("POST", "/v1/domains"): {"json": {"name": "{domain}"}},
    ("POST", "/v1/api-users"): {"json": {"name": "bobs_own", "kind": "batch", "domain_ids": ["{domain_id}"]}},
    ("POST", "/v1/templates"): {"json": CONTENT | {"invoke_name": "{template}", "kind": "trigger"}},
    ("POST", "/v1/templates/preview"): {"json": CONTENT},
    ("POST", "/v1/sends"): {"json": _SEND | {"recipients": [{"address": "r@x.example"}]}},
    ("POST", "/v1/sends/upload"): {"data": _SEND, "files": {"file": ("r.csv", b"email\nr@x.example\n", "text/csv")}},
    ("POST", "/v1/webhooks"): {"json": {"url": "https://b.example/hook", "events": ["deliver"]}},
    ("POST", "/portal/account/password"): {"data": {"current": "wrong", "new": "another four words here"}},
    ("POST", "/portal/account/language"): {"data": {"language": "en"}},
    ("POST", "/portal/account/sessions/revoke-others"): {"data": {}},
    ("POST", "/portal/domains"): {"data": {"name": "{domain}"}},
    ("POST", "/portal/api-users"): {"data": {"name": "bobs_two", "kind": "batch", "domains": "{domain_id}"}},
    ("POST", "/portal/templates"): {"data": CONTENT | {"invoke_name": "{template}", "kind": "trigger"}},
    ("POST", "/portal/templates/preview"): {"data": CONTENT},
    ("POST", "/portal/sends/new"): {"data": _SEND | {"recipients": "email\nr@x.example\n", "step": "send"}},
    ("POST", "/portal/test-send"): {"data": _SEND},
    ("POST", "/portal/webhooks/new"): {"data": {"url": "https://b.example/hook2", "events": "deliver"}},
}
"""Changes that name no object in their path: in the body, whatever can name one names the first account's."""
QUERIES = {
    "/portal/sends/new": "?template={template}&api_user={api_user}",
    "/portal/test-send": "?template={template}&api_user={api_user}",
    "/portal/api-users": "?domain={domain_id}",
    "/v1/domains": "?cursor={domain_id}",
    "/v1/api-users": "?cursor={api_user_id}",
    "/v1/sends": "?cursor={send_id}",
    "/v1/templates": "?cursor={ref}",
    "/v1/webhooks": "?cursor={webhook_id}",
}
"""Lists that are asked to begin at, or to choose, the first account's object."""


@dataclass(frozen=True)
class Call:
    method: str
    path: str

    @property
    def key(self) -> tuple[str, str]:
        return self.method, self.path

    @property
    def is_page(self) -> bool:
        return self.path.startswith("/portal")

    @property
    def names(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.path)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def walk(routes: Any, prefix: str = "") -> Iterator[Call]:
    """Every HTTP route of ours, however deep it is included."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield from (Call(method, prefix + route.path) for method in sorted(route.methods or ()))
        elif hasattr(route, "original_router"):
            yield from walk(route.original_router.routes, prefix + route.include_context.prefix)


CALLS = [
    call
    for call in walk(create_app(Settings(secret_key=SECRET)).routes)
    if call.path.startswith(("/v1", "/portal/"))
]  # fmt: skip
CLOSED = [call for call in CALLS if call.key not in OPEN]
OBJECTS = [call for call in CLOSED if call.names]
COLLECTIONS = [call for call in CLOSED if not call.names and call.key not in STREAMS]


@dataclass
class Two:
    """The first account's objects by the name that paths call them, the second's own, and both browsers."""

    home: House
    alice: SignedIn
    bob: SignedIn
    http: httpx2.AsyncClient
    hers: dict[str, list[str]] = field(default_factory=dict)
    his: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)

    async def as_(self, who: SignedIn, method: str, path: str, **options: Any) -> httpx2.Response:
        self.http.cookies.clear()
        headers = {"authorization": f"Bearer {who.token}"}
        return await self.http.request(method, path, headers=headers, **options)

    async def made(self, who: SignedIn, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self.as_(who, "POST", path, json=body)
        assert answer.status_code < 300, answer.text
        return dict(answer.json())

    async def page(self, who: SignedIn | None, call: Call, path: str, **options: Any) -> httpx2.Response:
        """As a browser does: cookie, and for changes the token of a page of ours."""
        self.http.cookies.clear()
        if who is not None:
            self.http.cookies.set("songda_session", who.token)
        if call.method != "GET":
            page = await self.http.get("/portal/account" if who else "/login")
            token = page.text.partition('name="csrf-token" content="')[2].partition('"')[0]
            options["data"] = options.get("data", {}) | {"csrf_token": token}
        return await self.http.request(call.method, path, **options)

    async def ask(self, who: SignedIn, call: Call, path: str, **options: Any) -> httpx2.Response:
        if call.is_page:
            return await self.page(who, call, path, **options)
        return await self.as_(who, call.method, path, **options)

    def filled(self, value: Any) -> Any:
        """With the first account's names where a value says `{…}`."""
        if isinstance(value, str):
            first = {name: ids[0] for name, ids in self.hers.items()}
            return re.sub(r"{(\w+)}", lambda hit: (self.words | first)[hit[1]], value)
        if isinstance(value, dict):
            return {name: self.filled(each) for name, each in value.items()}
        return [self.filled(each) for each in value] if isinstance(value, list) else value

    def paths(self, call: Call) -> Iterator[str]:
        """The path with her ids, and, where it names several objects, with each of them his in turn."""
        ids = [[NUMBER] if name == "number" else self.hers[name] for name in call.names]
        if len([name for name in call.names if name in self.his]) > 1:
            ids = [[*each, self.his[name]] for name, each in zip(call.names, ids, strict=True)]
        for chosen in product(*ids):
            if list(chosen) != [self.his.get(name) for name in call.names]:
                parts = iter(chosen)
                yield re.sub(r"{\w+}", lambda _: next(parts), call.path)  # noqa: B023 - used at once

    def leaks(self, text: str) -> list[str]:
        """What of hers an answer shows."""
        return [value for value in (*self.secrets, ALICE) if value in text]

    @property
    def secrets(self) -> list[str]:
        own = {value for ids in self.hers.values() for value in ids if len(value) > 9}
        return [*own, "Secret of Alice", str(self.alice.caller.account_id), self.words["api_user"]]

    async def stand(self) -> dict[str, list[str]]:
        """All rows that are hers, and of the tables without an account all rows."""
        pool, found = self.home.db.pool, {}
        for table, column in await pool.fetch(_TABLES):
            where = f"WHERE {column} = $1" if column else ""
            values = [self.alice.caller.account_id] if column else []
            rows = await pool.fetch(f"SELECT t::text AS row FROM {table} t {where}", *values)
            found[table] = sorted(row["row"] for row in rows)
        return found


_TABLES = """
SELECT quote_ident(t.tablename), (SELECT c.column_name FROM information_schema.columns c
       WHERE c.table_name = t.tablename AND c.column_name = 'account_id')
FROM pg_tables t WHERE t.schemaname = 'public' AND t.tablename NOT IN ('alembic_version', 'throttle')
  AND (EXISTS (SELECT FROM information_schema.columns c WHERE c.table_name = t.tablename
               AND c.column_name = 'account_id')
       OR t.tablename IN ('attempt', 'slot', 'page', 'contact_message'))
"""


@pytest.fixture(scope="module")
async def two(postgres_url: str) -> AsyncIterator[Two]:
    """Both accounts with their kits; the first with one of everything that a path can name."""
    db = await Database.open(postgres_url, connections=5)
    home = await house(db)
    alice, bob = await home.member(ALICE), await home.member(BOB)
    transport = httpx2.ASGITransport(home.app)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://songda.test", headers={"sec-fetch-site": "same-origin"}
    ) as http:
        made = Two(home, alice, bob, http)
        await furnish(made)
        yield made
    await db.close()


async def furnish(made: Two) -> None:
    alice, bob = made.alice, made.bob
    user = (await made.as_(alice, "GET", "/v1/api-users")).json()["items"][0]
    his_test = (await made.as_(bob, "GET", "/v1/api-users")).json()["items"][0]
    his = await made.made(bob, "/v1/api-users", {"name": "bobs_first", "kind": "batch"})
    domain = await made.made(alice, "/v1/domains", {"name": "mail.first.example"})
    template = await made.made(
        alice, "/v1/templates", HERS | {"invoke_name": "hers", "name": "Hers", "kind": "trigger"}
    )
    hook = await made.made(alice, "/v1/webhooks", {"url": "https://a.example/hook", "events": ["deliver"]})
    sender = {"api_user": user["name"], "template": "sample", "from": f"x@{user['domains'][0]['name']}"}
    recipients = [{"address": ALICE, "variables": {"name": "A"}}]
    send = await made.made(alice, "/v1/sends", sender | {"recipients": recipients})
    messages = (await made.as_(alice, "GET", f"/v1/sends/{send['id']}/messages")).json()["items"]
    sessions = (await made.as_(alice, "GET", "/v1/sessions")).json()["items"]
    made.hers = {
        "domain_id": [domain["id"], user["domains"][0]["id"]],
        "api_user_id": [user["id"]],
        "send_id": [send["id"]],
        "message_id": [str(messages[0]["id"])],
        "webhook_id": [hook["id"]],
        "ref": [template["id"], "hers"],
        "session_id": [sessions[0]["id"]],
    }
    made.his = {"api_user_id": his["id"], "domain_id": his_test["domains"][0]["id"]}
    made.words = {"api_user": user["name"], "template": "hers", "domain": user["domains"][0]["name"]}


def test_the_route_table_is_read_and_every_exception_is_a_route() -> None:
    known = {call.key for call in CALLS}
    assert len(CALLS) > 80
    assert {path for _, path in known} >= {"/v1/sends/{send_id}", "/portal/domains/{domain_id}/delete", "/portal/"}
    assert OPEN | STREAMS | set(BODIES) | set(OWN) <= known, "an exception for a route that is gone"
    assert set(QUERIES) <= {path for _, path in known}


@pytest.mark.parametrize("call", CLOSED, ids=str)
async def test_nobody_is_let_in_without_a_login(two: Two, call: Call) -> None:
    path = re.sub(r"{\w+}", "01935b2e-7c1a-7aaa-8000-3f5a9c0d1e2f", call.path)
    if call.is_page:
        answer = await two.page(None, call, path)
        assert answer.status_code == 303, answer.text[:500]
        assert answer.headers["location"].startswith("/login")
        return
    two.http.cookies.clear()
    for headers in ({}, {"authorization": "Bearer st_" + "x" * 43}, {"authorization": "Bearer sk_" + "x" * 43}):
        answer = await two.http.request(call.method, path, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
        assert answer.json()["next_step"]


@pytest.mark.parametrize("call", OBJECTS, ids=str)
async def test_another_accounts_object_is_not_there(two: Two, call: Call) -> None:
    unknown = [name for name in call.names if name not in (*two.hers, "number")]
    assert not unknown, f"say in `furnish` what {unknown} of the first account is"
    before = await two.stand()
    for path in two.paths(call):
        answer = await two.ask(two.bob, call, path, **two.filled(BODIES.get(call.key, {})))
        assert answer.status_code == 404, f"{call.method} {path}: {answer.status_code} {answer.text[:300]}"
        assert not set(two.leaks(answer.text)) - set(path.split("/"))
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
        assert answer.status_code == 200, f"{answer.status_code} {answer.text[:300]}"
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
