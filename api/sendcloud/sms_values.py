"""Values of variables as callers of `/smsapi` write them (reference/sendcloud-api.md §7.3, §12)."""

import ast
import json
import re
from urllib.parse import unquote

from api.sendcloud.sms_envelope import SmsFailure, offending
from domain.sms_text import NAME, bare_name

LONGEST_LITERAL = 200_000
"""Characters that are read as Python's: 200 numbers with values need not half of them, and it takes its time."""
_PAIR = re.compile(rf"(%?{NAME}%?)\s*:\s*([^\s\"'{{}}:][^\"'{{}}]*)")


def read(text: str) -> object:
    """JSON, and what official samples send for it: `str()` of a list (Python), `{%code%:123456}` (Node).

    Raises `ValueError`.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if len(text) > LONGEST_LITERAL:
        raise ValueError
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return _bare_pairs(text.strip())


def _bare_pairs(text: str) -> dict[str, str]:
    if not (text.startswith("{") and text.endswith("}")):
        raise ValueError
    pairs = [_PAIR.fullmatch(each.strip()) for each in text[1:-1].split(",")]
    found = {pair[1]: pair[2] for pair in pairs if pair}
    if len(found) < len(pairs):
        raise ValueError
    return found


def values_of(text: str) -> dict[str, str]:
    """Of `vars`, by the names as they were written; clients send nothing, `{}` or `null` for none, and some escape it
    once more. Raises `SmsFailure` 441."""
    failure = offending(441, "vars", text)
    if text.startswith(("%7B", "%7b")):
        text = unquote(text)
    try:
        found = read(text) if text else None
    except ValueError:
        raise failure from None
    return named(found, failure)


def value_of(text: str, name: str) -> str:
    """One value of `vars`, its name with percent signs or without; empty: there is none. Raises `SmsFailure` 441."""
    return {bare_name(each): value for each, value in values_of(text).items()}.get(name, "")


def named(found: object, failure: SmsFailure) -> dict[str, str]:
    """Values by name; numbers count as their digits. Raises `failure` for what is no such object."""
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise failure
    try:
        return {name: _text(value) for name, value in found.items()}
    except ValueError:
        raise failure from None


def _text(value: object) -> str:
    """Raises `ValueError` for what JSON has no single value for, and for numbers that Python will not write out."""
    if value is None or isinstance(value, bool):
        return "" if value is None else json.dumps(value)
    if not isinstance(value, str | int | float):
        raise ValueError
    return str(value)
