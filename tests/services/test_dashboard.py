"""The dashboard: what needs attention, in its order; figures; days; what a role does not see."""

import datetime as dt
from dataclasses import replace
from uuid import UUID

from domain.accounts import Caller, Role
from domain.dashboard import Concern, DayCount, Figures, balance_concern, quota_concern
from domain.ids import new_id
from domain.reviews import ReviewState
from domain.sms import SmsKind
from domain.times import SHANGHAI, business_day
from services.dashboard import Dashboard
from store.columns import now
from store.db import Database
from tests.sending_world import Customer, make_customer
from tests.services.test_signals import heard
from tests.sms_engine_world import accept_sms
from tests.sms_world import SIGNATURE, add_template, make_sms_customer
from tests.template_world import foundation
from web.portal.dashboard import HEIGHT, TOP, chart


async def sent(db: Database, customer: Customer, at: dt.datetime, states: list[tuple[str, int]]) -> None:
    """A submission accepted then, with messages in these (state, attempts)."""
    send = new_id()
    await db.pool.execute(
        "INSERT INTO submission (id, account_id, api_user_id, template_version_id, domain_id, kind, is_test, sender,"
        " sender_name, reply_to, label, accepted_at, expires_at, recipients, duplicates, rejected)"
        " VALUES ($1, $2, $1, $1, $1, 'trigger', false, 'x@x.example', '', '', '', $3, $3, $4, 0, '[]')",
        *(send, customer.account, at, len(states)),
    )
    for ordinal, (state, attempts) in enumerate(states):
        await db.pool.execute(
            "INSERT INTO message (submission_id, account_id, ordinal, address, variables, state, attempts, round,"
            " reason, code, enhanced, reply, host, possible_duplicate)"
            " VALUES ($1, $2, $3, 'r@x.example', '{}', $4, $5, 0, '', 0, '', '', '', false)",
            *(send, customer.account, ordinal, state, attempts),
        )


def member(account: UUID, role: Role = Role.OWNER) -> Caller:
    return Caller(account, member_id=account, role=role)


async def test_days_turn_at_midnight_in_shanghai_and_count_own_messages_only(db: Database) -> None:
    customer, other = await make_customer(db), await make_customer(db)
    today = business_day(now())
    midnight = dt.datetime.combine(today, dt.time(), SHANGHAI)
    await sent(db, customer, midnight, [("delivered", 1), ("queued", 2), ("queued", 0), ("bounced", 1)])
    await sent(db, customer, midnight - dt.timedelta(seconds=1), [("dropped", 0), ("unknown", 1)])
    await sent(db, customer, midnight - dt.timedelta(days=13), [("delivered", 1)])
    await sent(db, customer, midnight - dt.timedelta(days=13, seconds=1), [("delivered", 1)] * 5)
    await sent(db, other, midnight, [("delivered", 1)] * 7)
    seen = await Dashboard(await foundation(db)).show(member(customer.account))
    assert (len(seen.days), seen.days[-1].day) == (14, today)
    assert dict(seen.today.outcomes) == {"delivered": 1, "deferred": 1, "queued": 1, "bounced": 1}
    assert (seen.today.total, seen.today.pending, seen.today.failed) == (4, 2, 1)
    assert (seen.days[-2].failed, seen.days[-2].pending, seen.days[0].total) == (1, 1, 1)
    assert sum(day.total for day in seen.days) == 7


async def test_what_needs_attention_in_its_order_and_for_whom(db: Database) -> None:
    customer = await make_customer(db, quota=10)
    account = customer.account
    pool = db.pool
    await pool.execute("UPDATE sender_domain SET state = 'broken', problem = 'dkim' WHERE account_id = $1", account)
    await pool.execute(
        "UPDATE template_version SET state = 'rejected', reason = 'No imprint' WHERE account_id = $1", account
    )
    await pool.execute(
        "INSERT INTO webhook_endpoint"
        " (id, account_id, url, format, secret, events, state, disabled_by, created_at, last_number, failures)"
        " VALUES ($1, $2, 'https://a.example/', 'standard', '', '{}', 'disabled', 'failing', now(), 0, 9),"
        " ($3, $2, 'https://b.example/', 'standard', '', '{}', 'disabled', 'customer', now(), 0, 0)",
        *(new_id(), account, new_id()),
    )
    await pool.execute(
        "INSERT INTO certification (id, account_id, kind, number, details, exception, state, row_version, created_at,"
        " reason, due_provisional, part_reasons)"
        " VALUES ($1, $2, 'individual', 1, '', false, 'rejected', 1, now(), 'Blurred', false, '{}')",
        *(new_id(), account),
    )
    await pool.execute("INSERT INTO quota_use VALUES ($1, $2, false, 8)", account, business_day(now()))
    await pool.execute(
        "INSERT INTO ledger_account (account_id, name, balance_fen, carry_micro, held_micro)"
        " VALUES ($1, 'prepaid', 500, 1, 10000)",
        account,
    )
    await heard(db, customer, "qq", delivered=1000, complained=3)
    board = Dashboard(await foundation(db))
    seen = await board.show(member(account))
    assert [each.concern for each in seen.attention] == [
        Concern.DOMAIN_BROKEN, Concern.WEBHOOK_DISABLED, Concern.QUALITY_BAD, Concern.CERTIFICATION_REJECTED,
        Concern.TEMPLATE_REJECTED, Concern.QUOTA_NEARLY_USED, Concern.BALANCE_LOW,
    ]  # fmt: skip
    details = {each.concern: each.detail for each in seen.attention}
    assert (details[Concern.TEMPLATE_REJECTED], details[Concern.CERTIFICATION_REJECTED]) == ("No imprint", "Blurred")
    assert (seen.figures.balance_fen, seen.figures.available_fen, seen.figures.left) == (500, 498, 2)
    viewer = await board.show(member(account, Role.VIEWER))
    gone = {Concern.CERTIFICATION_REJECTED, Concern.BALANCE_LOW}
    assert {each.concern for each in viewer.attention} == {each.concern for each in seen.attention} - gone
    assert viewer.figures.available_fen is None
    other = await make_customer(db)
    assert not (await board.show(member(other.account))).attention


async def test_reviews_that_wait_are_shown_with_their_due_time(db: Database) -> None:
    customer = await make_customer(db)
    due = now() + dt.timedelta(hours=4)
    await db.pool.execute(
        "UPDATE template_version SET state = 'submitted', due_at = $2, due_provisional = true WHERE account_id = $1",
        *(customer.account, due),
    )
    waiting = (await Dashboard(await foundation(db)).show(member(customer.account))).waiting
    assert [(each.kind, each.due_at, each.provisional) for each in waiting] == [("template", due, True)]


def test_quota_and_balance_warn_in_time() -> None:
    figures = Figures(10, 5, 7, 5_000, 4_000)
    assert quota_concern(figures) is None and balance_concern(figures, 1_000) is None
    nearly, over = quota_concern(replace(figures, used=8)), quota_concern(replace(figures, used=10))
    assert nearly and over
    assert (nearly.concern, over.concern) == (Concern.QUOTA_NEARLY_USED, Concern.QUOTA_USED_UP)
    assert quota_concern(Figures(0, 0, 0)) is None
    low = balance_concern(replace(figures, available_fen=999), 1_000)
    assert low and low.concern is Concern.BALANCE_LOW
    assert balance_concern(Figures(10, 5, 7), 1_000) is None, "nothing was ever recharged"
    assert (figures.free_left, replace(figures, used=3).free_left, figures.left) == (0, 2, 3)


def test_the_chart_is_as_tall_as_its_busiest_day() -> None:
    days = (DayCount(dt.date(2026, 1, 1), {"delivered": 3, "bounced": 1}), DayCount(dt.date(2026, 1, 2)))
    first, second = chart(days)
    assert [part[0] for part in first.parts] == ["delivered", "failed"]
    assert (first.top, sum(part[2] for part in first.parts)) == (TOP, HEIGHT)
    assert (second.parts, second.top) == ((), TOP + HEIGHT)


async def test_sms_have_their_place(db: Database) -> None:
    """What was rejected or waits, the numbers of today, and the next step once the company is certified."""
    customer = await make_sms_customer(db)
    await add_template(db, customer, SmsKind.NOTICE, "您的订单已发货。", name="waits", state=ReviewState.SUBMITTED)
    await accept_sms(db, customer, template="code")
    await db.pool.execute("UPDATE sms_signature SET state = 'rejected', reason = 'Not yours'")
    seen = await Dashboard(await foundation(db)).show(customer.caller())
    assert [(each.label, each.detail) for each in seen.attention] == [(SIGNATURE, "Not yours")]
    assert [(each.kind, each.label) for each in seen.waiting] == [("sms_template", "waits")]
    assert (seen.sms_today, seen.today.total) == (1, 0)
