"""One certified customer, the application on a port, and the sandbox's pay desk, which notifies it over HTTP."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

import httpx2
from fastapi import FastAPI
from temporalio.client import Client

from api import callbacks
from domain.accounts import Caller
from domain.billing import AlipayApp, PaymentState
from domain.ids import Kind, Process, new_id
from gateways.alipay import AlipayDesk
from sandbox.config import SandboxConfig
from sandbox.database import Database as SandboxFile
from sandbox.pay_desk import Manner, PayDesk
from sandbox.pay_keys import APP_ID, SELLER_ID, PayKeys, kept_keys
from sandbox.pay_notices import Notifier
from sandbox.pay_signing import Signer
from sandbox.web import create_app
from services.billing import Billing, RechargeView
from services.foundation import Foundation
from store.billing import Payment, Recharge
from store.db import Database
from tests.browsing import on_a_port
from tests.path_rows import Customer
from tests.patience import until
from tests.template_world import foundation

_KEYS: list[PayKeys] = []


def kept_for_the_run(folder: Path) -> PayKeys:
    """One set for the run: making them costs half a second."""
    if not _KEYS:
        _KEYS.append(kept_keys(folder / "keys"))
    return _KEYS[0]


def unasked(folder: Path) -> AlipayDesk:
    """A provider that is never asked."""
    keys = kept_for_the_run(folder)
    return AlipayDesk(AlipayApp(APP_ID, SELLER_ID, "http://127.0.0.1:1/gateway.do", keys.app_private, keys.desk_public))


@dataclass
class Desk:
    """The pay desk behind its real HTTP gateway, and our gateway pointed at it."""

    url: str
    keys: PayKeys
    inner: PayDesk
    http: httpx2.AsyncClient = field(repr=False)
    door: FastAPI = field(repr=False)
    door_url: str
    """Our door for notifications; whose it is just now, says `till`."""

    @property
    def app(self) -> AlipayApp:
        url = f"{self.url}/alipay/gateway.do"
        return AlipayApp(APP_ID, SELLER_ID, url, self.keys.app_private, self.keys.desk_public)

    @cached_property
    def ours(self) -> AlipayDesk:
        """Made once: to read RSA keys takes the SDK a tenth of a second."""
        return AlipayDesk(self.app, seconds=3)

    @property
    def signer(self) -> Signer:
        """As the pay desk signs."""
        return Signer(self.keys.desk_private, self.keys.app_public)

    async def visit(self, pay_url: str) -> httpx2.Response:
        """A browser follows the pay URL to the order's page."""
        return await self.http.get(pay_url, follow_redirects=True)

    async def act(self, number: str, manner: Manner = Manner.PAY) -> None:
        answer = await self.http.post(f"/alipay/orders/{number}/pay", json={"manner": manner.value})
        assert answer.status_code == 200, answer.text

    async def order(self, number: str) -> dict[str, Any]:
        answer = await self.http.get(f"/alipay/orders/{number}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def fails(self, fault: str | None, times: int | None = None) -> None:
        answer = await self.http.put("/alipay/faults", json={"fault": fault, "times": times})
        assert answer.status_code == 200, answer.text


@contextlib.asynccontextmanager
async def desk(folder: Path, time_scale: float = 1.0) -> AsyncIterator[Desk]:
    """The pay desk alone, without the rest of the sandbox; unless told, it repeats a notification after minutes."""
    file = SandboxFile(folder / "sandbox.sqlite3")
    await file.open()
    keys = await asyncio.to_thread(kept_for_the_run, folder)
    notifier = Notifier(file, time_scale)
    inner = PayDesk(file, notifier, keys)
    parts: Any = SimpleNamespace(pay_desk=inner, config=SandboxConfig(folder))
    running = asyncio.create_task(notifier.run())
    door = FastAPI()
    door.include_router(callbacks.router)
    async with (
        on_a_port(create_app(parts)) as url,
        on_a_port(door) as door_url,
        httpx2.AsyncClient(base_url=url, trust_env=False, timeout=30) as http,
    ):
        yield Desk(url, keys, inner, http, door, door_url)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await file.close()


@dataclass
class Till:
    """What a customer, the provider and the books see."""

    db: Database
    desk: Desk
    customer: Customer
    base: Foundation

    @property
    def caller(self) -> Caller:
        return Caller(self.customer.account, member_id=MEMBER)

    @property
    def billing(self) -> Billing:
        return Billing(self.base)

    async def opens(self, amount: str = "100.00") -> RechargeView:
        """An order whose page the buyer has opened."""
        view = await self.billing.open(self.caller, amount)
        assert (await self.desk.visit(view.pay_url)).status_code == 200
        return view

    async def order(self, key: UUID) -> Recharge:
        async with self.db.read() as session:
            return await session.get_one(Recharge, key)

    async def payments(self) -> list[Payment]:
        rows = await self.db.pool.fetch("SELECT * FROM payment ORDER BY id")
        return [Payment(**dict(row)) for row in rows]

    async def books(self) -> dict[str, int]:
        """Ledger account to the sum of its entries; the running balance of the customer agrees."""
        rows = await self.db.pool.fetch(
            "SELECT a.name, a.balance_fen, a.account_id, sum(e.amount_fen)::bigint AS total FROM ledger_account a"
            " JOIN entry e ON e.ledger_account_id = a.id GROUP BY a.id"
        )
        for row in rows:
            assert row["account_id"] is None or row["balance_fen"] == row["total"]
        assert sum(row["total"] for row in rows) == 0
        return {row["name"]: row["total"] for row in rows if row["total"]}

    async def refusals(self) -> list[str]:
        return [row["reason"] for row in await self.db.pool.fetch("SELECT reason FROM refused_notice ORDER BY id")]

    async def nudged(self) -> list[str]:
        query = "SELECT workflow_id FROM clockwork WHERE nudge_wanted ORDER BY workflow_id"
        return [row["workflow_id"] for row in await self.db.pool.fetch(query)]

    async def notify(self, form: dict[str, str]) -> str:
        """Post a notification to our door; its answer."""
        url = f"{self.desk.door_url}/callbacks/alipay/notify"
        answer = await self.desk.http.post(url, content=urlencode(form), headers=FORM)
        assert answer.status_code == 200
        return str(answer.text)

    async def notified(self, number: str, count: int = 1) -> list[dict[str, Any]]:
        """The provider's notifications of an order, once each was sent at least once."""

        async def sent() -> list[dict[str, Any]] | None:
            found = (await self.desk.order(number))["notices"]
            return found if len(found) >= count and all(each["tries"] for each in found) else None

        return await until(sent, 8)

    async def goes_back(self, number: str, manner: Manner = Manner.PAY_TWICE) -> Payment:
        """Paid twice: the payment that has to go back."""
        await self.desk.act(number, manner)
        await self.notified(number, 2)
        (wanted,) = [each for each in await self.payments() if each.state == PaymentState.REFUND_WANTED]
        return wanted

    def process(self, view: RechargeView) -> Process:
        return Process(Kind.RECHARGE, str(view.row.id), str(view.row.account_id), 1)


MEMBER = new_id()
FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}


async def till(db: Database, pay: Desk, client: Client | None = None) -> Till:
    """A new certified customer; Temporal is the test's, or never spoken to."""
    customer = await Customer(db).registers()
    await customer.confirms()
    await customer.certifies()
    plain = await foundation(db, client)
    base = replace(plain, policy=replace(plain.policy, public_url=pay.door_url), pay_desk=pay.ours)
    pay.door.state.services = SimpleNamespace(billing=Billing(base))
    return Till(db, pay, customer, base)


def form_of(query: str) -> dict[str, str]:
    return dict(parse_qsl(query, keep_blank_values=True))
