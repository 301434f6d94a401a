"""Accept: durable or refused whole; every rule says which field and what to do next."""

import asyncio

import pytest

from domain.accounts import Caller
from domain.errors import Refusal
from domain.refusals import explain
from domain.senders import TEST_SENDS_PER_DAY, SendKind
from domain.sending import Recipient
from store.accepting import accept
from store.columns import now
from store.db import Database
from tests.sending_world import make_customer, request, submit


async def refused(db: Database, *args: object, **changes: object) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await submit(db, *args, **changes)  # type: ignore[arg-type]
    for language in ("zh", "en"):
        _, detail, step = explain(caught.value, language)
        assert detail and step
    assert await db.pool.fetchval("SELECT count(*) FROM submission") == 0
    assert await db.pool.fetchval("SELECT count(*) FROM quota_use") == 0
    return caught.value


async def test_accepting_writes_submission_messages_and_due(db: Database) -> None:
    answer = await submit(db, await make_customer(db), ["a@x.test", "B@X.test", "a@x.test"])
    assert (answer.accepted, answer.duplicates, answer.repeated) == (2, 1, False)
    rows = await db.pool.fetch(
        "SELECT m.ordinal, m.address, m.variables FROM message m JOIN due d ON d.message_id = m.id ORDER BY m.ordinal"
    )
    assert [tuple(row) for row in rows] == [(0, "a@x.test", {"name": "World"}), (1, "B@x.test", {"name": "World"})]


@pytest.mark.parametrize(
    ("breakage", "changes", "code", "field"),
    [
        ("UPDATE account SET state = 'pending'", {}, "account_not_active", None),
        ("", {"api_user": "nobody"}, "api_user_unknown", "api_user"),
        ("UPDATE api_user SET disabled_at = now()", {}, "api_user_disabled", "api_user"),
        ("", {"sender": "x@elsewhere.example"}, "domain_unknown", "from"),
        ("", {"sender": "no address"}, "invalid", "from"),
        ("UPDATE sender_domain SET state = 'broken', problem = 'dkim'", {}, "domain_not_usable", "from"),
        ("DELETE FROM api_user_domain", {}, "domain_not_bound", "from"),
        ("", {"template": "none"}, "template_unknown", "template"),
        ("UPDATE template_version SET state = 'submitted'", {}, "template_not_approved", "template"),
        ("UPDATE template SET kind = 'batch'", {}, "kind_mismatch", "template"),
        ("", {"recipients": ()}, "no_recipients", "recipients"),
        ("", {"recipients": (Recipient("a@x.test", {}),)}, "variables_missing", "recipients[0].variables"),
        ("", {"recipients": (Recipient("a.x.test", {"name": "x"}),)}, "address_no_at", "recipients[0].address"),
        (
            "",
            {"recipients": (Recipient("a@x.test", {"name": "x" * 20_000}),)},
            "variables_too_long",
            "recipients[0].variables",
        ),
        ("", {"sender_name": "a\r\nBcc: b@x.test"}, "invalid", "from_name"),
        ("", {"reply_to": "nobody"}, "address_no_at", "reply_to"),
    ],
)
async def test_each_rule_refuses_with_its_field(
    db: Database, breakage: str, changes: dict[str, object], code: str, field: str | None
) -> None:
    customer = await make_customer(db)
    if breakage:
        await db.pool.execute(breakage)
    refusal = await refused(db, customer, ["a@x.test"], **changes)
    assert (refusal.code, refusal.field) == (code, field)


async def test_someone_elses_domain_template_and_api_user_are_unknown(db: Database) -> None:
    mine, theirs = await make_customer(db), await make_customer(db)
    stolen = {"sender": f"x@{theirs.domain_name}"}
    assert (await refused(db, mine, ["a@x.test"], **stolen)).code == "domain_unknown"
    assert (await refused(db, mine, ["a@x.test"], api_user=theirs.api_user_name)).code == "api_user_unknown"


async def test_a_key_sends_as_its_own_api_user_only(db: Database) -> None:
    customer = await make_customer(db)
    async with db.begin() as session:
        from store.senders import ApiUser

        other = ApiUser(account_id=customer.account, name="other_user", kind=SendKind.TRIGGER.value)
        session.add(other)
    with pytest.raises(Refusal, match="api_user_not_yours"):
        async with db.raw() as connection:
            caller = Caller(customer.account, api_user_id=other.id)
            await accept(connection, caller, request(customer, ["a@x.test"]), now())
    async with db.raw() as connection:
        caller = Caller(customer.account, api_user_id=customer.api_user)
        assert (await accept(connection, caller, request(customer, ["a@x.test"], api_user=""), now())).accepted == 1


async def test_bad_recipients_are_skipped_only_when_asked(db: Database) -> None:
    customer = await make_customer(db)
    assert (await refused(db, customer, ["a@x.test", "broken"])).field == "recipients[1].address"
    answer = await submit(db, customer, ["a@x.test", "broken"], skip_invalid=True)
    assert (answer.accepted, [(r.line, r.reason) for r in answer.rejected]) == (1, [(2, "address_no_at")])


async def test_quota_is_taken_whole_or_not_at_all(db: Database) -> None:
    customer = await make_customer(db, quota=3)
    refusal = await refused(db, customer, [f"p{n}@x.test" for n in range(4)])
    assert refusal.code == "quota_exceeded" and refusal.params["limit"] == 3
    await submit(db, customer, ["a@x.test", "b@x.test"])
    with pytest.raises(Refusal, match="quota_exceeded"):
        await submit(db, customer, ["c@x.test", "d@x.test"])
    await submit(db, customer, ["c@x.test"])


async def test_concurrent_requests_never_exceed_the_quota(db: Database) -> None:
    customer = await make_customer(db, quota=5)
    answers = await asyncio.gather(*(submit(db, customer, [f"p{n}@x.test"]) for n in range(12)), return_exceptions=True)
    assert sum(not isinstance(answer, Exception) for answer in answers) == 5


async def test_a_test_api_user_writes_to_members_only_with_a_cap_of_its_own(db: Database) -> None:
    customer = await make_customer(db)
    await db.pool.execute("UPDATE api_user SET is_test = true")
    await db.pool.execute(
        "INSERT INTO member (id, account_id, email, email_confirmed_at, password_hash, role, created_at)"
        " VALUES (gen_random_uuid(), $1, 'Me@x.test', now(), '', 'owner', now())",
        customer.account,
    )
    assert (await refused(db, customer, ["other@x.test"])).code == "test_only_members"
    for _ in range(TEST_SENDS_PER_DAY):
        await submit(db, customer, ["me@x.test"])
    with pytest.raises(Refusal, match="test_quota_exceeded"):
        await submit(db, customer, ["me@x.test"])


async def test_an_idempotency_key_gives_one_submission(db: Database) -> None:
    customer = await make_customer(db)
    answers = await asyncio.gather(*(submit(db, customer, ["a@x.test"], idempotency_key="order-7") for _ in range(5)))
    assert len({answer.submission_id for answer in answers}) == 1
    assert sorted(answer.repeated for answer in answers) == [False, True, True, True, True]
    assert await db.pool.fetchval("SELECT count(*) FROM message") == 1
    assert await db.pool.fetchval("SELECT used FROM quota_use") == 1
    with pytest.raises(Refusal, match="idempotency_reused"):
        await submit(db, customer, ["b@x.test"], idempotency_key="order-7")


async def test_an_idempotency_key_is_remembered_for_a_day(db: Database) -> None:
    customer = await make_customer(db)
    first = await submit(db, customer, ["a@x.test"], idempotency_key="daily")
    await db.pool.execute("UPDATE submission SET accepted_at = now() - interval '25 hours'")
    second = await submit(db, customer, ["b@x.test"], idempotency_key="daily")
    assert second.submission_id != first.submission_id and not second.repeated
