"""Whoever guesses, or has us send mails, is stopped soon, on pages and on the API, and told when to come back."""

from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from store.db import Database
from tests.accounts_world import ALICE, House, csrf_of, house
from tests.operators_world import enrolled

WRONG = "not the right password"
TOO_MANY = 429


@dataclass(frozen=True)
class Guess:
    """What is tried again and again, and how many times that may be."""

    path: str
    most: int
    fields: dict[str, Any] = field(default_factory=dict)
    varied: str = ""
    """A field that is another each time."""

    def __str__(self) -> str:
        return f"{self.path} {self.varied}".strip()

    def body(self, number: int) -> dict[str, Any]:
        return self.fields | ({self.varied: f"x{number}@elsewhere.example"} if self.varied else {})


SIGN_IN = {"email": ALICE, "password": WRONG}
WORDS = "four unrelated words"
REGISTER = {"name": "A", "password": WORDS, "language": "zh"}
LETTER = {"email": ALICE, "subject": "a", "body": "b"}
PAGES = [
    Guess("/login", 10, SIGN_IN),
    Guess("/login", 100, {"password": WRONG}, "email"),
    Guess("/forgot", 5, {"email": ALICE}),
    Guess("/forgot", 30, {}, "email"),
    Guess("/register", 10, REGISTER | {"email": "new@customer.example"}),
    Guess("/register", 60, REGISTER, "email"),
    Guess("/contact", 5, LETTER),
    Guess("/invitation", 60, {"token": "in_guess", "password": WORDS, "repeated": WORDS}),
    Guess("/reset", 60, {"token": "pr_guess", "password": WORDS, "repeated": WORDS}),
    Guess("/console/login", 5, {"name": "rita", "password": WRONG}),
    Guess("/console/login", 60, {"password": WRONG}, "name"),
]
API = [
    Guess("/v1/sessions", 10, SIGN_IN),
    Guess("/v1/password-resets", 5, {"email": ALICE}),
    Guess("/v1/registrations", 10, REGISTER | {"email": "new@customer.example"}),
    Guess("/v1/contact", 5, LETTER),
    Guess("/v1/invitations/accept", 60, {"token": "in_guess", "password": WORDS}),
    Guess("/v1/password-resets/complete", 60, {"token": "pr_guess", "password": WORDS}),
]


@pytest.fixture
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred real hashes would take ten seconds, and are not what is looked at."""

    async def matches(*_: object) -> bool:
        return False

    async def make(*_: object) -> str:
        return "-"

    monkeypatch.setattr("services.hashing.Hashing.matches", matches)
    monkeypatch.setattr("services.hashing.Hashing.make", make)
    monkeypatch.setattr("services.passwords.LEAST_SECONDS", 0)


async def knocked(client: httpx2.AsyncClient, guess: Guess, number: int, token: str) -> httpx2.Response:
    if guess.path.startswith("/v1"):
        return await client.post(guess.path, json=guess.body(number))
    return await client.post(guess.path, data=guess.body(number) | {"csrf_token": token})


async def made(db: Database) -> House:
    home = await house(db)
    await home.member()
    await enrolled(home, "rita")
    await db.pool.execute("DELETE FROM throttle_hit")
    return home


@pytest.mark.parametrize("guess", [*PAGES, *API], ids=str)
async def test_guessing_is_stopped(db: Database, guess: Guess, request: pytest.FixtureRequest) -> None:
    home = await made(db)
    request.getfixturevalue("cheap_hashes")
    async with home.browser() as client:
        client.follow_redirects = False
        token = csrf_of(await client.get("/login"))
        answers = [await knocked(client, guess, number, token) for number in range(guess.most)]
        assert not {TOO_MANY, 403, 500} & {answer.status_code for answer in answers}
        stopped = await knocked(client, guess, guess.most, token)
    assert stopped.status_code == TOO_MANY
    if guess.path.startswith("/v1"):
        assert int(stopped.headers["retry-after"]) > 0
    else:
        assert "操作过于频繁" in stopped.text


LINKS = [guess for guess in (*PAGES, *API) if "token" in guess.fields]


@pytest.mark.parametrize("guess", LINKS, ids=str)
async def test_a_link_that_nobody_sent_costs_no_hash(
    db: Database, guess: Guess, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, made_for = await made(db), []

    async def make(_: object, password: str) -> str:
        made_for.append(password)
        return "-"

    monkeypatch.setattr("services.hashing.Hashing.make", make)
    async with home.browser() as client:
        answer = await knocked(client, guess, 0, csrf_of(await client.get("/login")))
    assert (answer.status_code, made_for) == (410, [])


async def test_a_forwarded_address_that_the_client_made_up_does_not_help(db: Database) -> None:
    home = await made(db)
    async with home.browser() as client:
        for number in range(12):
            invented = {"x-forwarded-for": f"203.0.113.{number}", "forwarded": f"for=203.0.113.{number}"}
            answer = await client.post("/v1/sessions", json=SIGN_IN, headers=invented)
        assert answer.status_code == TOO_MANY
