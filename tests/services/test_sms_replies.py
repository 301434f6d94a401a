"""Replies: kept once, matched with whom they answer, opt-outs at once, told to webhooks."""

import asyncio
import datetime as dt
from typing import Any
from uuid import UUID

import pytest

from domain.accounts import SYSTEM_ACCOUNT
from domain.errors import Refusal
from domain.ids import new_id
from domain.operators import Operator, OperatorRole
from domain.sending import MessageState
from domain.sms import SmsKind
from domain.sms_results import SmsReason
from domain.webhooks import Event
from services.sms_replies import MATCHED_FOR, OPT_OUT_MATCHED_FOR, REPEATED_WITHIN
from store.columns import now
from store.db import Database
from store.sms_interceptions import WHY_HELD_BACK
from store.sms_opt_outs import Sought as OptedOut
from store.sms_replies import SmsReply, Sought
from store.webhooks import WebhookEndpoint
from tests.accounts_world import House, house
from tests.sms_hooks_world import SOURCE, answer, texted
from tests.sms_world import PHONES, SmsCustomer, make_sms_customer

EVERYTHING = Sought()
MINUTE = dt.timedelta(minutes=1)
OTHER_GATEWAY = 8
_GATEWAY = """
INSERT INTO sms_gateway (id, number, name, host, port, system_id, sealed_password, system_type, tls, bind, binds,
    "window", source, id_form, clock_offset_minutes, enquire_seconds, state, reason, created_at, changed_at)
VALUES ($1, $2, 'second', 'h', 1, 's', '', '', 'none', 'transceiver', 1, 1, $3, 'as_is', 0, 30, 'enabled', '', now(),
    now())
"""


def number() -> str:
    return f"+86{next(PHONES)}"


async def replies(there: House, customer: SmsCustomer) -> list[SmsReply]:
    return await there.services.sms_replies.page(customer.caller(), EVERYTHING, None, 100)


async def opted_out(there: House, customer: SmsCustomer) -> list[tuple[str, str, str]]:
    rows = await there.services.sms_opt_outs.page(customer.caller(), OptedOut(), None, 100)
    return [(row.phone, row.source, row.word) for row in rows]


async def unmatched(there: House) -> list[str]:
    support = Operator(new_id(), "sue", frozenset({OperatorRole.SUPPORT}))
    return [row.content for row in await there.services.sms_replies.unmatched(support, None, 100)]


async def test_the_latest_message_to_the_handset_by_that_gateway_is_what_it_answers(db: Database) -> None:
    there = await house(db)
    first, second, third = [await make_sms_customer(db, fen=0) for _ in range(3)]
    phone = number()
    await texted(db, first, phone, ago=3 * MINUTE)
    message = await texted(db, second, phone, ago=2 * MINUTE)
    await texted(db, third, phone, ago=MINUTE, gateway=OTHER_GATEWAY)
    await texted(db, third, number(), ago=MINUTE)
    await texted(db, third, phone, state=MessageState.QUEUED)
    await texted(db, third, phone, state=MessageState.DROPPED, ago=MINUTE)
    await there.services.sms_replies.take(answer(phone, "好的"))
    assert [(row.message_id, row.content, row.is_opt_out) for row in await replies(there, second)] == [
        (message, "好的", False)
    ]
    assert await replies(there, first) == await replies(there, third) == []
    send = await db.pool.fetchval("SELECT submission_id FROM message WHERE id = $1", message)
    desk, told = there.services.sms_replies, await replies(there, second)
    assert await desk.answered(second.caller(), told) == {message: send}
    assert await desk.answered(third.caller(), told) == {}, "nobody else's"


async def test_a_gateway_of_the_same_number_is_the_same_to_the_handset(db: Database) -> None:
    there, customer, phone = await house(db), await make_sms_customer(db, fen=0), number()
    await db.pool.execute(_GATEWAY, new_id(), OTHER_GATEWAY, SOURCE)
    await texted(db, customer, phone, gateway=OTHER_GATEWAY)
    await there.services.sms_replies.take(answer(phone, "1"))
    assert len(await replies(there, customer)) == 1


async def test_a_late_reply_or_a_strangers_is_kept_for_operators(db: Database) -> None:
    there, customer, phone = await house(db), await make_sms_customer(db, fen=0), number()
    await texted(db, customer, phone, ago=MATCHED_FOR + MINUTE)
    await there.services.sms_replies.take(answer(phone, "1"))
    await there.services.sms_replies.take(answer(number(), "TD"))
    assert await replies(there, customer) == []
    assert await opted_out(there, customer) == []
    assert await unmatched(there) == ["TD", "1"]
    with pytest.raises(Refusal, match="duty_forbidden"):
        await there.services.sms_replies.unmatched(Operator(new_id(), "nobody", frozenset()), None, 1)


async def test_an_opt_out_counts_at_once_for_the_account_that_was_answered_alone(db: Database) -> None:
    there = await house(db)
    mine, other, phone = await make_sms_customer(db, fen=0), await make_sms_customer(db, fen=0), number()
    await texted(db, other, phone, ago=2 * MINUTE)
    await texted(db, mine, phone)
    queued = await texted(db, mine, phone, state=MessageState.QUEUED)
    notice = await texted(db, mine, phone, state=MessageState.QUEUED, kind=SmsKind.NOTICE)
    await there.services.sms_replies.take(answer(phone, " ｔｄ。"))
    assert await opted_out(there, mine) == [(phone, "reply", "td")]
    assert await opted_out(there, other) == []
    assert (await replies(there, mine))[0].is_opt_out
    assert [await why(db, message) for message in (queued, notice)] == [SmsReason.OPTED_OUT, ""]


@pytest.mark.parametrize(
    ("kind", "ago", "counts"),
    [
        (SmsKind.MARKETING, OPT_OUT_MATCHED_FOR - MINUTE, True),
        (SmsKind.MARKETING, OPT_OUT_MATCHED_FOR + MINUTE, False),
        (SmsKind.NOTICE, MATCHED_FOR + MINUTE, False),
    ],
)
async def test_an_opt_out_may_come_late(db: Database, kind: SmsKind, ago: dt.timedelta, counts: bool) -> None:
    there, customer, phone = await house(db), await make_sms_customer(db, fen=0), number()
    await texted(db, customer, phone, kind=kind, ago=ago)
    await there.services.sms_replies.take(answer(phone, "T"))
    assert bool(await opted_out(there, customer)) is bool(await replies(there, customer)) is counts
    assert bool(await unmatched(there)) is not counts


@pytest.mark.parametrize("latest", [SmsKind.CODE, SmsKind.NOTICE])
async def test_an_opt_out_reaches_who_advertised_though_another_wrote_since(db: Database, latest: SmsKind) -> None:
    there = await house(db)
    advertiser, other, phone = await make_sms_customer(db, fen=0), await make_sms_customer(db, fen=0), number()
    heard = await listening(db, advertiser)
    advert = await texted(db, advertiser, phone, ago=3 * MINUTE)
    await texted(db, other, phone, kind=latest, ago=MINUTE)
    queued = await texted(db, advertiser, phone, state=MessageState.QUEUED)
    await there.services.sms_replies.take(answer(phone, "1"))
    assert await replies(there, advertiser) == [], "what is no opt-out answers the last message alone"
    await there.services.sms_replies.take(answer(phone, "TD"))
    assert [row.content for row in await replies(there, other)] == ["TD", "1"]
    assert [(row.message_id, row.is_opt_out) for row in await replies(there, advertiser)] == [(advert, True)]
    assert await opted_out(there, advertiser) == await opted_out(there, other) == [(phone, "reply", "td")]
    assert await why(db, queued) == SmsReason.OPTED_OUT
    assert [event["message_id"] for event in await events(db, heard)] == [advert]
    await there.services.sms_replies.take(answer(phone, "TD"))
    assert len(await replies(there, advertiser)) == 1


async def test_an_opt_out_reaches_who_advertised_though_we_sent_a_code_since(db: Database) -> None:
    there, advertiser, phone = await house(db), await make_sms_customer(db, fen=0), number()
    await texted(db, advertiser, phone, ago=3 * MINUTE)
    ours = await texted(db, advertiser, phone, kind=SmsKind.CODE, ago=MINUTE)
    await db.pool.execute("UPDATE message SET account_id = $2 WHERE id = $1", ours, SYSTEM_ACCOUNT)
    await there.services.sms_replies.take(answer(phone, "R"))
    assert await opted_out(there, advertiser) == [(phone, "reply", "r")]
    assert await db.pool.fetchval("SELECT count(*) FROM sms_opt_out") == 1


async def why(db: Database, message: int) -> str:
    said: str = await db.pool.fetchval(
        f"SELECT {WHY_HELD_BACK} FROM message m JOIN submission s ON s.id = m.submission_id WHERE m.id = $1", message
    )
    return said


async def test_a_page_that_is_loaded_while_somebody_opts_out_sees_it_from_its_commit_on(db: Database) -> None:
    """Until then it does not wait: whoever was loaded before may still be sent."""
    there, mine, phone = await house(db), await make_sms_customer(db, fen=0), number()
    await texted(db, mine, phone)
    queued = await texted(db, mine, phone, state=MessageState.QUEUED)
    async with asyncio.timeout(10), db.raw() as connection:
        await connection.execute("LOCK TABLE webhook_endpoint IN ACCESS EXCLUSIVE MODE")  # which `take` reads last
        taking = asyncio.create_task(there.services.sms_replies.take(answer(phone, "退订")))
        while not await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'webhook_endpoint'::regclass AND NOT granted)"
        ):
            await asyncio.sleep(0.01)
        assert await why(db, queued) == ""
    await taking
    assert await why(db, queued) == SmsReason.OPTED_OUT


async def test_a_carrier_that_repeats_itself_makes_one_row_and_one_event(db: Database) -> None:
    there, customer, phone, at = await house(db), await make_sms_customer(db, fen=0), number(), now()
    endpoint = await listening(db, customer)
    await texted(db, customer, phone)
    said = answer(phone, "R", at=at)
    await asyncio.gather(*(there.services.sms_replies.take(said) for _ in range(8)))
    await there.services.sms_replies.take(answer(phone, "R", at=at + REPEATED_WITHIN - MINUTE / 60))
    assert len(await replies(there, customer)) == 1
    assert len(await events(db, endpoint)) == 1
    await there.services.sms_replies.take(answer(phone, "R", at=at - MINUTE))
    await there.services.sms_replies.take(answer(phone, "N", at=at))
    assert sorted(row.content for row in await replies(there, customer)) == ["N", "R"]


async def test_the_same_words_later_are_said_again(db: Database) -> None:
    there, customer, phone, at = await house(db), await make_sms_customer(db, fen=0), number(), now()
    await texted(db, customer, phone, ago=60 * MINUTE)
    for ago in (2 * REPEATED_WITHIN, dt.timedelta()):
        await there.services.sms_replies.take(answer(phone, "1", at=at - ago))
    assert len(await replies(there, customer)) == 2


@pytest.mark.parametrize("content", ["a\0b", "\ud800x", "😀" * 3000, "", "=1+1", "<script>"])
async def test_whatever_a_handset_sends_is_kept(db: Database, content: str) -> None:
    there, customer, phone = await house(db), await make_sms_customer(db, fen=0), number()
    await texted(db, customer, phone)
    await there.services.sms_replies.take(answer(phone, content))
    (row,) = await replies(there, customer)
    assert len(row.content) <= 2000
    assert "\0" not in row.content
    exported = b"".join([part async for part in there.services.sms_replies.export(customer.caller())]).decode()
    assert "\n=1" not in exported
    assert ",=1" not in exported


async def test_webhooks_hear_of_a_reply(db: Database) -> None:
    there, customer, other, phone = (
        await house(db),
        await make_sms_customer(db, fen=0),
        await make_sms_customer(db),
        number(),
    )
    mine, theirs = await listening(db, customer), await listening(db, other)
    message = await texted(db, customer, phone)
    await there.services.sms_replies.take(answer(phone, "拒收"))
    (event,) = await events(db, mine)
    assert (event["kind"], event["message_id"]) == ("sms_reply", message)
    assert {name: event["data"][name] for name in ("phone", "content", "opt_out", "message_id")} == {
        "phone": phone, "content": "拒收", "opt_out": True, "message_id": message,
    }  # fmt: skip
    assert await events(db, theirs) == []


async def listening(db: Database, customer: SmsCustomer) -> UUID:
    endpoint = WebhookEndpoint(
        account_id=customer.account, url="https://x.example/", secret=b"x", events=[event.value for event in Event]
    )
    async with db.begin() as session:
        session.add(endpoint)
    return endpoint.id


async def events(db: Database, endpoint: UUID) -> list[dict[str, Any]]:
    async with db.raw() as connection:
        rows = await connection.fetch("SELECT * FROM webhook_event WHERE endpoint_id = $1 ORDER BY id", endpoint)
    return [dict(row) for row in rows]


async def test_replies_are_found_by_number_and_words_and_are_the_accounts_own(db: Database) -> None:
    there, customer, other = await house(db), await make_sms_customer(db, fen=0), await make_sms_customer(db, fen=0)
    first, second = number(), number()
    for phone, said in ((first, "好"), (second, "不好"), (second, "TD")):
        await texted(db, customer, phone)
        await there.services.sms_replies.take(answer(phone, said))
    desk, caller = there.services.sms_replies, customer.caller()
    for sought, expected in (
        (Sought(phone=first[-6:]), ["好"]), (Sought(content="好"), ["不好", "好"]), (Sought(opt_out=True), ["TD"]),
        (Sought(phone="%"), []), (Sought(opt_out=False, content="不"), ["不好"]),
    ):  # fmt: skip
        assert [row.content for row in await desk.page(caller, sought, None, 10)] == expected
        assert await desk.count(caller, sought) == len(expected)
    newest, *_ = await desk.page(caller, EVERYTHING, None, 10)
    assert [row.content for row in await desk.page(caller, EVERYTHING, newest.id, 1)] == ["不好"]
    assert (await desk.get(caller, newest.id)).content == "TD"
    with pytest.raises(Refusal, match="sms_reply_unknown"):
        await desk.get(other.caller(), newest.id)
