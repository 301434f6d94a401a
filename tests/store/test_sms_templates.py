"""The rows of SMS templates and signatures: decisions, finding, what can be sent."""

import asyncio

import pytest

from domain.errors import Refusal
from domain.ids import new_id
from domain.reviews import Decision, DecisionResult, ReviewState, Ruling
from domain.webhooks import Event
from store import sms_signatures, sms_templates
from store.columns import now
from store.db import Database
from store.sms_signatures import SmsSignature
from store.sms_templates import Wanted
from store.webhooks import WebhookEndpoint
from tests.sms_template_world import NOTICE, SIGNATURE, SmsAuthor, sms_author

APPROVE = Ruling(Decision.APPROVE, "operator/olga")
REJECT = Ruling(Decision.REJECT, "operator/rui", "Say whose order it is.")


@pytest.fixture
async def alice(db: Database) -> SmsAuthor:
    return await sms_author(db)


async def decide(alice: SmsAuthor, version: object, ruling: Ruling) -> DecisionResult:
    async with alice.base.db.begin() as session:
        return await sms_templates.decide(session, version, ruling, now())  # type: ignore[arg-type]


async def test_of_many_deciders_one_wins_and_the_hook_hears_once(alice: SmsAuthor) -> None:
    async with alice.base.db.begin() as session:
        for events in (["sms_template_verify", "deliver"], ["deliver"]):
            session.add(
                WebhookEndpoint(account_id=alice.rows.account, url="https://a.example/", secret=b"-", events=events)
            )
    view = await alice.submits()
    results = await asyncio.gather(*(decide(alice, view.version.id, each) for each in (APPROVE, REJECT) * 3))
    (counted,) = [each for each in results if each.accepted]
    assert {each.state for each in results} == {counted.state}
    assert all("already" in each.message for each in results if not each.accepted)
    heard = await alice.base.db.pool.fetch("SELECT kind, data FROM webhook_event")
    assert [row["kind"] for row in heard] == [Event.SMS_TEMPLATE_VERIFY.value]
    assert heard[0]["data"]["approved"] is (counted.state is ReviewState.APPROVED)
    noted = await alice.base.db.pool.fetch("SELECT action FROM audit_entry WHERE action LIKE 'sms_template.%'")
    assert len(noted) == 1


async def test_a_decision_on_what_was_not_seen_does_not_count(alice: SmsAuthor) -> None:
    view = await alice.submits()
    stale = await decide(alice, view.version.id, Ruling(Decision.APPROVE, "operator/olga", "", 1))
    assert not stale.accepted and stale.state is ReviewState.SUBMITTED and "Look again" in stale.message
    seen = (await alice.templates.get(alice.caller, "order")).version.row_version
    assert (await decide(alice, view.version.id, Ruling(Decision.APPROVE, "operator/olga", "", seen))).accepted
    with pytest.raises(Refusal, match="not_found"):
        await decide(alice, new_id(), APPROVE)


async def test_a_template_is_found_by_number_id_and_name(alice: SmsAuthor) -> None:
    view = await alice.writes()
    refs = (str(view.row.number), str(view.row.id), "order")
    other = await sms_author(alice.base.db)
    async with alice.base.db.read() as session:
        for ref in refs:
            found = await sms_templates.find(session, alice.rows.account, ref)
            assert found is not None and found.id == view.row.id
            assert await sms_templates.find(session, other.rows.account, ref) is None
        for odd in ("", "0", "9" * 30, "9" * 80, "a\x00b", "\ud800", "x" * 999, "Order", "１００１"):
            assert await sms_templates.find(session, alice.rows.account, odd) is None
            assert await sms_signatures.find(session, alice.rows.account, odd) is None


async def test_the_newest_approved_version_is_what_can_be_sent(alice: SmsAuthor) -> None:
    view = await alice.submits()
    assert await alice.templates.sendable(alice.caller) == []
    await decide(alice, view.version.id, APPROVE)
    second = await alice.edits("您好%name%，订单已签收。")
    (sendable,) = await alice.templates.sendable(alice.caller)
    assert (sendable.content, sendable.number, sendable.variables) == (NOTICE, view.row.number, ("name",))
    await alice.templates.submit(alice.caller, "order")
    await decide(alice, second.version.id, APPROVE)
    assert [each.content for each in await alice.templates.sendable(alice.caller)] == ["您好%name%，订单已签收。"]


async def test_lists_show_the_latest_versions_state(alice: SmsAuthor) -> None:
    view = await alice.submits()
    await decide(alice, view.version.id, APPROVE)
    await alice.edits("新的内容")
    for states, expected in (((), 1), (("draft",), 1), (("approved",), 0), (("approved", "draft"), 1)):
        assert len(await alice.templates.page(alice.caller, Wanted(states=states), 10)) == expected


async def test_of_many_deciders_on_a_signature_one_wins(alice: SmsAuthor) -> None:
    made = await alice.signs(state=ReviewState.DRAFT)
    row = await alice.signatures.submit(alice.caller, str(made.number))
    assert row.review_id is not None

    async def judge(ruling: Ruling) -> DecisionResult:
        async with alice.base.db.begin() as session:
            return await sms_signatures.decide(session, row.review_id, ruling, now())  # type: ignore[arg-type]

    results = await asyncio.gather(*(judge(each) for each in (APPROVE, REJECT) * 3))
    assert sum(each.accepted for each in results) == 1
    assert len({each.state for each in results}) == 1


async def test_a_text_is_once_in_each_market(alice: SmsAuthor) -> None:
    made = await alice.signs()
    async with alice.base.db.read() as session:
        found = await sms_signatures.by_text(session, alice.rows.account, SIGNATURE)
        assert isinstance(found, SmsSignature) and found.id == made.id
        for odd in ("", "a\x00b", "\ud800"):
            assert await sms_signatures.by_text(session, alice.rows.account, odd) is None
