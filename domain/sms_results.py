"""How an SMS ends: SendCloud's result codes, our reasons, and what a carrier's receipt means.

Codes, block times and scopes are those of reference §7.7; the carriers' codes are those of domain-rules §4.4. Carriers
differ in what they mean by one code, so whatever is not known for certain is `OTHER`, which blocks nobody.
"""

import datetime as dt
import re
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from domain.sending import Reason


class SmsScope(StrEnum):
    """Whom an interception blocks."""

    GLOBAL = "global"
    """Everybody (全局拦截)."""
    LOCAL = "local"
    """The account whose message met it (局部拦截)."""


class ResultCode(IntEnum):
    """`statusCode` of `status/query` and SMSHook; 4xx: failed before a carrier got it, 5xx: the carrier's word."""

    PROCESSING = 400
    """Ours: failed before it was sent for a reason that the reference has no code for."""
    BLOCKED_GLOBAL = 410
    BLOCKED_LOCAL = 420
    OPTED_OUT = 430
    KEYWORD = 440
    VARIABLES = 450
    TOO_LONG = 460
    EMPTY_NUMBER = 500
    SUSPENDED = 510
    BLACKLISTED = 520
    BUSY = 530
    NO_ANSWER = 540
    INTERCEPTED = 550
    HANDSET = 560
    OUT_OF_AREA = 570
    SWITCHED_OFF = 580
    OTHER = 590

    @property
    def is_delivery(self) -> bool:
        """A carrier had the message; only then its number is listed."""
        return self >= ResultCode.EMPTY_NUMBER


class SmsReason(StrEnum):
    """Why an SMS was not delivered: `message.reason`, part of `/v1`, webhooks and exports.

    Where mail says the same it is the same word.
    """

    BLOCKED_GLOBAL = "sms.blocked_global"
    BLOCKED_LOCAL = "sms.blocked_local"
    OPTED_OUT = "sms.opted_out"
    KEYWORD = "sms.keyword"
    VARIABLES = Reason.RENDER_FAILED.value
    """Its text cannot be made of its values."""
    TOO_LONG = "sms.too_long"
    EMPTY_NUMBER = "sms.empty_number"
    SUSPENDED = "sms.suspended"
    BLACKLISTED = "sms.blacklisted"
    BUSY = "sms.busy"
    NO_ANSWER = "sms.no_answer"
    INTERCEPTED = "sms.intercepted"
    HANDSET = "sms.handset"
    OUT_OF_AREA = "sms.out_of_area"
    SWITCHED_OFF = "sms.switched_off"
    OTHER = "sms.other"
    NO_ROUTE = "sms.no_route"
    """No carrier takes such a number and text, or none is there just now."""
    CONN = Reason.CONN.value
    RATE_LIMITED = Reason.RATE_LIMITED.value
    EXPIRED = Reason.EXPIRED.value
    """Nobody took it, or nobody reported of it, until its time ended."""
    UNCERTAIN = Reason.UNCERTAIN.value
    """The dialogue with the carrier broke before its answer."""


_SAME_NAME = {reason: ResultCode[reason.name] for reason in SmsReason if reason.name in ResultCode.__members__}
_CODES = _SAME_NAME | {
    SmsReason.NO_ROUTE: ResultCode.PROCESSING,
}
HELD_REASONS = {
    SmsScope.GLOBAL: SmsReason.BLOCKED_GLOBAL,
    SmsScope.LOCAL: SmsReason.BLOCKED_LOCAL,
}
"""What a message's reason is when its number is on the interception list."""


@dataclass(frozen=True)
class Block:
    """What a failure does to its number: for how long it is blocked (zero: it is only listed) and for whom."""

    scope: SmsScope
    lasts: dt.timedelta = dt.timedelta()


_HOUR = dt.timedelta(hours=1)
BLOCKS = {
    ResultCode.EMPTY_NUMBER: Block(SmsScope.GLOBAL, dt.timedelta(days=30)),
    ResultCode.SUSPENDED: Block(SmsScope.GLOBAL, _HOUR),
    ResultCode.BLACKLISTED: Block(SmsScope.LOCAL, _HOUR),
    ResultCode.BUSY: Block(SmsScope.LOCAL),
    ResultCode.NO_ANSWER: Block(SmsScope.LOCAL),
    ResultCode.INTERCEPTED: Block(SmsScope.LOCAL, _HOUR),
    ResultCode.HANDSET: Block(SmsScope.GLOBAL, _HOUR),
    ResultCode.OUT_OF_AREA: Block(SmsScope.GLOBAL, _HOUR),
    ResultCode.SWITCHED_OFF: Block(SmsScope.LOCAL),
    ResultCode.OTHER: Block(SmsScope.LOCAL),
}
"""Of every delivery result (reference §7.7)."""

CARRIER_CODES = {
    # The MSC: the number itself.
    "MK:0000": SmsReason.EMPTY_NUMBER,
    "MK:0001": SmsReason.EMPTY_NUMBER,
    "MK:0004": SmsReason.SUSPENDED,
    "MK:0005": SmsReason.SUSPENDED,
    "MK:0013": SmsReason.SUSPENDED,
    "MK:0010": SmsReason.SWITCHED_OFF,
    "MK:0012": SmsReason.SWITCHED_OFF,
    "MK:0023": SmsReason.SWITCHED_OFF,
    "MK:0014": SmsReason.INTERCEPTED,
    "MK:0115": SmsReason.INTERCEPTED,
    "MK:0208": SmsReason.HANDSET,
    "MK:0209": SmsReason.HANDSET,
    # The SMSC: the handset just now.
    "MI:0017": SmsReason.HANDSET,
    "MI:0022": SmsReason.HANDSET,
    "MI:0029": SmsReason.HANDSET,
    "MI:0099": SmsReason.HANDSET,
    "MI:0208": SmsReason.HANDSET,
    "MI:0209": SmsReason.HANDSET,
    "MI:0019": SmsReason.SUSPENDED,
    "MI:0051": SmsReason.SUSPENDED,
    "MI:0024": SmsReason.SWITCHED_OFF,
    "MI:0042": SmsReason.SWITCHED_OFF,
    "MI:0076": SmsReason.SWITCHED_OFF,
    "MI:0082": SmsReason.SWITCHED_OFF,
    "MI:0052": SmsReason.OUT_OF_AREA,
    "MI:0055": SmsReason.OUT_OF_AREA,
    # The carrier's gateway: its lists and rules.
    "MA:0001": SmsReason.BLACKLISTED,
    "MA:0023": SmsReason.BLACKLISTED,
    "MA:0002": SmsReason.INTERCEPTED,
    "MA:0024": SmsReason.INTERCEPTED,
    "MA:0025": SmsReason.INTERCEPTED,
    "MA:0005": SmsReason.EMPTY_NUMBER,
    "MA:0021": SmsReason.EMPTY_NUMBER,
    # Who keeps prepaid accounts.
    "CB:0001": SmsReason.EMPTY_NUMBER,
    "CB:0053": SmsReason.EMPTY_NUMBER,
    "CB:0005": SmsReason.SUSPENDED,
    "CB:0007": SmsReason.SUSPENDED,
    # Vendors.
    "HD:0001": SmsReason.BLACKLISTED,
    "DB:0144": SmsReason.BLACKLISTED,
    "MBBLACK": SmsReason.BLACKLISTED,
    "DBBLACK": SmsReason.BLACKLISTED,
    "BLACK": SmsReason.BLACKLISTED,
    "SIGFAIL": SmsReason.INTERCEPTED,
    "SIGNBLOCKED": SmsReason.INTERCEPTED,
    "KEYWORD": SmsReason.INTERCEPTED,
    "BUSY": SmsReason.BUSY,
    "NOANSWER": SmsReason.NO_ANSWER,
}
"""A carrier's or vendor's own code, as `normal_code` writes it."""
_STATES = {"EXPIRED": SmsReason.EXPIRED}
_LETTERS_AND_DIGITS = re.compile(r"([A-Z]{2})[:\-_ ]?(\d{4})")


def normal_code(written: str) -> str:
    """A carrier's code in one spelling: `mk0001`, `err:MK:0001` and `MK-0001` are `MK:0001`."""
    code = written.strip(" \t\r\n\0").upper().removeprefix("ERR:").strip()
    known = _LETTERS_AND_DIGITS.fullmatch(code)
    return f"{known[1]}:{known[2]}" if known else code


def result_of(state: str, error: str) -> SmsReason:
    """Why the receipt of a failure says it failed; some carriers write their own code in place of the state."""
    for written in (error, state):
        if known := CARRIER_CODES.get(normal_code(written)):
            return known
    return _STATES.get(normal_code(state), SmsReason.OTHER)


def code_of(reason: str) -> ResultCode:
    """SendCloud's code of a message's reason; `OTHER` for what has none."""
    return _CODES.get(SmsReason(reason), ResultCode.OTHER) if reason in set(SmsReason) else ResultCode.OTHER
