"""Accepting in groups: what many requests at once leave behind, whoever of them is refused, breaks, or goes away."""

import asyncio
import datetime as dt
import gc
import random
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from structlog.testing import capture_logs

from domain.errors import Refusal
from domain.refusals import explain
from domain.senders import TEST_SENDS_PER_DAY, SendKind
from domain.sending import Accepted, Recipient
from domain.suppressions import SuppressionScope
from domain.times import told
from domain.webhooks import Event
from services.acceptance import Acceptance
from services.gathering import Gathering
from store import accepting_groups, audit
from store.columns import now
from store.db import DATABASE_TROUBLE, Database
from tests.money_world import PRICE, make_paying
from tests.patience import until
from tests.sending_world import Customer, make_customer, request
from tests.sends_doors import foundation
from tests.suppressed_world import CASES, HOUR, KINDS, Case, bury


@pytest.fixture
async def acceptance(db: Database) -> Acceptance:
    return Acceptance(await foundation(db))


@pytest.fixture(autouse=True)
def quiet() -> Iterator[list[Any]]:
    """No group may fail and be tried one by one, unless the test is about that."""
    with capture_logs() as logs:
        yield logs
    assert [each for each in logs if each["event"] == "group_tried_alone"] == []


async def together(acceptance: Acceptance, *asked: tuple[Customer, list[str], dict[str, Any]]) -> list[Any]:
    """Answers or refusals of requests that come at once."""
    calls = [acceptance.accept(who.caller(), request(who, to, **more)) for who, to, more in asked]
    return await asyncio.gather(*calls, return_exceptions=True)


async def clean(db: Database) -> list[str]:
    """The checks of the audit that find something."""
    async with db.pool.acquire() as connection:
        return [one.name for one in await audit.check(connection, now() - dt.timedelta(hours=1)) if one.count]


def codes(answers: list[Any]) -> list[str]:
    return [one.code if isinstance(one, Refusal) else "" for one in answers]


async def test_one_group_takes_them_all_and_each_is_answered(db: Database, acceptance: Acceptance) -> None:
    """Refusals among them, of several accounts; ordinals and duplicates as when alone."""
    one, two = await make_customer(db), await make_customer(db)
    answers = await together(
        acceptance,
        (one, ["a@x.test", "b@x.test", "A@x.test", "a@x.test"], {}),
        (two, ["a@x.test"], {"template": "none"}),
        (two, ["broken"], {}),
        (one, ["c@x.test", "broken"], {"skip_invalid": True}),
        (two, ["d@x.test"], {"sender": f"x@{one.domain_name}"}),
        (two, ["d@x.test"], {"label": "spring"}),
    )
    assert codes(answers) == ["", "template_unknown", "address_no_at", "", "domain_unknown", ""]
    assert (answers[0].accepted, answers[0].duplicates) == (3, 1)
    assert [(each.line, each.reason) for each in answers[3].rejected] == [(2, "address_no_at")]
    rows = await db.pool.fetch("SELECT submission_id AS id, ordinal, address FROM message ORDER BY 1, 2")
    assert [tuple(row)[1:] for row in rows if row["id"] == answers[0].submission_id] == [
        (0, "a@x.test"), (1, "b@x.test"), (2, "A@x.test"),
    ]  # fmt: skip
    assert await db.pool.fetchval("SELECT count(DISTINCT xmin::text) FROM submission") == 1, "one transaction"
    assert await db.pool.fetchval("SELECT label FROM submission WHERE id = $1", answers[5].submission_id) == "spring"
    kept = await db.pool.fetchval("SELECT rejected FROM submission WHERE id = $1", answers[3].submission_id)
    assert [each["line"] for each in kept] == [2]
    assert await clean(db) == []


@pytest.mark.parametrize("seed", range(4))
async def test_quota_and_money_are_used_to_the_last_and_no_further(db: Database, seed: int) -> None:
    """Two processes at once; what was refused could not have been allowed at the end either."""
    chance = random.Random(seed)
    customers = [await make_paying(db, fen, free=3, quota=quota) for fen, quota in ((2, 1000), (1000, 40), (0, 1000))]
    processes = [Acceptance(await foundation(db)) for _ in range(2)]
    asked = [(chance.choice(customers), chance.randrange(1, 4)) for _ in range(150)]
    answers = await asyncio.gather(
        *(
            chance.choice(processes).accept(who.caller(), request(who, [f"{n}-{k}@x.test" for k in range(count)]))
            for n, (who, count) in enumerate(asked)
        ),
        return_exceptions=True,
    )
    assert {type(each) for each in answers} <= {Accepted, Refusal}
    for who, (code, most) in zip(
        customers,
        (("balance_insufficient", 3 + 2 * 10_000 // PRICE), ("quota_exceeded", 40), ("balance_insufficient", 3)),
        strict=True,
    ):
        mine = [(count, each) for (by, count), each in zip(asked, answers, strict=True) if by is who]
        taken = sum(each.accepted for _, each in mine if isinstance(each, Accepted))
        refused = [count for count, each in mine if isinstance(each, Refusal) and each.code == code]
        assert len(refused) == sum(isinstance(each, Refusal) for _, each in mine) > 0
        assert most - min(refused) < taken <= most
        used = await db.pool.fetchval("SELECT used FROM quota_use WHERE account_id = $1", who.account)
        assert (used or 0) == taken
    assert await clean(db) == []


async def test_who_is_refused_for_all_leaves_no_row(db: Database, acceptance: Acceptance) -> None:
    customer = await make_customer(db, quota=0)
    assert set(codes(await together(acceptance, *[(customer, ["a@x.test"], {})] * 3))) == {"quota_exceeded"}
    assert await db.pool.fetchval("SELECT count(*) FROM quota_use") == 0


async def test_test_api_users_have_their_own_cap_and_members(db: Database, acceptance: Acceptance) -> None:
    customer = await make_customer(db)
    await db.pool.execute("UPDATE api_user SET is_test = true")
    await db.pool.execute(
        "INSERT INTO member (id, account_id, email, email_confirmed_at, password_hash, role, created_at)"
        " VALUES (gen_random_uuid(), $1, 'Me@x.test', now(), '', 'owner', now())",
        customer.account,
    )
    asked: list[tuple[Customer, list[str], dict[str, Any]]] = [(customer, ["me@x.test"], {})] * (TEST_SENDS_PER_DAY + 2)
    answers = await together(acceptance, (customer, ["other@x.test"], {}), *asked)
    assert codes(answers) == ["test_only_members", *[""] * TEST_SENDS_PER_DAY, *["test_quota_exceeded"] * 2]
    assert await clean(db) == []


async def test_the_suppressed_are_left_out_and_named(db: Database, acceptance: Acceptance) -> None:
    batch, trigger = await make_customer(db, kind=SendKind.BATCH), await make_customer(db)
    for who in (batch, trigger):
        await Case("unsubscribe", SuppressionScope.BATCH).enter(db, who.account, "a@x.test")
    many = ["a@x.test", *(f"p{n}@x.test" for n in range(accepting_groups.SMALL))]
    answers = await together(
        acceptance, (batch, ["b@x.test", "A@x.test"], {}), (batch, ["a@x.test"], {}), (trigger, ["a@x.test"], {}),
        (batch, many, {}),
    )  # fmt: skip
    assert codes(answers) == ["", "suppressed", "", ""]
    assert [(each.line, each.reason) for each in answers[0].rejected] == [(2, "suppressed")]
    assert (answers[3].accepted, [each.line for each in answers[3].rejected]) == (accepting_groups.SMALL, [1])
    assert await clean(db) == []


async def test_who_is_held_back_is_said_why_and_until_when(db: Database, acceptance: Acceptance) -> None:
    """Never who else wrote there."""
    one, two = await make_customer(db), await make_customer(db)
    until = now().replace(microsecond=0) + HOUR
    await bury(db, "gone@x.test", until)
    await Case("complaint", ends=1).enter(db, one.account, "li@x.test")
    answers = await together(
        acceptance, (one, ["Gone@x.test"], {}), (two, ["li@x.test", "gone@x.test"], {}), (one, ["li@x.test"], {}),
        (one, ["li@x.test", "gone@x.test"], {}),
    )  # fmt: skip
    assert codes(answers) == ["recipient_dead", "", "recipient_complained", "recipients_all_suppressed"]
    assert (answers[0].field, answers[0].params) == ("recipients[0].address", {"until": told(until)})
    assert told(until) in explain(answers[0], "en")[1] and told(until) in explain(answers[0], "zh")[1]
    assert [(each.line, each.reason, each.params) for each in answers[1].rejected] == [
        (2, "recipient_dead", {"until": told(until)})
    ]
    kept = await db.pool.fetchval("SELECT rejected FROM submission")
    assert [each["params"] for each in kept] == [{"until": told(until)}]
    assert await clean(db) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_group_leaves_out_whom_a_request_alone_leaves_out(
    db: Database, acceptance: Acceptance, case: Case, kind: SendKind
) -> None:
    """An idempotency key keeps a request out of the groups."""
    customer = await make_customer(db, kind=kind)
    await case.enter(db, customer.account, "li@x.test")
    asked: list[list[str]] = [["Li@x.test"], ["a@x.test", "LI@x.test", "b@x.test"], ["LI@x.test", "li@x.test"]]
    grouped = await together(acceptance, *((customer, to, {}) for to in asked))
    alone = await together(
        acceptance, *((customer, to, {"idempotency_key": f"k{n}"}) for n, to in enumerate(asked))
    )  # fmt: skip
    assert [outcome(each) for each in grouped] == [outcome(each) for each in alone]
    assert bool(codes(alone)[0]) is case.holds(kind)
    assert await clean(db) == []


def outcome(answer: Accepted | Refusal) -> tuple[Any, ...]:
    if isinstance(answer, Refusal):
        return answer.code, answer.field, answer.params
    return answer.accepted, answer.duplicates, answer.rejected


async def test_requests_are_owed_to_who_listens(db: Database, acceptance: Acceptance) -> None:
    one, two = await make_customer(db), await make_customer(db)
    await db.pool.execute(
        "INSERT INTO webhook_endpoint (id, account_id, url, secret, events, state, created_at, last_number, failures,"
        " format) VALUES (gen_random_uuid(), $1, 'https://x.test', '', $2, 'enabled', now(), 0, 0, 'standard')",
        one.account,
        [Event.REQUEST.value],
    )
    answers = await together(acceptance, (one, ["a@x.test", "b@x.test"], {"label": "l"}), (two, ["c@x.test"], {}))
    owed = await db.pool.fetch("SELECT message_id, data FROM webhook_event ORDER BY message_id")
    assert [(row["data"]["recipient"], row["data"]["ordinal"]) for row in owed] == [("a@x.test", 0), ("b@x.test", 1)]
    assert {row["data"]["submission_id"] for row in owed} == {str(answers[0].submission_id)}


async def test_what_breaks_the_group_is_tried_alone(db: Database, acceptance: Acceptance, quiet: list[Any]) -> None:
    """A lone surrogate passes no rule that looks for it, and no database takes it."""
    customer = await make_customer(db)
    answers = await together(
        acceptance,
        (customer, ["a@x.test"], {}),
        (customer, ["b@x.test"], {"label": "\ud800"}),
        (customer, ["c@x.test"], {}),
    )
    assert [type(each) for each in answers] == [Accepted, asyncpg.DataError, Accepted]
    assert [each["event"] for each in quiet] == ["group_tried_alone"]
    quiet.clear()
    assert await db.pool.fetchval("SELECT count(*) FROM submission") == 2
    assert await clean(db) == []


async def test_idempotency_keys_keep_their_promise_beside_groups(db: Database, acceptance: Acceptance) -> None:
    customer = await make_customer(db)
    answers = await together(
        acceptance, *[(customer, ["a@x.test"], {"idempotency_key": "k"}), (customer, ["a@x.test"], {})] * 3
    )
    assert len({each.submission_id for each in answers}) == 4
    assert sorted(each.repeated for each in answers[::2]) == [False, True, True]
    assert await clean(db) == []


async def test_who_goes_away_leaves_the_others_and_whole_rows(db: Database, acceptance: Acceptance) -> None:
    """Cancelled in the midst of it: either accepted whole, or not there."""
    customer = await make_customer(db)
    calls = [
        asyncio.create_task(acceptance.accept(customer.caller(), request(customer, [f"p{n}@x.test"])))
        for n in range(60)
    ]
    await asyncio.sleep(0.01)
    for call in calls[::2]:
        call.cancel()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    kept = {row["id"] for row in await db.pool.fetch("SELECT id FROM submission")}
    assert {each.submission_id for each in answers if isinstance(each, Accepted)} <= kept
    assert all(isinstance(each, Accepted) for each in answers[1::2])
    await until_quiet(db)
    assert await clean(db) == []


async def until_quiet(db: Database) -> None:
    """Until nothing is under way in the database."""

    async def idle() -> bool:
        return not await db.pool.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'"
            " AND pid <> pg_backend_pid()"
        )

    await until(idle)


async def test_a_connection_that_is_cut_costs_whole_groups_only(db: Database, acceptance: Acceptance) -> None:
    """Whoever was answered is there; whoever was not may be there, whole."""
    customer = await make_customer(db, quota=100_000)
    url = db.url

    async def cut() -> None:
        killer = await asyncpg.connect(url)
        for _ in range(6):
            await asyncio.sleep(0.02)
            await killer.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND state <> 'idle'"
            )
        await killer.close()

    async def client(number: int) -> list[UUID]:
        answered = []
        for n in range(12):
            try:
                asked = request(customer, [f"p{number}-{n}@x.test"])
                answered.append((await acceptance.accept(customer.caller(), asked)).submission_id)
            except DATABASE_TROUBLE:
                continue
        return answered

    cutting = asyncio.create_task(cut())
    found = await asyncio.gather(*(client(number) for number in range(20)))
    await cutting
    answered = {each for some in found for each in some}
    kept = {row["id"] for row in await db.pool.fetch("SELECT id FROM submission")}
    assert answered <= kept and len(answered) > 50
    assert await clean(db) == []


@pytest.fixture
def light_heap() -> Iterator[None]:
    """The collector would stop the loop to look through all that a run of tests has imported."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


async def test_a_large_request_leaves_the_loop_to_others(
    db: Database, acceptance: Acceptance, light_heap: None
) -> None:
    customer = await make_customer(db, quota=100_000)
    people = tuple(Recipient(f"p{n}@x.test", {"name": "World"}) for n in range(20_000))
    big = asyncio.create_task(
        acceptance.accept(customer.caller(), request(customer, [], recipients=people, idempotency_key="big"))
    )
    longest, loop = 0.0, asyncio.get_running_loop()
    begun = loop.time()
    while not big.done():
        before = loop.time()
        await asyncio.sleep(0.001)
        longest = max(longest, loop.time() - before)
    assert (await big).accepted == 20_000
    whole = loop.time() - begun
    assert longest < whole / 8, f"the loop stood still for {longest:.3f} of {whole:.3f} s"
    assert await clean(db) == []


async def test_calls_gather_while_others_are_under_way() -> None:
    seen: list[list[int]] = []
    gate = asyncio.Event()

    async def work(questions: list[int]) -> list[int | Exception]:
        seen.append(questions)
        await gate.wait()
        return [ValueError(str(each)) if each == 3 else each * 10 for each in questions]

    gathering: Gathering[int, int] = Gathering(work, most=3)
    first = asyncio.create_task(gathering.ask(0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    rest = [asyncio.create_task(gathering.ask(n)) for n in range(1, 6)]
    await asyncio.sleep(0)
    rest[0].cancel()
    gate.set()
    answers = await asyncio.gather(first, *rest, return_exceptions=True)
    assert seen == [[0], [1, 2, 3], [4, 5]]
    assert [type(each) for each in answers] == [int, asyncio.CancelledError, int, ValueError, int, int]


async def test_who_asks_again_at_once_is_not_forgotten() -> None:
    async def work(questions: list[int]) -> Sequence[int | Exception]:
        return questions

    gathering: Gathering[int, int] = Gathering(work, most=3)
    async with asyncio.timeout(5):
        for n in range(20):
            assert await gathering.ask(n) == n


async def test_what_the_work_raises_is_everybodys() -> None:
    async def work(questions: list[int]) -> list[int | Exception]:
        raise OSError("gone")

    gathering: Gathering[int, int] = Gathering(work, most=3)
    answers = await asyncio.gather(*(gathering.ask(n) for n in range(5)), return_exceptions=True)
    assert [type(each) for each in answers] == [OSError] * 5
