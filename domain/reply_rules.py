"""What an SMTP reply means: an ordered table of rows, the first that fits decides (design §4.5, reference §1.5, §1.6).

The table that ships (`domain.reply_rule_seeds`) is ordered provider → unmistakable words → enhanced code → words →
basic code, since providers' words are truer than digits: QQ answers 5xx to mere rate limits.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from domain.errors import Refusal
from domain.outcomes import bounded, enhanced_code
from domain.reply_rule_patterns import (
    MAX_LENGTH,
    Hosts,
    Words,
    host_name,
    read_codes,
    read_enhanced,
    read_hosts,
    read_words,
)
from domain.sending import Outcome, OutcomeKind, Reason, Scope

MAX_RULES = 1_000
REMEMBERED = 4_096
"""Replies whose row is known; of a refused campaign most are alike."""
HOSTS_REMEMBERED = 2_048
ACTIONS = (OutcomeKind.DEFERRED, OutcomeKind.BOUNCED)
REASONS = tuple(reason for reason in Reason if "." in reason and reason is not Reason.TLS)
"""What a reply can mean. The others are findings of ours: nobody replies that a campaign was cancelled."""


@dataclass(frozen=True)
class Pattern:
    """Which replies a row is for, as it was written; what is empty fits everything (`domain.reply_rule_patterns`)."""

    provider: str = ""
    """Lanes or domains of MX hosts."""
    enhanced: str = ""
    """RFC 3463 codes. Their class is compared as the basic code's first digit, see `ReplyRules`."""
    code: str = ""
    """Basic codes."""
    text: str = ""
    """Words of the reply."""


@dataclass(frozen=True)
class Verdict:
    """What a row says of a reply: why, what becomes of the message, and what the refusal is about."""

    reason: Reason
    kind: OutcomeKind
    scope: Scope


@dataclass(frozen=True)
class Rule:
    """One row. `name` is the caller's way to find it again."""

    name: str
    pattern: Pattern
    verdict: Verdict


@dataclass(frozen=True)
class Decided:
    """An outcome, and the row that said so; None: no row fits."""

    outcome: Outcome
    rule: Rule | None


@dataclass(frozen=True)
class _Reply:
    """As rows look at it. `code` and `enhanced` are of one class, or empty."""

    code: str
    enhanced: str
    text: str


@dataclass(frozen=True)
class _Row:
    """A rule, ready."""

    rule: Rule
    hosts: Hosts | None
    enhanced: Callable[[str], bool] | None
    codes: Callable[[str], bool] | None
    words: Words | None
    never: frozenset[str]
    """First digits of replies that it cannot be for."""

    @classmethod
    def of(cls, rule: Rule) -> "_Row":
        wanted = rule.pattern
        hosts, enhanced = read_hosts(wanted.provider), read_enhanced(wanted.enhanced)
        return cls(rule, hosts, enhanced, read_codes(wanted.code), read_words(wanted.text), _never(wanted))

    def may_fit(self, host: str, digit: str) -> bool:
        """Whatever the reply says."""
        return digit not in self.never and (self.hosts is None or self.hosts.fit(host))

    def fits(self, reply: _Reply) -> bool:
        """Of a host that may fit."""
        if self.codes is not None and not self.codes(reply.code):
            return False
        if self.enhanced is not None and not self.enhanced(reply.enhanced):
            return False
        return self.words is None or self.words.fit(reply.text)


class ReplyRules:
    """A table, compiled. Never raises, whatever a server says.

    RFC 5321 §4.2.1 lets the first digit of the basic code decide whether a refusal is for good, and what is left of the
    enhanced code says why: so 450 5.1.1 is looked up as 4.1.1, and 550 4.7.1 as 5.7.1. A report without a basic code
    (code 0) is looked up by its enhanced code alone.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Raises `Refusal` for a pattern that `check` refuses."""
        self._rows = tuple(_Row.of(rule) for rule in rules)
        self._for_host = lru_cache(HOSTS_REMEMBERED)(self._that_may_fit)
        self._decide = lru_cache(REMEMBERED)(self._decide_anew)

    def classify(self, host: str, code: int, text: str) -> Outcome:
        """The outcome of a reply with a 4xx or 5xx code (a 2xx never comes here); see `domain.transport.Classifier`."""
        return self.decide(host, code, text).outcome

    def decide(self, host: str, code: int, text: str) -> Decided:
        """The same with the row that decided."""
        return self._decide(host_name(host), code, bounded(text))

    def _decide_anew(self, host: str, code: int, text: str) -> Decided:
        said = enhanced_code(text)
        digits = str(code) if 400 <= code < 600 else said[:1] if code == 0 else ""
        reply = _Reply(digits, f"{digits[0]}{said[1:]}" if digits and said else "", text.lower())
        row = next((row for row in self._for_host(host, digits[:1]) if row.fits(reply)), None)
        verdict = row.rule.verdict if row else _NOBODY_SAID
        outcome = Outcome(verdict.kind, verdict.reason, code, said, text, host, verdict.scope)
        return Decided(outcome, row.rule if row else None)

    def _that_may_fit(self, host: str, digit: str) -> tuple[_Row, ...]:
        return tuple(row for row in self._rows if row.may_fit(host, digit))


def _never(wanted: Pattern) -> frozenset[str]:
    """What the codes leave out: by the first digit alone half of the rows need no look."""
    firsts = [{part.strip()[:1] for part in codes.split("|")} for codes in (wanted.code, wanted.enhanced) if codes]
    return frozenset(digit for digit in ("4", "5", "") if any(not {digit, "*"} & first for first in firsts))


_NOBODY_SAID = Verdict(Reason.CONN, OutcomeKind.DEFERRED, Scope.CONNECTION)
"""Where no row fits: a later try hurts nobody."""


def check(rule: Rule) -> Rule:
    """The same rule. Raises a `Refusal` on the field that is wrong: a pattern, or a verdict that contradicts itself."""
    wanted, verdict = rule.pattern, rule.verdict
    _Row.of(rule)
    if not (wanted.provider or wanted.enhanced or wanted.code or wanted.text):
        raise Refusal("reply_rule_fits_all", field="text")
    if verdict.reason not in REASONS or verdict.kind not in ACTIONS:
        raise Refusal("reply_rule_choice_unknown", field="reason")
    if verdict.reason.startswith("hard.") and verdict.kind is not OutcomeKind.BOUNCED:
        raise Refusal("reply_rule_hard_is_for_good", field="action")
    return rule


def read_pattern(provider: str, enhanced: str, code: str, text: str) -> Pattern:
    """As typed, with single spaces; `check` says what is wrong with it."""
    return Pattern(*(" ".join(each[: MAX_LENGTH + 1].split()) for each in (provider, enhanced, code, text)))


def read_verdict(reason: str, action: str, scope: str) -> Verdict:
    """Raises `reply_rule_choice_unknown` on the field that holds none of the choices."""
    for field, typed, known in (("reason", reason, REASONS), ("action", action, ACTIONS), ("scope", scope, Scope)):
        if typed not in list(known):
            raise Refusal("reply_rule_choice_unknown", field=field)
    return Verdict(Reason(reason), OutcomeKind(action), Scope(scope))
