"""Five-field cron expressions, within limits: not more often than hourly, and no day of month with a day of week."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from domain.errors import Refusal

MAX_LENGTH = 100
_YEAR = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MONTHS = {name: number for number, name in enumerate(_YEAR, 1)}
_WEEKDAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))}


@dataclass(frozen=True)
class CronFields:
    """A calendar: one minute of these hours, on days that are all three. `weekdays`: 0 Sunday to 6 Saturday."""

    minute: int
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    def has(self, day: dt.date) -> bool:
        return day.month in self.months and day.day in self.days and day.isoweekday() % 7 in self.weekdays


def read_cron(text: str) -> CronFields:
    """`minute hour day-of-month month day-of-week`, with lists, ranges, steps and English names.

    Raises refusals: `cron_malformed` (which field), `cron_too_often`, `cron_both_days` (cron programs disagree on what
    a day of month together with a day of week means, so it is not guessed).
    """
    parts = text.split()
    if len(parts) != 5 or len(text) > MAX_LENGTH:
        raise Refusal("cron_malformed", field="cron", part=text[:MAX_LENGTH])
    minutes = _numbers(parts[0], 0, 59, {})
    if len(minutes) > 1:
        raise Refusal("cron_too_often", field="cron", minutes=parts[0])
    days, weekdays = _numbers(parts[2], 1, 31, {}), _numbers(parts[4], 0, 7, _WEEKDAYS)
    weekdays = tuple(sorted({day % 7 for day in weekdays}))
    if len(days) < 31 and len(weekdays) < 7:
        raise Refusal("cron_both_days", field="cron")
    return CronFields(minutes[0], _numbers(parts[1], 0, 23, {}), days, _numbers(parts[3], 1, 12, _MONTHS), weekdays)


def _numbers(part: str, least: int, most: int, names: Mapping[str, int]) -> tuple[int, ...]:
    """The numbers that one field means, in order."""
    found: set[int] = set()
    for piece in part.split(","):
        span, slash, step = piece.partition("/")
        first, last = _span(span, least, most, names, part)
        if slash and span != "*" and "-" not in span:
            last = most  # `5/15` begins at 5
        found.update(range(first, last + 1, _step(step, part) if slash else 1))
    return tuple(sorted(found))


def _span(span: str, least: int, most: int, names: Mapping[str, int], part: str) -> tuple[int, int]:
    if span == "*":
        return least, min(most, 6) if names is _WEEKDAYS else most
    begin, dash, end = span.partition("-")
    first = _number(begin, names, part)
    last = _number(end, names, part) if dash else first
    if not least <= first <= last <= most:
        raise Refusal("cron_malformed", field="cron", part=part)
    return first, last


def _step(text: str, part: str) -> int:
    number = _number(text, {}, part)
    if number < 1:
        raise Refusal("cron_malformed", field="cron", part=part)
    return number


def _number(text: str, names: Mapping[str, int], part: str) -> int:
    if (named := names.get(text.upper())) is not None:
        return named
    if not (text.isascii() and text.isdigit() and len(text) <= 3):
        raise Refusal("cron_malformed", field="cron", part=part)
    return int(text)
