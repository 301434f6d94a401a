"""A member's password: changed by who knows it, reset by who reads the mailbox."""

import asyncio
import datetime as dt

from domain.accounts import Caller
from domain.errors import Refusal
from domain.notices import Notice
from domain.passwords import check_password
from domain.secrets import new_token
from domain.visitors import Visitor
from services.foundation import Foundation
from services.hashing import Hashing
from services.limits import Limit, Limits
from services.registrations import address_of
from services.sessions import require_member
from store import accounts as rows
from store import audit_log
from store.columns import now
from store.db import Session
from store.notices import send_notice

RESET = "reset"
RESET_PREFIX = "pr_"
RESET_VALID = dt.timedelta(minutes=60)
LEAST_SECONDS = 0.3
"""An answer to “forgot the password” takes at least this long, with an account or without."""
RESETS_PER_ADDRESS = Limit("reset", 5, dt.timedelta(days=1))
RESETS_PER_IP = Limit("reset-ip", 30, dt.timedelta(hours=1))
LINKS_PER_IP = Limit("reset-link-ip", 60, dt.timedelta(hours=1))
"""Links that are followed with a password, right or not: each may cost a hash."""
CHANGES = Limit("change-password", 10, dt.timedelta(minutes=15))


class Passwords:
    def __init__(self, base: Foundation, hashing: Hashing, limits: Limits) -> None:
        self._base = base
        self._hashing = hashing
        self._limits = limits

    async def change(self, caller: Caller, current: str, wanted: str) -> None:
        """Set a new password; every other session of the member ends."""
        member_id = require_member(caller)
        await self._limits.take((CHANGES, str(member_id)))
        async with self._base.db.read() as session:
            member = await rows.member(session, caller.account_id, member_id)
        if member is None or not await self._hashing.matches(current, member.password_hash):
            raise Refusal("password_wrong", field="current")
        check_password(wanted, member.email, field="new")
        made = await self._hashing.make(wanted)
        async with self._base.db.begin() as session:
            held = await rows.member(session, caller.account_id, member_id, lock=True)
            if held is None or held.password_hash != member.password_hash:
                raise Refusal("password_wrong", field="current")  # changed meanwhile
            held.password_hash = made
            await rows.revoke_sessions(session, held.id, now(), spare=caller.session_id)
            await rows.void_links(session, held.id, RESET, now())
            await _noted(session, "password.changed", held)
        await self._limits.forget(CHANGES, str(member_id))
        await self._tell_changed(held)

    async def ask_reset(self, email: str, visitor: Visitor) -> None:
        """Mail a link to the owner of this address, if there is one; the answer does not tell."""
        address = address_of(email)
        await self._limits.take((RESETS_PER_IP, visitor.place), (RESETS_PER_ADDRESS, address))
        await asyncio.gather(self._mail_reset(address), asyncio.sleep(LEAST_SECONDS))

    async def _mail_reset(self, address: str) -> None:
        token, at = new_token(RESET_PREFIX), now()
        async with self._base.db.begin() as session:
            member = await rows.confirmed_member(session, address)
            if member is None:
                return
            account = await rows.account(session, member.account_id)
            await rows.void_links(session, member.id, RESET, at)
            link = rows.LinkToken(
                member_id=member.id, purpose=RESET, email=member.email, digest=self._base.vault.digest(token),
                expires_at=at + RESET_VALID,
            )  # fmt: skip
            session.add(link)
        policy = self._base.policy
        variables = {
            "platform": policy.platform_name,
            "link": f"{policy.public_url}/reset?token={token}",
            "minutes": str(RESET_VALID.seconds // 60),
        }
        language = account.language if account else "zh"
        await send_notice(self._base.db, Notice.RESET_PASSWORD, member.email, language, variables, f"reset/{link.id}")

    async def reset_possible(self, token: str) -> bool:
        """Whether the link still works; it is not used up."""
        async with self._base.db.read() as session:
            return _works(await rows.link(session, self._base.vault.digest(token), RESET))

    async def reset(self, token: str, wanted: str, visitor: Visitor) -> None:
        """Set a new password by link, once; every session of the member ends. Raises `link_invalid` before any work."""
        await self._limits.take((LINKS_PER_IP, visitor.place))
        async with self._base.db.read() as session:
            link = _working(await rows.link(session, self._base.vault.digest(token), RESET))
        check_password(wanted, link.email)
        made = await self._hashing.make(wanted)
        async with self._base.db.begin() as session:
            member = await self._use(session, token)
            member.password_hash = made
            await rows.revoke_sessions(session, member.id, now())
            await _noted(session, "password.reset", member)
        await self._tell_changed(member)

    async def _use(self, session: Session, token: str) -> rows.Member:
        """The member of an unused link, which is used now."""
        link = _working(await rows.link(session, self._base.vault.digest(token), RESET, lock=True))
        link.used_at = now()
        member = await session.get(rows.Member, link.member_id, with_for_update=True)
        if member is None or member.email != link.email:
            raise Refusal("link_invalid", field="token")
        return member

    async def _tell_changed(self, member: rows.Member) -> None:
        policy = self._base.policy
        variables = {
            "platform": policy.platform_name,
            "reset": f"{policy.public_url}/forgot",
            "support": policy.support_email,
        }
        async with self._base.db.read() as session:
            account = await rows.account(session, member.account_id)
        key = f"password-changed/{member.id}/{self._base.vault.digest(member.password_hash).hex()[:16]}"
        language = account.language if account else "zh"
        await send_notice(self._base.db, Notice.PASSWORD_CHANGED, member.email, language, variables, key)


def _works(link: rows.LinkToken | None) -> bool:
    return link is not None and link.used_at is None and link.expires_at > now()


def _working(link: rows.LinkToken | None) -> rows.LinkToken:
    if link is None or not _works(link):
        raise Refusal("link_invalid", field="token")
    return link


async def _noted(session: Session, action: str, member: rows.Member) -> None:
    await audit_log.note(session, f"member/{member.id}", action, f"member/{member.id}", member.account_id)
