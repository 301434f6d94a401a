"""A mail as the renderer makes it, without a database: one content, one recipient, one key."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from domain import dkim
from domain.compiled_mail import House, MailContent, compile_mail
from domain.dkim_keys import new_key_pair
from domain.transport import Mail

PRIVATE, PUBLIC = new_key_pair()
KEY = dkim.load_key("customer.example", "s1", PRIVATE)
TRACKING_URL = "https://track.songda.example"
HOUSE = House("bounce.test", b"v" * 32, TRACKING_URL, b"k" * 32, ("https://songda.example",))
CONTENT = MailContent(
    submission_id=UUID(int=0x0192 << 112 | 7), account_id=UUID(int=5), kind="batch", sender="news@customer.example",
    sender_name="送达，客户", reply_to="help@customer.example", accepted_at=dt.datetime(2026, 11, 23, 8, tzinfo=dt.UTC),
    subject="您好 %name%" + "！" * 30, html="<p>你好 %name%</p>\n.\n", text=".dot %name%\n\n\ntext  \n",
    domain_name="customer.example", track_clicks=False, track_opens=False, headers={},
)  # fmt: skip


@dataclass(frozen=True)
class Somebody:
    """A message, as far as its mail depends on it."""

    address: str = "a@x.test"
    variables: Mapping[str, str] = field(default_factory=lambda: {"name": "World"})
    id: int = 1
    ordinal: int = 0


def mail(to: Somebody | None = None, house: House = HOUSE, **changes: object) -> Mail:
    """One mail of the sample content with these changes."""
    return compile_mail(replace(CONTENT, **changes), house).mail(to or Somebody(), KEY)  # type: ignore[arg-type]
