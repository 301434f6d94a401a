"""SMS templates: write, look at, submit for review, withdraw, delete."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from domain.accounts import Caller
from domain.errors import Refusal
from domain.ids import Kind, workflow_id
from domain.ledger import price_at
from domain.members import Right, require
from domain.onboarding import SmsStage
from domain.reviews import ReviewState
from domain.sms import Market, SmsKind
from domain.sms_template_lint import ChosenSignature, lint, unstorable
from domain.sms_templates import MAX_TEMPLATES, SmsContent, SmsPreview, preview, require_name, sample_values
from domain.template_lint import Finding, errors
from services.foundation import Foundation
from services.review_promises import promised
from store import clockwork, ledger_read, onboarding, sms_signatures
from store import sms_templates as rows
from store.accounts import Account
from store.columns import now
from store.db import Session
from store.sms_signatures import SmsSignature
from store.sms_templates import Row, SmsTemplate, SmsTemplateVersion, Wanted

KEPT = frozenset({ReviewState.APPROVED, ReviewState.SUBMITTED})
"""States in which saving the same content once more makes no new version."""
PRICE_ITEM = "sms"
"""Of mainland China; what other countries cost depends on the number."""


@dataclass(frozen=True)
class SmsTemplateDraft:
    """What a customer writes. `signature` is its number or UUID."""

    name: str
    kind: SmsKind
    signature: str
    content: str
    signature_last: bool = False


@dataclass(frozen=True)
class SmsTemplateView:
    """A template, one of its versions (the latest unless asked otherwise), and all versions, newest first."""

    row: SmsTemplate
    version: SmsTemplateVersion
    signature: SmsSignature
    versions: Sequence[SmsTemplateVersion]
    findings: Sequence[Finding] = ()

    @property
    def content(self) -> SmsContent:
        return content_of(self.version, self.signature)

    @property
    def approved(self) -> SmsTemplateVersion | None:
        """The version that is sent now."""
        return next((each for each in self.versions if each.state == ReviewState.APPROVED), None)

    @property
    def submitted(self) -> SmsTemplateVersion | None:
        return next((each for each in self.versions if each.state == ReviewState.SUBMITTED), None)

    @property
    def workflow_id(self) -> str | None:
        """The review process of this version; None while it is a draft."""
        return review_id(self.version.id) if self.version.submitted_at else None


@dataclass(frozen=True)
class Sendable:
    """A template that can be sent: its approved version with an approved signature."""

    number: int
    name: str
    kind: SmsKind
    market: Market
    variables: tuple[str, ...]
    signature: str
    content: str
    signature_last: bool


def _sendable(row: SmsTemplate, version: SmsTemplateVersion, signature: SmsSignature) -> Sendable:
    return Sendable(
        row.number or 0, row.name, SmsKind(version.kind), Market(version.market), tuple(version.variables),
        signature.text, version.content, version.signature_last,
    )  # fmt: skip


def review_id(version: UUID) -> str:
    """The workflow id of a version's review."""
    return workflow_id(Kind.SMS_TEMPLATE_REVIEW, version)


def content_of(version: SmsTemplateVersion, signature: SmsSignature) -> SmsContent:
    """What a version says."""
    kind, market = SmsKind(version.kind), Market(version.market)
    return SmsContent(kind, market, signature.text, version.content, version.signature_last)


def findings_of(version: SmsTemplateVersion, signature: SmsSignature) -> list[Finding]:
    """What is wrong with a version, its signature as it is now."""
    return lint(content_of(version, signature), _chosen(signature))


class SmsTemplates:
    """What a caller can do with the account's SMS templates. `ref` is a number (SendCloud's templateId), a UUID or a
    name."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def create(self, caller: Caller, draft: SmsTemplateDraft) -> SmsTemplateView:
        """A template with its first draft. Raises `Refusal` on the field that is wrong."""
        require(caller, Right.TEMPLATES)
        row = SmsTemplate(account_id=caller.account_id, name=require_name(draft.name))
        try:
            async with self._base.db.begin() as session:
                await self._require_room(session, caller)
                signature = await _signature(session, caller, draft.signature)
                content = _storable(draft, signature)
                session.add(row)
                await session.flush()
                session.add(_version(row, 1, content, signature))
        except IntegrityError as error:
            raise Refusal("sms_template_exists", field="name", name=row.name) from error
        return await self.get(caller, str(row.id))

    async def _require_room(self, session: Session, caller: Caller) -> None:
        await session.get(Account, caller.account_id, with_for_update=True)  # two at once: one counts the other
        if await rows.count(session, caller.account_id) >= MAX_TEMPLATES:
            raise Refusal("too_many_sms_templates", limit=MAX_TEMPLATES)

    async def edit(self, caller: Caller, ref: str, draft: SmsTemplateDraft) -> SmsTemplateView:
        """Save content: into the open draft, else as the next version's draft. What is approved stays approved."""
        require(caller, Right.TEMPLATES)
        name = require_name(draft.name)
        try:
            async with self._base.db.begin() as session:
                row = await _changeable(session, caller, ref)
                signature = await _signature(session, caller, draft.signature)
                row.name, row.updated_at = name, now()
                await _save(session, row, _storable(draft, signature), signature)
        except IntegrityError as error:
            raise Refusal("sms_template_exists", field="name", name=name) from error
        return await self.get(caller, str(row.id))

    async def get(self, caller: Caller, ref: str, number: int | None = None) -> SmsTemplateView:
        """One template with its latest version, or with version `number`."""
        async with self._base.db.read() as session:
            return await _view(session, _known(await rows.find(session, caller.account_id, ref)), number)

    async def page(self, caller: Caller, wanted: Wanted, limit: int) -> list[Row]:
        """Templates with their latest versions and signatures, newest first; none of the platform's."""
        async with self._base.db.read() as session:
            return await rows.page(session, caller.account_id, wanted, limit)

    async def sendable(self, caller: Caller, limit: int = 200) -> list[Sendable]:
        """What can be sent now, newest template first."""
        async with self._base.db.read() as session:
            return [_sendable(*row) for row in await rows.sendable(session, caller.account_id, limit)]

    async def submit(self, caller: Caller, ref: str) -> SmsTemplateView:
        """Send the open draft to review. Raises `Refusal` for errors in it, and `step_missing` before SMS are open."""
        require(caller, Right.TEMPLATES)
        async with self._base.db.begin() as session:
            row = await _changeable(session, caller, ref)
            versions = await rows.versions(session, row.id)
            if waiting := next((each for each in versions if each.state == ReviewState.SUBMITTED), None):
                raise Refusal("sms_template_under_review", number=waiting.number)
            latest = versions[0]
            if latest.state != ReviewState.DRAFT:
                raise Refusal("sms_template_nothing_to_submit", state=latest.state)
            await _require_faultless(session, caller, latest)
            await onboarding.require_step(session, caller.account_id, SmsStage.TEMPLATE)
            at = now()
            due = await promised(session, self._base.policy, Kind.SMS_TEMPLATE_REVIEW, at)
            process = await rows.submit(session, latest, at, due)
        await self._base.clockwork.start(process)
        return await self.get(caller, str(row.id))

    async def withdraw(self, caller: Caller, ref: str) -> SmsTemplateView:
        """Take the submitted version back; an edit makes the next draft of it."""
        require(caller, Right.TEMPLATES)
        async with self._base.db.begin() as session:
            row = await _changeable(session, caller, ref)
            waiting = await _submitted(session, row)
            if waiting is None or not await rows.withdraw(session, waiting.id):
                raise Refusal("sms_template_nothing_to_withdraw")
        return await self.get(caller, str(row.id))

    async def delete(self, caller: Caller, ref: str) -> None:
        """What was accepted before is still sent; requests that name the template are refused from now on."""
        require(caller, Right.TEMPLATES)
        async with self._base.db.begin() as session:
            row = await _changeable(session, caller, ref)
            row.deleted_at = now()
            if waiting := await _submitted(session, row):
                await rows.withdraw(session, waiting.id)
            await clockwork.want_nudge(session, workflow_id(Kind.ONBOARDING, row.account_id))

    async def preview(
        self, caller: Caller, ref: str, values: Mapping[str, str], number: int | None = None
    ) -> SmsPreview:
        """A version as a handset would show it; variables without a value get a sample."""
        view = await self.get(caller, ref, number)
        return await sampled(view.content, values)

    async def preview_unsaved(self, caller: Caller, draft: SmsTemplateDraft) -> tuple[SmsPreview, list[Finding]]:
        """The same for content that is not saved, with what is wrong in it; the signature may be missing yet."""
        async with self._base.db.read() as session:
            found = await sms_signatures.find(session, caller.account_id, draft.signature)
        market = Market(found.market) if found else Market.DOMESTIC
        text = found.text if found else ""
        content = SmsContent(draft.kind, market, text, draft.content, draft.signature_last)
        if bad := unstorable(content):
            _refuse(bad)
        return await sampled(content, {}), await asyncio.to_thread(lint, content, _chosen(found) if found else None)

    async def unit_price(self, caller: Caller) -> int:
        """What one part to mainland China costs this account now, in micro-yuan."""
        async with self._base.db.read() as session:
            listed = await ledger_read.prices(session, caller.account_id, PRICE_ITEM)
        return price_at(listed, now(), self._base.policy.sms_price_micro)


async def sampled(content: SmsContent, values: Mapping[str, str]) -> SmsPreview:
    """Filled with samples where no value is given."""
    given = {name.strip("%"): value[:200] for name, value in values.items()}
    return await asyncio.to_thread(preview, content, sample_values(content) | given)


def _chosen(signature: SmsSignature) -> ChosenSignature | None:
    if signature.deleted_at is not None:
        return None
    return ChosenSignature(signature.text, ReviewState(signature.state), Market(signature.market))


async def _signature(session: Session, caller: Caller, ref: str) -> SmsSignature:
    """The signature that a template comes to use; it is not deleted meanwhile."""
    if not ref.strip():
        raise Refusal("required", field="signature")
    found = await sms_signatures.find(session, caller.account_id, ref.strip(), lock="share")
    if found is None:
        raise Refusal("not_found", field="signature", what="SMS signature")
    return found


def _storable(draft: SmsTemplateDraft, signature: SmsSignature) -> SmsContent:
    """Line ends as LF; surrounding blanks are nobody's wish."""
    text = draft.content.replace("\r\n", "\n").strip()
    content = SmsContent(draft.kind, Market(signature.market), signature.text, text, draft.signature_last)
    _refuse(unstorable(content))
    return content


def _refuse(findings: Sequence[Finding]) -> None:
    if findings:
        zh, en = ("".join(f.zh for f in findings), " ".join(f.en for f in findings))
        raise Refusal("sms_template_content", field=findings[0].part, zh=zh, en=en)


async def _require_faultless(session: Session, caller: Caller, version: SmsTemplateVersion) -> None:
    """The signature is locked: it stays what it is until the version waits for its review."""
    signature = await sms_signatures.find(session, caller.account_id, str(version.signature_id), lock="share")
    content = content_of(version, signature) if signature else None
    if signature is None or content is None:
        raise Refusal("not_found", field="signature", what="SMS signature")
    _refuse(errors(await asyncio.to_thread(lint, content, _chosen(signature))))


def _version(row: SmsTemplate, number: int, content: SmsContent, signature: SmsSignature) -> SmsTemplateVersion:
    made = SmsTemplateVersion(
        template_id=row.id, account_id=row.account_id, number=number, kind="", market="", content="",
        signature_id=signature.id,
    )  # fmt: skip
    _write(made, content, signature)
    return made


def _write(version: SmsTemplateVersion, content: SmsContent, signature: SmsSignature) -> None:
    version.kind, version.market = content.kind.value, content.market.value
    version.signature_id, version.signature_last = signature.id, content.signature_last
    version.content, version.variables = content.content, content.variables


async def _save(session: Session, row: SmsTemplate, content: SmsContent, signature: SmsSignature) -> None:
    latest = (await rows.versions(session, row.id))[0]
    if latest.state == ReviewState.DRAFT:
        _write(latest, content, signature)
    elif latest.state not in KEPT or not _says(latest, content, signature):
        session.add(_version(row, latest.number + 1, content, signature))


def _says(version: SmsTemplateVersion, content: SmsContent, signature: SmsSignature) -> bool:
    return version.signature_id == signature.id and content_of(version, signature) == content


def _known(row: SmsTemplate | None) -> SmsTemplate:
    if row is None:
        raise Refusal("not_found", what="SMS template")
    return row


async def _changeable(session: Session, caller: Caller, ref: str) -> SmsTemplate:
    """The template, locked: changes of one template come one after the other."""
    row = _known(await rows.find(session, caller.account_id, ref, lock=True))
    if row.is_builtin:
        raise Refusal("sms_template_builtin", name=row.name)
    return row


async def _submitted(session: Session, row: SmsTemplate) -> SmsTemplateVersion | None:
    found = await rows.versions(session, row.id)
    return next((each for each in found if each.state == ReviewState.SUBMITTED), None)


async def _view(session: Session, row: SmsTemplate, number: int | None) -> SmsTemplateView:
    versions = await rows.versions(session, row.id)
    version = next((each for each in versions if number in (None, each.number)), None)
    signature = await session.get(SmsSignature, version.signature_id) if version else None
    if version is None or signature is None:
        raise Refusal("not_found", what="SMS template version")
    findings = await asyncio.to_thread(findings_of, version, signature)
    return SmsTemplateView(row, version, signature, versions, findings)
