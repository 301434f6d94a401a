"""A customer of a bench that sends SMS: an account that has done everything for it, as rows, with money."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from bench.customers import recharge
from domain.accounts import AccountState
from domain.certification import CertificationKind, CertificationState
from domain.ids import new_id
from domain.reviews import ReviewState
from domain.secrets import PREFIX_SHOWN, SMS_KEY_PREFIX, Vault, new_token
from domain.sms import Market, SmsKind
from store.accounts import Account, Member
from store.certification import Certification
from store.columns import now
from store.db import Database
from store.sms_signatures import SmsSignature
from store.sms_templates import SmsTemplate, SmsTemplateVersion
from store.sms_users import SmsKey, SmsUser

CONTENT = "您好%name%，您的订单%order%已发货，请留意查收。"
FIRST_NUMBER = 13_000_000_000


@dataclass(frozen=True)
class Texter:
    """Its SMS user `name` and its key; `notice` is the template's number."""

    account: UUID
    name: str
    key: str
    notice: int


async def make_texter(db: Database, vault: Vault, tag: str) -> Texter:
    """Certified as an enterprise, with money, an SMS user, a signature and a notice, all approved."""
    account, user, signature, key_id, key = new_id(), new_id(), new_id(), new_id(), new_token(SMS_KEY_PREFIX)
    template = SmsTemplate(account_id=account, name="bench-notice")
    async with db.begin() as session:
        session.add(Account(id=account, name=f"Bench {tag}", state=AccountState.ACTIVE.value, confirmed_by="bench"))
        await session.flush()
        session.add_all([
            Member(account_id=account, email=f"{tag}@bench.example", password_hash="", email_confirmed_at=now()),
            Certification(account_id=account, kind=CertificationKind.ENTERPRISE.value,
                          state=CertificationState.APPROVED.value),
            SmsUser(id=user, account_id=account, name=f"bench_sms_{tag}"),
            SmsSignature(id=signature, account_id=account, text="测试科技", market=Market.DOMESTIC.value,
                         source="company", state=ReviewState.APPROVED.value),
            template,
        ])  # fmt: skip
        await session.flush()
        session.add(SmsKey(id=key_id, account_id=account, sms_user_id=user, prefix=key[:PREFIX_SHOWN],
                           sealed=vault.seal(key.encode(), f"sms-key/{key_id}"), digest=vault.digest(key)))  # fmt: skip
        session.add(SmsTemplateVersion(
            template_id=template.id, account_id=account, number=1, kind=SmsKind.NOTICE.value,
            market=Market.DOMESTIC.value, signature_id=signature, content=CONTENT, variables=["name", "order"],
            state=ReviewState.APPROVED.value,
        ))  # fmt: skip
        await session.refresh(template)
    async with db.raw() as connection:
        await recharge(connection, account)
    return Texter(account, f"bench_sms_{tag}", key, template.number or 0)


def phones(first: int, count: int) -> list[str]:
    """Mobile numbers of mainland China that nobody else of the bench has; none ends like a scripted one."""
    return [str(FIRST_NUMBER + first + number) for number in range(count)]


def notice_to(texter: Texter, numbers: Sequence[str], *, long: bool = False) -> dict[str, Any]:
    """The body of a request; long: each text has two segments."""
    values = long_values_for if long else values_for
    people = [{"phone": phone, "variables": values(phone)} for phone in numbers]
    return {"sms_user": texter.name, "template": str(texter.notice), "recipients": people}


def values_for(phone: str) -> dict[str, str]:
    """Of the notice's variables; with them it is one segment."""
    return {"name": f"读者{phone[-6:]}", "order": f"A-{phone[-6:]}"}


def long_values_for(phone: str) -> dict[str, str]:
    """With them the notice is two segments."""
    return {"name": f"读者{phone[-6:] * 4}", "order": f"A-{phone[-6:] * 5}"}
