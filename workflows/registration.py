"""From the form to a confirmed address: mails the link, waits, mails it again on request, and lets it expire."""

import datetime as dt

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from activities.registration import (
    MailOrder,
    OperatorOrder,
    RegistrationActivities,
    RegistrationLook,
    RegistrationLookRequest,
)
from domain.ids import Process
from domain.phone_codes import PhoneStage
from domain.registration import (
    ConfirmationResult,
    OperatorConfirmation,
    RegistrationProgress,
    RegistrationState,
    confirmation_fault,
)
from workflows import visibility
from workflows.outages import BRIEF, OUTAGES


@workflow.defn(name="Registration")
class Registration:
    @workflow.init
    def __init__(self, process: Process) -> None:
        self._process = process
        self._nudged = False
        self._seen: RegistrationLook | None = None

    @workflow.run
    async def run(self, process: Process) -> RegistrationState:
        seen = await self._look()
        while seen.state is RegistrationState.WAITING:
            if seen.mails_wanted > seen.mails_sent:
                await self._mail(seen.mails_wanted)
            else:
                await self._wait(seen.wait_seconds)
            await self._renew()
            seen = await self._look()
        await workflow.wait_condition(workflow.all_handlers_finished)
        await self._close()
        return seen.state

    @workflow.signal(description="Look at the rows again")
    def nudge(self) -> None:
        self._nudged = True

    @workflow.query(description="Whether the address is confirmed, and how many mails were sent")
    def progress(self) -> RegistrationProgress:
        seen = self._seen or RegistrationLook(RegistrationState.WAITING)
        expires = seen.expires_at.isoformat() if seen.expires_at else ""
        return RegistrationProgress(
            seen.state, seen.mails_wanted, seen.mails_sent, expires, seen.phone, seen.codes_sent
        )

    @workflow.update(description='Quick registration: {"reason": "mail does not arrive", "actor": "your name"}')
    async def confirm_by_operator(self, wish: OperatorConfirmation) -> ConfirmationResult:
        current = workflow.current_update_info()
        result = await workflow.execute_activity_method(
            RegistrationActivities.confirm,
            OperatorOrder(self._process, wish, workflow.now(), current.id if current else ""),
            start_to_close_timeout=BRIEF,
            retry_policy=OUTAGES,
            summary="Quick registration by an operator",
        )
        self._nudged = True
        return result

    @confirm_by_operator.validator
    def check_confirmation(self, wish: OperatorConfirmation) -> None:
        if fault := confirmation_fault(wish):
            raise ApplicationError(fault)
        if self._seen and self._seen.state is not RegistrationState.WAITING:
            raise ApplicationError(f"this registration is {self._seen.state.value} already")

    async def _look(self) -> RegistrationLook:
        self._nudged = False
        before = self._seen
        seen = await workflow.execute_activity_method(
            RegistrationActivities.look,
            RegistrationLookRequest(self._process, workflow.now()),
            start_to_close_timeout=BRIEF,
            retry_policy=OUTAGES,
            summary="Read the registration",
        )
        self._seen = seen
        if before != seen:
            visibility.show(seen.state.value, _details(seen, self._process), due_at=seen.expires_at)
        return seen

    async def _mail(self, number: int) -> None:
        await workflow.execute_activity_method(
            RegistrationActivities.send_mail,
            MailOrder(self._process, number, workflow.now()),
            start_to_close_timeout=BRIEF,
            retry_policy=OUTAGES,
            summary=f"Confirmation mail {number}",
        )

    async def _wait(self, seconds: float) -> None:
        try:
            await workflow.wait_condition(
                lambda: self._nudged, timeout=dt.timedelta(seconds=seconds), timeout_summary="The link expires"
            )
        except TimeoutError:
            return

    async def _renew(self) -> None:
        """Who corrects and resends for months must not grow a history without end."""
        if workflow.info().is_continue_as_new_suggested():
            await workflow.wait_condition(workflow.all_handlers_finished)
            workflow.continue_as_new(self._process)

    async def _close(self) -> None:
        await workflow.execute_activity_method(
            RegistrationActivities.close,
            self._process,
            start_to_close_timeout=BRIEF,
            retry_policy=OUTAGES,
            summary="Close the process",
        )


def _details(seen: RegistrationLook, process: Process) -> str:
    """For an operator in the Temporal UI."""
    lines = [f"Account `{process.account}`: **{seen.state.value}**.", ""]
    lines.append(f"Confirmation mails: {seen.mails_sent} sent of {seen.mails_wanted} asked for.")
    lines += _about_phone(seen)
    if seen.state is RegistrationState.WAITING and seen.expires_at:
        lines.append(f"The link expires at {seen.expires_at:%Y-%m-%d %H:%M} UTC.")
        lines += ["", "If the customer proves who they are but gets no mail, send the update `confirm_by_operator`:",
                  "", '    {"reason": "mail does not arrive", "actor": "your name"}']  # fmt: skip
        if seen.phone in (PhoneStage.GIVEN, PhoneStage.SENT):
            lines += ["", 'With `"phone": true` the number that they gave is confirmed, too.']
    return "\n".join(lines)


def _about_phone(seen: RegistrationLook) -> list[str]:
    """Counts and the seed's hint; the number itself is nobody's business here."""
    if seen.phone is PhoneStage.NONE:
        return []
    lines = ["", f"Mobile number: **{seen.phone.value}**, codes sent: {seen.codes_sent}."]
    if seen.phone is PhoneStage.SENT:
        lines.append("If no code arrives: let them restart the phone and look among blocked messages.")
    return lines
