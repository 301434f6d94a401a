"""Codes asked for by the thousand: limits of visitors, blocks and countries, and what a replaced number costs."""

import asyncio

import pytest
from structlog.testing import capture_logs

from domain.errors import Refusal
from domain.phone_codes import PhoneStage
from domain.visitors import Visitor
from services import phone_codes, registrations
from services.limits import Limit
from services.sms_receipts import SmsReceipts
from store.accounts import Member
from store.db import Database
from store.phone_codes import PhoneCode
from tests.accounts_world import HERE, House
from tests.phone_world import (
    HOUR,
    PHONE,
    asked,
    code_of,
    later,
    phone_house,
    proof,
    registered,
    system_values,
)
from tests.services.test_members import joined


async def pumped(home: House, phones: list[str], places: list[Visitor]) -> list[str]:
    """A registration for each number, each from its place; the refusals' codes."""
    codes = []
    for n, (phone, here) in enumerate(zip(phones, places, strict=True)):
        made = await registered(home, email=f"pump{n}@customer.example", here=here)
        try:
            await asked(home, made, phone, here)
        except Refusal as refusal:
            codes.append(refusal.code)
    return codes


async def test_an_ipv6_network_is_one_visitor(db: Database) -> None:
    """Whoever has a /64 has an address of its own for each request."""
    home = await phone_house(db)
    phones = [f"138{n:02d}138000" for n in range(23)]
    places = [Visitor(f"2001:db8:1:2::{n:x}") for n in range(22)] + [Visitor("2001:db8:1:3::1")]
    assert await pumped(home, phones, places) == ["too_many_requests"] * 2
    assert len(await system_values(home)) == 21


async def test_an_ipv6_network_registers_as_one_visitor(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    home = await phone_house(db)
    monkeypatch.setattr(registrations, "PER_IP", Limit("register-ip", 2, HOUR))
    answers = [
        await asyncio.gather(
            registered(home, email=f"r{n}@customer.example", here=Visitor(f"2001:db8::{n:x}")), return_exceptions=True
        )
        for n in range(3)
    ]
    assert [each.code for [each] in answers if isinstance(each, Refusal)] == ["too_many_requests"]


@pytest.mark.parametrize(
    ("limits", "phone", "country"), [("AT_HOME", "138{:02d}138000", "CN"), ("PER_COUNTRY", "+44 7400 1{:02d}456", "GB")]
)
async def test_a_country_gets_so_many_codes_from_everywhere_and_the_log_says_when(
    db: Database, monkeypatch: pytest.MonkeyPatch, limits: str, phone: str, country: str
) -> None:
    monkeypatch.setattr(phone_codes, limits, (Limit("phone-code-test", 3, HOUR),))
    home = await phone_house(db)
    await db.pool.execute(
        "INSERT INTO price (id, item, unit_micro, effective_from, set_by, set_at)"
        " VALUES (gen_random_uuid(), 'sms:GB', 1, now(), 'test', now())"
    )
    phones = [phone.format(n) for n in range(10, 15)]
    places = [Visitor(f"198.51.100.{n}") for n in range(5)]
    with capture_logs() as told:
        assert await pumped(home, phones, places) == ["too_many_requests"] * 2
    assert len(await system_values(home)) == 3
    used_up = [each for each in told if each["event"] == "phone_codes_used_up"]
    assert [(each["country"], each["log_level"]) for each in used_up] == [(country, "warning")] * 2
    assert "138" not in str(used_up) and "7400" not in str(used_up), "ids elsewhere hold any digits"


def test_abroad_a_day_of_pumping_is_bounded_and_at_home_an_hour() -> None:
    assert {(limit.count, limit.window) for limit in phone_codes.PER_COUNTRY} == {(100, HOUR), (500, 24 * HOUR)}
    assert [(limit.count, limit.window) for limit in phone_codes.AT_HOME] == [(2_000, HOUR)]


async def test_a_removed_member_leaves_no_number(db: Database) -> None:
    home = await phone_house(db)
    alice = await home.member()
    carol = await joined(home, alice)
    member = carol.caller.member_id
    assert member
    await home.services.phone_codes.send_to_member(carol.caller, PHONE, proof(home), HERE)
    await home.services.phone_codes.confirm_of_member(carol.caller, await code_of(home))
    await home.services.members.remove(alice.caller, member)
    async with db.read() as session:
        row, waiting = await session.get_one(Member, member), await session.get_one(PhoneCode, member)
    assert (row.phone, row.phone_confirmed_at, waiting.phone, waiting.digest) == (None, None, "", None)


async def test_a_number_that_nobody_proved_is_forgotten_after_a_month(db: Database) -> None:
    home = await phone_house(db)
    hers, his = await registered(home, "13800138000"), await registered(home, email="bob@customer.example")
    await asked(home, his, "13900139000")
    carol = await home.member("carol@customer.example")
    await later(home, HOUR)
    await home.services.phone_codes.send_to_member(carol.caller, "13700137000", proof(home), HERE)
    await home.services.phone_codes.confirm_of_member(carol.caller, await code_of(home, "+8613700137000"))
    receipts = SmsReceipts(db)
    await receipts.forget()
    assert (await home.services.phone_codes.of_registration(hers.handle)).stage is PhoneStage.GIVEN
    await later(home, 31 * 24 * HOUR)
    await db.pool.execute("UPDATE member SET created_at = created_at - interval '31 days'")
    await receipts.forget()
    for made in (hers, his):
        assert (await home.services.phone_codes.of_registration(made.handle)).stage is PhoneStage.NONE
    assert (await home.services.phone_codes.of_member(carol.caller)).confirmed == "+8613700137000"


@pytest.mark.parametrize("path", ["/v1/registrations", "/v1/registrations/phone", "/register/phone", "/v1/sms"])
async def test_of_a_strangers_body_little_is_read(db: Database, path: str) -> None:
    """Who has not signed in would have megabytes of JSON taken apart."""
    home = await phone_house(db)
    async with home.browser() as client:
        if path.startswith("/v1"):
            body, kind = b'{"recipients": [' + b"{}, " * 2_200_000 + b"{}]}", "application/json"
        else:
            body, kind = b"phone=" + b"1" * 70_000, "application/x-www-form-urlencoded"
        answer = await client.post(path, content=body, headers={"content-type": kind})
    assert answer.status_code == 413
    assert "64 KB" in answer.text or not path.startswith("/v1/registrations")
