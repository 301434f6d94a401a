"""The first line of an SMTP server, for readiness probes."""

import asyncio
import contextlib


async def greets(host: str, port: int) -> bool:
    """Whether it says 220 (RFC 5321 §4.3.1)."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                return (await reader.readline()).startswith(b"220")
            finally:
                writer.write(b"QUIT\r\n")
                writer.close()
    return False
