"""Who calls: the services of this process, and the caller behind `Authorization: Bearer`."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from domain.accounts import Caller
from domain.errors import Refusal
from services.catalog import Services

bearer = HTTPBearer(
    auto_error=False,
    description="A session token (`st_…`), an API user's key (`sk_…`), for SMS an SMS user's (`smsk_…`).",
)


def services(request: Request) -> Services:
    """The services that `api/app.py` built."""
    found: Services = request.app.state.services
    return found


Served = Annotated[Services, Depends(services)]


async def bearer_of(
    served: Served, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Caller:
    """Whoever the token or key stands for."""
    if credentials is None:
        raise Refusal("unauthenticated")
    return await served.accounts.caller(credentials.credentials)


async def any_caller(caller: Annotated[Caller, Depends(bearer_of)]) -> Caller:
    """A member by session token, or an API user by key. An SMS user's key opens SMS alone: see `SmsCaller`."""
    if caller.sms_user_id is not None:
        raise Refusal("forbidden")
    return caller


async def sms_caller(caller: Annotated[Caller, Depends(bearer_of)]) -> Caller:
    """A member by session token, or an SMS user by key; an API user's key opens e-mail alone."""
    if caller.api_user_id is not None:
        raise Refusal("forbidden")
    return caller


async def member(caller: Annotated[Caller, Depends(any_caller)]) -> Caller:
    """A signed-in member of an account."""
    if caller.member_id is None:
        raise Refusal("forbidden")
    return caller


AnyCaller = Annotated[Caller, Depends(any_caller)]
SmsCaller = Annotated[Caller, Depends(sms_caller)]
MemberCaller = Annotated[Caller, Depends(member)]
