"""Composition root of the web process: REST, pages, callbacks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from temporalio.client import Client

from api import callbacks, problems, reference
from api.body_limit import BodyLimit
from api.sendcloud import mail, sms, sms_contacts, sms_data, sms_labels, sms_signs, sms_tasks, sms_templates
from api.sendcloud.shortcut import Shortcut
from api.v1 import (
    accounts,
    api_users,
    audience,
    audience_imports,
    campaigns,
    certifications,
    contact_imports,
    contacts,
    domains,
    lanes,
    ledger,
    members,
    onboarding,
    phones,
    recharges,
    scheduled_tasks,
    sends,
    sessions,
    signals,
    sms_interceptions,
    sms_opt_outs,
    sms_reads,
    sms_replies,
    sms_sending,
    sms_signatures,
    sms_users,
    suppressions,
    templates,
    webhooks,
)
from api.v1 import sms_templates as sms_template_routes
from domain.networks import Reach
from domain.secrets import Vault, derive
from gateways.alipay import AlipayDesk
from gateways.dns import DnsResolver
from gateways.http import Guard, HttpPoster, UrlTest
from gateways.routes import Routes
from services import calm_collector, discreet_logs
from services.catalog import build_services
from services.clockwork import Clockwork
from services.foundation import Foundation, Outside
from services.private_process import keep_private
from settings import Settings
from store.db import Database
from store.papers import PaperStore
from web.app import mount
from web.security import machine_headers


def outside(settings: Settings) -> Outside:
    """What pages of operators ask the DNS, as a worker with these settings would."""
    resolver = DnsResolver(settings.dns_nameservers, reach=Reach(settings.delivery_allowed_networks))
    return Outside(resolver, lambda destinations: Routes(resolver, lambda: destinations), settings.treatment())


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    keep_private()
    discreet_logs.install()
    db = await Database.open(settings.database_url)
    client = await Client.connect(settings.temporal_address, namespace=settings.temporal_namespace, lazy=True)
    vault = Vault(settings.secret_key.get_secret_value())
    alipay = settings.alipay()
    pay_desk = AlipayDesk(alipay) if alipay else None
    papers = PaperStore.open(settings.documents_url, vault)
    url_test = UrlTest(HttpPoster(Guard(settings.webhook_allowed_networks)))
    clockwork, answers = Clockwork(db, client), outside(settings)
    base = Foundation(db, clockwork, vault, settings.policy(), pay_desk, papers, answers, url_test)
    app.state.services = build_services(base)
    calm_collector.calm()
    yield
    await db.close()


def create_app(settings: Settings | None = None) -> FastAPI:
    """The ASGI application; `uvicorn --factory api.app:create_app`."""
    app = FastAPI(title="Songda 送达", version="0.1.0", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.settings = settings or Settings()
    app.router.routes.append(mail.route())
    for module in (sms, sms_templates, sms_signs, sms_labels, sms_contacts, sms_tasks, sms_data):
        app.router.routes += module.ROUTES
    problems.install(app)
    reference.install(app)
    features = (
        accounts, phones, certifications, members, sessions, onboarding, domains, api_users, sends, lanes,
        templates, audience, audience_imports, contacts, contact_imports, suppressions, campaigns, webhooks, ledger,
        recharges, signals, sms_users, sms_signatures, sms_template_routes, sms_sending,
        sms_interceptions, sms_opt_outs, sms_replies, scheduled_tasks,
        sms_reads,  # the last of SMS: its /v1/sms/{id} would take the paths of the others
    )  # fmt: skip
    for feature in features:
        app.include_router(feature.router)
    app.include_router(callbacks.router)
    mount(app, derive(app.state.settings.secret_key.get_secret_value(), "songda/admin-sites").hex())
    app.add_middleware(BodyLimit, upload=app.state.settings.list_import_max_mb * 2**20)
    app.add_middleware(
        Shortcut, mail.PATH, BodyLimit(mail.MailSend()), machine_headers(app.state.settings.secure_cookies)
    )

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return app
