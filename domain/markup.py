"""Filling variables into HTML: each value is escaped for the place where its variable stands.

An HTML text is compiled once into literals and slots (`compile_html`) and then filled per recipient. The reader of tags
follows the tokenizer of the HTML standard (WHATWG §13.2.5) as far as it decides what kind of place a variable is in.
Where a value could become markup or script (a tag's or attribute's name, an event handler, a script) nothing is filled.
"""

import html as stdlib_html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from urllib.parse import quote

from domain.variables import places

URL_ATTRIBUTES = frozenset({"href", "src", "action", "formaction", "background", "poster", "cite", "data", "srcset"})
LINK_SCHEMES = ("http://", "https://", "mailto:")
"""What a variable that is a whole link may begin with."""
BLOCKED_LINK = "#"
"""Takes the place of a whole link that begins otherwise."""
_RAW_ELEMENTS = frozenset({"script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes"})
"""Elements whose content holds no tags."""
_BLANK = r" \t\n\f\r"
_TAG = re.compile(rf"<(/?)([A-Za-z][^{_BLANK}/>]*)")
_ATTRIBUTE = re.compile(
    rf"""[{_BLANK}/]*(=?[^{_BLANK}/>=]+|=)"""
    rf"""(?:[{_BLANK}]*=[{_BLANK}]*("[^"]*(?:"|\Z)|'[^']*(?:'|\Z)|[^{_BLANK}>]+))?"""
)
_CONDITIONAL = re.compile(r"<!--\[if[^\]>]*\]>")
_ENDIF = "<![endif]"
_NOT_IN_CSS = re.compile(r"[^\w #.,%-]+")
_NOT_IN_URL = re.compile(r"""[\x00-\x20\x7f"'<>\\^`{|}]""")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+")


class Spot(StrEnum):
    """What kind of place a variable stands in."""

    TEXT = "text"
    ATTRIBUTE = "attribute"
    LINK = "link"
    """The variable is the whole URL."""
    LINK_START = "link-start"
    """The URL begins with the variable and goes on."""
    LINK_PART = "link-part"
    STYLE = "style"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True)
class Slot:
    """One variable in an HTML text: `offset` is its place in the source, `where` names the element or attribute."""

    name: str
    spot: Spot
    offset: int
    where: str = ""


@dataclass(frozen=True)
class Compiled:
    """An HTML text ready to be filled: `literals` has one part more than `slots`, and they alternate."""

    literals: tuple[str, ...]
    slots: tuple[Slot, ...]

    def fill(self, values: Mapping[str, str]) -> str:
        """A variable without a value stays as written; a value is never filled again."""
        parts = [self.literals[0]]
        for slot, literal in zip(self.slots, self.literals[1:], strict=True):
            parts.append(escaped(slot.spot, values[slot.name]) if slot.name in values else f"%{slot.name}%")
            parts.append(literal)
        return "".join(parts)

    def blocked_links(self, values: Mapping[str, str]) -> list[str]:
        """Variables that are a whole link and whose value is not one (`http`, `https`, `mailto`)."""
        links = (slot.name for slot in self.slots if slot.spot is Spot.LINK)
        return list(dict.fromkeys(name for name in links if name in values and not is_link(values[name])))


def fill_html(html: str, values: Mapping[str, str]) -> str:
    """Fill an HTML body: `compile_html(html).fill(values)`."""
    return compile_html(html).fill(values)


@lru_cache(maxsize=32)
def compile_html(html: str) -> Compiled:
    """Find the variables of an HTML text and the kind of place each stands in."""
    return Reader(html).read()


def is_link(value: str) -> bool:
    return value.strip().lower().startswith(LINK_SCHEMES)


def clean_url(value: str) -> str:
    """A whole URL with the characters that no URL contains percent-encoded (RFC 3986 §2)."""
    return _NOT_IN_URL.sub(lambda found: quote(found[0]), value.strip())


def url_part(value: str) -> str:
    """A value as it may stand anywhere in a URL: it begins no other part of it."""
    return quote(value, safe="", errors="replace")


def escaped(spot: Spot, value: str) -> str:
    if spot in (Spot.TEXT, Spot.ATTRIBUTE):
        return stdlib_html.escape(_CONTROLS.sub("", value))
    if spot is Spot.LINK:
        return stdlib_html.escape(clean_url(value)) if is_link(value) else BLOCKED_LINK
    if spot is Spot.LINK_START and is_link(value):
        return stdlib_html.escape(clean_url(value))
    if spot in (Spot.LINK_START, Spot.LINK_PART):
        return url_part(value)
    return _NOT_IN_CSS.sub("", value) if spot is Spot.STYLE else ""


@dataclass
class Reader:
    """Walks the source once, collecting literals and slots. `limit` is the end of the stretch in hand.

    `marks` and `end_tag` are for those who look for more than variables, see `domain.tracked_links`.
    """

    source: str
    limit: int = 0
    literals: list[str] = field(default_factory=list)
    slots: list[Slot] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    """What the next literal is made of."""
    element: str = ""
    """Whose attributes are read; empty in an end tag, whose attributes mean nothing."""

    def read(self) -> Compiled:
        """The whole source."""
        self.walk(0, len(self.source))
        return self.compiled()

    def marks(self, start: int, end: int, name: str) -> bool:
        """Whether this attribute's value is a place of its own."""
        return False

    def mark(self, start: int, end: int, name: str) -> None:
        """Take over a value that `marks`."""

    def end_tag(self, name: str) -> None:
        """An end tag begins here."""

    def walk(self, position: int, limit: int) -> None:
        """Read a stretch of HTML from text to text."""
        outer, self.limit = self.limit, limit
        while (opening := self.source.find("<", position, limit)) >= 0:
            self._take(position, opening, Spot.TEXT)
            position = self._markup(opening)
        self._take(position, limit, Spot.TEXT)
        self.limit = outer

    def compiled(self) -> Compiled:
        return Compiled((*self.literals, "".join(self.pieces)), tuple(self.slots))

    def _take(self, start: int, end: int, spot: Spot, where: str = "") -> None:
        """Take over a stretch of source whose variables all stand in one kind of place."""
        done = start
        for place in places(self.source[start:end]):
            self.add(Slot(place.name, spot, start + place.start, where), self.source[done : start + place.start])
            done = start + place.end
        self.pieces.append(self.source[done:end])

    def add(self, slot: Slot, before: str = "") -> None:
        """A place to be filled, behind `before` and what was read until now."""
        self.literals.append("".join((*self.pieces, before)))
        self.slots.append(slot)
        self.pieces = []

    def _markup(self, opening: int) -> int:
        """What begins with `<`; returns where text goes on."""
        if self.source.startswith("<!--", opening, self.limit):
            return self._comment(opening)
        if tag := _TAG.match(self.source, opening, self.limit):
            return self._tag(tag)
        if self.source.startswith(("<!", "<?", "</"), opening, self.limit):
            return self._until(">", opening, Spot.FORBIDDEN, "declaration")
        # Escaped, so that no value behind it can turn it into a tag.
        self.pieces.append("&lt;")
        return opening + 1

    def _until(self, closing: str, start: int, spot: Spot, where: str) -> int:
        found = self.source.find(closing, start, self.limit)
        end = self.limit if found < 0 else found + len(closing)
        self._take(start, end, spot, where)
        return end

    def _comment(self, opening: int) -> int:
        """Outlook reads what stands in a conditional comment as HTML, so that is read as HTML here, too."""
        if self.source.startswith(("<!-->", "<!--->"), opening, self.limit):
            return self._until(">", opening, Spot.FORBIDDEN, "comment")
        conditional = _CONDITIONAL.match(self.source, opening, self.limit)
        closing = self.source.find("-->", opening, self.limit)
        if conditional is None or not self.source.endswith(_ENDIF, conditional.end(), max(closing, 0)):
            return self._until("-->", opening, Spot.FORBIDDEN, "comment")
        self._take(opening, conditional.end(), Spot.FORBIDDEN, "comment")
        self.walk(conditional.end(), closing - len(_ENDIF))
        return self._until("-->", closing - len(_ENDIF), Spot.FORBIDDEN, "comment")

    def _tag(self, tag: re.Match[str]) -> int:
        name = tag[2].lower()
        self.element = "" if tag[1] else name
        if tag[1]:
            self.end_tag(name)
        self._take(tag.start(), tag.end(), Spot.FORBIDDEN, "tag")
        position = self._attributes(tag.end())
        if tag[1] or name not in _RAW_ELEMENTS:
            return position
        return self._raw(position, name)

    def _attributes(self, position: int) -> int:
        """Attributes up to the end of the tag."""
        while attribute := _ATTRIBUTE.match(self.source, position, self.limit):
            name_end = attribute.end(1)
            self._take(position, name_end, Spot.FORBIDDEN, "tag")
            position = attribute.end()
            if attribute[2] is not None:
                self.pieces.append(self.source[name_end : attribute.start(2)])
                self._attribute_value(attribute)
        return self._until(">", position, Spot.FORBIDDEN, "tag")

    def _attribute_value(self, attribute: re.Match[str]) -> None:
        name, value = attribute[1].lower(), attribute[2]
        start, end = attribute.span(2)
        if value[0] not in "\"'":
            self._unquoted(start, end, name)
            return
        closed = len(value) > 1 and value.endswith(value[0])
        self.pieces.append(value[0])
        self._value(start + 1, end - closed, name)
        self.pieces.append(value[0] if closed else "")

    def _unquoted(self, start: int, end: int, name: str) -> None:
        """An unquoted value with variables gets quotes, so that a blank in a filled value ends nothing."""
        value = self.source[start:end]
        if '"' in value:
            # A parse error in HTML already; no quotes would be right for it.
            self._take(start, end, Spot.FORBIDDEN, name)
            return
        if not any(True for _ in places(value)) and not self.marks(start, end, name):
            self.pieces.append(value)
            return
        self.pieces.append('"')
        self._value(start, end, name)
        self.pieces.append('"')

    def _value(self, start: int, end: int, name: str) -> None:
        if self.marks(start, end, name):
            self.mark(start, end, name)
        elif name in URL_ATTRIBUTES or name.endswith(":href"):
            self._url(start, end, name)
        elif name.startswith("on") or name == "srcdoc":
            self._take(start, end, Spot.FORBIDDEN, name)
        else:
            self._take(start, end, Spot.STYLE if name == "style" else Spot.ATTRIBUTE, name)

    def _url(self, start: int, end: int, name: str) -> None:
        value = self.source[start:end]
        done = start
        for place in places(value):
            spot = link_spot(value[: place.start], value[place.end :])
            self.add(Slot(place.name, spot, start + place.start, name), self.source[done : start + place.start])
            done = start + place.end
        self.pieces.append(self.source[done:end])

    def _raw(self, position: int, name: str) -> int:
        """The content of an element that holds no tags, up to its end tag."""
        closing = re.compile(rf"</{name}(?=[{_BLANK}/>])", re.IGNORECASE).search(self.source, position, self.limit)
        end = closing.start() if closing else self.limit
        spots = {"script": Spot.FORBIDDEN, "iframe": Spot.FORBIDDEN, "style": Spot.STYLE}
        self._take(position, end, spots.get(name, Spot.TEXT), name)
        return end


def link_spot(before: str, after: str) -> Spot:
    """What a variable between these two parts of a URL may hold."""
    if before.strip():
        return Spot.LINK_PART
    return Spot.LINK_START if after.strip() else Spot.LINK
