"""The pages of recharging: what they say, and that nothing a browser brings back is believed."""

import re
from dataclasses import replace
from html import unescape
from types import SimpleNamespace
from uuid import UUID

import pytest

from domain.billing import RechargeState
from sandbox.pay_desk import Manner
from services.billing import Billing
from services.catalog import build_services
from store.db import Database
from tests.accounts_world import House, csrf_of, house
from tests.browsing import LOOKS, Chrome, opened, shoot
from tests.path_rows import Customer
from tests.patience import until
from tests.pay_world import Desk, Till, till
from web.cookies import full_name


class Shop:
    """A signed-in, certified member; the application's pages and the provider's notifications share one billing."""

    def __init__(self, home: House, till: Till, token: str) -> None:
        self.home = home
        self.till = till
        self.token = token

    @property
    def cookie(self) -> str:
        """The session's; its name tells stacks on one machine apart."""
        return full_name(self.till.base.policy, "songda_session")

    async def page(self, path: str, params: dict[str, str] | None = None) -> str:
        async with self.home.browser() as http:
            http.cookies.set(self.cookie, self.token)
            answer = await http.get(path, params=params)
            assert answer.status_code == 200, answer.text
            return unescape(answer.text)

    async def post(self, path: str, **values: str) -> tuple[int, str, str]:
        """(status, where it ended, the page)."""
        async with self.home.browser() as http:
            http.cookies.set(self.cookie, self.token)
            token = csrf_of(await http.get("/portal/recharges"))
            answer = await http.post(path, data={"csrf_token": token, **values})
            return answer.status_code, answer.url.path, unescape(answer.text)


@pytest.fixture
async def shop(db: Database, pay: Desk) -> Shop:
    made = await till(db, pay)
    home = await house(db)
    signed = await home.member()
    customer = Customer(db, signed.caller.account_id)
    await customer.certifies()
    base = replace(home.base, pay_desk=pay.ours, policy=replace(home.base.policy, public_url=pay.door_url))
    home.app.state.services = build_services(base)
    pay.door.state.services = SimpleNamespace(billing=Billing(base))
    return Shop(home, replace(made, customer=customer, base=base), signed.token)


def pay_link(page: str) -> str:
    found = re.search(r'href="(http://[^"]+gateway\.do[^"]+)"', page)
    assert found is not None
    return found[1]


async def test_an_amount_an_order_a_payment(shop: Shop) -> None:
    form = await shop.page("/portal/recharges", params={"amount": "500.00"})
    assert 'value="500.00"' in form and "¥10.00" in form and "还没有充值记录" in form
    status, path, page = await shop.post("/portal/recharges", amount="100")
    assert (status, path.startswith("/portal/recharges/")) == (200, True)
    assert "¥100.00" in page and "待支付" in page
    number = UUID(path.rsplit("/", 1)[1]).hex
    assert (await shop.till.desk.visit(pay_link(page))).status_code == 200
    await shop.till.desk.act(number)
    await shop.till.notified(number)
    live = await shop.page(path + "/live")
    assert "已到账" in live and "已入账" in live and 'data-moving="false"' in live
    assert "已到账" in await shop.page("/portal/recharges")


async def test_the_return_page_believes_nothing(shop: Shop) -> None:
    _, path, page = await shop.post("/portal/recharges", amount="100")
    await shop.till.desk.visit(pay_link(page))
    number = UUID(path.rsplit("/", 1)[1]).hex
    await shop.till.desk.act(number, Manner.SILENCE)
    back = await shop.till.desk.inner.way_back(number)  # signed by the provider, and true
    assert "trade_no=" in back
    assert "待支付" in await shop.page(f"{path}/return?{back.partition('?')[2]}")
    assert (await shop.till.order(UUID(number))).state == RechargeState.OPEN
    assert await shop.till.books() == {}


async def test_what_is_wrong_stands_at_the_amount(shop: Shop) -> None:
    status, _, page = await shop.post("/portal/recharges", amount="5")
    assert (status, 'id="e-amount"' in page, 'value="5"' in page) == (422, True, True)
    await shop.till.db.pool.execute("UPDATE certification SET valid_until = '2020-01-01'")
    status, _, page = await shop.post("/portal/recharges", amount="100")
    assert status >= 400 and "/portal/certification" in page


async def test_closing(shop: Shop) -> None:
    _, path, _ = await shop.post("/portal/recharges", amount="100")
    status, ended, page = await shop.post(path + "/close")
    assert (status, ended) == (200, path)
    assert "正在关闭" in page and "gateway.do" not in page


async def test_without_a_provider_it_says_so(shop: Shop) -> None:
    shop.home.app.state.services = build_services(replace(shop.till.base, pay_desk=None))
    page = await shop.page("/portal/recharges")
    assert "没有开通在线充值" in page and 'name="amount"' not in page


@pytest.mark.browser
@pytest.mark.parametrize(("width", "language"), LOOKS)
async def test_an_order_follows_itself(shop: Shop, chrome: Chrome, width: int, language: str) -> None:
    async with opened(shop.home.app, shop.token, chrome, width) as (page, base, complaints):
        await page.context.add_cookies([{"name": shop.cookie, "value": shop.token, "url": base}])
        await page.goto(f"{base}/portal/recharges?lang={language}")
        await page.locator("[data-amount]").nth(1).click()
        assert await page.input_value("#f-amount") == "500.00"
        await shoot(page, f"recharges-{language}")
        await page.locator("main form button[type=submit]").first.click()
        await page.wait_for_url(re.compile(r"/portal/recharges/[0-9a-f-]{36}$"))
        await shoot(page, f"recharge-open-{language}")
        here = page.url
        number = UUID(here.rsplit("/", 1)[1]).hex
        await page.locator("a[href*='gateway.do']").click()
        await page.wait_for_url(re.compile(r"/alipay/pay/"))
        await shoot(page, f"pay-desk-{language}")
        await page.go_back()
        await page.wait_for_url(here)
        await shop.till.desk.act(number, Manner.PAY_TWICE)
        await shop.till.notified(number, 2)
        await page.get_by_text("已到账" if language == "zh" else "Credited").first.wait_for(timeout=8000)

        async def gone() -> bool:
            return await page.locator("form[action$='/close']").count() == 0

        await until(gone, 8)
        await shoot(page, f"recharge-credited-{language}")
        await page.goto(f"{shop.till.desk.url}/alipay/pay/{number}")
        await shoot(page, f"pay-desk-paid-{language}")
        await page.goto(f"{shop.till.desk.url}/ui/pay")
        await shoot(page, f"pay-desk-orders-{language}")
        await page.goto(f"{base}/portal/recharges")
        await shoot(page, f"recharges-list-{language}")
        assert complaints == []
