"""Who is at the door of the API."""

from typing import Annotated

from fastapi import Depends, Request

from domain.visitors import Visitor, describe_client


def _visitor(request: Request) -> Visitor:
    ip = request.client.host if request.client else ""
    return Visitor(ip, describe_client(request.headers.get("user-agent", "")))


Visiting = Annotated[Visitor, Depends(_visitor)]
