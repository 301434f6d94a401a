"""Values as cells of a CSV file for spreadsheets, and the file's lines."""

import csv
import datetime as dt
import io
from collections.abc import Iterable, Sequence

from domain.ids import iso

BOM = b"\xef\xbb\xbf"
"""What a file begins with, so that spreadsheets take it for UTF-8."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def cell(value: object) -> str:
    """A value that no spreadsheet takes for a formula: such a beginning gets an apostrophe before it (CWE-1236)."""
    text = _shown(value)
    return f"'{text}" if text.startswith(_FORMULA) and not isinstance(value, int) else text


def uncell(text: str) -> str:
    """What `cell` made this of."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


def csv_lines(rows: Iterable[Sequence[str]]) -> bytes:
    """Rows of cells as lines of CSV (RFC 4180), in UTF-8."""
    sink = io.StringIO()
    csv.writer(sink).writerows(rows)
    return sink.getvalue().encode()


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return iso(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
