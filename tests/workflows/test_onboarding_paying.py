"""The end of the path on the time-skipping server: certified, paid, and back when the certification goes."""

import datetime as dt

from temporalio.testing import WorkflowEnvironment

from domain.billing import RechargeState
from domain.certification import CertificationKind, CertificationState
from domain.onboarding import SmsStage, Stage
from domain.secrets import Vault
from domain.times import SHANGHAI, business_day
from store.db import Database
from tests.kept_histories import keep
from tests.onboarding_process import DAY, POLICY, current_details, mails, nudged, running, stage_becomes
from tests.path_rows import Customer
from tests.platform_rows import have_platform
from workflows.onboarding import Onboarding


async def test_certified_and_paid_it_is_done_and_the_sms_track_goes_on(
    temporal_env: WorkflowEnvironment, db: Database
) -> None:
    alice = await Customer(db).registers()
    await alice.sends_first()
    async with running(temporal_env, db, alice) as handle:
        await stage_becomes(alice, Stage.CERTIFY)
        assert await alice.quota() == (200, 200)
        application = await alice.applies(CertificationState.SUBMITTED)
        progress = await nudged(handle)
        assert (progress.missing, progress.sms_missing) == ("certification_in_review",) * 2
        await alice.application_becomes(application, CertificationState.APPROVED)
        progress = await nudged(handle)
        assert (progress.stage, progress.missing) == (Stage.PAY, "not_recharged")
        assert (progress.sms_stage, progress.sms_missing) == (SmsStage.PAY, "not_recharged")
        assert await alice.quota() == (200, 200), "certified is not paid"
        await alice.orders(RechargeState.CREDITED)
        progress = await nudged(handle)
        assert (progress.stage, progress.sms_stage, progress.missing) == (Stage.DONE, SmsStage.USER, None)
        assert await alice.quota() == (10_000, 200)
        await alice.is_granted(50_000)
        await nudged(handle)
        assert await alice.quota() == (50_000, 200)
        details = await current_details(temporal_env.client, handle)
        row = await alice.row()
        await keep(handle, "certified-and-paid", "example")
    assert "✅ **pay**" in details and "✅ **sms_pay**\n- ▶️ **sms_user**: no_sms_user" in details
    assert (row.stage, row.sms_stage) == ("done", "sms_user")
    assert row.completed_at == row.since


async def test_it_wakes_on_the_day_that_the_certification_expires_and_goes_back(
    temporal_env: WorkflowEnvironment, db: Database
) -> None:
    """And forward again with the renewal; what was recharged still counts."""
    alice = await Customer(db).registers()
    await alice.sends_first()
    await alice.orders(RechargeState.CREDITED)
    virtual = await temporal_env.get_current_time()
    last = business_day(virtual) + 10 * DAY
    midnight = dt.datetime.combine(last + DAY, dt.time(), SHANGHAI)
    await alice.certifies(until=last)
    async with running(temporal_env, db, alice) as handle:
        await stage_becomes(alice, Stage.DONE)
        await temporal_env.sleep(midnight - await temporal_env.get_current_time() - dt.timedelta(minutes=5))
        assert (await handle.query(Onboarding.progress)).stage is Stage.DONE, "its last day counts"
        await temporal_env.sleep(dt.timedelta(minutes=6))
        progress = await handle.query(Onboarding.progress)
        assert (progress.stage, progress.missing) == (Stage.CERTIFY, "certification_expired")
        assert (progress.sms_stage, progress.sms_missing) == (SmsStage.CERTIFY, "certification_expired")
        assert await alice.quota() == (200, 200)
        assert (await alice.row()).completed_at is None

        await alice.certifies(CertificationKind.INDIVIDUAL, number=2)
        progress = await nudged(handle)
        assert (progress.stage, progress.sms_stage) == (Stage.DONE, SmsStage.CERTIFY)
        assert progress.sms_missing == "certification_expired", "SMS needs the enterprise kind"
        assert await alice.quota() == (10_000, 200)
        await keep(handle, "expired-and-renewed", "example")


async def test_a_revoked_certification_leads_back(temporal_env: WorkflowEnvironment, db: Database) -> None:
    alice = await Customer(db).registers()
    await alice.sends_first()
    application = await alice.certifies()
    await alice.orders(RechargeState.CREDITED)
    async with running(temporal_env, db, alice) as handle:
        await stage_becomes(alice, Stage.DONE)
        await alice.application_becomes(application, CertificationState.REVOKED, reason="Forged licence.")
        progress = await nudged(handle)
        assert (progress.stage, progress.sms_stage) == (Stage.CERTIFY, SmsStage.CERTIFY)
        assert progress.missing == "certification_revoked"
        assert "Forged" not in await current_details(temporal_env.client, handle)
    assert await alice.quota() == (200, 200)


async def test_certify_and_pay_are_reminded_of_and_need_no_person(
    temporal_env: WorkflowEnvironment, db: Database
) -> None:
    await have_platform(db, Vault("s" * 40), POLICY)
    alice = await Customer(db).registers(language="en")
    await alice.sends_first()
    async with running(temporal_env, db, alice) as handle:
        await stage_becomes(alice, Stage.CERTIFY)
        await temporal_env.sleep(3.1 * DAY)
        application = await alice.applies(CertificationState.REJECTED)
        await alice.application_becomes(application, CertificationState.REJECTED, reason="The licence is blurred.")
        await temporal_env.sleep(4 * DAY)
        await alice.certifies(number=2)
        await nudged(handle)
        await temporal_env.sleep(25 * DAY)
        progress = await handle.query(Onboarding.progress)
        assert (progress.stage, progress.reminders, progress.needs_human) == (Stage.PAY, 3, False)
    sent = [mail[2] for mail in await mails(db)]
    assert [(mail["step"], mail["days"]) for mail in sent] == [
        ("Certification", "3"), ("Certification", "7"), ("Recharge", "3"), ("Recharge", "7"), ("Recharge", "14"),
    ]  # fmt: skip
    assert "The licence is blurred." in sent[1]["missing"]
    assert sent[2]["link"] == "https://songda.example/portal/recharges"
