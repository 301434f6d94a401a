"""What operators see of a process in the Temporal UI: search attributes and current details."""

import datetime as dt
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributePair, SearchAttributeUpdate, TypedSearchAttributes

ACCOUNT = SearchAttributeKey.for_keyword("AccountId")
STAGE = SearchAttributeKey.for_keyword("Stage")
CHANNEL = SearchAttributeKey.for_keyword("Channel")
NEEDS_HUMAN = SearchAttributeKey.for_bool("NeedsHuman")
DUE_AT = SearchAttributeKey.for_datetime("DueAt")


def at_start(account: str) -> TypedSearchAttributes:
    """Attributes that are known when a workflow is started."""
    return TypedSearchAttributes([SearchAttributePair(ACCOUNT, account)])


def show(
    stage: str, details: str, *, needs_human: bool = False, due_at: dt.datetime | None = None, channel: str = "email"
) -> None:
    """Tell operators where this process is. `details` is Markdown without personal data."""
    updates: list[SearchAttributeUpdate[Any]] = [
        STAGE.value_set(stage),
        CHANNEL.value_set(channel),
        NEEDS_HUMAN.value_set(needs_human),
    ]
    if due_at is not None:
        updates.append(DUE_AT.value_set(due_at))
    elif workflow.info().typed_search_attributes.get(DUE_AT) is not None:
        updates.append(DUE_AT.value_unset())
    workflow.upsert_search_attributes(updates)
    workflow.set_current_details(details)
