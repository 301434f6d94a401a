"""How campaigns begin and end: the hold at the very limit, a cancel at any moment, a pause; clean books after each."""

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.campaigns import CampaignState, Command, DailyHours
from domain.errors import Refusal
from domain.ids import Process, new_id
from domain.ledger import Terms
from domain.sending import MessageState, Outcome, OutcomeKind
from store import audit, campaign_ends, campaign_freeze, campaigns, pages
from store.columns import now
from store.db import Database
from store.dead_senders import settle_dead_sender
from store.dialogues import Ended, Intent, Turn, commit_turns
from store.leases import register_sender
from store.pages import PageMessage, TakenPage
from tests.campaign_world import make_batch_customer, make_campaign, make_list
from tests.money_world import available, settle
from tests.sending_world import Customer

TERMS = Terms(1.0, 4_500)
LANES = {"a.test": "qq", "b.test": "other"}
DELIVERED = Outcome(OutcomeKind.DELIVERED, code=250, text="ok", host="mx")
DEFERRED = Outcome(OutcomeKind.DEFERRED, "soft.greylist", 450, text="later", host="mx")
PAGE = 3


def addresses(number: int) -> list[str]:
    return [f"r{n:03}@{'ab'[n % 2]}.test" for n in range(number)]


async def frozen(db: Database, customer: Customer, number: int, **changes: object) -> UUID:
    """A campaign whose lists are copied, before its hold."""
    process: Process = await make_campaign(db, customer, [await make_list(db, customer, addresses(number))], **changes)
    return await frozen_from(db, process.subject, LANES)


async def frozen_from(db: Database, subject: str, lanes: dict[str, str]) -> UUID:
    """The campaign with its lists copied; `lanes`: the lane of each domain."""
    campaign = UUID(subject)
    await db.pool.execute("UPDATE campaign SET state = 'preparing' WHERE id = $1", campaign)
    async with db.raw() as connection:
        lists = await campaign_freeze.begin(connection, campaign, now())
        assert lists is not None
        members = await campaign_freeze.domains(connection, campaign, lists)
        assert members is not None
        await campaign_freeze.write_lanes(connection, campaign, members, lanes)
    over = False
    while not over:
        async with db.raw() as connection:
            done = await campaign_freeze.copy_chunk(connection, campaign)
        assert done is not None
        over = done.over
    return campaign


async def hold(db: Database, campaign: UUID) -> CampaignState | None:
    async with db.raw() as connection:
        return await campaign_ends.hold(connection, campaign, now(), TERMS)


async def order(db: Database, campaign: UUID, asked: Command) -> CampaignState:
    async with db.raw() as connection:
        return await campaigns.command(connection, await campaigns.lock(connection, campaign), asked)


async def books(db: Database) -> list[str]:
    async with db.raw() as connection:
        found = await audit.check(connection, now() - dt.timedelta(minutes=5))
    return [f"{one.name}: {one.rows}" for one in found if one.count]


class Runner:
    """A sender process with one runner per lane, one step at a time."""

    def __init__(self, db: Database, campaign: UUID) -> None:
        self._db = db
        self._campaign = campaign
        self.sender = new_id()
        self.pages: dict[str, TakenPage] = {}
        self.waiting: dict[str, list[PageMessage]] = {}
        self.spoken: dict[str, PageMessage] = {}

    async def register(self) -> None:
        async with self._db.raw() as connection:
            await register_sender(connection, self.sender, "test", 1)

    async def claim(self, lane: str) -> None:
        async with self._db.raw() as connection:
            claimed = await pages.claim_campaign_page(connection, self._campaign, (lane, 0), PAGE)
            taken = await pages.take_page(connection, claimed[0]) if claimed else None
        if taken is not None:
            self.pages[lane], self.waiting[lane] = taken, list(taken.messages)

    async def intend(self, lane: str) -> None:
        """Begin the next dialogue of this lane's slot, unless one is under way."""
        if lane in self.spoken or not self.waiting.get(lane):
            return
        message = self.waiting[lane].pop(0)
        turn = Turn(_slot(lane), None, self._intent(lane, message))
        async with self._db.raw() as connection:
            if await commit_turns(connection, self.sender, [turn]):
                self.spoken[lane] = message

    async def end(self, lane: str, outcome: Outcome) -> None:
        message = self.spoken.pop(lane, None)
        if message is None:
            return
        later = outcome.kind is OutcomeKind.DEFERRED
        state = MessageState.QUEUED if later else MessageState.DELIVERED
        ended = Ended(self._intent(lane, message), outcome, state, now() if later else None, now(), now())
        async with self._db.raw() as connection:
            await commit_turns(connection, self.sender, [Turn(_slot(lane), ended)])

    async def close(self, lane: str) -> None:
        if lane in self.pages and lane not in self.spoken:  # its slot speaks for this page
            async with self._db.raw() as connection:
                await pages.close_campaign_page(connection, self.pages.pop(lane), dt.timedelta(0))
            self.waiting[lane] = []

    async def die(self) -> None:
        """The process is gone, another accounts for its dialogues, and a new one begins."""
        async with self._db.raw() as connection:
            await connection.execute(
                "UPDATE sender SET lease_until = now() - interval '1 s' WHERE id = $1", self.sender
            )
            while await settle_dead_sender(connection, dt.timedelta(0)) is not None:
                pass  # those of earlier examples, too
        self.sender, self.pages, self.waiting, self.spoken = new_id(), {}, {}, {}
        await self.register()

    def _intent(self, lane: str, message: PageMessage) -> Intent:
        return Intent(message, self.pages[lane].id, self.pages[lane].epoch)

    async def do(self, step: str, lane: str) -> None:
        match step:
            case "claim" | "intend" | "close":
                await getattr(self, step)(lane)
            case "deliver":
                await self.end(lane, DELIVERED)
            case "defer":
                await self.end(lane, DEFERRED)
            case "die":
                await self.die()
            case "cancel_some":
                async with self._db.raw() as connection:
                    await campaign_ends.cancel_some(connection, self._campaign)
            case "cancel":
                await cancel(self._db, self._campaign)


def _slot(lane: str) -> int:
    return 1 + list(LANES.values()).index(lane)


WORK = ("claim", "intend", "intend", "deliver", "deliver", "defer", "close", "die")
steps = st.lists(st.tuples(st.sampled_from(WORK), st.sampled_from([*LANES.values()])), max_size=25)
later = st.lists(
    st.tuples(st.sampled_from((*WORK, "cancel_some", "cancel_some", "cancel")), st.sampled_from([*LANES.values()])),
    max_size=12,
)


async def cancel(db: Database, campaign: UUID) -> None:
    """As the activity does: until nothing is left but what is being spoken of."""
    more = True
    while more:
        async with db.raw() as connection:
            more = await campaign_ends.cancel_some(connection, campaign)


async def end(db: Database, campaign: UUID) -> CampaignState | None:
    """What the process does: drop, settle, finish, until it is over."""
    for _ in range(10):
        await cancel(db, campaign)
        await settle(db)
        async with db.raw() as connection:
            if (state := await campaign_ends.finish(connection, campaign)) is not None:
                return state
    return None


async def test_a_cancel_drops_lane_by_lane_whatever_postgresql_knows_of_the_table(db: Database) -> None:
    """A table that looks small is joined row by row, and what stood inside the join took one lane more for each row:
    their messages waited for ever, in no place."""
    customer = await make_batch_customer(db, free=100)
    await frozen(db, customer, 1)
    await db.pool.execute("ANALYZE campaign_lane")
    many = {f"{lane}.test": f"mx:{lane}" for lane in "abcde"}
    people = await make_list(db, customer, [f"r@{domain}" for domain in many])
    campaign = await frozen_from(db, (await make_campaign(db, customer, [people])).subject, many)
    assert await hold(db, campaign) is CampaignState.SENDING
    await order(db, campaign, Command.CANCEL)
    async with db.raw() as connection:
        await campaign_ends.cancel_some(connection, campaign)
    assert not await misplaced(db, campaign)
    assert await end(db, campaign) is CampaignState.CANCELLED
    assert not await books(db)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(before=steps, after=later, free=st.integers(0, 9), held=st.booleans())
async def test_a_cancel_at_any_moment_leaves_clean_books(
    db: Database, before: Sequence[tuple[str, str]], after: Sequence[tuple[str, str]], free: int, held: bool
) -> None:
    customer = await make_batch_customer(db, free=free)
    campaign = await frozen(db, customer, 9)
    if held:
        assert await hold(db, campaign) is CampaignState.SENDING
    runner = Runner(db, campaign)
    await runner.register()
    for step in before:
        await runner.do(*step)
        assert not await misplaced(db, campaign)
    await order(db, campaign, Command.CANCEL)
    for step in after:
        await runner.do(*step)
        assert not await misplaced(db, campaign)
    await cancel(db, campaign)
    assert not await misplaced(db, campaign)
    async with db.raw() as connection:  # what is being spoken of keeps it open
        assert not runner.spoken or await campaign_ends.finish(connection, campaign) is None
    for lane, outcome in zip(LANES.values(), (DEFERRED, DELIVERED), strict=True):
        await runner.end(lane, outcome)
    assert await end(db, campaign) is CampaignState.CANCELLED
    assert not await books(db)
    assert await db.pool.fetchval("SELECT count(*) FROM message WHERE state = 'queued'") == 0


async def misplaced(db: Database, campaign: UUID) -> list[str]:
    """Messages that are not in exactly one place, by the audit's own checks."""
    return [line for line in await books(db) if line.startswith(("every queued message", "no settled message"))]


async def test_the_quota_suffices_to_the_last_message(db: Database) -> None:
    customer = await make_batch_customer(db, quota=10)
    campaign = await frozen(db, customer, 10)
    assert await hold(db, campaign) is CampaignState.SENDING
    one_more = await frozen(db, customer, 1)
    with pytest.raises(Refusal) as refused:
        await hold(db, one_more)
    assert refused.value.code == "quota_exceeded"
    assert not await books(db)


async def test_the_money_suffices_to_the_last_message(db: Database) -> None:
    """9 fen are 20 mails at 4,500 micro-yuan; with one free, 21 may be sent, and not 22."""
    customer = await make_batch_customer(db, fen=9, free=1)
    too_many = await frozen(db, customer, 22)
    with pytest.raises(Refusal) as refused:
        await hold(db, too_many)
    assert refused.value.code == "balance_insufficient"
    campaign = await frozen(db, customer, 21)
    assert await hold(db, campaign) is CampaignState.SENDING
    assert await available(db, customer.account) == 0
    assert await hold(db, campaign) is None  # a repeated activity takes nothing more
    assert not await books(db)


async def test_a_pause_does_not_count_towards_the_life(db: Database) -> None:
    customer = await make_batch_customer(db)
    campaign = await frozen(db, customer, 3, lives_hours=1)
    await hold(db, campaign)
    expires = await db.pool.fetchval("SELECT expires_at FROM submission WHERE id = $1", campaign)
    await order(db, campaign, Command.PAUSE)
    await db.pool.execute("UPDATE campaign SET paused_at = paused_at - interval '3 days' WHERE id = $1", campaign)
    await order(db, campaign, Command.RESUME)
    moved = await db.pool.fetchval("SELECT expires_at FROM submission WHERE id = $1", campaign) - expires
    assert dt.timedelta(days=3) <= moved < dt.timedelta(days=3, minutes=1)
    assert await db.pool.fetchval("SELECT paused_at FROM campaign WHERE id = $1", campaign) is None


async def test_a_lane_is_not_over_while_a_dialogue_may_defer_its_message(db: Database) -> None:
    """A dialogue that hangs outlives its page; what it leaves behind must be seen by the lane's runner."""
    customer = await make_batch_customer(db)
    campaign = await frozen(db, customer, 1)
    await hold(db, campaign)
    runner = Runner(db, campaign)
    await runner.register()
    await runner.claim("qq")
    await runner.intend("qq")
    async with db.raw() as connection:
        assert await pages.close_campaign_page(connection, runner.pages["qq"], dt.timedelta(0))
        assert (await pages.ahead(connection, campaign, "qq")).waits is not None


@pytest.mark.parametrize("hour", [0, 8, 9, 10, 23])
def test_the_same_hour_twice_is_the_whole_day(hour: int) -> None:
    hours = DailyHours(dt.time(9), dt.time(9))
    at = dt.datetime(2026, 11, 30, hour, tzinfo=dt.UTC)
    assert hours.length() == dt.timedelta(days=1) and hours.contains(at)
