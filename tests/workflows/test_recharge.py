"""Orders on the time-skipping server; rows, books and the pay desk below them are real."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowFailureError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner

from domain.billing import CloseReason, ProviderAnswer, RechargeState
from domain.ids import new_id
from domain.notices import Notice
from sandbox.pay_desk import Manner
from store import billing as rows
from store.billing import Recharge as Order
from store.db import Database
from tests.kept_histories import keep
from tests.money_process import MINUTE, PAID, Clock, working
from tests.pay_world import Desk
from workflows.recharge import Recharge

HOUR = dt.timedelta(hours=1)


@pytest.fixture
async def clock(temporal_env: WorkflowEnvironment, db: Database, pay: Desk) -> AsyncIterator[Clock]:
    async with working(temporal_env, db, pay) as made:
        yield made
    await pay.fails(None)


async def test_paid_and_notified(clock: Clock) -> None:
    row = await clock.order()
    handle = await clock.begin(row)
    await clock.seen(handle, Recharge.progress, state=RechargeState.OPEN)
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
    await clock.seen(handle, Recharge.progress, state=RechargeState.OPEN)
    await clock.env.sleep(10)
    for asks, minutes in enumerate((1, 2, 5, 10), 1):
        await clock.env.sleep(minutes * MINUTE - dt.timedelta(seconds=30))  # 20 seconds before it is due
        assert (await clock.seen(handle, Recharge.progress, state=RechargeState.OPEN)).asks == asks - 1
        await clock.env.sleep(30)
        assert (await clock.seen(handle, Recharge.progress, asks=asks)).answer is ProviderAnswer.WAITING
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
    await clock.seen(handle, Recharge.progress, state=RechargeState.CLOSED)
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
    await clock.seen(handle, Recharge.progress, state=RechargeState.OPEN)
    async with clock.shop.db.begin() as session:
        assert await rows.want_close(session, row.account_id, row.id, await clock.env.get_current_time())
    await handle.signal(Recharge.nudge)
    await clock.seen(handle, Recharge.progress, state=RechargeState.CLOSED, answer=ProviderAnswer.UNKNOWN)
    assert (await clock.shop.order(row.id)).close_reason == CloseReason.MEMBER
    assert await handle.result() is RechargeState.CLOSED
    await keep(handle, "closed-by-a-member")


async def test_closing_finds_a_payment_that_nobody_told_of(clock: Clock) -> None:
    row = await clock.order()
    handle = await clock.begin(row)
    await clock.seen(handle, Recharge.progress, state=RechargeState.OPEN)
    await clock.shop.desk.act(row.id.hex, Manner.SILENCE)
    async with clock.shop.db.begin() as session:
        assert await rows.want_close(session, row.account_id, row.id, await clock.env.get_current_time())
    await handle.signal(Recharge.nudge)
    assert await handle.result() is RechargeState.CREDITED
    assert await clock.shop.books() == PAID


async def test_a_silent_provider_needs_a_person_and_nothing_is_given_up(clock: Clock) -> None:
    row = await clock.order()
    handle = await clock.begin(row)
    await clock.seen(handle, Recharge.progress, state=RechargeState.OPEN)
    await clock.shop.desk.act(row.id.hex, Manner.SILENCE)
    await clock.shop.desk.fails("error")
    await clock.env.sleep(9 * MINUTE)
    progress = await clock.seen(handle, Recharge.progress, failures=3)
    assert (progress.needs_human, progress.answer) == (True, ProviderAnswer.SILENT)
    assert "Needs a person" in str(await handle.query("__temporal_workflow_metadata"))
    await clock.env.sleep(2 * HOUR)
    progress = await clock.seen(handle, Recharge.progress, state=RechargeState.OPEN)
    assert progress.failures > 8, "it goes on, also to close"
    assert (await clock.shop.order(row.id)).state == RechargeState.OPEN
    await clock.shop.desk.fails(None)
    assert await handle.result() is RechargeState.CREDITED
    assert not (await handle.query(Recharge.progress)).needs_human
    assert await clock.shop.books() == PAID
    await keep(handle, "a-silent-provider")


@dataclass(frozen=True)
class Outage:
    """How the provider gives no credible answer, for how long, and what the console says of it."""

    answer: ProviderAnswer
    attention: str
    hours: int

    async def begins(self, clock: Clock, row: Order) -> None:
        if self.answer is ProviderAnswer.SILENT:
            await clock.shop.desk.fails("error")
        else:  # it tells of a payment that does not fit
            await clock.shop.desk.inner._database.run(_pays_whatever, row.id.hex)
            await clock.shop.db.pool.execute("UPDATE recharge SET amount_fen = 20000 WHERE id = $1", row.id)

    async def ends(self, clock: Clock, row: Order) -> None:
        await clock.shop.desk.fails(None)
        await clock.shop.db.pool.execute("UPDATE recharge SET amount_fen = 10000 WHERE id = $1", row.id)


@pytest.mark.parametrize(
    "outage",
    [Outage(ProviderAnswer.SILENT, "provider_silent", 24), Outage(ProviderAnswer.REFUSED, "provider_refused", 0)],
    ids=lambda outage: outage.answer.value,
)
async def test_after_closing_only_credible_answers_count_and_the_alarm_stays_on(clock: Clock, outage: Outage) -> None:
    """A day of silence is not the word that no payment came."""
    row = await clock.order()
    handle = await clock.begin(row)
    await clock.env.sleep(31 * MINUTE)
    await clock.seen(handle, Recharge.progress, state=RechargeState.CLOSED)
    await outage.begins(clock, row)
    await clock.env.sleep(2 * HOUR)
    progress = await clock.seen(handle, Recharge.progress, answer=outage.answer)
    assert (progress.failures > 6, progress.needs_human) == (True, True), "the first wait repeats"
    await clock.env.sleep(outage.hours * HOUR)
    progress = await clock.seen(handle, Recharge.progress, needs_human=True)
    assert (progress.state, await clock.attention(handle.id)) == (RechargeState.CLOSED, outage.attention)
    assert "Needs a person" in str(await handle.query("__temporal_workflow_metadata"))
    assert not await clock.closed(handle.id)
    await outage.ends(clock, row)
    if outage.answer is ProviderAnswer.SILENT:
        await clock.shop.desk.inner._database.run(_pays_whatever, row.id.hex)
    assert await handle.result() is RechargeState.CREDITED
    assert await clock.attention(handle.id) is None
    assert await clock.shop.books() == PAID
    if outage.answer is ProviderAnswer.REFUSED:  # the other one is long
        await keep(handle, "refused-after-closing")


async def test_an_outage_after_closing_makes_the_watch_no_shorter(clock: Clock) -> None:
    """Four credible answers, the last of them more than a day after closing, as if nothing had been."""
    row = await clock.order()
    handle = await clock.begin(row)
    await clock.env.sleep(31 * MINUTE)
    await clock.seen(handle, Recharge.progress, state=RechargeState.CLOSED)
    await clock.shop.desk.fails("error")
    await clock.env.sleep(HOUR)
    await clock.seen(handle, Recharge.progress, needs_human=True)
    await clock.shop.desk.fails(None)
    again = await clock.env.get_current_time()
    assert await handle.result() is RechargeState.CLOSED
    assert await clock.env.get_current_time() - again > 25 * HOUR
    assert (await handle.query(Recharge.progress)).failures == 0


async def test_an_order_of_an_account_that_is_gone_does_not_keep_the_provider_busy(clock: Clock) -> None:
    """Paid, to be given back, and never credited: asked about like any closed order, and then done."""
    row = await clock.order()
    handle = await clock.begin(row)
    await clock.seen(handle, Recharge.progress, state=RechargeState.OPEN)
    await clock.shop.customer.leaves()
    await clock.shop.desk.act(row.id.hex, Manner.SILENCE)
    await clock.env.sleep(2 * MINUTE)
    assert (await clock.seen(handle, Recharge.progress, answer=ProviderAnswer.PAID)).state is RechargeState.OPEN
    async with asyncio.timeout(60):
        assert await handle.result() is RechargeState.CLOSED
    asked = [each for each in (await handle.fetch_history()).events if each.event_type == SCHEDULED]
    assert len(asked) < 30
    assert [each.why for each in await clock.shop.payments()] == ["account_gone"]
    assert await clock.shop.books() == {"clearing:alipay": -10_000, "refunds": 10_000}
    await keep(handle, "account-gone")


SCHEDULED = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED


async def test_a_run_that_continues_another_one_keeps_its_alarm(
    temporal_env: WorkflowEnvironment, db: Database, pay: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with working(temporal_env, db, pay, UnsandboxedWorkflowRunner()) as clock:
        row = await clock.order()
        handle = await clock.begin(row)
        first = handle.first_execution_run_id
        await clock.env.sleep(31 * MINUTE)
        await clock.seen(handle, Recharge.progress, state=RechargeState.CLOSED)
        await clock.shop.desk.fails("error")
        await clock.env.sleep(HOUR)
        await clock.seen(handle, Recharge.progress, needs_human=True)
        monkeypatch.setattr(workflow.Info, "is_continue_as_new_suggested", lambda self: self.run_id == first)
        await clock.env.sleep(11 * MINUTE)
        assert (await clock.seen(handle, Recharge.progress, answer=None)).needs_human, "before it has asked anything"
        began = (await handle.fetch_history()).events[0].workflow_execution_started_event_attributes
        assert began.continued_execution_run_id == first
        await clock.env.sleep(10 * MINUTE)
        assert (await clock.seen(handle, Recharge.progress, answer=ProviderAnswer.SILENT)).failures == 4
        await clock.shop.desk.fails(None)
        assert await handle.result() is RechargeState.CLOSED
        assert await clock.attention(handle.id) is None
    await pay.fails(None)


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
