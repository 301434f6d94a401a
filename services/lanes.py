"""Lanes as people see them: operators steer them, customers see where their mails wait (seed ⑪, design §4.7)."""

import datetime as dt
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field

from sqlalchemy.exc import DBAPIError

from domain.accounts import Caller
from domain.errors import Refusal
from domain.lanes import LaneState, Limits, state_of
from domain.operators import Duty, Operator, reason_of
from services.foundation import Foundation
from store import lanes_read as rows
from store.audit_log import note
from store.campaigns import wake_lane
from store.columns import now
from store.db import Session
from store.lanes import Lane
from store.lanes_read import MOST_COUNTED, LaneUse, WaitingRow

LONGEST_LOOK = 3
"""Seconds for one count."""
CANCELLED = "57014"
DOMAINS_SHOWN = 5


@dataclass(frozen=True)
class LaneView:
    """A lane as operators see it. `waiting` None: too many to count in time."""

    lane: Lane
    state: LaneState
    use: LaneUse
    waiting: int | None


@dataclass(frozen=True)
class LaneNews:
    """A lane that is not normal. `reason` is the operator's, of a pause."""

    lane: str
    state: LaneState
    since: dt.datetime | None
    reason: str


@dataclass(frozen=True)
class QueueLine:
    """What one API user has waiting in one lane. `counted` False: there are more single mails than were counted."""

    api_user: str
    lane: str
    domains: tuple[str, ...]
    state: LaneState
    reason: str
    waiting: int
    since: dt.datetime
    counted: bool = True


@dataclass(frozen=True)
class QueueStatus:
    """`lines`: what waits, the most first; `news`: every lane that is slow or paused, whoever's mails are in it."""

    lines: tuple[QueueLine, ...]
    news: tuple[LaneNews, ...]

    @property
    def waiting(self) -> int:
        return sum(line.waiting for line in self.lines)


class LaneDesk:
    """Needs `Duty.LANES`. Workers see every change within about a second."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def listed(self, operator: Operator) -> list[LaneView]:
        """Every lane, what is not normal first."""
        operator.require(Duty.LANES)
        async with self._base.db.read() as session:
            lanes, use = await rows.every_lane(session), await rows.use_of_lanes(session)
        waiting = await self._waiting() if lanes else {}
        views = [
            LaneView(lane, _state(lane), use.get(name, LaneUse()), None if waiting is None else waiting.get(name, 0))
            for name, lane in lanes.items()
        ]
        return sorted(views, key=lambda view: (view.state is LaneState.NORMAL, view.lane.name))

    async def _waiting(self) -> dict[str, int] | None:
        try:
            async with _looking(self._base) as session:
                return await rows.waiting_of_all(session)
        except Refusal:
            return None

    async def pause(self, operator: Operator, name: str, reason: str) -> None:
        """Nothing is sent in this lane until it is resumed; customers read the reason.

        Raises `Refusal`: `not_found`, `lane_already_paused`, `required`, `text_too_long`, `duty_forbidden`.
        """
        operator.require(Duty.LANES)
        words = reason_of(reason)
        async with self._change(name) as (session, lane):
            if lane.paused_at is not None:
                raise Refusal("lane_already_paused")
            lane.paused_at, lane.paused_by, lane.pause_reason = now(), operator.actor, words
            await note(session, operator.actor, "lane.paused", f"lane/{name}", reason=words)

    async def resume(self, operator: Operator, name: str) -> None:
        """Raises `Refusal`: `not_found`, `lane_not_paused`, `duty_forbidden`."""
        operator.require(Duty.LANES)
        async with self._change(name) as (session, lane):
            if lane.paused_at is None:
                raise Refusal("lane_not_paused")
            lane.paused_at, lane.paused_by, lane.pause_reason = None, "", ""
            await wake_lane(session, name)
            await note(session, operator.actor, "lane.resumed", f"lane/{name}")

    async def set_limits(self, operator: Operator, name: str, limits: Limits, row_version: int) -> None:
        """Raises `Refusal`: `not_found`, `lane_changed_meanwhile` (`row_version` is not the one seen)."""
        operator.require(Duty.LANES)
        async with self._change(name) as (session, lane):
            if lane.row_version - 1 != row_version:
                raise Refusal("lane_changed_meanwhile")
            before = asdict(_limits(lane))
            lane.rate_per_s, lane.burst = limits.rate_per_s, limits.burst
            lane.connections, lane.per_site = limits.connections, limits.per_site
            lane.per_connection = limits.per_connection
            lane.tokens = min(lane.tokens, float(limits.burst))
            await wake_lane(session, name)
            await note(session, operator.actor, "lane.limits_set", f"lane/{name}", before=before, after=asdict(limits))

    async def full_speed(self, operator: Operator, name: str) -> None:
        """Forget the back-off: the provider said that it is well again."""
        operator.require(Duty.LANES)
        async with self._change(name) as (session, lane):
            lane.pace, lane.slow_since = 1.0, None
            lane.backoff_until = lane.express_until = lane.recovered_at = None
            await wake_lane(session, name)
            await note(session, operator.actor, "lane.full_speed", f"lane/{name}")

    @asynccontextmanager
    async def _change(self, name: str) -> AsyncIterator[tuple[Session, Lane]]:
        """One lane, locked; raises the refusal `not_found`."""
        async with self._base.db.begin() as session:
            lane = await rows.lock_lane(session, name)
            if lane is None:
                raise Refusal("not_found", what="lane")
            lane.row_version += 1
            yield session, lane


class Queues:
    """Where a customer's mails wait. Scoped to the caller's account, and an API user's key to that API user."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def status(self, caller: Caller) -> QueueStatus:
        """Raises the refusal `queue_status_busy` when there is too much to count in time."""
        async with _looking(self._base) as session:
            lanes = await rows.every_lane(session)
            waiting = await rows.waiting_of(session, caller.account_id)
            own = [row for row in waiting if caller.api_user_id in (None, row.api_user_id)]
            names = await rows.api_user_names(session, caller.account_id, {row.api_user_id for row in own})
        counted = sum(row.waiting for row in waiting if row.domain is not None) < MOST_COUNTED
        gathered = _gather((names[row.api_user_id], row) for row in own if row.api_user_id in names)
        lines = [each.line(user, lane, lanes.get(lane), counted) for (user, lane), each in gathered.items()]
        news = [_news(lane) for lane in lanes.values() if _state(lane) is not LaneState.NORMAL]
        return QueueStatus(
            tuple(sorted(lines, key=lambda line: (-line.waiting, line.api_user, line.lane))), tuple(news)
        )


@dataclass
class _Sum:
    """Of one API user in one lane."""

    waiting: int = 0
    since: dt.datetime | None = None
    domains: Counter[str] = field(default_factory=Counter)

    def add(self, row: WaitingRow) -> None:
        self.waiting += row.waiting
        self.since = row.since if self.since is None else min(self.since, row.since)
        if row.domain is not None:
            self.domains[row.domain] += row.waiting

    def line(self, api_user: str, lane: str, row: Lane | None, counted: bool) -> QueueLine:
        state = LaneState.NORMAL if row is None else _state(row)
        domains = tuple(domain for domain, _ in self.domains.most_common(DOMAINS_SHOWN))
        reason, since = row.pause_reason if row else "", self.since or now()
        return QueueLine(api_user, lane, domains, state, reason, self.waiting, since, counted or not self.domains)


def _gather(waiting: Iterable[tuple[str, WaitingRow]]) -> dict[tuple[str, str], _Sum]:
    found: dict[tuple[str, str], _Sum] = {}
    for api_user, row in waiting:
        found.setdefault((api_user, row.lane), _Sum()).add(row)
    return found


def _state(lane: Lane) -> LaneState:
    backed_off = lane.backoff_until is not None and lane.backoff_until > now()
    return state_of(paused=lane.paused_at is not None, backed_off=backed_off, pace=lane.pace)


def _limits(lane: Lane) -> Limits:
    return Limits(lane.rate_per_s, lane.burst, lane.connections, lane.per_site, lane.per_connection)


def _news(lane: Lane) -> LaneNews:
    state = _state(lane)
    return LaneNews(lane.name, state, lane.paused_at or lane.slow_since, lane.pause_reason)


@asynccontextmanager
async def _looking(base: Foundation) -> AsyncIterator[Session]:
    """Reads only, and not for long. Raises the refusal `queue_status_busy`."""
    try:
        async with base.db.look(LONGEST_LOOK) as session:
            yield session
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == CANCELLED:
            raise Refusal("queue_status_busy") from error
        raise
