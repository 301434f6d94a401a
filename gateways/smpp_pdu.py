"""SMPP 3.4 on the wire: frames, headers, and the few bodies that `smpp34`'s codec has no class for.

`submit_sm` is written and `deliver_sm` read by `smpp34`. Its client is not used: it answers a `deliver_sm` before we
have seen it, and says the same of a `submit_sm` that was refused and of one whose connection broke before the answer
(docs/decisions).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import smpp34

from domain.sms_receipts import MAX_ID, Delivered

BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER = 0x01, 0x02, 0x09
SUBMIT_SM, DELIVER_SM, UNBIND, ENQUIRE_LINK = 0x04, 0x05, 0x06, 0x15
ALERT_NOTIFICATION, GENERIC_NACK, RESPONSE = 0x102, 0x80000000, 0x80000000
OK, INVALID_LENGTH, INVALID_COMMAND, NOT_BOUND, TEMPORARY, PERMANENT = 0x00, 0x02, 0x03, 0x04, 0x64, 0x65
VERSION = 0x34
MOST_OCTETS = 70_000
"""Of a PDU: a `message_payload` holds at most 64 KB."""
_HEADER = struct.Struct(">IIII")


class Garbage(Exception):
    """What came is no SMPP: nothing that follows can be read."""


@dataclass(frozen=True, slots=True)
class Pdu:
    """One PDU; `octets` is all of it."""

    command: int
    status: int
    sequence: int
    octets: bytes

    @property
    def body(self) -> bytes:
        return self.octets[16:]


class Frames:
    """Cuts what comes into PDUs."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, octets: bytes) -> Iterator[Pdu]:
        """Those that are whole. Raises `Garbage`."""
        self._waiting += octets
        while len(self._waiting) >= 16:
            length, command, status, sequence = _HEADER.unpack_from(self._waiting)
            if not 16 <= length <= MOST_OCTETS:
                raise Garbage(f"a PDU of {length} octets")
            if len(self._waiting) < length:
                return
            whole = bytes(self._waiting[:length])
            del self._waiting[:length]
            yield Pdu(command, status, sequence, whole)


def pdu(command: int, sequence: int, body: bytes = b"", status: int = OK) -> bytes:
    """One PDU."""
    return _HEADER.pack(16 + len(body), command, status, sequence) + body


def response(to: Pdu, status: int = OK) -> bytes:
    """The answer to a request; `deliver_sm_resp` has an empty message id."""
    return pdu(to.command | RESPONSE, to.sequence, b"\0" if to.command == DELIVER_SM else b"", status)


def c_string(text: str, most: int) -> bytes:
    """Octets with a NUL at the end, at most so many before it."""
    return text.encode("latin-1", "replace").split(b"\0")[0][:most] + b"\0"


def bind_body(system_id: str, password: str, system_type: str) -> bytes:
    """Of the three bind requests (§4.1). Passwords longer than the standard's 8 octets are usual."""
    names = c_string(system_id, 15) + c_string(password, 64) + c_string(system_type, 12)
    return names + bytes((VERSION, 0, 0)) + b"\0"


def message_id(answer: Pdu) -> str:
    """Of a `submit_sm_resp`; empty when it names none."""
    return answer.body.split(b"\0")[0][:MAX_ID].decode("latin-1")


def read_deliver(came: Pdu) -> Delivered | None:
    """A `deliver_sm`; None when its fields do not fit its length."""
    try:
        read = smpp34.decode(came.octets)
    except smpp34.SmppError:
        return None
    if not isinstance(read, smpp34.DeliverSm):
        return None
    tlvs: dict[int, bytes] = {}
    for tlv in read.tlvs:
        tlvs.setdefault(tlv.tag, tlv.value)
    return Delivered(
        source=read.source_addr,
        source_ton=read.source_addr_ton,
        destination=read.destination_addr,
        esm_class=read.esm_class,
        data_coding=read.data_coding,
        text=read.short_message,
        tlvs=tlvs,
    )
