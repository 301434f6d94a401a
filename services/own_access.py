"""What operators change about their own way in: password, authenticator, recovery codes.

Each change asks for the current password and a code, so that a screen left open gives nobody a way in; and it ends
every other session of the operator.
"""

import contextlib
import datetime as dt
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from cryptography.fernet import InvalidToken

from domain.errors import Refusal
from domain.operators import Enrolment, Operator
from domain.passwords import check_password
from services.foundation import Foundation
from services.hashing import Hashing
from services.limits import Limit, Limits
from services.second_factor import SecondFactor, enrolment_of, new_recovery_codes, new_secret, unchanged
from store import audit_log
from store import operators as rows
from store.columns import now
from store.db import Session
from store.operators import OperatorRow

TRIES = Limit("operator-own", 5, dt.timedelta(minutes=15))
"""Of one operator, whatever is changed; what succeeds clears it."""
RENEWAL_VALID = dt.timedelta(minutes=15)
RENEWAL = "operator-renewal"


@dataclass(frozen=True)
class Proof:
    """What only the operator knows and has: the current password, and a code of the authenticator (or a recovery
    code)."""

    password: str
    code: str


@dataclass(frozen=True)
class WayIn:
    """How an operator signs in today."""

    password_set_at: dt.datetime | None
    authenticator_set_at: dt.datetime | None
    recovery_codes: int


@dataclass(frozen=True)
class Renewal:
    """A new authenticator that counts when it is confirmed; `ticket` brings the same one back."""

    ticket: str
    enrolment: Enrolment


class OwnAccess:
    def __init__(self, base: Foundation, hashing: Hashing, limits: Limits) -> None:
        self._base = base
        self._hashing = hashing
        self._limits = limits
        self._factor = SecondFactor(base.vault)

    async def show(self, operator: Operator) -> WayIn:
        """When each was set, and how many recovery codes are left."""
        row = await self._row(operator)
        return WayIn(row.password_set_at, row.totp_confirmed_at, len(row.recovery_digests))

    async def change_password(self, operator: Operator, proof: Proof, wanted: str) -> None:
        """Raises `operator_password_wrong`, `operator_code_failed`, and on `new` what `check_password` says."""
        known = await self._known(operator, proof)
        check_password(wanted, known.name, field="new")
        made = await self._hashing.make(wanted)
        async with self._proven(operator, known, proof) as (session, row):
            row.password_hash, row.password_set_at = made, now()
            await self._settle(session, operator, "password_changed")

    async def renew_codes(self, operator: Operator, proof: Proof) -> tuple[str, ...]:
        """New recovery codes, to be shown once; the former ones are worth nothing."""
        known, codes = await self._known(operator, proof), new_recovery_codes()
        async with self._proven(operator, known, proof) as (session, row):
            row.recovery_digests = self._factor.digests(row.id, codes)
            await self._settle(session, operator, "recovery_codes_renewed")
        return codes

    def renewal(self, operator: Operator) -> Renewal:
        """An authenticator to set up. Nothing is stored, and the present one goes on until this is confirmed."""
        secret, until = new_secret(), int((now() + RENEWAL_VALID).timestamp())
        claim = json.dumps([operator.id.hex, secret, until])
        return Renewal(self._base.vault.seal(claim.encode(), RENEWAL).decode(), self._enrolment(operator, secret))

    def same_renewal(self, operator: Operator, ticket: str) -> Renewal:
        """The one that was shown, as long as it is fresh; else a new one."""
        try:
            return Renewal(ticket, self._enrolment(operator, self._opened(operator, ticket)))
        except Refusal:
            return self.renewal(operator)

    async def renew_authenticator(self, operator: Operator, proof: Proof, ticket: str, code: str) -> None:
        """The new one counts from now on: `code` is its own. Recovery codes stay. Raises `operator_renewal_over`."""
        secret, known = self._opened(operator, ticket), await self._known(operator, proof)
        async with self._proven(operator, known, proof) as (session, row):
            step = self._factor.step(secret, code, 0)
            if step is None:
                raise Refusal("operator_code_failed", field="new_code")
            row.totp_secret, row.totp_confirmed_at, row.totp_step = self._factor.sealed(row.id, secret), now(), step
            await self._settle(session, operator, "authenticator_renewed")

    async def _row(self, operator: Operator) -> OperatorRow:
        async with self._base.db.read() as session:
            row = await session.get(OperatorRow, operator.id)
        if row is None:
            raise Refusal("operator_unauthenticated")
        return row

    async def _known(self, operator: Operator, proof: Proof) -> OperatorRow:
        """The operator, whose password this is; counted."""
        await self._limits.take((TRIES, str(operator.id)))
        row = await self._row(operator)
        if not await self._hashing.matches(proof.password, row.password_hash):
            await self._note_refused(operator, "wrong_password")
            raise Refusal("operator_password_wrong", field="current")
        return row

    @contextlib.asynccontextmanager
    async def _proven(
        self, operator: Operator, known: OperatorRow, proof: Proof
    ) -> AsyncIterator[tuple[Session, OperatorRow]]:
        """One transaction with the row locked, and as it was when the password was compared; the code is used up."""
        async with self._base.db.begin() as session:
            row = await unchanged(session, known)
            right = self._factor.accept(row, proof.code)
            if right:
                yield session, row
        if not right:
            await self._note_refused(operator, "wrong_code")
            raise Refusal("operator_code_failed", field="code")
        await self._limits.forget(TRIES, str(operator.id))

    async def _settle(self, session: Session, operator: Operator, what: str) -> None:
        """Every other session ends, and the log says why."""
        await rows.revoke(session, operator.id, now(), spare=operator.session_id)
        await audit_log.note(session, operator.actor, f"operator.{what}", f"operator/{operator.id}")

    async def _note_refused(self, operator: Operator, why: str) -> None:
        async with self._base.db.begin() as session:
            await audit_log.note(session, operator.actor, f"operator.own_access.{why}", f"operator/{operator.id}")

    def _opened(self, operator: Operator, ticket: str) -> str:
        try:
            name, secret, until = json.loads(self._base.vault.unseal(ticket.encode(), RENEWAL))
        except (InvalidToken, ValueError) as error:
            raise Refusal("operator_renewal_over") from error
        if name != operator.id.hex or now().timestamp() > until:
            raise Refusal("operator_renewal_over")
        return str(secret)

    def _enrolment(self, operator: Operator, secret: str) -> Enrolment:
        return enrolment_of(operator.name, secret, self._base.policy.platform_name)
