"""Delimited text (RFC 4180 and its relatives) as people export it: encodings, delimiters, quotes, lines.

Every record keeps the number of the line it began on, and a broken one costs no other line.
"""

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from domain.errors import Refusal

DELIMITERS = (",", ";", "\t")
MAX_RECORD_LINES = 50
MAX_RECORD_CHARACTERS = 65_536
_QUOTED_PART = re.compile(r'"[^"]*"')
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
"""First bytes of .xlsx and .xls."""
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Lines:
    """Decoded text by physical lines, without line ends. `undecodable`: indices of lines in no known encoding."""

    lines: list[str]
    encoding: str
    undecodable: frozenset[int] = field(default_factory=frozenset)


def decode(data: bytes) -> Lines:
    """BOM, else UTF-8, else GB18030; when lines differ (files glued together), each line by itself: `mixed`.

    Raises `Refusal` when this is no text.
    """
    if data.startswith((_ZIP, _OLE)):
        raise Refusal("csv_spreadsheet", field="file")
    if data.startswith(_UTF16):
        return Lines(_split(_utf16(data)), "utf-16")
    if b"\0" in data:
        raise Refusal("csv_not_text", field="file")
    encoding = "utf-8-bom" if data.startswith(codecs.BOM_UTF8) else "utf-8"
    try:
        return Lines(_split(data.decode("utf-8-sig")), encoding)
    except UnicodeDecodeError:
        return _decode_by_line(data.removeprefix(codecs.BOM_UTF8))


def decode_as(data: bytes, encoding: str) -> Lines:
    """Whole lines of a file whose encoding is known: `utf-8`, `gb18030`, or `mixed` (each line by itself)."""
    if encoding != "mixed":
        try:
            return Lines(_split(data.decode(encoding)), encoding)
        except UnicodeDecodeError:
            pass  # some line of it
    return _by_line(data, encoding, encoding == "mixed")


def _utf16(data: bytes) -> str:
    try:
        return data.decode("utf-16")
    except UnicodeDecodeError as error:
        raise Refusal("csv_not_text", field="file") from error


def _split(text: str) -> list[str]:
    """Lines by LF, CRLF or lone CR; not by the rarer separators that `str.splitlines` knows."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.removesuffix("\n").split("\n") if text else []


def _decode_by_line(data: bytes) -> Lines:
    """GB18030, unless some lines can only be meant as UTF-8."""
    mixed = any(not line.isascii() and surely_utf8(line) for line in _raw_lines(data))
    return _by_line(data, "mixed" if mixed else "gb18030", mixed)


def _by_line(data: bytes, encoding: str, mixed: bool) -> Lines:
    lines, undecodable = [], set()
    for index, line in enumerate(_raw_lines(data)):
        text = _decode_line(line, mixed)
        if text is None:
            undecodable.add(index)
        lines.append(text or "")
    return Lines(lines, encoding, frozenset(undecodable))


def _raw_lines(data: bytes) -> list[bytes]:
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").removesuffix(b"\n").split(b"\n")


def surely_utf8(line: bytes) -> bool:
    """Valid UTF-8 with a Chinese character: GB18030 text fulfils that by chance only once in many thousand lines."""
    try:
        return any("\u4e00" <= char <= "\u9fff" for char in line.decode())
    except UnicodeDecodeError:
        return False


def _decode_line(line: bytes, mixed: bool) -> str | None:
    for encoding in ("utf-8", "gb18030") if mixed else ("gb18030",):
        try:
            return line.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def delimiter_of(header: str) -> str:
    """The delimiter that a header line uses most; a comma when it uses none."""
    bare = _QUOTED_PART.sub("", header)
    return max(DELIMITERS, key=bare.count)


@dataclass(frozen=True)
class Broken:
    """A line that is no record."""

    code: str


Record = tuple[int, int, list[str] | Broken]
"""(index of the physical line it began on, index after its last one, its fields or what is wrong)."""


@dataclass(frozen=True)
class Reader:
    """Reads records out of `lines`. `stands_alone` tells whether a line is a whole record by itself: when such a
    line seems to be inside a quoted field, the quote was never closed, and swallowing it would lose a recipient."""

    lines: Lines
    delimiter: str
    stands_alone: Callable[[list[str]], bool] = lambda fields: False

    def records(self, start: int = 0) -> Iterator[Record]:
        """Every record from the physical line with index `start` on; blank lines are skipped."""
        lines, delimiter, undecodable = self.lines.lines, self.delimiter, self.lines.undecodable
        index = start
        while index < len(lines):
            line = lines[index]
            after = index + 1
            if index in undecodable:
                yield index, after, Broken("csv_undecodable")
            elif len(line) > MAX_RECORD_CHARACTERS:
                yield index, after, Broken("csv_line_too_long")
            elif '"' in line:
                fields, used = self._quoted(index)
                after = index + used
                yield index, after, fields
            elif line and not line.isspace():
                yield index, after, line.split(delimiter)
            index = after

    def _quoted(self, index: int) -> tuple[list[str] | Broken, int]:
        """The record that begins at `index` and how many lines it takes."""
        text = self.lines.lines[index]
        fields = _fields(text, self.delimiter)
        used = 1
        while fields is None and self._may_continue(index + used, len(text), used):
            text = f"{text}\n{self.lines.lines[index + used]}"
            used += 1
            fields = _fields(text, self.delimiter)
        if fields is None or isinstance(fields, Broken):
            return Broken("csv_quote"), 1
        return fields, used

    def _may_continue(self, index: int, length: int, used: int) -> bool:
        if index >= len(self.lines.lines) or used >= MAX_RECORD_LINES or index in self.lines.undecodable:
            return False
        line = self.lines.lines[index]
        alone = _fields(line, self.delimiter)
        if isinstance(alone, list) and self.stands_alone(alone):
            return False
        return length + len(line) <= MAX_RECORD_CHARACTERS


_INSIDE = r'"((?:[^"]++|"")*+)'
_CLOSED = {mark: re.compile(rf'{_INSIDE}" *(?={mark}|\Z)') for mark in DELIMITERS}
_OPEN = re.compile(rf"{_INSIDE}\Z")


def _fields(text: str, delimiter: str) -> list[str] | Broken | None:
    """The fields of one record; None when a quoted field is still open at its end.

    A quote counts only at the beginning of a field; inside one it is doubled (RFC 4180 §2.5–2.7).
    """
    fields: list[str] = []
    at = 0
    while True:
        if text.startswith('"', at):
            match = _CLOSED[delimiter].match(text, at)
            if match is None:
                return None if _OPEN.match(text, at) else Broken("csv_quote")
            fields.append(match[1].replace('""', '"'))
            end = match.end()
        else:
            end = text.find(delimiter, at)
            end = len(text) if end < 0 else end
            fields.append(text[at:end])
        if end >= len(text):
            return fields
        at = end + 1
