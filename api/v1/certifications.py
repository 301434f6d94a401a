"""`/v1/certifications`: hand in who you are, follow the review, correct what was objected to."""

import datetime as dt
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, File, Form, Path, Response, UploadFile
from pydantic import BaseModel, Field

from api.callers import MemberCaller, Served
from api.paging import Cursor, Limit, NextCursor, next_cursor
from api.problems import Problem
from domain.certification import CertificationKind, CertificationState, Part
from domain.papers import MAX_BYTES, PaperType
from services.certifications import CertificationView, ShownPaper
from store.certification import Document

REFUSED: dict[int | str, dict[str, Any]] = {code: {"model": Problem} for code in (401, 403, 404, 409, 413, 422)}
router = APIRouter(prefix="/v1/certifications", tags=["certification"], responses=REFUSED)

_ID = "01935b2e-7c1a-7aaa-8000-3f5a9c0d1e2f"
_MOMENT = "2026-11-23T08:00:00Z"
CertificationId = Annotated[UUID, Path(examples=[_ID])]
DocumentId = Annotated[UUID, Path(examples=[_ID])]
Text = Annotated[str, Field(max_length=1_000)]


class PartsIn(BaseModel):
    """Any of the parts; an empty text takes one back, an absent one stays as it is."""

    name: Text | None = Field(default=None, examples=["武汉送达科技有限公司"], description="Person, or company.")
    id_number: Text | None = Field(default=None, examples=["11010519491231002X"], description="GB 11643.")
    uscc: Text | None = Field(default=None, examples=["91110000600037341L"], description="GB 32100; enterprises.")
    contact_name: Text | None = Field(default=None, examples=["张三丰"], description="The handler; enterprises.")
    website: Text | None = Field(default=None, examples=["https://www.example.com"])
    icp_number: Text | None = Field(default=None, examples=["鄂ICP备12012345号-1"])
    no_website_reason: Text | None = Field(
        default=None, examples=[""], description="Instead of website and ICP number; then support decides."
    )
    valid_until: Text | None = Field(
        default=None,
        examples=["2030-12-31"],
        description="The document's last day, or `long-term` when it has none; a draft is not submitted without.",
    )

    def given(self) -> dict[str, str]:
        parts = (part for part in Part if part.value in PartsIn.model_fields)
        return {part.value: text for part in parts if (text := getattr(self, part.value)) is not None}


class NewCertification(PartsIn):
    kind: CertificationKind = Field(examples=["enterprise"])


class DocumentOut(BaseModel):
    """A paper as it is kept: images are drawn anew, PDFs hold pages only. `size` is in bytes."""

    id: UUID = Field(examples=[_ID])
    part: str = Field(examples=["licence"])
    media_type: PaperType = Field(examples=["image/jpeg"])
    size: int = Field(examples=[184_320])
    created_at: dt.datetime = Field(examples=[_MOMENT])


class CertificationOut(BaseModel):
    """Numbers and names of people are masked. `workflow_id` names the review process, for support."""

    id: UUID = Field(examples=[_ID])
    kind: CertificationKind
    number: int = Field(examples=[1], description="1, 2, … within the account.")
    state: CertificationState
    exception: bool = Field(description="Without a website: support decides.", examples=[False])
    parts: dict[str, str] = Field(examples=[{"name": "武汉送达科技有限公司", "id_number": "1101**********002X"}])
    missing: list[str] = Field(description="What a draft still needs.", examples=[["licence"]])
    warnings: list[str] = Field(
        description="Parts to look at twice: an identity number of a region that is on no list.", examples=[[]]
    )
    documents: list[DocumentOut]
    valid_until: dt.date | None = Field(
        description="Null: no end (`parts.valid_until` is `long-term`), or not said yet.", examples=["2030-12-31"]
    )
    corrects: UUID | None = Field(description="The rejected application that this one corrects.", examples=[None])
    created_at: dt.datetime = Field(examples=[_MOMENT])
    submitted_at: dt.datetime | None = Field(examples=[_MOMENT])
    due_at: dt.datetime | None = Field(examples=[_MOMENT], description="When the decision is due, in working time.")
    due_provisional: bool = Field(description="That year's calendar is not published yet.", examples=[False])
    decided_at: dt.datetime | None = Field(examples=[_MOMENT])
    revoked_at: dt.datetime | None = Field(description="When an approval was taken back.", examples=[None])
    reason: str | None = Field(examples=["The photograph is too dark."])
    part_reasons: dict[str, str] = Field(description="What is wrong, part by part.", examples=[{"licence": "Too dark"}])
    workflow_id: str | None = Field(examples=[f"certification-review/{_ID}"])


class CertificationPage(BaseModel):
    items: list[CertificationOut]
    next_cursor: NextCursor = None


@router.post("", status_code=201, summary="Begin a certification")
async def create(
    body: NewCertification, served: Served, caller: MemberCaller, response: Response
) -> CertificationOut:  # fmt: skip
    """A draft; an account has one at a time. Upload its papers, then submit it."""
    view = await served.certifications.create(caller, body.kind, body.given())
    response.headers["Location"] = f"/v1/certifications/{view.row.id}"
    return _out(view)


@router.get("", summary="List certifications")
async def index(
    served: Served, caller: MemberCaller, cursor: Cursor = None, limit: Limit = 50
) -> CertificationPage:  # fmt: skip
    """Newest first."""
    found = await served.certifications.page(caller, cursor, limit)
    return CertificationPage(
        items=[_out(view) for view in found], next_cursor=next_cursor([view.row for view in found], limit)
    )


@router.get("/{certification_id}", summary="One certification")
async def show(certification_id: CertificationId, served: Served, caller: MemberCaller) -> CertificationOut:
    """State, what is missing, the decision and its reasons."""
    return _out(await served.certifications.get(caller, certification_id))


@router.patch("/{certification_id}", summary="Fill in a draft")
async def change(
    certification_id: CertificationId, body: PartsIn, served: Served, caller: MemberCaller
) -> CertificationOut:
    """Only what is named changes; each part is checked at once."""
    return _out(await served.certifications.change(caller, certification_id, body.given()))


@router.post("/{certification_id}/documents", status_code=201, summary="Upload a paper")
async def upload(
    certification_id: CertificationId,
    part: Annotated[Literal["licence", "id_front", "id_back", "icp_screenshot"], Form(examples=["licence"])],
    file: Annotated[UploadFile, File(examples=["licence.jpg"])],
    served: Served,
    caller: MemberCaller,
) -> DocumentOut:
    """JPG, PNG or PDF up to 10 MB, told by content; in place of the part's paper of before."""
    data = await file.read(MAX_BYTES + 1)
    return _document(await served.certifications.upload(caller, certification_id, part, data))


@router.get(
    "/{certification_id}/documents/{document_id}",
    summary="A paper's bytes",
    response_class=Response,
    responses={200: {"content": {kind.value: {"example": "(the bytes)"} for kind in PaperType}}},
)
async def paper(
    certification_id: CertificationId, document_id: DocumentId, served: Served, caller: MemberCaller
) -> Response:
    """Needs the right to certify; every view is written down."""
    return download(await served.certifications.paper(caller, certification_id, document_id))


@router.delete("/{certification_id}/documents/{document_id}", status_code=204, summary="Delete a paper of a draft")
async def remove(
    certification_id: CertificationId, document_id: DocumentId, served: Served, caller: MemberCaller
) -> None:
    """Its bytes are deleted, too."""
    await served.certifications.remove_document(caller, certification_id, document_id)


@router.post("/{certification_id}/submit", status_code=202, summary="Submit the draft for review")
async def submit(certification_id: CertificationId, served: Served, caller: MemberCaller) -> CertificationOut:
    """A person decides within one working day; the answer names the review process."""
    return _out(await served.certifications.submit(caller, certification_id))


@router.post("/{certification_id}/withdraw", summary="Take an application back")
async def withdraw(certification_id: CertificationId, served: Served, caller: MemberCaller) -> CertificationOut:
    """A draft is dropped with its papers; a submitted one can be corrected and submitted again."""
    return _out(await served.certifications.withdraw(caller, certification_id))


@router.post("/{certification_id}/correct", status_code=201, summary="Correct a rejected application")
async def correct(
    certification_id: CertificationId, served: Served, caller: MemberCaller, response: Response
) -> CertificationOut:
    """A new draft that keeps the parts that were not objected to, papers included."""
    view = await served.certifications.correct(caller, certification_id)
    response.headers["Location"] = f"/v1/certifications/{view.row.id}"
    return _out(view)


def download(paper: ShownPaper) -> Response:
    """To be saved, never to be shown by the browser in our origin."""
    return Response(
        paper.data,
        media_type=paper.media_type.value,
        headers={
            "Content-Disposition": f'attachment; filename="{paper.name}"',
            "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        },
    )


def _document(row: Document) -> DocumentOut:
    return DocumentOut.model_validate(row, from_attributes=True)


_COPIED = tuple(
    name
    for name in CertificationOut.model_fields
    if name not in {"parts", "missing", "warnings", "documents", "workflow_id"}
)  # fmt: skip


def _out(view: CertificationView) -> CertificationOut:
    return CertificationOut(
        **{name: getattr(view.row, name) for name in _COPIED},
        parts={part.value: text for part, text in view.typed.items()},
        missing=[part.value for part in view.missing],
        warnings=[part.value for part in view.warnings],
        documents=[_document(row) for row in view.documents],
        workflow_id=view.workflow_id,
    )
