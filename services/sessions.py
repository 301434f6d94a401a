"""Signing in and out, and the sessions of a member."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from domain.accounts import SESSION_DAYS, AccountState, Caller, Role, SignedIn
from domain.addresses import BadAddress, normalise_address
from domain.errors import Refusal
from domain.secrets import SESSION_PREFIX, new_token
from domain.visitors import Visitor
from services.foundation import Foundation
from services.hashing import Hashing
from services.limits import Limit, Limits
from services.registrations import Registrations
from services.sign_in_log import SignInLog
from store import accounts as rows
from store import audit_log
from store.columns import now
from store.db import Session

WINDOW = dt.timedelta(minutes=15)
TRIES_HERE = Limit("sign-in", 10, WINDOW)
"""Of one visitor for one address; the right password clears it."""
TRIES_PER_ADDRESS = Limit("sign-in-address", 60, WINDOW)
"""Of everybody together: high, so that a stranger does not easily lock the owner out."""
TRIES_PER_IP = Limit("sign-in-ip", 100, WINDOW)


@dataclass(frozen=True)
class Unconfirmed:
    """The password is right, the address not confirmed: `handle` leads back to “check your mail”."""

    handle: str


class Sessions:
    def __init__(self, base: Foundation, hashing: Hashing, limits: Limits, registrations: Registrations) -> None:
        self._base = base
        self._hashing = hashing
        self._limits = limits
        self._registrations = registrations
        self._log = SignInLog(base, limits)

    async def sign_in(self, email: str, password: str, visitor: Visitor, former: str = "") -> SignedIn | Unconfirmed:
        """A new session; the browser's `former` one ends. Raises `sign_in_failed` or `too_many_requests`."""
        address = _any_case(email)
        await self._count(address, visitor)
        member, state = await self._candidate(address)
        if not await self._hashing.matches(password, member.password_hash if member else None) or member is None:
            raise Refusal("sign_in_failed")
        await self._limits.forget(TRIES_HERE, f"{visitor.ip} {address}")
        if state == AccountState.PENDING:
            return Unconfirmed(await self._registrations.new_handle(member))
        return await self.begin(member, visitor, former)

    async def _count(self, address: str, visitor: Visitor) -> None:
        """Raises `too_many_requests`, and the log of the member's account has it."""
        here = f"{visitor.ip} {address}"
        try:
            await self._limits.take((TRIES_PER_IP, visitor.place), (TRIES_PER_ADDRESS, address), (TRIES_HERE, here))
        except Refusal:
            member, _ = await self._candidate(address)
            await self._log.member_stopped(address, member)
            raise

    async def _candidate(self, address: str) -> tuple[rows.Member | None, str]:
        """The confirmed member of this address, else the latest who waits; with the account's state."""
        async with self._base.db.read() as session:
            member = await rows.confirmed_member(session, address) or await rows.pending_member(session, address)
            account = await rows.account(session, member.account_id) if member else None
        if member is None or account is None or account.state not in (AccountState.ACTIVE, AccountState.PENDING):
            return None, ""
        return member, account.state

    async def begin(self, member: rows.Member, visitor: Visitor, former: str = "") -> SignedIn:
        """A session for a member who has just proved to be one; the browser's `former` one ends.

        `member` is the row that the proof was compared with. Raises `sign_in_failed` when it is another since.
        """
        token, at = new_token(SESSION_PREFIX), now()
        row = rows.LoginSession(
            member_id=member.id, account_id=member.account_id, digest=self._base.vault.digest(token),
            expires_at=at + dt.timedelta(days=SESSION_DAYS), client=visitor.client[:60],
        )  # fmt: skip
        async with self._base.db.begin() as session:
            held = await _unchanged(session, member)
            await self._end(session, former, at)
            session.add(row)
        caller = Caller(member.account_id, member.id, session_id=row.id, role=Role(held.role))
        return SignedIn(token, row.expires_at, caller, row.id)

    async def sign_out(self, token: str) -> None:
        """End the session behind a token; a dead one is no error."""
        async with self._base.db.begin() as session:
            ended = await self._end(session, token, now())
            if ended:
                await _noted(session, "session.signed_out", ended.member_id, ended.account_id)

    async def _end(self, session: Session, token: str, at: dt.datetime) -> rows.LoginSession | None:
        found = await rows.login_session(session, self._base.vault.digest(token), at) if token else None
        if found:
            await rows.revoke_sessions(session, found[0].member_id, at, only=found[0].id)
        return found[0] if found else None

    async def listed(self, caller: Caller) -> list[rows.LoginSession]:
        """The caller's living sessions, last used first."""
        async with self._base.db.read() as session:
            return await rows.login_sessions(session, require_member(caller), now())

    async def revoke(self, caller: Caller, session_id: UUID) -> None:
        """End one of the caller's sessions; this one, too: that is signing out. Raises `not_found`."""
        member, own = require_member(caller), session_id == caller.session_id
        async with self._base.db.begin() as session:
            if not await rows.revoke_sessions(session, member, now(), only=session_id):
                raise Refusal("not_found", what="session")
            await _noted(session, "session.signed_out" if own else "session.ended", member, caller.account_id)

    async def revoke_others(self, caller: Caller) -> int:
        """End all of the caller's sessions but this one; returns how many."""
        member = require_member(caller)
        async with self._base.db.begin() as session:
            count = await rows.revoke_sessions(session, member, now(), spare=caller.session_id)
            if count:
                await _noted(session, "session.others_ended", member, caller.account_id, count=count)
        return count


def require_member(caller: Caller) -> UUID:
    """The member who calls; API keys have no sessions and no password."""
    if caller.member_id is None:
        raise Refusal("forbidden")
    return caller.member_id


async def _unchanged(session: Session, member: rows.Member) -> rows.Member:
    """The row as it is, locked: a reset or a removal that came meanwhile has ended sessions before there was this."""
    held = await rows.member(session, member.account_id, member.id, lock=True)
    if held is None or held.removed_at is not None or held.password_hash != member.password_hash:
        raise Refusal("sign_in_failed")
    return held


async def _noted(session: Session, action: str, member: UUID, account: UUID, **detail: int) -> None:
    await audit_log.note(session, f"member/{member}", action, f"member/{member}", account, **detail)


def _any_case(email: str) -> str:
    """As it would be stored; what is no address at all matches nobody."""
    try:
        return normalise_address(email).lower()
    except BadAddress:
        return "?" + email.strip().lower()[:100].replace("\0", "")  # which PostgreSQL's text cannot hold
