"""/portal/sms-hooks: SMSHook (seed 3.6 ④): endpoints that hear of SMS. Each is made and kept as every webhook is."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from domain.webhooks import MAX_ENDPOINTS, SMS_EVENTS
from web.pages import Signed, render, served
from web.portal.webhooks import words_of

router = APIRouter(prefix="/portal/sms-hooks")


@router.get("")
async def sms_hooks(request: Request, caller: Signed) -> Response:
    """Those that hear at least one event of SMS, with these events."""
    found = await served(request).webhooks.page(caller, None, MAX_ENDPOINTS)
    heard = [(status, [event for event in SMS_EVENTS if event in status.endpoint.events]) for status in found]
    return render(
        request, "portal/sms_hooks.html", rows=[row for row in heard if row[1]], SMS_EVENTS=SMS_EVENTS,
        **words_of(request),
    )  # fmt: skip
