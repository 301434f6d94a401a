"""Our gateway against the sandbox's pay desk over HTTP: two implementations of RSA2 that know nothing of each other."""

import base64
import datetime as dt
import time
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from domain.billing import (
    NoticeRefused,
    PaymentNotice,
    PayOrder,
    ProviderAnswer,
    ProviderRefused,
    ProviderTrouble,
    RefundOrder,
)
from domain.ids import new_id
from gateways.alipay import AlipayDesk
from sandbox.pay_desk import Manner
from tests.conftest import free_port
from tests.pay_world import Desk, form_of


def order(**changes: object) -> PayOrder:
    made = PayOrder(
        new_id().hex, 10_050, "Songda 送达 100.50", dt.datetime.now(dt.UTC) + dt.timedelta(minutes=30),
        "http://127.0.0.1:1/callbacks/alipay/notify", "http://127.0.0.1:1/portal/recharges/1/return",
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


async def opened(pay: Desk, **changes: object) -> PayOrder:
    made = order(**changes)
    page = await pay.visit(pay.ours.pay_url(made))
    assert page.status_code == 200, page.text
    return made


async def paid(pay: Desk, manner: Manner = Manner.SILENCE) -> tuple[PayOrder, PaymentNotice]:
    made = await opened(pay)
    await pay.act(made.number, manner)
    found = await pay.ours.query(made.number)
    assert found is not None
    return made, found


async def test_the_pay_url_brings_the_order_to_the_desk(pay: Desk) -> None:
    made = await opened(pay)
    shown = await pay.order(made.number)
    assert (shown["subject"], shown["total_amount"]) == ("Songda 送达 100.50", "100.50")
    assert shown["status"] == "WAIT_BUYER_PAY"
    assert shown["expires_at"] == int(made.expires_at.timestamp())
    assert (shown["notify_url"], shown["return_url"]) == (made.notify_url, made.return_url)


@pytest.mark.parametrize(
    ("old", "new"), [("100.50", "1.00"), ("8600", "8601"), ("9021000100000001", "9021000100000009")]
)
async def test_an_altered_pay_url_is_refused_by_the_desk(pay: Desk, old: str, new: str) -> None:
    made = order(notify_url="http://127.0.0.1:8600/callbacks/alipay/notify")
    page = await pay.visit(pay.ours.pay_url(made).replace(old, new))
    assert page.status_code == 400
    assert (await pay.http.get(f"/alipay/orders/{made.number}")).status_code == 404


async def test_a_query_says_unknown_waiting_paid_closed(pay: Desk) -> None:
    assert await pay.ours.query(new_id().hex) is None
    made = await opened(pay)
    waiting = await pay.ours.query(made.number)
    assert waiting is not None
    assert (waiting.paid, waiting.closed, waiting.amount_fen) == (False, False, 10_050)
    await pay.act(made.number, Manner.SILENCE)
    found = await pay.ours.query(made.number)
    assert found is not None
    assert (found.number, found.paid, found.amount_fen, found.currency) == (made.number, True, 10_050, "CNY")
    assert found.transaction
    assert found.paid_at is not None
    assert abs(found.paid_at.timestamp() - time.time()) < 5, "Alipay's clock is Shanghai's"
    other = await opened(pay)
    assert await pay.ours.close(other.number) is ProviderAnswer.CLOSED
    closed = await pay.ours.query(other.number)
    assert closed is not None and closed.closed and not closed.paid


async def test_closing_what_is_unknown_or_paid(pay: Desk) -> None:
    assert await pay.ours.close(new_id().hex) is ProviderAnswer.UNKNOWN
    made, _ = await paid(pay)
    assert await pay.ours.close(made.number) is ProviderAnswer.WAITING


async def test_a_refund_is_made_once_per_request_number(pay: Desk) -> None:
    made, found = await paid(pay)
    wish = RefundOrder(made.number, found.transaction, new_id().hex, 10_050)
    await pay.ours.refund(wish)
    await pay.ours.refund(wish)
    shown = await pay.order(made.number)
    assert [each["amount"] for each in shown["refunds"]] == [10_050]
    with pytest.raises(ProviderRefused):
        await pay.ours.refund(replace(wish, request=new_id().hex))
    with pytest.raises(ProviderRefused):
        await pay.ours.refund(replace(wish, transaction="1"))


async def test_a_refund_that_moved_no_money_is_none_and_asking_again_makes_it(pay: Desk) -> None:
    """Code 10000 and `fund_change=N`: Alipay took the request, and gave nothing back."""
    made = await opened(pay)
    await pay.act(made.number, Manner.REFUND_STUCK)
    trade = (await pay.order(made.number))["trades"][1]["trade_no"]
    wish = RefundOrder(made.number, trade, new_id().hex, 10_050)
    with pytest.raises(ProviderTrouble) as trouble:
        await pay.ours.refund(wish)
    assert trouble.value.reason == "not-refunded"
    assert (await pay.order(made.number))["refunds"] == []
    await pay.ours.refund(wish)
    assert [each["trade_no"] for each in (await pay.order(made.number))["refunds"]] == [trade]


async def test_a_refund_whose_answer_was_lost_is_known_by_its_query(pay: Desk) -> None:
    """The repeat moves nothing, and says so."""
    made, found = await paid(pay)
    wish = RefundOrder(made.number, found.transaction, new_id().hex, 10_050)
    await pay.fails("silent", 1)
    with pytest.raises(ProviderTrouble):
        await pay.ours.refund(wish)
    await pay.ours.refund(wish)
    assert [each["amount"] for each in (await pay.order(made.number))["refunds"]] == [10_050]


GIVEN_BACK = {
    "code": "10000", "trade_no": "t", "out_trade_no": "n", "out_request_no": "r", "refund_amount": "100.50",
    "refund_status": "REFUND_SUCCESS",
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"refund_amount": None}, None),
        ({"refund_status": None}, "not-refunded"),
        ({"refund_status": "REFUND_PROCESSING"}, "not-refunded"),
        ({"out_request_no": "other"}, "answer-number"),
        ({"trade_no": "other"}, "answer-number"),
        ({"refund_amount": "100.49"}, "answer-amount"),
        ({"refund_amount": "all"}, "answer-amount"),
        ({"code": "20000", "sub_code": "isp.unknow-error"}, "isp.unknow-error"),
    ],
)
async def test_what_the_query_of_a_refund_must_say(
    pay: Desk, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str | None], reason: str | None
) -> None:
    """Signed answers, as the pay desk would not give them."""
    said = {name: value for name, value in (GIVEN_BACK | changes).items() if value is not None}
    answers = iter(({"code": "10000", "trade_no": "t", "fund_change": "N"}, said))

    async def answer(params: Mapping[str, str]) -> str:
        return pay.signer.answer(params["method"], next(answers))

    monkeypatch.setattr(pay.inner, "answer", answer)
    refund = pay.ours.refund(RefundOrder("n", "t", "r", 10_050))
    if reason is None:
        await refund
        return
    with pytest.raises(ProviderTrouble) as trouble:
        await refund
    assert trouble.value.reason == reason


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("error", "connection"),
        ("silent", "connection"),
        ("garbled", "answer-garbled"),
        ("bad_signature", "answer-signature"),
        ("system_error", "ACQ.SYSTEM_ERROR"),
    ],
)
async def test_what_is_no_credible_answer_is_trouble(pay: Desk, fault: str, reason: str) -> None:
    made, found = await paid(pay)
    await pay.fails(fault)
    wish = RefundOrder(made.number, found.transaction, new_id().hex, 10_050)
    for attempt in (pay.ours.query(made.number), pay.ours.close(made.number), pay.ours.refund(wish)):
        with pytest.raises(ProviderTrouble) as trouble:
            await attempt
        assert trouble.value.reason in (reason, "answer-signature")
    await pay.fails(None)
    await pay.ours.refund(wish)
    assert len((await pay.order(made.number))["refunds"]) == 1


async def test_an_answer_to_another_key_or_from_nobody_is_trouble(pay: Desk) -> None:
    stranger = AlipayDesk(replace(pay.app, private_key=pay.keys.desk_private))
    with pytest.raises(ProviderTrouble) as trouble:
        await stranger.query(new_id().hex)
    assert trouble.value.reason == "answer-unsigned"
    nobody = AlipayDesk(replace(pay.app, gateway_url=f"http://127.0.0.1:{free_port()}/gateway.do"))
    with pytest.raises(ProviderTrouble) as trouble:
        await nobody.query(new_id().hex)
    assert trouble.value.reason == "connection"


def bare(pem: str) -> str:
    """As Alipay's key tool writes it: one line of base64."""
    return "".join(line for line in pem.splitlines() if "-----" not in line)


async def test_keys_may_be_bare_or_on_one_line(pay: Desk) -> None:
    app, made = pay.app, await opened(pay)
    for shape in (bare, lambda pem: pem.replace("\n", "\\n")):
        ours = AlipayDesk(replace(app, private_key=shape(app.private_key), public_key=shape(app.public_key)))
        assert await ours.query(made.number) is not None
    with pytest.raises(ValueError):
        AlipayDesk(replace(app, private_key=base64.b64encode(b"no key").decode()))
    assert app.private_key not in repr(app)


NOTICE = {
    "app_id": "9021000100000001", "seller_id": "2088000000000001", "out_trade_no": "a", "trade_no": "t",
    "subject": "送达", "total_amount": "100.50", "trade_status": "TRADE_SUCCESS",
    "gmt_payment": "2026-11-23 18:00:00", "blank": "",
}  # fmt: skip


async def test_a_notification_is_read(pay: Desk) -> None:
    notice = pay.ours.read_notice(pay.signer.signed_form(NOTICE))
    paid_at = dt.datetime(2026, 11, 23, 10, tzinfo=dt.UTC)
    assert notice == PaymentNotice("a", "t", 10_050, "CNY", True, paid_at)


@pytest.mark.parametrize(
    ("status", "paid", "closed"),
    [("TRADE_FINISHED", True, False), ("WAIT_BUYER_PAY", False, False), ("TRADE_CLOSED", False, True)],
)
async def test_the_status_of_a_notification(pay: Desk, status: str, paid: bool, closed: bool) -> None:
    notice = pay.ours.read_notice(pay.signer.signed_form(NOTICE | {"trade_status": status}))
    assert (notice.paid, notice.closed) == (paid, closed)


@pytest.mark.parametrize("name", sorted(NOTICE))
async def test_every_value_of_a_notification_is_signed(pay: Desk, name: str) -> None:
    form = pay.signer.signed_form(NOTICE) | {name: "x"}
    with pytest.raises(NoticeRefused) as refused:
        pay.ours.read_notice(form)
    assert refused.value.reason == "signature"


@pytest.mark.parametrize(
    "changes",
    [
        {"sign": ""}, {"sign": "AAAA"}, {"sign": "送达"}, {"sign": "?"}, {"sign_type": "RSA"}, {"sign_type": ""},
        {"added": "1"},
    ],
)  # fmt: skip
async def test_a_signature_that_is_none_is_refused(pay: Desk, changes: dict[str, str]) -> None:
    with pytest.raises(NoticeRefused) as refused:
        pay.ours.read_notice(pay.signer.signed_form(NOTICE) | changes)
    assert refused.value.reason == "signature"
    with pytest.raises(NoticeRefused):
        pay.ours.read_notice({})


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("app_id", "9021000100000002", "app"),
        ("seller_id", "2088000000000002", "seller"),
        ("total_amount", "1e3", "amount"),
        ("total_amount", "-100.50", "amount"),
        ("total_amount", "100.505", "amount"),
    ],
)
async def test_anothers_notification_is_refused_however_well_signed(
    pay: Desk, name: str, value: str, reason: str
) -> None:
    with pytest.raises(NoticeRefused) as refused:
        pay.ours.read_notice(pay.signer.signed_form(NOTICE | {name: value}))
    assert refused.value.reason == reason


async def test_the_currency_is_read(pay: Desk) -> None:
    assert pay.ours.read_notice(pay.signer.signed_form(NOTICE | {"trans_currency": "USD"})).currency == "USD"
    assert pay.ours.read_notice(pay.signer.signed_form(NOTICE | {"trans_currency": "CNY"})).currency == "CNY"


async def test_the_request_carries_alipays_time_and_no_personal_data(pay: Desk) -> None:
    values = form_of(urlsplit(pay.ours.pay_url(order())).query)
    said = dt.datetime.strptime(values["timestamp"] + "+0800", "%Y-%m-%d %H:%M:%S%z")
    assert abs((said - dt.datetime.now(dt.UTC)).total_seconds()) < 5
    assert set(values) == {
        "app_id", "biz_content", "charset", "method", "notify_url", "return_url", "sign", "sign_type", "timestamp",
        "version",
    }  # fmt: skip
