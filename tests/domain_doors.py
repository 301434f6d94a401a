"""The whole application over ASGI for a signed-in member, on a real database; Temporal is named, never spoken to."""

import contextlib
import datetime as dt
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID

import httpx2
from fastapi import FastAPI
from sqlmodel import col, update
from temporalio.client import Client

from api.app import create_app
from domain.accounts import Caller
from domain.domains import DomainState
from domain.ids import Kind
from domain.secrets import new_token
from services.catalog import Services, build_services
from services.clockwork import Clockwork
from services.foundation import Foundation
from settings import Settings
from store import clockwork
from store.accounts import LoginSession
from store.columns import now
from store.db import Database
from store.domains import SenderDomain
from tests.dns_world import POLICY, VAULT, make_account
from tests.lent_apps import lent_app

SECRET = "a test's master secret, 32 characters and more"


@dataclass
class Doors:
    """`http` carries the session both as a bearer token (`/v1`) and as a cookie (pages)."""

    http: httpx2.AsyncClient
    services: Services
    db: Database
    owner: Caller
    app: FastAPI = field(repr=False)

    async def state(self, domain_id: UUID, state: DomainState, problem: str | None = None) -> None:
        """What the process would write."""
        async with self.db.begin() as session:
            await session.exec(
                update(SenderDomain).where(col(SenderDomain.id) == domain_id).values(state=state, problem=problem)
            )

    async def usable(self, name: str = "shop.example") -> UUID:
        view = await self.services.domains.add(self.owner, name)
        await self.state(view.row.id, DomainState.USABLE)
        return view.row.id

    async def wants_nudge(self, workflow_id: str) -> bool:
        """Whether a nudge is wanted; it is taken."""
        async with self.db.begin() as session:
            row = await clockwork.find(session, workflow_id)
            assert row is not None
            wanted, row.nudge_wanted = row.nudge_wanted, False
            return wanted

    async def post(self, path: str, **fields: str | list[str]) -> httpx2.Response:
        """Submit a form of a page."""
        page = await self.http.get("/portal/domains")
        found = re.search(r'name="csrf-token" content="([^"]+)"', page.text)
        assert found
        return await self.http.post(path, data=fields | {"csrf_token": found[1]})


@contextlib.asynccontextmanager
async def doors(db: Database, language: str = "en") -> AsyncIterator[Doors]:
    client = await Client.connect("127.0.0.1:1", lazy=True)
    services = build_services(Foundation(db, Clockwork(db, client), VAULT, POLICY))
    settings = Settings(secret_key=SECRET)
    app = lent_app(db, settings, lambda: create_app(settings))
    app.state.services = services
    owner, token = await make_account(db), new_token("st_")
    assert owner.member_id is not None
    async with db.begin() as session:
        await clockwork.enlist(session, Kind.ONBOARDING, owner.account_id, owner.account_id)
        session.add(
            LoginSession(
                member_id=owner.member_id, account_id=owner.account_id, digest=VAULT.digest(token),
                expires_at=now() + dt.timedelta(hours=1),
            )
        )  # fmt: skip
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://songda.test",
        cookies={"songda_session": token}, headers={"authorization": f"Bearer {token}", "accept-language": language},
    ) as http:  # fmt: skip
        yield Doors(http, services, db, owner, app)
