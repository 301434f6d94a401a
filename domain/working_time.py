"""Working time: which days are worked in China, and when a promised allowance of it is used up (design §5).

Whether a day is worked: an operator's word first, then the State Council's published calendar as `chinesecalendar`
has it (holidays and make-up days), and for years it does not know yet a guess: Monday to Friday without the statutory
holidays that `holidays` computes. A guess knows no make-up days, so whatever rests on one is provisional, until an
operator confirms that all that differs in that year was entered.

Nothing here is called inside a workflow: the tables behind it change. An activity asks, and what it answered stands.
"""

import datetime as dt
import functools
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import chinese_calendar
import holidays

from domain.times import SHANGHAI
from domain.working_hours import Period, read_hours

WARNING_SHARE = 0.75
"""Of an allowance: when so much of it is used, whoever decides is warned."""
FORESIGHT_DAYS = 60
"""So many days ahead the calendar should be known; the State Council publishes the next year's in November."""


class Source(StrEnum):
    """Who says whether a day is worked."""

    OVERRIDE = "override"
    LIBRARY = "library"
    CONFIRMED = "confirmed"
    """An operator: in this year the guess holds on every day of which nothing was said."""
    GUESS = "guess"


@dataclass(frozen=True)
class Day:
    works: bool
    source: Source


@dataclass(frozen=True)
class Due:
    """`at` is in UTC; `provisional`: a day that counted was a guess."""

    at: dt.datetime
    provisional: bool = False


@dataclass(frozen=True)
class Calendar:
    """`hours` in order, without overlap (`read_hours`); `overrides`: day to whether it is worked."""

    hours: tuple[Period, ...]
    overrides: Mapping[dt.date, bool] = field(default_factory=dict)
    confirmed: frozenset[int] = frozenset()
    """Years that operators have entered whole."""

    @classmethod
    def of(
        cls, hours: str, overrides: Mapping[dt.date, bool] | None = None, confirmed: Collection[int] = ()
    ) -> "Calendar":
        """Raises `ValueError` for hours that cannot be read."""
        return cls(read_hours(hours), overrides or {}, frozenset(confirmed))

    def day(self, day: dt.date) -> Day:
        """Whether it is worked, and who says so."""
        if (word := self.overrides.get(day)) is not None:
            return Day(word, Source.OVERRIDE)
        try:
            return Day(chinese_calendar.is_workday(day), Source.LIBRARY)
        except NotImplementedError:
            source = Source.CONFIRMED if day.year in self.confirmed else Source.GUESS
            return Day(day.isoweekday() <= 5 and day not in _statutory(day.year), source)

    def due(self, start: dt.datetime, allowance: dt.timedelta) -> Due:
        """When `allowance` (> 0) of working time has passed since `start`.

        What ends with a period is due at its end, not at the next one's beginning.
        """
        left, provisional = allowance, False
        for day in _days_from(start):
            known = self.day(day)
            provisional = provisional or known.source is Source.GUESS
            for opens, closes in self._stretches(day, known):
                begin = max(opens, start)
                if left <= closes - begin:
                    return Due((begin + left).astimezone(dt.UTC), provisional)
                left -= max(closes - begin, dt.timedelta())
        raise AssertionError("days do not end")

    def warning(self, start: dt.datetime, allowance: dt.timedelta) -> dt.datetime:
        """When three quarters of the allowance are used."""
        return self.due(start, allowance * WARNING_SHARE).at

    def worked(self, start: dt.datetime, end: dt.datetime) -> dt.timedelta:
        """Working time between two moments; none when `end` is not after `start`."""
        total = dt.timedelta()
        for day in _days_from(start):
            if day > end.astimezone(SHANGHAI).date():
                return total
            for opens, closes in self._stretches(day, self.day(day)):
                total += max(min(closes, end) - max(opens, start), dt.timedelta())
        return total

    def unknown_day(self, today: dt.date) -> dt.date | None:
        """The first day of the next `FORESIGHT_DAYS` that is a guess; None: all are known."""
        coming = (today + dt.timedelta(days=n) for n in range(FORESIGHT_DAYS + 1))
        return next((day for day in coming if self.day(day).source is Source.GUESS), None)

    def _stretches(self, day: dt.date, known: Day) -> Iterator[tuple[dt.datetime, dt.datetime]]:
        """When work begins and ends on that day, in UTC."""
        if known.works:
            midnight = dt.datetime.combine(day, dt.time(), SHANGHAI).astimezone(dt.UTC)
            yield from ((midnight + each.opens, midnight + each.closes) for each in self.hours)


def is_published(year: int) -> bool:
    """Whether the library knows the year's holidays and make-up days."""
    return Calendar(()).day(dt.date(year, 1, 1)).source is Source.LIBRARY


def _days_from(start: dt.datetime) -> Iterator[dt.date]:
    day = start.astimezone(SHANGHAI).date()
    while True:
        yield day
        day += dt.timedelta(days=1)


@functools.lru_cache(maxsize=8)
def _statutory(year: int) -> frozenset[dt.date]:
    return frozenset(holidays.country_holidays("CN", years=year))
