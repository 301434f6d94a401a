"""What `/v1/suppressions` takes and gives."""

import datetime as dt
from typing import Annotated, Literal
from uuid import UUID

from fastapi import UploadFile
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.paging import NextCursor
from domain.recipients import explain_code
from domain.suppressions import MAX_ADDED, MAX_NOTE, Rule, SuppressionReason, SuppressionScope
from services.suppressions import Imported, Why
from store.suppressions import Suppression

ID = "01935b2e-7c1a-7ccc-8000-3f5a9c0d1e2f"
MOMENT = "2026-11-23T08:00:00Z"
PROBLEMS_SHOWN = 100
_SCOPE = "`batch`: campaigns and API users of kind `batch`; `all`: trigger mails, too."
_UNTIL = "Holds nothing back from then on; null: for ever."


class SuppressionOut(BaseModel):
    """One reason why an address is not written to; an address can have several."""

    model_config = ConfigDict(from_attributes=True)
    id: UUID = Field(examples=[ID])
    address: str = Field(description="In lower case.", examples=["li.lei@qq.com"])
    reason: SuppressionReason = Field(
        description="`complaint`: its owner reported a mail as spam; `unsubscribe`: its owner asked; `manual`: a member"
        " entered it."
    )
    scope: SuppressionScope = Field(description=_SCOPE)
    until: dt.datetime | None = Field(description=_UNTIL, examples=[None])
    note: str = Field(description="Of whoever entered it.", examples=["asked by telephone"])
    message_id: int | None = Field(description="The mail whose link was used, or that was reported.", examples=[4711])
    created_at: dt.datetime = Field(examples=[MOMENT])


class SuppressionPage(BaseModel):
    items: list[SuppressionOut]
    next_cursor: NextCursor = None


class RuleIn(BaseModel):
    """How what is entered is held back."""

    model_config = ConfigDict(extra="forbid")
    scope: SuppressionScope = Field(default=SuppressionScope.BATCH, description=_SCOPE)
    until: AwareDatetime | None = Field(default=None, description=_UNTIL, examples=["2027-05-23T08:00:00Z"])
    note: str = Field(default="", max_length=MAX_NOTE, examples=["asked by telephone"])

    def rule(self) -> Rule:
        return Rule(self.scope, self.until, self.note)


class SuppressionsIn(RuleIn):
    """Addresses to leave out from now on."""

    addresses: list[Annotated[str, Field(max_length=1000)]] = Field(
        min_length=1, max_length=MAX_ADDED, examples=[["li.lei@qq.com", "han@example.org"]]
    )


class SuppressionFileIn(RuleIn):
    """The same as a file."""

    file: UploadFile = Field(
        description="CSV: a column of addresses; `reason`, `scope`, `until` and `note` of a line go before the form's.",
        examples=["address,note\nli.lei@qq.com,asked by telephone\n"],
    )


class SuppressionsAdded(BaseModel):
    added: int = Field(examples=[2])
    known: int = Field(description="Held already, or named twice.", examples=[0])


class LineOut(BaseModel):
    line: int = Field(examples=[3])
    address: str = Field(description="What stood in its place, cut short.", examples=["nobody"])
    code: str = Field(examples=["address_no_at"])
    detail: str = Field(examples=["An address needs an @ between name and domain."])


class ImportedOut(SuppressionsAdded):
    """What became of a file's lines."""

    ended: int = Field(description="Their `until` is over: nothing to hold back.", examples=[0])
    refused: int = Field(description="Lines that are wrong, and were not entered.", examples=[1])
    problems: list[LineOut] = Field(description=f"The first {PROBLEMS_SHOWN} of them.")

    @classmethod
    def of(cls, done: Imported, language: str) -> "ImportedOut":
        shown = [
            LineOut(
                line=one.line, address=one.value, code=one.code, detail=explain_code(one.code, language, one.params)
            )
            for one in done.problems[:PROBLEMS_SHOWN]
        ]
        return cls(
            added=done.added, known=done.known, ended=done.ended, refused=len(done.problems), problems=shown
        )  # fmt: skip


class RemoveIn(BaseModel):
    """Entries to delete."""

    model_config = ConfigDict(extra="forbid")
    ids: list[UUID] = Field(min_length=1, max_length=MAX_ADDED, examples=[[ID]])
    despite_complaint: bool = Field(
        default=False, description="Needed where one of them is a complaint: its owner called a mail of yours spam."
    )


class RemovedOut(BaseModel):
    removed: int = Field(examples=[1])


class HeldOut(BaseModel):
    """Of every reason, the account's own or the platform's."""

    reason: SuppressionReason | Literal["dead"] = Field(
        description="`dead`: its server says that there is no such mailbox; holds for every mail of everybody."
    )
    scope: SuppressionScope
    until: dt.datetime | None = Field(description=_UNTIL, examples=[MOMENT])
    suppression: SuppressionOut | None = Field(description="The account's entry; null for `dead`.")


class WhyOut(BaseModel):
    """Why an address is not written to."""

    address: str = Field(description="As it is stored.", examples=["li.lei@qq.com"])
    batch: bool = Field(description="Whether batch mails reach it just now.", examples=[False])
    trigger: bool = Field(description="Whether trigger mails do.", examples=[True])
    held: list[HeldOut] = Field(description="What keeps them, the most serious first.")

    @classmethod
    def of(cls, why: Why) -> "WhyOut":
        held = [_held(one) for one in why.entries]
        if why.dead is not None:
            held.append(
                HeldOut(reason="dead", scope=SuppressionScope.ALL, until=why.dead.until, suppression=None)
            )  # fmt: skip
        everything = any(one.scope is SuppressionScope.ALL for one in held)
        return cls(address=why.address, batch=not held, trigger=not everything, held=held)


def _held(row: Suppression) -> HeldOut:
    shown = SuppressionOut.model_validate(row)
    return HeldOut(reason=shown.reason, scope=shown.scope, until=row.until, suppression=shown)
