"""What an account can do with its signatures and their proofs."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from obstore.store import MemoryStore
from sqlmodel import col, update

from domain.accounts import Caller, Role
from domain.errors import Refusal
from domain.ids import new_id
from domain.operators import Operator, OperatorRole
from domain.reviews import ReviewState
from domain.sms import Market
from domain.sms_signatures import MAX_SIGNATURES, SignatureDraft, SignatureSource
from store.db import Database
from store.papers import PaperStore
from store.sms_signatures import SmsSignature, Wanted
from store.sms_users import SmsUser
from tests.paper_samples import picture
from tests.sending_world import VAULT
from tests.sms_template_world import NOTICE, SIGNATURE, SmsAuthor, sms_author

DRAFT = SignatureDraft(SIGNATURE)
APP = SignatureDraft("送达助手", source=SignatureSource.APP)


@pytest.fixture
async def alice(db: Database) -> AsyncIterator[SmsAuthor]:
    made = await sms_author(db)
    made.base = replace(made.base, papers=PaperStore(MemoryStore(), VAULT))
    yield made


async def refusal(action: object) -> Refusal:
    with pytest.raises(Refusal) as refused:
        await action  # type: ignore[misc]
    return refused.value


async def test_a_signature_goes_to_review_in_a_process_of_its_own(alice: SmsAuthor) -> None:
    made = await alice.signatures.create(alice.caller, DRAFT)
    assert (made.state, made.text, made.market, made.number is not None) == ("draft", SIGNATURE, "domestic", True)
    row = await alice.signatures.submit(alice.caller, str(made.number))
    assert row.state == "submitted" and row.due_at is not None and row.review_id is not None
    process = await alice.base.db.pool.fetchrow("SELECT * FROM clockwork WHERE kind = 'sms-signature-review'")
    assert process["workflow_id"] == f"sms-signature-review/{row.review_id}"
    assert (await refusal(alice.signatures.submit(alice.caller, str(made.number)))).code == (
        "sms_signature_nothing_to_submit"
    )
    assert (await refusal(alice.signatures.change(alice.caller, str(made.number), DRAFT))).code == (
        "sms_signature_not_draft"
    )


async def test_of_two_submissions_at_once_one_counts(alice: SmsAuthor) -> None:
    made = await alice.signatures.create(alice.caller, DRAFT)
    tries = (alice.signatures.submit(alice.caller, str(made.id)) for _ in range(4))
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(each, SmsSignature) for each in done) == 1
    assert await alice.base.db.pool.fetchval("SELECT count(*) FROM clockwork WHERE kind = 'sms-signature-review'") == 1


async def test_before_certification_and_payment_nothing_is_submitted(alice: SmsAuthor) -> None:
    made = await alice.signatures.create(alice.caller, DRAFT)
    await alice.base.db.pool.execute("DELETE FROM recharge")
    refused = await refusal(alice.signatures.submit(alice.caller, str(made.number)))
    assert (refused.code, refused.params["step"]) == ("step_missing", "sms_pay")
    await alice.base.db.pool.execute("DELETE FROM certification")
    refused = await refusal(alice.signatures.submit(alice.caller, str(made.number)))
    assert refused.params["step"] == "sms_certify"


async def test_a_text_is_once_in_each_market_however_often_it_is_asked_for(alice: SmsAuthor) -> None:
    done = await asyncio.gather(
        *(alice.signatures.create(alice.caller, DRAFT) for _ in range(4)), return_exceptions=True
    )
    refused = [each for each in done if isinstance(each, Refusal)]
    assert {(each.code, each.field) for each in refused} == {("sms_signature_exists", "text")} and len(refused) == 3
    await alice.signatures.create(alice.caller, replace(DRAFT, market=Market.INTERNATIONAL))
    found = await alice.signatures.by_text(alice.caller, f"【{SIGNATURE}】")
    assert found.market == "domestic"
    found = await alice.signatures.by_text(alice.caller, SIGNATURE, Market.INTERNATIONAL)
    assert found.market == "international"
    other = await alice.signatures.create(alice.caller, SignatureDraft("别的"))
    assert (await refusal(alice.signatures.change(alice.caller, str(other.number), DRAFT))).code == (
        "sms_signature_exists"
    )


async def test_some_sources_need_a_proof_which_is_kept_sealed_and_replaced(alice: SmsAuthor) -> None:
    made = await alice.signatures.create(alice.caller, APP)
    ref = str(made.number)
    assert (await refusal(alice.signatures.submit(alice.caller, ref))).code == "sms_signature_needs_proof"
    assert (await refusal(alice.signatures.paper(alice.caller, ref))).code == "not_found"
    first = await alice.signatures.upload(alice.caller, ref, picture("PNG"))
    second = await alice.signatures.upload(alice.caller, ref, picture("JPEG"))
    assert first.paper_id != second.paper_id
    shown = await alice.signatures.paper(alice.caller, ref)
    assert shown.media_type.value == "image/jpeg" and shown.data.startswith(b"\xff\xd8")
    pool = alice.base.db.pool
    assert await pool.fetchval("SELECT count(*) FROM sms_paper") == 1
    assert await pool.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'sms_signature.paper_viewed'") == 1
    assert (await alice.signatures.submit(alice.caller, ref)).state == "submitted"
    for action in (
        alice.signatures.upload(alice.caller, ref, picture("PNG")),
        alice.signatures.remove_paper(alice.caller, ref),
    ):
        assert (await refusal(action)).code == "sms_signature_not_draft"


@pytest.mark.parametrize("data", [b"", b"hello", b"%PDF-1.4 nonsense", b"<svg/>"])
async def test_what_is_no_paper_is_refused_and_leaves_nothing(alice: SmsAuthor, data: bytes) -> None:
    made = await alice.signatures.create(alice.caller, APP)
    refused = await refusal(alice.signatures.upload(alice.caller, str(made.number), data))
    assert refused.code.startswith("paper_") and refused.field == "file"
    assert await alice.base.db.pool.fetchval("SELECT count(*) FROM sms_paper") == 0


async def test_an_operator_who_reviews_sees_the_proof_of_what_was_submitted(alice: SmsAuthor) -> None:
    made = await alice.signatures.create(alice.caller, APP)
    await alice.signatures.upload(alice.caller, str(made.number), picture("PNG"))
    row = await alice.signatures.submit(alice.caller, str(made.number))
    assert row.review_id is not None
    rita = Operator(new_id(), "rita", frozenset({OperatorRole.REVIEWER}))
    fred = Operator(new_id(), "fred", frozenset({OperatorRole.FINANCE}))
    assert (await alice.signatures.paper_for_operator(rita, row.review_id)).data.startswith(b"\x89PNG")
    assert (await refusal(alice.signatures.paper_for_operator(fred, row.review_id))).code == "duty_forbidden"
    assert (await refusal(alice.signatures.paper_for_operator(rita, new_id()))).code == "not_found"
    said = await alice.base.db.pool.fetchval(
        "SELECT actor FROM audit_entry WHERE action = 'sms_signature.paper_viewed'"
    )
    assert said == rita.actor


async def test_one_that_templates_use_is_not_deleted(alice: SmsAuthor) -> None:
    view = await alice.writes()
    ref = str(view.signature.number)
    refused = await refusal(alice.signatures.delete(alice.caller, ref))
    assert (refused.code, refused.params["count"]) == ("sms_signature_in_use", 1)
    await alice.templates.delete(alice.caller, "order")
    await alice.signatures.delete(alice.caller, ref)
    assert (await refusal(alice.signatures.get(alice.caller, ref))).code == "not_found"
    again = await alice.signatures.create(alice.caller, DRAFT)
    assert again.number != view.signature.number


async def test_a_template_that_moved_to_another_signature_lets_the_first_go(alice: SmsAuthor) -> None:
    view = await alice.submits()
    async with alice.base.db.begin() as session:
        await session.exec(
            update(SmsSignature).where(col(SmsSignature.id) == view.signature.id).values(state="approved")
        )
    await alice.base.db.pool.execute("UPDATE sms_template_version SET state = 'approved'")
    other = await alice.signs("送达商城")
    draft = replace(await alice.draft("您好%name%，已签收。"), signature=str(other.number))
    await alice.templates.edit(alice.caller, "order", draft)
    refused = await refusal(alice.signatures.delete(alice.caller, str(view.signature.number)))
    assert refused.code == "sms_signature_in_use"  # the approved version still sends it
    await alice.base.db.pool.execute("UPDATE sms_template_version SET state = 'approved' WHERE number = 2")
    await alice.signatures.delete(alice.caller, str(view.signature.number))


async def test_a_template_and_the_deletion_of_its_signature_at_once(alice: SmsAuthor) -> None:
    """Either the template is there and its signature too, or neither."""
    for turn in range(4):
        signature = await alice.signs(f"签名{turn}")
        draft = replace(await alice.draft(name=f"t{turn}"), signature=str(signature.number))
        await asyncio.gather(
            alice.templates.create(alice.caller, draft),
            alice.signatures.delete(alice.caller, str(signature.number)),
            return_exceptions=True,
        )
    torn = await alice.base.db.pool.fetchval(
        "SELECT count(*) FROM sms_template_version v JOIN sms_signature s ON s.id = v.signature_id"
        " JOIN sms_template t ON t.id = v.template_id WHERE s.deleted_at IS NOT NULL AND t.deleted_at IS NULL"
    )
    assert torn == 0


async def test_an_account_has_so_many(alice: SmsAuthor) -> None:
    async with alice.base.db.begin() as session:
        session.add_all(
            [
                SmsSignature(account_id=alice.rows.account, text=f"签名{n}", market="domestic", source="company")
                for n in range(MAX_SIGNATURES)
            ]
        )
    assert (await refusal(alice.signatures.create(alice.caller, DRAFT))).code == "too_many_sms_signatures"


async def test_another_accounts_is_not_there_and_roles_count(alice: SmsAuthor) -> None:
    other = await sms_author(alice.base.db)
    theirs = await other.signs(state=ReviewState.DRAFT)
    service = alice.signatures
    for ref in (str(theirs.number), str(theirs.id)):
        for action in (
            service.get(alice.caller, ref), service.change(alice.caller, ref, DRAFT), service.submit(alice.caller, ref),
            service.withdraw(alice.caller, ref), service.delete(alice.caller, ref), service.paper(alice.caller, ref),
            service.upload(alice.caller, ref, picture("PNG")), service.remove_paper(alice.caller, ref),
        ):  # fmt: skip
            assert (await refusal(action)).code == "not_found"
    assert await service.page(alice.caller, Wanted(), 10) == []
    finance = Caller(alice.rows.account, member_id=new_id(), role=Role.FINANCE)
    assert (await refusal(service.create(finance, DRAFT))).code == "role_forbids"
    api_user = Caller(alice.rows.account, api_user_id=new_id())
    assert (await refusal(service.create(api_user, DRAFT))).code == "forbidden"
    sms_user = Caller(alice.rows.account, sms_user_id=new_id())
    assert (await service.create(sms_user, DRAFT)).text == SIGNATURE


async def test_templates_are_submitted_when_everything_before_is_there(alice: SmsAuthor) -> None:
    await alice.writes()
    async with alice.base.db.begin() as session:
        await session.exec(update(SmsUser).values(disabled_at=col(SmsUser.created_at)))
    refused = await refusal(alice.templates.submit(alice.caller, "order"))
    assert (refused.code, refused.params["step"]) == ("step_missing", "sms_user")
    async with alice.base.db.begin() as session:
        await session.exec(update(SmsUser).values(disabled_at=None))
        await session.exec(update(SmsSignature).values(state="rejected"))
    refused = await refusal(alice.templates.submit(alice.caller, "order"))
    assert refused.code == "sms_template_content" and "rejected" in str(refused.params["en"])
    async with alice.base.db.begin() as session:
        await session.exec(update(SmsSignature).values(state="approved"))
    view = await alice.templates.submit(alice.caller, "order")
    assert (view.version.state, view.version.content) == ("submitted", NOTICE)
    assert (await refusal(alice.templates.submit(alice.caller, "order"))).code == "sms_template_under_review"
