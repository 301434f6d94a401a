"""What became of an account's SMS, by day and template (reference §7.5)."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from domain.errors import Refusal
from domain.sms_results import ResultCode, SmsReason, code_of
from domain.times import SHANGHAI

MAX_DAYS = 100
"""Of one question (reference §7.5)."""
YEARS = range(1970, 3000)
"""What can be asked about: moments of other days cannot all be reckoned with."""
FAILED = frozenset({"bounced", "dropped", "unknown"})


class Counted(Protocol):
    """Messages of one day, template and outcome, as the store counts them."""

    @property
    def day(self) -> dt.date: ...
    @property
    def template(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def market(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def messages(self) -> int: ...
    @property
    def segments(self) -> int: ...
    @property
    def charged(self) -> int: ...


@dataclass
class Line:
    """Of one day and template: what was asked for, what was delivered, what failed before and after a carrier had it.

    `requested` is the sum of the three and of what is still under way. `segments` is what carriers took, `charged` what
    of it was no test, which is free.
    """

    day: dt.date
    template: int
    name: str
    kind: str
    market: str
    requested: int = 0
    delivered: int = 0
    not_processed: int = 0
    not_delivered: int = 0
    segments: int = 0
    charged: int = 0
    reasons: Counter[ResultCode] = field(default_factory=Counter)
    """Of failures."""

    def add(self, counted: Counted) -> None:
        """Count these messages in."""
        self.requested += counted.messages
        self.segments += counted.segments
        self.charged += counted.charged
        if counted.outcome == "delivered":
            self.delivered += counted.messages
        elif counted.outcome in FAILED:
            self._fail(counted)

    def _fail(self, counted: Counted) -> None:
        code = code_of(counted.reason)
        if counted.reason == SmsReason.UNCERTAIN or code.is_delivery:
            self.not_delivered += counted.messages
        else:
            self.not_processed += counted.messages
        self.reasons[code] += counted.messages

    def ratio(self, part: int) -> str:
        """A part of what was requested in percent with two decimals: `60.47`."""
        return f"{100 * part / self.requested:.2f}" if self.requested else "0.00"


def moments(first: dt.date, last: dt.date) -> tuple[dt.datetime, dt.datetime]:
    """When these days of Asia/Shanghai begin and end; both count.

    Raises `Refusal`: `sms_statistics_range` when they are in the wrong order, too many, or of no time of ours.
    """
    if not (first <= last and (last - first).days < MAX_DAYS and first.year in YEARS and last.year in YEARS):
        raise Refusal("sms_statistics_range", field="from", limit=MAX_DAYS)
    since, until = (dt.datetime.combine(day, dt.time(), SHANGHAI) for day in (first, last + dt.timedelta(days=1)))
    return since, until


def lines(counted: Iterable[Counted]) -> list[Line]:
    """One line per day and template, in that order."""
    found: dict[tuple[dt.date, int], Line] = {}
    for each in counted:
        key = each.day, each.template
        found.setdefault(key, Line(*key, each.name, each.kind, each.market)).add(each)
    return [found[key] for key in sorted(found)]


def total(of: Sequence[Line]) -> Line:
    """All lines together; its day and template say nothing."""
    whole = Line(dt.date.min, 0, "", "", "")
    for line in of:
        for name in ("requested", "delivered", "not_processed", "not_delivered", "segments", "charged"):
            setattr(whole, name, getattr(whole, name) + getattr(line, name))
        whole.reasons.update(line.reasons)
    return whole


def by_day(of: Sequence[Line], first: dt.date, last: dt.date) -> list[tuple[dt.date, Line]]:
    """Every day from `first` to `last`, with its templates together; days without SMS too."""
    days = [first + dt.timedelta(days=number) for number in range((last - first).days + 1)]
    return [(day, total([line for line in of if line.day == day])) for day in days]
