"""What can be read of mails, always within one account; outcomes are counted from messages."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text

from domain.sending import Rejected
from store.db import Session

OUTCOMES = ("delivered", "deferred", "queued", "bounced", "dropped", "unknown")
"""States of mails as callers see them: `deferred` is queued after at least one try."""
_OUTCOME = "CASE WHEN m.state = 'queued' AND m.attempts > 0 THEN 'deferred' ELSE m.state END"


@dataclass(frozen=True)
class Send:
    """One submission. `rejected` is the number of recipients left out."""

    id: UUID
    api_user: str
    template: str
    template_version: int
    kind: str
    is_test: bool
    sender: str
    sender_name: str
    reply_to: str
    label: str
    accepted_at: dt.datetime
    expires_at: dt.datetime
    recipients: int
    duplicates: int
    rejected: int


@dataclass(frozen=True)
class SentMessage:
    """One recipient and where its message stands; `outcome` is one of `OUTCOMES`."""

    id: int
    send_id: UUID
    ordinal: int
    address: str
    outcome: str
    attempts: int
    next_at: dt.datetime | None
    attempted_at: dt.datetime | None
    finished_at: dt.datetime | None
    reason: str
    code: int
    enhanced: str
    reply: str
    host: str
    possible_duplicate: bool


@dataclass(frozen=True)
class Try:
    """One attempt at a message, or what a report said of it later.

    `possible_duplicate`: the one before it may have been taken, too.
    """

    number: int
    outcome: str
    started_at: dt.datetime | None
    ended_at: dt.datetime | None
    host: str
    code: int
    enhanced: str
    reply: str
    reason: str
    possible_duplicate: bool
    by_report: bool = False
    """No try of ours: a report that came later said so, at `ended_at`, of the try with this number."""


_SEND = """
SELECT s.id, u.name AS api_user, t.invoke_name AS template, v.number AS template_version, s.kind, s.is_test, s.sender,
       s.sender_name, s.reply_to, s.label, s.accepted_at, s.expires_at, s.recipients, s.duplicates,
       jsonb_array_length(s.rejected) AS rejected
FROM submission s
JOIN api_user u ON u.id = s.api_user_id
JOIN template_version v ON v.id = s.template_version_id
JOIN template t ON t.id = v.template_id
WHERE s.account_id = :account AND s.channel = 'email'
"""
_MESSAGE = f"""
SELECT m.id, m.submission_id AS send_id, m.ordinal, m.address, {_OUTCOME} AS outcome, m.attempts, m.next_at,
       m.attempted_at, m.finished_at, m.reason, m.code, m.enhanced, m.reply, m.host, m.possible_duplicate
FROM message m WHERE m.account_id = :account
  AND EXISTS (SELECT FROM submission s WHERE s.id = m.submission_id AND s.channel = 'email')
"""  # noqa: S608 - constants of ours


_COUNT = f"""
SELECT m.submission_id, {_OUTCOME} AS outcome, count(*) AS number FROM message m
WHERE m.submission_id = ANY(:sends) AND m.account_id = :account GROUP BY 1, 2
"""  # noqa: S608 - constants of ours
_REJECTED = """
SELECT r.value FROM submission s, jsonb_array_elements(s.rejected) WITH ORDINALITY AS r (value, place)
WHERE s.id = :send AND s.account_id = :account ORDER BY r.place LIMIT :limit
"""
_ATTEMPTS = """
SELECT message_id, number, kind AS outcome, started_at, ended_at, host, code, enhanced, reply, reason
FROM attempt WHERE message_id = ANY(:messages) ORDER BY message_id, number
"""
_BEFORE = """
SELECT message_id, from_state AS outcome, from_at AS ended_at, from_host AS host, from_code AS code,
       from_enhanced AS enhanced, from_reply AS reply, from_reason AS reason
FROM correction WHERE message_id = ANY(:messages) ORDER BY message_id, at
"""


async def _rows(session: Session, query: str, parameters: Mapping[str, Any]) -> Sequence[RowMapping]:
    connection = await session.connection()
    return (await connection.execute(text(query), parameters)).mappings().all()


async def find_send(session: Session, account: UUID, send: UUID) -> Send | None:
    """One submission of this account."""
    rows = await _rows(session, _SEND + " AND s.id = :send", {"account": account, "send": send})
    return Send(**rows[0]) if rows else None


async def list_sends(session: Session, account: UUID, after: UUID | None, limit: int) -> list[Send]:
    """Newest first, beginning after the submission `after`."""
    where = ""
    if after is not None:
        where = """ AND (s.accepted_at, s.id) < (SELECT accepted_at, id FROM submission
                                                 WHERE id = :after AND account_id = :account)"""
    rows = await _rows(
        session,
        _SEND + where + " ORDER BY s.accepted_at DESC, s.id DESC LIMIT :limit",
        {"account": account, "limit": limit} | ({"after": after} if after else {}),
    )
    return [Send(**row) for row in rows]


async def count_outcomes(session: Session, account: UUID, sends: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """Messages by outcome, for each of these submissions; every outcome is named."""
    counted: dict[UUID, dict[str, int]] = {send: dict.fromkeys(OUTCOMES, 0) for send in sends}
    rows = await _rows(session, _COUNT, {"sends": list(sends), "account": account})
    for row in rows:
        counted[row["submission_id"]][row["outcome"]] = row["number"]
    return counted


async def rejected_recipients(session: Session, account: UUID, send: UUID, limit: int) -> list[Rejected]:
    """The first of those that were left out of a submission, in the order of the request."""
    rows = await _rows(session, _REJECTED, {"send": send, "account": account, "limit": limit})
    return [Rejected(**row["value"]) for row in rows]


async def list_messages(
    session: Session, account: UUID, send: UUID, window: tuple[str | None, int, int]
) -> list[SentMessage]:
    """Messages of a submission in its order. `window`: (outcome or None, first ordinal, limit)."""
    outcome, first, limit = window
    where = " AND m.submission_id = :send AND m.ordinal >= :first"
    parameters: dict[str, Any] = {"account": account, "send": send, "first": first, "limit": limit}
    if outcome is not None:
        where += f" AND {_OUTCOME} = :outcome"
        parameters["outcome"] = outcome
    rows = await _rows(session, f"{_MESSAGE}{where} ORDER BY m.ordinal LIMIT :limit", parameters)
    return [SentMessage(**row) for row in rows]


async def find_message(session: Session, account: UUID, message: int) -> SentMessage | None:
    """One message of this account."""
    rows = await _rows(session, _MESSAGE + " AND m.id = :message", {"account": account, "message": message})
    return SentMessage(**rows[0]) if rows else None


async def attempts_of(session: Session, messages: Sequence[SentMessage]) -> dict[int, list[Try]]:
    """Every try at these messages (which the caller may see) in order, and what reports made of the last one.

    The settling try is on the message itself, until a report corrects it: then it is in the correction.
    """
    tries: dict[int, list[Try]] = {message.id: [] for message in messages}
    for row in await _rows(session, _ATTEMPTS, {"messages": list(tries)}):
        earlier = tries[row["message_id"]]
        fields = {name: value for name, value in row.items() if name != "message_id"}
        earlier.append(Try(**fields, possible_duplicate=_after_uncertain(earlier)))
    before: dict[int, list[RowMapping]] = {}
    for row in await _rows(session, _BEFORE, {"messages": list(tries)}):
        before.setdefault(row["message_id"], []).append(row)
    for message in messages:
        earlier = tries[message.id]
        if message.outcome not in ("queued", "deferred") and message.attempts > len(earlier):
            earlier += _ends(message, before.get(message.id, []), _after_uncertain(earlier))
    return tries


def _after_uncertain(tries: Sequence[Try]) -> bool:
    return any(earlier.outcome == "uncertain" for earlier in tries)


_END = ("outcome", "host", "code", "enhanced", "reply", "reason")


def _ends(message: SentMessage, before: Sequence[RowMapping], possible_duplicate: bool) -> list[Try]:
    """The settling try as it was recorded, then each correction; the last of them is what the message is now."""
    ends = [dict(row) for row in before]
    ends.append({name: getattr(message, name) for name in _END} | {"ended_at": message.finished_at})
    return [
        Try(
            number=message.attempts,
            started_at=None if place else message.attempted_at,
            ended_at=end["ended_at"],
            possible_duplicate=possible_duplicate,
            by_report=place > 0,
            **{name: end[name] for name in _END},
        )
        for place, end in enumerate(ends)
    ]


@dataclass(frozen=True)
class Identity:
    """An API user that can send, and the addresses' domains it may use now."""

    name: str
    kind: str
    is_test: bool
    domains: tuple[str, ...]


@dataclass(frozen=True)
class Approved:
    """A template that can be sent: its newest approved version."""

    invoke_name: str
    name: str
    kind: str
    subject: str
    variables: tuple[str, ...]
    html: str
    text: str
    number: int
    """Of that version."""


_IDENTITIES = """
SELECT u.name, u.kind, u.is_test, array_remove(array_agg(d.name ORDER BY d.name), NULL) AS domains
FROM api_user u
LEFT JOIN api_user_domain b ON b.api_user_id = u.id
LEFT JOIN sender_domain d ON d.id = b.domain_id AND d.state = 'usable'
WHERE u.account_id = :account AND u.disabled_at IS NULL
GROUP BY u.id ORDER BY u.is_test, u.created_at
"""


async def sending_identities(session: Session, account: UUID) -> list[Identity]:
    """Enabled API users with their usable domains, test users last."""
    rows = await _rows(session, _IDENTITIES, {"account": account})
    return [Identity(**{**row, "domains": tuple(row["domains"])}) for row in rows]


_APPROVED = """
SELECT t.invoke_name, t.name, t.kind, v.subject, v.variables, v.html, v.text, v.number
FROM template t JOIN LATERAL (
    SELECT subject, variables, html, text, number FROM template_version
    WHERE template_id = t.id AND state = 'approved' ORDER BY number DESC LIMIT 1) v ON true
WHERE t.account_id = :account AND t.deleted_at IS NULL
"""


async def approved_templates(session: Session, account: UUID, name: str | None = None) -> list[Approved]:
    """Templates with an approved version (or the one called `name`), newest first, samples last."""
    where = " AND t.invoke_name = :name" if name is not None else ""
    rows = await _rows(
        session,
        f"{_APPROVED}{where} ORDER BY t.is_sample, t.created_at DESC",
        {"account": account} | ({"name": name} if name is not None else {}),
    )
    return [Approved(**{**row, "variables": tuple(row["variables"])}) for row in rows]


async def test_sends_used(session: Session, account: UUID, day: dt.date) -> int:
    """Messages that test API users of this account sent on that day."""
    query = "SELECT used FROM quota_use WHERE account_id = :account AND day = :day AND is_test"
    rows = await _rows(session, query, {"account": account, "day": day})
    return int(rows[0]["used"]) if rows else 0


async def confirmed_address(session: Session, account: UUID, member: UUID) -> str | None:
    """The member's own address, once it is confirmed."""
    query = "SELECT email FROM member WHERE id = :member AND account_id = :account AND email_confirmed_at IS NOT NULL"
    rows = await _rows(session, query, {"account": account, "member": member})
    return str(rows[0]["email"]) if rows else None
