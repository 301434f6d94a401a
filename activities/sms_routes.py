"""Which carriers are asked for a number and a kind of text, in which order; which are left alone for a while."""

import asyncio
import time
from collections.abc import Sequence

import structlog

from domain.sending import OutcomeKind
from domain.sms_results import SmsReason
from domain.sms_transport import Submitted
from store import sms_sending
from store.db import DATABASE_TROUBLE, Database
from store.sms_sending import RouteRow

log = structlog.get_logger(__name__)

LOOK = 2.0
"""Seconds between two looks at what operators decided."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 16.0
"""Seconds for which a carrier is left alone that asked for less, took nothing or did not answer: doubled each time."""
_ASKS_FOR_LESS = frozenset({SmsReason.RATE_LIMITED, SmsReason.CONN})


class SmsRoutes:
    """One instance per worker process."""

    def __init__(self, db: Database, settles_in: float = 0.0) -> None:
        """`settles_in`: seconds that routes and binds may take when the process begins."""
        self._db = db
        self._settled_at = time.monotonic() + settles_in
        self._rows: Sequence[RouteRow] = ()
        self._found: dict[tuple[str, str], tuple[int, ...]] = {}
        self._pauses: dict[int, tuple[float, float]] = {}
        """By gateway: until when, and how long the last pause was."""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
            except DATABASE_TROUBLE as error:
                log.warning("sms_routes_out_of_touch", error=type(error).__name__)
            await asyncio.sleep(LOOK)

    async def look(self) -> None:
        """Read the routes; see that each gateway has its lane."""
        async with self._db.raw() as connection:
            await sms_sending.ensure_lanes(connection)
            rows = await sms_sending.read_routes(connection)
        if rows != self._rows:
            self._rows, self._found = rows, {}

    def ways(self, country: str, kind: str) -> tuple[int, ...]:
        """Numbers of gateways, the first to be asked first."""
        found = self._found.get((country, kind))
        if found is None:
            asked = sms_sending.in_order(self._rows, country, kind)
            found = self._found[country, kind] = tuple(row.number for row in asked)
        return found

    @property
    def is_new(self) -> bool:
        """The process has just begun: a carrier that is not there may be there in a moment."""
        return time.monotonic() < self._settled_at

    def pause_of(self, gateway: int) -> float:
        """Seconds for which it is still left alone."""
        until, _ = self._pauses.get(gateway, (0.0, 0.0))
        return max(0.0, until - time.monotonic())

    def heard(self, gateway: int, submitted: Submitted) -> None:
        """What it answered: who asks for less is asked later, and whoever takes something is trusted again. What is
        said to who does not answer is uncertain, and nobody else may say it then: others take what is not said yet."""
        outcome, now = submitted.outcome, time.monotonic()
        asks_for_less = outcome.kind is OutcomeKind.DEFERRED and outcome.reason in _ASKS_FOR_LESS
        if outcome.kind is OutcomeKind.DELIVERED:
            self._pauses.pop(gateway, None)
        elif (asks_for_less or outcome.kind is OutcomeKind.UNCERTAIN) and not self.pause_of(gateway):
            _, last = self._pauses.get(gateway, (0.0, FIRST_PAUSE / 2))
            pause = min(LONGEST_PAUSE, 2 * last)
            self._pauses[gateway] = now + pause, pause
