"""Accepting SMS on a real database: who may, what it costs, how often, and that it happens once."""

import asyncio
import dataclasses
import datetime as dt

import pytest

from domain.accounts import SYSTEM_ACCOUNT, AccountState, Caller
from domain.errors import Refusal
from domain.reviews import ReviewState
from domain.sms import Market, SmsAccepted, SmsKind, SmsRecipient
from domain.sms_acceptance import NobodyLeft
from domain.times import SHANGHAI
from services.sms_platform import ensure_sms_platform
from store.accounts import Account
from store.columns import now
from store.db import Database
from store.sms_accepting import accept
from store.webhooks import WebhookEndpoint
from tests.money_world import standing
from tests.sms_world import (
    NOON,
    PHONES,
    TERMS,
    add_international,
    add_template,
    make_sms_customer,
    refused,
    send,
    set_sms_price,
)


async def test_a_notice_is_written_held_and_due_at_once(db: Database) -> None:
    customer = await make_sms_customer(db)
    accepted = await send(db, customer, customer.request("138 0013 8000", label="orders", tag='{"order":1}'))
    (one,) = accepted.messages
    assert (one.phone, one.line, one.ordinal, one.segments) == ("+8613800138000", 1, 0, 1)
    row = await db.pool.fetchrow("SELECT * FROM submission")
    assert (row["id"], row["channel"], row["api_user_id"]) == (one.submission_id, "sms", customer.sms_user)
    assert row["template_version_id"] == customer.versions[SmsKind.NOTICE]
    assert (row["country"], row["kind"], row["label"], row["tag"]) == ("CN", "notice", "orders", '{"order":1}')
    assert (row["expires_at"], row["charged_from"]) == (NOON + dt.timedelta(hours=24), 0)
    message = await db.pool.fetchrow("SELECT * FROM message")
    assert (message["address"], message["variables"], message["segments"]) == (one.phone, {"name": "李雷"}, 1)
    due = await db.pool.fetchrow("SELECT * FROM due")
    assert (due["message_id"], due["line"], due["due_at"]) == (one.message_id, 1, NOON)
    assert await standing(db, customer.account) == (100_000, 0, 50_000)


async def test_money_is_held_by_segment(db: Database) -> None:
    customer = await make_sms_customer(db, fen=20)
    await add_template(db, customer, SmsKind.NOTICE, "长" * 100, name="long")
    accepted = await send(db, customer, customer.request(next(PHONES), next(PHONES), template="long"))
    assert [one.segments for one in accepted.messages] == [2, 2]
    assert await standing(db, customer.account) == (20, 0, 200_000)
    assert await db.pool.fetchval("SELECT messages FROM hold") == 4
    assert await refused(db, customer, customer.request()) == "balance_insufficient"


@pytest.mark.parametrize("name", ["number", "uuid", "name"])
async def test_a_template_is_named_by_number_id_or_name(db: Database, name: str) -> None:
    customer = await make_sms_customer(db)
    template = await add_template(db, customer, SmsKind.NOTICE, "好的", name="fine")
    said = {"number": str(template.number), "uuid": str(template.id), "name": "fine"}[name]
    await send(db, customer, customer.request(template=said))
    other = await make_sms_customer(db)
    assert await refused(db, other, other.request(template=said)) == "sms_template_unknown"


@pytest.mark.parametrize(
    ("sql", "step"),
    [
        ("DELETE FROM certification", "sms_certify"),
        ("UPDATE certification SET kind = 'individual'", "sms_certify"),
        ("UPDATE certification SET valid_until = '2026-11-30'", "sms_certify"),
        ("UPDATE recharge SET state = 'closed'", "sms_pay"),
        ("UPDATE sms_user SET disabled_at = now()", "sms_user"),
        ("UPDATE sms_template_version SET state = 'submitted'", "sms_template"),
    ],
)
async def test_the_refusal_names_the_missing_step(db: Database, sql: str, step: str) -> None:
    customer = await make_sms_customer(db)
    if "submitted" in sql:
        sql += f" WHERE id IN ({', '.join(repr(str(each)) for each in list(customer.versions.values())[:1])})"
        await db.pool.execute("DELETE FROM sms_template_version WHERE id <> $1", customer.versions[SmsKind.CODE])
    await db.pool.execute(sql)
    with pytest.raises(Refusal) as caught:
        await send(db, customer, customer.request())
    assert (caught.value.code, caught.value.params["step"]) == ("step_missing", step)


async def test_names_that_are_not_the_callers(db: Database) -> None:
    customer, other = await make_sms_customer(db), await make_sms_customer(db)
    assert await refused(db, customer, customer.request(sms_user=other.name)) == "sms_user_unknown"
    assert await refused(db, customer, customer.request(sms_user="")) == "required"
    assert await refused(db, customer, customer.request(sms_user="a\0b")) == "sms_user_unknown"
    assert await refused(db, customer, customer.request(template="a\0b")) == "sms_template_unknown"
    async with db.raw() as connection:
        await accept(connection, customer.by_key(), customer.request(sms_user=""), NOON)
    second = dataclasses.replace(customer, name="second")
    await db.pool.execute(
        "INSERT INTO sms_user (id, account_id, name, created_at) VALUES (gen_random_uuid(), $1, 'second', now())",
        customer.account,
    )
    with pytest.raises(Refusal, match="sms_user_not_yours"):
        async with db.raw() as connection:
            await accept(connection, customer.by_key(), second.request(), NOON)
    await db.pool.execute("UPDATE sms_user SET disabled_at = now() WHERE name = 'second'")
    assert await refused(db, second, second.request()) == "sms_user_disabled"
    await db.pool.execute("UPDATE account SET state = 'closed'")
    assert await refused(db, customer, customer.request()) == "account_not_active"


async def test_only_approved_texts_with_an_approved_signature_are_sent(db: Database) -> None:
    customer = await make_sms_customer(db)
    await add_template(db, customer, SmsKind.NOTICE, "新", name="new", state=ReviewState.SUBMITTED)
    assert await refused(db, customer, customer.request(template="new")) == "sms_template_not_approved"
    asked = customer.request(market=Market.INTERNATIONAL)
    assert await refused(db, customer, asked) == "sms_template_market"
    await db.pool.execute("UPDATE sms_signature SET state = 'withdrawn'")
    assert await refused(db, customer, customer.request()) == "sms_template_not_approved"


async def test_bad_recipients_refuse_the_whole_request_or_are_left_out(db: Database) -> None:
    customer = await make_sms_customer(db)
    good, landline, foreign = next(PHONES), "010-62345678", "+447400123456"
    people = (
        SmsRecipient(good, {"name": "李雷"}),
        SmsRecipient(landline, {"name": "x"}),
        SmsRecipient(foreign, {"name": "x"}),
        SmsRecipient("+86" + good, {"name": "again"}),
        SmsRecipient(next(PHONES), {}),
        SmsRecipient(next(PHONES), {"%name%": "y" * 33}),
        SmsRecipient(next(PHONES), {"name": "http://x.cn"}),
        SmsRecipient("1\0\ud800", {"name": "x"}),
    )
    asked = customer.request(recipients=people)
    assert await refused(db, customer, asked) == "phone_landline"
    accepted = await send(db, customer, dataclasses.replace(asked, skip_invalid=True))
    assert [(one.line, one.phone) for one in accepted.messages] == [(1, f"+86{good}")]
    assert [(one.line, one.reason) for one in accepted.rejected] == [
        (2, "phone_landline"), (3, "phone_not_domestic"), (5, "variables_missing"), (6, "sms_value_too_long"),
        (7, "sms_value_link"), (8, "phone_invalid"),
    ]  # fmt: skip
    assert accepted.duplicates == 1
    with pytest.raises(NobodyLeft) as caught:
        await send(db, customer, customer.request(recipients=people[1:3], skip_invalid=True))
    assert [one.line for one in caught.value.rejected] == [1, 2]
    too_many = tuple(SmsRecipient(str(n)) for n in range(2001))
    assert await refused(db, customer, customer.request(recipients=too_many)) == "too_many_numbers"
    assert await refused(db, customer, customer.request(recipients=())) == "no_recipients"


async def test_a_text_that_is_too_long_after_substitution(db: Database) -> None:
    customer = await make_sms_customer(db)
    await add_template(db, customer, SmsKind.NOTICE, "字" * 480 + "%a%", name="brim")
    fits = SmsRecipient(next(PHONES), {"a": "值" * 14})
    over = SmsRecipient(next(PHONES), {"a": "值" * 15})
    accepted = await send(db, customer, customer.request(template="brim", recipients=(fits,)))
    assert accepted.messages[0].segments == 8
    asked = customer.request(template="brim", recipients=(over,))
    assert await refused(db, customer, asked) == "sms_too_long"


async def test_countries_have_their_own_price_and_submission(db: Database) -> None:
    customer = await make_sms_customer(db)
    await add_international(db, customer)
    people = tuple(SmsRecipient(phone, {"code": "1"}) for phone in ("+447400123456", "+4915123456789", "447400123457"))
    asked = customer.request(template="world", recipients=people)
    with pytest.raises(NobodyLeft) as caught:
        await send(db, customer, asked)
    assert {one.reason for one in caught.value.rejected} == {"sms_country_unpriced"}
    await set_sms_price(db, "sms:GB", 300_000)
    accepted = await send(db, customer, asked)
    assert [one.phone for one in accepted.messages] == ["+447400123456", "+447400123457"]
    assert [one.reason for one in accepted.rejected] == ["sms_country_unpriced"]
    await set_sms_price(db, "sms:DE", 400_000)
    people = tuple(dataclasses.replace(one, variables={"code": "2"}) for one in people)
    both = await send(db, customer, dataclasses.replace(asked, recipients=people), NOON + dt.timedelta(minutes=6))
    rows = await db.pool.fetch(
        "SELECT country, unit_micro, messages FROM hold h JOIN submission s ON s.id = h.submission_id"
        " WHERE s.id = ANY($1) ORDER BY country",
        both.submissions,
    )
    assert [tuple(row) for row in rows] == [("DE", 400_000, 1), ("GB", 300_000, 2)]
    assert [one.line for one in both.messages] == [1, 2, 3]


async def test_numbers_that_must_not_be_written_to(db: Database) -> None:
    customer, other = await make_sms_customer(db), await make_sms_customer(db)
    stopped, blocked, fine = next(PHONES), next(PHONES), next(PHONES)
    await db.pool.execute(
        "INSERT INTO sms_opt_out (account_id, phone, id, source, word, created_at)"
        " VALUES ($1, $2, gen_random_uuid(), 'reply', 'R', now())",
        *(customer.account, f"+86{stopped}"),
    )
    await db.pool.execute(
        "INSERT INTO sms_interception (id, account_id, phone, code, scope, until, times, error, created_at, updated_at)"
        " VALUES (gen_random_uuid(), $1, $2, 500, 'global', $3, 1, '', now(), now())",
        *(other.account, f"+86{blocked}", NOON + dt.timedelta(days=1)),
    )
    asked = customer.request(stopped, blocked, fine, kind=SmsKind.MARKETING)
    accepted = await send(db, customer, asked)
    assert [one.phone for one in accepted.messages] == [f"+86{fine}"]
    assert [one.reason for one in accepted.rejected] == ["sms_opted_out", "sms_blocked_global"]
    await send(db, customer, customer.request(stopped))  # a notice
    assert await refused(db, customer, customer.request(blocked)) == "sms_blocked_global"
    await send(db, customer, customer.request(blocked), NOON + dt.timedelta(days=2))


async def test_marketing_waits_for_its_hours(db: Database) -> None:
    customer = await make_sms_customer(db)
    night = NOON.replace(hour=23)
    accepted = await send(db, customer, customer.request(kind=SmsKind.MARKETING), night)
    morning = dt.datetime(2026, 12, 2, 8, 0, tzinfo=SHANGHAI)
    assert accepted.sends_at == morning
    assert await db.pool.fetchval("SELECT due_at FROM due") == morning
    assert await db.pool.fetchval("SELECT expires_at FROM submission") == morning + dt.timedelta(hours=72)
    assert (await send(db, customer, customer.request(), night)).sends_at is None


async def test_requests_at_once_cannot_spend_more_than_there_is(db: Database) -> None:
    customer = await make_sms_customer(db, fen=15)
    done = await asyncio.gather(*(send(db, customer, customer.request()) for _ in range(6)), return_exceptions=True)
    assert sum(isinstance(one, SmsAccepted) for one in done) == 3
    assert {one.code for one in done if isinstance(one, Refusal)} == {"balance_insufficient"}
    assert await standing(db, customer.account) == (15, 0, 150_000)
    assert await db.pool.fetchval("SELECT count(*) FROM sms_recent") == 3


async def test_tests_are_free_and_few(db: Database) -> None:
    customer = await make_sms_customer(db)
    terms = dataclasses.replace(TERMS, tests_per_day=2)
    two = customer.request(next(PHONES), next(PHONES), is_test=True)
    await send(db, customer, two, terms=terms)
    assert await refused(db, customer, customer.request(is_test=True), terms=terms) == "sms_tests_used_up"
    await send(db, customer, customer.request(is_test=True), NOON + dt.timedelta(hours=12), terms)  # the next day
    assert await standing(db, customer.account) == (100_000, 0, 0)
    assert [tuple(row) for row in await db.pool.fetch("SELECT DISTINCT is_test, charged_from FROM submission")] == [
        (True, None)
    ]


async def test_the_platforms_own_cost_nothing_and_need_no_steps(db: Database) -> None:
    customer = await make_sms_customer(db, fen=0, certified=False)
    caller = Caller(SYSTEM_ACCOUNT)
    async with db.begin() as session:
        session.add(Account(id=SYSTEM_ACCOUNT, name="Songda", state=AccountState.ACTIVE.value))
    for table in ("sms_user", "sms_template", "sms_template_version", "sms_signature"):
        await db.pool.execute(f"UPDATE {table} SET account_id = $1", SYSTEM_ACCOUNT)
    phone = next(PHONES)
    code = customer.request(phone, kind=SmsKind.CODE, idempotency_key="phone-code/1")
    async with db.raw() as connection:
        await accept(connection, caller, code, NOON)
    fingerprint = await db.pool.fetchval("SELECT fingerprint FROM sms_request_key")
    with pytest.raises(Refusal, match="sms_too_often_minute"):
        async with db.raw() as connection:
            await accept(connection, caller, customer.request(phone, kind=SmsKind.CODE), NOON)
    other = dataclasses.replace(code, recipients=(SmsRecipient(phone, {"code": "000000"}),))
    async with db.raw() as connection:
        assert (await accept(connection, caller, other, NOON)).repeated
    assert await db.pool.fetchval("SELECT fingerprint FROM sms_request_key") == fingerprint
    assert await db.pool.fetchval("SELECT last_content FROM sms_recent") == b""
    assert await db.pool.fetchval("SELECT count(*) FROM hold") == 0


async def test_an_event_is_owed_when_somebody_listens(db: Database) -> None:
    customer = await make_sms_customer(db)
    async with db.begin() as session:
        session.add(
            WebhookEndpoint(account_id=customer.account, url="https://x.test", secret=b"", events=["sms_request"])
        )
    accepted = await send(db, customer, customer.request(tag="t"))
    row = await db.pool.fetchrow("SELECT kind, message_id, data FROM webhook_event")
    assert (row["kind"], row["message_id"]) == ("sms_request", accepted.messages[0].message_id)
    assert row["data"]["tag"] == "t"


async def test_many_numbers_at_once(db: Database) -> None:
    customer = await make_sms_customer(db)
    accepted = await send(db, customer, customer.request(*(next(PHONES) for _ in range(2000))), now())
    assert len(accepted.messages) == await db.pool.fetchval("SELECT count(*) FROM due") == 2000


async def test_a_quick_test_is_the_platforms_text(db: Database) -> None:
    async with db.begin() as session:
        session.add(Account(id=SYSTEM_ACCOUNT, name="Songda", state=AccountState.ACTIVE.value))
        await session.flush()
        await ensure_sms_platform(session, "Songda 送达")
    customer = await make_sms_customer(db)
    for table in ("sms_key", "sms_user", "sms_template_version", "sms_template"):
        await db.pool.execute(f"DELETE FROM {table} WHERE account_id = $1", customer.account)
    await set_sms_price(db, "sms:GB", 300_000)
    quick = customer.request(sms_user="", template="", is_test=True)
    for phone in (next(PHONES), "+447400123456"):
        people = (SmsRecipient(phone),)
        await send(db, customer, dataclasses.replace(quick, recipients=people))
    assert await refused(db, customer, dataclasses.replace(quick, is_test=False)) == "step_missing"
    bad = dataclasses.replace(quick, recipients=(SmsRecipient("1"),))
    assert await refused(db, customer, bad) == "phone_invalid"
    assert await standing(db, customer.account) == (100_000, 0, 0)
    await db.pool.execute("UPDATE recharge SET state = 'closed'")
    assert await refused(db, customer, quick) == "step_missing"
    assert await db.pool.fetchval("SELECT count(*) FROM sms_test_use WHERE account_id = $1", customer.account) == 1
