"""The words of SMS: what may be sent, where to, what one accepted request says (seed 3, reference §7)."""

import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from domain.channels import DueLine
from domain.sending import Rejected

MAX_NUMBERS = 2_000
"""Phone numbers of one request (reference §7.3); more is a task on a contact list."""
MAX_CHARACTERS = 500
"""Of a text with its values, signature and opt-out words (reference §7.6, 460)."""
MAX_VALUE = 32
"""Characters of a variable's value (reference §7.3, 483)."""
MAX_TAG = 128
"""Characters of the customer's own JSON that its hook hears again."""


class SmsKind(StrEnum):
    """What a template is for; carriers have separate channels for each (reference domain-rules §4.1)."""

    CODE = "code"
    """验证码"""
    NOTICE = "notice"
    """通知"""
    MARKETING = "marketing"
    """营销"""

    @property
    def line(self) -> DueLine:
        lines = {SmsKind.CODE: DueLine.SMS_CODES, SmsKind.MARKETING: DueLine.SMS_MARKETING}
        return lines.get(self, DueLine.SMS)


class Market(StrEnum):
    """Where a signature and its templates may be sent."""

    DOMESTIC = "domestic"
    """Mainland China: country code 86."""
    INTERNATIONAL = "international"


TIME_TO_LIVE = {
    SmsKind.CODE: dt.timedelta(minutes=10),
    SmsKind.NOTICE: dt.timedelta(hours=24),
    SmsKind.MARKETING: dt.timedelta(hours=72),
}
"""From when it may be sent until it is given up: a code that comes an hour later helps nobody."""
RECEIPT_TIMEOUT = dt.timedelta(hours=72)
"""From its submission; a message without a report by then is expired (domain-rules §4.1)."""


@dataclass(frozen=True)
class SmsRecipient:
    """One number as it was written, with its values; `line` is its place in the request (1-based)."""

    phone: str
    variables: dict[str, str] = field(default_factory=dict)
    line: int = 0


@dataclass(frozen=True)
class SmsRequest:
    """One request to send one approved template to numbers, each for itself.

    `template` names it by its number (SendCloud's templateId), its name or the UUID of `/v1`. `sms_user` empty: the
    caller's own (`Caller.sms_user_id`).
    """

    sms_user: str
    template: str
    recipients: tuple[SmsRecipient, ...]
    label: str = ""
    tag: str = ""
    market: Market | None = None
    """What the caller says the template is for; None: whatever it is."""
    idempotency_key: str | None = None
    key_lives: dt.timedelta = dt.timedelta(hours=24)
    """A repeat of the key within it gets the first answer (SendCloud's sendRequestId: 1 h)."""
    skip_invalid: bool = False
    is_test: bool = False
    """A test send of the portal: free, within its daily number, to be seen in lists and not in the onboarding."""
    task_id: UUID | None = None
    """The run of a scheduled task, or the contact-list task, that asks for it."""


@dataclass(frozen=True)
class AcceptedSms:
    """One number that was accepted."""

    line: int
    phone: str
    """E.164."""
    submission_id: UUID
    message_id: int
    ordinal: int
    segments: int


@dataclass(frozen=True)
class SmsAccepted:
    """The answer to an accepted request: durable before it is given.

    Numbers of several prices (countries) make several submissions, each with its own hold.
    """

    submissions: tuple[UUID, ...]
    messages: tuple[AcceptedSms, ...]
    rejected: tuple[Rejected, ...] = ()
    duplicates: int = 0
    sends_at: dt.datetime | None = None
    """Marketing outside its hours: when they begin; None: at once."""
    repeated: bool = False
