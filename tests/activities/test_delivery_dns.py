"""Name servers that are silent or ill defer a mail, and it is delivered once they answer: nobody bounces for that."""

from pathlib import Path

import pytest

from activities.delivery import DeliveryActivities
from activities.lanes import Lanes
from activities.mail_delivery import Wire
from activities.rendering import Renderer
from gateways import dns as gateway
from sandbox.zones import Fault
from store.db import Database
from tests.activities.test_delivery import claim, deliver, sender, states
from tests.dns_world import dns_world
from tests.sending_world import VAULT, FakeServers, make_customer, submit

SCALE = 1_000_000.0
"""So that what is deferred is due again at once."""


@pytest.mark.parametrize("fault", [Fault.TIMEOUT, Fault.SERVFAIL])
@pytest.mark.parametrize("ill", ["shop.example", "mx.shop.example"])
async def test_a_name_server_in_trouble_defers_and_never_bounces(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Fault, ill: str
) -> None:
    """Of the domain itself, or of its mail server's name; the healthy domain beside it is not held up."""
    monkeypatch.setattr(gateway, "SILENCE_CACHED", 0.0)
    async with dns_world(tmp_path, lifetime=0.4) as world:
        for name in ("shop.example", "well.example"):
            await world.put(name, "MX", f"10 mx.{name}.")
            await world.put(f"mx.{name}", "A", "127.0.0.1")
        await world.silence(ill, fault)
        servers = FakeServers()
        await submit(db, await make_customer(db), ["amy@shop.example", "bob@well.example"])
        async with sender(db) as process:
            wire = Wire(world.resolver, servers, Lanes.without_limits(db, process), per_destination=4, time_scale=SCALE)
            work = DeliveryActivities(db, process, Renderer(db, VAULT, "b.test"), wire)
            await deliver(work, await claim(db))
            assert await states(db) == {"amy@shop.example": "queued", "bob@well.example": "delivered"}
            tried = await db.pool.fetchrow("SELECT kind, reason, enhanced FROM attempt")
            assert tuple(tried) == ("deferred", "soft.conn", "4.4.3")
            await world.silence(ill, None)
            await db.pool.execute("UPDATE due SET due_at = now()")
            await deliver(work, await claim(db))
    assert set((await states(db)).values()) == {"delivered"}
    assert servers.seen == ["bob@well.example", "amy@shop.example"]
