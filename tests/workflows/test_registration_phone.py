"""The registration process and the mobile number: it counts, it hints, an operator confirms both at once."""

import asyncio

import pytest
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from domain.phone_codes import PhoneStage
from domain.registration import OperatorConfirmation, RegistrationProgress, RegistrationState
from store.audit_log import about
from store.db import Database
from tests.accounts_world import ALICE
from tests.kept_histories import keep
from tests.patience import PATIENCE
from tests.phone_world import PHONE, asked, code_of, phone_house, phone_of, registered
from tests.workflows.test_registration import Handle, confirms, mails_sent, running
from workflows.registration import Registration

PRIVATE = ("13800138000", "customer.example", "Alice & Co")


async def seen(handle: WorkflowHandle[Registration, RegistrationState], stage: PhoneStage) -> RegistrationProgress:
    """Wait, in real time, until the number is so far."""
    async with asyncio.timeout(PATIENCE):
        while (progress := await handle.query(Registration.progress)).phone is not stage:
            await asyncio.sleep(0.02)
    return progress


async def look_again(handle: Handle) -> None:
    await handle.signal(Registration.nudge)


async def test_it_counts_codes_and_keeps_number_and_code_out_of_its_history(
    temporal_env: WorkflowEnvironment, db: Database
) -> None:
    home = await phone_house(db)
    made = await registered(home, "13800138000")
    with temporal_env.auto_time_skipping_disabled():
        async with running(temporal_env, home, made) as handle:
            await mails_sent(handle, 1)
            assert (await seen(handle, PhoneStage.GIVEN)).codes_sent == 0
            await asked(home, made)
            await look_again(handle)
            assert (await seen(handle, PhoneStage.SENT)).codes_sent == 1
            hints = str(await handle.query("__temporal_workflow_metadata"))
            assert "restart the phone" in hints and "the number that they gave is confirmed" in hints
            code = await code_of(home)
            await home.services.phone_codes.confirm(made.handle, code)
            await look_again(handle)
            await seen(handle, PhoneStage.CONFIRMED)
            await home.services.registrations.confirm((await home.mails(ALICE))[-1].token)
            await look_again(handle)
            assert await handle.result() is RegistrationState.CONFIRMED
            await keep(handle, "number-confirmed-by-a-code", *PRIVATE, f'"{code}"')
    assert await phone_of(home, made.account_id) == PHONE


async def test_an_operator_confirms_address_and_number(temporal_env: WorkflowEnvironment, db: Database) -> None:
    home = await phone_house(db)
    made = await registered(home, "13800138000")
    with temporal_env.auto_time_skipping_disabled():
        async with running(temporal_env, home, made) as handle:
            await mails_sent(handle, 1)
            answer = await confirms(handle, OperatorConfirmation("passport seen", "zhang", phone=True))
            assert answer.accepted
            assert await handle.result() is RegistrationState.CONFIRMED
            await keep(handle, "number-confirmed-by-an-operator", *PRIVATE)
    assert await phone_of(home, made.account_id) == PHONE
    async with db.read() as session:
        entries = await about(session, made.account_id, f"account/{made.account_id}")
    assert [entry.detail["phone"] for entry in entries if entry.action == "registration.quick"] == [True]


@pytest.mark.parametrize("number", ["", "13800138000"])
async def test_an_operator_cannot_confirm_a_number_that_is_not_there_and_need_not(
    temporal_env: WorkflowEnvironment, db: Database, number: str
) -> None:
    home = await phone_house(db)
    made = await registered(home, number)
    with temporal_env.auto_time_skipping_disabled():
        async with running(temporal_env, home, made) as handle:
            await mails_sent(handle, 1)
            if not number:
                answer = await confirms(handle, OperatorConfirmation("by phone", "zhang", phone=True))
                assert (answer.accepted, answer.message) == (False, "refused: phone_missing")
            assert (await confirms(handle, OperatorConfirmation("by phone", "zhang"))).accepted
            await handle.result()
    assert await phone_of(home, made.account_id) is None
