"""SMPP 3.4 as a carrier's SMSC speaks it. Written for itself: no code is shared with the platform that speaks to it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import smpp34
import smsutil

BINDS = {0x01: "RX", 0x02: "TX", 0x09: "TRX"}
SUBMIT, DELIVER, UNBIND, ENQUIRE, NACK = 0x04, 0x05, 0x06, 0x15, 0x80000000
OK, BAD_LENGTH, BAD_COMMAND, NOT_BOUND, SYSTEM, BAD_NUMBER = 0x00, 0x02, 0x03, 0x04, 0x08, 0x0B
BAD_PASSWORD, BAD_SYSTEM_ID, QUEUE_FULL, THROTTLED = 0x0E, 0x0F, 0x14, 0x58
REFERENCE, RECEIPTED_ID, NETWORK_ERROR, PAYLOAD, STATE = 0x0204, 0x001E, 0x0423, 0x0424, 0x0427
_MOST = 70_000


class NotSmpp(Exception):
    """The peer does not speak it."""


@dataclass(frozen=True)
class Unit:
    """One PDU."""

    command: int
    status: int
    sequence: int
    octets: bytes


def cut(buffer: bytearray) -> Iterator[Unit]:
    """Takes whole PDUs out of ``buffer``; raises NotSmpp."""
    while len(buffer) >= 16:
        length, command, status, sequence = struct.unpack_from(">IIII", buffer)
        if not 16 <= length <= _MOST:
            raise NotSmpp
        if len(buffer) < length:
            return
        octets = bytes(buffer[:length])
        del buffer[:length]
        yield Unit(command, status, sequence, octets)


def unit(command: int, sequence: int, body: bytes = b"", status: int = OK) -> bytes:
    """One PDU's octets."""
    return struct.pack(">IIII", 16 + len(body), command, status, sequence) + body


def answer(to: Unit, body: bytes = b"", status: int = OK) -> bytes:
    """The response to a request."""
    return unit(to.command | NACK, to.sequence, body, status)


def read_bind(octets: bytes) -> tuple[str, str]:
    """system_id and password of a bind."""
    fields = octets[16:].split(b"\0")
    if len(fields) < 3:
        raise NotSmpp
    return fields[0].decode("latin-1"), fields[1].decode("latin-1")


@dataclass(frozen=True)
class Text:
    """One part that a customer submitted."""

    phone: str
    source: str
    content: str
    reference: int | None
    """``user_message_reference``."""
    concatenation: int = 0
    part: int = 1
    total: int = 1
    wants_receipt: bool = True


def read_submit(octets: bytes) -> Text | None:
    """None when it cannot be read."""
    try:
        pdu = smpp34.decode(octets)
    except smpp34.SmppError:
        return None
    if not isinstance(pdu, smpp34.SubmitSm):
        return None
    tlvs = {tlv.tag: tlv.value for tlv in pdu.tlvs}
    body = pdu.short_message or tlvs.get(PAYLOAD, b"")
    concatenation, part, total = 0, 1, 1
    if pdu.esm_class & 0x40 and body[:3] == b"\x05\x00\x03" and len(body) >= 6:
        concatenation, total, part = body[3], body[4], body[5]
        body = body[6:]
    return Text(
        phone=f"+{pdu.destination_addr.removeprefix('+')}",
        source=pdu.source_addr,
        content=decoded(body, pdu.data_coding),
        reference=int.from_bytes(tlvs[REFERENCE], "big") if REFERENCE in tlvs else None,
        concatenation=concatenation,
        part=part,
        total=total,
        wants_receipt=bool(pdu.registered_delivery & 1),
    )


def decoded(body: bytes, coding: int) -> str:
    """Text of the two codings that are used: 8 (UCS-2), else GSM-7 with an octet for each character."""
    if coding == 8:
        return body.decode("utf-16-be", "replace")
    try:
        return str(smsutil.decode(body))
    except UnicodeError:
        return body.decode("latin-1")


@dataclass(frozen=True)
class Outgoing:
    """A deliver_sm that waits for its answer."""

    source: str
    destination: str
    body: bytes
    esm_class: int = 0
    data_coding: int = 0
    tlvs: tuple[tuple[int, bytes], ...] = field(default=())

    def octets(self, sequence: int) -> bytes:
        made = smpp34.DeliverSm(
            self.source.removeprefix("+"),
            self.destination,
            self.body,
            source_addr_ton=1,
            source_addr_npi=1,
            esm_class=self.esm_class,
            data_coding=self.data_coding,
            tlvs=[smpp34.Tlv(tag, value) for tag, value in self.tlvs],
            sequence_number=sequence,
        )
        return made.encode()
