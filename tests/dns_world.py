"""A DNS server on loopback with zones that a test edits, and a customer whose domain is looked for in it."""

import datetime as dt
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from domain.accounts import AccountState, Caller
from domain.domain_records import expected_records
from domain.domains import ExpectedRecord, Purpose
from domain.ids import Kind, new_id
from domain.policy import Policy
from domain.secrets import Vault
from gateways.dns import DnsResolver
from sandbox.config import Record
from sandbox.database import Database as SandboxDatabase
from sandbox.dns import DnsServer
from sandbox.zones import Fault, Zones
from store import clockwork
from store.accounts import Account, Member
from store.columns import now
from store.db import Database
from store.domains import SenderDomain, add_with_records

POLICY = Policy(
    public_url="http://songda.test",
    platform_name="Songda",
    platform_domain="mail.songda.example",
    bounce_host="bounce.songda.example",
    spf_include="spf.songda.example",
    tracking_host="track.songda.example",
    support_email="support@songda.example",
    temporal_ui_url="http://127.0.0.1:8233",
)
VAULT = Vault("a test's master secret, 32 characters and more")
KEY = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA" + "x" * 348


@dataclass
class DnsWorld:
    """`zones` is what the server answers from; `resolver` asks it over UDP."""

    zones: Zones
    resolver: DnsResolver

    async def publish(self, *records: ExpectedRecord) -> None:
        for record in records:
            await self.zones.publish(Record(record.name, record.type, (record.value,)))

    async def put(self, name: str, type_: str, *values: str, ttl: int = 60) -> None:
        await self.zones.publish(Record(name, type_, values, ttl))

    async def silence(self, name: str, fault: Fault | None = Fault.SERVFAIL) -> None:
        for owner in (name, f"*.{name}"):
            await self.zones.set_fault(owner, fault)


@asynccontextmanager
async def dns_world(folder: Path, lifetime: float = 1.0) -> AsyncIterator[DnsWorld]:
    """A server on a free port, for the length of a `with`."""
    database = SandboxDatabase(folder / "dns.db")
    await database.open()
    zones = Zones(database)
    await zones.load([])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = DnsServer(zones, "127.0.0.1", port)
    await server.start()
    try:
        yield DnsWorld(zones, DnsResolver([f"127.0.0.1:{port}"], lifetime))
    finally:
        await server.stop()
        await database.close()


@dataclass
class Claim:
    """One account's domain."""

    row: SenderDomain
    records: dict[Purpose, ExpectedRecord]
    process_id: str

    @property
    def id(self) -> UUID:
        return self.row.id

    def needed(self) -> list[ExpectedRecord]:
        return [self.records[purpose] for purpose in (Purpose.OWNERSHIP, Purpose.SPF, Purpose.DKIM)]


async def make_account(db: Database, language: str = "zh") -> Caller:
    """A confirmed account with its owner."""
    account, member = new_id(), new_id()
    async with db.begin() as session:
        session.add(Account(id=account, name="Shop", state=AccountState.ACTIVE.value, language=language))
        await session.flush()
        session.add(
            Member(
                id=member, account_id=account, email=f"{member.hex}@owner.example", email_confirmed_at=now(),
                password_hash="-",
            )
        )  # fmt: skip
    return Caller(account, member)


async def claim(db: Database, name: str, caller: Caller | None = None, at: dt.datetime | None = None) -> Claim:
    """A pending domain with its records, as `services.domains` writes it, without the cost of a real key.

    `at`: when it was added, where a test's clock is not the real one.
    """
    caller = caller or await make_account(db)
    identity = new_id()
    row = SenderDomain(
        id=identity, account_id=caller.account_id, name=name, ownership_token=identity.hex,
        dkim_selector=f"songda-{identity.hex[-8:]}", dkim_public=KEY, dkim_private=b"-",
        phase_since=at or now(),
    )  # fmt: skip
    expected = expected_records(name, row.ownership_token, row.dkim_selector, KEY, POLICY)
    async with db.begin() as session:
        await add_with_records(session, row, expected)
        process = await clockwork.enlist(session, Kind.DOMAIN, row.id, row.account_id)
    return Claim(row, {record.purpose: record for record in expected}, process)


async def reread(db: Database, domain_id: UUID) -> SenderDomain:
    async with db.read() as session:
        row = await session.get(SenderDomain, domain_id)
    assert row is not None
    return row
