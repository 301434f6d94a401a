"""Rendering: one Jinja environment, and what every page knows.

In templates: `_()` (Chinese message ids), `csrf_field()`, `language`, `profile` (the signed-in member, or None),
`locked` (this member may only look here), `address` (where the page lives, given when it answers a form that was
posted elsewhere; blank: where the browser is), `in_language(code)` (the page's address in another language),
`errors` ({field: message}, `""` for the form as a whole), `values` (what the visitor typed), `policy`, and the filters
`moment` and `yuan` (of fen). Macros live in `parts.html`; import them `with context`.
"""

import datetime as dt
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from jinja2.runtime import Context
from markupsafe import Markup, escape
from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import HTMLResponse

from domain.accounts import SESSION_DAYS, Caller, Profile
from domain.errors import Refusal
from domain.masking import mask_phone
from domain.money import show_unit, show_yuan
from domain.refusals import explain
from domain.times import SHANGHAI
from web import cookies, csrf, flash, navigation
from web.flash import see
from web.i18n import COOKIE, LANGUAGES, language_of, translate, translator
from web.sessions import Signed, served, signed_in

__all__ = [
    "Caller", "Signed", "again", "language_of", "refused", "render", "see", "served", "signed_in", "translator",
]  # fmt: skip

TEMPLATES = Path(__file__).parent / "templates"
_OWN_PAGES = re.compile(r"(?<![\w/.:-])/(?:portal/[a-z]+(?:-[a-z]+)*|contact)(?![\w/-])", re.ASCII)


@jinja2.pass_context
def _text(context: Context, message: str, **params: object) -> str:
    language = context.get("language")
    if language is None:
        raise RuntimeError("import macros 'with context': they need the page's language")
    return translate(language, message, **params)


@jinja2.pass_context
def _in_language(context: Context, code: str) -> str:
    """Relative to where the browser is, unless the page lives elsewhere: a POST's address may know no GET."""
    address = context["address"] or f"?{context['request'].url.query}"
    return str(URL(address).include_query_params(lang=code))


def shanghai(moment: dt.datetime | None) -> Markup:
    """`<time>` in the customers' zone (Asia/Shanghai), to the minute."""
    if moment is None:
        return Markup("—")
    shown = moment.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
    return Markup('<time datetime="{}" title="UTC+08:00">{}</time>').format(moment.isoformat(), shown)


def with_links(text: str) -> Markup:
    """Our own pages that a message names (`/portal/recharges`) can be followed."""
    return Markup(_OWN_PAGES.sub(r'<a class="alert-link" href="\g<0>">\g<0></a>', str(escape(text))))  # noqa: S704 - escaped


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    """Escapes HTML, and refuses names that a page forgot to give."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.globals.update(_=_text, in_language=_in_language, LANGUAGES=LANGUAGES, ROLES=navigation.ROLES)
    made.filters["moment"] = shanghai
    made.filters["with_links"] = with_links
    made.filters["masked_phone"] = mask_phone
    made.filters["yuan"] = show_yuan
    made.filters["unit_price"] = show_unit
    return made


def render(request: Request, template: str, status_code: int = 200, **context: Any) -> HTMLResponse:
    """The page in the visitor's language. Keeps the language and the visitor's cookie, takes the waiting message."""
    body = environment().get_template(template).render(_known(request) | context)
    response = HTMLResponse(body, status_code)
    _set_cookies(request, response)
    return response


def fragment(request: Request, template: str, **context: Any) -> str:
    """A part of a page that something else renders."""
    return environment().get_template(template).render(_known(request) | context)


def _known(request: Request) -> dict[str, Any]:
    token, path = csrf.csrf_token(request), request.url.path
    profile: Profile | None = getattr(request.state, "profile", None)
    role = profile.role if profile else None
    return {
        "request": request,
        "language": language_of(request),
        "policy": served(request).foundation.policy,
        "profile": profile,
        "menu": navigation.menu(role),
        "here": navigation.current(path),
        "locked": navigation.locked(path, role),
        "waiting": flash.waiting(request),
        "csrf_token": token,
        "address": "",
        "csrf_field": lambda: Markup('<input type="hidden" name="{}" value="{}">').format(csrf.FIELD, token),
        "errors": {},
        "values": {},
    }


def _set_cookies(request: Request, response: HTMLResponse) -> None:
    secure = served(request).foundation.policy.secure_cookies
    chosen = request.query_params.get("lang")
    if chosen in LANGUAGES:
        response.set_cookie(COOKIE, chosen, max_age=365 * 86_400, path="/", samesite="lax", secure=secure)
    made = getattr(request.state, "visit", None)
    if made and cookies.given(request, csrf.VISIT_COOKIE) != made:
        cookies.keep(request, response, csrf.VISIT_COOKIE, made, SESSION_DAYS * 86_400)
    if cookies.given(request, flash.COOKIE):
        cookies.drop(request, response, flash.COOKIE)


def refused(refusal: Refusal, language: str) -> dict[str, str]:
    """{field: what is wrong and what to do}; the field is `""` when the refusal names none."""
    _, detail, step = explain(refusal, language)
    space = "" if language == "zh" else " "
    return {refusal.field or "": f"{detail}{space}{step}"}


def again(request: Request, template: str, refusal: Refusal, values: Mapping[str, Any], **context: Any) -> HTMLResponse:
    """The form once more: with what was typed, and the message at its field.

    It needs the page's `address` where it was posted to one that shows no such page.
    """
    language = language_of(request)
    status = explain(refusal, language)[0]
    return render(request, template, status, errors=refused(refusal, language), values=values, **context)
