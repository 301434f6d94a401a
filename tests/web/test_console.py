"""The console over HTTP: sign-in, and every one of its routes for nobody, for each role, and for forged forms.

The cases come from the application's route table: a new route that is not understood here fails, until `DUTIES` says
whom it is for.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import httpx2
import pytest

from domain.operators import DUTIES as OF_ROLE
from domain.operators import Duty, OperatorRole
from store.db import Database
from tests.accounts_world import House, csrf_of, house
from tests.operators_world import COOKIE, at_the_console, code_of, enrolled, signed
from tests.route_table import Call, Door, calls
from web.console.lists import LISTS

CLOSED = [call for call in calls() if call.door is Door.OPERATOR]
OURS = [call for call in CLOSED if not call.admin]
LISTED = [call for call in CLOSED if call.admin]
DUTY_OF_LIST = {view.key: view.duty for view in LISTS}
ANYBODY: frozenset[Duty] = frozenset(Duty)
DUTIES: dict[str, frozenset[Duty]] = {
    "/console/": ANYBODY,
    "/console/me": ANYBODY,
    "/console/recovery-codes": ANYBODY,
    "/console/cases/template-review": frozenset({Duty.REVIEW}),
    "/console/cases/sms-template-review": frozenset({Duty.REVIEW}),
    "/console/cases/sms-signature-review": frozenset({Duty.REVIEW}),
    "/console/cases/certification-review": frozenset({Duty.REVIEW, Duty.EXCEPTIONS}),
    "/console/customers": frozenset({Duty.ACCOUNTS}),
    "/console/letters": frozenset({Duty.ACCOUNTS}),
    "/console/processes": frozenset({Duty.ACCOUNTS}),
    "/console/staff": frozenset({Duty.OPERATORS}),
    "/console/calendar": frozenset({Duty.CALENDAR}),
    "/console/lanes": frozenset({Duty.LANES}),
    "/console/egress": frozenset({Duty.LANES}),
    "/console/sms-gateways": frozenset({Duty.LANES}),
    "/console/sms-routes": frozenset({Duty.LANES}),
    "/console/destinations": frozenset({Duty.LANES}),
    "/console/reply-rules": frozenset({Duty.LANES}),
    "/console/retry-curves": frozenset({Duty.LANES}),
    "/console/dead-addresses": frozenset({Duty.ACCOUNTS}),
    "/console/sms-interceptions": frozenset({Duty.ACCOUNTS}),
    "/console/sending-quality": frozenset({Duty.ACCOUNTS}),
    "/console/reports": frozenset({Duty.ACCOUNTS}),
    "/console/prices": frozenset({Duty.MONEY}),
    "/console/received": frozenset({Duty.MONEY}),
}
"""Beginnings of paths, and of which duties one is needed."""
FORM = {"decision": "approve", "version": "1", "quota": "5", "reason": "r", "works": "yes", "day": "2026-12-24"}
PARTS = {"day": "2026-12-24", "year": "2027", "kind": "template-review", "number": "7"}
FORBIDDEN = 403


@dataclass
class Shift:
    """One operator of each role, signed in."""

    house: House
    tokens: dict[OperatorRole, str]

    async def ask(self, client: httpx2.AsyncClient, call: Call, headers: dict[str, str]) -> httpx2.Response:
        path = call.filled(*(PARTS.get(name, str(uuid4())) for name in call.names))
        data = FORM if call.method == "POST" else None
        return await client.request(call.method, path, data=data, headers=headers)


@pytest.fixture(scope="module")
async def shift(postgres_url: str) -> AsyncIterator[Shift]:
    db = await Database.open(postgres_url, connections=5)
    there = await house(db)
    tokens = {role: (await signed(there, role.value, role)).token for role in OperatorRole}
    yield Shift(there, tokens)
    await db.close()


def duties_for(call: Call) -> frozenset[Duty]:
    if call.admin:
        keys = [key for key in DUTY_OF_LIST if f"/{key}/" in f"{call.path.split('?')[0]}/"]
        return frozenset({DUTY_OF_LIST[keys[0]]}) if keys else ANYBODY
    fitting = [start for start in DUTIES if call.path == start or call.path.startswith(start.rstrip("/") + "/")]
    assert fitting, f"say in DUTIES whom {call} is for"
    return DUTIES[max(fitting, key=len)]


def test_the_console_is_in_the_route_table() -> None:
    assert len(OURS) > 20
    assert {call.path for call in LISTED} >= {f"/console/{view.key}/list" for view in LISTS}
    assert all(duties_for(call) for call in CLOSED)


@pytest.mark.parametrize("token", ["", "so_guessed", "st_of_a_member"])
async def test_nobody_is_sent_to_the_login_page(shift: Shift, token: str) -> None:
    """A change is refused before that: its form was never ours."""
    async with at_the_console(shift.house, token) as client:
        for call in CLOSED:
            answer = await shift.ask(client, call, {})
            if call.method == "GET":
                assert answer.status_code == 303, f"{call}: {answer.status_code} {answer.text[:200]}"
                assert "/console/login" in answer.headers["location"]
            else:
                assert answer.status_code == FORBIDDEN, f"{call}: {answer.status_code}"


@pytest.mark.parametrize("role", OperatorRole)
async def test_each_role_reaches_what_its_duties_cover(shift: Shift, role: OperatorRole) -> None:
    async with at_the_console(shift.house, shift.tokens[role]) as client:
        for call in CLOSED:
            answer = await shift.ask(client, call, await tokens(client, call))
            allowed = bool(duties_for(call) & OF_ROLE[role])
            said = f"{call}: {answer.status_code} {answer.text[:300]}"
            assert answer.status_code < 500, said
            assert (answer.status_code == FORBIDDEN) is not allowed or "row-action" in call.path, said
            if call.path.endswith("/list") and allowed:
                assert answer.status_code == 200


async def tokens(client: httpx2.AsyncClient, call: Call) -> dict[str, str]:
    """What our own forms carry, and what starlette-admin's scripts send."""
    if call.method == "GET":
        return {}
    if not call.admin:
        return {"x-csrf-token": csrf_of(await client.get("/console/me"))}
    if "starlette_admin_csrftoken" not in client.cookies:
        await client.get("/console/static/js/list.js")
    return {"x-csrftoken": client.cookies["starlette_admin_csrftoken"]}


async def test_a_forged_form_changes_nothing(shift: Shift) -> None:
    """An administrator's browser, but another site's page."""
    other = await tokens_of(shift, OperatorRole.REVIEWER)
    async with at_the_console(shift.house, shift.tokens[OperatorRole.ADMIN]) as client:
        for call in (call for call in CLOSED if call.method != "GET"):
            good = await tokens(client, call)
            forged = [{}, {next(iter(good)): "x"}]
            forged += [] if call.admin else [good | {"sec-fetch-site": "cross-site"}, other]
            for headers in forged:
                assert (await shift.ask(client, call, headers)).status_code == FORBIDDEN, call


async def tokens_of(shift: Shift, role: OperatorRole) -> dict[str, str]:
    async with at_the_console(shift.house, shift.tokens[role]) as client:
        return {"x-csrf-token": csrf_of(await client.get("/console/me"))}


@pytest.mark.parametrize("view", LISTS, ids=lambda view: view.key)
async def test_a_list_can_be_filtered_sorted_searched_and_exported(shift: Shift, view: type) -> None:
    root = f"/console/{view.key}"  # type: ignore[attr-defined]
    async with at_the_console(shift.house, shift.tokens[OperatorRole.ADMIN]) as client:
        for query in ("q=%25nothing%25", "sort=id__desc", "page=9999999", "page_size=50", "q=%00"):
            answer = await client.get(f"{root}/list?{query}")
            assert answer.status_code in (200, 400), f"{query}: {answer.text[:300]}"
        assert (await client.get(f"{root}/detail?pk=nothing")).status_code == 404
        assert (await client.get(f"{root}/create")).status_code == 404
        assert (await client.get(f"{root}/edit?pk=1")).status_code == 404


async def test_lists_carry_their_own_policy_and_pages_the_strict_one(shift: Shift) -> None:
    async with at_the_console(shift.house, shift.tokens[OperatorRole.ADMIN]) as client:
        listed = await client.get("/console/audit/list")
        page = await client.get("/console/staff")
    policy = listed.headers["content-security-policy"]
    assert "script-src 'self' 'nonce-" in policy
    assert "'unsafe-inline'" not in policy.replace("style-src-attr 'unsafe-inline'", "")
    assert "nonce" not in page.headers["content-security-policy"]
    for answer in (listed, page):
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "https://" not in answer.text.replace("http://www.w3.org", "")
    assert " onclick=" not in listed.text
    assert " onchange=" not in listed.text


async def test_signing_in_over_http(shift: Shift) -> None:
    given = await enrolled(shift.house, "http-rita")
    async with at_the_console(shift.house) as client:
        page = await client.get("/console/login?next=/console/template-queue/list")
        form = {"csrf_token": csrf_of(page), "next": "/console/template-queue/list"}
        wrong = await client.post("/console/login", data=form | {"name": given.name, "password": "wrong"})
        assert wrong.status_code == 401
        step = await client.post("/console/login", data=form | {"name": given.name, "password": given.password})
        assert step.status_code == 200
        assert COOKIE not in client.cookies
        missed = await client.post("/console/login", data=form | {"code": "000000"})
        assert missed.status_code == 401
        done = await client.post("/console/login", data=form | {"code": code_of(given)})
        assert (done.status_code, done.headers["location"]) == (303, "/console/template-queue/list")
        cookie = next(value for value in done.headers.get_list("set-cookie") if value.startswith(COOKIE))
        assert all(word in cookie for word in ("HttpOnly", "Path=/console", "SameSite=lax", "Max-Age=43200"))
        assert (await client.get("/console/template-queue/list")).status_code == 200
        out = await client.post("/console/logout", headers={"x-csrf-token": csrf_of(await client.get("/console/me"))})
        assert out.headers["location"] == "/console/login"
        assert (await client.get("/console/me")).status_code == 303


@pytest.mark.parametrize("onward", ["https://evil.example/console/", "//evil.example", "/portal/", "/console/login"])
async def test_the_login_page_leads_nowhere_else(shift: Shift, onward: str) -> None:
    async with at_the_console(shift.house) as client:
        page = await client.get("/console/login", params={"next": onward})
    assert 'name="next" value="/console/"' in page.text


async def test_a_first_sign_in_over_http(shift: Shift) -> None:
    root = await signed(shift.house, "boss", OperatorRole.ADMIN)
    given = await shift.house.services.staff.add(root.operator, "fresh", ["support"])
    async with at_the_console(shift.house) as client:
        form = {"csrf_token": csrf_of(await client.get("/console/login"))}
        step = await client.post("/console/login", data=form | {"name": "fresh", "password": given.password})
        assert step.headers["location"] == "/console/enrol"
        page = await client.get("/console/enrol")
        assert "data:image/svg+xml" in page.text
        secret = page.text.partition('data-copy="')[2].partition('"')[0]
        words = {"password": "five words of my own", "repeated": "five words of my own"}
        code = code_of(type(given)("fresh", "", secret))
        done = await client.post("/console/enrol", data=form | words | {"code": code})
        assert done.headers["location"] == "/console/recovery-codes"
        first, second = [await client.get("/console/recovery-codes") for _ in range(2)]
    assert (first.text.count("<li><code>"), second.text.count("<li><code>")) == (8, 0)


async def test_a_members_session_opens_no_console_and_the_other_way_round(shift: Shift) -> None:
    member = await shift.house.member()
    async with at_the_console(shift.house, member.token) as client:
        assert (await client.get("/console/")).status_code == 303
    async with shift.house.browser() as client:
        client.follow_redirects = False
        client.cookies.set("songda_session", shift.tokens[OperatorRole.ADMIN])
        assert (await client.get("/portal/")).status_code == 303
