"""`POST /v1/sms`: send a template to phone numbers. What became of them: `sms_reads.py`."""

import datetime as dt
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.status import HTTP_202_ACCEPTED

from api.callers import Served, SmsCaller
from api.problems import FieldProblem, Problem, language_of, problem
from api.v1.sms_reads import SEND_ID, LeftOut
from domain.recipients import explain_code
from domain.refusals import explain
from domain.sms import MAX_NUMBERS, MAX_TAG, MAX_VALUE, AcceptedSms, SmsAccepted, SmsRecipient, SmsRequest
from domain.sms_acceptance import MAX_LABEL, NobodyLeft
from services.sms_reads import REJECTED_SHOWN

router = APIRouter(prefix="/v1/sms", tags=["sms"])

_REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "Not signed in, or a bad key."},
    402: {"model": Problem, "description": "The balance does not cover the segments."},
    403: {
        "model": Problem,
        "description": "The account is not active, the SMS user another's, or the role only looks.",
    },
    409: {"model": Problem, "description": "A step is missing, the SMS user is disabled, or the key was used before."},
    422: {"model": Problem, "description": "A field or a number is wrong; `errors` names numbers."},
    429: {"model": Problem, "description": "The number got too many of late, or the day's test messages are used."},
}
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key", min_length=1, max_length=255, examples=["login-20261123-0001"],
        description="A repeat of the same request within 24 hours gets the first answer.",
    ),
]  # fmt: skip
_EXAMPLE: dict[str, Any] = {
    "template": "order_shipped",
    "label": "shipping",
    "recipients": [
        {"phone": "13800138000", "variables": {"name": "李雷"}},
        {"phone": "+86 139 0013 9000", "variables": {"name": "韩梅梅"}},
    ],
}


class NumberIn(BaseModel):
    """One phone; numbers among the values are taken as text."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)
    phone: str = Field(
        max_length=100, examples=["13800138000"],
        description="In any usual form; other countries' with `+` and country code.",
    )  # fmt: skip
    variables: dict[str, str] = Field(
        default={}, examples=[{"name": "李雷"}],
        description=f"At most {MAX_VALUE} characters each, without links and line breaks.",
    )  # fmt: skip


class SmsIn(BaseModel):
    """One approved template to numbers, each with its values."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})
    sms_user: str = Field(
        "", max_length=64, description="Name; defaults to the key's own SMS user.", examples=["shop_sms"]
    )
    template: str = Field(
        min_length=1, max_length=128, coerce_numbers_to_str=True,
        description="Name, number or id of the template.", examples=["order_shipped"],
    )  # fmt: skip
    recipients: list[NumberIn] = Field(description=f"At most {MAX_NUMBERS:,}.")
    label: str = Field("", max_length=MAX_LABEL, examples=["shipping"])
    tag: str = Field("", max_length=MAX_TAG, description="Comes back in webhooks.", examples=['{"order":"A-1001"}'])
    skip_invalid: bool = Field(False, description="Leave out bad numbers instead of refusing the request.")

    def to_request(self, key: str | None) -> SmsRequest:
        """Numbers are numbered from 1, which is their `line` among the rejected."""
        people = tuple(SmsRecipient(one.phone, one.variables, n) for n, one in enumerate(self.recipients, 1))
        return SmsRequest(
            self.sms_user, self.template, people, self.label, self.tag, idempotency_key=key,
            skip_invalid=self.skip_invalid,
        )  # fmt: skip


class AcceptedSmsOut(BaseModel):
    """One number that was accepted."""

    id: int = Field(description="Of its message: `GET /v1/sms/messages/{id}`.", examples=[4711])
    send_id: UUID = Field(examples=[SEND_ID])
    line: int = Field(description="Its place in `recipients`, from 1.", examples=[1])
    phone: str = Field(description="E.164.", examples=["+8613800138000"])
    segments: int = Field(description="Parts that it is sent and paid in.", examples=[1])

    @classmethod
    def of(cls, one: AcceptedSms) -> "AcceptedSmsOut":
        return cls(
            id=one.message_id, send_id=one.submission_id, line=one.line, phone=one.phone, segments=one.segments
        )  # fmt: skip


class SmsAcceptedOut(BaseModel):
    """The request is durable: every accepted number will have an outcome."""

    ids: list[UUID] = Field(description="One for each country, as each has its price.", examples=[[SEND_ID]])
    accepted: int = Field(examples=[2])
    segments: int = Field(description="Of all, which is what is held of the balance.", examples=[2])
    messages: list[AcceptedSmsOut]
    duplicates: int = Field(description="Numbers that repeat an earlier one.", examples=[0])
    rejected: int = Field(description="Numbers left out.", examples=[0])
    rejections: list[LeftOut] = Field(description=f"The first {REJECTED_SHOWN} of them.")
    sends_at: dt.datetime | None = Field(
        description="Marketing outside its hours: when they begin. Null: at once.", examples=["2026-11-24T00:00:00Z"]
    )
    repeated: bool = Field(description="The answer to an earlier request with the same Idempotency-Key.")
    url: str = Field(description="Of the first of `ids`.", examples=[f"/v1/sms/{SEND_ID}"])

    @classmethod
    def of(cls, accepted: SmsAccepted, language: str) -> "SmsAcceptedOut":
        return cls(
            ids=list(accepted.submissions), accepted=len(accepted.messages),
            segments=sum(one.segments for one in accepted.messages),
            messages=[AcceptedSmsOut.of(one) for one in accepted.messages], duplicates=accepted.duplicates,
            rejected=len(accepted.rejected),
            rejections=[LeftOut.of(one, language) for one in accepted.rejected[:REJECTED_SHOWN]],
            sends_at=accepted.sends_at, repeated=accepted.repeated, url=f"/v1/sms/{accepted.submissions[0]}",
        )  # fmt: skip


@router.post(
    "",
    summary="Send an SMS template to numbers",
    status_code=HTTP_202_ACCEPTED,
    responses=_REFUSALS,
    response_model=SmsAcceptedOut,
)
async def create_sms(
    served: Served, caller: SmsCaller, body: SmsIn, request: Request, response: Response, key: Key = None
) -> SmsAcceptedOut | Response:
    """Send an approved template; each number gets an SMS of its own. The answer is given once it is durable.

    Numbers that opted out, that are on the interception list or that got too many of late are left out and named in
    `rejections`; when none is left, the request is refused.
    """
    try:
        accepted = await served.sms.send(caller, body.to_request(f"v1/{key}" if key else None))
    except NobodyLeft as refusal:
        return nobody_left(refusal, language_of(request))
    answer = SmsAcceptedOut.of(accepted, language_of(request))
    response.headers["Location"] = answer.url
    return answer


def nobody_left(refusal: NobodyLeft, language: str) -> Response:
    """The problem document, with what is wrong with the first numbers."""
    status, detail, step = explain(refusal, language)
    errors = []
    for one in refusal.rejected[:REJECTED_SHOWN]:
        about = explain_code(one.reason, language, one.params)
        errors.append(FieldProblem(field=f"recipients[{one.line - 1}].phone", code=one.reason, detail=about))
    return problem(refusal.code, status, detail, step, field=refusal.field, errors=errors, count=len(refusal.rejected))
