"""Own suppressions as a file: a column of addresses, and `reason`, `scope`, `until`, `note` where they are there.

What `/v1/suppressions.csv` exports can be read back; a list of bare addresses needs no header.
"""

import datetime as dt
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from domain.addresses import BadAddress, normalise_address
from domain.delimited import Broken, Reader, decode
from domain.errors import Refusal
from domain.recipients import (
    BLANKS,
    MAX_FILE_BYTES,
    LineProblem,
    bad_value,
    is_address,
    mended,
    read_layout,
    visible,
)
from domain.spreadsheets import uncell
from domain.suppressions import (
    COMPLAINT_HOLDS,
    LONGEST,
    MAX_IMPORTED,
    MAX_NOTE,
    Entry,
    Rule,
    SuppressionReason,
    SuppressionScope,
    suppression_key,
)
from domain.times import SHANGHAI

_Word = TypeVar("_Word", bound=StrEnum)
COLUMNS = ("reason", "scope", "until", "note")
_TIME = re.compile(
    r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)? ?(Z|[+-]\d{2}:?\d{2})?"
)


@dataclass
class ParsedEntries:
    """What a file holds: every record below the header is an entry, `repeated`, `ended`, or one of the `problems`.

    Of what is named twice (address and reason) the last line counts. `ended`: their time is over already.
    """

    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)
    repeated: int = 0
    ended: int = 0
    problems: list[LineProblem] = field(default_factory=list)


class _BadCell(Exception):
    def __init__(self, column: str, value: str) -> None:
        super().__init__(column)
        self.column = column
        self.value = value


def parse_entries(data: bytes, rule: Rule, at: dt.datetime) -> ParsedEntries:
    """Read a file; `rule` holds where a line says nothing. Half a second for 100,000 lines: call it in a thread.

    Raises `Refusal` on field `file` when the file as a whole cannot be read.
    """
    if len(data) > MAX_FILE_BYTES:
        raise Refusal("csv_too_large", field="file", limit=MAX_FILE_BYTES // 2**20)
    lines = decode(data)
    layout, delimiter = read_layout(lines)
    if len(lines.lines) - layout.first > MAX_IMPORTED:
        raise Refusal("csv_too_many", field="file", limit=MAX_IMPORTED, found=len(lines.lines) - layout.first)
    columns = {name.lower(): place for place, name in layout.variables if name.lower() in COLUMNS}
    sieve = _Sieve(layout.width, layout.address, columns, rule, at)
    for index, _, fields in Reader(lines, delimiter, sieve.stands_alone).records(layout.first):
        sieve.take(index + 1, fields)
    found = sieve.found
    if not (found.entries or found.ended or found.problems):
        raise Refusal("csv_no_lines", field="file")
    return found


@dataclass
class _Sieve:
    """Takes record after record."""

    width: int
    address: int
    columns: dict[str, int]
    rule: Rule
    at: dt.datetime
    found: ParsedEntries = field(default_factory=ParsedEntries)

    def stands_alone(self, fields: list[str]) -> bool:
        """Whether these fields are a whole record with an address in its place."""
        return len(fields) == self.width and is_address(uncell(fields[self.address]))

    def take(self, line: int, fields: list[str] | Broken) -> None:
        if isinstance(fields, Broken):
            self.found.problems.append(LineProblem(line, fields.code))
            return
        problem = mended(fields, self.width, line) or bad_value(fields, line)
        if problem:
            self.found.problems.append(problem)
            return
        try:
            self._keep(self._entry(fields))
        except BadAddress as bad:
            if any(value.strip(BLANKS) for value in fields):
                self.found.problems.append(LineProblem(line, bad.code, visible(fields[self.address])))
        except _BadCell as bad:
            params: dict[str, object] = {"column": bad.column, "value": visible(bad.value)}
            self.found.problems.append(LineProblem(line, "suppression_cell", visible(fields[self.address]), params))

    def _keep(self, entry: Entry) -> None:
        if entry.until is not None and entry.until <= self.at:
            self.found.ended += 1
            return
        key = (entry.address, entry.reason)
        self.found.repeated += key in self.found.entries
        self.found.entries[key] = entry

    def _entry(self, fields: list[str]) -> Entry:
        address = suppression_key(normalise_address(uncell(fields[self.address])))
        reason = self._one_of(fields, "reason", SuppressionReason, SuppressionReason.MANUAL)
        scope = self._one_of(fields, "scope", SuppressionScope, self._usual_scope(reason))
        until = self._until(fields, reason)
        note = uncell(self._cell(fields, "note")) or self.rule.note
        if len(note) > MAX_NOTE or not note.isprintable():
            raise _BadCell("note", note)
        if reason is SuppressionReason.COMPLAINT:  # whoever complained gets nothing
            scope = SuppressionScope.ALL
        return Entry(address, reason.value, scope.value, until, note)

    def _usual_scope(self, reason: SuppressionReason) -> SuppressionScope:
        return self.rule.scope if reason is SuppressionReason.MANUAL else SuppressionScope.BATCH

    def _until(self, fields: list[str], reason: SuppressionReason) -> dt.datetime | None:
        if written := self._cell(fields, "until"):
            return _time(written, self.at)
        if reason is SuppressionReason.COMPLAINT:
            return self.at + COMPLAINT_HOLDS
        return self.rule.until if reason is SuppressionReason.MANUAL else None

    def _cell(self, fields: list[str], column: str) -> str:
        place = self.columns.get(column)
        return "" if place is None else fields[place].strip(BLANKS)

    def _one_of(self, fields: list[str], column: str, words: type[_Word], usual: _Word) -> _Word:
        written = self._cell(fields, column)
        try:
            return words(written.lower()) if written else usual
        except ValueError:
            raise _BadCell(column, written) from None


def _time(text: str, at: dt.datetime) -> dt.datetime:
    """As spreadsheets write times; without a zone it is that of Asia/Shanghai."""
    match = _TIME.fullmatch(text)
    try:
        if match is None:
            raise ValueError(text)
        year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
        zone = SHANGHAI if match[7] is None else dt.datetime.strptime(match[7].replace("Z", "+0000"), "%z").tzinfo
        moment = dt.datetime(year, month, day, hour, minute, second, tzinfo=zone).astimezone(dt.UTC)
        if moment > at + LONGEST:
            raise ValueError(text)
    except (ValueError, OverflowError):
        raise _BadCell("until", text) from None
    return moment
