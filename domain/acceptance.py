"""The rules of accepting a send: who may send what from where to whom (design §4.1, seed 2.1–2.3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from domain.addresses import BadAddress, normalise_address
from domain.domains import DomainState
from domain.errors import Refusal
from domain.ledger import first_charged
from domain.money import show_unit
from domain.senders import TEST_SENDS_PER_DAY, SendKind
from domain.sending import MAX_RECIPIENTS, Recipient, Rejected, SendRequest
from domain.suppressions import DEAD, Held, SuppressionReason
from domain.times import told
from domain.variables import missing

MAX_LABEL = 50
MAX_NAME = 64
MAX_VARIABLES_BYTES = 16_384
"""Of one recipient, names and values together, in UTF-8."""


@dataclass(frozen=True)
class Identity:
    """What the rows say of the names in a request; ids are None where nothing was found in the account."""

    account_state: str
    daily_quota: int
    free_quota: int
    api_user_id: UUID | None
    api_user_kind: str | None
    is_test: bool | None
    disabled: bool
    domain_id: UUID | None
    domain_state: str | None
    domain_problem: str | None
    bound: bool
    template_id: UUID | None
    template_kind: str | None
    is_sample: bool | None
    version_id: UUID | None
    variables: tuple[str, ...] = ()
    caller_user: UUID | None = None
    heard: bool = False
    """A webhook endpoint of the account listens to requests."""

    @property
    def quota_per_day(self) -> int:
        """Messages that this API user's account may send a day; a test API user has a cap of its own."""
        return TEST_SENDS_PER_DAY if self.is_test else self.daily_quota

    @property
    def is_batch(self) -> bool:
        return self.api_user_kind == SendKind.BATCH


@dataclass
class Allowance:
    """What may still be sent today, as requests use it up one after the other. Money is in micro-yuan."""

    used: int
    """Of the day's quota, before the first request."""
    limit: int
    free: int
    """Of a day cost nothing."""
    is_test: bool = False
    unit: int = 0
    available: int = -1
    """Below zero: there is no account for money, so nothing may cost any, not even for free."""
    taken: int = 0
    """Messages that were allowed."""
    held: int = 0
    """Money that they may cost."""

    def take(self, count: int) -> int:
        """Allow a request of so many messages; returns how many of them are free, the first ones. Raises `Refusal`."""
        used = self.used + self.taken
        if used + count > self.limit:
            raise quota_refusal(self.is_test, self.limit, used, count)
        free = count if self.is_test else first_charged(used + count, count, self.free)
        price = (count - free) * self.unit
        if free < count and price > self.available - self.held:
            raise balance_refusal(price, max(0, self.available - self.held))
        self.taken += count
        self.held += price
        return free


def quota_refusal(is_test: bool, limit: int, used: int, asked: int) -> Refusal:
    """The day's quota does not cover the request."""
    code = "test_quota_exceeded" if is_test else "quota_exceeded"
    return Refusal(code, field="recipients", limit=limit, used=used, asked=asked)


def balance_refusal(needed: int, available: int) -> Refusal:
    """The money does not; both in micro-yuan."""
    return Refusal("balance_insufficient", field="recipients", needed=show_unit(needed), available=show_unit(available))


def check_identity(identity: Identity, request: SendRequest) -> None:
    """Raise the first `Refusal`, in the order in which a customer would mend things."""
    _check_api_user(identity, request)
    _check_domain(identity, request)
    _check_template(identity, request)
    _check_headers(request)


def _check_api_user(identity: Identity, request: SendRequest) -> None:
    if identity.account_state != "active":
        raise Refusal("account_not_active")
    if identity.api_user_id is None:
        raise Refusal("api_user_unknown", field="api_user", name=request.api_user)
    if identity.caller_user is not None and identity.caller_user != identity.api_user_id:
        raise Refusal("api_user_not_yours", field="api_user", name=request.api_user)
    if identity.disabled:
        raise Refusal("api_user_disabled", field="api_user", name=request.api_user)


def _check_domain(identity: Identity, request: SendRequest) -> None:
    local, at, domain = request.sender.rpartition("@")
    if not (local and at and domain) or not request.sender.isascii() or any(c in request.sender for c in " \r\n<>,;"):
        raise Refusal("invalid", field="from", reason="From must be one plain address, like news@example.com.")
    if identity.domain_id is None:
        raise Refusal("domain_unknown", field="from", domain=domain)
    if identity.domain_state != DomainState.USABLE.value:
        record = identity.domain_problem or "ownership"
        raise Refusal("domain_not_usable", field="from", domain=domain, record=record)
    if not identity.bound:
        raise Refusal("domain_not_bound", field="from", domain=domain)


def _check_template(identity: Identity, request: SendRequest) -> None:
    if identity.template_id is None:
        raise Refusal("template_unknown", field="template", name=request.template)
    if identity.version_id is None:
        raise Refusal("template_not_approved", field="template", name=request.template)
    if identity.template_kind != identity.api_user_kind:
        raise Refusal(
            "kind_mismatch", field="template", template=identity.template_kind, api_user=identity.api_user_kind
        )
    if request.version_id is not None and request.version_id != identity.version_id:
        raise Refusal("content_not_approved", field="content")


def _check_headers(request: SendRequest) -> None:
    for field, value, limit in (("from_name", request.sender_name, MAX_NAME), ("label", request.label, MAX_LABEL)):
        if len(value) > limit or any(ord(c) < 32 for c in value):
            raise Refusal("invalid", field=field, reason=f"At most {limit} characters, and no control characters.")
    if request.reply_to:
        try:
            reply_to = normalise_address(request.reply_to)
        except BadAddress as bad:
            raise BadAddress(bad.code, field="reply_to") from bad
        if not reply_to.isascii():
            raise Refusal("address_not_ascii", field="reply_to")


def sort_recipients(
    request: SendRequest, variables: tuple[str, ...], only: frozenset[str] | None
) -> tuple[list[Recipient], int, list[Rejected]]:
    """(to be sent, number of duplicates, rejected). `only`: the addresses that a test API user may write to.

    Raises `Refusal` when a recipient is bad and the request did not ask to skip such, or when nobody is left.
    """
    if not request.recipients:
        raise Refusal("no_recipients", field="recipients")
    if len(request.recipients) > MAX_RECIPIENTS:
        raise Refusal("too_many_recipients", field="recipients", limit=MAX_RECIPIENTS, asked=len(request.recipients))
    good: dict[str, Recipient] = {}
    rejected: list[Rejected] = []
    duplicates = 0
    for place, recipient in enumerate(request.recipients):
        try:
            checked = _checked(recipient, place, variables, only)
        except Refusal as refusal:
            if not request.skip_invalid:
                raise _at(refusal, place) from refusal
            rejected.append(Rejected.of(recipient.line or place + 1, recipient.address, refusal))
            continue
        duplicates += checked.address in good
        good.setdefault(checked.address, checked)
    if not good:
        raise Refusal("recipients_all_invalid", field="recipients", count=len(rejected))
    return list(good.values()), duplicates, rejected


def _at(refusal: Refusal, place: int) -> Refusal:
    return Refusal(refusal.code, f"recipients[{place}].{refusal.field}", **refusal.params)


def leave_out(
    recipients: list[Recipient], rejected: list[Rejected], held: Mapping[str, Held]
) -> tuple[list[Recipient], list[Rejected]]:
    """(who is written to, everybody who is not). `held`: by address, who must not be.

    Raises `Refusal` when nobody is left: for a single recipient the one that says why.
    """
    if not held:
        return recipients, rejected
    kept = [one for one in recipients if one.address not in held]
    if not kept and len(recipients) == 1:
        raise held_refusal(held[recipients[0].address], f"recipients[{recipients[0].line - 1}].address")
    if not kept:
        raise Refusal("recipients_all_suppressed", field="recipients", count=len(recipients))
    more = [Rejected.of(one.line, one.address, held_refusal(held[one.address], "address"))
            for one in recipients if one.address in held]  # fmt: skip
    return kept, sorted((*rejected, *more), key=lambda one: one.line)


_HELD = {SuppressionReason.COMPLAINT.value: "recipient_complained", DEAD: "recipient_dead"}


def held_refusal(held: Held, field: str) -> Refusal:
    """Why an address is not written to; of a dead one never who else wrote to it."""
    if held.until is None or held.reason not in _HELD:
        return Refusal("suppressed", field=field)
    return Refusal(_HELD[held.reason], field=field, until=told(held.until))


def _checked(recipient: Recipient, place: int, variables: tuple[str, ...], only: frozenset[str] | None) -> Recipient:
    address = normalise_address(recipient.address)
    if only is not None and address.lower() not in only:
        raise Refusal("test_only_members", field="address")
    if lacking := missing(variables, recipient.variables):
        raise Refusal("variables_missing", field="variables", names=", ".join(lacking))
    used = {name: recipient.variables[name] for name in variables}
    if sum(len(name) + len(value.encode()) for name, value in used.items()) > MAX_VARIABLES_BYTES:
        raise Refusal("variables_too_long", field="variables", limit=MAX_VARIABLES_BYTES)
    if any("\0" in value for value in used.values()):
        raise Refusal("invalid", field="variables", reason="A value contains a NUL character.")
    return Recipient(address, used, recipient.line or place + 1)
