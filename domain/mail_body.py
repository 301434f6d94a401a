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
from domain.variables import FillableText, compile_text

_PART = "Content-Type: text/{}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
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


@dataclass(frozen=True)
class FillableHtml:
    """Steps, each with the literal behind it."""

    first: str
    rest: tuple[tuple[Step, str], ...]

    def fill(self, values: Mapping[str, str], links: Links) -> str:
        """One recipient's HTML."""
        parts = [self.first]
        for step, literal in self.rest:
            parts.append(step(values, links))
            parts.append(literal)
        return "".join(parts)


@dataclass(frozen=True)
class CompiledBody:
    """Segments in order. A part that is the same in every mail is None, and encoded in `head` or `tail` already."""

    boundary: str
    head: bytes
    text: FillableText | None
    between: bytes
    html: FillableHtml | None
    tail: bytes

    def fill(self, values: Mapping[str, str], links: Links) -> bytes:
        """One recipient's body."""
        pieces = [self.head]
        if self.text is not None:
            pieces += (_encoded(self.text.fill(values)), self.between)
        if self.html is not None:
            pieces.append(_encoded(self.html.fill(values, links)))
        pieces.append(self.tail)
        return b"".join(pieces)


@lru_cache(maxsize=32)
def compile_body(html: str, text: str, tracking: Tracking) -> CompiledBody:
    """Segments of the body. Without a text part one is made of the HTML; its links are left as they are."""
    boundary = "=_songda_" + hashlib.sha256(f"{text}\0{html}".encode(errors="replace")).hexdigest()[:24]
    edge = f"--{boundary}\r\n"
    head, between = (edge + _PART.format("plain")).encode(), (edge + _PART.format("html")).encode()
    tail = f"--{boundary}--\r\n".encode()
    plain = compile_text(text or text_from_html(html))
    rich = _fillable(_tracked(html, tracking) if tracking.clicks or tracking.opens else _untracked(html))
    if not plain.places:
        head += _encoded(plain.literals[0]) + between
    if not rich.rest:
        tail = _encoded(rich.first) + tail
    return CompiledBody(boundary, head, plain if plain.places else None, between, rich if rich.rest else None, tail)


def _encoded(text: str) -> bytes:
    return base64_lines(text.encode(errors="replace"))


def _fillable(items: Iterable[str | Step]) -> FillableHtml:
    """Literals that follow each other become one."""
    literals, steps = [""], list[Step]()
    for item in items:
        if isinstance(item, str):
            literals[-1] += item
        else:
            steps.append(item)
            literals.append("")
    return FillableHtml(literals[0], tuple(zip(steps, literals[1:], strict=True)))


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
