"""The second factor of operators: codes of an authenticator, and recovery codes. Each counts once.

Codes follow RFC 6238 with one step of drift to either side, and no step is taken twice.
"""

import base64
import secrets
from collections.abc import Sequence
from uuid import UUID

import pyotp

from domain.errors import Refusal
from domain.operators import RECOVERY_CODES, Enrolment, matching_step
from domain.secrets import Vault
from store import operators as rows
from store.columns import now
from store.db import Session
from store.operators import OperatorRow

STEP = 30
"""Seconds of one code (RFC 6238 §5.2)."""


class SecondFactor:
    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def accept(self, row: OperatorRow, typed: str) -> str:
        """`totp` or `recovery` when the code counts; it is used up then.

        The row is locked (`unchanged`): of two who type the same code at once, the second finds it used.
        """
        tidy = "".join(typed.split()).lower().replace("-", "")
        step, digest = self.step(self.secret(row), tidy, row.totp_step), self._digest(row.id, tidy)
        if step is not None:
            row.totp_step = step
            return "totp"
        if digest in row.recovery_digests:
            row.recovery_digests = [each for each in row.recovery_digests if each != digest]
            return "recovery"
        return ""

    def step(self, secret: str, typed: str, last: int) -> int | None:
        """Which time step's code of this secret was typed, if it is later than `last`."""
        clock = int(now().timestamp()) // STEP
        totp = pyotp.TOTP(secret)
        codes = [(clock + drift, totp.generate_otp(clock + drift)) for drift in (-1, 0, 1)]
        return matching_step(codes, "".join(typed.split()), last)

    def secret(self, row: OperatorRow) -> str:
        """What the operator's authenticator knows."""
        return self._vault.unseal(row.totp_secret or b"", f"operator/{row.id}").decode()

    def sealed(self, operator: UUID, secret: str) -> bytes:
        """As the row keeps it."""
        return self._vault.seal(secret.encode(), f"operator/{operator}")

    def digests(self, operator: UUID, codes: Sequence[str]) -> list[str]:
        """What the row keeps of recovery codes."""
        return [self._digest(operator, code.replace("-", "")) for code in codes]

    def _digest(self, operator: UUID, tidy: str) -> str:
        return self._vault.digest(f"operator-recovery/{operator}/{tidy}").hex()


def new_secret() -> str:
    """Base32, for an authenticator to be set up with."""
    return pyotp.random_base32()


def new_recovery_codes() -> tuple[str, ...]:
    """Each of 50 random bits, in two groups that people can copy."""
    texts = [base64.b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(RECOVERY_CODES)]
    return tuple(f"{text[:5]}-{text[5:10]}" for text in texts)


def enrolment_of(name: str, secret: str, issuer: str) -> Enrolment:
    """The secret with its `otpauth://` URI (Google's Key Uri Format, which authenticators read)."""
    return Enrolment(name, secret, pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=issuer))


async def held(session: Session, row: OperatorRow) -> OperatorRow:
    """The row as it is, locked, if the password is still the one that was shown: a reset may have come meanwhile."""
    fresh = await rows.one_locked(session, row.id)
    if fresh is None or fresh.disabled_at or fresh.password_hash != row.password_hash:
        raise Refusal("operator_ticket_over")
    return fresh


async def unchanged(session: Session, row: OperatorRow) -> OperatorRow:
    """The same, if the authenticator is the same as well."""
    fresh = await held(session, row)
    if (fresh.totp_secret, fresh.totp_confirmed_at) != (row.totp_secret, row.totp_confirmed_at):
        raise Refusal("operator_ticket_over")
    return fresh
