"""All pages, added to the application that `api/app.py` builds."""

from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, Depends, FastAPI
from fastapi.staticfiles import StaticFiles

from web import errors
from web.console import (
    applications,
    cases,
    customers,
    me,
    own_access,
    payments,
    pricing,
    sms_cases,
    staff,
    workdays,
)
from web.console import (
    dead_addresses as console_dead_addresses,
)
from web.console import (
    destinations as console_destinations,
)
from web.console import (
    egress as console_egress,
)
from web.console import (
    home as console_home,
)
from web.console import (
    lanes as console_lanes,
)
from web.console import (
    login as console_login,
)
from web.console import (
    reply_rules as console_reply_rules,
)
from web.console import (
    reports as console_reports,
)
from web.console import (
    retry_curves as console_retry_curves,
)
from web.console import (
    signals as console_signals,
)
from web.console import (
    sms_gateways as console_sms_gateways,
)
from web.console import (
    sms_interceptions as console_sms_interceptions,
)
from web.console.site import mount_console
from web.csrf import csrf_checked
from web.portal import (
    account,
    account_phone,
    api_users,
    audience,
    audience_imports,
    campaigns,
    campaigns_new,
    certification,
    contact_imports,
    contacts,
    dashboard,
    domains,
    lanes,
    members,
    onboarding,
    recharges,
    scheduled_tasks,
    scheduled_tasks_form,
    sends,
    signals,
    sms_hooks,
    sms_interceptions,
    sms_opt_outs,
    sms_replies,
    sms_sends,
    sms_signatures,
    sms_statistics,
    sms_templates,
    sms_test,
    sms_users,
    statement,
    suppressions,
    templates,
    test_send,
    webhooks,
)
from web.portal.records import site as records
from web.public import contact, home, invitation, login, register, register_phone, tracking, unsubscribes
from web.security import AnswerHeaders

ROUTERS: tuple[APIRouter, ...] = (
    home.router,
    register.router,
    register_phone.router,
    login.router,
    contact.router,
    dashboard.router,
    onboarding.router,
    account.router,
    account_phone.router,
    members.router,
    certification.router,
    invitation.router,
    domains.router,
    api_users.router,
    recharges.router,
    campaigns_new.router,
    campaigns.router,
    scheduled_tasks_form.router,
    scheduled_tasks.router,
    sends.router,
    audience.router,
    audience_imports.router,
    contacts.router,
    contact_imports.router,
    test_send.router,
    templates.router,
    suppressions.router,
    lanes.router,
    signals.router,
    sms_users.router,
    sms_signatures.router,
    sms_templates.router,
    sms_sends.router,
    sms_interceptions.router,
    sms_replies.router,
    sms_opt_outs.router,
    sms_hooks.router,
    sms_test.router,
    sms_statistics.router,
    webhooks.router,
    statement.router,
    console_home.router,
    console_login.router,
    me.router,
    own_access.router,
    cases.router,
    sms_cases.router,
    applications.router,
    customers.router,
    staff.router,
    workdays.router,
    pricing.router,
    payments.router,
    console_lanes.router,
    console_sms_gateways.router,
    console_egress.router,
    console_destinations.router,
    console_reply_rules.router,
    console_retry_curves.router,
    console_dead_addresses.router,
    console_sms_interceptions.router,
    console_reports.router,
    console_signals.router,
)
"""Every feature's pages; add yours here."""
OF_MAILS: tuple[APIRouter, ...] = (tracking.router, unsubscribes.router)
"""Where links of customers' mails lead. No cookie of ours stands behind what they change, so no form can be forged."""

STATIC = Path(__file__).parent / "static"


def tabler() -> Path:
    """The style sheets, scripts and fonts that the starlette-admin wheel ships."""
    spec = find_spec("starlette_admin")
    if spec is None or spec.origin is None:
        raise RuntimeError("the package starlette-admin is not installed; run make setup")
    return Path(spec.origin).parent / "static"


def mount(app: FastAPI, site_key: str) -> None:
    """Add pages, assets, page headers and HTML errors. Call it after `api.problems.install`.

    `site_key` signs the cookies of the starlette-admin sites.
    """
    for router in ROUTERS:
        app.include_router(router, dependencies=[Depends(csrf_checked)], include_in_schema=False)
    for router in OF_MAILS:
        app.include_router(router)
    records.mount(app)
    app.mount("/assets", StaticFiles(directory=tabler()), name="assets")
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    mount_console(app, site_key)
    app.add_middleware(AnswerHeaders)
    errors.install(app)
