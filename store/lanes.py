"""Lanes: which receiving domain belongs to which mailbox provider (design §4.7)."""

import datetime as dt

from sqlmodel import Field, SQLModel

from store.columns import moment, now


class RecipientDomain(SQLModel, table=True):
    """What the MX records of a receiving domain said last: its lane, and the group of servers it shares."""

    __tablename__ = "recipient_domain"
    domain: str = Field(primary_key=True)
    lane: str
    destination: str
    looked_up_at: dt.datetime = moment(default_factory=now)
