"""Careful clients: each request has an idempotency key, and is repeated until it was answered.

What was answered with "accepted" is noted by recipient, of whom each is written to once in a whole run.
"""

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx2

from bench.campaign import order
from bench.customers import CODE, Customer
from bench.ground import DOMAINS, Ground
from bench.lists import make_list
from bench.texters import Texter, notice_to, phones
from store.db import DATABASE_TROUBLE

PATIENCE = 240.0
"""Seconds for which one request is repeated."""
ANSWER_WITHIN = 8.0
LONG_SHARE = 0.3
"""Of requests for SMS."""
_STATE = "SELECT state, finished_at IS NOT NULL AS over FROM campaign WHERE id = $1"
_MEMBERS = "SELECT address FROM list_member WHERE list_id = $1"


@dataclass
class Traffic:
    """`accepted` recipients; `unanswered` requests; campaigns with the lists they go to."""

    place: Ground
    seed: int
    accepted: set[str] = field(default_factory=set)
    unanswered: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    campaigns: dict[UUID, UUID] = field(default_factory=dict)
    texted: set[str] = field(default_factory=set)
    """Phones (E.164) of SMS that were accepted."""
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def singles(self, customer: Customer, tag: str, pause: float) -> None:
        """Requests of one to three recipients, one after the other, until told to stop."""
        chance = random.Random(f"{self.seed} {tag}")
        number = 0
        async with self.place.client(customer.trigger_key) as http:
            while not self.stop.is_set():
                number += 1
                people = [f"{tag}-{number}-{n}@{chance.choice(DOMAINS)}" for n in range(chance.randint(1, 3))]
                body = {"template": CODE, "from": customer.sender, "recipients": [_person(each) for each in people]}
                answer = await self._ask(http, "/v1/sends", body, f"{tag}-{number}")
                if answer is not None and answer["accepted"] == len(people):
                    self.accepted.update(people)
                await asyncio.sleep(chance.uniform(0.5, 1.5) * pause)

    async def texts(self, texter: Texter, line: int, pause: float) -> None:
        """SMS to one number or up to a hundred, one request after the other, until told to stop; some of two segments.
        `line`: numbers are of its own million."""
        chance = random.Random(f"{self.seed} texts {line}")
        number, first = 0, line * 1_000_000
        async with self.place.client(texter.key) as http:
            while not self.stop.is_set():
                number, count = number + 1, chance.choice((1, 1, 10, 100))
                numbers, first = phones(first, count), first + count
                body = notice_to(texter, numbers, long=chance.random() < LONG_SHARE)
                answer = await self._ask(http, "/v1/sms", body, f"t{line}-{number}")
                if answer is not None and answer["accepted"] == count:
                    self.texted.update(f"+86{phone}" for phone in numbers)
                await asyncio.sleep(chance.uniform(0.5, 1.5) * pause)

    async def campaigns_in_turn(self, customer: Customer, tag: str, members: int) -> None:
        """A new campaign to a new list as soon as the last one ended, until told to stop."""
        number = 0
        async with self.place.client(customer.batch_key) as http:
            while not self.stop.is_set():
                number += 1
                audience = await self._list(customer, f"{tag}-{number}", members)
                answer = await self._ask(http, "/v1/campaigns", order(customer, audience), f"{tag}-{number}")
                if answer is None:
                    return
                campaign = UUID(answer["id"])
                self.campaigns[campaign] = audience
                while not self.stop.is_set() and not await self.over(campaign):
                    await asyncio.sleep(0.5)

    async def _list(self, customer: Customer, tag: str, members: int) -> UUID:
        """Made by the bench itself, in spite of restarts: what an earlier try left is no list of ours."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return await make_list(self.place.db, customer.account, f"{tag}-{attempt}", members, _unseen)
            except DATABASE_TROUBLE:
                await asyncio.sleep(0.5)

    async def over(self, campaign: UUID) -> bool:
        """Whether it ended; while the database is away nobody knows."""
        try:
            row = await self.place.db.pool.fetchrow(_STATE, campaign)
        except DATABASE_TROUBLE:
            return False
        return row is not None and bool(row["over"])

    async def note_members(self) -> None:
        """Everybody on the lists of accepted campaigns counts as accepted. Call when the database is at rest."""
        for audience in self.campaigns.values():
            rows = await self.place.db.pool.fetch(_MEMBERS, audience)
            self.accepted.update(row["address"] for row in rows)

    async def _ask(self, http: httpx2.AsyncClient, path: str, body: dict[str, Any], key: str) -> dict[str, Any] | None:
        """The answer to the first try that was answered; None when none was, or when it was refused."""
        end = time.monotonic() + PATIENCE
        headers = {"Idempotency-Key": f"chaos-{self.seed}-{key}"}
        while time.monotonic() < end:
            try:
                answer = await http.post(path, json=body, headers=headers, timeout=ANSWER_WITHIN)
            except httpx2.TransportError:
                await asyncio.sleep(0.3)
                continue
            if answer.status_code < 300:
                document: dict[str, Any] = answer.json()
                return document
            if answer.status_code < 500 and answer.status_code != 429:
                self._note_refusal(path, answer)
                return None
            await asyncio.sleep(0.3)
        self.unanswered += 1
        return None

    def _note_refusal(self, path: str, answer: httpx2.Response) -> None:
        name = f"{path} {answer.status_code} {answer.text[:200]}"
        self.refused[name] = self.refused.get(name, 0) + 1


def _person(address: str) -> dict[str, Any]:
    return {"address": address, "variables": {"code": "123456"}}


def _unseen(_: int) -> None:
    """Nobody watches these lists grow."""
