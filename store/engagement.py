"""What recipients did with a mail: opened it, clicked, unsubscribed."""

import datetime as dt
from uuid import UUID

from sqlalchemy import BigInteger, Index, SmallInteger
from sqlmodel import Field, SQLModel

from store.columns import moment, now


class Engagement(SQLModel, table=True):
    """One kind of act by one message's recipient; `link` is the number of the link in the mail, 0 for other kinds."""

    __tablename__ = "engagement"
    __table_args__ = (Index("engagement_submission", "submission_id", "kind"),)
    message_id: int = Field(sa_type=BigInteger, primary_key=True)
    kind: str = Field(primary_key=True)
    link: int = Field(sa_type=SmallInteger, primary_key=True)
    submission_id: UUID
    account_id: UUID
    first_at: dt.datetime = moment(default_factory=now)
    last_at: dt.datetime = moment(default_factory=now)
    times: int = 1
