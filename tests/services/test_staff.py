"""Who operates: added, changed, disabled by administrators only; and one administrator always remains."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlmodel import col, select

from domain.errors import Refusal
from domain.operators import OperatorRole
from store.audit_log import AuditEntry
from store.db import Database
from tests.operators_world import DESK, Bureau, Signed, bureau, enrolled, signed


@pytest.fixture
async def there(db: Database) -> AsyncIterator[Bureau]:
    yield await bureau(db)


@pytest.fixture
async def root(there: Bureau) -> Signed:
    return await signed(there, "root", OperatorRole.ADMIN)


async def refusal_of(work: object) -> str:
    with pytest.raises(Refusal) as caught:
        await work  # type: ignore[misc]
    return caught.value.code


async def test_the_last_administrator_stays(there: Bureau, root: Signed) -> None:
    staff = there.services.staff
    rose = await signed(there, "rose", OperatorRole.ADMIN)
    await staff.disable(root.operator, rose.operator.id)
    await signed(there, "rita")
    assert await refusal_of(staff.disable_by_name("root")) == "operator_last_admin"


async def test_nobody_acts_on_oneself(there: Bureau, root: Signed) -> None:
    """With a second administrator, too: a slip would end in a locked door."""
    staff, me = there.services.staff, root.operator.id
    await signed(there, "rose", OperatorRole.ADMIN)
    assert await refusal_of(staff.disable(root.operator, me)) == "operator_self"
    assert await refusal_of(staff.reset(root.operator, me)) == "operator_self"
    assert await refusal_of(staff.set_roles(root.operator, me, ["admin", "finance"])) == "operator_self"
    assert (await there.services.operators.operator(root.token)).roles == {OperatorRole.ADMIN}


async def test_an_administrator_who_never_signed_in_does_not_count(there: Bureau, root: Signed) -> None:
    staff = there.services.staff
    fresh = await staff.add(root.operator, "fresh", ["admin"])
    assert await refusal_of(staff.disable_by_name("root")) == "operator_last_admin"
    rose = await signed(there, "rose", OperatorRole.ADMIN)
    await staff.disable(root.operator, rose.operator.id)
    assert await refusal_of(staff.set_roles(rose.operator, root.operator.id, ["finance"])) == "operator_last_admin"
    row = next(each for each in await staff.everybody() if each.name == fresh.name)
    await staff.disable(root.operator, row.id)


async def test_two_administrators_who_reset_each_other_at_once_leave_one(there: Bureau, root: Signed) -> None:
    other = await signed(there, "rose", OperatorRole.ADMIN)
    staff = there.services.staff
    results = await asyncio.gather(
        staff.reset(root.operator, other.operator.id),
        staff.reset(other.operator, root.operator.id),
        return_exceptions=True,
    )
    assert [each.code for each in results if isinstance(each, Refusal)] == ["operator_last_admin"]


async def test_two_administrators_who_remove_each_other_at_once_leave_one(there: Bureau, root: Signed) -> None:
    other = await signed(there, "rose", OperatorRole.ADMIN)
    staff = there.services.staff
    results = await asyncio.gather(
        staff.disable(root.operator, other.operator.id),
        staff.set_roles(other.operator, root.operator.id, ["reviewer"]),
        return_exceptions=True,
    )
    assert [each.code for each in results if isinstance(each, Refusal)] == ["operator_last_admin"]


async def test_disabled_operators_are_out_at_once_and_for_good(there: Bureau, root: Signed) -> None:
    rita = await signed(there, "rita")
    await there.services.staff.disable(root.operator, rita.operator.id)
    assert await refusal_of(there.services.operators.operator(rita.token)) == "operator_unauthenticated"
    present = there.services.operators.present("rita", rita.given.password, DESK)
    assert await refusal_of(present) == "operator_sign_in_failed"
    assert await refusal_of(there.services.staff.reset(root.operator, rita.operator.id)) == "operator_disabled"
    assert await refusal_of(there.services.staff.add(root.operator, "rita", ["support"])) == "operator_exists"


async def test_roles_count_from_the_next_request_on(there: Bureau, root: Signed) -> None:
    rita = await signed(there, "rita")
    await there.services.staff.set_roles(root.operator, rita.operator.id, ["finance"])
    assert (await there.services.operators.operator(rita.token)).roles == {OperatorRole.FINANCE}


async def test_a_reset_ends_sessions_and_asks_for_a_new_authenticator(there: Bureau, root: Signed) -> None:
    rita = await signed(there, "rita")
    given = await there.services.staff.reset(root.operator, rita.operator.id)
    assert await refusal_of(there.services.operators.operator(rita.token)) == "operator_unauthenticated"
    assert not (await there.services.operators.present("rita", given.password, DESK)).enrolled


@pytest.mark.parametrize("role", [OperatorRole.REVIEWER, OperatorRole.FINANCE, OperatorRole.SUPPORT])
async def test_nobody_else_manages_operators(there: Bureau, root: Signed, role: OperatorRole) -> None:
    other, staff = await signed(there, "other", role), there.services.staff
    acts = (
        staff.add(other.operator, "mine", ["admin"]), staff.disable(other.operator, root.operator.id),
        staff.set_roles(other.operator, other.operator.id, ["admin"]), staff.reset(other.operator, root.operator.id),
        staff.listed(other.operator),
    )  # fmt: skip
    assert [await refusal_of(act) for act in acts] == ["duty_forbidden"] * 5


@pytest.mark.parametrize("name", ["", "A", "Rita", "1st", "a b", "operator/x", "x" * 33, "名字"])
async def test_names_are_handles(there: Bureau, root: Signed, name: str) -> None:
    assert await refusal_of(there.services.staff.add(root.operator, name, ["support"])) == "operator_bad_name"


@pytest.mark.parametrize("roles", [[], ["root"], ["admin", "boss"]])
async def test_roles_are_known_ones(there: Bureau, root: Signed, roles: list[str]) -> None:
    assert await refusal_of(there.services.staff.add(root.operator, "sam", roles)) == "operator_bad_role"


async def test_every_change_is_audited(there: Bureau, root: Signed) -> None:
    staff, rita = there.services.staff, await enrolled(there, "rita")
    row = next(each for each in await staff.listed(root.operator) if each.name == rita.name)
    await staff.set_roles(root.operator, row.id, ["finance", "support"])
    await staff.reset(root.operator, row.id)
    await staff.disable(root.operator, row.id)
    async with there.db.read() as session:
        query = select(AuditEntry.actor, AuditEntry.action).where(AuditEntry.subject == f"operator/{row.id}")
        noted = list(await session.exec(query.order_by(col(AuditEntry.id))))
    assert noted == [
        ("cli", "operator.added.reviewer"), ("operator/root", "operator.roles.finance+support"),
        ("operator/root", "operator.reset"), ("operator/root", "operator.disabled"),
    ]  # fmt: skip
