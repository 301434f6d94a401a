"""What can be read of accepted SMS, always within one account."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text

from domain.sending import Rejected
from domain.sms import Market
from store.db import Session

SMS_OUTCOMES = ("delivered", "sent", "deferred", "queued", "bounced", "dropped", "unknown")
"""States of messages as callers see them: `deferred` is queued after at least one try, `sent` waits for its receipt."""
_OUTCOME = "CASE WHEN m.state = 'queued' AND m.attempts > 0 THEN 'deferred' ELSE m.state END"


@dataclass(frozen=True)
class SmsSend:
    """One submission. `rejected` is the number of numbers left out; segments count what it may cost, and did."""

    id: UUID
    sms_user: str
    template: str
    template_number: int
    kind: str
    is_test: bool
    country: str
    label: str
    tag: str
    task_id: UUID | None
    accepted_at: dt.datetime
    expires_at: dt.datetime
    recipients: int
    duplicates: int
    rejected: int
    unit_micro: int | None
    """Of a segment; None: it costs nothing."""


@dataclass(frozen=True)
class SmsMessage:
    """One number and where its message stands; `outcome` is one of `SMS_OUTCOMES`."""

    id: int
    send_id: UUID
    ordinal: int
    phone: str
    outcome: str
    segments: int
    submitted: int
    """Parts that a carrier took: what is charged."""
    attempts: int
    next_at: dt.datetime | None
    attempted_at: dt.datetime | None
    finished_at: dt.datetime | None
    reason: str
    reply: str
    """What the carrier said."""
    possible_duplicate: bool


@dataclass(frozen=True)
class SmsPartRow:
    """A part that a carrier took, and its receipt."""

    part: int
    submitted_at: dt.datetime
    state: str
    error: str
    done_at: dt.datetime | None


@dataclass(frozen=True)
class Counted:
    """Messages of one day (Asia/Shanghai, of acceptance), template and outcome."""

    day: dt.date
    template: int
    name: str
    kind: str
    market: str
    outcome: str
    reason: str
    messages: int
    segments: int
    """Taken by carriers."""
    charged: int
    """Of them, those that are paid."""


@dataclass(frozen=True)
class Asked:
    """Which messages `status` is to find; empty means all."""

    since: dt.datetime
    until: dt.datetime
    phones: Sequence[str] = ()
    names: Sequence[tuple[UUID, int]] = ()
    """Submission and ordinal."""
    markets: Sequence[str] = ()
    template: int | None = None
    template_name: str = ""
    start: int = 0
    limit: int = 100


@dataclass(frozen=True)
class Status:
    """One message for who asks by number or name."""

    send_id: UUID
    ordinal: int
    phone: str
    market: str
    sms_user: str
    template: int
    template_name: str
    accepted_at: dt.datetime
    changed_at: dt.datetime
    outcome: str
    reason: str
    reply: str


_SEND = """
SELECT s.id, u.name AS sms_user, t.name AS template, t.number AS template_number, s.kind, s.is_test, s.country, s.label,
       s.tag, s.task_id, s.accepted_at, s.expires_at, s.recipients, s.duplicates,
       jsonb_array_length(s.rejected) AS rejected, h.unit_micro
FROM submission s
JOIN sms_user u ON u.id = s.api_user_id
JOIN sms_template_version v ON v.id = s.template_version_id
JOIN sms_template t ON t.id = v.template_id
LEFT JOIN hold h ON h.submission_id = s.id
WHERE s.account_id = :account AND s.channel = 'sms'
"""
_MESSAGE = f"""
SELECT m.id, m.submission_id AS send_id, m.ordinal, m.address AS phone, {_OUTCOME} AS outcome, m.segments, m.submitted,
       m.attempts, m.next_at, m.attempted_at, m.finished_at, m.reason, m.reply, m.possible_duplicate
FROM message m JOIN submission s ON s.id = m.submission_id
WHERE m.account_id = :account AND s.channel = 'sms'
"""  # noqa: S608 - constants of ours
_COUNT = f"""
SELECT m.submission_id, {_OUTCOME} AS outcome, count(*) AS number FROM message m
WHERE m.submission_id = ANY(:sends) AND m.account_id = :account GROUP BY 1, 2
"""  # noqa: S608 - constants of ours
_CONTENT = """
SELECT g.text AS signature, v.content, v.signature_last, v.market FROM submission s
JOIN sms_template_version v ON v.id = s.template_version_id JOIN sms_signature g ON g.id = v.signature_id
WHERE s.id = :send AND s.account_id = :account
"""
_REJECTED = """
SELECT r.value FROM submission s, jsonb_array_elements(s.rejected) WITH ORDINALITY AS r (value, place)
WHERE s.id = :send AND s.account_id = :account ORDER BY r.place LIMIT :limit
"""
_PARTS = """
SELECT part, submitted_at, state, error, done_at FROM sms_part WHERE message_id = :message ORDER BY attempt, part
"""
_PER_DAY = f"""
SELECT (s.accepted_at AT TIME ZONE 'Asia/Shanghai')::date AS day, t.number AS template, t.name, s.kind, v.market,
       {_OUTCOME} AS outcome, m.reason, count(*)::int AS messages, sum(m.submitted)::int AS segments,
       coalesce(sum(m.submitted) FILTER (WHERE NOT s.is_test), 0)::int AS charged
FROM submission s
JOIN sms_template_version v ON v.id = s.template_version_id
JOIN sms_template t ON t.id = v.template_id
JOIN message m ON m.submission_id = s.id
WHERE s.account_id = :account AND s.channel = 'sms' AND s.accepted_at >= :since AND s.accepted_at < :until
GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2
"""  # noqa: S608 - constants of ours

_STATUS = """
FROM submission s
JOIN sms_user u ON u.id = s.api_user_id
JOIN sms_template_version v ON v.id = s.template_version_id
JOIN sms_template t ON t.id = v.template_id
JOIN message m ON m.submission_id = s.id
WHERE s.account_id = :account AND s.channel = 'sms' AND s.accepted_at >= :since AND s.accepted_at < :until
"""
_FOUND = f"""
SELECT s.id AS send_id, m.ordinal, m.address AS phone, v.market, u.name AS sms_user, t.number AS template,
       t.name AS template_name, s.accepted_at,
       coalesce(m.finished_at, m.attempted_at, s.accepted_at) AS changed_at, {_OUTCOME} AS outcome, m.reason, m.reply
{_STATUS}
"""


async def _rows(session: Session, query: str, parameters: Mapping[str, Any]) -> Sequence[RowMapping]:
    connection = await session.connection()
    return (await connection.execute(text(query), parameters)).mappings().all()


async def find_send(session: Session, account: UUID, send: UUID) -> SmsSend | None:
    """One submission of this account."""
    rows = await _rows(session, _SEND + " AND s.id = :send", {"account": account, "send": send})
    return SmsSend(**rows[0]) if rows else None


async def list_sends(session: Session, account: UUID, after: UUID | None, limit: int) -> list[SmsSend]:
    """Newest first, beginning after the submission `after`."""
    where = ""
    if after is not None:
        where = """ AND (s.accepted_at, s.id) < (SELECT accepted_at, id FROM submission
                                                 WHERE id = :after AND account_id = :account)"""
    query = _SEND + where + " ORDER BY s.accepted_at DESC, s.id DESC LIMIT :limit"
    rows = await _rows(session, query, {"account": account, "limit": limit} | ({"after": after} if after else {}))
    return [SmsSend(**row) for row in rows]


async def count_outcomes(session: Session, account: UUID, sends: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """Messages by outcome, for each of these submissions; every outcome is named."""
    counted: dict[UUID, dict[str, int]] = {send: dict.fromkeys(SMS_OUTCOMES, 0) for send in sends}
    for row in await _rows(session, _COUNT, {"sends": list(sends), "account": account}):
        counted[row["submission_id"]][row["outcome"]] = row["number"]
    return counted


async def rejected_numbers(session: Session, account: UUID, send: UUID, limit: int) -> list[Rejected]:
    """The first of those that were left out of a submission, in the order of the request."""
    rows = await _rows(session, _REJECTED, {"send": send, "account": account, "limit": limit})
    return [Rejected(**row["value"]) for row in rows]


async def content_of(session: Session, account: UUID, send: UUID) -> tuple[str, str, bool, Market] | None:
    """(signature, content with open variables, whether the signature is last, market) of a submission."""
    rows = await _rows(session, _CONTENT, {"send": send, "account": account})
    if not rows:
        return None
    row = rows[0]
    return row["signature"], row["content"], row["signature_last"], Market(row["market"])


async def list_messages(
    session: Session, account: UUID, send: UUID, window: tuple[str | None, int, int]
) -> list[SmsMessage]:
    """Messages of a submission in its order. `window`: (outcome or None, first ordinal, limit)."""
    outcome, first, limit = window
    where = " AND m.submission_id = :send AND m.ordinal >= :first"
    parameters: dict[str, Any] = {"account": account, "send": send, "first": first, "limit": limit}
    if outcome is not None:
        where += f" AND {_OUTCOME} = :outcome"
        parameters["outcome"] = outcome
    rows = await _rows(session, f"{_MESSAGE}{where} ORDER BY m.ordinal LIMIT :limit", parameters)
    return [SmsMessage(**row) for row in rows]


async def find_message(session: Session, account: UUID, message: int) -> tuple[SmsMessage, list[SmsPartRow]] | None:
    """One message of this account with its parts."""
    rows = await _rows(session, _MESSAGE + " AND m.id = :message", {"account": account, "message": message})
    if not rows:
        return None
    parts = await _rows(session, _PARTS, {"message": message})
    return SmsMessage(**rows[0]), [SmsPartRow(**part) for part in parts]


async def per_day(session: Session, account: UUID, since: dt.datetime, until: dt.datetime) -> list[Counted]:
    """What was accepted in this time, by day, template and outcome. Reads every message of it."""
    rows = await _rows(session, _PER_DAY, {"account": account, "since": since, "until": until})
    return [Counted(**row) for row in rows]


async def status(session: Session, account: UUID, asked: Asked) -> tuple[int, list[Status]]:
    """How many messages these are, and a page of them, newest first."""
    where, parameters = _conditions(account, asked)
    total = await _rows(session, f"SELECT count(*) AS number {_STATUS}{where}", parameters)
    order = " ORDER BY s.accepted_at DESC, s.id DESC, m.ordinal OFFSET :start LIMIT :limit"
    page = await _rows(session, _FOUND + where + order, parameters | {"start": asked.start, "limit": asked.limit})
    return int(total[0]["number"]), [Status(**row) for row in page]


def _conditions(account: UUID, asked: Asked) -> tuple[str, dict[str, Any]]:
    parameters: dict[str, Any] = {"account": account, "since": asked.since, "until": asked.until}
    where = ""
    for name, value, condition in (
        ("phones", asked.phones, "m.address = ANY(:phones) AND \"left\"(m.address, 1) = '+'"),  # as `message_phone` is
        ("markets", asked.markets, "v.market = ANY(:markets)"),
        ("template", [] if asked.template is None else [asked.template], "t.number = ANY(:template)"),
        ("template_name", asked.template_name, "t.name = :template_name"),
    ):
        if value:
            where += f" AND {condition}"
            parameters[name] = list(value) if isinstance(value, tuple | list) else value
    if asked.names:
        named = "SELECT * FROM unnest(CAST(:sends AS uuid[]), CAST(:ordinals AS int[]))"
        where += f" AND (m.submission_id, m.ordinal) IN ({named})"
        parameters["sends"], parameters["ordinals"] = map(list, zip(*asked.names, strict=True))
    return where, parameters
