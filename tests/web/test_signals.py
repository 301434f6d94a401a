"""Sending quality on the pages: a customer's own with what to do, an operator's of everybody; in a browser as well."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from axe_playwright_python.async_playwright import Axe

from domain.link_tokens import LinkKind
from domain.operators import OperatorRole
from domain.signals import Counts, Window, judge
from services.signals import Line
from store.columns import now
from store.db import Database
from tests.accounts_world import House, house
from tests.browsing import LOOKS, Chrome, on_a_port, opened, shoot, window
from tests.mail_links_world import link, mail_links
from tests.operators_world import COOKIE, at_the_console, signed
from tests.sending_world import Customer, make_customer
from tests.sends_doors import Browser, browser
from tests.services.test_signals import heard
from web.portal.signals import HEIGHT, TOP, chart

PAGE = "/portal/sending-quality"
DESK = "/console/sending-quality"


@pytest.fixture
async def portal(db: Database) -> AsyncIterator[Browser]:
    async with browser(db) as made:
        yield made


async def page(portal: Browser, query: str = "", language: str = "en") -> str:
    answer = await portal.http.get(f"{PAGE}?lang={language}&{query}")
    assert answer.status_code == 200
    return answer.text


async def a_bad_month(db: Database, customer: Customer) -> None:
    """Enough of everything to be judged."""
    for ago in range(0, 29 * 24, 24):
        await heard(db, customer, "qq", 1, ago, delivered=90 + ago % 70, hard=12, deferred=9)
    await heard(db, customer, "netease", 2, 26, delivered=400, refused=30, complained=2, unsubscribed=4, expired=3)
    await heard(db, customer, "gmail", 1, 2, delivered=800, complained=9)
    await heard(db, customer, "other", 0, 3, delivered=12)


async def test_before_the_first_mail(portal: Browser) -> None:
    assert "这段时间没有发信结果" in await page(portal, language="zh")
    said = await page(portal)
    assert "No mail had a result in this time" in said and "/portal/test-send" in said and "<svg" not in said


async def test_rates_verdict_and_what_to_do(portal: Browser, db: Database) -> None:
    await a_bad_month(db, portal.customer)
    said = await page(portal, "window=30d")
    assert 'bg-danger-lt">Bad</span>' in said and "Recipients report the mails as spam" in said
    assert "Many addresses do not exist" in said and "good below 0.10% or fewer than 3, bad from 0.30% on" in said
    assert "good above 95%, bad at 90% or less" in said
    assert "QQ Mail, Tencent Exmail" in said and portal.customer.domain_name in said
    assert said.count("<rect ") >= 29 and "<title id=" in said and "<desc id=" in said
    chinese = await page(portal, "window=30d", "zh")
    assert "收件人把邮件举报为垃圾邮件" in chinese and "低于 0.10% 或少于 3 次为良好，达到 0.30% 为差" in chinese


async def test_windows_and_files(portal: Browser, db: Database) -> None:
    await heard(db, portal.customer, "qq", 0, 24 * 3, delivered=5)
    assert "No mail had a result" in await page(portal, "window=24h")
    assert "No mail had a result" not in await page(portal, "window=7d")
    file = await portal.http.get(f"{PAGE}/export.csv?window=7d&by=provider")
    assert file.headers["content-disposition"] == 'attachment; filename="signals-provider.csv"'
    assert file.text.splitlines()[1].startswith("qq,")
    assert (await portal.http.get(f"{PAGE}/export.csv?by=account")).status_code == 403
    assert (await portal.http.get(f"{PAGE}?window=1y")).status_code == 404


async def test_one_account_sees_nothing_of_anothers(portal: Browser, db: Database) -> None:
    await a_bad_month(db, await make_customer(db))
    assert "No mail had a result" in await page(portal, "window=30d")
    assert "qq" not in (await portal.http.get(f"{PAGE}/export.csv?by=provider")).text


def test_bars_fit_the_chart_and_begin_at_its_foot() -> None:
    counts = [Counts(delivered=60, hard=30, refused=10), Counts(), Counts(delivered=-5, expired=50)]
    bars = chart([Line(now(), "", judge(each)) for each in counts], Window.WEEK)
    assert [list(bar.parts) for bar in bars] == [
        [
            ("delivered", TOP + HEIGHT * 0.4, HEIGHT * 0.6), ("hard", TOP + HEIGHT * 0.1, HEIGHT * 0.3),
            ("refused", TOP, HEIGHT * 0.1),
        ],
        [],
        [("refused", TOP + HEIGHT / 2, HEIGHT / 2)],
    ]  # fmt: skip
    assert [bool(bar.label) for bar in bars] == [True] * 3


@pytest.fixture
async def there(db: Database) -> House:
    return await house(db)


async def ask(there: House, query: str = "", role: OperatorRole = OperatorRole.SUPPORT) -> httpx2.Response:
    who = await signed(there, "sue", role)
    async with at_the_console(there, who.token) as client:
        return await client.get(f"{DESK}?lang=en&{query}")


async def test_operators_see_who_is_complained_of(there: House, db: Database) -> None:
    fine, loud = await make_customer(db), await make_customer(db)
    await db.pool.execute("UPDATE account SET name = 'Loud <Ltd>' WHERE id = $1", loud.account)
    await a_bad_month(db, loud)
    await heard(db, fine, "qq", 1, delivered=900)
    await db.pool.execute(
        "INSERT INTO egress_address (number, source, ehlo_name, host, public, state, note, row_version, created_at)"
        " VALUES (1, '10.0.0.7', 'mx.example', '', '203.0.113.7', 'active', '', 0, now())"
    )
    said = (await ask(there, "window=30d")).text
    first, second = said.index(f"account={loud.account}"), said.index(f"account={fine.account}")
    assert first < second and "Loud &lt;Ltd&gt;" in said
    assert "Chosen by the system" in said and "Address 2" in said and "203.0.113.7" in said
    assert "NetEase 163, 126, yeah" in said


async def test_operators_look_into_one_customer(there: House, db: Database) -> None:
    customer = await make_customer(db)
    await a_bad_month(db, customer)
    who = await signed(there, "sue", OperatorRole.SUPPORT)
    async with at_the_console(there, who.token) as client:
        said = (await client.get(f"{DESK}?lang=en&account={customer.account}")).text
        assert customer.domain_name in said and f"/console/customers/{customer.account}" in said
        assert f"account={customer.account}&amp;by=domain" in said
        file = await client.get(f"{DESK}/export.csv?account={customer.account}&by=egress")
        assert {line.split(",")[0] for line in file.text.splitlines()[1:]} == {"0", "1", "2"}
        assert (await client.get(f"{DESK}?account=0192f3a4-5b6c-7d8e-9f01-23456789abcd")).status_code == 404


async def test_nothing_was_sent_yet(there: House) -> None:
    answer = await ask(there)
    assert answer.status_code == 200 and "No mail had a result in this time" in answer.text


@pytest.mark.browser
@pytest.mark.parametrize(("width", "language"), LOOKS)
async def test_both_pages_in_a_browser(
    there: House, db: Database, portal: Browser, chrome: Chrome, width: int, language: str
) -> None:
    await a_bad_month(db, portal.customer)
    await heard(db, await make_customer(db), "qq", 1, delivered=900)
    token = portal.http.cookies["songda_session"]
    async with opened(portal.app, token, chrome, width) as (page, base, complaints):
        await page.goto(f"{base}{PAGE}?window=30d&lang={language}")
        await page.get_by_text("用表格显示" if language == "zh" else "Show as a table").click()
        await shoot(page, f"signals-portal-{width}")
        assert not [v for v in (await Axe().run(page)).response["violations"] if v["impact"] in ("serious", "critical")]
        assert complaints == []
    who = await signed(there, "sue", OperatorRole.SUPPORT)
    async with on_a_port(there.app) as base, await window(chrome, width) as context:
        await context.add_cookies([{"name": COOKIE, "value": who.token, "url": f"{base}/console"}])
        page = await context.new_page()
        await page.goto(f"{base}{DESK}?lang={language}")
        await shoot(page, f"signals-console-{width}")
        await page.get_by_role("link", name="Customer", exact=True).first.click()
        await shoot(page, f"signals-customer-{width}")
        assert not [v for v in (await Axe().run(page)).response["violations"] if v["impact"] in ("serious", "critical")]


async def test_a_recipient_who_unsubscribes_counts_once(db: Database) -> None:
    async with mail_links(db) as world:
        path = link(LinkKind.UNSUBSCRIBE, await world.message())
        for act in ("unsubscribe", "resubscribe", "unsubscribe"):
            assert (await world.http.post(path, data={"act": act})).status_code in (200, 303)
        [row] = await db.pool.fetch("SELECT account_id, domain_id, lane, unsubscribed FROM signal_tally")
        assert tuple(row) == (world.customer.account, world.customer.domain, "other", 1)
