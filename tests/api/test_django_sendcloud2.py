"""django-sendcloud2 as PyPI has it sends SMS here, over a socket. It posts to `www.sendcloud.net`, whatever one sets:
where that leads is all that is changed, by the variable that names a proxy."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from domain.sms import SmsKind
from services.catalog import build_services
from store.db import Database
from tests.browsing import on_a_port
from tests.lent_apps import lent_app
from tests.sends_doors import foundation
from tests.sms_world import PHONES, SmsCustomer, make_sms_customer
from tests.smsapi_world import door

PROGRAM = """
import json, sys
from django.conf import settings
asked = json.load(sys.stdin)
settings.configure(SENDCLOUD={"sms": asked["sms"]})
from sendcloud import sms
print(json.dumps([sms.send(phone, template, **values) for phone, template, values in asked["calls"]]))
"""


@dataclass
class Site:
    """A program of a customer's."""

    base: str
    db: Database
    customer: SmsCustomer

    async def sent(self, *calls: tuple[str, int, dict[str, Any]], key: str = "") -> list[dict[str, Any]]:
        """What `sendcloud.sms.send` returned for each call."""
        sms = {"sms_user": self.customer.name, "sms_key": key or self.customer.key}
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "http_proxy": self.base},
        )  # fmt: skip
        told, _ = await program.communicate(json.dumps({"sms": sms, "calls": calls}).encode())
        assert program.returncode == 0
        answers: list[dict[str, Any]] = json.loads(told)
        return answers


@pytest.fixture
async def site(db: Database) -> AsyncIterator[Site]:
    app = lent_app(db, "/smsapi", door)
    app.state.services = build_services(await foundation(db))
    async with on_a_port(app) as base:
        yield Site(base, db, await make_sms_customer(db))


async def test_it_sends(site: Site) -> None:
    code, notice = site.customer.numbers[SmsKind.CODE], site.customer.numbers[SmsKind.NOTICE]
    first, second = next(PHONES), next(PHONES)
    answers = await site.sent((first, code, {"code": 123456}), (second, notice, {"name": "李雷 100%&=+"}))
    assert [answer["statusCode"] for answer in answers] == [200, 200]
    assert [answer["info"]["smsIds"][0].partition("$")[2] for answer in answers] == [first, second]
    rows = await site.db.pool.fetch("SELECT address, variables FROM message ORDER BY id")
    assert [tuple(row) for row in rows] == [
        (f"+86{first}", {"code": "123456"}), (f"+86{second}", {"name": "李雷 100%&=+"}),
    ]  # fmt: skip


async def test_it_hears_what_is_refused(site: Site) -> None:
    code, phone = site.customer.numbers[SmsKind.CODE], next(PHONES)
    calls = [(phone, code, {}), (phone, 999_999, {}), (phone, code, {"code": 1}), (phone, code, {"code": 2})]
    assert [answer["statusCode"] for answer in await site.sent(*calls)] == [441, 431, 200, 496]
    assert [answer["statusCode"] for answer in await site.sent(calls[2], key="another")] == [422]
