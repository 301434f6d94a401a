"""The whole path over real sockets: accepted, submitted over SMPP to a pretend carrier, receipts, outcome, money."""

import asyncio
import contextlib
import datetime as dt
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from activities.delivery import DeliveryActivities
from activities.lanes import Lanes
from activities.mail_delivery import Wire
from activities.rendering import Renderer
from activities.sender_process import SenderProcess
from activities.sms_delivery import SmsChannel, SmsWire
from activities.sms_routes import SmsRoutes
from domain.channels import DueLine
from domain.sms import SmsKind
from domain.sms_carriers import IdForm
from domain.sms_transport import Hears, Reply
from gateways import smpp
from gateways.smpp import SmppCarriers
from sandbox.smsc import Behaviour, Taken
from services.sms_receipts import SmsReceipts
from store.columns import now
from store.db import Database
from tests.patience import until
from tests.sending_world import VAULT, FakeServers
from tests.smpp_world import MemoryBook, config_of, free_port, smsc_on
from tests.sms_engine_world import (
    SCALE,
    Engine,
    accept_sms,
    add_gateway,
    audited,
    books,
    message,
    states,
)
from tests.sms_world import SmsCustomer, add_template, make_sms_customer

QUICK = Behaviour(receipt_delay=0.0)


@dataclass
class Path:
    """A worker process that is bound to two carriers."""

    db: Database
    customer: SmsCustomer
    up: Engine
    carriers: SmppCarriers
    taken: list[Taken] = field(default_factory=list)
    other: list[Taken] = field(default_factory=list)
    """By the first carrier, and by the one that is asked when the first is not there."""

    async def send(self, *digits: str, **changes: Any) -> list[str]:
        """Numbers with these last digits, sent until nothing is due for long."""
        phones = [f"1380013{ending}" for ending in digits]
        await accept_sms(self.db, self.customer, *phones, **changes)
        await self.drain()
        return [f"+86{phone}" for phone in phones]

    async def drain(self) -> None:
        """Every try, one after the other."""
        for _ in range(40):
            await until(self._ready)
            if (page := await self.up.page() or await self.up.page(DueLine.SMS_CODES)) is not None:
                await self.up.deliver(page)
            elif await self.db.pool.fetchval("SELECT count(*) FROM due") == 0:
                return
            await asyncio.sleep(0.05)
        raise AssertionError("it is tried for ever")

    async def _ready(self) -> bool:
        return all((carrier := self.carriers.get(number)) is not None and carrier.ready for number in (1, 2))

    async def ends(self, phone: str, wait: dt.timedelta = dt.timedelta(0)) -> tuple[str, str]:
        """What it becomes, in a while; `wait`: as if so much time had passed."""

        async def final() -> tuple[str, str] | None:
            await self.up.receipts.sweep(now() + wait)
            row = await message(self.db, phone)
            return (row["state"], row["reason"]) if row["state"] not in ("queued", "sent") else None

        return await until(final)

    def tries(self, phone: str) -> int:
        """How often a carrier took it."""
        found = Counter(taken.text.phone.removeprefix("+") for taken in (*self.taken, *self.other))
        return found[phone.removeprefix("+")]


@pytest.fixture
async def path(db: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Path]:
    customer, sender = await make_sms_customer(db), SenderProcess(db, 4, 8)
    await add_template(db, customer, SmsKind.NOTICE, "请注意：" + "今天的通知很长。" * 12, name="long")
    receipts, replies = SmsReceipts(db, SCALE), list[Reply]()

    async def reply(said: Reply) -> None:
        replies.append(said)

    monkeypatch.setattr(smpp, "ANSWER_SECONDS", 1.0)
    ports = [free_port(), free_port()]
    forms = (IdForm.AS_IS, IdForm.HEX_TO_DECIMAL)
    book = MemoryBook(*(config_of(port, n, number=n + 1, id_form=forms[n]) for n, port in enumerate(ports)))
    carriers = SmppCarriers(book, Hears(receipts.take, reply), SCALE)
    lanes, servers = Lanes.without_limits(db, sender), FakeServers()
    wire = SmsWire(carriers, SmsRoutes(db), lanes, 4, SCALE, lambda kind, at: at)
    work = DeliveryActivities(
        db, sender, Renderer(db, VAULT, "b.test"), Wire(servers, servers, lanes, 4, SCALE), SmsChannel(db, wire)
    )
    for rank in range(2):
        await add_gateway(db, rank + 1, rank)
    await wire.routes.look()
    async with contextlib.AsyncExitStack() as stack:
        smscs = [await stack.enter_async_context(smsc_on(port, QUICK, n)) for n, port in enumerate(ports)]
        tasks = [asyncio.create_task(each) for each in (sender.run(), carriers.run(), receipts.run())]
        try:
            made = Path(db, customer, Engine(db, sender, work, wire.routes, receipts), carriers)
            made.taken, made.other = smscs[0][1], smscs[1][1]
            await until(made._ready)
            yield made
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    await audited(db)


async def test_each_fate_of_the_pretend_carrier(path: Path) -> None:
    digits = [
        "0001",
        "9001",
        "9002",
        "9010",
        "9011",
        "9012",
        "9013",
        "9014",
        "9020",
        "9021",
        "9022",
        "9023",
        "9026",
        "9027",
        "9029",
    ]
    phones = dict(zip(digits, await path.send(*digits), strict=True))
    ends = {each: await path.ends(phones[each]) for each in digits if each != "9020"}
    delivered = ("delivered", "")
    assert ends == dict.fromkeys(ends, delivered) | {
        "9001": ("bounced", "sms.empty_number"),
        "9002": ("bounced", "sms.switched_off"),
        "9012": ("bounced", "sms.other"),
        "9022": ("bounced", "sms.other"),
    }
    assert (await message(path.db, phones["9020"]))["state"] == "sent", "it waits for its receipt"
    assert {each: path.tries(phone) for each, phone in phones.items()} == dict.fromkeys(digits, 1) | {"9012": 0}
    await path.up.settle()
    assert await books(path.db, path.customer.account) == (len(digits) - 1, 0)
    assert await path.ends(phones["9020"], dt.timedelta(hours=2)) == ("bounced", "expired"), "72 hours of a quick clock"


async def test_a_long_text_of_which_one_part_fails(path: Path) -> None:
    fails, arrives = await path.send("9028", "0002", template="long")
    assert await path.ends(fails) == ("bounced", "sms.switched_off")
    assert await path.ends(arrives) == ("delivered", "")
    assert (path.tries(fails), path.tries(arrives)) == (2, 2)
    await path.up.settle()
    assert await books(path.db, path.customer.account) == (4, 0)


@pytest.mark.parametrize(("digits", "taken"), [("9015", 1), ("9016", 0), ("9017", 1), ("9018", 0)])
async def test_a_dialogue_that_breaks_is_never_begun_again(path: Path, digits: str, taken: int) -> None:
    """The carrier took it or not; nobody knows before its receipt."""
    [phone] = await path.send(digits)
    row = await message(path.db, phone)
    assert (row["state"], row["reason"], row["attempts"]) == ("sent", "uncertain", 1)
    await path.up.settle()
    assert await books(path.db, path.customer.account) == (0, 1)
    if taken:
        assert await path.ends(phone, dt.timedelta(seconds=30)) == ("delivered", "")
    else:
        assert await path.ends(phone, dt.timedelta(hours=2)) == ("unknown", "uncertain")
    await path.drain()
    assert path.tries(phone) == taken
    await path.up.settle()
    assert await books(path.db, path.customer.account) == (taken, 0)


async def test_the_second_carrier_takes_over(path: Path) -> None:
    await path.db.pool.execute("UPDATE sms_gateway SET state = 'paused' WHERE number = 1")
    await path.up.routes.look()
    [phone] = await path.send("0003")
    assert await path.ends(phone) == ("delivered", ""), "its ids are hexadecimal in one place and decimal in the other"
    assert (len(path.taken), len(path.other)) == (0, 1)


async def test_many_at_once(path: Path) -> None:
    await path.send(*(f"1{n:03d}" for n in range(200)), kind=SmsKind.CODE)
    await until(lambda: _all(path, 200))
    assert len({taken.text.phone for taken in path.taken}) == len(path.taken) == 200


async def _all(path: Path, count: int) -> bool:
    await path.up.receipts.sweep()
    return await states(path.db) == {"delivered": count}
