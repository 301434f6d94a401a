"""Clicks and opens by the links of customers' mails."""

import asyncio
import io
import re
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from PIL import Image

from domain.link_tokens import LinkKind, LinkToken
from services.tracking import Tallies
from store.db import Database
from tests.mail_links_world import VALUES, MailLinks, link, mail_links
from tests.patience import PATIENCE, until

TARGETS = [
    "https://shop.example/p?id=a%26b&x=1",
    "https://other.example/?q=1",
    "https://shop.example/%E6%9D%8E%E9%9B%B7",
]


@pytest.fixture
async def world(db: Database) -> AsyncIterator[MailLinks]:
    async with mail_links(db) as made:
        yield made


async def test_a_click_leads_where_the_mail_says_and_is_counted(world: MailLinks) -> None:
    message = await world.message()
    for number, target in enumerate(TARGETS, 1):
        answer = await world.http.get(link(LinkKind.CLICK, message, number))
        assert (answer.status_code, answer.headers["location"]) == (302, target)
        assert answer.headers["cache-control"] == "no-store" and answer.headers["referrer-policy"] == "no-referrer"
        assert "set-cookie" not in answer.headers
    await world.http.get(link(LinkKind.CLICK, message, 3))
    assert await world.engaged() == {("click", 1): 1, ("click", 2): 1, ("click", 3): 2}


async def test_looking_at_a_link_is_no_click(world: MailLinks) -> None:
    message = await world.message()
    answer = await world.http.head(link(LinkKind.CLICK, message, 1))
    assert (answer.status_code, answer.headers["location"]) == (302, TARGETS[0])
    assert (await world.http.head(link(LinkKind.OPEN, message))).status_code == 200
    assert await world.engaged() == {}


async def test_the_content_that_was_sent_decides(world: MailLinks) -> None:
    message = await world.message()
    await world.http.get(link(LinkKind.CLICK, message, 1))  # the first content is in memory now
    await world.revised(message, '<a href="https://new.example/%id%">new</a>')
    answer = await world.http.get(link(LinkKind.CLICK, message, 1))
    assert answer.headers["location"] == "https://new.example/a%26b"
    assert (await world.http.get(link(LinkKind.CLICK, message, 2))).status_code == 404


@pytest.mark.parametrize("value", ["", "javascript:alert(1)", "//evil.example", "data:text/html,x", "mailto:a@b.c"])
async def test_a_variable_leads_nowhere_but_to_the_web(world: MailLinks, value: str) -> None:
    message = await world.message(values=VALUES | {"link": value})
    assert (await world.http.get(link(LinkKind.CLICK, message, 2))).status_code == 404


async def test_nobody_makes_a_link(world: MailLinks) -> None:
    """Neither with a token for something else, nor by adding an address."""
    message = await world.message()
    good = link(LinkKind.CLICK, message, 1)
    tokens = [link(kind, message, 1).rpartition("/")[2] for kind in (LinkKind.OPEN, LinkKind.UNSUBSCRIBE)]
    bad = [
        good[:-1] + ("A" if good[-1] != "A" else "B"), good + "A", "/t/c/x", "/t/c/%00", "/t/c/" + "é" * 28,
        link(LinkKind.CLICK, message + 1, 1), link(LinkKind.CLICK, message, 4), link(LinkKind.CLICK, message, 0),
        *(f"/t/c/{token}" for token in tokens),
    ]  # fmt: skip
    for path in bad:
        answer = await world.http.get(f"{path}?url=https://evil.example/", headers={"accept-language": "en-US,en"})
        assert answer.status_code == 404 and "location" not in answer.headers, path
        assert "no longer valid" in answer.text and "set-cookie" not in answer.headers
    assert "这个链接不完整" in (await world.http.get("/t/c/x")).text
    assert await world.engaged() == {}
    led = await world.http.get(f"{good}?url=https://evil.example/")
    assert led.headers["location"] == TARGETS[0]


async def test_the_picture_is_one_transparent_pixel(world: MailLinks) -> None:
    message = await world.message()
    for path in (link(LinkKind.OPEN, message), link(LinkKind.OPEN, message) + ".gif", "/t/o/nonsense.gif"):
        answer = await world.http.get(path)
        assert answer.headers["content-type"] == "image/gif" and answer.headers["cache-control"] == "no-store"
        assert len(answer.content) == 43 and "set-cookie" not in answer.headers
        with Image.open(io.BytesIO(answer.content)) as picture:
            assert picture.size == (1, 1)
            assert picture.convert("RGBA").getpixel((0, 0)) == (0, 0, 0, 0)
    assert await world.engaged() == {("open", 0): 2}


async def test_webhooks_hear_of_the_first_and_of_what_comes_after_a_pause(world: MailLinks) -> None:
    message = await world.message()
    await world.listen()
    for _ in range(3):
        await world.http.get(link(LinkKind.CLICK, message, 1))
    await world.http.get(link(LinkKind.OPEN, message))
    (click, told), (opened, _) = await world.told()
    assert (click, opened) == ("click", "open")
    assert told.pop("submission_id")
    assert told == {
        "message_id": message, "ordinal": 0, "recipient": "Li.Lei@qq.com", "label": "may", "link": 1, "url": TARGETS[0],
    }  # fmt: skip
    await world.db.pool.execute("UPDATE engagement SET last_at = now() - interval '61 seconds'")
    await world.http.get(link(LinkKind.CLICK, message, 1))
    assert [kind for kind, _ in await world.told()] == ["click", "open", "click"]
    assert await world.engaged() == {("click", 1): 4, ("open", 0): 1}


async def test_without_the_database_one_comes_back_later(world: MailLinks) -> None:
    message = await world.message()
    async with world.without_database():
        answer = await world.http.get(link(LinkKind.CLICK, message, 1), headers={"accept-language": "en"})
        picture = await world.http.get(link(LinkKind.OPEN, message))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert "cannot be opened right now" in answer.text
    assert (picture.status_code, len(picture.content)) == (200, 43)


async def test_whoever_clicks_is_led_on_even_when_nothing_can_be_written(world: MailLinks) -> None:
    message = await world.message()
    await world.db.pool.execute("ALTER TABLE engagement RENAME TO engagement_away")
    try:
        answer = await world.http.get(link(LinkKind.CLICK, message, 1))
    finally:
        await world.db.pool.execute("ALTER TABLE engagement_away RENAME TO engagement")
    assert (answer.status_code, answer.headers["location"]) == (302, TARGETS[0])


async def test_a_flood_of_one_link_is_counted_whole(world: MailLinks) -> None:
    message = await world.message()
    path = link(LinkKind.CLICK, message, 1)
    answers = await asyncio.gather(*(world.http.get(path) for _ in range(60)))
    assert {answer.status_code for answer in answers} == {302}

    async def all_of_them() -> bool:
        return await world.engaged() == {("click", 1): 60}

    await until(all_of_them)


async def test_one_write_at_a_time_for_each_token() -> None:
    tallies, gate, written = Tallies(), asyncio.Event(), list[int]()
    token, other = LinkToken(LinkKind.CLICK, 1, 1), LinkToken(LinkKind.CLICK, 2, 1)

    async def write(times: int) -> None:
        await gate.wait()
        written.append(times)

    first = asyncio.create_task(tallies.add(token, write))
    await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        for _ in range(5):
            await tallies.add(token, write)  # waits for nobody
    elsewhere = asyncio.create_task(tallies.add(other, write))
    gate.set()
    await asyncio.gather(first, elsewhere)

    async def rest() -> bool:
        return sorted(written) == [1, 1, 5]

    await until(rest)
    await tallies.add(token, write)
    assert written[-1] == 1


async def test_every_link_of_a_rendered_mail_works(world: MailLinks) -> None:
    """As the worker writes it and its recipient reads it: renderer and doors agree on tokens, numbers and paths."""
    await world.db.pool.execute("UPDATE api_user SET track_clicks = true, track_opens = true")
    message = await world.message()
    mail = parsed(await world.rendered(message))
    html = mail.get_body(("html",))
    assert html is not None
    urls = re.findall(r'(?:href|src)="(http[^"]+)"', html.get_content())
    answers = [await world.http.get(url) for url in urls]
    assert [answer.headers.get("location") for answer in answers[:3]] == TARGETS
    assert answers[3].headers["content-type"] == "image/gif" and len(answers) == 4
    assert await world.engaged() == {("click", 1): 1, ("click", 2): 1, ("click", 3): 1, ("open", 0): 1}
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    answer = await world.http.post(mail["List-Unsubscribe"].strip("<>"), data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert await world.suppressed() == [("li.lei@qq.com", "unsubscribe", message)]


async def test_switched_off_a_mail_leads_straight_to_its_targets(world: MailLinks) -> None:
    await world.db.pool.execute("UPDATE api_user SET track_clicks = false, track_opens = false")
    html = parsed(await world.rendered(await world.message())).get_body(("html",))
    assert html is not None and "/t/" not in html.get_content()
    assert "https://other.example/?q=1" in html.get_content()


def parsed(data: bytes) -> EmailMessage:
    return message_from_bytes(data, policy=policy.default)
