"""One order to recharge: waits for the signed notification, asks on silence, closes on timeout, watches for latecomers.

The rows hold the facts, and whoever accounts for a payment (the notification's door or this process) does it in one
transaction. This holds the timers, and tells the customer.
"""

from datetime import datetime, timedelta

from temporalio import workflow

from activities.payment import RechargeActivities
from domain.billing import (
    TROUBLES,
    TROUBLES_FOR_A_PERSON,
    PaymentStep,
    ProviderAnswer,
    RechargeLook,
    RechargeLookRequest,
    RechargeProgress,
    RechargeState,
)
from domain.ids import Process
from domain.money import plain_yuan
from workflows import visibility
from workflows.outages import BRIEF, OUTAGES, OUTWARD


@workflow.defn(name="Recharge")
class Recharge:
    """`recharge/{order}`. Signal `nudge`: the row changed."""

    def __init__(self) -> None:
        self._nudged = False
        self._seen = RechargeLook(RechargeState.OPEN)
        self._asks = 0
        self._late_asks = 0
        self._failures = 0
        self._answer: ProviderAnswer | None = None
        self._ask_at: datetime | None = None

    @workflow.signal(description="Look at the rows again")
    def nudge(self) -> None:
        self._nudged = True

    @workflow.query(description="State of the order, and how asking the provider goes")
    def progress(self) -> RechargeProgress:
        return RechargeProgress(self._seen.state, self._asks, self._failures, self._answer, self._needs_human)

    @workflow.run
    async def run(self, process: Process) -> RechargeState:
        seen = await self._look(process)
        while seen.watched:
            if workflow.info().is_continue_as_new_suggested() and not self._nudged:
                workflow.continue_as_new(process)
            if await self._is_time(seen):
                await self._ask(process, seen)
            seen = await self._look(process)
        if seen.state is RechargeState.CREDITED:
            await self._tell(process)
        await workflow.execute_activity_method(
            RechargeActivities.close,
            process,
            start_to_close_timeout=BRIEF,
            retry_policy=OUTAGES,
            summary="note the end",
        )
        return seen.state

    @property
    def _needs_human(self) -> bool:
        return self._failures >= TROUBLES_FOR_A_PERSON

    async def _look(self, process: Process) -> RechargeLook:
        self._nudged = False
        request = RechargeLookRequest(process, workflow.now(), self._asks, self._late_asks)
        seen = await workflow.execute_activity_method(
            RechargeActivities.look,
            request,
            start_to_close_timeout=BRIEF,
            retry_policy=OUTAGES,
            summary="read the order's row",
        )
        if seen.troubled and self._answer is None:  # this run goes on where another one stopped, alarm included
            self._failures = TROUBLES_FOR_A_PERSON
        if self._ask_at is None or seen.state is not self._seen.state:
            self._ask_at = request.now + timedelta(seconds=seen.wait_seconds)
        self._seen = seen
        self._show()
        return seen

    async def _is_time(self, seen: RechargeLook) -> bool:
        """Wait until the provider is to be asked; False when something happened before."""
        if seen.shut_due and not self._failures:
            return True
        wait = (self._ask_at or workflow.now()) - workflow.now()
        if wait <= timedelta():
            return True
        try:
            await workflow.wait_condition(lambda: self._nudged, timeout=wait, timeout_summary="ask the provider")
        except TimeoutError:
            return True
        return False

    async def _ask(self, process: Process, seen: RechargeLook) -> None:
        """Ask, or close when that is due; the next time is counted from here."""
        method = RechargeActivities.shut if seen.shut_due else RechargeActivities.ask
        self._answer = await workflow.execute_activity_method(
            method,
            PaymentStep(process, workflow.now(), self._failures),
            start_to_close_timeout=OUTWARD,
            retry_policy=OUTAGES,
            summary="close the order, at the provider first" if seen.shut_due else "ask the provider for the order",
        )
        credible = self._answer not in TROUBLES
        self._failures = 0 if credible else self._failures + 1
        if seen.state is RechargeState.CLOSED:
            self._late_asks += credible  # else the watch would end, and its alarm with it, on nothing but silence
        else:
            self._asks += 1
        self._ask_at = None

    async def _tell(self, process: Process) -> None:
        await workflow.execute_activity_method(
            RechargeActivities.announce,
            process,
            start_to_close_timeout=BRIEF,
            retry_policy=OUTAGES,
            summary="mail the customer: credited",
        )

    def _show(self) -> None:
        seen = self._seen
        stage = "watching" if seen.watched and seen.state is RechargeState.CLOSED else seen.state.value
        due = seen.expires_at if seen.state is RechargeState.OPEN else None
        visibility.show(stage, self._details(), needs_human=self._needs_human and seen.watched, due_at=due)

    def _details(self) -> str:
        """Markdown for the Temporal UI."""
        answer = self._answer.value if self._answer else "not asked yet"
        lines = [
            f"**¥{plain_yuan(self._seen.amount_fen)}: {self._seen.state.value}**",
            "",
            _meaning(self._seen),
            "",
            f"Provider: {answer}; asked {self._asks} times while the order was open; "
            f"answered {self._late_asks} times since it closed.",
        ]
        if self._needs_human and self._seen.watched:
            lines += [
                "",
                f"**Needs a person:** {self._failures} answers in a row were missing or did not fit. {_ADVICE}",
            ]
        return "\n".join(lines)


_ADVICE = (
    "`silent`: look at the provider's status and the settings `SONGDA_ALIPAY_*`. `refused`: compare the order with the "
    "provider's console, and with the table `refused_notice`. It goes on asking by itself."
)


def _meaning(seen: RechargeLook) -> str:
    if seen.state is RechargeState.OPEN and seen.expires_at:
        return f"It can be paid until {seen.expires_at:%Y-%m-%d %H:%M:%S} UTC; then it is closed at the provider."
    if seen.watched:
        return "Closed. A payment that still turns up is credited; the provider is asked now and then."
    if seen.late:
        return "It was paid after it had been closed, and credited all the same."
    return "Nothing is left to do here."
