"""Operators at the console's door: password, authenticator or recovery code, sessions (design §10 of the rules).

Three steps: the password gives a ticket of five minutes; a ticket with a code gives a session; who is not enrolled yet
sets a password of their own and an authenticator up in between. Codes follow RFC 6238 with one step of drift to either
side, and no step is taken twice.
"""

import base64
import datetime as dt
import json
import secrets
from dataclasses import dataclass
from uuid import UUID

import pyotp
from cryptography.fernet import InvalidToken

from domain.errors import Refusal
from domain.operators import (
    IDLE,
    LONGEST,
    RECOVERY_CODES,
    TICKET_VALID,
    Enrolment,
    Operator,
    OperatorSignIn,
    Ticket,
    matching_step,
    roles_of,
)
from domain.passwords import check_password
from domain.secrets import new_token
from domain.visitors import Visitor
from services.foundation import Foundation
from services.hashing import Hashing
from services.limits import Limit, Limits
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
STEP = 30
"""Seconds of one code (RFC 6238 §5.2)."""


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

    async def present(self, name: str, password: str, visitor: Visitor) -> Ticket:
        """The first step. Raises `operator_sign_in_failed` or `too_many_requests`."""
        name = name.strip().lower()[:40]
        here = f"{visitor.ip} {name}"
        await self._limits.take((TRIES_PER_IP, visitor.ip), (TRIES_PER_NAME, name), (TRIES_HERE, here))
        async with self._base.db.read() as session:
            row = await rows.by_name(session, name)
        if not await self._hashing.matches(password, row.password_hash if row else None) or row is None:
            raise Refusal("operator_sign_in_failed")
        await self._limits.forget(TRIES_HERE, here)
        return Ticket(self._ticket(row), row.name, row.is_enrolled)

    async def complete(self, ticket: str, code: str, visitor: Visitor, former: str = "") -> OperatorSignIn:
        """The second step, by an authenticator's or a recovery code. The browser's `former` session ends."""
        row = await self._holder(ticket)
        if not row.is_enrolled:
            raise Refusal("operator_ticket_over")
        await self._count_code(row, visitor)
        typed = "".join(code.split()).lower().replace("-", "")
        async with self._base.db.begin() as session:
            fresh = await _unchanged(session, row)
            how = await self._accept(session, fresh, typed)
            if how:
                made = await self._begin(session, fresh, visitor, former)
                await audit_log.note(session, made.operator.actor, f"operator.sign_in.{how}", f"operator/{row.id}")
        if not how:
            raise Refusal("operator_code_failed", field="code")
        await self._limits.forget(CODES_HERE, f"{visitor.ip} {row.name}")
        return made

    async def enrolment(self, ticket: str) -> Enrolment:
        """What the authenticator is to be set up with; the same until it is confirmed."""
        row = await self._holder(ticket)
        async with self._base.db.begin() as session:
            fresh = await _held(session, row)
            if fresh.is_enrolled:
                raise Refusal("operator_ticket_over")
            if fresh.totp_secret is None:
                fresh.totp_secret = self._base.vault.seal(pyotp.random_base32().encode(), f"operator/{row.id}")
            return enrolment_of(row.name, self._secret(fresh), self._base.policy.platform_name)

    async def enrol(self, ticket: str, first: FirstSignIn, visitor: Visitor) -> OperatorSignIn:
        """An own password, and the authenticator's first code: then they are in, with recovery codes to keep."""
        row = await self._holder(ticket)
        check_password(first.password, row.name)
        await self._count_code(row, visitor)
        if await self._hashing.matches(first.password, row.password_hash):
            raise Refusal("password_common", field="password")
        hashed = await self._hashing.make(first.password)
        codes = tuple(_recovery_code() for _ in range(RECOVERY_CODES))
        async with self._base.db.begin() as session:
            fresh = await _unchanged(session, row)
            if fresh.is_enrolled or fresh.totp_secret is None:
                raise Refusal("operator_ticket_over")
            step = self._step(fresh, "".join(first.code.split()))
            if step is None:
                raise Refusal("operator_code_failed", field="code")
            fresh.password_hash, fresh.password_set_at, fresh.totp_confirmed_at = hashed, now(), now()
            fresh.totp_step = step
            fresh.recovery_digests = [self._digest(fresh.id, code) for code in codes]
            made = await self._begin(session, fresh, visitor, "")
            await audit_log.note(session, made.operator.actor, "operator.enrolled", f"operator/{row.id}")
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
        async with self._base.db.begin() as session:
            await rows.revoke_token(session, self._base.vault.digest(token), now())

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
        await self._limits.take((CODES_PER_NAME, row.name), (CODES_HERE, f"{visitor.ip} {row.name}"))

    async def _accept(self, session: Session, row: OperatorRow, typed: str) -> str:
        """`totp` or `recovery` when the code counts; it is used up then."""
        step = self._step(row, typed)
        if step is not None:
            return "totp" if await rows.take_step(session, row.id, step) else ""
        return "recovery" if await rows.take_recovery(session, row.id, self._digest(row.id, typed)) else ""

    def _step(self, row: OperatorRow, typed: str) -> int | None:
        clock = int(now().timestamp()) // STEP
        totp = pyotp.TOTP(self._secret(row))
        return matching_step([(clock + d, totp.generate_otp(clock + d)) for d in (-1, 0, 1)], typed, row.totp_step)

    def _secret(self, row: OperatorRow) -> str:
        return self._base.vault.unseal(row.totp_secret or b"", f"operator/{row.id}").decode()

    def _digest(self, operator: UUID, code: str) -> str:
        return self._base.vault.digest(f"operator-recovery/{operator}/{code.replace('-', '')}").hex()

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


def enrolment_of(name: str, secret: str, issuer: str) -> Enrolment:
    """The secret with its `otpauth://` URI (Google's Key Uri Format, which authenticators read)."""
    return Enrolment(name, secret, pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=issuer))


async def _held(session: Session, row: OperatorRow) -> OperatorRow:
    """The row as it is, locked, if the password is still the one that was shown: a reset may have come meanwhile."""
    fresh = await rows.one_locked(session, row.id)
    if fresh is None or fresh.disabled_at or fresh.password_hash != row.password_hash:
        raise Refusal("operator_ticket_over")
    return fresh


async def _unchanged(session: Session, row: OperatorRow) -> OperatorRow:
    """The same, if the authenticator is the same as well."""
    fresh = await _held(session, row)
    if (fresh.totp_secret, fresh.totp_confirmed_at) != (row.totp_secret, row.totp_confirmed_at):
        raise Refusal("operator_ticket_over")
    return fresh


def _operator(row: OperatorRow, session_id: UUID) -> Operator:
    return Operator(row.id, row.name, roles_of(row.roles), session_id, row.language)


def _recovery_code() -> str:
    """50 random bits, in two groups that people can copy."""
    text = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    return f"{text[:5]}-{text[5:10]}"
