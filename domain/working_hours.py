"""Working hours of a day, as the setting `working_hours` writes them: `09:00-12:00,13:30-18:00` (Asia/Shanghai)."""

import datetime as dt
import itertools
import re
from dataclasses import dataclass

_PERIOD = re.compile(r"(\d{2}):(\d{2})-(\d{2}):(\d{2})")
DAY = dt.timedelta(hours=24)


@dataclass(frozen=True)
class Period:
    """A stretch of work, as times since midnight; 24:00 is the day's end."""

    opens: dt.timedelta
    closes: dt.timedelta


def read_hours(text: str) -> tuple[Period, ...]:
    """The periods, in order. Raises `ValueError` that says which part is wrong and how it should look."""
    periods = tuple(_period(part.strip()) for part in text.split(","))
    for before, after in itertools.pairwise(periods):
        if after.opens < before.closes:
            raise ValueError(f"working hours must be in order and may not overlap: {text}")
    return periods


def day_length(hours: str) -> dt.timedelta:
    """How long a working day is. Raises `ValueError` as `read_hours`."""
    return sum((each.closes - each.opens for each in read_hours(hours)), dt.timedelta())


def _period(text: str) -> Period:
    found = _PERIOD.fullmatch(text)
    if found is None:
        raise ValueError(f"working hours look like 09:00-12:00,13:30-18:00, not {text or 'nothing'}")
    hour, minute, last_hour, last_minute = (int(part) for part in found.groups())
    period = Period(_time(hour, minute, text), _time(last_hour, last_minute, text))
    if period.opens >= period.closes:
        raise ValueError(f"working hours must end after they begin: {text}")
    return period


def _time(hour: int, minute: int, text: str) -> dt.timedelta:
    moment = dt.timedelta(hours=hour, minutes=minute)
    if minute > 59 or moment > DAY:
        raise ValueError(f"there is no such time of day in the working hours {text}")
    return moment
