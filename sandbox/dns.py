"""The DNS server of the pretend Internet, on UDP and TCP (RFC 1035, 2181, 2308, 7766)."""

from __future__ import annotations

import asyncio
import struct
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from sandbox.config import PortBusy
from sandbox.zones import Fault, Zones

_PLAIN_UDP_LIMIT = 512
_OUR_PAYLOAD = 1232
_TCP_IDLE_SECONDS = 10.0


class DnsServer:
    """Answers from ``Zones``; one port for UDP and TCP."""

    def __init__(self, zones: Zones, host: str, port: int) -> None:
        self._zones = zones
        self._host = host
        self._port = port
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen; raises PortBusy."""
        loop = asyncio.get_running_loop()
        try:
            self._tcp = await asyncio.start_server(self._talk, self._host, self._port)
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self._zones), local_addr=(self._host, self._port)
            )
        except OSError as problem:
            await self.stop()
            raise PortBusy("DNS", self._host, self._port, problem.strerror or str(problem)) from None
        self._udp = transport

    async def stop(self) -> None:
        """Stop listening and end open TCP sessions."""
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()
        for session in self._sessions:
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = cast("asyncio.Task[None]", asyncio.current_task())
        self._sessions.add(session)
        try:
            while True:
                wire = await asyncio.wait_for(_read_framed(reader), _TCP_IDLE_SECONDS)
                reply = answer(self._zones, wire, udp=False)
                if reply is not None:
                    writer.write(struct.pack("!H", len(reply)) + reply)
                    await writer.drain()
        except (TimeoutError, EOFError, ConnectionError, asyncio.CancelledError):
            pass  # the client is done, or we are stopping; both end this session only
        finally:
            self._sessions.discard(session)
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, zones: Zones) -> None:
        self._zones = zones
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = answer(self._zones, data, udp=True)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)


async def _read_framed(reader: asyncio.StreamReader) -> bytes:
    (length,) = struct.unpack("!H", await reader.readexactly(2))
    return await reader.readexactly(length)


def answer(zones: Zones, wire: bytes, *, udp: bool) -> bytes | None:
    """The reply to one query in wire form; None means silence (a scripted timeout, or not a query)."""
    try:
        query = dns.message.from_wire(wire)
        reply = dns.message.make_response(query, recursion_available=True, our_payload=_OUR_PAYLOAD)
    except dns.exception.DNSException:
        return None
    if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
        reply.set_rcode(dns.rcode.NOTIMP)
    elif not _fill(zones, query, reply):
        return None
    limit = min(max(query.payload, _PLAIN_UDP_LIMIT), _OUR_PAYLOAD) if udp else 65_535
    return reply.to_wire(max_size=limit, prefer_truncation=True)


def _fill(zones: Zones, query: dns.message.Message, reply: dns.message.Message) -> bool:
    question = query.question[0]
    fault = zones.take_fault(question.name)
    if fault is Fault.TIMEOUT:
        return False
    if fault is not None or question.rdclass != dns.rdataclass.IN:
        reply.set_rcode(dns.rcode.SERVFAIL if fault is Fault.SERVFAIL else dns.rcode.REFUSED)
        return True
    found = zones.find(question.name.canonicalize(), dns.rdatatype.to_text(question.rdtype))
    reply.flags |= dns.flags.AA
    reply.answer = list(found.answer)
    if found.soa is not None:
        reply.authority = [found.soa]
    if not found.exists:
        reply.set_rcode(dns.rcode.NXDOMAIN)
    return True
