"""A proof of work before an SMS is sent: each costs us money, and pumping them shall cost its author (ALTCHA, v2).

The challenge is signed by us and kept nowhere. Whoever solves it has tried, on average, `Policy.registration_work`
hashes; the answer is checked with a few.
"""

import datetime as dt
from dataclasses import dataclass

from altcha import Payload, create_challenge, verify_solution

from domain.errors import Refusal
from services.foundation import Foundation
from store import phone_codes
from store.columns import now
from store.db import Session

ALGORITHM = "SHA-256"
VALID = dt.timedelta(minutes=10)
MAX_PROOF = 4_000
"""Characters of a solution; ours have about 600."""
_ONE_BYTE, _TWO_BYTES = 256, 65_536


@dataclass(frozen=True)
class Proof:
    """A solution that is right; `ProofOfWork.spend` says whether it is so for the first time."""

    nonce: str
    expires_at: dt.datetime


class ProofOfWork:
    def __init__(self, base: Foundation) -> None:
        self._base = base
        self._key = base.vault.digest("proof-of-work").hex()
        self._swept = now()

    def challenge(self) -> dict[str, object]:
        """What a browser is to solve: `{"parameters": {…}, "signature": "…"}` (altcha.org, proof of work v2)."""
        work = self._base.policy.registration_work
        prefix, tries = ("0000", _TWO_BYTES) if work >= _TWO_BYTES else ("00", _ONE_BYTE)
        made = create_challenge(
            ALGORITHM, max(1, work // tries), key_prefix=prefix, expires_at=now() + VALID, hmac_secret=self._key
        )
        return made.to_dict()

    def checked(self, proof: str) -> Proof:
        """Raises `proof_needed` for what is no solution of a challenge of ours, `proof_over` for an old one."""
        if not proof or len(proof) > MAX_PROOF:
            raise Refusal("proof_needed", field="proof")
        result = verify_solution(proof, self._key)
        if result.expired:
            raise Refusal("proof_over", field="proof")
        if not result.verified:
            raise Refusal("proof_needed", field="proof")
        signed = Payload.from_base64(proof).challenge.parameters
        return Proof(signed.nonce, dt.datetime.fromtimestamp(signed.expires_at or 0, dt.UTC))

    async def spend(self, session: Session, proof: Proof) -> None:
        """In the caller's transaction: what is refused later has not used it up. Raises `proof_over`."""
        if not await phone_codes.spend_proof(session, proof.nonce, proof.expires_at):
            raise Refusal("proof_over", field="proof")

    async def sweep(self) -> None:
        """Now and then: forget those that are refused by their age."""
        if now() - self._swept < VALID:
            return
        self._swept = now()
        async with self._base.db.begin() as session:
            await phone_codes.sweep_proofs(session, now() - VALID)
