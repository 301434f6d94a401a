"""The limit of sends a minute, drawn from by several processes."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from domain.errors import Refusal
from services.call_rate import CallRate
from services.limits import Limits
from store.db import Database
from tests.sends_doors import foundation


async def taken(rate: CallRate, user: object, tries: int) -> int:
    """How many calls were allowed of so many at once."""
    answers = await asyncio.gather(*(rate.take(user) for _ in range(tries)), return_exceptions=True)  # type: ignore[arg-type]
    refused = [one for one in answers if one is not None]
    assert {one.code for one in refused if isinstance(one, Refusal)} <= {"too_many_requests"}
    return tries - len(refused)


async def test_processes_keep_one_limit(db: Database) -> None:
    base = await foundation(db)
    policy = replace(base.policy, calls_per_minute=1_000, time_scale=1.0)
    base = replace(base, policy=policy)
    one, two = CallRate(Limits(base), policy), CallRate(Limits(base), policy)
    user = uuid4()
    first = await taken(one, user, 600)
    assert first == 600
    assert await taken(two, user, 900) == 1_000 + 2 * 5 - first - 5  # each has half a share of its own
    assert await taken(two, uuid4(), 50) == 50
    with pytest.raises(Refusal, match="too_many_requests"):
        await two.take(user)


async def test_few_calls_cost_no_statement(db: Database) -> None:
    base = await foundation(db)
    assert await taken(CallRate(Limits(base), base.policy), uuid4(), 100) == 100
    assert await db.pool.fetchval("SELECT count(*) FROM throttle_hit") == 0
