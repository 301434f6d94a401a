"""Every move on the path: which change leads from where to where, on both tracks, and where the facts lead.

A *change* is a fact that came to hold, or was withdrawn. The tables are the whole truth: a change that a stage does
not name moves nobody from there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from domain.onboarding import EMAIL_TRACK, SMS_TRACK, Fact, Facts, SmsStage, Stage


class Change(StrEnum):
    """What can happen on the e-mail track. A delivery stays true once it was; a payment counts while certified."""

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
"""Facts of the e-mail track that can be withdrawn, in its order."""

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


class SmsChange(StrEnum):
    """What can happen on the SMS track. Only the enterprise kind of certification counts there."""

    ENTERPRISE_CERTIFIED = "enterprise_certified"
    ENTERPRISE_EXPIRED = "enterprise_expired"
    PAID = "paid"
    SMS_USER_READY = "sms_user_ready"
    SMS_USER_GONE = "sms_user_gone"
    SMS_TEMPLATE_APPROVED = "sms_template_approved"
    SMS_TEMPLATE_GONE = "sms_template_gone"
    SMS_DELIVERED = "sms_delivered"


SMS_WITHDRAWALS: Mapping[Fact, SmsChange] = {
    Fact.ENTERPRISE_CERTIFIED: SmsChange.ENTERPRISE_EXPIRED,
    Fact.SMS_USER_READY: SmsChange.SMS_USER_GONE,
    Fact.SMS_TEMPLATE_APPROVED: SmsChange.SMS_TEMPLATE_GONE,
}
"""Facts of the SMS track that can be withdrawn, in its order. (A payment is, only together with the certification.)"""

SMS_TRANSITIONS: Mapping[SmsStage, Mapping[SmsChange, SmsStage]] = {
    SmsStage.CERTIFY: {
        SmsChange.ENTERPRISE_CERTIFIED: SmsStage.PAY,
    },
    SmsStage.PAY: {
        SmsChange.ENTERPRISE_EXPIRED: SmsStage.CERTIFY,
        SmsChange.PAID: SmsStage.USER,
    },
    SmsStage.USER: {
        SmsChange.ENTERPRISE_EXPIRED: SmsStage.CERTIFY,
        SmsChange.SMS_USER_READY: SmsStage.TEMPLATE,
    },
    SmsStage.TEMPLATE: {
        SmsChange.ENTERPRISE_EXPIRED: SmsStage.CERTIFY,
        SmsChange.SMS_USER_GONE: SmsStage.USER,
        SmsChange.SMS_TEMPLATE_APPROVED: SmsStage.SEND,
    },
    SmsStage.SEND: {
        SmsChange.ENTERPRISE_EXPIRED: SmsStage.CERTIFY,
        SmsChange.SMS_USER_GONE: SmsStage.USER,
        SmsChange.SMS_TEMPLATE_GONE: SmsStage.TEMPLATE,
        SmsChange.SMS_DELIVERED: SmsStage.DONE,
    },
    SmsStage.DONE: {
        SmsChange.ENTERPRISE_EXPIRED: SmsStage.CERTIFY,
        SmsChange.SMS_USER_GONE: SmsStage.USER,
        SmsChange.SMS_TEMPLATE_GONE: SmsStage.TEMPLATE,
    },
}
"""Every legal move of the SMS track."""

S = TypeVar("S", bound=StrEnum)
C = TypeVar("C", bound=StrEnum)


def apply(stage: Stage, change: Change) -> Stage:
    """Where one change leads from `stage`."""
    return TRANSITIONS[stage].get(change, stage)


def apply_sms(stage: SmsStage, change: SmsChange) -> SmsStage:
    """The same on the SMS track."""
    return SMS_TRANSITIONS[stage].get(change, stage)


def walk(stage: Stage, facts: Facts) -> tuple[Stage, ...]:
    """The stages passed from `stage` until the facts lead no further; the first item is `stage` itself.

    Withdrawals come first, so a customer goes back to the earliest step that lacks its fact and then forward only
    through steps whose facts hold.
    """
    withdrawn = [change for fact, change in WITHDRAWALS.items() if fact not in facts]
    given = [Change(fact.value) for fact in EMAIL_TRACK.values() if fact in facts]
    return _walked(stage, (*withdrawn, *given), TRANSITIONS)


def walk_sms(stage: SmsStage, facts: Facts) -> tuple[SmsStage, ...]:
    """The same on the SMS track."""
    withdrawn = [change for fact, change in SMS_WITHDRAWALS.items() if fact not in facts]
    given = [SmsChange(fact.value) for fact in SMS_TRACK.values() if fact in facts]
    return _walked(stage, (*withdrawn, *given), SMS_TRANSITIONS)


def _walked(stage: S, changes: Sequence[C], table: Mapping[S, Mapping[C, S]]) -> tuple[S, ...]:
    path = [stage]
    for change in changes:
        after = table[path[-1]].get(change, path[-1])
        if after is not path[-1]:
            path.append(after)
    return tuple(path)


@dataclass(frozen=True)
class Standing:
    """Where a customer is on both tracks."""

    email: Stage = Stage.REGISTER
    sms: SmsStage = SmsStage.CERTIFY

    def after(self, facts: Facts) -> "Standing":
        """Where these facts lead from here."""
        return Standing(walk(self.email, facts)[-1], walk_sms(self.sms, facts)[-1])
