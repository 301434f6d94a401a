"""Codes, words and hosts in what a server says about a failure."""

import re

from domain.addresses import BadAddress, normalise_address

STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
"""An enhanced code, and no IP address."""
CODE = re.compile(
    r"(?:^|[:;>\"'(：]\s{0,3}|\b(?:said|error|code|reply|response|smtp|returned|status)[:\s]\s{0,3}['\"]?)([45]\d\d)(?=[\s\-#.,;:)'\"]|$)",
    re.IGNORECASE,
)
"""A basic code where a reply begins; not any three digits."""

_NAME = re.compile(r"[A-Za-z0-9_.:\[\]-]{1,255}")


def status_in(text: str) -> str:
    """The first enhanced code in a text, or an empty string."""
    match = STATUS.search(text)
    return match[0] if match else ""


def code_in(text: str) -> int:
    """The first basic SMTP code where a reply begins, or 0."""
    match = CODE.search(text)
    return int(match[1]) if match else 0


def better_status(told: str, said: str) -> str:
    """The report's own code, unless the server's words say the same class more exactly (5.0.0 and 5.1.1)."""
    own, other = status_in(told), status_in(said)
    if not own:
        return other
    vague = own.endswith(".0.0")
    return other if vague and other[:1] == own[0] else own


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
