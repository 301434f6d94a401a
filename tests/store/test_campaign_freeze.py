"""The freeze against a plain model: whatever the lists and the chunks, each address gets one message, in its lane.

hypothesis makes up lists with overlaps, suppressed addresses and members without variables; a process dies between two
chunks or inside one, and two at once go on. Then the rows must say what a few lines of Python say.
"""

import asyncio
import contextlib
import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.addresses import domain_of
from domain.campaigns import CampaignState, Command
from domain.ids import Process, new_id
from domain.senders import SendKind
from domain.suppressions import DEAD, SuppressionScope
from store import audit, campaign_freeze, campaigns
from store.campaign_freeze import Frozen
from store.columns import now
from store.db import Connection, Database
from tests.campaign_world import make_batch_customer, make_campaign
from tests.sending_world import Customer
from tests.suppressed_world import CASES, Case

DOMAINS = ("a.test", "b.test", "c.test", "d.test", "e.test")
LANES = {"a.test": "qq", "b.test": "other", "c.test": "qq", "d.test": "gmail", "e.test": "other"}

addresses = st.builds(
    lambda local, domain: f"{local}@{domain}",
    st.sampled_from([*"abcdefghijkl", "Anna", "anna", "_x", "é", "ü.z", "a-b", "a.b"]),
    st.sampled_from(DOMAINS),
)
lists_of_members = st.lists(st.dictionaries(addresses, st.booleans(), max_size=24), min_size=1, max_size=4)
"""Members of each list by address, and whether they have the template's variable."""


class Killed(Exception):
    """The process is gone before its commit."""


@dataclass
class Expected:
    """What must come of the lists."""

    listed: int = 0
    duplicates: int = 0
    suppressed: Counter[str] = field(default_factory=Counter)
    incomplete: int = 0
    messages: dict[str, str] = field(default_factory=dict)
    """By address: the list that it comes from."""


HOLDS = [Case("complaint", ends=5), Case("unsubscribe", SuppressionScope.BATCH), Case("manual"), Case(DEAD, ends=5)]
"""In the order in which they are said."""
ENDED = [Case(one.reason, one.scope, -1) for one in HOLDS]
Gone: TypeAlias = dict[str, list[Case]]
"""Why addresses must not be written to, or were not to be."""
ways = st.lists(st.sampled_from([*HOLDS, *ENDED]), min_size=1, max_size=3, unique_by=lambda one: one.reason)


def said(cases: list[Case]) -> str | None:
    return next((one.reason for one in HOLDS if one in cases), None)


def model(lists: dict[UUID, dict[str, bool]], gone: Gone) -> Expected:
    """The same in plain words: an address counts where it stands first."""
    expected = Expected()
    seen: set[str] = set()
    for list_id, members in lists.items():
        for address, complete in members.items():
            expected.listed += 1
            if address in seen:
                expected.duplicates += 1
                continue
            seen.add(address)
            if why := said(gone.get(address.lower(), [])):
                expected.suppressed[why] += 1
            elif not complete:
                expected.incomplete += 1
            else:
                expected.messages[address] = str(list_id)
    return expected


async def write_list(connection: Connection, account: UUID, members: dict[str, bool]) -> UUID:
    list_id = new_id()
    await connection.execute(
        "INSERT INTO address_list (id, account_id, alias, name, description, members, created_at, changed_at)"
        " VALUES ($1, $2, $3, 'L', '', $4, now(), now())",
        *(list_id, account, f"{list_id.hex}@lists.test", len(members)),
    )
    rows = [
        (list_id, domain_of(address), address, {"list": str(list_id)} | ({"name": "World"} if complete else {}))
        for address, complete in members.items()
    ]
    await connection.executemany(
        "INSERT INTO list_member (list_id, domain, address, variables, created_at) VALUES ($1, $2, $3, $4, now())", rows
    )
    return list_id


async def prepared(
    db: Database, customer: Customer, written: list[dict[str, bool]], gone: Gone
) -> tuple[Process, dict[UUID, dict[str, bool]]]:
    """A campaign that has begun to prepare, and its lists in their order."""
    async with db.raw() as connection:
        lists = {await write_list(connection, customer.account, members): members for members in written}
        await connection.execute("DELETE FROM suppression; DELETE FROM dead_address")
    for address, cases in gone.items():
        for case in cases:
            await case.enter(db, customer.account, address)
    process = await make_campaign(db, customer, list(lists))
    await db.pool.execute("UPDATE campaign SET state = 'preparing' WHERE id = $1", UUID(process.subject))
    return process, lists


async def resolve(db: Database, campaign: UUID) -> None:
    """The steps before the copy, each twice, as two attempts would."""
    for _ in range(2):
        async with db.raw() as connection:
            lists = await campaign_freeze.begin(connection, campaign, now())
        assert lists is not None
        async with db.raw() as connection:
            members = await campaign_freeze.domains(connection, campaign, lists)
        if members is not None:
            async with db.raw() as connection:
                await campaign_freeze.write_lanes(connection, campaign, members, LANES)


async def copy(db: Database, campaign: UUID, chunk: int, deaths: Iterator[bool]) -> None:
    """Chunk after chunk; some are rolled back right before the commit, and two processes work at once."""

    async def one() -> Frozen | None:
        with contextlib.suppress(Killed):
            async with db.raw() as connection:
                found = await campaign_freeze.copy_chunk(connection, campaign, chunk)
                if next(deaths, False):
                    raise Killed
                return found
        return None

    for _ in range(1_000):
        done = await asyncio.gather(one(), one())
        if any(each is not None and each.over for each in done):
            return
    raise AssertionError("the copy does not end")


async def books(db: Database) -> list[str]:
    async with db.raw() as connection:
        found = await audit.check(connection, now() - dt.timedelta(minutes=5))
    return [f"{one.name}: {one.rows}" for one in found if one.count]


async def require_lanes(db: Database, campaign: UUID) -> None:
    """Ordinals are dense, and each lane's are one range with exactly its messages."""
    rows = await db.pool.fetch("SELECT address, ordinal FROM message WHERE submission_id = $1 ORDER BY 2", campaign)
    assert [row["ordinal"] for row in rows] == list(range(len(rows)))
    lanes = await db.pool.fetch("SELECT * FROM campaign_lane WHERE campaign_id = $1", campaign)
    for lane in lanes:
        stretch = rows[lane["first_ordinal"] : lane["end_ordinal"]]
        assert {LANES[domain_of(row["address"])] for row in stretch} == {lane["lane"]}
        assert lane["next_ordinal"] == lane["first_ordinal"]
    assert sum(lane["end_ordinal"] - lane["first_ordinal"] for lane in lanes) == len(rows)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    written=lists_of_members,
    gone=st.dictionaries(addresses.map(str.lower), ways, max_size=6),
    chunk=st.integers(1, 7),
    deaths=st.lists(st.booleans(), max_size=12),
)
async def test_every_address_once_in_its_lane(
    db: Database, written: list[dict[str, bool]], gone: Gone, chunk: int, deaths: list[bool]
) -> None:
    customer = await make_batch_customer(db, fen=0)
    process, lists = await prepared(db, customer, written, gone)
    campaign, expected = UUID(process.subject), model(lists, gone)
    await resolve(db, campaign)
    await copy(db, campaign, chunk, iter(deaths))
    row = await db.pool.fetchrow("SELECT * FROM campaign WHERE id = $1", campaign)
    counts = (row["listed"], row["duplicates"], row["suppressed"], row["incomplete"])
    assert counts == (expected.listed, expected.duplicates, expected.suppressed.total(), expected.incomplete)
    assert row["suppressed_by"] == expected.suppressed
    rows = await db.pool.fetch("SELECT address, variables FROM message WHERE submission_id = $1", campaign)
    assert sorted(each["address"] for each in rows) == sorted(expected.messages)
    assert {each["address"]: each["variables"]["list"] for each in rows} == expected.messages
    await require_lanes(db, campaign)
    submission = await db.pool.fetchrow("SELECT recipients, duplicates FROM submission WHERE id = $1", campaign)
    assert tuple(submission) == (len(rows), expected.duplicates)
    assert await db.pool.fetchval("SELECT count(*) FROM list_freeze WHERE campaign_id = $1", campaign) == 0


async def test_each_reason_scope_and_end(db: Database) -> None:
    """As accept and the page decide; the counts say why."""
    customer = await make_batch_customer(db, fen=0)
    gone = {f"r{n}@a.test": [case] for n, case in enumerate(CASES)}
    process, _ = await prepared(db, customer, [{f"R{n}@a.test": True for n in range(len(CASES))}], gone)
    campaign = UUID(process.subject)
    await resolve(db, campaign)
    await copy(db, campaign, 5, iter(()))
    free = [f"R{n}@a.test" for n, case in enumerate(CASES) if not case.holds(SendKind.BATCH)]
    rows = await db.pool.fetch("SELECT address FROM message WHERE submission_id = $1", campaign)
    assert sorted(each["address"] for each in rows) == sorted(free)
    held = Counter(str(case.reason) for case in CASES if case.holds(SendKind.BATCH))
    row = await db.pool.fetchrow("SELECT suppressed, suppressed_by FROM campaign WHERE id = $1", campaign)
    assert (row["suppressed"], row["suppressed_by"]) == (held.total(), held)
    assert not await books(db)


async def test_no_chunk_is_larger_than_it_may_be(db: Database) -> None:
    """Each chunk is one transaction of at most 8 s: however many lists share a domain, it must not grow with them."""
    customer = await make_batch_customer(db, fen=0)
    written = [{f"l{n}-{k:02}@a.test": True for k in range(9)} for n in range(6)]
    process, _ = await prepared(db, customer, written, {})
    campaign = UUID(process.subject)
    await resolve(db, campaign)
    before, over = 0, False
    while not over:
        async with db.raw() as connection:
            frozen = await campaign_freeze.copy_chunk(connection, campaign, 10)
        assert frozen is not None
        assert frozen.listed - before <= 10
        before, over = frozen.listed, frozen.over
    assert before == 54


async def test_a_deleted_list_gets_no_mail(db: Database) -> None:
    """A campaign waits for its time; meanwhile its list is deleted, and its members' rows are not gone yet."""
    customer = await make_batch_customer(db, fen=0)
    process, lists = await prepared(db, customer, [{"a@a.test": True}, {"b@a.test": True}], {})
    campaign = UUID(process.subject)
    await db.pool.execute("UPDATE address_list SET deleted_at = now() WHERE id = $1", next(iter(lists)))
    await resolve(db, campaign)
    await copy(db, campaign, 10, iter([]))
    rows = await db.pool.fetch("SELECT address FROM message WHERE submission_id = $1", campaign)
    assert [row["address"] for row in rows] == ["b@a.test"]


async def test_stopped_between_chunks(db: Database) -> None:
    """Nothing is copied for a campaign that was paused or cancelled; after resume the copy goes on where it was."""
    customer = await make_batch_customer(db, fen=0)
    process, _ = await prepared(db, customer, [{f"r{n}@a.test": True for n in range(20)}], {})
    campaign = UUID(process.subject)
    await resolve(db, campaign)
    async with db.raw() as connection:
        await campaign_freeze.copy_chunk(connection, campaign, 7)
    await order(db, campaign, Command.PAUSE)
    async with db.raw() as connection:
        assert await campaign_freeze.copy_chunk(connection, campaign, 7) is None
    assert await order(db, campaign, Command.RESUME) is CampaignState.PREPARING
    await copy(db, campaign, 7, iter([]))
    assert await db.pool.fetchval("SELECT count(*) FROM message WHERE submission_id = $1", campaign) == 20
    await require_lanes(db, campaign)


async def order(db: Database, campaign: UUID, asked: Command) -> CampaignState:
    async with db.raw() as connection:
        row = await campaigns.lock(connection, campaign)
        return await campaigns.command(connection, row, asked)
