"""What the onboarding process asks of rows: look and advance, remind, finish."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from temporalio import activity

from activities.news import tell
from domain.accounts import AccountState
from domain.ids import Process
from domain.notices import Notice
from domain.onboarding import STEPS, SmsStage, Stage
from domain.onboarding_findings import WAITS_FOR_US, Lack, Missing, lack_at, missing_at, next_expiry
from domain.policy import Policy
from domain.quota import quota
from domain.reminders import REMIND_AFTER, Stay, due_reminder, needs_human, next_look
from domain.step_texts import NAMES, in_language, missing_text, place_of
from store import accounts, clockwork
from store import onboarding as rows
from store.db import Database, Session

ENDED = frozenset({AccountState.CLOSED, AccountState.EXPIRED})
"""Accounts that are not on the path any more."""
OPTIONAL = frozenset({Stage.CERTIFY, Stage.PAY})
"""Steps before which a customer may stay for ever, with the free quota."""


@dataclass(frozen=True)
class LookRequest:
    """`now` is the workflow's clock."""

    process: Process
    now: dt.datetime


@dataclass(frozen=True)
class Look:
    """Where the customer is after the look, and what the process does next."""

    stage: Stage
    since: dt.datetime
    changed: int
    reminders: int
    missing: Missing | None = None
    remind: int | None = None
    """The number of the reminder that is due."""
    needs_human: bool = False
    wait_seconds: float = 0.0
    """How long to wait for a nudge before looking anyway."""
    ended: bool = False
    """The account is gone."""
    sms_stage: SmsStage = SmsStage.CERTIFY
    sms_missing: Missing | None = None


@dataclass(frozen=True)
class ReminderRequest:
    """Which reminder of which stay: `changed` names the stay."""

    process: Process
    changed: int
    number: int
    now: dt.datetime


class OnboardingActivities:
    def __init__(self, db: Database, policy: Policy) -> None:
        self._db = db
        self._policy = policy

    @activity.defn(name="OnboardingActivities.look")
    async def look(self, request: LookRequest) -> Look:
        """Read the facts and move the row along the table. Repeating it changes nothing more."""
        account = UUID(request.process.subject)
        async with self._db.begin() as session:
            await clockwork.require_epoch(session, request.process)
            seen = await rows.situation(session, account, request.now)
            if seen is None or seen.account_state in ENDED:
                return _ended(seen, request.now)
            allowed = quota(seen.findings.facts, seen.free_quota, seen.granted_quota, self._policy)
            await accounts.set_quota(session, account, allowed)
            return self._outcome(await _advanced(session, seen, request.now), request.now)

    def _outcome(self, seen: rows.Situation, now: dt.datetime) -> Look:
        missing = missing_at(seen.stage, seen.findings)
        theirs, optional = missing not in WAITS_FOR_US, seen.stage in OPTIONAL
        stay = Stay(seen.since, seen.reminders, seen.stage in STEPS, theirs, optional)
        # Until the address is confirmed, only the registration process writes to it.
        due = None if seen.stage is Stage.REGISTER else due_reminder(stay, now, self._policy)
        return Look(
            stage=seen.stage,
            since=seen.since,
            changed=seen.changed,
            reminders=seen.reminders,
            missing=missing,
            remind=due,
            needs_human=needs_human(stay, now, self._policy),
            wait_seconds=self._wait(stay, seen, now).total_seconds(),
            sms_stage=seen.sms_stage,
            sms_missing=missing_at(seen.sms_stage, seen.findings),
        )

    def _wait(self, stay: Stay, seen: rows.Situation, now: dt.datetime) -> dt.timedelta:
        """Until the next look, which is not later than the moment a certification expires."""
        wait = next_look(stay, now, self._policy)
        expiry = next_expiry(seen.findings.applications, now)
        return wait if expiry is None else min(wait, expiry - now)

    @activity.defn(name="OnboardingActivities.remind")
    async def remind(self, request: ReminderRequest) -> bool:
        """Mail one reminder, once, unless the customer moved on; True when it is counted now."""
        account = UUID(request.process.subject)
        async with self._db.read() as session:
            await clockwork.require_epoch(session, request.process)
            seen = await rows.situation(session, account, request.now)
            reader = await rows.addressee(session, account)
        if seen is None or reader is None or seen.changed != request.changed:
            return False
        if lack := lack_at(seen.stage, seen.findings):
            await self._mail(seen, lack, reader, request)
        async with self._db.begin() as session:
            return await rows.stamp_reminder(session, account, request.changed, request.number, request.now)

    async def _mail(
        self, seen: rows.Situation, lack: Lack, reader: tuple[str, str, str], request: ReminderRequest
    ) -> None:
        address, name, language = reader
        variables = {
            "name": name,
            "platform": self._policy.platform_name,
            "support": self._policy.support_email,
            "step": in_language(NAMES[seen.stage], language),
            "missing": missing_text(lack, language),
            "days": str(REMIND_AFTER[request.number - 1].days),
            "link": f"{self._policy.public_url}{place_of(seen.stage, lack)}",
        }
        # Named by the stay, not by `changed`: a move on the SMS track is no reason to write again.
        key = f"onboarding-reminder/{seen.account_id}/{seen.since.timestamp():.0f}/{request.number}"
        await tell(self._db, Notice.ONBOARDING_REMINDER, address, language, variables, key)

    @activity.defn(name="OnboardingActivities.close")
    async def close(self, process: Process) -> None:
        """Remember that the process ended by itself."""
        async with self._db.begin() as session:
            await clockwork.stamp_closed(session, process.workflow_id)


async def _advanced(session: Session, seen: rows.Situation, now: dt.datetime) -> rows.Situation:
    """The situation after its facts were walked. A row that another process moved is read again."""
    to = seen.standing.after(seen.findings.facts)
    if to == seen.standing:
        return seen
    await rows.move(session, seen, to, now)
    return await rows.situation(session, seen.account_id, now) or seen


def _ended(seen: rows.Situation | None, now: dt.datetime) -> Look:
    if seen is None:
        return Look(Stage.REGISTER, now, 0, 0, ended=True)
    return Look(seen.stage, seen.since, seen.changed, seen.reminders, ended=True)
