"""SMS from `due` to their end, with carriers that answer as told; the books are looked at after each test."""

import asyncio
import contextlib
import datetime as dt
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from temporalio.testing import ActivityEnvironment

from activities.delivery import DeliveryActivities
from activities.lanes import Lanes
from activities.mail_delivery import Wire
from activities.page_work import PageResult
from activities.rendering import Renderer
from activities.sender_process import SenderProcess
from activities.sms_delivery import SmsChannel, SmsWire
from activities.sms_routes import SmsRoutes
from domain.accounts import SYSTEM_ACCOUNT
from domain.channels import DueLine
from domain.ids import Kind, Process, new_id
from domain.sending import Outcome, OutcomeKind
from domain.sms import SmsAccepted, SmsKind, SmsRecipient
from domain.sms_transport import Carrier, Receipt, ShortMessage, Submitted
from services.audit import audit
from services.settlement import Settlement
from services.sms_receipts import SmsReceipts
from store import pages
from store.columns import now
from store.db import Database
from store.sms_accepting import accept
from tests.sending_world import VAULT, FakeServers
from tests.sms_world import PHONES, SmsCustomer

SCALE = 60.0
TAKEN = Outcome(OutcomeKind.DELIVERED, text="ESME_ROK")
LOST = Submitted(Outcome(OutcomeKind.UNCERTAIN, "uncertain", text="the connection ended"))
THROTTLED = Submitted(Outcome(OutcomeKind.DEFERRED, "soft.rate_limited", text="ESME_RTHROTTLED"))
REFUSED = Submitted(Outcome(OutcomeKind.BOUNCED, "hard.invalid_mailbox", text="ESME_RINVDSTADR"))
AWAY = Submitted(Outcome(OutcomeKind.DEFERRED, "soft.conn", text="no bind is up"))


@dataclass
class FakeCarrier:
    """`answer` decides each dialogue; None: it is taken. `got` are the texts that it was asked to take."""

    number: int
    answer: Callable[[ShortMessage], Submitted | None] = lambda message: None
    ready: bool = True
    gate: asyncio.Event | None = None
    got: list[ShortMessage] = field(default_factory=list)
    ids: dict[str, list[str]] = field(default_factory=dict)
    """Of the parts that it took, by number."""
    name: str = ""

    def __post_init__(self) -> None:
        self.name = f"carrier {self.number}"

    async def submit(self, message: ShortMessage) -> Submitted:
        self.got.append(message)
        if self.gate is not None:
            await self.gate.wait()
        await asyncio.sleep(0)
        answer = self.answer(message)
        if answer is None:
            answer = Submitted(TAKEN, self.some_ids(message.segments))
        self.ids.setdefault(message.phone, []).extend(answer.ids)
        return answer

    def some_ids(self, count: int) -> tuple[str, ...]:
        return tuple(new_id().hex for _ in range(count))


class FakeCarriers:
    def __init__(self, *carriers: FakeCarrier) -> None:
        self.all = {carrier.number: carrier for carrier in carriers}

    def get(self, number: int) -> Carrier | None:
        return self.all.get(number)


@dataclass
class Engine:
    """One worker process, as far as it sends SMS."""

    db: Database
    sender: SenderProcess
    work: DeliveryActivities
    routes: SmsRoutes
    receipts: SmsReceipts
    opens: list[dt.datetime] = field(default_factory=list)
    """When marketing may be sent, where that is not always."""

    async def page(self, line: DueLine = DueLine.SMS) -> UUID | None:
        async with self.db.raw() as connection:
            claimed = await pages.claim_batch(connection, line=line)
        return claimed.page if claimed else None

    async def send(self, line: DueLine = DueLine.SMS) -> PageResult:
        """What is due in the line."""
        page = await self.page(line)
        assert page is not None, "nothing is due"
        return await self.deliver(page)

    async def deliver(self, page: UUID) -> PageResult:
        process = Process(Kind.DELIVERY, str(page), str(SYSTEM_ACCOUNT), 1)
        return await ActivityEnvironment().run(self.work.deliver_page, process)

    async def hear(self, *receipts: Receipt) -> None:
        for receipt in receipts:
            await self.receipts.take(receipt)

    async def settle(self) -> None:
        """What was counted becomes charges."""
        await Settlement(self.db).settle_all()


@contextlib.asynccontextmanager
async def engine(db: Database, *carriers: FakeCarrier, lanes: Lanes | None = None) -> AsyncIterator[Engine]:
    """With a route to each of these carriers, in this order, for everything."""
    sender = SenderProcess(db, 4, 8)
    servers, free = FakeServers(), lanes or Lanes.without_limits(db, sender)
    opens: list[dt.datetime] = []
    wire = SmsWire(
        FakeCarriers(*carriers), SmsRoutes(db), free, 4, SCALE,
        lambda kind, at: opens[0] if opens and kind is SmsKind.MARKETING else at,
    )  # fmt: skip
    work = DeliveryActivities(
        db, sender, Renderer(db, VAULT, "b.test"), Wire(servers, servers, free, 4, SCALE), SmsChannel(db, wire)
    )
    for rank, carrier in enumerate(carriers):
        await add_gateway(db, carrier.number, rank)
    await wire.routes.look()
    task = asyncio.create_task(sender.run())
    try:
        yield Engine(db, sender, work, wire.routes, SmsReceipts(db), opens)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def add_gateway(db: Database, number: int, rank: int = 0, country: str = "", kind: str = "") -> None:
    """An enabled gateway of this number, and a route to it."""
    gateway = new_id()
    await db.pool.execute(
        "INSERT INTO sms_gateway (id, number, name, host, port, system_id, sealed_password, system_type, tls, bind,"
        ' binds, "window", source, id_form, clock_offset_minutes, enquire_seconds, state, reason, created_at,'
        " changed_at) OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, 'h', 1, 's', '', '', 'none', 'transceiver', 1, 32,"
        " '1069', 'as_is', 480, 30, 'enabled', '', now(), now()) ON CONFLICT (number) DO NOTHING",
        *(gateway, number, f"carrier {number}"),
    )
    gateway = await db.pool.fetchval("SELECT id FROM sms_gateway WHERE number = $1", number)
    await add_route(db, gateway, rank, country, kind)


async def add_route(db: Database, gateway: UUID, rank: int, country: str = "", kind: str = "") -> None:
    await db.pool.execute(
        "INSERT INTO sms_route (id, gateway_id, country, kind, rank, cost_micro, created_at)"
        " VALUES ($1, $2, $3, $4, $5, 0, now())",
        *(new_id(), gateway, country, kind, rank),
    )


async def accept_sms(
    db: Database, customer: SmsCustomer, *phones: str, kind: SmsKind = SmsKind.NOTICE, **changes: Any
) -> SmsAccepted:
    """Numbers as they are written, or a new one."""
    values = changes.pop("values", None)
    request = customer.request(*phones, kind=kind, **changes)
    if values is not None:
        people = tuple(SmsRecipient(one.phone, values) for one in request.recipients)
        request = replace(request, recipients=people)
    async with db.raw() as connection:
        return await accept(connection, customer.caller(), request, now())


def new_phones(count: int) -> list[str]:
    return [next(PHONES) for _ in range(count)]


def e164(phone: str) -> str:
    return f"+86{phone}"


def receipt(gateway: int, smsc_id: str, phone: str, state: str = "DELIVRD", **more: Any) -> Receipt:
    return Receipt(gateway, smsc_id, phone, state, **more)


async def states(db: Database) -> Counter[str]:
    rows = await db.pool.fetch("SELECT state, count(*) AS number FROM message GROUP BY 1")
    return Counter({row["state"]: row["number"] for row in rows})


async def message(db: Database, phone: str) -> dict[str, Any]:
    row = await db.pool.fetchrow("SELECT * FROM message WHERE address = $1 ORDER BY id DESC LIMIT 1", phone)
    return dict(row)


async def books(db: Database, account: UUID) -> tuple[int, int]:
    """(segments charged, segments whose money is held)."""
    sent = await db.pool.fetchval("SELECT coalesce(sum(sent), 0) FROM hold WHERE account_id = $1", account)
    held = await db.pool.fetchval(
        "SELECT coalesce(sum(messages - sent - unsent), 0) FROM hold WHERE account_id = $1", account
    )
    return int(sent), int(held)


async def audited(db: Database, grace: dt.timedelta = dt.timedelta(0)) -> None:
    """Everything is accounted for, what was counted is settled."""
    await Settlement(db).settle_all()
    report = await audit(db, grace)
    wrong = [(finding.name, finding.rows) for finding in report.findings if finding.count]
    assert not wrong, wrong
