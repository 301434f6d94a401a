"""One HTTP request, for readiness probes: no client library in the supervisor."""

import asyncio
import contextlib


async def is_healthy(host: str, port: int, path: str = "/healthz") -> bool:
    """Whether a GET is answered with 200."""
    with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
        async with asyncio.timeout(5):
            return " 200 " in await first_line(host, port, path)
    return False


async def first_line(host: str, port: int, path: str) -> str:
    """The status line, `HTTP/1.1 200 OK`."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        return (await reader.readline()).decode("latin-1")
    finally:
        writer.close()
