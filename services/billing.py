"""What a caller can do about money coming in: open an order, look, close it; and what the provider tells us."""

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import structlog

from domain import billing as rules
from domain import money
from domain.accounts import Caller
from domain.billing import Channel, NoticeFault, NoticeRefused, PayOrder, RechargeState
from domain.errors import Refusal
from domain.ids import Kind, new_id, workflow_id
from domain.members import Right, require
from domain.onboarding import Stage
from services.foundation import Foundation, PayDesk
from store import billing as rows
from store import clockwork, onboarding
from store.billing import Payment, Recharge
from store.columns import now

log = structlog.get_logger(__name__)

NOTIFY_PATH = "/callbacks/alipay/notify"


@dataclass(frozen=True)
class RechargeView:
    """An order and what arrived for it. `pay_url` is empty unless it can be paid now."""

    row: Recharge
    payments: tuple[Payment, ...]
    pay_url: str

    @property
    def workflow_id(self) -> str:
        """Its process, for support (Temporal UI)."""
        return workflow_id(Kind.RECHARGE, self.row.id)

    @property
    def closing(self) -> bool:
        """A member asked to close it, and the process has not done so yet."""
        return self.row.state == RechargeState.OPEN and self.row.close_wanted_at is not None


@dataclass(frozen=True)
class Terms:
    """What the form says: whether it is offered, and within which amounts."""

    offered: bool
    min_fen: int
    max_fen: int


class Billing:
    """Every method refuses with `not_found` for orders of other accounts, and `role_forbids` without the right."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    def terms(self, caller: Caller) -> Terms:
        """What a form has to say."""
        require(caller, Right.MONEY)
        policy = self._base.policy
        return Terms(self._base.pay_desk is not None, policy.recharge_min_fen, policy.recharge_max_fen)

    async def open(self, caller: Caller, amount: str) -> RechargeView:
        """A new order over `amount` yuan (`100`, `100.50`) and its process. Refuses when a step before is missing."""
        require(caller, Right.MONEY)
        desk = self._desk()
        fen = money.parse_fen(amount)
        rules.require_allowed_amount(fen, self._base.policy)
        made = self._new(caller, fen)
        async with self._base.db.begin() as session:
            await onboarding.require_step(session, caller.account_id, Stage.PAY)
            await rows.lock_account(session, caller.account_id)
            if await rows.count_open(session, caller.account_id) >= rules.MAX_OPEN:
                raise Refusal("recharges_open", limit=rules.MAX_OPEN)
            session.add(made)
            name = await clockwork.enlist(session, Kind.RECHARGE, made.id, caller.account_id)
        await self._base.clockwork.start(name)
        return RechargeView(made, (), desk.pay_url(self._order(made)))

    async def page(self, caller: Caller, before: UUID | None, limit: int) -> list[RechargeView]:
        """The account's orders, newest first."""
        require(caller, Right.MONEY)
        async with self._base.db.read() as session:
            found = await rows.recharges_of(session, caller.account_id, before, limit)
            payments = await rows.payments_of(session, [row.id for row in found])
        return [self._view(row, payments) for row in found]

    async def get(self, caller: Caller, key: UUID) -> RechargeView:
        """One order."""
        require(caller, Right.MONEY)
        async with self._base.db.read() as session:
            row = await rows.recharge_of(session, caller.account_id, key)
            if row is None:
                raise Refusal("not_found", what="recharge")
            return self._view(row, await rows.payments_of(session, [key]))

    async def close(self, caller: Caller, key: UUID) -> RechargeView:
        """Have an open order closed: at the provider first, by its process. What is closed already stays as it is."""
        require(caller, Right.MONEY)
        async with self._base.db.begin() as session:
            if await rows.recharge_of(session, caller.account_id, key) is None:
                raise Refusal("not_found", what="recharge")
            if await rows.want_close(session, caller.account_id, key, now()):
                await clockwork.want_nudge(session, workflow_id(Kind.RECHARGE, key))
        view = await self.get(caller, key)
        if view.row.state == RechargeState.CREDITED:
            raise Refusal("recharge_paid")
        return view

    async def take_notice(self, form: Mapping[str, str], body: bytes) -> bool:
        """A notification of the provider. True: understood and durable, it need not be repeated.

        What is not the provider's word on an order of ours is kept in `refused_notice`, and changes nothing else.
        """
        try:
            notice = self._desk_for_notices().read_notice(form)
            if not notice.paid:
                return True
            async with self._base.db.raw() as connection:
                state = await rows.settle(connection, notice, now())
        except NoticeRefused as refused:
            await self._note_refused(refused.reason.value, form.get("out_trade_no", ""), body)
            return False
        log.info("payment_notice", state=state.value if state else "repeated")
        return True

    async def _note_refused(self, reason: str, number: str, body: bytes) -> None:
        log.warning("payment_notice_refused", reason=reason)
        async with self._base.db.raw() as connection:
            await rows.note_refused(connection, reason, number, hashlib.sha256(body).digest())

    def _desk(self) -> PayDesk:
        if self._base.pay_desk is None:
            raise Refusal("recharge_not_offered")
        return self._base.pay_desk

    def _desk_for_notices(self) -> PayDesk:
        if self._base.pay_desk is None:
            raise NoticeRefused(NoticeFault.NOT_OFFERED)
        return self._base.pay_desk

    def _new(self, caller: Caller, fen: int) -> Recharge:
        """Whole seconds: that is how exact the provider's time of expiry is."""
        at = now()
        expires_at = (at + rules.order_valid(self._base.policy)).replace(microsecond=0)
        return Recharge(
            id=new_id(), account_id=caller.account_id, member_id=caller.member_id, channel=Channel.ALIPAY.value,
            amount_fen=fen, created_at=at, expires_at=expires_at,
        )  # fmt: skip

    def _order(self, row: Recharge) -> PayOrder:
        url = self._base.policy.public_url
        return PayOrder(
            number=row.id.hex,
            amount_fen=row.amount_fen,
            subject=f"{self._base.policy.platform_name} {money.plain_yuan(row.amount_fen)}",
            expires_at=row.expires_at,
            notify_url=url + NOTIFY_PATH,
            return_url=f"{url}/portal/recharges/{row.id}/return",
        )

    def _view(self, row: Recharge, payments: list[Payment]) -> RechargeView:
        own = tuple(payment for payment in payments if payment.recharge_id == row.id)
        desk, payable = self._base.pay_desk, _is_payable(row, now())
        return RechargeView(row, own, desk.pay_url(self._order(row)) if desk and payable else "")


def _is_payable(row: Recharge, at: dt.datetime) -> bool:
    return row.state == RechargeState.OPEN and row.close_wanted_at is None and row.expires_at > at
