"""`%name%` variables in plain text: finding them and filling them, once each.

A percent sign is also ordinary text (“50% off”) and the escape of URLs (`%E4%BD%A0`), so those are recognised first.
Two names are filled by the system: the recipient's address and the link to unsubscribe (`system_values`).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
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
RECIPIENT = "recipient"
"""The address of who gets the mail, unless the sender gives a value."""
UNSUBSCRIBE = "user_defined_unsubscribe_link"
"""SendCloud's name for the link to unsubscribe; written with one percent sign on each side, or with two."""
SYSTEM_VARIABLES = frozenset({RECIPIENT, UNSUBSCRIBE})
TOKEN = re.compile(f"(?:{_URL_ESCAPED})|{_AFTER_DIGIT}|%%(?P<twice>{UNSUBSCRIBE})%%|%(?P<name>{NAME})%")
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
        if match.lastgroup:
            yield Place(match[match.lastgroup], match.start(), match.end())


def variables_in(*texts: str) -> list[str]:
    """The names used in these texts, each once, in order of first use."""
    return list(dict.fromkeys(place.name for text in texts for place in places(text)))


def missing(variables: Iterable[str], values: Mapping[str, str]) -> list[str]:
    """The variables that have no value."""
    return [name for name in variables if name not in values]


def system_values(address: str, values: Mapping[str, str], unsubscribe: str) -> Mapping[str, str]:
    """A recipient's values with those of the system; of these, only the address gives way to a value of that name."""
    return {RECIPIENT: address, **values, UNSUBSCRIBE: unsubscribe}


@dataclass(frozen=True)
class FillableText:
    """A plain text ready to be filled: `literals` has one part more than `places`, and they alternate."""

    literals: tuple[str, ...]
    places: tuple[str, ...]

    def length(self, values: Mapping[str, str]) -> int:
        """Characters of what `fill` would make: a short text may name a long value many times."""
        return sum(map(len, self.literals)) + sum(len(values.get(name, f"%{name}%")) for name in self.places)

    def fill(self, values: Mapping[str, str]) -> str:
        """As `fill_text` does, without looking for the variables again."""
        parts = [self.literals[0]]
        for name, literal in zip(self.places, self.literals[1:], strict=True):
            parts.append(values.get(name, f"%{name}%"))
            parts.append(literal)
        return "".join(parts)


def compile_text(text: str) -> FillableText:
    """Find the variables of a plain text once."""
    found = list(places(text))
    starts = [0, *(place.end for place in found)]
    ends = [*(place.start for place in found), len(text)]
    literals = tuple(text[start:end] for start, end in zip(starts, ends, strict=True))
    return FillableText(literals, tuple(place.name for place in found))


def fill_text(text: str, values: Mapping[str, str]) -> str:
    """Fill a plain-text body. A variable without a value stays as written; a value is never filled again."""
    return compile_text(text).fill(values)


def fill_header(text: str, values: Mapping[str, str]) -> str:
    """Fill a header such as the subject: one line, whatever the values hold (no header can be added, RFC 5322 §2.2)."""
    return one_line(compile_text(text).fill(values))


def one_line(text: str) -> str:
    """The text without control characters and line breaks; each run of them becomes a space."""
    return _CONTROLS.sub(" ", text).strip()
