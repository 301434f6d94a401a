"""No request body may grow without bound: what is larger than any valid request is refused while it arrives."""

import re

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 32 * 2**20
"""Room for a recipient file of 20 MB, or for 100,000 recipients with variables as JSON."""
NARROW = {
    re.compile("/v1/certifications/[^/]+/documents|/v1/sms-signatures/[^/]+/proof"): 11 * 2**20,
    re.compile("/v1/sms"): 8 * 2**20,
    re.compile("/t/.*"): 2**20,
    re.compile("/v1/registrations(/.*)?|/register(/.*)?"): 2**16,
}
"""Room for one paper of 10 MB, and for 2,000 numbers with many values; hardly any for strangers."""

UPLOADS = re.compile("/(?:v1|portal)/(?:address|contact)-lists/[^/]+/imports?")
"""Files of members, which the forms keep on the disk; how large they may be is a setting."""
_FRAME = 2**20
"""Room for what is around the file, and for one that is a little too large to be told so at its field."""


class BodyLimit:
    """ASGI middleware. The refusal is raised where the body is read, so that every door answers in its own form."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY, upload: int = MAX_BODY) -> None:
        self._app = app
        self._limit = limit
        self._upload = max(limit, upload + _FRAME)

    def _allowed(self, path: str) -> int:
        if UPLOADS.fullmatch(path):
            return self._upload
        return next((narrow for pattern, narrow in NARROW.items() if pattern.fullmatch(path)), self._limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._allowed(scope["path"])
        announced = Headers(scope=scope).get("content-length", "0")
        arrived = int(announced) if announced.isdigit() else 0

        async def counted() -> Message:
            nonlocal arrived
            if arrived > limit:
                most = f"{limit // 2**20} MB" if limit >= 2**20 else f"{limit // 2**10} KB"
                raise HTTPException(413, f"The request is larger than {most}; send it in parts.")
            message = await receive()
            if announced == "0":
                arrived += len(message.get("body", b""))
            return message

        await self._app(scope, counted, send)
