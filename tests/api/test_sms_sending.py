"""`POST /v1/sms`: who may, what is answered, problems."""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from api import problems
from api.v1 import sms_sending
from domain.secrets import SESSION_PREFIX, new_token
from services.catalog import build_services
from store.accounts import LoginSession
from store.columns import now
from store.db import Database
from tests.lent_apps import lent_app
from tests.sending_world import VAULT
from tests.sends_doors import foundation
from tests.sms_world import PHONES, SmsCustomer, make_sms_customer


@dataclass
class Door:
    http: httpx2.AsyncClient
    db: Database
    customer: SmsCustomer

    async def post(self, *phones: str, key: str = "", bearer: str = "", **changes: Any) -> httpx2.Response:
        """A good request to these numbers."""
        people = [{"phone": phone, "variables": {"name": "李雷"}} for phone in phones or (next(PHONES),)]
        headers = {"Authorization": f"Bearer {bearer or self.customer.key}"} | ({"Idempotency-Key": key} if key else {})
        body = {"template": "notice", "recipients": people} | changes
        return await self.http.post("/v1/sms", json=body, headers=headers)


def door() -> FastAPI:
    app = FastAPI()
    problems.install(app)
    app.include_router(sms_sending.router)
    return app


@pytest.fixture
async def opened(db: Database) -> AsyncIterator[Door]:
    async with open_door(db) as made:
        yield made


@contextlib.asynccontextmanager
async def open_door(db: Database) -> AsyncIterator[Door]:
    app = lent_app(db, "/v1/sms", door)
    app.state.services = build_services(await foundation(db))
    customer = await make_sms_customer(db)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://songda.test") as http:
        yield Door(http, db, customer)


async def test_a_key_sends_and_hears_what_was_accepted(opened: Door) -> None:
    phone = next(PHONES)
    answer = await opened.post(phone, "123", phone, skip_invalid=True, label="x", tag="t")
    body = answer.json()
    assert answer.status_code == 202, body
    assert (body["accepted"], body["segments"], body["duplicates"], body["rejected"]) == (1, 1, 1, 1)
    assert answer.headers["location"] == body["url"] == f"/v1/sms/{body['ids'][0]}"
    assert [(one["line"], one["phone"]) for one in body["messages"]] == [(1, f"+86{phone}")]
    assert [(one["line"], one["reason"]) for one in body["rejections"]] == [(2, "phone_invalid")]
    assert body["sends_at"] is None


async def test_a_member_names_the_sms_user(opened: Door) -> None:
    token = new_token(SESSION_PREFIX)
    async with opened.db.begin() as session:
        session.add(
            LoginSession(
                account_id=opened.customer.account, member_id=opened.customer.member, digest=VAULT.digest(token),
                expires_at=now().replace(year=2100),
            )
        )  # fmt: skip
    assert (await opened.post(bearer=token)).json()["code"] == "required"
    assert (await opened.post(bearer=token, sms_user=opened.customer.name)).status_code == 202
    await opened.db.pool.execute("UPDATE member SET role = 'viewer'")
    assert (await opened.post(bearer=token, sms_user=opened.customer.name)).json()["code"] == "role_forbids"


async def test_who_is_not_known(opened: Door) -> None:
    assert (await opened.post(bearer="smsk_wrong")).status_code == 401
    assert (await opened.http.post("/v1/sms", json={})).status_code in (401, 422)
    other = await make_sms_customer(opened.db)
    assert (await opened.post(sms_user=other.name)).json()["code"] == "sms_user_unknown"


async def test_a_key_gets_the_first_answer_again(opened: Door) -> None:
    phone = next(PHONES)
    first = (await opened.post(phone, key="order-1")).json()
    again = (await opened.post(phone, key="order-1")).json()
    assert again == first | {"repeated": True}
    assert (await opened.post(key="order-1")).json()["code"] == "idempotency_reused"
    assert await opened.db.pool.fetchval("SELECT count(*) FROM message") == 1


async def test_problems_say_what_to_do(opened: Door) -> None:
    answer = await opened.post("010-62345678")
    body = answer.json()
    assert (answer.status_code, body["code"], body["field"]) == (422, "phone_landline", "recipients[0].phone")
    assert body["next_step"]
    body = (await opened.post("123", "456", skip_invalid=True)).json()
    assert body["code"] == "sms_none_left"
    assert [one["field"] for one in body["errors"]] == ["recipients[0].phone", "recipients[1].phone"]
    phone = next(PHONES)
    code: dict[str, Any] = {"template": "code", "recipients": [{"phone": phone, "variables": {"code": 123456}}]}
    assert (await opened.post(**code)).status_code == 202
    answer = await opened.post(**code)
    assert (answer.status_code, answer.json()["code"]) == (429, "sms_too_often_minute")
    await opened.db.pool.execute("DELETE FROM certification")
    answer = await opened.post()
    assert (answer.status_code, answer.json()["code"]) == (409, "step_missing")


ODD = ("\0", "\ud800", "x" * 40, "\u2028", "9" * 40, "١٢٣", "'; --", "%s", "{name}")


@pytest.mark.parametrize("where", ["sms_user", "template", "label", "tag", "phone", "variables", "name"])
async def test_odd_texts_are_taken_or_refused(opened: Door, where: str) -> None:
    for odd in ODD:
        phone, values = next(PHONES), {"name": odd if where == "variables" else "李雷"}
        one = {
            "phone": odd if where == "phone" else phone,
            "variables": values | ({odd: odd} if where == "name" else {}),
        }
        other = {where: odd} if where in ("sms_user", "template", "label", "tag") else {}
        token = {"Authorization": f"Bearer {opened.customer.key}", "Content-Type": "application/json"}
        body = json.dumps({"template": "notice", "recipients": [one]} | other)
        answer = await opened.http.post("/v1/sms", content=body, headers=token)
        assert answer.status_code in (202, 403, 422), answer.text
        assert where in ("label", "tag", "variables", "name") or answer.status_code != 202
