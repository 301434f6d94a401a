"""What became of SMS: sends, messages with their receipts, statistics."""

import datetime as dt
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.accounts import Caller
from domain.errors import Refusal
from domain.sending import Rejected
from domain.sms_statistics import Line, lines, moments
from domain.sms_text import compose
from domain.spreadsheets import BOM, cell, csv_lines
from services.foundation import Foundation
from store import sms_reads
from store.sms_reads import Asked, SmsMessage, SmsPartRow, SmsSend, Status

EXPORT_COLUMNS = (
    "phone", "outcome", "reason", "segments", "submitted", "attempts", "attempted_at", "finished_at", "reply",
    "possible_duplicate",
)  # fmt: skip
EXPORT_BATCH = 1_000
REJECTED_SHOWN = 100


@dataclass(frozen=True)
class SmsSendView:
    """A send, its messages by outcome, the first numbers that were left out, and its text with open variables."""

    send: SmsSend
    outcomes: dict[str, int]
    rejected: tuple[Rejected, ...]
    text: str

    @property
    def waiting(self) -> int:
        """Messages that may still change."""
        return self.outcomes["queued"] + self.outcomes["deferred"] + self.outcomes["sent"]


class SmsReads:
    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def sends(self, caller: Caller, after: UUID | None, limit: int) -> list[SmsSend]:
        """Newest first; `after` is the last one of the page before."""
        async with self._base.db.read() as session:
            if after is not None and await sms_reads.find_send(session, caller.account_id, after) is None:
                raise Refusal("not_found", what="sms")
            return await sms_reads.list_sends(session, caller.account_id, after, limit)

    async def outcomes(self, caller: Caller, sends: Sequence[SmsSend]) -> dict[UUID, dict[str, int]]:
        """Messages of these sends by outcome."""
        async with self._base.db.read() as session:
            return await sms_reads.count_outcomes(session, caller.account_id, [send.id for send in sends])

    async def view(self, caller: Caller, send: UUID) -> SmsSendView:
        """One send. Raises `not_found`."""
        account = caller.account_id
        async with self._base.db.read() as session:
            found = await sms_reads.find_send(session, account, send)
            if found is None:
                raise Refusal("not_found", what="sms")
            counted = await sms_reads.count_outcomes(session, account, [send])
            rejected = await sms_reads.rejected_numbers(session, account, send, REJECTED_SHOWN)
            content = await sms_reads.content_of(session, account, send)
        return SmsSendView(found, counted[send], tuple(rejected), compose(*content) if content else "")

    async def messages(self, caller: Caller, send: UUID, window: tuple[str | None, int, int]) -> list[SmsMessage]:
        """Messages of a send in its order. `window`: (outcome or None, first ordinal, limit)."""
        async with self._base.db.read() as session:
            if await sms_reads.find_send(session, caller.account_id, send) is None:
                raise Refusal("not_found", what="sms")
            return await sms_reads.list_messages(session, caller.account_id, send, window)

    async def message(self, caller: Caller, message: int) -> tuple[SmsMessage, list[SmsPartRow]]:
        """One message with its parts and their receipts."""
        async with self._base.db.read() as session:
            found = await sms_reads.find_message(session, caller.account_id, message)
        if found is None:
            raise Refusal("not_found", what="sms_message")
        return found

    async def export(self, caller: Caller, send: UUID) -> AsyncIterator[bytes]:
        """The messages of a send as CSV (UTF-8 with BOM), in pieces. Awaiting this checks the id."""
        await self.view(caller, send)
        return self._pieces(caller, send)

    async def _pieces(self, caller: Caller, send: UUID) -> AsyncIterator[bytes]:
        yield BOM + csv_lines([EXPORT_COLUMNS])
        first = 0
        while batch := await self.messages(caller, send, (None, first, EXPORT_BATCH)):
            yield csv_lines([cell(getattr(message, name)) for name in EXPORT_COLUMNS] for message in batch)
            first = batch[-1].ordinal + 1

    async def statistics(self, caller: Caller, first: dt.date, last: dt.date) -> list[Line]:
        """What was accepted on these days (Asia/Shanghai, both count), by day and template.

        Raises `Refusal`: `sms_statistics_range`.
        """
        since, until = moments(first, last)
        async with self._base.db.read() as session:
            return lines(await sms_reads.per_day(session, caller.account_id, since, until))

    async def status(self, caller: Caller, asked: Asked) -> tuple[int, list[Status]]:
        """How many messages these are, and a page of them, newest first."""
        async with self._base.db.read() as session:
            return await sms_reads.status(session, caller.account_id, asked)
