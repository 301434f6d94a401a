"""What a customer can do with templates, and what is refused."""

import asyncio
from dataclasses import replace

import pytest
from sqlmodel import col, select

from domain.errors import Refusal
from domain.ids import Kind, workflow_id
from domain.refusals import explain
from domain.reviews import Decision, ReviewState, Ruling
from domain.senders import SendKind
from domain.templates import Content, text_from_html
from domain.working_time import Calendar
from services.templates import TemplateDraft, TemplateView
from store import templates as rows
from store.clockwork import Clockwork
from store.columns import now
from store.db import Database
from store.templates import Template, Wanted
from tests.template_world import BAD, GOOD, Author, author


@pytest.fixture
async def alice(db: Database) -> Author:
    return await author(db)


async def decided(alice: Author, view: TemplateView, decision: Decision, reason: str = "") -> None:
    async with alice.base.db.begin() as session:
        assert (await rows.decide(session, view.version.id, Ruling(decision, "operator/o", reason), now())).accepted


async def processes(db: Database) -> list[Clockwork]:
    async with db.read() as session:
        wanted = select(Clockwork).where(col(Clockwork.kind) == Kind.TEMPLATE_REVIEW.value)
        return list(await session.exec(wanted))


async def test_a_template_begins_as_a_draft(alice: Author) -> None:
    view = await alice.writes()
    assert (view.version.number, view.version.state) == (1, ReviewState.DRAFT)
    assert view.version.variables == ["order", "name", "link"]
    assert view.version.text == text_from_html(GOOD.html)
    assert view.approved is None and view.workflow_id is None and view.findings == []
    assert (await alice.templates.get(alice.caller, str(view.row.id))).row.invoke_name == "order"


async def test_the_customers_own_text_is_kept(alice: Author) -> None:
    assert (await alice.writes(replace(GOOD, text="Mine"))).version.text == "Mine"


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"invoke_name": ""}, "invoke_name", "required"),
        ({"invoke_name": "a b"}, "invoke_name", "template_bad_invoke_name"),
        ({"invoke_name": "订单"}, "invoke_name", "template_bad_invoke_name"),
        ({"invoke_name": "x" * 65}, "invoke_name", "template_bad_invoke_name"),
        ({"invoke_name": "01935b2e-7c1a-7aaa-8000-3f5a9c0d1e2f"}, "invoke_name", "template_bad_invoke_name"),
        ({"name": "x" * 65}, "name", "template_bad_name"),
        ({"name": "a\nb"}, "name", "template_bad_name"),
        ({"kind": None}, "kind", "required"),
        ({"content": Content("s", "x" * 600_000)}, "html", "template_content"),
        ({"content": Content("a\x00", "<p>")}, "subject", "template_content"),
        ({"content": Content("s", "<p>", "\ud800")}, "text", "template_content"),
    ],
)
async def test_what_cannot_be_saved(alice: Author, change: dict[str, object], field: str, code: str) -> None:
    good = {"invoke_name": "order", "content": GOOD, "name": "Order", "kind": SendKind.BATCH}
    with pytest.raises(Refusal) as refused:
        await alice.templates.create(alice.caller, TemplateDraft(**(good | change)))  # type: ignore[arg-type]
    assert (refused.value.field, refused.value.code) == (field, code)
    assert all(explain(refused.value, language)[2] for language in ("zh", "en"))
    assert await alice.templates.page(alice.caller, Wanted(), 10) == []


async def test_an_invoke_name_is_unique_in_an_account_until_it_is_deleted(db: Database, alice: Author) -> None:
    await alice.writes()
    with pytest.raises(Refusal, match="template_exists"):
        await alice.writes()
    await (await author(db)).writes()
    await alice.templates.delete(alice.caller, "order")
    assert (await alice.writes()).version.number == 1


async def test_a_draft_is_edited_in_place(alice: Author) -> None:
    await alice.writes()
    view = await alice.templates.edit(alice.caller, "order", TemplateDraft("", BAD, "Renamed", SendKind.BATCH))
    assert (len(view.heads), view.version.html, view.row.name, view.row.kind) == (1, BAD.html, "Renamed", "batch")
    assert [finding.code for finding in view.findings] == ["active_element"]


async def test_errors_are_refused_at_submission_naming_their_place(alice: Author, db: Database) -> None:
    await alice.writes(replace(BAD, subject=""))
    with pytest.raises(Refusal) as refused:
        await alice.templates.submit(alice.caller, "order")
    assert refused.value.field == "subject"
    assert "HTML, line 2: <script>" in explain(refused.value, "en")[1]
    assert "HTML 正文第 2 行" in explain(refused.value, "zh")[1]
    assert (await alice.templates.get(alice.caller, "order")).version.state == ReviewState.DRAFT
    assert await processes(db) == []


async def test_submission_enlists_the_review_and_promises_a_time(alice: Author, db: Database) -> None:
    """Temporal is away here: the time is known all the same."""
    view = await alice.submits()
    assert (view.version.state, view.version.row_version) == (ReviewState.SUBMITTED, 2)
    assert view.workflow_id == workflow_id(Kind.TEMPLATE_REVIEW, view.version.id)
    allowance = alice.base.policy.review_allowance(Kind.TEMPLATE_REVIEW)
    assert view.version.submitted_at is not None
    due = Calendar.of(alice.base.policy.working_hours).due(view.version.submitted_at, allowance)
    assert (view.version.due_at, view.version.due_provisional) == (due.at, due.provisional)
    (process,) = await processes(db)
    assert (process.workflow_id, process.account_id, process.started_at) == (view.workflow_id, alice.rows.account, None)


async def test_one_version_is_reviewed_at_a_time(alice: Author) -> None:
    await alice.submits()
    assert (await alice.edits()).version.number == 1, "saving the same content makes no new version"
    view = await alice.edits(replace(GOOD, subject="Other"))
    assert [(head.number, head.state) for head in view.heads] == [(2, "draft"), (1, "submitted")]
    with pytest.raises(Refusal, match="template_under_review"):
        await alice.templates.submit(alice.caller, "order")
    await alice.templates.withdraw(alice.caller, "order")
    view = await alice.templates.submit(alice.caller, "order")
    assert [(head.number, head.state) for head in view.heads] == [(2, "submitted"), (1, "withdrawn")]


async def test_the_approved_version_stays_while_the_next_is_written(alice: Author, db: Database) -> None:
    await decided(alice, await alice.submits(), Decision.APPROVE)
    await alice.edits(replace(GOOD, subject="Second"))
    view = await alice.templates.submit(alice.caller, "order")
    assert view.approved is not None and view.approved.number == 1
    async with db.read() as session:
        sent = await rows.approved_version(session, alice.rows.account, "order")
    assert sent is not None and sent.number == 1
    await decided(alice, view, Decision.APPROVE)
    async with db.read() as session:
        sent = await rows.approved_version(session, alice.rows.account, "order")
    assert sent is not None and (sent.number, sent.subject) == (2, "Second")


async def test_after_a_rejection_the_next_version_may_have_the_same_content(alice: Author) -> None:
    await decided(alice, await alice.submits(), Decision.REJECT, "too short")
    with pytest.raises(Refusal, match="template_nothing_to_submit"):
        await alice.templates.submit(alice.caller, "order")
    await alice.edits()
    view = await alice.templates.submit(alice.caller, "order")
    assert [(head.number, head.state, head.reason) for head in view.heads] == [
        (2, "submitted", None), (1, "rejected", "too short"),
    ]  # fmt: skip


async def test_the_kind_is_fixed_by_the_first_submission(alice: Author) -> None:
    await alice.submits()
    with pytest.raises(Refusal, match="template_kind_fixed"):
        await alice.templates.edit(alice.caller, "order", TemplateDraft("", GOOD, kind=SendKind.BATCH))
    await alice.templates.edit(alice.caller, "order", TemplateDraft("", GOOD, kind=SendKind.TRIGGER))


async def test_withdrawing_needs_an_open_review(alice: Author) -> None:
    view = await alice.submits()
    await decided(alice, view, Decision.APPROVE)
    with pytest.raises(Refusal, match="template_nothing_to_withdraw"):
        await alice.templates.withdraw(alice.caller, "order")
    assert (await alice.templates.get(alice.caller, "order")).version.state == ReviewState.APPROVED


async def test_deleting_withdraws_and_wakes_the_processes(alice: Author, db: Database) -> None:
    view = await alice.submits()
    await alice.templates.delete(alice.caller, "order")
    with pytest.raises(Refusal, match="not_found"):
        await alice.templates.get(alice.caller, "order")
    async with db.begin() as session:
        assert await rows.approved_version(session, alice.rows.account, "order") is None
        process = await session.get(Clockwork, view.workflow_id)
        late = await rows.decide(session, view.version.id, Ruling(Decision.APPROVE, "operator/o"), now())
    assert process is not None and process.nudge_wanted
    assert (late.accepted, late.state) == (False, ReviewState.WITHDRAWN)


async def test_a_sample_is_read_only(alice: Author, db: Database) -> None:
    view = await alice.writes()
    async with db.begin() as session:
        row = await session.get(Template, view.row.id)
        assert row is not None
        row.is_sample = True
    for act in (alice.edits(), alice.templates.submit(alice.caller, "order"),
                alice.templates.delete(alice.caller, "order")):  # fmt: skip
        with pytest.raises(Refusal, match="template_is_sample"):
            await act


@pytest.mark.parametrize("ref", ["order", "id", "none", "a/b", "\x00", "x" * 300])
async def test_another_accounts_template_does_not_exist(db: Database, alice: Author, ref: str) -> None:
    view = await alice.submits()
    mallory = await author(db)
    ref = str(view.row.id) if ref == "id" else ref
    for act in (
        mallory.templates.get(mallory.caller, ref),
        mallory.templates.submit(mallory.caller, ref),
        mallory.templates.withdraw(mallory.caller, ref),
        mallory.templates.delete(mallory.caller, ref),
        mallory.templates.preview(mallory.caller, ref, {}),
        mallory.edits(ref=ref),
    ):
        with pytest.raises(Refusal, match="not_found"):
            await act
    assert await mallory.templates.page(mallory.caller, Wanted(), 10) == []


async def test_pages_and_filters(alice: Author) -> None:
    for number in range(5):
        await alice.writes(invoke_name=f"t{number}")
    await alice.templates.submit(alice.caller, "t3")
    first = await alice.templates.page(alice.caller, Wanted(), 2)
    second = await alice.templates.page(alice.caller, Wanted(before=first[-1][0].id), 2)
    assert [row.invoke_name for row, _ in first + second] == ["t4", "t3", "t2", "t1"]
    waiting = await alice.templates.page(alice.caller, Wanted(state="submitted", kind="trigger"), 10)
    assert [(row.invoke_name, head.number) for row, head in waiting] == [("t3", 1)]
    assert await alice.templates.page(alice.caller, Wanted(kind="batch"), 10) == []


async def test_two_edits_at_once_make_one_draft(alice: Author) -> None:
    await decided(alice, await alice.submits(), Decision.APPROVE)
    await asyncio.gather(*(alice.edits(replace(GOOD, subject=f"s{n}")) for n in range(6)))
    view = await alice.templates.get(alice.caller, "order")
    assert [(head.number, head.state) for head in view.heads] == [(2, "draft"), (1, "approved")]


async def test_two_submissions_at_once_make_one_review(alice: Author, db: Database) -> None:
    await alice.writes()
    results = await asyncio.gather(
        *(alice.templates.submit(alice.caller, "order") for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(result, TemplateView) for result in results) == 1
    assert all(isinstance(result, (TemplateView, Refusal)) for result in results)
    assert len(await processes(db)) == 1


async def test_a_preview_fills_given_values_and_samples(alice: Author) -> None:
    await alice.writes()
    shown = await alice.templates.preview(alice.caller, "order", {"name": "<b>", "link": "javascript:x"})
    assert shown.subject == "Order [order]"
    assert shown.html == '<p>Dear &lt;b&gt;, <a href="#">track it</a></p>'
    assert shown.blocked_links == ["link"]
