"""/console/sending-quality: whose mails receivers complain of, and from which address of ours to which provider."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from domain.lanes import lane_title
from domain.signals import By, Window
from services.signals import SHOWN, Platform
from web.console.pages import language_of, render, served
from web.console.sessions import SignedOperator
from web.portal.signals import as_file, chart, moments, titled, words

router = APIRouter(prefix="/console/sending-quality")
PAGE = "console/sending_quality.html"
PLACE = "/console/sending-quality"


@router.get("")
async def quality(
    request: Request, operator: SignedOperator, window: Window = Window.WEEK, account: UUID | None = None
) -> Response:
    """Everybody's, the worst first; with `?account=` one customer's."""
    found = await served(request).signal_desk.show(operator, window, account)
    query = f"window={window.value}&" + (f"account={account}&" if account else "")
    return render(request, PAGE, found=found, query=query, **_shown(found, language_of(request)), **words())


@router.get("/export.csv")
async def export(
    request: Request, operator: SignedOperator, window: Window = Window.WEEK, by: By = By.ACCOUNT,
    account: UUID | None = None,
) -> Response:  # fmt: skip
    """One of the tables as a file; that is written down."""
    return as_file(await served(request).signal_desk.export(operator, window, by, account), by)


def _shown(found: Platform, language: str) -> dict[str, Any]:
    lines = {by: titled(listed[:SHOWN], by, language) for by, listed in found.report.lines.items() if by is not By.TIME}
    times = found.report.lines[By.TIME]
    lanes = sorted({lane for _number, lane in found.matrix})
    return {
        "lines": lines, "By": By, "SHOWN": SHOWN, "times": times, "moments": moments(times, found.report.window),
        "bars": chart(times, found.report.window), "lanes": [(lane, lane_title(lane, language)) for lane in lanes],
    }  # fmt: skip
