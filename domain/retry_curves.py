"""When a deferred message is tried again, by what kept it and by kind of mail (reference §1.5, §1.6)."""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import Refusal
from domain.senders import SendKind
from domain.sending import TIME_TO_LIVE, Curve, Reason

MAX_WAITS = 20
LONGEST_WAIT = 24 * 60
"""Minutes."""
MAX_TRIES_SHOWN = 200
_MINUTE = dt.timedelta(minutes=1)


class CurveClass(StrEnum):
    """What shares a curve: a class of outcome, all that block (`block.*`), or whatever else was deferred."""

    GREYLIST = "soft.greylist"
    RATE_LIMITED = "soft.rate_limited"
    FULL = "soft.full"
    CONN = "soft.conn"
    BLOCK = "block"
    OTHER = "other"

    @classmethod
    def of(cls, reason: str) -> "CurveClass":
        """Of a `Reason`."""
        return _CLASSES.get(reason, cls.OTHER)


_CLASSES: Mapping[str, CurveClass] = {
    reason: next((each for each in CurveClass if each.value in (reason.value, family)), CurveClass.OTHER)
    for reason in Reason
    for family in [reason.partition(".")[0]]
}


@dataclass(frozen=True)
class CurveKey:
    """Which curve of the table."""

    curve_class: CurveClass
    kind: SendKind


def _curve(*minutes: int, hours: int) -> Curve:
    return Curve(tuple(_MINUTE * each for each in minutes), dt.timedelta(hours=hours))


_SHIPPED: tuple[tuple[CurveClass, Curve, Curve], ...] = (
    (CurveClass.GREYLIST, _curve(5, 10, 15, 30, 60, hours=4), _curve(5, 10, 15, 30, 60, 120, 240, hours=24)),
    (CurveClass.RATE_LIMITED, _curve(5, 10, 20, 40, 60, hours=4), _curve(15, 30, 60, 120, 240, 480, hours=72)),
    (CurveClass.FULL, _curve(30, 60, 120, hours=4), _curve(30, 60, 120, 240, 480, hours=72)),
    (CurveClass.CONN, _curve(5, 15, 30, 60, hours=4), _curve(5, 15, 30, 60, 120, 240, 480, hours=72)),
    (CurveClass.BLOCK, _curve(15, 60, hours=2), _curve(30, 120, 240, 480, hours=24)),
    (CurveClass.OTHER, _curve(5, 15, 30, 60, hours=4), _curve(5, 15, 30, 60, 120, 240, 480, hours=72)),
)
"""(class, trigger, batch). A code or a notice that is hours late is worse than a bounce, which its sender can act on; a
rate limit has windows of minutes, hours and the rest of a day (reference §1.6); a full mailbox is emptied by a person.
"""
SHIPPED: Mapping[CurveKey, Curve] = {
    CurveKey(each, kind): curve
    for each, trigger, batch in _SHIPPED
    for kind, curve in ((SendKind.TRIGGER, trigger), (SendKind.BATCH, batch))
}


def curve_of(curves: Mapping[CurveKey, Curve], kind: str, reason: str) -> Curve:
    """The curve for a message of this `SendKind` that was deferred for this `Reason`."""
    key = CurveKey(CurveClass.of(reason), SendKind(kind))
    return curves.get(key) or SHIPPED[key]


def read_curve(waits: str, give_up_after: str, kind: SendKind) -> Curve:
    """As typed: minutes, separated by commas or spaces; minutes. Raises `retry_waits_malformed`, `retry_end_malformed`.

    A message never outlives its kind's time to live, so that is the most.
    """
    parts = re.split(r"[\s,，、]+", waits.strip())
    if not 1 <= len(parts) <= MAX_WAITS or not all(_is_minutes(part, LONGEST_WAIT) for part in parts):
        raise Refusal("retry_waits_malformed", field="waits", most=LONGEST_WAIT, count=MAX_WAITS)
    most = TIME_TO_LIVE[kind] // _MINUTE
    if not _is_minutes(give_up_after.strip(), most):
        raise Refusal("retry_end_malformed", field="give_up_after", most=most)
    return Curve(tuple(_MINUTE * int(part) for part in parts), _MINUTE * int(give_up_after))


def _is_minutes(text: str, most: int) -> bool:
    return re.fullmatch(r"[0-9]{1,5}", text) is not None and 1 <= int(text) <= most


def minutes(curve: Curve) -> tuple[list[int], int]:
    """Waits and end, as tables hold them."""
    return [wait // _MINUTE for wait in curve.waits], (curve.give_up_after or max(TIME_TO_LIVE.values())) // _MINUTE


def tries(curve: Curve, kind: SendKind) -> Iterator[dt.timedelta]:
    """How long after the first try the others come, if each gets the same answer and takes no time."""
    life = TIME_TO_LIVE[kind]
    end = min(life, curve.give_up_after or life)
    after = dt.timedelta()
    for number in range(MAX_TRIES_SHOWN):
        after += curve.waits[min(number, len(curve.waits) - 1)]
        if after >= life or (after >= end and number > 0):
            return
        yield after
