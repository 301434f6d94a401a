"""What finance does about a refund that the provider will never make: once, with a reason, on record."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

import pytest

from domain.billing import PaymentState
from domain.errors import Refusal
from domain.ids import new_id
from domain.operators import MAX_REASON, Operator, OperatorRole
from services.audit import audit
from services.payment_desk import IN_HAND, PaymentDesk
from store.db import Database
from tests.pay_world import Desk, Till, till

PAID = {"clearing:alipay": -10_000, "prepaid": 10_000}
WANTED = {"clearing:alipay": -20_000, "prepaid": 10_000, "refunds": 10_000}


@dataclass
class Office:
    """A payment that has to go back, and the desk where that is seen to."""

    shop: Till
    payment: UUID

    @property
    def desk(self) -> PaymentDesk:
        return PaymentDesk(self.shop.base)

    async def record(self) -> list[tuple[str, str, str]]:
        case = await self.desk.payment(finance("reader"), self.payment)
        return [(each.actor, each.action, each.detail.get("reason", "")) for each in case.record]


def finance(name: str = "fin", role: OperatorRole = OperatorRole.FINANCE) -> Operator:
    return Operator(new_id(), name, frozenset({role}))


@pytest.fixture
async def office(db: Database, pay: Desk) -> Office:
    shop = await till(db, pay)
    view = await shop.opens()
    return Office(shop, (await shop.goes_back(view.row.id.hex)).id)


async def test_a_refund_is_recorded_posted_and_the_process_told(office: Office) -> None:
    assert await office.shop.books() == WANTED
    await office.desk.end_refund(finance(), office.payment, " bank transfer 4711 \0")
    case = await office.desk.payment(finance(), office.payment)
    assert (case.row.state, case.wanted, case.row.refunded_at is None) == (PaymentState.REFUNDED, False, False)
    assert await office.shop.books() == PAID
    assert (await office.record())[-1] == ("operator/fin", "payment.refunded", "bank transfer 4711")
    assert f"refund/{office.payment}" in await office.shop.nudged()
    assert case.workflow_id == f"refund/{office.payment}"
    assert (await audit(office.shop.db)).clean


async def test_of_several_at_once_one_counts(office: Office) -> None:
    acts = [office.desk.end_refund(finance(f"fin-{n}"), office.payment, "by hand") for n in range(6)]
    refused = [each for each in await asyncio.gather(*acts, return_exceptions=True) if each is not None]
    assert [each.code for each in refused if isinstance(each, Refusal)] == ["refund_not_wanted"] * 5
    assert await office.shop.books() == PAID
    assert [action for _actor, action, _reason in await office.record()].count("payment.refunded") == 1


@pytest.mark.parametrize("role", [OperatorRole.REVIEWER, OperatorRole.SUPPORT])
async def test_only_finance_sees_and_ends_it(office: Office, role: OperatorRole) -> None:
    other = finance("other", role)
    for attempt in (office.desk.payment(other, office.payment), office.desk.end_refund(other, office.payment, "r")):
        with pytest.raises(Refusal) as refused:
            await attempt
        assert refused.value.code == "duty_forbidden"
    assert await office.shop.books() == WANTED


@pytest.mark.parametrize(
    ("reason", "code"), [("", "required"), (" \0 ", "required"), ("x" * (MAX_REASON + 1), "text_too_long")]
)
async def test_it_needs_a_reason(office: Office, reason: str, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        await office.desk.end_refund(finance(), office.payment, reason)
    assert (refused.value.code, refused.value.field) == (code, "reason")
    assert await office.shop.books() == WANTED


async def test_not_while_the_provider_may_be_doing_it(office: Office) -> None:
    pool = office.shop.db.pool
    await pool.execute("UPDATE payment SET asked_at = now() WHERE id = $1", office.payment)
    with pytest.raises(Refusal) as refused:
        await office.desk.end_refund(finance(), office.payment, "by hand")
    assert refused.value.code == "refund_in_hand"
    assert await office.shop.books() == WANTED
    await pool.execute("UPDATE payment SET asked_at = asked_at - $1::interval", IN_HAND)
    await office.desk.end_refund(finance(), office.payment, "by hand")
    assert await office.shop.books() == PAID


async def test_what_is_credited_or_nothing_stays_as_it_is(office: Office) -> None:
    credited = next(each.id for each in await office.shop.payments() if each.state == PaymentState.CREDITED)
    for key, code in ((credited, "refund_not_wanted"), (new_id(), "not_found")):
        with pytest.raises(Refusal) as refused:
            await office.desk.end_refund(finance(), key, "by hand")
        assert refused.value.code == code
    with pytest.raises(Refusal) as refused:
        await office.desk.payment(finance(), new_id())
    assert refused.value.code == "not_found"
    assert await office.shop.books() == WANTED
