"""The pages of webhooks: a form that says what is wrong, a secret shown once, a log of what was sent."""

import re
from collections.abc import AsyncIterator
from html import unescape
from uuid import UUID

import pytest

from domain.ids import Kind, Process, new_id
from domain.webhooks import DrainOrder
from store.columns import now
from store.db import Database
from tests.path_rows import Customer
from tests.sends_doors import Browser, browser
from tests.webhook_receiver import receiving
from tests.webhook_world import Hooks

URL = "https://example.com/hooks"


@pytest.fixture
async def portal(db: Database) -> AsyncIterator[Browser]:
    async with browser(db) as made:
        yield made


async def post(portal: Browser, path: str, url: str = "", events: list[str] | None = None) -> str:
    """Post a form of these pages; the location of the next page, or the page that says what is wrong."""
    data: dict[str, str | list[str]] = {"csrf_token": await portal.token()}
    if url or events is not None:
        data |= {"url": url, "events": events or []}
    answer = await portal.http.post(path, data=data)
    if answer.status_code == 303:
        return answer.headers["location"]
    assert answer.status_code in (409, 422), answer.text
    return answer.text


async def make(portal: Browser, url: str = URL) -> str:
    here = await post(portal, "/portal/webhooks/new", url, ["deliver", "invalid"])
    assert re.fullmatch(r"/portal/webhooks/[0-9a-f-]{36}", here)
    return here


async def look(portal: Browser, path: str) -> str:
    answer = await portal.http.get(path)
    assert answer.status_code == 200, answer.text
    return unescape(answer.text)


async def test_the_secret_is_shown_once(portal: Browser) -> None:
    here = await make(portal)
    answer = await portal.http.get(here)
    assert len(set(re.findall(r"whsec_[\w+/=]+", unescape(answer.text)))) == 1
    assert answer.headers["cache-control"] == "no-store"
    again = await look(portal, here)
    assert "whsec_" not in again
    assert URL in again
    assert f"webhook/{here.rsplit('/', 1)[1]}" in again, "support can be told the process"
    assert URL in await look(portal, "/portal/webhooks")


async def test_replacing_the_secret_shows_the_new_one_and_until_when_the_old_one_signs(portal: Browser) -> None:
    here = await make(portal)
    first = re.findall(r"whsec_[\w+/=]+", await look(portal, here))[0]
    assert await post(portal, here + "/secret") == here
    page = await look(portal, here)
    assert first not in page
    assert "whsec_" in page
    assert "旧密钥仍同时签名" in page


async def test_a_secret_is_not_shown_on_another_page(portal: Browser) -> None:
    one, other = await make(portal), await make(portal, f"{URL}/other")
    await post(portal, one + "/secret")
    assert "whsec_" in await look(portal, other), "its own, of its making"
    cookies = [c for c in portal.http.cookies.jar if c.name == "songda_shown_once" and c.path == one]
    sealed = cookies[0].value
    answer = await portal.http.get(other, headers={"cookie": f"songda_shown_once={sealed}; {session(portal)}"})
    assert "whsec_" not in answer.text


def session(portal: Browser) -> str:
    return f"songda_session={portal.http.cookies['songda_session']}"


@pytest.mark.parametrize(
    ("url", "events", "field"),
    [("", [], "url"), ("nonsense", ["open"], "url"), (URL, [], "events"), (URL, ["nonsense"], "events")],
)
async def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_is_kept(
    portal: Browser, url: str, events: list[str], field: str
) -> None:
    page = await post(portal, "/portal/webhooks/new", url, events)
    assert re.search(rf'id="e-{field}">[^<]+<', page)
    assert f'value="{url}"' in page
    for event in events:
        assert (f'value="{event}" checked' in page) == (event != "nonsense")
    assert "/portal/webhooks/0" not in await look(portal, "/portal/webhooks")


@pytest.mark.parametrize(
    ("of", "word"), [("999999", "没有这个邮件"), (str(UUID(int=7)), "没有这个发送"), ("x", "没有这个邮件")]
)
async def test_a_replay_of_what_is_not_there_is_refused_where_it_was_named(portal: Browser, of: str, word: str) -> None:
    here = await make(portal)
    answer = await portal.http.post(here + "/replay", data={"csrf_token": await portal.token(), "of": of})
    assert re.search(rf'id="e-of">{word}', answer.text)
    assert f'value="{of}"' in answer.text


async def test_settings_are_changed_and_bad_ones_are_not(portal: Browser) -> None:
    here = await make(portal)
    assert await post(portal, here, "https://example.com/new", ["open"]) == here
    page = await look(portal, here)
    assert "https://example.com/new" in page
    assert 'value="open" checked' in page
    assert 'value="deliver" checked' not in page
    assert 'id="e-url"' in await post(portal, here, "ftp://x", ["open"])
    assert "https://example.com/new" in await look(portal, here)


async def test_disable_enable_and_delete(portal: Browser) -> None:
    here = await make(portal)
    await post(portal, here + "/disable")
    assert "已由您停用" in await look(portal, here)
    await post(portal, here + "/ping")
    assert "该 WebHook 已停用，不会推送。" in await look(portal, here)
    await post(portal, here + "/enable")
    assert "已由您停用" not in await look(portal, here)
    assert await post(portal, here + "/delete") == "/portal/webhooks"
    assert (await portal.http.get(here)).status_code == 404


async def test_the_log_says_what_came_of_each_request(portal: Browser, db: Database) -> None:
    world = Hooks(db, Customer(db, portal.customer.account))
    async with receiving(lambda n, r: 500, body=b"<b>no database</b>") as receiver:
        here = await make(portal, receiver.url)
        await post(portal, here + "/ping")
        account = str(portal.customer.account)
        process = Process(Kind.WEBHOOK, here.rsplit("/", 1)[1], account, 1)
        await world.activities.drain(DrainOrder(process, now()))
    answer = await portal.http.get(here + "/live")
    assert "HTTP 500" in answer.text
    assert "&lt;b&gt;no database&lt;/b&gt;" in answer.text
    assert "推送失败" in answer.text
    assert "<html" not in answer.text


async def test_the_menu_says_where_one_is(portal: Browser) -> None:
    page = await look(portal, await make(portal))
    assert '<a class="nav-link" href="/portal/webhooks" aria-current="page">' in page


async def test_other_accounts_see_nothing(portal: Browser, db: Database) -> None:
    here = await make(portal)
    async with browser(db) as stranger:
        for path in (here, here + "/live"):
            assert (await stranger.http.get(path)).status_code == 404
        for path in ("", "/secret", "/ping", "/retry", "/enable", "/disable", "/delete"):
            answer = await stranger.http.post(
                here + path, data={"csrf_token": await stranger.token(), "url": URL, "events": ["open"]}
            )
            assert answer.status_code == 404, path
        assert URL not in await look(stranger, "/portal/webhooks")
    assert (await portal.http.get(f"/portal/webhooks/{new_id()}")).status_code == 404


async def test_pages_are_english_when_asked(portal: Browser) -> None:
    here = await make(portal)
    await look(portal, here)  # takes the message that the creation left, in the language of then
    for path in ("/portal/webhooks", "/portal/webhooks/new", here):
        page = await look(portal, path + "?lang=en")
        main = page[page.index("<main") :]
        assert not re.findall(r"[\u4e00-\u9fff]+", main.replace("中文", "").replace("送达", "")), path


async def test_a_post_without_the_token_changes_nothing(portal: Browser) -> None:
    here = await make(portal)
    answer = await portal.http.post(here + "/delete", data={"csrf_token": "x"})
    assert answer.status_code == 403
    assert (await portal.http.get(here)).status_code == 200


@pytest.mark.parametrize("before", ["0", "-1", "x", "99999999999999999999", "-99999999999999999999"])
async def test_a_place_in_the_log_that_cannot_be_leads_nowhere(portal: Browser, before: str) -> None:
    here = await make(portal)
    assert (await portal.http.get(f"{here}?before={before}")).status_code == 404
    assert (await portal.http.get(f"{here}?before={2**63 - 1}")).status_code == 200
