"""What every call of `/smsapi` has in common: its parameters, its signature, its answer whatever happens.

A module of `/smsapi` is a list of `sms_route(…)`. Routes of Starlette's, not of FastAPI's: see `api/sendcloud/mail.py`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from api.sendcloud import parameters
from api.sendcloud.envelope import Failure
from api.sendcloud.parameters import Parameters
from api.sendcloud.sms_envelope import SmsFailure, failure_of
from domain.accounts import Caller
from domain.errors import Refusal
from domain.sendcloud_signing import has_form, is_signed, is_timely
from services.catalog import Services
from store.columns import now
from store.db import DATABASE_TROUBLE

log = structlog.get_logger(__name__)

BASE = "/smsapi"
LONGEST_NAME = 100


@dataclass(frozen=True)
class SmsCall:
    """A call whose signature is right."""

    served: Services
    caller: Caller
    """With `sms_user_id`."""
    sms_user: str
    """Its name."""
    given: Parameters


Handler = Callable[[SmsCall], Awaitable[Response]]
"""Raises `SmsFailure`, or `Refusal`, which `failure_of` translates."""


class SmsDoor:
    """ASGI application of one path."""

    def __init__(self, handler: Handler, otherwise: int) -> None:
        self._handler = handler
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answer(Request(scope, receive))
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            given = await parameters.read(request)
            return await self._handler(await signed_call(request.app.state.services, given))
        except SmsFailure as failure:
            return failure.answer()
        except Refusal as refusal:
            return failure_of(refusal, self._otherwise).answer()
        except Failure as failure:  # of a body that is no form, or too large
            return SmsFailure(self._otherwise, failure.detail).answer()
        except HTTPException as problem:
            return SmsFailure(self._otherwise, str(problem.detail)).answer()
        except DATABASE_TROUBLE as problem:
            log.warning("sms_call_failed", error=type(problem).__name__)
            return SmsFailure(501, "系统繁忙，请稍后重试").answer()


def sms_route(path: str, handler: Handler, otherwise: int = 501) -> Route:
    """A signed call at `/smsapi/<path>`: GET and POST, and no HEAD, which would do the same.

    `otherwise`: the code of refusals that `sms_envelope.REFUSALS` does not name.
    """
    made = Route(f"{BASE}/{path}", SmsDoor(handler, otherwise), methods=["GET", "POST"])
    (made.methods or set()).discard("HEAD")
    return made


async def signed_call(served: Services, given: Parameters) -> SmsCall:
    """Who calls. Raises `SmsFailure`: 472, 471, 473, 421, 422, 461.

    A call that comes again with the same timestamp and signature is taken again: what may happen once only carries a
    `sendRequestId`, and a signature is worth no more than its timestamp's minute.
    """
    name, signature = given.text("smsUser"), given.text("signature")
    if not name:
        raise SmsFailure(472)
    if not has_form(signature):
        raise SmsFailure(421)
    signer = await served.sms_users.signing_keys(name) if len(name) <= LONGEST_NAME else None
    if signer is None:
        raise SmsFailure(471)
    if signer.disabled:
        raise SmsFailure(473, "该SMS_USER已停用")
    if not is_signed(signature, signer.keys, given):
        raise SmsFailure(422)
    if (timestamp := given.text("timestamp")) and not is_timely(timestamp, now()):
        raise SmsFailure(461)
    if signer.caller.sms_user_id is not None:
        await served.call_rate.take(signer.caller.sms_user_id)
    return SmsCall(served, signer.caller, signer.name, given)
