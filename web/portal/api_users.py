"""/portal/api-users: sending identities, the domains they may send from, and their keys."""

from collections.abc import Awaitable
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from domain.domains import DomainState, shown
from domain.errors import Refusal
from domain.senders import SendKind
from services.senders import ApiUserChange, ApiUserView, IssuedKey, NewApiUser
from web.i18n import mark as _
from web.pages import Caller, Signed, again, language_of, refused, render, see, served, translator
from web.portal.domains import STATES
from web.shown_once import carried, carry
from web.shown_once import shown as shown_once

router = APIRouter(prefix="/portal/api-users")

PAGE = 20
CHOICES = 200
KINDS = {SendKind.TRIGGER: _("触发"), SendKind.BATCH: _("批量")}


@router.get("")
async def api_users(request: Request, caller: Signed, after: UUID | None = None, domain: str = "") -> Response:
    """Newest first, with the form to create one; a link may have chosen a domain."""
    values = {"kind": SendKind.TRIGGER.value, "resend": "on", "domains": [domain]}
    return render(request, "portal/api_users.html", values=values, **await _listed(request, caller, after))


@router.post("")
async def create(request: Request, caller: Signed) -> Response:
    """Create, then show the key, this once."""
    form = await request.form()
    values = {name: str(form.get(name, "")) for name in ("name", "kind", "resend")}
    chosen = [str(value) for value in form.getlist("domains")]
    try:
        issued = await served(request).senders.create(caller, _new(values, chosen))
    except Refusal as refusal:
        if (refusal.field or "").startswith("domain_ids"):
            refusal.field = "domains"
        typed = values | {"domains": chosen}
        return again(request, "portal/api_users.html", refusal, typed, **await _listed(request, caller, None))
    return _to_key(request, issued)


@router.get("/{api_user_id}")
async def api_user(request: Request, caller: Signed, api_user_id: UUID) -> Response:
    """One API user."""
    view = await served(request).senders.get(caller, api_user_id)
    bound = {each.id for each in view.domains}
    free = [row for row in await _usable(request, caller) if row.id not in bound]
    smtp = served(request).foundation.policy
    return render(request, "portal/api_users_one.html", view=view, free=free, smtp=smtp, **_words())


@router.post("/{api_user_id}/bind")
async def bind(request: Request, caller: Signed, api_user_id: UUID) -> Response:
    domain = _id((await request.form()).get("domain"))
    done = served(request).senders.bind(caller, api_user_id, domain)
    return await _do(request, api_user_id, done, _("已绑定域名。"))


@router.post("/{api_user_id}/unbind")
async def unbind(request: Request, caller: Signed, api_user_id: UUID) -> Response:
    domain = _id((await request.form()).get("domain"))
    done = served(request).senders.unbind(caller, api_user_id, domain)
    return await _do(request, api_user_id, done, _("已解除绑定。"))


@router.post("/{api_user_id}/change")
async def change(request: Request, caller: Signed, api_user_id: UUID) -> Response:
    """How it sends, or enable and disable: what the form holds."""
    wanted = _change(await request.form())
    done = served(request).senders.change(caller, api_user_id, wanted)
    return await _do(request, api_user_id, done, _("已保存。"))


@router.post("/{api_user_id}/key")
async def reset_key(request: Request, caller: Signed, api_user_id: UUID) -> Response:
    """A new key, shown this once."""
    at_once = bool((await request.form()).get("at_once"))
    try:
        issued = await served(request).senders.reset_key(caller, api_user_id, at_once=at_once)
    except Refusal as refusal:
        return _said(request, api_user_id, refusal)
    return _to_key(request, issued, "" if at_once else "?reset=1")


@router.get("/{api_user_id}/key")
async def show_key(request: Request, caller: Signed, api_user_id: UUID, reset: bool = False) -> Response:
    """The key that was just made, this once; later only where to reset it."""
    view = await served(request).senders.get(caller, api_user_id)
    key = carried(request, request.url.path)
    if not key:
        said = translator(request)(_("API_KEY 只显示一次，已不能再查看；如果没有保存，请重置。"))
        return see(f"/portal/api-users/{api_user_id}", request, said, "info")
    page = render(request, "portal/api_users_key.html", view=view, key=key, reset=reset)
    return shown_once(request, page, request.url.path)


def _to_key(request: Request, issued: IssuedKey, query: str = "") -> Response:
    here = f"/portal/api-users/{issued.user.row.id}/key"
    response = RedirectResponse(here + query, 303)
    carry(request, response, here, issued.key)
    return response


async def _do(request: Request, api_user_id: UUID, action: Awaitable[ApiUserView], said: str) -> Response:
    try:
        await action
    except Refusal as refusal:
        return _said(request, api_user_id, refusal)
    return see(f"/portal/api-users/{api_user_id}", request, translator(request)(said))


def _said(request: Request, api_user_id: UUID, refusal: Refusal) -> Response:
    if refusal.code == "api_user_not_found":
        raise refusal
    message = refused(refusal, language_of(request))[refusal.field or ""]
    return see(f"/portal/api-users/{api_user_id}", request, message, "danger")


def _new(values: dict[str, str], chosen: list[str]) -> NewApiUser:
    if values["kind"] not in list(SendKind):
        raise Refusal("required", field="kind")
    domain_ids = tuple(_id(text, "domains") for text in chosen)
    return NewApiUser(values["name"], SendKind(values["kind"]), domain_ids, bool(values["resend"]))


def _change(form: FormData) -> ApiUserChange:
    enabled = form.get("enabled")
    if enabled is not None:
        return ApiUserChange(enabled=enabled == "true")
    return ApiUserChange(
        resend_uncertain=bool(form.get("resend")),
        track_clicks=bool(form.get("track_clicks")),
        track_opens=bool(form.get("track_opens")),
    )


def _id(text: object, field: str = "domain") -> UUID:
    try:
        return UUID(str(text))
    except ValueError:
        raise Refusal("domain_not_found", field=field) from None


async def _usable(request: Request, caller: Caller) -> list[Any]:
    rows = await served(request).domains.page(caller, None, CHOICES)
    return [row for row in rows if row.state == DomainState.USABLE and not row.is_test]


async def _listed(request: Request, caller: Caller, after: UUID | None) -> dict[str, Any]:
    views = await served(request).senders.page(caller, after, PAGE + 1)
    following = views[PAGE - 1].row.id if len(views) > PAGE else None
    usable = await _usable(request, caller)
    return {"views": views[:PAGE], "after": after, "next": following, "usable": usable, **_words()}


def _words() -> dict[str, Any]:
    return {"KINDS": KINDS, "STATES": STATES, "shown": shown}
