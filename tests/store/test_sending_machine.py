"""Any interleaving of claim, intent, send, record, lease loss and takeover keeps the invariant of design §4.

hypothesis makes up what three workers do, one transaction at a time or two at once, on real rows; after every step each
queued message must be in exactly one place, and whoever received a message twice must be named a possible duplicate.
"""

import asyncio
import datetime as dt
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, TypeAlias, TypeVar
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from domain.sending import MessageState, OutcomeKind
from store import audit, leases
from store.db import Database
from store.dialogues import Ended, Intent, Turn
from tests.sending_model import HELD, Attempt, Line, Outside, Process, Sending, Step, ended, make_campaign, misplaced
from tests.sending_world import Customer, make_customer, submit

PROCESSES = 3
SLOTS = (1, 2)
LANES = ("qq", "other")
ENDS = ("crash", "crash", "stall", "stall", "renew", "leave")
SOURCES = ("open", "campaign", "relay")
PLANS = ("", "", "hashjoin", "nestloop", "indexscan", "seqscan", "bitmapscan", "mergejoin", "material", "sort")
ROUNDS_TO_DRAIN = 6
ROWS = (
    "slot",
    "sender",
    "due",
    "page",
    "attempt",
    "message",
    "submission",
    "clockwork",
    "quota_use",
    "signal_tally",
    "campaign_lane",
    "campaign",
)

Thing = TypeVar("Thing")
pick = st.integers(0, 5)
customers = st.integers(0, 1)
plans = st.tuples(*(st.sampled_from(("next", "next", "next", "last", "unspoken", "nothing")) for _ in SLOTS))
kinds = st.sampled_from(OutcomeKind)
scripts = st.lists(st.tuples(plans, st.none() | kinds, st.booleans()), min_size=1, max_size=4)
Said: TypeAlias = tuple[tuple[str, ...], OutcomeKind | None, bool]
STEPS = ("commit", "commit", "commit", "take", "take", "close", "close", "claim", "claim", "settle", "expire", "renew")
some_step = st.tuples(st.sampled_from(STEPS), pick, pick)
"""What, by whom, with which of its things."""
Act: TypeAlias = tuple[Any, ...]
"""A method of the machine and its arguments."""
taking = st.tuples(st.just("take"), pick, st.sampled_from(SOURCES), pick, st.sampled_from(("", "", "later", "late")))
talking = st.tuples(st.just("talk"), pick, pick, scripts)
acts = st.one_of(
    talking,
    talking,
    talking,
    taking,
    taking,
    st.tuples(st.just("commit"), pick, pick, plans, st.booleans()),
    st.tuples(st.just("commit_again")),
    st.tuples(st.just("speak"), pick, kinds, st.booleans()),
    st.tuples(st.just("close"), pick, pick),
    st.tuples(st.just("lease"), pick, st.sampled_from(ENDS), st.booleans()),
    st.tuples(st.just("steer"), st.sampled_from(("paused", "sending", "sending", "cancelling"))),
    st.tuples(st.just("at_once"), some_step, some_step),
)


def one_of(things: Sequence[Thing], which: int) -> Thing:
    """Counted round, so that any number chooses one."""
    return things[which % len(things)]


class House:
    """The database of all examples, and the two customers in it: mail that is uncertain is sent again, or is not."""

    rows: tuple[str, ...] = ROWS

    def __init__(self, url: str) -> None:
        self.runner = asyncio.Runner()
        self.db, self.customers = self.runner.run(self._open(url))
        self.eye = self.runner.run(asyncpg.connect(url))
        """A connection that looks and hurries, beside those of the engine."""

    async def _open(self, url: str) -> tuple[Database, list[Customer]]:
        db = await Database.open(url, connections=4)
        customers = [await make_customer(db, quota=1_000_000) for _ in range(2)]
        await db.pool.execute("UPDATE api_user SET resend_uncertain = false WHERE id = $1", customers[1].api_user)
        return db, customers

    async def empty(self) -> None:
        await self.eye.execute(";".join(f"DELETE FROM {table}" for table in self.rows))

    def close(self) -> None:
        self.runner.run(self.eye.close())
        self.runner.run(self.db.close())
        self.runner.close()


@pytest.fixture(scope="module")
def house(postgres_url: str) -> Iterator[House]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leases, "LEASE", dt.timedelta(hours=1))  # leases end when the machine says so
        opened = House(postgres_url)
        yield opened
        opened.close()


class SendingMachine(RuleBasedStateMachine):
    """Three workers with two connections each, two customers."""

    house: ClassVar[House]

    def __init__(self) -> None:
        super().__init__()
        self.outside = Outside()
        self.sending = Sending(self.house.db, self.house.eye)
        self.processes = [Process() for _ in range(PROCESSES)]
        self.accepted = 0
        self.campaign = UUID(int=0)
        self.cancelled = False
        self._registered: set[object] = set()
        self.run = self.house.runner.run
        self.run(self.house.empty())
        self._register()

    def _register(self) -> None:
        """Whoever begins anew begins a lease."""
        for process in self.processes:
            if process.id not in self._registered:
                self.run(self.sending.do(self.sending.register(process)))
                self._registered.add(process.id)

    def do(self, step: Step) -> None:
        self.run(self.sending.do(step))
        self._register()

    def open_pages(self) -> list[UUID]:
        return self.run(self.sending.open_pages())

    def process(self, which: int) -> Process:
        return self.processes[which % PROCESSES]

    def can_commit(self) -> list[Process]:
        """Those with something to say who do not wait for an answer."""
        return [p for p in self.processes if (any(a.queue for a in p.attempts) or p.lines) and not p.unanswered]

    def turns(self, process: Process, which: int, plan: tuple[str, ...]) -> list[Turn]:
        """What the connections have to say now: the end of the last message, the intent for the next."""
        busy = [attempt for attempt in process.attempts if attempt.queue]
        attempt = one_of(busy, which) if busy else None
        made = (self._turn(process, attempt, slot, wish) for slot, wish in zip(SLOTS, plan, strict=True))
        return [turn for turn in made if turn is not None]

    def _turn(self, process: Process, attempt: Attempt | None, slot: int, wish: str) -> Turn | None:
        line = process.lines.get(slot)
        if wish == "nothing" or (line is not None and line.ended is None):
            return None
        last = line.ended if line else None
        if wish == "next" and attempt and attempt.queue:
            return Turn(slot, last, attempt.intent(attempt.queue.pop(0)))
        if wish == "unspoken" and last is None and attempt and attempt.queue:
            intent = attempt.intent(attempt.queue.pop(0))
            return Turn(slot, self.end_of(intent, OutcomeKind.DEFERRED, resend=False, spoken=False))
        return Turn(slot, last) if last else None

    def end_of(self, intent: Intent, kind: OutcomeKind, *, resend: bool, spoken: bool = True) -> Ended:
        return ended(intent, kind, resend=resend, spoken=spoken)

    def resends(self, line: Line) -> bool:
        return line.intent.message.account_id == self.house.customers[0].account

    # --- rules ---------------------------------------------------------------------------------------------------

    @initialize(
        count=st.integers(2, 8),
        lanes=st.tuples(st.integers(0, 9), st.integers(0, 3)),
        customer=customers,
        without=st.sampled_from(PLANS),
    )
    def begin(self, count: int, lanes: tuple[int, int], customer: int, without: str) -> None:
        """With a page in hand, as without one there is little to interleave, and perhaps with a campaign."""
        self.sending.without = without
        if sum(lanes):
            asked = {lane: size for lane, size in zip(LANES, lanes, strict=True) if size}
            self.campaign = self.run(make_campaign(self.house.db, self.house.customers[customer], asked))
            self.accepted += sum(lanes)
            self.do(self.sending.claim_for(self.campaign, next(iter(asked)), 0))
        else:
            self.accept(customer, count)
            self.do(self.sending.claim(8))
        self.do(self.sending.take(self.processes[0], self.open_pages()[0]))

    def accept(self, customer: int, count: int) -> None:
        addresses = [f"p{self.accepted + n}@d.test" for n in range(count)]
        self.run(submit(self.house.db, self.house.customers[customer], addresses))
        self.accepted += count

    @rule(act=acts)
    def happens(self, act: Act) -> None:
        """One rule for everything, as hypothesis leaves out about half of the rules of a machine in each example."""
        name, *arguments = act
        getattr(self, name)(*arguments)

    def take(self, which: int, source: str, what: int, hurry: str) -> None:
        """A worker begins a new page or goes on with an open one; perhaps later, when what was deferred is due, or is
        given up when it is deferred again."""
        if hurry:
            self.time_passes()
        if hurry == "late":
            self.execute("UPDATE submission SET expires_at = now()")
        if source == "relay":
            self.accept(what % 2, 2 + what)
            self.do(self.sending.claim(3 + which))
        if source == "campaign":
            self.do(self.sending.claim_for(self.campaign, one_of(LANES, what), what % 2))
        if pages := self.open_pages():
            page = one_of(pages, what) if source == "open" else pages[-1]
            self.do(self.sending.take(self.process(which), page))

    def talk(self, which: int, attempt: int, script: list[Said]) -> None:
        """One worker goes on for a while: commits, and dialogues between them."""
        for plan, kind, arrived in script:
            self.commit(which, attempt, plan)
            if kind is not None:
                self.speak(which, kind, arrived)

    def commit(self, which: int, attempt: int, plan: tuple[str, ...], answered: bool = True) -> None:
        if willing := self.can_commit():
            process = one_of(willing, which)
            if turns := self.turns(process, attempt, plan):
                self.do(self.sending.commit(process, turns, answered=answered))

    def commit_again(self) -> None:
        for process in self.processes:
            if process.unanswered:
                self.do(self.sending.commit(process, process.unanswered))

    def speak(self, which: int, kind: OutcomeKind, arrived: bool) -> None:
        """A dialogue ends, perhaps of a process whose lease has ended."""
        lines = [line for process in self.processes for line in process.lines.values() if line.ended is None]
        if lines:
            line = one_of(lines, which)
            self.outside.speak(line.intent.message, kind, arrived=arrived)
            line.ended = self.end_of(line.intent, kind, resend=self.resends(line))

    def close(self, which: int, attempt: int) -> None:
        if trying := [process for process in self.processes if process.attempts]:
            process = one_of(trying, which)
            self.do(self.sending.close(process, one_of(process.attempts, attempt)))

    def lease(self, which: int, how: str, settles: bool) -> None:
        """It dies; its lease ends and it goes on speaking; it keeps its lease; it ends in order, perhaps too early."""
        process, sending = self.process(which), self.sending
        if how in ("crash", "stall"):
            self.do(sending.expire(process))
        if how == "crash":
            process.forget()
            self._register()
        if how == "renew":
            self.do(sending.renew(process))
        if how == "leave":
            self.do(sending.release(process))
        if settles:
            self.do(sending.settle())

    def steer(self, state: str) -> None:
        """Whether a campaign is paused makes a difference to claims only; a cancelled one is dropped bit by bit."""
        if self.campaign.int and not self.cancelled:
            self.execute("UPDATE campaign SET state = $2 WHERE id = $1", self.campaign, state)
            self.cancelled = state == "cancelling"
        self.do(self.sending.cancel(self.campaign))

    def at_once(self, first: tuple[str, int, int], second: tuple[str, int, int]) -> None:
        """Two transactions that overlap; one process commits only one at a time."""
        one = self._some_step(*first)
        other = self._some_step(*second)
        same = first[0] == second[0] == "commit" and self.process(first[1]) is self.process(second[1])
        if one and other and not same:
            self.run(self.sending.both(one, other))
            self._register()

    def _some_step(self, name: str, which: int, what: int) -> Step | None:
        process, sending = self.process(which), self.sending
        match name:
            case "commit":
                turns = [] if process.unanswered else self.turns(process, what, ("next", "next"))
                return sending.commit(process, turns) if turns else None
            case "take":
                return sending.take(process, one_of(pages, what)) if (pages := self.open_pages()) else None
            case "close":
                return sending.close(process, one_of(process.attempts, what)) if process.attempts else None
            case "claim":
                return self._some_claim(what)
            case "settle":
                return sending.settle()
            case "expire":
                return sending.expire(process)
        return sending.renew(process)

    def _some_claim(self, what: int) -> Step:
        match what:
            case 0 | 1:
                return self.sending.claim(3)
            case 2 if self.cancelled:
                return self.sending.cancel(self.campaign)
        return self.sending.claim_for(self.campaign, one_of(LANES, what), what % 2)

    def time_passes(self) -> None:
        self.execute("UPDATE due SET due_at = now()")

    def execute(self, query: str, *values: object) -> None:
        self.run(self.house.eye.execute(query, *values))

    # --- what must hold ------------------------------------------------------------------------------------------

    @invariant()
    def every_message_is_in_one_place(self) -> None:
        rows = self.run(self.house.eye.fetch(HELD))
        assert len(rows) == self.accepted
        assert not (lost := [dict(row) for row in rows if misplaced(row)]), lost
        for row in rows:
            received = self.outside.received[row["id"]]
            assert received <= 1 or row["possible_duplicate"], dict(row)
            assert truly(row, received), (dict(row), received)
            again = row["state"] == MessageState.QUEUED and row["possible_duplicate"]
            assert not again or row["account_id"] == self.house.customers[0].account, "against the API user's policy"
        self._the_living_know_their_slots(rows)

    def _the_living_know_their_slots(self, rows: list[Any]) -> None:
        held = {(row["sender"], row["slot"]): row["id"] for row in rows if row["slots"]}
        for process in self.processes:
            if process.expired or process.unanswered:
                continue
            known = {(process.id, slot): line.intent.message.id for slot, line in process.lines.items()}
            assert known == {place: message for place, message in held.items() if place[0] == process.id}

    # --- the end -------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        if sys.exception() is None:
            self._drain()
            self.every_message_is_in_one_place()
            self.run(self._books_are_closed())

    def _drain(self) -> None:
        """Everybody says what they have to say; then one worker delivers the rest."""
        self.execute("UPDATE campaign SET state = 'sending' WHERE id = $1 AND state = 'paused'", self.campaign)
        for process in self.processes:
            self._say_all(process)
        for _ in range(ROUNDS_TO_DRAIN):
            while self.run(self.sending.alone(self.sending.settle())) is not None:
                pass
            self.time_passes()
            self.do(self.sending.claim(1000))
            for lane in LANES:
                self.do(self.sending.claim_for(self.campaign, lane, 0))
            self.do(self.sending.cancel(self.campaign))
            for page in self.open_pages():
                self._deliver(self.processes[0], page)

    def _say_all(self, process: Process) -> None:
        if process.unanswered:
            self.do(self.sending.commit(process, process.unanswered))
        for line in process.lines.values():
            if line.ended is None:
                self.outside.speak(line.intent.message, OutcomeKind.DELIVERED, arrived=True)
                line.ended = self.end_of(line.intent, OutcomeKind.DELIVERED, resend=False)
        if turns := [Turn(slot, line.ended) for slot, line in process.lines.items()]:
            self.do(self.sending.commit(process, turns))
        if process.expired:
            self.do(self.sending.renew(process))
        process.attempts.clear()

    def _deliver(self, process: Process, page: UUID) -> None:
        self.do(self.sending.take(process, page))
        if not process.attempts:
            return  # it was closed meanwhile
        [attempt] = process.attempts
        while attempt.queue:
            self.do(self.sending.commit(process, self.turns(process, 0, ("next", "nothing"))))
            self._say_all_but_the_attempt(process)
        self.do(self.sending.close(process, attempt))

    def _say_all_but_the_attempt(self, process: Process) -> None:
        kept = list(process.attempts)
        self._say_all(process)
        process.attempts.extend(kept)

    async def _books_are_closed(self) -> None:
        async with self.house.db.raw() as connection:
            findings = await audit.check(connection, dt.datetime.now(dt.UTC))
            left = await connection.fetchval("SELECT count(*) FROM message WHERE state = 'queued'")
            slots = await connection.fetchval("SELECT count(*) FROM slot WHERE message_id IS NOT NULL")
        assert (left, slots) == (0, 0)
        wrong = [finding for finding in findings if finding.count]
        assert not wrong, wrong


def truly(row: dict[str, object], received: int) -> bool:
    """Whether the row's state can be true, by what the recipient received."""
    match row["state"]:
        case MessageState.DELIVERED:
            return received >= 1
        case MessageState.UNKNOWN:
            return bool(row["possible_duplicate"])
        case MessageState.QUEUED if row["slots"]:
            return True
    return received == 0 or bool(row["possible_duplicate"])


@pytest.mark.timeout(400)  # five seconds on a machine that has nothing else to do
def test_any_interleaving_keeps_every_message_in_one_place(house: House) -> None:
    SendingMachine.house = house
    run_state_machine_as_test(
        SendingMachine,
        settings=settings(
            max_examples=int(os.environ.get("SONGDA_EXAMPLES", "40")),
            stateful_step_count=30,
            deadline=None,
            derandomize=bool(os.environ.get("CI")),
            phases=(Phase.generate, Phase.shrink),
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
