"""Certifications: fill in, upload, submit, withdraw, correct; and what operators see and take back.

What was typed is sealed; here it is opened to be checked, and leaves masked, except for an operator who decides.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from domain import certification as rules
from domain.accounts import Caller
from domain.certification import DOCUMENT_PARTS, CertificationKind, CertificationState, Held, Part
from domain.certification_parts import clean, warnings
from domain.errors import Refusal
from domain.ids import Kind
from domain.members import Right, require
from domain.notices import Notice
from domain.onboarding import Stage
from domain.operators import Duty, Operator
from domain.times import business_day
from services.certification_papers import PaperShelf
from services.certification_views import (
    CORRECTABLE,
    CertificationCase,
    CertificationView,
    ShownPaper,
    handed_in,
    opened,
    review_id,
    view,
    write,
)
from services.foundation import Foundation
from services.limits import Limits
from services.paper_process import PaperWorkshop
from services.review_promises import promised
from store import audit_log, onboarding
from store import certification as rows
from store.certification import Certification, Document
from store.columns import now
from store.db import Session
from store.notices import send_notice

Given = Mapping[str, str]
"""Names of parts to what was typed; an empty text takes a part back."""


class Certifications:
    """What a caller can do with the account's applications, and an operator with everybody's."""

    def __init__(self, base: Foundation, limits: Limits, workshop: PaperWorkshop | None = None) -> None:
        self._base = base
        self._shelf = PaperShelf(base, limits, workshop or PaperWorkshop())

    async def create(self, caller: Caller, kind: CertificationKind, given: Given) -> CertificationView:
        """A draft. Raises `Refusal` on the part that is wrong, or when there is a draft or nothing to certify."""
        require(caller, Right.CERTIFY)
        typed = {part: text for part, text in clean(kind, given, _today()).items() if text}
        async with self._base.db.begin() as session:
            row = await self._new_draft(session, caller, kind)
            write(self._base.vault, row, typed)
        return await self.get(caller, row.id)

    async def _new_draft(self, session: Session, caller: Caller, kind: CertificationKind) -> Certification:
        await onboarding.require_step(session, caller.account_id, Stage.CERTIFY)
        number = await rows.next_number(session, caller.account_id)
        if await rows.in_state(session, caller.account_id, CertificationState.DRAFT):
            raise Refusal("certification_draft_exists")
        rules.require_needed(kind, await rows.held(session, caller.account_id, _today()), _today())
        row = Certification(
            account_id=caller.account_id, kind=kind.value, number=number, created_by=caller.member_id
        )  # fmt: skip
        session.add(row)
        return row

    async def change(self, caller: Caller, certification_id: UUID, given: Given) -> CertificationView:
        """Set the parts that are given; an empty text takes one back, what is not named stays."""
        require(caller, Right.CERTIFY)
        async with self._base.db.begin() as session:
            row = await _draft(session, caller, certification_id)
            typed = opened(self._base.vault, row) | clean(CertificationKind(row.kind), given, _today())
            write(self._base.vault, row, {part: text for part, text in typed.items() if text})
        return await self.get(caller, certification_id)

    async def page(self, caller: Caller, before: UUID | None, limit: int) -> list[CertificationView]:
        """Applications of the account, newest first."""
        async with self._base.db.read() as session:
            found = await rows.page(session, caller.account_id, before, limit)
            papers = await rows.documents(session, *(row.id for row in found))
        return [
            view(self._base.vault, row, [each for each in papers if each.certification_id == row.id]) for row in found
        ]

    async def get(self, caller: Caller, certification_id: UUID) -> CertificationView:
        """One application of the account."""
        async with self._base.db.read() as session:
            row = _known(await rows.find(session, caller.account_id, certification_id))
            return view(self._base.vault, row, await rows.documents(session, row.id))

    async def held(self, caller: Caller) -> list[Held]:
        """What is approved and counts today."""
        async with self._base.db.read() as session:
            return await rows.held(session, caller.account_id, _today())

    async def submit(self, caller: Caller, certification_id: UUID) -> CertificationView:
        """Send the draft to review. Raises `Refusal` for what is missing, or is no longer right (an expired card)."""
        require(caller, Right.CERTIFY)
        async with self._base.db.begin() as session:
            await rows.next_number(session, caller.account_id)  # its lock: one submission of an account at a time
            row = await _draft(session, caller, certification_id)
            if await rows.in_state(session, caller.account_id, CertificationState.SUBMITTED):
                raise Refusal("certification_waiting")
            await self._require_ready(session, row)
            at = now()
            due = await promised(session, self._base.policy, Kind.CERTIFICATION_REVIEW, at)
            process = await rows.submit(session, row, at, due)
        await self._base.clockwork.start(process)
        return await self.get(caller, certification_id)

    async def _require_ready(self, session: Session, row: Certification) -> None:
        kind, typed = CertificationKind(row.kind), opened(self._base.vault, row)
        clean(kind, {part.value: text for part, text in typed.items()}, _today())
        rules.require_complete(kind, typed, {Part(each.part) for each in await rows.documents(session, row.id)})
        rules.require_needed(kind, await rows.held(session, row.account_id, _today()), _today())

    async def withdraw(self, caller: Caller, certification_id: UUID) -> CertificationView:
        """Take a submitted application back (`correct` makes a draft of it again), or drop a draft for good."""
        require(caller, Right.CERTIFY)
        dropped: list[Document] = []
        async with self._base.db.begin() as session:
            row = _known(await rows.find(session, caller.account_id, certification_id, lock=True))
            was = row.state
            if was not in (CertificationState.DRAFT, CertificationState.SUBMITTED):
                raise Refusal("certification_nothing_to_withdraw", state=was)
            await rows.withdraw(session, row)
            if was == CertificationState.DRAFT:
                dropped = await rows.documents(session, row.id)
                row.details = b""
                _mark(dropped)
        await self._shelf.forget(dropped)
        return await self.get(caller, certification_id)

    async def correct(self, caller: Caller, certification_id: UUID) -> CertificationView:
        """A new draft with everything that was not objected to, also what time has overtaken."""
        require(caller, Right.CERTIFY)
        async with self._base.db.begin() as session:
            row = _known(await rows.find(session, caller.account_id, certification_id))
            if row.state not in CORRECTABLE or row.submitted_at is None:
                raise Refusal("certification_nothing_to_correct", state=row.state)
            draft = await self._new_draft(session, caller, CertificationKind(row.kind))
            draft.corrects = row.id
            write(self._base.vault, draft, _still_good(opened(self._base.vault, row), row))
            await session.flush()
            kept = [each for each in await rows.documents(session, row.id) if each.part not in row.part_reasons]
            session.add_all([_copy(each, draft.id) for each in kept])
        return await self.get(caller, draft.id)

    async def upload(self, caller: Caller, certification_id: UUID, name: str, data: bytes) -> Document:
        """Keep a file for the part `name` of a draft, in place of the one before. Raises the refusals of `sanitise`."""
        require(caller, Right.CERTIFY)
        async with self._base.db.read() as session:
            row = await _draft(session, caller, certification_id)
        part = _paper_part(row, name)
        document = await self._shelf.put(row, part, data)
        await self._shelf.forget(await self._show(caller, document))
        return document

    async def _show(self, caller: Caller, document: Document) -> list[Document]:
        """The bytes are there: now the paper is. Returns what it replaces."""
        async with self._base.db.begin() as session:
            await _draft(session, caller, document.certification_id)
            there = await rows.documents(session, document.certification_id)
            replaced = [each for each in there if each.part == document.part]
            _mark(replaced)
            document.deleted_at = None
            await session.merge(document)
            return replaced

    async def remove_document(self, caller: Caller, certification_id: UUID, document_id: UUID) -> None:
        """Delete a paper of a draft."""
        require(caller, Right.CERTIFY)
        async with self._base.db.begin() as session:
            await _draft(session, caller, certification_id)
            found = [each for each in await rows.documents(session, certification_id) if each.id == document_id]
            if not found:
                raise Refusal("not_found", what="document")
            _mark(found)
        await self._shelf.forget(found)

    async def paper(self, caller: Caller, certification_id: UUID, document_id: UUID) -> ShownPaper:
        """The bytes of an own paper; that they were seen is written down first."""
        require(caller, Right.CERTIFY)
        async with self._base.db.begin() as session:
            row = await rows.document(session, document_id)
            if row is None or (row.account_id, row.certification_id) != (caller.account_id, certification_id):
                raise Refusal("not_found", what="document")
            await _note_view(session, f"member/{caller.member_id}", row)
        return await self._shelf.get(row)

    async def paper_for_operator(self, operator: Operator, document_id: UUID) -> ShownPaper:
        """The same for an operator who decides (`Duty.REVIEW` or `EXCEPTIONS`); never of a draft."""
        _require_decider(operator)
        async with self._base.db.begin() as session:
            row = await rows.document(session, document_id)
            if row is None:
                raise Refusal("not_found", what="document")
            await _submitted(session, row.certification_id)
            await _note_view(session, operator.actor, row)
        return await self._shelf.get(row)

    async def case_for_operator(self, operator: Operator, certification_id: UUID) -> CertificationCase:
        """Everything that is needed to decide, unmasked; that it was seen is written down. Never of a draft."""
        _require_decider(operator)
        async with self._base.db.begin() as session:
            row = await _submitted(session, certification_id)
            papers = await rows.documents(session, row.id)
            others = await rows.page(session, row.account_id, None, 50)
            subject = f"certification/{row.id}"
            await audit_log.note(session, operator.actor, "certification.details_viewed", subject, row.account_id)
        typed = handed_in(self._base.vault, row)
        earlier = [each for each in others if each.id != row.id and each.submitted_at is not None]
        return CertificationCase(row, typed, papers, earlier, warnings(typed))

    async def revoke(self, operator: Operator, certification_id: UUID, reason: str) -> None:
        """Take an approval back (`Duty.REVIEW`); onboarding goes back, and the customer is told why.

        Of a second time the customer hears nothing, unless the mail of the first was lost.
        """
        operator.require(Duty.REVIEW)
        why = reason.strip()
        if not why or len(why) > rules.MAX_OBJECTION or "@" in why or "\x00" in why:
            raise Refusal("certification_bad_reason", field="reason", limit=rules.MAX_OBJECTION)
        async with self._base.db.begin() as session:
            row = await _submitted(session, certification_id)
            counted = await rows.revoke(session, row, operator.actor, why, now())
            await session.refresh(row)
            reader = await onboarding.addressee(session, row.account_id)
        if reader is not None and row.state == CertificationState.REVOKED:
            await self._tell_revoked(row, reader)
        if not counted:
            raise Refusal("certification_nothing_to_revoke", state=row.state)

    async def _tell_revoked(self, row: Certification, reader: tuple[str, str, str]) -> None:
        address, name, language = reader
        link = f"{self._base.policy.public_url}/portal/certification/{row.id}"
        variables = {"name": name, "reason": row.reason or "", "link": link}
        key = f"{review_id(row.id)}/revoked"
        await send_notice(self._base.db, Notice.CERTIFICATION_REVOKED, address, language, variables, key)


def _today() -> date:
    return business_day(now())


def _known(row: Certification | None) -> Certification:
    if row is None:
        raise Refusal("not_found", what="certification")
    return row


async def _draft(session: Session, caller: Caller, certification_id: UUID) -> Certification:
    """The application, locked, if it can still be changed."""
    row = _known(await rows.find(session, caller.account_id, certification_id, lock=True))
    if row.state != CertificationState.DRAFT:
        raise Refusal("certification_not_draft", state=row.state)
    return row


async def _submitted(session: Session, certification_id: UUID) -> Certification:
    """What operators may see: whatever was handed in once."""
    row = await session.get(Certification, certification_id)
    if row is None or row.submitted_at is None:
        raise Refusal("not_found", what="certification")
    return row


def _require_decider(operator: Operator) -> None:
    if not operator.may(Duty.EXCEPTIONS):
        operator.require(Duty.REVIEW)


def _paper_part(row: Certification, name: str) -> Part:
    part = rules.require_part(CertificationKind(row.kind), name)
    if part not in DOCUMENT_PARTS:
        raise Refusal("paper_not_a_paper_part", field="part")
    return part


def _mark(papers: Sequence[Document]) -> None:
    for row in papers:
        row.deleted_at = now()


def _still_good(typed: Mapping[Part, str], row: Certification) -> dict[Part, str]:
    """Without the parts that were objected to. A document's end that has come since stays, to be refused by name: taken
    away, it would have to be given anew by somebody who is not told why."""
    return {part: text for part, text in typed.items() if part.value not in row.part_reasons}


def _copy(row: Document, draft: UUID) -> Document:
    kept = row.model_dump(exclude={"id", "certification_id", "created_at"})
    return Document(certification_id=draft, **kept)


async def _note_view(session: Session, actor: str, row: Document) -> None:
    await audit_log.note(session, actor, "certification.paper_viewed", f"document/{row.id}", row.account_id)
