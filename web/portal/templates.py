"""/portal/templates: write templates, see them as a recipient would, follow their review."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import HTMLResponse, Response

from domain.errors import Refusal
from domain.reviews import ReviewState
from domain.senders import SendKind
from domain.template_lint import Finding, Severity
from domain.templates import Content, sample_values, text_from_html
from services.templates import TemplateDraft, TemplateView, preview_of, review_id
from store.templates import Wanted
from web.pages import Signed, again, language_of, render, see, served, translator
from web.security import PREVIEW_HEADERS

router = APIRouter(prefix="/portal/templates")

PAGE = 30
VALUE = "v."
"""What the names of variables begin with in a query, so that they meet no other parameter."""
Ref = Annotated[str, Path(max_length=64)]
Number = Annotated[int, Path(ge=1, le=1_000_000)]
FIELDS = ("invoke_name", "name", "kind", "subject", "html", "text")


class Written:
    """What the form holds. Browsers send CRLF; content is kept with LF."""

    def __init__(self, form: Mapping[str, Any]) -> None:
        self.values = {name: str(form.get(name, "")).replace("\r\n", "\n") for name in FIELDS}
        self.submits = form.get("step") == "submit"

    @property
    def content(self) -> Content:
        return Content(self.values["subject"], self.values["html"], self.values["text"])

    def draft(self) -> TemplateDraft:
        kind = SendKind(self.values["kind"]) if self.values["kind"] in set(SendKind) else None
        return TemplateDraft(self.values["invoke_name"], self.content, self.values["name"], kind)


async def written(request: Request) -> Written:
    """The form of a template; a missing field is an empty one."""
    return Written(await request.form())


@router.get("")
async def templates(
    request: Request, caller: Signed, after: UUID | None = None, state: ReviewState | None = None
) -> Response:
    """Newest first, each with the state of its latest version."""
    found = await served(request).templates.page(caller, Wanted(state=state, before=after), PAGE + 1)
    following = found[PAGE - 1][0].id if len(found) > PAGE else None
    return render(request, "portal/templates.html", rows=found[:PAGE], next=following, chosen=state)


@router.get("/new")
async def new_template(request: Request, caller: Signed, like: Annotated[str, Query(max_length=64)] = "") -> Response:
    """An empty form, or one with another template's content."""
    values: dict[str, Any] = {"kind": SendKind.TRIGGER.value}
    if like:
        view = await served(request).templates.get(caller, like)
        values = _values(view) | {"invoke_name": "", "name": ""}
    return render(request, "portal/template_form.html", values=values, view=None)


@router.post("")
async def create(request: Request, caller: Signed) -> Response:
    """Save the first draft, and submit it when asked to."""
    form = await written(request)
    try:
        view = await served(request).templates.create(caller, form.draft())
    except Refusal as refusal:
        new = "/portal/templates/new"
        return again(request, "portal/template_form.html", refusal, form.values, view=None, address=new)
    return await _saved(request, caller, form, view)


@router.post("/preview")
async def preview_unsaved(request: Request, caller: Signed) -> Response:
    """The form's content in the frame beside it."""
    content = (await written(request)).content
    return _framed((await preview_of(content, {})).html)


@router.get("/{ref}")
async def template(request: Request, caller: Signed, ref: Ref) -> Response:
    """The latest version: state, what was found in it, preview."""
    return _page(request, await served(request).templates.get(caller, ref))


@router.get("/{ref}/versions/{number}")
async def version(request: Request, caller: Signed, ref: Ref, number: Number) -> Response:
    """The same of an older version."""
    return _page(request, await served(request).templates.get(caller, ref, number))


@router.get("/{ref}/versions/{number}/body")
async def body(request: Request, caller: Signed, ref: Ref, number: Number) -> Response:
    """A version's HTML for a frame, filled with the query's values."""
    shown = await served(request).templates.preview(caller, ref, _given(request), number)
    return _framed(shown.html)


@router.get("/{ref}/edit")
async def edit_form(request: Request, caller: Signed, ref: Ref) -> Response:
    """The latest version's content: the draft, or what the next draft begins with."""
    view = await served(request).templates.get(caller, ref)
    return render(request, "portal/template_form.html", values=_values(view), view=view)


@router.post("/{ref}/edit")
async def edit(request: Request, caller: Signed, ref: Ref) -> Response:
    """Save the draft, and submit it when asked to."""
    form = await written(request)
    try:
        view = await served(request).templates.edit(caller, ref, form.draft())
    except Refusal as refusal:
        return await _again(request, caller, form, ref, refusal)
    return await _saved(request, caller, form, view)


@router.post("/{ref}/submit")
async def submit(request: Request, caller: Signed, ref: Ref) -> Response:
    """From the template's page; a refusal is shown there."""
    try:
        view = await served(request).templates.submit(caller, ref)
    except Refusal as refusal:
        return await _refused_page(request, caller, ref, refusal)
    return _submitted(request, view)


@router.post("/{ref}/withdraw")
async def withdraw(request: Request, caller: Signed, ref: Ref) -> Response:
    """Take the version under review back."""
    try:
        view = await served(request).templates.withdraw(caller, ref)
    except Refusal as refusal:
        return await _refused_page(request, caller, ref, refusal)
    _ = translator(request)
    return see(_place(view), request, _("已撤回。修改后可以重新提交。"))


@router.post("/{ref}/delete")
async def delete(request: Request, caller: Signed, ref: Ref) -> Response:
    """Back to the list."""
    try:
        await served(request).templates.delete(caller, ref)
    except Refusal as refusal:
        return await _refused_page(request, caller, ref, refusal)
    _ = translator(request)
    return see("/portal/templates", request, _("模板已删除。"))


async def _saved(request: Request, caller: Signed, form: Written, view: TemplateView) -> Response:
    """After saving: the template's page, or, when it should be submitted and cannot be, the form with what is wrong."""
    _ = translator(request)
    if not form.submits:
        return see(_place(view), request, _("草稿已保存，提交审核后才能用于发送。"))
    try:
        return _submitted(request, await served(request).templates.submit(caller, str(view.row.id)))
    except Refusal as refusal:
        said = _("草稿已保存，但还不能提交审核：请改正下面指出的地方，再次提交。")
        return await _again(request, caller, form, str(view.row.id), refusal, waiting=("warning", said))


async def _again(
    request: Request, caller: Signed, form: Written, ref: str, refusal: Refusal, **said: tuple[str, str]
) -> Response:
    view = await served(request).templates.get(caller, ref)
    edit = f"{_place(view)}/edit"
    return again(request, "portal/template_form.html", refusal, form.values, view=view, address=edit, **said)


async def _refused_page(request: Request, caller: Signed, ref: str, refusal: Refusal) -> Response:
    """The template's page with the refusal on top: it has no fields."""
    view = await served(request).templates.get(caller, ref)
    unplaced = Refusal(refusal.code, None, **refusal.params)
    return again(request, "portal/template.html", unplaced, {}, address=_place(view), **_shown(request, view))


def _submitted(request: Request, view: TemplateView) -> Response:
    _ = translator(request)
    return see(_place(view), request, _("已提交审核，结果会发到您的邮箱。"))


def _place(view: TemplateView) -> str:
    return f"/portal/templates/{view.row.id}"


def _values(view: TemplateView) -> dict[str, str]:
    """What the form begins with; a text part that was made from the HTML is left to be made again."""
    text = "" if view.version.text == text_from_html(view.version.html) else view.version.text
    return {
        "invoke_name": view.row.invoke_name, "name": view.row.name, "kind": view.row.kind,
        "subject": view.version.subject, "html": view.version.html, "text": text,
    }  # fmt: skip


def _page(request: Request, view: TemplateView) -> Response:
    return render(request, "portal/template.html", **_shown(request, view))


def _shown(request: Request, view: TemplateView) -> dict[str, Any]:
    given = _given(request)
    samples = sample_values(view.content) | {name: value for name, value in given.items() if value}
    return {
        "view": view,
        "samples": samples,
        "query": {f"{VALUE}{name}": value for name, value in given.items()},
        "findings": tones(view.findings, language_of(request)),
        "review_id": review_id,
    }


def tones(findings: Sequence[Finding], language: str) -> list[tuple[str, str]]:
    """(Tabler colour, text) of each finding."""
    return [(_tone(finding), finding.text(language)) for finding in findings]


def _tone(finding: Finding) -> str:
    return "danger" if finding.severity is Severity.ERROR else "warning"


def _given(request: Request) -> dict[str, str]:
    """The values of variables in the query."""
    return {name[len(VALUE) :]: value for name, value in request.query_params.items() if name.startswith(VALUE)}


def _framed(html: str) -> Response:
    return HTMLResponse(html.encode(errors="replace"), headers=PREVIEW_HEADERS)
