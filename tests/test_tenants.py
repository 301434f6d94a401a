"""Whose is it? Every route of `/v1` and `/portal`, called by nobody and by another account (design §6).

The cases come from the application's route table: a new route that is not understood here fails, until
`tests/route_cases.py` says how it is to be called.
"""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx2
import pytest

from domain.accounts import SYSTEM_ACCOUNT
from domain.errors import Refusal
from domain.secrets import Vault
from store.db import Database
from tests.accounts_world import SECRET
from tests.owners_world import Owners, grown
from tests.route_cases import BEFORE, BODIES, FROM_ANYWHERE, OPEN, OWN, QUERIES, STREAMS, names_in
from tests.route_table import Call, Door, calls
from tests.tenants_world import Two, two_accounts
from web import flash
from web.pages import refused

VAULT = Vault(SECRET)
NO_SUCH_DOMAIN = refused(Refusal("domain_not_found"), "zh")[""]

CLOSED = [call for call in calls() if call.door is Door.MEMBER]
OBJECTS = [call for call in CLOSED if call.names]
COLLECTIONS = [call for call in CLOSED if not call.names and call.key not in STREAMS]


@pytest.fixture(scope="module")
async def owners(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Owners]:
    db = await Database.open(postgres_url, connections=5)
    async with two_accounts(db) as made:
        yield await grown(made, tmp_path_factory.mktemp("pay"))
    await db.close()


@pytest.fixture
async def at_work(owners: Owners) -> AsyncIterator[Owners]:
    """For a test that changes something."""
    yield owners
    await owners.restore()


@pytest.fixture(scope="module")
def two(owners: Owners) -> Two:
    return owners.two


def test_the_route_table_is_read_and_every_exception_is_a_route() -> None:
    known = {call.key for call in calls()}
    assert len(CLOSED) > 150
    assert {path for _, path in known} >= {"/v1/sends/{send_id}", "/portal/domains/{domain_id}/delete", "/portal/"}
    said = set(OPEN) | STREAMS | set(FROM_ANYWHERE) | set(BODIES) | set(BEFORE) | set(OWN)
    assert said <= known, "an exception for a route that is gone"
    assert set(QUERIES) <= {path for _, path in known}


def done(answer: httpx2.Response) -> bool:
    """Not refused: neither by its status nor by the message on the next page."""
    return answer.status_code < 400 and "danger" not in said(answer)


def said(answer: httpx2.Response) -> str:
    """The tone and the text that wait for the next page."""
    sealed = answer.cookies.get(flash.COOKIE)
    return VAULT.unseal(sealed.encode(), "flash").decode() if sealed else ""


BIND = "INSERT INTO api_user_domain (api_user_id, domain_id) VALUES ($1, $2)"
LETTER = "INSERT INTO contact_request (id, email, subject, body, created_at) VALUES ($1, '', '', '', now())"


async def test_a_change_of_what_is_not_the_callers_alone_is_seen(at_work: Owners) -> None:
    """Else "nothing changed" would say nothing below."""
    two, pool = at_work.two, at_work.two.home.db.pool
    user, bob = (
        UUID((await two.made(two.bob, "/v1/api-users", {"name": "x_y_z", "kind": "batch"}))["id"]),
        two.bob.caller,
    )
    everything, others = await two.stand(), await two.stand(bob.account_id)
    await pool.execute(BIND, user, UUID(two.his["domain_id"]))
    assert await two.stand(bob.account_id) == others
    assert await two.stand() != everything
    await pool.execute(BIND, user, UUID(two.hers["domain_id"][0]))
    assert [name for name, rows in (await two.stand(bob.account_id)).items() if rows != others[name]] == [
        "api_user_domain"
    ]
    await pool.execute(LETTER, user)
    assert (await two.stand(bob.account_id))["contact_request"] != others["contact_request"]


@pytest.mark.parametrize("call", OBJECTS, ids=str)
async def test_another_accounts_object_is_not_there(at_work: Owners, call: Call) -> None:
    two = at_work.two
    unknown = [name for name in call.names if name not in two.hers]
    assert not unknown, f"say in `furnish` what {unknown} of the first account is"
    await at_work.ready(call)
    before, options = await two.stand(), two.filled(BODIES.get(call.key, {}))
    for path in two.paths(call):
        answer = await two.ask(two.bob, call, path, **options)
        assert answer.status_code == 404, f"{call.method} {path}: {answer.status_code} {answer.text[:300]}"
        assert [value for value in two.leaks(answer.text) if value not in path] == []
    assert await two.stand() == before
    if call.method != "GET":
        await the_owner_may(at_work, call, options)


async def the_owner_may(owners: Owners, call: Call, options: dict[str, Any]) -> None:
    """With one of hers at least, by the same body: else the refusal of anybody else would say nothing."""
    refusals = []
    for path in owners.two.her_paths(call):
        answer = await owners.two.ask(owners.two.alice, call, path, **options)
        if done(answer):
            return
        refusals.append(f"{path}: {answer.status_code} {said(answer)} {answer.text[-600:]}")
        await owners.restore()
        await owners.ready(call)
    raise AssertionError("\n".join(refusals))


@pytest.mark.parametrize("call", [call for call in COLLECTIONS if call.method == "GET"], ids=str)
async def test_a_list_shows_the_callers_own(two: Two, call: Call) -> None:
    """Even when it is asked to begin at another account's object."""
    before, path = await two.stand(), call.path + two.filled(QUERIES.get(call.path, ""))
    answer = await two.ask(two.bob, call, path)
    onward = answer.status_code == 303 and answer.headers["location"].startswith(call.place)
    assert answer.status_code == 200 or onward, f"{answer.status_code} {answer.text[:300]}"
    assert [value for value in two.leaks(answer.text) if value not in path] == []
    assert await two.stand() == before


CHANGES = [call for call in COLLECTIONS if call.method != "GET"]


@pytest.mark.parametrize("call", CHANGES, ids=str)
async def test_what_names_no_object_changes_the_callers_own(at_work: Owners, call: Call) -> None:
    assert call.key in OWN, "say in `OWN` how this route is called"
    two, case = at_work.two, OWN[call.key]
    await at_work.ready(call)
    apart = [two.bob.caller.account_id, *([SYSTEM_ACCOUNT] if case.mails else [])]
    before = await two.stand(*apart)
    answer = await two.ask(two.bob, call, call.path, **two.filled(case.options, two.his))
    assert answer.status_code == case.own, f"{answer.status_code} {answer.text[-600:]}"
    assert done(answer) is (case.own < 400), said(answer)
    assert two.leaks(answer.text) == []
    assert await two.stand(*apart) == before


NAMING = [(call, name) for call in CHANGES for name in names_in(OWN[call.key].options if call.key in OWN else {})]


@pytest.mark.parametrize(("call", "name"), NAMING, ids=str)
async def test_a_body_that_names_another_accounts_object(at_work: Owners, call: Call, name: str) -> None:
    """Everything else in it is the caller's own, so that only this one object can be what is refused."""
    two, case = at_work.two, OWN[call.key]
    hers = two.her_names[name]
    await at_work.ready(call)
    apart = [two.bob.caller.account_id] if case.others < 400 else []
    before = await two.stand(*apart)
    answer = await two.ask(two.bob, call, call.path, **two.filled(case.options, two.his | {name: hers}))
    assert answer.status_code == case.others, f"{answer.status_code} {answer.text[-600:]}"
    assert done(answer) is (case.others < 400), said(answer)
    assert [value for value in two.leaks(answer.text) if value != hers] == []
    assert await two.stand(*apart) == before


@pytest.mark.parametrize("verb", ["bind", "unbind"])
async def test_a_page_does_not_bind_another_accounts_domain_to_ones_own_api_user(at_work: Owners, verb: str) -> None:
    """The object in the path is the caller's; the one in the form is not."""
    two, call = at_work.two, Call("POST", "/portal/api-users/{api_user_id}/" + verb)
    path, before = call.filled(two.his["api_user_id"]), await two.stand()
    answer = await two.page(two.bob, call, path, data={"domain": two.hers["domain_id"][0]})
    assert (answer.status_code, json.loads(said(answer))) == (303, ["danger", NO_SUCH_DOMAIN])
    assert await two.stand() == before
    assert done(await two.page(two.bob, call, path, data={"domain": two.his["domain_id"]}))


ENDLESS = {("GET", "/portal/scheduled-tasks/{task_id}/events")}
"""A task comes again and again; the other streams end with what they name."""


async def test_her_own_calls_do_find_her_objects(two: Two) -> None:
    """Else a 404 above would say nothing."""
    for call in OBJECTS:
        if call.method == "GET" and call.key not in ENDLESS:
            for path in two.her_paths(call):
                answer = await two.ask(two.alice, call, path)
                sent_on = answer.status_code == 303 and answer.headers["location"].startswith("/portal/")
                assert answer.status_code == 200 or sent_on, f"{path}: {answer.status_code} {answer.text[:300]}"


KEYS_MAY = {
    ("POST", "/v1/sends"),
    ("POST", "/v1/campaigns"),
    ("POST", "/v1/campaigns/{campaign_id}/pause"),
    ("POST", "/v1/campaigns/{campaign_id}/resume"),
    ("POST", "/v1/campaigns/{campaign_id}/cancel"),
    ("POST", "/v1/campaigns/{campaign_id}/revise"),
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
