"""The queues of reviews, by who decides."""

from collections.abc import Mapping
from enum import StrEnum

from domain.operators import Duty


class Queue(StrEnum):
    """What waits for operators."""

    TEMPLATES = "templates"
    CERTIFICATIONS = "certifications"
    """Those with a website."""
    EXCEPTIONS = "exceptions"
    """Certifications without one: support decides (seed 2.4)."""
    SMS_TEMPLATES = "sms_templates"
    SMS_SIGNATURES = "sms_signatures"


DUTY_OF: Mapping[Queue, Duty] = {
    Queue.TEMPLATES: Duty.REVIEW,
    Queue.CERTIFICATIONS: Duty.REVIEW,
    Queue.SMS_TEMPLATES: Duty.REVIEW,
    Queue.SMS_SIGNATURES: Duty.REVIEW,
    Queue.EXCEPTIONS: Duty.EXCEPTIONS,
}
