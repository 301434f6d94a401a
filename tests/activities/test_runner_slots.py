"""Runners that wait for their lane keep nobody out; those that send are few."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from activities.runner_slots import RunnerSlots


def ctx(**what: Any) -> Any:
    return cast(Any, SimpleNamespace(**what))


async def test_no_more_are_taken_on_than_can_be_busy() -> None:
    waiting = 0
    slots = RunnerSlots(busy=2, most=4, waiting=lambda: waiting)
    for _ in range(2):
        await slots.reserve_slot(ctx())
        slots.mark_slot_used(ctx())
    assert slots.try_reserve_slot(ctx()) is None
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.12):
            await slots.reserve_slot(ctx())
    waiting = 2
    for _ in range(2):
        await slots.reserve_slot(ctx())
        slots.mark_slot_used(ctx())
    waiting = 4
    assert slots.try_reserve_slot(ctx()) is None, "all that may be here are"


async def test_a_slot_that_was_never_used_is_given_back_as_such() -> None:
    slots = RunnerSlots(busy=1, most=1, waiting=lambda: 0)
    await slots.reserve_slot(ctx())
    slots.release_slot(ctx(slot_info=None))
    await slots.reserve_slot(ctx())
    slots.mark_slot_used(ctx())
    assert slots.try_reserve_slot(ctx()) is None
    slots.release_slot(ctx(slot_info=object()))
    assert slots.try_reserve_slot(ctx()) is not None
