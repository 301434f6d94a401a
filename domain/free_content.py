"""Free content against approved templates (design §6): a template is a pattern, its variables are wildcards.

What matches is sent as the template with the values that were found, so what goes out was reviewed, and takes the same
way as everything else. A variable stands for text: in HTML a value holds no markup, in a link it stays in its place.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from html import unescape
from urllib.parse import unquote

from domain.acceptance import MAX_VARIABLES_BYTES
from domain.errors import Refusal
from domain.markup import Compiled, Slot, Spot, compile_html, is_link
from domain.sending import Recipient
from domain.variables import TOKEN, UNSUBSCRIBE, compile_text, missing, one_line, places

_OURS = f"%{UNSUBSCRIBE}%"
"""No wildcard: nobody's link stands there but ours."""
_ONCE = "x"
"""The name of the variable in a piece that is filled to see how a value would be written."""


@dataclass(frozen=True)
class Written:
    """What a customer wrote. With an HTML body the plain text is not looked at."""

    subject: str
    html: str
    text: str = ""


@dataclass(frozen=True)
class FreeMail:
    """A mail whose content is written out. The variables of its recipients are the sender's own (`xsmtpapi`), and may
    stand wherever the template has a variable."""

    sender: str
    written: Written
    recipients: tuple[Recipient, ...]
    sender_name: str = ""
    reply_to: str = ""
    label: str = ""
    idempotency_key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Those of `domain.custom_headers`."""


@dataclass(frozen=True)
class _Gap:
    """A variable between two literals of a template. `spot` is None in plain text."""

    name: str
    spot: Spot | None = None


@dataclass(frozen=True)
class _Part:
    """`literals` has one part more than `gaps`, and they alternate."""

    literals: tuple[str, ...]
    gaps: tuple[_Gap, ...]


@dataclass(frozen=True)
class Pattern:
    """An approved version, ready to be compared with."""

    subject: _Part
    html: _Part
    text: _Part
    variables: tuple[str, ...]
    size: int
    """Characters of it."""

    @classmethod
    def of(cls, subject: str, html: str, text: str, variables: Sequence[str]) -> "Pattern":
        """From what the version says."""
        parts = (_plain(one_line(subject)), _markup(_tidy(html)), _plain(_tidy(text)))
        return cls(*parts, tuple(variables), len(subject) + len(html) + len(text))

    def values(self, written: Written) -> dict[str, str] | None:
        """The values with which the template says just this, or None.

        The body comes first, where tags keep variables apart; what it told is then looked for in the subject.
        """
        body = self.html if written.html else self.text
        found = _match(body, _tidy(written.html or written.text))
        if found is None:
            return None
        rest = _match(_known(self.subject, found), one_line(written.subject))
        if rest is None or missing(self.variables, found | rest):
            return None
        return found | rest


@lru_cache(maxsize=4096)
def subject_pattern(subject: str) -> _Part:
    """Of the subject alone: with it most templates are ruled out before their bodies are read."""
    return _plain(one_line(subject))


def subject_fits(subject: str, written: str) -> bool:
    """Whether this template's subject can say what was written."""
    return _match(subject_pattern(subject), one_line(written), same=False) is not None


def fill_values(values: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Fill the sender's own variables (`xsmtpapi`), which may stand inside the values that were found.

    Raises `variables_too_long` before they are.
    """
    texts = {name: compile_text(value) for name, value in values.items()}
    if sum(text.length(own) for text in texts.values()) > MAX_VARIABLES_BYTES:
        raise Refusal("variables_too_long", field="variables", limit=MAX_VARIABLES_BYTES)
    return {name: text.fill(own) for name, text in texts.items()}


def is_verbatim(values: Mapping[str, str]) -> bool:
    """Whether the template itself was written, with every variable still standing for itself."""
    return all(value == f"%{name}%" for name, value in values.items())


def _tidy(body: str) -> str:
    """Forms bring line ends of their own (CRLF), and blanks around a body say nothing."""
    return body.replace("\r\n", "\n").replace(f"%%{UNSUBSCRIBE}%%", _OURS).strip()


def _plain(text: str) -> _Part:
    found = [place for place in places(text) if place.name != UNSUBSCRIBE]
    cuts = [(place.start, place.end) for place in found]
    return _Part(_around(text, cuts), tuple(_Gap(place.name) for place in found))


def _markup(html: str) -> _Part:
    """The literals are those of the source: a compiled HTML text is escaped here and there."""
    slots = [slot for slot in compile_html(html).slots if slot.name != UNSUBSCRIBE]
    cuts = [(slot.offset, _end(html, slot)) for slot in slots]
    return _Part(_around(html, cuts), tuple(_Gap(slot.name, slot.spot) for slot in slots))


def _end(html: str, slot: Slot) -> int:
    token = TOKEN.match(html, slot.offset)
    return token.end() if token else slot.offset + len(slot.name) + 2


def _around(text: str, cuts: list[tuple[int, int]]) -> tuple[str, ...]:
    starts, ends = [0, *(end for _, end in cuts)], [*(start for start, _ in cuts), len(text)]
    return tuple(text[start:end] for start, end in zip(starts, ends, strict=True))


def _known(part: _Part, values: Mapping[str, str]) -> _Part:
    """With variables whose values are known written out."""
    literals, gaps = [part.literals[0]], []
    for gap, literal in zip(part.gaps, part.literals[1:], strict=True):
        if gap.name in values:
            literals[-1] += one_line(values[gap.name]) + literal
        else:
            gaps.append(gap)
            literals.append(literal)
    return _Part(tuple(literals), tuple(gaps))


def _match(part: _Part, written: str, same: bool = True) -> dict[str, str] | None:
    """The value of each variable; `same`: one that stands twice has one value."""
    raw = _between(part.literals, written)
    if raw is None:
        return None
    found: dict[str, str] = {}
    for gap, piece in zip(part.gaps, raw, strict=True):
        value = _read(gap, piece)
        if value is None or (same and found.setdefault(gap.name, value) != value):
            return None
    return found


def _between(literals: Sequence[str], written: str) -> list[str] | None:
    """What stands between the literals, each found as early as possible: in linear time, whatever was written."""
    first, last = literals[0], literals[-1]
    if len(literals) == 1:
        return [] if written == first else None
    end = len(written) - len(last)
    if end < len(first) or not (written.startswith(first) and written.endswith(last)):
        return None
    return _walk(literals[1:-1], written[len(first) : end])


def _walk(literals: Sequence[str], written: str) -> list[str] | None:
    position, found = 0, []
    for literal in literals:
        at = written.find(literal, position)
        if at < 0:
            return None
        found.append(written[position:at])
        position = at + len(literal)
    return [*found, written[position:]]


def _read(gap: _Gap, piece: str) -> str | None:
    """The value that is written so in this spot; None where no value is."""
    if gap.spot is None:
        return piece
    if "<" in piece or (gap.spot is not Spot.TEXT and ('"' in piece or "'" in piece)):
        return None
    value = _value(gap.spot, unescape(piece))
    return value if value is not None and "\0" not in value else None


def _value(spot: Spot, said: str) -> str | None:
    """`said` is without HTML's escapes."""
    if spot in (Spot.LINK_START, Spot.LINK_PART) and not (spot is Spot.LINK_START and is_link(said)):
        return _component(spot, said)
    if spot in (Spot.TEXT, Spot.ATTRIBUTE) and said.isprintable():
        return said  # the usual case, without the detour
    return said if _as_written(spot, said) == said else None


def _component(spot: Spot, said: str) -> str | None:
    """A part of a URL, with its percent signs; variables of the sender's own stay as they are."""
    value = ""
    for piece, is_variable in _pieces(said):
        plain = piece if is_variable else unquote(piece)
        if not is_variable and _as_written(spot, plain) != piece:
            return None
        value += plain
    return value


def _pieces(said: str) -> Iterator[tuple[str, bool]]:
    """(text, whether it is a variable)."""
    done = 0
    for place in places(said):
        yield said[done : place.start], False
        yield said[place.start : place.end], True
        done = place.end
    yield said[done:], False


def _as_written(spot: Spot, value: str) -> str:
    """How the compiler would write the value, without HTML's escapes."""
    return unescape(Compiled(("", ""), (Slot(_ONCE, spot, 0),)).fill({_ONCE: value}))
