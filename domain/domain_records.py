"""The records that a sender domain publishes, and how those found compare with those expected."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from domain.dns import DnsAnswer
from domain.domains import ExpectedRecord, Purpose, RecordState
from domain.policy import Policy

OWNERSHIP_TAG = "songda-account="
TXT_STRING = 255
"""Octets of one character-string of a TXT record (RFC 1035 §3.3)."""
FOUND_KEPT = 10
FOUND_LENGTH = 1000


class Hint(StrEnum):
    """Why a record is wrong, where more can be said than that it differs."""

    NONE = ""
    OTHER_TOKEN = "other-token"
    HELD_BY_OTHER = "held-by-other"
    SEVERAL = "several"
    """More records of a kind of which only one may exist; receivers then ignore all."""
    INCLUDE_MISSING = "include-missing"
    INCLUDE_AFTER_ALL = "include-after-all"
    KEY_DIFFERS = "key-differs"
    KEY_REVOKED = "key-revoked"
    NOT_SHA256 = "not-sha256"
    POLICY_MISSING = "policy-missing"
    OTHER_TARGET = "other-target"


@dataclass(frozen=True)
class Finding:
    """What a look found for one record."""

    purpose: Purpose
    state: RecordState
    found: tuple[str, ...] = ()
    hint: Hint = Hint.NONE


def expected_records(name: str, token: str, selector: str, public_key: str, policy: Policy) -> list[ExpectedRecord]:
    """The exact records to publish for a domain, in the order a page shows them."""

    def record(purpose: Purpose, prefix: str, rrtype: str, value: str) -> ExpectedRecord:
        return ExpectedRecord(purpose, f"{prefix}.{name}" if prefix else name, rrtype, value)

    return [
        record(Purpose.OWNERSHIP, "_songda-challenge", "TXT", OWNERSHIP_TAG + token),
        record(Purpose.SPF, "", "TXT", f"v=spf1 include:{policy.spf_include} -all"),
        record(Purpose.DKIM, f"{selector}._domainkey", "TXT", f"v=DKIM1; k=rsa; p={public_key}"),
        record(Purpose.DMARC, "_dmarc", "TXT", "v=DMARC1; p=none"),
        record(Purpose.MX, "bounce", "MX", f"10 {policy.bounce_host}"),
        record(Purpose.TRACKING, "track", "CNAME", policy.tracking_host),
    ]


def txt_strings(value: str) -> str:
    """A TXT value as zone files write it: quoted strings of at most 255 octets."""
    pieces = [value[at : at + TXT_STRING] for at in range(0, len(value), TXT_STRING)]
    return " ".join('"' + piece.replace("\\", "\\\\").replace('"', '\\"') + '"' for piece in pieces)


def tokens_in(values: Sequence[str]) -> list[str]:
    """The ownership tokens among TXT values."""
    return [v.strip().removeprefix(OWNERSHIP_TAG) for v in values if v.strip().startswith(OWNERSHIP_TAG)]


def compare(expected: ExpectedRecord, answer: DnsAnswer) -> Finding:
    """Compare one answer with what is expected; whether another account holds the name is not judged here."""
    if not answer.reachable:
        return Finding(expected.purpose, RecordState.UNREACHABLE)
    values = answer.values
    relevant, rule = _RULES[expected.purpose]
    of_kind = [value for value in values if relevant(value)]
    shown = of_kind or ([] if expected.purpose is Purpose.SPF else values)  # a domain's own name has many other TXTs
    found = tuple(value[:FOUND_LENGTH] for value in shown[:FOUND_KEPT])
    if not of_kind:
        return Finding(expected.purpose, RecordState.MISSING, found)
    hint = rule(expected.value, of_kind)
    return Finding(expected.purpose, RecordState.OK if hint is None else RecordState.WRONG, found, hint or Hint.NONE)


def with_claims(finding: Finding, holder: str | None, others: Sequence[str]) -> Finding:
    """The ownership record judged beside other accounts' tokens (the rule is in `domain.domains`).

    `holder` is the token of the other account that holds the name, `others` those of all others that claim it.
    """
    published = set(tokens_in(finding.found))
    if finding.state is RecordState.OK:
        held = holder is not None and holder in published
        return replace(finding, state=RecordState.CLAIMED, hint=Hint.HELD_BY_OTHER) if held else finding
    claimed = finding.state is RecordState.WRONG and not published.isdisjoint(others)
    return replace(finding, state=RecordState.CLAIMED) if claimed else finding


def merged_spf(found: str, expected: str) -> str:
    """The SPF record that is there, with our include added: what to publish instead of a second record."""
    include = next(term for term in expected.split() if term.startswith("include:"))
    terms = [term for term in found.split()[1:] if term.lower().lstrip("+") != include.lower()]
    return " ".join(["v=spf1", include, *terms])


def parse_tags(value: str) -> dict[str, str]:
    """A tag list (RFC 6376 §3.2): `{"v": "DKIM1", "p": "…"}`, names lower-case, white space in values removed."""
    tags: dict[str, str] = {}
    for part in value.split(";"):
        name, equals, content = part.partition("=")
        if equals:
            tags[name.strip().lower()] = "".join(content.split())
    return tags


def _ownership(expected: str, found: Sequence[str]) -> Hint | None:
    return None if expected in [value.strip() for value in found] else Hint.OTHER_TOKEN


def _spf(expected: str, found: Sequence[str]) -> Hint | None:
    """RFC 7208 §4.5: one record; §5.1: what follows `all` is not read."""
    if len(found) > 1:
        return Hint.SEVERAL
    include = next(term for term in expected.split() if term.startswith("include:"))
    terms = [term.lower().rstrip(".") for term in found[0].split()[1:]]
    matching = [place for place, term in enumerate(terms) if term.lstrip("+") == include.lower()]
    alls = [place for place, term in enumerate(terms) if term.lstrip("+-~?") == "all"]
    if not matching:
        return Hint.INCLUDE_MISSING
    return Hint.INCLUDE_AFTER_ALL if alls and alls[0] < matching[0] else None


def _dkim(expected: str, found: Sequence[str]) -> Hint | None:
    """RFC 6376 §3.6.1; several key records at one name have no defined meaning (§3.6.2.2)."""
    if len(found) > 1:
        return Hint.SEVERAL
    tags = parse_tags(found[0])
    if not tags["p"]:
        return Hint.KEY_REVOKED
    if tags["p"] != parse_tags(expected)["p"] or tags.get("k", "rsa") != "rsa" or tags.get("v", "DKIM1") != "DKIM1":
        return Hint.KEY_DIFFERS
    return None if "sha256" in tags.get("h", "sha256").split(":") else Hint.NOT_SHA256


def _dmarc(expected: str, found: Sequence[str]) -> Hint | None:
    """RFC 7489 §6.3 and §6.6.3: one record, with a policy."""
    if len(found) > 1:
        return Hint.SEVERAL
    known = parse_tags(found[0]).get("p", "").lower() in ("none", "quarantine", "reject")
    return None if known else Hint.POLICY_MISSING


def _mx(expected: str, found: Sequence[str]) -> Hint | None:
    target = expected.split()[1].lower()
    return None if target in [value.split()[-1].lower() for value in found] else Hint.OTHER_TARGET


def _cname(expected: str, found: Sequence[str]) -> Hint | None:
    return None if found[0].lower() == expected.lower() else Hint.OTHER_TARGET


def _any(value: str) -> bool:
    return True


def _is_spf(value: str) -> bool:
    return value.lower() == "v=spf1" or value.lower().startswith("v=spf1 ")


def _is_dmarc(value: str) -> bool:
    return value.replace(" ", "").upper().startswith("V=DMARC1")


_RULES: dict[Purpose, tuple[Callable[[str], bool], Callable[[str, Sequence[str]], Hint | None]]] = {
    Purpose.OWNERSHIP: (lambda value: value.strip().startswith(OWNERSHIP_TAG), _ownership),
    Purpose.SPF: (_is_spf, _spf),
    Purpose.DKIM: (lambda value: "p" in parse_tags(value), _dkim),
    Purpose.DMARC: (_is_dmarc, _dmarc),
    Purpose.MX: (_any, _mx),
    Purpose.TRACKING: (_any, _cname),
}
