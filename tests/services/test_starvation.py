"""One account's flood does not delay another's single mail: from accept to its arrival over SMTP, measured."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.delivery import DeliveryActivities
from activities.lanes import Lanes
from activities.mail_delivery import Wire
from activities.rendering import Renderer
from activities.sender_process import SenderProcess
from domain.addresses import domain_of
from domain.channels import DueLine
from domain.queues import EXPRESS
from domain.transport import MailHost, MailRoute
from gateways.smtp import SmtpOptions, SmtpTransport
from services.relay import Relay
from store.accepting import ping_relay
from store.db import Database
from tests.conftest import free_port
from tests.patience import until
from tests.sending_world import VAULT, Customer, make_customer, submit
from worker import PAGES_AT_ONCE, background, sandbox_runner
from workflows.delivery import DeliveryWorkflow

FLOOD, SINGLES = 10_000, 12
BETWEEN = 0.25
"""Seconds between two single mails: together they take a part of the flood's time, not all of it."""
BOUND = 2.0
"""Seconds within which a single mail arrives (design §7); the flood alone takes far longer."""
QUICK, SLOW = "127.0.0.1", "127.0.0.2"


@dataclass
class Sink:
    """Takes every mail, those of `SLOW` after a while; notes when each recipient's arrived."""

    port: int = field(default_factory=free_port)
    slow: float = 0.2
    arrived: dict[str, float] = field(default_factory=dict)

    async def mail_hosts(self, domain: str) -> MailRoute:
        address = SLOW if domain.startswith("slow") else QUICK
        return MailRoute(domain, (MailHost(f"mx.{domain}", (address,)),))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wait = self.slow if writer.get_extra_info("sockname")[0] == SLOW else 0.0
        recipient = ""
        writer.write(b"220 sink.test\r\n")
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while line := await reader.readline():
                verb = line[:4].upper()
                if verb == b"RCPT":
                    recipient = line.decode().partition("<")[2].partition(">")[0]
                if verb == b"DATA":
                    writer.write(b"354 go on\r\n")
                    await reader.readuntil(b"\r\n.\r\n")
                    self.arrived[recipient] = time.monotonic()
                    await asyncio.sleep(wait)
                writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
        writer.close()


@contextlib.asynccontextmanager
async def worker(db: Database, client: Client) -> AsyncIterator[Sink]:
    """What `worker.py` runs on the queue `express`, before a sink that listens on two addresses."""
    sink, sender, most = Sink(), SenderProcess(db, 32), PAGES_AT_ONCE[DueLine.MAIL]
    wire = Wire(sink, SmtpTransport(SmtpOptions(sink.port, "out.test", 20)), Lanes.without_limits(db, sender), 5, 60.0)
    work = DeliveryActivities(db, sender, Renderer(db, VAULT, "b.test"), wire)
    temporal = Worker(
        client, task_queue=EXPRESS, workflows=[DeliveryWorkflow], activities=[work.deliver_page],
        max_concurrent_activities=most, workflow_runner=sandbox_runner(),
    )  # fmt: skip
    relay = Relay(db, client, lambda: work.pages_in_hand < most, lambda: work.pages_in_hand >= most // 2)
    servers = [await asyncio.start_server(sink.serve, address, sink.port) for address in (QUICK, SLOW)]
    async with background(sender.run()), temporal, background(relay.run()):
        yield sink
    for server in servers:
        server.close()


async def measured(db: Database, sink: Sink, customer: Customer) -> list[float]:
    """Seconds from before accept to the arrival of each single mail, best first."""
    begun: dict[str, float] = {}
    for number in range(SINGLES):
        address = f"one{number}@single.test"
        begun[address] = time.monotonic()
        await submit(db, customer, [address])
        await ping_relay(db)
        await asyncio.sleep(BETWEEN)

    async def all_here() -> bool:
        return begun.keys() <= sink.arrived.keys()

    await until(all_here)
    return sorted(sink.arrived[address] - at for address, at in begun.items())


@pytest.mark.parametrize("domain", ["quick", "slow"])
async def test_a_flood_does_not_delay_the_single_mails_of_another(
    db: Database, dev_temporal: WorkflowEnvironment, domain: str
) -> None:
    """The flood's account is the older one, so that it comes first wherever ids decide."""
    flood, single = await make_customer(db, quota=FLOOD), await make_customer(db)
    await submit(db, flood, [f"p{n}@{domain}{n % 10}.test" for n in range(FLOOD)])
    async with worker(db, dev_temporal.client) as sink:

        async def under_way() -> bool:
            return len(sink.arrived) > 100

        await until(under_way)
        seconds = await measured(db, sink, single)
        left = await db.pool.fetchval("SELECT count(*) FROM due WHERE account_id = $1", flood.account)
    assert left > FLOOD / 10, "the flood was over before the single mails were"
    print(domain, [round(each, 2) for each in seconds], "left", left)
    assert seconds[-1] < BOUND, seconds


def test_addresses_say_which_sink_they_reach() -> None:
    assert domain_of("p@slow1.test").startswith("slow")
