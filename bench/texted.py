"""What became of the SMS of a chaos run: what the carrier took, beside what the rows and the books say."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from bench.ground import Ground
from bench.texters import Texter
from store.db import DATABASE_TROUBLE

SETTLED_WITHIN = 120.0
NAMED = 50
"""Phones of each kind that are named in the report; all are counted."""
_WAITING = """
SELECT count(*) FILTER (WHERE state = 'queued' OR state = 'sent' AND reason <> 'uncertain')::int AS waiting,
       (SELECT count(*) FROM tally WHERE account_id = $1)::int AS tallies,
       (SELECT count(*) FROM sms_receipt r JOIN sms_uncertain u USING (phone) WHERE r.fate = '')::int AS proofs
FROM message WHERE account_id = $1
"""
_ENDS = "SELECT address, state, reason, submitted, possible_duplicate FROM message WHERE account_id = $1"
_CHARGED = "SELECT coalesce(sum(sent), 0)::int FROM hold WHERE account_id = $1"


@dataclass(frozen=True)
class Books:
    """`uncertain`: the dialogue was cut and no receipt came, so the carrier never had it (or keeps silent)."""

    uncertain: set[str]
    marked: set[str]
    submitted: int
    charged: int


async def settled(place: Ground, texter: Texter) -> bool:
    """Wait until nothing of the customer's SMS is under way; False: it took too long."""
    end = time.monotonic() + SETTLED_WITHIN
    while time.monotonic() < end:
        try:
            row = await place.db.pool.fetchrow(_WAITING, texter.account)
            if not (row["waiting"] or row["tallies"] or row["proofs"]):
                return True
        except DATABASE_TROUBLE:
            pass  # it may still be coming back
        await asyncio.sleep(1.0)
    return False


async def read_books(place: Ground, texter: Texter) -> Books:
    rows = await place.db.pool.fetch(_ENDS, texter.account)
    return Books(
        uncertain={row["address"] for row in rows if row["reason"] == "uncertain"},
        marked={row["address"] for row in rows if row["possible_duplicate"]},
        submitted=sum(row["submitted"] for row in rows),
        charged=await place.db.pool.fetchval(_CHARGED, texter.account),
    )


def compared(accepted: set[str], taken: Counter[str], parts: int, books: Books) -> dict[str, Any]:
    """The figures. An SMS is *lost* when it was accepted, the carrier has not got it, and nobody says so."""
    lost = sorted(accepted - set(taken) - books.uncertain)
    twice = {phone: count for phone, count in sorted(taken.items()) if count > 1}
    return {
        "sms_accepted": len(accepted),
        "sms_taken": parts,
        "sms_lost": len(lost),
        "sms_uncertain": len(books.uncertain),
        "sms_twice": len(twice),
        "sms_twice_unlisted": len(set(twice) - books.marked),
        "sms_submitted_segments": books.submitted,
        "sms_charged_segments": books.charged,
        "sms_lost_phones": lost[:NAMED],
        "sms_twice_phones": dict(list(twice.items())[:NAMED]),
        "sms_broken": broken(len(lost), twice, parts, books),
    }


def broken(lost: int, twice: dict[str, int], parts: int, books: Books) -> list[str]:
    """Promises that were not kept, in words; empty when all were."""
    said = [f"{lost} SMS are lost"] if lost else []
    said += [f"{len(twice)} numbers were texted twice"] if set(twice) - books.marked else []
    if not parts == books.submitted == books.charged:
        said.append(f"taken {parts}, recorded {books.submitted}, charged {books.charged} segments")
    return said
