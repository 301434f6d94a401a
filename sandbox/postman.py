"""Carries answers to the mail servers that the pretend Internet's own DNS names, over SMTP."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Sequence
from typing import Any

import aiosmtplib
import dns.exception
import dns.name
import dns.rdatatype

from sandbox import answer_rows
from sandbox.answer_rows import Errand, Sender
from sandbox.answers import Answer
from sandbox.config import SandboxConfig
from sandbox.database import Database
from sandbox.due import Errands
from sandbox.zones import Zones

RETRIES = (60, 120, 300, 600, 1800)
"""Seconds between the tries, divided by the sandbox's time scale."""
DIALOGUE_SECONDS = 15.0


class Postman:
    """Sends what is due; survives a restart, since what is owed is in the file."""

    def __init__(self, config: SandboxConfig, database: Database, zones: Zones) -> None:
        self._config = config
        self._database = database
        self._zones = zones
        self._errands = Errands(database, answer_rows.due, answer_rows.following)

    async def owe(self, message: int, sender: Sender, answers: Sequence[Answer]) -> None:
        """Have these sent when their wait is over; raises sqlite3.Error."""
        if answers:
            await self._database.run(answer_rows.owe, message, sender, answers)
            self._errands.wake()

    async def sent(self, message: int) -> list[dict[str, Any]]:
        """The answers to one mail: kind, to whom, tries, what was said last, when the next try is."""
        return await self._database.run(answer_rows.sent, message)

    def reaches(self, address: str) -> bool:
        """Whether an address has a mail server on this machine."""
        return bool(self._servers(address.rpartition("@")[2])[0])

    async def run(self) -> None:
        """Until cancelled."""
        await self._errands.run(self._send)

    async def _send(self, errand: Errand) -> None:
        addresses, said = self._servers(errand.rcpt_to.rpartition("@")[2])
        is_final = False
        for address in addresses:
            said, is_final = await self._dialogue(errand, address)
            if is_final:
                break
        again = None if is_final or errand.tries >= len(RETRIES) else RETRIES[errand.tries] / self._config.time_scale
        await self._database.run(answer_rows.note, errand.id, said, None if again is None else time.time() + again)

    def _servers(self, domain: str) -> tuple[list[str], str]:
        """The addresses of a domain's mail servers, best first (RFC 5321 §5.1); only this machine's."""
        try:
            owner = dns.name.from_text(domain.rstrip(".") + ".").canonicalize()
        except (dns.exception.DNSException, UnicodeError):
            return [], f"no domain: {domain[:100]}"
        if self._zones.take_fault(owner) is not None:
            return [], f"DNS does not answer for {domain}"
        found = [address for host in self._exchanges(owner) for address in self._addresses(host)]
        return found, "" if found else f"no mail server for {domain}"

    def _exchanges(self, owner: dns.name.Name) -> list[dns.name.Name]:
        records = [
            each for rrset in self._zones.find(owner, "MX").answer if rrset.rdtype == dns.rdatatype.MX for each in rrset
        ]
        best = sorted(records, key=lambda each: each.preference)
        return [each.exchange.canonicalize() for each in best] or [owner]

    def _addresses(self, host: dns.name.Name) -> list[str]:
        answer = self._zones.find(host, "A").answer
        found = [each.address for rrset in answer if rrset.rdtype == dns.rdatatype.A for each in rrset]
        return [address for address in found if ipaddress.ip_address(address).is_loopback]

    async def _dialogue(self, errand: Errand, address: str) -> tuple[str, bool]:
        """What the server said, and whether that is the end."""
        client = aiosmtplib.SMTP(
            hostname=address,
            port=self._config.smtp_port,
            local_hostname=errand.sender.host,
            source_address=(errand.sender.address, 0),
            timeout=DIALOGUE_SECONDS,
            validate_certs=False,
        )
        try:
            async with client:
                _, reply = await client.sendmail(errand.mail_from, [errand.rcpt_to], errand.raw)
            return f"250 {reply}", True
        except aiosmtplib.SMTPRecipientsRefused as problem:
            first = problem.recipients[0]
            return f"{first.code} {first.message}", first.code >= 500
        except aiosmtplib.SMTPResponseException as problem:
            return f"{problem.code} {problem.message}", problem.code >= 500
        except (aiosmtplib.SMTPException, OSError) as problem:
            return type(problem).__name__, False
