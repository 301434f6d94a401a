"""What activities ask of the DNS, and a look at a domain's records."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from domain.dns import DnsAnswer
from domain.domain_records import Finding, compare
from domain.domains import ExpectedRecord


class Resolver(Protocol):
    """Answers are data; no method raises for what the DNS says or fails to say."""

    async def txt(self, name: str) -> DnsAnswer: ...

    async def mx(self, name: str) -> DnsAnswer: ...

    async def cname(self, name: str) -> DnsAnswer: ...


async def look_up(resolver: Resolver, expected: Sequence[ExpectedRecord]) -> tuple[Finding, ...]:
    """Ask for every record at once and compare what is found with what is expected."""
    answers = await asyncio.gather(*(_ask(resolver, record) for record in expected))
    return tuple(compare(record, answer) for record, answer in zip(expected, answers, strict=True))


async def _ask(resolver: Resolver, record: ExpectedRecord) -> DnsAnswer:
    ask = {"TXT": resolver.txt, "MX": resolver.mx, "CNAME": resolver.cname}[record.type]
    return await ask(record.name)
