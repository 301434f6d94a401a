"""/portal/certification: who you are, on paper; the review, and what it objected to."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from domain.certification import (
    DOCUMENT_PARTS,
    LONG_TERM,
    RENEW_WITHIN,
    SITE_PARTS,
    CertificationKind,
    CertificationState,
    Part,
    part_name,
    parts_of,
)
from domain.errors import Refusal
from domain.papers import MAX_BYTES
from domain.times import business_day
from services.certifications import CertificationView, ShownPaper
from store.columns import now
from web.i18n import mark as _
from web.pages import Caller, Signed, again, language_of, refused, render, see, served, translator

router = APIRouter(prefix="/portal/certification")

LISTED = 50
STATES = {
    CertificationState.DRAFT: (_("草稿"), "secondary"),
    CertificationState.SUBMITTED: (_("审核中"), "info"),
    CertificationState.APPROVED: (_("审核通过"), "success"),
    CertificationState.REJECTED: (_("未通过"), "danger"),
    CertificationState.WITHDRAWN: (_("已撤回"), "secondary"),
    CertificationState.REVOKED: (_("已撤销"), "danger"),
}
KINDS = {CertificationKind.INDIVIDUAL: _("个人认证"), CertificationKind.ENTERPRISE: _("企业认证")}
LONG_TERM_FIELD = "long_term"
HIDDEN = frozenset({Part.ID_NUMBER, Part.USCC, Part.CONTACT_NAME})
"""Shown masked and never sent to the browser whole: left empty, they stay as they are."""


@router.get("")
async def overview(request: Request, caller: Signed) -> Response:
    """What is held, what waits, and where to begin."""
    return await _overview(request, caller)


@router.post("")
async def begin(request: Request, caller: Signed) -> Response:
    """A draft of the chosen kind."""
    form = await request.form()
    chosen = str(form.get("kind", ""))
    if chosen not in set(CertificationKind):
        return await _overview(request, caller, Refusal("required", field="kind"))
    try:
        view = await served(request).certifications.create(caller, CertificationKind(chosen), {})
    except Refusal as refusal:
        return await _overview(request, caller, refusal)
    return see(_place(view), request)


@router.get("/{certification_id}")
async def application(request: Request, caller: Signed, certification_id: UUID) -> Response:
    """A draft's form, or what became of an application."""
    view = await served(request).certifications.get(caller, certification_id)
    objections = await _objections(request, caller, view)
    return render(request, _template(view), values=_values(view), objections=objections, **_context(request, view))


@router.post("/{certification_id}")
async def save(request: Request, caller: Signed, certification_id: UUID) -> Response:
    """Save what was typed and chosen, and submit it when asked to. What was right before a refusal is kept."""
    form = await request.form(max_files=len(DOCUMENT_PARTS))
    view = await served(request).certifications.get(caller, certification_id)
    typed = _typed(view, form)
    try:
        await served(request).certifications.change(caller, certification_id, typed)
        await _keep_files(request, caller, view, form)
        if form.get("step") == "submit":
            await served(request).certifications.submit(caller, certification_id)
    except Refusal as refusal:
        return await _again(request, caller, certification_id, refusal, form)
    _ = translator(request)
    submitted = form.get("step") == "submit"
    said = _("已提交审核。") if submitted else _("草稿已保存，补全后请提交审核。")
    return see(_place(view), request, said)


@router.post("/{certification_id}/withdraw")
async def withdraw(request: Request, caller: Signed, certification_id: UUID) -> Response:
    """Take it back; a draft is gone then."""
    return await _act(request, caller, certification_id, "withdraw", _("已撤回。"))


@router.post("/{certification_id}/correct")
async def correct(request: Request, caller: Signed, certification_id: UUID) -> Response:
    """A new draft that keeps what was not objected to."""
    said = _("已保留没有问题的内容，请修改指出的部分后重新提交。")
    return await _act(request, caller, certification_id, "correct", said)


@router.get("/{certification_id}/documents/{document_id}")
async def paper(request: Request, caller: Signed, certification_id: UUID, document_id: UUID) -> Response:
    """To be saved: never shown by the browser in our origin. The view is written down."""
    return attachment(await served(request).certifications.paper(caller, certification_id, document_id))


@router.post("/{certification_id}/documents/{document_id}/delete")
async def remove(request: Request, caller: Signed, certification_id: UUID, document_id: UUID) -> Response:
    """Delete a paper of the draft."""
    await served(request).certifications.remove_document(caller, certification_id, document_id)
    return see(f"{router.prefix}/{certification_id}", request, translator(request)("文件已删除。"))


def attachment(shown: ShownPaper) -> Response:
    """Bytes that somebody handed in, as a download."""
    return Response(
        shown.data,
        media_type=shown.media_type.value,
        headers={
            "content-disposition": f'attachment; filename="{shown.name}"',
            "content-security-policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
            "x-content-type-options": "nosniff",
            "cache-control": "no-store",
        },
    )


async def _overview(request: Request, caller: Caller, refusal: Refusal | None = None) -> Response:
    service, today = served(request).certifications, business_day(now())
    held = {one.kind: one for one in await service.held(caller)}
    context: dict[str, Any] = {
        "held": held,
        "expiring": {kind for kind, one in held.items() if one.valid_until and one.valid_until - today <= RENEW_WITHIN},
        "rows": await service.page(caller, None, LISTED),
        "STATES": STATES,
        "KINDS": KINDS,
    }
    if refusal is None:
        return render(request, "portal/certification.html", **context)
    return again(request, "portal/certification.html", refusal, {}, **context)


async def _act(request: Request, caller: Caller, certification_id: UUID, verb: str, said: str) -> Response:
    """Do it, and say on the page of the application how it went."""
    service = served(request).certifications
    try:
        view = await (service.correct if verb == "correct" else service.withdraw)(caller, certification_id)
    except Refusal as refusal:
        if refusal.code in ("not_found", "role_forbids"):
            raise
        text = refused(refusal, language_of(request))[refusal.field or ""]
        return see(f"{router.prefix}/{certification_id}", request, text, "danger")
    return see(_place(view), request, translator(request)(said))


async def _keep_files(request: Request, caller: Caller, view: CertificationView, form: FormData) -> None:
    """Every file that was chosen; a refusal names the part instead of `file`."""
    for part in parts_of(view.kind):
        file = form.get(part.value)
        if part not in DOCUMENT_PARTS or not isinstance(file, UploadFile) or not file.filename:
            continue
        data = await file.read(MAX_BYTES + 1)
        try:
            await served(request).certifications.upload(caller, view.row.id, part.value, data)
        except Refusal as refusal:
            raise Refusal(refusal.code, field=part.value, **refusal.params) from None


async def _again(
    request: Request, caller: Caller, certification_id: UUID, refusal: Refusal, form: FormData
) -> Response:  # fmt: skip
    """The form once more, with what was typed; an application that is no draft any more is shown as it is."""
    view = await served(request).certifications.get(caller, certification_id)
    typed = {LONG_TERM_FIELD: ""} | {name: value for name, value in form.items() if isinstance(value, str)}
    if view.state is not CertificationState.DRAFT:
        text = refused(refusal, language_of(request))[refusal.field or ""]
        return see(_place(view), request, text, "danger")
    objections = await _objections(request, caller, view)
    return again(
        request, _template(view), refusal, _values(view) | typed, objections=objections, **_context(request, view)
    )


async def _objections(request: Request, caller: Caller, view: CertificationView) -> dict[str, str]:
    """What was wrong with the parts that this draft is to correct."""
    if view.row.corrects is None:
        return {}
    return (await served(request).certifications.get(caller, view.row.corrects)).row.part_reasons


def _typed(view: CertificationView, form: FormData) -> dict[str, str]:
    """What was typed. An empty hidden part stays as it is; the side that was not chosen is taken back.

    That a document has no end is a choice of its own: an empty date says nothing.
    """
    typed = {part.value: str(form.get(part.value) or "") for part in parts_of(view.kind) if part not in DOCUMENT_PARTS}
    none = form.get("site") == "no"
    for part in (p for p in SITE_PARTS if p not in DOCUMENT_PARTS) if none else (Part.NO_WEBSITE_REASON,):
        typed[part.value] = ""
    if form.get(LONG_TERM_FIELD):
        typed[Part.VALID_UNTIL.value] = LONG_TERM
    return {name: text for name, text in typed.items() if text.strip() or Part(name) not in _hidden(view)}


def _hidden(view: CertificationView) -> frozenset[Part]:
    return HIDDEN | {Part.NAME} if view.kind is CertificationKind.INDIVIDUAL else HIDDEN


def _values(view: CertificationView) -> dict[str, str]:
    """What the form begins with."""
    shown = {part.value: text for part, text in view.typed.items() if part not in _hidden(view)}
    if shown.get(Part.VALID_UNTIL.value) == LONG_TERM:
        shown |= {Part.VALID_UNTIL.value: "", LONG_TERM_FIELD: "yes"}
    return shown | {"site": "no" if Part.NO_WEBSITE_REASON in view.typed else "yes"}


def _template(view: CertificationView) -> str:
    draft = view.state is CertificationState.DRAFT
    return "portal/certification_form.html" if draft else "portal/certification_one.html"


def _context(request: Request, view: CertificationView) -> dict[str, Any]:
    language = language_of(request)
    return {
        "view": view,
        "names": {part.value: part_name(part, view.kind, language) for part in parts_of(view.kind)},
        "papers": {each.part: each for each in view.documents},
        "typed": {part.value: text for part, text in view.typed.items()} | _long_term(request, view),
        "hidden": {part.value for part in _hidden(view)},
        "missing": [part.value for part in view.missing],
        "doubtful": {part.value for part in view.warnings},
        "STATES": STATES,
        "KINDS": KINDS,
    }


def _long_term(request: Request, view: CertificationView) -> dict[str, str]:
    """The document's end in words, where it has none."""
    if view.typed.get(Part.VALID_UNTIL) != LONG_TERM:
        return {}
    _ = translator(request)
    return {Part.VALID_UNTIL.value: _("长期有效")}


def _place(view: CertificationView) -> str:
    return f"{router.prefix}/{view.row.id}"
