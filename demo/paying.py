"""Chapter 6: a recharge, and a send that is larger than the free quota: who pays what, to the fen."""

from typing import Any
from uuid import UUID

from demo.browser import Browser
from demo.outcomes import Outcomes
from demo.parties import DemoFailure, eventually
from demo.scene import Evidence, Scene, Step, require
from demo.sending import at_stage, send_json
from domain.money import MICRO_PER_FEN, plain_yuan, show_unit, show_yuan

LEAST = 10_000
"""Fen of the recharge, unless the paid send needs more."""
BEYOND = 10
"""Mails by which the newsletter exceeds what is left of the free quota."""


class Paying:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.customer = scene.customer
        self._outcomes = Outcomes(scene)
        self._order: dict[str, Any] = {}
        self._before: dict[str, Any] = {}
        self._free = 0
        self._charged = 0

    @property
    def steps(self) -> list[Step]:
        return [
            Step("Recharge: the browser's return credits nothing 充值下单", self.order),
            Step("Recharge: paid twice by mistake, credited once 到账", self.pay),
            Step("Recharge: the second payment goes back 退款", self.refund, looks=True),
            Step("Onboarding: done; a larger quota 接入完成", self.onboarding, looks=True),
            Step("Paid send: accepted 付费发送", self.send),
            Step("Paid send: every recipient has an outcome 投递结果", self._outcomes.deliveries),
            Step("Paid send: mailboxes 收件箱", self._outcomes.mailboxes, looks=True),
            Step("Paid send: every outcome heard 事件回调", self._outcomes.events, looks=True),
            Step("Charged to the fen 扣费与对账单", self.charged, looks=True),
        ]

    async def order(self) -> Evidence:
        """An order is opened at the pay desk; its browser comes back unpaid and says that it has paid."""
        self._order = await self._opened(max(LEAST, self._needed()))
        await self._scene.pay_desk.open(self._order["pay_url"])
        browser, path = Browser(self._scene.places.api), f"/portal/recharges/{self._order['id']}/return"
        try:
            await browser.sign_in(self.customer.email, self.customer.password)
            await browser.page(f"{path}?trade_status=TRADE_SUCCESS&out_trade_no={self._number}")
        finally:
            await browser.close()
        now, balance = await self._look(), await self._balance()
        require(now["state"] == "open", f"the order is {now['state']} after a mere return of the browser")
        require(balance["balance_fen"] == 0, f"the balance is {balance['balance_fen']} fen, not 0")
        return f"{now['workflow_id'][:24]}… ¥{now['amount']} open, balance ¥0.00"

    def _needed(self) -> int:
        """Fen that the rest of the list costs, in whole yuan, when nothing of it is free."""
        return -(-len(self.customer.rest) * 4_500 // MICRO_PER_FEN // 100) * 100

    async def _opened(self, fen: int) -> dict[str, Any]:
        items = (await self._scene.api.json("GET", "/v1/recharges"))["items"]
        found = next((one for one in items if one["state"] == "open" and one["amount_fen"] == fen), None)
        made: dict[str, Any] = found or await self._scene.api.json(
            "POST", "/v1/recharges", json={"amount": plain_yuan(fen)}
        )
        return made

    @property
    def _number(self) -> str:
        """The order as the provider knows it."""
        return UUID(self._order["id"]).hex

    async def _look(self) -> dict[str, Any]:
        found: dict[str, Any] = await self._scene.api.json("GET", f"/v1/recharges/{self._order['id']}")
        return found

    async def _balance(self) -> dict[str, Any]:
        found: dict[str, Any] = await self._scene.api.json("GET", "/v1/balance")
        return found

    async def pay(self) -> Evidence:
        """The pay desk's signed notification, not the browser, is what credits."""
        await self._scene.pay_desk.pay(self._number, "pay_twice")

        async def credited() -> dict[str, Any] | None:
            now = await self._look()
            return now if now["state"] == "credited" else None

        now = await eventually(credited, "the recharge to be credited")
        lines = [line for line in await self._statement() if line["kind"] == "recharge"]
        require(len(lines) == 1, f"the statement has {len(lines)} recharges")
        balance = (await self._balance())["balance_fen"]
        require(balance == now["amount_fen"], f"the balance is {balance} fen, not {now['amount_fen']}")
        credited_one = next(each for each in now["payments"] if each["state"] == "credited")
        return f"{show_yuan(balance)} once, transaction …{credited_one['transaction'][-6:]}; one line of the statement"

    async def refund(self) -> Evidence:
        """Money that is not owed is not kept: the pay desk has it back, and the balance never saw it."""

        async def returned() -> dict[str, Any] | None:
            payments = (await self._look())["payments"]
            return next((each for each in payments if each["state"] == "refunded"), None)

        back = await eventually(returned, "the second payment to be refunded")
        trades = (await self._scene.internet.http.json("GET", f"/alipay/orders/{self._number}"))["trades"]
        desk = sum(trade["refunded"] for trade in trades)
        require(desk == back["amount_fen"], f"the pay desk got {desk} fen back, not {back['amount_fen']}")
        balance = (await self._balance())["balance_fen"]
        require(balance == back["amount_fen"], f"the balance is {balance} fen, not {back['amount_fen']}")
        return f"{show_yuan(desk)} back ({back['why']}), transaction …{back['transaction'][-6:]}"

    async def onboarding(self) -> Evidence:
        """The e-mail track is done; on the SMS track an SMS user comes next."""
        now = await at_stage(self._scene, "done")
        require(now["recorded_sms_stage"] == "sms_user", f"the SMS track is at {now['recorded_sms_stage']}")
        state = next(step["state"] for step in now["sms"] if step["step"] == "sms_user")
        require(state == "current", f"the SMS user step is {state}")
        quota = await self._balance()
        free, daily = quota["free_quota"]["limit"], quota["daily_quota"]["limit"]
        require(daily > free, f"the daily quota is {daily}, the free one {free}")
        return f"quota {daily:,} a day, of which {free} free; next on the SMS track: “创建 SMS_USER”"

    async def send(self) -> Evidence:
        """What did not fit the free quota; else a newsletter that exceeds what is left of it."""
        self._before = self._before or await self._balance()
        left = self._before["free_quota"]["left"]
        people = self.customer.rest or self._readers(left + BEYOND)
        self.customer.send = sent = await send_json(self._scene, people, "paid")
        self._free = min(left, sent["accepted"])
        self._charged = sent["accepted"] - self._free
        require(self._charged > 0, "all of it was free")
        return f"{sent['accepted']} accepted: {self._free} free, {self._charged} at {self._unit}"

    def _readers(self, count: int) -> list[dict[str, Any]]:
        """Subscribers at the sandbox's company."""
        return [
            {
                "address": f"reader-{self.customer.tag}-{number}@company.example",
                "variables": dict.fromkeys(self.customer.variables, f"读者 {number}"),
            }
            for number in range(count)
        ]

    @property
    def _unit(self) -> str:
        return show_unit(self._before["unit_price_micro"])

    async def charged(self) -> Evidence:
        """The balance fell by exactly what the price list says, and the statement adds up to it."""

        async def settled() -> dict[str, Any] | None:
            now = await self._balance()
            return now if now["held_micro"] == 0 else None

        after = await eventually(settled, "every hold to be settled")
        micro = self._charged * self._before["unit_price_micro"]
        cost, carried = divmod(micro, MICRO_PER_FEN)
        fell = self._before["balance_fen"] - after["balance_fen"]
        require(fell == cost, f"the balance fell by {fell} fen; {self._charged} × {self._unit} are {cost} fen")
        lines = await self._statement()
        total = sum(line["amount_fen"] for line in lines)
        require(total == after["balance_fen"], f"the statement adds up to {total} fen, not {after['balance_fen']}")
        spent = -sum(line["amount_fen"] for line in lines if line["kind"] == "charge")
        require(spent == cost, f"the statement charges {spent} fen, not {cost}")
        rest = f" (with {show_unit(carried)} carried to the next charge)" if carried else ""
        return (
            f"{self._free} free, {self._charged} × {self._unit} = {show_unit(micro)}: balance "
            f"{show_yuan(self._before['balance_fen'])} → {show_yuan(after['balance_fen'])}{rest}, "
            f"{len(lines)} lines of the statement add up"
        )

    async def _statement(self) -> list[dict[str, Any]]:
        """Every line, newest first."""
        lines: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = await self._scene.api.json("GET", "/v1/statement", params={"limit": 100, **cursor})
            lines += page["items"]
            if page["next_cursor"] is None:
                return lines
            cursor = {"cursor": page["next_cursor"]}
            if len(lines) > 10_000:
                raise DemoFailure("the statement does not end")
