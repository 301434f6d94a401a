"""Tokens in the links of mails: which message, what for, which of its links; nobody can make one but us.

A token is 21 bytes (kind, link, message id, MAC), base64url: 28 characters without padding, one spelling each. It says
nothing about the recipient and names no target: whoever holds it learns a number, and can ask for that link alone.
"""

import base64
import hashlib
import hmac
import re
import struct
from dataclasses import dataclass
from enum import StrEnum

MAC_OCTETS = 10
"""80 bits: to guess one, a forger would ask us 2^79 times."""
MAX_LINK = 0x7FFF
"""What a `smallint` holds."""
MAX_MESSAGE = 2**63 - 1

_FIELDS = struct.Struct(">BHQ")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{28}")


class LinkKind(StrEnum):
    """What a link of a mail does; the last part of its path before the token is the letter in `LETTERS`."""

    CLICK = "click"
    OPEN = "open"
    UNSUBSCRIBE = "unsubscribe"


LETTERS = {LinkKind.CLICK: "c", LinkKind.OPEN: "o", LinkKind.UNSUBSCRIBE: "u"}
_NUMBERS = {LinkKind.CLICK: 1, LinkKind.OPEN: 2, LinkKind.UNSUBSCRIBE: 3}
_KINDS = {number: kind for kind, number in _NUMBERS.items()}


@dataclass(frozen=True)
class LinkToken:
    """`link` is the number of a tracked link in its mail; 0 for the other kinds."""

    kind: LinkKind
    message_id: int
    link: int = 0


def make_token(key: bytes, kind: LinkKind, message_id: int, link: int = 0) -> str:
    """The 28 characters; `key` is `Vault.link_key`. Raises `ValueError` for numbers that no row can have."""
    if not (0 <= link <= MAX_LINK and 0 <= message_id <= MAX_MESSAGE):
        raise ValueError("no such message or link")
    said = _FIELDS.pack(_NUMBERS[kind], link, message_id)
    return base64.urlsafe_b64encode(said + _mac(key, said)).decode()


def read_token(key: bytes, token: str) -> LinkToken | None:
    """What we said in it; None for whatever we did not make. Takes as long for a near miss as for any other."""
    if not _TOKEN.fullmatch(token):
        return None
    whole = base64.urlsafe_b64decode(token)
    said, mac = whole[: _FIELDS.size], whole[_FIELDS.size :]
    if not hmac.compare_digest(mac, _mac(key, said)):
        return None
    number, link, message_id = _FIELDS.unpack(said)
    return LinkToken(_KINDS[number], message_id, link)


def link_url(tracking_url: str, kind: LinkKind, token: str) -> str:
    """Where the link leads: `<tracking_url>/t/<letter>/<token>`."""
    return f"{tracking_url}/t/{LETTERS[kind]}/{token}"


def _mac(key: bytes, said: bytes) -> bytes:
    """Keyed BLAKE2b (RFC 7693 §2.9): a campaign's mail has seven tokens, and HMAC takes four times as long."""
    return hashlib.blake2b(said, key=key, digest_size=MAC_OCTETS).digest()
