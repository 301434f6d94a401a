"""A peer's words: fit to be read, stored and looked through; the enhanced status code that they carry."""

import re

_ESCAPED = re.compile("[\udc80-\udcff]")
_ENHANCED = re.compile(r"(?<![A-Za-z0-9.])([45]\.[0-7]\.\d{1,3})(?!\d|\.\d)")
"""RFC 3463 §2: class, subject, detail. Not a part of an IP address or of a version: those have other neighbours."""


def enhanced_code(text: str) -> str:
    """The first enhanced status code of a refusal (RFC 2034 §4 puts it first, many servers do not); "" without one."""
    match = _ENHANCED.search(text)
    return match[1] if match else ""


def bounded(text: str) -> str:
    """A peer's words, fit for a row: one line, at most 500 characters, nothing that PostgreSQL refuses."""
    return " ".join(legible(text).replace("\0", "").split())[:500]


def legible(text: str) -> str:
    """The same text with bytes that were not UTF-8 read as GB18030, as many Chinese servers still reply.

    SMTP clients hand such bytes on as lone surrogates, which no database takes.
    """
    if text.isascii():
        return text
    raw = text.encode("utf-8", "surrogateescape" if _ESCAPED.search(text) else "replace")
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("ascii", "replace")
