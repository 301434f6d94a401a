"""How many runners of campaigns one worker process takes on: those that wait for their lane keep nobody out."""

import asyncio
from collections.abc import Callable

from temporalio.worker import (
    CustomSlotSupplier,
    SlotMarkUsedContext,
    SlotPermit,
    SlotReleaseContext,
    SlotReserveContext,
)

LOOK_SECONDS = 0.05


class RunnerSlots(CustomSlotSupplier):
    """A task is polled for while fewer than `busy` runners here have something to say and fewer than `most` are here.

    `waiting` is the number of runners that only wait. So N workers share a campaign's runners evenly, and a provider
    that takes one mail a second does not stand in the way of one that takes a thousand.
    """

    def __init__(self, busy: int, most: int, waiting: Callable[[], int]) -> None:
        self._busy = busy
        self._most = most
        self._waiting = waiting
        self._held = 0
        self._used = 0

    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:
        while not self._has_room():
            await asyncio.sleep(LOOK_SECONDS)
        self._held += 1
        return SlotPermit()

    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:
        if not self._has_room():
            return None
        self._held += 1
        return SlotPermit()

    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:
        self._used += 1

    def release_slot(self, ctx: SlotReleaseContext) -> None:
        self._held -= 1
        if ctx.slot_info is not None:  # else it was never used
            self._used -= 1

    def _has_room(self) -> bool:
        return self._held < self._most and self._used - self._waiting() < self._busy
