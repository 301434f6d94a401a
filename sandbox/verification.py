"""Looks at the DKIM signatures of received mails (RFC 6376), with keys from the sandbox's own DNS."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from dataclasses import asdict, dataclass
from email.parser import BytesHeaderParser
from email.utils import parseaddr

import dkim

from sandbox.mailbox import Mailbox, readable
from sandbox.zones import Zones

_BATCH = 50
_LONG = 256 * 1024  # a signature over more than this takes long enough to be felt by other sessions

_log = logging.getLogger("sandbox.dkim")
# dkimpy reports every failed signature there; we return the reason instead.
_quiet = logging.Logger("sandbox.dkim.library", logging.CRITICAL + 1)
# Mails and keys come from outside; dkimpy lets these out for broken headers, tags, keys (found by fuzzing).
_BROKEN = (
    dkim.DKIMException,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True)
class Signature:
    """One DKIM-Signature header: ``result`` is pass or fail; ``aligned`` with the From domain (DMARC)."""

    result: str
    domain: str
    selector: str
    aligned: bool
    reason: str = ""


def verify(raw: bytes, zones: Zones) -> tuple[str, list[Signature]]:
    """``pass`` when one signature passes, ``none`` without signatures, else ``fail``."""
    try:
        message = dkim.DKIM(raw, logger=_quiet)
    except _BROKEN as problem:
        return "fail", [Signature("fail", "", "", False, f"{type(problem).__name__}: {problem}")]
    count = sum(1 for name, _ in message.headers if name.lower() == b"dkim-signature")
    found = [_verify_one(raw, at, zones) for at in range(min(count, 10))]
    results = [signature.result for signature in found]
    overall = next((each for each in ("pass", "fail") if each in results), "none")
    return overall, found


def _verify_one(raw: bytes, at: int, zones: Zones) -> Signature:
    message = dkim.DKIM(raw, logger=_quiet)
    asked: list[tuple[str, int]] = []

    def key_text(name: bytes, timeout: int = 5) -> bytes | None:
        host = name.decode("ascii", "replace")
        texts = zones.texts(host)
        asked.append((host.rstrip("."), len(texts)))
        return texts[0] if texts else None

    try:
        passed, reason = bool(message.verify(at, key_text)), ""
    except _BROKEN as problem:
        passed, reason = False, f"{type(problem).__name__}: {problem}"
    if not passed and not reason:
        reason = "the signature does not fit the message or its key"
        if asked and not asked[-1][1]:
            reason = f"no key published at {asked[-1][0]}"
    tags: dict[bytes, bytes] = getattr(message, "signature_fields", None) or {}
    domain = tags.get(b"d", b"").decode("ascii", "replace")
    selector = tags.get(b"s", b"").decode("ascii", "replace")
    return Signature("pass" if passed else "fail", domain, selector, _aligned(domain, raw), reason)


def _aligned(domain: str, raw: bytes) -> bool:
    author = parseaddr(readable(BytesHeaderParser().parsebytes(raw[:65_536]).get("From")))[1]
    of, by = author.rpartition("@")[2].lower(), domain.lower()
    return bool(by) and (of == by or of.endswith("." + by) or by.endswith("." + of))


class Verifier:
    """Verifies in the background, mail by mail, so that receiving stays quick."""

    def __init__(self, mailbox: Mailbox, zones: Zones) -> None:
        self._mailbox = mailbox
        self._zones = zones

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                busy = await self.catch_up() > 0
            except sqlite3.Error as problem:  # a full disk, say: mails stay pending until it has room
                _log.warning("cannot store DKIM results: %s", problem)
                busy = False
            if not busy:
                await asyncio.sleep(0.2)

    async def catch_up(self) -> int:
        """Verify one batch of what waits; returns how many there were."""
        waiting = await self._mailbox.unverified(_BATCH)
        results = [await self._verify(number, raw) for number, raw in waiting]
        if results:
            await self._mailbox.set_dkim(results)
        return len(results)

    async def _verify(self, number: int, raw: bytes) -> tuple[str, str, int]:
        if len(raw) > _LONG:
            overall, found = await asyncio.to_thread(verify, raw, self._zones)
        else:
            await asyncio.sleep(0)  # let SMTP sessions speak between two signatures
            overall, found = verify(raw, self._zones)
        return overall, json.dumps([asdict(signature) for signature in found]), number
