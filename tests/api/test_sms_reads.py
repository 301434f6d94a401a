"""`/v1/sms`: what became of accepted SMS, over HTTP."""

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI

from api import problems
from api.v1 import sms_reads
from domain.times import business_day
from services.catalog import build_services
from store.columns import now
from store.db import Database
from tests.lent_apps import lent_app
from tests.sends_doors import foundation
from tests.sms_past_world import Fate, texted
from tests.sms_world import SmsCustomer, make_sms_customer

FATES = (
    Fate("+8613800138000"), Fate("+8613800138001", "bounced", "sms.switched_off", reply="UNDELIV MK:0010"),
    Fate("+8613800138002", "sent"), Fate("+8613800138003", "queued", submitted=0), Fate("+8613800138004", "dropped",
    "sms.opted_out", 0),
)  # fmt: skip
NOBODYS = sms_reads.SEND_ID


@dataclass
class Door:
    """`/v1/sms` for one SMS user's key."""

    http: httpx2.AsyncClient
    db: Database
    customer: SmsCustomer

    async def ask(self, path: str = "", **query: Any) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.customer.key}"}
        return await self.http.get(f"/v1/sms{path}", params=query, headers=headers)

    async def got(self, path: str = "", **query: Any) -> Any:
        answer = await self.ask(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def texted(self, *fates: Fate) -> UUID:
        return await texted(self.db, self.customer, *fates)


def reads_only() -> FastAPI:
    app = FastAPI()
    problems.install(app)
    app.include_router(sms_reads.router)
    return app


@pytest.fixture
async def door(db: Database) -> AsyncIterator[Door]:
    app = lent_app(db, "/v1/sms reads", reads_only)
    app.state.services = build_services(await foundation(db))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://songda.test") as http:
        yield Door(http, db, await make_sms_customer(db))


async def test_requests_are_listed_newest_first_in_pages(door: Door) -> None:
    sends = [str(await door.texted(Fate())) for _ in range(3)][::-1]
    first = await door.got(limit=2)
    assert [each["id"] for each in first["items"]] == sends[:2]
    last = await door.got(limit=2, cursor=first["next_cursor"])
    assert ([each["id"] for each in last["items"]], last["next_cursor"]) == (sends[2:], None)
    about = first["items"][0]
    assert (about["sms_user"], about["template"], about["kind"]) == (door.customer.name, "notice", "notice")
    assert (about["recipients"], about["country"], about["label"], about["unit_micro"]) == (1, "CN", "autumn", None)


async def test_one_request_says_how_far_it_is(door: Door) -> None:
    found = await door.got(f"/{await door.texted(*FATES)}")
    assert found["outcomes"] == {
        "delivered": 1, "bounced": 1, "sent": 1, "deferred": 1, "dropped": 1, "queued": 0, "unknown": 0,
    }  # fmt: skip
    assert (found["finished"], found["text"]) == (False, "【送达科技】您好%name%，您的订单已发货。")
    done = await door.got(f"/{await door.texted(Fate())}")
    assert done["finished"] is True


async def test_messages_are_read_in_pages_and_by_outcome(door: Door) -> None:
    path = f"/{await door.texted(*FATES)}/messages"
    first = await door.got(path, limit=3)
    assert [one["outcome"] for one in first["items"]] == ["delivered", "bounced", "sent"]
    rest = await door.got(path, limit=3, cursor=first["next_cursor"])
    assert ([one["outcome"] for one in rest["items"]], rest["next_cursor"]) == (["deferred", "dropped"], None)
    (bounced,) = (await door.got(path, state="bounced"))["items"]
    assert (bounced["phone"], bounced["status_code"], bounced["reply"]) == ("+8613800138001", 580, "UNDELIV MK:0010")
    assert first["items"][0]["status_code"] is None


async def test_one_message_shows_its_parts(door: Door) -> None:
    send = await door.texted(Fate())
    (one,) = (await door.got(f"/{send}/messages"))["items"]
    assert (await door.got(f"/messages/{one['id']}"))["parts"] == []
    assert (await door.ask("/messages/999999999")).status_code == 404


async def test_messages_for_a_spreadsheet(door: Door) -> None:
    answer = await door.ask(f"/{await door.texted(*FATES)}/messages.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [row["outcome"] for row in rows] == ["delivered", "bounced", "sent", "deferred", "dropped"]
    assert rows[0]["phone"] == "'+8613800138000", "no formula"
    assert "attachment" in answer.headers["content-disposition"]


async def test_statistics_are_by_day_and_template(door: Door) -> None:
    await door.texted(*FATES)
    today = business_day(now()).isoformat()
    (line,) = (await door.got("/statistics", **{"from": today, "to": today}))["items"]
    assert (line["day"], line["template"], line["requested"], line["delivered"]) == (today, "notice", 5, 1)
    assert (line["not_processed"], line["not_delivered"], line["segments"]) == (1, 1, 3)
    assert line["charged"] == 3
    assert line["status_codes"] == {"430": 1, "580": 1}


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/statistics", {"from": "9999-12-31", "to": "9999-12-31"}, 422),
        ("/statistics", {"from": "0001-01-01", "to": "0001-01-01"}, 422),
        ("/statistics", {"from": "2026-11-02", "to": "2026-11-01"}, 422),
        ("/statistics", {"from": "2026-01-01", "to": "2026-12-01"}, 422), ("/statistics", {}, 422),
        ("", {"limit": 201}, 422), ("", {"cursor": "x"}, 422), ("/x", {}, 422), ("/messages/0", {}, 422),
        (f"/{NOBODYS}", {}, 404), (f"/{NOBODYS}/messages.csv", {}, 404), ("", {"cursor": NOBODYS}, 404),
    ],
)  # fmt: skip
async def test_what_cannot_be_asked(door: Door, path: str, query: dict[str, Any], status: int) -> None:
    answer = await door.ask(path, **query)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text


async def test_nobody_reads_what_is_anothers(door: Door) -> None:
    send = await door.texted(Fate())
    (one,) = (await door.got(f"/{send}/messages"))["items"]
    door.customer = await make_sms_customer(door.db)
    assert (await door.got())["items"] == []
    for path in (f"/{send}", f"/{send}/messages", f"/{send}/messages.csv", f"/messages/{one['id']}"):
        assert (await door.ask(path)).status_code == 404
