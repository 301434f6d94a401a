"""What webhook receivers heard, beside what the messages became: nothing lost, no number missing, one id each."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from bench.ground import Ground
from bench.hook_receiver import Manner
from bench.hooks import HookReceiver, Told, make_endpoint
from bench.screen import Screen
from domain.sending import MessageState
from domain.webhooks import Event
from store.db import DATABASE_TROUBLE
from store.webhooks import PENDING

SETTLED_WITHIN = 420.0
NAMED = 20
"""Of each fault so many are named."""
_PENDING = f"SELECT count(*) FROM webhook_event WHERE {PENDING}"  # noqa: S608 - a constant of ours
_MESSAGES = "SELECT id, state FROM message WHERE account_id = ANY($1)"
_NUMBERS = "SELECT id, last_number FROM webhook_endpoint WHERE id = ANY($1)"
OUTCOMES = {MessageState.DELIVERED: Event.DELIVER, MessageState.BOUNCED: Event.INVALID}


@dataclass
class Hearing:
    """One endpoint per account, that hears everything; the tag of its URL is its place."""

    place: Ground
    receiver: HookReceiver
    accounts: list[UUID] = field(default_factory=list)
    endpoints: list[UUID] = field(default_factory=list)

    async def listen(self, accounts: Sequence[UUID]) -> None:
        """Before their first message."""
        for account in accounts:
            url = self.receiver.url(Manner.RANDOM, len(self.accounts))
            self.endpoints.append(await make_endpoint(self.place, account, url))
            self.accounts.append(account)

    async def settle(self, screen: Screen) -> None:
        """Until nothing waits, within reason: what waits then is found missing."""
        end = time.monotonic() + SETTLED_WITHIN
        while time.monotonic() < end:
            try:
                waiting = await self.place.db.pool.fetchval(_PENDING)
                if not waiting:
                    return
                screen.at(0, f"{waiting:,} events wait")
            except DATABASE_TROUBLE:
                pass  # it may still be coming back
            await asyncio.sleep(1.0)


async def heard(hearing: Hearing) -> dict[str, object]:
    """The figures. Call when everything is settled."""
    told = hearing.receiver.told()
    pool = hearing.place.db.pool
    messages = {row["id"]: row["state"] for row in await pool.fetch(_MESSAGES, hearing.accounts)}
    last = {row["id"]: row["last_number"] for row in await pool.fetch(_NUMBERS, hearing.endpoints)}
    faults = compare(told, messages, {str(tag): last[key] for tag, key in enumerate(hearing.endpoints)})
    return {
        "webhook_events": len({one.event for one in told}),
        "webhook_repeats": len(told) - len({one.event for one in told}),
        "webhooks_broken": faults,
    }


def compare(told: Sequence[Told], messages: Mapping[int, str], last: Mapping[str, int]) -> list[str]:
    """What is wrong, in words. `last` is the last number that each endpoint gave."""
    known = {(one.message, one.kind) for one in told}
    lost = sorted((message, kind) for message, kind in _expected(messages) if (message, kind) not in known)
    faults = [f"{len(lost)} events never arrived: {lost[:NAMED]}"] if lost else []
    ids: dict[tuple[str, int | None], set[str]] = defaultdict(set)
    for one in told:
        ids[one.tag, one.number].add(one.event)
    for tag, number in last.items():
        gaps = [each for each in range(1, number + 1) if (tag, each) not in ids]
        faults += [f"endpoint {tag}: {len(gaps)} numbers of {number} are missing: {gaps[:NAMED]}"] if gaps else []
    mixed = [place for place, names in ids.items() if len(names) > 1]
    return faults + ([f"numbers of several events: {mixed[:NAMED]}"] if mixed else [])


def _expected(messages: Mapping[int, str]) -> Iterable[tuple[int, str]]:
    """Every accepted message is told, and so is its end."""
    for message, state in messages.items():
        yield message, Event.REQUEST.value
        if end := OUTCOMES.get(MessageState(state)):
            yield message, end.value
