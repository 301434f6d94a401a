"""Nobody holds a database connection while asking for another, or while a client takes its answer in.

Everything runs on one connection: whoever asked for a second one would wait for ever. The cases come from the route
table.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from store.db import Database
from tests.accounts_world import PAGE
from tests.conftest import connections_out
from tests.operators_world import exported
from tests.route_cases import STREAMS
from tests.route_table import Call, Door, calls
from tests.tenants_world import Two, two_accounts
from web.console.lists import LISTS
from web.console.sessions import COOKIE
from web.portal.records.views import VIEWS

PATIENCE = 20
"""Seconds; a second connection would be waited for longer."""
LOOKS = [call for call in calls() if call.method == "GET" and call.key not in STREAMS]


class Watch:
    """ASGI: notes every piece of an answer that is sent while a connection is out of its pool."""

    def __init__(self, app: ASGIApp, db: Database) -> None:
        self._app = app
        self._db = db
        self.held: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def watched(message: Message) -> None:
            if out := connections_out(self._db):
                self.held.append(f"{scope['path']}: {out} during {message['type']}")
            await send(message)

        await self._app(scope, receive, watched)


@pytest.fixture(scope="module")
async def one(postgres_url: str) -> AsyncIterator[tuple[Two, Watch]]:
    """Both accounts and an operator, on a database of a single connection in each pool.

    Making them is a test already: by `/v1` they register, send, certify, invite and so on.
    """
    db = await Database.open(postgres_url, connections=1)
    async with contextlib.AsyncExitStack() as stack:
        async with asyncio.timeout(2 * PATIENCE):
            two = await stack.enter_async_context(two_accounts(db))
        watch = Watch(two.home.app, db)
        transport = httpx2.ASGITransport(watch)
        client = httpx2.AsyncClient(transport=transport, base_url="http://songda.test", headers=PAGE)
        two.http = await stack.enter_async_context(client)
        yield two, watch
    await db.close()


def place(two: Two, call: Call) -> str | None:
    """Where to look; None where this world has no such object."""
    known = two.hers | two.desk
    if set(call.names) - known.keys():
        return None
    return call.filled(*(known[name][0] for name in call.names))


async def test_every_look_is_answered(one: tuple[Two, Watch]) -> None:
    """All that is looked at: pages, lists, rows, files, `/v1`."""
    two, watch = one
    seen = []
    for call in LOOKS:
        path = place(two, call)
        if path is None:
            continue
        async with asyncio.timeout(PATIENCE):
            answer = await (two.look(call, path) if call.is_page else two.as_(two.alice, "GET", path))
        assert answer.status_code < 500, f"{path}: {answer.text[:300]}"
        if answer.status_code == 200:
            seen.append(call.path)
    assert {f"/console/{view.key}/list" for view in LISTS} <= set(seen)
    assert {f"/portal/records/{view.key}/{what}" for view in VIEWS for what in ("list", "export")} <= set(seen)
    assert watch.held == []


@pytest.mark.parametrize("view", LISTS, ids=lambda view: str(view.key))
async def test_a_list_of_the_console_is_exported(one: tuple[Two, Watch], view: type) -> None:
    two, watch = one
    two.http.cookies.clear()
    two.http.cookies.set(COOKIE, two.operator, path="/console")
    async with asyncio.timeout(PATIENCE):
        await exported(two.http, view.key)  # type: ignore[attr-defined]
    assert watch.held == []


async def test_strangers_take_no_connection_of_the_console(one: tuple[Two, Watch]) -> None:
    """Whoever is nobody is sent away with the one connection in use elsewhere."""
    two, _ = one
    two.http.cookies.clear()
    async with two.home.db.begin() as session:
        await session.connection()
        for call in [call for call in LOOKS if call.admin and call.door is Door.OPERATOR]:
            async with asyncio.timeout(PATIENCE):
                answer = await two.http.get(call.filled(*("1" for _ in call.names)))
            assert answer.status_code == 303, call
