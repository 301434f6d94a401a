"""`/v1/queue-status`: where accepted mails wait, and how their lanes are."""

import datetime as dt
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from api.callers import AnyCaller, Served
from api.problems import Problem, language_of
from domain.lanes import LaneState, lane_title
from services.lanes import LaneNews, QueueLine

_PROBLEM: dict[str, Any] = {"model": Problem}
router = APIRouter(prefix="/v1/queue-status", tags=["sends"], responses={401: _PROBLEM, 503: _PROBLEM})

_STATE = "`normal`: mails go out as fast as the provider allows; `slow` (green); `paused` (red): none go out for now."
_TITLE = "The mailbox provider, in the language of `Accept-Language` (zh or en)."


class QueueLineOut(BaseModel):
    """What one API user has waiting for one mailbox provider."""

    api_user: str = Field(examples=["my_trigger"])
    lane: str = Field(description="The provider's short name; `other`: all other domains.", examples=["qq"])
    title: str = Field(description=_TITLE, examples=["QQ Mail, Tencent Exmail"])
    domains: list[str] = Field(description="Receiving domains of waiting single mails.", examples=[["qq.com"]])
    state: LaneState = Field(description=_STATE, examples=["slow"])
    reason: str = Field(description="Of a pause, as the platform gives it.", examples=[""])
    waiting: int = Field(examples=[1200])
    at_least: bool = Field(description="There are more than were counted.", examples=[False])
    waiting_since: dt.datetime = Field(
        description="When the oldest of them was accepted.", examples=["2026-11-23T08:00:00Z"]
    )

    @classmethod
    def of(cls, line: QueueLine, language: str) -> "QueueLineOut":
        return cls(
            api_user=line.api_user, lane=line.lane, title=lane_title(line.lane, language), domains=list(line.domains),
            state=line.state, reason=line.reason, waiting=line.waiting, at_least=not line.counted,
            waiting_since=line.since,
        )  # fmt: skip


class LaneOut(BaseModel):
    """A provider that takes mails slowly now, or none."""

    lane: str = Field(examples=["qq"])
    title: str = Field(description=_TITLE, examples=["QQ Mail, Tencent Exmail"])
    state: LaneState = Field(description=_STATE, examples=["paused"])
    since: dt.datetime | None = Field(examples=["2026-11-23T08:00:00Z"])
    reason: str = Field(description="Of a pause.", examples=["Maintenance at the provider until noon"])

    @classmethod
    def of(cls, news: LaneNews, language: str) -> "LaneOut":
        title = lane_title(news.lane, language)
        return cls(lane=news.lane, title=title, state=news.state, since=news.since, reason=news.reason)


class QueueStatusOut(BaseModel):
    """`items` is what waits, the most first; `lanes` every provider that is slow or paused."""

    waiting: int = Field(description="In all.", examples=[1200])
    items: list[QueueLineOut]
    lanes: list[LaneOut]


@router.get("", summary="Queue status")
async def queue_status(request: Request, served: Served, caller: AnyCaller) -> QueueStatusOut:
    """Mails that were accepted and are not out yet, by API user and receiving provider.

    With an API user's key: its own. Deferred mails count until they are delivered, bounced or expired.
    """
    found, language = await served.queues.status(caller), language_of(request)
    return QueueStatusOut(
        waiting=found.waiting,
        items=[QueueLineOut.of(line, language) for line in found.lines],
        lanes=[LaneOut.of(news, language) for news in found.news],
    )
