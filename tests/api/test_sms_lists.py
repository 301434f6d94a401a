"""`/v1/sms/interceptions`, `/replies`, `/opt-outs`."""

from collections.abc import AsyncIterator

import pytest

from domain.ids import new_id
from domain.sms_results import SmsReason
from store.columns import now
from store.db import Database
from store.sms_interceptions import SmsFailure, note_failures
from tests.domain_doors import Doors, doors
from tests.sms_hooks_world import answer, texted
from tests.sms_world import PHONES, make_sms_customer


@pytest.fixture
async def house(db: Database) -> AsyncIterator[Doors]:
    async with doors(db) as opened:
        yield opened


def number() -> str:
    return f"+86{next(PHONES)}"


async def test_interceptions_are_listed_looked_up_and_removed(house: Doors, db: Database) -> None:
    other, mine, theirs = await make_sms_customer(db, fen=0), number(), number()
    async with db.raw() as connection:
        rows = [
            SmsFailure(house.owner.account_id, mine, 1, SmsReason.SUSPENDED, "MK:0005"),
            SmsFailure(other.account, theirs, 2, SmsReason.EMPTY_NUMBER, "MK:0001"),
        ]
        await note_failures(connection, rows, now())
    (row,) = (await house.http.get("/v1/sms/interceptions")).json()["items"]
    assert (row["phone"], row["scope"], row["code"], row["error"], row["times"]) == (mine, "global", 510, "MK:0005", 1)
    assert (await house.http.get("/v1/sms/interceptions?code=500")).json()["items"] == []
    assert (await house.http.get("/v1/sms/interceptions?code=501")).status_code == 422
    why = (await house.http.get("/v1/sms/interceptions/lookup", params={"phone": theirs})).json()
    assert (why["blocked"], why["own"], set(why["other"])) == (True, [], {"code", "until"})
    asked = await house.http.post("/v1/sms/interceptions/unblock-requests", json={"phone": theirs, "note": "in use"})
    assert asked.status_code == 201
    assert (await house.http.get(f"/v1/sms/interceptions/unblock-requests/{asked.json()['id']}")).json()[
        "lifted"
    ] is False
    twice = await house.http.post("/v1/sms/interceptions/unblock-requests", json={"phone": theirs, "note": "in use"})
    assert (twice.status_code, twice.json()["code"]) == (409, "sms_unblock_open")
    own = await house.http.post("/v1/sms/interceptions/unblock-requests", json={"phone": mine, "note": "in use"})
    assert own.json()["code"] == "sms_not_blocked_by_others"
    assert f"'{mine},global,510" in (await house.http.get("/v1/sms/interceptions.csv")).text
    assert (await house.http.delete(f"/v1/sms/interceptions/{row['id']}")).status_code == 204
    gone = await house.http.delete(f"/v1/sms/interceptions/{row['id']}")
    assert (gone.status_code, gone.json()["code"]) == (404, "sms_interception_unknown")


async def test_opt_outs_come_and_go(house: Doors) -> None:
    made = await house.http.post("/v1/sms/opt-outs", json={"phones": ["138 0013 8000", "+8613800138000"]})
    assert (made.status_code, made.json()) == (201, {"added": 1, "known": 1})
    wrong = await house.http.post("/v1/sms/opt-outs", json={"phones": ["13800138000", "0"]})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "phones[1]")
    told = await house.http.post("/v1/sms/opt-outs/import", files={"file": ("n.csv", b"13900139000\nx\n", "text/csv")})
    assert (told.status_code, told.json()["added"], told.json()["refused"]) == (200, 1, 1)
    rows = (await house.http.get("/v1/sms/opt-outs?source=member")).json()["items"]
    assert [row["phone"] for row in rows] == ["+8613900139000", "+8613800138000"]
    assert (await house.http.get(f"/v1/sms/opt-outs/{new_id()}")).status_code == 404
    assert (await house.http.delete(f"/v1/sms/opt-outs/{rows[0]['id']}")).status_code == 204
    gone = await house.http.post("/v1/sms/opt-outs/remove", json={"ids": [row["id"] for row in rows]})
    assert gone.json() == {"removed": 1}


async def test_replies_are_read_and_cannot_be_written(house: Doors, db: Database) -> None:
    customer, phone = await make_sms_customer(db, fen=0), number()
    customer.account = house.owner.account_id
    await texted(db, customer, phone)
    await house.services.sms_replies.take(answer(phone, "TD"))
    (row,) = (await house.http.get("/v1/sms/replies?opt_out=true")).json()["items"]
    assert (row["phone"], row["content"], row["is_opt_out"]) == (phone, "TD", True)
    assert (await house.http.get(f"/v1/sms/replies/{row['id']}")).json() == row
    assert (await house.http.post("/v1/sms/replies", json={})).status_code == 405
    (out,) = (await house.http.get("/v1/sms/opt-outs")).json()["items"]
    assert (out["source"], out["word"], out["reply_id"]) == ("reply", "td", row["id"])
    refused = await house.http.delete(f"/v1/sms/opt-outs/{out['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "sms_opted_out_by_owner")
    assert (await house.http.delete(f"/v1/sms/opt-outs/{out['id']}?despite_reply=true")).status_code == 204
