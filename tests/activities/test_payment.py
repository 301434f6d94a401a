"""Money steps that are broken off anywhere and done again: the worker may be killed between any two of them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

import pytest

from activities.payment import Provider, RechargeActivities, RefundActivities
from domain.billing import (
    PaymentNotice,
    PaymentState,
    PaymentStep,
    ProviderAnswer,
    RechargeLookRequest,
    RechargeState,
    RefundOrder,
)
from domain.ids import Kind, Process
from sandbox.pay_desk import Manner
from store import billing as rows
from store.columns import now
from store.db import Connection, Database
from tests.pay_world import Desk, Till, till


@pytest.fixture
async def shop(db: Database, pay: Desk) -> Till:
    return await till(db, pay)


class Killed(BaseException):
    """The worker is no more."""


class Death:
    """Kills at the n-th point that is passed; `points` counts them."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.points = 0

    def point(self) -> None:
        self.points += 1
        if self.points - 1 == self.at:
            raise Killed


class MortalDatabase:
    """The database, with a point before each transaction, before its commit and after it."""

    def __init__(self, db: Database, death: Death) -> None:
        self._db = db
        self._death = death
        self.read = db.read
        self.begin = db.begin

    @contextlib.asynccontextmanager
    async def raw(self) -> AsyncIterator[Connection]:
        self._death.point()
        async with self._db.raw() as connection:
            yield connection
            self._death.point()
        self._death.point()


class MortalProvider:
    """The provider, with a point before each request and after its answer."""

    def __init__(self, inner: Provider, death: Death) -> None:
        self._inner = inner
        self._death = death

    async def _between(self, request: Awaitable[Any]) -> Any:
        try:
            self._death.point()
        except Killed:
            asyncio.ensure_future(request).cancel()
            raise
        answer = await request
        self._death.point()
        return answer

    async def query(self, number: str) -> PaymentNotice | None:
        return cast("PaymentNotice | None", await self._between(self._inner.query(number)))

    async def close(self, number: str) -> ProviderAnswer:
        return cast(ProviderAnswer, await self._between(self._inner.close(number)))

    async def refund(self, order: RefundOrder) -> None:
        await self._between(self._inner.refund(order))


def recharging(shop: Till, death: Death) -> RechargeActivities:
    db = cast(Database, MortalDatabase(shop.db, death))
    return RechargeActivities(db, MortalProvider(shop.desk.ours, death), shop.base.policy)


def refunding(shop: Till, death: Death) -> RefundActivities:
    db = cast(Database, MortalDatabase(shop.db, death))
    return RefundActivities(db, MortalProvider(shop.desk.ours, death), shop.base.policy)


Round = Callable[[Death], Awaitable[None]]
"""Prepare, do the step (which may be killed), do it again as its retry does, look at the books."""


async def survive(step: Callable[[Death], Awaitable[Any]], death: Death) -> Any:
    """The step until it is not killed any more; what its last try returned."""
    try:
        return await step(death)
    except Killed:
        return await step(Death(-1))


async def everywhere(round_: Round) -> int:
    """Kill at each point in turn; how many points there were."""
    for number in range(50):
        death = Death(number)
        await round_(death)
        if death.points <= number:
            return number
    raise AssertionError("it never ends")


def step_of(shop: Till, kind: Kind, subject: UUID) -> PaymentStep:
    return PaymentStep(Process(kind, str(subject), str(shop.customer.account), 1), now())


async def gained(shop: Till, before: dict[str, int]) -> dict[str, int]:
    after = await shop.books()
    names = {*before, *after}
    return {n: after.get(n, 0) - before.get(n, 0) for n in names if after.get(n, 0) != before.get(n, 0)}


CREDITED = {"clearing:alipay": -10_000, "prepaid": 10_000}


async def test_killed_while_asking_for_a_payment_that_was_not_notified(shop: Till) -> None:
    async def once(death: Death) -> None:
        before, view = await shop.books(), await shop.opens()
        await shop.desk.act(view.row.id.hex, Manner.SILENCE)
        step = step_of(shop, Kind.RECHARGE, view.row.id)
        answer = await survive(lambda d: recharging(shop, d).ask(step), death)
        assert answer in (ProviderAnswer.PAID, ProviderAnswer.SETTLED)
        assert (await shop.order(view.row.id)).state == RechargeState.CREDITED
        assert await gained(shop, before) == CREDITED

    assert await everywhere(once) == 5


@pytest.mark.parametrize("visited", [True, False])
async def test_killed_while_closing(shop: Till, visited: bool) -> None:
    async def once(death: Death) -> None:
        view = await (shop.opens() if visited else shop.billing.open(shop.caller, "100"))
        step = step_of(shop, Kind.RECHARGE, view.row.id)
        await survive(lambda d: recharging(shop, d).shut(step), death)
        row = await shop.order(view.row.id)
        assert (row.state, row.close_reason) == (RechargeState.CLOSED, "timeout")
        if visited:
            assert (await shop.desk.order(view.row.id.hex))["status"] == "TRADE_CLOSED"

    assert await everywhere(once) == 5
    assert await shop.books() == {}


async def test_killed_while_closing_what_was_just_paid(shop: Till) -> None:
    async def once(death: Death) -> None:
        before, view = await shop.books(), await shop.opens()
        await shop.desk.act(view.row.id.hex, Manner.SILENCE)
        step = step_of(shop, Kind.RECHARGE, view.row.id)
        await survive(lambda d: recharging(shop, d).shut(step), death)
        assert (await shop.order(view.row.id)).state == RechargeState.CREDITED
        assert await gained(shop, before) == CREDITED

    assert await everywhere(once) == 10


async def test_killed_while_refunding(shop: Till) -> None:
    async def once(death: Death) -> None:
        before, view = await shop.books(), await shop.opens()
        wanted = await shop.goes_back(view.row.id.hex)
        step = step_of(shop, Kind.REFUND, wanted.id)
        await survive(lambda d: refunding(shop, d).refund(step), death)
        assert await gained(shop, before) == CREDITED
        refunds = (await shop.desk.order(view.row.id.hex))["refunds"]
        assert [(each["trade_no"], each["amount"]) for each in refunds] == [(wanted.transaction, 10_000)]

    assert await everywhere(once) == 8
    assert {each.state for each in await shop.payments()} == {PaymentState.CREDITED, PaymentState.REFUNDED}


async def test_a_notification_and_a_query_at_the_same_time(shop: Till) -> None:
    view = await shop.opens()
    await shop.desk.act(view.row.id.hex, Manner.NOTIFY_TWICE)
    step = step_of(shop, Kind.RECHARGE, view.row.id)
    acts = recharging(shop, Death(-1))
    await asyncio.gather(*(acts.ask(step) for _ in range(4)), acts.shut(step))
    await shop.notified(view.row.id.hex, 2)
    assert await shop.books() == CREDITED


async def test_without_a_provider_any_more_an_operator_is_needed(shop: Till) -> None:
    view = await shop.opens()
    bare = RechargeActivities(shop.db, None, shop.base.policy)
    step = step_of(shop, Kind.RECHARGE, view.row.id)
    assert [await bare.ask(step), await bare.shut(step)] == [ProviderAnswer.SILENT] * 2
    gone = RechargeLookRequest(Process(Kind.RECHARGE, str(view.row.id), str(shop.customer.account), 1), now())
    assert (await bare.look(gone)).watched


async def test_an_answer_that_does_not_fit_the_order_credits_nothing(shop: Till) -> None:
    view = await shop.opens()
    await shop.desk.act(view.row.id.hex, Manner.SILENCE)
    await shop.db.pool.execute("UPDATE recharge SET amount_fen = 20000")
    step = step_of(shop, Kind.RECHARGE, view.row.id)
    for _ in range(3):
        assert await recharging(shop, Death(-1)).ask(step) is ProviderAnswer.REFUSED
    assert await shop.refusals() == ["query-amount"], "one misfit, however often it is asked about"
    assert await shop.books() == {}


async def test_an_order_whose_payment_goes_back_is_closed_and_not_asked_about_for_ever(shop: Till) -> None:
    view = await shop.opens()
    await shop.desk.act(view.row.id.hex, Manner.SILENCE)
    await shop.customer.leaves()
    acts, step = recharging(shop, Death(-1)), step_of(shop, Kind.RECHARGE, view.row.id)
    assert await acts.ask(step) is ProviderAnswer.PAID
    assert (await shop.order(view.row.id)).state == RechargeState.OPEN
    assert await acts.shut(step) is ProviderAnswer.PAID, "known already, and still paid at the provider"
    row = await shop.order(view.row.id)
    assert (row.state, row.close_reason) == (RechargeState.CLOSED, "timeout")
    late = replace(step, now=row.expires_at)
    assert not (await acts.look(RechargeLookRequest(step.process, late.now))).shut_due
    assert [each.why for each in await shop.payments()] == ["account_gone"]
    assert await shop.books() == {"clearing:alipay": -10_000, "refunds": 10_000}


async def attention(shop: Till, step: PaymentStep) -> str | None:
    query = "SELECT attention FROM clockwork WHERE workflow_id = $1"
    return cast("str | None", await shop.db.pool.fetchval(query, step.process.workflow_id))


async def test_the_queue_of_the_console_knows_who_asks_for_a_person(shop: Till) -> None:
    view = await shop.opens()
    acts, step = recharging(shop, Death(-1)), step_of(shop, Kind.RECHARGE, view.row.id)
    bare, look = RechargeActivities(shop.db, None, shop.base.policy), RechargeLookRequest(step.process, step.now)
    for failures, wanted in ((1, None), (2, "provider_silent"), (3, "provider_silent")):
        assert await bare.ask(replace(step, failures=failures)) is ProviderAnswer.SILENT
        assert await attention(shop, step) == wanted
        assert (await acts.look(look)).troubled is (wanted is not None)
    await shop.desk.act(view.row.id.hex, Manner.SILENCE)
    await shop.db.pool.execute("UPDATE recharge SET amount_fen = 20000")
    assert await acts.shut(replace(step, failures=4)) is ProviderAnswer.REFUSED
    assert await attention(shop, step) == "provider_refused"
    await shop.db.pool.execute("UPDATE recharge SET amount_fen = 10000")
    assert await acts.ask(replace(step, failures=5)) is ProviderAnswer.PAID
    assert await attention(shop, step) is None


async def test_the_end_of_a_process_takes_its_call_for_a_person_back(shop: Till) -> None:
    """An order that was credited by its notification, say, after the provider had been silent."""
    view = await shop.opens()
    bare, step = RechargeActivities(shop.db, None, shop.base.policy), step_of(shop, Kind.RECHARGE, view.row.id)
    await bare.ask(replace(step, failures=2))
    assert await attention(shop, step) == "provider_silent"
    await bare.close(step.process)
    assert await attention(shop, step) is None


async def test_a_refund_that_somebody_ended_is_not_asked_for_any_more(shop: Till) -> None:
    """Between the look at the row and the request."""
    view = await shop.opens()
    wanted = await shop.goes_back(view.row.id.hex)
    acts, step = refunding(shop, Death(-1)), step_of(shop, Kind.REFUND, wanted.id)
    async with shop.db.raw() as connection:
        assert await rows.note_refunded(connection, wanted.id, now(), "operator/fin", reason="by bank")
    assert await acts._given_back(wanted, now()) is ProviderAnswer.SETTLED
    assert await acts.refund(step) is ProviderAnswer.SETTLED
    assert (await shop.desk.order(view.row.id.hex))["refunds"] == []
