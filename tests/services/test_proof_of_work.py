"""The proof of work before a code: what counts as one, and that it does so once."""

import asyncio
import base64
import datetime as dt
import json

from domain.errors import Refusal
from store.db import Database
from tests.accounts_world import BOB, HERE
from tests.phone_world import HOUR, MINUTE, PHONE, asked, later, phone_house, proof, registered, system_values
from tests.services.test_phone_codes import refused


async def test_a_proof_works_once(db: Database) -> None:
    home = await phone_house(db)
    hers, his = await registered(home), await registered(home, email=BOB)
    once = proof(home)
    send = home.services.phone_codes.send
    answers = await asyncio.gather(
        send(hers.handle, "13800138000", once, HERE), send(his.handle, "13900139000", once, HERE),
        return_exceptions=True,
    )  # fmt: skip
    assert [each.code for each in answers if isinstance(each, Refusal)] == ["proof_over"], answers
    assert len(await system_values(home)) == 1
    third = await registered(home, email="carol@customer.example")
    assert (await refused(send(third.handle, "13700137000", once, HERE))).code == "proof_over"


async def test_a_proof_is_not_used_up_by_what_was_refused(db: Database) -> None:
    home = await phone_house(db)
    made = await registered(home)
    kept = proof(home)
    await asked(home, made)
    assert (await refused(home.services.phone_codes.send(made.handle, PHONE, kept, HERE))).code == "too_many_requests"
    await later(home, MINUTE)
    assert (await home.services.phone_codes.send(made.handle, PHONE, kept, HERE)).codes_sent == 2


def forged(genuine: str, **changes: object) -> str:
    payload = json.loads(base64.b64decode(genuine))
    payload["challenge"]["parameters"].update(changes)
    return base64.b64encode(json.dumps(payload).encode()).decode()


async def test_what_is_no_proof(db: Database) -> None:
    home = await phone_house(db)
    made = await registered(home)
    good = proof(home)
    payload = json.loads(base64.b64decode(good))
    payload["solution"]["counter"] += 1
    past = int((dt.datetime.now(dt.UTC) - MINUTE).timestamp())
    bad = {
        "": "proof_needed",
        "x": "proof_needed",
        "{}": "proof_needed",
        base64.b64encode(b"[]").decode(): "proof_needed",
        base64.b64encode(b'{"challenge": null, "solution": 1}').decode(): "proof_needed",
        base64.b64encode(json.dumps(payload).encode()).decode(): "proof_needed",
        forged(good, cost=0): "proof_needed",
        forged(good, keyPrefix=""): "proof_needed",
        forged(good, expiresAt=past): "proof_over",
        forged(good, expiresAt=past + 10**6): "proof_needed",
        good + "A" * 5000: "proof_needed",
    }
    for each, code in bad.items():
        refusal = await refused(home.services.phone_codes.send(made.handle, PHONE, each, HERE))
        assert refusal.code == code, each[:40]
    assert await system_values(home) == []


async def test_old_proofs_are_forgotten(db: Database) -> None:
    home = await phone_house(db)
    await asked(home, await registered(home))
    assert await db.pool.fetchval("SELECT count(*) FROM spent_proof") == 1
    await later(home, HOUR)
    home.services.phone_codes._work._swept -= HOUR
    await asked(home, await registered(home, email=BOB))
    assert await db.pool.fetchval("SELECT count(*) FROM spent_proof") == 1
