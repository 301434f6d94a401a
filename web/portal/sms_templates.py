"""/portal/sms-templates: write SMS templates, see them as a handset would, follow their review."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Request
from starlette.responses import HTMLResponse, Response

from domain.errors import Refusal
from domain.money import show_unit
from domain.reviews import ReviewState
from domain.sms import MAX_CHARACTERS, MAX_VALUE, SmsKind
from domain.sms_templates import MAX_NAME, MAX_SAVED, SmsPreview, sample_values
from services.sms_templates import SmsTemplateDraft, SmsTemplateView, content_of, review_id, sampled
from store.sms_signatures import SmsSignature
from store.sms_signatures import Wanted as WantedSignatures
from store.sms_templates import SmsTemplateVersion, Wanted
from web.i18n import mark as _
from web.pages import Signed, again, fragment, language_of, refused, render, see, served, translator
from web.portal.sms_template_words import KINDS, MARKETS, STATES
from web.portal.templates import VALUE, tones

router = APIRouter(prefix="/portal/sms-templates")

PAGE = 30
CHOICES = 200
FIELDS = ("name", "kind", "signature", "content", "last")
TemplateRef = Annotated[str, Path(max_length=64)]
Number = Annotated[int, Path(ge=1, le=1_000_000)]
WORDS: dict[str, Any] = {"STATES": STATES, "KINDS": KINDS, "MARKETS": MARKETS}
LIMITS: dict[str, Any] = {"MAX_NAME": MAX_NAME, "MAX_SAVED": MAX_SAVED, "MAX_VALUE": MAX_VALUE, "MOST": MAX_CHARACTERS}


@router.get("")
async def templates(
    request: Request,
    caller: Signed,
    after: UUID | None = None,
    state: ReviewState | None = None,
    kind: SmsKind | None = None,
) -> Response:
    """Newest first, each with the state of its latest version."""
    wanted = Wanted(kind.value if kind else None, (state.value,) if state else (), None, after)
    rows = await served(request).sms_templates.page(caller, wanted, PAGE + 1)
    following = rows[PAGE - 1][0].id if len(rows) > PAGE else None
    shown: dict[str, Any] = {"rows": rows[:PAGE], "next": following, "chosen": state, "chosen_kind": kind}
    return render(request, "portal/sms_templates.html", composed=_composed, **shown, **WORDS)


def _composed(version: SmsTemplateVersion, signature: SmsSignature, content: str) -> str:
    """As it is sent, with this much of its content."""
    return replace(content_of(version, signature), content=content).text


@router.get("/new")
async def new_template(request: Request, caller: Signed) -> Response:
    """An empty form."""
    values = {"kind": SmsKind.CODE.value, "last": ""}
    return render(request, "portal/sms_templates_form.html", values=values, **await _form(request, caller, None))


@router.post("")
async def create(request: Request, caller: Signed) -> Response:
    """Save the first draft, and submit it when asked to."""
    form = await request.form()
    values = _typed(form)
    try:
        view = await served(request).sms_templates.create(caller, _draft(values))
    except Refusal as refusal:
        new = "/portal/sms-templates/new"
        context = await _form(request, caller, None)
        return again(request, "portal/sms_templates_form.html", refusal, values, address=new, **context)
    return await _saved(request, caller, values, form.get("step") == "submit", view)


@router.post("/preview")
async def preview_unsaved(request: Request, caller: Signed) -> Response:
    """The form's content as a handset would show it, with its parts and what is wrong: a fragment for the script."""
    values = _typed(await request.form())
    try:
        draft = _draft({**values, "name": values["name"] or "-"})
        shown, findings = await served(request).sms_templates.preview_unsaved(caller, draft)
    except Refusal as refusal:
        said = refused(refusal, language_of(request))
        return HTMLResponse(fragment(request, "portal/sms_templates_preview.html", refused=list(said.values())))
    context = await _counted(request, caller, shown)
    told = tones(findings, language_of(request))
    return HTMLResponse(fragment(request, "portal/sms_templates_preview.html", findings=told, **context))


@router.get("/{sms_template_id}")
async def template(request: Request, caller: Signed, sms_template_id: TemplateRef) -> Response:
    """The latest version: state, what was found in it, preview."""
    view = await served(request).sms_templates.get(caller, sms_template_id)
    return render(request, "portal/sms_templates_one.html", **await _shown(request, caller, view))


@router.get("/{sms_template_id}/versions/{number}")
async def version(request: Request, caller: Signed, sms_template_id: TemplateRef, number: Number) -> Response:
    """The same of an older version."""
    view = await served(request).sms_templates.get(caller, sms_template_id, number)
    return render(request, "portal/sms_templates_one.html", **await _shown(request, caller, view))


@router.get("/{sms_template_id}/edit")
async def edit_form(request: Request, caller: Signed, sms_template_id: TemplateRef) -> Response:
    """The latest version's content: the draft, or what the next draft begins with."""
    view = await served(request).sms_templates.get(caller, sms_template_id)
    context = await _form(request, caller, view)
    return render(request, "portal/sms_templates_form.html", values=_values(view), **context)


@router.post("/{sms_template_id}/edit")
async def edit(request: Request, caller: Signed, sms_template_id: TemplateRef) -> Response:
    """Save the draft, and submit it when asked to."""
    form = await request.form()
    values = _typed(form)
    try:
        view = await served(request).sms_templates.edit(caller, sms_template_id, _draft(values))
    except Refusal as refusal:
        return await _again(request, caller, values, sms_template_id, refusal)
    return await _saved(request, caller, values, form.get("step") == "submit", view)


@router.post("/{sms_template_id}/submit")
async def submit(request: Request, caller: Signed, sms_template_id: TemplateRef) -> Response:
    """From the template's page; a refusal is shown there."""
    try:
        view = await served(request).sms_templates.submit(caller, sms_template_id)
    except Refusal as refusal:
        return await _refused_page(request, caller, sms_template_id, refusal)
    return _submitted(request, view)


@router.post("/{sms_template_id}/withdraw")
async def withdraw(request: Request, caller: Signed, sms_template_id: TemplateRef) -> Response:
    """Take the version under review back."""
    try:
        view = await served(request).sms_templates.withdraw(caller, sms_template_id)
    except Refusal as refusal:
        return await _refused_page(request, caller, sms_template_id, refusal)
    return see(_place(view), request, translator(request)(_("已撤回。修改后可以重新提交。")))


@router.post("/{sms_template_id}/delete")
async def delete(request: Request, caller: Signed, sms_template_id: TemplateRef) -> Response:
    """Back to the list."""
    try:
        await served(request).sms_templates.delete(caller, sms_template_id)
    except Refusal as refusal:
        return await _refused_page(request, caller, sms_template_id, refusal)
    return see("/portal/sms-templates", request, translator(request)(_("模板已删除。")))


async def _saved(
    request: Request, caller: Signed, values: Mapping[str, str], submits: bool, view: SmsTemplateView
) -> Response:
    """After saving: the template's page, or, when it should be submitted and cannot be, the form with what is wrong."""
    told = translator(request)
    if not submits:
        return see(_place(view), request, told(_("草稿已保存，提交审核后才能用于发送。")))
    try:
        return _submitted(request, await served(request).sms_templates.submit(caller, str(view.row.id)))
    except Refusal as refusal:
        said = told(_("草稿已保存，但还不能提交审核：请改正下面指出的地方，再次提交。"))
        return await _again(request, caller, values, str(view.row.id), refusal, waiting=("warning", said))


async def _again(
    request: Request, caller: Signed, values: Mapping[str, str], ref: str, refusal: Refusal, **said: tuple[str, str]
) -> Response:
    view = await served(request).sms_templates.get(caller, ref)
    context = await _form(request, caller, view)
    address = f"{_place(view)}/edit"
    return again(request, "portal/sms_templates_form.html", refusal, values, address=address, **said, **context)


async def _refused_page(request: Request, caller: Signed, ref: str, refusal: Refusal) -> Response:
    """The template's page with the refusal on top: it has no fields."""
    view = await served(request).sms_templates.get(caller, ref)
    unplaced = Refusal(refusal.code, None, **refusal.params)
    context = await _shown(request, caller, view)
    return again(request, "portal/sms_templates_one.html", unplaced, {}, address=_place(view), **context)


def _submitted(request: Request, view: SmsTemplateView) -> Response:
    return see(_place(view), request, translator(request)(_("已提交审核，结果会发到您的邮箱。")))


def _place(view: SmsTemplateView) -> str:
    return f"/portal/sms-templates/{view.row.number}"


def _typed(form: Mapping[str, Any]) -> dict[str, str]:
    """Browsers send CRLF; content is kept with LF."""
    return {name: str(form.get(name, "")).replace("\r\n", "\n") for name in FIELDS}


def _draft(values: Mapping[str, str]) -> SmsTemplateDraft:
    """Raises the refusal `required` on a kind that is none."""
    if values["kind"] not in set(SmsKind):
        raise Refusal("required", field="kind")
    last = values["last"] == "yes"
    return SmsTemplateDraft(values["name"], SmsKind(values["kind"]), values["signature"], values["content"], last)


def _values(view: SmsTemplateView) -> dict[str, str]:
    """What the form begins with."""
    return {
        "name": view.row.name, "kind": view.version.kind, "signature": str(view.signature.number),
        "content": view.version.content, "last": "yes" if view.version.signature_last else "",
    }  # fmt: skip


async def _form(request: Request, caller: Signed, view: SmsTemplateView | None) -> dict[str, Any]:
    """What a form needs besides its values: the signatures to choose from, and the preview of what is saved."""
    found = await served(request).sms_signatures.page(caller, WantedSignatures(), CHOICES)
    signatures = sorted(found, key=lambda row: row.state != ReviewState.APPROVED)
    context: dict[str, Any] = {"view": view, "signatures": signatures, **WORDS, **LIMITS}
    if view is not None:
        context |= await _counted(request, caller, await sampled(view.content, {}))
    return context


async def _shown(request: Request, caller: Signed, view: SmsTemplateView) -> dict[str, Any]:
    query = request.query_params.items()
    given = {name[len(VALUE) :]: text[:MAX_VALUE] for name, text in query if name.startswith(VALUE)}
    samples = sample_values(view.content) | {name: text for name, text in given.items() if text}
    return {
        "view": view,
        "samples": {name: samples[name] for name in view.content.variables},
        "findings": tones(view.findings, language_of(request)),
        "review_id": review_id,
        **await _counted(request, caller, await sampled(view.content, samples)),
        **WORDS,
        **LIMITS,
    }


async def _counted(request: Request, caller: Signed, shown: SmsPreview) -> dict[str, Any]:
    """A preview with what it costs in mainland China, in words."""
    unit = await served(request).sms_templates.unit_price(caller)
    cost, most = show_unit(unit * shown.segments), show_unit(unit * shown.most_segments)
    return {"shown": shown, "cost": cost, "most": most}
