"""What a message travels by, and in which line it waits for the relay."""

from enum import IntEnum, StrEnum


class Channel(StrEnum):
    EMAIL = "email"
    SMS = "sms"


class DueLine(IntEnum):
    """`due.line`: each line has a relay of its own, so that what is in one never waits for what is in another."""

    MAIL = 0
    SMS = 1
    """Notices."""
    SMS_MARKETING = 2
    SMS_CODES = 3
    """A flood of marketing or of notices never stands before a code, not even of its own account."""

    @property
    def channel(self) -> Channel:
        return Channel.EMAIL if self is DueLine.MAIL else Channel.SMS
