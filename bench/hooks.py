"""Webhook endpoints of a bench, and the receiver that they lead to, as a process of the bench."""

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from bench.ground import Ground
from bench.hook_receiver import Manner
from bench.sink import Counters
from bench.sinks import listening
from domain import webhooks as rules
from domain.ids import Kind, new_id
from domain.webhooks import Event, Format
from store.clockwork import enlist
from store.webhooks import WebhookEndpoint
from supervision.ports import LOOPBACK


@dataclass(frozen=True)
class Told:
    """One event that the receiver acknowledged. `number` and `message` are None where the body does not say them."""

    arrival: float
    tag: str
    event: str
    number: int | None
    kind: str
    message: int | None


@dataclass(frozen=True)
class HookReceiver:
    """It listens; see `bench.hook_receiver`."""

    port: int
    counters: Counters
    record: Path

    def url(self, manner: Manner, tag: int = 0) -> str:
        return f"http://{LOOPBACK}:{self.port}{manner.value}?{tag}"

    def taken(self) -> int:
        """Events that were acknowledged so far."""
        return self.counters.read()[0]

    def told(self) -> list[Told]:
        """In the order in which they were acknowledged."""
        lines = self.record.read_text().splitlines() if self.record.exists() else []
        return [_told(*line.split(" ")) for line in lines]


def _told(arrival: str, tag: str, event: str, number: str, kind: str, message: str) -> Told:
    return Told(float(arrival), tag, event, _whole(number), kind, _whole(message))


def _whole(text: str) -> int | None:
    return int(text) if text.isdigit() else None


@asynccontextmanager
async def hook_receiver(folder: Path, seed: int = 1) -> AsyncIterator[HookReceiver]:
    """Listens on a free loopback port until the block ends; nobody kills it."""
    port, counters, record = free_port(), folder / "hook-counters", folder / "hook-record"
    arguments = ["--port", str(port), "--counters", str(counters), "--record", str(record), "--seed", str(seed)]
    async with listening([sys.executable, "-m", "bench.hook_receiver", *arguments], port):
        yield HookReceiver(port, Counters(counters), record)


def free_port() -> int:
    """Where nobody listens, now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


async def make_endpoint(place: Ground, account: UUID, url: str, form: Format = Format.STANDARD) -> UUID:
    """As a row that hears everything, with its process; an account of a bench has nobody who could sign in."""
    key = new_id()
    secret = place.vault.seal(rules.new_secret(form).encode(), rules.binding(key))
    events = [event.value for event in Event]
    async with place.db.begin() as session:
        session.add(
            WebhookEndpoint(id=key, account_id=account, url=url, format=form.value, secret=secret, events=events)
        )
        await enlist(session, Kind.WEBHOOK, key, account)
    return key
