"""Signatures of SMS: write, prove, submit for review, withdraw, delete."""

from uuid import UUID

from sqlalchemy.exc import IntegrityError

from domain.accounts import Caller
from domain.errors import Refusal
from domain.ids import Kind, workflow_id
from domain.members import Right, require
from domain.onboarding import SmsStage
from domain.operators import Duty, Operator
from domain.reviews import ReviewState
from domain.sms import Market
from domain.sms_signatures import MAX_SIGNATURES, NEEDS_PROOF, SignatureDraft, SignatureSource, bare
from domain.sms_signatures import require_note as checked_note
from domain.sms_signatures import require_text as checked_text
from services.certification_views import ShownPaper
from services.domains import actor
from services.foundation import Foundation
from services.limits import Limits
from services.paper_process import PaperWorkshop
from services.review_promises import promised
from services.sms_papers import SmsPaperShelf
from store import audit_log, onboarding, sms_templates
from store import sms_signatures as rows
from store.accounts import Account
from store.columns import now
from store.db import Session
from store.sms_signatures import SmsPaper, SmsSignature, Wanted

CHANGEABLE = frozenset({ReviewState.DRAFT, ReviewState.REJECTED, ReviewState.WITHDRAWN})
"""States in which a signature can be changed and submitted (again)."""


def signature_review_id(row: SmsSignature) -> str | None:
    """The workflow id of its latest review; None before the first."""
    return workflow_id(Kind.SMS_SIGNATURE_REVIEW, row.review_id) if row.review_id else None


class SmsSignatures:
    """What a caller can do with the account's signatures. `ref` is a number (SendCloud's signId) or a UUID."""

    def __init__(self, base: Foundation, limits: Limits, workshop: PaperWorkshop | None = None) -> None:
        self._base = base
        self._shelf = SmsPaperShelf(base, limits, workshop or PaperWorkshop())

    async def create(self, caller: Caller, draft: SignatureDraft) -> SmsSignature:
        """A draft. Raises `Refusal` on the field that is wrong."""
        require(caller, Right.TEMPLATES)
        row = SmsSignature(account_id=caller.account_id, text="", market="", source="")
        _write(row, draft)
        try:
            async with self._base.db.begin() as session:
                await session.get(Account, caller.account_id, with_for_update=True)  # two at once: one counts the other
                if await rows.count(session, caller.account_id) >= MAX_SIGNATURES:
                    raise Refusal("too_many_sms_signatures", limit=MAX_SIGNATURES)
                session.add(row)
        except IntegrityError as error:
            raise Refusal("sms_signature_exists", field="text", text=row.text) from error
        return await self.get(caller, str(row.id))

    async def change(self, caller: Caller, ref: str, draft: SignatureDraft) -> SmsSignature:
        """Write a draft, a rejected or a withdrawn one anew; submit it to have it reviewed."""
        require(caller, Right.TEMPLATES)
        try:
            async with self._base.db.begin() as session:
                row = await _changeable(session, caller, ref)
                _write(row, draft)
        except IntegrityError as error:
            raise Refusal("sms_signature_exists", field="text", text=bare(draft.text)) from error
        return await self.get(caller, ref)

    async def get(self, caller: Caller, ref: str) -> SmsSignature:
        """One signature of the account. Raises `not_found`."""
        async with self._base.db.read() as session:
            return _known(await rows.find(session, caller.account_id, ref))

    async def by_text(self, caller: Caller, text: str, market: Market | None = None) -> SmsSignature:
        """By its text, with brackets or without; of both markets first mainland China's. Raises `not_found`."""
        async with self._base.db.read() as session:
            found = await rows.by_text(session, caller.account_id, bare(text), market.value if market else None)
            return _known(found)

    async def page(self, caller: Caller, wanted: Wanted, limit: int) -> list[SmsSignature]:
        """Newest first."""
        async with self._base.db.read() as session:
            return await rows.page(session, caller.account_id, wanted, limit)

    async def submit(self, caller: Caller, ref: str) -> SmsSignature:
        """Send it to review. Raises `step_missing` before enterprise certification and payment."""
        require(caller, Right.TEMPLATES)
        async with self._base.db.begin() as session:
            row = await _own(session, caller, ref)
            if row.state not in CHANGEABLE:
                raise Refusal("sms_signature_nothing_to_submit", state=row.state)
            if SignatureSource(row.source) in NEEDS_PROOF and row.paper_id is None:
                raise Refusal("sms_signature_needs_proof", field="file")
            await onboarding.require_step(session, caller.account_id, SmsStage.USER)
            at = now()
            due = await promised(session, self._base.policy, Kind.SMS_SIGNATURE_REVIEW, at)
            process = await rows.submit(session, row, at, due)
        await self._base.clockwork.start(process)
        return await self.get(caller, ref)

    async def withdraw(self, caller: Caller, ref: str) -> SmsSignature:
        """Take it back from review; then it can be changed and submitted again."""
        require(caller, Right.TEMPLATES)
        async with self._base.db.begin() as session:
            if not await rows.withdraw(session, await _own(session, caller, ref)):
                raise Refusal("sms_signature_nothing_to_withdraw")
        return await self.get(caller, ref)

    async def delete(self, caller: Caller, ref: str) -> None:
        """Raises `sms_signature_in_use` while templates use it. What was accepted with it before is still sent."""
        require(caller, Right.TEMPLATES)
        gone: list[SmsPaper] = []
        async with self._base.db.begin() as session:
            row = await _own(session, caller, ref)
            if count := await sms_templates.users_of(session, row.id):
                raise Refusal("sms_signature_in_use", count=count)
            await rows.withdraw(session, row)
            row.deleted_at = now()
            await sms_templates.drop_builtin(session, row.id, now())
            gone = await _take_paper(session, row)
            await audit_log.note(
                session, actor(caller), "sms_signature.deleted", f"sms-signature/{row.id}", row.account_id
            )
        if gone:
            await self._shelf.forget(gone)

    async def upload(self, caller: Caller, ref: str, data: bytes) -> SmsSignature:
        """Keep a file as the proof, in place of the one before. Raises the refusals of `domain.papers.sanitise`."""
        require(caller, Right.TEMPLATES)
        async with self._base.db.read() as session:
            row = await _changeable(session, caller, ref)
        paper = await self._shelf.put(row.account_id, row.id, data)
        async with self._base.db.begin() as session:
            row = await _changeable(session, caller, ref)
            replaced = await _take_paper(session, row)
            paper.deleted_at = None
            await session.merge(paper)
            row.paper_id = paper.id
        await self._shelf.forget(replaced)
        return await self.get(caller, ref)

    async def remove_paper(self, caller: Caller, ref: str) -> SmsSignature:
        """Delete the proof."""
        require(caller, Right.TEMPLATES)
        async with self._base.db.begin() as session:
            gone = await _take_paper(session, await _changeable(session, caller, ref))
        await self._shelf.forget(gone)
        return await self.get(caller, ref)

    async def paper(self, caller: Caller, ref: str) -> ShownPaper:
        """The bytes of the proof; that they were seen is written down first."""
        require(caller, Right.TEMPLATES)
        async with self._base.db.begin() as session:
            row = _known(await rows.find(session, caller.account_id, ref))
            paper = await _paper(session, row, actor(caller))
        return await self._shelf.get(paper)

    async def paper_for_operator(self, operator: Operator, review_id: UUID) -> ShownPaper:
        """The same for a reviewer, of what was submitted."""
        operator.require(Duty.REVIEW)
        async with self._base.db.begin() as session:
            row = _known(await rows.under_review(session, review_id))
            paper = await _paper(session, row, operator.actor)
        return await self._shelf.get(paper)


def _write(row: SmsSignature, draft: SignatureDraft) -> None:
    row.text = checked_text(draft.text, draft.market)
    row.market, row.source, row.note = draft.market.value, draft.source.value, checked_note(draft.note)


def _known(row: SmsSignature | None) -> SmsSignature:
    if row is None:
        raise Refusal("not_found", what="SMS signature")
    return row


async def _own(session: Session, caller: Caller, ref: str) -> SmsSignature:
    """The signature, locked: its changes, and what comes to use it, come one after the other."""
    row = _known(await rows.find(session, caller.account_id, ref, lock="update"))
    if row.is_builtin:
        raise Refusal("sms_signature_builtin")
    return row


async def _changeable(session: Session, caller: Caller, ref: str) -> SmsSignature:
    row = await _own(session, caller, ref)
    if row.state not in CHANGEABLE:
        raise Refusal("sms_signature_not_draft", state=row.state)
    return row


async def _take_paper(session: Session, row: SmsSignature) -> list[SmsPaper]:
    """Part a signature from its proof; what is to be forgotten."""
    paper = await rows.paper(session, row.account_id, row.paper_id) if row.paper_id else None
    row.paper_id = None
    if paper is None:
        return []
    paper.deleted_at = now()
    return [paper]


async def _paper(session: Session, row: SmsSignature, who: str) -> SmsPaper:
    paper = await rows.paper(session, row.account_id, row.paper_id) if row.paper_id else None
    if paper is None:
        raise Refusal("not_found", what="document")
    await audit_log.note(session, who, "sms_signature.paper_viewed", f"sms-signature/{row.id}", row.account_id)
    return paper
