"""`xsmtpapi`: recipients who are written to one by one, and their values (reference/sendcloud-api.md §5)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from api.sendcloud.envelope import Failure
from domain.variables import NAME

LARGEST = 2**20
"""Characters of the JSON text."""
MOST = 100
"""Recipients."""
_KEY = re.compile(rf"%?({NAME})%?")
_MACRO = re.compile(rf"%({NAME})%")
NOT_YET = ("filters", "settings", "send_domain")
"""Tracking and unsubscribe page of a single mail: refused, since to ignore them would be to do the opposite."""


@dataclass(frozen=True)
class Personal:
    """`to` is None where only values for everybody were given."""

    to: list[str] | None
    values: list[dict[str, str]] = field(default_factory=list)
    """Of each of `to`."""
    common: dict[str, str] = field(default_factory=dict)
    """Of everybody."""


def read(text: str) -> Personal | None:
    """What the parameter says; None where it says nothing. Raises `Failure`."""
    if not text:
        return None
    try:
        said = json.loads(text) if len(text) <= LARGEST else None
    except (ValueError, RecursionError):
        raise Failure(40817, "xsmtpapi", text) from None
    if not isinstance(said, dict):
        raise Failure(40813, "xsmtpapi", text)
    said = {name: value for name, value in said.items() if value not in (None, {}, [])} | _to(said)
    return _personal(said) if said else None


def _to(said: Mapping[str, Any]) -> dict[str, Any]:
    """An empty `to` is an error, not an absence."""
    return {"to": said["to"]} if said.get("to") is not None else {}


def _personal(said: Mapping[str, Any]) -> Personal:
    for name in NOT_YET:
        if name in said:
            raise Failure(40813, "xsmtpapi", name, "暂不支持")
    common = {_name(key): _value(value) for key, value in _object(said, "pubsub").items()}
    if "to" not in said:
        if not common:
            raise Failure(40815, "xsmtpapi", ",".join(said))
        return Personal(None, common=common)
    to = _addresses(said["to"])
    if common:  # then `sub` is ignored
        return Personal(to, [common] * len(to), common)
    return Personal(to, _of_each(said, len(to)))


def _addresses(to: Any) -> list[str]:
    if not isinstance(to, list) or not all(isinstance(address, str) for address in to):
        raise Failure(40813, "xsmtpapi", "to")
    if not to:
        raise Failure(40816, "xsmtpapi", "to")
    if len(to) > MOST:
        raise Failure(40827, "xsmtpapi", str(len(to)))
    return to


def _of_each(said: Mapping[str, Any], count: int) -> list[dict[str, str]]:
    """Value i of each variable goes to recipient i; `section` is what a value may be made of."""
    macros = {_name(key): _value(value) for key, value in _object(said, "section").items()}
    found: list[dict[str, str]] = [{} for _ in range(count)]
    for key, values in _object(said, "sub").items():
        if not isinstance(values, list) or len(values) < count:
            raise Failure(40813, "xsmtpapi", key, f"变量的值应有{count}个")
        name = _name(key)
        for own, value in zip(found, values, strict=False):
            own[name] = _expanded(_value(value), macros)
    return found


def _object(said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = said.get(name, {})
    if not isinstance(found, dict):
        raise Failure(40813, "xsmtpapi", name)
    return found


def _name(key: str) -> str:
    """Samples write names with percent signs and without."""
    match = _KEY.fullmatch(key)
    if match is None:
        raise Failure(40813, "xsmtpapi", key, "变量名由1到32个字母、数字或下划线组成")
    return match[1]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise Failure(40813, "xsmtpapi", json.dumps(value, ensure_ascii=False), "变量的值应为字符串、数字或布尔值")
    return str(value)


def _expanded(value: str, macros: Mapping[str, str]) -> str:
    return _MACRO.sub(lambda found: macros.get(found[1], found[0]), value) if macros else value
