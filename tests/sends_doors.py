"""The service of sending behind its REST door, on a real database; and the engine for one pass."""

import asyncio
import contextlib
import datetime as dt
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import httpx2
from fastapi import FastAPI
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.delivery import DeliveryActivities
from activities.lanes import Lanes
from activities.mail_delivery import Wire
from activities.rendering import Renderer
from activities.sender_process import SenderProcess
from api import problems
from api.callers import any_caller
from api.v1 import sends
from domain.accounts import SYSTEM_ACCOUNT, Caller
from domain.ids import Kind, Process
from domain.secrets import new_token
from services.catalog import build_services
from services.clockwork import Clockwork
from services.foundation import Foundation
from services.sending import Sending
from settings import Settings
from store import pages
from store.accounts import LoginSession, Member
from store.columns import now
from store.db import Database
from tests.lent_apps import lent_app
from tests.sending_world import VAULT, Customer, FakeServers, make_customer
from web.app import mount

SECRET = "a test's master secret, 32 characters and more"


async def foundation(db: Database) -> Foundation:
    """Temporal is named but never spoken to: accept needs none."""
    settings = Settings(secret_key=SECRET, public_url="http://songda.test", time_scale=60)
    client = await Client.connect("127.0.0.1:1", lazy=True)
    return Foundation(db, Clockwork(db, client), VAULT, settings.policy())


@dataclass
class Door:
    """A client of `/v1` that acts as `caller`."""

    http: httpx2.AsyncClient
    customer: Customer
    caller: Caller
    app: FastAPI = field(repr=False)

    def body(self, *addresses: str, **changes: Any) -> dict[str, Any]:
        """A good request to these addresses."""
        recipients = [{"address": address, "variables": {"name": "World"}} for address in addresses]
        good = {
            "api_user": self.customer.api_user_name, "template": "hello",
            "from": f"hello@{self.customer.domain_name}", "recipients": recipients,
        }  # fmt: skip
        return good | changes

    def form(self, **changes: str) -> dict[str, str]:
        """The same for an upload."""
        fields = {name: value for name, value in self.body().items() if name != "recipients"}
        return fields | changes

    async def upload(self, data: bytes, headers: dict[str, str] | None = None, **changes: str) -> httpx2.Response:
        files = {"file": ("list.csv", data, "text/csv")}
        return await self.http.post("/v1/sends/upload", data=self.form(**changes), files=files, headers=headers or {})


def sends_only() -> FastAPI:
    app = FastAPI()
    problems.install(app)
    app.include_router(sends.router)
    return app


def pages_only() -> FastAPI:
    app = FastAPI()
    problems.install(app)
    mount(app, SECRET)
    return app


@contextlib.asynccontextmanager
async def door(db: Database) -> AsyncIterator[Door]:
    """`/v1/sends` over ASGI, for a new customer."""
    app = lent_app(db, "/v1/sends", sends_only)
    app.state.services = SimpleNamespace(sending=Sending(await foundation(db)))
    customer = await make_customer(db)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://songda.test") as http:
        made = Door(http, customer, customer.caller(), app)
        app.dependency_overrides[any_caller] = lambda: made.caller
        yield made


async def deliver_once(db: Database, servers: FakeServers) -> None:
    """What the worker does with everything that is due now."""
    async with db.raw() as connection:
        claimed = await pages.claim_batch(connection)
    assert claimed is not None
    process = SenderProcess(db, 8)
    task = asyncio.create_task(process.run())
    wire = Wire(servers, servers, Lanes.without_limits(db, process), per_destination=4, time_scale=60)
    work = DeliveryActivities(db, process, Renderer(db, VAULT, "bounce.test"), wire)
    page = Process(Kind.DELIVERY, str(claimed[0]), str(SYSTEM_ACCOUNT), 1)
    try:
        await ActivityEnvironment().run(work.deliver_page, page)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@dataclass
class Browser:
    """A signed-in browser's client of the portal; `member` is confirmed."""

    http: httpx2.AsyncClient
    customer: Customer
    app: FastAPI = field(repr=False)
    email: str

    async def token(self) -> str:
        """The CSRF token that pages carry."""
        page = await self.http.get("/portal/sends")
        found = re.search(r'name="csrf-token" content="([^"]+)"', page.text)
        assert found, page.text[:500]
        return found[1]

    async def post(self, path: str, fields: dict[str, str], file: bytes | None = None) -> httpx2.Response:
        data = fields | {"csrf_token": await self.token()}
        files = {} if file is None else {"file": ("list.csv", file, "text/csv")}
        return await self.http.post(path, data=data, files=files)

    def fields(self, **changes: str) -> dict[str, str]:
        """A good form."""
        good = {
            "api_user": self.customer.api_user_name, "template": "hello", "form": "token-1",
            "from": f"hello@{self.customer.domain_name}", "recipients": "email,name\na@qq.com,Ann\n", "step": "send",
        }  # fmt: skip
        return good | changes


@contextlib.asynccontextmanager
async def browser(db: Database, customer: Customer | None = None) -> AsyncIterator[Browser]:
    """The pages over ASGI, for a signed-in member of this customer, or of a new one."""
    app = lent_app(db, "pages", pages_only)
    app.state.services = build_services(await foundation(db))
    customer = customer or await make_customer(db)
    email = f"alice@{customer.domain_name}"
    token = new_token("st_")
    async with db.begin() as session:
        member = Member(account_id=customer.account, email=email, password_hash="-", email_confirmed_at=now())
        session.add(member)
        await session.flush()
        session.add(
            LoginSession(
                member_id=member.id, account_id=customer.account, digest=VAULT.digest(token),
                expires_at=now() + dt.timedelta(hours=1),
            )
        )  # fmt: skip
    transport = httpx2.ASGITransport(app)
    cookies = {"songda_session": token}
    async with httpx2.AsyncClient(transport=transport, base_url="http://songda.test", cookies=cookies) as http:
        yield Browser(http, customer, app, email)
