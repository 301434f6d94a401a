"""The members of an account: invite, accept, roles, removal, whose account it is.

There is exactly one owner at any time: ownership is handed over, never given or taken. All changes of one account's
members wait for each other on the account's row.
"""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from domain.accounts import AccountState, Caller, Role, SignedIn
from domain.errors import Refusal
from domain.members import (
    INVITATION_VALID,
    INVITATIONS_PER_DAY,
    MAX_MEMBERS,
    MemberState,
    Right,
    grantable,
    require,
)
from domain.notices import Notice
from domain.passwords import check_password
from domain.secrets import new_token
from domain.visitors import Visitor
from services.foundation import Foundation
from services.hashing import Hashing
from services.limits import Limit, Limits
from services.registrations import address_of
from services.sessions import Sessions, require_member
from store import accounts, audit_log, phone_codes
from store import members as rows
from store.accounts import Account, LinkToken, Member
from store.columns import now
from store.db import Session
from store.notices import send_notice

INVITE_PREFIX = "iv_"
DAY = dt.timedelta(days=1)
PER_ACCOUNT = Limit("invite", INVITATIONS_PER_DAY, DAY)
PER_ADDRESS = Limit("invite-mail", 5, DAY)
"""However many accounts invite it."""
TRIES = Limit("hand-over", 10, dt.timedelta(minutes=15))
ACCEPTS_PER_IP = Limit("accept-ip", 60, dt.timedelta(hours=1))


@dataclass(frozen=True)
class MemberView:
    """`invited_until` is when the latest invitation ends or ended; None for who registered the account."""

    id: UUID
    email: str
    role: Role
    state: MemberState
    since: dt.datetime
    invited_until: dt.datetime | None
    last_seen_at: dt.datetime | None


@dataclass(frozen=True)
class Invitation:
    """What the page behind an invitation's link says."""

    account: str
    email: str
    role: Role
    language: str


@dataclass(frozen=True)
class _Letter:
    """An invitation to be mailed after the commit."""

    link: LinkToken
    token: str
    account: Account
    inviter: str


class Members:
    def __init__(self, base: Foundation, hashing: Hashing, limits: Limits, sessions: Sessions) -> None:
        self._base = base
        self._hashing = hashing
        self._limits = limits
        self._sessions = sessions

    async def listed(self, caller: Caller) -> list[MemberView]:
        """Members and open invitations, the first first. For members of any role."""
        require_member(caller)
        async with self._base.db.read() as session:
            return [_view(known, now()) for known in await rows.listed(session, caller.account_id)]

    async def get(self, caller: Caller, member_id: UUID) -> MemberView:
        """One of them. Raises `not_found`."""
        found = [each for each in await self.listed(caller) if each.id == member_id]
        if not found:
            raise Refusal("not_found", what="member")
        return found[0]

    async def invite(self, caller: Caller, email: str, role: str) -> MemberView:
        """Mail a link that makes its reader a member. Raises `Refusal` on `email` or `role`.

        Every try is counted. Whether the address belongs to another account is for the link's reader to learn.
        """
        require(caller, Right.MEMBERS)
        address, wanted = address_of(email), grantable(role)
        await self._limits.take(*_mails(caller, address))
        async with self._base.db.begin() as session:
            account = await self._account(session, caller)
            await self._require_free(session, account, address)
            member = Member(
                account_id=account.id, email=address, password_hash="", role=wanted.value, invited_by=caller.member_id
            )
            session.add(member)
            await session.flush()
            letter = await self._letter(session, caller, account, member)
            await _note(session, caller, "member.invited", member)
        await self._mail(letter)
        return await self.get(caller, member.id)

    async def _require_free(self, session: Session, account: Account, address: str) -> None:
        known = await rows.by_address(session, account.id, address)
        if known is not None:
            raise Refusal("member_exists" if known.email_confirmed_at else "invitation_open", field="email")
        if await rows.count(session, account.id) >= MAX_MEMBERS:
            raise Refusal("too_many_members", limit=MAX_MEMBERS)

    async def resend(self, caller: Caller, member_id: UUID) -> MemberView:
        """A new link; the former ones die."""
        require(caller, Right.MEMBERS)
        async with self._base.db.begin() as session:
            account = await self._account(session, caller)
            member = await self._present(session, caller, member_id)
            if member.email_confirmed_at is not None:
                raise Refusal("member_active")
            for limit, subject in _mails(caller, member.email):
                await self._limits.take_in(session, limit, subject)
            letter = await self._letter(session, caller, account, member)
            await _note(session, caller, "member.invited_again", member)
        await self._mail(letter)
        return await self.get(caller, member_id)

    async def change_role(self, caller: Caller, member_id: UUID, role: str) -> MemberView:
        """Another role, from the member's next request on."""
        require(caller, Right.MEMBERS)
        wanted = grantable(role)
        async with self._base.db.begin() as session:
            await self._account(session, caller)
            member = await self._present(session, caller, member_id)
            _refuse_owner(member)
            if member.role != wanted.value:
                member.role = wanted.value
                await _note(session, caller, f"member.role.{wanted.value}", member)
        return await self.get(caller, member_id)

    async def remove(self, caller: Caller, member_id: UUID) -> None:
        """End a membership with its sessions, or withdraw an invitation. The address is free again."""
        require(caller, Right.MEMBERS)
        at = now()
        async with self._base.db.begin() as session:
            await self._account(session, caller)
            member = await self._present(session, caller, member_id)
            _refuse_owner(member)
            action = "member.removed" if member.email_confirmed_at else "member.invitation_withdrawn"
            member.removed_at, member.email_confirmed_at, member.password_hash = at, None, ""
            await phone_codes.forget(session, member)
            await accounts.revoke_sessions(session, member.id, at)
            await session.flush()
            await self._void(session, member, at)
            await _note(session, caller, action, member)

    async def hand_over(self, caller: Caller, member_id: UUID, password: str) -> MemberView:
        """Make another member the owner; the caller stays as an administrator. Needs the caller's password."""
        own = require_member(caller)
        if caller.role is not Role.OWNER:
            raise Refusal("not_owner")
        await self._require_password(caller, own, password)
        async with self._base.db.begin() as session:
            await self._account(session, caller)
            owner = await self._present(session, caller, own)
            heir = await self._present(session, caller, member_id)
            if owner.role != Role.OWNER.value:  # handed over a moment ago
                raise Refusal("not_owner")
            if heir.email_confirmed_at is None:
                raise Refusal("member_not_active")
            owner.role, heir.role = Role.ADMIN.value, Role.OWNER.value
            await _note(session, caller, "member.ownership_received", heir)
        return await self.get(caller, member_id)

    async def _require_password(self, caller: Caller, own: UUID, password: str) -> None:
        await self._limits.take((TRIES, str(own)))
        async with self._base.db.read() as session:
            member = await accounts.member(session, caller.account_id, own)
        if member is None or not await self._hashing.matches(password, member.password_hash):
            raise Refusal("password_wrong", field="password")
        await self._limits.forget(TRIES, str(own))

    async def invitation(self, token: str) -> Invitation | None:
        """What the link offers; None when it is used, over or withdrawn. It is not used up."""
        async with self._base.db.read() as session:
            found = await self._open(session, token)
        if found is None:
            return None
        _, member, account = found
        return Invitation(account.name, member.email, Role(member.role), account.language)

    async def accept(self, token: str, password: str, visitor: Visitor, former: str = "") -> SignedIn:
        """Join with a password, once; the link proves the address. Raises `link_invalid`, `address_in_use`."""
        await self._limits.take((ACCEPTS_PER_IP, visitor.place))
        known = await self.invitation(token)
        if known is None:
            raise Refusal("link_invalid", field="token")
        check_password(password, known.email)
        made = await self._hashing.make(password)
        async with self._base.db.begin() as session:
            member = await self._join(session, token, made)
        return await self._sessions.begin(member, visitor, former)

    async def _join(self, session: Session, token: str, password_hash: str) -> Member:
        found = await self._open(session, token, lock=True)
        if found is None:
            raise Refusal("link_invalid", field="token")
        link, member, account = found
        link.used_at = now()
        member.email_confirmed_at, member.password_hash = now(), password_hash
        try:
            async with session.begin_nested():
                await session.flush()
        except IntegrityError as error:  # the address was confirmed for another account meanwhile
            raise Refusal("address_in_use", field="email") from error
        await audit_log.note(session, f"member/{member.id}", "member.joined", f"member/{member.id}", account.id)
        return member

    async def _open(
        self, session: Session, token: str, *, lock: bool = False
    ) -> tuple[LinkToken, Member, Account] | None:
        """The unused link with its invited person and the active account; locked on request, account first."""
        digest = self._base.vault.digest(token)
        link = await accounts.link(session, digest, rows.INVITE)
        member = await session.get(Member, link.member_id) if link else None
        if link is None or member is None:
            return None
        account = await accounts.account(session, member.account_id, lock=lock)
        if lock:
            await session.refresh(link, with_for_update=True)
            await session.refresh(member, with_for_update=True)
        usable = link.used_at is None and link.expires_at > now() and member.removed_at is None
        if account is None or account.state != AccountState.ACTIVE or not usable or member.email_confirmed_at:
            return None
        return link, member, account

    async def _account(self, session: Session, caller: Caller) -> Account:
        """The account, locked: changes of its members come one after the other."""
        account = await accounts.account(session, caller.account_id, lock=True)
        if account is None:
            raise Refusal("unauthenticated")
        return account

    async def _present(self, session: Session, caller: Caller, member_id: UUID) -> Member:
        member = await rows.present(session, caller.account_id, member_id)
        if member is None:
            raise Refusal("not_found", what="member")
        return member

    async def _void(self, session: Session, member: Member, at: dt.datetime) -> None:
        for purpose in (rows.INVITE, "reset"):
            await accounts.void_links(session, member.id, purpose, at)

    async def _letter(self, session: Session, caller: Caller, account: Account, member: Member) -> _Letter:
        token, at = new_token(INVITE_PREFIX), now()
        await accounts.void_links(session, member.id, rows.INVITE, at)
        link = LinkToken(
            member_id=member.id, purpose=rows.INVITE, email=member.email, digest=self._base.vault.digest(token),
            expires_at=at + INVITATION_VALID,
        )  # fmt: skip
        session.add(link)
        inviter = await accounts.member(session, account.id, require_member(caller))
        return _Letter(link, token, account, inviter.email if inviter else account.name)

    async def _mail(self, letter: _Letter) -> None:
        policy = self._base.policy
        variables = {
            "platform": policy.platform_name,
            "account": letter.account.name,
            "inviter": letter.inviter,
            "link": f"{policy.public_url}/invitation?token={letter.token}",
            "days": str(INVITATION_VALID.days),
        }
        key = f"invitation/{letter.link.id}"
        language = letter.account.language
        await send_notice(self._base.db, Notice.INVITATION, letter.link.email, language, variables, key)


def _mails(caller: Caller, address: str) -> tuple[tuple[Limit, str], ...]:
    """What one more mail to this address counts against."""
    return (PER_ACCOUNT, str(caller.account_id)), (PER_ADDRESS, address)


def _refuse_owner(member: Member) -> None:
    if member.role == Role.OWNER.value:
        raise Refusal("owner_stays")


def _view(known: rows.Known, at: dt.datetime) -> MemberView:
    row = known.row
    open_until = known.invited_until
    state = MemberState.ACTIVE
    if row.email_confirmed_at is None:
        state = MemberState.INVITED if open_until and open_until > at else MemberState.EXPIRED
    since = row.email_confirmed_at or row.created_at
    return MemberView(row.id, row.email, Role(row.role), state, since, open_until, known.last_seen_at)


async def _note(session: Session, caller: Caller, action: str, member: Member) -> None:
    actor = f"member/{caller.member_id}"
    await audit_log.note(session, actor, action, f"member/{member.id}", member.account_id)
