"""Refunds on the time-skipping server; rows, books and the pay desk below them are real."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from temporalio import workflow
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner

from domain.billing import PaymentState
from domain.ids import new_id
from domain.notices import Notice
from domain.operators import Operator, OperatorRole
from sandbox.pay_desk import Manner
from services.payment_desk import IN_HAND, PaymentDesk
from store.db import Database
from tests.kept_histories import keep
from tests.money_process import MINUTE, PAID, Clock, working
from tests.patience import PATIENCE
from tests.pay_world import Desk
from workflows.refund import Refund


@pytest.fixture
async def clock(temporal_env: WorkflowEnvironment, db: Database, pay: Desk) -> AsyncIterator[Clock]:
    async with working(temporal_env, db, pay) as made:
        yield made
    await pay.fails(None)


async def paid_twice(clock: Clock) -> UUID:
    """The payment that has to go back."""
    row = await clock.order()
    return (await clock.shop.goes_back(row.id.hex)).id


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
    await clock.env.sleep(4 * MINUTE)
    progress = await clock.seen(handle, Refund.progress, needs_human=True)
    assert (progress.state, progress.failures) == (PaymentState.REFUND_WANTED, 3)
    assert await clock.shop.books() == {"clearing:alipay": -20_000, "prepaid": 10_000, "refunds": 10_000}
    await clock.shop.desk.fails(None)
    await handle.signal(Refund.nudge)
    async with asyncio.timeout(PATIENCE):
        assert await handle.result() is PaymentState.REFUNDED
    assert await clock.shop.books() == PAID
    await keep(handle, "failed-then-refunded")


async def test_a_refund_that_will_never_be_made_is_ended_by_finance(clock: Clock) -> None:
    key = await paid_twice(clock)
    await clock.shop.desk.fails("system_error")
    handle = await clock.refund(key)
    await clock.env.sleep(4 * MINUTE)
    await clock.seen(handle, Refund.progress, needs_human=True)
    assert await clock.attention(handle.id) == "provider_silent"
    await clock.shop.db.pool.execute("UPDATE payment SET asked_at = asked_at - $1::interval", IN_HAND)
    finance = Operator(new_id(), "fin", frozenset({OperatorRole.FINANCE}))
    await PaymentDesk(clock.shop.base).end_refund(finance, key, "bank transfer 4711")
    assert handle.id in await clock.shop.nudged()
    await handle.signal(Refund.nudge)  # reconcile's part
    async with asyncio.timeout(PATIENCE):
        assert await handle.result() is PaymentState.REFUNDED
    assert await clock.attention(handle.id) is None
    assert await clock.closed(handle.id)
    assert await clock.shop.books() == PAID
    assert await clock.mails() == [(Notice.PAYMENT_REFUNDED, "¥100.00")]
    await keep(handle, "ended-by-finance")


async def test_a_refunds_run_that_continues_another_one_keeps_its_alarm(
    temporal_env: WorkflowEnvironment, db: Database, pay: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with working(temporal_env, db, pay, UnsandboxedWorkflowRunner()) as clock:
        key = await paid_twice(clock)
        await pay.fails("system_error")
        handle = await clock.refund(key)
        first = handle.first_execution_run_id
        await clock.env.sleep(4 * MINUTE)
        await clock.seen(handle, Refund.progress, needs_human=True)
        monkeypatch.setattr(workflow.Info, "is_continue_as_new_suggested", lambda self: self.run_id == first)
        await clock.env.sleep(4.5 * MINUTE)  # to the fourth try, and not to the next one
        progress = await clock.seen(handle, Refund.progress, needs_human=True)
        assert progress.tries == 0, "a run that has tried nothing yet"
        await pay.fails(None)
        assert await handle.result() is PaymentState.REFUNDED
        assert await clock.attention(handle.id) is None
    await pay.fails(None)


async def test_a_refund_that_moved_no_money_is_asked_for_again(clock: Clock) -> None:
    """Alipay took the request, answered well, and gave nothing back."""
    row = await clock.order()
    wanted = await clock.shop.goes_back(row.id.hex, Manner.REFUND_STUCK)
    handle = await clock.refund(wanted.id)
    assert await handle.result() is PaymentState.REFUNDED
    refunds = (await clock.shop.desk.order(row.id.hex))["refunds"]
    assert [each["trade_no"] for each in refunds] == [wanted.transaction]
    assert (await handle.query(Refund.progress)).tries == 2
    assert await clock.shop.books() == PAID
