"""Any interleaving of claim, intent, send, record, lease loss and takeover keeps the invariant of design §4.

hypothesis makes up what three workers do, one transaction at a time or two at once, on real rows; after every step each
queued message must be in exactly one place, and whoever received a message twice must be named a possible duplicate.
"""

import asyncio
import datetime as dt
import os
import sys
from collections.abc import Iterator
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from domain.sending import MessageState, OutcomeKind
from store import audit, dialogues
from store.db import Database
from store.dialogues import Turn
from tests.sending_model import HELD, Attempt, Line, Outside, Process, Sending, Step, ended, misplaced
from tests.sending_world import Customer, make_customer, submit

PROCESSES = 3
SLOTS = (1, 2)
ROUNDS_TO_DRAIN = 8
ROWS = ("slot", "sender", "due", "page", "attempt", "message", "submission", "clockwork", "quota_use")

pick = st.integers(0, 5)
"""One of those there are just now, counted round."""
plans = st.tuples(*(st.sampled_from(("next", "last", "unspoken", "nothing")) for _ in SLOTS))
kinds = st.sampled_from(OutcomeKind)


class House:
    """The database of all examples, and the two customers in it: mail that is uncertain is sent again, or is not."""

    def __init__(self, url: str) -> None:
        self.runner = asyncio.Runner()
        self.db, self.customers = self.runner.run(self._open(url))

    async def _open(self, url: str) -> tuple[Database, list[Customer]]:
        db = await Database.open(url, connections=4)
        customers = [await make_customer(db, quota=1_000_000) for _ in range(2)]
        await db.pool.execute("UPDATE api_user SET resend_uncertain = false WHERE id = $1", customers[1].api_user)
        return db, customers

    async def empty(self) -> None:
        async with self.db.raw() as connection:
            for table in ROWS:
                await connection.execute(f"DELETE FROM {table}")

    def close(self) -> None:
        self.runner.run(self.db.close())
        self.runner.close()


@pytest.fixture(scope="module")
def house(postgres_url: str) -> Iterator[House]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dialogues, "LEASE", dt.timedelta(hours=1))  # leases end when the machine says so
        opened = House(postgres_url)
        yield opened
        opened.close()


class SendingMachine(RuleBasedStateMachine):
    """Three workers with two connections each, two customers."""

    house: ClassVar[House]

    def __init__(self) -> None:
        super().__init__()
        self.outside = Outside()
        self.sending = Sending(self.house.db, self.outside)
        self.processes = [Process() for _ in range(PROCESSES)]
        self.accepted = 0
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

    def process(self, which: int) -> Process:
        return self.processes[which % PROCESSES]

    def some_attempt(self, process: Process, which: int) -> Attempt | None:
        return process.attempts[which % len(process.attempts)] if process.attempts else None

    def speaking(self) -> list[tuple[Process, Line]]:
        """Dialogues that were begun, also those of the dead."""
        return [(p, line) for p in self.processes for line in p.lines.values() if line.ended is None]

    def turns(self, process: Process, which: int, plan: tuple[str, ...]) -> list[Turn]:
        """What the connections have to say now: the end of the last message, the intent for the next."""
        attempt = self.some_attempt(process, which)
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
            return Turn(slot, ended(intent, OutcomeKind.DEFERRED, resend=False, spoken=False))
        return Turn(slot, last) if last else None

    def resends(self, line: Line) -> bool:
        return line.intent.message.account_id == self.house.customers[0].account

    # --- rules ---------------------------------------------------------------------------------------------------

    @initialize(count=st.integers(1, 3))
    def begin(self, count: int) -> None:
        """Most examples begin with a page in hand: without one there is little to interleave."""
        self.accept(0, count)
        self.do(self.sending.claim(3))
        self.do(self.sending.take(self.processes[0], self.sending.open_pages[0]))

    @rule(customer=st.integers(0, 1), count=st.integers(1, 3))
    def accept(self, customer: int, count: int) -> None:
        addresses = [f"p{self.accepted + n}@d.test" for n in range(count)]
        self.run(submit(self.house.db, self.house.customers[customer], addresses))
        self.accepted += count

    @rule(per_account=st.integers(1, 3))
    def claim(self, per_account: int) -> None:
        self.do(self.sending.claim(per_account))

    @precondition(lambda self: self.sending.open_pages)
    @rule(which=pick, page=pick)
    def take(self, which: int, page: int) -> None:
        pages = self.sending.open_pages
        self.do(self.sending.take(self.process(which), pages[page % len(pages)]))

    @rule(which=pick, attempt=pick, plan=plans, answered=st.booleans())
    def commit(self, which: int, attempt: int, plan: tuple[str, ...], answered: bool) -> None:
        process = self.process(which)
        if not process.unanswered and (turns := self.turns(process, attempt, plan)):
            self.do(self.sending.commit(process, turns, answered=answered))

    @precondition(lambda self: any(process.unanswered for process in self.processes))
    @rule()
    def commit_again(self) -> None:
        for process in self.processes:
            if process.unanswered:
                self.do(self.sending.commit(process, process.unanswered))

    @precondition(lambda self: self.speaking())
    @rule(which=pick, kind=kinds, arrived=st.booleans())
    def speak(self, which: int, kind: OutcomeKind, arrived: bool) -> None:
        lines = self.speaking()
        _, line = lines[which % len(lines)]
        self.outside.speak(line.intent.message, kind, arrived=arrived)
        line.ended = ended(line.intent, kind, resend=self.resends(line))

    @rule(which=pick)
    def crash(self, which: int) -> None:
        process = self.process(which)
        self.run(self.sending.do(self.sending.expire(process)))
        process.forget()
        self._register()

    @rule(which=pick)
    def stall(self, which: int) -> None:
        """Its lease ends, and it goes on speaking."""
        self.do(self.sending.expire(self.process(which)))

    @rule(which=pick)
    def renew(self, which: int) -> None:
        self.do(self.sending.renew(self.process(which)))

    @rule(which=pick)
    def leave(self, which: int) -> None:
        """As a shutdown does, perhaps inside dialogues."""
        self.do(self.sending.release(self.process(which)))

    @rule()
    def settle(self) -> None:
        self.do(self.sending.settle())

    @precondition(lambda self: any(process.attempts for process in self.processes))
    @rule(which=pick, attempt=pick)
    def close(self, which: int, attempt: int) -> None:
        process = self.process(which)
        if chosen := self.some_attempt(process, attempt):
            self.do(self.sending.close(process, chosen))

    @rule()
    def time_passes(self) -> None:
        self.run(self.house.db.pool.execute("UPDATE due SET due_at = now()"))

    @rule()
    def time_to_live_ends(self) -> None:
        self.run(self.house.db.pool.execute("UPDATE submission SET expires_at = now()"))

    @rule(first=st.tuples(st.integers(0, 6), pick, pick), second=st.tuples(st.integers(0, 6), pick, pick))
    def at_once(self, first: tuple[int, int, int], second: tuple[int, int, int]) -> None:
        """Two transactions that overlap; one process commits only one at a time."""
        one = self._some_step(*first)
        other = self._some_step(*second)
        if one and other and not (first[0] == second[0] == 0 and self.process(first[1]) is self.process(second[1])):
            self.run(self.sending.both(one, other))
            self._register()

    def _some_step(self, kind: int, which: int, what: int) -> Step | None:
        process, sending = self.process(which), self.sending
        attempt = self.some_attempt(process, what)
        match kind:
            case 0:
                turns = [] if process.unanswered else self.turns(process, what, ("next", "next"))
                return sending.commit(process, turns) if turns else None
            case 1 if sending.open_pages:
                return sending.take(process, sending.open_pages[what % len(sending.open_pages)])
            case 2 if attempt:
                return sending.close(process, attempt)
            case 3:
                return sending.settle()
            case 4:
                return sending.expire(process)
            case 5:
                return sending.renew(process)
            case 6:
                return sending.claim(3)
        return None

    # --- what must hold ------------------------------------------------------------------------------------------

    @invariant()
    def every_message_is_in_one_place(self) -> None:
        rows = self.run(self.house.db.pool.fetch(HELD))
        assert len(rows) == self.accepted
        assert not (lost := [dict(row) for row in rows if misplaced(row)]), lost
        for row in rows:
            received = self.outside.received[row["id"]]
            assert received <= 1 or row["possible_duplicate"], dict(row)
            assert truly(row, received), (dict(row), received)

    @invariant()
    def the_living_know_their_slots(self) -> None:
        rows = self.run(self.house.db.pool.fetch("SELECT * FROM slot WHERE message_id IS NOT NULL"))
        held = {(row["sender_id"], row["number"]): row["message_id"] for row in rows}
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
        for process in self.processes:
            self._say_all(process)
        for _ in range(ROUNDS_TO_DRAIN):
            while self.run(self.sending.alone(self.sending.settle())) is not None:
                pass
            self.time_passes()
            self.do(self.sending.claim(1000))
            for page in list(self.sending.open_pages):
                self._deliver(self.processes[0], page)

    def _say_all(self, process: Process) -> None:
        if process.unanswered:
            self.do(self.sending.commit(process, process.unanswered))
        for line in process.lines.values():
            if line.ended is None:
                self.outside.speak(line.intent.message, OutcomeKind.DELIVERED, arrived=True)
                line.ended = ended(line.intent, OutcomeKind.DELIVERED, resend=False)
        if turns := [Turn(slot, line.ended) for slot, line in process.lines.items()]:
            self.do(self.sending.commit(process, turns))
        if process.expired:
            self.do(self.sending.renew(process))
        process.attempts.clear()

    def _deliver(self, process: Process, page: object) -> None:
        self.do(self.sending.take(process, page))  # type: ignore[arg-type]
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
        assert not (wrong := [finding for finding in findings if finding.count]), wrong


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


def test_any_interleaving_keeps_every_message_in_one_place(house: House) -> None:
    SendingMachine.house = house
    run_state_machine_as_test(
        SendingMachine,
        settings=settings(
            max_examples=int(os.environ.get("SONGDA_EXAMPLES", "60")),
            stateful_step_count=40,
            deadline=None,
            derandomize=bool(os.environ.get("CI")),
            phases=(Phase.generate, Phase.shrink),
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
