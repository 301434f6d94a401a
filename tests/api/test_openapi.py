"""`/openapi.json` describes every route with examples, and `/docs` asks nobody but this host."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI
from playwright.async_api import expect
from pydantic import SecretStr
from temporalio.client import Client

from api.app import create_app
from api.reference import METHODS, TAGS
from services.catalog import build_services
from services.clockwork import Clockwork
from services.foundation import Foundation
from settings import Settings
from store.db import Database
from tests.browsing import Chrome, on_a_port, window
from tests.dns_world import POLICY
from tests.route_table import api_routes
from tests.sending_world import VAULT

PLAIN = {"boolean"}
"""Types whose values need no example."""
PROBLEM = "application/problem+json"
OPEN = {"/v1/registrations", "/v1/sessions", "/v1/password-resets", "/v1/contact"}
"""Beginnings of the paths that are open to visitors."""


def application() -> FastAPI:
    return create_app(Settings(secret_key=SecretStr("s" * 64)))


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    document: dict[str, Any] = application().openapi()
    return document


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(`POST /v1/sends`, operation) of each."""
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                yield f"{method.upper()} {path}", methods[method]


def unexampled(document: dict[str, Any], schema: dict[str, Any], place: str) -> Iterator[str]:
    """Places in a schema that say by no example, default or list of values what they look like."""
    if {"example", "examples", "default", "enum", "const"} & schema.keys() or schema.get("type") in PLAIN:
        return
    if "$ref" in schema:
        named = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        yield from unexampled(document, named, place)
    elif kinds := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        for kind in kinds:
            if kind.get("type") != "null":
                yield from unexampled(document, kind, place)
    elif properties := schema.get("properties"):
        for name, inner in properties.items():
            yield from unexampled(document, inner, f"{place}.{name}")
    elif schema.get("type") == "array":
        yield from unexampled(document, schema["items"], f"{place}[]")
    else:
        yield place


def lacking(document: dict[str, Any], content: dict[str, Any], place: str) -> Iterator[str]:
    for kind, body in content.items():
        if not {"example", "examples"} & body.keys():
            yield from unexampled(document, body.get("schema", {}), f"{place} {kind} ")


def test_every_route_is_described(described: dict[str, Any]) -> None:
    known = dict(operations(described))
    assert len(known) > 50 and all(" /v1/" in name for name in known)
    for name, operation in known.items():
        assert operation.get("summary"), name
        assert operation.get("description"), name
        assert operation["tags"] and set(operation["tags"]) <= TAGS.keys(), name
    assert {tag for operation in known.values() for tag in operation["tags"]} == TAGS.keys()


def test_every_summary_is_written_by_us() -> None:
    """FastAPI makes a summary of the function's name where there is none."""
    app = application()
    routes = list(api_routes(app.routes))
    assert len(routes) == len(list(operations(app.openapi())))
    assert [route.path for route in routes if not route.summary] == []


def test_every_request_and_answer_has_examples(described: dict[str, Any]) -> None:
    gaps: list[str] = []
    for name, operation in operations(described):
        gaps += lacking(described, operation.get("requestBody", {}).get("content", {}), f"{name} request")
        for given in operation.get("parameters", []):
            gaps += () if "example" in given else unexampled(described, given["schema"], f"{name} ?{given['name']}")
        for status, answer in operation["responses"].items():
            if status.startswith("2"):
                gaps += lacking(described, answer.get("content", {}), f"{name} {status}")
    assert not gaps, "\n".join(gaps)


def test_the_check_of_examples_finds_what_lacks_them(described: dict[str, Any]) -> None:
    schema = {"properties": {"a": {"type": "string"}, "b": {"type": "array", "items": {"type": "integer"}}}}
    assert list(unexampled(described, schema, "x")) == ["x.a", "x.b[]"]


def test_every_route_tells_its_problems(described: dict[str, Any]) -> None:
    for name, operation in operations(described):
        problems = {status: answer for status, answer in operation["responses"].items() if status.startswith("4")}
        assert problems, name
        assert all(list(answer["content"]) == [PROBLEM] for answer in problems.values()), name
        if not any(name.split(" ")[1].startswith(path) for path in OPEN):
            assert "401" in problems, name
        if operation.get("requestBody") or operation.get("parameters"):
            assert "422" in problems, name
    assert list(unexampled(described, {"$ref": "#/components/schemas/Problem"}, "problem")) == []
    assert "HTTPValidationError" not in json.dumps(described)


@pytest.mark.browser
async def test_the_reference_shows_the_routes_and_asks_only_our_host(db: Database, chrome: Chrome) -> None:
    asked: set[str] = set()
    failed: list[str] = []
    app = application()
    client = await Client.connect("127.0.0.1:1", lazy=True)
    app.state.services = build_services(Foundation(db, Clockwork(db, client), VAULT, POLICY))
    async with on_a_port(app) as base, await window(chrome, 1300) as context:
        page = await context.new_page()
        page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
        page.on("response", lambda answer: failed.extend([] if answer.ok else [answer.url]))
        await page.goto(f"{base}/docs")
        await expect(page.locator(".opblock-summary-path", has_text="/v1/onboarding").first).to_be_visible()
        await page.locator(".opblock", has_text="Send a template to recipients").locator("button").first.click()
        await expect(page.get_by_text("Idempotency-Key").first).to_be_visible()
    assert asked == {urlsplit(base).netloc}
    assert failed == []
