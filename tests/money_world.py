"""A paying customer, and each way in which its messages end, for tests of the ledger."""

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

from domain.billing import PaymentState, RechargeState
from domain.ids import new_id
from domain.ledger import PREPAID, JournalKind, NewJournal, Terms
from domain.money import MICRO_PER_FEN
from domain.sending import Accepted, MessageState, Outcome, OutcomeKind, Reason
from store.accepting import accept
from store.billing import Payment, Recharge
from store.columns import now
from store.db import Connection, Database
from store.dialogues import Ended, Intent, Turn, commit_turns
from store.leases import register_sender
from store.ledger import post
from store.pages import PageMessage, claim_batch, take_page
from store.settling import settle_account, waiting
from tests.sending_world import Customer, make_customer, request

PRICE = 4_500
"""Micro-yuan: a mail costs 0.45 fen."""
NAMES = {"delivered", "bounced", "refused", "expired", "dropped", "unknown"}
ENDS: dict[str, tuple[MessageState, Outcome]] = {
    "delivered": (MessageState.DELIVERED, Outcome(OutcomeKind.DELIVERED, code=250)),
    "bounced": (MessageState.BOUNCED, Outcome(OutcomeKind.BOUNCED, "hard.disabled", 550)),
    "refused": (MessageState.BOUNCED, Outcome(OutcomeKind.BOUNCED, "hard.bad_domain")),
    "expired": (MessageState.BOUNCED, Outcome(OutcomeKind.BOUNCED, Reason.EXPIRED, 451)),
    "dropped": (MessageState.DROPPED, Outcome(OutcomeKind.DROPPED, "render_failed")),
    "unknown": (MessageState.UNKNOWN, Outcome(OutcomeKind.UNCERTAIN, "uncertain")),
}
"""How a message may end; the first two are charged. None buries its address, so that it can be written to again."""
CHARGED = ("delivered", "bounced")


async def make_paying(db: Database, fen: int = 0, *, free: int = 0, quota: int = 100_000) -> Customer:
    """A customer beyond whose free quota messages cost money, with this balance."""
    customer = await make_customer(db, quota=quota, free=free)
    if fen:
        await recharge(db, customer.account, fen)
    return customer


async def recharge(db: Database, account: UUID, fen: int, payment: UUID | None = None) -> UUID:
    """An order that was paid and credited, as the Recharge process leaves it; repeated by the payment's id."""
    payment = payment or new_id()
    async with db.raw() as connection:
        if await credit(connection, account, fen, payment):
            await _order(connection, account, fen, payment)
    return payment


async def credit(connection: Connection, account: UUID, fen: int, payment: UUID) -> bool:
    """The journal of a payment."""
    lines = (("clearing:alipay", None, -fen), (PREPAID, account, fen))
    return await post(connection, NewJournal(JournalKind.RECHARGE, payment, 0, account, "alipay", lines))


async def _order(connection: Connection, account: UUID, fen: int, payment: UUID) -> None:
    order = new_id()
    await connection.execute(
        f"INSERT INTO {Recharge.__tablename__} (id, account_id, channel, amount_fen, state, created_at, expires_at,"
        " credited_at, close_reason) VALUES ($1, $2, 'alipay', $3, $4, now(), now(), now(), '')",
        *(order, account, fen, RechargeState.CREDITED.value),
    )
    await connection.execute(
        f"INSERT INTO {Payment.__tablename__} (id, recharge_id, account_id, channel, transaction, amount_fen, seen_at,"
        " late, state, why) VALUES ($1, $2, $3, 'alipay', $4, $5, now(), false, $6, '')",
        *(payment, order, account, payment.hex, fen, PaymentState.CREDITED.value),
    )


async def send(db: Database, customer: Customer, count: int, **changes: object) -> Accepted:
    """Accept a request to so many recipients, at `PRICE` unless a price was set."""
    asked = request(customer, [f"p{n}@x.test" for n in range(count)], **changes)
    async with db.raw() as connection:
        return await accept(connection, customer.caller(), asked, now(), Terms(1.0, PRICE))


async def take_due(db: Database) -> tuple[UUID, list[PageMessage]]:
    """What is due, as a page that we hold; an empty list when nothing is."""
    async with db.raw() as connection:
        claimed = await claim_batch(connection)
    if claimed is None:
        return new_id(), []
    async with db.raw() as connection:
        page = await take_page(connection, claimed[0])
    assert page is not None
    return page.id, page.messages


def ended(page: UUID, message: PageMessage, how: str, slot: int) -> Turn:
    """The end of a message's dialogue."""
    state, outcome = ENDS[how]
    return Turn(slot, Ended(Intent(message, page, 1), outcome, state, None, now(), now()))


async def finish(db: Database, hows: Sequence[str]) -> None:
    """Deliver what is due: the messages end like this, in the order of their ids; what is left over stays queued."""
    page, messages = await take_due(db)
    sender = new_id()
    async with db.raw() as connection:
        await register_sender(connection, sender, "test", 1)
        turns = [ended(page, message, how, n) for n, (message, how) in enumerate(zip(messages, hows, strict=False))]
        await commit_turns(connection, sender, turns)


async def settle(db: Database) -> None:
    """Settle whatever was counted."""
    async with db.raw() as connection:
        accounts = await waiting(connection)
    for account in accounts:
        async with db.raw() as connection:
            await settle_account(connection, account)


async def standing(db: Database, account: UUID) -> tuple[int, int, int]:
    """(balance in fen, carried, held), the latter two in micro-yuan."""
    row = await db.pool.fetchrow(
        "SELECT balance_fen, carry_micro, held_micro FROM ledger_account WHERE account_id = $1 AND name = $2",
        *(account, PREPAID),
    )
    return tuple(row) if row else (0, 0, 0)


async def available(db: Database, account: UUID) -> int:
    """Micro-yuan that may be held."""
    balance, carry, held = await standing(db, account)
    return balance * MICRO_PER_FEN - carry - held


async def set_price(db: Database, unit: int, since: dt.datetime, account: UUID | None = None) -> None:
    """A row of the price list."""
    await db.pool.execute(
        "INSERT INTO price (id, item, account_id, unit_micro, effective_from, set_by, set_at)"
        " VALUES ($1, 'email', $2, $3, $4, 'test', now())",
        *(new_id(), account, unit, since),
    )
