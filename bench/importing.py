"""A file of a million members, uploaded over REST into a running stack, until the last line is in the list (§7)."""

import asyncio
import datetime as dt
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2

from bench.customers import make_customer
from bench.ground import DOMAINS, Ground, Plan, ground, high_water_mb
from bench.report import Report, machine
from bench.screen import Screen
from domain.secrets import SESSION_PREFIX, new_token
from store.accounts import LoginSession, Member
from store.columns import now
from supervision.errors import CannotStart

FEW = 10_000
"""Lines of the file that shows what the worker holds before the large one."""
LOOK_EVERY = 0.5
PATIENCE = 900.0
_LINES_AT_ONCE = 10_000


@dataclass(frozen=True)
class Options:
    lines: int
    """Below the header."""


async def run(options: Options, screen: Screen) -> Report:
    """A small file first, then the large one into the same list: its first lines are members already."""
    screen.step("Starting a stack")
    async with ground(Plan(), screen.say) as place:
        async with await member(place) as http:
            made = await _answer(http.post("/v1/address-lists", json={"name": "Bench"}))
            screen.step("A small file", FEW)
            await imported(http, made["id"], place.folder, FEW, screen)
            small = place.worker_rss_mb()
            screen.step("The file", options.lines)
            large = await imported(http, made["id"], place.folder, options.lines, screen)
            screen.done()
            there = await _answer(http.get(f"/v1/address-lists/{made['id']}"))
        figures = large | {
            "members": there["members"],
            "worker_rss_mb": round(place.worker_rss_mb(), 1),
            "worker_rss_small_mb": round(small, 1),
            "api_rss_mb": round(max((high_water_mb(pid) for pid in place.pids("api")), default=0.0), 1),
        }
        return Report("import", figures, machine=machine(sink=place.sink.name))


async def member(place: Ground) -> httpx2.AsyncClient:
    """HTTP as a signed-in member of a new account: keys of API users may not change lists."""
    customer = await make_customer(place.db, place.vault, "import")
    token = new_token(SESSION_PREFIX)
    async with place.db.begin() as session:
        row = Member(
            account_id=customer.account, email=f"bench@{customer.domain}", password_hash="-", email_confirmed_at=now()
        )
        session.add(row)
        await session.flush()
        session.add(_session(row.id, customer.account, place.vault.digest(token)))
    return place.client(token)


def _session(member_id: UUID, account: UUID, digest: bytes) -> LoginSession:
    return LoginSession(
        member_id=member_id, account_id=account, digest=digest, expires_at=now() + dt.timedelta(hours=2)
    )


async def imported(http: httpx2.AsyncClient, list_id: str, folder: Path, lines: int, screen: Screen) -> dict[str, Any]:
    """Write a file of so many lines, upload it, wait for its end: what that took."""
    file = folder / "members.csv"
    size = await asyncio.to_thread(write, file, lines)
    began = time.monotonic()
    with file.open("rb") as body:
        files = {"file": ("members.csv", body, "text/csv")}
        one = await _answer(http.post(f"/v1/address-lists/{list_id}/imports", files=files, timeout=PATIENCE))
    uploaded = time.monotonic()
    async with asyncio.timeout(PATIENCE):
        while not one["finished_at"]:
            await asyncio.sleep(LOOK_EVERY)
            one = await _answer(http.get(f"/v1/address-lists/{list_id}/imports/{one['id']}"))
            screen.at(one["lines"])
    seconds = time.monotonic() - began
    file.unlink()
    if one["state"] != "done" or one["added"] + one["updated"] + one["repeated"] + one["refused"] != lines:
        raise CannotStart(f"The import ended as {one}")
    return {
        "lines": lines,
        "lines_per_s": round(lines / seconds, 1),
        "seconds": round(seconds, 2),
        "upload_s": round(uploaded - began, 2),
        "file_mb": round(size / 2**20, 1),
        **{name: one[name] for name in ("added", "updated", "repeated", "refused")},
    }


def write(file: Path, lines: int) -> int:
    """A file of so many members with variables; returns its size. One line in a thousand cannot be a member."""
    with file.open("w", encoding="utf-8") as sink:
        sink.write("email,name,city,order\n")
        for piece in pieces(lines):
            sink.write(piece)
    return file.stat().st_size


def pieces(lines: int) -> Iterator[str]:
    for first in range(0, lines, _LINES_AT_ONCE):
        yield "".join(map(line, range(first, min(first + _LINES_AT_ONCE, lines))))


def line(number: int) -> str:
    if number % 1_000 == 999:
        return f"reader-{number} has no address,,,\n"
    return f"reader-{number:08d}@{DOMAINS[number % len(DOMAINS)]},读者{number},武汉,A-{number:09d}\n"


async def _answer(asked: Any) -> dict[str, Any]:
    answer: httpx2.Response = await asked
    if answer.is_error:
        raise CannotStart(
            f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:300]}"
        )
    return dict(answer.json())
