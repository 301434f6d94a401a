"""Carriers that take our SMS over SMPP, and which of them takes what."""

import datetime as dt
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Index, SmallInteger
from sqlmodel import Field, SQLModel

from domain.ids import new_id
from store.columns import moment, now


class SmsGateway(SQLModel, table=True):
    """One carrier's SMSC and how it is spoken to. Its lane is `sms-{number}`."""

    __tablename__ = "sms_gateway"
    id: UUID = Field(default_factory=new_id, primary_key=True)
    number: int | None = Field(default=None, sa_column=Column(SmallInteger, Identity(), unique=True))
    """What messages, parts and lanes name it by."""
    name: str = Field(unique=True)
    host: str
    port: int
    system_id: str
    sealed_password: bytes
    """Bound to `sms-gateway/{id}`."""
    system_type: str = ""
    tls: str = "none"
    """`domain.transport.Tls`: none, required or verified."""
    bind: str = "transceiver"
    """Or `pair`: a transmitter and a receiver."""
    binds: int = Field(default=1, sa_type=SmallInteger)
    """Of each process."""
    window: int = Field(default=32, sa_type=SmallInteger)
    """`submit_sm` without an answer, of each bind."""
    rate_per_s: int | None = None
    """Parts a second, of all processes together; None: no limit."""
    source: str = ""
    """`source_addr` (接入号), to which replies come."""
    id_form: str = "as_is"
    """How ids of `submit_sm_resp` become those of receipts: as_is, hex_to_decimal, decimal_to_hex."""
    clock_offset_minutes: int = Field(default=480, sa_type=SmallInteger)
    """Of the times in its receipts, from UTC."""
    enquire_seconds: int = Field(default=30, sa_type=SmallInteger)
    state: str = "enabled"
    """Or `paused`, or `removed`."""
    reason: str = ""
    """Why an operator paused it."""
    created_at: dt.datetime = moment(default_factory=now)
    changed_at: dt.datetime = moment(default_factory=now)


class SmsRoute(SQLModel, table=True):
    """Which gateway takes numbers of a country and texts of a kind; the lowest rank that is ready is asked first."""

    __tablename__ = "sms_route"
    __table_args__ = (Index("sms_route_order", "country", "kind", "rank"),)
    id: UUID = Field(default_factory=new_id, primary_key=True)
    gateway_id: UUID = Field(foreign_key="sms_gateway.id")
    country: str = ""
    """ISO 3166 of the number (`CN`); empty: every country that has no route of its own."""
    kind: str = ""
    """`domain.sms.SmsKind`; empty: every kind."""
    rank: int = Field(default=10, sa_type=SmallInteger)
    cost_micro: int = Field(default=0, sa_type=BigInteger)
    """What the carrier takes for a segment, for operators to compare."""
    created_at: dt.datetime = moment(default_factory=now)
