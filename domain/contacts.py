"""Contact lists of SMS (reference §7.4): names, limits, and what a line of a file must be to become a contact."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.errors import Refusal
from domain.recipients import CONTROL, KeyColumn
from domain.sms import MAX_VALUE
from domain.sms_numbers import national, read_phone
from domain.sms_text import NAME, bare_name, check_values
from domain.whole_text import whole

MAX_LISTS = 1_000
"""Of one account."""
MAX_NAME = 48
MAX_DESCRIPTION = 250
MAX_USER_NAME = MAX_VALUE
"""It can be a value of a text, `%userName%`."""
MAX_CHANGES = 1_000
"""Contacts that one request may add, change or remove."""
MAX_VARIABLES = 100
PHONE_COLUMN, PERSON_COLUMN = "phone", "userName"
"""What these columns are called in templates of files and in exports."""
PHONE_NAMES = (
    "phone", "mobile", "手机", "手机号", "手机号码", "电话", "电话号码", "号码", "tel", "telephone", "cellphone",
    "phonenumber", "phone number", "phone_number",
)  # fmt: skip
"""Headers of the column of numbers, best first."""
PERSON_NAMES = ("username", "user_name", "user name", "用户名", "姓名", "联系人", "称呼")
_SCIENTIFIC = re.compile(r"\d(?:[.,]\d+)?[Ee]\+?\d+")
_NAME = re.compile(NAME)
_DIGITS = re.compile(r"\+?[0-9]*")
_LINES = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True)
class NewContact:
    """A contact as somebody writes it down: a number in any usual way, a name, values by the variables' names."""

    phone: str
    user_name: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Kept:
    """A contact as it is stored: name, and variables as JSON."""

    user_name: str
    variables: str


def phone_of(written: str) -> str:
    """E.164, from any usual way of writing. Raises `Refusal`, also for what Excel makes of long numbers."""
    if _SCIENTIFIC.fullmatch(written.strip()):
        raise Refusal("contact_phone_scientific", field="phone")
    return read_phone(written).e164


PHONES = KeyColumn(
    PHONE_NAMES, phone_of, _NAME, PHONE_COLUMN, "csv_phone_ambiguous", "csv_no_phone_column", PERSON_NAMES,
    check=lambda values: check_values(values, values),
)  # fmt: skip


def checked_name(name: str, field: str = "name") -> str:
    """Raises `Refusal` on this field."""
    trimmed = name.strip()
    if not trimmed:
        raise Refusal("required", field=field)
    if len(trimmed) > MAX_NAME or not trimmed.isprintable():
        raise Refusal("list_bad_name", field=field, limit=MAX_NAME)
    return trimmed


def checked_description(description: str) -> str:
    """Raises `Refusal` on field `description`."""
    trimmed = description.strip()
    if len(trimmed) > MAX_DESCRIPTION or CONTROL.search(trimmed):
        raise Refusal("list_bad_description", field="description", limit=MAX_DESCRIPTION)
    return trimmed


def checked_contact(given: NewContact, field: str = "") -> tuple[str, Kept]:
    """(E.164, the rest as it is stored). Raises `Refusal` on `phone`, `user_name` or `variables` below `field`."""
    try:
        phone = phone_of(given.phone)
    except Refusal as bad:
        raise Refusal(bad.code, f"{field}phone", **bad.params) from None
    return phone, Kept(_checked_person(given.user_name, f"{field}user_name"), _checked(given.variables, field))


def _checked_person(name: str, field: str) -> str:
    trimmed = name.strip()
    if len(trimmed) > MAX_USER_NAME or _LINES.search(trimmed):
        raise Refusal("contact_bad_user_name", field=field, limit=MAX_USER_NAME)
    return trimmed


def _checked(variables: Mapping[str, str], field: str) -> str:
    """As JSON; names come with percent signs or without."""
    place = f"{field}variables"
    if len(variables) > MAX_VARIABLES:
        raise Refusal("member_too_many_variables", field=place, limit=MAX_VARIABLES)
    kept = {}
    for written, value in variables.items():
        name = bare_name(written.strip())
        if not _NAME.fullmatch(name):
            raise Refusal("contact_variable_name", field=place, name=name[:40])
        kept[name] = value
    try:
        return json.dumps(check_values(kept, kept), ensure_ascii=False)
    except Refusal as bad:
        raise Refusal(bad.code, place, **bad.params) from None


def storable(name: str) -> str:
    """A name to look for, as the database takes it; what it cannot hold is no list's name."""
    return whole(name.strip().replace("\0", "\ufffd"))


def values_of(user_name: str, variables: Mapping[str, str]) -> dict[str, str]:
    """What a text can be filled with for a contact: `%userName%` too, unless a variable of its own is called so."""
    return {PERSON_COLUMN: user_name, **variables}


def searched(written: str) -> str:
    """The beginning of stored numbers that somebody looks for: `138` is one of mainland China, `+44` is not.

    Blanks and dashes do not count. Empty: everything; what can begin no number finds nothing.
    """
    bare = re.sub(r"[\s()-]", "", written)
    if not _DIGITS.fullmatch(bare):
        return "?"
    if bare.startswith("00"):
        return f"+{bare[2:]}"
    if bare.startswith("86") and len(bare) > 2:
        return f"+{bare}"
    return f"+86{bare}" if bare and not bare.startswith("+") else bare


def shown(phone: str) -> str:
    """A stored number as people of mainland China write theirs."""
    return national(phone)
