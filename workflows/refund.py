"""Gives back a payment that could not be credited: the second one of an order, or one for an account that is gone."""

import contextlib
from datetime import timedelta

from temporalio import workflow

from activities.payment import RefundActivities
from domain.billing import (
    TROUBLES,
    TROUBLES_FOR_A_PERSON,
    PaymentState,
    PaymentStep,
    RefundLook,
    RefundLookRequest,
    RefundProgress,
)
from domain.ids import Process
from domain.money import plain_yuan
from workflows import visibility
from workflows.outages import BRIEF, OUTAGES, OUTWARD


@workflow.defn(name="Refund")
class Refund:
    """`refund/{payment}`. Signal `nudge`: try again now."""

    def __init__(self) -> None:
        self._nudged = False
        self._seen = RefundLook(PaymentState.REFUND_WANTED)
        self._tries = 0
        self._failures = 0

    @workflow.signal(description="Try again now")
    def nudge(self) -> None:
        self._nudged = True

    @workflow.query(description="Whether the money went back, and how often that was tried")
    def progress(self) -> RefundProgress:
        return RefundProgress(self._seen.state, self._tries, self._failures, self._needs_human)

    @workflow.run
    async def run(self, process: Process) -> PaymentState:
        seen = await self._look(process)
        while seen.state is PaymentState.REFUND_WANTED:
            if workflow.info().is_continue_as_new_suggested() and not self._nudged:
                workflow.continue_as_new(process)
            if self._failures:
                await self._wait(seen)
            await self._refund(process)
            seen = await self._look(process)
        if self._tries:
            await self._tell(process)
        await workflow.execute_activity_method(
            RefundActivities.close,
            process,
            start_to_close_timeout=BRIEF,
            retry_policy=OUTAGES,
            summary="note the end",
        )
        return seen.state

    @property
    def _needs_human(self) -> bool:
        return self._failures >= TROUBLES_FOR_A_PERSON and self._seen.state is PaymentState.REFUND_WANTED

    async def _look(self, process: Process) -> RefundLook:
        self._seen = await workflow.execute_activity_method(
            RefundActivities.look,
            RefundLookRequest(process, self._tries),
            start_to_close_timeout=BRIEF,
            retry_policy=OUTAGES,
            summary="read the payment's row",
        )
        if self._seen.troubled and not self._tries:  # this run goes on where another one stopped, alarm included
            self._failures = TROUBLES_FOR_A_PERSON
        visibility.show(self._seen.state.value, _details(self._seen, self._failures), needs_human=self._needs_human)
        return self._seen

    async def _wait(self, seen: RefundLook) -> None:
        with contextlib.suppress(TimeoutError):
            wait = timedelta(seconds=seen.wait_seconds)
            await workflow.wait_condition(lambda: self._nudged, timeout=wait, timeout_summary="try the refund again")
        self._nudged = False

    async def _refund(self, process: Process) -> None:
        answer = await workflow.execute_activity_method(
            RefundActivities.refund,
            PaymentStep(process, workflow.now(), self._failures),
            start_to_close_timeout=OUTWARD,
            retry_policy=OUTAGES,
            summary="give the money back at the provider, then post it",
        )
        self._tries += 1
        self._failures = self._failures + 1 if answer in TROUBLES else 0

    async def _tell(self, process: Process) -> None:
        await workflow.execute_activity_method(
            RefundActivities.announce,
            process,
            start_to_close_timeout=BRIEF,
            retry_policy=OUTAGES,
            summary="mail the customer: refunded",
        )


def _details(seen: RefundLook, failures: int) -> str:
    """Markdown for the Temporal UI."""
    lines = [f"**¥{plain_yuan(seen.amount_fen)}: {seen.state.value}** (why: {seen.why or 'unknown'})"]
    if seen.state is PaymentState.REFUND_WANTED and failures:
        lines += ["", f"{failures} tries in a row failed. Signal `nudge` has it try at once."]
    if seen.state is PaymentState.REFUND_WANTED and failures >= TROUBLES_FOR_A_PERSON:
        lines += [
            "",
            "**Needs a person:** look at the provider's console whether it can refund (balance, age of the payment), "
            "and at the settings `SONGDA_ALIPAY_*`. It goes on trying by itself. What it will never refund is given "
            "back in another way and recorded in our console (*Payments*), which ends this process.",
        ]
    return "\n".join(lines)
