"""What receivers said is counted exactly once, through the real delivery path, and adds up however it is folded."""

import asyncio
import datetime as dt
import runpy
from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.ids import new_id
from domain.sending import Outcome, OutcomeKind, Reason
from domain.signals import COUNTS, Counts, Span
from domain.times import SHANGHAI
from domain.transport import Mail
from services.audit import audit
from services.signal_folding import SignalFolding
from store import engagement, signals
from store.db import Database
from store.dead_senders import settle_dead_sender
from store.signals import Signal
from tests.activities.test_delivery import activities, claim, deliver, sender
from tests.money_world import finish, make_paying, send
from tests.sending_world import Customer, FakeServers, make_customer, submit

ANSWERS = {
    "taken": Outcome(OutcomeKind.DELIVERED, code=250, egress=2),
    "later": Outcome(OutcomeKind.DEFERRED, Reason.GREYLIST, 451, egress=2),
    "nobody": Outcome(OutcomeKind.BOUNCED, Reason.INVALID_MAILBOX, 550, egress=1),
    "spam": Outcome(OutcomeKind.BOUNCED, Reason.CONTENT, 554, egress=1),
    "broken": Outcome(OutcomeKind.UNCERTAIN, Reason.UNCERTAIN, egress=1),
}
HOUR = dt.timedelta(hours=1)


def answer(mail: Mail) -> Outcome:
    return ANSWERS[mail.recipient.split("-")[0]]


async def told(db: Database) -> dict[tuple[UUID, UUID, int, str], Counts]:
    """Folded or not."""
    columns = f"account_id, domain_id, egress, lane, {', '.join(COUNTS)}"
    rows = await db.pool.fetch(f"SELECT {columns} FROM signal_tally UNION ALL SELECT {columns} FROM signal_count")
    found: dict[tuple[UUID, UUID, int, str], Counts] = {}
    for account, domain, egress, lane, *counts in rows:
        key = (account, domain, egress, lane)
        found[key] = found.get(key, Counts()) + Counts(*counts)
    return found


async def through_the_engine(db: Database, customer: Customer, *whom: str) -> None:
    await submit(db, customer, [f"{who}-{n}@far.test" for n, who in enumerate(whom)])
    async with sender(db) as process:
        await deliver(activities(db, process, FakeServers(answer)), await claim(db))


async def test_each_answer_counts_once_for_who_spoke(db: Database) -> None:
    customer = await make_customer(db)
    said = ["taken"] * 4 + ["later"] * 3 + ["nobody"] * 2 + ["spam"] + ["broken"] * 2
    await through_the_engine(db, customer, *said)
    mine = (customer.account, customer.domain)
    assert await told(db) == {
        (*mine, 2, "other"): Counts(delivered=4, deferred=3),
        (*mine, 1, "other"): Counts(hard=2, refused=1),
    }, "a dialogue that broke says nothing of the receiver"
    assert (await audit(db)).clean


async def test_a_message_that_was_only_put_off_expires_and_is_no_hard_bounce(db: Database) -> None:
    customer = await make_customer(db)
    await submit(db, customer, ["later-1@far.test"])
    await db.pool.execute("UPDATE submission SET expires_at = now() + interval '1 second'")
    await db.pool.execute("UPDATE message SET attempts = 0")
    async with sender(db) as process:
        await deliver(activities(db, process, FakeServers(answer)), await claim(db))
    assert list((await told(db)).values()) == [Counts(expired=1)]


async def test_every_end_of_the_group_commit_by_kind(db: Database) -> None:
    customer = await make_paying(db, 100)
    await send(db, customer, 6)
    await finish(db, ["delivered", "bounced", "refused", "expired", "dropped", "unknown"])
    assert list((await told(db)).values()) == [Counts(delivered=1, hard=2, expired=1)]


async def test_a_process_that_died_in_a_dialogue_counts_nothing(db: Database) -> None:
    customer = await make_customer(db)
    await submit(db, customer, ["taken-1@far.test"])
    await db.pool.execute("UPDATE message SET egress = 2")  # the try before
    page = await claim(db)
    gate = asyncio.Event()
    servers = FakeServers(answer, gate=gate)
    async with sender(db) as process:
        work = asyncio.create_task(deliver(activities(db, process, servers), page))
        async with asyncio.timeout(10):
            while not servers.seen:
                await asyncio.sleep(0.01)
        await db.pool.execute("UPDATE sender SET lease_until = now() - interval '1 second'")
        async with db.raw() as connection:
            assert await settle_dead_sender(connection) == 1
        gate.set()  # its late word does not count either
        await asyncio.gather(work, return_exceptions=True)
    assert await told(db) == {}
    assert await db.pool.fetchval("SELECT egress FROM message") == 0, "nobody knows who spoke"


async def test_what_is_heard_of_a_message_counts_for_its_sender(db: Database) -> None:
    customer = await make_customer(db)
    await db.pool.execute("INSERT INTO recipient_domain VALUES ('far.test', 'qq', 'x', now())")
    await through_the_engine(db, customer, "taken")
    message, submission, finished = await db.pool.fetchrow("SELECT id, submission_id, finished_at FROM message")
    async with db.raw() as connection:
        await signals.note_of(connection, message, Counts(complained=1))
        await engagement.complained(connection, message, submission, customer.account, finished)
        await signals.note_of(connection, message, Counts(delivered=-1, hard=1), finished - 30 * HOUR)
        await signals.note_of(connection, message + 1, Counts(complained=1))
    assert (await told(db))[customer.account, customer.domain, 2, "qq"] == Counts(-1, hard=1, complained=1)
    assert not (await audit(db)).clean, "the message's own state was not corrected"
    await db.pool.execute("UPDATE message SET state = 'bounced', reason = 'hard.invalid_mailbox'")
    await db.pool.execute("UPDATE page SET delivered = 0, bounced = 1")
    assert (await audit(db)).clean
    await SignalFolding(db).fold_all()
    assert await db.pool.fetchval("SELECT count(DISTINCT starts_at) FROM signal_count") == 2, "as long ago as it was"


def some(number: int, account: UUID | None = None, at: dt.datetime | None = None) -> Signal:
    return Signal(account or new_id(), new_id(), 0, "qq", Counts(delivered=number), at)


async def keep(db: Database, *noted: Signal) -> None:
    async with db.raw() as connection:
        await signals.note(connection, noted)


async def test_folders_at_once_count_once(db: Database) -> None:
    account, domain = new_id(), new_id()
    for number in range(40):
        await keep(db, *(Signal(account, domain, place, "qq", Counts(number)) for place in range(5)))
    found = await asyncio.gather(*(SignalFolding(db).fold_all(limit=7) for _ in range(4)))
    while await db.pool.fetchval("SELECT count(*) FROM signal_tally"):  # whoever came in between had nothing to do
        found.append(await SignalFolding(db).fold_all(limit=7))
    assert sum(found) == 200
    assert await told(db) == {(account, domain, place, "qq"): Counts(780) for place in range(5)}
    assert await db.pool.fetchval("SELECT count(*) FROM signal_count") == 5


async def test_what_a_folder_did_before_it_died_is_undone_whole(db: Database) -> None:
    await keep(db, *(some(n) for n in range(1, 5)))
    before = await told(db)
    with pytest.raises(RuntimeError, match="killed"):
        async with db.raw() as connection:
            assert await signals.fold(connection, 3) == 3
            raise RuntimeError("killed")
    assert await told(db) == before
    assert await db.pool.fetchval("SELECT count(*) FROM signal_count") == 0
    assert await SignalFolding(db).fold_all() == 4
    assert await told(db) == before


async def test_a_folder_that_hangs_keeps_nobody_waiting(db: Database) -> None:
    await keep(db, some(1))
    async with db.raw() as hanging, asyncio.timeout(10):
        assert await signals.fold(hanging) == 1
        assert await SignalFolding(db).fold_all() == 0
        await keep(db, some(2))
    assert await SignalFolding(db).fold_all() == 1


async def test_hours_become_days_and_days_years(db: Database) -> None:
    account, domain, today = new_id(), new_id(), dt.datetime.now(SHANGHAI).replace(minute=30)
    days_ago = [(today - n * 24 * HOUR).replace(hour=hour) for n in (0, 10, 390, 450) for hour in (3, 21)]
    await keep(db, *(Signal(account, domain, 0, "qq", Counts(10**n), at) for n, at in enumerate(days_ago)))
    folding = SignalFolding(db)
    await folding.fold_all()
    await folding.roll_up_all(limit=1)
    rows = await db.pool.fetch("SELECT span, starts_at, delivered FROM signal_count ORDER BY starts_at DESC")
    found = [(span, starts.astimezone(SHANGHAI), delivered) for span, starts, delivered in rows]
    year = days_ago[6].replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0)
    midnights = [at.replace(hour=0, minute=0, second=0, microsecond=0) for at in days_ago]
    hours = [at.replace(minute=0, second=0, microsecond=0) for at in days_ago]
    assert found == [
        (Span.HOUR, hours[1], 10), (Span.HOUR, hours[0], 1), (Span.DAY, midnights[2], 1100),
        (Span.DAY, midnights[4], 110_000), (Span.YEAR, year, 11_000_000),
    ]  # fmt: skip
    assert await folding.roll_up_all() == 0, "once"


async def test_the_audit_names_a_sender_whose_counts_are_gone(db: Database) -> None:
    customer = await make_customer(db)
    await through_the_engine(db, customer, "taken", "later", "nobody")
    await SignalFolding(db).fold_all()
    assert (await audit(db)).clean
    await db.pool.execute("UPDATE signal_count SET deferred = 0, hard = hard + 1, complained = 1")
    wrong = [finding for finding in (await audit(db)).findings if finding.count]
    assert [finding.name for finding in wrong] == [
        "what was counted of each sender is what its messages ended as",
        "every try that was put off is counted",
        "every complaint is counted, and everybody who unsubscribed",
    ]
    assert all(finding.rows[0]["account"] == customer.account for finding in wrong)


KEYS = [(UUID(int=a), UUID(int=d), e, lane) for a in (1, 2) for d in (3, 4) for e in (0, 1) for lane in ("qq", "other")]
some_counts = st.builds(Counts, *[st.integers(-3, 5)] * len(COUNTS))
noted = st.lists(st.tuples(st.sampled_from(KEYS), some_counts, st.integers(0, 24 * 900)), max_size=30)
steps = st.lists(st.one_of(noted, st.integers(1, 9), st.sampled_from(["roll", "die"])), max_size=8)


@pytest.fixture(scope="module")
def runner(postgres_url: str) -> Iterator[tuple[asyncio.Runner, Database]]:
    with asyncio.Runner() as made:
        database = made.run(Database.open(postgres_url, connections=3))
        yield made, database
        made.run(database.close())


@settings(max_examples=40, deadline=None)
@given(steps=steps)
def test_sums_are_what_was_noted_in_whatever_order(
    runner: tuple[asyncio.Runner, Database], steps: list[object]
) -> None:
    """Noting, folding in portions, deaths in the middle, rolling up."""
    loop, db = runner
    said: Counter[tuple[object, ...]] = Counter()
    for step in steps:
        loop.run(_do(db, step, said))
    found = loop.run(told(db))
    loop.run(db.pool.execute("DELETE FROM signal_tally; DELETE FROM signal_count"))
    assert {(*key, name): n for key, c in found.items() for name, n in zip(COUNTS, astuple(c), strict=True) if n} == {
        key: number for key, number in said.items() if number
    }


async def _do(db: Database, step: object, said: Counter[tuple[object, ...]]) -> None:
    folding = SignalFolding(db)
    if isinstance(step, int):
        await folding.fold_all(step)
    elif step == "roll":
        await folding.roll_up_all(limit=2)
    elif step == "die":
        async with db.pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            await signals.fold(connection, 3)
            await transaction.rollback()
    else:
        assert isinstance(step, list)
        ago = dt.datetime.now(dt.UTC)
        await keep(
            db, *(Signal(key[0], key[1], key[2], key[3], counts, ago - hours * HOUR) for key, counts, hours in step)
        )
        for key, counts, _hours in step:
            said.update({(*key, name): n for name, n in zip(COUNTS, astuple(counts), strict=True)})


async def test_the_migration_counts_what_was_there_before(db: Database) -> None:
    customer = await make_customer(db)
    await db.pool.execute("INSERT INTO recipient_domain VALUES ('far.test', 'qq', 'x', now())")
    await through_the_engine(db, customer, "taken", "taken", "later", "nobody", "spam", "broken")
    message, submission = await db.pool.fetchrow("SELECT id, submission_id FROM message WHERE state = 'delivered'")
    await db.pool.execute(
        "INSERT INTO engagement VALUES ($1, 'unsubscribe', 0, $2, $3, now(), now(), 1)",
        *(message, submission, customer.account),
    )
    await db.pool.execute("DELETE FROM signal_tally")
    migration = runpy.run_path("store/migrations/versions/0016_signal_hours.py")
    await db.pool.execute(migration["BACKFILL"])
    found = sum((await told(db)).values(), Counts())
    assert found == Counts(delivered=2, deferred=1, hard=1, refused=1, unsubscribed=1)
    assert {lane for *_, lane in await told(db)} == {"qq"}
    assert (await audit(db)).clean
