"""Accounts, their members, and who is asking."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

SYSTEM_ACCOUNT = UUID("01900000-0000-7000-8000-000000000001")
"""The platform's own account: its mails go through the same engine as everybody's."""

LINK_VALID_HOURS = 48
RESENDS_PER_DAY = 5
SESSION_DAYS = 14


class Role(StrEnum):
    """What a member is in the account; `domain/members.py` says what each may do."""

    OWNER = "owner"
    ADMIN = "admin"
    DEVELOPER = "developer"
    FINANCE = "finance"
    VIEWER = "viewer"


class AccountState(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"
    CLOSED = "closed"


@dataclass(frozen=True)
class Caller:
    """Who makes a request: a signed-in member, or an API user or SMS user by its key (then `member_id` is None)."""

    account_id: UUID
    member_id: UUID | None = None
    api_user_id: UUID | None = None
    sms_user_id: UUID | None = None
    session_id: UUID | None = None
    role: Role = Role.OWNER
    """What the member may do in the account; see `domain/members.py`."""


@dataclass(frozen=True)
class Profile:
    """The signed-in member and the account, for the head of each page."""

    account_id: UUID
    account_name: str
    member_id: UUID
    email: str
    language: str
    role: Role = Role.OWNER


@dataclass(frozen=True)
class SignedIn:
    """A new session. `token` is shown this once."""

    token: str
    expires_at: dt.datetime
    caller: Caller
    session_id: UUID
