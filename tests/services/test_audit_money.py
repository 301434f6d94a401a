"""The audit of money passes on honest books, and finds each way of breaking them by the check that is meant for it."""

import asyncpg
import pytest

from domain.ids import new_id
from domain.ledger import NewJournal
from services.audit import GRACE, audit
from store.audit import check
from store.audit_money import CHECKS
from store.columns import now
from store.db import Database
from store.ledger import post
from tests.money_world import finish, make_paying, recharge, send, settle
from tests.reports_world import dsn, inbound

HONEST = ("delivered", "delivered", "delivered", "bounced", "refused", "expired", "dropped", "unknown")


async def busy_books(db: Database) -> None:
    """A recharge, a settled send, one whose counts wait, one still queued, one that was free, and two refunds."""
    customer = await make_paying(db, 1_000, free=1)
    await send(db, customer, 9)
    await finish(db, ["delivered", *HONEST])
    await settle(db)
    await _correct(db)
    await send(db, customer, 2)
    await finish(db, ["delivered", "bounced"])
    await send(db, customer, 3)
    await send(db, await make_paying(db, free=1), 1)
    for state, kinds in (("refund_wanted", ["refund_due"]), ("refunded", ["refund_due", "refund"])):
        await _refund(db, customer.account, state, kinds)


async def _correct(db: Database) -> None:
    """A report says that the uncertain message was delivered after all: charged in a journal of its own."""
    message, address = await db.pool.fetchrow("SELECT id, address FROM message WHERE state = 'unknown'")
    await inbound(db).report(dsn(address, action="delivered", status="2.0.0", said=""), [message])


async def _refund(db: Database, account: object, state: str, kinds: list[str]) -> None:
    """The second payment of an order."""
    payment = new_id()
    await db.pool.execute(
        "INSERT INTO payment (id, recharge_id, account_id, channel, transaction, amount_fen, seen_at, late, state, why)"
        " SELECT $1::uuid, id, account_id, 'alipay', $1::text, 500, now(), true, $2, '' FROM recharge LIMIT 1",
        *(payment, state),
    )
    for kind in kinds:
        sign = -1 if kind == "refund_due" else 1
        lines = (("clearing:alipay", None, sign * 500), ("refunds", None, -sign * 500))
        async with db.raw() as connection:
            await post(connection, NewJournal(kind, payment, 0, account, "", lines))  # type: ignore[arg-type]


async def test_honest_books_are_clean(db: Database) -> None:
    await busy_books(db)
    report = await audit(db)
    assert report.clean, [finding for finding in report.findings if finding.count]
    counted = await db.pool.fetchrow("SELECT count(*), count(closed_at), sum(sent), sum(unsent) FROM hold")
    assert tuple(counted) == (3, 1, 5, 3)


ZERO = "every journal sums to zero"
BALANCE = "every prepaid balance is the sum of its entries"
LINE = "every line of a statement follows from the one before"
AVAILABLE = "nobody has less than nothing available"
HELD = "held money is what the open holds' unsettled messages cost"
FROM = "a submission is chargeable from where its hold says, or has none"
COUNTS = "each hold counts what its messages ended as"
CLOSED = "a hold is closed when all its messages are settled, and only then"
BEHIND = "no settlement stays behind"
WAITING = "every count that waits has an open hold"
POSTED = "what was posted and carried is what the holds charged"
ROUND = "every charge belongs to a round of a hold"
ADJUSTED = "every adjustment belongs to a correction that charged"
ONE_PAYMENT = "every credited recharge has one credited payment"
CREDITED = "every credited payment is in the customer's books, whole and once"
BACK = "every payment that goes back is in the books as such"
OPEN = "no order stays open long after its time to pay"
REFUND = "no payment waits long for its refund"
_PREPAID = "(SELECT id FROM ledger_account WHERE balance_fen > 0 LIMIT 1)"
_PAYMENT = "(SELECT reference FROM journal WHERE kind = '{kind}' ORDER BY id LIMIT 1)"
_ENTRIES = "DELETE FROM entry WHERE journal_id IN (SELECT id FROM journal WHERE kind = '{kind}');"


BREAKAGES = (
    ("UPDATE entry SET amount_fen = amount_fen + 1 WHERE id = (SELECT max(id) FROM entry)", ZERO),
    ("DELETE FROM entry", ZERO),
    ("UPDATE ledger_account SET balance_fen = balance_fen + 1 WHERE balance_fen > 0", BALANCE),
    (f"DELETE FROM entry WHERE ledger_account_id = {_PREPAID}", BALANCE),
    ("UPDATE entry SET balance_after_fen = 7 WHERE id = (SELECT min(id) FROM entry WHERE amount_fen > 0)", LINE),
    (
        "ALTER TABLE ledger_account DROP CONSTRAINT available;"
        "UPDATE ledger_account SET balance_fen = 0 WHERE balance_fen > 0",
        AVAILABLE,
    ),
    ("UPDATE ledger_account SET held_micro = held_micro + 1 WHERE balance_fen > 0", HELD),
    ("UPDATE hold SET unit_micro = unit_micro + 1 WHERE closed_at IS NULL", HELD),
    ("UPDATE submission SET charged_from = NULL WHERE charged_from = 1", FROM),
    ("UPDATE submission SET charged_from = 0 WHERE charged_from IS NULL", FROM),
    ("DELETE FROM hold WHERE closed_at IS NULL", FROM),
    ("UPDATE hold SET messages = messages + 1", FROM),
    ("UPDATE message SET state = 'dropped' WHERE state = 'delivered'", COUNTS),
    ("UPDATE message SET code = 550 WHERE state = 'bounced' AND code = 0", COUNTS),
    ("UPDATE message SET reason = 'hard.invalid_mailbox' WHERE reason = 'expired'", COUNTS),
    ("DELETE FROM tally", COUNTS),
    (
        "INSERT INTO tally (submission_id, account_id, sent, unsent) SELECT submission_id, account_id, 1, 0 FROM tally",
        COUNTS,
    ),
    ("UPDATE hold SET closed_at = now()", CLOSED),
    ("UPDATE hold SET closed_at = NULL", CLOSED),
    ("UPDATE message SET finished_at = now() - interval '2 hours'", BEHIND),
    ("UPDATE tally SET submission_id = gen_random_uuid()", WAITING),
    ("UPDATE ledger_account SET carry_micro = 9999 WHERE balance_fen > 0", POSTED),
    ("UPDATE hold SET unit_micro = unit_micro + 1 WHERE closed_at IS NOT NULL", POSTED),
    ("UPDATE hold SET round = 0", ROUND),
    ("UPDATE journal SET reference = gen_random_uuid() WHERE kind = 'charge'", ROUND),
    ("UPDATE journal SET reference = gen_random_uuid() WHERE kind = 'adjustment'", ADJUSTED),
    ("UPDATE correction SET charging = ''", ADJUSTED),
    ("UPDATE correction SET charging = 'waived'", COUNTS),
    ("UPDATE journal SET kind = 'gift' WHERE kind = 'adjustment'", POSTED),
    ("UPDATE recharge SET state = 'closed'", ONE_PAYMENT),
    ("UPDATE payment SET state = 'credited'", ONE_PAYMENT),
    ("UPDATE payment SET amount_fen = amount_fen + 1 WHERE state = 'credited'", CREDITED),
    ("UPDATE payment SET state = 'credited' WHERE state = 'refund_wanted'", CREDITED),
    ("UPDATE journal SET reference = gen_random_uuid() WHERE kind = 'recharge'", CREDITED),
    ("UPDATE journal SET kind = 'gift' WHERE kind = 'recharge'", CREDITED),
    ("UPDATE payment SET state = 'refunded' WHERE state = 'refund_wanted'", BACK),
    ("UPDATE payment SET state = 'refund_wanted' WHERE state = 'refunded'", BACK),
    ("UPDATE journal SET kind = 'gift' WHERE kind = 'refund'", BACK),
    ("UPDATE payment SET state = 'gone' WHERE state = 'refunded'", BACK),
    ("UPDATE payment SET amount_fen = 1 WHERE state = 'refund_wanted'", BACK),
    ("UPDATE recharge SET state = 'open', expires_at = now() - interval '2 hours'", OPEN),
    ("UPDATE payment SET seen_at = now() - interval '2 hours'", REFUND),
)


async def test_each_breakage_is_found(db: Database) -> None:
    """Each in a transaction that is rolled back, so that the honest books are made once."""
    await busy_books(db)
    late = now() - GRACE
    async with db.pool.acquire() as connection:
        for breakage, expected in BREAKAGES:
            transaction = connection.transaction()
            await transaction.start()
            # As somebody who may do anything in the database.
            await connection.execute(f"SET LOCAL session_replication_role = replica; {breakage}")
            found = [finding.name for finding in await check(connection, late) if finding.count]
            await transaction.rollback()
            assert expected in found, breakage
        assert [finding for finding in await check(connection, late) if finding.count] == []


def test_every_check_has_a_breakage() -> None:
    assert {one.name for one in CHECKS} == {expected for _, expected in BREAKAGES}


@pytest.mark.parametrize("change", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
@pytest.mark.parametrize("table", ["journal", "entry", "price"])
async def test_the_books_are_append_only(db: Database, table: str, change: str) -> None:
    await busy_books(db)
    with pytest.raises(asyncpg.RaiseError, match="append-only"):
        await db.pool.execute(change.format(table))


async def test_a_journal_that_does_not_sum_to_zero_is_refused_twice(db: Database) -> None:
    """By us when it is made; by the database when it is committed."""
    customer = await make_paying(db, 100)
    with pytest.raises(ValueError, match="do not sum to zero"):
        NewJournal("x", new_id(), 0, None, "", (("a", None, 1), ("b", None, -2)))
    with pytest.raises(asyncpg.RaiseError, match="does not sum to zero"):
        async with db.raw() as connection:
            await connection.execute(
                "INSERT INTO entry (journal_id, ledger_account_id, amount_fen)"
                " SELECT j.id, l.id, 1 FROM journal j, ledger_account l WHERE l.account_id = $1",
                customer.account,
            )
    assert (await audit(db)).clean


async def test_what_waits_for_ever_is_lost_too(db: Database) -> None:
    """An order that is open and a refund that is wanted pass while they are young; late, they are named."""
    await busy_books(db)
    await db.pool.execute("UPDATE payment SET state = 'refund_wanted', why = 'paid_twice' WHERE state = 'credited'")
    await db.pool.execute("UPDATE recharge SET state = 'open', expires_at = now() - interval '50 minutes'")
    async with db.pool.acquire() as connection:
        young = {each.name: each for each in await check(connection, now() - GRACE)}
        await connection.execute("UPDATE recharge SET expires_at = now() - interval '61 minutes'")
        await connection.execute("UPDATE payment SET seen_at = now() - interval '61 minutes'")
        late = {each.name: each for each in await check(connection, now() - GRACE)}
    assert (young[OPEN].count, young[REFUND].count) == (0, 0)
    (order,) = await db.pool.fetch("SELECT id, account_id FROM recharge")
    assert [(row["recharge"], row["account"]) for row in late[OPEN].rows] == [(order["id"], order["account_id"])]
    wanted = await db.pool.fetch("SELECT id FROM payment WHERE state = 'refund_wanted'")
    assert {row["payment"] for row in late[REFUND].rows} == {row["id"] for row in wanted} != set()


async def test_a_payment_is_posted_once(db: Database) -> None:
    customer = await make_paying(db)
    payment = await recharge(db, customer.account, 700)
    await recharge(db, customer.account, 700, payment)
    assert await db.pool.fetchval("SELECT sum(balance_fen) FROM ledger_account") == 700
