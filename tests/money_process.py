"""The money processes of one customer under one worker, on the time-skipping server; the pay desk is real."""

import datetime as dt
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from sqlmodel import col, select
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker, WorkflowRunner

from activities.payment import RechargeActivities, RefundActivities
from domain.accounts import SYSTEM_ACCOUNT
from domain.billing import Channel, PaymentState, PayOrder, RechargeProgress, RechargeState, RefundProgress
from domain.ids import Kind, Process, new_id
from domain.money import plain_yuan
from store import clockwork
from store.billing import Recharge as Order
from store.db import Database
from store.sending import Message, Submission
from tests.patience import until
from tests.pay_world import Desk, Till, till
from tests.platform_rows import have_platform
from tests.sending_world import VAULT
from worker import sandbox_runner
from workflows.recharge import Recharge
from workflows.refund import Refund

MINUTE = dt.timedelta(minutes=1)
PAID = {"clearing:alipay": -10_000, "prepaid": 10_000}
Progress = TypeVar("Progress", RechargeProgress, RefundProgress)
Query = Callable[[Any], Progress]


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

    async def begin(self, row: Order) -> WorkflowHandle[Recharge, RechargeState]:
        process = Process(Kind.RECHARGE, str(row.id), str(row.account_id), 1)
        return await self.env.client.start_workflow(
            Recharge.run, process, id=process.workflow_id, task_queue=self.queue
        )

    async def refund(self, key: UUID) -> WorkflowHandle[Refund, PaymentState]:
        process = Process(Kind.REFUND, str(key), str(self.shop.customer.account), 1)
        return await self.env.client.start_workflow(Refund.run, process, id=process.workflow_id, task_queue=self.queue)

    async def seen(self, handle: WorkflowHandle[Any, Any], query: Query[Progress], **wanted: object) -> Progress:
        """The process's own word once it is as wanted; the virtual clock stands still meanwhile."""

        async def asked() -> Progress | None:
            found = await handle.query(query)
            return found if all(getattr(found, name) == value for name, value in wanted.items()) else None

        found: Progress = await until(asked, 15)
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

    async def attention(self, name: str) -> str | None:
        """What the console's queue says of the process."""
        async with self.shop.db.read() as session:
            row = await clockwork.find(session, name)
        return row.attention if row else None

    async def closed(self, name: str) -> bool:
        async with self.shop.db.read() as session:
            row = await clockwork.find(session, name)
        return row is not None and row.closed_at is not None


@asynccontextmanager
async def working(
    env: WorkflowEnvironment, db: Database, pay: Desk, runner: WorkflowRunner | None = None
) -> AsyncIterator[Clock]:
    shop = await till(db, pay)
    await have_platform(db, VAULT, shop.base.policy)
    recharges = RechargeActivities(db, pay.ours, shop.base.policy)
    refunds = RefundActivities(db, pay.ours, shop.base.policy)
    queue = f"money-{new_id()}"
    async with Worker(
        env.client, task_queue=queue, workflows=[Recharge, Refund], workflow_runner=runner or sandbox_runner(),
        activities=[
            recharges.look, recharges.ask, recharges.shut, recharges.announce, recharges.close,
            refunds.look, refunds.refund, refunds.announce, refunds.close,
        ],
    ):  # fmt: skip
        yield Clock(env, shop, queue)
