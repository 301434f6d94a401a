"""Balance, statement and prices over REST. Amounts: fen (1/100 yuan) and micro-yuan, integers; or yuan as text."""

import datetime as dt
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from api.callers import AnyCaller, Served
from api.paging import Limit
from api.problems import Problem
from domain.ledger import JournalKind
from domain.money import CURRENCY, plain_unit, plain_yuan
from services.ledger import Balance, PriceStep, shown_reference
from store.ledger_read import StatementLine

router = APIRouter(prefix="/v1", tags=["billing"])

_PROBLEM: dict[str, Any] = {"model": Problem}
_READ: dict[int | str, dict[str, Any]] = {401: _PROBLEM}
_MONEY: dict[int | str, dict[str, Any]] = {401: _PROBLEM, 403: _PROBLEM}
_SEND = "0192f3a4-5b6c-7d8e-9f01-23456789abcd"
_CSV = "time,kind,amount,balance_after,currency,memo,reference\r\n"


class FreeQuotaOut(BaseModel):
    """Messages of today (Asia/Shanghai) that cost nothing."""

    limit: int = Field(examples=[200])
    used: int = Field(examples=[120])
    left: int = Field(examples=[80])


class DailyQuotaOut(BaseModel):
    """Messages that may be sent today at all, free ones included."""

    limit: int = Field(examples=[10000])
    used: int = Field(examples=[120])


class BalanceOut(BaseModel):
    """Prepaid money and today's quota. The money is null for members whose role does not show it."""

    currency: str = Field(examples=[CURRENCY])
    balance_fen: int | None = Field(description="In the books.", examples=[10000])
    held_micro: int | None = Field(description="Reserved for what is being sent, in micro-yuan.", examples=[45000])
    available_fen: int | None = Field(description="What further sends may use, whole fen.", examples=[9995])
    free_quota: FreeQuotaOut
    daily_quota: DailyQuotaOut
    unit_price_micro: int = Field(
        description="Price of one mail beyond the free quota, in micro-yuan (¥0.0045 is 4500).", examples=[4500]
    )

    @classmethod
    def of(cls, balance: Balance) -> "BalanceOut":
        at, purse = balance.standing, balance.standing.purse
        return cls(
            currency=CURRENCY,
            balance_fen=purse.balance_fen if purse else None,
            held_micro=purse.held_micro if purse else None,
            available_fen=purse.available_fen if purse else None,
            free_quota=FreeQuotaOut(limit=at.free_quota, used=at.free_used, left=at.free_left),
            daily_quota=DailyQuotaOut(limit=at.daily_quota, used=at.used),
            unit_price_micro=balance.unit_micro,
        )


class LineOut(BaseModel):
    """One movement of the balance."""

    id: int = Field(examples=[4711])
    at: dt.datetime = Field(examples=["2026-11-23T06:00:00Z"])
    kind: str = Field(examples=["charge"])
    amount: str = Field(description="Yuan; negative: taken from the balance.", examples=["-0.09"])
    amount_fen: int = Field(examples=[-9])
    balance_after_fen: int = Field(examples=[9991])
    memo: str = Field(examples=["20 × ¥0.0045"])
    reference: UUID = Field(description="The send, or the recharge.", examples=[_SEND])

    @classmethod
    def of(cls, line: StatementLine) -> "LineOut":
        return cls(
            id=line.id, at=line.at, kind=line.kind, amount=plain_yuan(line.amount_fen), amount_fen=line.amount_fen,
            balance_after_fen=line.balance_after_fen, memo=line.memo, reference=shown_reference(line),
        )  # fmt: skip


class StatementPage(BaseModel):
    items: list[LineOut]
    next_cursor: str | None = Field(None, examples=["4711"])


class PriceOut(BaseModel):
    """A price; `begins` null: it holds now."""

    item: str = Field(examples=["email"])
    unit_price_micro: int = Field(examples=[4500])
    unit_price: str = Field(description="Yuan.", examples=["0.0045"])
    begins: dt.datetime | None = Field(None, examples=["2027-01-01T00:00:00+08:00"])

    @classmethod
    def of(cls, step: PriceStep) -> "PriceOut":
        unit = step.unit_micro
        return cls(item=step.item, unit_price_micro=unit, unit_price=plain_unit(unit), begins=step.begins)


class PricesOut(BaseModel):
    currency: str = Field(examples=[CURRENCY])
    items: list[PriceOut]


KindFilter = Annotated[JournalKind | None, Query(description="Keep one kind of movement.", examples=["charge"])]
Before = Annotated[
    int | None, Query(ge=1, le=2**63 - 1, description="`next_cursor` of the page before.", examples=[4711])
]


@router.get("/balance", summary="Balance and today's quota", responses=_READ)
async def balance(served: Served, caller: AnyCaller) -> BalanceOut:
    """What there is, what is held for sends under way, and what today's quota still gives.

    The money is shown to owners, administrators, finance and API users; developers and viewers read null there.
    """
    return BalanceOut.of(await served.ledger.balance(caller))


@router.get("/statement", summary="Movements of the balance", responses=_MONEY)
async def statement(
    served: Served, caller: AnyCaller, kind: KindFilter = None, cursor: Before = None, limit: Limit = 50
) -> StatementPage:
    """Newest first. Less than a fen is carried to the next charge, so a line may show a fen more or less."""
    found = await served.ledger.statement(caller, kind, cursor, limit + 1)
    following = str(found[limit - 1].id) if len(found) > limit else None
    return StatementPage(items=[LineOut.of(line) for line in found[:limit]], next_cursor=following)


@router.get(
    "/statement.csv",
    summary="The statement as CSV",
    responses={**_MONEY, 200: {"content": {"text/csv": {"example": _CSV}}}},
    response_class=StreamingResponse,
)
async def statement_csv(served: Served, caller: AnyCaller, kind: KindFilter = None) -> StreamingResponse:
    """All of it, newest first, for spreadsheets (UTF-8 with BOM, times of Asia/Shanghai)."""
    return StreamingResponse(
        await served.ledger.export(caller, kind), media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="statement.csv"'},
    )  # fmt: skip


@router.get("/prices", summary="Prices, now and announced", responses=_READ)
async def prices(served: Served, caller: AnyCaller) -> PricesOut:
    """What a mail beyond the free quota costs this account."""
    return PricesOut(currency=CURRENCY, items=[PriceOut.of(step) for step in await served.ledger.prices(caller)])
