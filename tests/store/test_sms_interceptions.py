"""The interception list: every failure is listed, some block, nobody waits in a circle."""

import asyncio
import datetime as dt

import pytest

from domain.accounts import SYSTEM_ACCOUNT
from domain.sending import MessageState
from domain.sms import SmsKind
from domain.sms_opt_out import OptOutSource
from domain.sms_results import BLOCKS, ResultCode, SmsReason, SmsScope
from store import sms_interceptions_read as reads
from store import sms_opt_outs
from store.columns import now
from store.db import Database
from store.sms_interceptions import WHY_HELD_BACK, SmsFailure, held_back, note_failures
from tests.sms_hooks_world import platform, texted
from tests.sms_world import PHONES, SmsCustomer, make_sms_customer

MINUTE = dt.timedelta(minutes=1)


def number() -> str:
    return f"+86{next(PHONES)}"


async def fails(
    db: Database, customer: SmsCustomer, phone: str, reason: str, at: dt.datetime, message: int = 1, error: str = ""
) -> None:
    async with db.raw() as connection:
        await note_failures(connection, [SmsFailure(customer.account, phone, message, reason, error)], at)


async def listed(db: Database, customer: SmsCustomer) -> list[tuple[int, str, dt.datetime | None, int]]:
    async with db.read() as session:
        rows = await reads.page(session, customer.account, reads.Sought(now()), None, 100)
    return [(row.code, row.scope, row.until, row.times) for row in rows]


DELIVERY = [
    reason for reason in SmsReason if reason.name in ResultCode.__members__ and ResultCode[reason.name].is_delivery
]


@pytest.mark.parametrize("reason", DELIVERY)
async def test_every_failure_is_listed_and_blocks_whom_and_as_long_as_its_code_says(
    db: Database, reason: SmsReason
) -> None:
    mine, other = await make_sms_customer(db, fen=0), await make_sms_customer(db, fen=0)
    phone, at, block = number(), now(), BLOCKS[ResultCode[reason.name]]
    await fails(db, mine, phone, reason, at, error="MK:0001")
    until = at + block.lasts if block.lasts else None
    assert await listed(db, mine) == [(int(ResultCode[reason.name]), block.scope.value, until, 1)]
    assert await listed(db, other) == []
    for who in (mine, other):
        blocked = bool(block.lasts) and (who is mine or block.scope is SmsScope.GLOBAL)
        async with db.raw() as connection:
            assert (phone in await held_back(connection, who.account, [phone], at)) is blocked
            assert await held_back(connection, who.account, [phone], at + dt.timedelta(days=31)) == {}
            assert await held_back(connection, SYSTEM_ACCOUNT, [phone], at) == {}


@pytest.mark.parametrize("reason", [SmsReason.OPTED_OUT, SmsReason.VARIABLES, SmsReason.NO_ROUTE])
async def test_what_no_carrier_had_says_nothing_of_its_number(db: Database, reason: SmsReason) -> None:
    mine = await make_sms_customer(db, fen=0)
    await fails(db, mine, number(), reason, now())
    assert await listed(db, mine) == []


async def test_a_repeated_failure_is_counted_and_blocks_anew_but_one_message_counts_once(db: Database) -> None:
    mine, phone, at = await make_sms_customer(db, fen=0), number(), now()
    await fails(db, mine, phone, SmsReason.SUSPENDED, at, 1)
    await fails(db, mine, phone, SmsReason.SUSPENDED, at + MINUTE, 1)
    assert [row[2:] for row in await listed(db, mine)] == [(at + dt.timedelta(hours=1), 1)]
    await fails(db, mine, phone, SmsReason.SUSPENDED, at + MINUTE, 2)
    assert [row[2:] for row in await listed(db, mine)] == [(at + MINUTE + dt.timedelta(hours=1), 2)]
    async with db.raw() as connection:
        both = [SmsFailure(mine.account, phone, n, SmsReason.SUSPENDED) for n in (3, 4, 4)]
        await note_failures(connection, both, at + MINUTE)
    assert [row[3] for row in await listed(db, mine)] == [4]


async def test_kinds_of_failure_of_one_number_stand_beside_each_other_and_the_longest_is_said(db: Database) -> None:
    mine, phone, at = await make_sms_customer(db, fen=0), number(), now()
    for reason in (SmsReason.BUSY, SmsReason.BLACKLISTED, SmsReason.SUSPENDED, SmsReason.EMPTY_NUMBER):
        await fails(db, mine, phone, reason, at)
    async with db.raw() as connection:
        held = (await held_back(connection, mine.account, [phone], at))[phone]
    assert (held.code, held.scope, held.reason) == (500, SmsScope.GLOBAL, SmsReason.BLOCKED_GLOBAL)
    assert len(await listed(db, mine)) == 4


async def test_what_was_removed_blocks_nobody_and_begins_anew_when_it_fails_again(db: Database) -> None:
    mine, other = await make_sms_customer(db, fen=0), await make_sms_customer(db, fen=0)
    phone, at = number(), now()
    for n in range(3):
        await fails(db, mine, phone, SmsReason.EMPTY_NUMBER, at, n)
    async with db.begin() as session:
        (row,) = await reads.page(session, mine.account, reads.Sought(at), None, 9)
        assert await reads.remove(session, other.account, [row.id], "member/x", at) == []
        assert [gone.id for gone in await reads.remove(session, mine.account, [row.id], "member/x", at)] == [row.id]
        assert await reads.remove(session, mine.account, [row.id], "member/x", at) == []
    async with db.raw() as connection:
        assert await held_back(connection, other.account, [phone], at) == {}
    assert await listed(db, mine) == []
    await fails(db, mine, phone, SmsReason.EMPTY_NUMBER, at, 9)
    assert [each[3] for each in await listed(db, mine)] == [1]
    async with db.read() as session:
        assert await reads.find(session, mine.account, row.id) is None, "a new record has a name of its own"


async def test_the_same_numbers_in_any_order_never_lock_each_other_out(db: Database) -> None:
    """Two workers note the same numbers in opposite orders while a member removes them all."""
    mine, phones, at = await make_sms_customer(db, fen=0), [number() for _ in range(40)], now()

    async def noted(order: list[str], first: int) -> None:
        for turn in range(5):
            rows = [
                SmsFailure(mine.account, phone, first + turn * 100 + n, reason)
                for n, phone in enumerate(order)
                for reason in (SmsReason.EMPTY_NUMBER, SmsReason.BUSY)
            ]
            async with db.raw() as connection:
                await note_failures(connection, rows, at)

    async def removes() -> None:
        for _ in range(5):
            async with db.begin() as session:
                rows = await reads.page(session, mine.account, reads.Sought(at), None, 100)
                await reads.remove(session, mine.account, [row.id for row in rows], "member/x", at)

    async with asyncio.timeout(20):
        await asyncio.gather(noted(phones, 1), noted(phones[::-1], 10_000), removes())


async def test_an_operators_record_outlasts_failures_of_the_platforms_own(db: Database) -> None:
    await platform(db)
    mine, phone, at = await make_sms_customer(db, fen=0), number(), now()
    async with db.begin() as session:
        await reads.add_global(session, phone, at + dt.timedelta(days=9), "asked by the police", at)
    async with db.raw() as connection:
        await note_failures(connection, [SmsFailure(SYSTEM_ACCOUNT, phone, 5, SmsReason.OTHER)], at + MINUTE)
        held = await held_back(connection, mine.account, [phone], at + dt.timedelta(days=8))
    assert held[phone].scope is SmsScope.GLOBAL
    async with db.begin() as session:
        assert len(await reads.lift(session, phone, "operator/x", at + MINUTE)) == 1
    async with db.raw() as connection:
        assert await held_back(connection, mine.account, [phone], at + MINUTE) == {}


async def why(db: Database, message: int) -> str:
    """As `store/pages.py` asks when it loads a message."""
    said: str = await db.pool.fetchval(
        f"SELECT {WHY_HELD_BACK} FROM message m JOIN submission s ON s.id = m.submission_id WHERE m.id = $1",
        message,
    )
    return said


@pytest.mark.parametrize("kind", SmsKind)
async def test_an_opt_out_holds_back_queued_marketing_and_nothing_else(db: Database, kind: SmsKind) -> None:
    mine, other = await make_sms_customer(db, fen=0), await make_sms_customer(db, fen=0)
    phone = number()
    queued = [await texted(db, who, phone, kind=kind, state=MessageState.QUEUED) for who in (mine, other)]
    async with db.raw() as connection:
        assert await sms_opt_outs.enter(connection, mine.account, [phone], OptOutSource.MEMBER, now()) == 1
    expected = SmsReason.OPTED_OUT.value if kind is SmsKind.MARKETING else ""
    assert [await why(db, message) for message in queued] == [expected, ""]


async def test_an_interception_holds_back_every_kind_when_it_is_loaded(db: Database) -> None:
    mine, other = await make_sms_customer(db, fen=0), await make_sms_customer(db, fen=0)
    local, everybody = number(), number()
    queued = {
        (who.account, phone): await texted(db, who, phone, kind=SmsKind.CODE, state=MessageState.QUEUED)
        for who in (mine, other)
        for phone in (local, everybody)
    }
    await fails(db, mine, local, SmsReason.BLACKLISTED, now())
    await fails(db, mine, everybody, SmsReason.EMPTY_NUMBER, now())
    assert [await why(db, message) for message in queued.values()] == [
        SmsReason.BLOCKED_LOCAL, SmsReason.BLOCKED_GLOBAL, "", SmsReason.BLOCKED_GLOBAL,
    ]  # fmt: skip
    await db.pool.execute("UPDATE sms_interception SET until = now() WHERE until IS NOT NULL")
    assert {await why(db, message) for message in queued.values()} == {""}
