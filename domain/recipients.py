"""Recipient lists as files: which column is the address, which are variables, and what is wrong on which line."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from domain.addresses import BadAddress, needs_smtputf8, normalise_address
from domain.delimited import Broken, Lines, Reader, decode, delimiter_of
from domain.errors import Refusal
from domain.refusals import REFUSALS
from domain.sending import MAX_RECIPIENTS, Recipient
from domain.variables import NAME_ONLY

MAX_FILE_BYTES = 20 * 1024 * 1024
MAX_COLUMNS = 100
MAX_VALUE = 16_384
"""Characters of one variable's value."""
ADDRESS_NAMES = ("email", "e-mail", "mail", "邮箱", "邮件地址", "邮箱地址", "收件人", "address")
"""Headers of the address column, best first; `address` is last because it may be a postal one."""
_SAMPLE = 50
_IMPLIED_HEADER = "email"
_SEP = re.compile(r"sep=([,;\t])", re.IGNORECASE)
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SEPARATORS = re.compile(r"[\s.-]+")
"""“First Name” is the variable `First_Name`."""
BLANKS = " \t\r\n\u3000\xa0\ufeff\u200b"


@dataclass(frozen=True)
class KeyColumn:
    """The column that says whom a line is about: what it is called, what stands in it, and what other columns may be.

    `normalise` raises `Refusal` with the code of what is wrong. `people` are headers of a column of names that is kept
    apart; a file of bare keys has the header `implied`. `ambiguous` and `missing` are codes of refusals.
    """

    names: tuple[str, ...]
    normalise: Callable[[str], str]
    variable: re.Pattern[str]
    implied: str
    ambiguous: str
    missing: str
    people: tuple[str, ...] = ()
    is_variable: bool = False
    check: Callable[[Mapping[str, str]], object] | None = None
    """Raises `Refusal` for values by name that no message of this kind can carry."""

    def fits(self, text: str) -> bool:
        """Whether this can be a key."""
        try:
            self.normalise(text)
        except Refusal:
            return False
        return True


MAIL = KeyColumn(
    ADDRESS_NAMES, normalise_address, NAME_ONLY, _IMPLIED_HEADER, "csv_address_ambiguous", "csv_no_address_column",
    is_variable=True,
)  # fmt: skip


@dataclass(frozen=True)
class LineProblem:
    """What is wrong on one line (1-based, as an editor shows it). `code` and `params` are those of a refusal."""

    line: int
    code: str
    value: str = ""
    params: dict[str, object] = field(default_factory=dict)

    def refusal(self) -> Refusal:
        """The same as a refusal, for its texts."""
        return Refusal(self.code, field=f"line {self.line}", **self.params)


@dataclass(frozen=True)
class ParsedRecipients:
    """What a file holds. `problems` keep their lines out of `recipients`; `warnings` do not.

    `columns` are the variables, in the order of the file; `duplicates` counts lines that repeat an earlier address.
    """

    recipients: tuple[Recipient, ...]
    problems: tuple[LineProblem, ...]
    warnings: tuple[LineProblem, ...]
    columns: tuple[str, ...]
    duplicates: int
    encoding: str
    address_column: str


@dataclass(frozen=True)
class Layout:
    """The header: how many columns, which one is the address, and (index, name) of the variables."""

    width: int
    address: int
    address_name: str
    variables: tuple[tuple[int, str], ...]
    warnings: tuple[LineProblem, ...]
    first: int
    """Index of the first physical line after the header."""
    person: int | None = None
    """The column of people's names, where they are kept apart."""


class _Unknown(dict[str, object]):
    """Params that were not kept with a code."""

    def __missing__(self, key: str) -> str:
        return "…"


def explain_code(code: str, language: str, params: Mapping[str, object] | None = None) -> str:
    """What a stored reason (`Rejected.reason`) means, in `zh` or `en`. Rows of old versions hold no params."""
    wording = REFUSALS.get(code)
    if wording is None:
        return code
    return (wording.detail_zh if language == "zh" else wording.detail_en).format_map(_Unknown(params or {}))


class BadLines(Refusal):
    """Lines that keep a file from being sent; `problems` are all of them, the refusal names the first."""

    def __init__(self, problems: tuple[LineProblem, ...]) -> None:
        super().__init__("csv_problems", field="file", count=len(problems), line=problems[0].line)
        self.problems = problems


def parse_csv(data: bytes) -> ParsedRecipients:
    """Recipients of a CSV file: a header line, one column of addresses, the further columns as variables.

    Encodings UTF-8, UTF-16 with BOM and GB18030; delimiters comma, semicolon, tab. A list of bare addresses needs no
    header. The address column is a variable too where its name allows. Raises `Refusal` when the file as a whole
    cannot be read; single bad lines are reported in `problems`. 100,000 lines take about half a second: call it in
    a thread.
    """
    if len(data) > MAX_FILE_BYTES:
        raise Refusal("csv_too_large", field="file", limit=MAX_FILE_BYTES // 2**20)
    lines = decode(data)
    layout, delimiter = read_layout(lines)
    collector = _Collector(layout)
    for index, _, fields in Reader(lines, delimiter, collector.stands_alone).records(layout.first):
        collector.take(index + 1, fields)
    return collector.result(lines.encoding)


def read_layout(lines: Lines, key: KeyColumn = MAIL) -> tuple[Layout, str]:
    """(what the header says, delimiter), from the first lines of a file. Raises `Refusal`."""
    start, delimiter = _beginning(lines)
    return _layout(Reader(lines, delimiter), start, key), delimiter


def _beginning(lines: Lines) -> tuple[int, str]:
    """(index of the header's line, delimiter). Excel's own first line `sep=;` is understood."""
    for index, line in enumerate(lines.lines):
        if not line.strip(BLANKS):
            continue
        if index == 0 and (match := _SEP.fullmatch(line.strip())):
            return 1, match[1]
        return index, delimiter_of(line)
    raise Refusal("csv_empty", field="file")


def _layout(reader: Reader, start: int, key: KeyColumn) -> Layout:
    """Read the header, and look at some lines below it to recognise the keys."""
    records = list(islice(reader.records(start), _SAMPLE))
    if not records:
        raise Refusal("csv_empty", field="file")
    index, after, header = records[0]
    if isinstance(header, Broken):
        raise Refusal("csv_header_broken", field=f"line {index + 1}")
    names = [name.strip(BLANKS) for name in header]
    if len(names) > MAX_COLUMNS:
        raise Refusal("csv_too_many_columns", field="file", limit=MAX_COLUMNS, found=len(names))
    if any(key.fits(name) for name in names):
        return _headless(names, index, key)
    sample = [fields for _, _, fields in records[1:] if isinstance(fields, list)]
    address = _key_column(names, sample, key)
    person = next((i for i, name in enumerate(names) if i != address and name.lower() in key.people), None)
    apart = {person} if key.is_variable else {person, address}
    variables, warnings = _variables(["" if i in apart else name for i, name in enumerate(names)], index + 1, key)
    return Layout(len(names), address, names[address], variables, warnings, after, person)


def _headless(names: Sequence[str], index: int, key: KeyColumn) -> Layout:
    """A list of bare keys."""
    if len([name for name in names if name]) > 1:
        raise Refusal("csv_header_missing", field=f"line {index + 1}")
    variables = ((0, key.implied),) if key.is_variable else ()
    return Layout(len(names), _first_address(names), key.implied, variables, (), index)


def is_address(text: str) -> bool:
    return MAIL.fits(text)


def _first_address(names: Sequence[str]) -> int:
    return next(index for index, name in enumerate(names) if name)


def _key_column(names: Sequence[str], sample: Sequence[Sequence[str]], key: KeyColumn) -> int:
    """By name where the values agree, else the only column of keys, else by name alone.

    Raises `Refusal` when no column or more than one could be meant.
    """
    named = sorted((i for i, name in enumerate(names) if name.lower() in key.names),
                   key=lambda i: key.names.index(names[i].lower()))  # fmt: skip
    looking = [i for i in range(len(names)) if _looks_like_keys(i, sample, key)]
    if both := [i for i in named if i in looking]:
        return both[0]
    if len(looking) == 1:
        return looking[0]
    if looking:
        raise Refusal(key.ambiguous, field="file", columns="、".join(names[i] for i in looking))
    if named:
        return named[0]
    raise Refusal(key.missing, field="file", columns="、".join(name[:40] for name in names[:10]))


def _looks_like_keys(column: int, sample: Sequence[Sequence[str]], key: KeyColumn) -> bool:
    """At least half of the values that are there."""
    values = [fields[column] for fields in sample if column < len(fields) and fields[column].strip(BLANKS)]
    return bool(values) and 2 * sum(map(key.fits, values)) >= len(values)


def _variables(
    names: Sequence[str], line: int, key: KeyColumn
) -> tuple[tuple[tuple[int, str], ...], tuple[LineProblem, ...]]:
    """Columns that templates can name; a column that they cannot is reported and left out."""
    taken: dict[str, int] = {}
    warnings = []
    for index, written in enumerate(names):
        name = _SEPARATORS.sub("_", written.strip("%").strip(BLANKS))
        if name in taken:
            warnings.append(LineProblem(line, "csv_column_repeated", written[:40], {"name": name[:40]}))
        elif key.variable.fullmatch(name):
            taken[name] = index
        elif name and name.lower() not in key.names:
            warnings.append(LineProblem(line, "csv_column_name", written[:40], {"name": name[:40]}))
    return tuple((index, name) for name, index in taken.items()), tuple(warnings)


class _Collector:
    """Takes record after record; keeps the first of each address."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._good: dict[str, Recipient] = {}
        self._problems: list[LineProblem] = []
        self._warnings = list(layout.warnings)
        self._duplicates = 0

    def stands_alone(self, fields: list[str]) -> bool:
        """Whether these fields are a whole record with an address in its place."""
        return len(fields) == self._layout.width and is_address(fields[self._layout.address])

    def take(self, line: int, fields: list[str] | Broken) -> None:
        """One record: a recipient, a duplicate, or a problem."""
        if isinstance(fields, Broken):
            self._problems.append(LineProblem(line, fields.code))
            return
        if problem := mended(fields, self._layout.width, line):
            self._problems.append(problem)
            return
        if problem := bad_value(fields, line):
            self._problems.append(problem)
            return
        written = fields[self._layout.address]
        try:
            address = normalise_address(written)
        except BadAddress as bad:
            if any(field.strip(BLANKS) for field in fields):
                self._problems.append(LineProblem(line, bad.code, visible(written)))
            return
        self._add(line, address, fields)

    def _add(self, line: int, address: str, fields: list[str]) -> None:
        if address in self._good:
            self._duplicates += 1
            return
        if needs_smtputf8(address):
            self._warnings.append(LineProblem(line, "address_smtputf8", visible(address)))
        variables = {name: fields[index] for index, name in self._layout.variables}
        self._good[address] = Recipient(address, variables, line)

    def result(self, encoding: str) -> ParsedRecipients:
        """Everything taken; raises `Refusal` when that is nothing, or too much for one request."""
        if not self._good and not self._problems:
            raise Refusal("csv_no_lines", field="file")
        if len(self._good) > MAX_RECIPIENTS:
            raise Refusal("csv_too_many", field="file", limit=MAX_RECIPIENTS, found=len(self._good))
        return ParsedRecipients(
            recipients=tuple(self._good.values()),
            problems=tuple(self._problems),
            warnings=tuple(self._warnings),
            columns=tuple(name for _, name in self._layout.variables),
            duplicates=self._duplicates,
            encoding=encoding,
            address_column=self._layout.address_name,
        )


def mended(fields: list[str], width: int, line: int) -> LineProblem | None:
    """Drop empty surplus fields, which spreadsheets leave; another number of fields than `width` is a problem."""
    found = len(fields)
    while len(fields) > width and not fields[-1].strip(BLANKS):
        fields.pop()
    if len(fields) == width:
        return None
    return LineProblem(line, "csv_fields", visible(fields[0]), {"expected": width, "found": found})


def bad_value(fields: Sequence[str], line: int) -> LineProblem | None:
    """A value that no message can carry: control characters, or too long."""
    for value in fields:
        if len(value) > MAX_VALUE:
            return LineProblem(line, "csv_value_too_long", visible(value), {"limit": MAX_VALUE})
        if not value.isprintable() and CONTROL.search(value):
            return LineProblem(line, "csv_control", visible(value))
    return None


def visible(text: str) -> str:
    """A value as it can be shown in a message: short, printable, one line."""
    return "".join(char if char.isprintable() else "�" for char in text[:80])
