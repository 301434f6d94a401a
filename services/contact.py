"""The public contact form."""

import datetime as dt
from uuid import UUID

from domain.errors import Refusal
from domain.notices import Notice
from domain.visitors import Visitor
from services.foundation import Foundation
from services.limits import Limit, Limits
from services.registrations import address_of
from store.accounts import ContactRequest
from store.notices import send_notice

PER_IP = Limit("contact", 5, dt.timedelta(hours=1))
SUBJECT_LENGTH = 100
BODY_LENGTH = 3_500
"""Characters: with four octets each it still fits the variables of one mail."""


class Contact:
    def __init__(self, base: Foundation, limits: Limits) -> None:
        self._base = base
        self._limits = limits

    async def ask(self, email: str, subject: str, body: str, visitor: Visitor) -> UUID:
        """Keep the request and mail it to support; returns its number."""
        address = address_of(email)
        title = _text("subject", " ".join(subject.split()), SUBJECT_LENGTH)
        words = _text("body", body.strip(), BODY_LENGTH)
        await self._limits.take((PER_IP, visitor.place))
        row = ContactRequest(email=address, subject=title, body=words)
        async with self._base.db.begin() as session:
            session.add(row)
        variables = {
            "platform": self._base.policy.platform_name, "email": address, "subject": title, "body": words,
            "number": str(row.id),
        }  # fmt: skip
        await send_notice(
            self._base.db, Notice.CONTACT, self._base.policy.support_email, "zh", variables, f"contact/{row.id}"
        )
        return row.id


def _text(field: str, text: str, longest: int) -> str:
    if not text:
        raise Refusal("required", field=field)
    if len(text) > longest:
        raise Refusal("text_too_long", field=field, limit=longest)
    return text.replace("\0", "")
