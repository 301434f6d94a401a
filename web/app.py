"""All pages, added to the application that `api/app.py` builds."""

from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, Depends, FastAPI
from fastapi.staticfiles import StaticFiles

from web import errors
from web.csrf import csrf_checked
from web.portal import account, api_users, domains, onboarding, sends, templates, test_send, webhooks
from web.public import contact, home, login, register, review_preview
from web.security import PageHeaders

ROUTERS: tuple[APIRouter, ...] = (
    home.router,
    register.router,
    login.router,
    contact.router,
    onboarding.router,
    account.router,
    domains.router,
    api_users.router,
    sends.router,
    test_send.router,
    templates.router,
    webhooks.router,
    review_preview.router,
)
"""Every feature's pages; add yours here."""

STATIC = Path(__file__).parent / "static"


def tabler() -> Path:
    """The style sheets, scripts and fonts that the starlette-admin wheel ships."""
    spec = find_spec("starlette_admin")
    if spec is None or spec.origin is None:
        raise RuntimeError("the package starlette-admin is not installed; run make setup")
    return Path(spec.origin).parent / "static"


def mount(app: FastAPI) -> None:
    """Add pages, assets, page headers and HTML errors. Call it after `api.problems.install`."""
    for router in ROUTERS:
        app.include_router(router, dependencies=[Depends(csrf_checked)], include_in_schema=False)
    app.mount("/assets", StaticFiles(directory=tabler()), name="assets")
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(PageHeaders)
    errors.install(app)
