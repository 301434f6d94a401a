"""The path of a new customer: its two tracks of steps, the facts that finish them, what comes before what (seed 2, 3).

A *fact* is read from rows and holds or does not. Where a customer is on a track follows from the tables of
`domain/onboarding_moves.py` alone, one step at a time.
"""

from collections.abc import Mapping
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
    """The SMS track, in the seed's order."""

    CERTIFY = "sms_certify"
    PAY = "sms_pay"
    USER = "sms_user"
    TEMPLATE = "sms_template"
    SEND = "sms_send"
    DONE = "sms_done"


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
    """An approved certification that has not expired, of either kind."""
    PAID = "paid"
    """Certified, and at least one recharge is credited."""
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
STEPS: frozenset[Step] = frozenset({*EMAIL_TRACK, *SMS_TRACK})
"""What a customer takes; `DONE` is none."""

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
    SmsStage.DONE: tuple(SMS_TRACK),
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
    AVAILABLE = "available"
    """Not the next one in order, but nothing keeps the customer from taking it already."""
    LOCKED = "locked"
    """An earlier step comes first."""


TAKEABLE = frozenset({StepState.DONE, StepState.CURRENT, StepState.AVAILABLE})
"""Steps in these states have a place to go to."""


def email_states(stage: Stage, facts: Facts) -> dict[Stage, StepState]:
    """Each step of the e-mail track for a customer at `stage`, in order."""
    order = list(Stage)
    return {step: _state(step, stage, facts, order.index(step) < order.index(stage)) for step in EMAIL_TRACK}


def sms_states(stage: SmsStage, facts: Facts) -> dict[SmsStage, StepState]:
    """The same for the SMS track."""
    order = list(SmsStage)
    return {step: _state(step, stage, facts, order.index(step) < order.index(stage)) for step in SMS_TRACK}


def _state(step: Step, current: Step, facts: Facts, passed: bool) -> StepState:
    if passed or finishing_fact(step) in facts:
        return StepState.DONE
    if missing_step(facts, step) is not None:
        return StepState.LOCKED
    return StepState.CURRENT if step is current else StepState.AVAILABLE
