"""Days as customers count them: they turn at 00:00 Asia/Shanghai."""

import datetime as dt
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


def business_day(moment: dt.datetime) -> dt.date:
    """The quota day that `moment` belongs to."""
    return moment.astimezone(SHANGHAI).date()


def told(moment: dt.datetime) -> str:
    """A moment inside a sentence, on any door and in any language: the clock that pages show, and which one it is."""
    return f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M} (UTC+08:00)"
