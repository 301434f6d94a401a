"""Codes, words and hosts in what a server says about a failure."""

import re

from domain.addresses import BadAddress, normalise_address

STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
"""An enhanced code, and no IP address."""
CODE = re.compile(
    r"""(?:^|[:;"'(：]\s{0,3}|[<>-]{2,3}\s|\b(?:said|error|code|reply|response|smtp|returned|status)[:\s]\s{0,3}['"]?)"""
    r"""(?P<code>[45]\d\d)(?=[\s\-#.,;:)'"]|$)"""
    r"""|\b(?P<exact>(?P<class>[45])\d\d)[ -]\#?(?P=class)\.\d{1,3}\.\d""",
    re.IGNORECASE,
)
"""A basic code where a reply begins, or before an enhanced code of its class; not any three digits."""

_NAME = re.compile(r"[A-Za-z0-9_.:\[\]-]{1,255}")


def status_in(text: str) -> str:
    """The first enhanced code in a text, or an empty string."""
    match = STATUS.search(text)
    return match[0] if match else ""


def code_in(text: str) -> int:
    """The first basic SMTP code where a reply begins, or 0."""
    match = CODE.search(text)
    return int(match["code"] or match["exact"]) if match else 0


def better_status(told: str, said: str) -> str:
    """The report's own code, unless it is a mere class (Exim says 5.0.0 of everything): then what the server said."""
    own = status_in(told)
    if own and not own.endswith(".0.0"):
        return own
    code = code_in(said)
    return status_in(said) or (f"{code // 100}.0.0" if code else own)


def address_of(text: str) -> str:
    """The address in a text, normalised; empty when it is none."""
    trimmed = text.strip().strip("<>\"'").strip()
    try:
        return normalise_address(trimmed[:320])
    except BadAddress:
        return ""


def host_of(value: str) -> str:
    """The name in `dns; mx.example.com (192.0.2.1)`."""
    match = _NAME.search(value.rpartition(";")[2] if ";" in value else value)
    return match[0].strip(".").lower() if match else ""
