"""`/smsapi` as an SMS user's program calls it: signed parameters in, SendCloud's envelope out."""

import importlib
import pkgutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from fastapi import FastAPI

from api import sendcloud
from api.body_limit import BodyLimit
from domain.sendcloud_signing import sign
from services.catalog import build_services
from store.db import Database
from tests.lent_apps import lent_app
from tests.sends_doors import foundation
from tests.sms_world import SmsCustomer, make_sms_customer


@dataclass
class Wire:
    """Calls of one SMS user, signed with its key."""

    http: httpx2.AsyncClient
    db: Database
    customer: SmsCustomer

    async def call(self, path: str, method: str = "POST", algorithm: str = "md5", **given: Any) -> dict[str, Any]:
        """The envelope that came back; None leaves a parameter out."""
        fields = {name: str(value) for name, value in given.items() if value is not None}
        fields["smsUser"] = self.customer.name
        fields["signature"] = sign(self.customer.key, fields, algorithm)
        if method == "GET":
            return envelope(await self.http.get(f"/smsapi/{path}", params=fields))
        return envelope(await self.http.post(f"/smsapi/{path}", data=fields))

    async def done(self, path: str, message: str = "请求成功", **given: Any) -> dict[str, Any]:
        """The info of a call that must succeed with this message."""
        answer = await self.call(path, **given)
        assert (answer["result"], answer["statusCode"], answer["message"]) == (True, 200, message), answer
        return dict(answer["info"])

    async def refused(self, path: str, code: int, **given: Any) -> str:
        """The message of a call that must fail with this code."""
        answer = await self.call(path, **given)
        assert (answer["result"], answer["statusCode"], answer["info"]) == (False, code, {}), answer
        return str(answer["message"])


def envelope(answer: httpx2.Response) -> dict[str, Any]:
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json;charset=UTF-8")
    body: dict[str, Any] = answer.json()
    assert set(body) == {"result", "statusCode", "message", "info"}
    return body


def door() -> FastAPI:
    """Every module of `/smsapi`."""
    app = FastAPI()
    for module in pkgutil.iter_modules(sendcloud.__path__, "api.sendcloud."):
        app.router.routes += getattr(importlib.import_module(module.name), "ROUTES", ())
    app.add_middleware(BodyLimit)
    return app


@asynccontextmanager
async def wire_of(db: Database, customer: SmsCustomer | None = None) -> AsyncIterator[Wire]:
    """A customer that may send SMS, at its door."""
    app = lent_app(db, "/smsapi", door)
    app.state.services = build_services(await foundation(db))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://songda.test") as http:
        yield Wire(http, db, customer or await make_sms_customer(db))
