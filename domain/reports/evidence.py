"""What in a report may name our mail: Message-IDs and return paths, wherever servers leave them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from domain.reports.mime import RETURNED, Fields, Part, blocks

MOST = 20
"""Of each kind; the best come first."""
RETURNED_MAILS = 3
GROUPS = frozenset(
    {
        *("message/delivery-status", "message/global-delivery-status", "message/feedback-report"),
        *("message/disposition-notification", "message/global-disposition-notification"),
    }
)
"""Parts that are groups of fields."""

_ID = re.compile(r"<([^<>\s\x00-\x1f\x7f@]{1,200}@[^<>\s\x00-\x1f\x7f@]{1,255})>")
_NOT_IN_ADDRESS = r"\s\x00-\x1f\x7f<>()\[\]\"',;:，。、；：！？（）《》【】“”"
_ADDRESS = re.compile(rf"[^{_NOT_IN_ADDRESS}]{{1,128}}@[^{_NOT_IN_ADDRESS}@]{{1,255}}")
_ID_LINE = re.compile(r"^[ \t>]{0,20}(?:\S{1,20}-)?Message-?ID:[ \t]*(<[^<>\s]{1,500}>)", re.IGNORECASE | re.MULTILINE)
_PATH_LINE = re.compile(r"^[ \t>]{0,20}Return-Path:[ \t]*<([^<>\s]{1,320})>", re.IGNORECASE | re.MULTILINE)
_OWN_IDS = ("message-id", "x-original-message-id", "original-message-id", "x-ms-exchange-original-message-id")
_REFERENCES = ("in-reply-to", "references", "x-original-message-id", "original-message-id")
_RETURN_PATHS = ("return-path", "x-return-path", "x-envelope-from", "x-original-mail-from", "original-mail-from")
_GROUP_PATHS = ("original-mail-from", "original-envelope-id")
_ADDRESSED = ("to", "delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-delivered-to")


def message_ids(parts: Sequence[Part]) -> tuple[str, ...]:
    """Without angle brackets, those of the returned mail first."""
    return _first(found for value in _id_values(parts) for found in _ID.findall(value))


def return_paths(parts: Sequence[Part]) -> tuple[str, ...]:
    return _first(found for value in _path_values(parts) for found in _ADDRESS.findall(value))


def returned_mails(parts: Iterable[Part]) -> list[Fields]:
    """The headers of the mails that are enclosed."""
    returned = [part for part in parts if part.type in RETURNED and part.depth]
    return [part.returned().fields for part in returned[:RETURNED_MAILS]]


def addresses(value: str) -> list[str]:
    """Everything in a value that looks like an address, as it is written."""
    return _ADDRESS.findall(value)


def _id_values(parts: Sequence[Part]) -> Iterator[str]:
    for fields in (*returned_mails(parts), *_groups(parts)):
        yield from (value for name in _OWN_IDS for value in fields.all(name))
    for part in parts:
        if part.type.startswith("text/") and part.type not in RETURNED:
            yield from _ID_LINE.findall(part.text)
    yield from (value for name in _REFERENCES for value in parts[0].fields.all(name))


def _path_values(parts: Sequence[Part]) -> Iterator[str]:
    for fields in returned_mails(parts):
        yield from (value for name in _RETURN_PATHS for value in fields.all(name))
    for fields in _groups(parts):
        yield from (value for name in _GROUP_PATHS for value in fields.all(name))
    yield from (value for name in _ADDRESSED for value in parts[0].fields.all(name))
    for part in parts:
        if part.type.startswith("text/") and part.type not in RETURNED:
            yield from _PATH_LINE.findall(part.text)


def _groups(parts: Iterable[Part]) -> list[Fields]:
    return [fields for part in parts if part.type in GROUPS for fields in blocks(part.decoded(), MOST)]


def _first(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(islice(dict.fromkeys(found), MOST))
