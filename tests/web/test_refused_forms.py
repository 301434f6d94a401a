"""After a refused form every link of the page leads on: the language, the previews, the way back.

The page is the answer to a POST, at an address that may know no GET. The cases come from the route table: every form,
sent empty by whoever may send it.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from html import unescape
from urllib.parse import urljoin

import httpx2
import pytest

from store.db import Database
from tests.accounts_world import ALICE, HERE, house, submit
from tests.route_table import Call, Door, calls
from tests.tenants_world import Two, two_accounts

ENDS = re.compile(r"/(delete|remove|withdraw|disable|reset)$")
"""What may change the world of the others comes last."""
OWN_SESSION = "/portal/account/sessions/{session_id}/revoke"
"""Would end the one that all of this is done with; it has nothing to refuse."""
FORMS = sorted(
    (
        each
        for each in calls()
        if each.method == "POST" and each.is_page and not each.admin and each.path != OWN_SESSION
    ),
    key=lambda call: (bool(ENDS.search(call.path)), call.path),
)
HOMES = {"/": "回到首页", "/portal/": "回到总览", "/console/": "回到控制台"}


def title(page: str) -> str:
    return unescape(page.partition("<title>")[2].partition("</title>")[0])


def language_link(page: str) -> str:
    found = re.search(r'href="([^"]*)" lang="en" hreflang="en"', page)
    assert found, page[:2000]
    return unescape(found[1])


def is_error(page: str) -> bool:
    return 'class="card card-md songda-error"' in page


async def leads_on(http: httpx2.AsyncClient, answer: httpx2.Response) -> None:
    """Where the link to the other language leads is the same page (asked for in the first one), or the way back."""
    link = urljoin(str(answer.url), language_link(answer.text))
    there = await http.get(link.replace("lang=en", "lang=zh"))
    over = 410  # a link of a mail that is used up, in whatever language
    assert there.status_code in (200, over), f"{link}: {there.status_code}"
    if not is_error(answer.text):
        assert title(there.text) == title(answer.text), link


@dataclass
class Forms:
    """A world in which everything that a form is about is there."""

    two: Two

    def path(self, call: Call) -> str:
        known = {name: ids[0] for name, ids in (self.two.hers | self.two.desk).items()}
        fallback = {"year": "2020", "day": "2026-12-24", "kind": "x", "subject": "01900000-0000-7000-8000-000000000001"}
        return call.filled(*(known.get(name) or fallback.get(name, fallback["subject"]) for name in call.names))

    async def sent_empty(self, call: Call) -> httpx2.Response:
        return await self.two.knock(call, self.path(call), self.two.cookies(call.door))


@pytest.fixture(scope="module")
async def forms(postgres_url: str) -> AsyncIterator[Forms]:
    db = await Database.open(postgres_url, connections=5)
    async with two_accounts(db) as two:
        two.desk |= {"account_id": [str(two.alice.caller.account_id)]}
        two.desk |= {"letter_id": [str(await two.home.services.contact.ask(ALICE, "No mail", "Where?", HERE))]}
        yield Forms(two)
    await db.close()


async def test_passwords_and_owners_that_are_refused(forms: Forms) -> None:
    """Named, since the cases below would not notice should these forms begin to redirect."""
    for path in ("/portal/account/password", "/portal/members/owner"):
        answer = await forms.sent_empty(Call("POST", path))
        assert answer.status_code in (404, 422) and not is_error(answer.text)
        await leads_on(forms.two.http, answer)


async def test_a_template_that_cannot_be_submitted_can_be_previewed(forms: Forms) -> None:
    """Submitted once, the second time is refused."""
    call = Call("POST", "/portal/templates/{ref}/submit")
    assert (await forms.sent_empty(call)).status_code == 303
    answer = await forms.sent_empty(call)
    assert answer.status_code in (409, 422)
    await leads_on(forms.two.http, answer)
    action = re.search(r'<form class="card mb-3" method="get" action="([^"]+)"', answer.text)
    assert action
    preview = await forms.two.http.get(action[1], params={"v.name": "Zoe"})
    assert preview.status_code == 200 and "v.name=Zoe" in unescape(preview.text)


async def test_an_older_version_is_previewed_where_it_is(forms: Forms) -> None:
    path = f"/portal/templates/{forms.two.hers['ref'][0]}/versions/1"
    page = await forms.two.knock(Call("GET", path), path, forms.two.cookies(Door.MEMBER))
    assert f'method="get" action="{path}"' in page.text


@pytest.mark.parametrize("call", FORMS, ids=str)
async def test_a_refused_form_leads_on(forms: Forms, call: Call) -> None:
    answer = await forms.sent_empty(call)
    assert answer.status_code < 500, answer.text[:300]
    if answer.status_code == 303 or "<html" not in answer.text:
        return
    await leads_on(forms.two.http, answer)
    for form in re.findall(r'<form[^>]*method="get"[^>]*>', answer.text):
        action = re.search(r'action="([^"]*)"', form)
        assert action or call.path in {each.path for each in calls() if each.method == "GET"}, form
        if action:
            assert (await forms.two.http.get(unescape(action[1]))).status_code == 200


async def test_links_of_mails_keep_their_token(db: Database) -> None:
    home = await house(db)
    alice = await home.member()
    await home.services.passwords.ask_reset(ALICE, HERE)
    token = (await home.mails(ALICE))[-1].token
    await home.services.members.invite(alice.caller, "guest@customer.example", "viewer")
    invited = (await home.mails("guest@customer.example"))[-1].token
    async with home.browser() as client:
        for path, given in (("/reset", token), ("/invitation", invited)):
            typed = {"token": given, "password": "one", "repeated": "another"}
            answer = await submit(client, path, f"{path}?token={given}", **typed)
            assert answer.status_code == 422
            await leads_on(client, answer)


async def test_the_way_back_after_sign_in_is_kept(db: Database) -> None:
    home = await house(db)
    async with home.browser() as client:
        for path, wanted in (("/login", "/portal/domains"), ("/console/login", "/console/staff")):
            answer = await submit(client, path, f"{path}?next={wanted}", next=wanted, email="x", name="x", password="x")
            there = await client.get(language_link(answer.text).replace("lang=en", "lang=zh"))
            assert f'name="next" value="{wanted}"' in there.text


async def test_a_mistyped_address_at_registration(db: Database) -> None:
    home = await house(db)
    async with home.browser() as client:
        filled = {"name": "A", "email": ALICE, "password": "four unrelated words", "language": "zh"}
        assert (await submit(client, "/register", **filled)).status_code == 200
        for path in ("/register/address", "/register/resend"):
            answer = await submit(client, path, "/register/check-mail", email="nowhere")
            assert answer.status_code in (422, 429)
            await leads_on(client, answer)


ASTRAY = {
    "/nothing": "/",
    "/portal/nothing": "/portal/",
    "/portal/domains/01900000-0000-7000-8000-000000000001": "/portal/",
    "/portal/records/nothing/list": "/portal/",
    "/portalia": "/",
    "/console/letters/01900000-0000-7000-8000-000000000001": "/console/",
    "/console/customers/x": "/console/",
}
FRAMED = {"/portal/": 'class="navbar navbar-vertical', "/console/": "songda-console"}


@pytest.mark.parametrize(("path", "home"), ASTRAY.items(), ids=str)
async def test_who_went_astray_goes_back_to_where_they_were(forms: Forms, path: str, home: str) -> None:
    cookies = forms.two.cookies(Door.MEMBER) | forms.two.cookies(Door.OPERATOR)
    page = await forms.two.knock(Call("GET", path), path, cookies)
    assert page.status_code == 404 and is_error(page.text)
    assert re.search(rf'<a class="btn btn-primary" href="{home}">\s*{HOMES[home]}', page.text)
    if "nothing" not in path and home in FRAMED:  # known only to what asked who it is
        assert FRAMED[home] in page.text
    english = await forms.two.http.get(urljoin(path, language_link(page.text)))
    assert english.status_code == 404 and "Back to" in english.text


async def test_a_foreign_form_leads_home_in_both_languages(forms: Forms) -> None:
    for path, home in (("/portal/account/password", "/portal/"), ("/console/staff", "/console/"), ("/reset", "/")):
        door = Call("POST", path).door
        forms.two.http.cookies.clear()
        forms.two.http.cookies.update(forms.two.cookies(door))
        answer = await forms.two.http.post(path, data={"csrf_token": "none"})
        assert answer.status_code == 403
        assert language_link(answer.text) == f"{home}?lang=en"


async def test_nobody_is_led_away_by_the_address_of_the_page(forms: Forms) -> None:
    page = await forms.two.http.get("http://songda.test//evil.example/portal/")
    assert language_link(page.text).startswith("?")
