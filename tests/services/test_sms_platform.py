"""The platform's own SMS, and what it makes for customers' `sendCode`."""

import asyncio

import pytest

from domain.accounts import SYSTEM_ACCOUNT
from domain.errors import Refusal
from domain.reviews import ReviewState
from domain.sms import Market, SmsKind
from domain.sms_notices import QUICK_TEST, SYSTEM_SMS_USER, TEXTS, SmsNotice, signature_of, sms_invoke_name
from services.sms_platform import code_template, ensure_sms_platform
from services.sms_templates import SmsTemplateDraft
from store.db import Database
from store.sms_templates import SmsTemplateVersion, Wanted
from tests.platform_rows import have_platform
from tests.sms_template_world import SIGNATURE, SmsAuthor, sms_author
from tests.template_world import foundation

ROWS = """
SELECT t.name, v.number, v.kind, v.market, v.content, v.state, g.text AS signature, g.state AS signed, t.is_builtin
FROM sms_template t JOIN sms_template_version v ON v.template_id = t.id JOIN sms_signature g ON g.id = v.signature_id
WHERE t.account_id = $1 ORDER BY t.name, v.number
"""


async def test_migrate_makes_user_signatures_and_templates_once(db: Database) -> None:
    base = await foundation(db)
    await have_platform(db, base.vault, base.policy)
    first = await db.pool.fetch(ROWS, SYSTEM_ACCOUNT)
    async with db.begin() as session:
        await ensure_sms_platform(session, base.policy.platform_name)
    assert await db.pool.fetch(ROWS, SYSTEM_ACCOUNT) == first
    assert {row["name"] for row in first} == {text.name for text in TEXTS}
    assert {(row["market"], row["signature"]) for row in first} == {
        ("domestic", "Songda送达"), ("international", "Songda"),
    }  # fmt: skip
    assert {(row["state"], row["signed"], row["is_builtin"]) for row in first} == {("approved", "approved", True)}
    by_name = {row["name"]: row for row in first}
    for language in ("zh", "en"):
        row = by_name[sms_invoke_name(SmsNotice.REGISTRATION_CODE, language)]
        assert row["kind"] == SmsKind.CODE and "%code%" in row["content"] and "%minutes%" in row["content"]
    assert all("%" not in by_name[name]["content"] for name in QUICK_TEST.values())
    users = await db.pool.fetch("SELECT account_id FROM sms_user WHERE name = $1", SYSTEM_SMS_USER)
    assert [row["account_id"] for row in users] == [SYSTEM_ACCOUNT]


async def test_a_new_text_is_a_new_version(db: Database) -> None:
    base = await foundation(db)
    await have_platform(db, base.vault, base.policy)
    await db.pool.execute("UPDATE sms_template_version SET content = 'old' WHERE account_id = $1", SYSTEM_ACCOUNT)
    async with db.begin() as session:
        await ensure_sms_platform(session, base.policy.platform_name)
    rows = await db.pool.fetch(ROWS, SYSTEM_ACCOUNT)
    assert len(rows) == 2 * len(TEXTS)
    assert all((row["content"] == "old") is (row["number"] == 1) for row in rows)


@pytest.mark.parametrize(
    ("name", "market", "expected"),
    [
        ("Songda 送达", Market.DOMESTIC, "Songda送达"),
        ("Songda 送达", Market.INTERNATIONAL, "Songda"),
        ("送达", Market.INTERNATIONAL, "Songda"),
        ("123", Market.DOMESTIC, "Songda"),
        ("A", Market.DOMESTIC, "Songda"),
        ("Very Long Platform Name Limited", Market.DOMESTIC, "VeryLongPlatform"),
    ],
)
def test_the_platforms_name_becomes_a_signature(name: str, market: Market, expected: str) -> None:
    assert signature_of(name, market) == expected


@pytest.fixture
async def alice(db: Database) -> SmsAuthor:
    return await sms_author(db)


async def codes(alice: SmsAuthor, number: str = "", name: str = "") -> SmsTemplateVersion:
    async with alice.base.db.begin() as session:
        return await code_template(session, alice.rows.account, number, name)


async def test_many_first_uses_of_send_code_make_one_template(alice: SmsAuthor) -> None:
    signature = await alice.signs()
    made = await asyncio.gather(*(codes(alice, str(signature.number)) for _ in range(8)))
    assert len({each.id for each in made}) == 1
    version = made[0]
    assert (version.kind, version.state, version.variables) == ("code", "approved", ["code"])
    assert (await codes(alice, name=f"【{SIGNATURE}】")).id == version.id
    assert await alice.templates.page(alice.caller, Wanted(), 10) == []
    assert await alice.templates.sendable(alice.caller) == []
    with pytest.raises(Refusal, match="sms_template_builtin"):
        await alice.templates.delete(alice.caller, str(version.template_id))


@pytest.mark.parametrize("state", [state for state in ReviewState if state is not ReviewState.APPROVED])
async def test_only_an_approved_signature_sends_codes(alice: SmsAuthor, state: ReviewState) -> None:
    signature = await alice.signs(state=state)
    for wanted in ({"number": str(signature.number)}, {"name": SIGNATURE}):
        with pytest.raises(Refusal, match="not_found"):
            await codes(alice, **wanted)


async def test_another_accounts_signature_sends_nothing(alice: SmsAuthor) -> None:
    other = await sms_author(alice.base.db)
    signature = await other.signs()
    for wanted in ({"number": str(signature.number)}, {"number": str(signature.id)}, {"name": SIGNATURE}):
        with pytest.raises(Refusal, match="not_found"):
            await codes(alice, **wanted)


async def test_a_customer_cannot_take_the_place_of_a_template_of_the_platforms(alice: SmsAuthor) -> None:
    signature = await alice.signs()
    for name in (f"sendCode-{signature.number}", f"SENDCODE-{signature.number}"):
        with pytest.raises(Refusal, match="sms_template_bad_name"):
            draft = SmsTemplateDraft(name, SmsKind.MARKETING, str(signature.number), "赌")
            await alice.templates.create(alice.caller, draft)


async def test_a_deleted_signature_takes_its_code_template_along(alice: SmsAuthor) -> None:
    signature = await alice.signs()
    version = await codes(alice, str(signature.number))
    await alice.signatures.delete(alice.caller, str(signature.number))
    left = "SELECT deleted_at FROM sms_template WHERE id = $1"
    assert await alice.base.db.pool.fetchval(left, version.template_id) is not None
