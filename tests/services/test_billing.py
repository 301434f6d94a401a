"""Orders, and payments that arrive: once, in any order, however often, and never from anybody but the provider."""

import asyncio
import datetime as dt
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from uuid import UUID

import pytest

from domain import billing as rules
from domain.accounts import Caller, Role
from domain.billing import CloseReason, PaymentNotice, PaymentState, RechargeState
from domain.errors import Refusal
from domain.ids import new_id
from sandbox.pay_desk import Manner
from services.billing import Billing
from store import billing as rows
from store.columns import now
from store.db import Database
from tests.patience import until
from tests.pay_world import MEMBER, Desk, Till, desk, till


@pytest.fixture
async def shop(db: Database, pay: Desk) -> Till:
    return await till(db, pay)


def code(refused: pytest.ExceptionInfo[Refusal]) -> str:
    return refused.value.code


async def test_an_order_its_process_and_the_way_to_pay(shop: Till) -> None:
    view = await shop.billing.open(shop.caller, "100.5")
    row = await shop.order(view.row.id)
    assert (row.amount_fen, row.state, row.member_id) == (10_050, RechargeState.OPEN, MEMBER)
    assert row.expires_at - row.created_at >= dt.timedelta(minutes=29)
    assert await shop.db.pool.fetchval("SELECT kind FROM clockwork WHERE workflow_id = $1", view.workflow_id)
    assert view.pay_url.startswith(shop.desk.url)
    assert (await shop.billing.get(shop.caller, view.row.id)).pay_url
    assert await shop.books() == {}


@pytest.mark.parametrize(
    ("amount", "refusal"),
    [("", "amount_malformed"), ("1e4", "amount_malformed"), ("100.001", "amount_malformed"),
     ("-100", "amount_malformed"), ("100,50", "amount_malformed"),
     ("9.99", "recharge_amount"), ("100000.01", "recharge_amount")],
)  # fmt: skip
async def test_amounts_have_bounds(shop: Till, amount: str, refusal: str) -> None:
    with pytest.raises(Refusal) as refused:
        await shop.billing.open(shop.caller, amount)
    assert (code(refused), refused.value.field) == (refusal, "amount")
    assert await shop.db.pool.fetchval("SELECT count(*) FROM recharge") == 0


async def test_who_may_not_and_what_is_missing(shop: Till) -> None:
    key = (await shop.billing.open(shop.caller, "100")).row.id
    for caller, refusal in (
        (replace(shop.caller, role=Role.DEVELOPER), "role_forbids"),
        (Caller(shop.customer.account, api_user_id=new_id()), "forbidden"),
    ):
        for attempt in (
            shop.billing.open(caller, "100"), shop.billing.page(caller, None, 5), shop.billing.get(caller, key),
            shop.billing.close(caller, key),
        ):  # fmt: skip
            with pytest.raises(Refusal) as refused:
                await attempt
            assert code(refused) == refusal
    stranger = Caller(new_id(), member_id=new_id())
    for attempt in (shop.billing.get(stranger, key), shop.billing.close(stranger, key)):
        with pytest.raises(Refusal) as refused:
            await attempt
        assert code(refused) == "not_found"
    await shop.db.pool.execute("UPDATE certification SET valid_until = '2020-01-01'")
    with pytest.raises(Refusal) as refused:
        await shop.billing.open(shop.caller, "100")
    assert code(refused) == "step_missing"


async def test_recharge_that_is_not_offered(shop: Till) -> None:
    closed = Billing(replace(shop.base, pay_desk=None))
    with pytest.raises(Refusal) as refused:
        await closed.open(shop.caller, "100")
    assert code(refused) == "recharge_not_offered"
    assert not closed.terms(shop.caller).offered
    assert not await closed.take_notice({"out_trade_no": "x"}, b"x")
    assert await shop.refusals() == ["not-offered"]


async def test_a_few_open_orders_at_once_also_when_asked_in_parallel(shop: Till) -> None:
    opening = [shop.billing.open(shop.caller, "100") for _ in range(rules.MAX_OPEN + 3)]
    answers = await asyncio.gather(*opening, return_exceptions=True)
    refused = [each for each in answers if isinstance(each, Refusal)]
    assert [each.code for each in refused] == ["recharges_open"] * 3
    listed = await shop.billing.page(shop.caller, None, 3)
    following = await shop.billing.page(shop.caller, listed[-1].row.id, 10)
    assert len({view.row.id for view in (*listed, *following)}) == rules.MAX_OPEN


async def test_a_payment_is_notified_over_http_and_credited(shop: Till) -> None:
    view = await shop.opens()
    await shop.desk.act(view.row.id.hex)
    notices = await shop.notified(view.row.id.hex)
    assert [each["answered"] for each in notices] == ["success"]
    assert (await shop.order(view.row.id)).state == RechargeState.CREDITED
    assert await shop.books() == {"clearing:alipay": -10_000, "prepaid": 10_000}
    assert await shop.nudged() == [f"onboarding/{shop.customer.account}", view.workflow_id]
    (payment,) = await shop.payments()
    assert (payment.state, payment.late, payment.amount_fen) == (PaymentState.CREDITED, False, 10_000)
    assert payment.paid_at is not None
    shown = await shop.billing.get(shop.caller, view.row.id)
    assert (shown.pay_url, [each.id for each in shown.payments]) == ("", [payment.id])
    with pytest.raises(Refusal) as refused:
        await shop.billing.close(shop.caller, view.row.id)
    assert code(refused) == "recharge_paid"
    actions = await shop.db.pool.fetch("SELECT actor, action, subject FROM audit_entry")
    assert [tuple(row) for row in actions] == [("system", "payment.credited", f"payment/{payment.id}")]


async def test_one_notification_a_hundred_times_in_parallel_credits_once(shop: Till) -> None:
    view = await shop.opens()
    await shop.desk.act(view.row.id.hex, Manner.NOTIFY_100)
    notices = await shop.notified(view.row.id.hex, 100)
    assert {each["answered"] for each in notices} == {"success"}
    assert len(await shop.payments()) == 1
    assert await shop.books() == {"clearing:alipay": -10_000, "prepaid": 10_000}
    assert await shop.db.pool.fetchval("SELECT count(*) FROM journal") == 1


@pytest.mark.parametrize(
    ("manner", "reason"),
    [
        (Manner.WRONG_AMOUNT, "amount"),
        (Manner.WRONG_APP, "app"),
        (Manner.WRONG_SELLER, "seller"),
        (Manner.WRONG_CURRENCY, "currency"),
        (Manner.FORGED, "signature"),
    ],
)
async def test_a_lie_is_refused_noted_and_credits_nothing(shop: Till, manner: Manner, reason: str) -> None:
    view = await shop.opens()
    await shop.desk.act(view.row.id.hex, manner)
    notices = await shop.notified(view.row.id.hex)
    assert [each["answered"] for each in notices] == ["failure"]
    assert set(await shop.refusals()) == {reason}
    assert await shop.books() == {}
    assert await shop.payments() == []
    assert (await shop.order(view.row.id)).state == RechargeState.OPEN
    kept = await shop.db.pool.fetchrow("SELECT recharge_id, digest FROM refused_notice LIMIT 1")
    assert (kept["recharge_id"], len(kept["digest"])) == (view.row.id, 32)


def notice(shop: Till, number: str, **changes: str) -> dict[str, str]:
    values = {
        "app_id": shop.desk.app.app_id, "seller_id": shop.desk.app.seller_id, "out_trade_no": number,
        "trade_no": "2026", "total_amount": "100.00", "trade_status": "TRADE_SUCCESS",
    }  # fmt: skip
    return shop.desk.signer.signed_form(values | changes)


async def test_notifications_of_orders_that_are_not_ours_and_of_transactions_that_are_known(shop: Till) -> None:
    one, other = await shop.opens(), await shop.opens()
    for number in ("", "x", new_id().hex, str(one.row.id), one.row.id.hex.upper() + " "):
        assert await shop.notify(notice(shop, number)) == "failure"
    assert set(await shop.refusals()) == {"order"}
    assert await shop.notify(notice(shop, one.row.id.hex)) == "success"
    assert await shop.notify(notice(shop, other.row.id.hex)) == "failure", "the same transaction pays one order"
    assert await shop.notify(notice(shop, other.row.id.hex, trade_no="")) == "failure"
    assert (await shop.order(other.row.id)).state == RechargeState.OPEN
    assert await shop.books() == {"clearing:alipay": -10_000, "prepaid": 10_000}


@pytest.mark.parametrize("status", ["WAIT_BUYER_PAY", "TRADE_CLOSED"])
async def test_a_notification_that_is_no_payment_is_acknowledged_and_changes_nothing(shop: Till, status: str) -> None:
    view = await shop.opens()
    assert await shop.notify(notice(shop, view.row.id.hex, trade_status=status)) == "success"
    assert (await shop.order(view.row.id)).state == RechargeState.OPEN
    assert await shop.refusals() == []


async def test_a_flood_of_lies_does_not_fill_the_disk(shop: Till) -> None:
    async with shop.db.raw() as connection:
        for number in range(rows.REFUSALS_A_MINUTE + 20):
            await rows.note_refused(connection, "signature", "", number.to_bytes(32))
    assert len(await shop.refusals()) == rows.REFUSALS_A_MINUTE


async def test_a_flood_of_lies_hides_nothing_that_the_provider_signed(shop: Till) -> None:
    """Money that is not where it belongs must not be overlooked because somebody knocks."""
    view = await shop.opens()
    async with shop.db.raw() as connection:
        for number in range(rows.REFUSALS_A_MINUTE):
            await rows.note_refused(connection, "signature", "", number.to_bytes(32))
    for changes, _reason in SIGNED:
        assert await shop.notify(notice(shop, view.row.id.hex, **changes)) == "failure"
    assert (await shop.refusals())[rows.REFUSALS_A_MINUTE :] == [reason for _changes, reason in SIGNED]
    async with shop.db.raw() as connection:
        for number in range(rows.REFUSALS_A_MINUTE + 1):
            await rows.note_refused(connection, "currency", "", number.to_bytes(32))
    assert (await shop.refusals()).count("currency") == rows.REFUSALS_A_MINUTE + 2
    closed = Billing(replace(shop.base, pay_desk=None))
    for number in range(rows.REFUSALS_A_MINUTE + 20):
        await closed.take_notice({}, number.to_bytes(32))
    refused = await shop.refusals()
    assert refused.count("not-offered") == rows.REFUSALS_A_MINUTE, "nobody looked at these signatures either"
    assert refused.count("signature") == rows.REFUSALS_A_MINUTE


SIGNED = (
    ({"total_amount": "99.00"}, "amount"), ({"trans_currency": "USD"}, "currency"), ({"out_trade_no": "x"}, "order"),
    ({"app_id": "other"}, "app"), ({"seller_id": "other"}, "seller"), ({"trade_no": ""}, "transaction"),
)  # fmt: skip


async def test_a_signed_notification_that_is_sent_again_is_kept_once(shop: Till) -> None:
    """Whoever has caught one cannot fill the disk with it either."""
    view = await shop.opens()
    caught = notice(shop, view.row.id.hex, total_amount="99.00")
    for _ in range(3):
        assert await shop.notify(caught) == "failure"
    assert await shop.notify(caught | {"sign": "", "x": "1"}) == "failure"
    assert await shop.refusals() == ["amount", "signature"]


async def test_old_lies_are_forgotten_and_old_misfits_are_not(shop: Till) -> None:
    async with shop.db.raw() as connection:
        for reason in ("signature", "amount"):
            await rows.note_refused(connection, reason, "", b"1" * 32)
        age = rows.REFUSALS_KEPT + dt.timedelta(seconds=1)
        await connection.execute("UPDATE refused_notice SET at = at - $1::interval", age)
        await rows.note_refused(connection, "signature", "", b"2" * 32)
        kept = await connection.fetch("SELECT reason, digest FROM refused_notice ORDER BY at")
    assert [(row["reason"], row["digest"][:1]) for row in kept] == [("amount", b"1"), ("signature", b"2")]


async def test_while_the_database_is_away_the_answer_is_failure_and_the_next_try_counts(shop: Till) -> None:
    view = await shop.opens()
    await shop.db.pool.execute("ALTER TABLE payment RENAME TO payment_away")
    try:
        assert await shop.notify(notice(shop, view.row.id.hex)) == "failure"
    finally:
        await shop.db.pool.execute("ALTER TABLE payment_away RENAME TO payment")
    assert await shop.books() == {}
    assert await shop.notify(notice(shop, view.row.id.hex)) == "success"
    assert await shop.books() == {"clearing:alipay": -10_000, "prepaid": 10_000}


async def test_a_second_payment_goes_back(shop: Till) -> None:
    view = await shop.opens()
    await shop.desk.act(view.row.id.hex, Manner.PAY_TWICE)
    await shop.notified(view.row.id.hex, 2)
    payments = await shop.payments()
    assert sorted((each.state, each.why) for each in payments) == [
        (PaymentState.CREDITED, ""), (PaymentState.REFUND_WANTED, "paid_twice"),
    ]  # fmt: skip
    assert await shop.books() == {"clearing:alipay": -20_000, "prepaid": 10_000, "refunds": 10_000}
    wanted = next(each for each in payments if each.state == PaymentState.REFUND_WANTED)
    query = "SELECT started_at FROM clockwork WHERE workflow_id = $1"
    assert await shop.db.pool.fetchrow(query, f"refund/{wanted.id}") is not None


async def test_a_payment_for_a_closed_account_goes_back(shop: Till) -> None:
    view = await shop.opens()
    await shop.customer.leaves()
    assert await shop.notify(notice(shop, view.row.id.hex)) == "success"
    (payment,) = await shop.payments()
    assert (payment.state, payment.why) == (PaymentState.REFUND_WANTED, "account_gone")
    assert await shop.books() == {"clearing:alipay": -10_000, "refunds": 10_000}
    assert (await shop.order(view.row.id)).state == RechargeState.OPEN


async def test_a_payment_after_closing_is_credited(shop: Till) -> None:
    view = await shop.opens()
    async with shop.db.raw() as connection:
        assert await rows.close_order(connection, view.row.id, CloseReason.TIMEOUT, now())
    await shop.desk.act(view.row.id.hex, Manner.LATE)
    await shop.notified(view.row.id.hex)
    (payment,) = await shop.payments()
    assert (payment.state, payment.late) == (PaymentState.CREDITED, True)
    assert await shop.books() == {"clearing:alipay": -10_000, "prepaid": 10_000}
    async with shop.db.raw() as connection:
        assert not await rows.close_order(connection, view.row.id, CloseReason.TIMEOUT, now())


async def test_a_wish_to_close_wakes_the_process_and_takes_the_pay_url_away(shop: Till) -> None:
    view = await shop.opens()
    for _ in range(2):
        closing = await shop.billing.close(shop.caller, view.row.id)
        assert (closing.closing, closing.pay_url, closing.row.state) == (True, "", RechargeState.OPEN)
    assert await shop.nudged() == [view.workflow_id]


EVENTS = ("close", "pay", "pay", "other", "account")


async def happen(shop: Till, key: UUID, event: str) -> None:
    if event == "account":
        await shop.customer.leaves()
    async with shop.db.raw() as connection:
        if event == "close":
            await rows.close_order(connection, key, CloseReason.TIMEOUT, now())
        elif event in ("pay", "other"):
            said = PaymentNotice(key.hex, f"{event}{key.hex}", 10_000, "CNY", True)
            await rows.settle(connection, said, now())


async def test_no_order_of_events_makes_or_loses_a_fen(shop: Till) -> None:
    """Every order of: closing, a payment, its repetition, a second payment, the account's end."""
    for number, events in enumerate(sorted(set(permutations(EVENTS)))):
        await shop.db.pool.execute("UPDATE account SET state = 'active'")
        key = await shop.customer.orders()
        before = await shop.books()
        for event in events:
            await happen(shop, key, event)
        after = await shop.books()
        gained = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
        assert gained.pop("clearing:alipay") == -20_000, (number, events)
        first_paid = min(events.index("pay"), events.index("other"))
        if events.index("account") < first_paid:
            assert gained == {"refunds": 20_000}, events
        else:
            assert gained == {"prepaid": 10_000, "refunds": 10_000}, events


PLANS = (["a"] * 8, ["a", "b"] * 4, ["a", "b", "c", "a", "c", "c"], ["b", "a", "c", "d", "e"])


@pytest.mark.parametrize("plan", PLANS)
async def test_payments_in_parallel_are_credited_once_and_each_accounted_for(shop: Till, plan: list[str]) -> None:
    key = (await shop.billing.open(shop.caller, "100")).row.id

    async def arrives(transaction: str) -> None:
        async with shop.db.raw() as connection:
            await rows.settle(connection, PaymentNotice(key.hex, transaction, 10_000, "CNY", True), now())

    await asyncio.gather(*(arrives(each) for each in plan))
    books, different = await shop.books(), len(set(plan))
    assert books.pop("refunds", 0) == 10_000 * (different - 1)
    assert books == {"clearing:alipay": -10_000 * different, "prepaid": 10_000}


async def test_the_provider_repeats_what_was_not_acknowledged(db: Database, tmp_path: Path) -> None:
    async with desk(tmp_path, time_scale=6000.0) as pay:
        await repeats(await till(db, pay))


async def repeats(shop: Till) -> None:
    view = await shop.opens()
    await shop.db.pool.execute("ALTER TABLE payment RENAME TO payment_away")
    try:
        await shop.desk.act(view.row.id.hex)
        await shop.notified(view.row.id.hex)
    finally:
        await shop.db.pool.execute("ALTER TABLE payment_away RENAME TO payment")

    async def credited() -> bool:
        return (await shop.order(view.row.id)).state == RechargeState.CREDITED

    await until(credited, 8)
    assert await shop.books() == {"clearing:alipay": -10_000, "prepaid": 10_000}
