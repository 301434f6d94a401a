"""The first page of the portal, in one look."""

import datetime as dt
import time
from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from domain import dashboard as rules
from domain.accounts import Caller
from domain.dashboard import Attention, DayCount, Figures, Waiting
from domain.members import Right, may
from domain.signals import Level, Window
from domain.times import SHANGHAI, business_day
from services.foundation import Foundation
from services.onboarding import StepView, view
from store import dashboard as rows
from store import onboarding, signals_read
from store.columns import now
from store.db import Session

FRESH_SECONDS = 10.0
"""Counting reads every message of two weeks, so a page that is loaded again and again counts this often at most."""
KEPT_ACCOUNTS = 1000


@dataclass(frozen=True)
class Overview:
    """`days` ends with today. Money is None for members who may not see it, and before the first recharge."""

    attention: tuple[Attention, ...]
    waiting: tuple[Waiting, ...]
    figures: Figures
    days: tuple[DayCount, ...]
    sms_today: int
    next_step: StepView | None
    steps_done: int
    steps: int
    sms_step: StepView | None
    """The next one of the SMS track, once the company is certified: before, it is for who goes there."""

    @property
    def today(self) -> DayCount:
        return self.days[-1]


class Dashboard:
    def __init__(self, base: Foundation) -> None:
        self._base = base
        self._counted: OrderedDict[UUID, tuple[float, tuple[DayCount, ...]]] = OrderedDict()

    async def show(self, caller: Caller) -> Overview:
        """What the caller's role may see of the account."""
        at = now()
        today = business_day(at)
        async with self._base.db.read() as session:
            figures = await rows.figures(session, caller.account_id, today)
            found = await rows.concerns(session, caller.account_id, today + rules.EXPIRY_WARNING)
            reviews = await rows.waiting(session, caller.account_id)
            quality = await signals_read.quality(session, Window.WEEK, at, caller.account_id)
            path = await onboarding.situation(session, caller.account_id)
            days = await self._days(session, caller.account_id, today)
            midnight = dt.datetime.combine(today, dt.time(), SHANGHAI)
            sms_today = await rows.sms_since(session, caller.account_id, midnight)
        steps, sms = (view(path).email, view(path).sms) if path else ((), ())
        return Overview(
            attention=self._attention(caller, found, figures, quality.level),
            waiting=tuple(each for each in reviews if each.kind != "certification" or may(caller, Right.CERTIFY)),
            figures=figures if may(caller, Right.MONEY) else _without_money(figures),
            days=days,
            sms_today=sms_today,
            next_step=_current(steps),
            steps_done=sum(step.state == "done" for step in steps),
            steps=len(steps),
            sms_step=_current(sms) if sms and sms[0].state == "done" else None,
        )

    def _attention(
        self, caller: Caller, found: list[Attention], figures: Figures, level: Level
    ) -> tuple[Attention, ...]:
        own = [each for each in found if _may_see(caller, each)]
        money = rules.balance_concern(figures, self._base.policy.recharge_min_fen) if may(caller, Right.MONEY) else None
        extra = [each for each in (rules.quality_concern(level), rules.quota_concern(figures), money) if each]
        return tuple(sorted([*own, *extra], key=lambda each: rules.ORDER.index(each.concern)))

    async def _days(self, session: Session, account: UUID, today: dt.date) -> tuple[DayCount, ...]:
        kept = self._counted.get(account)
        if kept and time.monotonic() - kept[0] < FRESH_SECONDS and kept[1][-1].day == today:
            return kept[1]
        first = today - dt.timedelta(days=rules.DAYS - 1)
        since = dt.datetime.combine(first, dt.time(), SHANGHAI)
        counted = await rows.by_day(session, account, since)
        days = tuple(
            DayCount(day, counted.get(day, {})) for day in (first + dt.timedelta(days=n) for n in range(rules.DAYS))
        )
        self._counted[account] = time.monotonic(), days
        while len(self._counted) > KEPT_ACCOUNTS:
            self._counted.popitem(last=False)
        return days


def _current(steps: tuple[StepView, ...]) -> StepView | None:
    return next((step for step in steps if step.state == "current"), None)


def _may_see(caller: Caller, each: Attention) -> bool:
    return may(caller, Right.CERTIFY) or not each.concern.value.startswith("certification")


def _without_money(figures: Figures) -> Figures:
    return Figures(figures.daily_quota, figures.free_quota, figures.used)
