"""Which links of an HTML text lead through the platform, how they are numbered, and where each leads in the end.

The mail holds a token with the link's number; whoever follows it is sent to `target`. Renderer and redirect call the
same function on the same template version, so they mean the same link, whatever else changes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from html.entities import html5
from urllib.parse import SplitResult, quote, urlsplit

import idna

from domain.markup import Compiled, Reader, Slot, Spot, clean_url, is_link, link_spot, url_part
from domain.variables import UNSUBSCRIBE, places

_WEB = ("http://", "https://")
_REFERENCE = re.compile(r"&(?:#(?:[0-9]{1,7}|[xX][0-9a-fA-F]{1,6});?|[A-Za-z0-9]+;?)")
_ASCII = "".join(map(chr, range(0x21, 0x7F)))
_LINE_ENDS = re.compile(r"[\t\r\n]+")
"""Those a browser leaves out of a URL (WHATWG URL §4.4)."""


@dataclass(frozen=True)
class TrackedLink:
    """A link's URL in the template: literals (character references resolved) and variables, alternating.

    `number` counts from 1 in the order of the source.
    """

    number: int
    literals: tuple[str, ...]
    slots: tuple[Slot, ...]

    @property
    def is_settled(self) -> bool:
        """Whether it is a web link for every recipient. Otherwise it begins with a variable."""
        return bool(self.literals[0].strip())


@dataclass(frozen=True)
class MarkedHtml:
    """An HTML text whose links have slots. `links` and `pixel` go by the index of a slot in `compiled`."""

    compiled: Compiled
    links: dict[int, TrackedLink]
    plain: dict[int, Compiled]
    """The same links as they stand in the source, for when they are not tracked."""
    pixel: int
    """Where an invisible picture may stand: before the end of the body."""


def tracked_links(html: str) -> tuple[TrackedLink, ...]:
    """Every link (`href` of `a` and `area`) that may be tracked: what begins with http(s) or with a variable.

    Not `mailto:`, `tel:`, `#…` and relative ones, nor the link to unsubscribe.
    """
    return tuple(mark_links(html).links.values())


def target(link: TrackedLink, values: Mapping[str, str]) -> str:
    """Where a link leads for a recipient with these values: an ASCII http(s) URL, or empty when it is none.

    `values` are those that filled the mail, see `domain.variables.system_values`.
    """
    parts = [link.literals[0]]
    for slot, literal in zip(link.slots, link.literals[1:], strict=True):
        parts.append(_filled(slot, values))
        parts.append(literal)
    return _web_url("".join(parts))


@lru_cache(maxsize=4)
def mark_links(html: str) -> MarkedHtml:
    """Compile an HTML text with a slot for each link that may be tracked, and one for a picture."""
    reader = _MarkingReader(html)
    compiled = reader.read()
    if reader.pixel is None:
        reader.add(Slot("", Spot.FORBIDDEN, len(html), "pixel"))
        reader.pixel = len(reader.slots) - 1
        reader.pieces = []
        compiled = reader.compiled()
    return MarkedHtml(compiled, reader.links, reader.plain, reader.pixel)


@dataclass
class _MarkingReader(Reader):
    links: dict[int, TrackedLink] = field(default_factory=dict)
    plain: dict[int, Compiled] = field(default_factory=dict)
    pixel: int | None = None

    def marks(self, start: int, end: int, name: str) -> bool:
        """Only what is a link for the reader of a mail."""
        return name == "href" and self.element in ("a", "area") and self._link(start, end) is not None

    def mark(self, start: int, end: int, name: str) -> None:
        """One slot for the whole URL."""
        if (link := self._link(start, end)) is not None:
            self.links[len(self.slots)] = link
            self.plain[len(self.slots)] = self._as_written(start, end, link)
            self.add(Slot("", Spot.LINK, start, name))

    def end_tag(self, name: str) -> None:
        """Before the end of the body, and not of one that only Outlook sees."""
        if name == "body" and self.pixel is None and self.limit == len(self.source):
            self.pixel = len(self.slots)
            self.add(Slot("", Spot.FORBIDDEN, 0, "pixel"))

    def _link(self, start: int, end: int) -> TrackedLink | None:
        value = self.source[start:end]
        found = list(places(value))
        if any(place.name == UNSUBSCRIBE for place in found):
            return None
        literals = _between(value, [(place.start, place.end) for place in found])
        slots = tuple(
            Slot(place.name, link_spot(value[: place.start], value[place.end :]), start + place.start, "href")
            for place in found
        )
        link = TrackedLink(len(self.links) + 1, tuple(_resolved(literal) for literal in literals), slots)
        begins = link.literals[0].strip()
        may_lead = _leads(link) if begins else bool(slots)
        return link if may_lead else None

    def _as_written(self, start: int, end: int, link: TrackedLink) -> Compiled:
        value = self.source[start:end]
        spans = [(place.start, place.end) for place in places(value)]
        return Compiled(_between(value, spans), link.slots)


def _between(text: str, spans: list[tuple[int, int]]) -> tuple[str, ...]:
    starts = [0, *(end for _, end in spans)]
    ends = [*(start for start, _ in spans), len(text)]
    return tuple(text[start:end] for start, end in zip(starts, ends, strict=True))


def _leads(link: TrackedLink) -> bool:
    """Whether a link that begins with a literal leads to the web when its variables have values."""
    return bool(target(link, {slot.name: "x" for slot in link.slots}))


def _filled(slot: Slot, values: Mapping[str, str]) -> str:
    if slot.name not in values:
        return f"%{slot.name}%"
    value = values[slot.name]
    if slot.spot is not Spot.LINK_PART and is_link(value):
        return clean_url(value)
    return "" if slot.spot is Spot.LINK else url_part(value)


def _resolved(text: str) -> str:
    """Character references of an attribute's value resolved (WHATWG HTML §13.2.5.73).

    Not by `html.unescape`, which follows the rules for text: it would read `?a=1&copy=2` as a copyright sign.
    """
    return _REFERENCE.sub(lambda found: _character(found[0], text[found.end() : found.end() + 1]), text)


def _character(reference: str, following: str) -> str:
    if reference.startswith("&#"):
        digits = reference[2:].rstrip(";")
        number = int(digits[1:], 16) if digits[0] in "xX" else int(digits)
        return chr(number) if 0 < number < 0xD800 or 0xDFFF < number < 0x110000 else "\ufffd"
    if not reference.endswith(";") and following == "=":
        return reference
    return html5.get(reference[1:], reference)


def _web_url(url: str) -> str:
    url = clean_url(_LINE_ENDS.sub("", url))
    if not url.lower().startswith(_WEB):
        return ""
    try:
        parts = urlsplit(url)
        netloc = _netloc(parts)
    except ValueError:  # a host or a port that cannot be; also what idna says
        return ""
    return quote(parts._replace(netloc=netloc).geturl(), safe=_ASCII) if netloc else ""


def _netloc(parts: SplitResult) -> str:
    """Host and port, the host in A-labels. Raises `ValueError`."""
    _ = parts.port
    if parts.netloc.isascii() or not parts.hostname:
        return parts.netloc if parts.hostname else ""
    host = idna.encode(parts.hostname, uts46=True).decode()
    before, at, _rest = parts.netloc.rpartition("@")
    port = f":{parts.port}" if parts.port is not None else ""
    return f"{before}{at}{host}{port}"
