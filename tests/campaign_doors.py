"""Campaigns behind their doors: made by `/v1`, moved as the activities do, without a process."""

import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx2
from fastapi import FastAPI
from temporalio.testing import ActivityEnvironment

from api import problems
from api.callers import any_caller
from api.v1 import campaigns, sends
from domain.accounts import Caller
from domain.campaigns import CampaignLookRequest, CampaignStep, LaneWork, RunnerShare
from domain.ids import Kind, Process
from services.catalog import Services, build_services
from store.columns import now
from store.db import Database
from tests.campaign_world import Engine, make_batch_customer, make_list
from tests.lent_apps import lent_app
from tests.sending_world import Customer
from tests.sends_doors import foundation

ADDRESSES = ("a@qq.com", "b@qq.com", "c@163.com", "d@other.example")


@dataclass
class Door:
    """A client of `/v1` that acts as `caller`."""

    http: httpx2.AsyncClient
    customer: Customer
    caller: Caller
    app: FastAPI = field(repr=False)

    @property
    def services(self) -> Services:
        made: Services = self.app.state.services
        return made

    def body(self, *lists: UUID | str, **changes: Any) -> dict[str, Any]:
        """A good request to these lists."""
        good: dict[str, Any] = {
            "name": "Autumn", "api_user": self.customer.api_user_name, "template": "hello",
            "from": f"hello@{self.customer.domain_name}", "lists": [str(one) for one in lists],
        }  # fmt: skip
        return good | changes

    async def create(self, *lists: UUID | str, **changes: Any) -> str:
        answer = await self.http.post("/v1/campaigns", json=self.body(*lists, **changes))
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    async def view(self, campaign: str) -> dict[str, Any]:
        answer = await self.http.get(f"/v1/campaigns/{campaign}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def act(self, campaign: str, verb: str, body: dict[str, Any] | None = None) -> httpx2.Response:
        return await self.http.post(f"/v1/campaigns/{campaign}/{verb}", json=body)


def campaigns_only() -> FastAPI:
    app = FastAPI()
    problems.install(app)
    app.include_router(campaigns.router)
    app.include_router(sends.router)
    return app


@contextlib.asynccontextmanager
async def door(db: Database) -> AsyncIterator[Door]:
    """`/v1/campaigns` over ASGI, for a new customer with money and a batch API user."""
    app = lent_app(db, "/v1/campaigns", campaigns_only)
    app.state.services = build_services(await foundation(db))
    customer = await make_batch_customer(db)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://songda.test") as http:
        made = Door(http, customer, customer.caller(), app)
        app.dependency_overrides[any_caller] = lambda: made.caller
        yield made


async def list_of(db: Database, customer: Customer, *addresses: str) -> UUID:
    """A list with these members, or with four."""
    return await make_list(db, customer, addresses or ADDRESSES)


async def begins(made: Engine, campaign: str, customer: Customer) -> tuple[Process, list[LaneWork]]:
    """Its time has come: lists copied, money and quota held. Its process, and the lanes to send in."""
    process = Process(Kind.CAMPAIGN, campaign, str(customer.account), 1)
    run = ActivityEnvironment().run
    await run(made.activities.look, CampaignLookRequest(process, now() + dt.timedelta(days=400)))
    await run(made.activities.prepare, CampaignStep(process, now()))
    seen = await run(made.activities.look, CampaignLookRequest(process, now()))
    return process, seen.lanes


async def sends_all(made: Engine, process: Process, lanes: list[LaneWork]) -> None:
    """One stretch in each lane."""
    for work in lanes:
        await ActivityEnvironment().run(made.pages.send, RunnerShare(process, work.lane, 0))


async def add_version(db: Database, customer: Customer, number: int = 2, state: str = "approved") -> None:
    """Another version of the customer's template."""
    await db.pool.execute(
        "INSERT INTO template_version (SELECT (jsonb_populate_record(v, jsonb_build_object('id', gen_random_uuid(),"
        " 'number', $2::int, 'state', $3::text))).* FROM template_version v WHERE id = $1)",
        *(customer.version, number, state),
    )
