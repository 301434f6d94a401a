"""The rules of accepting SMS: who may send which template to which numbers (design §5, domain-rules §4)."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from domain.accounts import SYSTEM_ACCOUNT, Caller
from domain.errors import Refusal
from domain.onboarding import Fact, Facts, SmsStage, missing_step
from domain.policy import Policy
from domain.reviews import ReviewState
from domain.sending import Rejected
from domain.sms import MAX_NUMBERS, MAX_TAG, Market, SmsKind, SmsRecipient, SmsRequest
from domain.sms_hours import MARKETING_HOURS
from domain.sms_notices import QUICK_TEST, SYSTEM_SMS_USER
from domain.sms_numbers import MAX_WRITTEN, Phone, read_phone
from domain.sms_text import check_length, check_values, compose, fill, segments
from domain.step_texts import step_refusal

MAX_LABEL = 50
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
SMS = "sms"
"""The item of a price: one segment to mainland China; to other countries `sms:GB`."""


@dataclass(frozen=True)
class SmsTerms:
    """What the platform's settings say to a request that is accepted."""

    scale: float = 1.0
    """Divides the time to live, as `Policy.time_scale` does with every interval."""
    price_micro: int = 45_000
    """Of a segment to mainland China, where no price was set. Other countries have a price or are refused."""
    marketing_hours: str = MARKETING_HOURS
    tests_per_day: int = 10

    @classmethod
    def of(cls, policy: Policy) -> "SmsTerms":
        return cls(policy.time_scale, policy.sms_price_micro, policy.sms_marketing_hours, policy.sms_tests_per_day)


@dataclass(frozen=True)
class SmsIdentity:
    """What the rows say of the names in a request; None where nothing was found in the account."""

    account_state: str
    email_confirmed: bool
    enterprise: bool
    """An enterprise certification holds."""
    recharged: bool
    has_user: bool
    """An SMS user that is enabled."""
    has_template: bool
    """An approved template of its own."""
    sms_user_id: UUID | None
    disabled: bool
    template_id: UUID | None
    is_builtin: bool | None
    version_id: UUID | None
    kind: str | None
    market: str | None
    content: str | None
    variables: tuple[str, ...]
    signature_last: bool | None
    signature: str | None
    signature_state: str | None
    heard: bool
    """A webhook endpoint of the account listens to requests."""

    @property
    def facts(self) -> Facts:
        """Of the onboarding, as far as SMS ask for them. Of one certified as a company, paid is who recharged."""
        held = {
            Fact.EMAIL_CONFIRMED: self.email_confirmed,
            Fact.ENTERPRISE_CERTIFIED: self.enterprise,
            Fact.PAID: self.enterprise and self.recharged,
            Fact.SMS_USER_READY: self.has_user,
            Fact.SMS_TEMPLATE_APPROVED: self.has_template,
        }
        return frozenset(fact for fact, holds in held.items() if holds)


@dataclass(frozen=True)
class Text:
    """The approved text that a request sends: with signature, its variables open."""

    version_id: UUID
    kind: SmsKind
    market: Market
    open: str
    variables: tuple[str, ...]


@dataclass(frozen=True)
class SmsOne:
    """One number that may be written to."""

    line: int
    phone: Phone
    values: dict[str, str]
    text: str
    segments: int


@dataclass(frozen=True)
class Sorted:
    """The recipients of a request: each number once, and everybody who is left out."""

    good: tuple[SmsOne, ...]
    rejected: tuple[Rejected, ...] = ()
    duplicates: int = 0

    def without(self, held: Mapping[str, Refusal]) -> "Sorted":
        """Leave these numbers (E.164) out. Raises `Refusal` when nobody is left."""
        if not held:
            return self
        kept = tuple(one for one in self.good if one.phone.e164 not in held)
        more = [Rejected.of(one.line, one.phone.e164, held[one.phone.e164])
                for one in self.good if one.phone.e164 in held]  # fmt: skip
        rejected = tuple(sorted((*self.rejected, *more), key=lambda one: one.line))
        if not kept:
            raise nobody_left(rejected, held[self.good[0].phone.e164] if len(self.good) == 1 else None)
        return Sorted(kept, rejected, self.duplicates)


class NobodyLeft(Refusal):
    """Of several numbers none may be written to; `rejected` says why of each."""

    def __init__(self, rejected: Sequence[Rejected]) -> None:
        super().__init__("sms_none_left", field="recipients", count=len(rejected))
        self.rejected = tuple(rejected)


def nobody_left(rejected: Sequence[Rejected], only: Refusal | None) -> Refusal:
    """The refusal of a request that nobody is left of: for a single number the one that says why."""
    if only is not None and len(rejected) == 1:
        return _at(only, rejected[0].line)
    return NobodyLeft(rejected)


def price_item(country: str) -> str:
    """What a segment to this country is paid as."""
    return SMS if country == "CN" else f"{SMS}:{country}"


def is_quick_test(request: SmsRequest) -> bool:
    """A test that names no template: it is sent as the platform's own."""
    return request.is_test and not request.template


def named_in_full(request: SmsRequest) -> SmsRequest:
    """With the names that a quick test leaves open; which template it is, its first number says. Raises `Refusal`."""
    if not is_quick_test(request):
        return request
    try:
        market = read_phone(request.recipients[0].phone, request.market).market
    except Refusal as refusal:
        raise _at(refusal, 1) from refusal
    return replace(request, sms_user=SYSTEM_SMS_USER, template=QUICK_TEST[market])


def check_identity(identity: SmsIdentity, caller: Caller, request: SmsRequest) -> Text:
    """The text to be sent; raises the first `Refusal`, in the order in which a customer would mend things."""
    if identity.account_state != "active":
        raise Refusal("account_not_active")
    if caller.account_id != SYSTEM_ACCOUNT:
        _check_steps(identity, is_quick_test(request))
    if not is_quick_test(request):
        _check_user(identity, caller, request)
    _check_words(request)
    return _text(identity, request)


def _check_steps(identity: SmsIdentity, is_quick: bool) -> None:
    """`sendCode`, whose template is the platform's, needs none of the customer's own; a quick test no user either."""
    wanted = SmsStage.TEMPLATE if identity.is_builtin else SmsStage.SEND
    if is_quick:
        wanted = SmsStage.USER
    if (step := missing_step(identity.facts, wanted)) is not None:
        raise step_refusal(step)


def _check_user(identity: SmsIdentity, caller: Caller, request: SmsRequest) -> None:
    if not request.sms_user and caller.sms_user_id is None:
        raise Refusal("required", field="sms_user")
    if identity.sms_user_id is None:
        raise Refusal("sms_user_unknown", field="sms_user", name=request.sms_user)
    if caller.sms_user_id is not None and caller.sms_user_id != identity.sms_user_id:
        raise Refusal("sms_user_not_yours", field="sms_user", name=request.sms_user)
    if identity.disabled:
        raise Refusal("sms_user_disabled", field="sms_user", name=request.sms_user)


def _check_words(request: SmsRequest) -> None:
    for name, value, limit in (("label", request.label, MAX_LABEL), ("tag", request.tag, MAX_TAG)):
        if len(value) > limit or _UNWRITABLE.search(value):
            raise Refusal("invalid", field=name, reason=f"At most {limit} characters, and no control characters.")


def _text(identity: SmsIdentity, request: SmsRequest) -> Text:
    if identity.template_id is None:
        raise Refusal("sms_template_unknown", field="template", name=request.template)
    if identity.version_id is None or identity.signature_state != ReviewState.APPROVED:
        raise Refusal("sms_template_not_approved", field="template", name=request.template)
    kind, market = SmsKind(identity.kind or ""), Market(identity.market or "")
    if request.market is not None and request.market is not market:
        raise Refusal("sms_template_market", field="template", name=request.template)
    whole = compose(identity.signature or "", identity.content or "", bool(identity.signature_last), market)
    return Text(identity.version_id, kind, market, whole, identity.variables)


def check_size(request: SmsRequest) -> None:
    """Before anything is made of the numbers. Raises `no_recipients` or `too_many_numbers`."""
    if not request.recipients:
        raise Refusal("no_recipients", field="recipients")
    if len(request.recipients) > MAX_NUMBERS:
        raise Refusal("too_many_numbers", field="recipients", limit=MAX_NUMBERS, asked=len(request.recipients))


def sort_recipients(request: SmsRequest, text: Text) -> Sorted:
    """Who is written to and what. Raises `Refusal` when a recipient is bad and the request did not ask to skip such,
    or when nobody is left."""
    good: dict[str, SmsOne] = {}
    rejected: list[Rejected] = []
    duplicates = 0
    only: Refusal | None = None
    for place, recipient in enumerate(request.recipients, 1):
        line = recipient.line or place
        try:
            one = _checked(recipient, line, text)
        except Refusal as refusal:
            if not request.skip_invalid:
                raise _at(refusal, place) from refusal
            only = refusal
            rejected.append(Rejected.of(line, _shown(recipient.phone), refusal))
            continue
        duplicates += one.phone.e164 in good
        good.setdefault(one.phone.e164, one)
    if not good:
        raise nobody_left(rejected, only)
    return Sorted(tuple(good.values()), tuple(rejected), duplicates)


def _shown(written: str) -> str:
    """What stands for a number that is none: as a row can hold it."""
    return "".join(sign if sign.isprintable() else " " for sign in written[:MAX_WRITTEN])


def _at(refusal: Refusal, place: int) -> Refusal:
    return Refusal(refusal.code, f"recipients[{place - 1}].{refusal.field}", **refusal.params)


def _checked(recipient: SmsRecipient, line: int, text: Text) -> SmsOne:
    phone = read_phone(recipient.phone, text.market)
    if phone.market is not text.market:
        raise Refusal(f"phone_not_{text.market.value}", field="phone")
    values = check_values(text.variables, recipient.variables)
    whole = fill(text.open, values)
    check_length(whole)
    return SmsOne(line, phone, values, whole, segments(whole))


@dataclass(frozen=True)
class Group:
    """Numbers of one country: one submission, with one price."""

    country: str
    numbers: list[SmsOne] = field(default_factory=list)

    @property
    def segments(self) -> int:
        return sum(one.segments for one in self.numbers)


def by_country(numbers: Sequence[SmsOne]) -> list[Group]:
    """In the order in which each country comes first."""
    groups: dict[str, Group] = {}
    for one in numbers:
        groups.setdefault(one.phone.country, Group(one.phone.country)).numbers.append(one)
    return list(groups.values())


def too_many_tests(limit: int, used: int, asked: int) -> Refusal:
    """The day's free test messages do not cover the request."""
    return Refusal("sms_tests_used_up", field="recipients", limit=limit, used=used, asked=asked)


def sends_at(due: dt.datetime, now: dt.datetime) -> dt.datetime | None:
    """What the caller is told; None: at once."""
    return due if due > now else None
