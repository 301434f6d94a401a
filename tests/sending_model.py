"""A model of sender processes and of what recipients received, beside the real rows (design §4.4, §4.6).

A `Process` is what one worker remembers: its lease's id, what each of its connections holds. Whatever it does is one
`Step`: statements in one transaction, then what the process learns from their result. Two steps can be made to overlap.
"""

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from domain.errors import LeaseLost
from domain.ids import new_id
from domain.sending import MessageState, Outcome, OutcomeKind, Standing, settle
from store import dialogues, pages
from store.db import Connection, Database
from store.dialogues import Ended, Intent, Turn
from store.pages import PageMessage, TakenPage

NO_WAIT = dt.timedelta(0)
SCALE = 1_000_000.0
"""Of waits between tries, so that the time to live is rarely their end."""


@dataclass(frozen=True)
class Step:
    """`run` is one transaction; `learn` gets its result, or the `LeaseLost` with which it was refused."""

    run: Callable[[Connection], Awaitable[Any]]
    learn: Callable[[Any], None] = lambda result: None


@dataclass
class Line:
    """What one connection holds: the intent that was granted, and how its dialogue ended once it has."""

    intent: Intent
    ended: Ended | None = None


@dataclass
class Attempt:
    """One attempt at a page by one process; `queue` is what it has not begun."""

    page: TakenPage
    queue: list[PageMessage]

    def intent(self, message: PageMessage) -> Intent:
        return Intent(message, self.page.id, self.page.epoch)


@dataclass
class Process:
    """One worker. `expired` is what only the database knows: its lease ended."""

    id: UUID = field(default_factory=new_id)
    expired: bool = False
    lines: dict[int, Line] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    unanswered: list[Turn] = field(default_factory=list)
    """Turns of a commit whose answer was lost: all that this process can do is to say them again."""

    def forget(self) -> None:
        """It died, or learned that its lease is lost; it begins anew under another id."""
        self.id, self.expired = new_id(), False
        self.lines, self.attempts, self.unanswered = {}, [], []


class Outside:
    """The recipients: how often each message arrived, and what was uncertain about it."""

    def __init__(self) -> None:
        self.received: Counter[int] = Counter()

    def speak(self, message: PageMessage, kind: OutcomeKind, *, arrived: bool) -> None:
        """A dialogue about this message; an uncertain one may have left the mail with the recipient, or not."""
        if kind is OutcomeKind.DELIVERED or (kind is OutcomeKind.UNCERTAIN and arrived):
            self.received[message.id] += 1


def ended(intent: Intent, kind: OutcomeKind, *, resend: bool, spoken: bool = True) -> Ended:
    """The record of an attempt, with the engine's own rule of what becomes of the message."""
    now = dt.datetime.now(dt.UTC)
    message = intent.message
    standing = Standing(message.attempts, message.expires_at, resend and not message.possible_duplicate)
    outcome = Outcome(kind, code=0 if kind is OutcomeKind.UNCERTAIN else 250, host="mx.test")
    state, next_at = settle(outcome, standing, now, SCALE)
    return Ended(intent, outcome, state, next_at, now, now, spoken)


class Sending:
    """Steps of the engine, one transaction each."""

    def __init__(self, db: Database, outside: Outside) -> None:
        self.db = db
        self.outside = outside
        self.open_pages: list[UUID] = []

    async def alone(self, step: Step) -> Any:
        """Run the step's transaction; its result, which nobody has learned yet."""
        try:
            async with self.db.raw() as connection:
                return await step.run(connection)
        except LeaseLost as refused:
            return refused

    async def do(self, step: Step) -> None:
        step.learn(await self.alone(step))

    async def both(self, first: Step, second: Step) -> None:
        """The second step begins while the first one's transaction is open, and may have to wait for it."""
        late: asyncio.Task[Any] | None = None
        try:
            async with self.db.raw() as connection:
                result = await first.run(connection)
                late = asyncio.create_task(self.alone(second))
                await asyncio.wait([late], timeout=0.005)
        except LeaseLost as refused:
            result = refused
        first.learn(result)
        second.learn(await late if late else await self.alone(second))

    def claim(self, per_account: int) -> Step:
        def learn(claimed: tuple[UUID, int] | None) -> None:
            if claimed is not None:
                self.open_pages.append(claimed[0])

        return Step(lambda connection: pages.claim_batch(connection, per_account), learn)

    def register(self, process: Process) -> Step:
        return Step(lambda connection: dialogues.register_sender(connection, process.id, "host", 1))

    def take(self, process: Process, page: UUID) -> Step:
        def learn(taken: TakenPage | None) -> None:
            if taken is None:
                assert page not in self.open_pages, "an open page could not be taken"
            else:
                process.attempts.append(Attempt(taken, list(taken.messages)))

        return Step(lambda connection: pages.take_page(connection, page), learn)

    def commit(self, process: Process, turns: list[Turn], *, answered: bool = True) -> Step:
        """The group commit. Unanswered: it happens, but the process does not hear of it."""
        was_expired = process.expired

        def learn(granted: set[int] | LeaseLost) -> None:
            if isinstance(granted, LeaseLost):
                assert process.expired, "a living lease was refused"
                if answered:
                    process.forget()
                else:
                    process.unanswered = turns
                return
            assert not was_expired, "a dead process spoke"
            process.unanswered = [] if answered else turns
            if answered:
                hear(process, turns, granted)

        return Step(lambda connection: dialogues.commit_turns(connection, process.id, turns), learn)

    def renew(self, process: Process) -> Step:
        was_expired = process.expired

        def learn(result: LeaseLost | None) -> None:
            assert not (was_expired and result is None), "a dead lease was renewed"
            if isinstance(result, LeaseLost):
                process.forget()
            else:
                process.expired = False

        return Step(lambda connection: dialogues.renew_lease(connection, process.id), learn)

    def expire(self, process: Process) -> Step:
        """Its lease ends; it does not know it."""
        query = "UPDATE sender SET lease_until = now() - interval '1 second' WHERE id = $1"

        def learn(_: object) -> None:
            process.expired = True

        return Step(lambda connection: connection.execute(query, process.id), learn)

    def release(self, process: Process) -> Step:
        return Step(lambda connection: dialogues.release_sender(connection, process.id), lambda _: process.forget())

    def settle(self) -> Step:
        return Step(lambda connection: dialogues.settle_dead_sender(connection, NO_WAIT))

    def close(self, process: Process, attempt: Attempt) -> Step:
        def learn(closed: bool) -> None:
            if attempt in process.attempts:
                process.attempts.remove(attempt)
            if closed:
                self.open_pages.remove(attempt.page.id)

        page = attempt.page
        return Step(lambda connection: pages.close_page(connection, page.id, page.epoch, NO_WAIT), learn)


def hear(process: Process, turns: list[Turn], granted: set[int]) -> None:
    """What a commit's answer means to the connections: each holds its new intent, or nothing."""
    for turn in turns:
        process.lines.pop(turn.slot, None)
        if turn.intent is not None and turn.slot in granted:
            process.lines[turn.slot] = Line(turn.intent)


HELD = """
SELECT m.id, m.state, m.possible_duplicate, m.attempts,
    (SELECT count(*) FROM due d WHERE d.message_id = m.id) AS due,
    (SELECT count(*) FROM slot s WHERE s.message_id = m.id) AS slots,
    (SELECT count(*) FROM page p CROSS JOIN unnest(p.messages, p.rounds) AS e (id, round)
     WHERE p.closed_at IS NULL AND e.id = m.id AND e.round = m.round
       AND NOT EXISTS (SELECT FROM slot s WHERE s.message_id = m.id)) AS pages
FROM message m
"""
"""Of every message: in how many places it is. A page counts only for what is in no slot."""


def misplaced(row: Any) -> bool:
    """A queued message is in exactly one place; of a settled one only the slot may still be left, unheard of."""
    if row["state"] == MessageState.QUEUED:
        return bool(row["due"] + row["slots"] + row["pages"] != 1)
    return bool(row["due"] + row["slots"] != 0)
