"""Replies of handsets: kept, matched with whose message they answer, and what those of them do that say stop."""

import datetime as dt
from collections.abc import AsyncIterator, Collection
from uuid import UUID

from domain.accounts import SYSTEM_ACCOUNT, Caller
from domain.errors import Refusal
from domain.operators import Duty, Operator
from domain.sms import SmsKind
from domain.sms_events import replied
from domain.sms_opt_out import OptOutSource, opt_out_word
from domain.sms_transport import Reply
from domain.spreadsheets import BOM, cell, csv_lines
from domain.whole_text import whole
from services.foundation import Foundation
from store import sms_opt_outs
from store import sms_replies as rows
from store.columns import now
from store.db import Connection
from store.sms_replies import Answered, SmsReply, Sought
from store.webhooks import owe_events

MATCHED_FOR = dt.timedelta(days=7)
"""After the message: later a reply answers nobody."""
OPT_OUT_MATCHED_FOR = dt.timedelta(days=90)
"""After the last marketing: who wants no more of it may say so late. Then the number may be somebody else's."""
REPEATED_WITHIN = dt.timedelta(seconds=90)
"""A carrier that got no answer repeats itself: after its timer, commonly 10 to 60 s, and when the bind is back. Who
sends the same text twice so soon means it once."""
LONGEST = 2_000
"""Characters kept of a reply."""
EXPORT_BATCH = 2_000
EXPORT_COLUMNS = ("at", "phone", "content", "is_opt_out", "message_id")
EVERYTHING = Sought()


class SmsReplies:
    """`take` is where the gateways' replies go; the others are scoped to the caller's account."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def take(self, reply: Reply) -> None:
        """Keep a reply; it is durable on return, and its carrier is answered then.

        Who opts out gets no marketing of the accounts whose messages it answers, from this commit on: what is queued is
        looked at again when it is loaded.
        """
        came = Reply(
            reply.gateway, _storable(reply.sender), _storable(reply.recipient), _storable(reply.content)[:LONGEST],
            min(reply.at, now()),
        )  # fmt: skip
        async with self._base.db.raw() as connection:
            await rows.alone(connection, came.sender)
            since = came.at - REPEATED_WITHIN
            if await rows.is_known(connection, came.sender, came.gateway, came.content, since):
                return
            word = opt_out_word(came.content)
            for told in await _whose(connection, came, word):
                await _keep(connection, _row(came, told, bool(word)), word)

    async def page(self, caller: Caller, sought: Sought, after: UUID | None, limit: int) -> list[SmsReply]:
        """Newest first, older than `after`."""
        async with self._base.db.read() as session:
            return await rows.page(session, caller.account_id, sought, after, limit)

    async def answered(self, caller: Caller, replies: Collection[SmsReply]) -> dict[int, UUID]:
        """Per message that these answer, the send that it belongs to."""
        messages = {each.message_id for each in replies if each.message_id is not None}
        async with self._base.db.read() as session:
            return await rows.sends_of(session, caller.account_id, messages)

    async def count(self, caller: Caller, sought: Sought) -> int:
        """How many there are in all."""
        async with self._base.db.read() as session:
            return await rows.count(session, caller.account_id, sought)

    async def get(self, caller: Caller, reply: UUID) -> SmsReply:
        """One reply. Raises `Refusal("sms_reply_unknown")`."""
        async with self._base.db.read() as session:
            found = await rows.find(session, caller.account_id, reply)
        if found is None:
            raise Refusal("sms_reply_unknown")
        return found

    async def export(self, caller: Caller, sought: Sought = EVERYTHING) -> AsyncIterator[bytes]:
        """All of them as CSV (UTF-8 with BOM, for spreadsheets), in pieces; memory stays flat."""
        yield BOM + csv_lines([EXPORT_COLUMNS])
        after: UUID | None = None
        while batch := await self.page(caller, sought, after, EXPORT_BATCH):
            yield csv_lines([cell(getattr(each, name)) for name in EXPORT_COLUMNS] for each in batch)
            after = batch[-1].id

    async def unmatched(self, operator: Operator, after: UUID | None, limit: int) -> list[SmsReply]:
        """Replies that answer no message of the last days, for people to read."""
        operator.require(Duty.ACCOUNTS)
        async with self._base.db.read() as session:
            return await rows.page(session, None, EVERYTHING, after, limit)


async def _whose(connection: Connection, came: Reply, word: str) -> list[Answered | None]:
    """The message that a reply answers (None: none); of an opt-out also another account's last marketing. Somebody's
    code that came in between does not keep an advertiser from being told."""
    way = came.sender, came.gateway, came.recipient
    last = await rows.answered(connection, *way, came.at - MATCHED_FOR)
    if not word:
        return [last]
    since = came.at - (OPT_OUT_MATCHED_FOR if last is None else MATCHED_FOR)
    marketing = await rows.answered(connection, *way, since, SmsKind.MARKETING)
    if last is None or marketing is None:
        return [last or marketing]
    return [last] if marketing.account == last.account else [last, marketing]


def _row(came: Reply, told: Answered | None, is_opt_out: bool) -> SmsReply:
    return SmsReply(
        account_id=told.account if told else None, message_id=told.message if told else None, phone=came.sender,
        recipient=came.recipient, gateway=came.gateway, content=came.content, is_opt_out=is_opt_out, at=came.at,
    )  # fmt: skip


async def _keep(connection: Connection, kept: SmsReply, word: str) -> None:
    row = await rows.keep(connection, kept)
    if kept.account_id not in (None, SYSTEM_ACCOUNT):
        await _effect(connection, kept, word)
        await owe_events(connection, [replied(row)])


async def _effect(connection: Connection, kept: SmsReply, word: str) -> None:
    """An opt-out counts from now on, not from when the handset sent it."""
    if word and kept.account_id is not None:
        await sms_opt_outs.enter(
            connection, kept.account_id, [kept.phone], OptOutSource.REPLY, now(), word=word, reply=kept.id
        )


def _storable(text: str) -> str:
    """PostgreSQL's text has no NUL, and UTF-8 no lone surrogate; a handset can send both."""
    return whole(text.replace("\0", ""))
