"""A customer that may send SMS, with the services of signatures and templates; Temporal is the test's, or never spoken
to."""

from dataclasses import dataclass

from temporalio.client import Client

from domain.accounts import Caller
from domain.billing import RechargeState
from domain.certification import CertificationKind
from domain.errors import Refusal
from domain.ids import new_id
from domain.reviews import ReviewState
from domain.sms import Market, SmsKind
from domain.sms_signatures import SignatureDraft, SignatureSource
from services.foundation import Foundation
from services.limits import Limits
from services.sms_signatures import SmsSignatures
from services.sms_templates import SmsTemplateDraft, SmsTemplates, SmsTemplateView
from store.columns import now
from store.db import Database
from store.sms_signatures import SmsSignature
from store.sms_users import SmsUser
from tests.path_rows import Customer
from tests.template_world import foundation

SIGNATURE = "送达科技"
NOTICE = "您好%name%，您的订单已发货。"


@dataclass
class SmsAuthor:
    """One account and what it does with signatures and templates."""

    rows: Customer
    base: Foundation

    @property
    def caller(self) -> Caller:
        return Caller(self.rows.account, member_id=self.rows.account)

    @property
    def templates(self) -> SmsTemplates:
        return SmsTemplates(self.base)

    @property
    def signatures(self) -> SmsSignatures:
        return SmsSignatures(self.base, Limits(self.base))

    async def signs(
        self,
        text: str = SIGNATURE,
        market: Market = Market.DOMESTIC,
        state: ReviewState = ReviewState.APPROVED,
        source: SignatureSource = SignatureSource.COMPANY,
    ) -> SmsSignature:
        """A signature in this state, as its review left it."""
        made = await self.signatures.create(self.caller, SignatureDraft(text, market, source))
        async with self.base.db.begin() as session:
            row = await session.get_one(SmsSignature, made.id)
            row.state, row.decided_at = state.value, now()
        return row

    async def writes(
        self, content: str = NOTICE, kind: SmsKind = SmsKind.NOTICE, name: str = "order"
    ) -> SmsTemplateView:
        """A draft; with the first signature, which is made when there is none."""
        return await self.templates.create(self.caller, await self.draft(content, kind, name))

    async def draft(
        self, content: str = NOTICE, kind: SmsKind = SmsKind.NOTICE, name: str = "order"
    ) -> SmsTemplateDraft:
        try:
            signature = await self.signatures.by_text(self.caller, SIGNATURE)
        except Refusal:
            signature = await self.signs()
        return SmsTemplateDraft(name, kind, str(signature.number), content)

    async def edits(self, content: str, kind: SmsKind = SmsKind.NOTICE, name: str = "order") -> SmsTemplateView:
        return await self.templates.edit(self.caller, name, await self.draft(content, kind, name))

    async def submits(self, content: str = NOTICE, kind: SmsKind = SmsKind.NOTICE) -> SmsTemplateView:
        """A new template, sent to review."""
        await self.writes(content, kind)
        return await self.templates.submit(self.caller, "order")


async def sms_author(db: Database, client: Client | None = None, language: str = "en") -> SmsAuthor:
    """Certified as an enterprise, paid, with an SMS user."""
    rows = await Customer(db).registers(language=language)
    await rows.confirms()
    await rows.certifies(CertificationKind.ENTERPRISE)
    await rows.orders(RechargeState.CREDITED)
    async with db.begin() as session:
        session.add(SmsUser(account_id=rows.account, name=f"sms_{new_id().hex[-12:]}"))
    return SmsAuthor(rows, await foundation(db, client))
