"""`%name%` variables in plain text: finding them and filling them, once each.

A percent sign is also ordinary text (“50% off”) and the escape of URLs (`%E4%BD%A0`), so those are recognised first.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

_FIRST = r"[^\W\d]"
"""A letter of any script, or an underscore."""
NAME = rf"{_FIRST}\w{{0,31}}"
_HEX = "[0-9A-Fa-f]"
_CONTINUATION = "%[89ABab][0-9A-Fa-f]"
_URL_ESCAPED = (
    f"%[C-Dc-d]{_HEX}{_CONTINUATION}|%[Ee]{_HEX}(?:{_CONTINUATION}){{2}}|%[Ff][0-7](?:{_CONTINUATION}){{3}}"
    f"|%{_HEX}{{2}}(?=%{_HEX}{{2}})"
)
"""A character of UTF-8 escaped for a URL (RFC 3986 §2.5), or one escaped byte before another: never a variable."""
_AFTER_DIGIT = r"(?<=\d)%(?=[^\x00-\x7f])"
"""“50%的人…100%” is Chinese prose: after a digit, no name in another script begins."""
TOKEN = re.compile(f"(?:{_URL_ESCAPED})|{_AFTER_DIGIT}|%(?P<name>{NAME})%")
NAME_ONLY = re.compile(NAME)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


@dataclass(frozen=True)
class Place:
    """Where a variable stands in a text; offsets are of its percent signs."""

    name: str
    start: int
    end: int


def places(text: str) -> Iterator[Place]:
    """Every variable of a text, in order."""
    for match in TOKEN.finditer(text):
        if match["name"]:
            yield Place(match["name"], match.start(), match.end())


def variables_in(*texts: str) -> list[str]:
    """The names used in these texts, each once, in order of first use."""
    return list(dict.fromkeys(place.name for text in texts for place in places(text)))


def missing(variables: Iterable[str], values: Mapping[str, str]) -> list[str]:
    """The variables that have no value."""
    return [name for name in variables if name not in values]


def fill_text(text: str, values: Mapping[str, str]) -> str:
    """Fill a plain-text body. A variable without a value stays as written; a value is never filled again."""
    return _fill(text, values, str)


def fill_header(text: str, values: Mapping[str, str]) -> str:
    """Fill a header such as the subject: one line, whatever the values hold (no header can be added, RFC 5322 §2.2)."""
    return _CONTROLS.sub(" ", _fill(text, values, str)).strip()


def _fill(text: str, values: Mapping[str, str], escape: Callable[[str], str]) -> str:
    def value_of(match: re.Match[str]) -> str:
        name = match["name"]
        return escape(values[name]) if name and name in values else match[0]

    return TOKEN.sub(value_of, text)
