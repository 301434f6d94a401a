"""A customer who hands in a certification, and the operators who decide, on the whole application."""

from dataclasses import dataclass, replace
from uuid import UUID

from obstore.store import MemoryStore
from sqlmodel import col, select
from temporalio.client import Client

from domain.accounts import Caller, SignedIn
from domain.certification import DOCUMENT_PARTS, CertificationKind, Part
from domain.ids import new_id
from domain.operators import Operator, OperatorRole
from domain.papers import Paper, sanitise
from domain.reviews import Decision, DecisionResult, Ruling
from services.certifications import Certifications, CertificationView
from services.foundation import Foundation
from services.limits import Limits
from services.paper_process import PaperWorkshop
from store import certification as rows
from store.audit_log import AuditEntry
from store.certification import Certification
from store.columns import now
from store.db import Database
from store.papers import PaperStore
from tests.accounts_world import House
from tests.paper_samples import pdf, picture
from tests.path_rows import Customer
from tests.sending_world import VAULT
from tests.template_world import foundation

ID_NUMBER = "11010519491231002X"
USCC = "91110000600037341L"
SITE = {"website": "https://www.example.com", "icp_number": "鄂ICP备12012345号-1"}
PERSON = {"name": "张三丰", "id_number": ID_NUMBER, "valid_until": "long-term", **SITE}
COMPANY = PERSON | {"name": "武汉送达科技有限公司", "uscc": USCC, "contact_name": "李四光"}
WHY = "我们只有线下门店，邮件用于会员通知。"
SECRETS = ("张三丰", "李四光", ID_NUMBER, USCC)
"""What may be seen by nobody but the operator who decides."""
GIVEN = {CertificationKind.INDIVIDUAL: PERSON, CertificationKind.ENTERPRISE: COMPANY}
PAPERS = {
    CertificationKind.INDIVIDUAL: (Part.ID_FRONT, Part.ID_BACK),
    CertificationKind.ENTERPRISE: (Part.LICENCE,),
}
INDIVIDUAL, ENTERPRISE = CertificationKind.INDIVIDUAL, CertificationKind.ENTERPRISE


def operator(*roles: OperatorRole, name: str = "rita") -> Operator:
    return Operator(new_id(), name, frozenset(roles or {OperatorRole.REVIEWER}))


class AtHome(PaperWorkshop):
    """The same work without a process around it: what that does has tests of its own."""

    async def sanitise(self, data: bytes) -> Paper:
        return sanitise(data)


@dataclass
class Applicant:
    """One account, and what it does to be certified."""

    base: Foundation
    service: Certifications
    caller: Caller

    async def begins(self, kind: CertificationKind = INDIVIDUAL, **changes: str) -> CertificationView:
        return await self.service.create(self.caller, kind, GIVEN[kind] | changes)

    async def completes(self, view: CertificationView) -> CertificationView:
        """With every paper that is missing."""
        for part in (each for each in view.missing if each in DOCUMENT_PARTS):
            data = pdf() if part is Part.LICENCE else picture("PNG" if part is Part.ICP_SCREENSHOT else "JPEG")
            await self.service.upload(self.caller, view.row.id, part.value, data)
        return await self.service.get(self.caller, view.row.id)

    async def submits(self, kind: CertificationKind = INDIVIDUAL, **changes: str) -> CertificationView:
        view = await self.completes(await self.begins(kind, **changes))
        return await self.service.submit(self.caller, view.row.id)

    async def submits_exception(self) -> CertificationView:
        return await self.submits(website="", icp_number="", no_website_reason=WHY)

    async def row(self, certification_id: UUID) -> Certification:
        async with self.base.db.read() as session:
            row = await session.get(Certification, certification_id)
        assert row is not None
        return row

    async def is_decided(
        self, view: CertificationView, decision: Decision = Decision.APPROVE, reason: str = "", **parts: str
    ) -> DecisionResult:
        ruling = Ruling(decision, "operator/rita", reason, 0, parts)
        async with self.base.db.begin() as session:
            return await rows.decide(session, view.row.id, ruling, now())

    async def audit(self, *actions: str) -> list[tuple[str, str, str]]:
        """(actor, action, subject), oldest first."""
        chosen = (AuditEntry.actor, AuditEntry.action, AuditEntry.subject)
        query = select(*chosen).where(col(AuditEntry.action).in_(actions)).order_by(col(AuditEntry.id))
        async with self.base.db.read() as session:
            return [(actor, action, subject) for actor, action, subject in await session.exec(query)]


async def applicant(db: Database, client: Client | None = None, language: str = "en") -> Applicant:
    """A confirmed customer's owner, without doors. Temporal is named but never spoken to, unless a client is given."""
    customer = await Customer(db).registers(language=language)
    await customer.confirms()
    base = replace(await foundation(db, client), papers=PaperStore(MemoryStore(), VAULT))
    caller = Caller(customer.account, member_id=new_id())
    return Applicant(base, Certifications(base, Limits(base), AtHome()), caller)


def at_the_door(home: House, signed: SignedIn) -> Applicant:
    """The same for a member of the whole application."""
    return Applicant(home.base, home.services.certifications, signed.caller)
