"""One short message to one carrier: its parts, one after the other over the same bind, and what became of them."""

import asyncio
import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import smpp34

from domain.sending import Outcome
from domain.sms_carriers import (
    QUEUE_FULL,
    SUBMITTED,
    THROTTLED,
    GatewayConfig,
    not_taken,
    outcome_of_status,
    status_name,
    uncertain,
)
from domain.sms_receipts import HAS_HEADER, MOST_PARTS, USER_MESSAGE_REFERENCE, submitted_id
from domain.sms_text import is_gsm, parts
from domain.sms_transport import ShortMessage, Submitted
from gateways import smpp_pdu as wire
from gateways.smpp_binds import Window
from gateways.smpp_link import Broken, Link, NotWritten

AGAIN_AFTER = (0.2, 0.5, 1.0)
"""Seconds: a part that is refused for the rate after others were taken is tried again, else half a text arrives."""
OTHER_BINDS = 3
"""So often a part that was not written is given to another bind."""


@dataclass(frozen=True)
class Part:
    """One `submit_sm` but for its sequence number."""

    text: bytes
    esm_class: int
    data_coding: int


def cut(message: ShortMessage) -> list[Part]:
    """The parts as they are sent. A repeat of the message has the same reference: a handset that has some parts of the
    first one takes the rest of the other."""
    texts, gsm = parts(message.text), is_gsm(message.text)
    coding, name = (0, "gsm0338") if gsm else (8, "utf-16-be")
    octets = [text.encode(name) for text in texts[:MOST_PARTS]]
    if len(octets) == 1:
        return [Part(octets[0], 0, coding)]
    header = bytes((5, 0, 3, message.reference & 0xFF, len(octets)))
    return [Part(header + bytes((at,)) + each, HAS_HEADER, coding) for at, each in enumerate(octets, 1)]


def validity(period: dt.timedelta) -> str:
    """Relative form (SMPP 3.4 §7.1.1), at least a minute: `000001000000000R` is a day."""
    minutes = max(1, min(period // dt.timedelta(minutes=1), 60 * 24 * 27))
    return f"0000{minutes // 1440:02d}{minutes % 1440 // 60:02d}{minutes % 60:02d}00000R"


def source_type(source: str) -> tuple[int, int]:
    """(TON, NPI): a word is alphanumeric, a number with `+` international; an access number is the carrier's own."""
    if source.startswith("+"):
        return 1, 1
    return (0, 0) if re.fullmatch(r"\d*", source) else (5, 0)


class Submitter:
    """Of one gateway; any number of messages at once."""

    def __init__(self, config: GatewayConfig, window: Window) -> None:
        self._config = config
        self._window = window

    async def submit(self, message: ShortMessage) -> Submitted:
        """As `domain.sms_transport.Carrier`."""
        made = cut(message)
        ids: list[str] = []
        outcome: Outcome | None = None
        for _ in range(OTHER_BINDS):
            link = await self._window.take()
            if link is None:
                outcome = outcome or not_taken("no bind is up")
                break
            try:
                outcome = await self._all(link, message, made, ids)
                break
            except NotWritten as problem:
                outcome = not_taken(str(problem) or "the connection had ended")
            finally:
                self._window.give(link)
        return Submitted(self._named(outcome or SUBMITTED), tuple(ids))

    def _named(self, outcome: Outcome) -> Outcome:
        return replace(outcome, host=self._config.name, egress=self._config.number)

    async def _all(self, link: Link, message: ShortMessage, made: Sequence[Part], ids: list[str]) -> Outcome:
        """Parts after those that `ids` has; their ids are added to it. Raises `NotWritten`."""
        pauses = list(AGAIN_AFTER)
        await link.make_sure()
        while len(ids) < len(made):
            try:
                answer = await link.ask(wire.SUBMIT_SM, self._writer(message, made[len(ids)]))
            except TimeoutError:
                return uncertain("no answer to submit_sm")
            except Broken as problem:
                return uncertain(f"the connection ended before the answer: {problem}")
            if answer.command == wire.GENERIC_NACK:  # it could not be read: that is no word about the number
                return replace(not_taken(f"generic_nack 0x{answer.status:02X}"), code=answer.status)
            if answer.command != wire.SUBMIT_SM | wire.RESPONSE:
                return uncertain("answered with something else")
            if answer.status == wire.OK:
                ids.append(submitted_id(wire.message_id(answer), self._config.id_form))
            elif ids and pauses and answer.status in (THROTTLED, QUEUE_FULL):
                await asyncio.sleep(pauses.pop(0))
            else:
                if answer.status == wire.NOT_BOUND:
                    link.retire(status_name(answer.status))
                return outcome_of_status(answer.status)
        return SUBMITTED

    def _writer(self, message: ShortMessage, part: Part) -> "Writer":
        return Writer(self._config, message, part)


@dataclass(frozen=True)
class Writer:
    """Writes one part with a sequence number."""

    config: GatewayConfig
    message: ShortMessage
    part: Part

    def __call__(self, sequence: int) -> bytes:
        source = self.message.source or self.config.source
        ton, npi = source_type(source)
        written = smpp34.SubmitSm(
            source.removeprefix("+")[:20],
            self.message.phone.removeprefix("+")[:20],
            self.part.text,
            source_addr_ton=ton,
            source_addr_npi=npi,
            dest_addr_ton=1,
            dest_addr_npi=1,
            esm_class=self.part.esm_class,
            validity_period=validity(self.message.validity),
            registered_delivery=1,
            data_coding=self.part.data_coding,
            tlvs=[smpp34.Tlv(USER_MESSAGE_REFERENCE, (self.message.reference & 0xFFFF).to_bytes(2, "big"))],
            sequence_number=sequence,
        )
        return written.encode()
