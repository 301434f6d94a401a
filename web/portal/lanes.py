"""/portal/queue-status: where accepted mails wait, in the colours of the user guide (seed ⑪)."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from domain.errors import Refusal
from domain.lanes import LaneState, lane_title
from services.lanes import QueueStatus
from web.i18n import mark as _
from web.pages import Signed, language_of, refused, render, served

router = APIRouter(prefix="/portal/queue-status")
PAGE = "portal/queue_status.html"


@dataclass(frozen=True)
class Look:
    """How a state is shown: word, Tabler colour, what it means."""

    word: str
    tone: str
    meaning: str


LOOKS = {
    LaneState.NORMAL: Look("", "", _("正常发送中：邮件按收信方允许的速度发出。")),
    LaneState.SLOW: Look(_("缓慢发送"), "success", _("收信方要求放慢：邮件仍在发出，只是更慢；收信方恢复后自动加速。")),
    LaneState.PAUSED: Look(_("暂停发送"), "danger", _("暂时不发：邮件保留在队列中，恢复后自动继续，无需重新提交。")),
}
"""Nothing, green, red."""


@router.get("")
async def status(request: Request, caller: Signed) -> Response:
    """What waits, by API user and receiving provider; and every provider that is not normal."""
    language = language_of(request)
    errors: dict[str, str] = {}
    try:
        found = await served(request).queues.status(caller)
    except Refusal as refusal:
        if refusal.code != "queue_status_busy":
            raise
        found, errors = QueueStatus((), ()), refused(refusal, language)
    lanes = {line.lane for line in found.lines} | {news.lane for news in found.news}
    titles = {lane: lane_title(lane, language) for lane in lanes}
    return render(request, PAGE, 503 if errors else 200, errors=errors, found=found, titles=titles, LOOKS=LOOKS)
