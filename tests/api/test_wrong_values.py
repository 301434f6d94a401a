"""What is wrong with a value is said in the caller's language, whatever our models can find wrong."""

import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from api.wrong_values import OTHERWISE, chinese, is_spoken
from store.db import Database
from tests.accounts_world import house
from tests.route_table import api_routes, application

CHINESE = {"accept-language": "zh-CN,zh;q=0.9"}
ENGLISH = re.compile("[a-z]{3}")
ODD: tuple[Any, ...] = (
    None, "", "x", "x" * 30_000, "\ud800", -1, 10**30, 1.5, "nan", float("inf"), True, [], [None], ["x"] * 200_000, {},
    {"y": 1}, "2026-13-99", "2026-11-23", "2026-11-23T08:00:00",
)  # fmt: skip
"""Each is wrong for something."""


def parts(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in a type, however deep."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from parts(field.annotation)
    for inside in get_args(annotation):
        yield from parts(inside)


def complaints(field: Any, value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """(type, context) of what a parameter or body finds wrong."""
    _, errors = field.validate(value, {}, loc=("body",))
    yield from ((each["type"], each.get("ctx", {})) for each in errors)


def of_a_model(model: type[BaseModel], odd: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the model finds wrong when each of its fields, and one that it does not have, is the odd value."""
    names = [field.alias or name for name, field in model.model_fields.items()]
    for value in (odd, dict.fromkeys([*names, "unknown"], odd)):
        try:
            model.model_validate(value)
        except ValidationError as error:
            yield from ((each["type"], each.get("ctx", {})) for each in error.errors())


def wanted(dependant: Any) -> Iterator[Any]:
    """The parameters and bodies that a route reads, its dependencies' included."""
    yield from (*dependant.path_params, *dependant.query_params, *dependant.body_params)
    for other in dependant.dependencies:
        yield from wanted(other)


def raised() -> dict[str, dict[str, Any]]:
    """Every error type, with a context, that the routes of `/v1` were brought to raise."""
    fields = [field for route in api_routes(application().routes) for field in wanted(route.dependant)]
    models = {model for field in fields for model in parts(field.field_info.annotation)}
    errors: dict[str, dict[str, Any]] = {}
    for odd in ODD:
        for field in fields:
            errors.update(complaints(field, odd))
        for model in models:
            errors.update(of_a_model(model, odd))
    return errors


def test_all_that_our_models_find_wrong_is_said_in_chinese() -> None:
    errors = raised()
    assert {"missing", "string_too_long", "uuid_parsing", "literal_error", "int_parsing"} <= errors.keys()
    assert [kind for kind in errors if not is_spoken(kind)] == []
    said = {kind: chinese(kind, context) for kind, context in errors.items()}
    assert [kind for kind, text in said.items() if not re.search(r"[\u4e00-\u9fff].*。$", text)] == []
    assert [kind for kind, text in said.items() if re.search(r"[{}]", text)] == []


def test_an_error_that_nobody_foresaw_is_said_in_chinese() -> None:
    assert chinese("made_up", {}) == OTHERWISE
    assert chinese("string_too_long", {}) == OTHERWISE


BODY = {"email": 7, "name": "x" * 300, "password": "four unrelated words", "language": "fr"}


@pytest.mark.parametrize(
    ("headers", "texts", "step"),
    [
        (CHINESE, ["应为文本（字符串）。", "最多 200 个字符。", "应为以下之一：'zh'、'en'。"], "请修改所列的字段"),
        ({}, ["Input should be a valid string", "String should have at most 200", "Input should be"], "Correct the"),
        ({"accept-language": "en"}, ["valid string"], "Correct the"),
    ],
)
async def test_a_client_is_told_in_its_language(
    db: Database, headers: dict[str, str], texts: list[str], step: str
) -> None:
    home = await house(db)
    async with home.browser(**headers) as client:
        answer = await client.post("/v1/registrations", json=BODY)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "invalid")
    assert problem["next_step"].startswith(step)
    details = " ".join(each["detail"] for each in problem["errors"])
    assert [text for text in texts if text not in details] == []
    assert {each["code"] for each in problem["errors"]} == {"string_type", "string_too_long", "literal_error"}


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "text"),
    [
        ("POST", "/v1/registrations", b"{nonsense", 422, "不是有效的 JSON"),
        ("POST", "/v1/registrations", b"[]", 422, "应为 JSON 对象"),
        ("GET", "/v1/nothing", b"", 404, "没有这个地址"),
        ("PUT", "/v1/registrations", b"", 405, "不支持这种方法"),
        ("POST", "/v1/registrations", b"x" * (65 * 2**10), 413, "请求超过 64 KB"),
        ("POST", "/v1/sessions", b"x" * (33 * 2**20), 413, "请求超过 32 MB"),
    ],
)
async def test_what_is_no_value_is_said_in_chinese_too(
    db: Database, method: str, path: str, content: bytes, status: int, text: str
) -> None:
    home = await house(db)
    async with home.browser(**CHINESE) as client:
        answer = await client.request(method, path, content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert text in answer.json()["detail"]
    assert not ENGLISH.search(answer.json()["next_step"].replace("openapi.json", ""))
