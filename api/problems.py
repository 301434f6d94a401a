"""Refusals and faults as RFC 9457 problem documents (`application/problem+json`)."""

import json
import re
from collections.abc import Mapping
from typing import Any, cast

import structlog
from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from api.wrong_values import chinese
from domain.errors import Refusal
from domain.refusals import explain
from store.db import AGAIN_SECONDS, DATABASE_TROUBLE, out_of_service

log = structlog.get_logger(__name__)

ERRORS_SHOWN = 100
"""A request with 100,000 bad recipients is told of the first."""


class FieldProblem(BaseModel):
    """What is wrong with one value of the request."""

    field: str = Field(examples=["recipients[3].address"])
    code: str = Field(examples=["invalid"])
    detail: str = Field(examples=["This is not an e-mail address."])


class Problem(BaseModel):
    """RFC 9457; `code` is stable, `next_step` says what to do."""

    type: str = Field(examples=["urn:songda:problem:domain_not_usable"])
    title: str = Field(examples=["domain not usable"])
    status: int = Field(examples=[422])
    code: str = Field(examples=["domain_not_usable"])
    detail: str = Field(examples=["Sender domain “mail.example.com” is not usable: its DKIM record is not verified."])
    next_step: str = Field(examples=["Publish or mend the record shown on the domain's page (GET /v1/domains/{id})."])
    field: str | None = Field(None, examples=["from"])
    errors: list[FieldProblem] = Field([], description="One entry for each wrong value or line, where several are.")


class ProblemAnswer(JSONResponse):
    """What a request wrote is quoted in it, lone surrogates, too, which JSON can escape and UTF-8 cannot write."""

    media_type = "application/problem+json"

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


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
    return ProblemAnswer(jsonable_encoder(body), status)


def language_of(request: Request) -> str:
    """`zh` when the client prefers Chinese, else `en`."""
    return "zh" if request.headers.get("accept-language", "").lower().startswith("zh") else "en"


async def on_refusal(request: Request, error: Exception) -> JSONResponse:
    refusal = cast(Refusal, error)  # registered for this class alone
    status, detail, step = explain(refusal, language_of(request))
    answer = problem(refusal.code, status, detail, step, field=refusal.field)
    if status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    if "seconds" in refusal.params:
        answer.headers["Retry-After"] = str(refusal.params["seconds"])
    return answer


async def on_invalid(request: Request, error: Exception) -> JSONResponse:
    found = cast(RequestValidationError, error).errors()[:ERRORS_SHOWN]
    in_chinese = language_of(request) == "zh"
    errors = [_wrong(each, in_chinese).model_dump() for each in found]
    field, detail = errors[0]["field"], errors[0]["detail"]
    said, step = (
        (f"{field}：{detail}", "请修改所列的字段，然后重新发送请求。")
        if in_chinese
        else (f"{field}: {detail}", "Correct the named fields and send the request again.")
    )
    return problem("invalid", 422, said, step, field=field, errors=errors)


def _wrong(error: Mapping[str, Any], in_chinese: bool) -> FieldProblem:
    """One of pydantic's errors."""
    detail = chinese(str(error["type"]), error.get("ctx", {})) if in_chinese else str(error["msg"])
    return FieldProblem(field=_path(error["loc"]), code=str(error["type"]), detail=detail)


def _path(location: tuple[int | str, ...]) -> str:
    """`('body', 'recipients', 3, 'address')` as `recipients[3].address`."""
    path = ""
    for part in location[1:] if len(location) > 1 else location:
        path += f"[{part}]" if isinstance(part, int) else (f".{part}" if path else str(part))
    return path


_HTTP_CHINESE = {
    404: "没有这个地址。",
    405: "这个地址不支持这种方法。",
    413: "请求超过 {limit}，请分批发送。",
    415: "不支持这种内容类型。",
}
"""By status; in English the exception says it."""
_LIMIT = re.compile(r"\d+ [KM]B")
"""What it says of a body that is too large, which depends on the route."""


async def on_http_error(request: Request, error: Exception) -> JSONResponse:
    refused = cast(HTTPException, error)
    detail, step = str(refused.detail), "See /openapi.json for the routes and their methods."
    if language_of(request) == "zh":
        limit = next(iter(_LIMIT.findall(detail)), "")
        known = _HTTP_CHINESE.get(refused.status_code, f"请求无法处理（HTTP {refused.status_code}）。")
        detail = known.replace("{limit}", limit)
        step = "接口及其方法见 /openapi.json。"
    return problem("http_error", refused.status_code, detail, step)


async def on_fault(request: Request, error: Exception) -> JSONResponse:
    """A fault of ours; the traceback goes to the log."""
    if language_of(request) == "zh":
        return problem("internal", 500, "系统出现了问题。", "请稍后重试；如果问题依旧，请把时间告诉客服。")
    return problem("internal", 500, "Something went wrong on our side.", "Try again later; tell support the time.")


async def on_database_trouble(request: Request, error: Exception) -> JSONResponse:
    """Nothing is wrong with the request: the database is away, restarting or full."""
    return await on_refusal(request, unavailable(error))


def unavailable(error: Exception) -> Refusal:
    """What is said while the database is out of service; any other trouble with it is a fault, and raised again."""
    if not out_of_service(error):
        raise error
    log.warning("database_out_of_service", error=type(error).__name__)
    return Refusal("unavailable", seconds=AGAIN_SECONDS)


def install(app: FastAPI) -> None:
    """Give every JSON route these answers."""
    app.add_exception_handler(Refusal, on_refusal)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(Exception, on_fault)
    for kind in DATABASE_TROUBLE:
        app.add_exception_handler(kind, on_database_trouble)
