"""`/v1/registrations`, `/v1/account`, `/v1/password-resets`, `/v1/contact`: becoming and being a customer."""

import datetime as dt
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from api.callers import MemberCaller, Served
from api.problems import Problem
from api.v1.visitors import Visiting
from domain.ids import Kind, workflow_id
from services.registrations import Form, Registered, Waiting

REFUSED: dict[int | str, dict[str, Any]] = {code: {"model": Problem} for code in (401, 403, 409, 410, 422, 429)}
router = APIRouter(prefix="/v1", tags=["account"], responses=REFUSED)

_MOMENT = "2026-11-23T08:00:00Z"
_ACCOUNT = "01935b2e-7c1a-7aaa-8000-3f5a9c0d1e2f"
Language = Literal["zh", "en"]
Email = Annotated[str, Field(max_length=320, examples=["li.lei@example.com"])]
Password = Annotated[
    str, Field(max_length=1000, examples=["correct horse battery"], json_schema_extra={"format": "password"})
]
Token = Annotated[str, Field(max_length=200)]


class NewRegistration(BaseModel):
    name: str = Field(max_length=200, examples=["闪达科技"], description="The company or team.")
    email: Email
    password: Password
    language: Language = Field("zh", description="Of the pages and mails.")
    phone: str = Field(
        "", max_length=80, examples=["138 0013 8000"],
        description="A mobile number; ask for its code afterwards. Whether it is needed is the platform's setting.",
    )  # fmt: skip


class RegistrationOut(BaseModel):
    """A mail with a link is on its way."""

    account_id: UUID = Field(examples=[_ACCOUNT])
    state: Literal["pending"] = "pending"
    expires_at: dt.datetime = Field(examples=[_MOMENT])
    workflow_id: str = Field(examples=[f"registration/{_ACCOUNT}"], description="For support.")


class NewRegistrationOut(RegistrationOut):
    registration_token: str = Field(
        examples=["rt_3q2-7w"], description="Shown once: resends the mail and corrects the address."
    )


class RegistrationToken(BaseModel):
    registration_token: Token = Field(examples=["rt_3q2-7w"])


class Correction(RegistrationToken):
    email: Email


class LinkToken(BaseModel):
    token: Token = Field(examples=["ce_Vb2nQ0"], description="From the link in the mail.")


class ConfirmedOut(BaseModel):
    """Test domain, test API user and sample template are there; onboarding has begun."""

    account_id: UUID = Field(examples=[_ACCOUNT])
    state: Literal["active"] = "active"
    workflow_id: str = Field(examples=[f"onboarding/{_ACCOUNT}"], description="For support.")


class AccountOut(BaseModel):
    account_id: UUID = Field(examples=[_ACCOUNT])
    name: str = Field(examples=["闪达科技"])
    email: Email
    language: Language


class AccountChange(BaseModel):
    language: Language


class PasswordChange(BaseModel):
    current: Password
    new: Password


class ResetRequest(BaseModel):
    email: Email


class Reset(LinkToken):
    password: Password


class ContactMessage(BaseModel):
    email: Email
    subject: str = Field(max_length=1000, examples=["No confirmation mail"])
    body: str = Field(max_length=20_000, examples=["I registered an hour ago and …"])


class ContactOut(BaseModel):
    number: UUID = Field(examples=[_ACCOUNT])


@router.post("/registrations", status_code=201, summary="Register")
async def register(body: NewRegistration, served: Served, visitor: Visiting) -> NewRegistrationOut:
    """Answers alike whether the address belongs to an account or not; its owner learns that by mail."""
    form = Form(body.name, body.email, body.password, body.language, body.phone)
    made = await served.registrations.register(form, visitor)
    return NewRegistrationOut(registration_token=made.handle, **_registration(made))


@router.post("/registrations/resend", status_code=202, summary="Send the confirmation mail again")
async def resend(body: RegistrationToken, served: Served) -> RegistrationOut:
    """At most once a minute and five times a day."""
    return RegistrationOut(**_registration(await served.registrations.resend(body.registration_token)))


@router.post("/registrations/address", status_code=202, summary="Correct a mistyped address before confirmation")
async def correct(body: Correction, served: Served) -> RegistrationOut:
    """Links to the former address stop working; a mail goes to the new one."""
    return RegistrationOut(**_registration(await served.registrations.correct(body.registration_token, body.email)))


@router.post("/registrations/confirm", summary="Confirm the e-mail address")
async def confirm(body: LinkToken, served: Served) -> ConfirmedOut:
    """A repeat answers the same."""
    account = await served.registrations.confirm(body.token)
    return ConfirmedOut(account_id=account, workflow_id=workflow_id(Kind.ONBOARDING, account))


@router.get("/account", summary="The account behind the session")
async def show(served: Served, caller: MemberCaller) -> AccountOut:
    """Name, address and language."""
    known = await served.accounts.profile(caller)
    return AccountOut.model_validate(
        {"account_id": known.account_id, "name": known.account_name, "email": known.email, "language": known.language}
    )


@router.patch("/account", summary="Change the language of mails")
async def change(body: AccountChange, served: Served, caller: MemberCaller) -> AccountOut:
    """Pages follow the browser's choice."""
    await served.accounts.set_language(caller, body.language)
    return await show(served, caller)


@router.put("/account/password", status_code=204, summary="Change the password")
async def change_password(body: PasswordChange, served: Served, caller: MemberCaller) -> None:
    """Every other session of the member ends; a mail says so."""
    await served.passwords.change(caller, body.current, body.new)


@router.post(
    "/password-resets", status_code=202, response_class=Response, summary="Ask for a link that resets the password"
)
async def ask_reset(body: ResetRequest, served: Served, visitor: Visiting) -> None:
    """Answers alike for every address."""
    await served.passwords.ask_reset(body.email, visitor)


@router.post("/password-resets/complete", status_code=204, summary="Set a new password by the link of the mail")
async def reset(body: Reset, served: Served, visitor: Visiting) -> None:
    """Every session of the member ends. A link works once; sixty tries an hour."""
    await served.passwords.reset(body.token, body.password, visitor)


@router.post("/contact", status_code=201, summary="Write to support")
async def contact(body: ContactMessage, served: Served, visitor: Visiting) -> ContactOut:
    """Open to everybody; five messages an hour."""
    return ContactOut(number=await served.contact.ask(body.email, body.subject, body.body, visitor))


def _registration(known: Registered | Waiting) -> dict[str, Any]:
    return {"account_id": known.account_id, "expires_at": known.expires_at, "workflow_id": known.workflow_id}
