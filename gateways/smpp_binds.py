"""The binds of one gateway: kept up, with growing waits, and dealt out to messages within their windows."""

import asyncio
import random
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack

import structlog

from domain.sms_carriers import Bind, GatewayConfig
from gateways import smpp_pdu as wire
from gateways.smpp_link import CannotBind, Link, Way

log = structlog.get_logger(__name__)

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
"""Seconds before a bind is tried again, doubled each time."""
SHORTEST = 0.05
STABLE = 30.0
"""Seconds after which a bind that ends is tried again as soon as the first time."""
PATIENCE = 5.0
"""Seconds for answers and the unbind when a gateway is left."""


class Window:
    """Which bind takes the next message: the one with the fewest in flight. Messages wait in turn."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._links: list[Link] = []
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def ready(self) -> bool:
        return any(link.usable for link in self._links)

    async def take(self) -> Link | None:
        """A link with a place for one more; None when no bind is up. Whoever got one gives it back."""
        while True:
            usable = [link for link in self._links if link.usable]
            if not usable:
                return None
            link = min(usable, key=lambda each: each.in_flight)
            if link.in_flight < self._size:
                link.in_flight += 1
                return link
            await self._turn()

    async def _turn(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._next()  # our turn is somebody else's
            raise

    def give(self, link: Link) -> None:
        """The message on it is answered, or will not be."""
        link.in_flight -= 1
        self._next()

    def join(self, link: Link) -> None:
        self._links.append(link)
        self._everybody()

    def drop(self, link: Link) -> None:
        if link in self._links:
            self._links.remove(link)
        self._everybody()

    def _next(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _everybody(self) -> None:
        while self._waiting:
            self._next()


def waits(scale: float) -> Iterator[float]:
    """Seconds between tries, ever longer, each up to a quarter shorter: processes come back at different times."""
    wait = FIRST_WAIT
    while True:
        yield max(SHORTEST, wait * random.uniform(0.75, 1) / scale)
        wait = min(wait * 2, LONGEST_WAIT)


class BindKeeper:
    """Keeps one bind up: a transceiver, or a transmitter and a receiver that live and die together."""

    def __init__(self, way: Way, window: Window, scale: float) -> None:
        self._way = way
        self._window = window
        self._scale = scale
        self.up = False
        self.problem = "not bound yet"

    async def run(self) -> None:
        """Until cancelled; then what is in flight is answered and the carrier is told."""
        loop, steps = asyncio.get_running_loop(), waits(self._scale)
        while True:
            began = loop.time()
            await self._once()
            if loop.time() - began > STABLE / self._scale:
                steps = waits(self._scale)
            await asyncio.sleep(next(steps))

    async def _once(self) -> None:
        """Bound for as long as it lasts."""
        try:
            async with AsyncExitStack() as stack:
                links = [await self._open(stack, command) for command in _commands(self._way.config)]
                self._window.join(links[0])
                stack.callback(self._window.drop, links[0])
                await self._while_up(links)
        except CannotBind as problem:
            self._note("smpp_cannot_bind", str(problem))

    async def _open(self, stack: AsyncExitStack, command: int) -> Link:
        link = await Link.open(self._way, command)
        stack.push_async_callback(link.leave, PATIENCE)
        return link

    async def _while_up(self, links: Sequence[Link]) -> None:
        self.up, self.problem = True, ""
        log.info("smpp_bound", gateway=self._way.config.number)
        watching = [asyncio.ensure_future(link.watch()) for link in links]
        try:
            await asyncio.wait(watching, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.up = False
            for each in watching:
                each.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
        self._note("smpp_bind_ended", next((link.problem for link in links if link.problem), ""))

    def _note(self, event: str, problem: str) -> None:
        if problem != self.problem:
            log.warning(event, gateway=self._way.config.number, problem=problem)
        self.problem = problem


def _commands(config: GatewayConfig) -> tuple[int, ...]:
    """The first is the one that submits."""
    if config.bind is Bind.PAIR:
        return wire.BIND_TRANSMITTER, wire.BIND_RECEIVER
    return (wire.BIND_TRANSCEIVER,)
