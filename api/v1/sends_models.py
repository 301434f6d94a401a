"""What `/v1/sends` and `/v1/messages` take and give."""

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import UploadFile
from pydantic import BaseModel, ConfigDict, Field

from domain.addresses import LOCAL_OCTETS
from domain.recipients import MAX_FILE_BYTES, explain_code
from domain.sending import Accepted, Recipient, Rejected, SendRequest
from domain.tracking import Act
from services.sending import REJECTED_SHOWN, SendView
from store.engagement import Count
from store.sends_read import Send, SentMessage, Try

Outcome = Literal["delivered", "deferred", "queued", "bounced", "dropped", "unknown"]
SEND_ID = "0192f0c1-2a4b-7c3d-8e9f-0a1b2c3d4e5f"
_MOMENT = "2026-11-23T08:00:00Z"
_SEND_EXAMPLE: dict[str, Any] = {
    "template": "welcome",
    "from": "news@mail.example.com",
    "from_name": "Example Shop",
    "label": "welcome-2026",
    "recipients": [
        {"address": "li.lei@qq.com", "variables": {"name": "李雷", "coupon": "A-1001"}},
        {"address": "han@example.org", "variables": {"name": "Han Meimei", "coupon": "A-1002"}},
    ],
}


class RecipientIn(BaseModel):
    """One person; numbers among the values are taken as text."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)
    address: str = Field(max_length=1000, examples=["li.lei@qq.com"])
    variables: dict[str, str] = Field(default={}, examples=[{"name": "李雷"}])


class Envelope(BaseModel):
    """What JSON and file uploads have in common."""

    api_user: str = Field("", max_length=64, description="Defaults to the key's own API user.", examples=["shop_batch"])
    template: str = Field(max_length=64, description="Invoke name of the template.", examples=["welcome"])
    sender: str = Field(
        alias="from",
        max_length=320,
        description="A usable domain bound to the API user.",
        examples=["news@mail.example.com"],
    )
    from_name: str = Field("", examples=["Example Shop"])
    reply_to: str = Field("", max_length=320, examples=["service@example.com"])
    label: str = Field("", examples=["welcome-2026"])
    skip_invalid: bool = Field(False, description="Leave out bad recipients instead of refusing the request.")

    def request(self, recipients: tuple[Recipient, ...], idempotency_key: str | None) -> SendRequest:
        """As the services understand it."""
        return SendRequest(
            self.api_user, self.template, self.sender, recipients, sender_name=self.from_name,
            reply_to=self.reply_to, label=self.label, idempotency_key=idempotency_key,
            skip_invalid=self.skip_invalid,
        )  # fmt: skip


class SendIn(Envelope):
    """A send with its recipients, each of whom gets a mail of their own."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_SEND_EXAMPLE]})
    recipients: list[RecipientIn] = Field(description="At most 100,000.")

    def to_request(self, idempotency_key: str | None) -> SendRequest:
        """Recipients are numbered from 1, which is their `line` among the rejected."""
        recipients = tuple(Recipient(r.address, r.variables, n) for n, r in enumerate(self.recipients, 1))
        return self.request(recipients, idempotency_key)


class SendFileIn(Envelope):
    """A send whose recipients come from a CSV file (multipart/form-data)."""

    model_config = ConfigDict(extra="forbid")
    file: UploadFile = Field(
        description="A header line, one column of addresses, further columns as variables. UTF-8, GB18030 or UTF-16;"
        f" comma, semicolon or tab; at most {MAX_FILE_BYTES // 2**20} MB and 100,000 recipients.",
        examples=["email,name\nli.lei@qq.com,李雷\n"],
    )


class RejectedOut(BaseModel):
    """A recipient that was left out: `line` is the line of the file, or the place in `recipients` from 1."""

    line: int = Field(examples=[17])
    address: str = Field(examples=["nobody.example.com"])
    reason: str = Field(description="A stable code.", examples=["address_no_at"])
    detail: str = Field(examples=["An address needs an @ between name and domain."])

    @classmethod
    def of(cls, rejected: Rejected, language: str) -> "RejectedOut":
        return cls(
            line=rejected.line, address=rejected.address[: LOCAL_OCTETS + 256], reason=rejected.reason,
            detail=explain_code(rejected.reason, language, rejected.params),
        )  # fmt: skip


class AcceptedOut(BaseModel):
    """The request is durable: every accepted recipient will have an outcome."""

    id: UUID = Field(examples=[SEND_ID])
    accepted: int = Field(examples=[2])
    duplicates: int = Field(description="Recipients that repeat an earlier one.", examples=[0])
    rejected: int = Field(description="Recipients left out (only with `skip_invalid`).", examples=[0])
    rejections: list[RejectedOut] = Field(description=f"The first {REJECTED_SHOWN} of them.")
    repeated: bool = Field(description="The answer to an earlier request with the same Idempotency-Key.")
    url: str = Field(examples=[f"/v1/sends/{SEND_ID}"])

    @classmethod
    def of(cls, accepted: Accepted, language: str) -> "AcceptedOut":
        shown = [RejectedOut.of(one, language) for one in accepted.rejected[:REJECTED_SHOWN]]
        return cls(
            id=accepted.submission_id, accepted=accepted.accepted, duplicates=accepted.duplicates,
            rejected=len(accepted.rejected), rejections=shown, repeated=accepted.repeated,
            url=f"/v1/sends/{accepted.submission_id}",
        )  # fmt: skip


class SendOut(BaseModel):
    """One send."""

    id: UUID = Field(examples=[SEND_ID])
    api_user: str = Field(examples=["shop_batch"])
    template: str = Field(examples=["welcome"])
    template_version: int = Field(examples=[3])
    kind: Literal["trigger", "batch"]
    is_test: bool
    sender: str = Field(serialization_alias="from", examples=["news@mail.example.com"])
    from_name: str = Field(examples=["Example Shop"])
    reply_to: str = Field(examples=["service@example.com"])
    label: str = Field(examples=["welcome-2026"])
    accepted_at: dt.datetime = Field(examples=[_MOMENT])
    expires_at: dt.datetime = Field(
        description="Until then deferred messages are tried again.", examples=["2026-11-26T08:00:00Z"]
    )
    recipients: int = Field(description="Accepted recipients.", examples=[2])
    duplicates: int = Field(examples=[0])
    rejected: int = Field(examples=[0])

    @classmethod
    def of(cls, send: Send) -> "SendOut":
        return cls(**_fields(send))


def _fields(send: Send) -> dict[str, object]:
    known = vars(send) | {"from_name": send.sender_name}
    return {name: value for name, value in known.items() if name != "sender_name"}


class Engaged(BaseModel):
    """What recipients did with the mails of a send."""

    messages: int = Field(description="Mails on which it happened at least once.", examples=[1])
    times: int = Field(description="How often in all.", examples=[3])

    @classmethod
    def of(cls, count: Count) -> "Engaged":
        return cls(messages=count.messages, times=count.times)


class SendDetail(SendOut):
    """One send and how far it is."""

    state: Literal["in_progress", "finished"]
    progress: float = Field(description="Share of messages with a final outcome, 0 to 1.", examples=[0.5])
    outcomes: dict[Outcome, int] = Field(
        description="Messages by outcome; `queued` and `deferred` are not final.",
        examples=[{"delivered": 1, "deferred": 1, "queued": 0, "bounced": 0, "dropped": 0, "unknown": 0}],
    )
    rejections: list[RejectedOut] = Field(description=f"The first {REJECTED_SHOWN} recipients left out.")
    opens: Engaged = Field(description="As far as mailboxes show pictures; 0 where the API user does not track opens.")
    clicks: Engaged
    unsubscribes: Engaged
    complaints: Engaged = Field(description="Reported as spam, as far as providers tell.")

    @classmethod
    def of_view(cls, view: SendView, done: Mapping[Act, Count], language: str) -> "SendDetail":
        return cls.model_validate(
            _fields(view.send)
            | {
                "state": "in_progress" if view.waiting else "finished",
                "progress": 1 - view.waiting / max(1, view.send.recipients),
                "outcomes": view.outcomes,
                "rejections": [RejectedOut.of(one, language) for one in view.rejected],
                "opens": Engaged.of(done[Act.OPEN]),
                "clicks": Engaged.of(done[Act.CLICK]),
                "unsubscribes": Engaged.of(done[Act.UNSUBSCRIBE]),
                "complaints": Engaged.of(done[Act.COMPLAINT]),
            }
        )


class SendPage(BaseModel):
    items: list[SendOut]
    next_cursor: str | None = Field(
        description="Give it as `cursor` to get the next page; null: that was all.", examples=[SEND_ID]
    )


class MessageOut(BaseModel):
    """One recipient and where the message stands; the reply is that of the last attempt."""

    id: int = Field(examples=[4711])
    send_id: UUID = Field(examples=[SEND_ID])
    address: str = Field(examples=["li.lei@qq.com"])
    outcome: Outcome
    attempts: int = Field(examples=[1])
    next_at: dt.datetime | None = Field(description="When a deferred message is tried again.", examples=[_MOMENT])
    attempted_at: dt.datetime | None = Field(examples=[_MOMENT])
    finished_at: dt.datetime | None = Field(examples=[_MOMENT])
    reason: str = Field(description="Class of the outcome.", examples=["hard.invalid_mailbox"])
    code: int = Field(description="SMTP reply code; 0: no reply.", examples=[550])
    enhanced: str = Field(description="RFC 3463.", examples=["5.1.1"])
    reply: str = Field(examples=["5.1.1 User unknown"])
    host: str = Field(examples=["mx1.qq.com"])
    possible_duplicate: bool = Field(description="The recipient may have got it twice.")

    @classmethod
    def of(cls, message: SentMessage) -> "MessageOut":
        return cls.model_validate(vars(message))


class MessagePage(BaseModel):
    items: list[MessageOut]
    next_cursor: str | None = Field(examples=["100"])


class AttemptOut(BaseModel):
    """One try at a message, or what a report said of it later."""

    model_config = ConfigDict(serialize_by_alias=True)
    number: int = Field(examples=[1])
    outcome: Literal["delivered", "deferred", "bounced", "dropped", "uncertain", "unknown"]
    started_at: dt.datetime | None = Field(examples=[_MOMENT])
    ended_at: dt.datetime | None = Field(examples=[_MOMENT])
    host: str = Field(examples=["mx1.qq.com"])
    code: int = Field(examples=[250])
    enhanced: str = Field(examples=["2.0.0"])
    text: str = Field(description="The server's words.", examples=["OK queued"])
    reason: Annotated[str, Field(serialization_alias="class", examples=["soft.greylist"])]
    possible_duplicate: bool = Field(description="An earlier try may have been taken, too.")
    by_report: bool = Field(
        description="No try: a report that came later (a bounce, say) corrected the outcome of this try.",
    )

    @classmethod
    def of(cls, attempt: Try) -> "AttemptOut":
        fields = vars(attempt) | {"text": attempt.reply}
        return cls.model_validate({name: value for name, value in fields.items() if name != "reply"})


class MessageDetail(MessageOut):
    """A message with every attempt, and the corrections of its outcome."""

    history: list[AttemptOut]

    @classmethod
    def with_history(cls, message: SentMessage, tries: list[Try]) -> "MessageDetail":
        return cls.model_validate(vars(message) | {"history": [AttemptOut.of(one) for one in tries]})
