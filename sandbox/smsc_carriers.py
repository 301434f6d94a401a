"""The pretend carriers: where they listen, who may bind, how they write receipts."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sandbox.smsc_wire import NETWORK_ERROR, RECEIPTED_ID, REFERENCE, STATE, Outgoing, Text

CLOCK = 8 * 3600
"""Of receipts, seconds from UTC."""
_STATES = ("ENROUTE", "DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD", "UNKNOWN", "REJECTD")
RECEIPT = 0x04


@dataclass(frozen=True)
class Carrier:
    """``number`` is the last part of its loopback address; ``hex_ids``: ids are hexadecimal in answers and decimal in
    receipts, as at some."""

    name: str
    title: str
    number: int
    system_id: str
    password: str
    source: str
    hex_ids: bool = False
    tlvs: bool = True

    def answered_id(self, number: int) -> str:
        """In a submit_sm_resp."""
        return f"{number:X}" if self.hex_ids else f"{self.name}-{number:012d}"

    def receipted_id(self, number: int) -> str:
        """In a receipt's text."""
        return f"{number:010d}" if self.hex_ids else self.answered_id(number)


CARRIERS = (
    Carrier("cpm", "China Pretend Mobile", 8, "songda", "pretend8", "106900001"),
    Carrier("pit", "Pretend International Telecom", 9, "songda", "pretend9", "106900002", hex_ids=True, tlvs=False),
)


@dataclass(frozen=True)
class Report:
    """What a receipt says of one part."""

    text: Text
    number: int
    state: str
    error: str
    submitted_at: float
    has_id: bool = True
    marked: bool = True
    has_text: bool = True


def receipt(carrier: Carrier, report: Report) -> Outgoing:
    """As the carrier writes it."""
    words = report.text.content[:20].encode("ascii", "replace").decode()
    fields = [
        f"id:{carrier.receipted_id(report.number)}" if report.has_id else "",
        f"sub:001 dlvrd:{'001' if report.state == 'DELIVRD' else '000'}",
        f"submit date:{_clock(report.submitted_at)} done date:{_clock(time.time())}",
        f"stat:{report.state} err:{report.error} text:{words}",
    ]
    body = " ".join(each for each in fields if each).encode() if report.has_text else b""
    return Outgoing(
        source=report.text.phone,
        destination=report.text.source,
        body=body,
        esm_class=RECEIPT if report.marked else 0,
        tlvs=_parameters(carrier, report),
    )


def _clock(seconds: float) -> str:
    return time.strftime("%y%m%d%H%M", time.gmtime(seconds + CLOCK))


def _parameters(carrier: Carrier, report: Report) -> tuple[tuple[int, bytes], ...]:
    found: list[tuple[int, bytes]] = []
    if (carrier.tlvs and report.marked) or not report.has_text:
        if report.has_id:
            found.append((RECEIPTED_ID, carrier.answered_id(report.number).encode() + b"\0"))
        if report.state in _STATES:
            found.append((STATE, bytes((_STATES.index(report.state) + 1,))))
        if report.error.isdigit() and report.error.strip("0"):
            found.append((NETWORK_ERROR, b"\x03" + int(report.error).to_bytes(2, "big")))
    if report.text.reference is not None and not (report.has_id and carrier.hex_ids):
        found.append((REFERENCE, report.text.reference.to_bytes(2, "big")))
    return tuple(found)
