"""Deciding at the console: who may, what they see, and that of several deciders exactly one counts."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest
from temporalio.testing import WorkflowEnvironment

from domain.errors import Refusal
from domain.operators import OperatorRole
from domain.reviews import MAX_REASON, MAX_TOTAL, Decision, DecisionResult, ReviewDecision, ReviewState, Ruling
from services.certifications import Certifications
from services.limits import Limits
from services.review_desk import ReviewDesk
from store import templates as templates_store
from store.columns import now
from store.db import Database
from tests.certification_world import Applicant, AtHome, applicant, operator
from tests.platform_rows import have_platform
from tests.template_world import GOOD, Author, author
from tests.workflows.test_template_review import submitted, working

APPROVE = ReviewDecision(Decision.APPROVE, version=2)
REJECT = ReviewDecision(Decision.REJECT, "Say who you are.", version=2)
RITA, SAM, FINN = operator(), operator(OperatorRole.SUPPORT, name="sam"), operator(OperatorRole.FINANCE, name="finn")
CHANGED = replace(GOOD, subject="News for %name%", html=GOOD.html + "\n<p>New</p>")


def desk_of(there: Author | Applicant) -> ReviewDesk:
    return ReviewDesk(there.base, Certifications(there.base, Limits(there.base), AtHome()))


async def refusal_of(work: object) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await work  # type: ignore[misc]
    return caught.value


async def test_a_template_case_shows_what_changed_since_the_last_approval(db: Database) -> None:
    alice = await author(db)
    first = await alice.submits()
    desk = desk_of(alice)
    assert (await desk.template(RITA, first.version.id)).since is None
    await desk.decide_template(RITA, first.version.id, APPROVE)
    await alice.edits(CHANGED)
    second = await alice.templates.submit(alice.caller, "order")
    case = await desk.template(RITA, second.version.id)
    assert case.since == 1
    marks = [(line.mark, line.text) for line in case.changes]
    assert ("-", f"Subject: {GOOD.subject}") in marks
    assert ("+", "Subject: News for %name%") in marks
    assert ("+", "<p>New</p>") in marks
    assert (case.account.approved, case.account.rejected) == (1, 0)
    assert [head.number for head in case.heads] == [2, 1]


async def test_drafts_are_the_customers_own(db: Database) -> None:
    alice = await author(db)
    view = await alice.writes()
    assert (await refusal_of(desk_of(alice).template(RITA, view.version.id))).code == "not_found"
    assert (await refusal_of(desk_of(alice).template(RITA, uuid4()))).code == "not_found"


async def test_two_operators_at_once_and_one_counts(db: Database) -> None:
    alice = await author(db)
    view, desk = await alice.submits(), desk_of(alice)
    roger = operator(name="roger")
    results = await asyncio.gather(
        desk.decide_template(RITA, view.version.id, APPROVE), desk.decide_template(roger, view.version.id, REJECT)
    )
    assert sorted(each.accepted for each in results) == [False, True]
    case = await desk.template(RITA, view.version.id)
    winner = RITA if results[0].accepted else roger
    assert case.version.decided_by == winner.actor
    lost = next(each for each in results if not each.accepted)
    assert lost.state == case.version.state


async def test_a_stale_page_does_not_count(db: Database) -> None:
    alice = await author(db)
    view, desk = await alice.submits(), desk_of(alice)
    result = await desk.decide_template(RITA, view.version.id, replace(APPROVE, version=1))
    assert (result.accepted, result.state) == (False, ReviewState.SUBMITTED)


@pytest.mark.parametrize("decision", [REJECT, APPROVE], ids=["reject", "approve"])
async def test_console_and_temporal_at_once_and_one_counts(
    db: Database, temporal_env: WorkflowEnvironment, decision: ReviewDecision
) -> None:
    """One in the console and one by the update that the Temporal UI sends: the same compare-and-set."""
    alice = await author(db, temporal_env.client)
    await have_platform(db, alice.base.vault, alice.base.policy)
    async with working(temporal_env.client, alice):
        case = await submitted(alice, temporal_env)
        desk = desk_of(alice)
        ours, theirs = await asyncio.gather(
            desk.decide_template(RITA, case.version, decision), updated(case.handle), return_exceptions=True
        )
        assert isinstance(ours, DecisionResult)
        counted = [ours.accepted, isinstance(theirs, DecisionResult) and theirs.accepted]
        assert sorted(counted) == [False, True], (ours, theirs)
        row = await case.row()
        assert row.decided_by == (RITA.actor if ours.accepted else "temporal-ui")
        assert row.state in (ReviewState.APPROVED, ReviewState.REJECTED)
        await case.handle.signal("nudge")
        assert await asyncio.wait_for(case.handle.result(), 20) == row.state


async def updated(handle: object) -> DecisionResult:
    decision = ReviewDecision(Decision.REJECT, "Another reason.")
    return await handle.execute_update("decide", decision, result_type=DecisionResult)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("decision", "code", "field"),
    [
        (ReviewDecision(Decision.REJECT, "  ", version=2), "required", "reason"),
        (ReviewDecision(Decision.REJECT, "x" * 501, version=2), "text_too_long", "reason"),
        (ReviewDecision(Decision.REJECT, "write to a@b.example", version=2), "review_reason_address", "reason"),
        (ReviewDecision(Decision.APPROVE, "a\0b", version=2), "review_reason_address", "reason"),
    ],
)
async def test_what_cannot_be_said_is_refused_at_its_field(
    db: Database, decision: ReviewDecision, code: str, field: str
) -> None:
    alice = await author(db)
    view = await alice.submits()
    refusal = await refusal_of(desk_of(alice).decide_template(RITA, view.version.id, decision))
    assert (refusal.code, refusal.field) == (code, field)


async def test_certifications_go_to_reviewers_and_exceptions_to_support(db: Database) -> None:
    plain, special = await applicant(db), await applicant(db)
    usual, exception = await plain.submits(), await special.submits_exception()
    desk = desk_of(plain)
    for who, view in ((RITA, exception), (SAM, usual), (FINN, usual), (FINN, exception)):
        paper = view.documents[0].id
        acts = (
            desk.certification(who, view.row.id), desk.paper(who, view.row.id, paper),
            desk.decide_certification(who, view.row.id, replace(APPROVE, version=view.row.row_version)),
        )  # fmt: skip
        assert [(await refusal_of(act)).code for act in acts] == ["duty_forbidden"] * 3
    decided = await desk_of(special).decide_certification(
        SAM, exception.row.id, replace(APPROVE, version=exception.row.row_version)
    )
    assert decided.accepted


async def test_a_certification_is_rejected_by_its_parts_and_every_look_is_audited(db: Database) -> None:
    bob = await applicant(db)
    view, desk = await bob.submits(), desk_of(bob)
    case = await desk.certification(RITA, view.row.id)
    assert case.case.typed["name"] == "张三丰"  # type: ignore[index]
    shown = await desk.paper(RITA, view.row.id, view.documents[0].id)
    assert shown.data
    parts = {"icp_number": "This number belongs to another site."}
    rejection = ReviewDecision(Decision.REJECT, "", version=view.row.row_version, parts=parts)
    assert (await desk.decide_certification(RITA, view.row.id, rejection)).accepted
    row = await bob.row(view.row.id)
    assert (row.state, row.part_reasons, row.decided_by) == ("rejected", parts, "operator/rita")
    noted = await bob.audit("certification.details_viewed", "certification.paper_viewed")
    assert [actor for actor, *_ in noted] == ["operator/rita"] * 2


async def test_the_reasons_fit_into_one_mail_and_may_hold_numbers(db: Database) -> None:
    """Twelve parts with 500 Chinese characters each would be more than a mail's values may be."""
    bob = await applicant(db)
    view, desk = await bob.submits(), desk_of(bob)
    parts = ("name", "id_number", "website", "icp_number", "id_front", "id_back", "icp_screenshot")
    long = ReviewDecision(
        Decision.REJECT, "", version=view.row.row_version, parts=dict.fromkeys(parts, "证" * MAX_REASON)
    )
    refusal = await refusal_of(desk.decide_certification(RITA, view.row.id, long))
    assert (refusal.code, refusal.field, refusal.params) == ("review_reasons_too_long", "reason", {"limit": MAX_TOTAL})
    said = replace(long, parts={"icp_number": "鄂ICP备12012345号 is another site's."})
    assert (await desk.decide_certification(RITA, view.row.id, said)).accepted


async def test_a_paper_belongs_to_its_case(db: Database) -> None:
    one, two = await applicant(db), await applicant(db)
    mine, other = await one.submits(), await two.submits()
    assert (await refusal_of(desk_of(one).paper(RITA, mine.row.id, other.documents[0].id))).code == "not_found"


async def test_an_approval_objects_to_nothing(db: Database) -> None:
    bob = await applicant(db)
    view = await bob.submits()
    both = ReviewDecision(Decision.APPROVE, version=view.row.row_version, parts={"website": "broken"})
    refusal = await refusal_of(desk_of(bob).decide_certification(RITA, view.row.id, both))
    assert refusal.code == "review_approves_objections"


async def test_a_decision_is_taken_once_whoever_comes_next(db: Database) -> None:
    alice = await author(db)
    view, desk = await alice.submits(), desk_of(alice)
    async with db.begin() as session:
        await templates_store.decide(session, view.version.id, Ruling(Decision.REJECT, "temporal-ui", "No."), now())
    late = await desk.decide_template(RITA, view.version.id, APPROVE)
    assert (late.accepted, late.state) == (False, ReviewState.REJECTED)
    assert (await desk.template(RITA, view.version.id)).version.decided_by == "temporal-ui"
