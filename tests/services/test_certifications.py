"""An application from its first line to its end, and who may see what of it."""

import asyncio
import datetime as dt
from collections.abc import Sequence

import pytest
from sqlmodel import col, select, update

from domain.certification import CertificationState, Part
from domain.errors import Refusal
from domain.ids import Kind, new_id, workflow_id
from domain.operators import OperatorRole
from domain.papers import PaperType
from domain.reviews import Decision
from domain.times import business_day
from domain.working_time import Calendar
from services.certification_views import opened, write
from store import calendar
from store.calendar import CalendarDay
from store.certification import Certification, Document
from store.clockwork import Clockwork
from store.columns import now
from store.db import Database
from tests.certification_world import (
    ENTERPRISE,
    ID_NUMBER,
    INDIVIDUAL,
    SECRETS,
    WHY,
    Applicant,
    applicant,
    operator,
)
from tests.paper_samples import archive, noise, pdf, picture

TOMORROW = (business_day(now()) + dt.timedelta(days=1)).isoformat()


@pytest.fixture
async def alice(db: Database) -> Applicant:
    return await applicant(db)


async def documents(alice: Applicant) -> list[Document]:
    async with alice.base.db.read() as session:
        return list(await session.exec(select(Document).order_by(col(Document.id))))


def refused(code: str, field: str | None = None) -> pytest.RaisesExc[Refusal]:
    return pytest.raises(Refusal, check=lambda error: (error.code, error.field) == (code, field))


async def test_a_draft_is_filled_in_part_by_part_and_sealed(alice: Applicant) -> None:
    view = await alice.service.create(alice.caller, ENTERPRISE, {})
    assert Part.LICENCE in view.missing
    view = await alice.service.change(
        alice.caller, view.row.id, {"name": "武汉送达科技有限公司", "id_number": ID_NUMBER}
    )
    view = await alice.service.change(alice.caller, view.row.id, {"contact_name": "李四光", "valid_until": TOMORROW})
    assert view.typed[Part.ID_NUMBER] == "1101**********002X"
    assert view.typed[Part.CONTACT_NAME] == "李**"
    view = await alice.service.change(alice.caller, view.row.id, {"contact_name": ""})
    assert Part.CONTACT_NAME not in view.typed
    row = await alice.row(view.row.id)
    assert row.valid_until is not None
    assert not any(secret.encode() in row.details for secret in SECRETS)


async def test_what_is_wrong_is_refused_by_name_and_nothing_is_saved(alice: Applicant) -> None:
    with refused("id_number_check_digit", "id_number"):
        await alice.begins(id_number="110105194912310021")
    view = await alice.begins()
    with refused("icp_malformed", "icp_number"):
        await alice.service.change(alice.caller, view.row.id, {"name": "王五", "icp_number": "x"})
    with refused("certification_unknown_part", "uscc"):
        await alice.service.change(alice.caller, view.row.id, {"uscc": "91110000600037341L"})
    assert (await alice.service.get(alice.caller, view.row.id)).typed[Part.NAME] == "张**"


async def test_one_draft_and_one_submitted_at_a_time(alice: Applicant) -> None:
    view = await alice.begins()
    with refused("certification_draft_exists"):
        await alice.begins(ENTERPRISE)
    await alice.completes(view)
    await alice.service.submit(alice.caller, view.row.id)
    second = await alice.completes(await alice.begins(ENTERPRISE))
    with refused("certification_waiting"):
        await alice.service.submit(alice.caller, second.row.id)
    made = await asyncio.gather(*(alice.begins(ENTERPRISE) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(each, Refusal) for each in made)


async def test_drafts_begun_at_once_are_one(alice: Applicant) -> None:
    made = await asyncio.gather(*(alice.begins() for _ in range(4)), return_exceptions=True)
    assert [getattr(each, "code", "made") for each in made].count("made") == 1
    assert {getattr(each, "code", "made") for each in made} == {"made", "certification_draft_exists"}


async def test_what_is_missing_is_named_and_a_complete_one_goes_to_review(alice: Applicant) -> None:
    view = await alice.begins()
    with refused("certification_incomplete", "id_front"):
        await alice.service.submit(alice.caller, view.row.id)
    view = await alice.completes(view)
    assert view.missing == []
    sent = await alice.service.submit(alice.caller, view.row.id)
    assert sent.state is CertificationState.SUBMITTED
    assert sent.workflow_id == f"certification-review/{view.row.id}"
    async with alice.base.db.read() as session:
        process = await session.get(Clockwork, workflow_id(Kind.CERTIFICATION_REVIEW, view.row.id))
    assert process is not None
    for change in (
        alice.service.change(alice.caller, view.row.id, {"name": "王五"}),
        alice.service.upload(alice.caller, view.row.id, "id_front", picture()),
        alice.service.remove_document(alice.caller, view.row.id, sent.documents[0].id),
        alice.service.submit(alice.caller, view.row.id),
    ):
        with refused("certification_not_draft"):
            await change


async def test_a_time_is_promised_when_it_is_submitted_by_the_calendar_of_that_moment(alice: Applicant) -> None:
    """Temporal is away here: the time is known all the same. Every day of next month was said to be free."""
    today = business_day(now())
    async with alice.base.db.begin() as session:
        for n in range(40):
            await calendar.set_day(session, CalendarDay(day=today + dt.timedelta(days=n), works=False))
    row = (await alice.submits()).row
    assert row.submitted_at is not None and row.due_at is not None
    free = {today + dt.timedelta(days=n): False for n in range(40)}
    allowance = alice.base.policy.review_allowance(Kind.CERTIFICATION_REVIEW)
    due = Calendar.of(alice.base.policy.working_hours, free).due(row.submitted_at, allowance)
    assert (row.due_at, row.due_provisional) == (due.at, due.provisional)
    assert row.due_at - row.submitted_at > dt.timedelta(days=39)


async def test_a_document_that_expired_meanwhile_is_not_submitted(alice: Applicant) -> None:
    view = await alice.completes(await alice.begins(valid_until=TOMORROW))
    with pytest.MonkeyPatch.context() as patch:
        later = dt.datetime.now(dt.UTC) + dt.timedelta(days=3)
        patch.setattr("services.certifications.now", lambda: later)
        with refused("valid_until_past", "valid_until"):
            await alice.service.submit(alice.caller, view.row.id)


async def test_how_long_the_document_is_valid_has_to_be_said(alice: Applicant) -> None:
    view = await alice.completes(await alice.begins(valid_until=""))
    assert list(view.missing) == [Part.VALID_UNTIL]
    with refused("certification_incomplete", "valid_until"):
        await alice.service.submit(alice.caller, view.row.id)
    await alice.service.change(alice.caller, view.row.id, {"valid_until": "长期"})
    sent = await alice.service.submit(alice.caller, view.row.id)
    assert (sent.typed[Part.VALID_UNTIL], sent.row.valid_until) == ("long-term", None)


async def test_an_end_that_was_objected_to_is_never_taken_for_long_term(alice: Applicant) -> None:
    view = await alice.submits(valid_until=TOMORROW)
    await alice.is_decided(view, Decision.REJECT, valid_until="The card says another day.")
    draft = await alice.service.correct(alice.caller, view.row.id)
    assert list(draft.missing) == [Part.VALID_UNTIL]
    with refused("certification_incomplete", "valid_until"):
        await alice.service.submit(alice.caller, draft.row.id)


async def test_an_end_that_has_come_stays_and_is_refused_by_name(alice: Applicant) -> None:
    """Rejected for something else, and corrected after the document has ended."""
    view = await alice.submits(valid_until=TOMORROW)
    await alice.is_decided(view, Decision.REJECT, name="Not as on the card.")
    with pytest.MonkeyPatch.context() as patch:
        later = dt.datetime.now(dt.UTC) + dt.timedelta(days=3)
        patch.setattr("services.certifications.now", lambda: later)
        draft = await alice.service.correct(alice.caller, view.row.id)
        assert draft.typed[Part.VALID_UNTIL] == TOMORROW
        await alice.service.change(alice.caller, draft.row.id, {"name": "张三"})
        with refused("valid_until_past", "valid_until"):
            await alice.service.submit(alice.caller, draft.row.id)
        await alice.service.change(alice.caller, draft.row.id, {"valid_until": "long-term"})
        assert (await alice.service.submit(alice.caller, draft.row.id)).row.valid_until is None


async def test_what_was_stored_without_an_end_reads_as_long_term_and_a_correction_has_to_say_it(
    alice: Applicant,
) -> None:
    """As the first version stored it: an empty end meant that there is none."""
    view = await alice.submits()
    async with alice.base.db.begin() as session:
        row = await session.get_one(Certification, view.row.id)
        typed = opened(alice.base.vault, row)
        write(alice.base.vault, row, {part: text for part, text in typed.items() if part is not Part.VALID_UNTIL})
    assert (await alice.service.get(alice.caller, view.row.id)).typed[Part.VALID_UNTIL] == "long-term"
    case = await alice.service.case_for_operator(operator(), view.row.id)
    assert case.typed[Part.VALID_UNTIL] == "long-term"
    await alice.is_decided(view, Decision.REJECT, name="Not as on the card.")
    draft = await alice.service.correct(alice.caller, view.row.id)
    assert list(draft.missing) == [Part.NAME, Part.VALID_UNTIL]


async def test_without_a_website_it_is_for_support(alice: Applicant) -> None:
    view = await alice.submits_exception()
    assert view.row.exception
    assert Part.WEBSITE not in view.typed
    case = await alice.service.case_for_operator(operator(OperatorRole.SUPPORT), view.row.id)
    assert case.exception
    assert case.typed[Part.NO_WEBSITE_REASON] == WHY


async def test_uploads_are_kept_clean_and_replaced(alice: Applicant) -> None:
    view = await alice.begins()
    first = await alice.service.upload(alice.caller, view.row.id, "id_front", noise())
    second = await alice.service.upload(alice.caller, view.row.id, "id_front", pdf())
    (row,) = await documents(alice)
    assert (row.id, row.media_type, row.deleted_at) == (second.id, "application/pdf", None)
    papers = alice.base.papers
    assert papers is not None
    with pytest.raises(FileNotFoundError):
        await papers.get(first.storage_key)
    for data, part, code, field in (
        (noise() + archive(), "id_front", "paper_polyglot", "file"),
        (picture(), "name", "paper_not_a_paper_part", "part"),
        (picture(), "licence", "certification_unknown_part", "licence"),
    ):
        with refused(code, field):
            await alice.service.upload(alice.caller, view.row.id, part, data)
    assert len(await documents(alice)) == 1


async def test_a_removed_paper_is_gone_bytes_and_row(alice: Applicant) -> None:
    view = await alice.begins()
    kept = await alice.service.upload(alice.caller, view.row.id, "id_front", noise())
    with refused("not_found"):
        await alice.service.remove_document(alice.caller, view.row.id, new_id())
    await alice.service.remove_document(alice.caller, view.row.id, kept.id)
    assert await documents(alice) == []
    with refused("not_found"):
        await alice.service.paper(alice.caller, view.row.id, kept.id)


async def test_what_a_dead_process_left_is_tidied_by_the_next_change(alice: Applicant) -> None:
    view = await alice.begins()
    left = await alice.service.upload(alice.caller, view.row.id, "id_front", picture())
    async with alice.base.db.begin() as session:
        hour_ago = now() - dt.timedelta(hours=1)
        await session.exec(update(Document).where(col(Document.id) == left.id).values(deleted_at=hour_ago))
    await alice.service.upload(alice.caller, view.row.id, "id_back", picture())
    assert [row.part for row in await documents(alice)] == ["id_back"]
    papers = alice.base.papers
    assert papers is not None
    with pytest.raises(FileNotFoundError):
        await papers.get(left.storage_key)


async def test_a_withdrawn_draft_leaves_nothing_behind(alice: Applicant) -> None:
    view = await alice.begins()
    await alice.service.upload(alice.caller, view.row.id, "id_front", picture())
    gone = await alice.service.withdraw(alice.caller, view.row.id)
    assert (gone.state, gone.correctable, gone.typed) == (CertificationState.WITHDRAWN, False, {})
    assert await documents(alice) == []
    with refused("certification_nothing_to_correct"):
        await alice.service.correct(alice.caller, view.row.id)
    with refused("certification_nothing_to_withdraw"):
        await alice.service.withdraw(alice.caller, view.row.id)
    await alice.begins(ENTERPRISE)


async def test_a_rejected_one_is_corrected_where_it_was_objected_to(alice: Applicant) -> None:
    view = await alice.submits()
    result = await alice.is_decided(view, Decision.REJECT, "Two things.", name="Not as on the card.", id_front="Dark.")
    assert result.accepted
    seen = await alice.service.get(alice.caller, view.row.id)
    assert seen.row.part_reasons == {"name": "Not as on the card.", "id_front": "Dark."}
    draft = await alice.service.correct(alice.caller, view.row.id)
    assert draft.row.corrects == view.row.id
    assert set(draft.missing) == {Part.NAME, Part.ID_FRONT}
    assert draft.typed[Part.ID_NUMBER] == seen.typed[Part.ID_NUMBER]
    with refused("certification_draft_exists"):
        await alice.service.correct(alice.caller, view.row.id)
    await alice.service.change(alice.caller, draft.row.id, {"name": "张三"})
    await alice.completes(await alice.service.get(alice.caller, draft.row.id))
    again = await alice.service.submit(alice.caller, draft.row.id)
    assert again.row.number == 2
    paper = await alice.service.paper(alice.caller, draft.row.id, _of(again.documents, "id_back").id)
    assert paper.media_type is PaperType.JPEG


def _of(papers: Sequence[Document], part: str) -> Document:
    return next(each for each in papers if each.part == part)


async def test_replacing_a_copied_paper_leaves_the_rejected_ones_alone(alice: Applicant) -> None:
    view = await alice.submits()
    await alice.is_decided(view, Decision.REJECT, "Once more.")
    draft = await alice.service.correct(alice.caller, view.row.id)
    await alice.service.upload(alice.caller, draft.row.id, "id_back", noise())
    await alice.service.withdraw(alice.caller, draft.row.id)
    old = await alice.service.get(alice.caller, view.row.id)
    assert len(old.documents) == 3
    for each in old.documents:
        assert (await alice.service.paper(alice.caller, view.row.id, each.id)).data


async def test_a_withdrawn_submission_can_go_on(alice: Applicant) -> None:
    view = await alice.submits()
    assert (await alice.service.withdraw(alice.caller, view.row.id)).correctable
    assert (await alice.service.correct(alice.caller, view.row.id)).missing == []


async def test_each_kind_is_needed_once_until_it_ends_soon(alice: Applicant) -> None:
    await alice.is_decided(await alice.submits())
    assert [one.kind for one in await alice.service.held(alice.caller)] == [INDIVIDUAL]
    with refused("certification_held"):
        await alice.begins()
    await alice.is_decided(await alice.submits(ENTERPRISE, valid_until=TOMORROW))
    assert {one.kind for one in await alice.service.held(alice.caller)} == {INDIVIDUAL, ENTERPRISE}
    await alice.begins(ENTERPRISE)
