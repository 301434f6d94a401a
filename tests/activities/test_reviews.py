"""The review clock: what is promised when, who is told what, and what an operator's calendar changes."""

import datetime as dt
from dataclasses import dataclass, replace

import pytest
from sqlmodel import col, select, update

from activities.certification_desk import CertificationDesk
from activities.reviews import ReviewActivities
from activities.template_desk import TemplateDesk
from domain.accounts import SYSTEM_ACCOUNT
from domain.certification import parts_of
from domain.ids import Kind, Process, new_id
from domain.reviews import MAX_REASON, Decision, ReviewAlert, ReviewCase, ReviewLook, ReviewStage, ReviewState
from domain.times import SHANGHAI
from store import calendar
from store import templates as rows
from store.calendar import CalendarDay
from store.db import Database
from store.sending import Message, Submission
from store.templates import TemplateVersion
from tests.certification_world import ENTERPRISE, applicant
from tests.platform_rows import have_platform
from tests.template_world import Author, author


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@dataclass
class Clock:
    """One submitted version and the activities of its process, whose time is ours to say."""

    alice: Author
    reviews: ReviewActivities
    process: Process

    @property
    def db(self) -> Database:
        return self.alice.base.db

    async def looks(self, now: str) -> ReviewCase:
        return await self.reviews.look(ReviewLook(self.process, at(now)))

    async def alerts(self, stage: ReviewStage) -> bool:
        return await self.reviews.alert(ReviewAlert(self.process, stage, at("2026-11-24T09:00")))

    async def submitted(self, moment: str) -> None:
        changed = update(TemplateVersion).where(col(TemplateVersion.id) == self.process.subject)
        async with self.db.begin() as session:
            await session.exec(changed.values(submitted_at=at(moment), due_at=None, due_provisional=False))

    async def rules(self, day: str, works: bool) -> None:
        async with self.db.begin() as session:
            await calendar.set_day(session, CalendarDay(day=dt.date.fromisoformat(day), works=works))

    async def told(self) -> list[tuple[str, str, dict[str, str]]]:
        """(address, label, variables) of the mails of the system account."""
        async with self.db.read() as session:
            found = await session.exec(
                select(Message.address, Submission.label, Message.variables)
                .join(Submission, col(Submission.id) == col(Message.submission_id))
                .where(col(Submission.account_id) == SYSTEM_ACCOUNT)
                .order_by(col(Message.id))
            )
            return [tuple(each) for each in found]  # type: ignore[misc]


@pytest.fixture
async def clock(db: Database) -> Clock:
    return await made(db, await author(db))


async def made(db: Database, alice: Author) -> Clock:
    base = alice.base
    await have_platform(db, base.vault, base.policy)
    view = await alice.writes()
    async with db.begin() as session:
        await rows.submit(session, view.version.id, alice.rows.account, at("2026-10-09T17:00"))
    reviews = ReviewActivities(db, base.policy, {Kind.TEMPLATE_REVIEW: TemplateDesk()})
    return Clock(alice, reviews, Process(Kind.TEMPLATE_REVIEW, str(view.version.id), str(alice.rows.account), 1))


async def test_the_first_look_promises_over_a_make_up_day(clock: Clock) -> None:
    """Submitted on a Friday at 17:00; Saturday, 10 October 2026, is worked."""
    case = await clock.looks("2026-10-09T17:01")
    assert (case.state, case.submitted_at) == (ReviewState.SUBMITTED, at("2026-10-09T17:00"))
    assert (case.due_at, case.due_provisional) == (at("2026-10-10T12:00"), False)
    assert case.warn_at == at("2026-10-10T11:00")
    assert case.link == f"{clock.alice.base.policy.public_url}/console/cases/template-review/{clock.process.subject}"
    view = await clock.alice.templates.get(clock.alice.caller, "order")
    assert (view.version.due_at, view.version.due_provisional) == (at("2026-10-10T12:00"), False)


async def test_a_promise_is_kept_whatever_the_calendar_says_later(clock: Clock) -> None:
    await clock.looks("2026-10-09T17:01")
    await clock.rules("2026-10-10", works=False)
    assert (await clock.looks("2026-10-09T17:30")).due_at == at("2026-10-10T12:00")
    later = await clock.looks("2026-10-10T11:30")
    assert later.warn_at is not None and later.warn_at <= at("2026-10-10T12:00"), "a warning never follows the breach"
    await clock.submitted("2026-10-09T17:00")
    assert (await clock.looks("2026-10-09T17:01")).due_at == at("2026-10-12T12:00"), "what is promised from now on"


async def test_a_promise_into_an_unknown_year_is_provisional(clock: Clock) -> None:
    await clock.submitted("2026-12-31T17:00")
    case = await clock.looks("2026-12-31T17:00")
    assert (case.due_at, case.due_provisional) == (at("2027-01-04T12:00"), True)
    view = await clock.alice.templates.get(clock.alice.caller, "order")
    assert view.version.due_provisional and view.heads[0].due_provisional
    for n in range(4):
        await clock.rules(f"2027-01-0{n + 1}", works=n == 3)
    assert (await clock.looks("2026-12-31T17:00")).due_provisional, "what was promised as provisional stays so"
    await clock.submitted("2026-12-31T17:00")
    again = await clock.looks("2026-12-31T17:00")
    assert (again.due_at, again.due_provisional) == (at("2027-01-04T12:00"), False)


async def test_a_confirmed_year_is_certain_and_nobody_is_told_of_it(clock: Clock) -> None:
    async with clock.db.begin() as session:
        await calendar.confirm_year(session, calendar.CalendarYear(year=2027))
    await clock.submitted("2026-12-31T17:00")
    case = await clock.looks("2026-12-31T17:00")
    assert (case.due_at, case.due_provisional) == (at("2027-01-04T12:00"), False)
    assert await clock.told() == []


async def test_the_lead_is_told_once_of_a_year_that_is_not_known(clock: Clock) -> None:
    await clock.looks("2026-11-02T00:00")
    assert [label for _, label, _ in await clock.told()] == ["calendar-missing"]
    await clock.looks("2026-11-03T09:00")
    await clock.looks("2027-05-03T09:00")
    ((address, _, variables),) = await clock.told()
    assert (address, variables["year"]) == (clock.alice.base.policy.lead_email, "2027")
    assert variables["link"].endswith("/console/calendar")
    await clock.looks("2027-11-20T09:00")
    assert [variables["year"] for _, _, variables in await clock.told()] == ["2027"], "2027 is still the missing one"
    await clock.looks("2028-01-02T09:00")
    assert [variables["year"] for _, _, variables in await clock.told()] == ["2027", "2028"]


async def test_nobody_is_told_while_the_calendar_is_known(clock: Clock) -> None:
    await clock.looks("2026-11-01T09:00")
    assert await clock.told() == []


async def test_warning_and_breach_are_told_once_each(clock: Clock) -> None:
    await clock.looks("2026-10-09T17:01")
    for stage in (ReviewStage.WARNING, ReviewStage.WARNING, ReviewStage.OVERDUE, ReviewStage.OVERDUE):
        assert await clock.alerts(stage)
    first, second = await clock.told()
    assert [first[1], second[1]] == ["review-warning", "review-overdue"]
    assert first[0] == clock.alice.base.policy.lead_email
    assert first[2]["case"] == clock.process.workflow_id and first[2]["due"] == "2026-10-10 12:00"
    assert first[2]["link"].endswith(f"/console/cases/template-review/{clock.process.subject}")


async def test_nobody_is_alarmed_about_what_was_decided_meanwhile(clock: Clock) -> None:
    await clock.looks("2026-10-09T17:01")
    await clock.alice.templates.withdraw(clock.alice.caller, "order")
    assert not await clock.alerts(ReviewStage.OVERDUE)
    assert await clock.told() == []


async def test_a_lead_who_cannot_be_written_to_holds_nothing_up(db: Database) -> None:
    alice = await author(db)
    alice.base = replace(alice.base, policy=replace(alice.base.policy, lead_email="nobody"))
    clock = await made(db, alice)
    assert (await clock.looks("2026-11-23T09:00")).due_at is not None
    assert await clock.alerts(ReviewStage.OVERDUE), "it waits all the same"
    assert await clock.told() == []


async def test_configured_hours_and_allowance_count(db: Database) -> None:
    alice = await author(db)
    policy = replace(alice.base.policy, working_hours="00:00-24:00", template_review_minutes=60)
    alice.base = replace(alice.base, policy=policy)
    clock = await made(db, alice)
    case = await clock.looks("2026-10-09T17:00")
    assert (case.warn_at, case.due_at) == (at("2026-10-09T17:45"), at("2026-10-09T18:00"))


async def test_a_decision_that_fits_into_no_mail_does_not_hold_its_process_open(db: Database) -> None:
    """What was decided before reasons had a limit together; the portal shows them all the same."""
    bob = await applicant(db)
    await have_platform(db, bob.base.vault, bob.base.policy)
    view = await bob.submits(ENTERPRISE)
    parts = [part.value for part in parts_of(ENTERPRISE)]
    await bob.is_decided(view, Decision.REJECT, "证" * MAX_REASON, **dict.fromkeys(parts, "证" * MAX_REASON))
    reviews = ReviewActivities(db, bob.base.policy, {Kind.CERTIFICATION_REVIEW: CertificationDesk()})
    process = Process(Kind.CERTIFICATION_REVIEW, str(view.row.id), str(view.row.account_id), 1)
    assert await reviews.announce(process) is False
    assert len((await bob.service.get(bob.caller, view.row.id)).row.part_reasons) == len(parts)


async def test_a_row_that_is_gone_ends_the_review(clock: Clock) -> None:
    gone = replace(clock.process, subject=str(new_id()))
    case = await clock.reviews.look(ReviewLook(gone, at("2026-11-23T09:00")))
    assert case.state is ReviewState.WITHDRAWN
