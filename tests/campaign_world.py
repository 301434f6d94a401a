"""A customer with address lists, and a campaign to them, for tests of the sending engine."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from temporalio.client import Client
from temporalio.worker import Worker

from activities.campaign_pages import CampaignPages
from activities.campaigns import CampaignActivities
from activities.delivery import DeliveryActivities
from activities.discretion import Discretion
from activities.lanes import Lanes
from activities.mail_delivery import Wire
from activities.recipient_lanes import RecipientLanes
from activities.rendering import Renderer
from activities.sender_process import SenderProcess
from domain.addresses import domain_of
from domain.campaigns import CampaignNames, NewCampaign
from domain.ids import Kind, Process
from domain.senders import SendKind
from services.settlement import Settlement
from store import campaigns
from store.audience import AddressList, ListMember
from store.columns import now
from store.db import Database
from tests.dns_world import POLICY
from tests.money_world import recharge
from tests.sending_world import VAULT, Customer, FakeServers, make_customer
from worker import sandbox_runner
from workflows.campaign import CampaignWorkflow


async def make_batch_customer(db: Database, *, fen: int = 100_000, quota: int = 100_000, free: int = 0) -> Customer:
    """A customer whose API user is of kind batch, with money."""
    customer = await make_customer(db, quota=quota, free=free, kind=SendKind.BATCH)
    if fen:
        await recharge(db, customer.account, fen)
    return customer


async def make_list(db: Database, customer: Customer, addresses: Sequence[str], **variables: str) -> UUID:
    """An address list with these members; each has the variable `name` and what else is given."""
    made = AddressList(account_id=customer.account, alias=f"l{now().timestamp()}@lists.test", name="A list")
    made.members = len(addresses)
    values = {"name": "World"} | variables
    async with db.begin() as session:
        session.add(made)
        session.add_all(
            ListMember(list_id=made.id, domain=domain_of(address), address=address, variables=values)
            for address in addresses
        )
    return made.id


async def make_campaign(db: Database, customer: Customer, lists: Sequence[UUID], **changes: Any) -> Process:
    """A campaign of the customer's one template to these lists, and its process."""
    values: dict[str, Any] = {
        "name": "Autumn",
        "api_user": customer.api_user_name,
        "template": "hello",
        "sender": f"hello@{customer.domain_name}",
        "lists": tuple(str(one) for one in lists),
    }
    asked = NewCampaign(**values | changes)
    async with db.raw() as connection:
        template = await connection.fetchval("SELECT id FROM template WHERE account_id = $1", customer.account)
        names = CampaignNames(customer.api_user, template, customer.version, customer.domain, tuple(lists))
        made = await campaigns.create(connection, customer.account, asked, names, (now(), "test"))
    assert made is not None
    return Process(Kind.CAMPAIGN, str(made), str(customer.account), 1)


@dataclass
class Engine:
    """One sender process with its campaign activities; its lanes have no limits."""

    db: Database
    sender: SenderProcess
    pages: CampaignPages
    activities: CampaignActivities


@contextlib.asynccontextmanager
async def engine(db: Database, servers: FakeServers, *, slots: int = 16, scale: float = 60.0) -> AsyncIterator[Engine]:
    """A sender process that runs, and settlement beside it."""
    sender = SenderProcess(db, slots)
    wire = Wire(servers, servers, Lanes.without_limits(db, sender), per_destination=4, time_scale=scale)
    deliveries = DeliveryActivities(db, sender, Renderer(db, VAULT, "bounce.test"), wire)
    work = CampaignActivities(db, RecipientLanes(db, servers), POLICY)
    tasks = [asyncio.create_task(sender.run()), asyncio.create_task(Settlement(db).run())]
    try:
        yield Engine(db, sender, CampaignPages(db, deliveries), work)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def working(client: Client, made: Engine, queue: str) -> AsyncIterator[None]:
    """Workers for campaigns: the process on `queue`, its pages on the queue of bulk."""
    a = made.activities
    control = Worker(
        client,
        task_queue=queue,
        workflows=[CampaignWorkflow],
        workflow_runner=sandbox_runner(),
        activities=[a.look, a.prepare, a.cancel, a.finish, a.command, a.close],
        interceptors=[Discretion()],
    )
    bulk = Worker(client, task_queue="bulk", activities=[made.pages.send], interceptors=[Discretion()])
    async with control, bulk:
        yield
