"""Accept for many small requests at once: one transaction, a handful of statements (docs/decisions/0018).

Each request is decided by itself, in the order in which they came: one that is refused costs the others nothing, and
the last message that quota and money allow is allowed. asyncpg, no ORM objects.
"""

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias
from uuid import UUID

from domain.acceptance import Allowance, Identity, check_identity
from domain.accounts import SYSTEM_ACCOUNT
from domain.errors import Refusal
from domain.ledger import EMAIL, PREPAID, Terms, available_micro
from domain.sending import Accepted
from domain.suppressions import Held
from domain.times import business_day
from store.accepting import Admitted, Asked, admit, identities, member_addresses, requested, wanted, without
from store.db import Connection, by_column
from store.suppressions import Wanted, held_back
from store.webhooks import owe_events

SMALL = 100
"""Recipients of a request that may share a transaction with others."""

# Sorted, so that two transactions wait for each other in one order; and taken for all requests together: those that
# are refused give theirs back before the row is anybody else's.
_TAKE = """
INSERT INTO quota_use (account_id, day, is_test, used)
SELECT a, $1, t, n FROM unnest($2::uuid[], $3::bool[], $4::int[]) AS w (a, t, n) ORDER BY a, t
ON CONFLICT (account_id, day, is_test) DO UPDATE SET used = quota_use.used + excluded.used
RETURNING account_id, is_test, used
"""
_GIVE_BACK = """
WITH given AS (
    SELECT * FROM unnest($2::uuid[], $3::bool[], $4::int[]) AS w (account_id, is_test, n)
), emptied AS (
    DELETE FROM quota_use q USING given g
    WHERE q.account_id = g.account_id AND q.day = $1 AND q.is_test = g.is_test AND q.used = g.n
)
UPDATE quota_use q SET used = q.used - g.n FROM given g
WHERE q.account_id = g.account_id AND q.day = $1 AND q.is_test = g.is_test AND q.used > g.n
"""
# `domain.ledger.price_at` is the same rule of prices.
_MONEY = f"""
SELECT l.account_id, l.balance_fen, l.carry_micro, l.held_micro
FROM ledger_account l WHERE l.account_id = ANY($1::uuid[]) AND l.name = '{PREPAID}'
ORDER BY l.account_id FOR NO KEY UPDATE
"""  # noqa: S608 - a constant of ours
_PRICES = """
SELECT a.id AS account_id, coalesce((
    SELECT unit_micro FROM price WHERE item = $2 AND (account_id = a.id OR account_id IS NULL) AND effective_from <= $3
    ORDER BY account_id IS NULL, effective_from DESC, id DESC LIMIT 1), $4::bigint) AS unit
FROM unnest($1::uuid[]) AS a (id)
"""
_WRITE = f"""
WITH asked AS (
    INSERT INTO submission (id, account_id, api_user_id, template_version_id, domain_id, kind, is_test, sender,
                            sender_name, reply_to, label, accepted_at, expires_at, recipients, duplicates, rejected,
                            charged_from, headers)
    SELECT c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15, c16::jsonb, c17, c18
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::bool[],
                         $8::text[], $9::text[], $10::text[], $11::text[], $12::timestamptz[], $13::timestamptz[],
                         $14::int[], $15::int[], $16::text[], $17::int[], $32::jsonb[])
         AS s (c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15, c16, c17, c18)
), made AS (
    INSERT INTO message (submission_id, account_id, ordinal, address, variables, state, attempts, round, reason, code,
                         enhanced, reply, host, possible_duplicate)
    SELECT submission, account, ordinal, address, variables, 'queued', 0, 0, '', 0, '', '', '', false
    FROM unnest($18::uuid[], $19::uuid[], $20::int[], $21::text[], $22::jsonb[])
         AS r (submission, account, ordinal, address, variables)
    RETURNING id, submission_id, account_id, ordinal, address
), waiting AS (
    INSERT INTO due (message_id, account_id, due_at) SELECT id, account_id, $23 FROM made
), kept AS (
    INSERT INTO hold (submission_id, account_id, unit_micro, free, messages, sent, unsent, round, opened_at)
    SELECT s, a, u, f, n, 0, 0, 0, $23 FROM unnest($25::uuid[], $26::uuid[], $27::bigint[], $28::int[], $29::int[])
                                            AS h (s, a, u, f, n)
), reserved AS (
    UPDATE ledger_account l SET held_micro = l.held_micro + w.micro
    FROM unnest($30::uuid[], $31::bigint[]) AS w (account_id, micro)
    WHERE l.account_id = w.account_id AND l.name = '{PREPAID}'
)
SELECT id, submission_id, ordinal, address FROM made WHERE submission_id = ANY($24::uuid[])
ORDER BY submission_id, ordinal
"""  # noqa: S608 - a constant of ours

Answer: TypeAlias = Accepted | Refusal
_Budget: TypeAlias = tuple[UUID, bool]
"""Account, and whether it is the quota of its test API user."""


def is_small(asked: Asked) -> bool:
    """Whether the request may be accepted in a group. Idempotency keys wait for each other, and so stay alone."""
    request = asked[1]
    return request.idempotency_key is None and len(request.recipients) <= SMALL


async def examine(connection: Connection, asked: Sequence[Asked], now: dt.datetime) -> list[Admitted | Refusal]:
    """Apply every rule that needs no lock; in their order, what passed or why it did not."""
    known = await identities(connection, asked)
    members = {
        account: await member_addresses(connection, account)
        for account in {one[0].account_id for one, who in zip(asked, known, strict=True) if who and who.is_test}
    }
    looked = [_examined(one, who, members) for one, who in zip(asked, known, strict=True)]
    return await _without_held_back(connection, looked, now)


def _examined(asked: Asked, identity: Identity | None, members: dict[UUID, frozenset[str]]) -> Admitted | Refusal:
    try:
        if identity is None:
            return Refusal("unauthenticated")
        check_identity(identity, asked[1])
        return admit(asked, identity, members[asked[0].account_id] if identity.is_test else None)
    except Refusal as refusal:
        return refusal


async def _without_held_back(
    connection: Connection, looked: Sequence[Admitted | Refusal], now: dt.datetime
) -> list[Admitted | Refusal]:
    asked = [who for one in looked if isinstance(one, Admitted) for who in wanted(one, one.recipients)]
    held = await held_back(connection, asked, now)
    return [_left(one, held) if held and isinstance(one, Admitted) else one for one in looked]


def _left(admitted: Admitted, held: Mapping[Wanted, Held]) -> Admitted | Refusal:
    try:
        return without(admitted, held)
    except Refusal as refusal:
        return refusal


async def write(
    connection: Connection, looked: Sequence[Admitted | Refusal], now: dt.datetime, terms: Terms
) -> list[Answer]:
    """Take quota and money, and write what they allow, in the caller's transaction; the answers hold once it committed.

    Any error but those of the connection leaves nothing behind, and each request may be tried alone.
    """
    passed = [one for one in looked if isinstance(one, Admitted)]
    budgets = await _budgets(connection, passed, now, terms)
    decided = [_decide(one, budgets) for one in looked]
    await _give_back(connection, budgets, passed, now)
    allowed = [(one, free) for one, free in zip(looked, decided, strict=True)
               if isinstance(one, Admitted) and isinstance(free, int)]  # fmt: skip
    if allowed:
        await _write_rows(connection, allowed, budgets, (now, terms))
    return [_answer(one, free) for one, free in zip(looked, decided, strict=True)]


def _answer(one: Admitted | Refusal, decided: int | Refusal) -> Answer:
    if isinstance(one, Refusal):
        return one
    return decided if isinstance(decided, Refusal) else one.answer()


def _decide(one: Admitted | Refusal, budgets: dict[_Budget, Allowance]) -> int | Refusal:
    """How many of its messages are free, or why it is refused."""
    if isinstance(one, Refusal):
        return one
    if one.account == SYSTEM_ACCOUNT:
        return len(one.recipients)
    try:
        return budgets[_budget_of(one)].take(len(one.recipients))
    except Refusal as refusal:
        return refusal


def _budget_of(one: Admitted) -> _Budget:
    return one.account, bool(one.identity.is_test)


async def _budgets(
    connection: Connection, passed: Iterable[Admitted], now: dt.datetime, terms: Terms
) -> dict[_Budget, Allowance]:
    """What each account may still send, behind its locks: quota rows first, then money."""
    wanted: dict[_Budget, int] = {}
    who = {_budget_of(one): one.identity for one in passed if one.account != SYSTEM_ACCOUNT}
    for one in passed:
        if one.account != SYSTEM_ACCOUNT:
            wanted[_budget_of(one)] = wanted.get(_budget_of(one), 0) + len(one.recipients)
    if not wanted:
        return {}
    columns = [[account for account, _ in wanted], [test for _, test in wanted], list(wanted.values())]
    budgets: dict[_Budget, Allowance] = {}
    for row in await connection.fetch(_TAKE, business_day(now), *columns):
        key = row["account_id"], row["is_test"]
        who_sends, before = who[key], row["used"] - wanted[key]
        budgets[key] = Allowance(before, who_sends.quota_per_day, who_sends.free_quota, row["is_test"])
    paying = [key[0] for key, one in budgets.items() if not one.is_test and one.used + wanted[key] > one.free]
    if paying:
        await _look_at_money(connection, budgets, paying, now, terms)
    return budgets


async def _look_at_money(
    connection: Connection, budgets: dict[_Budget, Allowance], accounts: list[UUID], now: dt.datetime, terms: Terms
) -> None:
    for row in await connection.fetch(_PRICES, accounts, EMAIL, now, terms.price_micro):
        budgets[row["account_id"], False].unit = row["unit"]
    for row in await connection.fetch(_MONEY, accounts):
        available = available_micro(row["balance_fen"], row["carry_micro"], row["held_micro"])
        budgets[row["account_id"], False].available = available


async def _give_back(
    connection: Connection, budgets: dict[_Budget, Allowance], passed: Iterable[Admitted], now: dt.datetime
) -> None:
    """What was taken for requests that are refused."""
    over = {key: -one.taken for key, one in budgets.items()}
    for one in passed:
        if _budget_of(one) in over:
            over[_budget_of(one)] += len(one.recipients)
    back = [(account, test, count) for (account, test), count in over.items() if count]
    if back:
        await connection.execute(_GIVE_BACK, business_day(now), *by_column(back))


async def _write_rows(
    connection: Connection,
    allowed: Sequence[tuple[Admitted, int]],
    budgets: dict[_Budget, Allowance],
    when: tuple[dt.datetime, Terms],
) -> None:
    now, terms = when
    submissions = [_submission(one, free, now, terms) for one, free in allowed]
    messages = [(one.submission, one.account, ordinal, each.address, each.variables)
                for one, _ in allowed for ordinal, each in enumerate(one.recipients)]  # fmt: skip
    holds = [(one.submission, one.account, budgets[one.account, False].unit, free, len(one.recipients) - free)
             for one, free in allowed if free < len(one.recipients)]  # fmt: skip
    money = [(account, one.held) for (account, _), one in budgets.items() if one.held]
    heard = {one.submission: one for one, _ in allowed if one.identity.heard}
    made = await connection.fetch(
        _WRITE, *by_column(submissions, 17), *by_column(messages, 5), now, list(heard), *by_column(holds, 5),
        *by_column(money, 2), [dict(one.request.headers) for one, _ in allowed],
    )  # fmt: skip
    if made:
        await owe_events(connection, [requested(heard[row["submission_id"]], row, now) for row in made])


def _submission(one: Admitted, free: int, now: dt.datetime, terms: Terms) -> tuple[Any, ...]:
    """A list of rejected is JSON here already: the driver would take a list of lists for an array of two dimensions."""
    *columns, rejected = one.columns(now, terms.scale)
    return (*columns, json.dumps(rejected), free if free < len(one.recipients) else None)
