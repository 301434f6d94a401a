"""Lanes, and mails that wait in them, as rows."""

from typing import Any
from uuid import UUID

from domain.ids import new_id
from store import lanes as store
from store import pages
from store.campaigns import Campaign, CampaignLane
from store.columns import now
from store.db import Database
from store.sending import Due, Page
from tests.sending_world import Customer, submit


async def with_lanes(db: Database) -> None:
    """As the first worker makes them."""
    async with db.raw() as connection:
        await store.ensure_lanes(connection, 1.0)


async def learn(db: Database, **lanes: str) -> None:
    """What the MX of these domains said, `qq_com="qq"`."""
    async with db.raw() as connection:
        found = [(name.replace("_", "."), lane, "mx") for name, lane in lanes.items()]
        await store.remember_lanes(connection, found)


async def single_mails(db: Database, customer: Customer, *addresses: str, in_hand: bool = False) -> None:
    """Mails that wait for the relay, or (`in_hand`) are in a page that nobody has delivered yet."""
    await submit(db, customer, list(addresses))
    if in_hand:
        async with db.raw() as connection:
            await pages.claim_batch(connection)


async def campaign(db: Database, customer: Customer, lane: str, **parts: int) -> UUID:
    """One that sends: `unpaged`, `in_page` (of them `done`) and `deferred` mails of one lane."""
    made = Campaign(
        account_id=customer.account, name="A campaign", api_user_id=customer.api_user, template_id=new_id(),
        template_version_id=customer.version, domain_id=customer.domain, sender="x@y.example", lists=[],
        state="sending", lives_hours=24, created_by="member/x", held_at=now(),
    )  # fmt: skip
    unpaged, in_page, deferred = (parts.get(name, 0) for name in ("unpaged", "in_page", "deferred"))
    rows: list[Any] = [
        CampaignLane(
            campaign_id=made.id, lane=lane, first_ordinal=0, end_ordinal=in_page + unpaged, next_ordinal=in_page
        ),
        Page(
            messages=[], rounds=[], campaign_id=made.id, lane=lane, runner=0, first_ordinal=0, end_ordinal=in_page,
            delivered=parts.get("done", 0),
        ),
    ]  # fmt: skip
    rows += [
        Due(message_id=number, account_id=customer.account, campaign_id=made.id, lane=lane)
        for number in range(10_000_000, 10_000_000 + deferred)
    ]
    async with db.begin() as session:
        session.add(made)
        session.add_all(rows)
    return made.id


async def use(db: Database, lane: str, *, bulk: int, express: int, alive: bool = True) -> None:
    """Connections of a worker, whose lease lives or not."""
    sender, ends = new_id(), "interval '1 minute'" if alive else "interval '-1 minute'"
    await db.pool.execute(
        f"INSERT INTO sender (id, lease_until, host, pid, started_at) VALUES ($1, now() + {ends}, 'h', 1, now())",
        sender,
    )
    await db.pool.execute(
        "INSERT INTO lane_share (sender_id, lane, site, bulk, express, wanting) VALUES ($1, $2, '', $3, $4, 0)",
        *(sender, lane, bulk, express),
    )
