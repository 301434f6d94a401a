"""What payment providers tell us. They know two answers, in plain text; everything else about them is in `services`."""

from urllib.parse import parse_qsl

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from api.callers import Served
from store.db import DATABASE_TROUBLE

router = APIRouter(prefix="/callbacks", include_in_schema=False)
log = structlog.get_logger(__name__)

FIELDS = 200
LONGEST = 64 * 1024


@router.post("/alipay/notify")
async def alipay(request: Request, served: Served) -> PlainTextResponse:
    """`success` once the notification is understood and durable; any other answer has Alipay repeat it."""
    try:
        body = await _body(request)
        form = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS))
        taken = await served.billing.take_notice(form, body)
    except ValueError:  # no form in UTF-8: not theirs
        taken = False
    except DATABASE_TROUBLE as error:
        log.warning("payment_notice_waits", error=type(error).__name__)
        taken = False
    return PlainTextResponse("success" if taken else "failure")


async def _body(request: Request) -> bytes:
    """Raises `ValueError` while too much arrives."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST:
            raise ValueError("too long")
    return bytes(body)
