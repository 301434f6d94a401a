"""Text that can be kept and sent: JSON and some charsets can say half a character (a lone surrogate), which UTF-8
cannot write; and PostgreSQL's text has no NUL."""

import re

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""Finds what no row can hold."""


def whole(text: str) -> str:
    """Each half of a character is a question mark."""
    return text.encode(errors="replace").decode()
