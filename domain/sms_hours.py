"""When SMS may be sent: codes and notices at any time, marketing by day (domain-rules §4.1)."""

import datetime as dt
from functools import lru_cache

from domain.sms import SmsKind
from domain.times import SHANGHAI
from domain.working_hours import Period, read_hours

MARKETING_HOURS = "08:00-20:00"
"""Asia/Shanghai, where nothing else is set; one or more periods, see `domain.working_hours`."""


@lru_cache(maxsize=8)
def _periods(hours: str) -> tuple[Period, ...]:
    return read_hours(hours)


def next_open(kind: SmsKind, now: dt.datetime, hours: str = MARKETING_HOURS) -> dt.datetime:
    """`now` itself where such an SMS may be sent now, else the minute at which its hours begin.

    The clock is Asia/Shanghai's for every number: what time it is for a number abroad cannot be told from the number.
    """
    if kind is not SmsKind.MARKETING:
        return now
    local = now.astimezone(SHANGHAI)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    periods = _periods(hours)
    for day in (midnight, midnight + dt.timedelta(days=1)):  # Shanghai's clock has not been changed since 1991
        for period in periods:
            opens, closes = day + period.opens, day + period.closes
            if local < closes:
                return now if opens <= local else opens.astimezone(dt.UTC)
    raise AssertionError("a day has hours")  # read_hours takes no empty text
