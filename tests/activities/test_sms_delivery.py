"""Pages of SMS: routes, outcomes, what is never sent again, money; with carriers that answer as told."""

import asyncio
import datetime as dt
import time

import pytest

from activities import sms_delivery
from activities.page_work import PageResult
from domain.accounts import SYSTEM_ACCOUNT
from domain.channels import DueLine
from domain.errors import LeaseLost
from domain.sending import Outcome, OutcomeKind
from domain.sms import SmsKind
from domain.sms_transport import ShortMessage, Submitted
from store import dead_senders, pages
from store.columns import now
from store.db import Database
from tests.patience import until
from tests.sms_engine_world import (
    AWAY,
    LOST,
    REFUSED,
    SCALE,
    TAKEN,
    THROTTLED,
    FakeCarrier,
    accept_sms,
    add_gateway,
    audited,
    books,
    e164,
    engine,
    message,
    new_phones,
    states,
)
from tests.sms_world import VALUES, add_template, make_sms_customer


async def test_a_page_is_taken_by_the_carrier_and_charged(db: Database) -> None:
    customer, carrier = await make_sms_customer(db), FakeCarrier(1)
    await accept_sms(db, customer, *new_phones(30))
    async with engine(db, carrier) as up:
        assert await up.send() == PageResult(delivered=30)
        await up.settle()
    assert await states(db) == {"sent": 30}
    assert {text.text for text in carrier.got} == {"【送达科技】您好李雷，您的订单已发货。"}
    assert await books(db, customer.account) == (30, 0)
    parts = await db.pool.fetch("SELECT smsc_id FROM sms_part WHERE gateway = 1 AND attempt = 1 AND part = 0")
    assert {part["smsc_id"] for part in parts} == {one for ids in carrier.ids.values() for one in ids}
    row = await message(db, carrier.got[0].phone)
    assert (row["egress"], row["host"], row["attempts"], row["submitted"]) == (1, "carrier 1", 1, 1)
    assert row["finished_at"] is None and row["attempted_at"] is not None
    assert await db.pool.fetchval("SELECT count(*) FROM signal_tally") == 0, "that is mail's"
    await audited(db)


async def test_a_long_text_is_charged_by_its_parts(db: Database) -> None:
    customer, carrier = await make_sms_customer(db), FakeCarrier(1)
    [phone] = new_phones(1)
    await accept_sms(db, customer, phone)
    await add_template(db, customer, SmsKind.NOTICE, "请注意：" + "今天的通知很长。" * 12, name="long")
    accepted = await accept_sms(db, customer, phone, template="long")
    assert accepted.messages[0].segments == 2
    async with engine(db, carrier) as up:
        assert (await up.send()).delivered == 2
        await up.settle()
    assert await books(db, customer.account) == (3, 0)
    await audited(db)


async def test_of_a_text_that_was_taken_in_part_nothing_is_sent_again(db: Database) -> None:
    customer = await make_sms_customer(db)
    await add_template(db, customer, SmsKind.NOTICE, "请注意：" + "今天的通知很长。" * 20, name="long")

    def half(asked: ShortMessage) -> Submitted:
        return Submitted(THROTTLED.outcome, ("a",))

    carrier = FakeCarrier(1, half)
    [phone] = new_phones(1)
    await accept_sms(db, customer, phone, template="long")
    async with engine(db, carrier) as up:
        assert await up.send() == PageResult(bounced=1)
        await up.settle()
    row = await message(db, e164(phone))
    assert (row["state"], row["segments"], row["submitted"], row["reason"]) == ("bounced", 3, 1, "soft.rate_limited")
    assert await books(db, customer.account) == (1, 0), "one part was taken"
    assert len(carrier.got) == 1
    await audited(db)


async def test_outcomes(db: Database) -> None:
    customer = await make_sms_customer(db)
    throttled, refused, lost, fine = new_phones(4)
    answers = {e164(throttled): THROTTLED, e164(refused): REFUSED, e164(lost): LOST}
    carrier = FakeCarrier(1, lambda asked: answers.get(asked.phone))
    await accept_sms(db, customer, throttled, refused, lost, fine)
    async with engine(db, carrier) as up:
        result = await up.send()
        await up.settle()
        assert result == PageResult(delivered=1, deferred=1, bounced=1, uncertain=1)
        assert [(await message(db, e164(one)))["state"] for one in (throttled, refused, lost, fine)] == [
            "queued", "bounced", "sent", "sent",
        ]  # fmt: skip
        assert (await message(db, e164(refused)))["reason"] == "sms.other", "a refusal says nothing certain of a number"
        uncertain = await message(db, e164(lost))
        assert (uncertain["reason"], uncertain["possible_duplicate"], uncertain["submitted"]) == ("uncertain", False, 0)
        assert await books(db, customer.account) == (1, 2), "of what is uncertain and of what is due the money is held"
        due = await db.pool.fetchrow(
            "SELECT d.line, d.due_at - m.attempted_at AS wait FROM due d JOIN message m ON m.id = d.message_id"
        )
        assert due["line"] == DueLine.SMS
        assert dt.timedelta(seconds=5) / SCALE <= due["wait"] < dt.timedelta(seconds=5)
        await audited(db)
        answers.clear()
        await db.pool.execute("UPDATE due SET due_at = now()")
        up.routes._pauses.clear()
        assert await up.send() == PageResult(delivered=1)
        await up.settle()
    assert [text.phone for text in carrier.got].count(e164(lost)) == 1, "never again"
    assert await books(db, customer.account) == (2, 1)
    assert await db.pool.fetchval("SELECT count(*) FROM attempt") == 1
    await audited(db)


async def test_the_next_carrier_is_asked_when_the_first_is_not_there(db: Database) -> None:
    customer, first, second = await make_sms_customer(db), FakeCarrier(1, ready=False), FakeCarrier(2)
    await accept_sms(db, customer, *new_phones(3))
    async with engine(db, first, second) as up:
        assert (await up.send()).delivered == 3
        first.ready = True
        await accept_sms(db, customer)
        await up.send()
    assert (len(first.got), len(second.got)) == (1, 3)
    assert await db.pool.fetchval("SELECT count(*) FROM sms_part WHERE gateway = 2") == 3


async def test_a_carrier_that_takes_nothing_is_left_alone_for_a_while(db: Database) -> None:
    customer, first, second = await make_sms_customer(db), FakeCarrier(1, lambda asked: AWAY), FakeCarrier(2)
    await accept_sms(db, customer)
    async with engine(db, first, second) as up:
        for _ in range(4):
            up.routes.heard(1, Submitted(Outcome(OutcomeKind.DEFERRED, "soft.conn")))
            up.routes._pauses[1] = (0.0, up.routes._pauses[1][1])  # its pause is over, and it is as before
        up.routes.heard(1, AWAY)
        assert up.routes.pause_of(1) > sms_delivery.LONG
        assert (await up.send()).delivered == 1
        assert (len(first.got), len(second.got)) == (0, 1)
        up.routes.heard(1, Submitted(TAKEN, ("a",)))
        assert up.routes.pause_of(1) == 0.0


async def test_a_text_waits_for_no_carrier_longer_than_its_page_does(db: Database) -> None:
    """A page of single texts waits a second; what it gives back comes again after five."""
    customer, first, second = await make_sms_customer(db), FakeCarrier(1), FakeCarrier(2)
    async with engine(db, first, second) as up:
        await accept_sms(db, customer)
        up.routes._pauses[1] = (time.monotonic() + 1.5, 1.5)
        assert await up.send() == PageResult(delivered=1)
    assert (len(first.got), len(second.got)) == (0, 1)


async def test_texts_go_past_a_carrier_that_does_not_answer(db: Database) -> None:
    """What was said to it is uncertain; what was not goes to the next one, before a whole page is uncertain."""
    customer, silent, second = await make_sms_customer(db), FakeCarrier(1, lambda asked: LOST), FakeCarrier(2)
    async with engine(db, silent, second) as up:
        for _ in range(4):
            up.routes.heard(1, LOST)
            up.routes._pauses[1] = (0.0, up.routes._pauses[1][1])  # its pause is over, and it is as before
        await accept_sms(db, customer, *new_phones(40))
        result = await up.send()
        assert (result.uncertain, result.delivered) == (len(silent.got), len(second.got))
        assert len(silent.got) <= 4, "one for each conversation"
        up.routes.heard(1, Submitted(TAKEN, ("a",)))
        assert up.routes.pause_of(1) == 0.0
    await audited(db, dt.timedelta(hours=1))


async def test_routes_are_those_of_the_country_and_the_kind(db: Database) -> None:
    codes, everything, china = FakeCarrier(1), FakeCarrier(2), FakeCarrier(3)
    async with engine(db) as up:
        await add_gateway(db, 1, 0, kind="code")
        await add_gateway(db, 2, 5)
        await add_gateway(db, 3, 9, country="CN")
        await up.routes.look()
        assert up.routes.ways("GB", "code") == (1, 2)
        assert up.routes.ways("GB", "notice") == (2,)
        assert up.routes.ways("CN", "code") == (3,), "China has a route of its own"
        await db.pool.execute("UPDATE sms_gateway SET state = 'paused' WHERE number = 3")
        await up.routes.look()
        assert up.routes.ways("CN", "code") == (1, 2)
        lanes = await db.pool.fetch("SELECT name, rate_per_s FROM lane WHERE name LIKE 'sms-%' ORDER BY name")
        assert [row["name"] for row in lanes] == ["sms-1", "sms-2", "sms-3"]
    assert not (codes.got or everything.got or china.got)


async def test_without_a_route_a_text_waits_until_it_expires(db: Database) -> None:
    customer = await make_sms_customer(db)
    [phone] = new_phones(1)
    await accept_sms(db, customer, phone)
    async with engine(db) as up:
        assert await up.send() == PageResult(deferred=1)
        row = await message(db, e164(phone))
        assert (row["state"], row["reason"], row["reply"]) == ("queued", "sms.no_route", "no route to CN for notice")
        await audited(db)
        await db.pool.execute("UPDATE submission SET expires_at = now(); UPDATE due SET due_at = now()")
        assert await up.send() == PageResult(bounced=1)
        await up.settle()
    row = await message(db, e164(phone))
    assert (row["state"], row["reason"], row["submitted"]) == ("bounced", "expired", 0)
    assert await books(db, customer.account) == (0, 0)
    await audited(db)


async def test_who_is_held_back_meanwhile_gets_nothing(db: Database) -> None:
    customer, carrier = await make_sms_customer(db), FakeCarrier(1)
    blocked, stopped, both, fine = new_phones(4)
    await accept_sms(db, customer, blocked, stopped, both, fine, kind=SmsKind.MARKETING)
    await accept_sms(db, customer, stopped, kind=SmsKind.NOTICE)
    await db.pool.execute("UPDATE due SET due_at = now()")
    await db.pool.execute(
        "INSERT INTO sms_interception (id, account_id, phone, code, scope, until, times, error, created_at, updated_at)"
        " SELECT gen_random_uuid(), $1, p, 500, 'global', now() + interval '1 hour', 1, '', now(), now()"
        " FROM unnest($2::text[]) AS p",
        *(customer.account, [e164(blocked), e164(both)]),
    )
    await db.pool.execute(
        "INSERT INTO sms_opt_out (account_id, phone, id, source, word, created_at)"
        " SELECT $1, p, gen_random_uuid(), 'reply', 'TD', now() FROM unnest($2::text[]) AS p",
        *(customer.account, [e164(stopped), e164(both)]),
    )
    async with engine(db, carrier) as up:
        assert await up.send(DueLine.SMS_MARKETING) == PageResult(delivered=1, dropped=3)
        assert await up.send(DueLine.SMS) == PageResult(delivered=1), "a notice is no marketing"
        await up.settle()
    rows = await db.pool.fetch("SELECT address, reason FROM message WHERE state = 'dropped'")
    assert {row["address"]: row["reason"] for row in rows} == {
        e164(blocked): "sms.blocked_global", e164(stopped): "sms.opted_out", e164(both): "sms.opted_out",
    }  # fmt: skip
    assert await books(db, customer.account) == (2, 0)
    await audited(db)


async def test_marketing_waits_for_its_hours_and_that_is_no_try(db: Database) -> None:
    customer, carrier = await make_sms_customer(db), FakeCarrier(1)
    await accept_sms(db, customer, *new_phones(3), kind=SmsKind.MARKETING)
    await accept_sms(db, customer)
    await db.pool.execute("UPDATE due SET due_at = now()")
    async with engine(db, carrier) as up:
        tomorrow = now() + dt.timedelta(hours=10)
        up.opens.append(tomorrow)
        result = await up.send(DueLine.SMS_MARKETING)
        assert (result.delivered, result.given_back) == (0, 3)
        rows = await db.pool.fetch(
            "SELECT d.due_at, d.line, m.attempts, m.round, m.next_at FROM due d JOIN message m ON m.id = d.message_id"
            " WHERE d.line = 2"
        )
        assert {tuple(row) for row in rows} == {(tomorrow, 2, 0, 1, tomorrow)}
        assert (await up.send()).delivered == 1, "notices do not"
        await audited(db)
        up.opens.clear()
        await db.pool.execute("UPDATE due SET due_at = now()")
        assert (await up.send(DueLine.SMS_MARKETING)).delivered == 3
    await audited(db)


async def test_marketing_that_is_too_old_before_its_hours_ends_with_its_time(db: Database) -> None:
    customer = await make_sms_customer(db)
    await accept_sms(db, customer, kind=SmsKind.MARKETING)
    ends = now() + dt.timedelta(hours=1)
    await db.pool.execute("UPDATE due SET due_at = now()")
    await db.pool.execute("UPDATE submission SET expires_at = $1", ends)
    async with engine(db, FakeCarrier(1)) as up:
        up.opens.append(now() + dt.timedelta(hours=10))
        assert (await up.send(DueLine.SMS_MARKETING)).given_back == 1
        assert await db.pool.fetchval("SELECT due_at FROM due") == ends
        await db.pool.execute("UPDATE due SET due_at = now(); UPDATE submission SET expires_at = now()")
        assert await up.send(DueLine.SMS_MARKETING) == PageResult(bounced=1)
        await up.settle()
    assert await books(db, customer.account) == (0, 0)
    await audited(db)


async def test_an_attempt_that_was_overtaken_postpones_nothing(db: Database) -> None:
    customer = await make_sms_customer(db)
    await accept_sms(db, customer, kind=SmsKind.MARKETING)
    await db.pool.execute("UPDATE due SET due_at = now()")
    async with engine(db) as up:
        page = await up.page(DueLine.SMS_MARKETING)
        assert page is not None
        async with db.raw() as connection:
            old = await pages.take_page(connection, page)
            new = await pages.take_page(connection, page)
            assert old is not None and new is not None
            await pages.postpone(connection, old, [(old.messages[0], now() + dt.timedelta(hours=1))])
            assert await connection.fetchval("SELECT count(*) FROM due") == 0
            await pages.postpone(connection, new, [(new.messages[0], now() + dt.timedelta(hours=1))])
            assert await connection.fetchval("SELECT count(*) FROM due") == 1
    await audited(db, dt.timedelta(hours=1))


async def test_a_text_that_is_not_what_was_counted_is_not_sent(db: Database) -> None:
    customer, carrier = await make_sms_customer(db), FakeCarrier(1)
    await accept_sms(db, customer, *new_phones(2))
    await db.pool.execute("""UPDATE message SET variables = '{"name": 5}' WHERE ordinal = 1""")
    await db.pool.execute("UPDATE message SET variables = $1 WHERE ordinal = 0", {"name": "长" * 90})
    async with engine(db, carrier) as up:
        assert await up.send() == PageResult(dropped=2)
        await up.settle()
    rows = await db.pool.fetch("SELECT reason, reply FROM message ORDER BY ordinal")
    assert [tuple(row) for row in rows] == [
        ("sms.too_long", "2 parts instead of those accepted"), ("render_failed", "TypeError"),
    ]  # fmt: skip
    assert carrier.got == [] and await books(db, customer.account) == (0, 0)
    await audited(db)


async def test_what_a_dead_process_spoke_of_is_uncertain_and_never_sent_again(db: Database) -> None:
    customer, carrier = await make_sms_customer(db), FakeCarrier(1, gate=asyncio.Event())
    await accept_sms(db, customer, *new_phones(3))
    async with engine(db, carrier) as up:
        page = await up.page()
        assert page is not None
        sending = asyncio.create_task(up.deliver(page))
        await until(lambda: _true(len(carrier.got) >= 1))
        begun = len(carrier.got)
        await db.pool.execute("UPDATE sender SET lease_until = now() - interval '1 second'")
        async with db.raw() as connection:
            assert await dead_senders.settle_dead_sender(connection) == begun
        assert (await states(db))["sent"] == begun
        assert await db.pool.fetchval("SELECT count(*) FROM sms_uncertain WHERE gateway = 0") == begun
        assert await db.pool.fetchval("SELECT sum(uncertain) FROM page") == begun
        carrier.gate.set()  # type: ignore[union-attr]
        with pytest.raises(LeaseLost):
            await sending
    async with engine(db, carrier) as up:
        assert (await up.deliver(page)).delivered == 3 - begun
        await up.settle()
    assert len({text.phone for text in carrier.got}) == len(carrier.got) == 3
    assert await books(db, customer.account) == (3 - begun, begun)
    await audited(db, dt.timedelta(hours=1))


async def _true(value: bool) -> bool:
    return value


async def test_values_of_the_platforms_own_are_forgotten_once_they_are_sent(db: Database) -> None:
    customer, carrier = await make_sms_customer(db), FakeCarrier(1)
    carrier.answer = lambda asked: LOST if len(carrier.got) == 2 else None
    await accept_sms(db, customer, *new_phones(2), kind=SmsKind.CODE, is_test=False)
    await db.pool.execute("UPDATE message SET account_id = $1", SYSTEM_ACCOUNT)
    await db.pool.execute("UPDATE submission SET account_id = $1, charged_from = NULL", SYSTEM_ACCOUNT)
    assert VALUES["code"] in str(await db.pool.fetchval("SELECT variables FROM message LIMIT 1"))
    async with engine(db, carrier) as up:
        await up.send(DueLine.SMS_CODES)
    rows = await db.pool.fetch("SELECT state, variables FROM message")
    assert [(row["state"], row["variables"]) for row in rows] == [("sent", {}), ("sent", {})]


async def test_a_process_that_has_just_begun_spends_no_try_on_carriers_that_are_not_there_yet(db: Database) -> None:
    customer, carrier = await make_sms_customer(db), FakeCarrier(1, ready=False)
    await accept_sms(db, customer)
    async with engine(db, carrier) as up:
        up.routes._settled_at = time.monotonic() + 30
        page = await up.page()
        assert page is not None
        sending = asyncio.create_task(up.deliver(page))
        await asyncio.sleep(0.3)
        assert await db.pool.fetchval("SELECT attempts FROM message") == 0
        carrier.ready = True
        assert (await sending).delivered == 1
