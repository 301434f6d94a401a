"""The text of an SMS: signature, content and values put together; how many parts it is sent and paid in.

What is counted here is what is sent: the gateway cuts a text with `parts`, too.
"""

import re
from collections.abc import Iterable, Mapping

import smsutil

from domain.errors import Refusal
from domain.sms import MAX_CHARACTERS, MAX_VALUE, Market

NAME = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,31}"
"""Of a variable (reference §7.3)."""
_PLACE = re.compile(f"%({NAME})%")
_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""All but the line feed. UTF-16 cannot write a lone surrogate, and ESC would change the next letter of GSM-7."""
_VALUE_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LINK = re.compile(r"https?\s*[:：]|://|www\.", re.IGNORECASE)
_SURELY_ONE = 35
"""Characters that fit one part of 70 UTF-16 units, whatever they are."""


def variables_in(content: str) -> tuple[str, ...]:
    """The names of a content's variables, each once, in order of first use."""
    return tuple(dict.fromkeys(_PLACE.findall(content)))


def bare_name(name: str) -> str:
    """A variable's name as callers write it, with percent signs or without (reference §12)."""
    return name[1:-1] if len(name) > 2 and name.startswith("%") and name.endswith("%") else name


def compose(signature: str, content: str, signature_last: bool = False, market: Market = Market.DOMESTIC) -> str:
    """Signature and content, with its variables still open. `signature` comes with or without the brackets.

    【】 at home, where they are the rule; `[ ]` abroad, since 【】 alone makes a text UCS-2, with 70 characters a part
    instead of 160.
    """
    name = signature.strip().removeprefix("【").removesuffix("】")
    if market is Market.INTERNATIONAL:
        text = f"{content} [{name}]" if signature_last else f"[{name}] {content}"
    else:
        text = f"{content}【{name}】" if signature_last else f"【{name}】{content}"
    return _CONTROLS.sub("", text.replace("\r\n", "\n"))


def fill(text: str, values: Mapping[str, str]) -> str:
    """Each variable replaced once: a value that looks like a variable stays as it is, and so does one without value."""
    return _PLACE.sub(lambda place: values.get(place[1], place[0]), text)


def parts(text: str) -> tuple[str, ...]:
    """The text as its parts are sent: GSM-7 160, or 153 each; else UCS-2 70, or 67 each. No emoji is cut in two."""
    return tuple(part.content for part in smsutil.split(text).parts)


def is_gsm(text: str) -> bool:
    """Whether all parts of this text are sent in GSM-7 (`data_coding` 0), else in UCS-2 (8)."""
    return bool(smsutil.is_valid_gsm(text))


def segments(text: str) -> int:
    """How many parts that is, and so what it costs."""
    return 1 if len(text) <= _SURELY_ONE else len(parts(text))


def longest(text: str, lengths: Mapping[str, int]) -> int:
    """Characters of a text whose variables are filled with values of these lengths."""
    return len(_PLACE.sub("", text)) + sum(lengths.get(name, MAX_VALUE) for name in _PLACE.findall(text))


def check_values(names: Iterable[str], given: Mapping[str, str]) -> dict[str, str]:
    """The values that a text uses, by name without percent signs; others are left out.

    Raises `Refusal`: `variables_missing`, `sms_value_too_long`, `sms_value_link`, `sms_value_control`.
    """
    values = {bare_name(name): value for name, value in given.items()}
    names = tuple(names)
    if lacking := [name for name in names if name not in values]:
        raise Refusal("variables_missing", field="variables", names=", ".join(lacking))
    for name in names:
        _check_value(name, values[name])
    return {name: values[name] for name in names}


def _check_value(name: str, value: str) -> None:
    if len(value) > MAX_VALUE:
        raise Refusal("sms_value_too_long", field="variables", name=name, length=len(value), limit=MAX_VALUE)
    if _LINK.search(value):
        raise Refusal("sms_value_link", field="variables", name=name)
    if _VALUE_CONTROLS.search(value):
        raise Refusal("sms_value_control", field="variables", name=name)


_HALF = 0x100000
"""Added to half a surrogate pair: what was a surrogate is a character then, of a plane that nobody writes."""


def halves_kept(octets: bytes) -> str:
    """UTF-16 of one part. A handset may cut an emoji in two: its halves are kept, in a form that can be stored, until
    `halves_joined` has all parts."""
    text = octets[: len(octets) // 2 * 2].decode("utf-16-be", "surrogatepass")
    return re.sub("[\ud800-\udfff]", lambda half: chr(ord(half[0]) + _HALF), text)


def halves_joined(text: str) -> str:
    """All parts, one after the other: halves that meet are one character again, one left alone is shown as �."""
    halves = re.sub("[\U0010d800-\U0010dfff]", lambda half: chr(ord(half[0]) - _HALF), text)
    return halves.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace")


def check_length(text: str) -> None:
    """Of the whole text, with everything in it. Raises `Refusal`: `sms_too_long`."""
    if len(text) > MAX_CHARACTERS:
        raise Refusal("sms_too_long", field="variables", length=len(text), limit=MAX_CHARACTERS)
