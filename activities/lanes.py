"""The limits of mailbox providers, as one worker process keeps them together with all others (design §4.7).

`seat` and `take` are asked before every connection and every mail, so they never wait: they look at what this process
holds. `run` leases that from the store in small shares, hears what operators paused and what providers refused, and
gives back what is not used. A lane without limits asks the store for nothing.
"""

import asyncio
import contextlib
import math
import time
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

import structlog

from activities.lane_seats import Seat, Share
from activities.recipient_lanes import Learned
from domain.lanes import (
    BACK_OFF,
    CLEAN_FOR,
    EXPRESS_WAITS_BELOW,
    NEWS_AFTER,
    OTHER,
    RESERVE,
    USUAL_PER_CONNECTION,
    slower,
    slows,
)
from domain.sending import Outcome
from domain.transport import MailRoute
from store import lanes
from store.db import DATABASE_TROUBLE, Database
from store.lanes import LaneNow, SeatOrder, TokenGrant, TokenOrder

log = structlog.get_logger(__name__)

PERIOD = 0.5
"""Seconds between two rounds when nobody asks for one; a share of tokens lasts as long."""
LOOK = 1.0
"""Seconds between two looks at what operators and other workers did to the lanes."""
GAP = 0.02
"""Least seconds between two rounds: what is asked meanwhile goes into one."""
PAUSED_FOR = 10.0
"""Seconds after which who waits for a paused lane may ask again."""
LONGEST_WAIT = 60.0
NOT_YET = 0.2
"""Seconds before the first look is done."""
IN_HAND = 1
"""Tokens that a process keeps for single mails of every lane with a rate, so that they wait for no round."""
EXPRESS_SHARE = 5
REFUSALS_THAT_COUNT = 0.05
"""Of what a lane answered lately: below that a refusal is about one recipient, or one sender."""
UNUSED_FOR = 2.0
"""Seconds after which a campaign's tokens that nobody took go back."""
SITES_KEPT = 10_000


@dataclass(frozen=True)
class Wait:
    """Not now; ask again after so many seconds."""

    seconds: float


class Leaseholder(Protocol):
    """The sender process whose lease vouches for what is held here."""

    id: UUID


@dataclass
class _Tokens:
    """Tokens of one urgency in hand."""

    count: int = 0
    closed_until: float = 0.0
    asked: bool = False
    taken_at: float = 0.0
    retry_at: float = 0.0


@dataclass
class _View:
    """A lane as this process knows it."""

    now: LaneNow
    bulk: _Tokens = field(default_factory=_Tokens)
    express: _Tokens = field(default_factory=_Tokens)
    answers: float = 0.0
    refusals: float = 0.0
    news_from: float = 0.0


@dataclass
class _Site:
    """One group of servers of the long tail that asked for less: what a lane is for a large provider, here alone."""

    pace: float = 1.0
    bulk_until: float = 0.0
    express_until: float = 0.0
    news_from: float = 0.0


class Lanes:
    """One instance per worker process. `scale` divides the waits of back-offs, as everywhere."""

    def __init__(self, db: Database, holder: Leaseholder, scale: float = 1.0) -> None:
        self._db = db
        self._holder = holder
        self._scale = scale
        self._views: dict[str, _View] = {}
        self._shares: dict[tuple[str, str], Share] = {}
        self._sites: dict[str, _Site] = {}
        self._refused: set[str] = set()
        self._learned = Learned()
        self._wake = asyncio.Event()
        self._informed = False
        self._usual_per_connection: int | None = USUAL_PER_CONNECTION
        """In a lane that is not known, or not yet."""
        self._looked_at = -math.inf
        self._sender = holder.id
        """Under whose lease the shares are held."""

    @classmethod
    def without_limits(cls, db: Database, holder: Leaseholder) -> "Lanes":
        """For tests of other things: every lane is open, nothing is asked of the store. Do not `run` it."""
        free = cls(db, holder)
        free._informed = True
        free._usual_per_connection = None
        return free

    # What every conversation asks.

    def seat(self, lane: str, destination: str, *, express: bool) -> Seat | Wait:
        """May a connection to these servers (`MailRoute.destination`) be opened now? Close the seat with it."""
        self._follow_lease()
        view = self._views.get(lane)
        if view is None:
            return Seat([], express) if self._informed else Wait(NOT_YET)
        closed = max(_left(_line(view, express)), self._site_closed(destination, express))
        if closed > 0:
            return Wait(closed)
        shares = [self._share(lane, "", view.now.connections)]
        if view.now.per_site is not None:
            shares.append(self._share(lane, destination, view.now.per_site))
        lacking = [share for share in shares if not share.has_room(express)]
        return Wait(max(self._ask(share, express) for share in lacking)) if lacking else Seat(shares, express)

    def take(self, lane: str, *, express: bool, count: int = 1) -> float:
        """0.0: send one mail, or the `count` parts of an SMS, now. More: the seconds until it may be asked again;
        nothing was taken. With a token in hand all parts go, and what they take beyond it is owed."""
        view = self._views.get(lane)
        if view is None:
            return 0.0 if self._informed else NOT_YET
        line = view.express if express else view.bulk
        if line.closed_until and (closed := _left(line)) > 0:
            return closed
        if view.now.rate_per_s is None:
            return 0.0
        line.asked = True
        if line.count > 0:
            line.count -= count
            return 0.0
        return self._wait_for_tokens(line)

    def messages_per_connection(self, lane: str) -> int | None:
        """After how many messages a connection is closed and another opened; None: never for that."""
        view = self._views.get(lane)
        return self._usual_per_connection if view is None else view.now.per_connection

    def heard(self, lane: str, outcome: Outcome, *, destination: str = "") -> None:
        """What a server answered, or that it took no connection: too many refusals for the rate slow the lane."""
        view = self._views.get(lane)
        if view is None:
            return
        refused = slows(outcome)
        if lane == OTHER:  # its sites know nothing of each other
            if refused and destination:
                self._slow_site(destination)
            return
        view.answers += 1
        if refused:
            view.refusals += 1
            if view.refusals >= view.answers * REFUSALS_THAT_COUNT:
                self._slow(view)

    def learn(self, route: MailRoute) -> None:
        """A delivery looked this domain's servers up: the queue status wants to know its lane."""
        self._learned.learn(route)

    # How they are answered.

    def _wait_for_tokens(self, line: _Tokens) -> float:
        wait = line.retry_at - time.monotonic()
        if wait > 0:
            return wait
        self._wake.set()
        return GAP

    def _share(self, lane: str, site: str, cap: int | None) -> Share:
        share = self._shares.get((lane, site))
        if share is None:
            share = self._shares[lane, site] = Share(lane, site)
        share.cap = cap
        return share

    def _ask(self, share: Share, express: bool) -> float:
        if not share.ask(express):
            return max(GAP, share.refused_for(express))
        self._wake.set()
        return GAP

    def _slow(self, view: _View) -> None:
        """Once per back-off: stop campaigns here at once, and tell the others."""
        now = time.monotonic()
        if now < view.news_from:
            return
        view.news_from = now + NEWS_AFTER.total_seconds() / self._scale
        view.bulk.closed_until = max(view.bulk.closed_until, now + _back_off(slower(view.now.pace), self._scale))
        self._refused.add(view.now.name)
        self._wake.set()

    def _slow_site(self, destination: str) -> None:
        now = time.monotonic()
        site = self._sites.setdefault(destination, _Site())
        if now < site.news_from:
            return
        site.pace = slower(site.pace)
        site.news_from = now + NEWS_AFTER.total_seconds() / self._scale
        wait = _back_off(site.pace, self._scale)
        site.bulk_until = now + wait
        if site.pace < EXPRESS_WAITS_BELOW:
            site.express_until = now + wait / 4

    def _site_closed(self, destination: str, express: bool) -> float:
        site = self._sites.get(destination)
        if site is None:
            return 0.0
        until = site.express_until if express else site.bulk_until
        return min(LONGEST_WAIT, max(0.0, until - time.monotonic()))

    # The rounds with the store.

    async def run(self) -> None:
        """Until cancelled. While the database is away, lanes without limits go on, the others use up what they hold."""
        try:
            while True:
                try:
                    await self._round()
                except DATABASE_TROUBLE as error:
                    log.warning("lanes_out_of_touch", error=type(error).__name__)
                    await asyncio.sleep(PERIOD)
                await self._rest()
        finally:
            await self._give_back()

    async def _rest(self) -> None:
        await asyncio.sleep(GAP)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PERIOD):  # `wait_for` of Python 3.11 may swallow that we are cancelled
                await self._wake.wait()
        self._wake.clear()

    async def _round(self) -> None:
        self._follow_lease()
        look = bool(self._refused) or time.monotonic() - self._looked_at >= LOOK
        await self._tell_refusals()
        if look:
            await self._look()
        tokens, seating = self._token_orders(), self._seat_orders(all_news=look)
        if not tokens and not seating:
            return
        async with self._db.raw() as connection:
            dealt = await lanes.deal(connection, self._sender, tokens, [order for _, order in seating])
        for order in tokens:
            self._take_tokens(order, dealt.tokens.get(order.lane))
        for share, seats in seating:
            share.take(seats, dealt.seats.get(seats.key))

    def _follow_lease(self) -> None:
        """What was held under a lease that is lost is no longer ours; its dialogues are being cancelled."""
        if self._holder.id != self._sender:
            self._sender = self._holder.id
            self._shares = {}

    async def _tell_refusals(self) -> None:
        if not self._refused:
            return
        told = set(self._refused)
        async with self._db.raw() as connection:
            await lanes.back_off(connection, told, self._scale)
        self._refused -= told
        log.info("lanes_backed_off", lanes=sorted(told))

    async def _look(self) -> None:
        async with self._db.raw() as connection:
            if not self._informed:
                await lanes.ensure_lanes(connection, self._scale)
            await lanes.recover(connection, self._scale)
            await lanes.forget_shares(connection)
            await self._learned.write(connection)
            rows = await lanes.read_lanes(connection)
        self._views = {row.name: self._seen(row) for row in rows}
        self._informed = True
        self._looked_at = time.monotonic()
        self._shares = {key: share for key, share in self._shares.items() if not share.empty}
        self._forget_sites()

    def _seen(self, row: LaneNow) -> _View:
        view = self._views.get(row.name) or _View(row)
        now = time.monotonic()
        view.now = row
        view.answers, view.refusals = view.answers / 2, view.refusals / 2
        view.bulk.closed_until = math.inf if row.paused else _until(now, row.bulk_closed)
        view.express.closed_until = math.inf if row.paused else _until(now, row.express_closed)
        for share in self._shares.values():
            if share.lane == row.name:
                share.cap = row.per_site if share.site else row.connections
        return view

    def _forget_sites(self) -> None:
        """Those that were quiet for long enough start anew; those that are most recent are kept when there are many."""
        old = time.monotonic() - CLEAN_FOR.total_seconds() / self._scale
        kept = [(name, site) for name, site in self._sites.items() if site.bulk_until > old]
        self._sites = dict(kept[-SITES_KEPT:])

    def _token_orders(self) -> list[TokenOrder]:
        orders = (self._token_order(view) for view in self._views.values() if view.now.rate_per_s is not None)
        return [order for order in orders if order is not None]

    def _token_order(self, view: _View) -> TokenOrder | None:
        """Campaigns lease what half a second needs, once they ask; for single mails there is always one in hand."""
        now, share = time.monotonic(), max(1, math.ceil((view.now.rate_per_s or 0) * PERIOD))
        bulk = express = returned = 0
        if view.bulk.asked and now >= view.bulk.retry_at:
            bulk = max(0, share - view.bulk.count)
        elif not view.bulk.asked and view.bulk.count > 0 and now - view.bulk.taken_at > UNUSED_FOR:
            returned, view.bulk.count = view.bulk.count, 0
        if now >= view.express.retry_at:
            wanted = min(max(EXPRESS_SHARE, share // 5), share) if view.express.asked else IN_HAND
            express = max(0, wanted - view.express.count)
        return TokenOrder(view.now.name, bulk, express, returned) if bulk or express or returned else None

    def _take_tokens(self, order: TokenOrder, grant: TokenGrant | None) -> None:
        view, now = self._views[order.lane], time.monotonic()
        rate = view.now.rate_per_s or 1.0
        left = grant.left if grant else 0.0
        reserve = view.now.burst * RESERVE
        for line, wanted, granted, missing in (
            (view.bulk, order.bulk, grant.bulk if grant else 0, 1 + reserve - left),
            (view.express, order.express, grant.express if grant else 0, 1 - left),
        ):
            if wanted:
                line.count += granted
                line.taken_at = now
                line.asked = False
                line.retry_at = now + min(1.0, max(GAP, missing / rate)) if granted < wanted else 0.0

    def _seat_orders(self, *, all_news: bool) -> list[tuple[Share, SeatOrder]]:
        orders = ((share, share.order(all_news=all_news)) for share in self._shares.values())
        return [(share, order) for share, order in orders if order is not None]

    async def _give_back(self) -> None:
        held = {name: view.bulk.count + view.express.count for name, view in self._views.items()}
        with contextlib.suppress(*DATABASE_TROUBLE):
            async with self._db.raw() as connection:
                await lanes.return_tokens(connection, {name: count for name, count in held.items() if count})
                await lanes.forget_shares(connection, self._sender)


def _line(view: _View, express: bool) -> _Tokens:
    return view.express if express else view.bulk


def _until(now: float, seconds: float) -> float:
    return now + seconds if seconds > 0 else 0.0


def _left(line: _Tokens) -> float:
    """Seconds for which a lane is closed, bounded: an operator may resume it earlier."""
    if not line.closed_until:
        return 0.0
    if math.isinf(line.closed_until):
        return PAUSED_FOR
    return min(LONGEST_WAIT, max(0.0, line.closed_until - time.monotonic()))


def _back_off(pace: float, scale: float) -> float:
    return BACK_OFF.total_seconds() / pace / scale
