"""Alipay over its open API (RSA2, `alipay.trade.*`), through python-alipay-sdk; the sandbox's pay desk speaks it too.

Sources: Alipay open documents 203/105286 (asynchronous notifications), 028r8t (trade interfaces), 200/106120 (signed
answers), api_1/alipay.trade.fastpay.refund.query (what a refund came to). Its times are Asia/Shanghai without a zone,
its amounts yuan with two decimals.
"""

import asyncio
import base64
import datetime as dt
from collections.abc import Mapping
from typing import Any

from alipay import AliPay
from alipay.exceptions import AliPayException, AliPayValidationError
from alipay.utils import AliPayConfig

from domain.billing import (
    AlipayApp,
    NoticeFault,
    NoticeRefused,
    PaymentNotice,
    PayOrder,
    ProviderAnswer,
    ProviderRefused,
    ProviderTrouble,
    RefundOrder,
)
from domain.errors import Refusal
from domain.money import CURRENCY, parse_fen, plain_yuan
from domain.times import SHANGHAI

SECONDS = 10.0
"""For one request: connection and answer."""
_OK = "10000"
_NO_SUCH = "ACQ.TRADE_NOT_EXIST"
_NOT_OPEN = frozenset({"ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_TRADE_STATUS_INVALID"})
_TRY_LATER = frozenset({"ACQ.SYSTEM_ERROR", "aop.ACQ.SYSTEM_ERROR", "isp.unknow-error"})
_PAID = frozenset({"TRADE_SUCCESS", "TRADE_FINISHED"})
_CLOSED = "TRADE_CLOSED"
_REFUNDED = "REFUND_SUCCESS"
_CURRENCIES = ("trans_currency", "settle_currency", "pay_currency")
_FORMAT = "%Y-%m-%d %H:%M:%S"


class _Sdk(AliPay):
    """The SDK, with the time of Alipay's zone whatever the zone of this machine."""

    def build_body(self, method: str, biz_content: dict[str, Any] | None = None, **kwargs: Any) -> dict[str, Any]:
        stamp = dt.datetime.now(SHANGHAI).strftime(_FORMAT)
        body: dict[str, Any] = super().build_body(method, biz_content, **{"timestamp": stamp, **kwargs})
        return body


class AlipayDesk:
    """Requests run in a thread (the SDK blocks), each within `seconds`. Raises `ValueError` for keys that are none."""

    def __init__(self, app: AlipayApp, seconds: float = SECONDS) -> None:
        self._app = app
        self._seconds = seconds
        self._sdk = _Sdk(
            appid=app.app_id,
            app_private_key_string=_key(app.private_key),
            alipay_public_key_string=_key(app.public_key),
            config=AliPayConfig(timeout=seconds),
        )
        self._sdk._gateway = app.gateway_url

    def pay_url(self, order: PayOrder) -> str:
        """Where the browser goes to pay: a signed `alipay.trade.page.pay`."""
        signed = self._sdk.api_alipay_trade_page_pay(
            order.subject,
            order.number,
            plain_yuan(order.amount_fen),
            order.return_url,
            order.notify_url,
            time_expire=order.expires_at.astimezone(SHANGHAI).strftime(_FORMAT),
        )
        return f"{self._app.gateway_url}?{signed}"

    def read_notice(self, form: Mapping[str, str]) -> PaymentNotice:
        """A notification whose signature, application and seller are right. Raises `NoticeRefused`."""
        if not self._is_signed(form):
            raise NoticeRefused(NoticeFault.SIGNATURE)
        if form.get("app_id") != self._app.app_id:
            raise NoticeRefused(NoticeFault.APP)
        if form.get("seller_id") != self._app.seller_id:
            raise NoticeRefused(NoticeFault.SELLER)
        return _notice(form, form.get("gmt_payment", ""))

    async def query(self, number: str) -> PaymentNotice | None:
        """What became of an order; None: Alipay has no such trade. Raises `ProviderTrouble`, `ProviderRefused`."""
        answer = await self._call("alipay.trade.query", {"out_trade_no": number})
        if answer.get("sub_code") == _NO_SUCH:
            return None
        _require_ok(answer)
        try:
            found = _notice(answer, answer.get("send_pay_date", ""))
        except NoticeRefused as refused:
            raise ProviderTrouble(f"answer-{refused.reason}") from None
        if found.number != number:  # somebody else's answer, however well signed
            raise ProviderTrouble("answer-number")
        return found

    async def close(self, number: str) -> ProviderAnswer:
        """`CLOSED` now, `UNKNOWN`, or `WAITING`: it is not open, ask what it is. Raises as `query` does."""
        answer = await self._call("alipay.trade.close", {"out_trade_no": number})
        if answer.get("sub_code") == _NO_SUCH:
            return ProviderAnswer.UNKNOWN
        if answer.get("sub_code") in _NOT_OPEN:
            return ProviderAnswer.WAITING
        _require_ok(answer)
        if answer.get("out_trade_no") != number:
            raise ProviderTrouble("answer-number")
        return ProviderAnswer.CLOSED

    async def refund(self, order: RefundOrder) -> None:
        """Give money back, once per `order.request`. Raises as `query` does, unless the money moved, now or before."""
        content = {
            "trade_no": order.transaction,
            "out_trade_no": order.number,
            "refund_amount": plain_yuan(order.amount_fen),
            "out_request_no": order.request,
            "refund_reason": "not credited",
        }
        answer = await self._call("alipay.trade.refund", content)
        _require_ok(answer)
        if answer.get("trade_no") != order.transaction:
            raise ProviderTrouble("answer-number")
        if answer.get("fund_change") != "Y":  # nothing moved by this request: a repeat, or not refunded at all
            await self._require_refunded(order)

    async def _require_refunded(self, order: RefundOrder) -> None:
        """Code 10000 says of this question only that it was understood. Raises as `query` does."""
        content = {
            "trade_no": order.transaction,
            "out_trade_no": order.number,
            "out_request_no": order.request,
        }
        answer = await self._call("alipay.trade.fastpay.refund.query", content)
        _require_ok(answer)
        if answer.get("refund_status") != _REFUNDED:  # left out: not received, or not made
            raise ProviderTrouble("not-refunded")
        if (answer.get("trade_no"), answer.get("out_request_no")) != (order.transaction, order.request):
            raise ProviderTrouble("answer-number")
        if not _is_amount(answer.get("refund_amount"), order.amount_fen):
            raise ProviderTrouble("answer-amount")

    def _is_signed(self, form: Mapping[str, str]) -> bool:
        data = dict(form)
        signature = data.pop("sign", "")
        try:
            return bool(self._sdk.verify(data, signature))
        except (AliPayException, ValueError):  # another kind of signature; a signature that is no base64
            return False

    async def _call(self, method: str, content: dict[str, str]) -> Mapping[str, str]:
        """The signed content of the answer. Raises `ProviderTrouble` when there is none."""
        try:
            async with asyncio.timeout(self._seconds + 1):
                return await asyncio.to_thread(self._request, method, content)
        except TimeoutError:
            raise ProviderTrouble("timeout") from None

    def _request(self, method: str, content: dict[str, str]) -> Mapping[str, str]:
        try:
            answer = self._sdk.server_api(method, content)
        except AliPayValidationError:
            raise ProviderTrouble("answer-signature") from None
        except AliPayException:  # an answer without a signature: our own request was refused, or it is not Alipay
            raise ProviderTrouble("answer-unsigned") from None
        except TimeoutError:
            raise ProviderTrouble("timeout") from None
        except OSError:  # urllib's errors, too
            raise ProviderTrouble("connection") from None
        except (ValueError, AttributeError, KeyError, TypeError):  # what the SDK says of what is no JSON of Alipay's
            raise ProviderTrouble("answer-garbled") from None
        if not isinstance(answer, dict):
            raise ProviderTrouble("answer-garbled")
        return {name: value for name, value in answer.items() if isinstance(value, str)}


def _require_ok(answer: Mapping[str, str]) -> None:
    if answer.get("code") == _OK:
        return
    reason = answer.get("sub_code") or answer.get("code") or "unknown"
    if reason in _TRY_LATER or answer.get("code") == "20000":
        raise ProviderTrouble(reason)
    raise ProviderRefused(reason)


def _notice(said: Mapping[str, str], paid_at: str) -> PaymentNotice:
    """Raises `NoticeRefused` when an amount is none."""
    status = said.get("trade_status", "")
    return PaymentNotice(
        number=said.get("out_trade_no", ""),
        transaction=said.get("trade_no", ""),
        amount_fen=_fen(said.get("total_amount", "")),
        currency=next((said[name] for name in _CURRENCIES if said.get(name, CURRENCY) != CURRENCY), CURRENCY),
        paid=status in _PAID,
        paid_at=_moment(paid_at),
        closed=status == _CLOSED,
    )


def _fen(amount: str) -> int:
    try:
        return parse_fen(amount)
    except Refusal:
        raise NoticeRefused(NoticeFault.AMOUNT) from None


def _is_amount(said: str | None, fen: int) -> bool:
    """Whether an amount that need not be said is this one."""
    try:
        return said is None or _fen(said) == fen
    except NoticeRefused:
        return False


def _moment(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(text, _FORMAT).replace(tzinfo=SHANGHAI)
    except ValueError:
        return None


def _key(text: str) -> str | bytes:
    """PEM as it is (also on one line, with `\\n`), bare base64 as the DER that it holds."""
    if "-----BEGIN" in text:
        return text.replace("\\n", "\n")
    return base64.b64decode(text, validate=False)
