"""What the rows of all features say about one account's path, and what exactly a step lacks."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from domain.certification import CertificationKind, CertificationState
from domain.domains import Purpose
from domain.onboarding import STEPS, Fact, Facts, SmsStage, Stage, Step, finishing_fact
from domain.times import SHANGHAI


class Missing(StrEnum):
    """What exactly keeps a step from being finished."""

    EMAIL_UNCONFIRMED = "email_unconfirmed"
    NO_DOMAIN = "no_domain"
    DOMAIN_WAITS_FOR_DNS = "domain_waits_for_dns"
    DOMAIN_RECORD_BROKEN = "domain_record_broken"
    NO_API_USER = "no_api_user"
    API_USER_WITHOUT_DOMAIN = "api_user_without_domain"
    NO_TEMPLATE = "no_template"
    TEMPLATE_NOT_SUBMITTED = "template_not_submitted"
    TEMPLATE_IN_REVIEW = "template_in_review"
    TEMPLATE_REJECTED = "template_rejected"
    NOTHING_SENT = "nothing_sent"
    NOTHING_DELIVERED_YET = "nothing_delivered_yet"
    SENDS_FAILED = "sends_failed"
    CERTIFICATION_NOT_BEGUN = "certification_not_begun"
    CERTIFICATION_DRAFT = "certification_draft"
    CERTIFICATION_IN_REVIEW = "certification_in_review"
    CERTIFICATION_REJECTED = "certification_rejected"
    CERTIFICATION_EXPIRED = "certification_expired"
    CERTIFICATION_REVOKED = "certification_revoked"
    ENTERPRISE_NEEDED = "enterprise_needed"
    """The certification, or the application, is of a person; SMS needs the enterprise kind."""
    NOT_RECHARGED = "not_recharged"
    RECHARGE_WAITS = "recharge_waits"
    """An order is open and not paid."""
    NO_SMS_USER = "no_sms_user"
    NO_SMS_TEMPLATE = "no_sms_template"
    SMS_TEMPLATE_NOT_SUBMITTED = "sms_template_not_submitted"
    SMS_TEMPLATE_IN_REVIEW = "sms_template_in_review"
    SMS_TEMPLATE_REJECTED = "sms_template_rejected"
    NO_SMS_SENT = "no_sms_sent"
    SMS_NOT_RECEIVED_YET = "sms_not_received_yet"
    """A carrier has it, or will; its receipt has not come."""
    SMS_FAILED = "sms_failed"


WAITS_FOR_US = frozenset({
    Missing.TEMPLATE_IN_REVIEW, Missing.NOTHING_DELIVERED_YET, Missing.CERTIFICATION_IN_REVIEW,
    Missing.SMS_TEMPLATE_IN_REVIEW, Missing.SMS_NOT_RECEIVED_YET,
})  # fmt: skip
"""The next move is ours, so the customer is not reminded."""


@dataclass(frozen=True)
class Fault:
    """The sender domain that is waited for, and its needed record that is at fault, as far as known."""

    domain_id: UUID
    domain: str
    record: Purpose | None


@dataclass(frozen=True)
class Application:
    """One certification as far as the path needs it: no names, no numbers of people."""

    id: UUID
    kind: CertificationKind
    state: CertificationState
    number: int = 1
    due_at: dt.datetime | None = None
    due_provisional: bool = False
    reason: str = ""
    part_reasons: Mapping[str, str] = field(default_factory=dict)
    valid_until: dt.date | None = None

    def holds(self, today: dt.date) -> bool:
        """Whether it is approved and not expired: its last day counts (days of Asia/Shanghai)."""
        approved = self.state is CertificationState.APPROVED
        return approved and (self.valid_until is None or self.valid_until >= today)


@dataclass(frozen=True)
class Findings:
    """What the rows of one account say about the path; counts leave out samples, tests and what was deleted.

    `applications` holds none that was withdrawn.
    """

    facts: Facts = frozenset()
    domains: int = 0
    domains_broken: int = 0
    api_users: int = 0
    templates: int = 0
    templates_in_review: int = 0
    templates_rejected: int = 0
    submissions: int = 0
    in_flight: bool = False
    """A message of a non-test submission is still queued."""
    sms_users: int = 0
    sms_templates: int = 0
    sms_templates_in_review: int = 0
    sms_templates_rejected: int = 0
    sms_submissions: int = 0
    sms_in_flight: bool = False
    """The same of SMS: queued, or without its receipt."""
    fault: Fault | None = None
    applications: tuple[Application, ...] = ()
    open_order: UUID | None = None
    """The newest recharge that still waits to be paid."""


@dataclass(frozen=True)
class Lack:
    """What is missing for a step, with what there is to say of it."""

    code: Missing
    fault: Fault | None = None
    application: Application | None = None
    order: UUID | None = None


def certified_facts(applications: Sequence[Application], recharged: bool, today: dt.date) -> Facts:
    """The facts that certifications and recharges give on a day of Asia/Shanghai."""
    kinds = {each.kind for each in applications if each.holds(today)}
    facts = {Fact.CERTIFIED} if kinds else set()
    if CertificationKind.ENTERPRISE in kinds:
        facts.add(Fact.ENTERPRISE_CERTIFIED)
    if kinds and recharged:
        facts.add(Fact.PAID)
    return frozenset(facts)


def next_expiry(applications: Sequence[Application], now: dt.datetime) -> dt.datetime | None:
    """The moment at which the first of the certifications that hold now expires: the day after its last, 00:00."""
    today = now.astimezone(SHANGHAI).date()
    last = [each.valid_until for each in applications if each.holds(today) and each.valid_until is not None]
    if not last:
        return None
    return dt.datetime.combine(min(last) + dt.timedelta(days=1), dt.time(), SHANGHAI)


def lack_at(step: Step, found: Findings) -> Lack | None:
    """What is missing for a step of either track; None when its fact holds."""
    if step not in STEPS or finishing_fact(step) in found.facts:
        return None
    if step in (Stage.DOMAIN, Stage.API_USER):
        return Lack(_missing_plain(step, found), fault=found.fault if step is Stage.DOMAIN else None)
    if step is Stage.CERTIFY:
        return _lack_certification(found.applications)
    if step is SmsStage.CERTIFY:
        return _lack_enterprise(found.applications)
    if step in (Stage.PAY, SmsStage.PAY):
        waits = Missing.RECHARGE_WAITS if found.open_order else Missing.NOT_RECHARGED
        return Lack(waits, order=found.open_order)
    return Lack(_missing_plain(step, found))


def missing_at(step: Step, found: Findings) -> Missing | None:
    """The code alone."""
    lack = lack_at(step, found)
    return lack.code if lack else None


def _missing_plain(step: Step, found: Findings) -> Missing:
    if step is Stage.REGISTER:
        return Missing.EMAIL_UNCONFIRMED
    if step is Stage.DOMAIN:
        return _missing_domain(found)
    if step is Stage.API_USER:
        return Missing.API_USER_WITHOUT_DOMAIN if found.api_users else Missing.NO_API_USER
    if isinstance(step, SmsStage):
        return _missing_sms(step, found)
    return _missing_template(found) if step is Stage.TEMPLATE else _missing_send(found)


def _missing_sms(step: SmsStage, found: Findings) -> Missing:
    if step is SmsStage.USER:
        return Missing.NO_SMS_USER
    return _missing_sms_template(found) if step is SmsStage.TEMPLATE else _missing_sms_send(found)


def _missing_sms_template(found: Findings) -> Missing:
    if found.sms_templates_in_review:
        return Missing.SMS_TEMPLATE_IN_REVIEW
    if found.sms_templates_rejected:
        return Missing.SMS_TEMPLATE_REJECTED
    return Missing.SMS_TEMPLATE_NOT_SUBMITTED if found.sms_templates else Missing.NO_SMS_TEMPLATE


def _missing_sms_send(found: Findings) -> Missing:
    if not found.sms_submissions:
        return Missing.NO_SMS_SENT
    return Missing.SMS_NOT_RECEIVED_YET if found.sms_in_flight else Missing.SMS_FAILED


def _missing_domain(found: Findings) -> Missing:
    if found.domains_broken:
        return Missing.DOMAIN_RECORD_BROKEN
    return Missing.DOMAIN_WAITS_FOR_DNS if found.domains else Missing.NO_DOMAIN


def _missing_template(found: Findings) -> Missing:
    if found.templates_in_review:
        return Missing.TEMPLATE_IN_REVIEW
    if found.templates_rejected:
        return Missing.TEMPLATE_REJECTED
    return Missing.TEMPLATE_NOT_SUBMITTED if found.templates else Missing.NO_TEMPLATE


def _missing_send(found: Findings) -> Missing:
    if not found.submissions:
        return Missing.NOTHING_SENT
    return Missing.NOTHING_DELIVERED_YET if found.in_flight else Missing.SENDS_FAILED


_APPLIED = {
    CertificationState.DRAFT: Missing.CERTIFICATION_DRAFT,
    CertificationState.SUBMITTED: Missing.CERTIFICATION_IN_REVIEW,
    CertificationState.REJECTED: Missing.CERTIFICATION_REJECTED,
    CertificationState.REVOKED: Missing.CERTIFICATION_REVOKED,
    CertificationState.APPROVED: Missing.CERTIFICATION_EXPIRED,
}
"""What the newest application says when none holds: one that was approved has expired."""


def _lack_certification(applications: Sequence[Application]) -> Lack:
    if not applications:
        return Lack(Missing.CERTIFICATION_NOT_BEGUN)
    waiting = [each for each in applications if each.state is CertificationState.SUBMITTED]
    newest = max(waiting or applications, key=lambda each: each.number)
    return Lack(_APPLIED[newest.state], application=newest)


def _lack_enterprise(applications: Sequence[Application]) -> Lack:
    enterprise = [each for each in applications if each.kind is CertificationKind.ENTERPRISE]
    if applications and not enterprise:
        return Lack(Missing.ENTERPRISE_NEEDED)
    return _lack_certification(enterprise)
