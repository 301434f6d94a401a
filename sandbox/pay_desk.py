"""The pay desk of the pretend Internet: Alipay's page payment, query, close, refund and its query, with RSA2 both ways.

It checks what the merchant signed, signs what it says, and misbehaves when asked to (`Manner`, `Fault`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from sandbox import pay_orders as rows
from sandbox.database import Database
from sandbox.pay_keys import APP_ID, SELLER_ID, PayKeys
from sandbox.pay_notices import Notifier, is_loopback
from sandbox.pay_orders import Denied, PayOrder, Status, Trade, fen, yuan
from sandbox.pay_signing import Signer, unsigned_answer

CHINA = timezone(timedelta(hours=8))
PAGE_PAY = "alipay.trade.page.pay"


class Manner(StrEnum):
    """What the buyer, or somebody who pretends to be Alipay, does."""

    PAY = "pay"
    SILENCE = "silence"
    LATE = "late"
    NOTIFY_TWICE = "notify_twice"
    NOTIFY_100 = "notify_100"
    PAY_TWICE = "pay_twice"
    REFUND_STUCK = "refund_stuck"
    WRONG_AMOUNT = "wrong_amount"
    WRONG_APP = "wrong_app"
    WRONG_SELLER = "wrong_seller"
    WRONG_CURRENCY = "wrong_currency"
    FORGED = "forged"


MANNERS: dict[Manner, tuple[str, str]] = {
    Manner.PAY: ("支付", "Pay"),
    Manner.SILENCE: ("支付，但不发通知", "Pay, but send no notification"),
    Manner.LATE: ("无论订单是否已关闭都支付", "Pay even if the order is closed"),
    Manner.NOTIFY_TWICE: ("支付，通知两次", "Pay, notify twice"),
    Manner.NOTIFY_100: ("支付，通知 100 次", "Pay, notify 100 times"),
    Manner.PAY_TWICE: ("重复支付（两笔）", "Pay twice"),
    Manner.REFUND_STUCK: ("重复支付，首次退款请求不退钱", "Pay twice; the first refund request moves no money"),
    Manner.WRONG_AMOUNT: ("不支付，通知里多一分钱", "No payment: notify a fen too much"),
    Manner.WRONG_APP: ("不支付，通知用别的应用", "No payment: notify for another app"),
    Manner.WRONG_SELLER: ("不支付，通知用别的收款人", "No payment: notify for another seller"),
    Manner.WRONG_CURRENCY: ("不支付，通知用别的币种", "No payment: notify another currency"),
    Manner.FORGED: ("不支付，通知用伪造的签名", "No payment: notify with a forged signature"),
}
_PAYMENTS = {Manner.PAY: 1, Manner.SILENCE: 0, Manner.LATE: 1, Manner.NOTIFY_TWICE: 2, Manner.NOTIFY_100: 100}
"""How often a payment is notified."""
_LIES: dict[Manner, dict[str, str]] = {
    Manner.WRONG_APP: {"app_id": "9021000100000002"},
    Manner.WRONG_SELLER: {"seller_id": "2088000000000002"},
    Manner.WRONG_CURRENCY: {"trans_currency": "USD", "settle_currency": "USD"},
}


class Fault(StrEnum):
    """How the gateway may fail."""

    ERROR = "error"
    """HTTP 502."""
    GARBLED = "garbled"
    BAD_SIGNATURE = "bad_signature"
    SYSTEM_ERROR = "system_error"
    SILENT = "silent"
    """Done, but the answer is lost."""


@dataclass
class _Scripted:
    fault: Fault
    times: int | None


class PayDesk:
    """Orders and answers; what is paid is notified through a Notifier."""

    def __init__(self, database: Database, notifier: Notifier, keys: PayKeys) -> None:
        self._database = database
        self._notifier = notifier
        self._signer = Signer(keys.desk_private, keys.app_public)
        self._scripted: _Scripted | None = None
        self.keys = keys

    async def open(self, params: Mapping[str, str]) -> PayOrder:
        """The order that a browser brought (``alipay.trade.page.pay``); raises Denied."""
        content = self._checked(params)
        if params.get("method") != PAGE_PAY or content.get("product_code") != "FAST_INSTANT_TRADE_PAY":
            raise Denied("isv.invalid-parameter", "method: a browser comes with alipay.trade.page.pay only")
        urls = params.get("notify_url", ""), params.get("return_url", "")
        if any(url and not is_loopback(url) for url in urls):
            raise Denied("isv.invalid-parameter", "notify_url, return_url: the sandbox talks to this machine only")
        wanted = PayOrder(
            _text(content, "out_trade_no", 64), _text(content, "subject", 256), fen(_text(content, "total_amount", 12)),
            Status.WAITING, time.time(), _expiry(content), *urls,
        )  # fmt: skip
        return await self._database.run(rows.open_order, wanted)

    async def answer(self, params: Mapping[str, str]) -> str:
        """The JSON answer to a request of the merchant's server."""
        method = params.get("method", "")
        try:
            content = self._checked(params)
        except Denied as denied:
            return unsigned_answer(method or "error", _denial("40002", denied))
        fault = self._take_fault()
        if fault is Fault.ERROR:
            raise Spoilt
        if fault is Fault.SYSTEM_ERROR:
            return self._signer.answer(method, _denial("40004", Denied("ACQ.SYSTEM_ERROR", "系统错误 try again later")))
        try:
            said = {"code": "10000", "msg": "Success", **await self._do(method, content)}
        except Denied as denied:
            said = _denial("40004", denied)
        return _spoilt(fault, self._signer.answer(method, said))

    async def act(self, number: str, manner: Manner) -> PayOrder:
        """Do with an order as the person or the test chose; raises Denied."""
        order = await self._database.run(rows.get_order, number)
        if manner in (Manner.PAY_TWICE, Manner.REFUND_STUCK):
            await self._pay(order, manner, 1)
            await self._pay(order, Manner.LATE, 1, stuck=manner is Manner.REFUND_STUCK)
        elif manner in _PAYMENTS:
            await self._pay(order, manner, _PAYMENTS[manner])
        else:
            await self._notifier.owe(number, order.notify_url, manner.value, [self._lie(order, manner)])
        return await self._database.run(rows.get_order, number)

    async def cancel(self, number: str) -> None:
        """Close an order as its buyer; raises Denied."""
        await self._database.run(rows.close, number)

    async def show(self, number: str) -> dict[str, Any]:
        """All that is known of an order; raises Denied."""
        order = await self._database.run(rows.get_order, number)
        trades = await self._database.run(rows.trades, number)
        refunds = await self._database.run(rows.refunds, number)
        return {"order": order, "trades": trades, "refunds": refunds, "notices": await self._notifier.sent(number)}

    async def orders(self, limit: int = 100) -> list[PayOrder]:
        """The newest orders."""
        return await self._database.run(rows.orders, limit)

    async def notify_again(self, number: str) -> int:
        """Repeat every payment's notification, in whatever state the order is; returns how many."""
        order = await self._database.run(rows.get_order, number)
        forms = [self._notice(order, trade) for trade in await self._database.run(rows.trades, number)]
        await self._notifier.owe(number, order.notify_url, "again", forms)
        return len(forms)

    async def way_back(self, number: str) -> str:
        """Where the browser returns to, with what Alipay appends; empty when the merchant named no page."""
        order = await self._database.run(rows.get_order, number)
        trades = await self._database.run(rows.trades, number)
        if not order.return_url or not trades:
            return order.return_url
        values = {
            "app_id": APP_ID, "charset": "utf-8", "method": f"{PAGE_PAY}.return", "out_trade_no": number,
            "seller_id": SELLER_ID, "timestamp": _clock(time.time()), "total_amount": yuan(order.amount),
            "trade_no": trades[0].trade_no, "version": "1.0",
        }  # fmt: skip
        joint = "&" if "?" in order.return_url else "?"
        return order.return_url + joint + urlencode(self._signer.signed_form(values))

    def script(self, fault: Fault | None, times: int | None) -> None:
        """Fail for so many requests (None: until told otherwise)."""
        self._scripted = _Scripted(fault, times) if fault else None

    async def _pay(self, order: PayOrder, manner: Manner, notices: int, *, stuck: bool = False) -> None:
        trade = await self._database.run(rows.pay, order.out_trade_no, however=manner is Manner.LATE)
        if stuck:
            await self._database.run(rows.stick, trade.trade_no)
        forms = [self._notice(order, trade)] * notices
        await self._notifier.owe(order.out_trade_no, order.notify_url, manner.value, forms)

    def _notice(self, order: PayOrder, trade: Trade, **other: str) -> dict[str, str]:
        values = {
            "app_id": APP_ID, "auth_app_id": APP_ID, "buyer_id": "2088102169481075", "charset": "utf-8",
            "gmt_create": _clock(order.created_at), "gmt_payment": _clock(trade.paid_at),
            "notify_id": uuid4().hex, "notify_time": _clock(time.time()), "notify_type": "trade_status_sync",
            "out_trade_no": order.out_trade_no, "receipt_amount": yuan(trade.amount), "seller_id": SELLER_ID,
            "subject": order.subject, "total_amount": yuan(trade.amount), "trade_no": trade.trade_no,
            "trade_status": Status.SUCCESS.value, "version": "1.0", **other,
        }  # fmt: skip
        return self._signer.signed_form(values)

    def _lie(self, order: PayOrder, manner: Manner) -> dict[str, str]:
        trade = Trade(rows.new_trade_no(), order.out_trade_no, order.amount, time.time())
        if manner is Manner.WRONG_AMOUNT:
            return self._notice(order, Trade(trade.trade_no, trade.out_trade_no, trade.amount + 1, trade.paid_at))
        form = self._notice(order, trade, **_LIES.get(manner, {}))
        if manner is Manner.FORGED:
            form["sign"] = self._signer.sign("something else")
        return form

    def _checked(self, params: Mapping[str, str]) -> dict[str, Any]:
        """The ``biz_content`` of a request that is the merchant's; raises Denied."""
        if params.get("app_id") != APP_ID:
            raise Denied("isv.invalid-app-id", f"app_id: this pay desk knows {APP_ID} only")
        if params.get("sign_type") != "RSA2" or not self._signer.is_theirs(params):
            raise Denied("isv.invalid-signature", "sign: not made by the merchant's key over these parameters")
        try:
            content = json.loads(params.get("biz_content", ""))
        except json.JSONDecodeError:
            content = None
        if not isinstance(content, dict):
            raise Denied("isv.invalid-parameter", "biz_content: a JSON object is needed")
        return content

    async def _do(self, method: str, content: dict[str, Any]) -> dict[str, Any]:
        number = str(content.get("out_trade_no", ""))
        if method == "alipay.trade.query":
            return await self._query(number)
        if method == "alipay.trade.close":
            await self._database.run(rows.close, number)
            return {"out_trade_no": number, "trade_no": ""}
        if method == "alipay.trade.refund":
            return await self._refund(content)
        if method == "alipay.trade.fastpay.refund.query":
            return await self._refund_query(content)
        raise Denied("isv.invalid-method", f"method: {method[:60]!r} is not spoken here")

    async def _query(self, number: str) -> dict[str, Any]:
        order = await self._database.run(rows.get_order, number)
        trades = await self._database.run(rows.trades, number)
        said = {
            "out_trade_no": number, "trade_status": order.status.value, "total_amount": yuan(order.amount),
            "trade_no": trades[0].trade_no if trades else "", "buyer_logon_id": "buy***@sandbox.example",
        }  # fmt: skip
        return said | ({"send_pay_date": _clock(trades[0].paid_at)} if trades else {})

    async def _refund(self, content: dict[str, Any]) -> dict[str, Any]:
        wish = rows.Refund(
            _text(content, "trade_no", 64),
            _text(content, "out_request_no", 64),
            fen(_text(content, "refund_amount", 12)),
        )
        trade, moved = await self._database.run(rows.refund, wish)
        return {
            "trade_no": trade.trade_no, "out_trade_no": trade.out_trade_no, "fund_change": "Y" if moved else "N",
            "refund_fee": yuan(wish.amount), "buyer_logon_id": "buy***@sandbox.example",
        }  # fmt: skip

    async def _refund_query(self, content: dict[str, Any]) -> dict[str, Any]:
        """Of a request that moved no money Alipay says nothing, and says that with code 10000."""
        trade = await self._database.run(rows.get_trade, _text(content, "trade_no", 64))
        request = _text(content, "out_request_no", 64)
        amount = await self._database.run(rows.refunded, trade.trade_no, request)
        if amount is None:
            return {}
        return {
            "trade_no": trade.trade_no, "out_trade_no": trade.out_trade_no, "out_request_no": request,
            "total_amount": yuan(trade.amount), "refund_amount": yuan(amount), "refund_status": "REFUND_SUCCESS",
        }  # fmt: skip

    def _take_fault(self) -> Fault | None:
        scripted = self._scripted
        if scripted is None or scripted.times == 0:
            return None
        if scripted.times is not None:
            scripted.times -= 1
        return scripted.fault


class Spoilt(Exception):
    """No answer shall arrive."""


def _spoilt(fault: Fault | None, answer: str) -> str:
    if fault is Fault.SILENT:
        raise Spoilt
    if fault is Fault.GARBLED:
        return answer[: len(answer) // 2]
    return answer.replace('"code":', '"code" :', 1) if fault is Fault.BAD_SIGNATURE else answer


def _denial(code: str, denied: Denied) -> dict[str, str]:
    msg = "Invalid Arguments" if code == "40002" else "Business Failed"
    return {"code": code, "msg": msg, "sub_code": denied.sub_code, "sub_msg": denied.text}


def _text(content: dict[str, Any], name: str, longest: int) -> str:
    value = content.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        raise Denied("isv.invalid-parameter", f"{name}: 1 to {longest} characters are needed")
    return value


def _expiry(content: dict[str, Any]) -> float | None:
    text = content.get("time_expire")
    if text is None:
        return None
    try:
        return datetime.strptime(str(text), "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA).timestamp()
    except ValueError:
        raise Denied("isv.invalid-parameter", "time_expire: write it like 2026-11-23 18:00:00") from None


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, CHINA).strftime("%Y-%m-%d %H:%M:%S")
