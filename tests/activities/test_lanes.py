"""The limits of providers: several processes on one database keep one limit together, and single mails keep their part.

Each `Lanes` here is a worker process of its own: a lease, a memory, and nothing else in common but the database.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from activities.lane_seats import Seat
from activities.lanes import PAUSED_FOR, Lanes, Wait
from activities.recipient_lanes import RecipientLanes
from domain.ids import new_id
from domain.sending import Outcome, OutcomeKind, Reason
from domain.transport import MailHost, MailRoute
from store import lanes as store
from store.db import Database
from store.leases import register_sender
from tests.patience import until
from tests.sending_world import DELIVERED

TOO_FAST = Outcome(OutcomeKind.DEFERRED, Reason.RATE_LIMITED, 421, text="421 HL:ICC", host="mx")


@dataclass
class Holder:
    """A sender process as far as lanes ask: its lease, which lasts for the test."""

    db: Database
    id: UUID = field(default_factory=new_id)

    async def begin(self) -> None:
        """A new lease; the old one is lost."""
        await self.db.pool.execute("UPDATE sender SET lease_until = now() - interval '1 s' WHERE id = $1", self.id)
        self.id = new_id()
        async with self.db.raw() as connection:
            await register_sender(connection, self.id, "host", 1)
            await connection.execute("UPDATE sender SET lease_until = now() + interval '1 h' WHERE id = $1", self.id)


@dataclass
class Process:
    """A worker's part in the lanes."""

    holder: Holder
    lanes: Lanes
    task: asyncio.Task[None]


@contextlib.asynccontextmanager
async def processes(db: Database, count: int = 1) -> AsyncIterator[list[Process]]:
    """So many processes that know the lanes already."""
    made = []
    for _ in range(count):
        holder = Holder(db)
        await holder.begin()
        lanes = Lanes(db, holder)
        made.append(Process(holder, lanes, asyncio.create_task(lanes.run())))
    try:
        for process in made:
            await until(partial(_informed, process.lanes))
        yield made
    finally:
        for process in made:
            process.task.cancel()
        await asyncio.gather(*(process.task for process in made), return_exceptions=True)


async def _informed(lanes: Lanes) -> bool:
    return lanes.take("nowhere", express=True) == 0.0


async def limit(db: Database, lane: str, **limits: float | None) -> None:
    columns = ", ".join(f"{name} = ${number}" for number, name in enumerate(limits, 2))
    async with db.raw() as connection:
        await store.ensure_lanes(connection, 1.0)
        await connection.execute(f"UPDATE lane SET {columns} WHERE name = $1", lane, *limits.values())


async def take_for(process: Process, seconds: float, lane: str = "qq", *, express: bool = False) -> int:
    """Tokens that one eager connection gets."""
    end, taken = time.monotonic() + seconds, 0
    while (left := end - time.monotonic()) > 0:
        wait = process.lanes.take(lane, express=express)
        if wait == 0.0:
            taken += 1
            await asyncio.sleep(0)
        else:
            await asyncio.sleep(min(wait, left))
    return taken


async def seated(process: Process, lane: str, site: str = "mx.qq.com", *, express: bool = False) -> Seat:
    async def ask() -> Seat | None:
        seat = process.lanes.seat(lane, site, express=express)
        return seat if isinstance(seat, Seat) else None

    found: Seat = await until(ask)
    return found


async def seats_within(
    process: Process, wanted: int, lane: str, site: str = "mx.qq.com", *, express: bool = False
) -> list[Seat]:
    """What is to be had of so many seats, asked for again and again for a while."""
    got: list[Seat] = []
    end = time.monotonic() + 0.7
    while len(got) < wanted and time.monotonic() < end:
        seat = process.lanes.seat(lane, site, express=express)
        if isinstance(seat, Seat):
            got.append(seat)
        else:
            await asyncio.sleep(min(0.05, seat.seconds))
    return got


async def test_three_processes_keep_one_rate_together(db: Database) -> None:
    await limit(db, "qq", rate_per_s=60.0, burst=10, tokens=10.0)
    async with processes(db, 3) as workers:
        taken = await asyncio.gather(*(take_for(worker, 2.0) for worker in workers))
    assert 0.7 * 120 <= sum(taken) <= 120 + 10, taken
    assert min(taken) > 0, "no process is left without"


async def test_a_campaign_leaves_a_fifth_of_the_tokens_to_single_mails(db: Database) -> None:
    await limit(db, "qq", rate_per_s=0.001, burst=20, tokens=20.0)
    taken = {False: 0, True: 0}
    async with processes(db) as [worker]:

        async def reserve_is_left() -> bool:
            taken[False] += await take_for(worker, 0.1)
            return float(await db.pool.fetchval("SELECT tokens FROM lane WHERE name = 'qq'")) < 5

        async def all_are_taken() -> bool:
            taken[True] += await take_for(worker, 0.1, express=True)
            return sum(taken.values()) >= 20

        await until(reserve_is_left)
        taken[False] += await take_for(worker, 0.5)
        await until(all_are_taken)
    assert sum(taken.values()) == 20
    assert taken[True] >= 4, "what is in hand and the reserve"


async def test_a_single_mail_waits_for_no_round(db: Database) -> None:
    async with processes(db) as [worker]:
        held = lambda: worker.lanes._views["gmail"].express.count  # noqa: E731

        async def in_hand() -> bool:
            return held() > 0

        await until(in_hand)
        assert worker.lanes.take("gmail", express=True) == 0.0


async def test_how_many_messages_a_connection_takes_follows_the_operator(db: Database) -> None:
    """Before the first look, and in a lane that nobody knows: the usual number, never without end."""
    lanes = Lanes(db, Holder(db))
    assert (lanes.messages_per_connection("gmail"), lanes.messages_per_connection("nowhere")) == (20, 20)
    assert Lanes.without_limits(db, Holder(db)).messages_per_connection("gmail") is None
    async with processes(db) as [worker]:
        asked = worker.lanes.messages_per_connection
        assert (asked("gmail"), asked("netease"), asked("nowhere")) == (100, 15, 20)
        await limit(db, "gmail", per_connection=7)

        async def followed() -> bool:
            return asked("gmail") == 7

        await until(followed, 3.0)
        async with db.raw() as connection:
            await store.lift_limits(connection, 1.0)

        async def lifted() -> bool:
            return asked("gmail") is None and asked("other") is None

        await until(lifted, 3.0)


async def test_lanes_without_limits_ask_the_database_for_nothing(db: Database) -> None:
    """Nor do they stop when it is gone."""
    async with processes(db) as [worker]:
        worker.lanes._db = _Gone()  # type: ignore[assignment]
        before = time.monotonic()
        assert [worker.lanes.take("other", express=False) for _ in range(10_000)] == [0.0] * 10_000
        assert time.monotonic() - before < 1.0
        await asyncio.sleep(0.6)
        assert worker.lanes.take("other", express=False) == 0.0
        worker.lanes._db = db


class _Gone:
    def raw(self) -> object:
        raise ConnectionRefusedError


async def test_processes_share_the_connections_of_a_lane_and_keep_one_for_single_mails(db: Database) -> None:
    await limit(db, "qq", rate_per_s=None, connections=4)
    async with processes(db, 2) as [one, two]:
        bulk = await asyncio.gather(seats_within(one, 5, "qq"), seats_within(two, 5, "qq"))
        assert sum(map(len, bulk)) == 3
        express = await seats_within(two, 2, "qq", express=True)
        assert len(express) == 1, "the one that is kept"
        for seat in bulk[0] + bulk[1] + express:
            seat.close()
        for _ in range(3):  # they are free again, for whoever asks
            assert isinstance(await seated(two, "qq"), Seat)


async def test_however_busy_three_processes_are_the_cap_holds_and_none_is_left_out(db: Database) -> None:
    await limit(db, "qq", rate_per_s=None, connections=5)
    open_now, served = Counter[bool](), Counter[int]()

    async def connect(number: int, worker: Process, express: bool, end: float) -> None:
        """One connection after the other, each open for a moment."""
        while time.monotonic() < end:
            seat = worker.lanes.seat("qq", "mx.qq.com", express=express)
            if isinstance(seat, Wait):
                await asyncio.sleep(seat.seconds)
                continue
            open_now[express] += 1
            assert open_now.total() <= 5 and open_now[False] <= 4
            await asyncio.sleep(0.01)
            open_now[express] -= 1
            seat.close()
            served[number] += 1

    async with processes(db, 3) as workers:
        end = time.monotonic() + 3.0
        await asyncio.gather(
            *(connect(n, each, False, end) for n, each in enumerate(workers) for _ in range(5)),
            connect(9, workers[0], True, end),
        )
    assert served.keys() == {0, 1, 2, 9}
    assert min(served[n] for n in range(3)) * 8 > max(served[n] for n in range(3)), served


async def test_a_site_of_the_long_tail_has_a_cap_of_its_own(db: Database) -> None:
    await limit(db, "other", per_site=3)
    async with processes(db, 2) as [one, two]:
        here, there = await asyncio.gather(
            seats_within(one, 3, "other", "mx.a.test"), seats_within(two, 3, "other", "mx.a.test")
        )
        assert len(here) + len(there) == 2
        assert isinstance(await seated(two, "other", "mx.b.test"), Seat)
        assert isinstance(await seated(two, "other", "mx.a.test", express=True), Seat)


async def test_who_holds_more_than_a_fair_part_gives_back_to_who_waits(db: Database) -> None:
    await limit(db, "qq", rate_per_s=None, connections=5)
    async with processes(db, 2) as [one, two]:
        first = await seats_within(one, 4, "qq")
        assert len(first) == 4
        waiting = asyncio.create_task(seated(two, "qq"))

        async def busy() -> bool:
            """The first process opens a connection for each that it closes, as a campaign does."""
            first.pop().close()
            await asyncio.sleep(0)
            first.append(await seated(one, "qq")) if len(first) < 2 else None
            seat = one.lanes.seat("qq", "mx.qq.com", express=False)
            if isinstance(seat, Seat):
                first.append(seat)
            return waiting.done()

        await until(busy)
        assert isinstance(waiting.result(), Seat)


async def test_the_connections_of_a_dead_process_are_free_again(db: Database) -> None:
    await limit(db, "qq", rate_per_s=None, connections=3)
    async with processes(db, 2) as [dead, alive]:
        assert len(await seats_within(dead, 2, "qq")) == 2
        assert await seats_within(alive, 1, "qq") == []
        await _kill(db, dead)
        assert isinstance(await seated(alive, "qq"), Seat)

        async def forgotten() -> bool:
            return bool(await db.pool.fetchval("SELECT count(*) = 1 FROM lane_share"))

        await until(forgotten)


async def _kill(db: Database, process: Process) -> None:
    """As after a kill −9: nothing is given back, and the lease runs out."""
    process.lanes._db = _Gone()  # type: ignore[assignment]
    process.task.cancel()
    await asyncio.gather(process.task, return_exceptions=True)
    await db.pool.execute("UPDATE sender SET lease_until = now() - interval '1 s' WHERE id = $1", process.holder.id)


async def test_a_process_whose_lease_is_lost_begins_anew(db: Database) -> None:
    await limit(db, "qq", rate_per_s=None, connections=2)
    async with processes(db) as [worker]:
        seat = await seated(worker, "qq")
        await worker.holder.begin()
        seat.close()
        assert isinstance(await seated(worker, "qq"), Seat)
        assert len(await seats_within(worker, 1, "qq")) == 0, "and the cap holds under the new lease"


async def test_a_refusal_for_the_rate_stops_campaigns_first_for_all_processes(db: Database) -> None:
    async with processes(db, 2) as [one, two]:
        one.lanes.heard("microsoft", TOO_FAST)
        assert one.lanes.take("microsoft", express=False) > 10
        assert isinstance(one.lanes.seat("microsoft", "mx", express=False), Wait)

        async def told() -> bool:
            return two.lanes.take("microsoft", express=False) > 10

        await until(told)
        assert two.lanes.take("microsoft", express=True) < 1
        row = await db.pool.fetchrow(
            "SELECT pace, slow_since, backoff_until > now() AS waits FROM lane WHERE name = 'microsoft'"
        )
        assert row["pace"] == 0.5 and row["slow_since"] and row["waits"]


async def test_what_many_connections_hear_at_once_counts_once_and_a_lone_refusal_among_many_not_at_all(
    db: Database,
) -> None:
    async with processes(db, 2) as workers:
        for worker in workers:
            for _ in range(30):
                worker.lanes.heard("sina", TOO_FAST)
            for _ in range(40):
                worker.lanes.heard("qq", DELIVERED)
            worker.lanes.heard("qq", TOO_FAST)

        async def slow() -> bool:
            return bool(await db.pool.fetchval("SELECT pace < 1 FROM lane WHERE name = 'sina'"))

        await until(slow)
        await asyncio.sleep(0.2)
        assert dict(await db.pool.fetch("SELECT name, pace FROM lane WHERE name IN ('sina', 'qq')")) == {
            "sina": 0.5,
            "qq": 1,
        }


async def test_refusals_that_go_on_make_single_mails_wait_too_and_clean_minutes_heal(db: Database) -> None:
    async with db.raw() as connection:
        await store.ensure_lanes(connection, 1.0)
        for _ in range(3):
            await store.back_off(connection, ["sohu"], 1.0)
            await connection.execute("UPDATE lane SET backoff_at = now() - interval '1 minute' WHERE name = 'sohu'")
        [row] = [lane for lane in await store.read_lanes(connection) if lane.name == "sohu"]
        assert row.pace == 0.125
        assert 55 < row.bulk_closed <= 60
        assert 10 < row.express_closed <= 15
        await store.recover(connection, 1.0)
        assert await connection.fetchval("SELECT pace FROM lane WHERE name = 'sohu'") == 0.125, "not yet"
        await connection.execute("UPDATE lane SET backoff_until = now() - interval '11 minutes' WHERE name = 'sohu'")
        await store.recover(connection, 1.0)
        await store.recover(connection, 1.0)
        assert round(await connection.fetchval("SELECT pace FROM lane WHERE name = 'sohu'"), 4) == 0.1375, "one step"
        await connection.execute(
            "UPDATE lane SET pace = 0.95, recovered_at = now() - interval '11 minutes' WHERE name = 'sohu'"
        )
        await store.recover(connection, 1.0)
        row = await connection.fetchrow("SELECT pace, slow_since FROM lane WHERE name = 'sohu'")
        assert (row["pace"], row["slow_since"]) == (1, None)


async def test_a_site_that_refuses_slows_no_other_site(db: Database) -> None:
    async with processes(db) as [worker]:
        worker.lanes.heard("other", TOO_FAST, destination="mx.a.test")
        waits = worker.lanes.seat("other", "mx.a.test", express=False)
        assert isinstance(waits, Wait) and waits.seconds > 10
        assert isinstance(await seated(worker, "other", "mx.a.test", express=True), Seat)
        assert isinstance(await seated(worker, "other", "mx.b.test"), Seat)
        assert worker.lanes.take("other", express=False) == 0.0


async def test_a_paused_lane_stops_within_a_second_and_goes_on_when_resumed(db: Database) -> None:
    async with processes(db) as [worker]:
        await db.pool.execute("UPDATE lane SET paused_at = now() WHERE name = 'other'")

        async def stopped() -> bool:
            return worker.lanes.take("other", express=True) == PAUSED_FOR

        await until(stopped, 2.0)
        assert worker.lanes.take("other", express=False) == PAUSED_FOR
        assert worker.lanes.seat("other", "mx", express=False) == Wait(PAUSED_FOR)
        await db.pool.execute("UPDATE lane SET paused_at = NULL WHERE name = 'other'")

        async def goes_on() -> bool:
            return worker.lanes.take("other", express=False) == 0.0

        await until(goes_on, 2.0)


async def test_what_a_process_did_not_use_goes_back(db: Database) -> None:
    await limit(db, "qq", rate_per_s=0.001, burst=20, tokens=20.0)
    async with processes(db) as [worker]:
        assert await take_for(worker, 0.3) > 0
        used = 20 - await db.pool.fetchval("SELECT tokens FROM lane WHERE name = 'qq'")
        in_hand = worker.lanes._views["qq"].bulk.count + worker.lanes._views["qq"].express.count
    assert in_hand >= 1
    assert abs(20 - await db.pool.fetchval("SELECT tokens FROM lane WHERE name = 'qq'") - (used - in_hand)) < 0.01


async def test_what_deliveries_look_up_is_known_to_the_queue_status(db: Database) -> None:
    async with processes(db) as [worker]:
        worker.lanes.learn(MailRoute("tencent.test", (MailHost("mxbiz1.qq.com", ("127.0.0.1",)),)))
        worker.lanes.learn(MailRoute("silent.test", failure=SILENT))

        async def known() -> bool:
            return bool(await db.pool.fetchval("SELECT count(*) FROM recipient_domain"))

        await until(known)
    assert dict(await db.pool.fetch("SELECT domain, lane FROM recipient_domain")) == {"tencent.test": "qq"}


class Router:
    """Answers for some domains; counts who was asked for."""

    def __init__(self, answer: Callable[[str], MailRoute]) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def mail_hosts(self, domain: str) -> MailRoute:
        self.asked.append(domain)
        return self.answer(domain)


SILENT = Outcome(OutcomeKind.DEFERRED, Reason.CONN, text="no answer")


async def test_domains_are_resolved_once_a_day(db: Database) -> None:
    def answer(domain: str) -> MailRoute:
        if domain == "silent.test":
            return MailRoute(domain, failure=SILENT)
        host = "mxbiz1.qq.com" if domain.startswith("q") else f"mx.{domain}"
        return MailRoute(domain, (MailHost(host, ("127.0.0.1",)),))

    router, beats = Router(answer), []
    resolver = RecipientLanes(db, router)
    asked = ["q1.test", "q2.test", "a.test", "silent.test"]
    expected = {"q1.test": "qq", "q2.test": "qq", "a.test": "other", "silent.test": "other"}
    assert await resolver.resolve(asked, lambda: beats.append(1)) == expected
    assert beats
    await db.pool.execute(
        "UPDATE recipient_domain SET looked_up_at = now() - interval '25 hours' WHERE domain = 'a.test'"
    )
    router.asked.clear()
    assert await resolver.resolve(asked) == expected
    assert sorted(router.asked) == ["a.test", "silent.test"], "what is old, and what was silent"
