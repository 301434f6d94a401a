"""Phone numbers as a file: a column of numbers, or a bare list. What `/v1/sms/opt-outs.csv` exports is read back."""

from dataclasses import dataclass, field

from domain.contacts import PHONES, phone_of
from domain.delimited import Broken, Reader, decode
from domain.errors import Refusal
from domain.recipients import BLANKS, MAX_FILE_BYTES, LineProblem, mended, read_layout, visible
from domain.sms_interceptions import MAX_IMPORTED
from domain.spreadsheets import uncell


@dataclass
class ParsedNumbers:
    """What a file holds: every record below the header is a number (E.164), `repeated`, or one of the `problems`."""

    phones: dict[str, None] = field(default_factory=dict)
    repeated: int = 0
    problems: list[LineProblem] = field(default_factory=list)


def parse_numbers(data: bytes) -> ParsedNumbers:
    """Read a file. Some seconds for 100,000 lines: call it in a thread.

    Raises `Refusal` on field `file` when the file as a whole cannot be read.
    """
    if not data:
        raise Refusal("csv_empty", field="file")
    if len(data) > MAX_FILE_BYTES:
        raise Refusal("csv_too_large", field="file", limit=MAX_FILE_BYTES // 2**20)
    lines = decode(data)
    layout, delimiter = read_layout(lines, PHONES)
    if len(lines.lines) - layout.first > MAX_IMPORTED:
        raise Refusal("csv_too_many", field="file", limit=MAX_IMPORTED, found=len(lines.lines) - layout.first)

    def stands_alone(fields: list[str]) -> bool:
        return len(fields) == layout.width and PHONES.fits(uncell(fields[layout.address]))

    found = ParsedNumbers()
    for index, _, fields in Reader(lines, delimiter, stands_alone).records(layout.first):
        _take(found, index + 1, fields, layout.width, layout.address)
    return found


def _take(found: ParsedNumbers, line: int, fields: list[str] | Broken, width: int, place: int) -> None:
    if isinstance(fields, Broken):
        found.problems.append(LineProblem(line, fields.code))
        return
    if not any(value.strip(BLANKS) for value in fields):
        return
    if problem := mended(fields, width, line):
        found.problems.append(problem)
        return
    try:
        phone = phone_of(uncell(fields[place].strip(BLANKS)))
    except Refusal as bad:
        found.problems.append(LineProblem(line, bad.code, visible(fields[place]), dict(bad.params)))
        return
    found.repeated += phone in found.phones
    found.phones[phone] = None
