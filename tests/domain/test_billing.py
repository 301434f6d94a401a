"""What becomes of a payment, which numbers are ours, and how long an order lives."""

import datetime as dt
from dataclasses import replace

import pytest

from domain.billing import (
    OPEN_WAITS,
    Fate,
    NoticeRefused,
    OrderFacts,
    PaymentNotice,
    PaymentState,
    RechargeState,
    fate,
    order_id,
    order_valid,
    require_allowed_amount,
    require_fit,
    wait_after,
)
from domain.errors import Refusal
from domain.ids import new_id
from tests.webhook_world import POLICY

OPEN = OrderFacts(100, RechargeState.OPEN, True)
CLOSED = replace(OPEN, state=RechargeState.CLOSED)
CREDITED = replace(OPEN, state=RechargeState.CREDITED)
BACK = PaymentState.REFUND_WANTED


@pytest.mark.parametrize(
    ("order", "becomes"),
    [
        (OPEN, Fate(PaymentState.CREDITED, False)),
        (CLOSED, Fate(PaymentState.CREDITED, True)),
        (CREDITED, Fate(BACK, False, "paid_twice")),
        (replace(OPEN, account_active=False), Fate(BACK, False, "account_gone")),
        (replace(CLOSED, account_active=False), Fate(BACK, True, "account_gone")),
        (replace(CREDITED, account_active=False), Fate(BACK, False, "paid_twice")),
    ],
)
def test_the_fate_of_a_payment(order: OrderFacts, becomes: Fate) -> None:
    assert fate(order) == becomes


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"amount_fen": 101}, "amount"), ({"currency": "USD"}, "currency"), ({"transaction": ""}, "transaction")],
)
def test_what_does_not_fit(changes: dict[str, object], reason: str) -> None:
    good = PaymentNotice("n", "t", 100, "CNY", True)
    require_fit(good, OPEN)
    with pytest.raises(NoticeRefused) as refused:
        require_fit(replace(good, **changes), OPEN)  # type: ignore[arg-type]
    assert refused.value.reason == reason


def test_only_our_own_way_of_writing_a_number_is_ours() -> None:
    key = new_id()
    assert order_id(key.hex) == key
    for other in ("", "x", str(key), key.hex.upper(), f"{{{key}}}", f"urn:uuid:{key}", key.hex + "0"):
        assert order_id(other) is None


def test_time_is_scaled_but_leaves_a_person_time_to_pay() -> None:
    assert order_valid(POLICY) == dt.timedelta(minutes=30)
    assert order_valid(replace(POLICY, time_scale=600.0)) == dt.timedelta(minutes=3)
    waits = [wait_after(OPEN_WAITS, tries, POLICY) for tries in range(6)]
    assert [wait.total_seconds() / 60 for wait in waits] == [1, 2, 5, 10, 10, 10]
    assert wait_after(OPEN_WAITS, 0, replace(POLICY, time_scale=6000.0)) == dt.timedelta(seconds=1)


def test_the_bounds_belong_to_what_is_allowed() -> None:
    for fen in (POLICY.recharge_min_fen, POLICY.recharge_max_fen):
        require_allowed_amount(fen, POLICY)
    for fen in (POLICY.recharge_min_fen - 1, POLICY.recharge_max_fen + 1):
        with pytest.raises(Refusal) as refused:
            require_allowed_amount(fen, POLICY)
        assert refused.value.code == "recharge_amount"
