"""Sending: a request becomes a durable submission or is refused whole; what became of it can be read."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from domain.accounts import Caller
from domain.errors import Refusal
from domain.free_content import FreeMail, Written, fill_values, is_verbatim
from domain.members import Right, require
from domain.recipients import BadLines, ParsedRecipients, parse_csv
from domain.senders import TEST_SENDS_PER_DAY
from domain.sending import Accepted, Rejected, SendRequest
from domain.spreadsheets import BOM, cell, csv_lines
from domain.templates import fill_header, fill_text, missing
from domain.times import business_day
from domain.tracking import Act
from services.acceptance import Acceptance
from services.api_keys import Holder
from services.foundation import Foundation
from services.free_content import FreeContent, Matched
from store import engagement, sends_read
from store.columns import now
from store.engagement import Count
from store.sends_read import Approved, Identity, Send, SentMessage, Try

REJECTED_SHOWN = 100
"""Rejected recipients that an answer names; it counts all."""
EXPORT_BATCH = 2000
EXPORT_COLUMNS = (
    "address",
    "outcome",
    "reason",
    "code",
    "enhanced",
    "reply",
    "host",
    "attempts",
    "attempted_at",
    "finished_at",
    "next_at",
    "possible_duplicate",
)
_PLACE = re.compile(r"recipients\[(\d+)\](.*)")


@dataclass(frozen=True)
class SendView:
    """A submission with its messages by outcome, and the first of the recipients left out."""

    send: Send
    outcomes: dict[str, int]
    rejected: tuple[Rejected, ...] = ()

    @property
    def waiting(self) -> int:
        """Messages that have no final outcome yet."""
        return self.outcomes["queued"] + self.outcomes["deferred"]


@dataclass(frozen=True)
class Choices:
    """What a person may choose from when sending."""

    identities: list[Identity]
    templates: list[Approved]
    test_left: int
    """Messages that test API users may still send today."""
    own_address: str | None
    """The caller's own address, once it is confirmed."""


@dataclass(frozen=True)
class Check:
    """A look at a file before it is sent. `lacking`: variables of the template that no column holds."""

    parsed: ParsedRecipients
    lacking: tuple[str, ...] = ()
    subject: str = ""
    text: str = ""
    """Subject and plain text as the first recipient will get them; empty without a template or recipient."""


class Sending:
    """Every method is scoped to the caller's account; another account's ids are `not_found`."""

    def __init__(self, base: Foundation, acceptance: Acceptance | None = None) -> None:
        self._base = base
        self._acceptance = acceptance or Acceptance(base)
        self._content = FreeContent(base)

    async def send(self, caller: Caller, request: SendRequest) -> Accepted:
        """Accept a request (design §4.1). Durable when this returns; raises `Refusal` with nothing done."""
        require(caller, Right.SEND)
        return await self._accept(caller, request, (), 0)

    async def send_content(self, holder: Holder, mail: FreeMail) -> Accepted:
        """Accept a mail whose content is written out: sent as the approved template that says the same.

        Raises `Refusal`: `content_not_approved` when none does.
        """
        matched = await self._content.match(holder.caller.account_id, holder.kind, mail.written)
        try:
            return await self._acceptance.accept(holder.caller, _of_template(mail, matched))
        except Refusal as refusal:
            if refusal.code != "content_not_approved":
                raise
        # A newer version was approved in between: perhaps it says so, too.
        matched = await self._content.match(holder.caller.account_id, holder.kind, mail.written)
        return await self._acceptance.accept(holder.caller, _of_template(mail, matched))

    async def template_of(self, holder: Holder, written: Written) -> str:
        """The template that was written out word for word, with its variables: what goes to lists, whose members have
        the values. Raises `content_not_approved`."""
        matched = await self._content.match(holder.caller.account_id, holder.kind, written)
        if not is_verbatim(matched.values):
            raise Refusal("content_not_approved", field="content")
        return matched.template

    async def send_file(self, caller: Caller, request: SendRequest, data: bytes) -> Accepted:
        """The same with the recipients of a CSV file; `request.recipients` is ignored.

        Raises `BadLines` when lines are broken and `skip_invalid` is not set.
        """
        require(caller, Right.SEND)
        parsed = await self.read_file(data)
        await self._check_columns(caller, request.template, parsed)
        if parsed.problems and not request.skip_invalid:
            raise BadLines(parsed.problems)
        if not parsed.recipients:
            raise BadLines(parsed.problems)
        left_out = tuple(Rejected.of(p.line, p.value, p.refusal()) for p in parsed.problems)
        try:
            return await self._accept(
                caller, replace(request, recipients=parsed.recipients), left_out, parsed.duplicates
            )
        except Refusal as refusal:
            raise _by_line(refusal, parsed) from refusal

    async def read_file(self, data: bytes) -> ParsedRecipients:
        """Parse a CSV file beside the event loop. Raises `Refusal`."""
        return await asyncio.to_thread(parse_csv, data)

    async def _check_columns(self, caller: Caller, template: str, parsed: ParsedRecipients) -> None:
        """A variable without a column concerns every line: say so once, naming the columns there are."""
        found = await self.template(caller, template)
        lacking = missing(found.variables, dict.fromkeys(parsed.columns, "")) if found else []
        if lacking:
            raise Refusal(
                "csv_columns_missing",
                field="file",
                names="、".join(f"%{n}%" for n in lacking),
                columns="、".join(parsed.columns) or "—",
            )

    async def _accept(
        self, caller: Caller, request: SendRequest, left_out: tuple[Rejected, ...], duplicates: int
    ) -> Accepted:
        if not request.api_user and caller.api_user_id is None:
            raise Refusal("required", field="api_user")
        return await self._acceptance.accept(caller, request, left_out, duplicates)

    async def sends(self, caller: Caller, after: UUID | None, limit: int) -> list[Send]:
        """Newest first; `after` is the last one of the page before."""
        async with self._base.db.read() as session:
            return await sends_read.list_sends(session, caller.account_id, after, limit)

    async def outcomes(self, caller: Caller, sends: Sequence[Send]) -> dict[UUID, dict[str, int]]:
        """Messages by outcome for each of these sends."""
        async with self._base.db.read() as session:
            return await sends_read.count_outcomes(session, caller.account_id, [send.id for send in sends])

    async def view(self, caller: Caller, send_id: UUID) -> SendView:
        """One send with its counts."""
        async with self._base.db.read() as session:
            send = await sends_read.find_send(session, caller.account_id, send_id)
            if send is None:
                raise Refusal("not_found", what="send")
            counts = await sends_read.count_outcomes(session, caller.account_id, [send_id])
            rejected = await sends_read.rejected_recipients(session, caller.account_id, send_id, REJECTED_SHOWN)
        return SendView(send, counts[send_id], tuple(rejected))

    async def engagement(self, caller: Caller, send_id: UUID) -> Mapping[Act, Count]:
        """What recipients did with the mails of a send: nothing, for a send that is not the account's."""
        async with self._base.db.read() as session:
            return (await engagement.counts(session, caller.account_id, [send_id]))[send_id]

    async def messages(self, caller: Caller, send_id: UUID, window: tuple[str | None, int, int]) -> list[SentMessage]:
        """Messages of a send in its order; `window` is (outcome or None, first ordinal, limit)."""
        async with self._base.db.read() as session:
            if await sends_read.find_send(session, caller.account_id, send_id) is None:
                raise Refusal("not_found", what="send")
            return await sends_read.list_messages(session, caller.account_id, send_id, window)

    async def message(self, caller: Caller, message_id: int) -> tuple[SentMessage, list[Try]]:
        """One message and every try at it."""
        async with self._base.db.read() as session:
            message = await sends_read.find_message(session, caller.account_id, message_id)
            if message is None:
                raise Refusal("not_found", what="message")
            return message, (await sends_read.attempts_of(session, [message]))[message.id]

    async def tries(self, messages: Sequence[SentMessage]) -> dict[int, list[Try]]:
        """Every try at messages that this service gave to the caller."""
        async with self._base.db.read() as session:
            return await sends_read.attempts_of(session, messages)

    async def export(self, caller: Caller, send_id: UUID) -> AsyncIterator[bytes]:
        """The messages of a send as CSV (UTF-8 with BOM, for spreadsheets), in pieces; memory stays flat.

        Awaiting this checks the id; raises `Refusal` then, before the first piece.
        """
        await self.view(caller, send_id)
        return self._pieces(caller, send_id)

    async def _pieces(self, caller: Caller, send_id: UUID) -> AsyncIterator[bytes]:
        yield export_head()
        first = 0
        while batch := await self.messages(caller, send_id, (None, first, EXPORT_BATCH)):
            yield csv_lines([cell(getattr(message, name)) for name in EXPORT_COLUMNS] for message in batch)
            first = batch[-1].ordinal + 1

    async def choices(self, caller: Caller) -> Choices:
        """What the forms offer."""
        async with self._base.db.read() as session:
            identities = await sends_read.sending_identities(session, caller.account_id)
            templates = await sends_read.approved_templates(session, caller.account_id)
            used = await sends_read.test_sends_used(session, caller.account_id, business_day(now()))
            member = caller.member_id
            own = await sends_read.confirmed_address(session, caller.account_id, member) if member else None
        return Choices(identities, templates, max(0, TEST_SENDS_PER_DAY - used), own)

    async def check(self, caller: Caller, template: str, data: bytes) -> Check:
        """Read a file as `send_file` would, and show the first mail. Nothing is sent; raises `Refusal`."""
        parsed = await self.read_file(data)
        found = await self.template(caller, template)
        if found is None or not parsed.recipients:
            return Check(parsed)
        values = parsed.recipients[0].variables
        lacking = tuple(missing(found.variables, dict.fromkeys(parsed.columns, "")))
        return Check(parsed, lacking, fill_header(found.subject, values), fill_text(found.text, values))

    async def template(self, caller: Caller, invoke_name: str) -> Approved | None:
        """The approved version that a send of this template would use."""
        async with self._base.db.read() as session:
            found = await sends_read.approved_templates(session, caller.account_id, invoke_name)
        return found[0] if found else None


def _of_template(mail: FreeMail, matched: Matched) -> SendRequest:
    recipients = tuple(
        replace(one, variables=fill_values(matched.values, one.variables) if one.variables else matched.values)
        for one in mail.recipients
    )
    return SendRequest(
        "", matched.template, mail.sender, recipients, sender_name=mail.sender_name, reply_to=mail.reply_to,
        label=mail.label, idempotency_key=mail.idempotency_key, version_id=matched.version_id,
        headers=mail.headers,
    )  # fmt: skip


def _by_line(refusal: Refusal, parsed: ParsedRecipients) -> Refusal:
    """`recipients[3].address` of the request, as the line of the file that it came from."""
    match = _PLACE.fullmatch(refusal.field or "")
    if match is None:
        return refusal
    return Refusal(refusal.code, f"lines[{parsed.recipients[int(match[1])].line}]{match[2]}", **refusal.params)


def export_head() -> bytes:
    """What an export begins with; all of it when there is no message."""
    return BOM + csv_lines([EXPORT_COLUMNS])
