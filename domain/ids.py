"""Identifiers: UUIDv7 rows (time-ordered) and the workflow ids made of them."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

import uuid_utils.compat as uuids


def new_id() -> UUID:
    """A UUIDv7 (RFC 9562 §5.7). Not for workflow code, which uses `workflow.uuid4`."""
    return uuids.uuid7()


class Kind(StrEnum):
    """The durable processes. The value is the first part of the workflow id."""

    REGISTRATION = "registration"
    ONBOARDING = "onboarding"
    DOMAIN = "domain"
    TEMPLATE_REVIEW = "template-review"
    CERTIFICATION_REVIEW = "certification-review"
    RECHARGE = "recharge"
    REFUND = "refund"
    CAMPAIGN = "campaign"
    DELIVERY = "delivery"
    WEBHOOK = "webhook"
    LIST_IMPORT = "list-import"
    SMS_TEMPLATE_REVIEW = "sms-template-review"
    SMS_SIGNATURE_REVIEW = "sms-signature-review"
    SCHEDULED_TASK = "scheduled-task"
    """One run of a scheduled task; its Temporal Schedule is `schedule/{task}`."""


@dataclass(frozen=True)
class Process:
    """Which process this is: the input of every workflow.

    `epoch` is the database epoch at the start (design §3): an activity refuses to act for an older one.
    """

    kind: Kind
    subject: str
    account: str
    epoch: int

    @property
    def workflow_id(self) -> str:
        return workflow_id(self.kind, self.subject)


def workflow_id(kind: Kind, subject: UUID | str) -> str:
    """`template-review/0192…`."""
    return f"{kind.value}/{subject}"


def iso(moment: dt.datetime) -> str:
    """RFC 3339 in UTC with seconds, as `/v1` shows times."""
    return moment.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
