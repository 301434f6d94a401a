"""The pay desk alone: its manners, its notifications and their repetition, its pages, its memory."""

import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from domain.billing import PayOrder
from domain.ids import new_id
from sandbox.config import SandboxConfig
from sandbox.pay_desk import MANNERS, Manner
from sandbox.pay_keys import kept_keys
from sandbox.pay_notices import RETRIES, is_loopback
from sandbox.run import running
from tests.patience import until
from tests.pay_world import Desk, desk


@pytest.fixture(scope="module")
async def pay(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    async with desk(tmp_path_factory.mktemp("desk"), time_scale=60_000.0) as made:
        yield made


def order(pay: Desk, name: str, **changes: object) -> PayOrder:
    """Notifications go to the test's own hook: /hooks is not there, so every one is answered 404."""
    made = PayOrder(
        new_id().hex, 10_000, "送达 100.00", dt.datetime.now(dt.UTC) + dt.timedelta(minutes=30),
        f"{pay.door_url}/{name}", f"{pay.door_url}/return",
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


async def test_what_is_not_answered_success_is_repeated_on_alipays_schedule(pay: Desk) -> None:
    made = order(pay, "nowhere")
    await pay.visit(pay.ours.pay_url(made))
    await pay.act(made.number)

    async def given_up() -> bool:
        return all(each["due_at"] is None for each in (await pay.order(made.number))["notices"])

    await until(given_up, 8)
    (notice,) = (await pay.order(made.number))["notices"]
    assert (notice["tries"], notice["answered"]) == (1 + len(RETRIES), "HTTP 404")
    assert sum(RETRIES) == 24 * 3600 + 24 * 60, "Alipay tries for 24 hours and 24 minutes"


async def test_an_order_can_be_paid_once_and_not_when_it_is_closed_or_over(pay: Desk) -> None:
    paid, closed, over = (order(pay, "x") for _ in range(3))
    over = replace(over, expires_at=dt.datetime.now(dt.UTC) - dt.timedelta(seconds=5))
    for each in (paid, closed, over):
        await pay.visit(pay.ours.pay_url(each))
    await pay.act(paid.number, Manner.SILENCE)
    assert (await pay.http.post(f"/alipay/orders/{closed.number}/close")).status_code == 200
    for each in (paid, closed, over):
        answer = await pay.http.post(f"/alipay/orders/{each.number}/pay", json={"manner": "pay"})
        assert (answer.status_code, "ACQ.TRADE_STATUS_ERROR" in answer.text) == (409, True)
    await pay.act(closed.number, Manner.LATE)
    assert (await pay.order(closed.number))["status"] == "TRADE_SUCCESS"
    assert (await pay.http.post(f"/alipay/orders/{new_id().hex}/pay", json={})).status_code == 404


async def test_the_buyers_page_pays_and_leads_back_with_signed_words(pay: Desk) -> None:
    made = order(pay, "x")
    page = await pay.visit(pay.ours.pay_url(made))
    assert "¥100.00" in page.text and "送达 100.00" in page.text
    assert all(zh in page.text and en in page.text for zh, en in MANNERS.values())
    here = f"/alipay/pay/{made.number}"
    paid = await pay.http.post(here, data={"manner": "silence"}, follow_redirects=True)
    assert "支付成功" in paid.text and "Paid." in paid.text
    assert f'href="{made.return_url}?app_id=' in paid.text and "sign=" in paid.text
    again = await pay.http.post(here, data={"manner": "pay"})
    assert again.status_code == 409 and "cannot be paid" in again.text
    assert made.number in (await pay.http.get("/ui/pay")).text


async def test_a_buyer_gives_up(pay: Desk) -> None:
    made = order(pay, "x")
    await pay.visit(pay.ours.pay_url(made))
    page = await pay.http.post(f"/alipay/pay/{made.number}/close", follow_redirects=True)
    assert "TRADE_CLOSED" in page.text
    assert (await pay.visit(pay.ours.pay_url(made))).status_code == 200, "the page says how it stands"


async def test_it_talks_to_this_machine_only(pay: Desk) -> None:
    made = order(pay, "x", notify_url="http://93.184.216.34/notify")
    assert (await pay.visit(pay.ours.pay_url(made))).status_code == 400
    ours, others = ("http://localhost:1/x", "http://[::1]/"), ("https://127.0.0.1/", "http://a.example/", "x")
    assert all(map(is_loopback, ours))
    assert not any(map(is_loopback, others))


async def test_what_is_owed_and_the_keys_outlive_a_kill(tmp_path: Path) -> None:
    keys = kept_keys(tmp_path / "alipay")
    assert kept_keys(tmp_path / "alipay") == keys
    assert (tmp_path / "alipay" / "merchant.pem").stat().st_mode & 0o777 == 0o600
    async with desk(tmp_path) as first:
        made = order(first, "gone")
        await first.visit(first.ours.pay_url(made))
        await first.act(made.number, Manner.NOTIFY_TWICE)
    async with desk(tmp_path) as second:
        shown = await second.order(made.number)
        assert (shown["status"], len(shown["notices"]), len(shown["trades"])) == ("TRADE_SUCCESS", 2, 1)


async def test_the_whole_sandbox_has_it(config: SandboxConfig) -> None:
    base = f"http://127.0.0.1:{config.web_port}"
    async with running(config) as parts, httpx2.AsyncClient(base_url=base, trust_env=False, timeout=30) as http:
        said = (await http.get("/alipay/settings")).json()
        assert said["public_key"] == parts.pay_desk.keys.desk_public
        assert said["gateway_url"] == f"http://127.0.0.1:{config.web_port}/alipay/gateway.do"
        refused = await http.get("/alipay/gateway.do", params={"method": "alipay.trade.query", "app_id": "1"})
        assert refused.json()["alipay_trade_query_response"]["sub_code"] == "isv.invalid-app-id"
