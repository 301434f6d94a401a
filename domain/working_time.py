"""Working time, simply: Monday to Friday, 09:00–18:00 Asia/Shanghai.

Public holidays, make-up working days and configurable hours are not known here; `due` will ask a calendar for them
once there is one (design §5).
"""

import datetime as dt

from domain.times import SHANGHAI

OPENS = dt.time(9)
CLOSES = dt.time(18)
TEMPLATE_REVIEW = dt.timedelta(hours=4)
"""Working time within which an e-mail template is reviewed."""


def due(start: dt.datetime, allowance: dt.timedelta) -> dt.datetime:
    """The moment when `allowance` of working time has passed since `start`; aware, in UTC."""
    moment = _next_working_moment(start.astimezone(SHANGHAI))
    left = allowance
    while left > (today := _closing(moment) - moment):
        left -= today
        moment = _next_working_moment(_closing(moment))
    return (moment + left).astimezone(dt.UTC)


def _closing(moment: dt.datetime) -> dt.datetime:
    return dt.datetime.combine(moment.date(), CLOSES, SHANGHAI)


def _next_working_moment(moment: dt.datetime) -> dt.datetime:
    """`moment` itself inside working time, else the next opening."""
    if moment.time() >= CLOSES:
        moment = dt.datetime.combine(moment.date() + dt.timedelta(days=1), OPENS, SHANGHAI)
    while moment.isoweekday() > 5:
        moment = dt.datetime.combine(moment.date() + dt.timedelta(days=1), OPENS, SHANGHAI)
    return max(moment, dt.datetime.combine(moment.date(), OPENS, SHANGHAI))
