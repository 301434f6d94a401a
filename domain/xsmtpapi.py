"""X-SMTPAPI: recipients who are written to one by one, and their values (reference/sendcloud-api.md §5)."""

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from domain.acceptance import MAX_VARIABLES_BYTES
from domain.errors import SongdaError
from domain.variables import NAME

LARGEST = 2**20
"""Characters of the JSON text."""
MOST = 100
"""Recipients."""
MOST_EXPANDED = MOST * MAX_VARIABLES_BYTES
"""Characters of all values together: a few of `sub` may name a long one of `section` many times."""
_KEY = re.compile(rf"%?({NAME})%?")
_MACRO = re.compile(rf"%({NAME})%")
NOT_YET = ("filters", "settings", "send_domain")
"""Tracking and unsubscribe page of a single mail: refused, since to ignore them would be to do the opposite."""

Detail: TypeAlias = tuple[str, str]
"""In Chinese and in English."""

_NAME_RULE = ("变量名由1到32个字母、数字或下划线组成", "a name has 1 to 32 letters, digits or underscores")
_VALUE_RULE = ("变量的值应为字符串、数字或布尔值", "a value is a string, a number or a boolean")
_LONG_RULE = ("变量的值太长", "values are too long")


class Fault(StrEnum):
    """What is wrong, as both doors tell apart."""

    NO_JSON = "is not JSON"
    SHAPE = "has a value of the wrong kind"
    NO_TO = "has no to"
    EMPTY_TO = "has an empty to"
    TOO_MANY = "has more than 100 recipients"


class BadXsmtpapi(SongdaError):
    """It cannot be followed. `value` is the part that is wrong, as the customer wrote it."""

    def __init__(self, fault: Fault, value: str, detail: Detail = ("", "")) -> None:
        super().__init__(fault.value)
        self.fault = fault
        self.value = value
        self.detail_zh, self.detail_en = detail


@dataclass(frozen=True)
class Personal:
    """`to` is None where only values for everybody were given."""

    to: list[str] | None
    values: list[dict[str, str]] = field(default_factory=list)
    """Of each of `to`."""
    common: dict[str, str] = field(default_factory=dict)
    """Of everybody."""


def read(text: str) -> Personal | None:
    """What the JSON text says; None where it says nothing. Raises `BadXsmtpapi`."""
    if not text:
        return None
    try:
        said = json.loads(text) if len(text) <= LARGEST else None
        if said is not None and "\\u" in text:  # half a character, which no database and no mail can hold
            json.dumps(said, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise BadXsmtpapi(Fault.NO_JSON, text) from None
    if not isinstance(said, dict):
        raise BadXsmtpapi(Fault.SHAPE, text)
    said = {name: value for name, value in said.items() if value not in (None, {}, [])} | _to(said)
    return _personal(said) if said else None


def read_header(value: str) -> Personal | None:
    """The same of the header of a mail: base64 of the JSON, folded anywhere; JSON itself is taken, too."""
    if value.lstrip().startswith("{"):
        return read(re.sub(r"\r?\n", "", value).strip())
    packed = re.sub(r"\s+", "", value)
    try:
        text = b64decode(packed, validate=True).decode() if len(packed) <= 2 * LARGEST else ""
    except ValueError:
        text = ""
    if packed and not text:
        raise BadXsmtpapi(Fault.NO_JSON, packed)
    return read(text)


def _to(said: Mapping[str, Any]) -> dict[str, Any]:
    """An empty `to` is an error, not an absence."""
    return {"to": said["to"]} if said.get("to") is not None else {}


def _personal(said: Mapping[str, Any]) -> Personal:
    for name in NOT_YET:
        if name in said:
            raise BadXsmtpapi(Fault.SHAPE, name, ("暂不支持", "not supported yet"))
    common = {_name(key): _value(value) for key, value in _object(said, "pubsub").items()}
    if "to" not in said:
        if not common:
            raise BadXsmtpapi(Fault.NO_TO, ",".join(said))
        return Personal(None, common=common)
    to = _addresses(said["to"])
    if common:  # then `sub` is ignored
        return Personal(to, [common] * len(to), common)
    return Personal(to, _of_each(said, len(to)))


def _addresses(to: Any) -> list[str]:
    if not isinstance(to, list) or not all(isinstance(address, str) for address in to):
        raise BadXsmtpapi(Fault.SHAPE, "to")
    if not to:
        raise BadXsmtpapi(Fault.EMPTY_TO, "to")
    if len(to) > MOST:
        raise BadXsmtpapi(Fault.TOO_MANY, str(len(to)))
    return to


def _of_each(said: Mapping[str, Any], count: int) -> list[dict[str, str]]:
    """Value i of each variable goes to recipient i; `section` is what a value may be made of."""
    macros = {_name(key): _value(value) for key, value in _object(said, "section").items()}
    found: list[dict[str, str]] = [{} for _ in range(count)]
    left = MOST_EXPANDED
    for key, values in _object(said, "sub").items():
        if not isinstance(values, list) or len(values) < count:
            raise BadXsmtpapi(Fault.SHAPE, key, (f"变量的值应有{count}个", f"needs {count} values"))
        name = _name(key)
        for own, value in zip(found, values, strict=False):
            text = _value(value)
            left -= len(text) + sum(len(macros.get(each[1], "")) for each in _MACRO.finditer(text))
            if left < 0:
                raise BadXsmtpapi(Fault.SHAPE, key, _LONG_RULE)
            own[name] = _expanded(text, macros)
    return found


def _object(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = said.get(name, {})
    if not isinstance(found, dict):
        raise BadXsmtpapi(Fault.SHAPE, name)
    return found


def _name(key: str) -> str:
    """Samples write names with percent signs and without."""
    match = _KEY.fullmatch(key)
    if match is None:
        raise BadXsmtpapi(Fault.SHAPE, key, _NAME_RULE)
    return match[1]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise BadXsmtpapi(Fault.SHAPE, json.dumps(value, ensure_ascii=False), _VALUE_RULE)
    return str(value)


def _expanded(value: str, macros: Mapping[str, str]) -> str:
    return _MACRO.sub(lambda found: macros.get(found[1], found[0]), value) if macros else value
