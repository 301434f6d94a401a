"""A customer that may send SMS, by plain rows: enterprise certification, money, SMS user with a key, signature,
approved templates."""

import datetime as dt
import itertools
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from domain.accounts import AccountState, Caller
from domain.certification import CertificationKind, CertificationState
from domain.errors import Refusal
from domain.ids import new_id
from domain.reviews import ReviewState
from domain.secrets import PREFIX_SHOWN, SMS_KEY_PREFIX, new_token
from domain.sms import Market, SmsAccepted, SmsKind, SmsRecipient, SmsRequest
from domain.sms_acceptance import SmsTerms
from domain.sms_text import variables_in
from domain.times import SHANGHAI
from store.accounts import Account, Member
from store.certification import Certification
from store.columns import now
from store.db import Database
from store.sms_accepting import accept
from store.sms_signatures import SmsSignature
from store.sms_templates import SmsTemplate, SmsTemplateVersion
from store.sms_users import SmsKey, SmsUser
from tests.money_world import recharge
from tests.sending_world import VAULT

SIGNATURE = "送达科技"
CONTENTS = {
    SmsKind.CODE: "您的验证码是%code%，10分钟内有效。",
    SmsKind.NOTICE: "您好%name%，您的订单已发货。",
    SmsKind.MARKETING: "新品八折，欢迎选购。拒收请回复R",
}
"""The template of each kind is named like the kind."""
VALUES = {"code": "123456", "name": "李雷"}
PHONES = (f"138{n:08d}" for n in itertools.count(13_800_000))
"""Numbers of mainland China, a new one each time."""


@dataclass
class SmsCustomer:
    """An account, its SMS user and what that sends with."""

    account: UUID
    member: UUID
    sms_user: UUID
    name: str
    """Of the SMS user."""
    key: str
    signature: UUID
    versions: dict[SmsKind, UUID] = field(default_factory=dict)
    numbers: dict[SmsKind, int] = field(default_factory=dict)
    """Of the templates: SendCloud's templateId."""

    def caller(self) -> Caller:
        """A member."""
        return Caller(self.account, member_id=self.member)

    def by_key(self) -> Caller:
        """The SMS user by its key."""
        return Caller(self.account, sms_user_id=self.sms_user)

    def request(self, *phones: str, kind: SmsKind = SmsKind.NOTICE, **changes: object) -> SmsRequest:
        """A good request to these numbers, or to a new one."""
        people = tuple(SmsRecipient(phone, dict(VALUES)) for phone in phones or (next(PHONES),))
        values: dict[str, object] = {"sms_user": self.name, "template": kind.value, "recipients": people}
        return SmsRequest(**{**values, **changes})  # type: ignore[arg-type]


async def make_sms_customer(db: Database, *, fen: int = 100_000, certified: bool = True) -> SmsCustomer:
    """Insert the rows. `fen`: its money, by one recharge; 0: it never recharged."""
    account, member, user, signature, key_id = (new_id() for _ in range(5))
    key = new_token(SMS_KEY_PREFIX)
    customer = SmsCustomer(account, member, user, f"sms_{account.hex[-12:]}", key, signature)
    async with db.begin() as session:
        session.add(Account(id=account, name="Customer", state=AccountState.ACTIVE.value))
        await session.flush()
        session.add(Member(id=member, account_id=account, email=f"{member.hex}@customer.example",
                           password_hash="x", email_confirmed_at=now()))  # fmt: skip
        session.add(SmsUser(id=user, account_id=account, name=customer.name))
        if certified:
            session.add(
                Certification(
                    account_id=account,
                    kind=CertificationKind.ENTERPRISE.value,
                    state=CertificationState.APPROVED.value,
                )
            )
        await session.flush()
        session.add(SmsKey(id=key_id, account_id=account, sms_user_id=user, prefix=key[:PREFIX_SHOWN],
                           sealed=VAULT.seal(key.encode(), f"sms-key/{key_id}"), digest=VAULT.digest(key)))  # fmt: skip
        session.add(
            SmsSignature(
                id=signature,
                account_id=account,
                text=SIGNATURE,
                market=Market.DOMESTIC.value,
                source="company",
                state=ReviewState.APPROVED.value,
            )
        )
    for kind, content in CONTENTS.items():
        await add_template(db, customer, kind, content)
    if fen:
        await recharge(db, account, fen)
    return customer


async def add_template(
    db: Database,
    customer: SmsCustomer,
    kind: SmsKind,
    content: str,
    *,
    name: str = "",
    market: Market = Market.DOMESTIC,
    state: ReviewState = ReviewState.APPROVED,
    signature: UUID | None = None,
) -> SmsTemplate:
    """A template and its first version; unnamed it is the customer's template of that kind."""
    version = new_id()
    template = SmsTemplate(account_id=customer.account, name=name or kind.value)
    async with db.begin() as session:
        session.add(template)
        await session.flush()
        await session.refresh(template)
        session.add(
            SmsTemplateVersion(
                id=version,
                template_id=template.id,
                account_id=customer.account,
                number=1,
                kind=kind.value,
                market=market.value,
                signature_id=signature or customer.signature,
                content=content,
                variables=list(variables_in(content)),
                state=state.value,
            )
        )
    if not name and template.number is not None:
        customer.versions[kind], customer.numbers[kind] = version, template.number
    return template


async def add_international(db: Database, customer: SmsCustomer, content: str = "Your code is %code%.") -> SmsTemplate:
    """A signature and the template `world` for other countries."""
    signature = new_id()
    async with db.begin() as session:
        session.add(
            SmsSignature(
                id=signature,
                account_id=customer.account,
                text="Songda",
                market=Market.INTERNATIONAL.value,
                source="company",
                state=ReviewState.APPROVED.value,
            )
        )
    return await add_template(
        db, customer, SmsKind.NOTICE, content, name="world", market=Market.INTERNATIONAL, signature=signature
    )


async def set_sms_price(
    db: Database, item: str, unit: int, since: dt.datetime | None = None, account: UUID | None = None
) -> None:
    """A row of the price list: micro-yuan for a segment of `sms:GB` or `sms`."""
    await db.pool.execute(
        "INSERT INTO price (id, item, account_id, unit_micro, effective_from, set_by, set_at)"
        " VALUES ($1, $2, $3, $4, $5, 'test', now())",
        *(new_id(), item, account, unit, since or now() - dt.timedelta(days=1)),
    )


TERMS = SmsTerms(price_micro=50_000)
NOON = dt.datetime(2026, 12, 1, 12, 0, tzinfo=SHANGHAI)


async def send(
    db: Database, customer: SmsCustomer, asked: SmsRequest, at: dt.datetime = NOON, terms: SmsTerms = TERMS
) -> SmsAccepted:
    async with db.raw() as connection:
        return await accept(connection, customer.caller(), asked, at, terms)


async def refused(db: Database, customer: SmsCustomer, asked: SmsRequest, **how: Any) -> str:
    """The refusal's code, after which nothing is written."""
    before = await written(db)
    with pytest.raises(Refusal) as caught:
        await send(db, customer, asked, **how)
    assert await written(db) == before
    return caught.value.code


async def written(db: Database) -> list[int]:
    return [
        await db.pool.fetchval(f"SELECT count(*) FROM {table}")
        for table in ("submission", "message", "due", "hold", "sms_recent", "sms_test_use", "sms_request_key")
    ]
