"""Sending quality: what receivers' answers say of a sender, as rates that are judged. Pure.

A rate is of the window in which its parts were counted: a complaint counts in the hour when it arrives, among what
was delivered in the same window. Corrections count with a minus where the first count was, so a window may hold more
corrections than mails: what is less than nothing is nothing.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from enum import StrEnum

from domain.times import SHANGHAI


@dataclass(frozen=True)
class Counts:
    """Messages, by what their receivers said. A correction counts what was counted before with a minus."""

    delivered: int = 0
    deferred: int = 0
    """Tries that were put off."""
    hard: int = 0
    """No such mailbox, no such domain, disabled."""
    refused: int = 0
    """For good, but not because of the recipient: content, our address, authentication, policy."""
    expired: int = 0
    complained: int = 0
    unsubscribed: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    @property
    def settled(self) -> int:
        """Messages that are over."""
        return max(0, self.delivered) + max(0, self.hard) + max(0, self.refused) + max(0, self.expired)

    @property
    def tries(self) -> int:
        """Answers of receivers: an expired message had its own when it was deferred."""
        return self.settled - max(0, self.expired) + max(0, self.deferred)


COUNTS = tuple(field.name for field in fields(Counts))


def total(counts: Iterable[Counts]) -> Counts:
    return sum(counts, Counts())


class Rate(StrEnum):
    """Part of `/v1`."""

    DELIVERED = "delivered"
    """Of settled messages."""
    HARD = "hard"
    """Of settled messages."""
    REFUSED = "refused"
    """Of settled messages."""
    DEFERRED = "deferred"
    """Of tries."""
    COMPLAINED = "complained"
    """Of delivered messages."""
    UNSUBSCRIBED = "unsubscribed"
    """Of delivered messages; no receiver publishes a bound, so it is not judged."""


class Level(StrEnum):
    """A judgement. Part of `/v1`."""

    GOOD = "good"
    WATCH = "watch"
    BAD = "bad"
    UNKNOWN = "unknown"
    """Too few mails to say."""


SEVERITY = (Level.UNKNOWN, Level.GOOD, Level.WATCH, Level.BAD)


@dataclass(frozen=True)
class Bounds:
    """From `watch` on a rate is to be watched, from `bad` on it is bad; in hundredths of a percent."""

    watch: int
    bad: int


BOUNDS: Mapping[Rate, Bounds] = {
    Rate.COMPLAINED: Bounds(10, 30),  # reference §1.4: Gmail wants less than 0.10 %, and never 0.30 %
    Rate.HARD: Bounds(500, 1000),  # §1.6: a warm-up holds its step at 5 %; bad is twice that, which is our choice
    Rate.DEFERRED: Bounds(1500, 3000),  # §1.6: 15 %; twice that likewise
    Rate.REFUSED: Bounds(500, 1000),  # ours: as serious as hard bounces
    Rate.DELIVERED: Bounds(500, 1000),  # of what was NOT delivered; follows from the two above
}
ENOUGH = 100
"""Messages that a rate must be of before it is judged: one in fewer would be 1 % already."""
FEWEST = 3
"""Events that make a rate worse than good: count *and* ratio must be above the limit (SendCloud, reference API §9)."""


@dataclass(frozen=True)
class Measure:
    """One rate: `part` of `whole`, and what it means."""

    rate: Rate
    part: int
    whole: int
    level: Level

    @property
    def share(self) -> float | None:
        """0…1, and more when more complaints arrived than mails; None of nothing."""
        return self.part / self.whole if self.whole else None


@dataclass(frozen=True)
class Quality:
    """What one window says of a sender: what a reputation is made of."""

    counts: Counts
    measures: Mapping[Rate, Measure]

    @property
    def level(self) -> Level:
        """The worst of its rates."""
        return max((each.level for each in self.measures.values()), key=SEVERITY.index)

    @property
    def worst(self) -> tuple[Rate, ...]:
        """The rates that are not good, the worst first; among equals complaints come first."""
        found = [each for each in self.measures.values() if each.level in (Level.WATCH, Level.BAD)]
        order = sorted(found, key=lambda m: (-SEVERITY.index(m.level), WEIGHT.index(m.rate)))
        return tuple(each.rate for each in order)

    def rank(self) -> tuple[float, ...]:
        """Sorts the worst first."""
        shares = [self.measures[rate].share or 0.0 for rate in (Rate.COMPLAINED, Rate.HARD, Rate.DEFERRED)]
        return (-SEVERITY.index(self.level), *(-share for share in shares), -self.counts.settled)


WEIGHT = (Rate.COMPLAINED, Rate.HARD, Rate.REFUSED, Rate.DEFERRED, Rate.DELIVERED, Rate.UNSUBSCRIBED)


def judge(counts: Counts) -> Quality:
    """The rates of these counts, and how they stand."""
    parts = {
        Rate.DELIVERED: (counts.delivered, counts.settled),
        Rate.HARD: (counts.hard, counts.settled),
        Rate.REFUSED: (counts.refused, counts.settled),
        Rate.DEFERRED: (counts.deferred, counts.tries),
        Rate.COMPLAINED: (counts.complained, counts.delivered),
        Rate.UNSUBSCRIBED: (counts.unsubscribed, counts.delivered),
    }
    return Quality(counts, {rate: _measure(rate, max(0, part), max(0, of)) for rate, (part, of) in parts.items()})


def _measure(rate: Rate, part: int, whole: int) -> Measure:
    return Measure(rate, part, whole, _level(rate, whole - part if rate is Rate.DELIVERED else part, whole))


def _level(rate: Rate, events: int, whole: int) -> Level:
    bounds = BOUNDS.get(rate)
    if bounds is None or whole < ENOUGH:
        return Level.UNKNOWN
    if events < FEWEST or events * 10_000 < bounds.watch * whole:
        return Level.GOOD
    return Level.BAD if events * 10_000 >= bounds.bad * whole else Level.WATCH


class Window(StrEnum):
    """Part of `/v1`. Days are Shanghai's, the running one included."""

    DAY = "24h"
    """This hour and the 23 before."""
    WEEK = "7d"
    MONTH = "30d"


_HOUR, _DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
_STEPS = {Window.DAY: (24, _HOUR), Window.WEEK: (7, _DAY), Window.MONTH: (30, _DAY)}


class By(StrEnum):
    """What counts are told apart by."""

    DOMAIN = "domain"
    """Sender domain."""
    PROVIDER = "provider"
    """Lane: the mailbox provider that was spoken to."""
    TIME = "time"
    """Hours of a window of 24 h, else Shanghai days."""
    ACCOUNT = "account"
    EGRESS = "egress"
    """Address of ours that spoke."""


def periods(window: Window, now: dt.datetime) -> list[dt.datetime]:
    """Where each hour or day of the window begins, the oldest first; the first is where the window does."""
    number, step = _STEPS[window]
    local = now.astimezone(SHANGHAI).replace(minute=0, second=0, microsecond=0)
    last = local if step == _HOUR else local.replace(hour=0)
    return [last - step * (number - 1 - n) for n in range(number)]  # Shanghai has had no summer time since 1991


def period_of(window: Window, moment: dt.datetime) -> dt.datetime:
    """The beginning of the hour or day that an hour's count belongs to."""
    local = moment.astimezone(SHANGHAI)
    return local if window is Window.DAY else local.replace(hour=0)


class Span(StrEnum):
    """How long a count is of: the older, the coarser, so that the table stays small and no message is forgotten."""

    HOUR = "hour"
    DAY = "day"
    YEAR = "year"


HOURS_KEPT = dt.timedelta(days=3)
"""Then an hour's counts are added to its day."""
DAYS_KEPT = dt.timedelta(days=400)
"""Then a day's counts are added to its year: a year ago today can still be compared."""
