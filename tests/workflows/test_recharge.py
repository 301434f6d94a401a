"""Orders and refunds on the time-skipping server; rows, books and the pay desk below them are real."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import pytest
from sqlmodel import col, select
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.payment import RechargeActivities, RefundActivities
from domain.accounts import SYSTEM_ACCOUNT
from domain.billing import (
    Channel,
    CloseReason,
    PaymentState,
    PayOrder,
    ProviderAnswer,
    RechargeProgress,
    RechargeState,
    RefundProgress,
)
from domain.ids import Kind, Process, new_id
from domain.money import plain_yuan
from domain.notices import Notice
from sandbox.pay_desk import Manner
from services.platform import ensure_platform
from store import billing as rows
from store import clockwork
from store.billing import Recharge as Order
from store.db import Database
from store.sending import Message, Submission
from tests.kept_histories import keep
from tests.pay_world import Desk, Till, desk, till, until
from tests.sending_world import VAULT
from worker import sandbox_runner
from workflows.recharge import Recharge
from workflows.refund import Refund

MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)
PAID = {"clearing:alipay": -10_000, "prepaid": 10_000}
Handle = WorkflowHandle[Recharge, RechargeState]


@pytest.fixture(scope="module")
async def pay(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    async with desk(tmp_path_factory.mktemp("desk")) as made:
        yield made


@dataclass
class Clock:
    """Processes under one worker, their shop, and the virtual clock."""

    env: WorkflowEnvironment
    shop: Till
    queue: str

    async def order(self, *, visited: bool = True) -> Order:
        """An order that is opened at the virtual time; the buyer may have been at the desk."""
        at = (await self.env.get_current_time()).replace(microsecond=0)
        row = Order(
            account_id=self.shop.customer.account, channel=Channel.ALIPAY.value, amount_fen=10_000, created_at=at,
            expires_at=at + 30 * MINUTE,
        )  # fmt: skip
        async with self.shop.db.begin() as session:
            session.add(row)
            await clockwork.enlist(session, Kind.RECHARGE, row.id, row.account_id)
        if visited:
            await self.shop.desk.visit(self.pay_url(row))
        return row

    def pay_url(self, row: Order) -> str:
        notify = f"{self.shop.desk.door_url}/callbacks/alipay/notify"
        order = PayOrder(row.id.hex, row.amount_fen, plain_yuan(row.amount_fen), row.expires_at, notify, "")
        return self.shop.desk.ours.pay_url(order)

    async def begin(self, row: Order) -> Handle:
        process = Process(Kind.RECHARGE, str(row.id), str(row.account_id), 1)
        return await self.env.client.start_workflow(
            Recharge.run, process, id=process.workflow_id, task_queue=self.queue
        )

    async def refund(self, key: UUID) -> WorkflowHandle[Refund, PaymentState]:
        process = Process(Kind.REFUND, str(key), str(self.shop.customer.account), 1)
        return await self.env.client.start_workflow(Refund.run, process, id=process.workflow_id, task_queue=self.queue)

    async def seen(self, handle: Handle, **wanted: object) -> RechargeProgress:
        """The process's own word once it is as wanted; the virtual clock stands still meanwhile."""

        async def asked() -> RechargeProgress | None:
            found = await handle.query(Recharge.progress)
            return found if all(getattr(found, name) == value for name, value in wanted.items()) else None

        found: RechargeProgress = await until(asked, 15)
        return found

    async def mails(self) -> list[tuple[str, str]]:
        """(kind, amount) of the notices, oldest first."""
        query = (
            select(Submission.label, Message.variables)
            .join(Message, col(Message.submission_id) == col(Submission.id))
            .where(col(Submission.account_id) == SYSTEM_ACCOUNT)
            .order_by(col(Message.id))
        )
        async with self.shop.db.read() as session:
            return [(label or "", values["amount"]) for label, values in await session.exec(query)]

    async def closed(self, name: str) -> bool:
        async with self.shop.db.read() as session:
            row = await clockwork.find(session, name)
        return row is not None and row.closed_at is not None


@asynccontextmanager
async def working(env: WorkflowEnvironment, db: Database, pay: Desk) -> AsyncIterator[Clock]:
    shop = await till(db, pay)
    await ensure_platform(db, VAULT, shop.base.policy)
    recharges = RechargeActivities(db, pay.ours, shop.base.policy)
    refunds = RefundActivities(db, pay.ours, shop.base.policy)
    queue = f"money-{new_id()}"
    async with Worker(
        env.client, task_queue=queue, workflows=[Recharge, Refund], workflow_runner=sandbox_runner(),
        activities=[
            recharges.look, recharges.ask, recharges.shut, recharges.announce, recharges.close,
            refunds.look, refunds.refund, refunds.announce, refunds.close,
        ],
    ):  # fmt: skip
        yield Clock(env, shop, queue)


@pytest.fixture
async def clock(temporal_env: WorkflowEnvironment, db: Database, pay: Desk) -> AsyncIterator[Clock]:
    async with working(temporal_env, db, pay) as made:
        yield made
    await pay.fails(None)


async def test_paid_and_notified(clock: Clock) -> None:
    row = await clock.order()
    handle = await clock.begin(row)
    await clock.seen(handle, state=RechargeState.OPEN)
    await clock.shop.desk.act(row.id.hex)
    await clock.shop.notified(row.id.hex)
    await handle.signal(Recharge.nudge)
    assert await handle.result() is RechargeState.CREDITED
    assert await clock.shop.books() == PAID
    assert await clock.mails() == [(Notice.RECHARGE_CREDITED, "¥100.00")]
    assert await clock.closed(f"recharge/{row.id}")
    assert (await handle.query(Recharge.progress)).asks == 0, "whoever is told need not ask"
    await keep(handle, "paid-and-notified")


async def test_silence_is_asked_after_one_two_five_and_ten_minutes(clock: Clock) -> None:
    row = await clock.order()
    handle = await clock.begin(row)
    await clock.seen(handle, state=RechargeState.OPEN)
    await clock.env.sleep(10)
    for asks, minutes in enumerate((1, 2, 5, 10), 1):
        await clock.env.sleep(minutes * MINUTE - dt.timedelta(seconds=30))  # 20 seconds before it is due
        assert (await clock.seen(handle, state=RechargeState.OPEN)).asks == asks - 1
        await clock.env.sleep(30)
        assert (await clock.seen(handle, asks=asks)).answer is ProviderAnswer.WAITING
    await clock.shop.desk.act(row.id.hex, Manner.SILENCE)
    assert await handle.result() is RechargeState.CREDITED
    assert await clock.shop.books() == PAID
    assert await clock.mails() == [(Notice.RECHARGE_CREDITED, "¥100.00")]
    await keep(handle, "silence-then-asked")


async def test_nobody_pays(clock: Clock) -> None:
    """Closed when its time is up; asked for a day more, and then done."""
    row = await clock.order()
    began = await clock.env.get_current_time()
    handle = await clock.begin(row)
    assert await handle.result() is RechargeState.CLOSED
    order = await clock.shop.order(row.id)
    assert (order.state, order.close_reason) == (RechargeState.CLOSED, CloseReason.TIMEOUT)
    assert order.closed_at is not None
    assert dt.timedelta() <= order.closed_at - row.expires_at < MINUTE
    assert await clock.env.get_current_time() - began > 24 * HOUR
    assert (await clock.shop.desk.order(row.id.hex))["status"] == "TRADE_CLOSED"
    assert (await clock.shop.books(), await clock.mails()) == ({}, [])
    await keep(handle, "timed-out")


@pytest.mark.parametrize("silently", [True, False])
async def test_a_payment_after_closing(clock: Clock, silently: bool) -> None:
    row = await clock.order()
    handle = await clock.begin(row)
    await clock.env.sleep(31 * MINUTE)
    await clock.seen(handle, state=RechargeState.CLOSED)
    if silently:
        await clock.shop.desk.inner._database.run(_pays_whatever, row.id.hex)
    else:
        await clock.shop.desk.act(row.id.hex, Manner.LATE)
        await clock.shop.notified(row.id.hex)
        await handle.signal(Recharge.nudge)
    assert await handle.result() is RechargeState.CREDITED
    assert [each.late for each in await clock.shop.payments()] == [True]
    assert await clock.shop.books() == PAID
    assert await clock.mails() == [(Notice.RECHARGE_CREDITED, "¥100.00")]
    assert "after it had been closed" in str(await handle.query("__temporal_workflow_metadata"))
    if not silently:
        await keep(handle, "closed-then-paid")


def _pays_whatever(db: object, number: str) -> None:
    from sandbox.pay_orders import pay as paid

    paid(db, number, however=True)  # type: ignore[arg-type]


async def test_a_member_closes(clock: Clock) -> None:
    row = await clock.order(visited=False)
    handle = await clock.begin(row)
    await clock.seen(handle, state=RechargeState.OPEN)
    async with clock.shop.db.begin() as session:
        assert await rows.want_close(session, row.account_id, row.id, await clock.env.get_current_time())
    await handle.signal(Recharge.nudge)
    await clock.seen(handle, state=RechargeState.CLOSED, answer=ProviderAnswer.UNKNOWN)
    assert (await clock.shop.order(row.id)).close_reason == CloseReason.MEMBER
    assert await handle.result() is RechargeState.CLOSED
    await keep(handle, "closed-by-a-member")


async def test_closing_finds_a_payment_that_nobody_told_of(clock: Clock) -> None:
    row = await clock.order()
    handle = await clock.begin(row)
    await clock.seen(handle, state=RechargeState.OPEN)
    await clock.shop.desk.act(row.id.hex, Manner.SILENCE)
    async with clock.shop.db.begin() as session:
        assert await rows.want_close(session, row.account_id, row.id, await clock.env.get_current_time())
    await handle.signal(Recharge.nudge)
    assert await handle.result() is RechargeState.CREDITED
    assert await clock.shop.books() == PAID


async def test_a_silent_provider_needs_a_person_and_nothing_is_given_up(clock: Clock) -> None:
    row = await clock.order()
    handle = await clock.begin(row)
    await clock.seen(handle, state=RechargeState.OPEN)
    await clock.shop.desk.act(row.id.hex, Manner.SILENCE)
    await clock.shop.desk.fails("error")
    await clock.env.sleep(9 * MINUTE)
    progress = await clock.seen(handle, failures=3)
    assert (progress.needs_human, progress.answer) == (True, ProviderAnswer.SILENT)
    assert "Needs a person" in str(await handle.query("__temporal_workflow_metadata"))
    await clock.env.sleep(2 * HOUR)
    assert (await clock.seen(handle, state=RechargeState.OPEN)).failures > 8, "it goes on, also to close"
    assert (await clock.shop.order(row.id)).state == RechargeState.OPEN
    await clock.shop.desk.fails(None)
    assert await handle.result() is RechargeState.CREDITED
    assert not (await handle.query(Recharge.progress)).needs_human
    assert await clock.shop.books() == PAID
    await keep(handle, "a-silent-provider")


async def test_it_ends_at_once_when_its_row_is_done_or_gone(clock: Clock) -> None:
    row = await clock.order(visited=False)
    async with clock.shop.db.begin() as session:
        made = await session.get_one(Order, row.id)
        made.state = RechargeState.CREDITED.value
    assert await (await clock.begin(row)).result() is RechargeState.CREDITED
    gone = replace_id(row)
    assert await (await clock.begin(gone)).result() is RechargeState.CLOSED


def replace_id(row: Order) -> Order:
    return Order(**{**row.model_dump(), "id": new_id()})


async def test_an_old_process_stands_back_after_a_restore(clock: Clock) -> None:
    row = await clock.order(visited=False)
    await clock.shop.db.pool.execute("UPDATE database_epoch SET epoch = 2")
    try:
        with pytest.raises(WorkflowFailureError):
            await (await clock.begin(row)).result()
    finally:
        await clock.shop.db.pool.execute("UPDATE database_epoch SET epoch = 1")


async def paid_twice(clock: Clock) -> UUID:
    """The payment that has to go back."""
    row = await clock.order()
    await clock.shop.desk.act(row.id.hex, Manner.PAY_TWICE)
    await clock.shop.notified(row.id.hex, 2)
    return next(each.id for each in await clock.shop.payments() if each.state == PaymentState.REFUND_WANTED)


async def test_a_second_payment_is_refunded(clock: Clock) -> None:
    handle = await clock.refund(await paid_twice(clock))
    assert await handle.result() is PaymentState.REFUNDED
    assert await clock.shop.books() == PAID
    assert await clock.mails() == [(Notice.PAYMENT_REFUNDED, "¥100.00")]
    assert await clock.closed(handle.id)
    await keep(handle, "refunded")


async def test_a_refund_that_fails_needs_a_person_and_a_nudge_tries_again(clock: Clock) -> None:
    key = await paid_twice(clock)
    await clock.shop.desk.fails("system_error")
    handle = await clock.refund(key)

    async def asked() -> RefundProgress | None:
        found = await handle.query(Refund.progress)
        return found if found.needs_human else None

    await clock.env.sleep(4 * MINUTE)
    progress = await until(asked, 15)
    assert (progress.state, progress.failures) == (PaymentState.REFUND_WANTED, 3)
    assert await clock.shop.books() == {"clearing:alipay": -20_000, "prepaid": 10_000, "refunds": 10_000}
    await clock.shop.desk.fails(None)
    await handle.signal(Refund.nudge)
    async with asyncio.timeout(30):
        assert await handle.result() is PaymentState.REFUNDED
    assert await clock.shop.books() == PAID
    await keep(handle, "failed-then-refunded")
