"""One pass over one webhook endpoint: take, send in bounded parallel, acknowledge in groups, judge the endpoint.

An event is acknowledged only after a 2xx was read, so a kill between the answer and the group commit means a second
request with the same `webhook-id`. An endpoint that fails is tried with one event; one that works gets `AT_ONCE`
requests at a time, which never wait for the database: the next page is taken, and the last ones are recorded, beside
them. An event that is refused while others are taken waits on its own.
"""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from cryptography.fernet import InvalidToken
from temporalio import activity

from domain import sms_hook
from domain import webhooks as rules
from domain.policy import Policy
from domain.secrets import Vault
from domain.sms_hook import SmsAbout
from domain.webhook_forms import CONTENT_TYPE, About, form_of, new_token, signed_form
from domain.webhooks import SMS_EVENTS, Answer, DisabledBy, Failure, Format
from store import webhook_queue as queue
from store import webhook_replay as replays
from store.db import Database
from store.webhook_queue import EndpointRow, Health, Place, TakenEvent, Try

PASS_SECONDS = 20.0
"""After this a pass starts no new request and returns; the workflow asks for another one."""
PAGE = 256
GATHER_SECONDS = 0.02
"""Answers of so long are acknowledged together."""
FIRST_LOOK = 4
AT_ONCE = 32
STREAK = 32
"""Failures in a row after which a pass stops: the endpoint went away in the middle."""

REPLAYED = {"songda-replay": "true"}
"""Header of what is sent once more because somebody asked for that."""

Post = Callable[[dict[str, str], bytes], Awaitable[Answer]]


class Poster(Protocol):
    """Opens a session to one URL; what it yields posts (headers, body) and never raises."""

    def session(self, url: str, seconds: float | None = None) -> AbstractAsyncContextManager[Post]: ...


@dataclass(frozen=True)
class Means:
    """What a pass works with, injected by the composition root."""

    db: Database
    vault: Vault
    policy: Policy
    poster: Poster


class Clock:
    """The workflow's time, carried on by this process's clock."""

    def __init__(self, start: dt.datetime) -> None:
        self._start = start
        self._began = asyncio.get_running_loop().time()

    def seconds(self) -> float:
        return asyncio.get_running_loop().time() - self._began

    def now(self) -> dt.datetime:
        return self._start + dt.timedelta(seconds=self.seconds())


class Pass:
    """One pass. `run` returns when nothing is due, the endpoint fails, or the time is over."""

    def __init__(self, means: Means, endpoint: EndpointRow, clock: Clock) -> None:
        self._means = means
        self._endpoint = endpoint
        self._clock = clock
        self._format = Format(endpoint.format)
        self._secrets: list[str] = []
        self._about: dict[int, About] = {}
        self._about_sms: dict[int, SmsAbout] = {}
        self._in_hand: set[int] = set()
        self.delivered = 0
        self.failed = 0
        self.gone = False
        self.last_error: str | None = None
        self._streak = 0

    async def run(self) -> None:
        """Send what is due. Raises database errors only; what was not acknowledged is taken again."""
        try:
            self._secrets = self._unseal()
        except InvalidToken:
            self.last_error, self.failed = Failure.SECRET.value, 1
            return
        seconds = rules.ANSWER_SECONDS[self._format]
        async with self._means.poster.session(self._endpoint.url, seconds) as post:
            if first := await self._first():
                await self._stream(post, first)
                if len(first) == FIRST_LOOK or self._endpoint.failures:
                    await self._stream(post)

    def now(self) -> dt.datetime:
        """The workflow's time, as this pass sees it."""
        return self._clock.now()

    def health(self) -> Health:
        """The endpoint as this pass leaves it: failing when nothing was taken, or when it went away in the middle."""
        endpoint, now = self._endpoint, self._clock.now()
        if self.failed and (not self.delivered or self._streak >= STREAK):
            failures = 1 if self.delivered else endpoint.failures + 1
            since = now if self.delivered else endpoint.failing_since or now
            wait = self._means.policy.scaled(rules.back_off(failures))
            return Health(since, failures, now + wait, self.last_error)
        if self.delivered:
            return Health(None, 0, None, self.last_error, recovered=endpoint.failures > 0)
        return Health(endpoint.failing_since, endpoint.failures, None, endpoint.last_error)

    def why_disable(self) -> DisabledBy | None:
        """Gone (410), or failing for too long."""
        if self.gone:
            return DisabledBy.GONE
        since = self.health().failing_since
        limit = self._means.policy.scaled(rules.DISABLED_AFTER)
        return DisabledBy.FAILING if self.failed and since and self._clock.now() - since >= limit else None

    def _over(self) -> bool:
        """No further request is started."""
        nothing_taken = self.failed > 0 and self.delivered == 0
        return self.gone or nothing_taken or self._streak >= STREAK or self._clock.seconds() >= PASS_SECONDS

    def _unseal(self) -> list[str]:
        """The secrets that sign, newest first."""
        endpoint, bound = self._endpoint, rules.binding(self._endpoint.id)
        sealed = [endpoint.secret]
        if endpoint.previous_secret and endpoint.previous_until and endpoint.previous_until > self._clock.now():
            sealed.append(endpoint.previous_secret)
        return [self._means.vault.unseal(one, bound).decode() for one in sealed]

    async def _first(self) -> list[TakenEvent]:
        """A few, or one that has been tried least often: how is it today?"""
        limit, place = (1, None) if self._endpoint.failures > 0 else (FIRST_LOOK, Place())
        while not (events := await self._take(limit, place)):
            if self._over() or not await self._replayed():
                break
        return events

    async def _replayed(self) -> bool:
        """Put a slice of a replay among what is due; False when none is under way."""
        if activity.in_activity():
            activity.heartbeat(self.delivered, self.failed)
        async with self._means.db.raw() as connection:
            if not await queue.hold(connection, self._endpoint.id):
                return False
            return await replays.advance(connection, self._endpoint.id, self._clock.now())

    async def _take(self, limit: int, place: Place | None) -> list[TakenEvent]:
        async with self._means.db.raw() as connection:
            events = await queue.take(connection, self._endpoint.id, self._clock.now(), limit, place)
            if self._format is Format.SENDCLOUD and events:
                self._about |= await queue.about(connection, [each for each in events if each.kind not in SMS_EVENTS])
                self._about_sms |= await queue.about_sms(
                    connection, [each for each in events if each.kind in SMS_EVENTS]
                )
        self._in_hand |= {event.id for event in events}
        return events

    async def _stream(self, post: Post, events: list[TakenEvent] | None = None) -> None:
        """Send these, or everything that is due, in parallel; a recorder acknowledges in groups."""
        waiting: asyncio.Queue[TakenEvent | None] = asyncio.Queue(PAGE)
        results: asyncio.Queue[Try | None] = asyncio.Queue()
        async with asyncio.TaskGroup() as group:
            recorder = group.create_task(self._record_all(results))
            async with asyncio.TaskGroup() as senders:
                for _ in range(AT_ONCE if events is None else len(events)):
                    senders.create_task(self._send_some(waiting, post, results))
                senders.create_task(self._feed(waiting, events))
            results.put_nowait(None)
            await recorder

    async def _feed(self, waiting: "asyncio.Queue[TakenEvent | None]", events: list[TakenEvent] | None) -> None:
        after = 0
        while events or (events is None and not self._over()):
            page = events if events else await self._take(PAGE, Place(after, frozenset(self._in_hand)))
            for event in page:
                await waiting.put(event)
            if events or (not page and not after and not await self._replayed()):
                break
            after = page[-1].id if page else 0  # what was committed late has a smaller id
        for _ in range(AT_ONCE if events is None else len(events)):
            await waiting.put(None)

    async def _send_some(
        self, waiting: "asyncio.Queue[TakenEvent | None]", post: Post, results: "asyncio.Queue[Try | None]"
    ) -> None:
        """Once the pass is over, what was taken is left as it is."""
        while (event := await waiting.get()) is not None:
            if not self._over():
                results.put_nowait(self._note(event, await self._send(event, post)))

    async def _send(self, event: TakenEvent, post: Post) -> Answer:
        headers, body = self._written(event)
        return await post(headers | REPLAYED if event.replay else headers, body)

    def _written(self, event: TakenEvent) -> tuple[dict[str, str], bytes]:
        if self._format is Format.SENDCLOUD:
            fields = self._form(event)
            named = {"webhook-id": rules.event_id(event.id), "songda-number": str(event.number)}
            return named | {"Content-Type": CONTENT_TYPE}, signed_form(fields, self._secrets[0], new_token())
        body = rules.body_of(event.kind, event.occurred_at, event.number, event.data)
        sent_at = dt.datetime.now(dt.UTC)  # receivers compare it with their own clock
        return rules.signed_headers(rules.event_id(event.id), sent_at, body, self._secrets), body

    def _form(self, event: TakenEvent) -> dict[str, str]:
        """SendCloud posts events of mail and of SMS in two forms."""
        message = event.message_id or 0
        if event.kind in SMS_EVENTS:
            about = self._about_sms.get(message, SmsAbout(self._endpoint.account_id))
            return sms_hook.form_of(event.kind, event.occurred_at, event.data, about)
        return form_of(event.kind, event.occurred_at, event.data, self._about.get(message, About()))

    def _note(self, event: TakenEvent, answer: Answer) -> Try:
        """Count an answer and say when its event is tried again."""
        now, error = self._clock.now(), answer.error
        again, given_up = None, False
        if error is None:
            self.delivered += 1
            self._streak = 0
        else:
            self.failed += 1
            self._streak += 1
            self.last_error = error
            self.gone = self.gone or answer.status == 410
            given_up = self._hopeless(event)
            again = None if given_up else now + self._means.policy.scaled(rules.back_off(event.attempts + 1))
        words = "" if error is None else answer.response
        return Try(event, now, answer.status, error, words, answer.milliseconds, again, given_up)

    def _hopeless(self, event: TakenEvent) -> bool:
        """Tried for days, while the endpoint took events that came later."""
        taken = self._endpoint.last_delivered_at
        return event.attempts + 1 >= rules.MAX_TRIES and taken is not None and taken > event.occurred_at

    async def _record_all(self, results: "asyncio.Queue[Try | None]") -> None:
        while (first := await results.get()) is not None:
            await asyncio.sleep(GATHER_SECONDS)
            tries, ended = [first], False
            while not results.empty() and not ended:
                one = results.get_nowait()
                ended = one is None
                tries += [one] if one is not None else []
            await self._record(tries)
            if ended:
                return

    async def _record(self, tries: list[Try]) -> None:
        async with self._means.db.raw() as connection:
            await queue.record(connection, self._endpoint.id, tries)
        self._in_hand -= {each.event.id for each in tries}
        if activity.in_activity():
            activity.heartbeat(self.delivered, self.failed)
