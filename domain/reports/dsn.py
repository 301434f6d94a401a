"""Delivery status notifications (RFC 3464; RFC 6533 for addresses beyond ASCII)."""

import re
from collections.abc import Iterable, Iterator, Sequence

from domain.outcomes import bounded
from domain.reports.diagnosis import address_of, better_status, code_in, host_of, status_in
from domain.reports.failure_text import reason_near
from domain.reports.mime import Fields, Part, blocks
from domain.reports.words import Reported, ReportKind

STATUS_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})
PARTS = 3
RECIPIENTS = 100
"""Read of one report; we send one recipient a mail."""
EXPLAINED = 10
"""So many of them are looked up in the text for people when the report itself does not say why."""
_DONE = ("delivered", "relayed", "expanded")
_ACTIONS = {"fail": "failed", "error": "failed", "delay": "delayed"} | {each: each for each in _DONE}
"""By how they begin: some servers write comments behind them, OpenSMTPD says `error`."""
_BY_CLASS = {"5": "failed", "4": "delayed", "2": "delivered"}
_OWN_FIELDS = ("final-recipient", "original-recipient", "action")
_XTEXT = re.compile(r"\+([0-9A-F]{2})")
_UNICODE = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")


def status_parts(parts: Iterable[Part]) -> list[Part]:
    return [part for part in parts if part.type in STATUS_TYPES]


def read_status(part: Part, words: Sequence[str]) -> tuple[Reported, ...]:
    """The recipients of one status part; `words` are the texts for people that come with it."""
    groups = blocks(part.decoded(), RECIPIENTS + 1)
    reporter = next((host_of(value) for group in groups if (value := group.first("reporting-mta"))), "")
    own = [group for group in groups if any(group.first(name) for name in _OWN_FIELDS)]
    return tuple(_reported(group, reporter, words if at < EXPLAINED else ()) for at, group in enumerate(own))


def kind_of(recipients: Iterable[Reported]) -> ReportKind | None:
    """The worst that happened; None when no action is known."""
    actions = {each.action for each in recipients}
    if "failed" in actions:
        return ReportKind.BOUNCE
    if "delayed" in actions:
        return ReportKind.DELAY
    return ReportKind.DELIVERED if actions.intersection(_DONE) else None


def _reported(group: Fields, reporter: str, words: Sequence[str]) -> Reported:
    address = _recipient(group)
    diagnostic = group.text("diagnostic-code")
    said = diagnostic.partition(";")[2].strip() if ";" in diagnostic[:40] else diagnostic
    reason = said or next((found for text in words if (found := reason_near(text, address))), "")
    status = better_status(group.first("status"), reason)
    return Reported(
        address=address,
        action=_action(group.first("action"), status),
        status=status,
        code=code_in(reason),
        diagnostic=bounded(reason),
        host=host_of(group.first("remote-mta")) or reporter,
    )


def _action(value: str, status: str) -> str:
    told = value.strip().lower()
    known = next((action for start, action in _ACTIONS.items() if told.startswith(start)), "")
    return known or _BY_CLASS.get(status_in(status)[:1], "")


def _recipient(group: Fields) -> str:
    """The address that we wrote to: the original one, when the report knows it, else the final one."""
    values = (*group.all("original-recipient"), *group.all("final-recipient"))
    return next((found for value in values for form in _forms(value) if (found := address_of(form))), "")


def _forms(value: str) -> Iterator[str]:
    kind, separator, address = value.partition(";")
    if not separator:
        kind, address = "", value
    if kind.strip().lower() in ("", "rfc822", "utf-8"):
        yield _unescaped(address) if kind.strip().lower() == "utf-8" else address
        yield _XTEXT.sub(lambda match: chr(int(match[1], 16)), address)


def _unescaped(address: str) -> str:
    r"""RFC 6533 §3: `\x{5B57}` in places that carry ASCII only."""
    return _UNICODE.sub(lambda match: _character(int(match[1], 16)), address)


def _character(number: int) -> str:
    return chr(number) if number < 0xD800 or 0xDFFF < number < 0x110000 else ""
