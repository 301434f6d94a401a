"""A mobile number: `/v1/registrations/phone…` for who registers, `/v1/account/phone…` for members."""

import datetime as dt
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.callers import MemberCaller, Served
from api.problems import Problem
from api.v1.visitors import Visiting
from domain.phone_codes import PhoneStep

REFUSED: dict[int | str, dict[str, Any]] = {code: {"model": Problem} for code in (401, 403, 409, 410, 422, 429, 503)}
router = APIRouter(prefix="/v1", tags=["account"], responses=REFUSED)

_MOMENT = "2026-11-23T08:01:00Z"
Written = Annotated[
    str,
    Field(
        "", max_length=80, examples=["138 0013 8000"],
        description="As people write it; without `+` or `00` a number of mainland China. Empty: the one given before.",
    ),
]  # fmt: skip
ProofText = Annotated[
    str,
    Field(
        max_length=4_000, examples=["eyJjaGFsbGVuZ2UiOnsi…"],
        description="A solution of `GET /v1/registrations/challenge`: base64 of ALTCHA's payload (v2). Works once.",
    ),
]  # fmt: skip
Code = Annotated[str, Field(max_length=64, examples=["042917"])]
Token = Annotated[str, Field(max_length=200, examples=["rt_3q2-7w"])]


class ChallengeParameters(BaseModel):
    algorithm: Literal["SHA-256"] = "SHA-256"
    cost: int = Field(examples=[7], description="Rounds of SHA-256 for each try.")
    keyLength: int = Field(examples=[32])  # noqa: N815 - ALTCHA's names
    keyPrefix: str = Field(examples=["0000"], description="How the derived key begins, in hex.")  # noqa: N815
    nonce: str = Field(examples=["4c0d5f9b2f1e4a56b1c2d3e4f5061728"])
    salt: str = Field(examples=["9a8b7c6d5e4f30211203f4e5d6c7b8a9"])
    expiresAt: int = Field(examples=[1795420800], description="Seconds since 1970.")  # noqa: N815


class ChallengeOut(BaseModel):
    """To be sent back as it is, with `solution: {counter, derivedKey}` beside it."""

    parameters: ChallengeParameters
    signature: str = Field(examples=["5d41402abc4b2a76b9719d911017c592"])


class CodeRequest(BaseModel):
    phone: Written
    proof: ProofText


class RegistrationCodeRequest(CodeRequest):
    registration_token: Token


class TypedCode(BaseModel):
    code: Code


class RegistrationTypedCode(TypedCode):
    registration_token: Token


class PhoneOut(BaseModel):
    """How far a number is."""

    state: Literal["none", "given", "sent", "confirmed"] = Field(examples=["sent"])
    phone: str = Field(examples=["+8613800138000"], description="E.164.")
    codes_sent: int = Field(examples=[1])
    tries_left: int = Field(examples=[5], description="0: ask for another code.")
    resend_at: dt.datetime | None = Field(examples=[_MOMENT], description="Not before then.")
    expires_at: dt.datetime | None = Field(examples=[_MOMENT], description="When the code does.")
    confirmed: str = Field(examples=[""], description="The number that is confirmed; another may wait for its code.")


@router.get("/registrations/challenge", summary="What to compute before asking for a code by SMS")
async def challenge(served: Served) -> ChallengeOut:
    """A proof of work (altcha.org, v2): the first counter whose derived key begins with `keyPrefix`.

    The key is `SHA-256(salt + nonce + counter)`, hashed `cost` times in all; `counter` has four bytes, the first one
    highest. Every library for ALTCHA solves it. Good for one code, for ten minutes.
    """
    return ChallengeOut.model_validate(served.phone_codes.challenge())


@router.post("/registrations/phone", status_code=202, summary="Send a code to a mobile number while registering")
async def send(body: RegistrationCodeRequest, served: Served, visitor: Visiting) -> PhoneOut:
    """Once a minute, five times an hour, ten times a day for each number. The same answer for every number."""
    return _out(await served.phone_codes.send(body.registration_token, body.phone, body.proof, visitor))


@router.post("/registrations/phone/confirm", summary="Confirm the mobile number by its code")
async def confirm(body: RegistrationTypedCode, served: Served) -> PhoneOut:
    """Ten minutes and five tries for each code. A repeat answers the same. The e-mail link is still needed."""
    return _out(await served.phone_codes.confirm(body.registration_token, body.code))


@router.get("/account/phone", summary="One's own mobile number")
async def show(served: Served, caller: MemberCaller) -> PhoneOut:
    """Of the signed-in member."""
    return _out(await served.phone_codes.of_member(caller))


@router.post("/account/phone", status_code=202, summary="Send a code to a new mobile number")
async def send_to_member(body: CodeRequest, served: Served, caller: MemberCaller, visitor: Visiting) -> PhoneOut:
    """The number that is confirmed stays until the code of the new one is typed."""
    return _out(await served.phone_codes.send_to_member(caller, body.phone, body.proof, visitor))


@router.post("/account/phone/confirm", summary="Confirm one's mobile number by its code")
async def confirm_of_member(body: TypedCode, served: Served, caller: MemberCaller) -> PhoneOut:
    """A repeat answers the same."""
    return _out(await served.phone_codes.confirm_of_member(caller, body.code))


@router.delete("/account/phone", status_code=204, summary="Take one's mobile number off")
async def remove(served: Served, caller: MemberCaller) -> None:
    """A second time changes nothing."""
    await served.phone_codes.remove(caller)


def _out(step: PhoneStep) -> PhoneOut:
    return PhoneOut(
        state=step.stage.value, phone=step.phone, codes_sent=step.codes_sent, tries_left=step.tries_left,
        resend_at=step.resend_at, expires_at=step.expires_at, confirmed=step.confirmed,
    )  # fmt: skip
