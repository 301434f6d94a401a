"""Accept SMS: one transaction that makes a request durable, or refuses it whole (design §4.1). asyncpg, no ORM objects.

Needs nothing but a connection: services, activities of scheduled tasks and the platform's own codes call it alike. Once
in a transaction: it locks what the frequency of each number is counted by.
"""

import asyncio
import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from domain.accounts import SYSTEM_ACCOUNT, Caller
from domain.channels import Channel
from domain.errors import Refusal
from domain.ids import new_id
from domain.sms import TIME_TO_LIVE, AcceptedSms, SmsAccepted, SmsKind, SmsRequest
from domain.sms_acceptance import (
    Group,
    SmsIdentity,
    SmsOne,
    SmsTerms,
    Sorted,
    Text,
    by_country,
    check_identity,
    check_size,
    is_quick_test,
    named_in_full,
    price_item,
    sends_at,
    sort_recipients,
    too_many_tests,
)
from domain.sms_events import requested
from domain.sms_frequency import digest, too_often
from domain.sms_hours import next_open
from domain.sms_results import SmsScope
from domain.times import business_day, told
from store.db import Connection
from store.holding import Chargeable, reserve
from store.sms_frequency import lock_recent, note_sent
from store.sms_interceptions import SmsHeld, held_back
from store.sms_requests import keep_answer, take_key, take_tests, used_tests
from store.webhooks import owe_events

STANDARD = SmsTerms()
MANY = 300
"""Numbers from which on they are read beside the event loop: some 30 µs each."""

_IDENTITY = """
SELECT a.state AS account_state,
       EXISTS (SELECT FROM member m WHERE m.account_id = a.id AND m.email_confirmed_at IS NOT NULL
               AND m.removed_at IS NULL) AS email_confirmed,
       EXISTS (SELECT FROM certification c WHERE c.account_id = a.id AND c.kind = 'enterprise'
               AND c.state = 'approved' AND (c.valid_until IS NULL OR c.valid_until >= $6)) AS enterprise,
       EXISTS (SELECT FROM recharge r WHERE r.account_id = a.id AND r.state = 'credited') AS recharged,
       EXISTS (SELECT FROM sms_user o WHERE o.account_id = a.id AND o.disabled_at IS NULL) AS has_user,
       EXISTS (SELECT FROM sms_template p JOIN sms_template_version w ON w.template_id = p.id
               WHERE p.account_id = a.id AND p.deleted_at IS NULL AND NOT p.is_builtin AND w.state = 'approved')
           AS has_template,
       EXISTS (SELECT FROM webhook_endpoint e WHERE e.account_id = a.id AND e.state = 'enabled'
               AND e.deleted_at IS NULL AND 'sms_request' = ANY(e.events)) AS heard,
       u.id AS sms_user_id, u.disabled_at IS NOT NULL AS disabled,
       t.id AS template_id, t.is_builtin,
       v.id AS version_id, v.kind, v.market, v.content, coalesce(v.variables, '{}') AS variables, v.signature_last,
       g.text AS signature, CASE WHEN g.deleted_at IS NULL THEN g.state END AS signature_state
FROM account a
LEFT JOIN sms_user u ON u.account_id = $8 AND ($2 <> '' AND u.name = $2 OR $2 = '' AND u.id = $3)
LEFT JOIN LATERAL (SELECT id, is_builtin FROM sms_template
                   WHERE account_id = $8 AND deleted_at IS NULL AND (number = $7 OR id = $5 OR name = $4)
                   ORDER BY number = $7 DESC NULLS LAST, id = $5 DESC NULLS LAST LIMIT 1) t ON true
LEFT JOIN LATERAL (SELECT * FROM sms_template_version
                   WHERE template_id = t.id AND state = 'approved' ORDER BY number DESC LIMIT 1) v ON true
LEFT JOIN sms_signature g ON g.id = v.signature_id
WHERE a.id = $1
"""
_OPTED_OUT = "SELECT phone FROM sms_opt_out WHERE account_id = $1 AND phone = ANY($2::text[])"
_PRICED = """
SELECT i.item FROM unnest($3::text[]) AS i (item)
WHERE EXISTS (SELECT FROM price p WHERE p.item = i.item AND (p.account_id = $1 OR p.account_id IS NULL)
              AND p.effective_from <= $2)
"""
_SUBMISSION = """
INSERT INTO submission (id, account_id, channel, api_user_id, template_version_id, kind, is_test, sender, sender_name,
                        reply_to, label, accepted_at, expires_at, recipients, duplicates, rejected, country, tag,
                        task_id, is_campaign)
VALUES ($1, $2, $3, $4, $5, $6, $7, '', '', '', $8, $9, $10, $11, $12, $13, $14, $15, $16, false)
"""
_MESSAGES = """
WITH made AS (
    INSERT INTO message (submission_id, account_id, ordinal, address, variables, segments, state, attempts, round,
                         reason, code, enhanced, reply, host, possible_duplicate)
    SELECT $1, $2, n - 1, address, variables, segments, 'queued', 0, 0, '', 0, '', '', '', false
    FROM unnest($3::text[], $4::jsonb[], $5::int[]) WITH ORDINALITY AS r (address, variables, segments, n)
    RETURNING id, ordinal
), waiting AS (
    INSERT INTO due (message_id, account_id, line, due_at) SELECT id, $2, $6::int, $7 FROM made
)
SELECT id, ordinal FROM made ORDER BY ordinal
"""


async def accept(
    connection: Connection, caller: Caller, request: SmsRequest, now: dt.datetime, terms: SmsTerms = STANDARD
) -> SmsAccepted:
    """Check everything, then write submissions, holds, messages and `due` rows in the caller's transaction.

    Raises `Refusal`; nothing is written then (the caller's transaction rolls back). The request is accepted once that
    transaction committed; then the relay may be called (`store.accepting.ping_relay`).
    """
    check_size(request)
    account, key = caller.account_id, request.idempotency_key
    if key is not None:
        if "\0" in key:
            raise Refusal("invalid", field="Idempotency-Key", reason="It contains a NUL character.")
        earlier = await take_key(connection, account, key, _fingerprint(caller, request), request.key_lives, now)
        if earlier is not None:
            return earlier
    names_of = SYSTEM_ACCOUNT if is_quick_test(request) else account
    identity = await identify(connection, caller, named_in_full(request), names_of, now)
    text = check_identity(identity, caller, request)
    if len(request.recipients) > MANY:
        found = await asyncio.to_thread(sort_recipients, request, text)
    else:
        found = sort_recipients(request, text)
    found = await _allowed(connection, caller, request, text, found, now)
    accepted = await _Writing(connection, caller, request, identity, text, now, terms).write(found)
    if key is not None:
        await keep_answer(connection, account, key, accepted)
    return accepted


async def identify(
    connection: Connection, caller: Caller, request: SmsRequest, names_of: UUID, now: dt.datetime
) -> SmsIdentity:
    """What the rows say of the caller, and of the names in a request, which are those of an account. One statement."""
    user, template = _nameable(request.sms_user), _nameable(request.template)
    number = int(template) if template.isascii() and template.isdigit() and len(template) <= 18 else None
    row = await connection.fetchrow(
        _IDENTITY, caller.account_id, user, caller.sms_user_id, template, _uuid(template), business_day(now), number,
        names_of,
    )  # fmt: skip
    if row is None:
        raise Refusal("unauthenticated")
    return SmsIdentity(**{**row, "variables": tuple(row["variables"])})


def _nameable(name: str) -> str:
    """As a query can ask for it; what cannot be stored is nobody's name."""
    return "?" if "\0" in name or len(name) > 200 else name.encode(errors="replace").decode()


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text) if len(text) == 36 else None
    except ValueError:
        return None


def _fingerprint(caller: Caller, request: SmsRequest) -> bytes:
    """SHA-256 of what is asked for. Of the platform's own without values: a code could be guessed from it."""
    values = caller.account_id != SYSTEM_ACCOUNT
    people = [[one.phone, sorted(one.variables.items()) if values else []] for one in request.recipients]
    asked = [request.sms_user or str(caller.sms_user_id), request.template, request.label, request.tag,
             request.market, request.is_test, str(request.task_id), people]  # fmt: skip
    return hashlib.sha256(json.dumps(asked).encode()).digest()


async def _allowed(
    connection: Connection, caller: Caller, request: SmsRequest, text: Text, found: Sorted, now: dt.datetime
) -> Sorted:
    """Without those who opted out, whose number fails, whose country has no price, or who got too many of late.

    The last look locks: from then on no other request writes to these numbers.
    """
    account = caller.account_id
    if account != SYSTEM_ACCOUNT:
        found = found.without(await _held(connection, account, text, _phones(found), now))
        found = found.without(await _unpriced(connection, account, found, now))
    recent = await lock_recent(connection, account, text.kind, _phones(found))
    checked = ((one, too_often(text.kind, recent[one.phone.e164], digest(text.kind, one.text), now))
               for one in found.good)  # fmt: skip
    return found.without({one.phone.e164: refusal for one, refusal in checked if refusal is not None})


def _phones(found: Sorted) -> list[str]:
    return [one.phone.e164 for one in found.good]


async def _held(
    connection: Connection, account: UUID, text: Text, phones: Sequence[str], now: dt.datetime
) -> dict[str, Refusal]:
    held = {phone: _blocked(why) for phone, why in (await held_back(connection, account, phones, now)).items()}
    if text.kind is SmsKind.MARKETING:
        rows = await connection.fetch(_OPTED_OUT, account, list(phones))
        held |= {row["phone"]: Refusal("sms_opted_out", field="phone") for row in rows}
    return held


def _blocked(held: SmsHeld) -> Refusal:
    code = "sms_blocked_global" if held.scope is SmsScope.GLOBAL else "sms_blocked_local"
    return Refusal(code, field="phone", until=told(held.until))


async def _unpriced(connection: Connection, account: UUID, found: Sorted, now: dt.datetime) -> dict[str, Refusal]:
    abroad = {one.phone.country for one in found.good if not one.phone.is_domestic}
    if not abroad:
        return {}
    rows = await connection.fetch(_PRICED, account, now, [price_item(country) for country in abroad])
    priced = {row["item"] for row in rows}
    return {
        one.phone.e164: Refusal("sms_country_unpriced", field="phone", country=one.phone.country)
        for one in found.good
        if not one.phone.is_domestic and price_item(one.phone.country) not in priced
    }


class _Writing:
    """What is written of one request, once it is allowed."""

    def __init__(
        self, connection: Connection, caller: Caller, request: SmsRequest, identity: SmsIdentity, text: Text,
        now: dt.datetime, terms: SmsTerms,
    ) -> None:  # fmt: skip
        self._connection, self._account, self._request = connection, caller.account_id, request
        self._identity, self._text = identity, text
        self._now, self._terms = now, terms
        self._due = next_open(text.kind, now, terms.marketing_hours)

    @property
    def _is_free(self) -> bool:
        return self._request.is_test or self._account == SYSTEM_ACCOUNT

    async def write(self, found: Sorted) -> SmsAccepted:
        contents = {one.phone.e164: digest(self._text.kind, one.text) for one in found.good}
        await note_sent(self._connection, self._account, self._text.kind, contents, self._now)
        if self._request.is_test:
            await self._take_tests(len(found.good))
        submissions: list[UUID] = []
        messages: list[AcceptedSms] = []
        costs: list[Chargeable] = []
        for group in by_country(found.good):
            # What was left out is told once, with the first of several submissions.
            beside = Sorted((), () if submissions else found.rejected, 0 if submissions else found.duplicates)
            submissions.append(await self._submission(group, beside))
            messages += await self._messages(submissions[-1], group.numbers)
            costs.append(Chargeable(self._account, submissions[-1], 0, group.segments, price_item(group.country)))
        messages.sort(key=lambda one: one.line)
        if not self._is_free:
            await self._hold(costs)
        due = sends_at(self._due, self._now)
        return SmsAccepted(tuple(submissions), tuple(messages), found.rejected, found.duplicates, due)

    async def _take_tests(self, count: int) -> None:
        day, limit = business_day(self._now), self._terms.tests_per_day
        if await take_tests(self._connection, self._account, day, count, limit) is None:
            raise too_many_tests(limit, await used_tests(self._connection, self._account, day), count)

    async def _submission(self, group: Group, beside: Sorted) -> UUID:
        request, text, submission = self._request, self._text, new_id()
        expires = self._due + TIME_TO_LIVE[text.kind] / self._terms.scale
        rejected = [asdict(one) for one in beside.rejected]
        await self._connection.execute(
            _SUBMISSION, submission, self._account, Channel.SMS.value, self._identity.sms_user_id, text.version_id,
            text.kind.value, self._is_free, request.label, self._now, expires, len(group.numbers), beside.duplicates,
            rejected, group.country, request.tag, request.task_id,
        )  # fmt: skip
        return submission

    async def _hold(self, costs: Sequence[Chargeable]) -> None:
        """Last of all: the account's other requests wait for this row until the commit.

        No country but mainland China comes so far without a price of its own.
        """
        for asked in costs:
            await reserve(self._connection, asked, self._now, self._terms.price_micro)

    async def _messages(self, submission: UUID, numbers: Sequence[SmsOne]) -> Iterable[AcceptedSms]:
        rows = await self._connection.fetch(
            _MESSAGES, submission, self._account, [one.phone.e164 for one in numbers], [one.values for one in numbers],
            [one.segments for one in numbers], self._text.kind.line.value, self._due,
        )  # fmt: skip
        made = [
            AcceptedSms(one.line, one.phone.e164, submission, row["id"], row["ordinal"], one.segments)
            for one, row in zip(numbers, rows, strict=True)
        ]
        if self._identity.heard:
            await owe_events(self._connection, [requested(self._event_row(one), self._now) for one in made])
        return made

    def _event_row(self, one: AcceptedSms) -> Mapping[str, Any]:
        return {
            "account_id": self._account, "submission_id": one.submission_id, "id": one.message_id,
            "ordinal": one.ordinal, "address": one.phone, "label": self._request.label, "tag": self._request.tag,
            "segments": one.segments,
        }  # fmt: skip
