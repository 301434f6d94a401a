"""/t/c and /t/o: links of customers' mails, and the picture that says a mail was opened."""

import struct

import structlog
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from domain.errors import Refusal
from store.db import DATABASE_TROUBLE
from web.pages import served
from web.public.recipients import gone, later

router = APIRouter(prefix="/t", include_in_schema=False)
log = structlog.get_logger(__name__)


def transparent_gif() -> bytes:
    """One transparent pixel in 43 bytes (GIF89a, https://www.w3.org/Graphics/GIF/spec-gif89a.txt)."""
    screen = struct.pack("<HHBBB", 1, 1, 0x80, 0, 0)
    palette = bytes(6)
    control = b"\x21\xf9\x04" + struct.pack("<BHB", 1, 0, 0) + b"\0"
    place = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0)
    # Codes of 3 bits, lowest first: clear (4), colour 0, end (5).
    picture = b"\x02\x02" + (4 | 0 << 3 | 5 << 6).to_bytes(2, "little") + b"\0"
    return b"GIF89a" + screen + palette + control + place + picture + b"\x3b"


PIXEL = transparent_gif()


@router.api_route("/c/{click_token}", methods=["GET", "HEAD"])
async def click(request: Request, click_token: str) -> Response:
    """To where the link leads. HEAD is how programs look at a link: it is no click."""
    try:
        url = await served(request).tracking.click(click_token, counted=request.method == "GET")
    except Refusal:
        return gone(request)
    except DATABASE_TROUBLE as error:
        log.warning("click_waits", error=type(error).__name__)
        return later(request)
    return RedirectResponse(url, 302, {"referrer-policy": "no-referrer"})  # the token is nobody's business there


@router.api_route("/o/{open_token}", methods=["GET", "HEAD"])
async def open_pixel(request: Request, open_token: str) -> Response:
    """The picture, whatever the token is: a broken one in a mail would help nobody."""
    if request.method == "GET":
        try:
            await served(request).tracking.open(open_token.removesuffix(".gif"))
        except Refusal:
            pass
        except DATABASE_TROUBLE as error:
            log.warning("open_lost", error=type(error).__name__)
    return Response(PIXEL, media_type="image/gif")
