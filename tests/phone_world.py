"""A platform that sends codes by SMS, without a carrier's process: codes are rows that a test reads."""

import datetime as dt
from uuid import UUID

from altcha import Challenge, Payload, solve_challenge

from domain.accounts import SYSTEM_ACCOUNT
from domain.phone_codes import PhoneStep
from domain.visitors import Visitor
from services.registrations import Form, Registered
from services.sms_platform import ensure_sms_platform
from store.db import Database
from store.sms_gateways import SmsGateway
from tests.accounts_world import ALICE, HERE, PASSWORD, House, house

PHONE = "+8613800138000"
MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)
_BACK = """
UPDATE phone_code SET sent_at = sent_at - $1::interval, expires_at = expires_at - $1::interval;
UPDATE throttle_hit SET at = at - $1::interval;
UPDATE spent_proof SET expires_at = expires_at - $1::interval;
UPDATE sms_recent SET at = ARRAY(SELECT one - $1::interval FROM unnest(at) AS one);
"""


async def phone_house(db: Database, **changes: object) -> House:
    """With a carrier that would take SMS, and little work for browsers."""
    home = await house(db, None, **{"registration_work": 256, **changes})
    await have_sms(home)
    return home


async def have_sms(home: House) -> None:
    """A carrier, and the platform's own templates."""
    async with home.db.begin() as session:
        session.add(SmsGateway(name="carrier", host="127.0.0.1", port=1, system_id="x", sealed_password=b""))
        await ensure_sms_platform(session, home.base.policy.platform_name)


def proof(home: House) -> str:
    """A solution of a new challenge, as a browser finds it."""
    return solved(home.services.phone_codes.challenge())


def solved(challenge: dict[str, object]) -> str:
    given = Challenge.from_dict(challenge)
    found = solve_challenge(given)
    assert found is not None
    return Payload(given, found).to_base64()


async def registered(home: House, phone: str = "", email: str = ALICE, here: Visitor = HERE) -> Registered:
    """A registration that names a number."""
    form = Form("Alice & Co", email, PASSWORD, "en", phone)
    return await home.services.registrations.register(form, here)


async def asked(home: House, made: Registered, phone: str = PHONE, here: Visitor = HERE) -> PhoneStep:
    """A code was asked for."""
    return await home.services.phone_codes.send(made.handle, phone, proof(home), here)


async def code_of(home: House, phone: str = PHONE) -> str:
    """The code that was sent last."""
    return (await home.mails(phone))[-1].variables["code"]


def other_than(code: str) -> str:
    """A wrong one."""
    return f"{(int(code) + 1) % 1_000_000:06d}"


async def later(home: House, passed: dt.timedelta) -> None:
    """What was done, was done so much earlier."""
    async with home.db.raw() as connection:
        for statement in filter(str.strip, _BACK.split(";")):
            await connection.execute(statement, passed)


async def system_values(home: House) -> list[dict[str, str]]:
    """The variables of the platform's own SMS."""
    rows = await home.db.pool.fetch(
        "SELECT m.variables FROM message m JOIN submission s ON s.id = m.submission_id"
        " WHERE s.account_id = $1 AND s.channel = 'sms' ORDER BY m.id",
        SYSTEM_ACCOUNT,
    )
    return [dict(row["variables"]) for row in rows]


async def phone_of(home: House, account: UUID) -> str | None:
    """What stands on the account's first member."""
    found: str | None = await home.db.pool.fetchval(
        "SELECT phone FROM member WHERE account_id = $1 ORDER BY created_at LIMIT 1", account
    )
    return found
