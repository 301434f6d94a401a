"""What operators change about their own way in: with password and code only, and every other session ends."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace

import pytest
from sqlmodel import col, select

from domain.errors import Refusal
from domain.operators import GivenOut
from domain.visitors import Visitor
from services.own_access import TRIES, OwnAccess, Proof
from store.audit_log import AuditEntry
from store.db import Database
from store.operators import OperatorRow
from tests.operators_world import DESK, Bureau, Signed, bureau, code_of, signed

NEW = "five words of my own"
ELSEWHERE = Visitor("198.51.100.7", "curl")


@dataclass
class Rita:
    """An operator with a session here and, after a while, one elsewhere."""

    there: Bureau
    here: Signed
    other: str

    @property
    def own(self) -> OwnAccess:
        return self.there.services.own_access

    def proof(self, steps: int = 0) -> Proof:
        return Proof(self.here.given.password, code_of(self.here.given, steps))

    async def alive(self, token: str) -> bool:
        try:
            await self.there.services.operators.operator(token)
        except Refusal:
            return False
        return True

    async def signs_in(self, given: GivenOut, code: str) -> str:
        ticket = await self.there.services.operators.present("rita", given.password, ELSEWHERE)
        return (await self.there.services.operators.complete(ticket.token, code, ELSEWHERE)).token

    async def waits_for_the_next_code(self) -> None:
        """The steps that were used are long ago."""
        await self.there.db.pool.execute("UPDATE operator SET totp_step = 0")

    async def log(self) -> list[str]:
        query = select(AuditEntry.action).where(AuditEntry.actor == "operator/rita").order_by(col(AuditEntry.id))
        async with self.there.db.read() as session:
            return [each for each in await session.exec(query) if ".sign_in." not in each]


@pytest.fixture
async def rita(db: Database) -> AsyncIterator[Rita]:
    there = await bureau(db)
    here = await signed(there)
    made = Rita(there, here, "")
    await made.waits_for_the_next_code()
    made.other = await made.signs_in(here.given, code_of(here.given))
    await made.waits_for_the_next_code()
    yield made


async def refusal_of(work: Awaitable[object]) -> tuple[str, str | None]:
    with pytest.raises(Refusal) as caught:
        await work
    return caught.value.code, caught.value.field


async def test_a_new_password_counts_and_ends_the_other_sessions(rita: Rita) -> None:
    await rita.own.change_password(rita.here.operator, rita.proof(), NEW)
    assert (await rita.alive(rita.here.token), await rita.alive(rita.other)) == (True, False)
    await rita.waits_for_the_next_code()
    given = rita.here.given
    assert (await refusal_of(rita.signs_in(given, code_of(given))))[0] == "operator_sign_in_failed"
    assert await rita.alive(await rita.signs_in(replace(given, password=NEW), code_of(given)))
    assert await rita.log() == ["operator.password_changed"]


async def test_a_weak_password_uses_no_code_up(rita: Rita) -> None:
    change = rita.own.change_password
    assert await refusal_of(change(rita.here.operator, rita.proof(), "short")) == ("password_too_short", "new")
    await change(rita.here.operator, rita.proof(), NEW)


async def test_a_new_authenticator_counts_when_it_is_confirmed(rita: Rita) -> None:
    shown = rita.own.renewal(rita.here.operator)
    assert rita.own.same_renewal(rita.here.operator, shown.ticket) == shown
    fresh = GivenOut("rita", rita.here.given.password, shown.enrolment.secret)
    renew = rita.own.renew_authenticator
    wrong = await refusal_of(renew(rita.here.operator, rita.proof(), shown.ticket, "000000"))
    assert wrong == ("operator_code_failed", "new_code")
    assert await rita.alive(await rita.signs_in(rita.here.given, code_of(rita.here.given))), "the old one goes on"
    await rita.waits_for_the_next_code()
    await renew(rita.here.operator, rita.proof(), shown.ticket, code_of(fresh))
    assert (await rita.alive(rita.here.token), await rita.alive(rita.other)) == (True, False)
    assert (await refusal_of(rita.signs_in(fresh, code_of(rita.here.given))))[0] == "operator_code_failed"
    assert (await refusal_of(rita.signs_in(fresh, code_of(fresh))))[0] == "operator_code_failed", "used to confirm"
    assert await rita.alive(await rita.signs_in(fresh, code_of(fresh, 1)))
    assert await rita.log() == ["operator.authenticator_renewed"]


async def test_a_renewal_is_ones_own(rita: Rita) -> None:
    sam = await signed(rita.there, "sam")
    foreign = rita.own.renewal(sam.operator)
    renew = rita.own.renew_authenticator
    for ticket in (foreign.ticket, "forged", ""):
        code = await refusal_of(renew(rita.here.operator, rita.proof(), ticket, code_of(sam.given)))
        assert code == ("operator_renewal_over", None)
    assert rita.own.same_renewal(rita.here.operator, foreign.ticket).enrolment.secret != foreign.enrolment.secret


async def test_new_recovery_codes_replace_the_former(rita: Rita) -> None:
    first = await rita.own.renew_codes(rita.here.operator, rita.proof())
    assert (len(set(first)), (await rita.own.show(rita.here.operator)).recovery_codes) == (8, 8)
    with_code = Proof(rita.here.given.password, first[0].upper())
    second = await rita.own.renew_codes(rita.here.operator, with_code)
    assert not set(first) & set(second)
    assert (await refusal_of(rita.signs_in(rita.here.given, first[1])))[0] == "operator_code_failed"
    assert await rita.alive(await rita.signs_in(rita.here.given, second[1]))
    assert await rita.log() == ["operator.recovery_codes_renewed"] * 2


Change = Callable[[Rita, Proof], Awaitable[object]]
CHANGES: dict[str, Change] = {
    "password": lambda rita, proof: rita.own.change_password(rita.here.operator, proof, NEW),
    "codes": lambda rita, proof: rita.own.renew_codes(rita.here.operator, proof),
    "authenticator": lambda rita, proof: rita.own.renew_authenticator(
        rita.here.operator, proof, rita.own.renewal(rita.here.operator).ticket, "000000"
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_each_change_asks_for_password_and_code(rita: Rita, change: Change) -> None:
    good = rita.proof()
    assert await refusal_of(change(rita, replace(good, password="wrong"))) == ("operator_password_wrong", "current")
    assert await refusal_of(change(rita, replace(good, code="000000"))) == ("operator_code_failed", "code")
    assert (await rita.alive(rita.here.token), await rita.alive(rita.other)) == (True, True)
    assert await rita.log() == ["operator.own_access.wrong_password", "operator.own_access.wrong_code"]
    for _ in range(TRIES.count - 2):
        await refusal_of(change(rita, replace(good, password="wrong")))
    assert await refusal_of(change(rita, good)) == ("too_many_requests", None)


async def test_a_reset_meanwhile_wins(rita: Rita, monkeypatch: pytest.MonkeyPatch) -> None:
    known = rita.own._known

    async def meanwhile(*arguments: object) -> OperatorRow:
        found = await known(*arguments)  # type: ignore[arg-type]
        await rita.there.services.staff.reset_by_name("rita")
        return found

    monkeypatch.setattr(rita.own, "_known", meanwhile)
    change = rita.own.change_password(rita.here.operator, rita.proof(), NEW)
    assert (await refusal_of(change))[0] == "operator_ticket_over"
    assert (await refusal_of(rita.there.services.operators.present("rita", NEW, DESK)))[0] == "operator_sign_in_failed"
