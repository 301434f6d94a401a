"""Accept: one transaction that makes a request durable, or refuses it whole (design §4.1). asyncpg, no ORM objects.

`accept` is for one request of any size; `store/accepting_groups.py` takes many small ones in one transaction.
"""

import asyncio
import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias
from uuid import UUID

from domain.acceptance import Identity, check_identity, leave_out, quota_refusal, sort_recipients
from domain.accounts import SYSTEM_ACCOUNT, Caller
from domain.channels import Channel
from domain.errors import Refusal
from domain.ids import new_id
from domain.ledger import Terms, first_charged
from domain.sending import TIME_TO_LIVE, Accepted, Recipient, Rejected, SendRequest
from domain.suppressions import Held
from domain.times import business_day
from domain.webhooks import Event, message_data
from store import quota
from store.db import Connection, Database, by_column
from store.holding import Chargeable, reserve
from store.suppressions import Wanted, held_back
from store.webhooks import OwedEvent, owe_events

DUE_CHANNEL = "songda_due"
KEY_REMEMBERED = dt.timedelta(hours=24)
"""How long a repeat of an idempotency key gets the first answer; then the key may be used anew."""
STANDARD = Terms()

MANY = 1_000
"""Recipients from which on they are read beside the event loop; it may take longer than a transaction may idle."""
AT_ONCE = 1_000
"""Recipients that one statement takes, so that what it is made of does not hold the event loop up."""

_IDENTITIES = """
SELECT a.state AS account_state, a.daily_quota, a.free_quota,
       u.id AS api_user_id, u.kind AS api_user_kind, u.is_test, u.disabled_at IS NOT NULL AS disabled,
       d.id AS domain_id, d.state AS domain_state, d.problem AS domain_problem, b.domain_id IS NOT NULL AS bound,
       t.id AS template_id, t.kind AS template_kind, t.is_sample, v.id AS version_id, v.variables,
       EXISTS (SELECT FROM webhook_endpoint e WHERE e.account_id = a.id AND e.state = 'enabled'
               AND e.deleted_at IS NULL AND 'request' = ANY(e.events)) AS heard,
       w.n
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[])
     WITH ORDINALITY AS w (account, named, api_user, domain, template, n)
JOIN account a ON a.id = w.account
LEFT JOIN api_user u
     ON u.account_id = a.id AND (w.named IS NOT NULL AND u.id = w.named OR w.named IS NULL AND u.name = w.api_user)
LEFT JOIN sender_domain d ON d.account_id = a.id AND d.name = w.domain AND d.state <> 'deleted'
LEFT JOIN api_user_domain b ON b.api_user_id = u.id AND b.domain_id = d.id
LEFT JOIN template t ON t.account_id = a.id AND t.invoke_name = w.template AND t.deleted_at IS NULL
LEFT JOIN LATERAL (SELECT id, variables FROM template_version
                   WHERE template_id = t.id AND state = 'approved' ORDER BY number DESC LIMIT 1) v ON true
"""

_FORGET_KEY = """
UPDATE submission SET idempotency_key = NULL
WHERE account_id = $1 AND idempotency_key = $2 AND accepted_at < now() - $3::interval
"""

_SUBMISSION = """
INSERT INTO submission (id, account_id, api_user_id, template_version_id, domain_id, kind, is_test, sender,
                        sender_name, reply_to, label, accepted_at, expires_at, recipients, duplicates, rejected,
                        idempotency_key, fingerprint, headers)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
ON CONFLICT (account_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
RETURNING id
"""

_MESSAGES = """
WITH made AS (
    INSERT INTO message (submission_id, account_id, ordinal, address, variables, state, attempts, round, reason, code,
                         enhanced, reply, host, possible_duplicate)
    SELECT $1, $2, $6::int + n - 1, address, variables, 'queued', 0, 0, '', 0, '', '', '', false
    FROM unnest($3::text[], $4::jsonb[]) WITH ORDINALITY AS r (address, variables, n)
    RETURNING id, ordinal, address
), waiting AS (
    INSERT INTO due (message_id, account_id, due_at) SELECT id, $2, $5 FROM made
)
SELECT id, ordinal, address FROM made ORDER BY ordinal
"""

Asked: TypeAlias = tuple[Caller, SendRequest]
"""Who asks for what."""


@dataclass(frozen=True)
class Admitted:
    """A request that passed the rules: what the rows are made of."""

    caller: Caller
    request: SendRequest
    identity: Identity
    recipients: list[Recipient]
    duplicates: int
    rejected: list[Rejected]
    submission: UUID
    fingerprint: bytes | None = None

    @property
    def account(self) -> UUID:
        return self.caller.account_id

    def columns(self, now: dt.datetime, scale: float) -> tuple[Any, ...]:
        """Of the submission's row, in the order of the statements."""
        identity, request = self.identity, self.request
        kind = str(identity.api_user_kind)
        return (
            self.submission, self.account, identity.api_user_id, identity.version_id, identity.domain_id, kind,
            bool(identity.is_test) or bool(identity.is_sample) or self.account == SYSTEM_ACCOUNT,
            request.sender, request.sender_name, request.reply_to, request.label, now, now + TIME_TO_LIVE[kind] / scale,
            len(self.recipients), self.duplicates, [asdict(one) for one in self.rejected],
        )  # fmt: skip

    def answer(self) -> Accepted:
        """What the caller is told once it is durable."""
        return Accepted(self.submission, len(self.recipients), self.duplicates, tuple(self.rejected))


async def accept(
    connection: Connection, caller: Caller, request: SendRequest, now: dt.datetime, terms: Terms = STANDARD
) -> Accepted:
    """Check everything, then write submission, quota use, hold, messages and `due` rows in the caller's transaction.

    Raises `Refusal`; nothing is written then (the caller's transaction rolls back). The request is accepted once that
    transaction committed.
    """
    fingerprint = await _fingerprint(request) if request.idempotency_key is not None else None
    if earlier := await _earlier_answer(connection, caller.account_id, request, fingerprint):
        return earlier
    if len(request.recipients) > MANY:  # reading them takes a while, and nothing is locked yet
        await connection.execute("SET LOCAL idle_in_transaction_session_timeout = '60s'")
    admitted = replace(await _admitted(connection, caller, request, now), fingerprint=fingerprint)
    if not await _write_submission(connection, admitted, now, terms.scale):
        return await _lost_race(connection, caller.account_id, request, fingerprint)
    count = len(admitted.recipients)
    free = await _use_quota(connection, admitted, now)
    if free < count:
        asked = Chargeable(caller.account_id, admitted.submission, free, count - free)
        await reserve(connection, asked, now, terms.price_micro)
    await _write_messages(connection, admitted, now)
    return admitted.answer()


async def ping_relay(db: Database, channel: Channel | None = None) -> None:
    """Tell the relays of a channel (None: of both) that something is due. Outside the accept transaction: NOTIFY locks
    the database at commit."""
    await db.pool.execute(f"NOTIFY {DUE_CHANNEL}, '{channel or ''}'")


async def identities(connection: Connection, asked: Sequence[Asked]) -> list[Identity | None]:
    """What the rows say of the names in these requests, in their order; None where there is no such account."""
    named = {each: place for place, each in enumerate(dict.fromkeys(_names(*one) for one in asked), 1)}
    found: list[Identity | None] = [None] * (len(named) + 1)
    for row in await connection.fetch(_IDENTITIES, *by_column(list(named))):
        values = dict(row)
        place = values.pop("n")
        found[place] = Identity(**values | {"variables": tuple(row["variables"] or ())})
    known = [found[named[_names(*one)]] for one in asked]
    return [one and replace(one, caller_user=caller.api_user_id) for one, (caller, _) in zip(known, asked, strict=True)]


async def identify(connection: Connection, caller: Caller, request: SendRequest) -> Identity:
    """What the rows say of the names in one request."""
    (identity,) = await identities(connection, [(caller, request)])
    if identity is None:
        raise Refusal("unauthenticated")
    return identity


def _names(caller: Caller, request: SendRequest) -> tuple[UUID, UUID | None, str, str, str]:
    domain = request.sender.rpartition("@")[2].lower()
    named = None if request.api_user else caller.api_user_id
    return caller.account_id, named, request.api_user, domain, request.template


def admit(asked: Asked, identity: Identity, only: frozenset[str] | None) -> Admitted:
    """Sort the recipients. `only`: whom a test API user may write to. Raises `Refusal`."""
    caller, request = asked
    recipients, duplicates, rejected = sort_recipients(request, identity.variables, only)
    return Admitted(caller, request, identity, recipients, duplicates, rejected, new_id())


def wanted(admitted: Admitted, recipients: Sequence[Recipient]) -> list[Wanted]:
    """Whom suppressions and dead addresses are asked about; the platform's own notices are for everybody."""
    if admitted.account == SYSTEM_ACCOUNT:
        return []
    return [Wanted(admitted.account, one.address, admitted.identity.is_batch) for one in recipients]


def without(admitted: Admitted, held: Mapping[Wanted, Held]) -> Admitted:
    """Leave these out, and say so in the answer. Raises `Refusal` when nobody is left."""
    mine = {one.address: held[one] for one in wanted(admitted, admitted.recipients) if one in held} if held else {}
    recipients, rejected = leave_out(admitted.recipients, admitted.rejected, mine)
    return replace(admitted, recipients=recipients, rejected=rejected)


async def _admitted(connection: Connection, caller: Caller, request: SendRequest, now: dt.datetime) -> Admitted:
    identity = await identify(connection, caller, request)
    check_identity(identity, request)
    only = await member_addresses(connection, caller.account_id) if identity.is_test else None
    if len(request.recipients) > MANY:
        admitted = await asyncio.to_thread(admit, (caller, request), identity, only)
    else:
        admitted = admit((caller, request), identity, only)
    held: dict[Wanted, Held] = {}
    for some in _slices(admitted.recipients):
        held |= await held_back(connection, wanted(admitted, some), now)
    return without(admitted, held)


def _slices(recipients: Sequence[Recipient]) -> Iterable[Sequence[Recipient]]:
    return (recipients[start : start + AT_ONCE] for start in range(0, len(recipients), AT_ONCE))


async def _fingerprint(request: SendRequest) -> bytes:
    """SHA-256 of what is asked for; of a large request piece by piece, as others wait for the event loop."""
    head = [
        request.api_user, request.template, request.sender, request.sender_name, request.reply_to, request.label,
        *sorted(request.headers.items()),
    ]  # fmt: skip
    digest = hashlib.sha256(json.dumps(head, ensure_ascii=False).encode())
    for some in _slices(request.recipients):
        people = [[one.address, sorted(one.variables.items())] for one in some]
        digest.update(json.dumps(people, ensure_ascii=False).encode())
        if len(request.recipients) > AT_ONCE:
            await asyncio.sleep(0)
    return digest.digest()


async def _earlier_answer(
    connection: Connection, account: UUID, request: SendRequest, fingerprint: bytes | None
) -> Accepted | None:
    """The answer given before under the same idempotency key, if there was one within a day."""
    if request.idempotency_key is None:
        return None
    await connection.execute(_FORGET_KEY, account, request.idempotency_key, KEY_REMEMBERED)
    row = await connection.fetchrow(
        "SELECT id, recipients, duplicates, rejected, fingerprint FROM submission"
        " WHERE account_id = $1 AND idempotency_key = $2",
        account,
        request.idempotency_key,
    )
    if row is None:
        return None
    if row["fingerprint"] != fingerprint:
        raise Refusal("idempotency_reused", field="Idempotency-Key")
    rejected = tuple(Rejected(**item) for item in row["rejected"])
    return Accepted(row["id"], row["recipients"], row["duplicates"], rejected, repeated=True)


async def _lost_race(
    connection: Connection, account: UUID, request: SendRequest, fingerprint: bytes | None
) -> Accepted:
    """Two requests with one key at once: the other one's transaction committed first."""
    earlier = await _earlier_answer(connection, account, request, fingerprint)
    if earlier is None:
        raise RuntimeError("a submission with this idempotency key vanished")
    return earlier


async def member_addresses(connection: Connection, account: UUID) -> frozenset[str]:
    """The account's confirmed members, in lower case: whom its test API users may write to."""
    rows = await connection.fetch(
        "SELECT lower(email) AS email FROM member WHERE account_id = $1 AND email_confirmed_at IS NOT NULL", account
    )
    return frozenset(row["email"] for row in rows)


async def _write_submission(connection: Connection, admitted: Admitted, now: dt.datetime, scale: float) -> bool:
    """False when another request with the same idempotency key was faster."""
    own = admitted.request.idempotency_key, admitted.fingerprint, dict(admitted.request.headers)
    row = await connection.fetchval(_SUBMISSION, *admitted.columns(now, scale), *own)
    return row is not None


async def _use_quota(connection: Connection, admitted: Admitted, now: dt.datetime) -> int:
    """Take from today's quota (days of Asia/Shanghai), or refuse with what is left.

    Returns how many are free: all of the platform's own and of test API users, else what the free quota covers.
    """
    account, identity, count = admitted.account, admitted.identity, len(admitted.recipients)
    if account == SYSTEM_ACCOUNT:
        return count
    test = bool(identity.is_test)
    budget = account, business_day(now), test
    taken = await quota.take(connection, budget, count, identity.quota_per_day)
    if taken is None:
        raise quota_refusal(test, identity.quota_per_day, await quota.used(connection, budget), count)
    return count if test else first_charged(taken, count, identity.free_quota)


async def _write_messages(connection: Connection, admitted: Admitted, now: dt.datetime) -> None:
    """In slices, since what each is made of holds the event loop up for a while."""
    first = 0
    for some in _slices(admitted.recipients):
        addresses, variables = [one.address for one in some], [one.variables for one in some]
        made = await connection.fetch(
            _MESSAGES, admitted.submission, admitted.account, addresses, variables, now, first
        )
        if admitted.identity.heard:
            await owe_events(connection, [requested(admitted, row, now) for row in made])
        first += len(some)


def requested(admitted: Admitted, row: Any, now: dt.datetime) -> OwedEvent:
    """The event that a message (`id`, `ordinal`, `address`) was accepted."""
    data = message_data(admitted.submission, row["id"], row["ordinal"], row["address"], admitted.request.label)
    return OwedEvent(admitted.account, Event.REQUEST, row["id"], now, data)
