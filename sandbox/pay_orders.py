"""What the pretend Alipay remembers: orders, the trades that paid them, refunds. Amounts in fen, times in seconds."""

from __future__ import annotations

import re
import secrets
import sqlite3
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS pay_orders (
    out_trade_no TEXT PRIMARY KEY, subject TEXT NOT NULL, amount INTEGER NOT NULL, status TEXT NOT NULL,
    created_at REAL NOT NULL, expires_at REAL, notify_url TEXT NOT NULL, return_url TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS pay_trades (
    trade_no TEXT PRIMARY KEY, out_trade_no TEXT NOT NULL REFERENCES pay_orders (out_trade_no),
    amount INTEGER NOT NULL, paid_at REAL NOT NULL, refunded INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS pay_refunds (
    trade_no TEXT NOT NULL, out_request_no TEXT NOT NULL, amount INTEGER NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (trade_no, out_request_no));
CREATE TABLE IF NOT EXISTS pay_stuck (trade_no TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS pay_notices (
    id INTEGER PRIMARY KEY, out_trade_no TEXT NOT NULL, url TEXT NOT NULL, form TEXT NOT NULL, manner TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, due_at REAL, answered TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS pay_notices_due ON pay_notices (due_at) WHERE due_at IS NOT NULL;
"""
_AMOUNT = re.compile(r"(\d{1,9})(?:\.(\d{1,2}))?")


class Status(StrEnum):
    """Alipay's ``trade_status``."""

    WAITING = "WAIT_BUYER_PAY"
    SUCCESS = "TRADE_SUCCESS"
    CLOSED = "TRADE_CLOSED"


class Denied(Exception):
    """A request that the pay desk refuses: Alipay's ``sub_code``, and a text for people."""

    def __init__(self, sub_code: str, text: str) -> None:
        super().__init__(text)
        self.sub_code = sub_code
        self.text = text


@dataclass(frozen=True)
class PayOrder:
    """What a merchant wants to collect."""

    out_trade_no: str
    subject: str
    amount: int
    status: Status
    created_at: float
    expires_at: float | None
    notify_url: str
    return_url: str

    @property
    def is_payable(self) -> bool:
        """Waits, and its time is not up."""
        return self.status is Status.WAITING and (self.expires_at is None or self.expires_at > time.time())


@dataclass(frozen=True)
class Trade:
    """One payment of an order."""

    trade_no: str
    out_trade_no: str
    amount: int
    paid_at: float
    refunded: int = 0


@dataclass(frozen=True)
class Refund:
    """A wish to give back."""

    trade_no: str
    request: str
    amount: int


def fen(text: str) -> int:
    """``100``, ``100.5`` or ``100.50`` yuan; raises Denied."""
    match = _AMOUNT.fullmatch(text.strip())
    if match is None or not (amount := int(match[1]) * 100 + int((match[2] or "0").ljust(2, "0"))):
        raise Denied("isv.invalid-parameter", f"amount: {text[:20]!r} is no amount like 100.00")
    return amount


def yuan(amount: int) -> str:
    """``100.50``."""
    return f"{amount // 100}.{amount % 100:02d}"


def open_order(db: sqlite3.Connection, order: PayOrder) -> PayOrder:
    """The order as it is now, made at the first call; raises Denied when it differs."""
    db.execute(
        "INSERT OR IGNORE INTO pay_orders VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            order.out_trade_no, order.subject, order.amount, order.status.value, order.created_at, order.expires_at,
            order.notify_url, order.return_url,
        ),
    )  # fmt: skip
    kept = get_order(db, order.out_trade_no)
    if kept.amount != order.amount:
        raise Denied("ACQ.CONTEXT_INCONSISTENT", "out_trade_no: the same number with another amount")
    return kept


def get_order(db: sqlite3.Connection, number: str) -> PayOrder:
    """One order; raises Denied."""
    row = db.execute("SELECT * FROM pay_orders WHERE out_trade_no = ?", (number,)).fetchone()
    if row is None:
        raise Denied("ACQ.TRADE_NOT_EXIST", f"交易不存在 there is no order {number[:40]!r}")
    return PayOrder(**{**dict(row), "status": Status(row["status"])})


def orders(db: sqlite3.Connection, limit: int) -> list[PayOrder]:
    """The newest orders."""
    rows = db.execute("SELECT * FROM pay_orders ORDER BY created_at DESC, rowid DESC LIMIT ?", (limit,)).fetchall()
    return [PayOrder(**{**dict(row), "status": Status(row["status"])}) for row in rows]


def trades(db: sqlite3.Connection, number: str) -> list[Trade]:
    """What paid an order, oldest first."""
    rows = db.execute("SELECT * FROM pay_trades WHERE out_trade_no = ? ORDER BY rowid", (number,)).fetchall()
    return [Trade(**dict(row)) for row in rows]


def pay(db: sqlite3.Connection, number: str, *, however: bool = False) -> Trade:
    """Pay an order; ``however`` it stands (closed, expired, paid already), else raises Denied unless it is payable."""
    order = get_order(db, number)
    if not however and not order.is_payable:
        raise Denied("ACQ.TRADE_STATUS_ERROR", "交易状态不合法 the order cannot be paid any more")
    trade = Trade(new_trade_no(), number, order.amount, time.time())
    db.execute(
        "INSERT INTO pay_trades (trade_no, out_trade_no, amount, paid_at) VALUES (?, ?, ?, ?)",
        (trade.trade_no, number, trade.amount, trade.paid_at),
    )
    _set(db, number, Status.SUCCESS)
    return trade


def close(db: sqlite3.Connection, number: str) -> None:
    """Close an order that waits; raises Denied for any other."""
    if get_order(db, number).status is not Status.WAITING:
        raise Denied("ACQ.TRADE_STATUS_ERROR", "交易状态不合法 only an order that waits can be closed")
    _set(db, number, Status.CLOSED)


def refund(db: sqlite3.Connection, wish: Refund) -> tuple[Trade, bool]:
    """The trade afterwards, and whether money moved; raises Denied.

    None moves by a repeated request, nor by the first one for a trade that is stuck.
    """
    trade = get_trade(db, wish.trade_no)
    before = refunded(db, wish.trade_no, wish.request)
    if before is not None:
        if before != wish.amount:
            raise Denied("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "out_request_no: the same number with another amount")
        return trade, False
    if trade.refunded + wish.amount > trade.amount:
        raise Denied("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "refund_amount: more than is left of the payment")
    if db.execute("DELETE FROM pay_stuck WHERE trade_no = ?", (wish.trade_no,)).rowcount:
        return trade, False
    _give_back(db, wish)
    return trade, True


def get_trade(db: sqlite3.Connection, trade_no: str) -> Trade:
    """One payment; raises Denied."""
    row = db.execute("SELECT * FROM pay_trades WHERE trade_no = ?", (trade_no,)).fetchone()
    if row is None:
        raise Denied("ACQ.TRADE_NOT_EXIST", "交易不存在 there is no such trade")
    return Trade(**dict(row))


def refunded(db: sqlite3.Connection, trade_no: str, request: str) -> int | None:
    """What a refund request gave back; None: nothing."""
    query = "SELECT amount FROM pay_refunds WHERE trade_no = ? AND out_request_no = ?"
    row = db.execute(query, (trade_no, request)).fetchone()
    return None if row is None else int(row["amount"])


def stick(db: sqlite3.Connection, trade_no: str) -> None:
    """The next refund of this trade is answered well, and moves nothing."""
    db.execute("INSERT OR IGNORE INTO pay_stuck VALUES (?)", (trade_no,))


def _give_back(db: sqlite3.Connection, wish: Refund) -> None:
    db.execute("INSERT INTO pay_refunds VALUES (?, ?, ?, ?)", (wish.trade_no, wish.request, wish.amount, time.time()))
    db.execute("UPDATE pay_trades SET refunded = refunded + ? WHERE trade_no = ?", (wish.amount, wish.trade_no))
    db.execute(
        "UPDATE pay_orders SET status = ? WHERE NOT EXISTS (SELECT 1 FROM pay_trades t"
        " WHERE t.out_trade_no = pay_orders.out_trade_no AND t.refunded < t.amount)"
        " AND out_trade_no = (SELECT out_trade_no FROM pay_trades WHERE trade_no = ?)",
        (Status.CLOSED.value, wish.trade_no),
    )


def _set(db: sqlite3.Connection, number: str, status: Status) -> None:
    db.execute("UPDATE pay_orders SET status = ? WHERE out_trade_no = ?", (status.value, number))


def new_trade_no() -> str:
    """28 digits that begin with the day, as Alipay's do."""
    return time.strftime("%Y%m%d") + "".join(secrets.choice("0123456789") for _ in range(20))


def refunds(db: sqlite3.Connection, number: str) -> list[dict[str, Any]]:
    """What of an order's payments was given back."""
    rows = db.execute(
        "SELECT r.* FROM pay_refunds r JOIN pay_trades t ON t.trade_no = r.trade_no WHERE t.out_trade_no = ?"
        " ORDER BY r.rowid",
        (number,),
    )
    return [dict(row) for row in rows]
