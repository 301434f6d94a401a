"""Whose address counts: behind a proxy of ours the one that it names, before anybody else's the connection's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest
from pydantic import ValidationError

from cli import web_server
from settings import Settings
from store.db import Database
from tests.accounts_world import ALICE, SECRET, house
from tests.browsing import on_a_port

MOST, TOO_MANY = 5, 429
"""Letters that one address may send in an hour."""
LETTER = {"email": ALICE, "subject": "a", "body": "b"}


def settings(**values: object) -> Settings:
    return Settings.model_validate({"secret_key": SECRET, **values})


@asynccontextmanager
async def from_here(db: Database, **values: object) -> AsyncIterator[httpx2.AsyncClient]:
    """A client whose connection comes from 127.0.0.1, at a server as `songda api` runs it."""
    options = web_server(settings(**values))
    async with on_a_port((await house(db)).app, **options) as base, httpx2.AsyncClient(base_url=base) as client:
        yield client


async def writes(client: httpx2.AsyncClient, forwarded: str) -> int:
    answer = await client.post("/v1/contact", json=LETTER, headers={"x-forwarded-for": forwarded})
    return answer.status_code


async def test_each_visitor_behind_a_trusted_proxy_is_counted_by_themselves(db: Database) -> None:
    async with from_here(db) as client:
        assert {await writes(client, "203.0.113.1") for _ in range(MOST)} == {201}
        assert await writes(client, "203.0.113.1") == TOO_MANY
        assert await writes(client, "203.0.113.2") == 201
        assert await writes(client, "2001:db8::7") == 201


async def test_what_a_visitor_wrote_before_the_proxys_own_word_does_not_help(db: Database) -> None:
    async with from_here(db, trusted_proxies=["127.0.0.0/8", "10.1.2.3"]) as client:
        for number in range(MOST):
            assert await writes(client, f"198.51.100.{number}, 203.0.113.1, 10.1.2.3") == 201
        assert await writes(client, "198.51.100.99, 203.0.113.1, 10.1.2.3") == TOO_MANY


@pytest.mark.parametrize("trusted", [[], ["192.0.2.1"], ["10.0.0.0/8"]], ids=str)
async def test_nobody_else_is_believed(db: Database, trusted: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is uvicorn's own variable."""
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    async with from_here(db, trusted_proxies=trusted) as client:
        assert {await writes(client, f"203.0.113.{number}") for number in range(MOST)} == {201}
        assert await writes(client, "203.0.113.99") == TOO_MANY


@pytest.mark.parametrize("wrong", ["*", "proxy.example", "10.0.0.1/8", "", "127.0.0.1:80"])
def test_what_is_no_address_is_found_out_at_the_start(wrong: str) -> None:
    """uvicorn would take it for a name, and trust nobody."""
    with pytest.raises(ValidationError, match="trusted_proxies"):
        settings(trusted_proxies=[wrong])


def test_of_itself_only_this_machine_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings().trusted_proxies == ["127.0.0.1", "::1"]
    monkeypatch.setenv("SONGDA_TRUSTED_PROXIES", '["172.30.86.0/24"]')
    assert settings().trusted_proxies == ["172.30.86.0/24"]
