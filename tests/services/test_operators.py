"""Operators at the door: codes count once, guesses are few, sessions are new and end."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator

import pytest
from sqlmodel import col, select, update

from domain.errors import Refusal
from domain.operators import OperatorRole
from domain.visitors import Visitor
from services.operators import CODES_HERE, TRIES_HERE, FirstSignIn
from store.audit_log import AuditEntry
from store.columns import now
from store.db import Database
from store.operators import OperatorRow, OperatorSession
from tests.operators_world import DESK, Bureau, bureau, code_of, enrolled, signed

ELSEWHERE = Visitor("198.51.100.7", "curl")


@pytest.fixture
async def there(db: Database) -> AsyncIterator[Bureau]:
    yield await bureau(db)


async def refusal_of(work: object) -> str:
    with pytest.raises(Refusal) as caught:
        await work  # type: ignore[misc]
    return caught.value.code


async def test_password_and_code_open_a_session(there: Bureau) -> None:
    made = await signed(there, "rita", OperatorRole.REVIEWER, OperatorRole.SUPPORT)
    found = await there.services.operators.operator(made.token)
    assert (found.name, sorted(found.roles)) == ("rita", ["reviewer", "support"])
    await there.services.operators.sign_out(made.token)
    assert await refusal_of(there.services.operators.operator(made.token)) == "operator_unauthenticated"


async def test_a_code_counts_once_even_at_the_same_time(there: Bureau) -> None:
    desk, given = there.services.operators, await enrolled(there)
    tickets = [await desk.present("rita", given.password, DESK) for _ in range(4)]
    visitors = [Visitor(f"192.0.2.{n}") for n in range(4)]
    code = code_of(given)
    tries = [desk.complete(each.token, code, who) for each, who in zip(tickets, visitors, strict=True)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    lost = [each for each in results if isinstance(each, Refusal)]
    assert [each.code for each in lost] == ["operator_code_failed"] * 3


async def test_drift_is_one_step_and_no_earlier_step_comes_back(there: Bureau) -> None:
    desk, given = there.services.operators, await enrolled(there)
    ticket = (await desk.present("rita", given.password, DESK)).token
    assert await refusal_of(desk.complete(ticket, code_of(given, -3), DESK)) == "operator_code_failed"
    assert await refusal_of(desk.complete(ticket, code_of(given, 3), DESK)) == "operator_code_failed"
    assert (await desk.complete(ticket, code_of(given, 1), DESK)).operator.name == "rita"
    assert await refusal_of(desk.complete(ticket, code_of(given, 0), DESK)) == "operator_code_failed"


async def test_guessing_passwords_ends_and_the_right_one_forgives(there: Bureau) -> None:
    desk, given = there.services.operators, await enrolled(there)
    for _ in range(TRIES_HERE.count - 1):
        assert await refusal_of(desk.present("rita", "wrong password", DESK)) == "operator_sign_in_failed"
    await desk.present("RITA ", given.password, DESK)
    for _ in range(TRIES_HERE.count):
        assert await refusal_of(desk.present("rita", "wrong password", DESK)) == "operator_sign_in_failed"
    assert await refusal_of(desk.present("rita", given.password, DESK)) == "too_many_requests"
    assert (await desk.present("rita", given.password, ELSEWHERE)).enrolled


async def test_guessing_codes_ends_here_and_everywhere(there: Bureau) -> None:
    desk, given = there.services.operators, await enrolled(there)
    ticket = (await desk.present("rita", given.password, DESK)).token
    for _ in range(CODES_HERE.count):
        assert await refusal_of(desk.complete(ticket, "000000", DESK)) == "operator_code_failed"
    assert await refusal_of(desk.complete(ticket, code_of(given), DESK)) == "too_many_requests"
    for n in range(15):
        await refusal_of(desk.complete(ticket, "000000", Visitor(f"203.0.113.{n}")))
    assert await refusal_of(desk.complete(ticket, code_of(given), ELSEWHERE)) == "too_many_requests"


async def test_unknown_names_are_refused_like_wrong_passwords(there: Bureau) -> None:
    assert await refusal_of(there.services.operators.present("nobody", "x" * 12, DESK)) == "operator_sign_in_failed"


async def test_a_first_sign_in_sets_password_and_authenticator(there: Bureau) -> None:
    root, desk = await signed(there, "root", OperatorRole.ADMIN), there.services.operators
    given = await there.services.staff.add(root.operator, "sam", ["support"])
    assert given.secret == ""
    ticket = await desk.present("sam", given.password, DESK)
    assert not ticket.enrolled
    assert await refusal_of(desk.complete(ticket.token, "123456", DESK)) == "operator_ticket_over"
    shown = await desk.enrolment(ticket.token)
    assert shown == await desk.enrolment(ticket.token)
    assert f"secret={shown.secret}" in shown.uri
    code = code_of(type(given)("sam", "", shown.secret))
    keep = FirstSignIn(given.password, code)
    assert await refusal_of(desk.enrol(ticket.token, keep, DESK)) == "password_common"
    assert await refusal_of(desk.enrol(ticket.token, FirstSignIn("four words of mine", "000000"), DESK)) == (
        "operator_code_failed"
    )
    made = await desk.enrol(ticket.token, FirstSignIn("four words of mine", code), DESK)
    assert (await desk.operator(made.token)).name == "sam"
    assert len(set(made.recovery_codes)) == 8
    assert await refusal_of(desk.enrolment(ticket.token)) == "operator_ticket_over"
    again = await desk.present("sam", "four words of mine", DESK)
    assert await refusal_of(desk.complete(again.token, code, DESK)) == "operator_code_failed"
    used = made.recovery_codes[3]
    assert (await desk.complete(again.token, f" {used.upper()} ", DESK)).operator.name == "sam"
    assert await refusal_of(desk.complete(again.token, used, DESK)) == "operator_code_failed"
    async with there.db.read() as session:
        row = (await session.exec(select(OperatorRow).where(OperatorRow.name == "sam"))).one()
    assert len(row.recovery_digests) == 7
    assert not any(code in str(row.recovery_digests) for code in made.recovery_codes)


async def test_a_first_sign_in_hashes_only_what_is_counted(there: Bureau) -> None:
    root, desk = await signed(there, "root", OperatorRole.ADMIN), there.services.operators
    given = await there.services.staff.add(root.operator, "sam", ["support"])
    ticket = (await desk.present("sam", given.password, DESK)).token
    await desk.enrolment(ticket)
    same = FirstSignIn(given.password, "000000")
    for _ in range(CODES_HERE.count):
        assert await refusal_of(desk.enrol(ticket, same, DESK)) == "password_common"
    assert await refusal_of(desk.enrol(ticket, same, DESK)) == "too_many_requests"


async def test_a_sign_in_makes_a_new_session_and_ends_the_one_the_browser_had(there: Bureau) -> None:
    first = await signed(there)
    desk = there.services.operators
    ticket = (await desk.present("rita", first.given.password, DESK)).token
    second = await desk.complete(ticket, code_of(first.given, 1), DESK, former=first.token)
    assert second.token != first.token
    assert await refusal_of(desk.operator(first.token)) == "operator_unauthenticated"
    planted = "so_planted-by-somebody"
    assert await refusal_of(desk.operator(planted)) == "operator_unauthenticated"


@pytest.mark.parametrize("column", ["last_seen_at", "expires_at"])
async def test_idle_and_old_sessions_end(there: Bureau, column: str) -> None:
    made = await signed(there)
    then = now() - (dt.timedelta(minutes=31) if column == "last_seen_at" else dt.timedelta(seconds=1))
    async with there.db.begin() as session:
        await session.exec(update(OperatorSession).values({column: then}))
    assert await refusal_of(there.services.operators.operator(made.token)) == "operator_unauthenticated"


async def test_own_sessions_are_listed_and_ended_but_not_another_operators(there: Bureau) -> None:
    rita, sam = await signed(there, "rita"), await signed(there, "sam", OperatorRole.SUPPORT)
    desk = there.services.operators
    (mine,) = await desk.sessions(rita.operator)
    assert await refusal_of(desk.revoke(sam.operator, mine.id)) == "not_found"
    await desk.revoke(rita.operator, mine.id)
    assert await refusal_of(desk.operator(rita.token)) == "operator_unauthenticated"
    assert (await desk.operator(sam.token)).name == "sam"


async def test_a_ticket_is_bound_to_the_password_and_to_us(there: Bureau) -> None:
    desk, given = there.services.operators, await enrolled(there)
    ticket = (await desk.present("rita", given.password, DESK)).token
    await there.services.staff.reset_by_name("rita")
    assert await refusal_of(desk.complete(ticket, code_of(given), DESK)) == "operator_ticket_over"
    assert await refusal_of(desk.complete("forged", code_of(given), DESK)) == "operator_ticket_over"


async def test_a_sign_in_in_flight_does_not_outlive_a_reset(there: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ticket was looked at; then came the reset, before there was a session."""
    desk, given = there.services.operators, await enrolled(there)
    ticket = (await desk.present("rita", given.password, DESK)).token
    counted = desk._count_code

    async def meanwhile(*arguments: object) -> None:
        await counted(*arguments)  # type: ignore[arg-type]
        await there.services.staff.reset_by_name("rita")

    monkeypatch.setattr(desk, "_count_code", meanwhile)
    assert await refusal_of(desk.complete(ticket, code_of(given), DESK)) == "operator_ticket_over"
    assert await living_sessions(there) == 0


async def test_a_sign_in_in_flight_does_not_outlive_the_authenticator(
    there: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, given = there.services.operators, await enrolled(there)
    ticket = (await desk.present("rita", given.password, DESK)).token
    counted = desk._count_code

    async def meanwhile(*arguments: object) -> None:
        await counted(*arguments)  # type: ignore[arg-type]
        async with there.db.begin() as session:
            await session.exec(update(OperatorRow).values(totp_confirmed_at=now()))

    monkeypatch.setattr(desk, "_count_code", meanwhile)
    assert await refusal_of(desk.complete(ticket, code_of(given), DESK)) == "operator_ticket_over"
    assert await living_sessions(there) == 0


async def test_a_first_sign_in_does_not_outlive_a_reset(there: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the secret of an authenticator nor a session for who holds the former first password."""
    root, desk = await signed(there, "root", OperatorRole.ADMIN), there.services.operators
    given = await there.services.staff.add(root.operator, "sam", ["support"])
    sam = next(row for row in await there.services.staff.everybody() if row.name == "sam")
    ticket = (await desk.present("sam", given.password, DESK)).token
    secret, holder = (await desk.enrolment(ticket)).secret, desk._holder

    async def meanwhile(ticket: str) -> OperatorRow:
        found = await holder(ticket)
        await there.services.staff.reset(root.operator, sam.id)
        async with there.db.begin() as session:  # the new holder's page, with a secret of their own
            await session.exec(
                update(OperatorRow).where(col(OperatorRow.id) == sam.id).values(totp_secret=found.totp_secret)
            )
        return found

    monkeypatch.setattr(desk, "_holder", meanwhile)
    assert await refusal_of(desk.enrolment(ticket)) == "operator_ticket_over"
    monkeypatch.setattr(desk, "_holder", holder)
    given = await there.services.staff.reset(root.operator, sam.id)
    ticket = (await desk.present("sam", given.password, DESK)).token
    secret = (await desk.enrolment(ticket)).secret
    monkeypatch.setattr(desk, "_holder", meanwhile)
    first = FirstSignIn("four words of mine", code_of(type(given)("sam", "", secret)))
    assert await refusal_of(desk.enrol(ticket, first, DESK)) == "operator_ticket_over"


async def living_sessions(there: Bureau) -> int:
    async with there.db.read() as session:
        return len(list(await session.exec(select(OperatorSession).where(col(OperatorSession.revoked_at).is_(None)))))


async def test_sign_ins_are_audited(there: Bureau) -> None:
    await signed(there)
    async with there.db.read() as session:
        actions = list(await session.exec(select(AuditEntry.actor, AuditEntry.action)))
    assert actions == [("cli", "operator.added.reviewer"), ("operator/rita", "operator.sign_in.totp")]
