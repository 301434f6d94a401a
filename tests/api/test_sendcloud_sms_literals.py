"""`tos` as Python writes a list: read within bounds, and only what JSON could say as well."""

import time
from collections.abc import AsyncIterator

import pytest

from api.sendcloud import sms, sms_values
from store.db import Database
from tests.smsapi_world import Wire, wire_of


@pytest.fixture
async def wire(db: Database) -> AsyncIterator[Wire]:
    async with wire_of(db) as made:
        yield made


HUGE = "0x" + "f" * 5_000
"""A number that Python reads, and refuses to write."""


@pytest.mark.parametrize(
    "tos",
    [
        f"[{{'phone': {HUGE}, 'vars': {{}}}}]",
        f"[{{'phone': '13800138000', 'vars': {{'a': {HUGE}}}}}]",
        "[{'phone': '13800138000', 'vars': {'a': {1, 2}}}]",
        "[{'phone': b'13800138000', 'vars': {}}]",
        "[{'phone': '13800138000', 'vars': {(1, 2): 'a'}}]",
        "[" * 6_000 + "]" * 6_000,
        "-" * 90_000 + "1",
    ],
)
async def test_what_is_no_list_of_numbers(wire: Wire, tos: str) -> None:
    await wire.refused("sendx", 482, templateId="1001", tos=tos)


async def test_a_list_of_megabytes_is_not_read(wire: Wire) -> None:
    """Two of them took three seconds of the event loop and a gigabyte."""
    tos = "[" + ",".join(["0"] * (sms_values.LONGEST_LITERAL // 2 + 1)) + ",'']"
    began = time.monotonic()
    await wire.refused("sendx", 482, templateId="1001", tos=tos * 5)
    assert time.monotonic() - began < 10


def test_two_hundred_numbers_with_values_are_read() -> None:
    one = {"phone": "13800138000", "vars": {f"%value{n}%": "三十二个字" * 6 for n in range(10)}}
    assert len(sms._people(str([one] * sms.MOST_TOS))) == sms.MOST_TOS


LONG = " " * sms_values.LONGEST_LITERAL


@pytest.mark.parametrize("text", ["{'a': 1}" + LONG, "{a:1}" + LONG, "{a}", "{a:1,}", "a:1", "{a:'1'}"])
def test_what_is_neither_json_nor_short(text: str) -> None:
    with pytest.raises(ValueError):
        sms_values.read(text)
