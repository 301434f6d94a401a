"""The audit compares corrections with their messages and reports, and finds each way of breaking them."""

from services.audit import GRACE, audit
from store.audit import check
from store.audit_corrections import CHECKS
from store.columns import now
from store.db import Database
from tests.money_world import finish, make_paying, send
from tests.reports_world import dsn, inbound

TAKEN = {"action": "delivered", "status": "2.0.0", "said": ""}
FORWARD, REPORT, WAITS, CHARGEABLE = (one.name for one in CHECKS)
PAGES = "pages' totals equal what their messages ended as, corrections aside"
SIGNALS = "what was counted of each sender is what its messages ended as"

BREAKAGES = (
    ("UPDATE message SET state = 'delivered', reason = '' WHERE state = 'bounced'", FORWARD),
    ("UPDATE message SET code = 551 WHERE state = 'bounced'", FORWARD),
    ("UPDATE correction SET to_state = 'dropped' WHERE to_state = 'bounced'", FORWARD),
    ("UPDATE correction SET message_id = message_id + 1000", FORWARD),
    ("DELETE FROM correction WHERE from_state = 'delivered'", REPORT),
    ("DELETE FROM report WHERE effect = 'corrected'", REPORT),
    ("UPDATE report SET effect = 'noted'", REPORT),
    ("UPDATE report SET reason = 'soft.full'", REPORT),
    ("UPDATE report SET effect = 'waiting', received_at = now() - interval '2 hours'", WAITS),
    ("UPDATE correction SET charging = '' WHERE from_state = 'unknown'", CHARGEABLE),
    ("UPDATE correction SET charging = 'waived' WHERE from_state = 'delivered'", CHARGEABLE),
    ("DELETE FROM correction", PAGES),
    ("DELETE FROM signal_tally WHERE delivered < 0", SIGNALS),
)


async def corrected(db: Database) -> None:
    """One that was delivered and came back, one that took both steps, one whose report waits."""
    await send(db, await make_paying(db, 100), 3)
    await finish(db, ["delivered", "unknown"])
    rows = await db.pool.fetch("SELECT id, address FROM message ORDER BY id")
    (one, its), (two, their), (three, yonder) = [(row["id"], row["address"]) for row in rows]
    door = inbound(db)
    for message, raw in ((one, dsn(its)), (two, dsn(their, **TAKEN)), (two, dsn(their)), (three, dsn(yonder))):
        await door.report(raw, [message])


async def test_corrections_that_are_right_pass(db: Database) -> None:
    await corrected(db)
    report = await audit(db)
    assert report.clean, [finding for finding in report.findings if finding.count]
    assert await db.pool.fetchval("SELECT count(*) FROM correction") == 3


async def test_each_breakage_is_found(db: Database) -> None:
    await corrected(db)
    late = now() - GRACE
    async with db.pool.acquire() as connection:
        for breakage, expected in BREAKAGES:
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(breakage)
            found = [finding.name for finding in await check(connection, late) if finding.count]
            await transaction.rollback()
            assert expected in found, breakage


def test_every_check_has_a_breakage() -> None:
    assert {one.name for one in CHECKS} <= {expected for _, expected in BREAKAGES}
