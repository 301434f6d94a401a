"""The page behind a mail's unsubscribe link, and one-click (RFC 8058)."""

from collections.abc import AsyncIterator

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from domain.link_tokens import LinkKind
from store.columns import now
from store.db import Database
from store.suppressions import complain, remove
from tests.browsing import PHONE, Chrome, on_a_port, shoot, window
from tests.mail_links_world import MailLinks, link, mail_links
from tests.sending_world import submit
from tests.web.test_every_page import seen

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
ENGLISH = {"accept-language": "en-GB,en;q=0.8,zh;q=0.5"}


@pytest.fixture
async def world(db: Database) -> AsyncIterator[MailLinks]:
    async with mail_links(db) as made:
        yield made


async def test_looking_unsubscribes_nobody(world: MailLinks) -> None:
    """Scanners follow every link of a mail."""
    path = link(LinkKind.UNSUBSCRIBE, await world.message())
    page = await world.http.get(path)
    assert page.status_code == 200 and "不再接收这些邮件？" in page.text
    assert (await world.http.head(path)).status_code == 200
    assert (await world.http.get(f"{path}?List-Unsubscribe=One-Click&act=unsubscribe")).status_code == 200
    assert await world.suppressed() == [] and await world.engaged() == {}


async def test_the_page_says_who_writes_and_to_whom_in_both_languages(world: MailLinks) -> None:
    path = link(LinkKind.UNSUBSCRIBE, await world.message())
    for page in (await world.http.get(path, headers=ENGLISH), await world.http.get(f"{path}?lang=en")):
        assert "Stop getting these mails?" in page.text and 'lang="en"' in page.text
        assert "Shop &lt;b&gt;" in page.text and world.customer.domain_name in page.text
        assert "L***@qq.com" in page.text and "Lei@" not in page.text  # a forwarded mail carries its link along
        assert "set-cookie" not in page.headers and "<script" not in page.text


@pytest.mark.parametrize("multipart", [False, True])
async def test_one_click_unsubscribes_at_once(world: MailLinks, multipart: bool) -> None:
    """As a mail provider posts it: from its own servers, without a cookie, twice to be sure."""
    message = await world.message()
    await world.listen()
    body = {"files": {"List-Unsubscribe": (None, "One-Click")}} if multipart else {"data": ONE_CLICK}
    for _ in range(2):
        answer = await world.http.post(
            link(LinkKind.UNSUBSCRIBE, message), headers={"origin": "https://mail.example"}, **body
        )
        assert answer.status_code == 200 and "set-cookie" not in answer.headers
    assert await world.suppressed() == [("li.lei@qq.com", "unsubscribe", message)]
    assert await world.engaged() == {("unsubscribe", 0): 1}
    ((kind, told),) = await world.told()
    assert (kind, told["message_id"], told["recipient"]) == ("unsubscribe", message, "Li.Lei@qq.com")


@pytest.mark.parametrize(
    "body", [{}, {"act": "look"}, {"List-Unsubscribe": "maybe"}, {"list-unsubscribe": "One-Click"}]
)
async def test_what_else_is_posted_asks_for_nothing(world: MailLinks, body: dict[str, str]) -> None:
    answer = await world.http.post(link(LinkKind.UNSUBSCRIBE, await world.message()), data=body)
    assert answer.status_code == 303
    assert await world.suppressed() == []


async def test_the_button_and_its_way_back(world: MailLinks) -> None:
    message = await world.message()
    path = link(LinkKind.UNSUBSCRIBE, message) + "?lang=en"
    gone = await world.http.post(path, data={"act": "unsubscribe"}, follow_redirects=True)
    assert str(gone.url).endswith(path)
    assert "You are unsubscribed" in gone.text and "It was a mistake" in gone.text
    assert await world.suppressed() == [("li.lei@qq.com", "unsubscribe", message)]
    back = await world.http.post(path, data={"act": "resubscribe"}, follow_redirects=True)
    assert "You are subscribed again" in back.text and "Stop getting these mails?" in back.text
    assert await world.suppressed() == []
    await world.listen()
    await world.http.post(str(back.url), data={"act": "unsubscribe"})
    assert [kind for kind, _ in await world.told()] == ["unsubscribe"], "it became true anew"
    assert await world.engaged() == {("unsubscribe", 0): 2}


async def test_a_mail_takes_back_only_what_it_did_itself(world: MailLinks) -> None:
    first, second = await world.message(), await world.message("li.lei@qq.com")
    await world.http.post(link(LinkKind.UNSUBSCRIBE, first), data=ONE_CLICK)
    page = await world.http.get(link(LinkKind.UNSUBSCRIBE, second), headers=ENGLISH)
    assert "You are unsubscribed" in page.text and "It was a mistake" not in page.text
    await world.http.post(link(LinkKind.UNSUBSCRIBE, second), data={"act": "resubscribe"})
    await world.http.post(link(LinkKind.UNSUBSCRIBE, second), data=ONE_CLICK)
    assert await world.suppressed() == [("li.lei@qq.com", "unsubscribe", first)]


async def test_the_recipients_word_stands_beside_the_senders(world: MailLinks) -> None:
    message = await world.message()
    await world.db.pool.execute(
        "INSERT INTO suppression (account_id, address, reason, created_at) VALUES ($1, 'li.lei@qq.com', $2, now())",
        *(world.customer.account, "manual"),
    )
    page = await world.http.get(link(LinkKind.UNSUBSCRIBE, message), headers=ENGLISH)
    assert "You are unsubscribed" in page.text
    await world.http.post(link(LinkKind.UNSUBSCRIBE, message), data=ONE_CLICK)
    both = [("li.lei@qq.com", "manual", None), ("li.lei@qq.com", "unsubscribe", message)]
    assert sorted(await world.suppressed()) == both, "whoever removes the one must see the other"
    await world.http.post(link(LinkKind.UNSUBSCRIBE, message), data={"act": "resubscribe"})
    assert await world.suppressed() == both[:1]


async def test_who_complained_can_unsubscribe_too_and_taking_that_back_leaves_the_complaint(world: MailLinks) -> None:
    message = await world.message()
    async with world.db.raw() as connection:
        assert await complain(connection, world.customer.account, "Li.Lei@qq.com", message, now())
    assert "You are unsubscribed" in (await world.http.get(link(LinkKind.UNSUBSCRIBE, message), headers=ENGLISH)).text
    await world.http.post(link(LinkKind.UNSUBSCRIBE, message), data=ONE_CLICK)
    complaint = ("li.lei@qq.com", "complaint", message)
    assert sorted(await world.suppressed()) == [complaint, ("li.lei@qq.com", "unsubscribe", message)]
    await world.http.post(link(LinkKind.UNSUBSCRIBE, message), data={"act": "resubscribe"})
    assert await world.suppressed() == [complaint]


async def test_tokens_for_something_else_are_none(world: MailLinks) -> None:
    message = await world.message()
    token = link(LinkKind.CLICK, message, 1).rpartition("/")[2]
    for path in (f"/t/u/{token}", "/t/u/x", link(LinkKind.UNSUBSCRIBE, message + 1)):
        assert (await world.http.get(path, headers=ENGLISH)).status_code == 404
        answer = await world.http.post(path, data=ONE_CLICK, headers=ENGLISH)
        assert answer.status_code == 404 and "no longer valid" in answer.text
    assert await world.suppressed() == []


async def test_without_the_database_one_comes_back_later(world: MailLinks) -> None:
    path = link(LinkKind.UNSUBSCRIBE, await world.message())
    async with world.without_database():
        for answer in (await world.http.get(path), await world.http.post(path, data=ONE_CLICK)):
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")


async def test_a_stranger_posts_no_more_than_a_form(world: MailLinks) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = await world.http.post(link(LinkKind.UNSUBSCRIBE, 1), content=b"x" * (2 * 2**20), headers=form)
    assert answer.status_code == 413


@pytest.mark.browser
async def test_what_the_page_says_afterwards_can_be_read_by_everybody(world: MailLinks, chrome: Chrome) -> None:
    """Its question is in `test_every_page`."""
    path = link(LinkKind.UNSUBSCRIBE, await world.message())
    await world.http.post(path, data=ONE_CLICK)
    async with on_a_port(world.home.app) as base, await window(chrome, PHONE[0]) as context:
        await context.add_init_script(Axe().axe_script)
        page = await context.new_page()
        for where in (path, path + "?lang=en", "/t/u/x", "/t/c/x?lang=en"):
            assert await seen(page, base + where) == {"axe": [], "too wide by": 0}, where


@pytest.mark.browser
async def test_the_page_needs_no_script(world: MailLinks, chrome: Chrome) -> None:
    message = await world.message()
    async with on_a_port(world.home.app) as base:
        context = await chrome.new_context(viewport={"width": 390, "height": 800}, java_script_enabled=False)
        async with context:
            page = await context.new_page()
            await page.goto(base + link(LinkKind.UNSUBSCRIBE, message) + "?lang=en")
            await shoot(page, "unsubscribe-ask")
            await page.get_by_role("button", name="Unsubscribe").click()
            await expect(page.get_by_role("heading")).to_have_text("You are unsubscribed")
            assert await world.suppressed() == [("li.lei@qq.com", "unsubscribe", message)]
            await shoot(page, "unsubscribe-done")
            await page.get_by_role("button", name="It was a mistake").click()
            await expect(page.get_by_role("status")).to_contain_text("subscribed again")
            await shoot(page, "unsubscribe-back")
            await page.goto(base + "/t/u/x")
            await shoot(page, "unsubscribe-gone")
            assert await context.cookies() == []
    assert await world.suppressed() == []


async def test_batch_mails_leave_who_unsubscribed_out_until_the_entry_is_removed(world: MailLinks) -> None:
    await world.http.post(link(LinkKind.UNSUBSCRIBE, await world.message()), data=ONE_CLICK)
    accepted = await submit(world.db, world.customer, ["LI.lei@qq.com", "han@qq.com"])
    assert (accepted.accepted, [(one.address, one.reason) for one in accepted.rejected]) == (
        1, [("LI.lei@qq.com", "suppressed")],
    )  # fmt: skip
    entry = await world.db.pool.fetchval("SELECT id FROM suppression")
    async with world.db.begin() as session:
        assert await remove(session, world.customer.account, [entry]) == {entry: "unsubscribe"}
    assert (await submit(world.db, world.customer, ["LI.lei@qq.com", "han@qq.com"])).accepted == 2
