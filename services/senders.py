"""API users: create, bind to domains, keys, enable and disable."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from domain.accounts import Caller
from domain.domains import DomainState, Purpose
from domain.errors import Refusal
from domain.ids import Kind, workflow_id
from domain.members import Right, require
from domain.secrets import API_KEY_PREFIX, PREFIX_SHOWN, new_token
from domain.senders import MAX_API_USERS, OLD_KEY_WORKS_FOR, SendKind, require_name
from services.domains import actor
from services.foundation import Foundation
from store import clockwork, domains
from store import senders as rows
from store.accounts import Account
from store.audit_log import note
from store.columns import now
from store.db import Session
from store.domains import SenderDomain
from store.senders import ApiKey, ApiUser

NAME_TAKEN = "api_user_name_key"
"""The unique constraint on names."""


@dataclass(frozen=True)
class NewApiUser:
    """`domain_ids`: usable domains of the account that it may send from."""

    name: str
    kind: SendKind
    domain_ids: tuple[UUID, ...] = ()
    resend_uncertain: bool = True
    track_clicks: bool | None = None
    """None: as is usual for the kind."""
    track_opens: bool | None = None

    def tracks(self, chosen: bool | None) -> bool:
        """Batch mails are measured unless somebody says otherwise; codes and notices are not."""
        return self.kind is SendKind.BATCH if chosen is None else chosen


@dataclass(frozen=True)
class ApiUserChange:
    """What to change; None leaves a value as it is.

    `resend_uncertain`: an uncertain message is sent once more (a possible duplicate), or left `unknown`.
    `track_clicks`: links of its mails lead through the platform; `track_opens`: its mails hold an invisible picture.
    """

    resend_uncertain: bool | None = None
    enabled: bool | None = None
    track_clicks: bool | None = None
    track_opens: bool | None = None

    def settings(self) -> dict[str, bool]:
        """The columns to set."""
        named = {name: getattr(self, name) for name in ("resend_uncertain", "track_clicks", "track_opens")}
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True)
class ApiUserView:
    """An API user with the domains it is bound to and the keys that work, newest first."""

    row: ApiUser
    domains: Sequence[SenderDomain] = ()
    keys: Sequence[ApiKey] = ()


@dataclass(frozen=True)
class IssuedKey:
    """The only time that a key is shown."""

    user: ApiUserView
    key: str


class Senders:
    """What a caller can do with the account's API users."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def create(self, caller: Caller, new: NewApiUser) -> IssuedKey:
        """A new API user and its key. Raises `Refusal` on `name` or `domain_ids[n]`, and then nothing is made."""
        require(caller, Right.SETTINGS)
        row = ApiUser(
            account_id=caller.account_id,
            name=require_name(new.name),
            kind=new.kind.value,
            resend_uncertain=new.resend_uncertain,
            track_clicks=new.tracks(new.track_clicks),
            track_opens=new.tracks(new.track_opens),
        )
        try:
            async with self._base.db.begin() as session:
                await self._require_room(session, row)
                session.add(row)
                await session.flush()
                for place, domain_id in enumerate(new.domain_ids):
                    await self._bind(session, row, domain_id, f"domain_ids[{place}]")
                key = await self._issue(session, caller, row, "api_key.created")
        except IntegrityError as error:
            if NAME_TAKEN not in str(error.orig):
                raise
            # Two accounts asked for the same name at once.
            raise Refusal("api_user_name_taken", field="name", name=row.name) from error
        return IssuedKey(await self.get(caller, row.id), key)

    async def _require_room(self, session: Session, row: ApiUser) -> None:
        await self._require_free_place(session, row)
        if await rows.name_taken(session, row.name):
            raise Refusal("api_user_name_taken", field="name", name=row.name)

    async def _require_free_place(self, session: Session, row: ApiUser) -> None:
        await session.get(Account, row.account_id, with_for_update=True)  # two at once: one counts the other
        if await rows.count_enabled(session, row.account_id) >= MAX_API_USERS:
            raise Refusal("too_many_api_users", limit=MAX_API_USERS)

    async def page(self, caller: Caller, after: UUID | None = None, limit: int = 50) -> list[ApiUserView]:
        """The account's API users, newest first, older than `after`."""
        async with self._base.db.read() as session:
            users = await rows.page(session, caller.account_id, after, limit)
            return await self._views(session, users)

    async def get(self, caller: Caller, api_user_id: UUID) -> ApiUserView:
        """One API user of the account; raises `Refusal("api_user_not_found")`."""
        async with self._base.db.read() as session:
            return (await self._views(session, [await self._require(session, caller, api_user_id)]))[0]

    async def bind(self, caller: Caller, api_user_id: UUID, domain_id: UUID) -> ApiUserView:
        """Allow it to send from one more usable domain."""
        require(caller, Right.SETTINGS)
        async with self._base.db.begin() as session:
            row = await self._require(session, caller, api_user_id, lock=True)
            await self._bind(session, row, domain_id, "domain_id")
            await self._onboarding(session, row)
        return await self.get(caller, api_user_id)

    async def unbind(self, caller: Caller, api_user_id: UUID, domain_id: UUID) -> ApiUserView:
        """Forbid it to send from a domain; a repeat changes nothing."""
        require(caller, Right.SETTINGS)
        async with self._base.db.begin() as session:
            row = await self._require(session, caller, api_user_id, lock=True)
            self._refuse_test(row)
            if not [each for each in await domains.by_ids(session, [domain_id]) if each.account_id == row.account_id]:
                raise Refusal("domain_not_found", field="domain_id")
            await rows.unbind(session, row.id, domain_id)
            await self._onboarding(session, row)
        return await self.get(caller, api_user_id)

    async def change(self, caller: Caller, api_user_id: UUID, change: ApiUserChange) -> ApiUserView:
        """Disabled, its keys and sends are refused from now on; enabled again, the same keys work."""
        require(caller, Right.SETTINGS)
        async with self._base.db.begin() as session:
            row = await self._require(session, caller, api_user_id, lock=True)
            for name, value in change.settings().items():
                setattr(row, name, value)
            if change.enabled is not None and change.enabled != (row.disabled_at is None):
                await self._enable(session, caller, row, change.enabled)
        return await self.get(caller, api_user_id)

    async def _enable(self, session: Session, caller: Caller, row: ApiUser, enabled: bool) -> None:
        if enabled and not row.is_test:
            await self._require_free_place(session, row)
        row.disabled_at = None if enabled else now()
        action = "api_user.enabled" if enabled else "api_user.disabled"
        await note(session, actor(caller), action, f"api-user/{row.id}", row.account_id)
        await self._onboarding(session, row)

    async def reset_key(self, caller: Caller, api_user_id: UUID, *, at_once: bool = False) -> IssuedKey:
        """A new key; the old ones work 15 minutes more, or not a moment longer (`at_once`, for a leaked key)."""
        require(caller, Right.SETTINGS)
        async with self._base.db.begin() as session:
            row = await self._require(session, caller, api_user_id, lock=True)
            if row.disabled_at is not None:
                raise Refusal("api_user_disabled", name=row.name)
            await rows.expire_keys(session, row.id, now() if at_once else now() + OLD_KEY_WORKS_FOR)
            key = await self._issue(session, caller, row, "api_key.reset")
        return IssuedKey(await self.get(caller, api_user_id), key)

    async def _issue(self, session: Session, caller: Caller, row: ApiUser, action: str) -> str:
        key = new_token(API_KEY_PREFIX)
        digest = self._base.vault.digest(key)
        session.add(ApiKey(account_id=row.account_id, api_user_id=row.id, prefix=key[:PREFIX_SHOWN], digest=digest))
        await note(session, actor(caller), action, f"api-user/{row.id}", row.account_id)
        await self._onboarding(session, row)
        return key

    async def _bind(self, session: Session, row: ApiUser, domain_id: UUID, field_name: str) -> None:
        self._refuse_test(row)
        domain = await domains.find(session, row.account_id, domain_id, lock=True)
        if domain is None:
            raise Refusal("domain_not_found", field=field_name)
        if domain.is_test:
            raise Refusal("domain_is_test", field=field_name, name=domain.name)
        if domain.state != DomainState.USABLE:
            record = domain.problem or Purpose.OWNERSHIP.value
            raise Refusal("domain_not_usable", field=field_name, domain=domain.name, record=record)
        await rows.bind(session, row.id, domain.id)

    async def _onboarding(self, session: Session, row: ApiUser) -> None:
        await clockwork.want_nudge(session, workflow_id(Kind.ONBOARDING, row.account_id))

    async def _require(self, session: Session, caller: Caller, api_user_id: UUID, *, lock: bool = False) -> ApiUser:
        row = await rows.find(session, caller.account_id, api_user_id, lock=lock)
        if row is None:
            raise Refusal("api_user_not_found")
        return row

    def _refuse_test(self, row: ApiUser) -> None:
        if row.is_test:
            raise Refusal("api_user_is_test", name=row.name)

    async def _views(self, session: Session, users: Sequence[ApiUser]) -> list[ApiUserView]:
        ids = [user.id for user in users]
        bound = await rows.bindings(session, ids)
        known = {each.id: each for each in await domains.by_ids(session, [each.domain_id for each in bound])}
        keys = await rows.keys(session, ids, now())
        return [
            ApiUserView(
                user,
                [known[each.domain_id] for each in bound if each.api_user_id == user.id],
                [key for key in keys if key.api_user_id == user.id],
            )
            for user in users
        ]
