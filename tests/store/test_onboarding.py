"""Facts are read from rows: what counts, what does not, and what is withdrawn."""

import asyncio
import datetime as dt
from uuid import UUID

import pytest

from domain.billing import RechargeState
from domain.certification import CertificationKind, CertificationState
from domain.domains import DomainState, Purpose
from domain.errors import Refusal
from domain.onboarding import Fact, SmsStage, Stage
from domain.onboarding_findings import Fault, Findings
from domain.onboarding_moves import Standing
from domain.reviews import ReviewState
from domain.sending import MessageState
from store import onboarding
from store.clockwork import Clockwork
from store.columns import now
from store.db import Database
from store.domains import SenderDomain
from tests.path_rows import Customer

OPEN_FACTS = frozenset(
    {
        Fact.EMAIL_CONFIRMED,
        Fact.DOMAIN_USABLE,
        Fact.API_USER_READY,
        Fact.TEMPLATE_APPROVED,
        Fact.FIRST_DELIVERED,
    }
)


PAYING = frozenset({Fact.CERTIFIED, Fact.ENTERPRISE_CERTIFIED, Fact.PAID})


async def findings(customer: Customer, at: dt.datetime | None = None) -> Findings:
    async with customer.db.read() as session:
        found = await onboarding.situation(session, customer.account, at)
    assert found is not None
    return found.findings


async def facts(customer: Customer, at: dt.datetime | None = None) -> frozenset[Fact]:
    return (await findings(customer, at)).facts


async def test_a_new_account_is_at_the_first_step_and_has_a_process(db: Database) -> None:
    alice = await Customer(db).registers()
    async with db.read() as session:
        found = await onboarding.situation(session, alice.account)
        clock = await session.get(Clockwork, f"onboarding/{alice.account}")
    assert found is not None and clock is not None
    assert (found.stage, found.changed, found.findings) == (Stage.REGISTER, 0, Findings())
    assert found.sms_stage is SmsStage.CERTIFY
    assert (clock.kind, clock.subject) == ("onboarding", str(alice.account))


async def test_tests_and_samples_do_not_count(db: Database) -> None:
    alice = await Customer(db).registers()
    await alice.confirms()
    test_domain = await alice.adds_domain(is_test=True)
    await alice.adds_api_user(test_domain, is_test=True)
    await alice.adds_api_user(test_domain)  # an own API user, but only the test domain
    await alice.writes_template(is_sample=True)
    await alice.sends(is_test=True)
    assert await findings(alice) == Findings(frozenset({Fact.EMAIL_CONFIRMED}), api_users=1)


async def test_facts_come_and_go_with_their_rows(db: Database) -> None:
    alice = await Customer(db).registers()
    await alice.confirms()
    domain = await alice.adds_domain(DomainState.PENDING)
    assert await findings(alice) == Findings(
        frozenset({Fact.EMAIL_CONFIRMED}), domains=1, fault=Fault(domain, await name_of(db, domain), None)
    )
    await alice.domain_becomes(domain, DomainState.USABLE)
    user = await alice.adds_api_user(domain)
    template = await alice.writes_template()
    await alice.sends()
    assert await facts(alice) == OPEN_FACTS

    await alice.domain_becomes(domain, DomainState.BROKEN, Purpose.DKIM)
    await alice.adds_domain(DomainState.PENDING)  # newer, but not what keeps the customer
    found = await findings(alice)
    assert found.facts == OPEN_FACTS - {Fact.DOMAIN_USABLE, Fact.API_USER_READY}
    assert found.domains_broken == 1
    assert found.fault == Fault(domain, await name_of(db, domain), Purpose.DKIM)
    await alice.domain_becomes(domain, DomainState.USABLE)
    await alice.disables(user)
    assert await facts(alice) == OPEN_FACTS - {Fact.API_USER_READY}
    await alice.deletes_template(template)
    await alice.confirms(holds=False)
    assert await facts(alice) == {Fact.DOMAIN_USABLE, Fact.FIRST_DELIVERED}
    await alice.domain_becomes(domain, DomainState.DELETED)
    found = await findings(alice)
    assert (found.domains, found.submissions) == (1, 1)
    assert found.facts == {Fact.FIRST_DELIVERED}


async def name_of(db: Database, domain: UUID) -> str:
    async with db.read() as session:
        return (await session.get_one(SenderDomain, domain)).name


async def test_certification_and_payment_count_by_days_of_shanghai(db: Database) -> None:
    """Certified through 2 March; that day ends at 16:00 UTC."""
    alice = await Customer(db).registers()
    await alice.orders(RechargeState.CREDITED)
    assert await facts(alice) == frozenset(), "paid without being certified is not paid"
    await alice.certifies(CertificationKind.ENTERPRISE, dt.date(2026, 3, 2))
    evening = dt.datetime(2026, 3, 2, 15, 59, 59, tzinfo=dt.UTC)
    assert await facts(alice, evening) == PAYING
    assert await facts(alice, evening + dt.timedelta(seconds=1)) == frozenset()
    await alice.certifies(CertificationKind.INDIVIDUAL, number=2)
    assert await facts(alice, evening + dt.timedelta(days=9)) == {Fact.CERTIFIED, Fact.PAID}


@pytest.mark.parametrize("state", [state for state in CertificationState if state is not CertificationState.APPROVED])
async def test_only_an_approved_certification_counts(db: Database, state: CertificationState) -> None:
    alice = await Customer(db).registers()
    await alice.orders(RechargeState.CREDITED)
    application = await alice.applies(state)
    found = await findings(alice)
    assert found.facts == frozenset()
    withdrawn = state is CertificationState.WITHDRAWN
    assert [each.id for each in found.applications] == ([] if withdrawn else [application])


async def test_the_application_that_is_shown_says_why_and_until_when(db: Database) -> None:
    alice = await Customer(db).registers()
    due = dt.datetime(2026, 3, 3, 2, 30, tzinfo=dt.UTC)
    first = await alice.applies(CertificationState.REJECTED)
    await alice.application_becomes(first, CertificationState.REJECTED, reason="Unreadable.")
    second = await alice.applies(CertificationState.SUBMITTED, number=2)
    await alice.application_becomes(second, CertificationState.SUBMITTED, due_at=due, due_provisional=True)
    old, new = (await findings(alice)).applications
    assert (old.id, old.state, old.reason) == (first, CertificationState.REJECTED, "Unreadable.")
    assert (new.id, new.number, new.due_at, new.due_provisional) == (second, 2, due, True)


async def test_of_two_approvals_the_longer_one_counts(db: Database) -> None:
    """A renewal may be approved for a shorter time than the one before it."""
    alice = await Customer(db).registers()
    await alice.certifies(until=dt.date(2030, 1, 1))
    await alice.certifies(until=dt.date(2026, 1, 1), number=2)
    at = dt.datetime(2029, 1, 1, tzinfo=dt.UTC)
    assert Fact.CERTIFIED in await facts(alice, at)


@pytest.mark.parametrize(
    ("state", "expires", "shown"),
    [
        (RechargeState.OPEN, 1, True),
        (RechargeState.OPEN, -1, False),
        (RechargeState.CLOSED, 1, False),
        (RechargeState.CREDITED, 1, False),
    ],
)
async def test_an_order_that_can_be_paid_is_shown(
    db: Database, state: RechargeState, expires: int, shown: bool
) -> None:
    alice = await Customer(db).registers()
    await alice.certifies()
    order = await alice.orders(state, dt.timedelta(days=expires))
    found = await findings(alice)
    assert found.open_order == (order if shown else None)
    assert (Fact.PAID in found.facts) == (state is RechargeState.CREDITED)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (ReviewState.DRAFT, Findings(templates=1)),
        (ReviewState.SUBMITTED, Findings(templates=1, templates_in_review=1)),
        (ReviewState.REJECTED, Findings(templates=1, templates_rejected=1)),
        (ReviewState.WITHDRAWN, Findings(templates=1)),
        (ReviewState.APPROVED, Findings(frozenset({Fact.TEMPLATE_APPROVED}), templates=1)),
    ],
)
async def test_templates_by_state(db: Database, state: ReviewState, expected: Findings) -> None:
    alice = await Customer(db).registers()
    await alice.writes_template(state)
    assert await findings(alice) == expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (MessageState.QUEUED, Findings(submissions=1, in_flight=True)),
        (MessageState.BOUNCED, Findings(submissions=1)),
        (MessageState.UNKNOWN, Findings(submissions=1)),
        (MessageState.DELIVERED, Findings(frozenset({Fact.FIRST_DELIVERED}), submissions=1)),
    ],
)
async def test_sends_by_outcome(db: Database, state: MessageState, expected: Findings) -> None:
    alice = await Customer(db).registers()
    await alice.sends(state)
    assert await findings(alice) == expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (MessageState.QUEUED, Findings(sms_submissions=1, sms_in_flight=True)),
        (MessageState.SENT, Findings(sms_submissions=1, sms_in_flight=True)),
        (MessageState.BOUNCED, Findings(sms_submissions=1)),
        (MessageState.UNKNOWN, Findings(sms_submissions=1)),
        (MessageState.DELIVERED, Findings(frozenset({Fact.SMS_DELIVERED}), sms_submissions=1)),
    ],
)
async def test_sms_by_outcome_and_apart_from_mail(db: Database, state: MessageState, expected: Findings) -> None:
    alice = await Customer(db).registers()
    await alice.texts(MessageState.DELIVERED, is_test=True)
    assert await findings(alice) == Findings()
    await alice.texts(state)
    assert await findings(alice) == expected


async def test_sms_users_and_templates(db: Database) -> None:
    alice = await Customer(db).registers()
    user = await alice.makes_sms_user()
    await alice.writes_sms_template(is_builtin=True)
    assert await findings(alice) == Findings(frozenset({Fact.SMS_USER_READY}), sms_users=1)
    await alice.disables_sms_user(user)
    await alice.writes_sms_template(ReviewState.SUBMITTED)
    await alice.writes_sms_template(ReviewState.REJECTED)
    waiting = Findings(sms_templates=2, sms_templates_in_review=1, sms_templates_rejected=1)
    assert await findings(alice) == waiting
    await alice.writes_sms_template()
    assert Fact.SMS_TEMPLATE_APPROVED in (await findings(alice)).facts


async def test_accounts_are_apart_even_in_one_query(db: Database) -> None:
    alice, bob = await Customer(db).registers(), await Customer(db).registers()
    theirs = await alice.finishes_everything()
    await bob.adds_api_user(theirs)  # bound to somebody else's domain: no door lets that happen
    async with db.read() as session:
        both = await onboarding.situations(session, [alice.account, bob.account])
    assert both[alice.account].findings.facts == OPEN_FACTS | PAYING
    assert both[bob.account].findings == Findings(api_users=1)


async def test_of_two_who_saw_the_same_row_one_moves_it(db: Database) -> None:
    alice, all_saw = await Customer(db).registers(), asyncio.Barrier(3)

    async def mover() -> bool:
        async with db.begin() as session:
            seen = await onboarding.situation(session, alice.account)
            assert seen is not None
            await all_saw.wait()
            return await onboarding.move(session, seen, Standing(Stage.DOMAIN), now())

    assert sorted(await asyncio.gather(mover(), mover(), mover())) == [False, False, True]
    row = await alice.row()
    assert (row.stage, row.changed) == ("domain", 1)


async def test_a_move_forgets_the_reminders_of_the_stay_before(db: Database) -> None:
    alice = await Customer(db).registers()
    at = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)
    async with db.begin() as session:
        assert await onboarding.stamp_reminder(session, alice.account, 0, 1, at)
        assert not await onboarding.stamp_reminder(session, alice.account, 0, 1, at), "counted once"
        assert not await onboarding.stamp_reminder(session, alice.account, 7, 2, at), "another stay"
        seen = await onboarding.situation(session, alice.account)
        assert seen is not None and seen.reminders == 1
        assert await onboarding.move(session, seen, Standing(Stage.DOMAIN), at)
    row = await alice.row()
    assert (row.reminders, row.reminded_at, row.since) == (0, None, at)


async def test_a_move_on_the_sms_track_leaves_the_stay_as_it_is(db: Database) -> None:
    alice = await Customer(db).registers()
    at = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)
    async with db.begin() as session:
        await onboarding.stamp_reminder(session, alice.account, 0, 1, at)
        seen = await onboarding.situation(session, alice.account)
        assert seen is not None
        assert await onboarding.move(session, seen, Standing(Stage.REGISTER, SmsStage.PAY), at)
    row = await alice.row()
    assert (row.stage, row.sms_stage, row.changed) == ("register", "sms_pay", 1)
    assert (row.reminders, row.reminded_at) == (1, at)
    assert row.since == seen.since


async def test_the_end_of_the_path_is_stamped_and_taken_back(db: Database) -> None:
    alice = await Customer(db).registers()
    at = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)
    for stage, completed in ((Stage.DONE, at), (Stage.CERTIFY, None)):
        async with db.begin() as session:
            seen = await onboarding.situation(session, alice.account)
            assert seen is not None
            await onboarding.move(session, seen, Standing(stage), at)
        assert (await alice.row()).completed_at == completed


async def test_doors_are_told_the_missing_step(db: Database) -> None:
    alice = await Customer(db).registers()
    async with db.read() as session:
        with pytest.raises(Refusal) as refused:
            await onboarding.require_step(session, alice.account, Stage.DOMAIN)
    assert (refused.value.code, refused.value.params["step"]) == ("step_missing", "register")
    await alice.sends_first()
    async with db.read() as session:
        await onboarding.require_step(session, alice.account, Stage.SEND)
        await onboarding.require_step(session, alice.account, Stage.CERTIFY)
        with pytest.raises(Refusal) as refused:
            await onboarding.require_step(session, alice.account, Stage.PAY)
    assert (refused.value.params["step"], refused.value.params["place"]) == ("certify", "/portal/certification")
    await alice.certifies()
    async with db.read() as session:
        await onboarding.require_step(session, alice.account, Stage.PAY)
        with pytest.raises(Refusal) as refused:
            await onboarding.require_step(session, alice.account, SmsStage.USER)
    assert refused.value.params["step"] == "sms_pay"


async def nudged(customer: Customer) -> bool:
    async with customer.db.read() as session:
        clock = await session.get(Clockwork, customer.process.workflow_id)
    assert clock is not None
    return clock.nudge_wanted


@pytest.mark.parametrize(("stage", "expected"), [(Stage.TEMPLATE, True), (Stage.SEND, True), (Stage.CERTIFY, False)])
async def test_a_first_delivery_wakes_the_process_and_later_ones_do_not(
    db: Database, stage: Stage, expected: bool
) -> None:
    alice, bob = await Customer(db).registers(), await Customer(db).registers()
    async with db.begin() as session:
        for customer in (alice, bob):
            seen = await onboarding.situation(session, customer.account)
            assert seen is not None
            await onboarding.move(session, seen, Standing(stage), now())
    async with db.raw() as connection:
        await onboarding.nudge_first_senders(connection, {alice.account})
    assert await nudged(alice) is expected
    assert not await nudged(bob)


async def test_mail_goes_to_a_confirmed_address_only(db: Database) -> None:
    alice = await Customer(db).registers("alice@example.com", language="zh")
    async with db.read() as session:
        assert await onboarding.addressee(session, alice.account) is None
    await alice.confirms()
    async with db.read() as session:
        assert await onboarding.addressee(session, alice.account) == ("alice@example.com", "Alice", "zh")
