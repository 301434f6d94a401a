"""Reports correct outcomes: once, forwards, with everything that follows, whatever comes how often in which order."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from domain.verp import Use, make_token
from services.audit import audit
from services.inbound import Inbound
from store.db import Database
from store.webhooks import WebhookEndpoint
from tests.money_world import PRICE, available, finish, make_paying, send, settle, standing
from tests.reports_world import REPLY, VACATION, complaint, dsn, inbound, path_of
from tests.sending_world import VAULT, Customer, make_customer, submit

ADDRESS = "p0@x.test"
HARD = dsn(ADDRESS)
FULL = dsn(ADDRESS, status="5.2.2", said="552 5.2.2 mailbox is full")
TAKEN = dsn(ADDRESS, action="delivered", status="2.0.0", said="")
SECOND = b"Final-Recipient: rfc822; other@x.test\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
"""Of a report about two recipients."""


async def listen(db: Database, customer: Customer) -> None:
    """An endpoint that hears everything."""
    async with db.begin() as session:
        events = ["deliver", "invalid", "soft_bounce", "report_spam"]
        session.add(WebhookEndpoint(account_id=customer.account, url="https://hooks.test/", secret=b"s", events=events))


async def one_that(db: Database, how: str | None, customer: Customer | None = None) -> int:
    """A message that ended so (None: not yet); everything that was owed until then is forgotten."""
    customer = customer or await make_customer(db)
    await listen(db, customer)
    await send(db, customer, 1)
    if how is not None:
        await finish(db, [how])
    await db.pool.execute("DELETE FROM webhook_event")
    return int(await db.pool.fetchval("SELECT max(id) FROM message"))


async def row(db: Database, message: int) -> Any:
    return await db.pool.fetchrow("SELECT * FROM message WHERE id = $1", message)


async def effects(db: Database) -> list[str]:
    return [str(row["effect"]) for row in await db.pool.fetch("SELECT effect FROM report ORDER BY id")]


async def events(db: Database) -> list[tuple[str, str | None, str | None]]:
    rows = await db.pool.fetch("SELECT kind, data FROM webhook_event ORDER BY id")
    return [(row["kind"], row["data"].get("class"), row["data"].get("corrects")) for row in rows]


async def counted(db: Database) -> dict[str, int]:
    names = ("delivered", "hard", "refused", "expired", "complained")
    row = await db.pool.fetchrow(
        f"SELECT {', '.join(f'sum({name})::int AS {name}' for name in names)} FROM signal_tally"
    )
    return {name: row[name] for name in names if row[name]}


async def clean(db: Database) -> None:
    report = await audit(db)
    assert report.clean, [finding for finding in report.findings if finding.count]


async def test_a_bounce_of_what_was_delivered(db: Database) -> None:
    message = await one_that(db, "delivered")
    await inbound(db).report(HARD, [message])
    found = await row(db, message)
    assert (found["state"], found["reason"], found["code"]) == ("bounced", "hard.invalid_mailbox", 550)
    assert (found["enhanced"], found["host"]) == ("5.1.1", "inner.shop.test")
    assert found["reply"] == "5.1.1 no such user"
    assert await events(db) == [("invalid", "hard.invalid_mailbox", "delivered")]
    assert await counted(db) == {"hard": 1}
    assert await db.pool.fetchval("SELECT address FROM dead_address") == ADDRESS
    before = await db.pool.fetchrow("SELECT * FROM correction")
    assert (before["from_state"], before["from_code"], before["to_state"]) == ("delivered", 250, "bounced")
    assert before["from_at"] < found["finished_at"]
    assert await effects(db) == ["corrected"]
    await clean(db)


@pytest.mark.parametrize(
    ("raw", "reason", "event"),
    [
        (FULL, "soft.full", "soft_bounce"),
        (dsn("new@other.test"), "hard.invalid_mailbox", "soft_bounce"),
        (dsn(ADDRESS, status="4.4.7", said=""), "expired", "soft_bounce"),
        (dsn(ADDRESS, status="5.0.0", said="554 no"), "policy.other", "soft_bounce"),
        (dsn(ADDRESS, status="5.1.1", said=""), "hard.invalid_mailbox", "invalid"),
    ],
    ids=["full", "passed on", "gave up", "no reason", "status alone"],
)
async def test_why_it_came_back(db: Database, raw: bytes, reason: str, event: str) -> None:
    """Only a mailbox that is the message's own, and does not exist, is dead for everybody."""
    message = await one_that(db, "delivered")
    await inbound(db).report(raw, [message])
    assert (await row(db, message))["reason"] == reason
    assert await events(db) == [(event, reason, "delivered")]
    assert await db.pool.fetchval("SELECT count(*) FROM dead_address") == (event == "invalid")
    await clean(db)


@pytest.mark.parametrize(
    ("how", "raws", "ends", "effect"),
    [
        ("unknown", [HARD], "bounced", ["corrected"]),
        ("unknown", [TAKEN], "delivered", ["corrected"]),
        ("unknown", [TAKEN, HARD], "bounced", ["corrected", "corrected"]),
        ("unknown", [HARD, TAKEN], "bounced", ["corrected", "noted"]),
        ("delivered", [TAKEN], "delivered", ["noted"]),
        ("delivered", [HARD, FULL], "bounced", ["corrected", "noted"]),
        ("delivered", [HARD, HARD], "bounced", ["corrected"]),
        ("bounced", [FULL], "bounced", ["noted"]),
        ("dropped", [HARD, TAKEN], "dropped", ["noted", "noted"]),
        ("delivered", [dsn(ADDRESS, action="delayed", status="4.4.1", said="")], "delivered", ["noted"]),
        (
            "delivered",
            [HARD.replace(b"--b1--", SECOND + b"--b1--").replace(b"failed", b"delayed", 1)],
            "delivered",
            ["noted"],
        ),
        ("delivered", [VACATION, REPLY], "delivered", ["noted", "noted"]),
        ("delivered", [b"\0\xff not a mail at all"], "delivered", ["noted"]),
    ],
)
async def test_steps_go_forwards_only(
    db: Database, how: str, raws: Sequence[bytes], ends: str, effect: list[str]
) -> None:
    message = await one_that(db, how)
    door = inbound(db)
    for raw in raws:
        await door.report(raw, [message])
    assert (await row(db, message))["state"] == ends
    assert await effects(db) == effect
    assert (
        await db.pool.fetchval("SELECT count(*) FROM correction") == effect.count("corrected") == len(await events(db))
    )
    await clean(db)


async def test_a_report_that_comes_before_the_outcome_waits_for_it(db: Database) -> None:
    """Servers answer within milliseconds, and outcomes are committed in groups."""
    door, message = inbound(db), await one_that(db, None)
    await door.report(HARD, [message])
    await door.report(VACATION, [message])
    assert await effects(db) == ["waiting", "noted"]
    assert await door.catch_up() == 0
    await finish(db, ["delivered"])
    assert await door.catch_up() == 1
    found = await row(db, message)
    assert (found["state"], found["reason"], found["code"]) == ("bounced", "hard.invalid_mailbox", 550)
    assert await effects(db) == ["corrected", "noted"]
    assert await door.catch_up() == 0
    await clean(db)


async def test_reports_of_wrong_books_hold_up_no_other(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.inbound.AT_ONCE", 1)
    door = inbound(db)
    await send(db, await make_paying(db, 10), 2)
    wrong, right = [row["id"] for row in await db.pool.fetch("SELECT id FROM message ORDER BY id")]
    await door.report(HARD, [wrong, right])
    await finish(db, ["unknown", "delivered"])
    await db.pool.execute("DELETE FROM tally")
    assert await door.catch_up() == 2
    assert await effects(db) == ["waiting", "corrected"]


async def test_at_once_from_all_sides_it_is_one_correction(db: Database) -> None:
    """The same mail at two doors, other mails about the same, and those that waited."""
    message = await one_that(db, None)
    doors = [inbound(db) for _ in range(3)]
    await doors[0].report(HARD, [message])
    raws = [HARD, HARD, FULL, FULL, TAKEN]
    await asyncio.gather(
        finish(db, ["unknown"]), *(door.report(raw, [message]) for door in doors for raw in raws),
        *(door.catch_up() for door in doors),
    )  # fmt: skip
    await asyncio.gather(*(door.catch_up() for door in doors))
    assert (await row(db, message))["state"] == "bounced"
    steps = [tuple(step) for step in await db.pool.fetch("SELECT from_state, to_state FROM correction ORDER BY id")]
    assert steps in ([("unknown", "bounced")], [("unknown", "delivered"), ("delivered", "bounced")])
    assert await db.pool.fetchval("SELECT count(*) FROM report") == 3
    assert len(await events(db)) == len(steps) + 1  # and the end of the dialogue itself
    await clean(db)


async def test_a_complaint_counts_once_and_holds_back(db: Database) -> None:
    message = await one_that(db, "delivered")
    door = inbound(db)
    await door.report(complaint("X-A: 1\r\n", "not-spam"), [message])
    assert await db.pool.fetchval("SELECT count(*) FROM suppression") == 0
    await door.report(complaint("X-A: 1\r\n"), [message])
    await door.report(complaint("X-A: 2\r\n"), [message])
    assert await effects(db) == ["noted", "complained", "noted"]
    assert [tuple(r) for r in await db.pool.fetch("SELECT address, reason, message_id FROM suppression")] == [
        (ADDRESS, "complaint", message)
    ]
    assert await events(db) == [("report_spam", None, None)]
    assert await counted(db) == {"delivered": 1, "complained": 1}
    acts = await db.pool.fetch("SELECT message_id, kind, times FROM engagement")
    assert [tuple(act) for act in acts] == [(message, "complaint", 1)]
    assert (await row(db, message))["state"] == "delivered"
    await clean(db)


async def test_a_loop_names_the_message_by_what_only_its_mail_says(db: Database) -> None:
    message = await one_that(db, "delivered")
    door = inbound(db)
    token = make_token(VAULT.verp_key, message, Use.MESSAGE_ID)
    await door.report(complaint("Message-ID: <0192.0.aaaaaaaaaaacuyn6fibqplrv6q@shop.example>\r\n"), [])
    await door.report(complaint("Message-ID: <0192.0@shop.example>\r\n"), [])
    assert await effects(db) == ["no_message", "no_message"]
    await door.report(complaint(f"Message-ID: <0192.0.{token.upper()}@shop.example>\r\n"), [])
    assert (await effects(db))[2:] == ["complained"]


@pytest.mark.parametrize("quoted", ["Message-ID", "Return-Path"])
async def test_what_a_mail_quotes_proves_no_bounce(db: Database, quoted: str) -> None:
    """Replies and forwarded mails show customers their Message-IDs: who has one must not bury its recipient for all."""
    message = await one_that(db, "delivered")
    path = path_of(message)
    token = make_token(VAULT.verp_key, message, Use.MESSAGE_ID)
    names = {"Message-ID": f"<0192.0.{token}@shop.example>", "Return-Path": f"<{path}>"}
    returned = f"--b1\r\nContent-Type: message/rfc822\r\n\r\n{quoted}: {names[quoted]}\r\n\r\nhello\r\n--b1--"
    await inbound(db).report(HARD.replace(b"--b1--", returned.encode()), [])
    assert await effects(db) == ["no_message"]
    assert (await row(db, message))["state"] == "delivered"
    assert await db.pool.fetchval("SELECT count(*) FROM dead_address") == 0


async def test_a_message_that_is_gone_is_counted_and_nothing_else(db: Database) -> None:
    await inbound(db).report(HARD, [4711])
    assert await effects(db) == ["no_message"]
    assert await db.pool.fetchval("SELECT message_id FROM report") is None


async def test_a_return_path_takes_so_many_reports_and_no_more(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever got one mail of ours may write to its return path for ever."""
    monkeypatch.setattr("store.reports.MOST_OF_ONE", 3)
    message = await one_that(db, "delivered")
    door = inbound(db)
    for number in range(6):
        await door.report(VACATION + b"%d" % number, [message])
    assert await effects(db) == ["noted"] * 3
    await door.report(HARD, [message])
    assert (await row(db, message))["state"] == "delivered"


async def test_addresses_in_a_report_are_masked(db: Database) -> None:
    """Of recipients whom mail was passed on to, say."""
    message = await one_that(db, "delivered")
    await inbound(db).report(
        dsn("new@other.test", said="550 5.1.1 <new@other.test>: unknown, ask li@qq.com"), [message]
    )
    said = await db.pool.fetchval("SELECT diagnostic FROM report")
    assert "n***@other.test" in said and "new@other" not in said and "li@" not in said
    assert "new@other" not in (await row(db, message))["reply"]


async def test_a_letter_is_kept_sealed_and_forgotten_in_time(db: Database) -> None:
    door = inbound(db)
    await door.letter(b"Subject: your server\r\n\r\nhelp\r\n")
    await door.letter(b"Subject: your server\r\n\r\nhelp\r\n")
    sealed = await db.pool.fetchval("SELECT sealed FROM report WHERE effect = 'letter'")
    assert b"help" not in sealed
    assert await effects(db) == ["letter"]


# What the books say. Each message costs PRICE; 1 fen is 10,000 micro-yuan.


async def charged(db: Database) -> list[str]:
    return [str(row["charging"]) for row in await db.pool.fetch("SELECT charging FROM correction ORDER BY id")]


@pytest.mark.parametrize("raws", [[HARD], [TAKEN], [TAKEN, HARD]], ids=["bounced", "delivered", "both"])
@pytest.mark.parametrize("settled", [False, True], ids=["counted", "settled"])
async def test_what_was_handed_over_after_all_is_charged(db: Database, raws: list[bytes], settled: bool) -> None:
    customer = await make_paying(db, 10)
    message = await one_that(db, "unknown", customer)
    if settled:
        await settle(db)
        assert await available(db, customer.account) == 100_000
    for raw in raws:
        await inbound(db).report(raw, [message])
    await clean(db)
    await settle(db)
    assert await available(db, customer.account) == 100_000 - PRICE
    assert (await standing(db, customer.account))[2] == 0
    assert await charged(db) == ["charged", ""][: len(raws)]
    await clean(db)


async def test_many_small_adjustments_post_whole_fen(db: Database) -> None:
    customer = await make_paying(db, 10)
    await send(db, customer, 7)
    await finish(db, ["unknown"] * 7)
    await settle(db)
    for found in await db.pool.fetch("SELECT id FROM message ORDER BY id"):
        await inbound(db).report(HARD, [found["id"]])
    assert await standing(db, customer.account) == (7, 7 * PRICE - 30_000, 0)
    assert await db.pool.fetchval("SELECT count(*) FROM journal WHERE kind = 'adjustment'") == 3
    await clean(db)


async def test_what_was_given_back_and_spent_is_not_taken_again(db: Database) -> None:
    """Below zero nobody comes; the correction says so, and the audit knows."""
    customer = await make_paying(db, 1)
    message = await one_that(db, "unknown", customer)
    await settle(db)
    await send(db, customer, 2)
    assert await available(db, customer.account) < PRICE
    await inbound(db).report(HARD, [message])
    assert await charged(db) == ["waived"]
    assert (await row(db, message))["state"] == "bounced"
    await finish(db, ["delivered", "delivered"])
    await settle(db)
    await clean(db)


async def test_a_bounce_of_what_was_charged_stays_charged(db: Database) -> None:
    """Without a code, too: the mail was handed over."""
    customer = await make_paying(db, 10)
    message = await one_that(db, "delivered", customer)
    await inbound(db).report(dsn(ADDRESS, said=""), [message])
    assert (await row(db, message))["code"] == 0
    await settle(db)
    assert await available(db, customer.account) == 100_000 - PRICE
    assert await charged(db) == [""]
    await clean(db)


async def test_free_messages_stay_free(db: Database) -> None:
    message = await one_that(db, "unknown", await make_paying(db, free=5))
    await inbound(db).report(HARD, [message])
    assert await charged(db) == [""]
    await clean(db)


async def test_settlements_and_corrections_at_once(db: Database) -> None:
    customer = await make_paying(db, 50)
    await send(db, customer, 30)
    await finish(db, ["unknown", "delivered", "dropped"] * 10)
    door: Inbound = inbound(db)
    ids = [found["id"] for found in await db.pool.fetch("SELECT id FROM message ORDER BY id")]
    await asyncio.gather(
        *(door.report(TAKEN, [one]) for one in ids), *(door.report(FULL, [one]) for one in ids),
        *(settle(db) for _ in range(3)),
    )  # fmt: skip
    await settle(db)
    assert await available(db, customer.account) == 500_000 - 20 * PRICE
    await clean(db)


async def test_letters_go_after_thirty_days_and_reports_about_messages_stay(db: Database) -> None:
    door = inbound(db)
    await door.letter(b"Subject: a\r\n\r\n")
    await door.report(HARD, [4711])
    await door.report(HARD, [await one_that(db, "delivered")])
    await db.pool.execute("UPDATE report SET received_at = now() - interval '31 days'")
    await door.letter(b"Subject: b\r\n\r\n")
    await door.forget_old()
    assert await effects(db) == ["corrected", "letter"]


async def test_nobody_hears_of_it_who_does_not_listen(db: Database) -> None:
    customer = await make_customer(db)
    await submit(db, customer, [ADDRESS])
    await finish(db, ["delivered"])
    await inbound(db).report(HARD, [await db.pool.fetchval("SELECT id FROM message")])
    assert await events(db) == []
