"""Who operates the platform: adding, disabling, roles, resets. Each change is audited, and one admin always remains."""

import secrets
from collections.abc import Iterable
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from domain.errors import Refusal
from domain.operators import NAME, Duty, GivenOut, Operator, OperatorRole, roles_of
from services.foundation import Foundation
from services.hashing import Hashing
from services.second_factor import SecondFactor, enrolment_of, new_secret
from store import audit_log
from store import operators as rows
from store.columns import now
from store.db import Session
from store.operators import OperatorRow

MACHINE = "cli"
"""The actor of what is done on the server's command line: whoever may read its settings may do anything."""


class Staff:
    def __init__(self, base: Foundation, hashing: Hashing) -> None:
        self._base = base
        self._hashing = hashing

    async def listed(self, operator: Operator) -> list[OperatorRow]:
        """Everybody, the disabled last."""
        operator.require(Duty.OPERATORS)
        async with self._base.db.read() as session:
            return await rows.everybody(session)

    async def add(self, operator: Operator, name: str, roles: Iterable[str]) -> GivenOut:
        """Somebody new; they change the password and set an authenticator up at their first sign-in."""
        operator.require(Duty.OPERATORS)
        return await self._insert(operator.actor, name, roles_of(roles), enrolled=False)

    async def provide(self, name: str, roles: Iterable[str]) -> GivenOut:
        """For the command line: enrolled at once, with the authenticator's secret, so that a program may sign in."""
        return await self._insert(MACHINE, name, roles_of(roles), enrolled=True)

    async def set_roles(self, operator: Operator, subject: UUID, roles: Iterable[str]) -> None:
        """From the next request on."""
        operator.require(Duty.OPERATORS)
        chosen = roles_of(roles)
        async with self._base.db.begin() as session:
            row = await _changeable(session, subject, actor=operator, leaves_admin=OperatorRole.ADMIN not in chosen)
            row.roles = sorted(chosen)
            await audit_log.note(session, operator.actor, "operator.roles." + "+".join(row.roles), f"operator/{row.id}")

    async def disable(self, operator: Operator, subject: UUID) -> None:
        """For good; their sessions end. Raises `operator_last_admin`, `operator_self`."""
        operator.require(Duty.OPERATORS)
        await self._disable(operator, subject)

    async def reset(self, operator: Operator, subject: UUID) -> GivenOut:
        """A new first password, and the authenticator is to be set up anew; their sessions end."""
        operator.require(Duty.OPERATORS)
        return await self._reset(operator, subject)

    async def everybody(self) -> list[OperatorRow]:
        """For the command line."""
        async with self._base.db.read() as session:
            return await rows.everybody(session)

    async def disable_by_name(self, name: str) -> None:
        """For the command line."""
        await self._disable(None, await self._id_of(name))

    async def reset_by_name(self, name: str) -> GivenOut:
        """For the command line: a new password and a new authenticator's secret."""
        return await self._reset(None, await self._id_of(name))

    async def _id_of(self, name: str) -> UUID:
        async with self._base.db.read() as session:
            row = await rows.by_name(session, name)
        if row is None:
            raise Refusal("not_found", what="operator")
        return row.id

    async def _insert(self, actor: str, name: str, roles: frozenset[OperatorRole], *, enrolled: bool) -> GivenOut:
        if not NAME.fullmatch(name):
            raise Refusal("operator_bad_name", field="name")
        row = OperatorRow(name=name, password_hash="", roles=sorted(roles))
        given = await self._give(row, enrolled)
        try:
            async with self._base.db.begin() as session:
                session.add(row)
                await session.flush()
                await audit_log.note(session, actor, "operator.added." + "+".join(row.roles), f"operator/{row.id}")
        except IntegrityError as error:
            raise Refusal("operator_exists", field="name", name=name) from error
        return given

    async def _give(self, row: OperatorRow, enrolled: bool) -> GivenOut:
        """A new first password, and, for programs, an authenticator's secret that counts at once."""
        password = secrets.token_urlsafe(18)
        row.password_hash, row.recovery_digests = await self._hashing.make(password), []
        row.password_set_at, row.totp_confirmed_at, row.totp_secret = None, None, None
        if not enrolled:
            return GivenOut(row.name, password)
        secret = new_secret()
        row.totp_secret = SecondFactor(self._base.vault).sealed(row.id, secret)
        row.password_set_at = row.totp_confirmed_at = now()
        made = enrolment_of(row.name, secret, self._base.policy.platform_name)
        return GivenOut(row.name, password, secret, made.uri)

    async def _disable(self, actor: Operator | None, subject: UUID) -> None:
        async with self._base.db.begin() as session:
            row = await _changeable(session, subject, actor=actor, leaves_admin=True)
            row.disabled_at = now()
            await rows.revoke(session, row.id, row.disabled_at)
            await audit_log.note(session, _name(actor), "operator.disabled", f"operator/{row.id}")

    async def _reset(self, actor: Operator | None, subject: UUID) -> GivenOut:
        """By somebody else: to be enrolled anew. On the command line: enrolled at once."""
        async with self._base.db.begin() as session:
            row = await _changeable(session, subject, actor=actor, leaves_admin=actor is not None)
            given = await self._give(row, enrolled=actor is None)
            await rows.revoke(session, row.id, now())
            await audit_log.note(session, _name(actor), "operator.reset", f"operator/{row.id}")
        return given


def _name(actor: Operator | None) -> str:
    return actor.actor if actor else MACHINE


async def _changeable(session: Session, subject: UUID, *, actor: Operator | None, leaves_admin: bool) -> OperatorRow:
    """The row, with all operators locked: two admins who remove each other at once find that one must stay.

    An admin who is not enrolled is none who could help: nobody may ever have got that first password.
    """
    everybody = await rows.locked(session)
    row = everybody.get(subject)
    if row is None:
        raise Refusal("not_found", what="operator")
    if actor is not None and actor.id == subject:
        raise Refusal("operator_self")
    if row.disabled_at:
        raise Refusal("operator_disabled")
    others = [each for each in everybody.values() if each.id != subject and each.is_enrolled and not each.disabled_at]
    admins_left = any(OperatorRole.ADMIN in each.roles for each in others)
    if leaves_admin and OperatorRole.ADMIN in row.roles and not admins_left:
        raise Refusal("operator_last_admin")
    return row
