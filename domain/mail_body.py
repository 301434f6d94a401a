"""A multipart/alternative body (RFC 2046), compiled once per content and filled per recipient.

Its bytes are in relaxed canonical form (RFC 6376 §3.4.4) as they are: base64 lines hold no blanks, part headers single
ones, and nothing follows the last line. So what DKIM hashes are the bytes themselves.
"""

import hashlib
import html as stdlib_html
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from domain.mail import base64_lines
from domain.markup import Compiled, Slot, compile_html, escaped
from domain.templates import text_from_html
from domain.tracked_links import MarkedHtml, TrackedLink, mark_links, target
from domain.variables import compile_text, variables_in

LONG = 114
"""Octets of a literal that is worth lines of its own."""
_HEAD = "Content-Type: text/{}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
_PICTURE = '<img src="{}" width="1" height="1" alt="" style="display:block;border:0">'


class Links(Protocol):
    """The platform's own links in one recipient's mail."""

    def click(self, number: int) -> str:
        """What leads to the tracked link of this number."""

    def open(self) -> str:
        """The address of the picture that is asked for when the mail is opened."""


@dataclass(frozen=True)
class Tracking:
    """`own` are beginnings of URLs, in lower case, that lead to the platform itself and are left as they are."""

    clicks: bool = False
    opens: bool = False
    own: tuple[str, ...] = ()


Step = Callable[[Mapping[str, str], Links], str]
"""What stands at a place that differs from mail to mail, escaped for that place."""


class _Literal:
    """Bytes that are the same in every mail, encoded once for each place in a triple where they may begin.

    A long one begins a line of its own: lines of base64 may be short (RFC 2045 §6.8), and then only what lies between
    long literals is encoded anew for each mail.
    """

    __slots__ = ("_cuts", "_raw")

    def __init__(self, text: str) -> None:
        self._raw = text.encode(errors="replace")
        self._cuts = tuple(map(self._cut, range(3))) if len(self._raw) >= LONG else None

    def _cut(self, wanted: int) -> tuple[bytes, bytes, bytes]:
        end = len(self._raw) - (len(self._raw) - wanted) % 3
        return self._raw[:wanted], base64_lines(self._raw[wanted:end]), self._raw[end:]

    def follow(self, rest: bytes, lines: list[bytes]) -> bytes:
        """Put it behind `rest`, which is not encoded yet; returns what is not encoded then."""
        if self._cuts is None:
            return rest + self._raw
        head, encoded, tail = self._cuts[-len(rest) % 3]
        if rest:
            lines.append(base64_lines(rest + head))
        lines.append(encoded)
        return tail


@dataclass(frozen=True)
class Part:
    """One part of the body: steps, each with the literal behind it."""

    first: _Literal
    rest: tuple[tuple[Step, _Literal], ...]

    def fill(self, values: Mapping[str, str], links: Links) -> bytes:
        """One recipient's part in base64, every line with its CRLF."""
        lines: list[bytes] = []
        rest = self.first.follow(b"", lines)
        for step, literal in self.rest:
            rest = literal.follow(rest + step(values, links).encode(errors="replace"), lines)
        lines.append(base64_lines(rest))
        return b"".join(lines)


@dataclass(frozen=True)
class CompiledBody:
    """Segments in order: bytes, and parts that differ from mail to mail."""

    boundary: str
    segments: tuple[bytes | Part, ...]
    variables: frozenset[str]
    """The names it uses."""

    def fill(self, values: Mapping[str, str], links: Links) -> bytes:
        """One recipient's body."""
        return b"".join(each if isinstance(each, bytes) else each.fill(values, links) for each in self.segments)


@lru_cache(maxsize=32)
def compile_body(html: str, text: str, tracking: Tracking) -> CompiledBody:
    """Segments of the body. Without a text part one is made of the HTML; its links are left as they are."""
    boundary = "=_songda_" + hashlib.sha256(f"{text}\0{html}".encode(errors="replace")).hexdigest()[:24]
    plain = _part(_plain(text or text_from_html(html)))
    rich = _part(_tracked(html, tracking) if tracking.clicks or tracking.opens else _untracked(html))
    head, between = (f"--{boundary}\r\n{_HEAD.format(subtype)}".encode() for subtype in ("plain", "html"))
    segments = (head, plain, between, rich, f"--{boundary}--\r\n".encode())
    return CompiledBody(boundary, segments, frozenset(variables_in(html, text)))


def _part(items: Iterable[str | Step]) -> bytes | Part:
    """Literals that follow each other become one; a part that is the same in every mail is encoded here."""
    literals, steps = [""], list[Step]()
    for item in items:
        if isinstance(item, str):
            literals[-1] += item
        else:
            steps.append(item)
            literals.append("")
    if not steps:
        return base64_lines(literals[0].encode(errors="replace"))
    first, *others = map(_Literal, literals)
    return Part(first, tuple(zip(steps, others, strict=True)))


def _plain(text: str) -> Iterator[str | Step]:
    compiled = compile_text(text)
    yield compiled.literals[0]
    for name, literal in zip(compiled.places, compiled.literals[1:], strict=True):
        yield _text_value(name)
        yield literal


def _text_value(name: str) -> Step:
    def value(values: Mapping[str, str], links: Links) -> str:
        return values.get(name, f"%{name}%")

    return value


def _untracked(html: str) -> Iterator[str | Step]:
    return _as_written(compile_html(html))


def _as_written(compiled: Compiled) -> Iterator[str | Step]:
    yield compiled.literals[0]
    for slot, literal in zip(compiled.slots, compiled.literals[1:], strict=True):
        yield _value(slot)
        yield literal


def _tracked(html: str, tracking: Tracking) -> Iterator[str | Step]:
    marked = mark_links(html)
    yield marked.compiled.literals[0]
    for index, literal in enumerate(marked.compiled.literals[1:]):
        yield from _place(marked, index, tracking)
        yield literal


def _place(marked: MarkedHtml, index: int, tracking: Tracking) -> Iterator[str | Step]:
    if index == marked.pixel:
        if tracking.opens:
            yield _picture
    elif link := marked.links.get(index):
        if not tracking.clicks or (link.is_settled and _is_own(link.literals[0].strip(), tracking)):
            yield from _as_written(marked.plain[index])
        else:
            yield _click(link.number) if link.is_settled else _click_if_web(link, marked.plain[index], tracking)
    else:
        yield _value(marked.compiled.slots[index])


def _value(slot: Slot) -> Step:
    name, spot = slot.name, slot.spot

    def value(values: Mapping[str, str], links: Links) -> str:
        return escaped(spot, values[name]) if name in values else f"%{name}%"

    return value


def _click(number: int) -> Step:
    def click(values: Mapping[str, str], links: Links) -> str:
        return stdlib_html.escape(links.click(number))

    return click


def _click_if_web(link: TrackedLink, plain: Compiled, tracking: Tracking) -> Step:
    """For a link that begins with a variable: only its value says whether it leads to the web, and not to us."""
    click = _click(link.number)

    def click_if_web(values: Mapping[str, str], links: Links) -> str:
        leads = target(link, values)
        return click(values, links) if leads and not _is_own(leads, tracking) else plain.fill(values)

    return click_if_web


def _picture(values: Mapping[str, str], links: Links) -> str:
    return _PICTURE.format(stdlib_html.escape(links.open()))


def _is_own(url: str, tracking: Tracking) -> bool:
    return url.lower().startswith(tracking.own) if tracking.own else False
