"""/portal/sms-signatures: the names in 【】, their proofs and reviews."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Request
from starlette.datastructures import UploadFile
from starlette.responses import Response

from domain.errors import Refusal
from domain.papers import MAX_BYTES
from domain.reviews import ReviewState
from domain.sms import Market
from domain.sms_signatures import MAX_LENGTH, NEEDS_PROOF, SignatureDraft, SignatureSource
from services.sms_signatures import CHANGEABLE, signature_review_id
from store.sms_signatures import SmsSignature, Wanted
from web.i18n import mark as _
from web.pages import Signed, again, language_of, refused, render, see, served, translator
from web.portal.certification import attachment
from web.portal.sms_template_words import MARKETS, SOURCES, STATES

router = APIRouter(prefix="/portal/sms-signatures")

PAGE = 30
FIELDS = ("text", "market", "source", "note")
SignatureRef = Annotated[str, Path(max_length=40)]
WORDS: dict[str, Any] = {
    "STATES": STATES,
    "MARKETS": MARKETS,
    "SOURCES": SOURCES,
    "NEEDS_PROOF": NEEDS_PROOF,
    "MAX_LENGTH": MAX_LENGTH,
}


@router.get("")
async def signatures(
    request: Request, caller: Signed, after: UUID | None = None, state: ReviewState | None = None
) -> Response:
    """Newest first."""
    wanted = Wanted((state.value,) if state else (), None, after)
    rows = await served(request).sms_signatures.page(caller, wanted, PAGE + 1)
    following = rows[PAGE - 1].id if len(rows) > PAGE else None
    return render(request, "portal/sms_signatures.html", rows=rows[:PAGE], next=following, chosen=state, **WORDS)


@router.get("/new")
async def new_signature(request: Request, caller: Signed) -> Response:
    """An empty form."""
    values = {"market": Market.DOMESTIC.value, "source": SignatureSource.COMPANY.value}
    return render(request, "portal/sms_signatures_form.html", values=values, row=None, **WORDS)


@router.post("")
async def create(request: Request, caller: Signed) -> Response:
    """Save a draft with its proof, and submit it when asked to."""
    form = await request.form()
    values = _typed(form)
    try:
        row = await served(request).sms_signatures.create(caller, _draft(values))
    except Refusal as refusal:
        address = "/portal/sms-signatures/new"
        return again(request, "portal/sms_signatures_form.html", refusal, values, row=None, address=address, **WORDS)
    return await _saved(request, caller, row, form)


@router.get("/{sms_signature_id}")
async def signature(request: Request, caller: Signed, sms_signature_id: SignatureRef) -> Response:
    """Its state, its proof, and what can be done."""
    row = await served(request).sms_signatures.get(caller, sms_signature_id)
    return render(request, "portal/sms_signatures_one.html", **_shown(row))


@router.get("/{sms_signature_id}/edit")
async def edit_form(request: Request, caller: Signed, sms_signature_id: SignatureRef) -> Response:
    """What it says now."""
    row = await served(request).sms_signatures.get(caller, sms_signature_id)
    if row.state not in CHANGEABLE:
        return see(_place(row), request, translator(request)(_("审核中或已通过的签名不能修改。")), "info")
    values = {name: getattr(row, name) for name in FIELDS}
    return render(request, "portal/sms_signatures_form.html", values=values, row=row, **WORDS)


@router.post("/{sms_signature_id}/edit")
async def edit(request: Request, caller: Signed, sms_signature_id: SignatureRef) -> Response:
    """Save, and submit when asked to."""
    form = await request.form()
    values = _typed(form)
    try:
        row = await served(request).sms_signatures.change(caller, sms_signature_id, _draft(values))
    except Refusal as refusal:
        return await _form_again(request, caller, sms_signature_id, refusal, values)
    return await _saved(request, caller, row, form)


@router.get("/{sms_signature_id}/proof")
async def proof(request: Request, caller: Signed, sms_signature_id: SignatureRef) -> Response:
    """The proof's bytes, as a download; each look is noted."""
    return attachment(await served(request).sms_signatures.paper(caller, sms_signature_id))


@router.post("/{sms_signature_id}/submit")
async def submit(request: Request, caller: Signed, sms_signature_id: SignatureRef) -> Response:
    """From the signature's page; a refusal is shown there."""
    return await _act(request, caller, sms_signature_id, "submit")


@router.post("/{sms_signature_id}/withdraw")
async def withdraw(request: Request, caller: Signed, sms_signature_id: SignatureRef) -> Response:
    """Take it back from review."""
    return await _act(request, caller, sms_signature_id, "withdraw")


@router.post("/{sms_signature_id}/delete")
async def delete(request: Request, caller: Signed, sms_signature_id: SignatureRef) -> Response:
    """Back to the list."""
    try:
        await served(request).sms_signatures.delete(caller, sms_signature_id)
    except Refusal as refusal:
        return await _refused_page(request, caller, sms_signature_id, refusal)
    return see("/portal/sms-signatures", request, translator(request)(_("签名已删除。")))


async def _act(request: Request, caller: Signed, ref: str, verb: str) -> Response:
    service = served(request).sms_signatures
    said = {"submit": _("已提交审核，结果会发到您的邮箱。"), "withdraw": _("已撤回。修改后可以重新提交。")}[verb]
    try:
        row = await (service.submit if verb == "submit" else service.withdraw)(caller, ref)
    except Refusal as refusal:
        return await _refused_page(request, caller, ref, refusal)
    return see(_place(row), request, translator(request)(said))


async def _saved(request: Request, caller: Signed, row: SmsSignature, form: Mapping[str, Any]) -> Response:
    """After saving: keep the proof, submit; or the form again with what is wrong about that."""
    told, ref, service = translator(request), str(row.number), served(request).sms_signatures
    file = form.get("file")
    try:
        if isinstance(file, UploadFile) and file.filename:
            await service.upload(caller, ref, await file.read(MAX_BYTES + 1))
        if form.get("step") != "submit":
            return see(_place(row), request, told(_("草稿已保存，审核通过后才能在模板中使用。")))
        return see(_place(await service.submit(caller, ref)), request, told(_("已提交审核，结果会发到您的邮箱。")))
    except Refusal as refusal:
        said = told(_("草稿已保存，但还不能提交审核：请改正下面指出的地方，再次提交。"))
        return await _form_again(request, caller, ref, refusal, _typed(form), waiting=("warning", said))


async def _form_again(
    request: Request, caller: Signed, ref: str, refusal: Refusal, values: Mapping[str, str], **said: tuple[str, str]
) -> Response:
    row = await served(request).sms_signatures.get(caller, ref)
    if row.state not in CHANGEABLE:
        text = refused(refusal, language_of(request))[refusal.field or ""]
        return see(_place(row), request, text, "danger")
    address = f"{_place(row)}/edit"
    form = "portal/sms_signatures_form.html"
    return again(request, form, refusal, values, row=row, address=address, **said, **WORDS)


async def _refused_page(request: Request, caller: Signed, ref: str, refusal: Refusal) -> Response:
    """The signature's page with the refusal on top: it has no fields."""
    row = await served(request).sms_signatures.get(caller, ref)
    unplaced = Refusal(refusal.code, None, **refusal.params)
    return again(request, "portal/sms_signatures_one.html", unplaced, {}, address=_place(row), **_shown(row))


def _shown(row: SmsSignature) -> dict[str, Any]:
    return {"row": row, "changeable": row.state in CHANGEABLE, "review": signature_review_id(row), **WORDS}


def _place(row: SmsSignature) -> str:
    return f"/portal/sms-signatures/{row.number}"


def _typed(form: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(form.get(name, "")).replace("\r\n", "\n") for name in FIELDS}


def _draft(values: Mapping[str, str]) -> SignatureDraft:
    """Raises the refusal `required` on a choice that is none."""
    for name, choices in (("market", set(Market)), ("source", set(SignatureSource))):
        if values[name] not in choices:
            raise Refusal("required", field=name)
    return SignatureDraft(values["text"], Market(values["market"]), SignatureSource(values["source"]), values["note"])
