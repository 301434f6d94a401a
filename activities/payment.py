"""Money that comes in and goes back: what the processes of an order and of a refund do, one side effect each.

Every step can be repeated at any moment: the provider's word is accounted for in one transaction that knows what it
has seen (`store.billing.settle`), and a refund has a number of its own at the provider.
"""

import datetime as dt
import hashlib
from typing import Protocol
from uuid import UUID

import structlog
from temporalio import activity

from domain import billing as rules
from domain.billing import (
    ASKED,
    CloseReason,
    NoticeRefused,
    PaymentNotice,
    PaymentState,
    PaymentStep,
    ProviderAnswer,
    ProviderRefused,
    ProviderTrouble,
    RechargeLook,
    RechargeLookRequest,
    RechargeState,
    RefundLook,
    RefundLookRequest,
    RefundOrder,
)
from domain.ids import Process
from domain.money import show_yuan
from domain.notices import Notice
from domain.policy import Policy
from store import billing as rows
from store import clockwork, notices, onboarding
from store.billing import Payment, Recharge
from store.db import Database

log = structlog.get_logger(__name__)

_OVER = frozenset({ProviderAnswer.CLOSED, ProviderAnswer.UNKNOWN, ProviderAnswer.PAID})
"""What ends an open order. A payment credited it, unless its account is gone: then the money goes back, and the order
is not to be asked about for ever."""


class Provider(Protocol):
    """The payment provider. Every method raises `ProviderTrouble` or `ProviderRefused`."""

    async def query(self, number: str) -> PaymentNotice | None:
        """What became of an order; None: it has no such order."""

    async def close(self, number: str) -> ProviderAnswer:
        """`CLOSED` now, `UNKNOWN`, or `WAITING`: it is not open, ask what it is."""

    async def refund(self, order: RefundOrder) -> None:
        """Give money back, once per request number."""


class RechargeActivities:
    """Every method raises `StaleEpoch` when the database was restored after the process began."""

    def __init__(self, db: Database, provider: Provider | None, policy: Policy) -> None:
        self._db = db
        self._provider = provider
        self._policy = policy

    @activity.defn(name="RechargeActivities.look")
    async def look(self, request: RechargeLookRequest) -> RechargeLook:
        """Read the row; say when the provider is to be asked next."""
        row = await self._row(request.process)
        if row is None:
            return RechargeLook(RechargeState.CLOSED)
        state = RechargeState(row.state)
        return RechargeLook(
            state=state,
            amount_fen=row.amount_fen,
            expires_at=row.expires_at,
            shut_due=_is_shut_due(row, request.now),
            watched=_is_watched(state, request.late_asks),
            wait_seconds=self._wait(row, request),
            late=row.closed_at is not None and state is RechargeState.CREDITED,
            troubled=await _asked_for_a_person(self._db, request.process),
        )

    def _wait(self, row: Recharge, request: RechargeLookRequest) -> float:
        if row.state == RechargeState.CLOSED:
            return rules.wait_after(rules.LATE_WAITS, request.late_asks, self._policy).total_seconds()
        wait = rules.wait_after(rules.OPEN_WAITS, request.asks, self._policy)
        left = row.expires_at - request.now
        return (min(wait, left) if left > dt.timedelta() else wait).total_seconds()

    @activity.defn(name="RechargeActivities.ask")
    async def ask(self, step: PaymentStep) -> ProviderAnswer:
        """Ask the provider what became of the order, and account for a payment."""
        row = await self._row(step.process)
        if row is None or row.state == RechargeState.CREDITED:
            return await _noted(self._db, step, ProviderAnswer.SETTLED)
        return await _noted(self._db, step, await self._answered(row, step.now))

    @activity.defn(name="RechargeActivities.shut")
    async def shut(self, step: PaymentStep) -> ProviderAnswer:
        """Close the order, at the provider first, then here; account for a payment if there is one instead."""
        row = await self._row(step.process)
        if row is None or row.state != RechargeState.OPEN:
            return await _noted(self._db, step, ProviderAnswer.SETTLED)
        return await _noted(self._db, step, await self._closed(row, step.now))

    async def _closed(self, row: Recharge, at: dt.datetime) -> ProviderAnswer:
        answer = await self._closed_there(row, at)
        if answer in _OVER:
            reason = CloseReason.MEMBER if row.close_wanted_at else CloseReason.TIMEOUT
            async with self._db.raw() as connection:
                await rows.close_order(connection, row.id, reason, at)
        return answer

    async def _closed_there(self, row: Recharge, at: dt.datetime) -> ProviderAnswer:
        if self._provider is None:
            return ProviderAnswer.SILENT
        try:
            answer = await self._provider.close(row.id.hex)
        except (ProviderTrouble, ProviderRefused) as trouble:
            return _troubled(trouble)
        if answer is not ProviderAnswer.WAITING:
            return answer
        answer = await self._answered(row, at)  # it is not open there: paid, or closed before
        return ProviderAnswer.REFUSED if answer is ProviderAnswer.WAITING else answer

    async def _answered(self, row: Recharge, at: dt.datetime) -> ProviderAnswer:
        if self._provider is None:
            return ProviderAnswer.SILENT
        try:
            said = await self._provider.query(row.id.hex)
        except (ProviderTrouble, ProviderRefused) as trouble:
            return _troubled(trouble)
        if said is None:
            return ProviderAnswer.UNKNOWN
        if not said.paid:
            return ProviderAnswer.CLOSED if said.closed else ProviderAnswer.WAITING
        return await self._settled(said, at)

    async def _settled(self, said: PaymentNotice, at: dt.datetime) -> ProviderAnswer:
        try:
            async with self._db.raw() as connection:
                await rows.settle(connection, said, at)
        except NoticeRefused as refused:
            async with self._db.raw() as connection:
                digest = hashlib.sha256(said.transaction.encode()).digest()
                await rows.note_refused(connection, ASKED + refused.reason, said.number, digest)
            return ProviderAnswer.REFUSED
        return ProviderAnswer.PAID

    @activity.defn(name="RechargeActivities.announce")
    async def announce(self, process: Process) -> bool:
        """Mail the customer that the money is there, once; False when there is nobody to tell."""
        row = await self._row(process)
        if row is None:
            return False
        wanted = Letters(self._db, self._policy)
        return await wanted.send(Notice.RECHARGE_CREDITED, process, row.id, row.amount_fen)

    @activity.defn(name="RechargeActivities.close")
    async def close(self, process: Process) -> None:
        """Note that the process ended by itself."""
        async with self._db.begin() as session:
            await clockwork.require_epoch(session, process)
            await clockwork.stamp_closed(session, process.workflow_id)

    async def _row(self, process: Process) -> Recharge | None:
        async with self._db.read() as session:
            await clockwork.require_epoch(session, process)
            return await session.get(Recharge, UUID(process.subject))


class RefundActivities:
    """The same for a payment that goes back."""

    def __init__(self, db: Database, provider: Provider | None, policy: Policy) -> None:
        self._db = db
        self._provider = provider
        self._policy = policy

    @activity.defn(name="RefundActivities.look")
    async def look(self, request: RefundLookRequest) -> RefundLook:
        """Read the payment; say when the next try is due."""
        row = await self._row(request.process)
        if row is None:
            return RefundLook(PaymentState.REFUNDED)
        wait = rules.wait_after(rules.REFUND_WAITS, max(request.tries - 1, 0), self._policy)
        troubled = await _asked_for_a_person(self._db, request.process)
        return RefundLook(PaymentState(row.state), row.amount_fen, row.why, wait.total_seconds(), troubled)

    @activity.defn(name="RefundActivities.refund")
    async def refund(self, step: PaymentStep) -> ProviderAnswer:
        """Give the money back at the provider, then post it."""
        row = await self._row(step.process)
        if row is None or row.state != PaymentState.REFUND_WANTED:
            return await _noted(self._db, step, ProviderAnswer.SETTLED)
        return await _noted(self._db, step, await self._given_back(row, step.now))

    async def _given_back(self, row: Payment, at: dt.datetime) -> ProviderAnswer:
        if self._provider is None:
            return ProviderAnswer.SILENT
        async with self._db.raw() as connection:
            if not await rows.note_asked(connection, row.id):  # an operator ended it meanwhile
                return ProviderAnswer.SETTLED
        order = RefundOrder(row.recharge_id.hex, row.transaction, row.id.hex, row.amount_fen)
        try:
            await self._provider.refund(order)
        except (ProviderTrouble, ProviderRefused) as trouble:
            return _troubled(trouble)
        async with self._db.raw() as connection:
            await rows.note_refunded(connection, row.id, at)
        return ProviderAnswer.PAID

    @activity.defn(name="RefundActivities.announce")
    async def announce(self, process: Process) -> bool:
        """Mail the customer that the money went back, once; False when there is nobody to tell."""
        row = await self._row(process)
        if row is None:
            return False
        wanted = Letters(self._db, self._policy)
        return await wanted.send(Notice.PAYMENT_REFUNDED, process, row.recharge_id, row.amount_fen)

    @activity.defn(name="RefundActivities.close")
    async def close(self, process: Process) -> None:
        """Note that the process ended by itself."""
        async with self._db.begin() as session:
            await clockwork.require_epoch(session, process)
            await clockwork.stamp_closed(session, process.workflow_id)

    async def _row(self, process: Process) -> Payment | None:
        async with self._db.read() as session:
            await clockwork.require_epoch(session, process)
            return await session.get(Payment, UUID(process.subject))


class Letters:
    """Mails about money to the account's first confirmed member."""

    def __init__(self, db: Database, policy: Policy) -> None:
        self._db = db
        self._policy = policy

    async def send(self, notice: Notice, process: Process, order: UUID, fen: int) -> bool:
        """Once per process and notice."""
        async with self._db.read() as session:
            reader = await onboarding.addressee(session, UUID(process.account))
        if reader is None:
            return False
        address, name, language = reader
        variables = {
            "name": name,
            "platform": self._policy.platform_name,
            "amount": show_yuan(fen),
            "link": f"{self._policy.public_url}/portal/recharges/{order}",
        }
        await notices.send_notice(self._db, notice, address, language, variables, f"{notice}/{process.workflow_id}")
        return True


def _is_shut_due(row: Recharge, at: dt.datetime) -> bool:
    return row.state == RechargeState.OPEN and (row.close_wanted_at is not None or row.expires_at <= at)


async def _asked_for_a_person(db: Database, process: Process) -> bool:
    """Whether an earlier run of this process did (a fresh one counts its failures from nothing)."""
    async with db.read() as session:
        row = await clockwork.find(session, process.workflow_id)
    return row is not None and row.attention is not None


async def _noted(db: Database, step: PaymentStep, answer: ProviderAnswer) -> ProviderAnswer:
    """The answer, after the console's queue was told when it begins or ends to need a person."""
    changed = rules.attention(answer, step.failures)
    if changed is not None:
        async with db.begin() as session:
            await clockwork.stamp_attention(session, step.process.workflow_id, changed or None)
    return answer


def _is_watched(state: RechargeState, late_asks: int) -> bool:
    """Open; or closed so lately that a payment may still turn up."""
    late = state is RechargeState.CLOSED and late_asks < len(rules.LATE_WAITS)
    return state is RechargeState.OPEN or late


def _troubled(trouble: ProviderTrouble | ProviderRefused) -> ProviderAnswer:
    log.warning("payment_provider", trouble=type(trouble).__name__, reason=trouble.reason)
    return ProviderAnswer.SILENT if isinstance(trouble, ProviderTrouble) else ProviderAnswer.REFUSED
