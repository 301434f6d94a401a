"""Operators on the application's own services, and a browser that is one of them."""

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

import httpx2
import pyotp
from temporalio.client import Client

from domain.operators import GivenOut, Operator, OperatorRole
from domain.visitors import Visitor
from services.catalog import Services, build_services
from store.db import Database
from tests.accounts_world import House
from tests.template_world import foundation

DESK = Visitor("192.0.2.50", "Firefox · Linux")
COOKIE = "songda_operator"


class Served(Protocol):
    """Whatever has the services: the whole house, or a bureau."""

    @property
    def services(self) -> Services: ...


@dataclass
class Bureau:
    """The services alone, which are there in no time."""

    db: Database
    services: Services


async def bureau(db: Database, client: Client | None = None) -> Bureau:
    return Bureau(db, build_services(await foundation(db, client)))


@dataclass
class Signed:
    """An operator with a session."""

    operator: Operator
    token: str
    given: GivenOut


async def enrolled(house: Served, name: str = "rita", *roles: OperatorRole) -> GivenOut:
    """As `songda operators add` makes them."""
    return await house.services.staff.provide(name, roles or (OperatorRole.REVIEWER,))


async def signed(house: Served, name: str = "rita", *roles: OperatorRole) -> Signed:
    """Somebody new, signed in by password and code."""
    given = await enrolled(house, name, *roles)
    ticket = await house.services.operators.present(name, given.password, DESK)
    made = await house.services.operators.complete(ticket.token, code_of(given), DESK)
    return Signed(made.operator, made.token, given)


def code_of(given: GivenOut, steps: int = 0) -> str:
    """The authenticator's code, `steps` of 30 s from now."""
    return pyotp.TOTP(given.secret).at(time.time(), counter_offset=steps)


@contextlib.asynccontextmanager
async def at_the_console(house: House, token: str = "") -> AsyncIterator[httpx2.AsyncClient]:
    """A browser with that session; it does not follow redirects, so that a test sees them."""
    async with house.browser() as client:
        client.follow_redirects = False
        if token:
            client.cookies.set(COOKIE, token, path="/console")
        yield client


async def exported(client: httpx2.AsyncClient, key: str, query: str = "", kind: str = "csv") -> str:
    """The file that a list of the console is exported as."""
    await client.get("/console/static/js/list.js")  # brings starlette-admin's token
    token = {"x-csrftoken": client.cookies["starlette_admin_csrftoken"]}
    place = f"/console/_api/{key}/action?name=export&all=1&_list_query={query}"
    answer = await client.post(place, data={"scope": "all", "format": kind}, headers=token)
    assert answer.status_code == 200, answer.text[:300]
    return answer.text
