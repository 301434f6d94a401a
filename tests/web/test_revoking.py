"""An approval is taken back on the case's page: with a reason, a word of confirmation, and everything that follows."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import inspect, select

from domain.accounts import Caller
from domain.billing import RechargeState
from domain.certification import CertificationKind
from domain.errors import Refusal
from domain.ids import new_id
from domain.onboarding import Fact, SmsStage, Stage
from domain.operators import OperatorRole
from services.billing import Billing
from services.certification_views import CertificationView
from store import onboarding
from store.clockwork import Clockwork
from store.db import Database
from store.records import AuditRecord
from tests.accounts_world import House, house, submit
from tests.certification_world import Applicant
from tests.operators_world import at_the_console, signed
from tests.path_rows import Customer
from tests.pay_world import unasked
from tests.web.test_console_acts import with_papers

WHY = "营业执照已被吊销"
BUTTON = 'name="sure"'


@dataclass
class Certified:
    """A company that is certified and has paid."""

    home: House
    bob: Applicant
    case: CertificationView

    @property
    def path(self) -> str:
        return f"/console/cases/certification-review/{self.case.row.id}"

    @property
    def account(self) -> Customer:
        return Customer(self.home.db, self.bob.caller.account_id)

    async def facts(self) -> onboarding.Facts:
        async with self.home.db.read() as session:
            return await onboarding.facts(session, self.account.account)


@pytest.fixture
async def certified(db: Database) -> AsyncIterator[Certified]:
    home, bob = await with_papers(await house(db), db)
    made = Certified(home, bob, await bob.submits(CertificationKind.ENTERPRISE))
    await bob.is_decided(made.case)
    await made.account.sends_first()
    await made.account.orders(RechargeState.CREDITED)
    yield made


async def revoke(client: httpx2.AsyncClient, there: Certified, **fields: str) -> httpx2.Response:
    return await submit(client, f"{there.path}/revoke", "/console/me", **fields)


@pytest.mark.parametrize("role", [OperatorRole.REVIEWER, OperatorRole.ADMIN])
async def test_reviewers_take_an_approval_back(certified: Certified, role: OperatorRole) -> None:
    rita = await signed(certified.home, "rita", role)
    async with at_the_console(certified.home, rita.token) as client:
        assert BUTTON in (await client.get(certified.path)).text
        for fields, field in (({"reason": WHY}, "sure"), ({"reason": " ", "sure": "yes"}, "reason")):
            again = await revoke(client, certified, **fields)
            assert (again.status_code, f'id="e-{field}"' in again.text) == (422, True)
        addressed = await revoke(client, certified, reason="see a@b.example", sure="yes")
        assert (addressed.status_code, "see a@b.example" in addressed.text) == (422, True)
        assert Fact.PAID in await certified.facts()
        done = await revoke(client, certified, reason=WHY, sure="yes")
        assert (done.status_code, done.headers["location"]) == (303, certified.path)
        page = (await client.get(certified.path)).text
        assert (WHY in page, BUTTON in page) == (True, False)
        late = await revoke(client, certified, reason="Another reason.", sure="yes")
        assert (late.status_code, "revoked" in late.text, "Another reason." in page) == (409, True, False)
    assert (await certified.bob.row(certified.case.row.id)).reason == WHY
    assert await certified.bob.audit("certification.revoke") == [
        ("operator/rita", "certification.revoke", f"certification/{certified.case.row.id}")
    ]


async def test_what_rests_on_a_certification_ends_with_it(certified: Certified, tmp_path: Path) -> None:
    billing = Billing(replace(certified.home.base, pay_desk=unasked(tmp_path)))
    caller = Caller(certified.account.account, new_id())
    await billing.open(caller, "100")
    await certified.home.db.pool.execute("UPDATE clockwork SET nudge_wanted = false")
    rita = await signed(certified.home)
    async with at_the_console(certified.home, rita.token) as client:
        await revoke(client, certified, reason=WHY, sure="yes")
    assert not {Fact.PAID, Fact.CERTIFIED, Fact.ENTERPRISE_CERTIFIED} & await certified.facts()
    path = await certified.home.services.onboarding.show(caller)
    assert (path.stage, path.sms_stage) == (Stage.CERTIFY, SmsStage.CERTIFY)
    with pytest.raises(Refusal, match="step_missing"):
        await billing.open(caller, "100")
    async with certified.home.db.read() as session:
        with pytest.raises(Refusal, match="step_missing"):
            await onboarding.require_step(session, caller.account_id, SmsStage.USER)
        process = await session.get(Clockwork, f"onboarding/{caller.account_id}")
    assert process is not None and process.nudge_wanted


async def test_the_customer_is_mailed_once_and_sees_why_in_the_log(certified: Certified) -> None:
    rita = await signed(certified.home)
    async with at_the_console(certified.home, rita.token) as client:
        for _ in range(2):
            await revoke(client, certified, reason=WHY, sure="yes")
    [mail] = [each for each in await certified.home.mails() if each.label == "certification-revoked"]
    assert (mail.to, mail.variables["reason"]) == (f"{certified.account.account}@alice.example", WHY)
    assert await logged(certified) == [WHY]


async def logged(there: Certified) -> list[str]:
    """As the portal's log of the account shows it."""
    shown = inspect(AuditRecord).local_table.c
    query = select(shown.detail).where(shown.action == "certification.revoke")
    async with there.home.db.read() as session:
        return list((await (await session.connection()).execute(query)).scalars())


async def test_a_mail_that_was_lost_goes_out_with_the_next_press(certified: Certified) -> None:
    """The process was killed between the two: the approval is gone, and nobody was told."""
    rita = await signed(certified.home)
    async with at_the_console(certified.home, rita.token) as client:
        await revoke(client, certified, reason=WHY, sure="yes")
        await certified.home.db.pool.execute("DELETE FROM message")
        await certified.home.db.pool.execute("DELETE FROM submission WHERE label = 'certification-revoked'")
        assert (await revoke(client, certified, reason="Another reason.", sure="yes")).status_code == 409
    [mail] = [each for each in await certified.home.mails() if each.label == "certification-revoked"]
    assert mail.variables["reason"] == WHY


async def test_others_see_no_form_and_reach_none(certified: Certified) -> None:
    sam = await signed(certified.home, "sam", OperatorRole.SUPPORT, OperatorRole.FINANCE)
    async with at_the_console(certified.home, sam.token) as client:
        assert (await revoke(client, certified, reason=WHY, sure="yes")).status_code == 403
    assert Fact.PAID in await certified.facts()


async def test_support_decides_on_exceptions_and_revokes_none(db: Database) -> None:
    home, bob = await with_papers(await house(db), db)
    there = Certified(home, bob, await bob.submits_exception())
    sam = await signed(home, "sam", OperatorRole.SUPPORT)
    async with at_the_console(home, sam.token) as client:
        fields = {"decision": "approve", "version": str(there.case.row.row_version)}
        assert (await submit(client, f"{there.path}/decide", "/console/me", **fields)).is_redirect
        assert BUTTON not in (await client.get(there.path)).text
        assert (await revoke(client, there, reason=WHY, sure="yes")).status_code == 403
