"""Templates: write, look at, submit for review, withdraw, delete."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from domain import templates as rules
from domain.accounts import Caller
from domain.errors import Refusal
from domain.ids import Kind, workflow_id
from domain.members import Right, require
from domain.reviews import ReviewState
from domain.senders import SendKind
from domain.template_lint import Finding, errors, lint, unstorable
from domain.templates import Content, Preview
from domain.whole_text import whole
from services.foundation import Foundation
from services.review_promises import promised
from store import clockwork
from store import templates as rows
from store.columns import now
from store.db import Session
from store.templates import Template, TemplateVersion, VersionHead, Wanted

KEPT = frozenset({ReviewState.APPROVED, ReviewState.SUBMITTED})
"""States in which saving the same content once more makes no new version."""


@dataclass(frozen=True)
class TemplateDraft:
    """What a customer writes. A blank `name` becomes the invoke name; `kind` may be None where it is known."""

    invoke_name: str
    content: Content
    name: str = ""
    kind: SendKind | None = None


@dataclass(frozen=True)
class TemplateView:
    """A template, one of its versions (the latest unless asked otherwise), and all versions, newest first."""

    row: Template
    version: TemplateVersion
    heads: Sequence[VersionHead]
    findings: Sequence[Finding] = ()

    @property
    def content(self) -> Content:
        return Content(self.version.subject, self.version.html, self.version.text)

    @property
    def approved(self) -> VersionHead | None:
        """The version that is sent now."""
        return next((head for head in self.heads if head.state == ReviewState.APPROVED), None)

    @property
    def submitted(self) -> VersionHead | None:
        return next((head for head in self.heads if head.state == ReviewState.SUBMITTED), None)

    @property
    def workflow_id(self) -> str | None:
        """The review process of this version; None while it is a draft."""
        return review_id(self.version.id) if self.version.submitted_at else None


def review_id(version: UUID) -> str:
    """The workflow id of a version's review."""
    return workflow_id(Kind.TEMPLATE_REVIEW, version)


class Templates:
    """What a caller can do with the account's templates. `ref` is an id or an invoke name."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def create(self, caller: Caller, draft: TemplateDraft) -> TemplateView:
        """A template with its first draft. Raises `Refusal` on the field that is wrong."""
        require(caller, Right.TEMPLATES)
        invoke_name, name = _invoke_name(draft.invoke_name), _name(draft.name or draft.invoke_name)
        if draft.kind is None:
            raise Refusal("required", field="kind")
        content = await _storable(draft.content)
        row = Template(account_id=caller.account_id, invoke_name=invoke_name, name=name, kind=draft.kind.value)
        try:
            async with self._base.db.begin() as session:
                await self._require_room(session, caller)
                session.add(row)
                await session.flush()
                session.add(_version(row, 1, content))
        except IntegrityError as error:
            raise Refusal("template_exists", field="invoke_name", name=invoke_name) from error
        return await self.get(caller, str(row.id))

    async def _require_room(self, session: Session, caller: Caller) -> None:
        if await rows.count(session, caller.account_id) >= rules.MAX_TEMPLATES:
            raise Refusal("too_many_templates", limit=rules.MAX_TEMPLATES)

    async def edit(self, caller: Caller, ref: str, draft: TemplateDraft) -> TemplateView:
        """Save content: into the open draft, else as the next version's draft. The invoke name stays."""
        require(caller, Right.TEMPLATES)
        content = await _storable(draft.content)
        async with self._base.db.begin() as session:
            row = await _changeable(session, caller, ref)
            row.name = _name(draft.name or row.name)
            await _set_kind(session, row, draft.kind)
            latest = await _latest(session, row)
            if latest.state == ReviewState.DRAFT:
                latest.subject, latest.html, latest.text = content.subject, content.html, content.text
                latest.variables = content.variables
            elif latest.state not in KEPT or Content(latest.subject, latest.html, latest.text) != content:
                session.add(_version(row, latest.number + 1, content))
        return await self.get(caller, str(row.id))

    async def get(self, caller: Caller, ref: str, number: int | None = None) -> TemplateView:
        """One template with its latest version, or with version `number`."""
        async with self._base.db.read() as session:
            row = _known(await rows.find(session, caller.account_id, ref))
            return await _view(session, row, number)

    async def page(self, caller: Caller, wanted: Wanted, limit: int) -> list[tuple[Template, VersionHead]]:
        """Templates with their latest versions, newest first."""
        async with self._base.db.read() as session:
            return await rows.page(session, caller.account_id, wanted, limit)

    async def submit(self, caller: Caller, ref: str) -> TemplateView:
        """Send the open draft to review. Raises `Refusal` for errors in it, naming part and line."""
        require(caller, Right.TEMPLATES)
        async with self._base.db.begin() as session:
            row = await _changeable(session, caller, ref)
            if waiting := await rows.submitted(session, row.id):
                raise Refusal("template_under_review", number=waiting.number)
            latest = await _latest(session, row)
            if latest.state != ReviewState.DRAFT:
                raise Refusal("template_nothing_to_submit", state=latest.state)
            await _require_faultless(Content(latest.subject, latest.html, latest.text))
            at = now()
            due = await promised(session, self._base.policy, Kind.TEMPLATE_REVIEW, at)
            process = await rows.submit(session, latest.id, row.account_id, at, due)
        await self._base.clockwork.start(process)
        return await self.get(caller, str(row.id))

    async def withdraw(self, caller: Caller, ref: str) -> TemplateView:
        """Take the submitted version back; an edit makes the next draft of it."""
        require(caller, Right.TEMPLATES)
        async with self._base.db.begin() as session:
            row = await _changeable(session, caller, ref)
            waiting = await rows.submitted(session, row.id)
            if waiting is None or not await rows.withdraw(session, waiting.id):
                raise Refusal("template_nothing_to_withdraw")
        return await self.get(caller, str(row.id))

    async def delete(self, caller: Caller, ref: str) -> None:
        """Mails accepted before are still sent; requests that name the template are refused from now on."""
        require(caller, Right.TEMPLATES)
        async with self._base.db.begin() as session:
            row = await _changeable(session, caller, ref)
            row.deleted_at = now()
            if waiting := await rows.submitted(session, row.id):
                await rows.withdraw(session, waiting.id)
            await clockwork.want_nudge(session, workflow_id(Kind.ONBOARDING, row.account_id))

    async def preview(self, caller: Caller, ref: str, values: Mapping[str, str], number: int | None = None) -> Preview:
        """A version as a recipient would get it; variables without a value get a sample."""
        view = await self.get(caller, ref, number)
        return await preview_of(view.content, values)


async def preview_of(content: Content, values: Mapping[str, str]) -> Preview:
    """The same for content that is not saved, and perhaps could not be."""
    given = {name: whole(value[: rules.MAX_VALUE]) for name, value in values.items()}
    shown = Content(whole(content.subject), whole(content.html), whole(content.text))
    return await asyncio.to_thread(lambda: rules.preview(shown, rules.sample_values(shown) | given))


def _invoke_name(text: str) -> str:
    name = text.strip()
    if not name:
        raise Refusal("required", field="invoke_name")
    if not rules.INVOKE_NAME.fullmatch(name) or rules.looks_like_id(name):
        raise Refusal("template_bad_invoke_name", field="invoke_name", name=name[: rules.MAX_NAME])
    return name


def _name(text: str) -> str:
    name = text.strip()
    if not rules.is_name(name):
        raise Refusal("template_bad_name", field="name", limit=rules.MAX_NAME)
    return name


async def _storable(content: Content) -> Content:
    """With its plain-text part, made from the HTML where the customer wrote none."""
    _refuse(unstorable(content))
    if content.text.strip():
        return content
    return Content(content.subject, content.html, await asyncio.to_thread(rules.text_from_html, content.html))


async def _require_faultless(content: Content) -> None:
    _refuse(errors(await asyncio.to_thread(lint, content)))


def _refuse(findings: Sequence[Finding]) -> None:
    if findings:
        zh, en = ("".join(f.zh for f in findings), " ".join(f.en for f in findings))
        raise Refusal("template_content", field=findings[0].part, zh=zh, en=en)


def _version(row: Template, number: int, content: Content) -> TemplateVersion:
    return TemplateVersion(
        template_id=row.id,
        account_id=row.account_id,
        number=number,
        subject=content.subject,
        html=content.html,
        text=content.text,
        variables=content.variables,
    )


def _known(row: Template | None) -> Template:
    if row is None:
        raise Refusal("not_found", what="template")
    return row


async def _changeable(session: Session, caller: Caller, ref: str) -> Template:
    """The template, locked: changes of one template come one after the other."""
    row = _known(await rows.find(session, caller.account_id, ref, lock=True))
    if row.is_sample:
        raise Refusal("template_is_sample", name=row.invoke_name)
    return row


async def _latest(session: Session, row: Template, number: int | None = None) -> TemplateVersion:
    version = await rows.version(session, row.id, number)
    if version is None:
        raise Refusal("not_found", what="template version")
    return version


async def _set_kind(session: Session, row: Template, kind: SendKind | None) -> None:
    """Reviewers approve content for a kind, so it is fixed by the first submission."""
    if kind is None or kind.value == row.kind:
        return
    if any(head.submitted_at for head in await rows.heads(session, row.id)):
        raise Refusal("template_kind_fixed", field="kind", kind=row.kind)
    row.kind = kind.value


async def _view(session: Session, row: Template, number: int | None) -> TemplateView:
    version = await _latest(session, row, number)
    content = Content(version.subject, version.html, version.text)
    findings = await asyncio.to_thread(lint, content)
    return TemplateView(row, version, await rows.heads(session, row.id), findings)
