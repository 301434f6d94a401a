"""`/v1/templates`: e-mail templates, their versions and reviews."""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, Field

from api.callers import AnyCaller, MemberCaller, Served
from api.paging import Cursor, Limit, NextCursor, next_cursor
from api.problems import Problem
from domain.reviews import ReviewState
from domain.senders import SendKind
from domain.template_lint import Finding, Severity
from domain.templates import MAX_VALUE, Content
from services.templates import TemplateDraft, TemplateView, preview_of, review_id
from store.templates import Template, VersionHead, Wanted

REFUSED: dict[int | str, dict[str, Any]] = {code: {"model": Problem} for code in (401, 403, 404, 409, 422)}
router = APIRouter(prefix="/v1/templates", tags=["templates"], responses=REFUSED)

Ref = Annotated[str, Path(max_length=64, description="The invoke name or the id.", examples=["order-shipped"])]
Number = Annotated[int, Path(ge=1, le=1_000_000, examples=[1])]
_MOMENT = "2026-11-23T08:00:00Z"
_HTML = '<p>Dear %name%,</p><p>your order is on its way: <a href="%link%">track it</a>.</p>'
_VALUES = {"name": "Ada", "link": "https://shop.example.com/o/1"}


class ContentIn(BaseModel):
    """Variables are `%name%`. Without `text`, the plain-text part is made from the HTML."""

    subject: str = Field(examples=["Your order %order% has been shipped"])
    html: str = Field(examples=[_HTML])
    text: str = Field(default="", examples=[""])

    def content(self) -> Content:
        return Content(self.subject, self.html, self.text)


class TemplateIn(ContentIn):
    """`kind` can change until the first submission; without it an existing template keeps its kind."""

    name: str = Field(default="", examples=["Order shipped"], description="For people; the invoke name when blank.")
    kind: SendKind | None = Field(default=None, examples=["trigger"])


class NewTemplate(TemplateIn):
    invoke_name: str = Field(examples=["order-shipped"], description="What a send calls it by; cannot change later.")


class PreviewIn(BaseModel):
    """Variables without a value get a sample."""

    values: dict[str, Annotated[str, Field(max_length=MAX_VALUE)]] = Field(default={}, examples=[_VALUES])
    version: int | None = Field(default=None, ge=1, le=1_000_000, description="The latest when absent.", examples=[1])


class UnsavedPreviewIn(ContentIn):
    """Variables without a value get a sample; nothing is kept."""

    values: dict[str, Annotated[str, Field(max_length=MAX_VALUE)]] = Field(default={}, examples=[_VALUES])


class PreviewOut(BaseModel):
    subject: str = Field(examples=["Your order [order] has been shipped"])
    html: str = Field(examples=["<p>Dear Ada,</p>"])
    text: str = Field(examples=["Dear Ada,"])
    blocked_links: list[str] = Field(
        description="Variables that are a whole link but whose value is no web address.", examples=[["link"]]
    )


class FindingOut(BaseModel):
    """An `error` must be corrected before submission; a `warning` is shown to the reviewer."""

    severity: Severity
    code: str = Field(examples=["unclosed"])
    part: str = Field(examples=["html"])
    line: int = Field(examples=[3], description="From 1; 0 for the part as a whole.")
    detail: str = Field(examples=["HTML, line 3: “%name” has no closing % and will be sent as written."])


class VersionOut(BaseModel):
    """`workflow_id` names the review process, for support."""

    number: int = Field(examples=[1])
    state: ReviewState
    subject: str = Field(examples=["Your order %order% has been shipped"])
    variables: list[str] = Field(examples=[["order", "name", "link"]])
    created_at: dt.datetime = Field(examples=[_MOMENT])
    submitted_at: dt.datetime | None = Field(examples=[_MOMENT])
    due_at: dt.datetime | None = Field(examples=[_MOMENT], description="When the decision is due.")
    due_provisional: bool = Field(
        examples=[False], description="The due time rests on days whose official calendar is not published yet."
    )
    decided_at: dt.datetime | None = Field(examples=[_MOMENT])
    reason: str | None = Field(examples=["The link must lead to your own site."])
    workflow_id: str | None = Field(examples=["template-review/01935b2e-7c1a-7aaa-8000-3f5a9c0d1e2f"])


class TemplateOut(BaseModel):
    """`version` is the latest; `approved_version` the one that is sent now."""

    id: UUID = Field(examples=["01935b2e-7c1a-7aaa-8000-3f5a9c0d1e2f"])
    invoke_name: str = Field(examples=["order-shipped"])
    name: str = Field(examples=["Order shipped"])
    kind: SendKind
    is_sample: bool
    created_at: dt.datetime = Field(examples=[_MOMENT])
    version: VersionOut


class VersionDetail(VersionOut):
    html: str = Field(examples=[_HTML])
    text: str = Field(examples=["Dear %name%, your order is on its way."])
    findings: list[FindingOut]


class TemplateDetail(TemplateOut):
    version: VersionDetail
    approved_version: int | None = Field(examples=[1])
    workflow_id: str | None = Field(examples=["template-review/01935b2e-7c1a-7aaa-8000-3f5a9c0d1e2f"])


class TemplatePage(BaseModel):
    items: list[TemplateOut]
    next_cursor: NextCursor = None


class VersionList(BaseModel):
    items: list[VersionOut]


class WantedTemplates(BaseModel):
    """Which templates a list shows; `state` is that of the latest version."""

    kind: SendKind | None = None
    state: ReviewState | None = None


@router.post("", status_code=201, summary="Create a template")
async def create(body: NewTemplate, served: Served, caller: MemberCaller, response: Response) -> TemplateDetail:
    """With its first version as a draft: submit it to have it reviewed."""
    view = await served.templates.create(caller, _draft(body, body.invoke_name))
    response.headers["Location"] = f"/v1/templates/{view.row.id}"
    return _detail(view)


@router.get("", summary="List templates")
async def index(
    served: Served,
    caller: AnyCaller,
    wanted: Annotated[WantedTemplates, Depends()],
    cursor: Cursor = None,
    limit: Limit = 50,
) -> TemplatePage:
    """Newest first."""
    found = await served.templates.page(caller, Wanted(wanted.kind, wanted.state, cursor), limit)
    items = [TemplateOut(**_common(row), version=VersionOut(**_head(head))) for row, head in found]
    return TemplatePage(items=items, next_cursor=next_cursor([row for row, _ in found], limit))


@router.post("/preview", summary="Preview content that is not saved")
async def preview_unsaved(body: UnsavedPreviewIn, caller: AnyCaller) -> PreviewOut:
    """The mail as a recipient with these values would get it."""
    return PreviewOut.model_validate(await preview_of(body.content(), body.values), from_attributes=True)


@router.get("/{ref}", summary="One template with its latest version")
async def show(ref: Ref, served: Served, caller: AnyCaller) -> TemplateDetail:
    """Content, state, and what was found in it."""
    return _detail(await served.templates.get(caller, ref))


@router.put("/{ref}", summary="Save a template's content")
async def edit(ref: Ref, body: TemplateIn, served: Served, caller: MemberCaller) -> TemplateDetail:
    """Into the open draft; when there is none, as the draft of the next version. What is approved stays approved."""
    return _detail(await served.templates.edit(caller, ref, _draft(body, "")))


@router.delete("/{ref}", status_code=204, summary="Delete a template")
async def delete(ref: Ref, served: Served, caller: MemberCaller) -> None:
    """Accepted mails are still sent; a version under review is withdrawn."""
    await served.templates.delete(caller, ref)


@router.get("/{ref}/versions", summary="The versions of a template")
async def versions(ref: Ref, served: Served, caller: AnyCaller) -> VersionList:
    """Newest first."""
    view = await served.templates.get(caller, ref)
    return VersionList(items=[VersionOut(**_head(head)) for head in view.heads])


@router.get("/{ref}/versions/{number}", summary="One version with its content")
async def version(ref: Ref, number: Number, served: Served, caller: AnyCaller) -> VersionDetail:
    """Content, state, and what was found in it."""
    return _version(await served.templates.get(caller, ref, number))


@router.post("/{ref}/submit", status_code=202, summary="Submit the draft for review")
async def submit(ref: Ref, served: Served, caller: MemberCaller) -> TemplateDetail:
    """A person decides within four working hours; the answer names the review process."""
    return _detail(await served.templates.submit(caller, ref))


@router.post("/{ref}/withdraw", summary="Take the submitted version back")
async def withdraw(ref: Ref, served: Served, caller: MemberCaller) -> TemplateDetail:
    """Save content again to make the next draft."""
    return _detail(await served.templates.withdraw(caller, ref))


@router.post("/{ref}/preview", summary="Preview a version with values")
async def preview(ref: Ref, body: PreviewIn, served: Served, caller: AnyCaller) -> PreviewOut:
    """The mail as a recipient with these values would get it."""
    shown = await served.templates.preview(caller, ref, body.values, body.version)
    return PreviewOut.model_validate(shown, from_attributes=True)


def _draft(body: TemplateIn, invoke_name: str) -> TemplateDraft:
    return TemplateDraft(invoke_name, body.content(), body.name, body.kind)


def _common(row: Template) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("id", "invoke_name", "name", "kind", "is_sample", "created_at")}


def _head(head: VersionHead) -> dict[str, Any]:
    known = {name: getattr(head, name) for name in VersionOut.model_fields if name != "workflow_id"}
    return {**known, "workflow_id": review_id(head.id) if head.submitted_at else None}


def _version(view: TemplateView) -> VersionDetail:
    head = next(head for head in view.heads if head.id == view.version.id)
    return VersionDetail(
        **_head(head), html=view.version.html, text=view.version.text, findings=_findings(view.findings)
    )


def _findings(findings: Sequence[Finding]) -> list[FindingOut]:
    return [FindingOut(severity=f.severity, code=f.code, part=f.part, line=f.line, detail=f.en) for f in findings]


def _detail(view: TemplateView) -> TemplateDetail:
    return TemplateDetail(
        **_common(view.row),
        version=_version(view),
        approved_version=view.approved.number if view.approved else None,
        workflow_id=view.workflow_id,
    )
