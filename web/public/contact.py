"""The public contact form."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from domain.errors import Refusal
from web.pages import again, render, served
from web.visitors import Visiting

router = APIRouter()
Text = Annotated[str, Form()]


@router.get("/contact")
async def form(request: Request) -> Response:
    return render(request, "public/contact.html", number=None)


@router.post("/contact")
async def ask(request: Request, visitor: Visiting, email: Text = "", subject: Text = "", body: Text = "") -> Response:
    """Keeps the message and shows its number."""
    try:
        number = await served(request).contact.ask(email, subject, body, visitor)
    except Refusal as refusal:
        typed = {"email": email, "subject": subject, "body": body}
        return again(request, "public/contact.html", refusal, typed, number=None)
    return render(request, "public/contact.html", number=number)
