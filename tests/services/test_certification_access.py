"""Who sees what of an application, what is written down of it, and how an approval is taken back."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlmodel import col, select

from domain.accounts import Role
from domain.certification import Part
from domain.errors import Refusal
from domain.operators import OperatorRole
from store.certification import Certification, Document
from store.db import Database
from store.sending import Message, Submission
from tests.certification_world import (
    ENTERPRISE,
    ID_NUMBER,
    INDIVIDUAL,
    PERSON,
    SECRETS,
    Applicant,
    applicant,
    operator,
)
from tests.paper_samples import picture
from tests.platform_rows import have_platform
from tests.sending_world import VAULT


@pytest.fixture
async def alice(db: Database) -> Applicant:
    return await applicant(db)


async def mails(alice: Applicant) -> list[tuple[str, dict[str, str]]]:
    """(label, variables) of what the platform wrote."""
    query = select(Submission.label, Message.variables).join(Message, col(Message.submission_id) == col(Submission.id))
    async with alice.base.db.read() as session:
        return [(label, dict(variables)) for label, variables in await session.exec(query)]


def refused(code: str, field: str | None = None) -> pytest.RaisesExc[Refusal]:
    return pytest.raises(Refusal, check=lambda error: (error.code, error.field) == (code, field))


def _of(papers: Sequence[Document], part: str) -> Document:
    return next(each for each in papers if each.part == part)


async def test_operators_see_everything_and_every_view_is_written_down(alice: Applicant) -> None:
    view = await alice.submits(ENTERPRISE)
    rita = operator(OperatorRole.REVIEWER)
    case = await alice.service.case_for_operator(rita, view.row.id)
    assert case.typed[Part.ID_NUMBER] == ID_NUMBER
    assert case.typed[Part.CONTACT_NAME] == "李四光"
    assert (case.earlier, case.warnings) == ([], [])
    licence = _of(case.documents, "licence")
    assert (await alice.service.paper_for_operator(rita, licence.id)).data.startswith(b"%PDF")
    await alice.service.paper(alice.caller, view.row.id, licence.id)
    assert await alice.audit("certification.details_viewed", "certification.paper_viewed") == [
        ("operator/rita", "certification.details_viewed", f"certification/{view.row.id}"),
        ("operator/rita", "certification.paper_viewed", f"document/{licence.id}"),
        (f"member/{alice.caller.member_id}", "certification.paper_viewed", f"document/{licence.id}"),
    ]


async def test_a_view_is_written_down_before_the_bytes_are_fetched(alice: Applicant) -> None:
    view = await alice.submits()
    paper = view.documents[0]
    papers = alice.base.papers
    assert papers is not None
    await papers.delete(paper.storage_key)
    with refused("not_found"):
        await alice.service.paper_for_operator(operator(), paper.id)
    assert len(await alice.audit("certification.paper_viewed")) == 1


async def test_drafts_are_the_customers_own_and_finance_sees_no_papers(alice: Applicant) -> None:
    draft = await alice.completes(await alice.begins())
    with refused("not_found"):
        await alice.service.case_for_operator(operator(), draft.row.id)
    with refused("not_found"):
        await alice.service.paper_for_operator(operator(), draft.documents[0].id)
    sent = await alice.service.submit(alice.caller, draft.row.id)
    for act in (
        alice.service.case_for_operator(operator(OperatorRole.FINANCE), sent.row.id),
        alice.service.paper_for_operator(operator(OperatorRole.FINANCE), sent.documents[0].id),
        alice.service.revoke(operator(OperatorRole.SUPPORT), sent.row.id, "Forged."),
    ):
        with refused("duty_forbidden"):
            await act
    assert await alice.audit("certification.paper_viewed", "certification.details_viewed") == []


async def test_an_approval_is_taken_back_with_a_reason_that_the_customer_reads(alice: Applicant) -> None:
    await have_platform(alice.base.db, VAULT, alice.base.policy)
    view = await alice.submits()
    rita = operator()
    with refused("certification_nothing_to_revoke"):
        await alice.service.revoke(rita, view.row.id, "Forged.")
    await alice.is_decided(view)
    for reason in ("", " ", "x" * 501, "write to a@b.example"):
        with refused("certification_bad_reason", "reason"):
            await alice.service.revoke(rita, view.row.id, reason)
    await alice.service.revoke(rita, view.row.id, "The licence was forged.")
    assert await alice.service.held(alice.caller) == []
    label, variables = (await mails(alice))[-1]
    assert (label, variables["reason"]) == ("certification-revoked", "The licence was forged.")
    assert await alice.audit("certification.revoke") == [
        ("operator/rita", "certification.revoke", f"certification/{view.row.id}")
    ]
    assert (await alice.service.correct(alice.caller, view.row.id)).missing == []


@pytest.mark.parametrize("role", [Role.DEVELOPER, Role.VIEWER])
async def test_members_without_the_right_change_nothing_and_see_no_paper(alice: Applicant, role: Role) -> None:
    view = await alice.completes(await alice.begins())
    caller, identifier, service = replace(alice.caller, role=role), view.row.id, alice.service
    for act in (
        service.create(caller, INDIVIDUAL, PERSON),
        service.change(caller, identifier, {"name": "王五"}),
        service.upload(caller, identifier, "id_front", picture()),
        service.remove_document(caller, identifier, view.documents[0].id),
        service.paper(caller, identifier, view.documents[0].id),
        service.submit(caller, identifier),
        service.withdraw(caller, identifier),
        service.correct(caller, identifier),
    ):
        with refused("role_forbids"):
            await act
    shown = await service.get(caller, identifier)
    assert not any(secret in str(shown.typed) for secret in SECRETS)


async def test_another_account_finds_nothing(alice: Applicant) -> None:
    view = await alice.completes(await alice.begins())
    bob = await applicant(alice.base.db)
    paper = view.documents[0].id
    other = await bob.begins()
    for act in (
        bob.service.get(bob.caller, view.row.id),
        bob.service.change(bob.caller, view.row.id, {}),
        bob.service.upload(bob.caller, view.row.id, "id_front", picture()),
        bob.service.paper(bob.caller, view.row.id, paper),
        bob.service.paper(bob.caller, other.row.id, paper),
        bob.service.remove_document(bob.caller, other.row.id, paper),
        bob.service.submit(bob.caller, view.row.id),
        bob.service.withdraw(bob.caller, view.row.id),
        bob.service.correct(bob.caller, view.row.id),
    ):
        with refused("not_found"):
            await act
    assert [each.row.id for each in await bob.service.page(bob.caller, None, 10)] == [other.row.id]
    async with alice.base.db.read() as session:
        assert len((await session.exec(select(Certification))).all()) == 2
