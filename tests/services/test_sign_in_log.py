"""Refused sign-ins and signing out in the audit log: enough to see an attack, too little to fill it, nothing typed."""

from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace

import pytest
from sqlmodel import col, select

from domain.accounts import SignedIn
from domain.errors import Refusal
from domain.operators import OperatorRole
from domain.visitors import Visitor
from services.operators import CODES_HERE, TRIES_HERE, FirstSignIn
from services.sessions import TRIES_HERE as MEMBER_TRIES
from services.sign_in_log import NOBODY
from store.audit_log import AuditEntry
from store.db import Database
from tests.accounts_world import ALICE, HERE, PASSWORD, House, house
from tests.operators_world import DESK, Bureau, bureau, code_of, enrolled, signed

TYPED = "what somebody typed"


@pytest.fixture
async def there(db: Database) -> AsyncIterator[Bureau]:
    yield await bureau(db)


async def refused(work: Awaitable[object]) -> str:
    with pytest.raises(Refusal) as caught:
        await work
    return caught.value.code


async def entries(there: Bureau | House, *beginnings: str) -> list[AuditEntry]:
    query = select(AuditEntry).order_by(col(AuditEntry.id))
    async with there.db.read() as session:
        found = list(await session.exec(query))
    return [each for each in found if each.action.startswith(beginnings)]


async def told(there: Bureau | House) -> list[tuple[str, str]]:
    """(action, subject) of what was refused."""
    found = await entries(there, "operator.refused.", "session.refused.")
    assert all((each.actor, each.detail) == ("visitor", {}) for each in found)
    assert TYPED not in str([each.model_dump() for each in found])
    return [(each.action, each.subject) for each in found]


async def id_of(there: Bureau, name: str) -> str:
    return next(f"operator/{row.id}" for row in await there.services.staff.everybody() if row.name == name)


async def test_wrong_passwords_and_codes_of_operators(there: Bureau) -> None:
    desk, given = there.services.operators, await enrolled(there)
    assert await refused(desk.present("rita", TYPED, DESK)) == "operator_sign_in_failed"
    ticket = (await desk.present("rita", given.password, DESK)).token
    assert await refused(desk.complete(ticket, TYPED, DESK)) == "operator_code_failed"
    rita = await id_of(there, "rita")
    assert await told(there) == [("operator.refused.wrong_password", rita), ("operator.refused.wrong_code", rita)]


async def test_a_wrong_code_of_a_first_sign_in(there: Bureau) -> None:
    root, desk = await signed(there, "root", OperatorRole.ADMIN), there.services.operators
    given = await there.services.staff.add(root.operator, "sam", ["support"])
    ticket = (await desk.present("sam", given.password, DESK)).token
    await desk.enrolment(ticket)
    assert await refused(desk.enrol(ticket, FirstSignIn("four words of mine", TYPED), DESK)) == "operator_code_failed"
    assert await told(there) == [("operator.refused.wrong_code", await id_of(there, "sam"))]


async def test_a_reached_limit_is_noted_once_and_so_are_codes(there: Bureau) -> None:
    desk, given = there.services.operators, await enrolled(there)
    for _ in range(TRIES_HERE.count + 3):
        await refused(desk.present("rita", TYPED, DESK))
    elsewhere = Visitor("198.51.100.7")
    ticket = (await desk.present("rita", given.password, elsewhere)).token
    for _ in range(CODES_HERE.count + 3):
        await refused(desk.complete(ticket, TYPED, elsewhere))
    actions = [action.rpartition(".")[2] for action, _ in await told(there)]
    assert actions == ["wrong_password"] * TRIES_HERE.count + ["too_many"] + ["wrong_code"] * CODES_HERE.count


async def test_names_that_nobody_has_fill_no_log(there: Bureau) -> None:
    for number in range(NOBODY.count + 5):
        visitor = Visitor(f"203.0.113.{number}")
        assert await refused(there.services.operators.present(f"{TYPED}{number}", TYPED, visitor))
    assert await told(there) == [("operator.refused.unknown_name", "operator/unknown")] * NOBODY.count


async def test_characters_that_the_database_cannot_hold_are_wrong_and_no_fault(db: Database) -> None:
    home = await house(db)
    for typed in ("a\0b", "\0", "rita\0"):
        assert await refused(home.services.operators.present(typed, typed, DESK)) == "operator_sign_in_failed"
        assert await refused(home.services.sessions.sign_in(typed, typed, HERE)) == "sign_in_failed"


async def test_operators_sign_out_once(there: Bureau) -> None:
    made = await signed(there)
    for token in (made.token, made.token, "so_forged"):
        await there.services.operators.sign_out(token)
    [entry] = await entries(there, "operator.sign_out")
    assert (entry.actor, entry.subject) == ("operator/rita", f"operator/{made.operator.id}")
    ticket = (await there.services.operators.present("rita", made.given.password, DESK)).token
    assert (await there.services.operators.complete(ticket, code_of(made.given, 1), DESK)).token


async def test_a_member_learns_that_somebody_was_stopped(db: Database) -> None:
    """Not of each wrong password: that would tell by the time it takes who is a member."""
    home = await house(db)
    alice = await home.member()
    for _ in range(MEMBER_TRIES.count + 3):
        await refused(home.services.sessions.sign_in(ALICE, TYPED, HERE))
        await refused(home.services.sessions.sign_in("nobody@x.example", TYPED, HERE))
    assert await told(home) == [("session.refused.too_many", f"member/{alice.caller.member_id}")]
    [entry] = await entries(home, "session.refused.")
    assert entry.account_id == alice.caller.account_id


async def test_members_sign_out_and_end_sessions(db: Database) -> None:
    home = await house(db)
    made = [await home.member()]
    for number in range(3):
        again = await home.services.sessions.sign_in(ALICE, PASSWORD, replace(HERE, ip=f"192.0.2.{number}"))
        assert isinstance(again, SignedIn)
        made.append(again)
    sessions, (first, second, third, _) = home.services.sessions, made
    await sessions.revoke(first.caller, second.session_id)
    assert await sessions.revoke_others(first.caller) == 2
    assert await sessions.revoke_others(first.caller) == 0
    await sessions.sign_out(third.token)
    await sessions.sign_out(first.token)
    found = await entries(home, "session.")
    assert [(each.action, each.detail) for each in found] == [
        ("session.ended", {}), ("session.others_ended", {"count": 2}), ("session.signed_out", {}),
    ]  # fmt: skip
    assert {each.actor for each in found} == {each.subject for each in found} == {f"member/{first.caller.member_id}"}
