"""What a run sends, piece by piece: each in the transaction that also writes down how far the run has come."""

import datetime as dt
from collections import Counter
from uuid import UUID

from domain.accounts import Caller
from domain.campaigns import check_new
from domain.contacts import values_of
from domain.errors import Refusal
from domain.scheduled_tasks import CHUNK, MailContent, RunCounts, RunState, SmsContent, campaign_of
from domain.sms import SmsAccepted, SmsRecipient, SmsRequest
from domain.sms_acceptance import NobodyLeft, SmsTerms
from store import audit_log, campaign_names, campaigns, contacts, scheduled_runs
from store.db import Connection
from store.scheduled_tasks import Row, content_of
from store.sms_accepting import accept

BY = "schedule"
"""Who does it, for the audit log."""


async def send_some(connection: Connection, task: Row, run: Row, now: dt.datetime, terms: SmsTerms) -> UUID | None:
    """The next piece of a run, both rows locked; the campaign that was made. Raises the refusal that stands in its way,
    and then nothing of the piece is written."""
    content = content_of(task, run)
    if isinstance(content, MailContent):
        return await _campaign(connection, task, run, content, now)
    await _chunk(connection, task, run, content, (now, terms))
    return None


async def _campaign(
    connection: Connection, task: Row, run: Row, content: MailContent, now: dt.datetime
) -> UUID | None:  # fmt: skip
    """One campaign for the run, which goes its own way then."""
    asked = campaign_of(task["name"], content, f"run/{run['id']}")
    account = task["account_id"]
    check_new(asked, now)
    names = await campaign_names.names_in(connection, Caller(account), asked)
    made = await campaigns.create(connection, account, asked, names, (now, BY))
    if made is not None:
        await audit_log.note_on(connection, "campaign.create", f"campaign/{made}", account, BY)
        await scheduled_runs.note_campaign(connection, run["id"], made)
    await scheduled_runs.move(connection, run["id"], RunState.DONE, now)
    return made


async def _chunk(
    connection: Connection, task: Row, run: Row, content: SmsContent, when: tuple[dt.datetime, SmsTerms]
) -> None:
    """The next contacts, after the checkpoint and up to the last one the list had at the beginning."""
    now, terms = when
    account = task["account_id"]
    chosen = await contacts.find_list(connection, account, content.contact_list)
    if chosen is None:
        raise Refusal("contact_list_unknown", field="contact_list", name=content.contact_list[:60])
    last = run["last"]
    if last is None:
        last = await contacts.last(connection, account, chosen) or 0
        await scheduled_runs.note_begin(connection, task, run["id"], chosen, last)
    people = [one for one in await contacts.chunk(connection, account, chosen, run["place"], CHUNK) if one.id <= last]
    if not people:
        await scheduled_runs.move(connection, run["id"], RunState.DONE, now)
        return
    request = _request(content, run["id"], people)
    accepted, refused = await _accepted(connection, Caller(account), request, (now, terms))
    await _note(connection, run, people, accepted, refused)
    if people[-1].id >= last:
        await scheduled_runs.move(connection, run["id"], RunState.DONE, now)


def _request(content: SmsContent, run: UUID, people: list[contacts.Person]) -> SmsRequest:
    recipients = tuple(
        SmsRecipient(one.phone, values_of(one.user_name, one.variables), line) for line, one in enumerate(people, 1)
    )
    return SmsRequest(
        content.sms_user, content.template, recipients, content.label, content.tag, skip_invalid=True, task_id=run
    )


async def _accepted(
    connection: Connection, caller: Caller, request: SmsRequest, when: tuple[dt.datetime, SmsTerms]
) -> tuple[SmsAccepted | None, Counter[str]]:
    """What was accepted, and the refused numbers by code. A chunk that nobody is left of is no obstacle."""
    now, terms = when
    try:
        async with connection.transaction():
            accepted = await accept(connection, caller, request, now, terms)
    except NobodyLeft as refusal:
        return None, Counter(one.reason for one in refusal.rejected)
    except Refusal as refusal:
        if not (refusal.field or "").startswith("recipients[") or len(request.recipients) > 1:
            raise
        return None, Counter([refusal.code])
    return accepted, Counter(one.reason for one in accepted.rejected)


async def _note(
    connection: Connection, run: Row, people: list[contacts.Person], accepted: SmsAccepted | None,
    refused: Counter[str],
) -> None:  # fmt: skip
    counts = RunCounts(
        listed=run["listed"] + len(people),
        accepted=run["accepted"] + (len(accepted.messages) if accepted else 0),
        refused=run["refused"] + refused.total(),
        refused_by=dict(Counter(run["refused_by"]) + refused),
        submissions=accepted.submissions if accepted else (),
    )
    sends_at = accepted.sends_at if accepted else None
    await scheduled_runs.note_chunk(connection, run, people[-1].id, counts, sends_at)
