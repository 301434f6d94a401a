"""A list of members as a file of any length, read in portions: each can be read again, by whoever comes next.

The rules are those of `domain.recipients` (one column of addresses or phone numbers, the others are variables), but the
last line of an address counts, not the first: an import states how things are now.
"""

import codecs
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from domain.audience import ListKind
from domain.contacts import PERSON_COLUMN, PHONES
from domain.delimited import (
    MAX_RECORD_CHARACTERS,
    MAX_RECORD_LINES,
    Broken,
    Lines,
    Reader,
    decode_as,
    surely_utf8,
)
from domain.errors import Refusal
from domain.recipients import (
    BLANKS,
    CONTROL,
    MAIL,
    MAX_VALUE,
    KeyColumn,
    Layout,
    LineProblem,
    bad_value,
    mended,
    read_layout,
    visible,
)

PORTION_BYTES = 512 * 1024
"""Some ten thousand lines: a transaction of a fraction of a second."""
HEAD_BYTES = 256 * 1024
"""From so much of a file its columns are found out."""
KEYS: dict[ListKind, KeyColumn] = {ListKind.ADDRESSES: MAIL, ListKind.CONTACTS: PHONES}
_MIXED = 200
"""Lines in GB18030 look like UTF-8 by chance, one in thousands; a file is glued together when one in so many does."""
_LONE_RETURN = re.compile(rb"\r(?!\n)")


@dataclass(frozen=True)
class FileForm:
    """How a file is to be read; found out once, kept with its import. `variables`: (column, name)."""

    encoding: str
    delimiter: str
    width: int
    address: int
    address_column: str
    variables: tuple[tuple[int, str], ...]
    first: int
    """Index of the line after the header."""
    ignored: tuple[str, ...] = ()
    """Columns that no template can name."""
    person: int | None = None
    """The column of people's names, where they are kept apart."""
    kind: str = ListKind.ADDRESSES.value

    @property
    def key(self) -> KeyColumn:
        return KEYS[ListKind(self.kind)]

    def kept(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def read(cls, kept: dict[str, Any]) -> "FileForm":
        pairs = tuple((int(column), str(name)) for column, name in kept["variables"])
        return cls(**{**kept, "variables": pairs, "ignored": tuple(kept["ignored"])})


def file_form(head: bytes, encoding: str, whole: bool, kind: ListKind = ListKind.ADDRESSES) -> FileForm:
    """What the first bytes of a file say; `whole`: there are no more. Raises `Refusal` on field `file`."""
    body = head if whole else head[: head.rfind(b"\n") + 1]
    if not body and not whole:
        raise Refusal("csv_header_broken", field="line 1")
    layout, delimiter = read_layout(decode_as(body.removeprefix(codecs.BOM_UTF8), encoding), KEYS[kind])
    return _formed(layout, delimiter, encoding, kind)


def _formed(layout: Layout, delimiter: str, encoding: str, kind: ListKind) -> FileForm:
    ignored = tuple(warning.value for warning in layout.warnings)
    return FileForm(
        encoding, delimiter, layout.width, layout.address, layout.address_name, layout.variables, layout.first, ignored,
        layout.person, kind.value,
    )  # fmt: skip


class Inspector:
    """Fed with a whole file, piece after piece; then knows whether it can be read as it is. Needs constant memory.

    Raises `Refusal` when it is no text.
    """

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._last = b""
        self._ends = 0
        self.is_utf8 = True
        self.has_lone_returns = False

    @property
    def lines(self) -> int:
        """The last one may have no line end."""
        return self._ends + (self._last not in (b"", b"\n"))

    def feed(self, piece: bytes) -> None:
        if b"\0" in piece:
            raise Refusal("csv_not_text", field="file")
        self._ends += piece.count(b"\n")
        seam = self._last == b"\r" and not piece.startswith(b"\n")
        inside = piece[:-1] if piece.endswith(b"\r") else piece
        if seam or (b"\r" in inside and _LONE_RETURN.search(inside)):
            self.has_lone_returns = True
        self._last = piece[-1:] or self._last
        self._judge(piece, final=False)

    def finish(self) -> None:
        self.has_lone_returns |= self._last == b"\r"
        self._judge(b"", final=True)

    def _judge(self, piece: bytes, final: bool) -> None:
        if not self.is_utf8:
            return
        try:
            self._utf8.decode(piece, final)
        except UnicodeDecodeError:
            self.is_utf8 = False


class EncodingCount:
    """Fed with a file that is not UTF-8; tells whether it is GB18030, or some lines of both (files glued together)."""

    def __init__(self) -> None:
        self._rest = b""
        self._foreign = 0
        self._utf8 = 0

    def feed(self, piece: bytes) -> None:
        *lines, rest = (self._rest + piece).split(b"\n")
        self._rest = rest[-MAX_RECORD_CHARACTERS:]
        for line in lines:
            if not line.isascii():
                self._foreign += 1
                self._utf8 += surely_utf8(line)

    @property
    def encoding(self) -> str:
        return "mixed" if self._utf8 * _MIXED > self._foreign else "gb18030"


class Rewriter:
    """UTF-16, or text with the line ends of an old Mac, as lines that end with LF; fed piece after piece."""

    def __init__(self, utf16: bool) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-16")() if utf16 else None
        self._pending = b""

    def feed(self, piece: bytes, final: bool = False) -> bytes:
        """Raises `Refusal` for what is not UTF-16 after all."""
        data = self._pending + self._decoded(piece, final)
        self._pending = b""
        if not final and data.endswith(b"\r"):
            data, self._pending = data[:-1], b"\r"
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _decoded(self, piece: bytes, final: bool) -> bytes:
        if self._decoder is None:
            return piece
        try:
            return self._decoder.decode(piece, final).encode()
        except UnicodeError:
            raise Refusal("csv_not_text", field="file") from None


@dataclass(frozen=True)
class Portion:
    """What one piece of a file holds. `members`: address → its variables as JSON; `repeated` counts lines that a
    later line of this portion replaces. Every record is one of them, or a repeat, or `refused`."""

    members: dict[str, str]
    refused: list[LineProblem]
    repeated: int
    lines: int
    size: int
    """Bytes of the file that are done with."""
    people: dict[str, str] = field(default_factory=dict)
    """The name of each key, where they are kept apart."""


@dataclass
class _Sieve:
    """Takes record after record of one portion."""

    form: FileForm
    key: KeyColumn
    tame: bool
    """No value of the whole portion is too long or holds control characters: no need to look at each."""
    members: dict[str, str] = field(default_factory=dict)
    people: dict[str, str] = field(default_factory=dict)
    refused: list[LineProblem] = field(default_factory=list)
    taken: int = 0

    def take(self, line: int, fields: list[str] | Broken) -> None:
        if isinstance(fields, Broken):
            self.refused.append(LineProblem(line, fields.code))
            return
        if len(fields) != self.form.width and (problem := mended(fields, self.form.width, line)):
            self.refused.append(problem)
            return
        if not self.tame and (problem := bad_value(fields, line)):
            self.refused.append(problem)
            return
        self._keep(line, fields)

    def _keep(self, line: int, fields: list[str]) -> None:
        written = fields[self.form.address]
        try:
            address = self.key.normalise(written)
        except Refusal as bad:
            if any(value.strip(BLANKS) for value in fields):
                self.refused.append(LineProblem(line, bad.code, visible(written), bad.params))
            return
        values = {name: fields[at] for at, name in self.form.variables}
        person = fields[self.form.person].strip(BLANKS) if self.form.person is not None else None
        if self.key.check is not None:
            try:
                self.key.check(values if person is None else {PERSON_COLUMN: person, **values})
            except Refusal as bad:
                self.refused.append(LineProblem(line, bad.code, visible(written), bad.params))
                return
        self.taken += 1
        self.members[address] = orjson.dumps(values).decode()
        if person is not None:
            self.people[address] = person


def read_portion(data: bytes, form: FileForm, line: int, final: bool) -> Portion:
    """Read on after `line` lines. `data` begins with the next one; unless `final` it may end in the middle of one.

    A portion that is not final holds a line end: see `next_line_end`.
    """
    whole = data if final else data[: data.rfind(b"\n") + 1]
    lines = _decoded(whole, form, line)
    sieve = _Sieve(form, form.key, _is_tame(lines))
    reader = Reader(lines, form.delimiter, _standing_alone(form))
    done = start = form.first if line == 0 else 0
    for index, after, fields in reader.records(start):
        if not final and _may_go_on(fields, index, len(lines.lines)):
            done = index
            break
        sieve.take(line + index + 1, fields)
        done = after
    else:
        done = len(lines.lines)
    size = len(whole) if done == len(lines.lines) else _start_of(whole, len(lines.lines) - done)
    return Portion(sieve.members, sieve.refused, sieve.taken - len(sieve.members), done, size, sieve.people)


def too_long(line: int, size: int) -> Portion:
    """A line of so many bytes, longer than any portion."""
    return Portion({}, [LineProblem(line + 1, "csv_line_too_long")], 0, 1, size)


def _decoded(whole: bytes, form: FileForm, line: int) -> Lines:
    return decode_as(whole.removeprefix(codecs.BOM_UTF8) if line == 0 else whole, form.encoding)


def _is_tame(lines: Lines) -> bool:
    """Looked at once for thousands of lines."""
    if max(map(len, lines.lines), default=0) > MAX_VALUE:
        return False
    return CONTROL.search("\n".join(lines.lines)) is None


def _standing_alone(form: FileForm) -> Callable[[list[str]], bool]:
    key = form.key
    return lambda fields: len(fields) == form.width and key.fits(fields[form.address])


def _may_go_on(fields: list[str] | Broken, index: int, lines: int) -> bool:
    """Whether a record's quote may be closed beyond this portion: its beginning is looked at again, then.

    Not the portion's first: no record is as long as a portion, so what follows that one is here, or is too long a line.
    """
    open_quote = isinstance(fields, Broken) and fields.code == "csv_quote"
    return open_quote and index > 0 and index + MAX_RECORD_LINES >= lines


def _start_of(whole: bytes, back: int) -> int:
    """Where the line begins that is `back` lines before the end; `whole` ends with a line end."""
    at = len(whole) - 1
    for _ in range(back):
        at = whole.rfind(b"\n", 0, at)
    return at + 1
