"""`/v1/sms-templates`: SMS templates, their versions and reviews."""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, Field

from api.callers import MemberCaller, Served, SmsCaller
from api.paging import Cursor, Limit, NextCursor, next_cursor
from api.problems import Problem
from api.v1.templates import FindingOut
from domain.reviews import ReviewState
from domain.sms import MAX_VALUE, Market, SmsKind
from domain.sms_templates import SmsPreview
from domain.template_lint import Finding
from services.sms_templates import SmsTemplateDraft, SmsTemplateView, review_id
from store.sms_signatures import SmsSignature
from store.sms_templates import SmsTemplate, SmsTemplateVersion, Wanted

REFUSED: dict[int | str, dict[str, Any]] = {code: {"model": Problem} for code in (401, 403, 404, 409, 422)}
router = APIRouter(prefix="/v1/sms-templates", tags=["SMS templates"], responses=REFUSED)

TemplateRef = Annotated[str, Path(max_length=64, description="The number, the id or the name.", examples=["1001"])]
Number = Annotated[int, Path(ge=1, le=1_000_000, examples=[1])]
_ID = "01935b2e-7c1a-7eee-8000-3f5a9c0d1e2f"
_MOMENT = "2026-11-23T08:00:00Z"
_CONTENT = "您的验证码是%code%，10分钟内有效。"
_VALUES = {"code": "123456"}


class SmsTemplateIn(BaseModel):
    """Variables are `%name%`. The signature is added by the system: `【送达科技】您的验证码是…`."""

    name: str = Field(max_length=200, examples=["login code"], description="Unique in the account.")
    kind: SmsKind = Field(examples=["code"])
    signature: str = Field(max_length=40, examples=["1001"], description="Its number or id; it says the market, too.")
    content: str = Field(examples=[_CONTENT], description="Without 【】. Marketing ends with 拒收请回复R.")
    signature_last: bool = Field(default=False, description="The signature stands behind the text.")

    def draft(self) -> SmsTemplateDraft:
        return SmsTemplateDraft(self.name, self.kind, self.signature, self.content, self.signature_last)


class UnsavedSmsPreviewIn(BaseModel):
    """Variables get a sample; nothing is kept."""

    kind: SmsKind = Field(examples=["code"])
    signature: str = Field(default="", max_length=40, examples=["1001"])
    content: str = Field(examples=[_CONTENT])
    signature_last: bool = False


class SmsPreviewIn(BaseModel):
    """Variables without a value get a sample."""

    values: dict[str, Annotated[str, Field(max_length=MAX_VALUE)]] = Field(default={}, examples=[_VALUES])
    version: int | None = Field(default=None, ge=1, le=1_000_000, description="The latest when absent.", examples=[1])


class SmsPreviewOut(BaseModel):
    text: str = Field(examples=["【送达科技】您的验证码是123456，10分钟内有效。"])
    characters: int = Field(examples=[26])
    segments: int = Field(examples=[1], description="Parts that are sent; each is paid.")
    most_segments: int = Field(examples=[1], description="With values as long as they may be.")
    encoding: str = Field(examples=["UCS-2"], description="`GSM-7`: 160, or 153 a part; `UCS-2`: 70, or 67 a part.")


class UnsavedSmsPreviewOut(SmsPreviewOut):
    findings: list[FindingOut]


class SmsVersionOut(BaseModel):
    """`workflow_id` names the review process, for support."""

    number: int = Field(examples=[1])
    state: ReviewState
    kind: SmsKind
    market: Market
    content: str = Field(examples=[_CONTENT])
    variables: list[str] = Field(examples=[["code"]])
    signature_last: bool = Field(examples=[False])
    created_at: dt.datetime = Field(examples=[_MOMENT])
    submitted_at: dt.datetime | None = Field(examples=[_MOMENT])
    due_at: dt.datetime | None = Field(examples=[_MOMENT], description="When the decision is due.")
    due_provisional: bool = Field(
        examples=[False], description="The due time rests on days whose official calendar is not published yet."
    )
    decided_at: dt.datetime | None = Field(examples=[_MOMENT])
    reason: str | None = Field(examples=["Say whose order it is."])
    workflow_id: str | None = Field(examples=["sms-template-review/01935b2e-7c1a-7eee-8000-3f5a9c0d1e2f"])


class ChosenSignatureOut(BaseModel):
    number: int = Field(examples=[1001])
    text: str = Field(examples=["送达科技"])
    state: ReviewState


class SmsTemplateOut(BaseModel):
    """`version` is the latest."""

    id: UUID = Field(examples=[_ID])
    number: int = Field(examples=[1001], description="What SendCloud's API calls templateId.")
    name: str = Field(examples=["login code"])
    created_at: dt.datetime = Field(examples=[_MOMENT])
    updated_at: dt.datetime = Field(examples=[_MOMENT])
    signature: ChosenSignatureOut
    version: SmsVersionOut


class SmsTemplateDetail(SmsTemplateOut):
    """`approved_version` is the one that is sent now."""

    approved_version: int | None = Field(examples=[1])
    findings: list[FindingOut]


class SmsTemplatePage(BaseModel):
    items: list[SmsTemplateOut]
    next_cursor: NextCursor = None


class SmsVersionList(BaseModel):
    items: list[SmsVersionOut]


class WantedSmsTemplates(BaseModel):
    """Which templates a list shows; `state` is that of the latest version."""

    kind: SmsKind | None = None
    state: ReviewState | None = None
    market: Market | None = None


@router.post("", status_code=201, summary="Create an SMS template")
async def create(body: SmsTemplateIn, served: Served, caller: MemberCaller, response: Response) -> SmsTemplateDetail:
    """With its first version as a draft: submit it to have it reviewed."""
    view = await served.sms_templates.create(caller, body.draft())
    response.headers["Location"] = f"/v1/sms-templates/{view.row.number}"
    return _detail(view)


@router.get("", summary="List SMS templates")
async def index(
    served: Served,
    caller: SmsCaller,
    wanted: Annotated[WantedSmsTemplates, Depends()],
    cursor: Cursor = None,
    limit: Limit = 50,
) -> SmsTemplatePage:
    """Newest first."""
    states = (wanted.state.value,) if wanted.state else ()
    found = await served.sms_templates.page(caller, Wanted(wanted.kind, states, wanted.market, cursor), limit)
    items = [SmsTemplateOut(**_common(*row)) for row in found]
    return SmsTemplatePage(items=items, next_cursor=next_cursor([row for row, _, _ in found], limit))


@router.post("/preview", summary="Preview an SMS that is not saved")
async def preview_unsaved(body: UnsavedSmsPreviewIn, served: Served, caller: SmsCaller) -> UnsavedSmsPreviewOut:
    """With its parts, and what is wrong in it."""
    draft = SmsTemplateDraft("", body.kind, body.signature, body.content, body.signature_last)
    shown, findings = await served.sms_templates.preview_unsaved(caller, draft)
    return UnsavedSmsPreviewOut(**_preview(shown), findings=_findings(findings))


@router.get("/{sms_template_id}", summary="One SMS template with its latest version")
async def show(sms_template_id: TemplateRef, served: Served, caller: SmsCaller) -> SmsTemplateDetail:
    """Content, state, and what was found in it."""
    return _detail(await served.sms_templates.get(caller, sms_template_id))


@router.put("/{sms_template_id}", summary="Save an SMS template's content")
async def edit(
    sms_template_id: TemplateRef, body: SmsTemplateIn, served: Served, caller: MemberCaller
) -> SmsTemplateDetail:
    """Into the open draft; when there is none, as the draft of the next version. What is approved stays approved."""
    return _detail(await served.sms_templates.edit(caller, sms_template_id, body.draft()))


@router.delete("/{sms_template_id}", status_code=204, summary="Delete an SMS template")
async def delete(sms_template_id: TemplateRef, served: Served, caller: MemberCaller) -> None:
    """Accepted messages are still sent; a version under review is withdrawn."""
    await served.sms_templates.delete(caller, sms_template_id)


@router.get("/{sms_template_id}/versions", summary="The versions of an SMS template")
async def versions(sms_template_id: TemplateRef, served: Served, caller: SmsCaller) -> SmsVersionList:
    """Newest first."""
    view = await served.sms_templates.get(caller, sms_template_id)
    return SmsVersionList(items=[_version(each) for each in view.versions])


@router.get("/{sms_template_id}/versions/{number}", summary="One version of an SMS template")
async def version(sms_template_id: TemplateRef, number: Number, served: Served, caller: SmsCaller) -> SmsTemplateDetail:
    """Content, state, and what was found in it."""
    return _detail(await served.sms_templates.get(caller, sms_template_id, number))


@router.post("/{sms_template_id}/submit", status_code=202, summary="Submit the draft for review")
async def submit(sms_template_id: TemplateRef, served: Served, caller: MemberCaller) -> SmsTemplateDetail:
    """A person decides within 60 minutes of working time; the answer names the review process."""
    return _detail(await served.sms_templates.submit(caller, sms_template_id))


@router.post("/{sms_template_id}/withdraw", summary="Take the submitted version back")
async def withdraw(sms_template_id: TemplateRef, served: Served, caller: MemberCaller) -> SmsTemplateDetail:
    """Save content again to make the next draft."""
    return _detail(await served.sms_templates.withdraw(caller, sms_template_id))


@router.post("/{sms_template_id}/preview", summary="Preview a version with values")
async def preview(sms_template_id: TemplateRef, body: SmsPreviewIn, served: Served, caller: SmsCaller) -> SmsPreviewOut:
    """The SMS as a handset would show it, with its parts."""
    shown = await served.sms_templates.preview(caller, sms_template_id, body.values, body.version)
    return SmsPreviewOut(**_preview(shown))


def _preview(shown: SmsPreview) -> dict[str, Any]:
    names = ("text", "characters", "segments", "most_segments")
    return {name: getattr(shown, name) for name in names} | {"encoding": "GSM-7" if shown.gsm else "UCS-2"}


def _findings(findings: Sequence[Finding]) -> list[FindingOut]:
    return [FindingOut(severity=f.severity, code=f.code, part=f.part, line=f.line, detail=f.en) for f in findings]


def _version(version: SmsTemplateVersion) -> SmsVersionOut:
    kept = {name: getattr(version, name) for name in SmsVersionOut.model_fields if name != "workflow_id"}
    return SmsVersionOut(**kept, workflow_id=review_id(version.id) if version.submitted_at else None)


def _common(row: SmsTemplate, version: SmsTemplateVersion, signature: SmsSignature) -> dict[str, Any]:
    chosen = ChosenSignatureOut(number=signature.number or 0, text=signature.text, state=ReviewState(signature.state))
    kept = {name: getattr(row, name) for name in ("id", "number", "name", "created_at", "updated_at")}
    return {**kept, "signature": chosen, "version": _version(version)}


def _detail(view: SmsTemplateView) -> SmsTemplateDetail:
    return SmsTemplateDetail(
        **_common(view.row, view.version, view.signature),
        approved_version=view.approved.number if view.approved else None,
        findings=_findings(view.findings),
    )
