"""What reports correct is counted in the campaign's lanes, in its report, and in its cost."""

from store import campaign_read
from store.db import Database
from tests.campaign_world import make_batch_customer
from tests.reports_world import dsn, inbound
from tests.store.test_campaign_ends import LANES, Runner, books, end, frozen, hold


async def test_a_campaign_counts_what_its_mails_became(db: Database) -> None:
    customer = await make_batch_customer(db)
    campaign = await frozen(db, customer, 6)
    await hold(db, campaign)
    runner = Runner(db, campaign)
    await runner.register()
    for lane in LANES.values():
        await runner.claim(lane)
        for _ in range(3):
            await runner.intend(lane)
            await runner.do("deliver", lane)
        await runner.close(lane)
    rows = await db.pool.fetch("SELECT id, address FROM message ORDER BY ordinal")
    for row in (rows[0], rows[3], rows[4]):
        await inbound(db).report(dsn(row["address"]), [row["id"]])
    await end(db, campaign)
    async with db.read() as session:
        counted = await campaign_read.counts(session, campaign)
        report = await campaign_read.report(session, customer.account, campaign)
    assert (counted.delivered, counted.bounced, counted.settled) == (3, 3, 6)
    lanes = {lane.lane: (lane.delivered, lane.bounced) for lane in counted.lanes}
    domains = [row["address"].rpartition("@")[2] for row in (rows[0], rows[3], rows[4])]
    assert lanes == {lane: (3 - domains.count(domain), domains.count(domain)) for domain, lane in LANES.items()}
    assert sorted(lanes.values()) == [(1, 2), (2, 1)]
    assert report is not None and (report["delivered"], report["bounced"]) == ("3", "3")
    assert await books(db) == []
