"""The way past everything that serves pages and `/v1`, for the one path that is asked for most.

The layers in between (routing among some three hundred routes, dependencies, error pages, headers by path) take as long
as a fifth of an accept, and have nothing to do here: the path answers every problem by itself.
"""

from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Shortcut:
    """ASGI middleware, to be the outermost. `headers` are what every answer carries."""

    def __init__(self, app: ASGIApp, path: str, target: ASGIApp, headers: Mapping[str, str]) -> None:
        self._app = app
        self._path = path
        self._target = target
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != self._path or scope["method"] not in ("GET", "POST"):
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"].extend(self._headers)
            await send(message)

        await self._target(scope, receive, with_headers)
