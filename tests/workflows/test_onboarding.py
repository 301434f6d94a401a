"""The onboarding process on the time-skipping server, with a real database under it."""

import asyncio
from dataclasses import replace

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.testing import WorkflowEnvironment

from activities.onboarding import OnboardingActivities, ReminderRequest
from domain.certification import CertificationState
from domain.domains import DomainState
from domain.onboarding import Stage
from domain.reviews import ReviewState
from domain.secrets import Vault
from domain.sending import MessageState
from store.clockwork import Clockwork, DatabaseEpoch
from store.db import Database
from tests.endings import at_rest
from tests.kept_histories import keep, replay
from tests.onboarding_process import DAY, POLICY, current_details, mails, nudged, running, stage_becomes
from tests.path_rows import Customer
from tests.platform_rows import have_platform
from workflows import onboarding as process
from workflows.onboarding import Onboarding


async def test_it_advances_with_each_fact_and_goes_back_when_one_is_withdrawn(
    temporal_env: WorkflowEnvironment, db: Database
) -> None:
    alice = await Customer(db).registers()
    async with running(temporal_env, db, alice) as handle:
        await stage_becomes(alice, Stage.REGISTER)
        await alice.confirms()
        assert (await nudged(handle)).stage is Stage.DOMAIN
        domain = await alice.adds_domain(DomainState.PENDING)
        assert (await nudged(handle)).missing == "domain_waits_for_dns"
        await alice.domain_becomes(domain, DomainState.USABLE)
        assert (await nudged(handle)).stage is Stage.API_USER
        await alice.adds_api_user(domain)
        assert (await nudged(handle)).stage is Stage.TEMPLATE
        await alice.writes_template(ReviewState.SUBMITTED)
        assert (await nudged(handle)).missing == "template_in_review"
        await alice.writes_template(ReviewState.APPROVED)
        assert (await nudged(handle)).stage is Stage.SEND
        sent = await alice.sends(MessageState.QUEUED)
        assert (await nudged(handle)).missing == "nothing_delivered_yet"
        await alice.message_ends(sent, MessageState.DELIVERED)
        progress = await nudged(handle)
        assert (progress.stage, progress.missing, progress.needs_human) == (
            Stage.CERTIFY,
            "certification_not_begun",
            False,
        )

        await alice.domain_becomes(domain, DomainState.BROKEN)
        progress = await nudged(handle)
        assert (progress.stage, progress.missing) == (Stage.DOMAIN, "domain_record_broken")
        await alice.domain_becomes(domain, DomainState.USABLE)
        assert (await nudged(handle)).stage is Stage.CERTIFY
        row = await alice.row()
        assert (row.stage, row.changed, row.completed_at) == ("certify", 7, None)
        await keep(handle, "there-and-back", "example")


async def test_without_a_nudge_it_looks_every_day(temporal_env: WorkflowEnvironment, db: Database) -> None:
    alice = await Customer(db).registers()
    async with running(temporal_env, db, alice) as handle:
        await stage_becomes(alice, Stage.REGISTER)
        await alice.confirms()
        await temporal_env.sleep(1.1 * DAY)
        assert (await handle.query(Onboarding.progress)).stage is Stage.DOMAIN


async def test_operators_see_where_it_is(temporal_env: WorkflowEnvironment, db: Database) -> None:
    alice = await Customer(db).registers()
    async with running(temporal_env, db, alice) as handle:
        await alice.confirms()
        await nudged(handle)
        described = await handle.describe()
        details = await current_details(temporal_env.client, handle)
    attributes = {pair.key.name: pair.value for pair in described.typed_search_attributes}
    assert (attributes["Stage"], attributes["Channel"], attributes["NeedsHuman"]) == ("domain", "email", False)
    assert "✅ **register**\n- ▶️ **domain**: no_domain\n- ⬜ **api_user**" in details
    assert "- ▶️ **sms_certify**: certification_not_begun\n- ⬜ **sms_pay**\n- ⬜ **sms_user**\n" in details
    assert "example" not in details, "no address of the customer"


async def test_a_stuck_customer_is_reminded_three_times_and_then_a_person_is_asked(
    temporal_env: WorkflowEnvironment, db: Database
) -> None:
    await have_platform(db, Vault("s" * 40), POLICY)
    alice = await Customer(db).registers("alice@example.com", "en")
    await alice.confirms()
    async with running(temporal_env, db, alice) as handle:
        await stage_becomes(alice, Stage.DOMAIN)
        sent = []
        for days in (2.9, 0.2, 3.8, 0.2, 6.8, 0.2, 6.8):  # to day 2.9, 3.1, 6.9, 7.1, 13.9, 14.1, 20.9
            await temporal_env.sleep(days * DAY)
            sent.append(len(await mails(db)))
        assert sent == [0, 1, 1, 2, 2, 3, 3]
        assert not (await handle.query(Onboarding.progress)).needs_human
        await temporal_env.sleep(DAY)
        assert (await handle.query(Onboarding.progress)).needs_human
        await temporal_env.sleep(30 * DAY)
        described = await handle.describe()
        await keep(handle, "reminded-three-times", "example")
    first, second, third = await mails(db)
    assert described.typed_search_attributes[process.visibility.NEEDS_HUMAN] is True
    assert {mail[0] for mail in (first, second, third)} == {"alice@example.com"}
    assert [mail[2]["days"] for mail in (first, second, third)] == ["3", "7", "14"]
    assert first[2]["step"] == "Sender domain"
    assert first[2]["link"] == "https://songda.example/portal/domains"
    assert (await alice.row()).reminders == 3


async def test_progress_begins_a_new_stay_with_new_reminders(temporal_env: WorkflowEnvironment, db: Database) -> None:
    await have_platform(db, Vault("s" * 40), POLICY)
    alice = await Customer(db).registers(language="zh")
    await alice.confirms()
    async with running(temporal_env, db, alice) as handle:
        await stage_becomes(alice, Stage.DOMAIN)
        await temporal_env.sleep(3.1 * DAY)
        await alice.adds_domain()
        await nudged(handle)
        await temporal_env.sleep(2.5 * DAY)
        assert len(await mails(db)) == 1
        await temporal_env.sleep(DAY)
    assert [mail[2]["step"] for mail in await mails(db)] == ["配置发信域名", "创建 API_USER"]


async def test_who_waits_for_us_or_has_no_confirmed_address_is_not_reminded(
    temporal_env: WorkflowEnvironment, db: Database
) -> None:
    await have_platform(db, Vault("s" * 40), POLICY)
    alice, bob = await Customer(db).registers(), await Customer(db).registers()
    await alice.confirms()
    await alice.adds_api_user(await alice.adds_domain())
    await alice.writes_template(ReviewState.SUBMITTED)
    carol = await Customer(db).registers()
    await carol.sends_first()
    await carol.applies(CertificationState.SUBMITTED)
    async with (
        running(temporal_env, db, alice) as hers,
        running(temporal_env, db, bob) as his,
        running(temporal_env, db, carol) as carols,
    ):
        await stage_becomes(alice, Stage.TEMPLATE)
        await stage_becomes(carol, Stage.CERTIFY)
        for handle in (hers, his, carols):  # a task in flight does not survive that the clock jumps over its time
            await at_rest(temporal_env.client, handle)
        await temporal_env.sleep(16 * DAY)
    assert await mails(db) == []


async def test_a_reminder_tried_twice_is_one_mail(temporal_env: WorkflowEnvironment, db: Database) -> None:
    """As after a crash between the mail and its count."""
    await have_platform(db, Vault("s" * 40), POLICY)
    alice = await Customer(db).registers()
    await alice.confirms()
    async with running(temporal_env, db, alice):
        await stage_becomes(alice, Stage.DOMAIN)
    activities = OnboardingActivities(db, POLICY)
    row = await alice.row()
    request = ReminderRequest(alice.process, row.changed, 1, row.since + 3 * DAY)
    assert [await activities.remind(request), await activities.remind(request)] == [True, False]
    assert not await activities.remind(replace(request, changed=row.changed - 1, number=2)), "a stay that is over"
    assert len(await mails(db)) == 1


async def test_a_mail_that_is_refused_does_not_stop_the_process(
    temporal_env: WorkflowEnvironment, db: Database
) -> None:
    await have_platform(db, Vault("s" * 40), POLICY)
    alice = await Customer(db).registers("not an address")
    await alice.confirms()
    async with running(temporal_env, db, alice) as handle:
        await stage_becomes(alice, Stage.DOMAIN)
        await temporal_env.sleep(3.1 * DAY)
        await alice.adds_domain()
        assert (await nudged(handle)).stage is Stage.API_USER
    assert await mails(db) == []


async def test_it_continues_as_new_and_replays(
    temporal_env: WorkflowEnvironment, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await have_platform(db, Vault("s" * 40), POLICY)
    alice = await Customer(db).registers()
    async with running(temporal_env, db, alice) as handle:
        first = (await handle.describe()).run_id
        await alice.confirms()
        for _ in range(0, process.ROUNDS_PER_RUN + 5, 20):  # one call to the server may take 30 s
            await temporal_env.sleep(20 * DAY)
        described = await handle.describe()
        assert described.run_id != first
        progress = await handle.query(Onboarding.progress)
        assert (progress.stage, progress.needs_human) == (Stage.DOMAIN, True)
        await alice.finishes_everything()
        assert (await nudged(handle)).stage is Stage.DONE
        old = await temporal_env.client.get_workflow_handle(handle.id, run_id=first).fetch_history()
        await keep(handle, "continued-as-new")
    assert len(old.events) < 4096
    await replay(old)


async def test_it_ends_with_the_account(temporal_env: WorkflowEnvironment, db: Database) -> None:
    alice = await Customer(db).registers()
    async with running(temporal_env, db, alice) as handle:
        await stage_becomes(alice, Stage.REGISTER)
        await alice.leaves()
        await handle.signal(Onboarding.nudge)
        await asyncio.wait_for(handle.result(), 10)
    async with db.read() as session:
        clock = await session.get(Clockwork, alice.process.workflow_id)
    assert clock is not None and clock.closed_at is not None


async def test_a_process_from_before_a_restore_stands_back(temporal_env: WorkflowEnvironment, db: Database) -> None:
    alice = await Customer(db).registers()
    async with db.begin() as session:
        epoch = await session.get_one(DatabaseEpoch, 1)
        epoch.epoch += 1
    try:
        async with running(temporal_env, db, alice) as handle:
            with pytest.raises(WorkflowFailureError) as failed:
                await asyncio.wait_for(handle.result(), 10)
    finally:
        async with db.begin() as session:
            (await session.get_one(DatabaseEpoch, 1)).epoch -= 1
    assert isinstance(failed.value.cause, ActivityError)
    assert isinstance(failed.value.cause.cause, ApplicationError)
    assert failed.value.cause.cause.type == "StaleEpoch"
