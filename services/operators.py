"""Operators at the console's door: password, authenticator or recovery code, sessions (design §10 of the rules).

Three steps: the password gives a ticket of five minutes; a ticket with a code gives a session; who is not enrolled yet
sets a password of their own and an authenticator up in between. What counts as a code: `services/second_factor.py`.
"""

import datetime as dt
import json
from dataclasses import dataclass
from uuid import UUID

from cryptography.fernet import InvalidToken

from domain.errors import Refusal
from domain.operators import (
    IDLE,
    LONGEST,
    NAME,
    TICKET_VALID,
    Enrolment,
    Operator,
    OperatorSignIn,
    Ticket,
    roles_of,
)
from domain.passwords import check_password
from domain.secrets import new_token
from domain.visitors import Visitor
from services.foundation import Foundation
from services.hashing import Hashing
from services.limits import Limit, Limits
from services.second_factor import (
    SecondFactor,
    enrolment_of,
    held,
    new_recovery_codes,
    new_secret,
    unchanged,
)
from services.sign_in_log import SignInLog
from store import audit_log
from store import operators as rows
from store.columns import now
from store.db import Session
from store.operators import OperatorRow, OperatorSession

WINDOW = dt.timedelta(minutes=15)
TRIES_HERE = Limit("operator", 5, WINDOW)
"""Passwords, of one visitor for one name; the right one clears it."""
TRIES_PER_NAME = Limit("operator-name", 40, WINDOW)
TRIES_PER_IP = Limit("operator-ip", 60, WINDOW)
CODES_HERE = Limit("operator-code", 5, WINDOW)
CODES_PER_NAME = Limit("operator-code-name", 20, dt.timedelta(hours=1))
"""Of everybody who knows the password: 20 guesses an hour at a million codes."""
SEEN_EVERY = dt.timedelta(minutes=1)
PREFIX = "so_"


@dataclass(frozen=True)
class FirstSignIn:
    """What somebody chooses when they sign in for the first time."""

    password: str
    code: str


class Operators:
    def __init__(self, base: Foundation, hashing: Hashing, limits: Limits) -> None:
        self._base = base
        self._hashing = hashing
        self._limits = limits
        self._factor = SecondFactor(base.vault)
        self._log = SignInLog(base, limits)

    async def present(self, name: str, password: str, visitor: Visitor) -> Ticket:
        """The first step. Raises `operator_sign_in_failed` or `too_many_requests`."""
        name = name.strip().lower()[:40]
        here = f"{visitor.ip} {name}"
        async with self._base.db.read() as session:
            row = await rows.by_name(session, name) if NAME.fullmatch(name) else None
        await self._count(row, (TRIES_PER_IP, visitor.place), (TRIES_PER_NAME, name), (TRIES_HERE, here))
        if not await self._hashing.matches(password, row.password_hash if row else None) or row is None:
            await self._log.refused("wrong_password" if row else "unknown_name", row.id if row else None)
            raise Refusal("operator_sign_in_failed")
        await self._limits.forget(TRIES_HERE, here)
        return Ticket(self._ticket(row), row.name, row.is_enrolled)

    async def complete(self, ticket: str, code: str, visitor: Visitor, former: str = "") -> OperatorSignIn:
        """The second step, by an authenticator's or a recovery code. The browser's `former` session ends."""
        row = await self._holder(ticket)
        if not row.is_enrolled:
            raise Refusal("operator_ticket_over")
        await self._count_code(row, visitor)
        async with self._base.db.begin() as session:
            fresh = await unchanged(session, row)
            how = self._factor.accept(fresh, code)
            if how:
                made = await self._begin(session, fresh, visitor, former)
                await audit_log.note(session, made.operator.actor, f"operator.sign_in.{how}", f"operator/{row.id}")
        if not how:
            await self._log.refused("wrong_code", row.id)
            raise Refusal("operator_code_failed", field="code")
        await self._limits.forget(CODES_HERE, f"{visitor.ip} {row.name}")
        return made

    async def enrolment(self, ticket: str) -> Enrolment:
        """What the authenticator is to be set up with; the same until it is confirmed."""
        row = await self._holder(ticket)
        async with self._base.db.begin() as session:
            fresh = await held(session, row)
            if fresh.is_enrolled:
                raise Refusal("operator_ticket_over")
            if fresh.totp_secret is None:
                fresh.totp_secret = self._factor.sealed(row.id, new_secret())
            return enrolment_of(row.name, self._factor.secret(fresh), self._base.policy.platform_name)

    async def enrol(self, ticket: str, first: FirstSignIn, visitor: Visitor) -> OperatorSignIn:
        """An own password, and the authenticator's first code: then they are in, with recovery codes to keep."""
        row = await self._holder(ticket)
        check_password(first.password, row.name)
        await self._count_code(row, visitor)
        if await self._hashing.matches(first.password, row.password_hash):
            raise Refusal("password_common", field="password")
        hashed = await self._hashing.make(first.password)
        codes = new_recovery_codes()
        async with self._base.db.begin() as session:
            fresh = await unchanged(session, row)
            if fresh.is_enrolled or fresh.totp_secret is None:
                raise Refusal("operator_ticket_over")
            step = self._factor.step(self._factor.secret(fresh), first.code, fresh.totp_step)
            if step is not None:
                fresh.password_hash, fresh.password_set_at, fresh.totp_confirmed_at = hashed, now(), now()
                fresh.totp_step, fresh.recovery_digests = step, self._factor.digests(fresh.id, codes)
                made = await self._begin(session, fresh, visitor, "")
                await audit_log.note(session, made.operator.actor, "operator.enrolled", f"operator/{row.id}")
        if step is None:
            await self._log.refused("wrong_code", row.id)
            raise Refusal("operator_code_failed", field="code")
        return OperatorSignIn(made.token, made.operator, codes)

    async def operator(self, token: str) -> Operator:
        """Who is behind a session's token. Raises `operator_unauthenticated`."""
        at = now()
        async with self._base.db.read() as session:
            digest = self._base.vault.digest(token)
            found = await rows.living(session, digest, at, IDLE) if token.startswith(PREFIX) else None
        if found is None:
            raise Refusal("operator_unauthenticated")
        living, row = found
        if at - living.last_seen_at > SEEN_EVERY:
            async with self._base.db.begin() as session:
                await rows.touch(session, living.id, at)
        return _operator(row, living.id)

    async def sign_out(self, token: str) -> None:
        """End the session behind a token; a dead one is no error."""
        digest = self._base.vault.digest(token)
        async with self._base.db.begin() as session:
            found = await rows.living(session, digest, now(), IDLE)
            await rows.revoke_token(session, digest, now())
            if found:
                operator = _operator(found[1], found[0].id)
                await audit_log.note(session, operator.actor, "operator.sign_out", f"operator/{operator.id}")

    async def sessions(self, operator: Operator) -> list[OperatorSession]:
        """The operator's own living sessions, last used first."""
        async with self._base.db.read() as session:
            return await rows.sessions_of(session, operator.id, now(), IDLE)

    async def revoke(self, operator: Operator, session_id: UUID) -> None:
        """End one of the operator's own sessions. Raises `not_found`."""
        async with self._base.db.begin() as session:
            if not await rows.revoke(session, operator.id, now(), only=session_id):
                raise Refusal("not_found", what="session")
            await audit_log.note(session, operator.actor, "operator.session.revoked", f"operator/{operator.id}")

    async def _count_code(self, row: OperatorRow, visitor: Visitor) -> None:
        await self._count(row, (CODES_PER_NAME, row.name), (CODES_HERE, f"{visitor.ip} {row.name}"))

    async def _count(self, row: OperatorRow | None, *tries: tuple[Limit, str]) -> None:
        """Raises `too_many_requests`, and the log has it."""
        try:
            await self._limits.take(*tries)
        except Refusal:
            await self._log.operator_stopped(row.id if row else None)
            raise

    async def _begin(self, session: Session, row: OperatorRow, visitor: Visitor, former: str) -> OperatorSignIn:
        """Always a new token, so that one planted before the sign-in is worth nothing."""
        token, at = new_token(PREFIX), now()
        made = OperatorSession(
            operator_id=row.id, digest=self._base.vault.digest(token), expires_at=at + LONGEST,
            client=visitor.client[:60],
        )  # fmt: skip
        if former:
            await rows.revoke_token(session, self._base.vault.digest(former), at)
        session.add(made)
        return OperatorSignIn(token, _operator(row, made.id))

    def _ticket(self, row: OperatorRow) -> str:
        """Bound to the password that was shown: a reset voids it."""
        until = int((now() + TICKET_VALID).timestamp())
        claim = json.dumps([row.id.hex, until, self._base.vault.digest(row.password_hash).hex()[:16]])
        return self._base.vault.seal(claim.encode(), "operator-ticket").decode()

    async def _holder(self, ticket: str) -> OperatorRow:
        try:
            name, until, known = json.loads(self._base.vault.unseal(ticket.encode(), "operator-ticket"))
        except (InvalidToken, ValueError) as error:
            raise Refusal("operator_ticket_over") from error
        async with self._base.db.read() as session:
            row = await session.get(OperatorRow, UUID(name))
        current = row is not None and self._base.vault.digest(row.password_hash).hex()[:16] == known
        if row is None or not current or row.disabled_at or now().timestamp() > until:
            raise Refusal("operator_ticket_over")
        return row


def _operator(row: OperatorRow, session_id: UUID) -> Operator:
    return Operator(row.id, row.name, roles_of(row.roles), session_id, row.language)
