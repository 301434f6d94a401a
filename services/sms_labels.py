"""Labels of SMS by number, which `/smsapi` names them by; what is sent holds the label's name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import IntegrityError

from domain.accounts import Caller
from domain.contacts import storable
from domain.errors import Refusal
from domain.members import Right, require
from domain.sms_acceptance import MAX_LABEL
from services.foundation import Foundation
from store import sms_labels as rows
from store.accounts import Account
from store.columns import now
from store.db import Session
from store.sms_labels import SmsLabel

MAX_LABELS = 1_000
"""Of one account."""
LARGEST = 2**63 - 1
"""Number of a label, and of anything else that is numbered."""


class SmsLabels:
    """Every method is scoped to the caller's account; another account's labels are `sms_label_not_found`."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def create(self, caller: Caller, name: str) -> SmsLabel:
        """Raises `Refusal` on field `name`, or `too_many_sms_labels`."""
        require(caller, Right.SEND)
        row = SmsLabel(account_id=caller.account_id, name=_checked(name))
        async with self._unique(row.name), self._base.db.begin() as session:
            await session.get(Account, row.account_id, with_for_update=True)  # two at once: one counts the other
            total, _ = await rows.page(session, row.account_id, "", 0, 0)
            if total >= MAX_LABELS:
                raise Refusal("too_many_sms_labels", limit=MAX_LABELS)
            session.add(row)
        return row

    @asynccontextmanager
    async def _unique(self, name: str) -> AsyncIterator[None]:
        """The index tells, also when two ask for the same name at once."""
        try:
            yield
        except IntegrityError as error:
            if rows.NAME_TAKEN not in str(error.orig):
                raise
            raise Refusal("sms_label_exists", field="name", name=name) from error

    async def page(self, caller: Caller, name: str, start: int, limit: int) -> tuple[int, list[SmsLabel]]:
        """(how many, those from `start` on), newest first; `name`: only the one that is called so."""
        async with self._base.db.read() as session:
            return await rows.page(session, caller.account_id, storable(name), start, limit)

    async def get(self, caller: Caller, label: int) -> SmsLabel:
        """One label; raises `Refusal("sms_label_not_found")`."""
        async with self._base.db.read() as session:
            return await self._require(session, caller, label)

    async def rename(self, caller: Caller, label: int, name: str) -> SmsLabel:
        """What was sent keeps the name it had."""
        require(caller, Right.SEND)
        wanted = _checked(name)
        async with self._unique(wanted), self._base.db.begin() as session:
            row = await self._require(session, caller, label, lock=True)
            row.name, row.updated_at = wanted, now()
        return row

    async def delete(self, caller: Caller, label: int) -> None:
        """What was sent keeps its name."""
        require(caller, Right.SEND)
        async with self._base.db.begin() as session:
            await session.delete(await self._require(session, caller, label, lock=True))

    async def _require(self, session: Session, caller: Caller, label: int, *, lock: bool = False) -> SmsLabel:
        found = await rows.find(session, caller.account_id, label, lock=lock) if 0 < label <= LARGEST else None
        if found is None:
            raise Refusal("sms_label_not_found")
        return found


def _checked(name: str) -> str:
    trimmed = name.strip()
    if not trimmed:
        raise Refusal("required", field="name")
    if len(trimmed) > MAX_LABEL or not trimmed.isprintable():
        raise Refusal("sms_label_bad_name", field="name", limit=MAX_LABEL)
    return trimmed
