"""Requests that repeat: how often a number is written to, and keys that get their first answer again."""

import asyncio
import dataclasses
import datetime as dt

from domain.sms import SmsAccepted, SmsKind, SmsRecipient
from domain.sms_acceptance import NobodyLeft, SmsTerms
from store.db import Database
from store.sms_frequency import forget_recent
from store.sms_requests import forget_answers
from tests.sms_world import (
    NOON,
    PHONES,
    make_sms_customer,
    refused,
    send,
)


async def test_how_often_a_number_gets_a_code(db: Database) -> None:
    customer, phone = await make_sms_customer(db), next(PHONES)
    code = customer.request(phone, kind=SmsKind.CODE)
    at = NOON
    for _ in range(5):
        await send(db, customer, code, at)
        assert await refused(db, customer, code, at=at + dt.timedelta(seconds=59)) == "sms_too_often_minute"
        at += dt.timedelta(minutes=2)
    assert await refused(db, customer, code, at=at) == "sms_too_often_hour"
    for _ in range(5):
        at += dt.timedelta(hours=1)
        await send(db, customer, code, at)
    assert await refused(db, customer, code, at=at + dt.timedelta(hours=1)) == "sms_too_often_day"
    await send(db, customer, customer.request(phone), at)  # of another kind
    other = await make_sms_customer(db)
    await send(db, other, other.request(phone, kind=SmsKind.CODE), at)  # of another account
    await send(db, customer, code, NOON + dt.timedelta(days=1))


async def test_the_same_text_is_not_repeated_at_once(db: Database) -> None:
    customer, phone = await make_sms_customer(db), next(PHONES)
    await send(db, customer, customer.request(phone))
    assert await refused(db, customer, customer.request(phone)) == "sms_same_text"
    other = customer.request(recipients=(SmsRecipient(phone, {"name": "韩梅梅"}),))
    await send(db, customer, other)
    await send(db, customer, customer.request(phone))
    await send(db, customer, customer.request(phone), NOON + dt.timedelta(minutes=5))


async def test_codes_at_once_to_one_number_are_one(db: Database) -> None:
    customer, phones = await make_sms_customer(db), [next(PHONES) for _ in range(6)]
    asked = [customer.request(*order, kind=SmsKind.CODE) for order in (phones, phones[::-1], phones[3:] + phones[:3])]
    done = await asyncio.gather(*(send(db, customer, one) for one in asked * 3), return_exceptions=True)
    assert sum(isinstance(one, SmsAccepted) for one in done) == 1
    assert all(isinstance(one, SmsAccepted | NobodyLeft) for one in done), done
    assert await db.pool.fetchval("SELECT count(*) FROM message") == 6


async def test_what_is_refused_or_rolled_back_does_not_count(db: Database) -> None:
    customer, phone = await make_sms_customer(db, fen=1), next(PHONES)
    code = customer.request(phone, kind=SmsKind.CODE)
    assert await refused(db, customer, code) == "balance_insufficient"
    await send(db, customer, code, terms=SmsTerms(price_micro=100))


async def test_a_key_gets_the_first_answer_again(db: Database) -> None:
    customer = await make_sms_customer(db)
    asked = customer.request("01062345678", next(PHONES), idempotency_key="k", skip_invalid=True)
    first = await send(db, customer, asked)
    again = await send(db, customer, asked, NOON + dt.timedelta(hours=23))
    assert again == dataclasses.replace(first, repeated=True)
    assert await refused(db, customer, dataclasses.replace(asked, label="x")) == "idempotency_reused"
    assert await refused(db, customer, dataclasses.replace(asked, idempotency_key="\0")) == "invalid"
    later = await send(db, customer, asked, NOON + dt.timedelta(hours=24))
    assert not later.repeated
    short = dataclasses.replace(asked, idempotency_key="s", key_lives=dt.timedelta(hours=1))
    await send(db, customer, short, NOON + dt.timedelta(hours=26))
    assert not (await send(db, customer, short, NOON + dt.timedelta(hours=27))).repeated
    async with db.raw() as connection:
        assert await forget_answers(connection, NOON + dt.timedelta(days=3), 100) == 2


async def test_repeats_at_once_are_one(db: Database) -> None:
    customer = await make_sms_customer(db)
    asked = customer.request(idempotency_key="k")
    done = await asyncio.gather(*(send(db, customer, asked) for _ in range(8)))
    assert sorted(one.repeated for one in done) == [False] + [True] * 7
    assert len({one.messages for one in done}) == 1
    assert await db.pool.fetchval("SELECT count(*) FROM message") == 1


async def test_a_refused_request_leaves_its_key_free(db: Database) -> None:
    customer, phone = await make_sms_customer(db), next(PHONES)
    await send(db, customer, customer.request(phone))
    again = customer.request(phone, idempotency_key="k")
    assert await refused(db, customer, again) == "sms_same_text"
    await send(db, customer, again, NOON + dt.timedelta(minutes=6))


async def test_what_counts_no_more_is_forgotten(db: Database) -> None:
    customer = await make_sms_customer(db)
    await send(db, customer, customer.request())
    async with db.raw() as connection:
        assert await forget_recent(connection, NOON + dt.timedelta(hours=23), 10) == 0
        assert await forget_recent(connection, NOON + dt.timedelta(hours=25), 10) == 1
