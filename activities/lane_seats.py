"""Connections that this process may have open: a lane's, and one site's of the long tail (design §4.7).

What a cap counts is dealt out by the store; here is what this process holds of it, uses, and would like to have.
"""

import time
from dataclasses import dataclass, field

from domain.lanes import Seats, Stand
from store.lanes import SeatOrder

IDLE_KEPT = 1.0
"""Seconds for which a connection's place is kept that nobody sits on: who was granted it is about to come."""
REFUSED_FOR = 0.5
"""Seconds before a place that was not to be had is asked for again."""
EXPRESS_REFUSED_FOR = 0.1


@dataclass
class _Line:
    """Places of one urgency."""

    used: int = 0
    held: int = 0
    asked: int = 0
    retry_at: float = 0.0

    def wanted(self, idle: bool) -> int:
        return max(self.used + self.asked, self.used if idle else self.held)


@dataclass
class Share:
    """Of one lane, or one site: `cap` None means that its places are only counted."""

    lane: str
    site: str
    cap: int | None = None
    lines: tuple[_Line, _Line] = field(default_factory=lambda: (_Line(), _Line()))
    told: Stand = field(default_factory=Stand)
    wanting: int = 0
    sink: int | None = None
    touched: float = 0.0

    def has_room(self, express: bool) -> bool:
        line = self.lines[express]
        return self.cap is None or line.used < line.held

    def ask(self, express: bool) -> bool:
        """Note that a place is wanted; False when it is too early to ask again."""
        line, now = self.lines[express], time.monotonic()
        line.asked += 1
        self.touched = now
        return now >= line.retry_at

    def refused_for(self, express: bool) -> float:
        return max(0.0, self.lines[express].retry_at - time.monotonic())

    def sit(self, express: bool) -> None:
        self.lines[express].used += 1
        self.touched = time.monotonic()

    def rise(self, express: bool) -> None:
        """One place is free again; where others wait, it may be theirs."""
        line = self.lines[express]
        line.used -= 1
        if self.sink is not None and not express and line.held > self.sink:
            line.held -= 1

    def order(self, *, all_news: bool) -> SeatOrder | None:
        """What the store should hear now. Mere counts, and places that are kept busy, wait for a round of all news."""
        bulk, express = self.lines
        now = time.monotonic()
        idle = now - self.touched > IDLE_KEPT
        used = Stand(bulk.used, express.used)
        wanted = used if self.cap is None else Stand(bulk.wanted(idle), express.wanted(idle))
        asked = any(line.asked and now >= line.retry_at for line in self.lines)
        urgent = self.cap is not None and (asked or self._given_up or (idle and self.told != used))
        news = wanted != self.told or self.wanting or (self.cap is not None and used.total)
        return SeatOrder(self.lane, self.site, used, wanted) if urgent or (all_news and news) else None

    @property
    def _given_up(self) -> bool:
        return self.lines[0].held < self.told.bulk

    def take(self, order: SeatOrder, grant: Seats | None) -> None:
        """What is held from now on; None: our lease is not there, so nobody can vouch for more."""
        now = time.monotonic()
        if grant is None:
            for line in self.lines:
                line.retry_at = now + REFUSED_FOR
            return
        for line, held, wanted, wait in zip(
            self.lines,
            (grant.held.bulk, grant.held.express),
            (order.wanted.bulk, order.wanted.express),
            (REFUSED_FOR, EXPRESS_REFUSED_FOR),
            strict=True,
        ):
            line.held, line.asked = held, 0
            line.retry_at = now + wait if held < wanted else 0.0
        self.told, self.sink = grant.held, grant.sink if grant.sink < grant.held.bulk else None
        self.wanting = max(0, order.wanted.bulk - grant.held.bulk)

    @property
    def empty(self) -> bool:
        return not (self.told.total or self.wanting or any(line.used or line.asked for line in self.lines))


class Seat:
    """The right to one open connection, until it is closed. A context manager."""

    def __init__(self, shares: list[Share], express: bool) -> None:
        self._shares = shares
        self._express = express
        for share in shares:
            share.sit(express)

    def close(self) -> None:
        """Give it back; a second time changes nothing."""
        shares, self._shares = self._shares, []
        for share in shares:
            share.rise(self._express)

    def __enter__(self) -> "Seat":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
