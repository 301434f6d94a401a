"""Address lists (seed 2.6 ②): names, alias addresses, members with variables, and where an import stands."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from domain.addresses import BadAddress, normalise_address
from domain.errors import Refusal
from domain.ids import Process
from domain.policy import Policy
from domain.recipients import CONTROL, MAX_COLUMNS, MAX_VALUE
from domain.variables import NAME_ONLY

MAX_LISTS = 1_000
"""Of one account."""
MAX_NAME = 48
MAX_DESCRIPTION = 250
MAX_ALIAS_LOCAL = 48
"""Characters; the limits are SendCloud's (reference/sendcloud-api.md §6.2)."""
MAX_CHANGES = 1_000
"""Members that one request may add, change or remove."""
MAX_MEMBER_BYTES = 65_536
"""Of one member's variables, as JSON."""
SENDCLOUD_ALIASES = "maillist.sendcloud.org"
"""Customers who come from there keep the alias addresses that their programs name."""
PART_BYTES = 2 * 2**20
"""An uploaded file is kept in parts of this size, each sealed by itself: no process ever holds it whole."""
MAX_OPEN_IMPORTS = 5
"""Of one account at a time; further ones wait for their turn at the customer's."""
_ESCAPES = {"\\n": "\n", "\\r": "\r", "\\\\": "\\"}
_ESCAPED = re.compile(r"\\[nr\\]")
_NEED_ESCAPE = re.compile(r"[\n\r\\]")
_ALIAS_LOCAL = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")


class ListKind(StrEnum):
    """What a file is read into."""

    ADDRESSES = "addresses"
    """An address list of mail."""
    CONTACTS = "contacts"
    """A contact list of phone numbers."""


class ImportFormat(StrEnum):
    CSV = "csv"
    XLSX = "xlsx"


class ImportState(StrEnum):
    UPLOADING = "uploading"
    """Its bytes are still arriving; one that was cut short stays so, and is forgotten."""
    WAITING = "waiting"
    """Uploaded; nobody has begun to read it."""
    PREPARING = "preparing"
    """Encoding, columns and number of lines are being found out."""
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    """The file as a whole cannot be read; `failure` says why."""
    CANCELLED = "cancelled"
    """Stopped by a member, or its list was deleted. What was added before stays."""


ENDED = frozenset({ImportState.DONE, ImportState.FAILED, ImportState.CANCELLED})


@dataclass(frozen=True)
class ImportProgress:
    """Where an import stands: counts only. `held`: a campaign is copying the list, and the import waits for it."""

    state: ImportState
    lines: int = 0
    total_lines: int | None = None
    added: int = 0
    updated: int = 0
    repeated: int = 0
    refused: int = 0
    held: bool = False

    @property
    def ended(self) -> bool:
        return self.state in ENDED


@dataclass(frozen=True)
class ImportOrder:
    """What the reading activity is asked for: to read on for at most so many seconds."""

    process: Process
    seconds: float


def alias_domain(policy: Policy) -> str:
    """The domain of the alias addresses that are made here."""
    return f"maillist.{policy.platform_domain}"


def checked_name(name: str) -> str:
    """Raises `Refusal` on field `name`."""
    trimmed = name.strip()
    if not trimmed:
        raise Refusal("required", field="name")
    if len(trimmed) > MAX_NAME or not trimmed.isprintable():
        raise Refusal("list_bad_name", field="name", limit=MAX_NAME)
    return trimmed


def checked_description(description: str) -> str:
    """Raises `Refusal` on field `description`."""
    trimmed = description.strip()
    if len(trimmed) > MAX_DESCRIPTION or CONTROL.search(trimmed):
        raise Refusal("list_bad_description", field="description", limit=MAX_DESCRIPTION)
    return trimmed


def checked_alias(alias: str, policy: Policy) -> str:
    """The whole alias address, in lower case; `alias` may leave its domain out. Raises `Refusal` on field `alias`."""
    written = alias.strip().lower()
    local, at, domain = written.partition("@")
    domain = domain if at else alias_domain(policy)
    if not _ALIAS_LOCAL.fullmatch(local) or ".." in local or len(local) > MAX_ALIAS_LOCAL:
        raise Refusal("list_bad_alias", field="alias", limit=MAX_ALIAS_LOCAL)
    if domain not in (alias_domain(policy), SENDCLOUD_ALIASES):
        raise Refusal("list_alias_domain", field="alias", domain=alias_domain(policy), sendcloud=SENDCLOUD_ALIASES)
    return f"{local}@{domain}"


def own_alias(list_id: UUID, policy: Policy) -> str:
    """An alias address for a list whose maker names none."""
    return f"list-{list_id.hex[-12:]}@{alias_domain(policy)}"


def checked_address(address: str, field: str) -> str:
    """An address as it is stored. Raises `BadAddress` on this field."""
    try:
        return normalise_address(address)
    except BadAddress as bad:
        raise BadAddress(bad.code, field) from None


def checked_variables(variables: Mapping[str, str], field: str) -> str:
    """The variables of a member as the JSON that is stored. Raises `Refusal` on this field."""
    if len(variables) > MAX_COLUMNS:
        raise Refusal("member_too_many_variables", field=field, limit=MAX_COLUMNS)
    for name, value in variables.items():
        if not NAME_ONLY.fullmatch(name):
            raise Refusal("member_variable_name", field=field, name=name[:40])
        if len(value) > MAX_VALUE:
            raise Refusal("csv_value_too_long", field=f"{field}.{name}", limit=MAX_VALUE)
        if CONTROL.search(value):
            raise Refusal("csv_control", field=f"{field}.{name}")
    told = json.dumps(dict(variables), ensure_ascii=False)
    if len(told.encode(errors="replace")) > MAX_MEMBER_BYTES:
        raise Refusal("member_too_large", field=field, limit=MAX_MEMBER_BYTES // 1024)
    return told


def variables_of_text(text: str) -> dict[str, str]:
    """Variables as a form holds them: `name=value` on each line; a line end within a value is written `\\n`.

    Raises `Refusal` on field `variables`.
    """
    variables: dict[str, str] = {}
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise Refusal("member_variables_text", field="variables", line=number)
        variables[name.strip()] = _ESCAPED.sub(lambda found: _ESCAPES[found[0]], value.strip())
    return variables


def text_of_variables(variables: Mapping[str, str]) -> str:
    """The same the other way round."""
    written = {value: escape for escape, value in _ESCAPES.items()}
    return "\n".join(
        f"{name}={re.sub(_NEED_ESCAPE, lambda found: written[found[0]], value)}" for name, value in variables.items()
    )


def cursor_of(address: str) -> str:
    """Where the next page of members begins: after this one."""
    return base64.urlsafe_b64encode(address.encode()).decode().rstrip("=")


def address_at(cursor: str) -> str:
    """The address behind a cursor. Raises `Refusal` on field `cursor`."""
    try:
        address = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        raise Refusal("member_cursor", field="cursor") from None
    if "@" not in address or CONTROL.search(address):
        raise Refusal("member_cursor", field="cursor")
    return address


def part_key(storage_key: str, number: int) -> str:
    """The name of one part of an uploaded file; the first is 0."""
    return f"{storage_key}-{number:05d}"


def text_key(storage_key: str) -> str:
    """Where a file is that was written anew as text, by the key of its upload."""
    return f"{storage_key}t"


def upload_key(storage_key: str) -> str:
    """The key of the upload that this one, or its text, is kept under (keys are hexadecimal)."""
    return storage_key.removesuffix("t")


def parts_of(size: int) -> int:
    """How many parts a file of so many bytes has."""
    return -(-size // PART_BYTES)
