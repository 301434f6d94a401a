"""Days as customers count them: they turn at 00:00 Asia/Shanghai."""

import datetime as dt
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


def business_day(moment: dt.datetime) -> dt.date:
    """The quota day that `moment` belongs to."""
    return moment.astimezone(SHANGHAI).date()
