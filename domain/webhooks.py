"""Events as facts, the endpoints that hear of them, and how a delivery is signed and tried again (design §4.10).

An endpoint has one of two formats: JSON signed after the Standard Webhooks specification, version 1 (symmetric), or the
form that SendCloud posts (`domain/webhook_forms.py`).
"""

import base64
import datetime as dt
import hmac
import json
import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import idna

from domain.errors import Refusal
from domain.ids import Process, iso
from domain.webhook_forms import app_key

MAX_ENDPOINTS = 20
"""Endpoints of one account."""
MAX_URL = 2000
SECRET_PREFIX = "whsec_"
OLD_SECRET_SIGNS = dt.timedelta(hours=24)
"""After a rotation the old secret signs beside the new one for so long."""
BACK_OFF = tuple(dt.timedelta(seconds=s) for s in (5, 55, 300, 840, 2400, 3600, 7200, 14_400, *8 * (28_800,)))
"""Waits after the first, second … failure in a row: five in the first hour, later every 8 hours; 72 hours in all."""
DISABLED_AFTER = sum(BACK_OFF, dt.timedelta())
"""An endpoint that failed for so long without one success is disabled and its owner told."""
MAX_TRIES = len(BACK_OFF) + 1
"""Tries of one event while its endpoint takes others: over the same 72 hours."""


class Format(StrEnum):
    """What is posted; chosen when an endpoint is made."""

    STANDARD = "standard"
    """JSON after Standard Webhooks."""
    SENDCLOUD = "sendcloud"
    """The form of SendCloud's WebHook (reference §8)."""


ANSWER_SECONDS = {Format.STANDARD: 15.0, Format.SENDCLOUD: 3.0}
"""A receiver answers within so many seconds; SendCloud's has three (reference §8.1)."""


class Event(StrEnum):
    """E-mail events by SendCloud's names (design §4.10); those of SMS by SMSHook's (reference §8.5), `sms_` before."""

    REQUEST = "request"
    DELIVER = "deliver"
    OPEN = "open"
    CLICK = "click"
    UNSUBSCRIBE = "unsubscribe"
    REPORT_SPAM = "report_spam"
    INVALID = "invalid"
    SOFT_BOUNCE = "soft_bounce"
    ROUTE = "route"
    SMS_REQUEST = "sms_request"
    SMS_DELIVER = "sms_deliver"
    SMS_WORKERERROR = "sms_workererror"
    """It failed before a carrier had it."""
    SMS_DELIVERERROR = "sms_delivererror"
    """It failed by a carrier's word, or for want of one."""
    SMS_REPLY = "sms_reply"
    SMS_TEMPLATE_VERIFY = "sms_template_verify"
    """A template was reviewed."""

    @property
    def is_sms(self) -> bool:
        """SendCloud posts it to an SMSHook, not to a WebHook."""
        return self.startswith("sms_")


SMS_EVENTS = tuple(event for event in Event if event.is_sms)


PING = "ping"
"""The event of a test; every endpoint hears it, nobody chooses it."""


class EndpointState(StrEnum):
    ENABLED = "enabled"
    DISABLED = "disabled"


class DisabledBy(StrEnum):
    """Why an endpoint is disabled."""

    CUSTOMER = "customer"
    GONE = "gone"
    """It answered 410."""
    FAILING = "failing"
    """It failed for `DISABLED_AFTER`."""


class Failure(StrEnum):
    """Why a request to an endpoint did not count, when there was no HTTP status to say so."""

    DNS = "dns"
    REFUSED_ADDRESS = "refused_address"
    """The name leads to a private or reserved address (SSRF guard)."""
    REFUSED_PORT = "refused_port"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    BROKEN = "broken"
    """The connection ended before the answer was complete, or it was no HTTP."""
    SECRET = "secret"
    """The stored secret cannot be read: rotate it."""


@dataclass(frozen=True)
class Answer:
    """What one request came to: a `status` (then `response` holds its first words), or a `failure`."""

    status: int | None
    failure: Failure | None
    response: str = ""
    milliseconds: int = 0

    @property
    def error(self) -> str | None:
        """None when the event is acknowledged (2xx), else a class: `http_500`, `timeout` …"""
        if self.failure is not None:
            return self.failure.value
        return None if self.status is not None and 200 <= self.status < 300 else f"http_{self.status}"


class Stage(StrEnum):
    """Where the process of an endpoint is."""

    IDLE = "idle"
    DELIVERING = "delivering"
    BACKING_OFF = "backing_off"
    DISABLED = "disabled"
    DELETED = "deleted"


@dataclass(frozen=True)
class DrainOrder:
    """Input of one pass: whose, and the workflow's time."""

    process: Process
    at: dt.datetime


@dataclass(frozen=True)
class Drained:
    """What one pass came to. `wait_seconds`: when to look again without being nudged (None: not at all; 0: now)."""

    stage: Stage
    delivered: int = 0
    failed: int = 0
    pending: int = 0
    failures: int = 0
    last_error: str = ""
    wait_seconds: float | None = None
    disabled_by: str = ""
    owner_waits: bool = False
    """We disabled it, and its owner was not told yet."""


@dataclass(frozen=True)
class DeliveryProgress:
    """Answer of the query `progress`: totals of this run of the workflow, and the last pass."""

    stage: Stage
    delivered: int
    failed: int
    pending: int
    last_error: str
    next_look: dt.datetime | None


@dataclass(frozen=True)
class OwedEvent:
    """One fact that the account's endpoints want to hear. `data` is what the receiver reads (JSON, no NUL)."""

    account_id: UUID
    kind: Event
    message_id: int | None
    occurred_at: dt.datetime
    data: dict[str, Any] = field(default_factory=dict)


def message_data(submission: UUID, message: int, ordinal: int, recipient: str, label: str) -> dict[str, Any]:
    """What every event of a message says of it."""
    return {
        "submission_id": str(submission),
        "message_id": message,
        "ordinal": ordinal,
        "recipient": recipient,
        "label": label,
    }


def new_secret(form: Format = Format.STANDARD) -> str:
    """`whsec_` and 32 random bytes in base64, as the specification writes a symmetric secret; or an APP KEY."""
    if form is Format.SENDCLOUD:
        return app_key()
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def binding(endpoint: UUID | str) -> str:
    """What ties a sealed secret to its endpoint's row."""
    return f"webhook/{endpoint}"


def event_id(row: int) -> str:
    """The `webhook-id` of an event: the same at every try, so that a receiver can tell a repeat."""
    return f"evt_{row}"


def signed_headers(event: str, sent_at: dt.datetime, body: bytes, secrets_: list[str]) -> dict[str, str]:
    """Content type and the three headers of the specification; one signature per secret, newest first."""
    seconds = str(int(sent_at.timestamp()))
    content = f"{event}.{seconds}.".encode() + body
    return {
        "Content-Type": "application/json",
        "webhook-id": event,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(_signature(secret, content) for secret in secrets_),
    }


def _signature(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode()


def back_off(failures: int) -> dt.timedelta:
    """How long to wait after the given number of failures in a row (1 or more)."""
    return BACK_OFF[min(failures, len(BACK_OFF)) - 1]


def checked_url(url: str) -> str:
    """The URL as it will be called; raises `Refusal` (`webhook_url`, field `url`) naming the problem."""
    text = url.strip()
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname or ""
    except ValueError as error:
        raise _bad_url("malformed") from error
    problem = _url_problem(text, parts.scheme, host)
    if problem or port == 0 or parts.username is not None or parts.password is not None or parts.fragment:
        raise _bad_url(problem or "parts")
    ascii_host = _ascii(host)
    place = f"[{ascii_host}]" if ":" in ascii_host else ascii_host
    return parts._replace(netloc=place if port is None else f"{place}:{port}").geturl()


def _url_problem(text: str, scheme: str, host: str) -> str | None:
    if scheme not in ("http", "https"):
        return "scheme"
    if not host:
        return "host"
    if len(text) > MAX_URL:
        return "long"
    return "malformed" if any(c.isspace() or not c.isprintable() for c in text) else None


def _ascii(host: str) -> str:
    """A host name in A-labels (IDNA 2008); addresses pass as they are."""
    if host.isascii():
        return host.lower()
    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError as error:
        raise _bad_url("host") from error


def _bad_url(problem: str) -> Refusal:
    return Refusal("webhook_url_" + problem, field="url")


def checked_events(names: list[str]) -> list[str]:
    """The chosen events in a fixed order, each once; raises `Refusal` for an empty choice or an unknown name."""
    if not names:
        raise Refusal("webhook_events_empty", field="events")
    known = [event.value for event in Event]
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise Refusal("webhook_event_unknown", field="events", name=unknown[0][:40], known=", ".join(known))
    return [name for name in known if name in names]


def body_of(kind: str, occurred_at: dt.datetime, number: int, data: dict[str, Any]) -> bytes:
    """The JSON that is posted, the same bytes at every try. `number` shows gaps, not order."""
    content = {"type": kind, "timestamp": iso(occurred_at), "number": number, "data": data}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
