"""The parts of a mail as bytes: header fields (RFC 5322, 2047, 6532) and base64 bodies (RFC 2045).

Whatever a value holds, it stays inside its field: line breaks and other controls of texts become spaces, and an address
with a character that none may have is refused. Lines are at most 78 octets wherever a fold is allowed.
"""

import re
import struct
from binascii import b2a_base64
from functools import lru_cache

from domain.addresses import BadAddress, normalise_domain
from domain.variables import one_line

LINE = 76
"""Octets of a line of base64, and of a header line that holds an encoded word (RFC 2045 §6.8, RFC 2047 §2)."""
_SOFT = 78
"""Octets that a line should have at most (RFC 5322 §2.1.1)."""
_WORD = 75
_WORD_FRAME = len("=?utf-8?b?") + len("?=")
_NOT_IN_ADDRESS = re.compile(r"""[\x00-\x20\x7f-\xa0\u2028\u2029\ud800-\udfff"(),:;<>\[\\\]]""")
_QUOTED = re.compile(r'(["\\])')
_SPECIAL = re.compile(r'[()<>@,:;".\[\]\\]')
_URI = re.compile(r"[!#-;=?-~]+")
_BLANK = re.compile(rb"[ \t\r\n]+")


def field(name: str, value: str) -> bytes:
    """A header field. A line break in `value` is always a fold. Raises `ValueError` when it is not."""
    bare = value.replace("\r\n ", "")
    if "\r" in bare or "\n" in bare:
        raise ValueError(f"the value of {name} contains a line break")
    gap = "" if value.startswith("\r\n") else " "
    return f"{name}:{gap}{value}\r\n".encode()


def canonical(raw: bytes) -> bytes:
    """A field as relaxed canonicalisation has it (RFC 6376 §3.4.2)."""
    name, _, value = raw.partition(b":")
    return name.lower() + b":" + _BLANK.sub(b" ", value).strip() + b"\r\n"


def unstructured(text: str, name: str) -> str:
    """The value of a field of free text, such as a subject: as written where ASCII can say it, else encoded words."""
    text = one_line(text)
    used = len(name) + 2
    if text.isascii() and "=?" not in text:
        if used + len(text) <= _SOFT:
            return text
        if (folded := _folded(text, used)) is not None:
            return folded
    return encoded_words(text, used)


def mailbox(name: str, address: str) -> str:
    """The value of `From`: the address, with a name before it when there is one."""
    name = one_line(name)
    if not name:
        return address
    if name.isascii() and len(name) <= 60 and "=?" not in name:
        shown = '"' + _QUOTED.sub(r"\\\1", name) + '"' if _SPECIAL.search(name) else name
    else:
        shown = encoded_words(name, len("From: "))
    last = len(shown) - shown.rfind("\n") + (0 if "\n" in shown else len("From: "))
    fold = " " if last + len(address.encode()) + 3 <= _SOFT else "\r\n "
    return f"{shown}{fold}<{address}>"


def uri(url: str, name: str) -> str:
    """The value of a field that holds one URI in angle brackets; it is never broken. Raises `ValueError`."""
    if not _URI.fullmatch(url):
        raise ValueError(f"{name} is no URI")
    return f"<{url}>" if len(name) + len(url) + 4 <= _SOFT else f"\r\n <{url}>"


def on_the_wire(address: str) -> str:
    """An address as servers take it: its domain in A-labels. Raises `ValueError` when it is none."""
    if _NOT_IN_ADDRESS.search(address):
        raise ValueError("an address with a character that none may have")
    local, at, domain = address.rpartition("@")
    if not (local and at and domain):
        raise ValueError("an address without a name or a domain")
    return address if domain.isascii() else f"{local}@{domain_on_the_wire(domain)}"


def domain_on_the_wire(domain: str) -> str:
    """A domain in A-labels. Raises `ValueError` when it has none."""
    if domain.isascii():
        return domain
    try:
        return normalise_domain(domain)
    except BadAddress as bad:
        raise ValueError(bad.reason) from None


def encoded_words(text: str, used: int) -> str:
    """The text in encoded words of whole characters, one per line; `used` octets stand on the first already."""
    raw = text.encode(errors="replace")
    words: list[str] = []
    start, room = 0, LINE - used
    while start < len(raw) or not words:
        end = _end_of_word(raw, start, (room - _WORD_FRAME) // 4 * 3)
        words.append(f"=?utf-8?b?{b2a_base64(raw[start:end], newline=False).decode()}?=")
        start, room = end, _WORD
    return "\r\n ".join(words)


def _end_of_word(raw: bytes, start: int, most: int) -> int:
    """Where a word of at most `most` octets ends: never inside a character (RFC 2047 §5)."""
    end = start + most
    while end < len(raw) and raw[end] & 0xC0 == 0x80:
        end -= 1
    return min(end, len(raw))


def _folded(text: str, used: int) -> str | None:
    """ASCII text folded at its spaces; None when a word is too long or a line would be blank."""
    if "  " in text:
        return None
    lines, room = [""], _SOFT - used
    for word in text.split(" "):
        if len(word) >= _SOFT - used:
            return None
        if lines[-1] and len(lines[-1]) + 1 + len(word) > room:
            lines.append("")
            room = _SOFT - 1
        lines[-1] += f" {word}" if lines[-1] else word
    return "\r\n ".join(lines)


def base64_lines(content: bytes) -> bytes:
    """Base64 in lines of 76 with CRLF, the last one ended, too.

    One `unpack` cuts all lines: twice as fast as `base64.encodebytes` with its line ends replaced.
    """
    encoded = b2a_base64(content, newline=False)
    whole = len(encoded) // LINE
    lines = [*_cutter(whole).unpack_from(encoded), encoded[whole * LINE :]] if whole else [encoded]
    if lines[-1]:
        lines.append(b"")
    return b"\r\n".join(lines)


@lru_cache(maxsize=256)
def _cutter(lines: int) -> struct.Struct:
    return struct.Struct(f"{LINE}s" * lines)
