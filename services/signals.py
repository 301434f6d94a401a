"""Sending quality as people see it: customers their own, operators everybody's, the worst first."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.accounts import Caller
from domain.errors import Refusal
from domain.operators import Duty, Operator
from domain.signals import COUNTS, By, Counts, Quality, Rate, Window, judge, period_of, periods, total
from domain.spreadsheets import BOM, cell, csv_lines
from services.foundation import Foundation
from store import audit_log
from store import signals_read as rows
from store.columns import now
from store.db import Session

OWN = (By.PROVIDER, By.DOMAIN, By.TIME)
"""What a customer may tell counts apart by: accounts and addresses of ours are the platform's."""
EXPORT_COLUMNS = ("key", "name", "level", *COUNTS, *(f"{rate}_rate" for rate in Rate))
SHOWN = 100
"""Accounts on the console's page; the export has up to `store.signals_read.MOST`."""


@dataclass(frozen=True)
class Line:
    """What was said of one domain, provider, account, address of ours, hour or day; `name` empty: it has none."""

    key: Any
    name: str
    quality: Quality


@dataclass(frozen=True)
class Report:
    """One window in one look. `lines` are the worst first, but times in their order, each hour or day of the window."""

    window: Window
    since: dt.datetime
    quality: Quality
    lines: Mapping[By, Sequence[Line]]


@dataclass(frozen=True)
class Platform:
    """What operators see; `matrix` is (address of ours, lane), `account` the one that was chosen."""

    report: Report
    matrix: Mapping[tuple[int, str], Quality]
    account: Line | None = None


class Signals:
    """A customer's own. Scoped to the caller's account."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def report(self, caller: Caller, window: Window, by: Sequence[By] = OWN) -> Report:
        """Raises the refusal `forbidden` for what is the platform's."""
        if not set(by) <= set(OWN):
            raise Refusal("forbidden")
        async with self._base.db.read() as session:
            return await _report(session, window, by, caller.account_id)

    async def export(self, caller: Caller, window: Window, by: By) -> bytes:
        """The lines as CSV (UTF-8 with BOM, for spreadsheets). Raises as `report` does."""
        return _csv((await self.report(caller, window, [by])).lines[by])


class SignalDesk:
    """Needs `Duty.ACCOUNTS`."""

    OVERALL = (By.ACCOUNT, By.PROVIDER, By.EGRESS, By.TIME)
    OF_ONE = (By.DOMAIN, By.PROVIDER, By.EGRESS, By.TIME)

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def show(self, operator: Operator, window: Window, account: UUID | None = None) -> Platform:
        """Everybody's, or of one account. Raises `Refusal("not_found")` when there is none of that id."""
        operator.require(Duty.ACCOUNTS)
        async with self._base.db.read() as session:
            name = await _name(session, account) if account else ""
            report = await _report(session, window, self.OF_ONE if account else self.OVERALL, account)
            cells = await rows.counted(session, report.since, [By.EGRESS, By.PROVIDER], account)
        chosen = Line(str(account), name, report.quality) if account else None
        return Platform(report, {(each[0], each[1]): judge(counts) for each, counts in cells.items()}, chosen)

    async def export(self, operator: Operator, window: Window, by: By, account: UUID | None = None) -> bytes:
        """As `Signals.export`; that a file left the house is written down."""
        operator.require(Duty.ACCOUNTS)
        async with self._base.db.begin() as session:
            if account:
                await _name(session, account)
            report = await _report(session, window, [by], account)
            await audit_log.note(session, operator.actor, "list.exported", f"list/signals-{by}", account)
        return _csv(report.lines[by])


async def _name(session: Session, account: UUID) -> str:
    found = await rows.names(session, By.ACCOUNT, [str(account)])
    if not found:
        raise Refusal("not_found", what="account")
    return found[str(account)]


async def _report(session: Session, window: Window, by: Sequence[By], account: UUID | None) -> Report:
    at = now()
    steps = periods(window, at)
    lines = {each: await _lines(session, window, steps, each, account) for each in by}
    return Report(window, steps[0], await rows.quality(session, window, at, account), lines)


async def _lines(
    session: Session, window: Window, steps: Sequence[dt.datetime], by: By, account: UUID | None
) -> list[Line]:
    counted = {key[0]: counts for key, counts in (await rows.counted(session, steps[0], [by], account)).items()}
    if by is By.TIME:
        return _in_time(window, steps, counted)
    names = await rows.names(session, by, list(counted))
    found = [Line(key, names.get(key, ""), judge(counts)) for key, counts in counted.items()]
    return sorted(found, key=lambda line: (line.quality.rank(), str(line.key)))


def _in_time(window: Window, steps: Sequence[dt.datetime], counted: Mapping[dt.datetime, Counts]) -> list[Line]:
    gathered: dict[dt.datetime, list[Counts]] = {step: [] for step in steps}
    for moment, counts in counted.items():
        gathered.setdefault(period_of(window, moment), []).append(counts)
    return [Line(step, "", judge(total(gathered[step]))) for step in steps]


def _csv(lines: Sequence[Line]) -> bytes:
    return BOM + csv_lines([EXPORT_COLUMNS, *(_cells(line) for line in lines)])


def _cells(line: Line) -> list[str]:
    quality = line.quality
    shares = [quality.measures[rate].share for rate in Rate]
    counts = [getattr(quality.counts, name) for name in COUNTS]
    written = ["" if share is None else f"{share:.6f}" for share in shares]
    return [cell(line.key), cell(line.name), quality.level.value, *(str(count) for count in counts), *written]
