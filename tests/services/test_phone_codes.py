"""A mobile number and its code: who gets one, how often, and who may not."""

import asyncio

import pytest
from sqlmodel import select

from domain.accounts import Caller
from domain.errors import Refusal
from domain.phone_codes import TRIES, PhoneStage
from domain.refusals import explain
from domain.visitors import Visitor
from store.audit_log import AuditEntry
from store.db import Database
from store.phone_codes import PhoneCode
from tests.accounts_world import ALICE, BOB, HERE, House
from tests.phone_world import (
    HOUR,
    MINUTE,
    PHONE,
    asked,
    code_of,
    later,
    other_than,
    phone_house,
    phone_of,
    proof,
    registered,
    system_values,
)


async def refused(call: object) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await call  # type: ignore[misc]
    for language in ("zh", "en"):
        explain(caught.value, language)  # its text knows its params
    return caught.value


def seconds(refusal: Refusal) -> int:
    """How long one is told to wait."""
    return int(str(refusal.params["seconds"]))


async def confirmed(home: House, email: str, phone: str = PHONE, here: Visitor = HERE) -> Caller:
    """A member who proved this number, after the account was opened."""
    signed = await home.member(email)
    codes = home.services.phone_codes
    await codes.send_to_member(signed.caller, phone, proof(home), here)
    await codes.confirm_of_member(signed.caller, await code_of(home, phone))
    await later(home, 25 * HOUR)
    return signed.caller


async def test_the_code_of_the_sms_confirms_the_number_and_the_link_opens_the_account(db: Database) -> None:
    home = await phone_house(db)
    made = await registered(home, "138 0013-8000")
    given = await home.services.phone_codes.of_registration(made.handle)
    assert (given.stage, given.phone, given.codes_sent) == (PhoneStage.GIVEN, PHONE, 0)
    assert await home.mails(PHONE) == [], "no SMS without a proof of work"

    sent = await asked(home, made, "")
    assert (sent.stage, sent.codes_sent, sent.tries_left) == (PhoneStage.SENT, 1, TRIES)
    code = await code_of(home)
    assert code.isdecimal() and len(code) == 6
    step = await home.services.phone_codes.confirm(made.handle, f" {code[:3]} {code[3:]}\n")
    assert (step.stage, step.confirmed) == (PhoneStage.CONFIRMED, PHONE)

    seen = await home.look(made.account_id)
    assert (seen.phone, seen.codes_sent) == (PhoneStage.CONFIRMED, 1)
    await home.services.registrations.confirm((await home.mails(ALICE))[-1].token)
    assert await phone_of(home, made.account_id) == PHONE
    async with db.read() as session:
        [entry] = [each for each in await session.exec(select(AuditEntry)) if each.action == "phone.confirmed"]
    assert entry.account_id == made.account_id
    assert PHONE not in str(entry)


async def test_the_code_stands_in_no_row_but_the_message_that_waits(db: Database) -> None:
    home = await phone_house(db)
    made = await registered(home)
    await asked(home, made)
    code = await code_of(home)
    assert await system_values(home) == [{"code": code, "minutes": "10"}]
    tables = await db.pool.fetch("SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'")
    for (name,) in tables:
        text = await db.pool.fetchval(f"SELECT coalesce(string_agg(row::text, ' '), '') FROM {name} AS row")
        assert (f'"{code}"' in text) == (name == "message"), name


@pytest.mark.parametrize(
    ("phone", "code"),
    [
        ("", "phone_missing"),
        ("12345", "phone_invalid"),
        ("not a number", "phone_invalid"),
        ("+86 10 6552 9988", "phone_landline"),
        ("13800138000; DROP TABLE member", "phone_invalid"),
        ("1" * 300, "phone_invalid"),
        ("\x00138", "phone_invalid"),
        ("+44 7400 123456", "phone_country"),
    ],
)
async def test_what_is_no_number_that_gets_a_code(db: Database, phone: str, code: str) -> None:
    home = await phone_house(db)
    made = await registered(home)
    refusal = await refused(asked(home, made, phone))
    assert (refusal.code, refusal.field) == (code, "phone")
    assert await system_values(home) == []


@pytest.mark.parametrize("written", ["13800138000", "+8613800138000", "0086 138-0013-8000", "１３８００１３８０００"])
async def test_a_number_in_any_form_is_one_number(db: Database, written: str) -> None:
    home = await phone_house(db)
    assert (await asked(home, await registered(home), written)).phone == PHONE


async def test_a_country_that_has_a_price_gets_codes_in_english(db: Database) -> None:
    home = await phone_house(db)
    await db.pool.execute(
        "INSERT INTO price (id, item, unit_micro, effective_from, set_by, set_at)"
        " VALUES (gen_random_uuid(), 'sms:GB', 1, now(), 'test', now())"
    )
    await asked(home, await registered(home), "+44 7400 123456")
    name = await db.pool.fetchval(
        "SELECT t.name FROM submission s JOIN sms_template_version v ON v.id = s.template_version_id"
        " JOIN sms_template t ON t.id = v.template_id WHERE s.channel = 'sms'"
    )
    assert name == "registration-code-en"
    assert (await code_of(home, "+447400123456")).isdecimal()


async def test_five_wrong_tries_end_a_code_and_a_new_one_begins_again(db: Database) -> None:
    home = await phone_house(db)
    made = await registered(home)
    await asked(home, made)
    code = await code_of(home)
    confirm = home.services.phone_codes.confirm
    for left in range(TRIES - 1, 0, -1):
        wrong = await refused(confirm(made.handle, other_than(code)))
        assert (wrong.code, wrong.params["left"]) == ("phone_code_wrong", left)
    assert (await refused(confirm(made.handle, other_than(code)))).code == "phone_code_over"
    assert (await refused(confirm(made.handle, code))).code == "phone_code_over", "the right one is too late"
    await later(home, MINUTE)
    await asked(home, made)
    assert (await confirm(made.handle, await code_of(home))).stage is PhoneStage.CONFIRMED


async def test_tries_at_once_are_counted_one_by_one(db: Database) -> None:
    """Else many connections would try many codes within one try's time."""
    home = await phone_house(db)
    made = await registered(home)
    await asked(home, made)
    code = await code_of(home)
    wrong = [f"{(int(code) + n) % 1_000_000:06d}" for n in range(1, 9)]
    calls = [home.services.phone_codes.confirm(made.handle, each) for each in wrong]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    codes = sorted(each.code for each in answers if isinstance(each, Refusal))
    assert codes == ["phone_code_over"] * (8 - TRIES + 1) + ["phone_code_wrong"] * (TRIES - 1)


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "12345\x00", "１２３４5x", "6" * 5000])
async def test_what_cannot_be_a_code_costs_no_try(db: Database, typed: str) -> None:
    home = await phone_house(db)
    made = await registered(home)
    await asked(home, made)
    assert (await refused(home.services.phone_codes.confirm(made.handle, typed))).code == "phone_code_malformed"
    assert (await home.services.phone_codes.of_registration(made.handle)).tries_left == TRIES


async def test_a_code_is_good_for_ten_minutes(db: Database) -> None:
    home = await phone_house(db)
    made = await registered(home)
    await asked(home, made)
    await later(home, 10 * MINUTE)
    assert (await refused(home.services.phone_codes.confirm(made.handle, await code_of(home)))).code == (
        "phone_code_over"
    )


async def test_only_the_latest_code_counts_and_only_for_its_number(db: Database) -> None:
    home = await phone_house(db)
    made = await registered(home)
    await asked(home, made)
    first = await code_of(home)
    await later(home, MINUTE)
    await asked(home, made, "13900139000")
    if first != await code_of(home, "+8613900139000"):
        assert (await refused(home.services.phone_codes.confirm(made.handle, first))).code == "phone_code_wrong"
    step = await home.services.phone_codes.confirm(made.handle, await code_of(home, "+8613900139000"))
    assert step.confirmed == "+8613900139000"


async def test_a_code_of_another_registration_is_wrong(db: Database) -> None:
    """The same number in two registrations: each has its own code."""
    home = await phone_house(db)
    hers, his = await registered(home), await registered(home, email=BOB)
    await asked(home, hers)
    her_code = await code_of(home)
    await later(home, MINUTE)
    await asked(home, his)
    if her_code != await code_of(home):
        assert (await refused(home.services.phone_codes.confirm(his.handle, her_code))).code == "phone_code_wrong"
    assert (await home.services.phone_codes.confirm(hers.handle, her_code)).stage is PhoneStage.CONFIRMED


async def test_two_confirmations_at_once_are_one(db: Database) -> None:
    home = await phone_house(db)
    made = await registered(home)
    await asked(home, made)
    code = await code_of(home)
    steps = await asyncio.gather(*(home.services.phone_codes.confirm(made.handle, code) for _ in range(4)))
    assert {step.stage for step in steps} == {PhoneStage.CONFIRMED}
    async with db.read() as session:
        entries = [each for each in await session.exec(select(AuditEntry)) if each.action == "phone.confirmed"]
    assert len(entries) == 1


async def test_another_code_after_a_minute_five_an_hour_ten_a_day(db: Database) -> None:
    home = await phone_house(db)
    made = await registered(home)
    await asked(home, made)
    early = await refused(asked(home, made))
    assert early.code == "too_many_requests"
    assert 55 <= seconds(early) <= 60
    for _ in range(4):
        await later(home, MINUTE)
        await asked(home, made)
    await later(home, MINUTE)
    assert seconds(await refused(asked(home, made))) > 3000
    await later(home, HOUR)
    for _ in range(5):
        await asked(home, made)
        await later(home, MINUTE)
    await later(home, HOUR)
    full = await refused(asked(home, made))
    assert seconds(full) > 20 * 3600
    assert len(await system_values(home)) == 10


async def test_a_number_has_its_limits_however_many_registrations_name_it(db: Database) -> None:
    home = await phone_house(db)
    hers, his = await registered(home), await registered(home, email=BOB)
    await asked(home, hers)
    assert (await refused(asked(home, his, here=Visitor("192.0.2.77", "")))).code == "too_many_requests"


async def test_one_visitor_pumps_no_more_than_twenty_an_hour(db: Database) -> None:
    """Many registrations, many numbers, one address."""
    home = await phone_house(db)
    refusals = []
    for n in range(25):
        made = await registered(home, email=f"pump{n}@customer.example")
        try:
            await asked(home, made, f"138{n:02d}138000")
        except Refusal as refusal:
            refusals.append(refusal.code)
    assert refusals == ["too_many_requests"] * 5
    assert len(await system_values(home)) == 20


async def test_one_block_of_numbers_gets_no_more_than_twenty_an_hour_from_everywhere(db: Database) -> None:
    home = await phone_house(db)
    refusals = []
    for n in range(22):
        here = Visitor(f"198.51.100.{n}", "")
        made = await registered(home, email=f"pump{n}@customer.example", here=here)
        try:
            await asked(home, made, f"138001380{n:02d}", here)
        except Refusal as refusal:
            refusals.append(refusal.code)
    assert refusals == ["too_many_requests"] * 2


async def test_a_number_is_good_for_three_accounts_and_only_its_owner_learns_that_it_is_not(db: Database) -> None:
    home = await phone_house(db)
    for n in range(3):
        await confirmed(home, f"a{n}@customer.example")
    made = await registered(home)
    step = await asked(home, made)
    fresh = await asked(home, await registered(home, email=BOB), "13900139000")
    assert (step.stage, step.tries_left) == (fresh.stage, fresh.tries_left), "the same answer for every number"
    full = await refused(home.services.phone_codes.confirm(made.handle, await code_of(home)))
    assert (full.code, full.params["limit"]) == ("phone_taken", 3)
    assert await phone_of(home, made.account_id) is None


async def test_the_last_room_of_a_number_is_taken_once(db: Database) -> None:
    home = await phone_house(db)
    for n in range(2):
        await confirmed(home, f"a{n}@customer.example")
    hers, his = await registered(home), await registered(home, email=BOB)
    codes = []
    for made in (hers, his):
        await asked(home, made)
        codes.append(await code_of(home))
        await later(home, MINUTE)
    confirm = home.services.phone_codes.confirm
    answers = await asyncio.gather(
        confirm(hers.handle, codes[0]), confirm(his.handle, codes[1]), return_exceptions=True
    )
    assert [each.code for each in answers if isinstance(each, Refusal)] == ["phone_taken"]


async def test_a_member_changes_the_number_and_takes_it_off(db: Database) -> None:
    home = await phone_house(db)
    caller = await confirmed(home, ALICE)
    codes = home.services.phone_codes
    changing = await codes.send_to_member(caller, "13900139000", proof(home), HERE)
    assert (changing.stage, changing.phone, changing.confirmed) == (PhoneStage.SENT, "+8613900139000", PHONE)
    done = await codes.confirm_of_member(caller, await code_of(home, "+8613900139000"))
    assert done.confirmed == "+8613900139000"
    same = await codes.send_to_member(caller, "13900139000", proof(home), HERE)
    assert (same.stage, same.codes_sent) == (PhoneStage.CONFIRMED, 2), "no SMS to what is confirmed"
    await codes.remove(caller)
    await codes.remove(caller)
    assert (await codes.of_member(caller)).stage is PhoneStage.NONE
    assert (await refused(codes.confirm_of_member(caller, "000000"))).code == "phone_code_over"
    async with db.read() as session:
        entries = [each for each in await session.exec(select(AuditEntry)) if each.action == "phone.removed"]
    assert len(entries) == 1


async def test_one_members_code_is_no_code_of_another_account(db: Database) -> None:
    home = await phone_house(db)
    alice, bob = await home.member(ALICE), await home.member(BOB)
    codes = home.services.phone_codes
    await codes.send_to_member(alice.caller, PHONE, proof(home), HERE)
    code = await code_of(home)
    assert (await refused(codes.confirm_of_member(bob.caller, code))).code == "phone_code_over"
    mixed = Caller(bob.caller.account_id, member_id=alice.caller.member_id)
    assert (await refused(codes.confirm_of_member(mixed, code))).code == "unauthenticated"
    assert (await refused(codes.of_member(Caller(alice.caller.account_id)))).code == "forbidden"


async def test_required_keeps_the_link_from_working_before_the_code(db: Database) -> None:
    home = await phone_house(db, registration_phone="required")
    missing = await refused(registered(home))
    assert (missing.code, missing.field) == ("phone_empty", "phone")
    made = await registered(home, "13800138000")
    await home.look(made.account_id)
    [mail] = await home.mails(ALICE)
    assert (await refused(home.services.registrations.confirm(mail.token))).code == "phone_first"
    await asked(home, made)
    await home.services.phone_codes.confirm(made.handle, await code_of(home))
    assert await home.services.registrations.confirm(mail.token) == made.account_id


async def test_off_asks_for_nothing(db: Database) -> None:
    home = await phone_house(db, registration_phone="off")
    made = await registered(home, "13800138000")
    assert (await home.services.phone_codes.of_registration(made.handle)).stage is PhoneStage.NONE
    assert (await refused(asked(home, made))).code == "phone_not_asked"
    assert await home.services.phone_codes.offered() == "off"


async def test_without_a_carrier_an_optional_number_is_not_offered(db: Database) -> None:
    home = await phone_house(db)
    assert await home.services.phone_codes.offered() == "optional"
    await db.pool.execute("UPDATE sms_gateway SET state = 'paused'")
    assert await home.services.phone_codes.offered() == "off"
    made = await registered(home, "13800138000")
    assert (await refused(asked(home, made))).code == "phone_unavailable"


async def test_a_code_whose_sms_is_refused_leaves_the_one_before(db: Database) -> None:
    """The platform's account has the limits of every account for a number, too."""
    home = await phone_house(db)
    made = await registered(home)
    await asked(home, made)
    code = await code_of(home)
    await db.pool.execute("UPDATE phone_code SET sent_at = sent_at - interval '2 minutes'; DELETE FROM throttle_hit")
    assert (await refused(asked(home, made))).code == "too_many_requests"
    await db.pool.execute("UPDATE sms_user SET disabled_at = now()")
    await later(home, HOUR)
    await db.pool.execute("UPDATE phone_code SET expires_at = now() + interval '1 minute'")
    assert (await refused(asked(home, made))).code == "phone_unavailable"
    assert (await home.services.phone_codes.confirm(made.handle, code)).stage is PhoneStage.CONFIRMED


async def test_nothing_is_sent_for_a_registration_that_is_over_and_its_number_is_forgotten(db: Database) -> None:
    home = await phone_house(db)
    made = await registered(home, "13800138000")
    await db.pool.execute("UPDATE registration SET expires_at = now()")
    await home.look(made.account_id)
    assert (await refused(asked(home, made))).code == "registration_over"
    assert (await refused(home.services.phone_codes.confirm("rt_guessed", "123456"))).code == "registration_over"
    async with db.read() as session:
        [row] = (await session.exec(select(PhoneCode))).all()
    assert row.phone == ""
