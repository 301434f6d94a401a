"""Sender domains: add, look at, check now, delete."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.accounts import Caller
from domain.dkim_keys import new_key_pair
from domain.domain_records import expected_records
from domain.domains import CHECK_NOW_EVERY, MAX_DOMAINS, DomainState, Purpose, normalise
from domain.errors import Refusal
from domain.ids import Kind, new_id, workflow_id
from domain.members import Right, require
from services.foundation import Foundation
from store import clockwork, senders
from store import domains as rows
from store.accounts import Account
from store.audit_log import note
from store.columns import now
from store.db import Session
from store.domains import DomainRecord, SenderDomain


@dataclass(frozen=True)
class DomainView:
    """A domain with its records in the order of `Purpose`, and the API users that are bound to it."""

    row: SenderDomain
    records: Sequence[DomainRecord]
    api_users: Sequence[str] = ()

    @property
    def workflow_id(self) -> str:
        return workflow_id(Kind.DOMAIN, self.row.id)


class Domains:
    """What a caller can do with the account's sender domains."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def add(self, caller: Caller, name: str) -> DomainView:
        """Make a key pair and the records to publish, and begin to look for them.

        Raises `Refusal` on field `name`: not a name, a public suffix, the platform's own, there already, too many.
        """
        require(caller, Right.SETTINGS)
        row = await self._new_row(caller, normalise(name, self._base.policy))
        expected = expected_records(
            row.name, row.ownership_token, row.dkim_selector, row.dkim_public, self._base.policy
        )
        async with self._base.db.begin() as session:
            await self._require_room(session, row)
            await rows.add_with_records(session, row, expected)
            process = await clockwork.enlist(session, Kind.DOMAIN, row.id, row.account_id)
            await note(session, actor(caller), "dkim_key.created", f"domain/{row.id}", row.account_id)
        await self._base.clockwork.start(process)
        return await self.get(caller, row.id)

    async def _new_row(self, caller: Caller, name: str) -> SenderDomain:
        private, public = await asyncio.to_thread(new_key_pair)
        domain_id = new_id()
        return SenderDomain(
            id=domain_id,
            account_id=caller.account_id,
            name=name,
            ownership_token=secrets.token_hex(16),
            dkim_selector=f"songda-{secrets.token_hex(4)}",  # another account's key may be published beside ours
            dkim_public=public,
            dkim_private=self._base.vault.seal(private, f"domain/{domain_id}"),
        )

    async def _require_room(self, session: Session, row: SenderDomain) -> None:
        await session.get(Account, row.account_id, with_for_update=True)  # two at once: one counts the other
        if await rows.find_by_name(session, row.account_id, row.name):
            raise Refusal("domain_exists", field="name", name=row.name)
        if await rows.count(session, row.account_id) >= MAX_DOMAINS:
            raise Refusal("too_many_domains", field="name", limit=MAX_DOMAINS)

    async def page(self, caller: Caller, after: UUID | None = None, limit: int = 50) -> list[SenderDomain]:
        """The account's domains, newest first, older than `after`."""
        async with self._base.db.read() as session:
            return await rows.page(session, caller.account_id, after, limit)

    async def get(self, caller: Caller, domain_id: UUID) -> DomainView:
        """One domain of the account; raises `Refusal("domain_not_found")`."""
        async with self._base.db.read() as session:
            row = await self._require(session, caller, domain_id)
            records = {record.purpose: record for record in await rows.records(session, row.id)}
            ordered = [records[purpose] for purpose in Purpose if purpose in records]
            return DomainView(row, ordered, await rows.bound_names(session, row.id))

    async def check(self, caller: Caller, domain_id: UUID) -> DomainView:
        """Have the records looked at now; at most once in ten seconds."""
        require(caller, Right.SETTINGS)
        at = now()
        async with self._base.db.begin() as session:
            row = await self._require(session, caller, domain_id)
            self._refuse_test(row)
            if not await rows.ask_for_check(session, row.id, at, at - CHECK_NOW_EVERY):
                passed = at - (row.asked_at or at)
                raise Refusal("too_many_requests", seconds=max(1, round((CHECK_NOW_EVERY - passed).total_seconds())))
            await clockwork.want_nudge(session, workflow_id(Kind.DOMAIN, row.id))
        return await self.get(caller, domain_id)

    async def delete(self, caller: Caller, domain_id: UUID) -> None:
        """Give the domain up. Refused while enabled API users are bound to it, and for the test domain."""
        require(caller, Right.SETTINGS)
        async with self._base.db.begin() as session:
            row = await self._require(session, caller, domain_id, lock=True)
            self._refuse_test(row)
            users = await rows.bound_names(session, row.id)
            if users:
                raise Refusal("domain_in_use", name=row.name, users=", ".join(users))
            row.state, row.next_check_at = DomainState.DELETED.value, None
            await senders.unbind_all(session, row.id)
            await note(session, actor(caller), "domain.deleted", f"domain/{row.id}", row.account_id)
            await clockwork.want_nudge(session, workflow_id(Kind.DOMAIN, row.id))
            await clockwork.want_nudge(session, workflow_id(Kind.ONBOARDING, row.account_id))

    async def _require(self, session: Session, caller: Caller, domain_id: UUID, *, lock: bool = False) -> SenderDomain:
        row = await rows.find(session, caller.account_id, domain_id, lock=lock)
        if row is None:
            raise Refusal("domain_not_found")
        return row

    def _refuse_test(self, row: SenderDomain) -> None:
        if row.is_test:
            raise Refusal("domain_is_test", name=row.name)


def actor(caller: Caller) -> str:
    """Who did it, for the audit log."""
    if caller.sms_user_id:
        return f"sms-user/{caller.sms_user_id}"
    return f"member/{caller.member_id}" if caller.member_id else f"api-user/{caller.api_user_id}"
