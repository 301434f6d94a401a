"""Sender domains: their names, their states, and what a look at the DNS makes of them.

Whose domain it is. The ownership TXT decides, and one name has at most one holder (a usable or broken domain):
- a domain becomes usable when its account's token is published and no holder's token is;
- a holder keeps the name for as long as its token is published, whoever else's is there beside it;
- when the holder's token is gone and another account's is there, that account's next look takes the name over,
  in one transaction, and the former holder is `LOST` until the TXT names it again.
"""

import datetime as dt
import functools
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import idna
from publicsuffixlist import PublicSuffixList

from domain.errors import Refusal
from domain.ids import Process
from domain.policy import Policy

MAX_DOMAINS = 20
"""Sender domains of one account, the test domain not counted."""
MAX_NAME = 200
"""Octets; leaves room for the longest name published below it (253 is the limit of the DNS)."""
CHECK_NOW_EVERY = dt.timedelta(seconds=10)
LADDER = (dt.timedelta(minutes=1), dt.timedelta(minutes=5), dt.timedelta(minutes=30))
HOURLY_FOR = dt.timedelta(days=3)
CONFIRM_AFTER = dt.timedelta(minutes=2)
"""A fault of a usable domain counts when it is seen twice, this far apart."""
UNREACHABLE_AGAIN = dt.timedelta(minutes=30)
SHORTEST = dt.timedelta(seconds=1)


class DomainState(StrEnum):
    PENDING = "pending"
    USABLE = "usable"
    BROKEN = "broken"
    """Was usable; a needed record is gone or wrong now."""
    LOST = "lost"
    """The ownership TXT now names another account."""
    DELETED = "deleted"


HOLDING = (DomainState.USABLE, DomainState.BROKEN)
"""States in which a domain holds its name against other accounts."""


class Purpose(StrEnum):
    OWNERSHIP = "ownership"
    SPF = "spf"
    DKIM = "dkim"
    DMARC = "dmarc"
    MX = "mx"
    TRACKING = "tracking"


class RecordState(StrEnum):
    UNCHECKED = "unchecked"
    OK = "ok"
    MISSING = "missing"
    WRONG = "wrong"
    CLAIMED = "claimed"
    """The ownership TXT names another account of this platform, which holds the name."""
    UNREACHABLE = "unreachable"
    """The name servers did not answer; says nothing about the record."""


FAULTS = frozenset({RecordState.MISSING, RecordState.WRONG, RecordState.CLAIMED})
NEEDED = frozenset({Purpose.OWNERSHIP, Purpose.SPF, Purpose.DKIM})
"""Without these a domain is not usable; the others improve delivery and are shown as advice."""


@dataclass(frozen=True)
class ExpectedRecord:
    """One record to publish: `name` is absolute without the final dot, `type` a DNS RR type."""

    purpose: Purpose
    name: str
    type: str
    value: str


@dataclass(frozen=True)
class Standing:
    """What a look makes of a domain. `problem` is the needed record that is at fault.

    `suspected`: a fault was seen once on a usable domain and waits for a second look.
    """

    state: DomainState
    problem: Purpose | None = None
    suspected: bool = False


@functools.cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def normalise(text: str, policy: Policy) -> str:
    """A domain name as typed, to lower-case ASCII (UTS-46, RFC 5891). Raises `Refusal` on field `name`."""
    typed = text.strip().rstrip(".")
    if not typed:
        raise Refusal("required", field="name")
    if "/" in typed or "@" in typed:
        raise Refusal("domain_not_a_name", field="name", value=typed[:80])
    try:
        name = idna.encode(typed, uts46=True, std3_rules=True).decode()
    except idna.IDNAError:
        raise Refusal("domain_not_a_name", field="name", value=typed[:80]) from None
    _require_own_name(name, policy)
    return name


def public_name(host: str) -> str:
    """The same for any host below a public suffix, whosever it is. Raises `ValueError`."""
    name = idna.encode(host.rstrip("."), uts46=True, std3_rules=True).decode()
    if _is_address(name) or len(name) > MAX_NAME or _suffixes().privatesuffix(name) is None:
        raise ValueError("not a public host name")
    return name


def _require_own_name(name: str, policy: Policy) -> None:
    if _is_address(name) or len(name) > MAX_NAME:
        raise Refusal("domain_not_a_name", field="name", value=name[:80])
    for host in (policy.platform_domain, policy.bounce_host, policy.spf_include, policy.tracking_host):
        if name == host or name.endswith("." + host):
            raise Refusal("domain_of_platform", field="name", name=name)
    if _suffixes().privatesuffix(name) is None:
        raise Refusal("domain_is_public_suffix", field="name", name=name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.rpartition(".")[2].isdigit()  # `1.2.3` is an address to many programs, and to no one a domain
    return True


def host_label(record: str, name: str) -> str:
    """A record's name as forms of DNS providers want it: relative to the registered domain, `@` for that itself."""
    zone = _suffixes().privatesuffix(name) or name
    return "@" if record == zone else record.removesuffix("." + zone)


def shown(name: str) -> str:
    """The name for people: U-labels where they decode."""
    try:
        return idna.decode(name)
    except idna.IDNAError:
        return name


def judge(before: Standing, records: Mapping[Purpose, RecordState], *, confirms: bool = True) -> Standing:
    """What stands after a look that found `records`; silence of name servers never makes it worse.

    `confirms` is False for a look that came too early to confirm a suspicion.
    """
    fault = next((p for p in Purpose if p in NEEDED and records[p] in FAULTS), None)
    if fault is None:
        silent = any(records[p] is RecordState.UNREACHABLE for p in NEEDED)
        return before if silent else Standing(DomainState.USABLE)
    if before.state is DomainState.USABLE and not (before.suspected and confirms):
        return Standing(DomainState.USABLE, suspected=True)
    if before.state in (DomainState.PENDING, DomainState.LOST):  # holding nothing, they stay so until all is well
        return Standing(before.state, fault)
    claimed = records[Purpose.OWNERSHIP] is RecordState.CLAIMED
    return Standing(DomainState.LOST if claimed else DomainState.BROKEN, fault)


def silent(records: Mapping[Purpose, RecordState]) -> bool:
    """Whether a needed record could not be looked at."""
    return any(records[purpose] is RecordState.UNREACHABLE for purpose in NEEDED)


def wait_after(standing: Standing, looks: int, age: dt.timedelta, unreachable: bool, policy: Policy) -> dt.timedelta:
    """How long until the next look, after `looks` looks in a state that began `age` ago; scaled."""
    wait = _production_wait(standing, looks, age >= policy.scaled(HOURLY_FOR), unreachable)
    return max(policy.scaled(wait), SHORTEST)


def _production_wait(standing: Standing, looks: int, old: bool, unreachable: bool) -> dt.timedelta:
    if standing.suspected:
        return CONFIRM_AFTER
    if standing.state is DomainState.USABLE:
        return UNREACHABLE_AGAIN if unreachable else dt.timedelta(days=1)
    if looks <= len(LADDER):
        return LADDER[max(looks, 1) - 1]
    return dt.timedelta(days=1) if old else dt.timedelta(hours=1)


@dataclass(frozen=True)
class RecordLine:
    """One record as operators see it."""

    purpose: Purpose
    name: str
    state: RecordState


@dataclass(frozen=True)
class DomainProgress:
    """Where a verification is: what pages, operators and the workflow go by.

    `next_check_at` None: a look is due now. `unannounced` asks for a mail to the owner about the present state.
    """

    state: DomainState
    problem: Purpose | None = None
    suspected: bool = False
    checks: int = 0
    next_check_at: dt.datetime | None = None
    unannounced: bool = False
    watched: bool = True
    """False for a deleted domain and for the platform's own test domains: the process ends."""
    records: tuple[RecordLine, ...] = ()


@dataclass(frozen=True)
class LookRequest:
    """One look at the DNS. `nudged`: somebody asked for it, so the wait grows from its start again."""

    process: Process
    at: dt.datetime
    nudged: bool = False
