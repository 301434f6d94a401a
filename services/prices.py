"""The price list, as operators of finance keep it: append-only, each price from a time on (design §5 *Money*)."""

import datetime as dt
import re
from dataclasses import dataclass
from uuid import UUID

import phonenumbers

from domain.errors import Refusal
from domain.ids import new_id
from domain.ledger import EMAIL
from domain.operators import Duty, Operator
from domain.sms_acceptance import SMS, price_item
from domain.sms_numbers import HOME
from services.foundation import Foundation
from store import ledger_read as rows
from store.accounts import Account
from store.audit_log import note
from store.columns import now
from store.ledger import Price
from store.ledger_read import ListedPrice

MICRO_PER_YUAN = 1_000_000
MOST_MICRO = 10 * MICRO_PER_YUAN
"""More for one mail, or one segment of an SMS, is a slip of the pen."""
_UNIT = re.compile(r"(\d{1,3})(?:\.(\d{1,6}))?")


@dataclass(frozen=True)
class NewPrice:
    """`unit`: yuan for one mail, or one segment of an SMS, like `0.0045`. `account_id` None: for everybody.
    `effective_from` None: at once. `country`: of an SMS, blank for mainland China; without a price of its own another
    country is not sent to.
    """

    unit: str
    account_id: UUID | None = None
    effective_from: dt.datetime | None = None
    item: str = EMAIL
    country: str = ""


class Prices:
    """Needs `Duty.MONEY`. A price is never changed or taken back: set another one."""

    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def listed(self, operator: Operator, limit: int = 200) -> list[ListedPrice]:
        """Every price ever set, latest to begin first."""
        operator.require(Duty.MONEY)
        async with self._base.db.read() as session:
            return await rows.listed_prices(session, limit)

    async def set_price(self, operator: Operator, price: NewPrice) -> UUID:
        """Set a price from a time on; what is held already keeps the price it was accepted at.

        Raises `Refusal`: `price_malformed`, `price_in_past`, `price_country`, `not_found` (no such account or item),
        `duty_forbidden`.
        """
        operator.require(Duty.MONEY)
        unit, moment = parse_unit(price.unit), now()
        begins = price.effective_from or moment
        if begins < moment:
            raise Refusal("price_in_past", field="effective_from")
        item = read_item(price.item, price.country)
        made = new_id()
        async with self._base.db.begin() as session:
            if price.account_id is not None and await session.get(Account, price.account_id) is None:
                raise Refusal("not_found", field="account_id", what="account")
            session.add(
                Price(
                    id=made, item=item, account_id=price.account_id, unit_micro=unit, effective_from=begins,
                    set_by=operator.actor, set_at=moment,
                )
            )  # fmt: skip
            await note(session, operator.actor, "price.set", f"price/{made}", price.account_id)
        return made


def read_item(kind: str, country: str) -> str:
    """`email`, or `sms` and a country. Raises the refusals `price_country`, `not_found`."""
    code = country.strip().upper()
    if kind == SMS and (not code or code in phonenumbers.SUPPORTED_REGIONS):
        return price_item(code or HOME)
    if kind in (EMAIL, SMS) and code:
        raise Refusal("price_country", field="country")
    if kind != EMAIL:
        raise Refusal("not_found", field="item", what="price")
    return EMAIL


def parse_unit(text: str, field: str = "unit") -> int:
    """`0.0045` yuan as micro-yuan, at least one of them. Raises the refusal `price_malformed`."""
    match = _UNIT.fullmatch(text.strip().removeprefix("¥"))
    micro = int(match[1]) * MICRO_PER_YUAN + int((match[2] or "0").ljust(6, "0")) if match else 0
    if not 1 <= micro <= MOST_MICRO:
        raise Refusal("price_malformed", field=field)
    return micro
