"""`/openapi.json`, and the API reference at `/docs`: Swagger UI from an installed wheel, so that no browser asks a CDN.

FastAPI describes errors as it would answer them itself; ours are problem documents, so the description is corrected.
"""

import base64
import hashlib
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

ASSETS = "/docs/assets"
PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
UNUSED = ("HTTPValidationError", "ValidationError")
"""FastAPI's own words for a request that it refuses."""
METHODS = ("get", "post", "put", "patch", "delete")
ABOUT = """
The path to the first mail: register, publish a sender domain's records, create an API user and a template of the same
kind, have the template approved, send. `GET /v1/onboarding` says which step comes next.

**Who calls.** `Authorization: Bearer …` with a session token (`POST /v1/sessions`) or an API user's key. Keys can
send and read; what changes the account needs a session.

**Errors** are problem documents (RFC 9457): `code` is stable, `detail` says what is wrong, `next_step` what to do,
`field` and `errors` where. With `Accept-Language: zh` the texts are Chinese.

**Lists** come in pages: give `next_cursor` as `cursor` until it is null.
"""
TAGS = {
    "account": "Registration, the account, its password and sessions, support.",
    "onboarding": "Where the account is on the path, once or live.",
    "sender domains": "Domains to send from, the DNS records to publish, what was found of them.",
    "API users": "Sending identities, the domains they may send from, their keys.",
    "templates": "Content with variables, its versions and reviews.",
    "address lists": "Lists of recipients under one alias address: members with variables, imports, exports.",
    "contact lists": "Phone numbers with names and variables, for scheduled SMS: contacts, imports, exports.",
    "sends": "Sending, and what became of each message.",
    "SMS users": "Who sends SMS, and their keys.",
    "SMS signatures": "The names in 【】, their proofs and reviews.",
    "SMS templates": "Texts with variables, their lint, versions and reviews.",
    "sms": "Sending SMS to phone numbers, what became of each, statistics.",
    "campaigns": "One template to everybody in some address lists.",
    "scheduled tasks": "SMS to contact lists and campaigns by mail, once at a time or again and again; their history.",
    "suppressions": "Who unsubscribed, complained or was entered by hand; why an address is not written to.",
    "webhooks": "Where events go; signed after Standard Webhooks.",
    "certification": "Who the customer is, on paper; the review, and what it objects to.",
    "signals": "Sending quality: what receivers said of the account's mails, as rates that are judged.",
    "billing": "Recharge, balance, statement, prices.",
}


def install(app: FastAPI) -> None:
    """Serve the description, and the page with its two files."""
    folder = str(files("fastapi_offline") / "static")
    app.mount(ASSETS, StaticFiles(directory=folder), name="reference-assets")
    app.openapi = lambda: described(app)  # type: ignore[method-assign]

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        page = get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=f"{app.title} API",
            swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{ASSETS}/swagger-ui.css",
            swagger_favicon_url="/static/mark.svg",
        )
        page.headers["content-security-policy"] = _policy_of(bytes(page.body).decode())
        return page


def _policy_of(page: str) -> str:
    """Its one inline script by hash (CSP 3 §2.3.1); Swagger UI writes style attributes."""
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    return (
        f"default-src 'none'; script-src 'self' {allowed}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )


def described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once."""
    if app.openapi_schema is None:
        tags = [{"name": name, "description": about} for name, about in TAGS.items()]
        schema = get_openapi(
            title=f"{app.title} API", version=app.version, description=ABOUT, routes=app.routes, tags=tags
        )
        for operation in operations(schema):
            _tell_problems(operation)
        for name in UNUSED:
            schema["components"]["schemas"].pop(name, None)
        app.openapi_schema = schema
    return app.openapi_schema


def operations(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every operation of an OpenAPI document."""
    for path in schema["paths"].values():
        for method in METHODS:
            if method in path:
                yield path[method]


def _tell_problems(operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        if status.startswith(("4", "5")):
            response["content"] = PROBLEM
