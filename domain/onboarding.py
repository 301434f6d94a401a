"""The path of a new customer: its steps, the facts that finish them, and every move between them (seed 2 and 3).

A *fact* is read from rows and holds or does not. A *change* is a fact that came to hold, or was withdrawn. Where a
customer is follows from the table `TRANSITIONS` alone, one step at a time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """The e-mail track, in the seed's order. A customer is at the first step that is not finished."""

    REGISTER = "register"
    DOMAIN = "domain"
    API_USER = "api_user"
    TEMPLATE = "template"
    SEND = "send"
    CERTIFY = "certify"
    PAY = "pay"
    DONE = "done"


class SmsStage(StrEnum):
    """The SMS track, in the seed's order. No step of it is open yet."""

    CERTIFY = "sms_certify"
    PAY = "sms_pay"
    USER = "sms_user"
    TEMPLATE = "sms_template"
    SEND = "sms_send"


Step = Stage | SmsStage


class Fact(StrEnum):
    """What finishes a step. `store.onboarding.findings` says from which rows each is read."""

    EMAIL_CONFIRMED = "email_confirmed"
    DOMAIN_USABLE = "domain_usable"
    API_USER_READY = "api_user_ready"
    """A non-test API user that is not disabled and bound to a usable domain."""
    TEMPLATE_APPROVED = "template_approved"
    """An approved version of a template that is not a sample."""
    FIRST_DELIVERED = "first_delivered"
    """A non-test submission with at least one delivered message."""
    CERTIFIED = "certified"
    PAID = "paid"
    ENTERPRISE_CERTIFIED = "enterprise_certified"
    SMS_USER_READY = "sms_user_ready"
    SMS_TEMPLATE_APPROVED = "sms_template_approved"
    SMS_DELIVERED = "sms_delivered"


Facts = frozenset[Fact]
"""The facts that hold now."""

EMAIL_TRACK: Mapping[Stage, Fact] = {
    Stage.REGISTER: Fact.EMAIL_CONFIRMED,
    Stage.DOMAIN: Fact.DOMAIN_USABLE,
    Stage.API_USER: Fact.API_USER_READY,
    Stage.TEMPLATE: Fact.TEMPLATE_APPROVED,
    Stage.SEND: Fact.FIRST_DELIVERED,
    Stage.CERTIFY: Fact.CERTIFIED,
    Stage.PAY: Fact.PAID,
}
SMS_TRACK: Mapping[SmsStage, Fact] = {
    SmsStage.CERTIFY: Fact.ENTERPRISE_CERTIFIED,
    SmsStage.PAY: Fact.PAID,
    SmsStage.USER: Fact.SMS_USER_READY,
    SmsStage.TEMPLATE: Fact.SMS_TEMPLATE_APPROVED,
    SmsStage.SEND: Fact.SMS_DELIVERED,
}
OPEN: frozenset[Step] = frozenset({Stage.REGISTER, Stage.DOMAIN, Stage.API_USER, Stage.TEMPLATE, Stage.SEND})
"""Steps that customers can take today; the work that builds another one adds it here."""


class Change(StrEnum):
    """What can happen to a fact. Deliveries and payments stay true once they were."""

    EMAIL_CONFIRMED = "email_confirmed"
    EMAIL_WITHDRAWN = "email_withdrawn"
    DOMAIN_USABLE = "domain_usable"
    DOMAIN_BROKEN = "domain_broken"
    API_USER_READY = "api_user_ready"
    API_USER_GONE = "api_user_gone"
    TEMPLATE_APPROVED = "template_approved"
    TEMPLATE_GONE = "template_gone"
    FIRST_DELIVERED = "first_delivered"
    CERTIFIED = "certified"
    CERTIFICATION_EXPIRED = "certification_expired"
    PAID = "paid"


WITHDRAWALS: Mapping[Fact, Change] = {
    Fact.EMAIL_CONFIRMED: Change.EMAIL_WITHDRAWN,
    Fact.DOMAIN_USABLE: Change.DOMAIN_BROKEN,
    Fact.API_USER_READY: Change.API_USER_GONE,
    Fact.TEMPLATE_APPROVED: Change.TEMPLATE_GONE,
    Fact.CERTIFIED: Change.CERTIFICATION_EXPIRED,
}
"""Facts that can be withdrawn, in the order of the track."""

TRANSITIONS: Mapping[Stage, Mapping[Change, Stage]] = {
    Stage.REGISTER: {
        Change.EMAIL_CONFIRMED: Stage.DOMAIN,
    },
    Stage.DOMAIN: {
        Change.EMAIL_WITHDRAWN: Stage.REGISTER,
        Change.DOMAIN_USABLE: Stage.API_USER,
    },
    Stage.API_USER: {
        Change.EMAIL_WITHDRAWN: Stage.REGISTER,
        Change.DOMAIN_BROKEN: Stage.DOMAIN,
        Change.API_USER_READY: Stage.TEMPLATE,
    },
    Stage.TEMPLATE: {
        Change.EMAIL_WITHDRAWN: Stage.REGISTER,
        Change.DOMAIN_BROKEN: Stage.DOMAIN,
        Change.API_USER_GONE: Stage.API_USER,
        Change.TEMPLATE_APPROVED: Stage.SEND,
    },
    Stage.SEND: {
        Change.EMAIL_WITHDRAWN: Stage.REGISTER,
        Change.DOMAIN_BROKEN: Stage.DOMAIN,
        Change.API_USER_GONE: Stage.API_USER,
        Change.TEMPLATE_GONE: Stage.TEMPLATE,
        Change.FIRST_DELIVERED: Stage.CERTIFY,
    },
    Stage.CERTIFY: {
        Change.EMAIL_WITHDRAWN: Stage.REGISTER,
        Change.DOMAIN_BROKEN: Stage.DOMAIN,
        Change.API_USER_GONE: Stage.API_USER,
        Change.TEMPLATE_GONE: Stage.TEMPLATE,
        Change.CERTIFIED: Stage.PAY,
    },
    Stage.PAY: {
        Change.EMAIL_WITHDRAWN: Stage.REGISTER,
        Change.DOMAIN_BROKEN: Stage.DOMAIN,
        Change.API_USER_GONE: Stage.API_USER,
        Change.TEMPLATE_GONE: Stage.TEMPLATE,
        Change.CERTIFICATION_EXPIRED: Stage.CERTIFY,
        Change.PAID: Stage.DONE,
    },
    Stage.DONE: {
        Change.EMAIL_WITHDRAWN: Stage.REGISTER,
        Change.DOMAIN_BROKEN: Stage.DOMAIN,
        Change.API_USER_GONE: Stage.API_USER,
        Change.TEMPLATE_GONE: Stage.TEMPLATE,
        Change.CERTIFICATION_EXPIRED: Stage.CERTIFY,
    },
}
"""Every legal move of the e-mail track. A change that a stage does not name moves nobody from there."""


def apply(stage: Stage, change: Change) -> Stage:
    """Where one change leads from `stage`."""
    return TRANSITIONS[stage].get(change, stage)


def walk(stage: Stage, facts: Facts) -> tuple[Stage, ...]:
    """The stages passed from `stage` until the facts lead no further; the first item is `stage` itself.

    Withdrawals come first, so a customer goes back to the earliest step that lacks its fact and then forward only
    through steps whose facts hold.
    """
    withdrawn = [change for fact, change in WITHDRAWALS.items() if fact not in facts]
    given = [Change(fact.value) for fact in EMAIL_TRACK.values() if fact in facts]
    path = [stage]
    for change in (*withdrawn, *given):
        after = apply(path[-1], change)
        if after is not path[-1]:
            path.append(after)
    return tuple(path)


PRECONDITIONS: Mapping[Step, tuple[Step, ...]] = {
    Stage.REGISTER: (),
    Stage.DOMAIN: (Stage.REGISTER,),
    Stage.API_USER: (Stage.REGISTER, Stage.DOMAIN),
    # While DNS spreads, a customer may already write templates: only sending needs both.
    Stage.TEMPLATE: (Stage.REGISTER,),
    Stage.SEND: (Stage.REGISTER, Stage.DOMAIN, Stage.API_USER, Stage.TEMPLATE),
    Stage.CERTIFY: (Stage.REGISTER,),
    Stage.PAY: (Stage.REGISTER, Stage.CERTIFY),
    Stage.DONE: tuple(EMAIL_TRACK),
    SmsStage.CERTIFY: (Stage.REGISTER,),
    SmsStage.PAY: (Stage.REGISTER, SmsStage.CERTIFY),
    SmsStage.USER: (Stage.REGISTER, SmsStage.CERTIFY, SmsStage.PAY),
    SmsStage.TEMPLATE: (Stage.REGISTER, SmsStage.CERTIFY, SmsStage.PAY, SmsStage.USER),
    SmsStage.SEND: (Stage.REGISTER, SmsStage.CERTIFY, SmsStage.PAY, SmsStage.USER, SmsStage.TEMPLATE),
}
"""What must be finished before a step may be taken. Certification may come before the first send (seed 3.1)."""


def finishing_fact(step: Step) -> Fact:
    """The fact that finishes a step. Raises KeyError for `DONE`, which is no step."""
    return EMAIL_TRACK[step] if isinstance(step, Stage) else SMS_TRACK[step]


def missing_step(facts: Facts, wanted: Step) -> Step | None:
    """The earliest step that is missing before `wanted` may be taken; None when nothing is.

    Sends of a *test* API user need only the registration: ask for `Stage.DOMAIN`.
    """
    return next((step for step in PRECONDITIONS[wanted] if finishing_fact(step) not in facts), None)


class StepState(StrEnum):
    """How a step is shown."""

    DONE = "done"
    CURRENT = "current"
    LOCKED = "locked"
    """An earlier step comes first."""
    NOT_OPEN = "not_open"
    """Songda does not offer it yet."""


def email_states(stage: Stage, facts: Facts) -> dict[Stage, StepState]:
    """Each step of the e-mail track for a customer at `stage`, in order."""
    order = list(Stage)
    return {
        step: _state(step, fact in facts or order.index(step) < order.index(stage), step is stage)
        for step, fact in EMAIL_TRACK.items()
    }


def sms_states(facts: Facts) -> dict[SmsStage, StepState]:
    """Each step of the SMS track, in order; its first unfinished step is the current one."""
    current = next((step for step, fact in SMS_TRACK.items() if fact not in facts), None)
    return {step: _state(step, fact in facts, step is current) for step, fact in SMS_TRACK.items()}


def _state(step: Step, finished: bool, current: bool) -> StepState:
    if step not in OPEN:
        return StepState.NOT_OPEN
    if finished:
        return StepState.DONE
    return StepState.CURRENT if current else StepState.LOCKED


class Missing(StrEnum):
    """What exactly keeps a step of the e-mail track from being finished."""

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


WAITS_FOR_US = frozenset({Missing.TEMPLATE_IN_REVIEW, Missing.NOTHING_DELIVERED_YET})
"""The next move is ours, so the customer is not reminded."""


@dataclass(frozen=True)
class Findings:
    """What the rows of one account say about the path; counts leave out samples, tests and what was deleted."""

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


def missing_at(stage: Stage, found: Findings) -> Missing | None:
    """What is missing for the step `stage`; None when its fact holds, or when it is not open yet."""
    if stage not in OPEN or finishing_fact(stage) in found.facts:
        return None
    if stage is Stage.REGISTER:
        return Missing.EMAIL_UNCONFIRMED
    if stage is Stage.DOMAIN:
        return _missing_domain(found)
    if stage is Stage.API_USER:
        return Missing.API_USER_WITHOUT_DOMAIN if found.api_users else Missing.NO_API_USER
    if stage is Stage.TEMPLATE:
        return _missing_template(found)
    return _missing_send(found)


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
