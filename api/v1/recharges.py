"""Recharging online over REST (`/v1/recharges`): an order, a page to pay it on, and what became of it."""

import datetime as dt
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from api.callers import MemberCaller, Served
from api.paging import Cursor, Limit, NextCursor, next_cursor
from api.problems import Problem
from domain.money import plain_yuan
from services.billing import RechargeView
from store.billing import Payment

router = APIRouter(prefix="/v1/recharges", tags=["billing"])

_ID = "0192f3a4-5b6c-7d8e-9f01-23456789abcd"
_PROBLEM: dict[str, Any] = {"model": Problem}
_MEMBER: dict[int | str, dict[str, Any]] = {401: _PROBLEM, 403: _PROBLEM}
_ONE: dict[int | str, dict[str, Any]] = {**_MEMBER, 404: _PROBLEM}


class RechargeIn(BaseModel):
    """How much: yuan, at most two decimals."""

    amount: str = Field(max_length=20, examples=["100.00"])


class PaymentOut(BaseModel):
    """Money that arrived for an order. A second payment, or one for an account that is not active, goes back."""

    id: UUID = Field(examples=[_ID])
    amount: str = Field(examples=["100.00"])
    amount_fen: int = Field(examples=[10_000])
    transaction: str = Field(description="The provider's number.", examples=["2026112322001476620500000000"])
    state: str = Field(description="`credited`, `refund_wanted` or `refunded`.", examples=["credited"])
    late: bool = Field(description="It arrived when the order was closed.", examples=[False])
    why: str = Field("", description="Why it goes back: `paid_twice`, `account_gone`.", examples=[""])
    seen_at: dt.datetime = Field(examples=["2026-11-23T06:01:00Z"])
    refunded_at: dt.datetime | None = Field(None, examples=[None])


class RechargeOut(BaseModel):
    """An order to recharge."""

    id: UUID = Field(examples=[_ID])
    state: str = Field(description="`open`, `credited` or `closed`.", examples=["open"])
    closing: bool = Field(
        description="A member asked to close it; that happens at the provider first.", examples=[False]
    )
    close_reason: str = Field("", description="`timeout` or `member`.", examples=[""])
    amount: str = Field(examples=["100.00"])
    amount_fen: int = Field(examples=[10_000])
    channel: str = Field(examples=["alipay"])
    pay_url: str | None = Field(
        None,
        description="Open it in a browser to pay; null when the order cannot be paid any more.",
        examples=["https://openapi.alipay.com/gateway.do?app_id=2021000000000000&method=alipay.trade.page.pay"],
    )
    created_at: dt.datetime = Field(examples=["2026-11-23T06:00:00Z"])
    expires_at: dt.datetime = Field(examples=["2026-11-23T06:30:00Z"])
    credited_at: dt.datetime | None = Field(None, examples=[None])
    closed_at: dt.datetime | None = Field(None, examples=[None])
    payments: list[PaymentOut] = []
    workflow_id: str = Field(description="Names the process to support.", examples=[f"recharge/{_ID}"])


class RechargePage(BaseModel):
    items: list[RechargeOut]
    next_cursor: NextCursor = None


RechargeId = Annotated[UUID, Path(examples=[_ID])]


@router.post(
    "",
    summary="Open an order",
    status_code=201,
    responses={**_MEMBER, 409: _PROBLEM, 422: _PROBLEM},
)
async def open_recharge(body: RechargeIn, caller: MemberCaller, served: Served) -> RechargeOut:
    """Open an order, then send the payer's browser to `pay_url`. The money is there when `state` is `credited`."""
    return _out(await served.billing.open(caller, body.amount))


@router.get("", summary="List orders", responses={**_MEMBER, 422: _PROBLEM})
async def list_recharges(
    caller: MemberCaller, served: Served, cursor: Cursor = None, limit: Limit = 50
) -> RechargePage:  # fmt: skip
    """The account's orders, newest first."""
    found = await served.billing.page(caller, cursor, limit)
    return RechargePage(items=[_out(view) for view in found], next_cursor=next_cursor([v.row for v in found], limit))


@router.get("/{recharge_id}", summary="One order", responses=_ONE)
async def get_recharge(recharge_id: RechargeId, caller: MemberCaller, served: Served) -> RechargeOut:
    """One order and what arrived for it."""
    return _out(await served.billing.get(caller, recharge_id))


@router.post("/{recharge_id}/close", summary="Close an order", status_code=202, responses={**_ONE, 409: _PROBLEM})
async def close_recharge(recharge_id: RechargeId, caller: MemberCaller, served: Served) -> RechargeOut:
    """Have an open order closed. It is closed at the provider first, so look again until `state` is `closed`."""
    return _out(await served.billing.close(caller, recharge_id))


def _out(view: RechargeView) -> RechargeOut:
    row = view.row
    return RechargeOut(
        id=row.id, state=row.state, closing=view.closing, close_reason=row.close_reason,
        amount=plain_yuan(row.amount_fen), amount_fen=row.amount_fen, channel=row.channel, pay_url=view.pay_url or None,
        created_at=row.created_at, expires_at=row.expires_at, credited_at=row.credited_at, closed_at=row.closed_at,
        payments=[_payment(each) for each in view.payments], workflow_id=view.workflow_id,
    )  # fmt: skip


def _payment(row: Payment) -> PaymentOut:
    return PaymentOut(
        id=row.id, amount=plain_yuan(row.amount_fen), amount_fen=row.amount_fen, transaction=row.transaction,
        state=row.state, late=row.late, why=row.why, seen_at=row.seen_at, refunded_at=row.refunded_at,
    )  # fmt: skip
