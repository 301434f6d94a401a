"""The interception list: numbers that failed, whom they are blocked for and how long (seed 3.6 ①, reference §7.7)."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, Index, SmallInteger, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from domain.accounts import SYSTEM_ACCOUNT
from domain.ids import new_id
from domain.sms import SmsKind
from domain.sms_results import BLOCKS, HELD_REASONS, ResultCode, SmsReason, SmsScope, code_of
from store.columns import moment, now
from store.db import Connection, by_column

ERROR_SHOWN = 40
"""Characters kept of what a carrier wrote."""


class SmsInterception(SQLModel, table=True):
    """The latest failure of one kind of one number, with the account whose message met it."""

    __tablename__ = "sms_interception"
    __table_args__ = (
        UniqueConstraint("account_id", "phone", "code"),
        Index("sms_interception_phone", "phone", "until"),
        Index("sms_interception_newest", "account_id", "id"),
        Index("sms_interception_global", "id", postgresql_where=text("scope = 'global'")),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id")
    """The source (来源); the platform's own: entered by an operator, or met by one of its messages."""
    phone: str
    """E.164."""
    code: int = Field(sa_type=SmallInteger)
    """500 to 590, see `domain.sms_results`."""
    scope: str
    """`global`: for everybody; `local`: for the source."""
    until: dt.datetime | None = moment(default=None)
    """It blocks until then; None: it is listed and blocks nothing."""
    times: int = 1
    error: str = ""
    """What the carrier said last."""
    message_id: int | None = Field(default=None, sa_type=BigInteger)
    note: str = Field(default="", sa_column_kwargs={"server_default": ""})
    """Of the operator who entered it."""
    created_at: dt.datetime = moment(default_factory=now)
    updated_at: dt.datetime = moment(default_factory=now)
    removed_at: dt.datetime | None = moment(default=None)
    removed_by: str | None = None


class SmsUnblockRequest(SQLModel, table=True):
    """A customer asks support to lift a global interception that is not theirs (seed 3.6 ①)."""

    __tablename__ = "sms_unblock_request"
    __table_args__ = (
        Index(
            "sms_unblock_request_open",
            "account_id",
            "phone",
            unique=True,
            postgresql_where=text("decided_at IS NULL"),
        ),
    )
    id: UUID = Field(default_factory=new_id, primary_key=True)
    account_id: UUID = Field(foreign_key="account.id", index=True)
    phone: str
    note: str = ""
    created_at: dt.datetime = moment(default_factory=now)
    decided_at: dt.datetime | None = moment(default=None)
    decided_by: str | None = None
    lifted: bool = False
    reason: str = ""


class SmsHeld(NamedTuple):
    """Why a number must not be written to: the failure's code, whom it blocks, until when."""

    code: int
    scope: SmsScope
    until: dt.datetime

    @property
    def reason(self) -> SmsReason:
        """Of a message that is held back by it."""
        return HELD_REASONS[self.scope]


class SmsFailure(NamedTuple):
    """A message that a carrier reported as failed. `reason` is an `SmsReason`, `error` the carrier's own words."""

    account: UUID
    phone: str
    message: int
    reason: str
    error: str = ""


# A global record is said before a local one, of several the one that lasts longest.
_HELD_BACK = f"""
SELECT DISTINCT ON (phone) phone, code, scope, until FROM sms_interception
WHERE phone = ANY($2::text[]) AND until > $3 AND removed_at IS NULL
  AND (scope = '{SmsScope.GLOBAL}' OR account_id = $1)
ORDER BY phone, scope = '{SmsScope.GLOBAL}' DESC, until DESC
"""  # noqa: S608 - constants of ours

WHY_HELD_BACK = f"""
CASE WHEN m.account_id = '{SYSTEM_ACCOUNT}' THEN ''
     WHEN s.kind = '{SmsKind.MARKETING}' AND EXISTS (
         SELECT FROM sms_opt_out o WHERE o.account_id = m.account_id AND o.phone = m.address)
     THEN '{SmsReason.OPTED_OUT}'
     ELSE coalesce((
         SELECT CASE i.scope WHEN '{SmsScope.GLOBAL}' THEN '{SmsReason.BLOCKED_GLOBAL}'
                             ELSE '{SmsReason.BLOCKED_LOCAL}' END
         FROM sms_interception i
         WHERE i.phone = m.address AND i.until > now() AND i.removed_at IS NULL
           AND (i.scope = '{SmsScope.GLOBAL}' OR i.account_id = m.account_id)
         ORDER BY i.scope = '{SmsScope.GLOBAL}' DESC LIMIT 1), '') END
"""  # noqa: S608 - constants of ours
"""SQL for whoever loads queued SMS, with `m` the message and `s` its submission: the `SmsReason` why it must not be
sent by now, or an empty text. A number that opted out is not written to even when it is intercepted, so that is said
first. The platform's own are held back by nothing: a code must reach whoever asks for it."""

# In the order of the key, so that two transactions wait for each other in one order. What was removed begins anew.
_NOTE = """
INSERT INTO sms_interception AS i
    (id, account_id, phone, code, scope, until, times, error, message_id, created_at, updated_at)
SELECT id, account, phone, code, scope, until, times, error, message, $9, $9
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::text[], $6::timestamptz[], $7::int[], $8::text[],
            $10::bigint[]) AS f (id, account, phone, code, scope, until, times, error, message)
ORDER BY account, phone, code
ON CONFLICT (account_id, phone, code) DO UPDATE SET
    id = CASE WHEN i.removed_at IS NULL THEN i.id ELSE excluded.id END,
    scope = CASE WHEN i.removed_at IS NULL AND i.until > $9 THEN i.scope ELSE excluded.scope END,
    until = CASE WHEN i.removed_at IS NULL THEN greatest(i.until, excluded.until) ELSE excluded.until END,
    times = CASE WHEN i.removed_at IS NULL THEN i.times + excluded.times ELSE excluded.times END,
    created_at = CASE WHEN i.removed_at IS NULL THEN i.created_at ELSE excluded.created_at END,
    error = excluded.error, message_id = excluded.message_id, updated_at = excluded.updated_at,
    removed_at = NULL, removed_by = NULL
WHERE i.message_id IS DISTINCT FROM excluded.message_id
"""


async def held_back(
    connection: Connection, account: UUID, phones: Collection[str], at: dt.datetime
) -> dict[str, SmsHeld]:
    """Those of these E.164 numbers that the account must not write to. One statement."""
    if account == SYSTEM_ACCOUNT or not phones:
        return {}
    rows = await connection.fetch(_HELD_BACK, account, list(phones), at)
    return {row["phone"]: SmsHeld(row["code"], SmsScope(row["scope"]), row["until"]) for row in rows}


async def note_failures(connection: Connection, failures: Sequence[SmsFailure], at: dt.datetime) -> None:
    """List the numbers of messages that have just failed; in the caller's transaction, once in it.

    Only what a carrier had is listed: what failed before (4xx) says nothing of its number. Of one message the second
    call changes nothing, unless another one failed in between.
    """
    listed: dict[tuple[UUID, str, int], list[SmsFailure]] = {}
    for failure in failures:
        if (code := code_of(failure.reason)).is_delivery:
            listed.setdefault((failure.account, failure.phone, code), []).append(failure)
    rows = [(new_id(), *key, *_row(key[2], met, at)) for key, met in listed.items()]
    if rows:
        *columns, messages = by_column(rows)
        await connection.execute(_NOTE, *columns, at, messages)


def _row(code: int, met: list[SmsFailure], at: dt.datetime) -> tuple[str, dt.datetime | None, int, str, int]:
    """(scope, until, times, error, message) of failures of one key."""
    block = BLOCKS[ResultCode(code)]
    until = at + block.lasts if block.lasts else None
    last = met[-1]
    times = len({failure.message for failure in met})
    return block.scope.value, until, times, last.error[:ERROR_SHOWN], last.message
