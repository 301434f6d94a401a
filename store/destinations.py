"""How destinations are to be reached, as operators decided. The table, then its queries."""

import datetime as dt
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel, col, select

from domain.destinations import Match, Rule, Treatment, read_smart_hosts
from domain.ids import new_id
from domain.transport import Login, Tls
from store.columns import moment, now, text_list
from store.db import Connection, Session


class DestinationPolicy(SQLModel, table=True):
    """One rule. `match` and `tls` are `domain.destinations.Match` and `domain.transport.Tls`."""

    __tablename__ = "destination_policy"
    __table_args__ = (UniqueConstraint("match", "pattern"),)
    id: UUID = Field(primary_key=True, default_factory=new_id)
    match: str
    pattern: str
    tls: str
    smart_hosts: list[str] = text_list(default_factory=list)
    """`host:port`, in the order to try them; none: by the MX."""
    login_user: str = ""
    login_password: bytes | None = None
    """Sealed for `destination/<id>`."""
    note: str = ""
    row_version: int = 0
    changed_at: dt.datetime = moment(default_factory=now)
    changed_by: str = ""


def rule_of(row: DestinationPolicy, login: Login | None = None) -> Rule:
    """A row as a rule; whoever connects unseals the `login` before."""
    treatment = Treatment(Tls(row.tls), read_smart_hosts("\n".join(row.smart_hosts)), login)
    return Rule(Match(row.match), row.pattern, treatment)


async def read_policies(connection: Connection) -> list[DestinationPolicy]:
    """All of them, for a worker."""
    rows = await connection.fetch("SELECT * FROM destination_policy ORDER BY id")
    return [DestinationPolicy(**dict(row)) for row in rows]


async def every_policy(session: Session) -> list[DestinationPolicy]:
    """By kind and pattern."""
    order = (col(DestinationPolicy.match), col(DestinationPolicy.pattern))
    return list(await session.exec(select(DestinationPolicy).order_by(*order)))


async def lock_policy(session: Session, policy_id: UUID) -> DestinationPolicy | None:
    return await session.get(DestinationPolicy, policy_id, with_for_update=True)
