"""Values as cells of a CSV file for spreadsheets."""

import datetime as dt

from domain.ids import iso

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def cell(value: object) -> str:
    """A value that no spreadsheet takes for a formula: such a beginning gets an apostrophe before it (CWE-1236)."""
    text = _shown(value)
    return f"'{text}" if text.startswith(_FORMULA) and not isinstance(value, int) else text


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return iso(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
