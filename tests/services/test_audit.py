"""The audit passes on honest books, and each way of breaking them is found and named."""

import pytest

from services.audit import audit
from store.db import Database
from tests.sending_world import make_customer, submit


async def test_honest_books_are_clean(db: Database) -> None:
    await submit(db, await make_customer(db), ["a@x.test", "b@x.test"])
    report = await audit(db)
    assert report.clean, report.findings
    assert report.totals["accepted"] == report.totals["queued"] == 2


@pytest.mark.parametrize(
    ("breakage", "check"),
    [
        ("DELETE FROM message WHERE address = 'a@x.test'", "every submission has a message per accepted recipient"),
        (
            "DELETE FROM due",
            "every queued message is in exactly one place: due, an open page, a slot, or a campaign's range ahead",
        ),
        (
            "INSERT INTO page"
            " (id, epoch, messages, rounds, created_at, delivered, deferred, bounced, dropped, uncertain)"
            " SELECT gen_random_uuid(), 0, array_agg(id), array_agg(round), now(), 0, 0, 0, 0, 0 FROM message",
            "every queued message is in exactly one place: due, an open page, a slot, or a campaign's range ahead",
        ),
        ("UPDATE message SET state = 'delivered', attempts = 1", "no settled message is waiting or being sent"),
        ("UPDATE message SET attempts = 3", "every try is on record"),
        (
            "WITH d AS (DELETE FROM due) UPDATE message SET state = 'delivered', attempts = 1",
            "pages' totals equal what their messages ended as, corrections aside",
        ),
        ("UPDATE quota_use SET used = used - 1", "quota used equals what was accepted, by account and day"),
        ("DELETE FROM quota_use", "quota used equals what was accepted, by account and day"),
        (
            "UPDATE submission SET expires_at = now() - interval '2 hours'",
            "no message is queued past its time to live",
        ),
        ("DELETE FROM submission", "every message belongs to a submission"),
        (
            "INSERT INTO sender (id, lease_until, host, pid, started_at)"
            " VALUES (gen_random_uuid(), now() - interval '2 hours', 'h', 1, now())",
            "no dead sender process is left unsettled",
        ),
        (
            "INSERT INTO clockwork (workflow_id, kind, subject, account_id, created_at, nudge_wanted)"
            " VALUES ('x/1', 'x', '1', gen_random_uuid(), now() - interval '2 hours', false)",
            "every process was started",
        ),
    ],
)
async def test_each_breakage_is_found(db: Database, breakage: str, check: str) -> None:
    await submit(db, await make_customer(db), ["a@x.test", "b@x.test"])
    await db.pool.execute(breakage)
    report = await audit(db)
    assert check in [finding.name for finding in report.findings if finding.count]


async def test_possible_duplicates_are_named_and_no_failure(db: Database) -> None:
    await submit(db, await make_customer(db), ["a@x.test"])
    await db.pool.execute("UPDATE message SET possible_duplicate = true")
    report = await audit(db)
    assert report.clean
    assert [row["state"] for row in report.possible_duplicates] == ["queued"]
