"""The registration process on the time-skipping server, with real activities and a real database."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlmodel import select, update
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from domain.accounts import AccountState
from domain.ids import Kind, Process
from domain.registration import (
    LINK_VALID,
    ConfirmationResult,
    OperatorConfirmation,
    RegistrationProgress,
    RegistrationState,
)
from services.registrations import Registered
from store import clockwork
from store.accounts import Account, Registration
from store.audit_log import AuditEntry
from store.columns import now
from store.db import Database
from store.senders import ApiUser
from tests.accounts_world import ALICE, BOB, House, house
from tests.endings import has_ended
from tests.kept_histories import keep
from tests.patience import PATIENCE
from worker import sandbox_runner
from workflows.registration import Registration as Process_

PRIVATE = ("customer.example", "Alice & Co")
WISH = OperatorConfirmation("the mail does not arrive; identity checked by phone", "zhang")
Handle = WorkflowHandle[Process_, RegistrationState]


async def renew(env: WorkflowEnvironment, home: House) -> None:
    """Links begin now: the shared server's clock is ahead of ours by what tests skipped."""
    async with home.db.begin() as session:
        await session.exec(update(Registration).values(expires_at=await env.get_current_time() + LINK_VALID))


@asynccontextmanager
async def running(env: WorkflowEnvironment, home: House, made: Registered) -> AsyncIterator[Handle]:
    """The process under a worker of its own. What still runs at the end is let expire."""
    work, queue = home.work, made.workflow_id
    await renew(env, home)
    async with Worker(
        env.client, task_queue=queue, workflows=[Process_], workflow_runner=sandbox_runner(),
        activities=[work.look, work.send_mail, work.confirm, work.close],
    ):  # fmt: skip
        process = Process(Kind.REGISTRATION, str(made.account_id), str(made.account_id), 1)
        handle = await env.client.start_workflow(Process_.run, process, id=made.workflow_id, task_queue=queue)
        try:
            yield handle
        finally:
            if not await has_ended(env.client, handle):
                async with home.db.begin() as session:
                    (await session.get_one(Account, made.account_id)).state = AccountState.EXPIRED.value
                await handle.signal(Process_.nudge)
                await asyncio.wait_for(handle.result(), 10)


async def mails_sent(handle: Handle, number: int) -> RegistrationProgress:
    """Wait, in real time, until so many mails were sent."""
    async with asyncio.timeout(PATIENCE):
        while (progress := await handle.query(Process_.progress)).mails_sent < number:
            await asyncio.sleep(0.02)
    return progress


async def confirms(handle: Handle, wish: OperatorConfirmation) -> ConfirmationResult:
    """As the Temporal UI sends it: by name."""
    answer: ConfirmationResult = await handle.execute_update(
        "confirm_by_operator", wish, result_type=ConfirmationResult
    )
    return answer


async def minutes_later(home: House) -> None:
    async with home.db.begin() as session:
        await session.exec(update(Registration).values(wanted_at=now() - dt.timedelta(minutes=2)))


async def account_of(home: House, made: Registered) -> Account:
    async with home.db.read() as session:
        return await session.get_one(Account, made.account_id)


async def test_it_mails_waits_mails_again_and_ends_with_the_confirmation(
    temporal_env: WorkflowEnvironment, db: Database
) -> None:
    home = await house(db)
    made = await home.register("mistyped@customer.example")
    async with running(temporal_env, home, made) as handle:
        progress = await mails_sent(handle, 1)
        assert progress.state is RegistrationState.WAITING
        await home.services.registrations.correct(made.handle, ALICE)
        await renew(temporal_env, home)
        await handle.signal(Process_.nudge)
        await mails_sent(handle, 2)
        await minutes_later(home)
        await home.services.registrations.resend(made.handle)
        await renew(temporal_env, home)
        await handle.signal(Process_.nudge)
        await mails_sent(handle, 3)
        tokens = [mail.token for mail in await home.mails(ALICE)]
        assert len(tokens) == 2
        await home.services.registrations.confirm(tokens[0])
        await handle.signal(Process_.nudge)
        assert await handle.result() is RegistrationState.CONFIRMED
        await keep(handle, "corrected-and-confirmed", *PRIVATE, *tokens)
    async with db.read() as session:
        row = await clockwork.find(session, made.workflow_id)
    assert row is not None
    assert row.closed_at is not None


async def test_it_expires_after_48_hours_of_silence(temporal_env: WorkflowEnvironment, db: Database) -> None:
    home = await house(db)
    made = await home.register()
    async with running(temporal_env, home, made) as handle:
        began = await temporal_env.get_current_time()
        assert await handle.result() is RegistrationState.EXPIRED
        passed = await temporal_env.get_current_time() - began
        assert passed >= LINK_VALID - dt.timedelta(minutes=1)
        await keep(handle, "expired", *PRIVATE)
    assert (await account_of(home, made)).state == AccountState.EXPIRED
    assert len(await home.mails(ALICE)) == 1


async def test_an_operator_confirms_once_and_it_is_recorded(temporal_env: WorkflowEnvironment, db: Database) -> None:
    home = await house(db)
    made = await home.register()
    with temporal_env.auto_time_skipping_disabled():
        async with running(temporal_env, home, made) as handle:
            await mails_sent(handle, 1)
            updates = [confirms(handle, OperatorConfirmation("phone call", name)) for name in ("zhang", "wang")]
            answers = await asyncio.gather(*updates, return_exceptions=True)
            assert await handle.result() is RegistrationState.CONFIRMED
            await keep(handle, "confirmed-by-an-operator", *PRIVATE)
    counted = [answer for answer in answers if not isinstance(answer, BaseException) and answer.accepted]
    assert len(counted) == 1, answers
    account = await account_of(home, made)
    assert account.state == AccountState.ACTIVE
    assert account.confirmed_by in ("operator/zhang", "operator/wang")
    async with db.read() as session:
        entries = [e for e in await session.exec(select(AuditEntry)) if e.action == "registration.quick"]
        users = (await session.exec(select(ApiUser).where(ApiUser.account_id == made.account_id))).all()
        onboarding = await clockwork.find(session, f"onboarding/{made.account_id}")
    assert [(e.actor, e.detail["reason"]) for e in entries] == [(account.confirmed_by, "phone call")]
    assert len(users) == 1
    assert onboarding is not None


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (OperatorConfirmation(""), "reason is required"),
        (OperatorConfirmation("mail to a@b.example bounced"), "no address"),
        (OperatorConfirmation("x" * 201), "at most 200"),
        (OperatorConfirmation("phone call", " "), "actor must name"),
        (OperatorConfirmation("phone call", "zhang@songda.example"), "without an address"),
        (OperatorConfirmation("called 138 0013-8000 back"), "no number of seven digits"),
        (OperatorConfirmation("ticket 4711", "+44 7400 123456"), "no number of seven digits"),
    ],
)
async def test_a_bad_confirmation_is_rejected_and_leaves_no_event(
    temporal_env: WorkflowEnvironment, db: Database, wish: OperatorConfirmation, words: str
) -> None:
    home = await house(db)
    made = await home.register()
    with temporal_env.auto_time_skipping_disabled():
        async with running(temporal_env, home, made) as handle:
            await mails_sent(handle, 1)
            with pytest.raises(WorkflowUpdateFailedError) as failed:
                await confirms(handle, wish)
            assert words in str(failed.value.cause)
            assert "UPDATE_ACCEPTED" not in (await handle.fetch_history()).to_json()
            assert (await account_of(home, made)).state == AccountState.PENDING


async def test_an_operator_cannot_give_an_address_to_a_second_account(
    temporal_env: WorkflowEnvironment, db: Database
) -> None:
    home = await house(db)
    await home.member(BOB)
    made = await home.register(BOB)
    with temporal_env.auto_time_skipping_disabled():
        async with running(temporal_env, home, made) as handle:
            await mails_sent(handle, 1)
            answer = await confirms(handle, WISH)
            assert (await account_of(home, made)).state == AccountState.PENDING
    assert (answer.accepted, answer.message) == (False, "refused: address_in_use")


async def test_operators_read_what_to_do_in_the_details(temporal_env: WorkflowEnvironment, db: Database) -> None:
    home = await house(db)
    made = await home.register()
    with temporal_env.auto_time_skipping_disabled():
        async with running(temporal_env, home, made) as handle:
            await mails_sent(handle, 1)
            details = await handle.query("__temporal_workflow_metadata")
    assert "confirm_by_operator" in str(details)
    assert "1 sent of 1 asked for" in str(details)
