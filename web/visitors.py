"""Who is at the door of the pages."""

from typing import Annotated

from fastapi import Depends, Request

from domain.visitors import Visitor, describe_client


def visitor(request: Request) -> Visitor:
    """By the connection, and what the browser says of itself."""
    ip = request.client.host if request.client else ""
    return Visitor(ip, describe_client(request.headers.get("user-agent", "")))


Visiting = Annotated[Visitor, Depends(visitor)]
