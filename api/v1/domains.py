"""`/v1/domains`: sender domains and the records to publish."""

import datetime as dt
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from api.callers import AnyCaller, MemberCaller, Served
from api.paging import Cursor, Limit, NextCursor, next_cursor
from api.problems import Problem
from domain.domain_records import Hint, txt_strings
from domain.domains import NEEDED, DomainState, Purpose, RecordState
from services.domains import DomainView
from store.domains import DomainRecord, SenderDomain

REFUSED: dict[int | str, dict[str, Any]] = {code: {"model": Problem} for code in (401, 403, 404, 409, 422, 429)}
router = APIRouter(prefix="/v1/domains", tags=["sender domains"], responses=REFUSED)

DomainId = Annotated[UUID, Path(examples=["01935b2e-7c1a-7aaa-8000-3f5a9c0d1e2f"])]
_MOMENT = "2026-11-23T08:00:00Z"


class NewDomain(BaseModel):
    name: str = Field(max_length=300, examples=["mail.example.com"])
    """The domain of your From addresses; internationalised names are accepted as they are written."""


class RecordOut(BaseModel):
    """One record to publish, and what the last look found."""

    purpose: Purpose
    needed: bool = Field(description="Without it the domain is not usable; the others improve delivery.")
    name: str = Field(examples=["_songda-challenge.mail.example.com"])
    type: str = Field(examples=["TXT"])
    value: str = Field(examples=["songda-account=5f2c6f0f3f7f4c1f9d0a3b1c2d3e4f50"])
    txt_strings: str | None = Field(
        default=None,
        description="A TXT value as zone files write it: strings of at most 255 octets.",
        examples=['"v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQ" "EFAAOCAQ8AMIIBCgKCAQEA"'],
    )
    state: RecordState
    found: list[str] = Field(examples=[["songda-account=5f2c6f0f3f7f4c1f9d0a3b1c2d3e4f50"]])
    hint: Hint = Field(description="Why the record is wrong, where more can be said.")
    checked_at: dt.datetime | None = Field(examples=[_MOMENT])


class DomainOut(BaseModel):
    id: UUID = Field(examples=["01935b2e-7c1a-7aaa-8000-3f5a9c0d1e2f"])
    name: str = Field(examples=["mail.example.com"])
    state: DomainState
    is_test: bool
    problem: Purpose | None = Field(description="The needed record that keeps the domain from being usable.")
    usable_since: dt.datetime | None = Field(examples=[_MOMENT])
    checked_at: dt.datetime | None = Field(examples=[_MOMENT])
    next_check_at: dt.datetime | None = Field(examples=[_MOMENT])
    created_at: dt.datetime = Field(examples=[_MOMENT])


class DomainDetail(DomainOut):
    """With its records; `workflow_id` names the process that looks at them, for support."""

    records: list[RecordOut]
    api_users: list[str] = Field(examples=[["shop_trigger"]])
    workflow_id: str = Field(examples=["domain/01935b2e-7c1a-7aaa-8000-3f5a9c0d1e2f"])


class DomainPage(BaseModel):
    items: list[DomainOut]
    next_cursor: NextCursor = None


@router.post("", status_code=201, summary="Add a sender domain")
async def add(body: NewDomain, served: Served, caller: MemberCaller, response: Response) -> DomainDetail:
    """Answers with the exact records to publish. They are looked for at once, and then at growing intervals."""
    view = await served.domains.add(caller, body.name)
    response.headers["Location"] = f"/v1/domains/{view.row.id}"
    return _detail(view)


@router.get("", summary="List sender domains")
async def index(served: Served, caller: AnyCaller, cursor: Cursor = None, limit: Limit = 50) -> DomainPage:
    """Newest first."""
    rows = await served.domains.page(caller, cursor, limit)
    return DomainPage(items=[DomainOut(**_common(row)) for row in rows], next_cursor=next_cursor(rows, limit))


@router.get("/{domain_id}", summary="One sender domain with its records")
async def show(domain_id: DomainId, served: Served, caller: AnyCaller) -> DomainDetail:
    """What to publish, what was found, and when the next look is due."""
    return _detail(await served.domains.get(caller, domain_id))


@router.post("/{domain_id}/check", status_code=202, summary="Look at the records now")
async def check(domain_id: DomainId, served: Served, caller: MemberCaller) -> DomainDetail:
    """The look happens within seconds: read the domain again. At most once in ten seconds."""
    return _detail(await served.domains.check(caller, domain_id))


@router.delete("/{domain_id}", status_code=204, summary="Delete a sender domain")
async def delete(domain_id: DomainId, served: Served, caller: MemberCaller) -> None:
    """Refused while an enabled API user is bound to it, and for the test domain."""
    await served.domains.delete(caller, domain_id)


def _common(row: SenderDomain) -> dict[str, Any]:
    return {name: getattr(row, name) for name in DomainOut.model_fields}


def _detail(view: DomainView) -> DomainDetail:
    return DomainDetail(
        **_common(view.row),
        records=[_record(record) for record in view.records],
        api_users=list(view.api_users),
        workflow_id=view.workflow_id,
    )


def _record(record: DomainRecord) -> RecordOut:
    return RecordOut(
        purpose=Purpose(record.purpose),
        needed=Purpose(record.purpose) in NEEDED,
        name=record.name,
        type=record.type,
        value=record.expected,
        txt_strings=txt_strings(record.expected) if record.type == "TXT" else None,
        state=RecordState(record.state),
        found=record.found,
        hint=Hint(record.hint),
        checked_at=record.checked_at,
    )
