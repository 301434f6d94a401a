"""When something happens again and again: by the clock of a time zone, as people mean it (design §3, Schedules).

The same times as Temporal's Schedules make of the same calendar, except where a clock is set back: a local time that
comes twice counts once, the first time. A local time that a clock change leaves out does not happen on that day.
"""

import datetime as dt
import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from domain.cron import CronFields, read_cron
from domain.errors import Refusal
from domain.times import SHANGHAI

DEFAULT_ZONE = "Asia/Shanghai"
MAX_AHEAD = dt.timedelta(days=366)
"""How far ahead one that happens once may lie, and the start of one that happens again."""
YEARS = (1970, 9000)
"""Of moments. At the ends of the calendar a clock of another zone shows nothing."""
LONGEST_SEARCH = 366 * 9
"""Days that are looked through for the next time: 29 February can be eight years away."""
_ALL_MONTHS = tuple(range(1, 13))
_ALL_DAYS = tuple(range(1, 32))
_ALL_WEEKDAYS = tuple(range(7))


class Repeat(StrEnum):
    ONCE = "once"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    CRON = "cron"


@dataclass(frozen=True)
class Cadence:
    """`at` for once (an instant); `time` for daily, weekly, monthly; `weekdays` 1 Monday to 7 Sunday; `days` 1 to 31.

    `starts_at` and `ends_at` are the first and the last instants at which it may happen.
    """

    repeat: Repeat
    zone: str = DEFAULT_ZONE
    at: dt.datetime | None = None
    time: dt.time | None = None
    weekdays: tuple[int, ...] = ()
    days: tuple[int, ...] = ()
    cron: str = ""
    starts_at: dt.datetime | None = None
    ends_at: dt.datetime | None = None


@dataclass(frozen=True)
class Upcoming:
    """The next times, and the days before the last of them on which a clock change leaves its time out."""

    times: tuple[dt.datetime, ...]
    left_out: tuple[dt.date, ...] = ()


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """IANA names; read from files once."""
    return frozenset(zoneinfo.available_timezones()) - {"localtime", "Factory"}


def read_zone(name: str) -> zoneinfo.ZoneInfo:
    """The zone of this IANA name. Raises the refusal `schedule_zone`."""
    if name not in zone_names():
        raise Refusal("schedule_zone", field="time_zone", name=name[:60])
    return zoneinfo.ZoneInfo(name)


def read_moment(text: str, zone: str, field: str) -> dt.datetime:
    """An instant, in UTC, of a whole second: with an offset as it stands, without one by the zone's clock.

    Temporal knows whole seconds only: of a fraction it would say another time than the rows, and both would be sent.
    Raises refusals: `schedule_time_malformed`; `schedule_time_missing` when the clock is set forward over it;
    `schedule_time_twice` when the clock is set back and shows it twice.
    """
    try:
        moment = dt.datetime.fromisoformat(text.strip()).replace(microsecond=0)
    except ValueError as error:
        raise Refusal("schedule_time_malformed", field=field) from error
    if not YEARS[0] <= moment.year <= YEARS[1]:
        raise Refusal("schedule_time_malformed", field=field)
    if moment.tzinfo is not None:
        return moment.astimezone(dt.UTC)
    where = read_zone(zone)
    if not _exists(moment, where):
        raise Refusal("schedule_time_missing", field=field, time=f"{moment:%Y-%m-%d %H:%M}", zone=zone)
    first, second = (moment.replace(tzinfo=where, fold=fold) for fold in (0, 1))
    if first.utcoffset() != second.utcoffset():
        shown = {"first": first.isoformat(timespec="minutes"), "second": second.isoformat(timespec="minutes")}
        raise Refusal("schedule_time_twice", field=field, time=f"{moment:%Y-%m-%d %H:%M}", zone=zone, **shown)
    return first.astimezone(dt.UTC)


def check_cadence(asked: Cadence, now: dt.datetime) -> None:
    """Raise the first refusal of what is wrong with it."""
    read_zone(asked.zone)
    if asked.repeat is Repeat.ONCE:
        _check_once(asked, now)
        return
    fields_of(asked)
    if asked.starts_at is not None and asked.ends_at is not None and asked.ends_at < asked.starts_at:
        raise Refusal("schedule_ends_before", field="ends_at")
    if asked.ends_at is not None and asked.ends_at <= now:
        raise Refusal("schedule_past", field="ends_at")
    if asked.starts_at is not None and asked.starts_at > now + MAX_AHEAD:
        raise Refusal("schedule_too_far", field="starts_at", days=MAX_AHEAD.days)
    if next_time(asked, now) is None:
        raise Refusal("schedule_never", field="ends_at" if asked.ends_at else "cron")


def _check_once(asked: Cadence, now: dt.datetime) -> None:
    if asked.at is None:
        raise Refusal("required", field="at")
    if asked.at <= now:
        raise Refusal("schedule_past", field="at")
    if asked.at > now + MAX_AHEAD:
        raise Refusal("schedule_too_far", field="at", days=MAX_AHEAD.days)


def fields_of(cadence: Cadence) -> CronFields:
    """The calendar of one that happens again. Raises refusals of what is missing or wrong."""
    if cadence.repeat is Repeat.CRON:
        return read_cron(cadence.cron)
    if cadence.time is None:
        raise Refusal("required", field="time")
    days, weekdays = _ALL_DAYS, _ALL_WEEKDAYS
    if cadence.repeat is Repeat.WEEKLY:
        weekdays = tuple(sorted({day % 7 for day in _within(cadence.weekdays, 7, "weekdays")}))
    elif cadence.repeat is Repeat.MONTHLY:
        days = tuple(sorted(set(_within(cadence.days, 31, "days"))))
    return CronFields(cadence.time.minute, (cadence.time.hour,), days, _ALL_MONTHS, weekdays)


def _within(numbers: tuple[int, ...], most: int, field: str) -> tuple[int, ...]:
    if not numbers:
        raise Refusal("required", field=field)
    if not all(1 <= number <= most for number in numbers):
        raise Refusal("schedule_days", field=field, most=most)
    return numbers


def times_from(cadence: Cadence, since: dt.datetime) -> Iterator[dt.datetime]:
    """Its times from `since` on (inclusive), in UTC, in order; without an end where it has none."""
    for moment, _ in _walk(cadence, since):
        if moment is not None:
            yield moment


def next_time(cadence: Cadence, after: dt.datetime) -> dt.datetime | None:
    """The first after `after`; None: there is none any more."""
    return next((moment for moment in times_from(cadence, after) if moment > after), None)


def happens_at(cadence: Cadence, moment: dt.datetime) -> bool:
    """Whether this is one of its times."""
    return next(times_from(cadence, moment), None) == moment


def upcoming(cadence: Cadence, after: dt.datetime, number: int = 5) -> Upcoming:
    """The next times after `after`, and what clock changes leave out meanwhile."""
    times: list[dt.datetime] = []
    left_out: list[dt.date] = []
    for moment, date in _walk(cadence, after):
        if moment is None:
            left_out.append(date)
        elif moment > after:
            times.append(moment)
        if len(times) >= number:
            break
    return Upcoming(tuple(times), tuple(dict.fromkeys(left_out)))


def shown_before(moment: dt.datetime, zone: str) -> dt.datetime | None:
    """The earlier instant at which the clock of the zone showed the same time, when it was set back in between."""
    local = moment.astimezone(read_zone(zone))
    return local.replace(fold=0).astimezone(dt.UTC) if local.fold else None


def _walk(cadence: Cadence, since: dt.datetime) -> Iterator[tuple[dt.datetime | None, dt.date]]:
    """Its times from `since` on with their local dates; None for a time that a clock change leaves out."""
    begin = max(since, cadence.starts_at) if cadence.starts_at else since
    if cadence.repeat is Repeat.ONCE:
        if cadence.at is not None and cadence.at >= begin:
            yield cadence.at, cadence.at.astimezone(SHANGHAI).date()
        return
    fields, zone = fields_of(cadence), read_zone(cadence.zone)
    day = begin.astimezone(zone).date()
    found = day
    while (day - found).days <= LONGEST_SEARCH:
        if fields.has(day):
            for moment in _times_of(day, fields, zone):
                if moment is not None and cadence.ends_at is not None and moment > cadence.ends_at:
                    return
                if moment is None or moment >= begin:
                    found = day
                    yield moment, day
        day += dt.timedelta(days=1)


def _times_of(day: dt.date, fields: CronFields, zone: zoneinfo.ZoneInfo) -> Iterator[dt.datetime | None]:
    for hour in fields.hours:
        local = dt.datetime.combine(day, dt.time(hour, fields.minute))
        yield local.replace(tzinfo=zone).astimezone(dt.UTC) if _exists(local, zone) else None


def _exists(local: dt.datetime, zone: zoneinfo.ZoneInfo) -> bool:
    """Whether the zone's clock shows this time at all."""
    return local.replace(tzinfo=zone).astimezone(dt.UTC).astimezone(zone).replace(tzinfo=None) == local
