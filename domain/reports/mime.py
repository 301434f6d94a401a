"""A mail taken apart within bounds, whatever its bytes are.

The standard library's parser descends into itself for every multipart and reads all of a mail; a mail from a stranger
may nest thousands of them. Here the size, the depth and the number of everything are bounded before anything is read.
"""

import binascii
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from functools import cached_property

from domain.outcomes import legible

MAIL_OCTETS = 1 << 20
"""What is read of a mail: reports come first, the returned mail (of any size) last."""
PARTS = 64
DEPTH = 5
HEADER_OCTETS = 64 * 1024
HEADER_LINES = 2000
VALUE_CHARACTERS = 4000
PARAMETER_CHARACTERS = 1000
TEXT_OCTETS = 128 * 1024
CHARSETS = frozenset(
    {
        *("utf-8", "utf8", "us-ascii", "ascii", "gb2312", "gbk", "gb18030", "big5", "big5-hkscs", "hz-gb-2312"),
        *("iso-2022-jp", "shift_jis", "shift-jis", "euc-jp", "cp932", "euc-kr", "ks_c_5601-1987", "iso-2022-kr"),
        *("koi8-r", "koi8-u", "utf-16", "tis-620"),
        *(f"iso-8859-{number}" for number in (*range(1, 12), *range(13, 17))),
        *(f"windows-{number}" for number in range(1250, 1259)),
    }
)
"""Asked for by name only when known: Python remembers every name it was asked for, and has codecs of quadratic cost."""
RETURNED = frozenset(
    {
        *("message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers"),
        *("message/rfc822-headers", "text/rfc822"),
    }
)
"""Parts that hold the mail a report is about, or its header (RFC 6522, 6533)."""

_BLANK_LINE = re.compile(rb"\A\r?\n|\n\r?\n")
_NAME = re.compile(rb"([!-9;-~]{1,100})[ \t]*:(.*)", re.DOTALL)
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_TAG = re.compile(r"<[^<>]{0,2000}>")
_NO_CHARACTER = re.compile(r"&#\d{9,}")
"""Python refuses to read a number of thousands of digits."""
_BREAK = re.compile(r"<(?:br|/p|/div|/tr|/td|/li|/h\d)\b[^<>]{0,200}>", re.IGNORECASE)


@dataclass(frozen=True)
class Fields:
    """Header fields in order: names in lower case, values unfolded."""

    items: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, block: bytes) -> "Fields":
        return cls(tuple(_fields(block)))

    def all(self, name: str) -> list[str]:
        return [value for each, value in self.items if each == name]

    def first(self, name: str) -> str:
        """Its value, or an empty string."""
        return next((value for each, value in self.items if each == name), "")

    def text(self, name: str) -> str:
        """The same with encoded words decoded (RFC 2047)."""
        return decoded_words(self.first(name))


@dataclass(frozen=True)
class Part:
    """One part: `depth` 0 is the mail itself; `within` is the type of the multipart around it."""

    depth: int
    within: str
    fields: Fields
    content: bytes
    """As it came, its transfer encoding not undone."""

    @cached_property
    def _media(self) -> Message:
        media = Message()
        value = self.fields.first("content-type")[:PARAMETER_CHARACTERS]
        if value:
            media["Content-Type"] = value.replace("\r", " ").replace("\n", " ")
        return media

    @cached_property
    def type(self) -> str:
        """Lower case, `text/plain` when it says none."""
        return self._media.get_content_type()

    def parameter(self, name: str) -> str:
        """Of its Content-Type; RFC 2231's charset is not looked at."""
        try:
            value = self._media.get_param(name, "")
        except (TypeError, ValueError, LookupError):  # the standard library on `boundary*; 0*=a; boundary*1=b`
            return ""
        return str(value[2] if isinstance(value, tuple) else value)

    def decoded(self, limit: int = TEXT_OCTETS) -> bytes:
        """The first octets with the transfer encoding undone."""
        encoding = self.fields.first("content-transfer-encoding").strip().lower()
        if encoding == "base64":
            return _from_base64(self.content[: 2 * limit])[:limit]
        if encoding == "quoted-printable":
            return binascii.a2b_qp(self.content[: 3 * limit])[:limit]
        return self.content[:limit]

    @cached_property
    def text(self) -> str:
        """Of a text part, as people read it; of HTML what is between the tags."""
        text = decoded_text(self.decoded(), self.parameter("charset"))
        return _without_tags(text) if self.type == "text/html" else text

    def returned(self) -> "Part":
        """The mail inside a part of a type in `RETURNED`."""
        return _part(self.depth + 1, self.type, self.decoded(MAIL_OCTETS))


def parts(raw: bytes) -> tuple[Part, ...]:
    """The mail and its parts in order, multiparts before what they hold; a mail within a part stays unopened."""
    found: list[Part] = []
    waiting = [_part(0, "", raw[:MAIL_OCTETS])]
    while waiting and len(found) < PARTS:
        part = waiting.pop()
        found.append(part)
        if part.type.startswith("multipart/") and part.depth < DEPTH:
            inside = [_part(part.depth + 1, part.type, piece) for piece in _pieces(part)]
            waiting.extend(reversed(inside))
    return tuple(found)


def blocks(content: bytes, limit: int) -> list[Fields]:
    """Groups of fields with blank lines between (RFC 3464 §2.1), at most `limit`."""
    pieces = re.split(rb"\n(?:[ \t]*\r?\n)+", content.lstrip(b"\r\n"), maxsplit=limit)
    return [Fields.of(piece) for piece in pieces[:limit]]


def decoded_words(value: str) -> str:
    """With encoded words decoded; what is broken stays as it is."""
    if "=?" not in value:
        return value
    try:
        pieces = decode_header(value[:PARAMETER_CHARACTERS])
    except (HeaderParseError, ValueError):
        return value
    return "".join(piece if isinstance(piece, str) else decoded_text(piece, charset or "") for piece, charset in pieces)


def decoded_text(data: bytes, charset: str) -> str:
    """In a charset that we know, else as UTF-8 or GB18030."""
    name = charset.strip().lower()
    if name in CHARSETS:
        try:
            return data.decode(name)
        except UnicodeDecodeError:
            pass
    return legible(data.decode("utf-8", "surrogateescape"))


def _part(depth: int, within: str, raw: bytes) -> Part:
    end = _BLANK_LINE.search(raw)
    header, content = (raw[: end.start()], raw[end.end() :]) if end else (raw, b"")
    return Part(depth, within, Fields.of(header), content)


def _pieces(part: Part) -> Iterator[bytes]:
    """What stands between the boundaries of a multipart (RFC 2046 §5.1.1); the last one may be unclosed."""
    boundary = part.parameter("boundary").strip()[:200].encode("utf-8", "surrogateescape")
    if not boundary:
        return
    line = re.compile(rb"^--" + re.escape(boundary) + rb"(--)?[ \t]*\r?$", re.MULTILINE)
    start = None
    for count, mark in enumerate(line.finditer(part.content)):
        if start is not None:
            yield part.content[start : mark.start()].removesuffix(b"\n").removesuffix(b"\r")
        start = mark.end() + 1
        if mark[1] or count >= PARTS:
            return
    if start is not None:
        yield part.content[start:]


def _fields(block: bytes) -> Iterator[tuple[str, str]]:
    for name, lines in _unfolded(block[:HEADER_OCTETS].split(b"\n", HEADER_LINES)[:HEADER_LINES]):
        value = b" ".join(lines)[:VALUE_CHARACTERS]
        yield name, legible(value.decode("utf-8", "surrogateescape"))


def _unfolded(lines: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    name, values = "", list[bytes]()
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            values.append(line.strip())
            continue
        if name:
            yield name, values
        match = _NAME.fullmatch(line)
        name, values = (match[1].decode("ascii").lower(), [match[2].strip()]) if match else ("", [])
    if name:
        yield name, values


def _from_base64(data: bytes) -> bytes:
    """What is there, junk between and a cut end forgiven."""
    clean = _NOT_BASE64.sub(b"", data)
    clean = clean[: len(clean) - (len(clean) % 4 == 1)]
    return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))


def _without_tags(text: str) -> str:
    for element in ("style", "script"):
        text = "\n".join(_outside(text, element))
    return html.unescape(_NO_CHARACTER.sub("", _TAG.sub(" ", _BREAK.sub("\n", text))))


def _outside(text: str, element: str) -> Iterator[str]:
    """The text without one kind of element, read once from front to back."""
    lowered, place = text.lower(), 0
    while (start := lowered.find(f"<{element}", place)) >= 0 and len(lowered) == len(text):
        yield text[place:start]
        end = lowered.find(f"</{element}", start)
        if end < 0:
            return
        place = end
    yield text[place:]
