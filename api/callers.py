"""Who calls: the services of this process, and the caller behind `Authorization: Bearer`."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from domain.accounts import Caller
from domain.errors import Refusal
from services.catalog import Services

bearer = HTTPBearer(auto_error=False, description="A session token (`st_…`) or an API user's key (`sk_…`).")


def services(request: Request) -> Services:
    """The services that `api/app.py` built."""
    found: Services = request.app.state.services
    return found


Served = Annotated[Services, Depends(services)]


async def any_caller(
    served: Served, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Caller:
    """A member by session token, or an API user by key."""
    if credentials is None:
        raise Refusal("unauthenticated")
    return await served.accounts.caller(credentials.credentials)


async def member(caller: Annotated[Caller, Depends(any_caller)]) -> Caller:
    """A signed-in member of an account."""
    if caller.member_id is None:
        raise Refusal("forbidden")
    return caller


AnyCaller = Annotated[Caller, Depends(any_caller)]
MemberCaller = Annotated[Caller, Depends(member)]
