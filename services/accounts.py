"""Who is behind a token, and what an account says of itself."""

import datetime as dt
import hmac

from domain.accounts import Caller, Profile, Role
from domain.errors import Refusal
from domain.members import Right, require
from domain.secrets import API_KEY_PREFIX, SESSION_PREFIX, SMS_KEY_PREFIX
from services.acceptance import Acceptance
from services.api_keys import ApiKeys, Holder
from services.foundation import Foundation
from services.sms_keys import SmsKeys
from store import accounts as rows
from store.columns import now

LANGUAGES = ("zh", "en")
SEEN_EVERY = dt.timedelta(minutes=1)
"""`last_seen_at` of a session is written this often at most."""


class Accounts:
    def __init__(self, base: Foundation, acceptance: Acceptance | None = None, sms_keys: SmsKeys | None = None) -> None:
        self._base = base
        self._sms_keys = sms_keys or SmsKeys(base)
        self._keys = ApiKeys(base, acceptance.groups if acceptance else None)

    async def caller(self, token: str) -> Caller:
        """The caller behind a session token, an API key or an SMS key. Raises the refusal `unauthenticated`."""
        if token.startswith(SESSION_PREFIX):
            return await self._member(token)
        if token.startswith(API_KEY_PREFIX):
            return await self._api_user(token)
        if token.startswith(SMS_KEY_PREFIX) and (sms_user := await self._sms_keys.holder(token)):
            return sms_user
        raise Refusal("unauthenticated")

    async def _member(self, token: str) -> Caller:
        at = now()
        async with self._base.db.read() as session:
            known = await rows.login_session(session, self._base.vault.digest(token), at)
        if known is None:
            raise Refusal("unauthenticated")
        found, role = known
        if at - found.last_seen_at > SEEN_EVERY:
            async with self._base.db.begin() as session:
                await rows.touch(session, found.id, at)
        return Caller(found.account_id, member_id=found.member_id, session_id=found.id, role=Role(role))

    async def _api_user(self, token: str) -> Caller:
        holder = await self._keys.holder(token)
        if holder is None:
            raise Refusal("unauthenticated")
        return holder.caller

    async def api_user(self, name: str, key: str) -> Holder:
        """Whose name and key these are, as SendCloud's API gives them. Raises the refusal `unauthenticated`."""
        holder = await self._keys.holder(key) if key.startswith(API_KEY_PREFIX) else None
        if holder is None or not hmac.compare_digest(holder.name.encode(), name.encode(errors="replace")):
            raise Refusal("unauthenticated")
        return holder

    async def profile(self, caller: Caller) -> Profile:
        """The signed-in member and the account."""
        if caller.member_id is None:
            raise Refusal("forbidden")
        async with self._base.db.read() as session:
            member = await rows.member(session, caller.account_id, caller.member_id)
            account = await rows.account(session, caller.account_id)
        if member is None or account is None:
            raise Refusal("unauthenticated")
        return Profile(account.id, account.name, member.id, member.email, account.language, Role(member.role))

    async def set_language(self, caller: Caller, language: str) -> None:
        """The language of the mails to this account."""
        require(caller, Right.SETTINGS)
        if language not in LANGUAGES:
            raise Refusal("invalid", field="language", reason="zh, en")
        async with self._base.db.begin() as session:
            account = await rows.account(session, caller.account_id, lock=True)
            if account is None:
                raise Refusal("unauthenticated")
            account.language = language
