"""A model of sender processes and of what recipients received, beside the real rows (design §4.4, §4.6).

A `Process` is what one worker remembers: its lease's id, what each of its connections holds. Whatever it does is one
`Step`: statements in one transaction, then what the process learns from their result. Two steps can be made to overlap.
"""

import asyncio
import contextlib
import datetime as dt
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import asyncpg

from domain.channels import DueLine
from domain.errors import LeaseLost
from domain.ids import new_id
from domain.sending import MessageState, Outcome, OutcomeKind, Standing, settle
from domain.times import business_day
from store import campaign_ends, dead_senders, dialogues, leases, pages, quota
from store.db import Connection, Database
from store.dialogues import Ended, Intent, Turn
from store.pages import PageMessage, TakenPage
from tests.sending_world import Customer

NO_WAIT = dt.timedelta(0)
RANGE = 4
"""Messages of a campaign's page."""
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
    if kind is OutcomeKind.DEFERRED and state is MessageState.BOUNCED:  # its time to live has ended
        outcome = replace(outcome, kind=OutcomeKind.BOUNCED)
    return Ended(intent, outcome, state, next_at, now, now, spoken)


class Sending:
    """Steps of the engine, one transaction each."""

    def __init__(self, db: Database, eye: asyncpg.Connection) -> None:
        self.db = db
        self._eye = eye
        self.line = DueLine.MAIL
        self.without = ""
        """A way to plan queries that PostgreSQL does without. What a query means must not depend on its plan."""

    @contextlib.asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        async with self.db.raw() as connection:
            if self.without:
                await connection.execute(f"SET LOCAL enable_{self.without} = off")
            yield connection

    async def alone(self, step: Step) -> Any:
        """Run the step's transaction; its result, which nobody has learned yet."""
        try:
            async with self._transaction() as connection:
                return await step.run(connection)
        except LeaseLost as refused:
            return refused

    async def do(self, step: Step) -> None:
        step.learn(await self.alone(step))

    async def both(self, first: Step, second: Step) -> None:
        """The second step begins while the first one's transaction is open, and may have to wait for it."""
        late: asyncio.Task[Any] | None = None
        try:
            async with self._transaction() as connection:
                result = await first.run(connection)
                late = asyncio.create_task(self.alone(second))
                await asyncio.wait([late], timeout=0.005)
        except LeaseLost as refused:
            result = refused
        first.learn(result)
        second.learn(await late if late else await self.alone(second))

    async def open_pages(self) -> list[UUID]:
        """The newest last."""
        rows = await self._eye.fetch("SELECT id FROM page WHERE closed_at IS NULL ORDER BY created_at, id")
        return [row["id"] for row in rows]

    def claim(self, per_account: int) -> Step:
        return Step(lambda connection: pages.claim_batch(connection, per_account, line=self.line))

    def register(self, process: Process) -> Step:
        return Step(lambda connection: leases.register_sender(connection, process.id, "host", 1))

    def take(self, process: Process, page: UUID) -> Step:
        def learn(taken: TakenPage | None) -> None:
            if taken is not None:
                process.attempts.append(Attempt(taken, list(taken.messages)))

        return Step(lambda connection: pages.take_page(connection, page), learn)

    def commit(self, process: Process, turns: list[Turn], *, answered: bool = True) -> Step:
        """The group commit. Unanswered: it happens, but the process does not hear of it."""
        sender, was_expired = process.id, process.expired

        def learn(granted: set[int] | LeaseLost) -> None:
            if process.id != sender:
                return  # it learned from another refusal that its lease is lost
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

        return Step(lambda connection: dialogues.commit_turns(connection, sender, turns), learn)

    def renew(self, process: Process) -> Step:
        sender, was_expired = process.id, process.expired

        def learn(result: LeaseLost | None) -> None:
            assert not (was_expired and result is None), "a dead lease was renewed"
            if isinstance(result, LeaseLost) and process.id == sender:
                process.forget()

        return Step(lambda connection: leases.renew_lease(connection, sender), learn)

    def expire(self, process: Process) -> Step:
        """Its lease ends; it does not know it."""
        query = "UPDATE sender SET lease_until = now() - interval '1 second' WHERE id = $1"
        sender = process.id

        def learn(_: object) -> None:
            if process.id == sender:
                process.expired = True

        return Step(lambda connection: connection.execute(query, sender), learn)

    def release(self, process: Process) -> Step:
        return Step(lambda connection: leases.release_sender(connection, process.id), lambda _: process.forget())

    def settle(self) -> Step:
        return Step(lambda connection: dead_senders.settle_dead_sender(connection, NO_WAIT))

    def close(self, process: Process, attempt: Attempt) -> Step:
        """An attempt ends; a range that was not tried to its end stays open for the next one."""
        page = attempt.page

        def learn(_: object) -> None:
            """An attempt that has messages left may not know yet that it is over: what it begins must be refused."""
            if attempt in process.attempts and not attempt.queue:
                process.attempts.remove(attempt)

        if page.campaign_id is not None:
            return Step(lambda connection: pages.close_campaign_page(connection, page, NO_WAIT), learn)
        return Step(lambda connection: pages.close_page(connection, page.id, page.epoch, NO_WAIT), learn)

    def claim_for(self, campaign: UUID, lane: str, runner: int) -> Step:
        return Step(
            lambda connection: pages.claim_campaign_page(connection, campaign, (lane, runner), RANGE),
        )

    def cancel(self, campaign: UUID) -> Step:
        return Step(lambda connection: campaign_ends.cancel_some(connection, campaign))


def hear(process: Process, turns: list[Turn], granted: set[int]) -> None:
    """What a commit's answer means to the connections: each holds its new intent, or nothing."""
    for turn in turns:
        process.lines.pop(turn.slot, None)
        if turn.intent is not None and turn.slot in granted:
            process.lines[turn.slot] = Line(turn.intent)


async def make_campaign(db: Database, customer: Customer, lanes: dict[str, int]) -> UUID:
    """A campaign that is sending, as its freeze and its hold leave it; `lanes`: how many messages each has."""
    count, campaign, now = sum(lanes.values()), new_id(), dt.datetime.now(dt.UTC)
    async with db.raw() as connection:
        await connection.execute(_CAMPAIGN, campaign, customer.account, customer.api_user, customer.version,
                                 customer.domain, now)  # fmt: skip
        await connection.execute(_SUBMISSION, campaign, customer.account, customer.api_user, customer.version,
                                 customer.domain, now, count)  # fmt: skip
        await connection.execute(_MESSAGES, campaign, customer.account, count)
        first = 0
        for lane, size in lanes.items():
            await connection.execute(_LANE, campaign, lane, first, first + size)
            first += size
        await quota.take(connection, (customer.account, business_day(now), False), count, count + 1_000_000)
    return campaign


_CAMPAIGN = """
INSERT INTO campaign (id, account_id, name, api_user_id, template_id, template_version_id, domain_id, sender,
    sender_name, reply_to, label, lists, state, problem, problem_params, paused_from, lives_hours, revision, listed,
    duplicates, suppressed, incomplete, cancelled, freeze_place, created_at, created_by, held_at)
VALUES ($1, $2, 'c', $3, $4, $4, $5, 'a@b.test', '', '', '', '{}', 'sending', '', '{}', '', 72, 0, 0, 0, 0, 0, 0,
    '{}', $6, 'm', $6)
"""
_SUBMISSION = """
INSERT INTO submission (id, account_id, api_user_id, template_version_id, domain_id, kind, is_test, sender,
    sender_name, reply_to, label, accepted_at, expires_at, recipients, duplicates, rejected, is_campaign)
VALUES ($1, $2, $3, $4, $5, 'batch', false, 'a@b.test', '', '', '', $6, $6::timestamptz + interval '3 days', $7, 0,
    '[]', true)
"""
_MESSAGES = """
INSERT INTO message (submission_id, account_id, ordinal, address, variables, state, attempts, round, reason, code,
    enhanced, reply, host, possible_duplicate)
SELECT $1, $2, n, 'c' || n || '@d.test', '{}', 'queued', 0, 0, '', 0, '', '', '', false
FROM generate_series(0, $3::int - 1) AS n
"""
_LANE = """
INSERT INTO campaign_lane (campaign_id, lane, first_ordinal, end_ordinal, next_ordinal) VALUES ($1, $2, $3, $4, $3)
"""

HELD = """
SELECT m.id, m.account_id, m.state, m.reason, m.submitted, m.round, m.possible_duplicate, m.attempts,
    (SELECT count(*) FROM due d WHERE d.message_id = m.id
       AND (d.campaign_id IS NOT NULL) = s.is_campaign AND (d.lane IS NOT NULL) = s.is_campaign) AS due,
    (SELECT count(*) FROM due d WHERE d.message_id = m.id) AS waiting,
    (SELECT count(*) FROM slot WHERE slot.message_id = m.id) AS slots,
    (SELECT sender_id FROM slot WHERE slot.message_id = m.id LIMIT 1) AS sender,
    (SELECT number FROM slot WHERE slot.message_id = m.id LIMIT 1) AS slot,
    (SELECT count(*) FROM page p CROSS JOIN unnest(p.messages, p.rounds) AS e (id, round)
     WHERE p.closed_at IS NULL AND e.id = m.id AND e.round = m.round
       AND NOT EXISTS (SELECT FROM slot WHERE slot.message_id = m.id)) AS pages,
    (SELECT count(*) FROM page p WHERE p.closed_at IS NULL AND p.campaign_id = m.submission_id AND m.round = 0
       AND m.ordinal >= p.first_ordinal AND m.ordinal < p.end_ordinal
       AND NOT EXISTS (SELECT FROM slot WHERE slot.message_id = m.id)) AS ranges,
    (SELECT count(*) FROM campaign_lane l WHERE l.campaign_id = m.submission_id AND m.round = 0
       AND m.ordinal >= l.next_ordinal AND m.ordinal < l.end_ordinal) AS ahead
FROM message m JOIN submission s ON s.id = m.submission_id
"""
"""Of every message: in how many places it is. A page counts only for what is in no slot."""
PLACES = ("due", "slots", "pages", "ranges", "ahead")


def misplaced(row: Any) -> bool:
    """A queued message is in exactly one place; a settled one waits nowhere, and no connection speaks of it."""
    if row["state"] == MessageState.QUEUED:
        return sum(row[place] for place in PLACES) != 1 or row["waiting"] != row["due"]
    return bool(row["waiting"] + row["slots"] + row["ahead"])
