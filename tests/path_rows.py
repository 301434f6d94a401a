"""Rows of one customer on the path, written as the features write them, without their services."""

import datetime as dt
from dataclasses import dataclass, field
from uuid import UUID

from sqlmodel import col, select, update

from domain.accounts import AccountState
from domain.billing import Channel, PaymentNotice, RechargeState
from domain.certification import CertificationKind, CertificationState
from domain.domains import DomainState, Purpose
from domain.ids import Kind, Process, new_id
from domain.reviews import ReviewState
from domain.sending import MessageState
from store import billing, onboarding
from store.accounts import Account, Member
from store.billing import Recharge
from store.certification import Certification
from store.columns import now
from store.db import Database
from store.domains import SenderDomain
from store.senders import ApiUser, ApiUserDomain
from store.sending import Message, Submission
from store.sms_signatures import SmsSignature
from store.sms_templates import SmsTemplate, SmsTemplateVersion
from store.sms_users import SmsUser
from store.templates import Template, TemplateVersion


@dataclass
class Customer:
    """Each method is one change that a feature makes."""

    db: Database
    account: UUID = field(default_factory=new_id)

    @property
    def process(self) -> Process:
        return Process(Kind.ONBOARDING, str(self.account), str(self.account), 1)

    async def registers(self, email: str = "", language: str = "en") -> "Customer":
        async with self.db.begin() as session:
            session.add(Account(id=self.account, name="Alice", language=language))
            await session.flush()
            address = email or f"{self.account}@alice.example"
            session.add(Member(account_id=self.account, email=address, password_hash="-"))
            await onboarding.begin(session, self.account)
        return self

    async def confirms(self, holds: bool = True) -> None:
        async with self.db.begin() as session:
            await session.exec(
                update(Member)
                .where(col(Member.account_id) == self.account)
                .values(email_confirmed_at=now() if holds else None)
            )
            state = AccountState.ACTIVE if holds else AccountState.PENDING
            await session.exec(update(Account).where(col(Account.id) == self.account).values(state=state.value))

    async def adds_domain(self, state: DomainState = DomainState.USABLE, is_test: bool = False) -> UUID:
        domain = SenderDomain(
            account_id=self.account, name=f"{new_id().hex}.example", state=state.value, is_test=is_test,
            ownership_token="t", dkim_selector="s", dkim_public="p", dkim_private=b"k",
        )  # fmt: skip
        async with self.db.begin() as session:
            session.add(domain)
        return domain.id

    async def domain_becomes(self, domain: UUID, state: DomainState, problem: Purpose | None = None) -> None:
        async with self.db.begin() as session:
            await session.exec(
                update(SenderDomain).where(col(SenderDomain.id) == domain).values(state=state.value, problem=problem)
            )

    async def adds_api_user(self, *domains: UUID, is_test: bool = False) -> UUID:
        user = ApiUser(account_id=self.account, name=f"u{new_id().hex}", kind="trigger", is_test=is_test)
        async with self.db.begin() as session:
            session.add(user)
            await session.flush()
            session.add_all([ApiUserDomain(api_user_id=user.id, domain_id=domain) for domain in domains])
        return user.id

    async def disables(self, user: UUID) -> None:
        async with self.db.begin() as session:
            await session.exec(update(ApiUser).where(col(ApiUser.id) == user).values(disabled_at=now()))

    async def writes_template(self, state: ReviewState = ReviewState.APPROVED, is_sample: bool = False) -> UUID:
        template = Template(
            account_id=self.account, invoke_name=new_id().hex, name="Letter", kind="trigger", is_sample=is_sample
        )
        async with self.db.begin() as session:
            session.add(template)
            await session.flush()
            session.add(TemplateVersion(
                template_id=template.id, account_id=self.account, number=1, subject="s", html="h", text="t",
                state=state.value,
            ))  # fmt: skip
        return template.id

    async def deletes_template(self, template: UUID) -> None:
        async with self.db.begin() as session:
            await session.exec(update(Template).where(col(Template.id) == template).values(deleted_at=now()))

    async def sends(self, state: MessageState = MessageState.DELIVERED, is_test: bool = False) -> UUID:
        submission = Submission(
            account_id=self.account, api_user_id=new_id(), template_version_id=new_id(), domain_id=new_id(),
            kind="trigger", is_test=is_test, sender="a@b.example", recipients=1,
            expires_at=now().replace(year=now().year + 1),
        )  # fmt: skip
        async with self.db.begin() as session:
            session.add(submission)
            session.add(Message(
                submission_id=submission.id, account_id=self.account, ordinal=0, address="r@x.example",
                state=state.value,
            ))  # fmt: skip
        return submission.id

    async def message_ends(self, submission: UUID, state: MessageState) -> None:
        async with self.db.begin() as session:
            await session.exec(
                update(Message).where(col(Message.submission_id) == submission).values(state=state.value)
            )

    async def makes_sms_user(self) -> UUID:
        user = SmsUser(account_id=self.account, name=f"s{new_id().hex}")
        async with self.db.begin() as session:
            session.add(user)
        return user.id

    async def disables_sms_user(self, user: UUID) -> None:
        async with self.db.begin() as session:
            await session.exec(update(SmsUser).where(col(SmsUser.id) == user).values(disabled_at=now()))

    async def writes_sms_template(self, state: ReviewState = ReviewState.APPROVED, is_builtin: bool = False) -> UUID:
        signature = SmsSignature(
            account_id=self.account, text=new_id().hex[:16], market="domestic", source="company", state="approved"
        )
        template = SmsTemplate(account_id=self.account, name=new_id().hex, is_builtin=is_builtin)
        async with self.db.begin() as session:
            session.add_all([signature, template])
            await session.flush()
            session.add(SmsTemplateVersion(
                template_id=template.id, account_id=self.account, number=1, kind="notice", market="domestic",
                signature_id=signature.id, content="您的订单已发货", state=state.value,
            ))  # fmt: skip
        return template.id

    async def texts(self, state: MessageState = MessageState.DELIVERED, is_test: bool = False) -> UUID:
        submission = Submission(
            account_id=self.account, channel="sms", api_user_id=new_id(), template_version_id=new_id(), kind="notice",
            is_test=is_test, sender="", recipients=1, expires_at=now() + dt.timedelta(days=1),
        )  # fmt: skip
        async with self.db.begin() as session:
            session.add(submission)
            session.add(Message(
                submission_id=submission.id, account_id=self.account, ordinal=0, address="+8613800138000",
                state=state.value,
            ))  # fmt: skip
        return submission.id

    async def applies(
        self, state: CertificationState, kind: CertificationKind = CertificationKind.ENTERPRISE, number: int = 1
    ) -> UUID:
        """A certification in this state."""
        row = Certification(account_id=self.account, kind=kind.value, state=state.value, number=number)
        async with self.db.begin() as session:
            session.add(row)
        return row.id

    async def application_becomes(self, application: UUID, state: CertificationState, **values: object) -> None:
        async with self.db.begin() as session:
            await session.exec(
                update(Certification).where(col(Certification.id) == application).values(state=state.value, **values)
            )

    async def certifies(
        self, kind: CertificationKind = CertificationKind.ENTERPRISE, until: dt.date | None = None, number: int = 1
    ) -> UUID:
        """An approved certification that lasts so long."""
        application = await self.applies(CertificationState.APPROVED, kind, number)
        await self.application_becomes(application, CertificationState.APPROVED, valid_until=until)
        return application

    async def orders(self, state: RechargeState = RechargeState.OPEN, expires: dt.timedelta = dt.timedelta(1)) -> UUID:
        """A recharge in this state."""
        order = Recharge(
            account_id=self.account, channel=Channel.ALIPAY.value, amount_fen=10_000, state=state.value,
            expires_at=now() + expires,
        )  # fmt: skip
        async with self.db.begin() as session:
            session.add(order)
        return order.id

    async def pays_twice(self) -> UUID:
        """One order, two payments; the second one, which has to go back."""
        order = await self.orders()
        for transaction in ("first", "second"):
            said = PaymentNotice(order.hex, f"{transaction}{order.hex}", 10_000, "CNY", True)
            async with self.db.raw() as connection:
                await billing.settle(connection, said, now())
        async with self.db.read() as session:
            return next(each.id for each in await billing.payments_of(session, [order]) if each.why)

    async def is_granted(self, quota: int | None) -> None:
        async with self.db.begin() as session:
            await session.exec(update(Account).where(col(Account.id) == self.account).values(granted_quota=quota))

    async def quota(self) -> tuple[int, int]:
        """(a day, of which free)."""
        async with self.db.read() as session:
            row = await session.get_one(Account, self.account)
            return row.daily_quota, row.free_quota

    async def sends_first(self) -> UUID:
        """From the address to the first delivered mail; returns the domain."""
        await self.confirms()
        domain = await self.adds_domain()
        await self.adds_api_user(domain)
        await self.writes_template()
        await self.sends()
        return domain

    async def finishes_everything(self) -> UUID:
        """All that can be taken today; returns the domain."""
        domain = await self.sends_first()
        await self.certifies()
        await self.orders(RechargeState.CREDITED)
        return domain

    async def leaves(self) -> None:
        async with self.db.begin() as session:
            await session.exec(
                update(Account).where(col(Account.id) == self.account).values(state=AccountState.CLOSED.value)
            )

    async def row(self) -> onboarding.Onboarding:
        async with self.db.read() as session:
            rows = await session.exec(
                select(onboarding.Onboarding).where(onboarding.Onboarding.account_id == self.account)
            )
            return rows.one()
