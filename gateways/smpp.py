"""Carriers over SMPP 3.4 (`domain.sms_transport.Carriers`): the gateways of this process, as operators keep them."""

import asyncio
import ssl
from collections.abc import Sequence

import structlog

from domain.sms_carriers import Assembled, GatewayBook, GatewayConfig, GatewaySight
from domain.sms_transport import Hears, ShortMessage, Submitted
from domain.transport import Tls
from gateways.smpp_binds import BindKeeper, Window
from gateways.smpp_hearing import Ear
from gateways.smpp_link import Way
from gateways.smpp_submit import Submitter

log = structlog.get_logger(__name__)

PERIOD = 1.0
"""Seconds between two looks at what operators decided."""
GIVEN_OUT_EVERY = 60.0
"""Seconds, divided by the time scale: texts whose parts do not all come."""
ANSWER_SECONDS = 10.0
"""For the carrier's answer to each request."""


class SmppCarrier:
    """One gateway with all its binds; `run` it, then `submit`."""

    def __init__(self, config: GatewayConfig, tls: ssl.SSLContext | None, ear: Ear, scale: float) -> None:
        self.config = config
        self.number, self.name = config.number, config.name
        self._window = Window(config.window)
        self._submitter = Submitter(config, self._window)
        way = Way(config, tls, ear.heard, ANSWER_SECONDS)
        self._keepers = [BindKeeper(way, self._window, scale) for _ in range(config.binds)]

    @property
    def ready(self) -> bool:
        """Whether a bind is up that can submit."""
        return self._window.ready

    @property
    def sight(self) -> GatewaySight:
        problem = next((keeper.problem for keeper in self._keepers if not keeper.up), "")
        return GatewaySight(self.number, sum(keeper.up for keeper in self._keepers), problem)

    async def submit(self, message: ShortMessage) -> Submitted:
        """Never raises for what the peer does. Waits for its turn in the window."""
        return await self._submitter.submit(message)

    async def run(self) -> None:
        """Until cancelled; then its binds end in order."""
        await asyncio.gather(*(keeper.run() for keeper in self._keepers))


class SmppCarriers:
    """All gateways of this process. `authorities`: a PEM file of those whose certificates are believed; empty: the
    system's."""

    def __init__(self, book: GatewayBook, hears: Hears, time_scale: float = 1.0, authorities: str = "") -> None:
        self._book = book
        self._hears = hears
        self._scale = time_scale
        self._authorities = authorities
        self._carriers: dict[int, SmppCarrier] = {}
        self._running: dict[int, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def get(self, number: int) -> SmppCarrier | None:
        """None: it is paused, removed, or not known yet."""
        return self._carriers.get(number)

    async def run(self) -> None:
        """Until cancelled: follows what operators change within about a second."""
        giving = asyncio.get_running_loop().create_task(self._give_out())
        try:
            while True:
                await self.look()
                await self._book.say([carrier.sight for carrier in self._carriers.values()])
                await asyncio.sleep(PERIOD)
        finally:
            giving.cancel()
            self._follow([])
            await asyncio.gather(giving, *self._ending, return_exceptions=True)

    async def look(self) -> None:
        """Take over what operators decided. Raises what went wrong with a gateway that is ours to mend."""
        for task in self._running.values():
            if task.done():
                task.result()
        configs = await self._book.configs()
        if configs is not None:
            self._follow(configs)

    def _follow(self, configs: Sequence[GatewayConfig]) -> None:
        wanted = {config.number: config for config in configs}
        for number, carrier in list(self._carriers.items()):
            if carrier.config != wanted.get(number):
                self._leave(number)
        for number, config in wanted.items():
            if number not in self._carriers:
                self._enter(config)

    def _enter(self, config: GatewayConfig) -> None:
        ear = Ear(config, self._hears, self._book)
        carrier = SmppCarrier(config, _context(config.tls, self._authorities), ear, self._scale)
        self._carriers[config.number] = carrier
        self._running[config.number] = asyncio.get_running_loop().create_task(carrier.run())

    def _leave(self, number: int) -> None:
        del self._carriers[number]
        task = self._running.pop(number)
        task.cancel()
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _give_out(self) -> None:
        """Long texts whose missing parts do not come, every while."""
        while True:
            await asyncio.sleep(GIVEN_OUT_EVERY / self._scale)
            for whole in await self._book.overdue():
                task = asyncio.get_running_loop().create_task(self._give(whole))
                await asyncio.wait([task])
                if problem := task.exception():
                    log.warning("sms_reply_not_kept", error=type(problem).__name__)

    async def _give(self, whole: Assembled) -> None:
        await self._hears.reply(whole.reply)
        await self._book.given(whole.key)


def _context(tls: Tls, authorities: str) -> ssl.SSLContext | None:
    """SMPP begins encrypted or not at all."""
    if not tls.must:
        return None
    context = ssl.create_default_context(cafile=authorities or None)
    if tls is not Tls.VERIFIED:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
