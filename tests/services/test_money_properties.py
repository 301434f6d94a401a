"""No fen is created or lost: random orders of recharges, sends, ends of messages and settlements, with repeats, with
database connections cut before any statement of any of them, and all of it at once."""

import asyncio
import contextlib
import datetime as dt
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.errors import Refusal
from domain.ids import new_id
from domain.ledger import Terms
from domain.money import MICRO_PER_FEN
from domain.reply_rule_seeds import classify
from services.audit import audit
from services.inbound import Inbound
from services.settlement import Settlement
from store import audit_money
from store.accepting import accept
from store.columns import now
from store.db import Database
from store.dead_senders import settle_dead_sender
from store.dialogues import Intent, Turn, commit_turns
from store.leases import register_sender, release_sender
from store.pages import close_page
from store.settling import settle_account
from tests.money_world import CHARGED, ENDS, available, credit, ended, make_paying, recharge, send, standing, take_due
from tests.reports_world import HOST, dsn
from tests.sending_world import VAULT, Customer, request

_STATEMENTS = frozenset({"execute", "executemany", "fetch", "fetchrow", "fetchval"})
NOBODY_DIES = 99


class Killed(Exception):
    """The process is gone between two statements."""


class Mortal:
    """A database connection that is cut before its `lives`-th statement."""

    def __init__(self, connection: Any, lives: int) -> None:
        self._connection = connection
        self._lives = lives

    def __getattr__(self, name: str) -> Any:
        if name in _STATEMENTS:
            self._lives -= 1
            if self._lives < 0:
                self._connection.terminate()
                raise Killed
        return getattr(self._connection, name)


@contextlib.asynccontextmanager
async def mortal(db: Database, lives: int) -> AsyncIterator[Any]:
    """A transaction whose process may die in it, also right before the commit."""
    with contextlib.suppress(Killed):
        async with db.pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                yield Mortal(connection, lives)
            except Refusal:
                await transaction.rollback()
                return
            await Mortal(transaction, NOBODY_DIES).commit()


@dataclass
class Fragile:
    """A database whose connections are cut before their `lives`-th statement."""

    db: Database
    lives: int

    def raw(self) -> Any:
        return mortal(self.db, self.lives)


@dataclass
class World:
    """One paying customer, and what must come of its money by the facts that were committed."""

    db: Database
    customer: Customer
    price: int
    paid_fen: int = 0
    sender: Any = field(default_factory=new_id)

    async def recharge(self, fen: int, lives: int) -> None:
        payment = new_id()
        for attempt in (lives, NOBODY_DIES, NOBODY_DIES):  # the provider tells us again and again
            async with mortal(self.db, attempt) as connection:
                await credit(connection, self.customer.account, fen, payment)
        self.paid_fen += fen

    async def accept(self, count: int, lives: int) -> None:
        asked = request(self.customer, [f"p{n}@x.test" for n in range(count)], idempotency_key=str(new_id()))
        for attempt in (lives, NOBODY_DIES):  # the client tries once more
            async with mortal(self.db, attempt) as connection:
                await accept(connection, self.customer.caller(), asked, now(), Terms(1.0, self.price))

    async def finish(self, hows: list[str], lives: int) -> None:
        """Some messages end; a commit whose answer was lost is repeated."""
        page, messages = await take_due(self.db)
        turns = [ended(page, message, how, n) for n, (message, how) in enumerate(zip(messages, hows, strict=False))]
        for attempt in (lives, NOBODY_DIES, NOBODY_DIES):
            async with mortal(self.db, attempt) as connection:
                await commit_turns(connection, self.sender, turns)
        await self._give_back(page)

    async def die(self, count: int, lives: int) -> None:
        """A sender process dies inside its dialogues, and so may the one that settles it."""
        page, messages = await take_due(self.db)
        dead = new_id()
        async with self.db.raw() as connection:
            await register_sender(connection, dead, "test", 2)
            intents = [Turn(n, None, Intent(message, page, 1)) for n, message in enumerate(messages[:count])]
            await commit_turns(connection, dead, intents)
            await connection.execute("UPDATE sender SET lease_until = now() - interval '1 s' WHERE id = $1", dead)
        for attempt in (lives, NOBODY_DIES):
            async with mortal(self.db, attempt) as connection:
                await settle_dead_sender(connection, dt.timedelta(0))
        await self._give_back(page)

    async def settle(self, limit: int, lives: int) -> None:
        async with mortal(self.db, lives) as connection:
            await settle_account(connection, self.customer.account, limit)

    async def report(self, which: int, lives: int) -> None:
        """A server says later what became of a message: delivered (even numbers), or returned. Peers repeat mails."""
        ids = await self.db.pool.fetch("SELECT id, address FROM message WHERE state <> 'queued' ORDER BY id")
        if not ids:
            return
        about = ids[which // 2 % len(ids)]
        said = {"action": "delivered", "status": "2.0.0", "said": ""} if which % 2 == 0 else {"status": "5.2.2"}
        for attempt in (lives, NOBODY_DIES, NOBODY_DIES):
            fragile = cast(Database, Fragile(self.db, attempt))
            await Inbound(fragile, VAULT, HOST, classify).report(dsn(about["address"], **said), [about["id"]])

    async def _give_back(self, page: Any) -> None:
        async with self.db.raw() as connection:
            await close_page(connection, page, 1, dt.timedelta(0))

    async def charged(self) -> int:
        """Messages that cost money, by a rule that is written here once more."""
        states = await self.db.pool.fetch(
            "SELECT m.state, m.code, m.reason, count(c.id), count(c.id) FILTER (WHERE c.charging = 'waived')"
            " FROM message m JOIN submission s ON s.id = m.submission_id LEFT JOIN correction c ON c.message_id = m.id"
            " WHERE m.account_id = $1 AND m.ordinal >= s.charged_from GROUP BY m.id",
            self.customer.account,
        )
        paid = {(ENDS[how][0].value, ENDS[how][1].code, ENDS[how][1].reason) for how in CHARGED}
        return sum(not waived if corrections else tuple(row) in paid for *row, corrections, waived in states)

    async def check(self) -> None:
        """What must hold at every moment."""
        assert await available(self.db, self.customer.account) >= 0
        async with self.db.pool.acquire() as connection:
            assert not await connection.fetchval("SELECT sum(amount_fen) FROM entry")
            for one in audit_money.CHECKS:
                if "recharge" not in one.query and "payment" not in one.query:  # these rows are not made here
                    late = [now() + dt.timedelta(hours=-1)] if "$1" in one.query else []
                    assert not await connection.fetch(one.query, *late), one.name

    async def wind_up(self) -> None:
        """Everything ends and is settled: what was paid is what is there and what was charged, to the micro-yuan."""
        while await self.db.pool.fetchval("SELECT EXISTS (SELECT FROM due)"):
            await self.finish(["delivered", "bounced", "expired"] * 20, NOBODY_DIES)
        await Settlement(self.db).settle_all()
        await self.check()
        balance, carry, held = await standing(self.db, self.customer.account)
        spent = await self.charged() * self.price
        assert (held, balance * MICRO_PER_FEN - carry) == (0, self.paid_fen * MICRO_PER_FEN - spent)
        assert await self.db.pool.fetchval("SELECT count(*) FROM hold WHERE closed_at IS NULL") == 0


@contextlib.asynccontextmanager
async def world(db: Database, price: int, free: int, resend: bool) -> AsyncIterator[World]:
    made = World(db, await make_paying(db, free=free), price)
    await db.pool.execute(
        "UPDATE api_user SET resend_uncertain = $2 WHERE account_id = $1", made.customer.account, resend
    )
    async with db.raw() as connection:
        await register_sender(connection, made.sender, "test", 1)
    yield made
    async with db.raw() as connection:
        await release_sender(connection, made.sender)


LIVES = st.integers(0, 9) | st.just(NOBODY_DIES)
STEPS = st.one_of(
    st.tuples(st.just("recharge"), st.integers(1, 30), LIVES),
    st.tuples(st.just("accept"), st.integers(1, 6), LIVES),
    st.tuples(st.just("finish"), st.lists(st.sampled_from(sorted(ENDS)), min_size=1, max_size=6), LIVES),
    st.tuples(st.just("die"), st.integers(1, 3), LIVES),
    st.tuples(st.just("settle"), st.integers(1, 5), LIVES),
    st.tuples(st.just("report"), st.integers(0, 40), LIVES),
    st.tuples(st.just("report"), st.integers(0, 40), LIVES),
)


@given(
    steps=st.lists(STEPS, min_size=3, max_size=14),
    price=st.sampled_from([1, 4_500, 9_999, 10_000, 10_001, 123_456]),
    free=st.integers(0, 5),
    resend=st.booleans(),
)
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
async def test_no_order_and_no_death_makes_or_loses_money(
    db: Database, steps: list[tuple[str, Any, int]], price: int, free: int, resend: bool
) -> None:
    async with world(db, price, free, resend) as one:
        await one.recharge(20, NOBODY_DIES)
        for name, argument, lives in steps:
            await getattr(one, name)(argument, lives)
            await one.check()
        await one.wind_up()


async def test_every_statement_of_a_settlement_may_be_its_last(db: Database) -> None:
    """The same settlement, killed before its first statement, its second … until it lives."""
    async with world(db, 4_500, 1, False) as one:
        await one.recharge(100, NOBODY_DIES)
        for lives in range(12):
            await one.accept(3, NOBODY_DIES)
            await one.finish(["delivered", "dropped", "bounced"], NOBODY_DIES)
            before = await standing(db, one.customer.account)
            await one.settle(10, lives)
            await one.check()
            settled = await standing(db, one.customer.account) != before
            assert settled == (lives >= 8), "eight statements, and all of them or none"
        await one.wind_up()


async def test_parallel_accepts_never_hold_more_than_there_is(db: Database) -> None:
    """Balance for 20 mails, and 30 requests for one or two each."""
    customer = await make_paying(db, 9)
    answers = await asyncio.gather(*(send(db, customer, 1 + n % 2) for n in range(30)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Refusal)]
    accepted = [answer.accepted for answer in answers if not isinstance(answer, BaseException)]
    assert len(refused) + len(accepted) == 30 and {refusal.code for refusal in refused} == {"balance_insufficient"}
    assert sum(accepted) in (19, 20), "whoever asks for two may find one left"
    assert await standing(db, customer.account) == (9, 0, sum(accepted) * 4_500)
    assert (await audit(db)).clean


async def test_everything_at_once(db: Database) -> None:
    """Accepts, ends, recharges and two settlers on one customer, in seeded disorder."""
    customer = await make_paying(db, 50, free=5)
    dice = random.Random(7)
    sender = new_id()
    async with db.raw() as connection:
        await register_sender(connection, sender, "test", 1)

    async def accepts() -> None:
        with contextlib.suppress(Refusal):
            await send(db, customer, dice.randint(1, 5))

    async def ends() -> None:
        page, messages = await take_due(db)
        turns = [ended(page, one, dice.choice(sorted(ENDS)), n) for n, one in enumerate(messages)]
        async with db.raw() as connection:
            await commit_turns(connection, sender, turns)
            await close_page(connection, page, 1, dt.timedelta(0))

    async def pays() -> None:
        await recharge(db, customer.account, dice.randint(1, 20))

    async def settles() -> None:
        await Settlement(db).settle_all()

    async def over_and_over(work: Callable[[], Awaitable[None]], times: int) -> None:
        for _ in range(times):
            await work()
            await asyncio.sleep(dice.random() / 200)

    works = ((accepts, 25), (accepts, 25), (ends, 20), (pays, 5), (settles, 30), (settles, 30))
    await asyncio.gather(*(over_and_over(work, times) for work, times in works))
    await ends()
    await settles()
    report = await audit(db)
    assert report.clean, [finding for finding in report.findings if finding.count]
    assert await db.pool.fetchval("SELECT count(*) FROM hold WHERE closed_at IS NULL") == 0
    assert await db.pool.fetchval("SELECT sum(sent) FROM hold") > 0
