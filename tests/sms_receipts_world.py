"""A customer's SMS over one carrier whose answers and receipts the test says itself."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from domain.sms import SmsKind
from domain.sms_transport import Receipt
from store.columns import now
from store.db import Database
from store.webhooks import WebhookEndpoint
from tests.sms_engine_world import (
    LOST,
    Engine,
    FakeCarrier,
    accept_sms,
    audited,
    e164,
    engine,
    message,
    new_phones,
    receipt,
)
from tests.sms_world import SmsCustomer, add_template, make_sms_customer

EVENTS = ["sms_deliver", "sms_delivererror", "sms_workererror"]


@dataclass(frozen=True)
class AtTheGate:
    """A message that the carrier has, while its answer waits for `gate`."""

    phone: str
    page: UUID
    gate: asyncio.Event
    sending: asyncio.Task[Any]


@dataclass
class House:
    db: Database
    customer: SmsCustomer
    carrier: FakeCarrier
    up: Engine
    lost: set[str] = field(default_factory=set)
    """Numbers of which the carrier's answer does not come."""

    async def sent(self, kind: SmsKind = SmsKind.NOTICE, template: str = "", lost: bool = False) -> str:
        """One number whose message a carrier took, or perhaps took."""
        [phone] = new_phones(1)
        if lost:
            self.lost.add(e164(phone))
        await accept_sms(self.db, self.customer, phone, kind=kind, **({"template": template} if template else {}))
        await self.up.send(kind.line)
        return e164(phone)

    async def at_the_gate(self) -> AtTheGate:
        """A notice is being sent; the carrier has not answered yet."""
        [phone] = new_phones(1)
        gate = self.carrier.gate = asyncio.Event()
        await accept_sms(self.db, self.customer, phone)
        page = await self.up.page()
        assert page is not None
        sending = asyncio.create_task(self.up.deliver(page))
        while not self.carrier.got:
            await asyncio.sleep(0.01)
        return AtTheGate(e164(phone), page, gate, sending)

    async def says(self, phone: str, state: str = "DELIVRD", part: int = 0, **more: Any) -> Receipt:
        said = receipt(1, self.carrier.ids[phone][part], phone, state, **more)
        await self.up.hear(said)
        return said

    async def row(self, phone: str) -> dict[str, Any]:
        return await message(self.db, phone)

    async def state(self, phone: str) -> tuple[str, str]:
        row = await self.row(phone)
        return row["state"], row["reason"]

    async def events(self) -> list[tuple[str, Any]]:
        rows = await self.db.pool.fetch("SELECT kind, data FROM webhook_event ORDER BY id")
        return [(row["kind"], row["data"]["status_code"]) for row in rows]

    async def later(self, wait: dt.timedelta) -> None:
        await self.up.receipts.sweep(now() + wait)


@asynccontextmanager
async def receipts_house(db: Database) -> AsyncIterator[House]:
    """The books are looked at when it is left."""
    customer = await make_sms_customer(db)
    await add_template(db, customer, SmsKind.NOTICE, "请注意：" + "今天的通知很长。" * 12, name="long")
    async with db.begin() as session:
        session.add(WebhookEndpoint(account_id=customer.account, url="https://x.test", events=EVENTS, secret=b""))
    lost: set[str] = set()
    carrier = FakeCarrier(1, lambda asked: LOST if asked.phone in lost else None)
    async with engine(db, carrier) as up:
        yield House(db, customer, carrier, up, lost)
    await audited(db)
