"""`/v1/campaigns`: one template to everybody in some address lists; watched, paused, cancelled, revised."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.status import HTTP_202_ACCEPTED

from api.callers import AnyCaller, Served
from api.paging import Cursor, Limit, next_cursor
from api.problems import Problem, language_of
from api.v1.campaigns_models import (
    CAMPAIGN_ID,
    CampaignCreated,
    CampaignDetail,
    CampaignIn,
    CampaignOut,
    CampaignPage,
    ReviseIn,
    RevisionList,
    RevisionOut,
)
from api.v1.sends import Key, State
from api.v1.sends import Limit as MessageLimit
from api.v1.sends_models import MessageOut, MessagePage
from domain.campaigns import Command
from services.campaign_view import CampaignView
from services.sending import export_head

RECONNECT_MS = 2000
_REFUSED: dict[int | str, dict[str, Any]] = {401: {"model": Problem}}
_ONE: dict[int | str, dict[str, Any]] = {**_REFUSED, 404: {"model": Problem}}
_CREATE: dict[int | str, dict[str, Any]] = {
    **_REFUSED,
    403: {"model": Problem, "description": "Your role may not send."},
    409: {"model": Problem, "description": "The Idempotency-Key was used for another campaign."},
    422: {"model": Problem, "description": "A field is wrong."},
}
_ACT: dict[int | str, dict[str, Any]] = {
    **_ONE,
    403: {"model": Problem, "description": "Your role may not send."},
    409: {"model": Problem, "description": "In its state the campaign cannot do that."},
}
_EVENT = f'event: campaign\nretry: 2000\ndata: {{"id": "{CAMPAIGN_ID}", "state": "sending", "progress": 0.42}}\n\n'
router = APIRouter(prefix="/v1/campaigns", tags=["campaigns"])

CampaignId = Annotated[UUID, Path(examples=[CAMPAIGN_ID])]


@router.post("", summary="Create a campaign", status_code=HTTP_202_ACCEPTED, responses=_CREATE)
async def create_campaign(
    served: Served, caller: AnyCaller, body: CampaignIn, response: Response, key: Key = None
) -> CampaignCreated:
    """Send a template to address lists, now or at a time. Answered once it is durable; money and quota are taken when
    it begins."""
    made = await served.campaigns.create(caller, body.asked(key))
    url = f"/v1/campaigns/{made.id}"
    response.headers["Location"] = url
    return CampaignCreated(id=made.id, repeated=made.repeated, url=url)


@router.get("", summary="List campaigns", responses=_REFUSED)
async def list_campaigns(
    served: Served, caller: AnyCaller, request: Request, cursor: Cursor = None, limit: Limit = 20
) -> CampaignPage:
    """Campaigns of the account, newest first."""
    found = await served.campaigns.page(caller, cursor, limit)
    items = [CampaignOut.of(view, language_of(request)) for view in found]
    return CampaignPage(items=items, next_cursor=next_cursor([view.row for view in found], limit))


@router.get("/{campaign_id}", summary="One campaign and how far it is", responses=_ONE)
async def get_campaign(served: Served, caller: AnyCaller, campaign_id: CampaignId, request: Request) -> CampaignDetail:
    """Its state, counts by outcome and by mailbox provider, rate, expected end, cost, opens and clicks."""
    return CampaignDetail.of(await served.campaigns.view(caller, campaign_id), language_of(request))


@router.get("/{campaign_id}/revisions", summary="Contents of a campaign, and who got which", responses=_ONE)
async def list_revisions(served: Served, caller: AnyCaller, campaign_id: CampaignId) -> RevisionList:
    """Every content it had, and how many messages went out with each. Takes seconds for a large campaign."""
    found = await served.campaigns.revisions(caller, campaign_id)
    return RevisionList(items=[RevisionOut.of(row) for row in found])


async def _own(served: Served, caller: AnyCaller, campaign_id: CampaignId) -> CampaignView:
    """Refuses before a stream begins."""
    return await served.campaigns.view(caller, campaign_id)


@router.get(
    "/{campaign_id}/events", response_class=EventSourceResponse, summary="One campaign, live (server-sent events)",
    responses={**_ONE, 200: {"content": {"text/event-stream": {"example": _EVENT}}}},
)  # fmt: skip
async def campaign_events(
    served: Served, caller: AnyCaller, own: Annotated[CampaignView, Depends(_own)], request: Request
) -> AsyncIterator[ServerSentEvent]:
    """The same as server-sent events named `campaign`: now, then every second while something changes.

    The stream ends with the campaign, or after five minutes; reconnect for more.
    """
    async for view in served.campaigns.watch(caller, own.row.id):
        yield ServerSentEvent(event="campaign", retry=RECONNECT_MS, data=CampaignDetail.of(view, language_of(request)))


@router.get("/{campaign_id}/messages", summary="Messages of a campaign", responses=_ONE)
async def list_campaign_messages(
    served: Served, own: Annotated[CampaignView, Depends(_own)], caller: AnyCaller, outcome: State = None,
    cursor: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0, limit: MessageLimit = 100,
) -> MessagePage:  # fmt: skip
    """As `GET /v1/sends/{id}/messages`, with the campaign's id; empty while its lists are not copied."""
    if not own.row.recipients:
        return MessagePage(items=[], next_cursor=None)
    found = await served.sending.messages(caller, own.row.id, (outcome, cursor, limit + 1))
    more = len(found) > limit
    return MessagePage(
        items=[MessageOut.of(message) for message in found[:limit]],
        next_cursor=str(found[limit].ordinal) if more else None,
    )


@router.get(
    "/{campaign_id}/messages.csv",
    summary="Messages of a campaign as CSV",
    responses={**_ONE, 200: {"content": {"text/csv": {"example": "address,outcome\r\na@qq.com,delivered\r\n"}}}},
    response_class=StreamingResponse,
)
async def export_campaign_messages(
    served: Served, own: Annotated[CampaignView, Depends(_own)], caller: AnyCaller
) -> StreamingResponse:
    """All messages as CSV for spreadsheets (UTF-8 with BOM; no value is taken for a formula)."""
    pieces = await served.sending.export(caller, own.row.id) if own.row.recipients else iter([export_head()])
    return StreamingResponse(
        pieces, media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="campaign-{own.row.id}.csv"'},
    )  # fmt: skip


@router.post("/{campaign_id}/pause", summary="Pause a campaign", responses=_ACT)
async def pause_campaign(
    served: Served, caller: AnyCaller, campaign_id: CampaignId, request: Request
) -> CampaignDetail:
    """Nothing new begins; what is being spoken to a mail server ends. A pause prolongs the time to live."""
    return CampaignDetail.of(await served.campaigns.act(caller, campaign_id, Command.PAUSE), language_of(request))


@router.post("/{campaign_id}/resume", summary="Resume a campaign", responses=_ACT)
async def resume_campaign(
    served: Served, caller: AnyCaller, campaign_id: CampaignId, request: Request
) -> CampaignDetail:
    """Go on after a pause, or try again to begin after a problem was solved."""
    return CampaignDetail.of(await served.campaigns.act(caller, campaign_id, Command.RESUME), language_of(request))


@router.post("/{campaign_id}/cancel", summary="Cancel a campaign", responses=_ACT)
async def cancel_campaign(
    served: Served, caller: AnyCaller, campaign_id: CampaignId, request: Request
) -> CampaignDetail:
    """Drop what is unsent, and release its money. What was sent stays sent; this cannot be undone."""
    return CampaignDetail.of(await served.campaigns.act(caller, campaign_id, Command.CANCEL), language_of(request))


@router.post(
    "/{campaign_id}/revise", summary="Give what is unsent another content",
    responses={**_ACT, 422: {"model": Problem, "description": "No such approved version, or it needs more variables."}},
)  # fmt: skip
async def revise_campaign(
    served: Served, caller: AnyCaller, campaign_id: CampaignId, request: Request, body: ReviseIn | None = None
) -> CampaignDetail:
    """Messages that are not sent yet get another approved version of the same template."""
    version = body.version if body else None
    view = await served.campaigns.act(caller, campaign_id, Command.REVISE, version)
    return CampaignDetail.of(view, language_of(request))
