"""How a call of SendCloud's SMS API is signed (reference/sendcloud-api.md §7.1, §7.2)."""

import datetime as dt
import hashlib
import hmac
from collections.abc import Iterable, Mapping

SIGNATURE, KEY = "signature", "smsKey"
"""Parameters that are not signed. The oldest samples send the key itself, which is no proof of anything here."""
SKEW = dt.timedelta(seconds=60)
"""How far a call's timestamp may be from our clock."""
_HASHES = {32: "md5", 64: "sha256"}
"""By the length of the hexadecimal digest: no parameter says which."""
_MILLISECONDS_FROM = 10**11
"""What is smaller is in seconds: as milliseconds it would be a day of the year 1973."""


def has_form(signature: str) -> bool:
    """Whether it could be one: 32 or 64 hexadecimal digits."""
    return len(signature) in _HASHES and all(sign in "0123456789abcdefABCDEF" for sign in signature)


def sign(key: str, given: Mapping[str, str], algorithm: str = "md5") -> str:
    """`key&a=1&b=2&key`, by name in the order of bytes, values as they are; lower-case hexadecimal."""
    pairs = sorted((name.encode(errors="replace"), value.encode(errors="replace")) for name, value in given.items())
    signed = b"&".join((key.encode(), *(name + b"=" + value for name, value in pairs), key.encode()))
    return hashlib.new(algorithm, signed, usedforsecurity=False).hexdigest()


def is_signed(signature: str, keys: Iterable[str], given: Mapping[str, str]) -> bool:
    """Whether one of the keys signed all that was given (`given` with or without the signature itself).

    Takes as long for a wrong signature as for a right one.
    """
    if not has_form(signature):
        return False
    algorithm, variants = _HASHES[len(signature)], _variants(given)
    received, right = signature.lower(), False
    for key in keys:
        for variant in variants:
            right |= hmac.compare_digest(sign(key, variant, algorithm), received)
    return right


def _variants(given: Mapping[str, str]) -> list[dict[str, str]]:
    """What clients sign of a call: everything; or only what has a value; or, with the key sent along, that one too."""
    signed = {name: value for name, value in given.items() if name != SIGNATURE}
    everything = {name: value for name, value in signed.items() if name != KEY}
    filled = {name: value for name, value in everything.items() if value}
    found = [everything]
    found += [filled] if len(filled) < len(everything) else []
    return found + ([signed] if KEY in signed else [])


def is_timely(timestamp: str, now: dt.datetime) -> bool:
    """Whether a timestamp (epoch, milliseconds or seconds) is of now."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 16):
        return False
    number = int(timestamp)
    seconds = number / 1000 if number >= _MILLISECONDS_FROM else number
    return abs(seconds - now.timestamp()) <= SKEW.total_seconds()
