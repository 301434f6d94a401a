"""SMS users: create, keys, enable and disable; and what their requests are signed with."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from domain.accounts import Caller
from domain.errors import Refusal
from domain.ids import Kind, new_id, workflow_id
from domain.members import Right, require
from domain.onboarding import SmsStage
from domain.secrets import PREFIX_SHOWN, SMS_KEY_PREFIX, new_token
from domain.senders import OLD_KEY_WORKS_FOR
from domain.sms_users import MAX_SMS_USERS, require_name
from services.domains import actor
from services.foundation import Foundation
from services.sms_keys import Signer, SmsKeys, binding
from store import clockwork
from store import onboarding as path
from store import sms_users as rows
from store.accounts import Account
from store.audit_log import note
from store.columns import now
from store.db import Session
from store.sms_users import SmsKey, SmsUser

NAME_TAKEN = "sms_user_name_key"
"""The unique constraint on names."""


@dataclass(frozen=True)
class SmsUserView:
    """An SMS user with the keys that work, newest first."""

    row: SmsUser
    keys: Sequence[SmsKey] = ()


@dataclass(frozen=True)
class IssuedSmsKey:
    """The only time that a key is shown."""

    user: SmsUserView
    key: str


class SmsUsers:
    """What a caller can do with the account's SMS users."""

    def __init__(self, base: Foundation, keys: SmsKeys) -> None:
        self._base = base
        self._keys = keys

    async def create(self, caller: Caller, name: str) -> IssuedSmsKey:
        """A new SMS user and its key. Raises `step_missing` before enterprise certification and payment."""
        require(caller, Right.SETTINGS)
        row = SmsUser(account_id=caller.account_id, name=require_name(name))
        try:
            async with self._base.db.begin() as session:
                await path.require_step(session, caller.account_id, SmsStage.USER)
                await self._require_free_place(session, row)
                if await rows.name_taken(session, row.name):
                    raise Refusal("sms_user_name_taken", field="name", name=row.name)
                session.add(row)
                await session.flush()
                key = await self._issue(session, caller, row, "sms_key.created")
        except IntegrityError as error:
            if NAME_TAKEN not in str(error.orig):
                raise
            # Two accounts asked for the same name at once.
            raise Refusal("sms_user_name_taken", field="name", name=row.name) from error
        return IssuedSmsKey(await self.get(caller, row.id), key)

    async def _require_free_place(self, session: Session, row: SmsUser) -> None:
        await session.get(Account, row.account_id, with_for_update=True)  # two at once: one counts the other
        if await rows.count_enabled(session, row.account_id) >= MAX_SMS_USERS:
            raise Refusal("too_many_sms_users", limit=MAX_SMS_USERS)

    async def page(self, caller: Caller, after: UUID | None = None, limit: int = 50) -> list[SmsUserView]:
        """The account's SMS users, newest first, older than `after`."""
        async with self._base.db.read() as session:
            return await _views(session, await rows.page(session, caller.account_id, after, limit))

    async def get(self, caller: Caller, sms_user_id: UUID) -> SmsUserView:
        """One SMS user of the account; raises `Refusal("sms_user_not_found")`."""
        async with self._base.db.read() as session:
            return (await _views(session, [await _require(session, caller, sms_user_id)]))[0]

    async def enable(self, caller: Caller, sms_user_id: UUID, enabled: bool) -> SmsUserView:
        """Disabled, its keys and sends are refused from now on; enabled again, the same keys work."""
        require(caller, Right.SETTINGS)
        async with self._base.db.begin() as session:
            row = await _require(session, caller, sms_user_id, lock=True)
            if enabled != (row.disabled_at is None):
                if enabled:
                    await self._require_free_place(session, row)
                row.disabled_at = None if enabled else now()
                await _note(session, caller, row, "sms_user.enabled" if enabled else "sms_user.disabled")
        return await self.get(caller, sms_user_id)

    async def reset_key(self, caller: Caller, sms_user_id: UUID, *, at_once: bool = False) -> IssuedSmsKey:
        """A new key; the old ones work 15 minutes more, or not a moment longer (`at_once`, for a leaked key)."""
        require(caller, Right.SETTINGS)
        async with self._base.db.begin() as session:
            row = await _require(session, caller, sms_user_id, lock=True)
            if row.disabled_at is not None:
                raise Refusal("sms_user_disabled", name=row.name)
            await rows.expire_keys(session, row.id, now() if at_once else now() + OLD_KEY_WORKS_FOR)
            key = await self._issue(session, caller, row, "sms_key.reset")
        return IssuedSmsKey(await self.get(caller, sms_user_id), key)

    async def signing_keys(self, name: str) -> Signer | None:
        """Whom a request names, with every key that it may be signed with. None: nobody of an active account."""
        return await self._keys.signer(name)

    async def _issue(self, session: Session, caller: Caller, row: SmsUser, action: str) -> str:
        key, identity = new_token(SMS_KEY_PREFIX), new_id()
        session.add(
            SmsKey(
                id=identity, account_id=row.account_id, sms_user_id=row.id, prefix=key[:PREFIX_SHOWN],
                sealed=self._base.vault.seal(key.encode(), binding(identity)), digest=self._base.vault.digest(key),
            )
        )  # fmt: skip
        await _note(session, caller, row, action)
        return key


async def _note(session: Session, caller: Caller, row: SmsUser, action: str) -> None:
    """In the audit; and the onboarding looks again, because it asks for an enabled SMS user."""
    await note(session, actor(caller), action, f"sms-user/{row.id}", row.account_id)
    await clockwork.want_nudge(session, workflow_id(Kind.ONBOARDING, row.account_id))


async def _require(session: Session, caller: Caller, sms_user_id: UUID, *, lock: bool = False) -> SmsUser:
    row = await rows.find(session, caller.account_id, sms_user_id, lock=lock)
    if row is None:
        raise Refusal("sms_user_not_found")
    return row


async def _views(session: Session, users: Sequence[SmsUser]) -> list[SmsUserView]:
    keys = await rows.keys(session, [user.id for user in users], now())
    return [SmsUserView(user, [key for key in keys if key.sms_user_id == user.id]) for user in users]
