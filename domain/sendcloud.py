"""How SendCloud's API names what it accepted (reference/sendcloud-api.md §2).

Its `messageId` is one request: `<milliseconds>_<n>_<n>_<n>.sc-<host>-inbound`. Ours says in that form which submission
it is, so no table translates it: the time and the random bits of the UUIDv7 (RFC 9562 §5.7), as decimal numbers.
"""

import re
from collections.abc import Iterable
from uuid import UUID

_HOST = "songda"
_FORM = re.compile(rf"(\d{{1,15}})_(\d{{1,4}})_(\d{{1,10}})_(\d{{1,10}})\.sc-{_HOST}-inbound", re.ASCII)
_VERSION, _VARIANT = 7 << 76, 2 << 62
_LOW = (1 << 31) - 1


def message_id(submission: UUID) -> str:
    """The request's name on the wire."""
    number = submission.int
    chance = number & ((1 << 62) - 1)
    return f"{number >> 80}_{number >> 64 & 0xFFF}_{chance >> 31}_{chance & _LOW}.sc-{_HOST}-inbound"


def submission_of(name: str) -> UUID | None:
    """The submission of a `messageId`, or None where it is none of ours."""
    match = _FORM.fullmatch(name)
    if match is None:
        return None
    at, some, high, low = (int(part) for part in match.groups())
    if at >= 1 << 48 or some > 0xFFF or high > _LOW or low > _LOW:
        return None
    return UUID(int=at << 80 | _VERSION | some << 64 | _VARIANT | high << 31 | low)


def email_ids(submission: UUID, addresses: Iterable[str]) -> list[str]:
    """The `emailId` of each message, in its order: the request's name, the place from 0, `$`, the address."""
    name = message_id(submission)
    return [f"{name}{place}${address}" for place, address in enumerate(addresses)]


def task_id(campaign: UUID) -> int:
    """The `maillistTaskId` of a campaign: time and first random bits of its id, small enough for every client (2^53).

    A campaign's id begins with it, so it is found by a range of ids (`campaigns_of`).
    """
    return campaign.int >> 80 << 12 | campaign.int >> 64 & 0xFFF


def campaigns_of(task: int) -> tuple[UUID, UUID]:
    """The first and the last id that a campaign with this `maillistTaskId` may have."""
    first = task >> 12 << 80 | _VERSION | (task & 0xFFF) << 64
    return UUID(int=first), UUID(int=first | (1 << 64) - 1)
