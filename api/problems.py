"""Refusals and faults as RFC 9457 problem documents (`application/problem+json`)."""

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from domain.errors import Refusal
from domain.refusals import explain


class FieldProblem(BaseModel):
    """What is wrong with one value of the request."""

    field: str = Field(examples=["recipients[3].address"])
    code: str = Field(examples=["invalid"])
    detail: str = Field(examples=["This is not an e-mail address."])


class Problem(BaseModel):
    """RFC 9457; `code` is stable, `next_step` says what to do."""

    type: str = Field(examples=["urn:songda:problem:domain_not_usable"])
    title: str
    status: int
    code: str = Field(examples=["domain_not_usable"])
    detail: str
    next_step: str
    field: str | None = None
    errors: list[FieldProblem] = []


def problem(code: str, status: int, detail: str, next_step: str, **extra: object) -> JSONResponse:
    """One problem document."""
    body = {
        "type": f"urn:songda:problem:{code}",
        "title": code.replace("_", " "),
        "status": status,
        "code": code,
        "detail": detail,
        "next_step": next_step,
        **extra,
    }
    return JSONResponse(jsonable_encoder(body), status, media_type="application/problem+json")


def language_of(request: Request) -> str:
    """`zh` when the client prefers Chinese, else `en`."""
    return "zh" if request.headers.get("accept-language", "").lower().startswith("zh") else "en"


async def on_refusal(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)
    status, detail, step = explain(error, language_of(request))
    answer = problem(error.code, status, detail, step, field=error.field)
    if status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    if "seconds" in error.params:
        answer.headers["Retry-After"] = str(error.params["seconds"])
    return answer


async def on_invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [
        FieldProblem(field=_path(e["loc"]), code=str(e["type"]), detail=str(e["msg"])).model_dump()
        for e in error.errors()
    ]
    first = errors[0]
    return problem(
        "invalid",
        422,
        f"{first['field']}: {first['detail']}",
        "Correct the named fields and send the request again.",
        field=first["field"],
        errors=errors,
    )


def _path(location: tuple[int | str, ...]) -> str:
    """`('body', 'recipients', 3, 'address')` as `recipients[3].address`."""
    path = ""
    for part in location[1:] if len(location) > 1 else location:
        path += f"[{part}]" if isinstance(part, int) else (f".{part}" if path else str(part))
    return path


async def on_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return problem(
        "http_error", error.status_code, str(error.detail), "See /openapi.json for the routes and their methods."
    )


async def on_fault(request: Request, error: Exception) -> JSONResponse:
    """A fault of ours; the traceback goes to the log."""
    return problem("internal", 500, "Something went wrong on our side.", "Try again later; tell support the time.")


def install(app: FastAPI) -> None:
    """Give every JSON route these answers."""
    app.add_exception_handler(Refusal, on_refusal)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(Exception, on_fault)
