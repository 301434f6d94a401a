"""What customers and support do with the interception list and the opt-out list."""

import asyncio
import datetime as dt

import pytest

from domain.errors import Refusal
from domain.ids import new_id
from domain.operators import Operator, OperatorRole
from domain.sms_interceptions import MAX_AT_ONCE, MAX_OPEN_REQUESTS
from domain.sms_opt_out import OptOutSource
from domain.sms_results import SmsReason
from services.catalog import Services
from store import sms_opt_outs
from store.columns import now
from store.db import Database
from store.sms_interceptions import SmsFailure, held_back, note_failures
from store.sms_interceptions_read import Sought
from store.sms_opt_outs import Sought as OptedOut
from tests.accounts_world import house
from tests.sms_engine_world import REFUSED, FakeCarrier, accept_sms, e164, engine, new_phones
from tests.sms_world import PHONES, SmsCustomer, make_sms_customer

SUE = Operator(new_id(), "sue", frozenset({OperatorRole.SUPPORT}))
RITA = Operator(new_id(), "rita", frozenset())


def number() -> str:
    return f"+86{next(PHONES)}"


async def fails(db: Database, customer: SmsCustomer, phone: str, reason: SmsReason = SmsReason.EMPTY_NUMBER) -> None:
    async with db.raw() as connection:
        await note_failures(connection, [SmsFailure(customer.account, phone, 1, reason, "MK:0001")], now())


async def blocked(db: Database, customer: SmsCustomer, phone: str) -> bool:
    async with db.raw() as connection:
        return phone in await held_back(connection, customer.account, [phone], now())


async def numbers(served: Services, customer: SmsCustomer, sought: OptedOut = OptedOut()) -> list[str]:
    return [row.phone for row in await served.sms_opt_outs.page(customer.caller(), sought, None, 100)]


async def test_ones_own_record_is_removed_with_its_effect_for_everybody(db: Database) -> None:
    served, mine, other = (await house(db)).services, await make_sms_customer(db, fen=0), await make_sms_customer(db)
    phone = number()
    await fails(db, mine, phone)
    (row,) = await served.sms_interceptions.page(mine.caller(), Sought(now()), None, 10)
    for sought in (Sought(now(), phone[-8:]), Sought(now(), scope="global"), Sought(now(), code=500, blocking=True)):
        assert await served.sms_interceptions.count(mine.caller(), sought) == 1
    assert await served.sms_interceptions.count(mine.caller(), Sought(now(), blocking=False)) == 0
    for act in (
        served.sms_interceptions.get(other.caller(), row.id),
        served.sms_interceptions.remove(other.caller(), [row.id]),
    ):
        with pytest.raises(Refusal, match="sms_interception_unknown"):
            await act
    assert await blocked(db, other, phone)
    assert await served.sms_interceptions.remove(mine.caller(), [row.id]) == 1
    assert not await blocked(db, other, phone)
    with pytest.raises(Refusal, match="sms_interception_unknown"):
        await served.sms_interceptions.remove(mine.caller(), [row.id])
    for wrong in ([], [new_id()] * (MAX_AT_ONCE + 1)):
        with pytest.raises(Refusal):
            await served.sms_interceptions.remove(mine.caller(), wrong)
    subjects = await db.pool.fetch("SELECT action, subject FROM audit_entry WHERE account_id = $1", mine.account)
    assert [tuple(each) for each in subjects] == [("sms_interception.removed", f"sms-interception/{row.id}")]


async def test_a_number_that_a_carrier_refuses_at_once_is_listed_and_not_blocked(db: Database) -> None:
    served, mine = (await house(db)).services, await make_sms_customer(db)
    refused, fine = new_phones(2)
    carrier = FakeCarrier(1, lambda asked: REFUSED if asked.phone == e164(refused) else None)
    await accept_sms(db, mine, refused, fine)
    async with engine(db, carrier) as up:
        await up.send()
    (row,) = await served.sms_interceptions.page(mine.caller(), Sought(now()), None, 10)
    assert (row.phone, row.code, row.until, row.error) == (e164(refused), 590, None, "ESME_RINVDSTADR")
    assert not await blocked(db, mine, row.phone)


async def test_what_no_carrier_took_in_its_time_is_not_listed(db: Database) -> None:
    mine = await make_sms_customer(db)
    await accept_sms(db, mine)
    await db.pool.execute("UPDATE submission SET expires_at = now()")
    async with engine(db, FakeCarrier(1)) as up:
        assert (await up.send()).bounced == 1
    assert await db.pool.fetchval("SELECT count(*) FROM sms_interception") == 0


async def test_others_records_are_told_of_a_whole_number_alone_and_never_whose_they_are(db: Database) -> None:
    served, mine, other = (await house(db)).services, await make_sms_customer(db, fen=0), await make_sms_customer(db)
    phone, local = number(), number()
    await fails(db, other, phone)
    await fails(db, other, local, SmsReason.BLACKLISTED)
    why = await served.sms_interceptions.why(mine.caller(), phone.removeprefix("+86"))
    assert (why.own, why.other is not None, why.request_open) == ((), True, False)
    assert (await served.sms_interceptions.why(mine.caller(), local)).other is None
    assert await served.sms_interceptions.page(mine.caller(), Sought(now(), phone), None, 10) == []
    assert (await served.sms_interceptions.why(other.caller(), phone)).other is None
    with pytest.raises(Refusal, match="phone"):
        await served.sms_interceptions.why(mine.caller(), phone[:9])


async def test_support_lifts_what_blocks_for_everybody_and_the_customer_is_mailed(db: Database) -> None:
    there = await house(db)
    served, phone = there.services, number()
    mine, other = await make_sms_customer(db, fen=0), await make_sms_customer(db, fen=0)
    await fails(db, other, phone)
    asked = await served.sms_interceptions.ask(mine.caller(), phone, "we called it")
    with pytest.raises(Refusal, match="sms_unblock_open"):
        await served.sms_interceptions.ask(mine.caller(), phone, "again")
    assert [(row.phone, name) for row, name in await served.sms_interception_desk.open_requests(SUE)] == [
        (phone, "Customer")
    ]
    both = await asyncio.gather(
        *(served.sms_interception_desk.decide(SUE, asked.id, lift=lift, reason="it rang") for lift in (True, True)),
        return_exceptions=True,
    )
    assert sorted(str(each) for each in both if each is not None) == ["sms_unblock_decided"]
    assert not await blocked(db, mine, phone)
    row = await served.sms_interceptions.request(mine.caller(), asked.id)
    assert (row.lifted, row.reason, row.decided_by) == (True, "it rang", "operator/sue")
    (mail,) = [mail for mail in await there.mails() if mail.label == "sms-unblocked"]
    assert mail.variables["phone"] == f"{phone[:-8]}****{phone[-4:]}"
    with pytest.raises(Refusal, match="sms_unblock_unknown"):
        await served.sms_interceptions.request(other.caller(), asked.id)
    with pytest.raises(Refusal, match="sms_not_blocked_by_others"):
        await served.sms_interceptions.ask(mine.caller(), phone, "once more")


async def test_support_refuses_with_a_reason(db: Database) -> None:
    there = await house(db)
    served, phone = there.services, number()
    mine, other = await make_sms_customer(db, fen=0), await make_sms_customer(db, fen=0)
    await fails(db, other, phone)
    asked = await served.sms_interceptions.ask(mine.caller(), phone, "we called it")
    with pytest.raises(Refusal, match="required"):
        await served.sms_interception_desk.decide(SUE, asked.id, lift=False, reason=" ")
    await served.sms_interception_desk.decide(SUE, asked.id, lift=False, reason="nobody answers")
    assert await blocked(db, mine, phone)
    assert [mail.label for mail in await there.mails()] == ["sms-unblock-refused"]
    assert (await served.sms_interceptions.requests(mine.caller()))[0].reason == "nobody answers"
    with pytest.raises(Refusal, match="sms_unblock_unknown"):
        await served.sms_interception_desk.decide(SUE, new_id(), lift=True, reason="x")


async def test_no_account_asks_for_too_much(db: Database) -> None:
    served, mine, other = (await house(db)).services, await make_sms_customer(db, fen=0), await make_sms_customer(db)
    phone = number()
    await fails(db, other, phone)
    await db.pool.execute(
        "INSERT INTO sms_unblock_request (id, account_id, phone, note, created_at, lifted, reason)"
        " SELECT gen_random_uuid(), $1, '+86139' || lpad(n::text, 8, '0'), 'x', now(), false, ''"
        " FROM generate_series(1, $2::int) AS n",
        *(mine.account, MAX_OPEN_REQUESTS),
    )
    with pytest.raises(Refusal, match="sms_unblock_too_many"):
        await served.sms_interceptions.ask(mine.caller(), phone, "x")


async def test_operators_block_and_lift_numbers_for_everybody(db: Database) -> None:
    served, mine, phone = (await house(db)).services, await make_sms_customer(db, fen=0), number()
    desk = served.sms_interception_desk
    for wrong in (("1380", 1, "r"), (phone, 0, "r"), (phone, 366, "r"), (phone, 1, "")):
        with pytest.raises(Refusal):
            await desk.add(SUE, *wrong)
    await desk.add(SUE, phone, 30, "asked by its owner")
    await desk.add(SUE, phone, 3, "asked by its owner")
    assert await blocked(db, mine, phone)
    (row,) = await desk.listed(SUE, phone, None, 10)
    assert row.until is not None
    assert dt.timedelta(days=2) < row.until - now() < dt.timedelta(days=3, seconds=1)
    for act in (
        desk.listed(RITA, "", None, 1),
        desk.add(RITA, phone, 1, "r"),
        desk.lift(RITA, row.id, "r"),
        desk.open_requests(RITA),
    ):
        with pytest.raises(Refusal, match="duty_forbidden"):
            await act
    await desk.lift(SUE, row.id, "it was a mistake")
    assert not await blocked(db, mine, phone)
    with pytest.raises(Refusal, match="sms_global_unknown"):
        await desk.lift(SUE, row.id, "again")
    await desk.add(SUE, phone, 3, "again")
    assert await blocked(db, mine, phone)


async def test_opt_outs_are_entered_by_hand_and_by_file_and_found(db: Database) -> None:
    served, mine, other = (await house(db)).services, await make_sms_customer(db, fen=0), await make_sms_customer(db)
    desk, caller = served.sms_opt_outs, mine.caller()
    phone = number()
    with pytest.raises(Refusal) as refused:
        await desk.add(caller, [phone, "12345"])
    assert refused.value.field == "phones[1]"
    assert await numbers(served, mine) == []
    done = await desk.add(caller, [phone, phone.removeprefix("+86"), "+44 7400 123456"])
    assert (done.added, done.known) == (2, 1)
    assert set(await numbers(served, mine)) == {"+447400123456", phone}
    exported = b"".join([part async for part in desk.export(caller)])
    again = await desk.import_file(other.caller(), exported)
    assert (again.added, again.known, again.problems) == (2, 0, ())
    mixed = "手机号,姓名\n13800138077,李雷\n1.38E+10,x\n无,y\n13800138077,李雷\n".encode("gb18030")
    told = await desk.import_file(caller, mixed)
    assert (told.added, told.known, [each.line for each in told.problems]) == (1, 1, [3, 4])
    assert await numbers(served, mine, OptedOut(phone="138077")) == ["+8613800138077"]
    for wrong in (b"", b"\xff\xfe\x00", b"name\nx\n"):
        with pytest.raises(Refusal):
            await desk.import_file(caller, wrong)


async def test_who_opted_out_is_not_freed_by_the_way(db: Database) -> None:
    served, mine, other = (await house(db)).services, await make_sms_customer(db, fen=0), await make_sms_customer(db)
    desk, said, entered = served.sms_opt_outs, number(), number()
    await desk.add(mine.caller(), [said, entered])
    async with db.raw() as connection:
        for _ in range(2):
            assert await sms_opt_outs.enter(connection, mine.account, [said], OptOutSource.REPLY, now(), word="td") == 0
    assert (await desk.add(mine.caller(), [said])).known == 1
    by_number = {row.phone: row for row in await desk.page(mine.caller(), OptedOut(), None, 10)}
    assert (by_number[said].source, by_number[said].word) == ("reply", "td")
    ids = [row.id for row in by_number.values()]
    with pytest.raises(Refusal, match="sms_opt_out_unknown"):
        await desk.remove(other.caller(), ids, despite_reply=True)
    with pytest.raises(Refusal, match="sms_opted_out_by_owner"):
        await desk.remove(mine.caller(), ids)
    assert len(await numbers(served, mine)) == 2
    assert await desk.remove(mine.caller(), [by_number[entered].id]) == 1
    assert await desk.remove(mine.caller(), ids, despite_reply=True) == 1
    actions = await db.pool.fetch("SELECT action, subject FROM audit_entry WHERE account_id = $1", mine.account)
    assert {each["action"] for each in actions} == {"sms_opt_out.added", "sms_opt_out.removed"}
    assert not any(said[-8:] in str(dict(each)) for each in actions), "no number on record"


async def test_two_files_of_the_same_numbers_at_once(db: Database) -> None:
    served, mine = (await house(db)).services, await make_sms_customer(db, fen=0)
    lines = [number() for _ in range(200)]
    files = ["\n".join(lines).encode(), "\n".join(reversed(lines)).encode()]
    async with asyncio.timeout(20):
        done = await asyncio.gather(*(served.sms_opt_outs.import_file(mine.caller(), each) for each in files))
    assert sum(each.added for each in done) == 200
