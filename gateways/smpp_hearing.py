"""What a carrier tells: receipts and texts from handsets. Answered when they are durable, and not before."""

import asyncio
import datetime as dt
from functools import partial

import structlog

from domain.sms_carriers import GatewayBook, GatewayConfig, ReplyPiece
from domain.sms_receipts import (
    MAX_PHONE,
    Delivered,
    Segment,
    is_receipt,
    phone_of,
    read_receipt,
    read_text,
    segment_of,
)
from domain.sms_transport import Hears, Reply
from gateways import smpp_pdu as wire
from gateways.smpp_link import Link
from gateways.smpp_pdu import Pdu

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 2_000
"""Deliveries of one gateway that are not durable yet; the carrier is asked to repeat those beyond."""
MOST_CONTENT = 5_000
"""Characters kept of one text."""


class Ear:
    """Of one gateway, for all its binds."""

    def __init__(self, config: GatewayConfig, hears: Hears, book: GatewayBook) -> None:
        self._config = config
        self._hears = hears
        self._book = book
        self._hearing: set[asyncio.Task[None]] = set()

    def heard(self, link: Link, came: Pdu) -> None:
        """A `gateways.smpp_link.Heard`."""
        if len(self._hearing) >= MOST_AT_ONCE:
            link.answer(came, wire.TEMPORARY)
            return
        read = wire.read_deliver(came)
        if read is None:
            log.warning("smpp_deliver_unreadable", gateway=self._config.number, octets=len(came.octets))
            link.answer(came, wire.PERMANENT)
            return
        task = asyncio.get_running_loop().create_task(self._take(read))
        self._hearing.add(task)
        task.add_done_callback(partial(self._answer, link, came))

    def _answer(self, link: Link, came: Pdu, task: "asyncio.Task[None]") -> None:
        """Whatever went wrong, it is not durable: the carrier has to repeat it."""
        self._hearing.discard(task)
        if task.cancelled():
            return
        if problem := task.exception():
            log.warning("smpp_not_heard", gateway=self._config.number, error=type(problem).__name__)
            link.answer(came, wire.TEMPORARY)
            return
        link.answer(came)

    async def _take(self, came: Delivered) -> None:
        if is_receipt(came):
            receipt = read_receipt(came, self._config.number, self._config.id_form, self._config.clock)
            await self._hears.receipt(receipt)
            return
        segment, octets = segment_of(came)
        content = read_text(octets, came.data_coding, is_part=segment is not None)[:MOST_CONTENT]
        sender = phone_of(came.source, came.source_ton)
        recipient = came.destination.replace("\0", "")[:MAX_PHONE]
        now = dt.datetime.now(dt.UTC)
        if segment is None:
            await self._hears.reply(Reply(self._config.number, sender, recipient, content, now))
        else:
            await self._piece(segment, Reply(self._config.number, sender, recipient, content, now))

    async def _piece(self, segment: Segment, part: Reply) -> None:
        where = (part.gateway, part.sender, part.recipient, segment.reference, segment.number, segment.total)
        whole = await self._book.piece(ReplyPiece(*where, part.content, part.at))
        if whole is not None:
            await self._hears.reply(whole.reply)
            await self._book.given(whole.key)
