"""A customer's way from registration to sending as a paying customer, on both tracks; one process per account.

The rows say where the customer is. This process notices changes, keeps operators informed and reminds customers.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from temporalio import workflow

from activities.onboarding import Look, LookRequest, OnboardingActivities, ReminderRequest
from domain.ids import Process
from domain.onboarding import EMAIL_TRACK, SMS_TRACK, SmsStage, Stage, Step
from domain.onboarding_findings import Missing
from workflows import visibility
from workflows.outages import BRIEF, OUTAGES

ROUNDS_PER_RUN = 150
"""A round writes at most some 20 events, so a run stays far below the 10,240 at which the server warns."""


@dataclass(frozen=True)
class OnboardingProgress:
    """The answer to `progress`."""

    stage: Stage
    missing: Missing | None
    since: str | None
    """RFC 3339."""
    changed: int
    reminders: int
    needs_human: bool
    rounds: int
    """Looks at the rows in this run."""
    sms_stage: SmsStage = SmsStage.CERTIFY
    sms_missing: Missing | None = None


@workflow.defn(name="Onboarding")
class Onboarding:
    def __init__(self) -> None:
        self._nudged = False
        self._seen: Look | None = None
        self._rounds = 0

    @workflow.run
    async def run(self, process: Process) -> None:
        while self._rounds < ROUNDS_PER_RUN and not workflow.info().is_continue_as_new_suggested():
            self._nudged = False
            seen = await self._look(process)
            if seen.ended:
                await self._close(process)
                return
            if seen.remind is None or not await self._remind(process, seen, seen.remind):
                await self._wait(dt.timedelta(seconds=seen.wait_seconds))
        # A nudge that arrives now is not lost: the next run begins with a look.
        workflow.continue_as_new(process)

    @workflow.signal(description="Look at the rows again")
    def nudge(self) -> None:
        self._nudged = True

    @workflow.query(description="Where the customer is on the path, and what is missing")
    def progress(self) -> OnboardingProgress:
        seen = self._seen
        if seen is None:
            return OnboardingProgress(Stage.REGISTER, None, None, 0, 0, False, self._rounds)
        return OnboardingProgress(
            stage=seen.stage,
            missing=seen.missing,
            since=seen.since.isoformat(),
            changed=seen.changed,
            reminders=seen.reminders,
            needs_human=seen.needs_human,
            rounds=self._rounds,
            sms_stage=seen.sms_stage,
            sms_missing=seen.sms_missing,
        )

    async def _look(self, process: Process) -> Look:
        seen = await workflow.execute_activity_method(
            OnboardingActivities.look,
            LookRequest(process, workflow.now()),
            start_to_close_timeout=BRIEF,
            retry_policy=OUTAGES,
            summary="Read the facts, move the row along the path",
        )
        self._rounds += 1
        before, self._seen = self._seen, seen
        if before is None or _shown(before) != _shown(seen):
            visibility.show(
                "ended" if seen.ended else seen.stage.value,
                _details(seen, process),
                needs_human=seen.needs_human and not seen.ended,
            )
        return seen

    async def _remind(self, process: Process, seen: Look, number: int) -> bool:
        return await workflow.execute_activity_method(
            OnboardingActivities.remind,
            ReminderRequest(process, seen.changed, number, workflow.now()),
            start_to_close_timeout=BRIEF,
            retry_policy=OUTAGES,
            summary=f"Reminder {number} of 3 for the step {seen.stage.value}",
        )

    async def _wait(self, longest: dt.timedelta) -> None:
        try:
            await workflow.wait_condition(
                lambda: self._nudged, timeout=longest, timeout_summary="Until a nudge, or the next look"
            )
        except TimeoutError:
            return

    async def _close(self, process: Process) -> None:
        await workflow.execute_activity_method(
            OnboardingActivities.close,
            process,
            start_to_close_timeout=BRIEF,
            retry_policy=OUTAGES,
            summary="The account is gone: close the process",
        )


def _shown(seen: Look) -> tuple[object, ...]:
    """What operators see of a look; search attributes are written only when it differs."""
    sms = (seen.sms_stage, seen.sms_missing)
    return seen.stage, seen.missing, seen.reminders, seen.needs_human, seen.ended, sms


def _details(seen: Look, process: Process) -> str:
    """Both tracks in Markdown for the Temporal UI."""
    lines = [f"Account `{process.account}`, at this step since {seen.since:%Y-%m-%d %H:%M} UTC.", "", "E-mail:", ""]
    lines += [_line(step, seen.stage, list(Stage), seen.missing) for step in EMAIL_TRACK]
    lines += ["", "SMS:", ""]
    lines += [_line(step, seen.sms_stage, list(SmsStage), seen.sms_missing) for step in SMS_TRACK]
    lines += ["", f"Reminders sent at this step: {seen.reminders} of 3."]
    if seen.ended:
        lines.append("The account is closed or expired; the process has ended.")
    elif seen.needs_human:
        lines.append("**Needs a person:** the customer has been stuck for weeks. Please contact them.")
    return "\n".join(lines)


def _line(step: Step, stage: Step, order: Sequence[Step], missing: Missing | None) -> str:
    remark = f": {missing.value}" if step is stage and missing else ""
    passed = order.index(step) < order.index(stage)
    mark = "✅" if passed else "▶️" if step is stage else "⬜"
    return f"- {mark} **{step.value}**{remark}"
