"""What an account can do with its SMS templates."""

import asyncio
from dataclasses import replace

import pytest

from domain.accounts import Caller, Role
from domain.errors import Refusal
from domain.ids import new_id
from domain.sms import SmsKind
from domain.sms_templates import MAX_SAVED
from services.sms_templates import SmsTemplateDraft, SmsTemplateView
from store.db import Database
from store.sms_templates import Wanted
from tests.sms_template_world import NOTICE, SIGNATURE, SmsAuthor, sms_author


@pytest.fixture
async def alice(db: Database) -> SmsAuthor:
    return await sms_author(db)


async def refusal(action: object) -> Refusal:
    with pytest.raises(Refusal) as refused:
        await action  # type: ignore[misc]
    return refused.value


async def test_a_draft_is_written_over_and_what_was_submitted_is_not(alice: SmsAuthor) -> None:
    await alice.writes()
    view = await alice.edits("您好%name%，您的订单已签收。")
    assert (view.version.number, view.version.variables) == (1, ["name"])
    submitted = await alice.templates.submit(alice.caller, str(view.row.number))
    assert submitted.workflow_id == f"sms-template-review/{view.version.id}"
    again = await alice.edits("您好%name%，您的订单已签收。")
    assert again.version.number == 1  # nothing was changed
    second = await alice.edits("您的订单已签收。")
    assert (second.version.number, second.version.state, second.submitted and second.submitted.number) == (
        2,
        "draft",
        1,
    )
    assert (await alice.templates.get(alice.caller, "order", 1)).version.content == "您好%name%，您的订单已签收。"
    with pytest.raises(Refusal, match="not_found"):
        await alice.templates.get(alice.caller, "order", 3)


async def test_a_withdrawn_one_is_edited_into_the_next(alice: SmsAuthor) -> None:
    await alice.submits()
    assert (await alice.templates.withdraw(alice.caller, "order")).version.state == "withdrawn"
    assert (await refusal(alice.templates.withdraw(alice.caller, "order"))).code == "sms_template_nothing_to_withdraw"
    assert (await refusal(alice.templates.submit(alice.caller, "order"))).code == "sms_template_nothing_to_submit"
    assert (await alice.edits(NOTICE)).version.number == 2


async def test_of_two_submissions_at_once_one_counts(alice: SmsAuthor) -> None:
    await alice.writes()
    tries = (alice.templates.submit(alice.caller, "order") for _ in range(4))
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(each, SmsTemplateView) for each in done) == 1
    assert await alice.base.db.pool.fetchval("SELECT count(*) FROM clockwork WHERE kind = 'sms-template-review'") == 1


async def test_names_are_once_in_an_account(alice: SmsAuthor) -> None:
    draft = await alice.draft()
    tries = (alice.templates.create(alice.caller, draft) for _ in range(4))
    done = await asyncio.gather(*tries, return_exceptions=True)
    refused = [each for each in done if isinstance(each, Refusal)]
    assert {(each.code, each.field) for each in refused} == {("sms_template_exists", "name")} and len(refused) == 3
    other = await alice.writes(name="other")
    taken = alice.templates.edit(alice.caller, str(other.row.number), draft)
    assert (await refusal(taken)).code == "sms_template_exists"


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"name": ""}, "required", "name"),
        ({"name": "1001"}, "sms_template_bad_name", "name"),
        ({"signature": ""}, "required", "signature"),
        ({"signature": "99"}, "not_found", "signature"),
        ({"signature": "9" * 40}, "not_found", "signature"),
        ({"signature": "a\x00"}, "not_found", "signature"),
        ({"content": "a\x00b"}, "sms_template_content", "content"),
        ({"content": "\ud800"}, "sms_template_content", "content"),
        ({"content": "字" * (MAX_SAVED + 1)}, "sms_template_content", "content"),
    ],
)
async def test_what_cannot_be_saved(alice: SmsAuthor, change: dict[str, str], code: str, field: str) -> None:
    draft = replace(await alice.draft(), **change)  # type: ignore[arg-type]
    refused = await refusal(alice.templates.create(alice.caller, draft))
    assert (refused.code, refused.field) == (code, field)
    assert await alice.templates.page(alice.caller, Wanted(), 10) == []


async def test_errors_keep_it_from_its_review_and_say_why(alice: SmsAuthor) -> None:
    view = await alice.writes("新品八折", SmsKind.MARKETING)
    assert [finding.code for finding in view.findings] == ["no_opt_out"]
    refused = await refusal(alice.templates.submit(alice.caller, "order"))
    assert (refused.code, refused.field) == ("sms_template_content", "content")
    assert "拒收请回复R" in str(refused.params["zh"]) and "opt out" in str(refused.params["en"])


async def test_a_deleted_one_is_gone_and_its_review_with_it(alice: SmsAuthor) -> None:
    view = await alice.submits()
    await alice.templates.delete(alice.caller, "order")
    assert (await refusal(alice.templates.get(alice.caller, str(view.row.number)))).code == "not_found"
    state = "SELECT state FROM sms_template_version WHERE id = $1"
    assert await alice.base.db.pool.fetchval(state, view.version.id) == "withdrawn"
    assert (await alice.writes()).row.number != view.row.number


async def test_previews(alice: SmsAuthor) -> None:
    view = await alice.writes()
    shown = await alice.templates.preview(alice.caller, str(view.row.number), {"%name%": "李雷"})
    assert shown.text == f"【{SIGNATURE}】您好李雷，您的订单已发货。" and shown.segments == 1
    sample, findings = await alice.templates.preview_unsaved(
        alice.caller, SmsTemplateDraft("", SmsKind.CODE, str(view.signature.number), "验证码%code%")
    )
    assert sample.text == f"【{SIGNATURE}】验证码123456" and findings == []
    other = await sms_author(alice.base.db)
    _, findings = await alice.templates.preview_unsaved(
        other.caller, SmsTemplateDraft("", SmsKind.CODE, str(view.signature.number), "验证码%code%")
    )
    assert [finding.code for finding in findings] == ["no_signature"]
    assert await alice.templates.unit_price(alice.caller) == alice.base.policy.sms_price_micro


async def test_another_accounts_is_not_there_and_roles_count(alice: SmsAuthor) -> None:
    other = await sms_author(alice.base.db)
    theirs = await other.writes()
    service, draft = alice.templates, await alice.draft()
    for ref in (str(theirs.row.number), str(theirs.row.id), "order"):
        for action in (
            service.get(alice.caller, ref), service.edit(alice.caller, ref, draft), service.submit(alice.caller, ref),
            service.withdraw(alice.caller, ref), service.delete(alice.caller, ref),
            service.preview(alice.caller, ref, {}),
        ):  # fmt: skip
            assert (await refusal(action)).code == "not_found"
    foreign = replace(draft, signature=str(theirs.signature.number))
    assert (await refusal(service.create(alice.caller, foreign))).code == "not_found"
    viewer = Caller(alice.rows.account, member_id=new_id(), role=Role.VIEWER)
    assert (await refusal(service.create(viewer, draft))).code == "role_forbids"
