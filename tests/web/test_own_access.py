"""/console/me: an operator changes password, authenticator and recovery codes on its pages."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest

from domain.operators import GivenOut
from store.db import Database
from tests.accounts_world import house, submit
from tests.operators_world import Signed, at_the_console, code_of, signed

NEW = "five words of my own"
ME = "/console/me"


@dataclass
class Desk:
    """Rita's browser; her authenticator has a code that was not used yet."""

    client: httpx2.AsyncClient
    rita: Signed
    db: Database

    @property
    def proof(self) -> dict[str, str]:
        return {"current": self.rita.given.password, "code": code_of(self.rita.given)}

    async def post(self, what: str, **data: str) -> httpx2.Response:
        return await submit(self.client, f"{ME}/{what}", ME, **data)

    async def forgets_steps(self) -> None:
        await self.db.pool.execute("UPDATE operator SET totp_step = 0")


@pytest.fixture
async def desk(db: Database) -> AsyncIterator[Desk]:
    home = await house(db)
    rita = await signed(home)
    async with at_the_console(home, rita.token) as client:
        made = Desk(client, rita, db)
        await made.forgets_steps()
        yield made


def said(answer: httpx2.Response) -> set[str]:
    """The fields that the page complains of."""
    return set(re.findall(r'id="e-(\w+)"', answer.text))


async def test_the_page_says_how_one_signs_in_and_leads_to_each_change(desk: Desk) -> None:
    page = await desk.client.get(f"{ME}?lang=en")
    assert "0 left" in page.text
    for what in ("password", "authenticator", "recovery-codes"):
        assert f'href="{ME}/{what}"' in page.text
        form = await desk.client.get(f"{ME}/{what}")
        assert {'name="current"', 'name="code"'} <= set(re.findall(r'name="\w+"', form.text))


async def test_the_password_is_changed(desk: Desk) -> None:
    assert said(await desk.post("password", **desk.proof, new=NEW, repeated="another")) == {"repeated"}
    assert said(await desk.post("password", **desk.proof, new="short", repeated="short")) == {"new"}
    wrong = {"current": "wrong", "code": code_of(desk.rita.given)}
    assert said(await desk.post("password", **wrong, new=NEW, repeated=NEW)) == {"current"}
    done = await desk.post("password", **desk.proof, new=NEW, repeated=NEW)
    assert (done.status_code, done.headers["location"]) == (303, ME)
    assert "其他登录均已结束" in (await desk.client.get(ME)).text


async def test_the_authenticator_is_renewed_with_the_code_that_was_shown(desk: Desk) -> None:
    shown = (await desk.client.get(f"{ME}/authenticator")).text
    assert "data:image/svg+xml" in shown
    ticket, secret = ticket_of(shown), secret_of(shown)
    missed = await desk.post("authenticator", **desk.proof, ticket=ticket, new_code="000000")
    assert said(missed) == {"new_code"}
    assert (ticket_of(missed.text), secret_of(missed.text)) == (ticket, secret), "the scanned one stays"
    stale = await desk.post("authenticator", **desk.proof, ticket="forged", new_code="000000")
    assert (stale.status_code, secret_of(stale.text) == secret) == (409, False)
    new_code = code_of(GivenOut("rita", "", secret))
    assert (await desk.post("authenticator", **desk.proof, ticket=ticket, new_code=new_code)).is_redirect
    await desk.forgets_steps()
    assert said(await desk.post("recovery-codes", **desk.proof)) == {"code"}, "the old one counts no more"


async def test_recovery_codes_are_renewed_and_shown_once(desk: Desk) -> None:
    done = await desk.post("recovery-codes", **desk.proof)
    assert done.headers["location"] == "/console/recovery-codes"
    first, second = [await desk.client.get("/console/recovery-codes") for _ in range(2)]
    assert (first.text.count("<li><code>"), second.text.count("<li><code>")) == (8, 0)
    assert "可以在“我的登录”中重新生成" in second.text


def ticket_of(page: str) -> str:
    return page.partition('name="ticket" value="')[2].partition('"')[0]


def secret_of(page: str) -> str:
    return page.partition('data-copy="')[2].partition('"')[0]
