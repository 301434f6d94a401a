"""`/v1/sms-signatures`: the names in 【】, their proofs and reviews."""

import datetime as dt
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, File, Path, Response, UploadFile
from pydantic import BaseModel, Field

from api.callers import MemberCaller, Served, SmsCaller
from api.paging import Cursor, Limit, NextCursor, next_cursor
from api.problems import Problem
from api.v1.certifications import download
from domain.papers import MAX_BYTES, PaperType
from domain.reviews import ReviewState
from domain.sms import Market
from domain.sms_signatures import SignatureDraft, SignatureSource
from services.sms_signatures import signature_review_id
from store.sms_signatures import SmsSignature, Wanted

REFUSED: dict[int | str, dict[str, Any]] = {code: {"model": Problem} for code in (401, 403, 404, 409, 413, 422)}
router = APIRouter(prefix="/v1/sms-signatures", tags=["SMS signatures"], responses=REFUSED)

SignatureRef = Annotated[str, Path(max_length=40, description="The number or the id.", examples=["1001"])]
_ID = "01935b2e-7c1a-7ddd-8000-3f5a9c0d1e2f"
_MOMENT = "2026-11-23T08:00:00Z"
_PROOF = "JPG, PNG or PDF up to 10 MB, told by content."


class SignatureIn(BaseModel):
    text: str = Field(max_length=200, description="2 to 16 letters or digits, 【】 or not.", examples=["送达科技"])
    market: Market = Field(default=Market.DOMESTIC, description="`domestic`: mainland China.")
    source: SignatureSource = Field(
        default=SignatureSource.COMPANY, description="All but `company` and `website` need a proof."
    )
    note: str = Field(default="", max_length=2_000, description="For the reviewer.", examples=["Our company's name."])

    def draft(self) -> SignatureDraft:
        return SignatureDraft(self.text, self.market, self.source, self.note)


class SignatureOut(BaseModel):
    """`workflow_id` names the latest review process, for support."""

    id: UUID = Field(examples=[_ID])
    number: int = Field(examples=[1001], description="What SendCloud's API calls signId.")
    text: str = Field(examples=["送达科技"])
    market: Market
    source: SignatureSource
    note: str = Field(examples=["Our company's name."])
    has_proof: bool = Field(examples=[False])
    state: ReviewState
    created_at: dt.datetime = Field(examples=[_MOMENT])
    submitted_at: dt.datetime | None = Field(examples=[_MOMENT])
    due_at: dt.datetime | None = Field(examples=[_MOMENT], description="When the decision is due.")
    due_provisional: bool = Field(
        examples=[False], description="The due time rests on days whose official calendar is not published yet."
    )
    decided_at: dt.datetime | None = Field(examples=[_MOMENT])
    reason: str | None = Field(examples=["Please upload the letter of authority."], description="Of the last decision.")
    workflow_id: str | None = Field(examples=["sms-signature-review/01935b2e-7c1a-7ddd-8000-3f5a9c0d1e2f"])


class SignaturePage(BaseModel):
    items: list[SignatureOut]
    next_cursor: NextCursor = None


class WantedSignatures(BaseModel):
    """Which signatures a list shows."""

    state: ReviewState | None = None
    market: Market | None = None


@router.post("", status_code=201, summary="Create a signature")
async def create(body: SignatureIn, served: Served, caller: MemberCaller, response: Response) -> SignatureOut:
    """As a draft: add its proof where one is needed, then submit it."""
    row = await served.sms_signatures.create(caller, body.draft())
    response.headers["Location"] = f"/v1/sms-signatures/{row.number}"
    return _out(row)


@router.get("", summary="List signatures")
async def index(
    served: Served,
    caller: SmsCaller,
    wanted: Annotated[WantedSignatures, Depends()],
    cursor: Cursor = None,
    limit: Limit = 50,
) -> SignaturePage:
    """Newest first."""
    states = (wanted.state.value,) if wanted.state else ()
    rows = await served.sms_signatures.page(caller, Wanted(states, wanted.market, cursor), limit)
    return SignaturePage(items=[_out(row) for row in rows], next_cursor=next_cursor(rows, limit))


@router.get("/{sms_signature_id}", summary="One signature")
async def show(sms_signature_id: SignatureRef, served: Served, caller: SmsCaller) -> SignatureOut:
    """Its state, and the reason of the last decision."""
    return _out(await served.sms_signatures.get(caller, sms_signature_id))


@router.put("/{sms_signature_id}", summary="Change a signature")
async def change(
    sms_signature_id: SignatureRef, body: SignatureIn, served: Served, caller: MemberCaller
) -> SignatureOut:
    """A draft, a rejected or a withdrawn one; an approved one stays as it is."""
    return _out(await served.sms_signatures.change(caller, sms_signature_id, body.draft()))


@router.delete("/{sms_signature_id}", status_code=204, summary="Delete a signature")
async def delete(sms_signature_id: SignatureRef, served: Served, caller: MemberCaller) -> None:
    """Refused while templates use it."""
    await served.sms_signatures.delete(caller, sms_signature_id)


@router.put("/{sms_signature_id}/proof", summary="Upload the proof")
async def upload(
    sms_signature_id: SignatureRef,
    served: Served,
    caller: MemberCaller,
    file: Annotated[UploadFile, File(description=_PROOF, examples=["letter.jpg"])],
) -> SignatureOut:
    """In place of the one before. Images are drawn anew, of PDFs only the pages are kept."""
    data = await file.read(MAX_BYTES + 1)
    return _out(await served.sms_signatures.upload(caller, sms_signature_id, data))


@router.get(
    "/{sms_signature_id}/proof",
    summary="The proof's bytes",
    response_class=Response,
    responses={200: {"content": {kind.value: {"example": "(the bytes)"} for kind in PaperType}}},
)
async def proof(sms_signature_id: SignatureRef, served: Served, caller: MemberCaller) -> Response:
    """As an attachment; each look is noted."""
    return download(await served.sms_signatures.paper(caller, sms_signature_id))


@router.delete("/{sms_signature_id}/proof", status_code=204, summary="Delete the proof")
async def remove_proof(sms_signature_id: SignatureRef, served: Served, caller: MemberCaller) -> None:
    """Of a draft, a rejected or a withdrawn signature."""
    await served.sms_signatures.remove_paper(caller, sms_signature_id)


@router.post("/{sms_signature_id}/submit", status_code=202, summary="Submit a signature for review")
async def submit(sms_signature_id: SignatureRef, served: Served, caller: MemberCaller) -> SignatureOut:
    """A person decides within 60 minutes of working time; the answer names the review process."""
    return _out(await served.sms_signatures.submit(caller, sms_signature_id))


@router.post("/{sms_signature_id}/withdraw", summary="Take a submitted signature back")
async def withdraw(sms_signature_id: SignatureRef, served: Served, caller: MemberCaller) -> SignatureOut:
    """It can be changed and submitted again."""
    return _out(await served.sms_signatures.withdraw(caller, sms_signature_id))


_MADE = frozenset({"has_proof", "workflow_id"})


def _out(row: SmsSignature) -> SignatureOut:
    kept = {name: getattr(row, name) for name in SignatureOut.model_fields if name not in _MADE}
    return SignatureOut(**kept, has_proof=row.paper_id is not None, workflow_id=signature_review_id(row))
