"""Accept: one transaction that makes a request durable, or refuses it whole (design §4.1). asyncpg, no ORM objects."""

import datetime as dt
import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from domain.acceptance import Identity, check_identity, sort_recipients
from domain.accounts import SYSTEM_ACCOUNT, Caller
from domain.errors import Refusal
from domain.ids import new_id
from domain.ledger import Terms, first_charged
from domain.senders import TEST_SENDS_PER_DAY
from domain.sending import TIME_TO_LIVE, Accepted, Recipient, Rejected, SendRequest
from domain.times import business_day
from domain.webhooks import Event
from store.db import Connection, Database
from store.holding import Chargeable, reserve
from store.webhooks import OwedEvent, owe_events

DUE_CHANNEL = "songda_due"
KEY_REMEMBERED = dt.timedelta(hours=24)
"""How long a repeat of an idempotency key gets the first answer; then the key may be used anew."""
STANDARD = Terms()

MANY = 5_000
"""Recipients from which on reading them may take longer than the sending path lets a transaction idle."""

_IDENTITY = """
SELECT a.state AS account_state, a.daily_quota, a.free_quota,
       u.id AS api_user_id, u.kind AS api_user_kind, u.is_test, u.disabled_at IS NOT NULL AS disabled,
       d.id AS domain_id, d.state AS domain_state, d.problem AS domain_problem, b.domain_id IS NOT NULL AS bound,
       t.id AS template_id, t.kind AS template_kind, t.is_sample, v.id AS version_id, v.variables
FROM account a
LEFT JOIN api_user u ON u.account_id = a.id AND ($2::uuid IS NOT NULL AND u.id = $2 OR $2 IS NULL AND u.name = $3)
LEFT JOIN sender_domain d ON d.account_id = a.id AND d.name = $4 AND d.state <> 'deleted'
LEFT JOIN api_user_domain b ON b.api_user_id = u.id AND b.domain_id = d.id
LEFT JOIN template t ON t.account_id = a.id AND t.invoke_name = $5 AND t.deleted_at IS NULL
LEFT JOIN LATERAL (SELECT id, variables FROM template_version
                   WHERE template_id = t.id AND state = 'approved' ORDER BY number DESC LIMIT 1) v ON true
WHERE a.id = $1
"""

_FORGET_KEY = """
UPDATE submission SET idempotency_key = NULL
WHERE account_id = $1 AND idempotency_key = $2 AND accepted_at < now() - $3::interval
"""

_QUOTA = """
INSERT INTO quota_use (account_id, day, is_test, used) SELECT $1, $2, $3, $4::int WHERE $4::int <= $5::int
ON CONFLICT (account_id, day, is_test)
DO UPDATE SET used = quota_use.used + $4::int WHERE quota_use.used + $4::int <= $5::int
RETURNING used
"""

_SUBMISSION = """
INSERT INTO submission (id, account_id, api_user_id, template_version_id, domain_id, kind, is_test, sender,
                        sender_name, reply_to, label, accepted_at, expires_at, recipients, duplicates, rejected,
                        idempotency_key, fingerprint)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
ON CONFLICT (account_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
RETURNING id
"""

_MESSAGES = """
WITH made AS (
    INSERT INTO message (submission_id, account_id, ordinal, address, variables, state, attempts, round, reason, code,
                         enhanced, reply, host, possible_duplicate)
    SELECT $1, $2, n - 1, address, variables, 'queued', 0, 0, '', 0, '', '', '', false
    FROM unnest($3::text[], $4::jsonb[]) WITH ORDINALITY AS r (address, variables, n)
    RETURNING id, ordinal, address
), waiting AS (
    INSERT INTO due (message_id, account_id, due_at) SELECT id, $2, $5 FROM made
)
SELECT id, ordinal, address FROM made ORDER BY ordinal
"""


@dataclass(frozen=True)
class _Admitted:
    """A request that passed the rules: what the rows are made of."""

    identity: Identity
    recipients: list[Recipient]
    duplicates: int
    rejected: list[Rejected]
    fingerprint: bytes


async def accept(
    connection: Connection, caller: Caller, request: SendRequest, now: dt.datetime, terms: Terms = STANDARD
) -> Accepted:
    """Check everything, then write submission, quota use, hold, messages and `due` rows in the caller's transaction.

    Raises `Refusal`; nothing is written then (the caller's transaction rolls back). The request is accepted once that
    transaction committed.
    """
    fingerprint = _fingerprint(request)
    if earlier := await _earlier_answer(connection, caller.account_id, request, fingerprint):
        return earlier
    identity = await identify(connection, caller, request)
    check_identity(identity, request)
    if len(request.recipients) > MANY:  # sorting them takes a while, and nothing is locked yet
        await connection.execute("SET LOCAL idle_in_transaction_session_timeout = '60s'")
    members = await _member_addresses(connection, caller.account_id) if identity.is_test else None
    recipients, duplicates, rejected = sort_recipients(request, identity.variables, members)
    admitted = _Admitted(identity, recipients, duplicates, rejected, fingerprint)
    submission = await _write_submission(connection, caller.account_id, request, admitted, (now, terms.scale))
    if submission is None:
        return await _lost_race(connection, caller.account_id, request, fingerprint)
    free = await _use_quota(connection, caller.account_id, identity, len(recipients), now)
    if free < len(recipients):
        asked = Chargeable(caller.account_id, submission, free, len(recipients) - free)
        await reserve(connection, asked, now, terms.price_micro)
    await _write_messages(connection, caller.account_id, submission, request, (recipients, now))
    return Accepted(submission, len(recipients), duplicates, tuple(rejected))


async def ping_relay(db: Database) -> None:
    """Tell the relay that something is due. Outside the accept transaction: NOTIFY locks the database at commit."""
    await db.pool.execute(f"NOTIFY {DUE_CHANNEL}")


def _fingerprint(request: SendRequest) -> bytes:
    content = [
        request.api_user,
        request.template,
        request.sender,
        request.sender_name,
        request.reply_to,
        request.label,
        [[r.address, sorted(r.variables.items())] for r in request.recipients],
    ]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).digest()


async def _earlier_answer(
    connection: Connection, account: UUID, request: SendRequest, fingerprint: bytes
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


async def _lost_race(connection: Connection, account: UUID, request: SendRequest, fingerprint: bytes) -> Accepted:
    """Two requests with one key at once: the other one's transaction committed first."""
    earlier = await _earlier_answer(connection, account, request, fingerprint)
    if earlier is None:
        raise RuntimeError("a submission with this idempotency key vanished")
    return earlier


async def identify(connection: Connection, caller: Caller, request: SendRequest) -> Identity:
    """What the rows say of the names in a request. Raises the refusal `unauthenticated` without an account."""
    domain = request.sender.rpartition("@")[2].lower()
    named = None if request.api_user else caller.api_user_id
    row = await connection.fetchrow(_IDENTITY, caller.account_id, named, request.api_user, domain, request.template)
    if row is None:
        raise Refusal("unauthenticated")
    return Identity(**{**dict(row), "variables": tuple(row["variables"] or ()), "caller_user": caller.api_user_id})


async def _member_addresses(connection: Connection, account: UUID) -> frozenset[str]:
    rows = await connection.fetch(
        "SELECT lower(email) AS email FROM member WHERE account_id = $1 AND email_confirmed_at IS NOT NULL", account
    )
    return frozenset(row["email"] for row in rows)


async def _write_submission(
    connection: Connection, account: UUID, request: SendRequest, admitted: _Admitted, when: tuple[dt.datetime, float]
) -> UUID | None:
    now, scale = when
    identity = admitted.identity
    kind = str(identity.api_user_kind)
    rejected = [asdict(one) for one in admitted.rejected]
    found: UUID | None = await connection.fetchval(
        _SUBMISSION,
        new_id(),
        account,
        identity.api_user_id,
        identity.version_id,
        identity.domain_id,
        kind,
        identity.is_test or bool(identity.is_sample) or account == SYSTEM_ACCOUNT,
        request.sender,
        request.sender_name,
        request.reply_to,
        request.label,
        now,
        now + TIME_TO_LIVE[kind] / scale,
        len(admitted.recipients),
        admitted.duplicates,
        rejected,
        request.idempotency_key,
        admitted.fingerprint,
    )
    return found


async def _use_quota(connection: Connection, account: UUID, identity: Identity, count: int, now: dt.datetime) -> int:
    """Take `count` from today's quota (days of Asia/Shanghai), or refuse with what is left.

    Returns how many of them are free: all of the platform's own and of test API users, else what the free quota covers.
    """
    if account == SYSTEM_ACCOUNT:
        return count
    day, test = business_day(now), bool(identity.is_test)
    limit = TEST_SENDS_PER_DAY if test else identity.daily_quota
    taken = await connection.fetchval(_QUOTA, account, day, test, count, limit)
    if taken is None:
        used = await connection.fetchval(
            "SELECT used FROM quota_use WHERE account_id = $1 AND day = $2 AND is_test = $3", account, day, test
        )
        code = "test_quota_exceeded" if test else "quota_exceeded"
        raise Refusal(code, field="recipients", limit=limit, used=used or 0, asked=count)
    return count if test else first_charged(taken, count, identity.free_quota)


async def _write_messages(
    connection: Connection,
    account: UUID,
    submission: UUID,
    request: SendRequest,
    what: tuple[list[Recipient], dt.datetime],
) -> None:
    recipients, now = what
    made = await connection.fetch(
        _MESSAGES, submission, account, [r.address for r in recipients], [r.variables for r in recipients], now
    )
    await owe_events(
        connection,
        [OwedEvent(account, Event.REQUEST, row["id"], now, event_data(submission, row, request.label)) for row in made],
    )


def event_data(submission: UUID, row: Any, label: str) -> dict[str, Any]:
    """What every event of a message says of it."""
    return {
        "submission_id": str(submission),
        "message_id": row["id"],
        "ordinal": row["ordinal"],
        "recipient": row["address"],
        "label": label,
    }
