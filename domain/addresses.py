"""E-mail addresses: what may stand in `RCPT TO` (RFC 5321 §4.1.2), brought to one written form."""

import re
from functools import lru_cache

import idna

from domain.errors import Refusal

LOCAL_OCTETS = 64
DOMAIN_OCTETS = 255
ADDRESS_OCTETS = 254
"""RFC 5321 §4.5.3.1: a path has 256 octets, of which two are the angle brackets."""

REASONS = {
    "address_empty": "There is no address.",
    "address_no_at": "An address has an @ between name and domain.",
    "address_local_part": "The part before the @ is not valid.",
    "address_domain": "The part after the @ is not a domain name.",
    "address_too_long": f"At most {LOCAL_OCTETS} octets before the @ and {ADDRESS_OCTETS} in all.",
    "address_control": "The address contains control characters.",
}
"""Every code that `BadAddress` can have; texts in both languages are in `domain.refusals`."""

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_PLAIN = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@({_LABEL}(?:\.{_LABEL})+)", re.ASCII | re.IGNORECASE)
_ASCII_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})+", re.ASCII | re.IGNORECASE)
_UTF8_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a1-\U0010ffff-]+"
_LOCAL = re.compile(rf"{_UTF8_ATOM}(?:\.{_UTF8_ATOM})*")
_SPACE = re.compile(r"\s")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060"
"""Zero-width characters that spreadsheets leave around a copied address."""


class BadAddress(Refusal):
    """Not an address that mail can be sent to; `code` is one of `REASONS`."""

    def __init__(self, code: str, field: str | None = "address") -> None:
        super().__init__(code, field)

    @property
    def reason(self) -> str:
        """What is wrong, in English."""
        return REASONS[self.code]


def normalise_address(address: str) -> str:
    """The address as it is stored and compared: domain in lower-case A-labels, local part untouched.

    Surrounding white space goes. The local part is a Dot-string, also of UTF-8 (RFC 6531 §3.3: see `needs_smtputf8`);
    quoted strings and address literals are refused, since no mailbox of the public Internet needs them.
    Raises `BadAddress`.
    """
    trimmed = address.strip().strip(_INVISIBLE).strip()
    plain = _PLAIN.fullmatch(trimmed)
    if plain is None:
        return _unusual(trimmed)
    local, domain = plain.groups()
    return _measured(local, _with_named_top(domain.lower()))


def needs_smtputf8(address: str) -> bool:
    """Whether only servers that offer SMTPUTF8 can take this (normalised) address."""
    return not address.isascii()


def domain_of(address: str) -> str:
    """The domain of a normalised address."""
    return address.rpartition("@")[2]


def normalise_domain(domain: str) -> str:
    """A mail domain in lower-case A-labels (UTS 46, RFC 5891); at least two labels. Raises `BadAddress`."""
    ascii_name = domain.lower() if domain.isascii() else _a_labels(domain)
    if ascii_name is None or not _ASCII_DOMAIN.fullmatch(ascii_name):
        raise BadAddress("address_domain")
    return _with_named_top(ascii_name)


def _unusual(address: str) -> str:
    """An address beyond ASCII, or `BadAddress` with what is wrong."""
    if not address:
        raise BadAddress("address_empty")
    if len(address) > 2 * ADDRESS_OCTETS:
        raise BadAddress("address_too_long")
    if _CONTROL.search(address):
        raise BadAddress("address_control")
    local, at, domain = address.rpartition("@")
    if not at:
        raise BadAddress("address_no_at")
    if not _LOCAL.fullmatch(local) or _SPACE.search(local):
        raise BadAddress("address_local_part")
    return _measured(local, normalise_domain(domain))


def _measured(local: str, domain: str) -> str:
    """Apply the limits of RFC 5321 §4.5.3.1, in octets."""
    octets = len(local) if local.isascii() else len(local.encode())
    if octets > LOCAL_OCTETS or len(domain) > DOMAIN_OCTETS or octets + 1 + len(domain) > ADDRESS_OCTETS:
        raise BadAddress("address_too_long")
    return f"{local}@{domain}"


def _with_named_top(domain: str) -> str:
    """An all-numeric last label belongs to an IP address, not to a domain (RFC 3696 §2)."""
    if domain.rpartition(".")[2].isdigit():
        raise BadAddress("address_domain")
    return domain


@lru_cache(maxsize=4096)
def _a_labels(domain: str) -> str | None:
    """An internationalised domain in A-labels, or None. Cached: a list has few domains and many lines."""
    try:
        return idna.encode(domain, uts46=True).decode().lower()
    except UnicodeError:
        return None
