"""`/v1/sends`: accepted whole or refused whole, and every recipient's fate can be read."""

import csv
import io
import json
from collections.abc import AsyncIterator

import pytest

from api.body_limit import BodyLimit
from domain.accounts import Caller
from domain.ids import new_id
from domain.sending import Outcome, OutcomeKind
from domain.transport import Mail
from store.db import Database
from tests.reports_world import dsn, inbound
from tests.sending_world import DELIVERED, FakeServers, make_customer
from tests.sends_doors import Door, deliver_once, door


@pytest.fixture
async def api(db: Database) -> AsyncIterator[Door]:
    async with door(db) as made:
        yield made


async def messages(db: Database) -> list[str]:
    return [row["address"] for row in await db.pool.fetch("SELECT address FROM message ORDER BY id")]


async def nothing_written(db: Database) -> bool:
    found = await db.pool.fetchrow(
        "SELECT (SELECT count(*) FROM submission) + (SELECT count(*) FROM message) + (SELECT count(*) FROM due)"
    )
    return bool(found[0] == 0)


async def test_a_send_is_durable_when_it_is_answered(api: Door, db: Database) -> None:
    answer = await api.http.post("/v1/sends", json=api.body("a@qq.com", "b@例子.中国", "a@QQ.com"))
    assert answer.status_code == 202
    made = answer.json()
    assert (made["accepted"], made["duplicates"], made["rejected"], made["repeated"]) == (2, 1, 0, False)
    assert answer.headers["location"] == made["url"] == f"/v1/sends/{made['id']}"
    assert await messages(db) == ["a@qq.com", "b@xn--fsqu00a.xn--fiqs8s"]
    assert await db.pool.fetchval("SELECT count(*) FROM due") == 2


async def test_numbers_among_the_values_are_text(api: Door, db: Database) -> None:
    body = api.body()
    body["recipients"] = [{"address": "a@qq.com", "variables": {"name": 7, "unused": 1.5}}]
    assert (await api.http.post("/v1/sends", json=body)).status_code == 202
    assert await db.pool.fetchval("SELECT variables FROM message") == {"name": "7"}


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"recipients": [{"adress": "a@b.cc"}]}, "recipients[0].address", "invalid"),
        ({"colour": "red"}, "colour", "invalid"),
        ({"template": 7}, "template", "invalid"),
        ({"recipients": []}, "recipients", "no_recipients"),
        ({"api_user": "nobody"}, "api_user", "api_user_unknown"),
        ({"api_user": ""}, "api_user", "required"),
        ({"template": "none"}, "template", "template_unknown"),
        ({"from": "a@elsewhere.example"}, "from", "domain_unknown"),
        ({"recipients": [{"address": "a@b.cc", "variables": {"name": "x"}}, {"address": "broken"}]},
         "recipients[1].address", "address_no_at"),
        ({"recipients": [{"address": "a@b.cc"}]}, "recipients[0].variables", "variables_missing"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("language", ["zh-CN", "en"])
async def test_refusals_name_the_field_and_the_next_step(
    api: Door, db: Database, changes: dict[str, object], field: str, code: str, language: str
) -> None:
    answer = await api.http.post("/v1/sends", json=api.body("a@b.cc", **changes), headers={"Accept-Language": language})
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (problem["field"], problem["code"]) == (field, code)
    assert 400 <= answer.status_code < 500
    assert problem["detail"] and problem["next_step"]
    assert await nothing_written(db)


async def test_bad_recipients_can_be_skipped_and_are_named(api: Door, db: Database) -> None:
    body = api.body("a@b.cc", "broken", "c@d.ee", skip_invalid=True)
    made = (await api.http.post("/v1/sends", json=body)).json()
    assert (made["accepted"], made["rejected"]) == (2, 1)
    expected = [{"line": 2, "address": "broken", "reason": "address_no_at",
                 "detail": "An address needs an @ between name and domain."}]  # fmt: skip
    assert made["rejections"] == expected
    shown = (await api.http.get(made["url"])).json()
    assert (shown["rejected"], shown["rejections"]) == (1, expected)


async def test_an_idempotency_key_sends_once(api: Door, db: Database) -> None:
    headers, body = {"Idempotency-Key": "order-1"}, api.body("a@b.cc")
    first = (await api.http.post("/v1/sends", json=body, headers=headers)).json()
    second = (await api.http.post("/v1/sends", json=body, headers=headers)).json()
    assert second == first | {"repeated": True}
    other = await api.http.post("/v1/sends", json=api.body("c@d.ee"), headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_reused")
    assert await messages(db) == ["a@b.cc"]


async def test_an_api_users_key_sends_as_that_user(api: Door, db: Database) -> None:
    api.caller = Caller(api.customer.account, api_user_id=api.customer.api_user)
    assert (await api.http.post("/v1/sends", json=api.body("a@b.cc", api_user=""))).status_code == 202
    api.caller = Caller(api.customer.account, api_user_id=new_id())
    refused = await api.http.post("/v1/sends", json=api.body("a@b.cc"))
    assert refused.json()["field"] == "api_user"
    assert await messages(db) == ["a@b.cc"]


async def test_a_file_is_sent(api: Door, db: Database) -> None:
    data = "email,name,city\r\na@qq.com,李雷,武汉\r\nb@163.com,韩梅梅,北京\r\na@QQ.COM,again,x\r\n".encode("gb18030")
    answer = await api.upload(data)
    assert answer.status_code == 202, answer.text
    made = answer.json()
    assert (made["accepted"], made["duplicates"], made["rejected"]) == (2, 1, 0)
    rows = await db.pool.fetch("SELECT address, variables FROM message ORDER BY ordinal")
    assert [(row["address"], row["variables"]) for row in rows] == [
        ("a@qq.com", {"name": "李雷"}),
        ("b@163.com", {"name": "韩梅梅"}),
    ]
    assert (await api.http.get(made["url"])).json()["duplicates"] == 1


BROKEN = b"email,name\na@b.cc,x\nbroken,y\nc@d.ee\ne@f.gg,z\na@B.cc,again\n"


async def test_broken_lines_are_all_named_and_nothing_is_sent(api: Door, db: Database) -> None:
    answer = await api.upload(BROKEN)
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["field"], problem["count"]) == (422, "csv_problems", "file", 2)
    assert [(e["field"], e["code"]) for e in problem["errors"]] == [
        ("lines[3]", "address_no_at"),
        ("lines[4]", "csv_fields"),
    ]
    assert "There should be 2 fields, but there are 1." in problem["errors"][1]["detail"]
    assert await nothing_written(db)


async def test_broken_lines_can_be_skipped_and_a_repeat_answers_the_same(api: Door, db: Database) -> None:
    headers = {"Idempotency-Key": "file-1"}
    first = (await api.upload(BROKEN, headers, skip_invalid="true")).json()
    assert (first["accepted"], first["duplicates"], first["rejected"]) == (2, 1, 2)
    assert [(r["line"], r["address"], r["reason"]) for r in first["rejections"]] == [
        (3, "broken", "address_no_at"),
        (4, "c@d.ee", "csv_fields"),
    ]
    assert (await api.upload(BROKEN, headers, skip_invalid="true")).json() == first | {"repeated": True}
    shown = (await api.http.get(first["url"])).json()
    assert (shown["rejected"], shown["duplicates"], shown["recipients"]) == (2, 1, 2)
    assert await messages(db) == ["a@b.cc", "e@f.gg"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "csv_empty"),
        (b"email,name\n", "csv_no_lines"),
        (b"email\na@b.cc\n", "csv_columns_missing"),
        (b"PK\x03\x04", "csv_spreadsheet"),
        (b"email,name\nbroken,x\n", "csv_problems"),
    ],
)
async def test_files_that_cannot_be_sent(api: Door, db: Database, data: bytes, code: str) -> None:
    answer = await api.upload(data, skip_invalid="true")
    problem = answer.json()
    assert (problem["code"], problem["field"]) == (code, "file"), problem
    assert await nothing_written(db)


async def test_a_bad_value_in_a_file_names_its_line(api: Door, db: Database) -> None:
    data = "email,name\n\na@b.cc,x\nc@d.ee," + "长" * 6000 + "\n"
    problem = (await api.upload(data.encode())).json()
    assert (problem["field"], problem["code"]) == ("lines[4].variables", "variables_too_long")
    assert await nothing_written(db)


async def test_a_hundred_thousand_lines_over_quota_are_refused_whole(api: Door, db: Database) -> None:
    data = "email,name\n" + "".join(f"u{n}@example{n % 50}.com,n{n}\n" for n in range(100_000))
    answer = await api.upload(data.encode())
    assert (answer.status_code, answer.json()["code"]) == (429, "quota_exceeded")
    assert await nothing_written(db)


async def test_ten_thousand_lines_within_quota_are_accepted(api: Door, db: Database) -> None:
    await db.pool.execute(
        "UPDATE account SET daily_quota = 100000, free_quota = 100000 WHERE id = $1", api.customer.account
    )
    data = "email,name\n" + "".join(f"u{n}@example{n % 50}.com,n{n}\n" for n in range(10_000))
    made = (await api.upload(data.encode())).json()
    assert made["accepted"] == 10_000
    assert await db.pool.fetchval("SELECT count(*) FROM due") == 10_000


def answer_by_name(mail: Mail) -> Outcome:
    if mail.recipient.startswith("grey"):
        return Outcome(OutcomeKind.DEFERRED, "soft.greylist", 450, "4.7.1", "try again later", "mx.test")
    if mail.recipient.startswith("nobody"):
        return Outcome(OutcomeKind.BOUNCED, "hard.invalid_mailbox", 550, "5.1.1", "no such user", "mx.test")
    if mail.recipient.startswith("cut"):
        return Outcome(OutcomeKind.UNCERTAIN, "uncertain", text="dropped", host="mx.test")
    return DELIVERED


async def test_outcomes_and_attempts_can_be_read(api: Door, db: Database) -> None:
    body = api.body("grey@a.test", "nobody@a.test", "cut@a.test", "fine@a.test")
    url = (await api.http.post("/v1/sends", json=body)).json()["url"]
    before = (await api.http.get(url)).json()
    assert (before["state"], before["progress"], before["outcomes"]["queued"]) == ("in_progress", 0.0, 4)
    await deliver_once(db, FakeServers(answer_by_name))
    shown = (await api.http.get(url)).json()
    assert shown["outcomes"] == {
        "delivered": 1, "deferred": 2, "queued": 0, "bounced": 1, "dropped": 0, "unknown": 0,
    }  # fmt: skip
    assert (shown["state"], shown["progress"], shown["from"]) == ("in_progress", 0.5, body["from"])

    await db.pool.execute("UPDATE due SET due_at = now()")
    await deliver_once(db, FakeServers())
    finished = (await api.http.get(url)).json()
    assert (finished["state"], finished["progress"]) == ("finished", 1.0)
    items = {m["address"]: m for m in (await api.http.get(f"{url}/messages")).json()["items"]}
    grey = (await api.http.get(f"/v1/messages/{items['grey@a.test']['id']}")).json()
    assert [(t["number"], t["outcome"], t["class"], t["code"], t["text"]) for t in grey["history"]] == [
        (1, "deferred", "soft.greylist", 450, "try again later"),
        (2, "delivered", "", 250, "queued"),
    ]
    assert all(t["started_at"] and t["ended_at"] and not t["possible_duplicate"] for t in grey["history"])
    cut = (await api.http.get(f"/v1/messages/{items['cut@a.test']['id']}")).json()
    assert (cut["outcome"], cut["possible_duplicate"]) == ("delivered", True)
    assert [(t["outcome"], t["possible_duplicate"]) for t in cut["history"]] == [
        ("uncertain", False),
        ("delivered", True),
    ]
    nobody = (await api.http.get(f"/v1/messages/{items['nobody@a.test']['id']}")).json()
    assert [(t["outcome"], t["class"], t["enhanced"], t["host"]) for t in nobody["history"]] == [
        ("bounced", "hard.invalid_mailbox", "5.1.1", "mx.test")
    ]


async def test_messages_come_in_pages_and_by_state(api: Door, db: Database) -> None:
    url = (await api.http.post("/v1/sends", json=api.body(*[f"p{n}@a.test" for n in range(7)], "nobody@a.test"))).json()
    await deliver_once(db, FakeServers(answer_by_name))
    seen: list[str] = []
    cursor: str | None = "0"
    while cursor is not None:
        page = (await api.http.get(f"{url['url']}/messages?limit=3&state=delivered&cursor={cursor}")).json()
        seen += [message["address"] for message in page["items"]]
        cursor = page["next_cursor"]
    assert seen == [f"p{n}@a.test" for n in range(7)]
    bounced = (await api.http.get(f"{url['url']}/messages?state=bounced")).json()
    assert [m["address"] for m in bounced["items"]] == ["nobody@a.test"]
    assert (await api.http.get(f"{url['url']}/messages?state=lost")).status_code == 422


async def test_sends_come_in_pages_newest_first(api: Door) -> None:
    made = [(await api.http.post("/v1/sends", json=api.body("a@b.cc", label=str(n)))).json()["id"] for n in range(5)]
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await api.http.get("/v1/sends", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [send["id"] for send in page["items"]]
        cursor = page["next_cursor"]
    assert seen == made[::-1]


async def test_another_account_finds_nothing(api: Door, db: Database) -> None:
    made = (await api.http.post("/v1/sends", json=api.body("a@b.cc"))).json()
    message = (await api.http.get(f"{made['url']}/messages")).json()["items"][0]
    bob = await make_customer(db)
    api.caller = bob.caller()
    url = made["url"]
    for path in (url, f"{url}/messages", f"{url}/messages.csv", f"/v1/messages/{message['id']}"):
        answer = await api.http.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
    assert (await api.http.get("/v1/sends")).json() == {"items": [], "next_cursor": None}
    after = await api.http.get("/v1/sends", params={"cursor": made["id"]})
    assert after.json()["items"] == []
    assert (await api.http.post("/v1/sends", json=api.body("a@b.cc"))).json()["code"] == "api_user_unknown"


async def test_the_export_is_complete_and_no_value_is_a_formula(api: Door, db: Database) -> None:
    body = api.body("=cmd@evil.test", "+1@a.test", "fine@a.test")
    url = (await api.http.post("/v1/sends", json=body)).json()["url"]
    await deliver_once(db, FakeServers(lambda mail: Outcome(OutcomeKind.BOUNCED, "policy.other", 550, text="@SUM(1)")))
    answer = await api.http.get(f"{url}/messages.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["address"] for row in rows] == ["'=cmd@evil.test", "'+1@a.test", "fine@a.test"]
    assert {(row["outcome"], row["code"], row["reply"]) for row in rows} == {("bounced", "550", "'@SUM(1)")}


async def test_a_lost_ping_does_not_unsay_what_was_accepted(
    api: Door, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ConnectionResetError

    monkeypatch.setattr("services.acceptance.ping_relay", broken)
    assert (await api.http.post("/v1/sends", json=api.body("a@b.cc"))).status_code == 202


async def test_the_schema_describes_every_route_with_examples(api: Door) -> None:
    schema = (await api.http.get("/openapi.json")).json()
    assert {"/v1/sends", "/v1/sends/upload", "/v1/sends/{send_id}", "/v1/messages/{message_id}"} <= set(schema["paths"])
    upload = schema["paths"]["/v1/sends/upload"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert "from" in json.dumps(schema["components"]["schemas"][upload["schema"]["$ref"].rpartition("/")[2]])
    assert schema["components"]["schemas"]["SendIn"]["examples"]


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_without_bound_is_cut(api: Door, announced: bool) -> None:
    api.app.add_middleware(BodyLimit, limit=1000)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b" " * 100

    answer = await api.http.post(
        "/v1/sends", content=b" " * 5000 if announced else pieces(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413


async def test_what_recipients_did_is_counted(api: Door, db: Database) -> None:
    url = (await api.http.post("/v1/sends", json=api.body("a@qq.com", "b@qq.com"))).json()["url"]
    nothing = {"messages": 0, "times": 0}
    fresh = (await api.http.get(url)).json()
    assert (fresh["opens"], fresh["clicks"], fresh["unsubscribes"]) == (nothing, nothing, nothing)
    await db.pool.execute(
        "INSERT INTO engagement (message_id, kind, link, submission_id, account_id, first_at, last_at, times)"
        " SELECT m.id, d.kind, d.link, submission_id, account_id, now(), now(), d.times"
        " FROM message m, (VALUES ('open', 0, 3), ('click', 1, 1), ('click', 2, 4)) AS d (kind, link, times)"
    )
    shown = (await api.http.get(url)).json()
    assert (shown["opens"], shown["clicks"]) == ({"messages": 2, "times": 6}, {"messages": 2, "times": 10})
    assert shown["unsubscribes"] == nothing


async def test_a_correction_is_told_after_the_try_that_it_corrects(api: Door, db: Database) -> None:
    """Uncertain first, delivered says one report, returned says another."""
    url = (await api.http.post("/v1/sends", json=api.body("a@a.test"))).json()["url"]
    await deliver_once(db, FakeServers())
    message = await db.pool.fetchval("UPDATE message SET state = 'unknown', reason = 'uncertain' RETURNING id")
    reports = inbound(db)
    await reports.report(dsn("a@a.test", action="delivered", status="2.0.0", said=""), [message])
    await reports.report(dsn("a@a.test"), [message])
    shown = (await api.http.get(f"/v1/messages/{message}")).json()
    assert (shown["outcome"], shown["reason"], shown["attempts"]) == ("bounced", "hard.invalid_mailbox", 1)
    assert [(t["number"], t["outcome"], t["class"], t["code"], t["by_report"]) for t in shown["history"]] == [
        (1, "unknown", "uncertain", 250, False),
        (1, "delivered", "", 0, True),
        (1, "bounced", "hard.invalid_mailbox", 550, True),
    ]
    assert [t["started_at"] is None for t in shown["history"]] == [False, True, True]
    ends = [t["ended_at"] for t in shown["history"]]
    assert ends == sorted(ends) and len(set(ends)) == 3
    assert (await api.http.get(url)).json()["outcomes"]["bounced"] == 1
