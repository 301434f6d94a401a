"""Carriers' gateways and routes, as operators keep them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from domain.errors import Refusal
from domain.ids import new_id
from domain.operators import Duty, Operator, reason_of
from domain.secrets import Vault
from domain.sms import SmsKind
from domain.sms_carriers import GatewayState
from domain.sms_gateways import TLS, GatewayEntry, RouteEntry
from domain.sms_numbers import Phone, read_phone
from domain.transport import Tls
from services.foundation import Foundation
from store import sms_gateways as rows
from store.audit_log import note
from store.columns import now
from store.db import Database, Session
from store.sms_gateways import SmsGateway, SmsGatewaySight, SmsRoute
from store.sms_sending import in_order, read_routes


@dataclass(frozen=True)
class GatewayView:
    """A gateway as operators see it. `sights`: what processes said of it lately."""

    row: SmsGateway
    sights: tuple[SmsGatewaySight, ...]

    @property
    def bound(self) -> int:
        """Binds of all processes."""
        return sum(sight.bound for sight in self.sights)

    @property
    def is_down(self) -> bool:
        """In use, and no process is bound to it."""
        return self.row.state == GatewayState.ENABLED and not self.bound

    @property
    def problems(self) -> list[str]:
        """Why binds are missing, each reason once."""
        return sorted({sight.problem for sight in self.sights if sight.problem})


@dataclass(frozen=True)
class NumberWays:
    """Which gateways take a number, the first to be asked first, and what each costs a segment."""

    phone: Phone
    gateways: tuple[tuple[GatewayView, int], ...]


@dataclass(frozen=True)
class SeededGateway:
    """A gateway that a stack with the sandbox enters, and its routes (their `gateway` is not read)."""

    entry: GatewayEntry
    routes: tuple[RouteEntry, ...] = field(default=())


class SmsGatewayDesk:
    """Needs `Duty.LANES`. Workers follow every change within about a second."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def listed(self, operator: Operator) -> list[GatewayView]:
        """Every gateway by its number."""
        operator.require(Duty.LANES)
        async with self._base.db.read() as session:
            gateways, seen = await rows.every_gateway(session), await rows.sights(session)
        return [GatewayView(row, tuple(s for s in seen if s.number == row.number)) for row in gateways]

    async def unowned(self, operator: Operator) -> dict[int, tuple[int, str]]:
        """By gateway: receipts of the last day that belong to no message, and the id of the newest. Many of them mean
        that `id_form` is wrong; then every text of that gateway would expire, though it arrived."""
        operator.require(Duty.LANES)
        async with self._base.db.read() as session:
            return await rows.unowned_receipts(session)

    async def add(self, operator: Operator, entry: GatewayEntry) -> int:
        """Its number. Raises `Refusal`: `sms_gateway_exists`, `sms_gateway_password_missing`."""
        operator.require(Duty.LANES)
        if not entry.password:
            raise Refusal("sms_gateway_password_missing", field="password")
        async with self._base.db.begin() as session:
            await rows.one_at_a_time(session)
            await _require_free(session, entry.name)
            number = (await _insert(session, self._base.vault, entry)).number or 0
            await note(session, operator.actor, "sms_gateway.added", f"sms-gateway/{number}", **_shown(entry))
        return number

    async def change(self, operator: Operator, number: int, entry: GatewayEntry, seen: str) -> None:
        """`seen`: `changed_at` as the form showed it. An empty password leaves it as it is, unless another server would
        hear it then.

        Raises `Refusal`: `not_found`, `sms_gateway_exists`, `sms_gateway_changed_meanwhile`,
        `sms_gateway_password_missing`.
        """
        async with self._change(operator, number) as (session, row):
            if row.changed_at.isoformat() != seen:
                raise Refusal("sms_gateway_changed_meanwhile")
            if not entry.password and _tells_others(row, entry):
                raise Refusal("sms_gateway_password_missing", field="password")
            await rows.one_at_a_time(session)
            await _require_free(session, entry.name, number)
            before = _shown(entry_of(row))
            _write(row, self._base.vault, entry)
            await rows.write_lane(session, number, entry.rate_per_s)
            shown: dict[str, Any] = {"before": before, "after": _shown(entry), "password_changed": bool(entry.password)}
            await note(session, operator.actor, "sms_gateway.changed", f"sms-gateway/{number}", **shown)

    async def pause(self, operator: Operator, number: int, reason: str) -> None:
        """Its binds end in order. Raises `Refusal`: `not_found`, `required`, `text_too_long`, `sms_gateway_state`."""
        words = reason_of(reason)
        async with self._change(operator, number) as (session, row):
            _turn(row, GatewayState.PAUSED, words)
            await note(session, operator.actor, "sms_gateway.paused", f"sms-gateway/{number}", reason=words)

    async def resume(self, operator: Operator, number: int) -> None:
        """Raises `Refusal`: `not_found`, `sms_gateway_state`."""
        async with self._change(operator, number) as (session, row):
            _turn(row, GatewayState.ENABLED, "")
            await note(session, operator.actor, "sms_gateway.resumed", f"sms-gateway/{number}")

    async def remove(self, operator: Operator, number: int) -> None:
        """For good, with its routes. Receipts that it still has are not heard. Raises the refusal `not_found`."""
        async with self._change(operator, number) as (session, row):
            row.state, row.reason = GatewayState.REMOVED.value, ""
            await rows.drop_routes(session, row.id)
            await note(session, operator.actor, "sms_gateway.removed", f"sms-gateway/{number}", **_shown(entry_of(row)))

    async def routes(self, operator: Operator) -> list[tuple[SmsRoute, SmsGateway]]:
        """In the order in which they are asked."""
        operator.require(Duty.LANES)
        async with self._base.db.read() as session:
            return await rows.every_route(session)

    async def ways(self, operator: Operator, number: str, kind: SmsKind) -> NumberWays:
        """How a text to this number would go now. Raises the refusals of `read_phone`, on the field `phone`."""
        operator.require(Duty.LANES)
        phone = read_phone(number)
        async with self._base.db.raw() as connection:
            found = in_order(await read_routes(connection), phone.country, kind)
        views = {view.row.number: view for view in await self.listed(operator)}
        return NumberWays(phone, tuple((views[row.number], row.cost_micro) for row in found if row.number in views))

    async def add_route(self, operator: Operator, entry: RouteEntry) -> None:
        """Raises `Refusal`: `not_found` (no such gateway), `sms_route_exists`."""
        async with self._change(operator, entry.gateway, touch=False) as (session, row):
            if await rows.route_exists(session, row.id, entry.country, entry.kind):
                raise Refusal("sms_route_exists", field="country")
            session.add(_route(row.id, entry))
            await note(session, operator.actor, "sms_route.added", f"sms-gateway/{entry.gateway}", **asdict(entry))

    async def remove_route(self, operator: Operator, route_id: UUID) -> None:
        """Raises the refusal `not_found`."""
        operator.require(Duty.LANES)
        async with self._base.db.begin() as session:
            row = await rows.lock_route(session, route_id)
            if row is None:
                raise Refusal("not_found", what="sms_route")
            shown: dict[str, Any] = {
                "country": row.country,
                "kind": row.kind,
                "rank": row.rank,
                "cost_micro": row.cost_micro,
            }
            await session.delete(row)
            await note(session, operator.actor, "sms_route.removed", f"sms-route/{route_id}", **shown)

    @asynccontextmanager
    async def _change(
        self, operator: Operator, number: int, *, touch: bool = True
    ) -> AsyncIterator[tuple[Session, SmsGateway]]:
        operator.require(Duty.LANES)
        async with self._base.db.begin() as session:
            row = await rows.lock_gateway(session, number) if 0 < number <= 32_767 else None
            if row is None:
                raise Refusal("not_found", what="sms_gateway")
            yield session, row
            if touch:
                row.changed_at = now()


async def ensure_gateways(db: Database, vault: Vault, wanted: Sequence[SeededGateway]) -> None:
    """The sandbox's carriers, each entered once with its routes. What operators made of them stays; only the port
    follows the stack's, as long as the host is the sandbox's."""
    async with db.begin() as session:
        await rows.one_at_a_time(session)
        for each in wanted:
            row = await rows.gateway_named(session, each.entry.name)
            if row is None:
                row = await _insert(session, vault, each.entry)
                session.add_all(_route(row.id, route) for route in each.routes)
            elif row.host == each.entry.host and row.port != each.entry.port:
                row.port, row.changed_at = each.entry.port, now()


async def _require_free(session: Session, name: str, but: int = 0) -> None:
    if await rows.name_used(session, name, but):
        raise Refusal("sms_gateway_exists", field="name")


async def _insert(session: Session, vault: Vault, entry: GatewayEntry) -> SmsGateway:
    row = SmsGateway(
        id=new_id(), name=entry.name, host=entry.host, port=entry.port, system_id=entry.system_id, sealed_password=b""
    )
    _write(row, vault, entry)
    session.add(row)
    await session.flush()
    await session.refresh(row)
    await rows.write_lane(session, row.number or 0, entry.rate_per_s)
    return row


def _write(row: SmsGateway, vault: Vault, entry: GatewayEntry) -> None:
    for name, value in _shown(entry).items():
        setattr(row, name, value)
    if entry.password:
        row.sealed_password = vault.seal(entry.password.encode(), f"sms-gateway/{row.id}")


def _tells_others(row: SmsGateway, entry: GatewayEntry) -> bool:
    """Whether the password that is kept would be said to another server, or be less protected on its way."""
    return (row.host, row.port) != (entry.host, entry.port) or TLS.index(entry.tls) < TLS.index(Tls(row.tls))


def _turn(row: SmsGateway, state: GatewayState, reason: str) -> None:
    if row.state == state:
        raise Refusal("sms_gateway_state")
    row.state, row.reason = state.value, reason


def _route(gateway_id: UUID, entry: RouteEntry) -> SmsRoute:
    return SmsRoute(
        gateway_id=gateway_id, country=entry.country, kind=entry.kind, rank=entry.rank, cost_micro=entry.cost_micro
    )


def _shown(entry: GatewayEntry) -> dict[str, Any]:
    """All but the password, as columns."""
    return {
        name: getattr(value, "value", value)
        for name, value in ((name, getattr(entry, name)) for name in GatewayEntry.__dataclass_fields__)
        if name != "password"
    }


def entry_of(row: SmsGateway) -> GatewayEntry:
    """A row as an operator would enter it, without the password."""
    names = [name for name in GatewayEntry.__dataclass_fields__ if name != "password"]
    return GatewayEntry(**{name: getattr(row, name) for name in names})
