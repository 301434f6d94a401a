"""Pieces of the demo that the play itself would not show when they are wrong."""

import asyncio
import io
from collections.abc import Awaitable, Callable

import pytest
from PIL import Image
from stdnum.cn import ric, uscc

from demo import parties
from demo.browser import Browser
from demo.outcomes import expected
from demo.papers import IDENTITY, company_code, filing, licence
from demo.parties import DemoFailure, Http, Places, eventually
from demo.scene import Customer, Material
from demo.story import CHAPTERS, TO_THE_FIRST_SEND, Story
from tests.browsing import on_a_port

NOBODY = "http://127.0.0.1:1"
PLACES = Places(NOBODY, "127.0.0.1:1", NOBODY, "127.0.0.1:1", NOBODY, "/nowhere")


@pytest.mark.parametrize("tag", ["00000000", "ffffffff", "a1b2c3d4"])
def test_the_numbers_on_the_papers_pass_their_checks_and_are_nobodys(tag: str) -> None:
    code = company_code(tag)
    assert len(code) == 18 and uscc.calc_check_digit(code[:17]) == code[-1]
    assert code[2:8] == "999999", "no region has this number"
    assert ric.calc_check_digit(IDENTITY) == IDENTITY[-1]


def test_the_first_licence_is_too_small_and_the_second_is_not() -> None:
    small, large = (Image.open(io.BytesIO(licence("X" * 18, legible))).size for legible in (False, True))
    assert small[0] < 100 < large[0]
    assert filing("鄂ICP备2026012345号").startswith(b"%PDF")


@pytest.mark.parametrize(
    ("address", "outcome"),
    [("unknown1@gmail.com", "bounced"), ("full@sina.com", "bounced"), ("fullerton@x.example", "delivered")],
)
def test_what_the_sandbox_makes_of_an_address(address: str, outcome: str) -> None:
    assert expected(address) == outcome


def test_the_subject_is_the_pages_title() -> None:
    assert Material(b"", "<TITLE lang=zh>\n 给%姓名%的\n信 </TITLE>").subject == "给%姓名%的 信"
    assert "演示" in Material(b"", "<p>no title</p>").subject


async def test_the_chapters_are_played_in_order_and_no_step_has_the_name_of_another() -> None:
    story = Story(PLACES, Material(b"", ""))
    shorter = Story(PLACES, Material(b"", ""), chapters=TO_THE_FIRST_SEND)
    names = [step.name for step in story.steps]
    assert len(set(names)) == len(names)
    assert names[: len(shorter.steps)] == [step.name for step in shorter.steps]
    assert len(CHAPTERS) == 10 and len(names) > len(shorter.steps)
    await story.close()
    await shorter.close()


def counting(values: list[int | None]) -> Callable[[], Awaitable[int | None]]:
    left = iter(values)

    async def look() -> int | None:
        return next(left)

    return look


async def test_patience_ends_when_nothing_moves_and_begins_anew_when_something_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parties, "PATIENCE", 0.15)
    with pytest.raises(DemoFailure, match="in vain for the moon"):
        await eventually(counting([None] * 100), "the moon", every=0.02)
    moves = iter(range(1000))
    found = await eventually(counting([None] * 20 + [7]), "a mover", every=0.02, moving=lambda: next(moves))
    assert found == 7


FORM = """<form method="post"><input type="hidden" name="csrf_token" value="a&amp;b"><input type="hidden" name="version"
value="3"></form><input type="hidden" name="version" value="4">"""


async def test_a_browser_sends_back_what_the_form_hides() -> None:
    from fastapi import FastAPI, Request
    from starlette.responses import HTMLResponse, RedirectResponse, Response

    app, seen = FastAPI(), []

    @app.get("/page")
    async def page() -> HTMLResponse:
        answer = HTMLResponse(FORM)
        answer.set_cookie("visit", "7")
        return answer

    @app.post("/act")
    async def act(request: Request) -> Response:
        seen.append((dict(await request.form()), dict(request.cookies)))
        return RedirectResponse("/page", 303)

    async with on_a_port(app) as base:
        browser = Browser(base)
        answer = await browser.submit("/page", "/act", {"decision": "reject"})
        with pytest.raises(DemoFailure, match="HTTP 404"):
            await browser.page("/nowhere")
        await browser.close()
    assert answer.status_code == 303
    assert seen == [({"csrf_token": "a&b", "version": "4", "decision": "reject"}, {"visit": "7"})]


async def test_a_client_waits_for_a_server_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parties, "PATIENCE", 0.3)
    http = Http("http://127.0.0.1:1")
    with pytest.raises(DemoFailure, match="ConnectError"):
        await asyncio.wait_for(http.send("GET", "/"), 10)
    await http.close()


def test_customers_do_not_meet() -> None:
    one, other = Customer(), Customer()
    assert {one.email, one.domain, one.api_user}.isdisjoint({other.email, other.domain, other.api_user})
