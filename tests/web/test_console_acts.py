"""What operators do on the console's own pages: decide, grant, answer, set; each act is a service's, and audited."""

from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID, uuid4

import httpx2
import pytest
from obstore.store import MemoryStore
from sqlmodel import col, select

from domain.billing import RechargeState
from domain.operators import OperatorRole
from domain.reviews import ReviewState
from services.catalog import build_services
from services.certifications import Certifications
from services.limits import Limits
from services.templates import TemplateView
from store.accounts import Account, ContactRequest
from store.audit_log import AuditEntry
from store.calendar import CalendarDay
from store.clockwork import Clockwork
from store.db import Database
from store.ledger import Price
from store.operators import OperatorRow
from store.papers import PaperStore
from tests.accounts_world import House, csrf_of, house
from tests.certification_world import Applicant, AtHome, applicant
from tests.operators_world import at_the_console, exported, signed
from tests.template_world import Author, author


@pytest.fixture
async def there(db: Database) -> House:
    return await house(db)


@pytest.fixture
async def root(there: House) -> AsyncIterator[httpx2.AsyncClient]:
    made = await signed(there, "root", OperatorRole.ADMIN)
    async with at_the_console(there, made.token) as client:
        yield client


async def post(client: httpx2.AsyncClient, path: str, **data: object) -> httpx2.Response:
    token = csrf_of(await client.get("/console/me"))
    return await client.post(path, data={"csrf_token": token, **data})


async def actions(db: Database) -> list[tuple[str, str]]:
    """What the operator of these tests did, in order; without signing in."""
    query = select(AuditEntry.action, AuditEntry.subject).where(AuditEntry.actor == "operator/root")
    async with db.read() as session:
        return list(await session.exec(query.order_by(col(AuditEntry.id))))[1:]


async def under_review(db: Database) -> tuple[Author, TemplateView]:
    alice = await author(db)
    return alice, await alice.submits()


async def test_a_template_is_decided_with_the_version_that_was_seen(db: Database, root: httpx2.AsyncClient) -> None:
    alice, view = await under_review(db)
    path = f"/console/cases/template-review/{view.version.id}"
    page = await root.get(path)
    assert 'name="version" value="2"' in page.text
    assert "Order" in page.text
    body = await root.get(f"{path}/body")
    assert "sandbox" in body.headers["content-security-policy"]
    refused = await post(root, f"{path}/decide", decision="reject", reason="", version="2")
    assert (refused.status_code, 'id="e-reason"' in refused.text) == (422, True)
    stale = await post(root, f"{path}/decide", decision="approve", version="1")
    assert stale.status_code == 409
    assert (await post(root, f"{path}/decide", decision="approve", version=str(10**20))).status_code == 422
    done = await post(root, f"{path}/decide", decision="approve", version="2")
    assert done.headers["location"] == "/console/template-queue/list"
    said = '<div class="alert alert-success" role="status">'
    lists = [(await root.get("/console/template-queue/list")).text for _ in range(2)]
    assert [said in page for page in lists] == [True, False], "the list tells that it was done, once"
    assert (await alice.templates.get(alice.caller, "order")).version.state == ReviewState.APPROVED
    assert (await actions(db))[0][0] == "template.approve"


async def test_who_comes_second_is_told_who_was_first(db: Database, there: House, root: httpx2.AsyncClient) -> None:
    _, view = await under_review(db)
    rita = await signed(there, "rita")
    path = f"/console/cases/template-review/{view.version.id}"
    async with at_the_console(there, rita.token) as client:
        assert (await post(client, f"{path}/decide", decision="reject", reason="No link.", version="2")).is_redirect
    late = await post(root, f"{path}/decide", decision="approve", version="2", reason="fine")
    assert late.status_code == 409
    assert "operator/rita" in late.text
    assert "No link." in late.text
    assert await actions(db) == []


async def test_the_case_leads_to_its_process_in_the_temporal_ui(db: Database, root: httpx2.AsyncClient) -> None:
    _, view = await under_review(db)
    page = await root.get(f"/console/cases/template-review/{view.version.id}")
    assert f"/namespaces/default/workflows/template-review%2F{view.version.id}" in page.text


async def test_links_to_the_temporal_ui_name_the_namespace(db: Database) -> None:
    there = await house(db, temporal_namespace="songda.a1b2c")
    root, account = await signed(there, "root", OperatorRole.ADMIN), uuid4()
    async with at_the_console(there, root.token) as client:
        answer = await client.get(f"/console/processes/onboarding/{account}")
    wanted = f"http://127.0.0.1:8233/namespaces/songda.a1b2c/workflows/onboarding%2F{account}"
    assert (answer.status_code, answer.headers["location"]) == (303, wanted)


async def test_an_application_shows_everything_and_its_papers(db: Database, there: House) -> None:
    home, bob = await with_papers(there, db)
    view = await bob.submits()
    rita = await signed(home, "rita")
    path = f"/console/cases/certification-review/{view.row.id}"
    async with at_the_console(home, rita.token) as client:
        page = await client.get(path)
        for known in ("张三丰", "11010519491231002X", "https://www.example.com", "长期有效", 'name="part.valid_until"'):
            assert known in page.text, page.text[:3000]
        paper = await client.get(f"{path}/papers/{view.documents[0].id}")
        assert (paper.status_code, paper.headers["content-type"]) == (200, "image/jpeg")
        assert "sandbox" in paper.headers["content-security-policy"]
        fields = {"decision": "reject", "version": str(view.row.row_version), "part.icp_number": "Not yours."}
        both = await post(client, f"{path}/decide", **fields | {"decision": "approve"})
        assert (both.status_code, "Not yours." in both.text) == (422, True)
        assert (await post(client, f"{path}/decide", **fields)).is_redirect
        late = await post(client, f"{path}/decide", **fields)
        assert (late.status_code, "operator/rita" in late.text) == (409, True)
    assert (await bob.row(view.row.id)).part_reasons == {"icp_number": "Not yours."}


async def with_papers(there: House, db: Database) -> tuple[House, Applicant]:
    """The application's services on the papers that the applicant hands in."""
    base = replace(there.base, papers=PaperStore(MemoryStore(), there.base.vault))
    bob = await applicant(db)
    bob.base, bob.service = base, Certifications(base, Limits(base), AtHome())
    there.app.state.services = build_services(base)
    return House(db, base, there.app.state.services, there.app), bob


async def test_quota_is_granted_to_paying_customers_only(db: Database, root: httpx2.AsyncClient) -> None:
    alice = await author(db)
    path = f"/console/customers/{alice.rows.account}"
    free = await post(root, f"{path}/quota", quota="5000", reason="ticket 7")
    assert free.status_code == 409
    await alice.rows.certifies()
    await alice.rows.orders(RechargeState.CREDITED)
    for quota, reason in (("0", "r"), ("x", "r"), ("99999999999", "r"), ("5000", " ")):
        assert (await post(root, f"{path}/quota", quota=quota, reason=reason)).status_code == 422
    assert (await post(root, f"{path}/quota", quota="5000", reason="ticket 7")).headers["location"] == path
    async with db.read() as session:
        account = await session.get(Account, alice.rows.account)
        nudged = await session.get(Clockwork, f"onboarding/{alice.rows.account}")
        detail = (
            await session.exec(select(AuditEntry.detail).where(AuditEntry.action == "account.quota_granted"))
        ).one()
    assert account is not None
    assert nudged is not None
    assert (account.granted_quota, nudged.nudge_wanted) == (5000, True)
    assert detail == {"before": None, "quota": 5000, "reason": "ticket 7"}


async def test_a_letter_is_read_and_settled(db: Database, root: httpx2.AsyncClient) -> None:
    letter = ContactRequest(email="v@visitor.example", subject="Hello", body="<b>Help</b>")
    async with db.begin() as session:
        session.add(letter)
    page = await root.get(f"/console/letters/{letter.id}")
    assert "&lt;b&gt;Help" in page.text
    for _ in range(2):
        assert (await post(root, f"/console/letters/{letter.id}/handled")).is_redirect
    assert await actions(db) == [("contact.handled", f"contact-request/{letter.id}")]


async def test_days_and_prices_are_set_through_their_services(db: Database, root: httpx2.AsyncClient) -> None:
    assert (await post(root, "/console/calendar", day="2026-12-25", works="no", note="party")).is_redirect
    assert (await post(root, "/console/calendar", day="soon", works="no")).status_code == 422
    assert (await post(root, "/console/prices/new", unit="0.0039")).is_redirect
    for unit, account, begins in (
        ("free", "", ""),
        ("0.1", "nobody", ""),
        ("0.1", "", "soon"),
        ("0.1", "", "2020-01-01"),
    ):
        answer = await post(root, "/console/prices/new", unit=unit, account=account, begins=begins)
        assert answer.status_code in (404, 422), answer.text[:200]
        assert "is-invalid" in answer.text
    async with db.read() as session:
        days = list(await session.exec(select(CalendarDay.works, CalendarDay.changed_by)))
        prices = list(await session.exec(select(Price.unit_micro, Price.set_by)))
    assert (days, prices) == ([(False, "operator/root")], [(3900, "operator/root")])
    assert (await post(root, "/console/prices/new", unit="0.3", item="sms", country="XX")).status_code == 422
    assert (await post(root, "/console/prices/new", unit="0.3", item="sms", country="gb")).is_redirect
    assert "sms:GB" in (await root.get("/console/prices/list")).text
    assert (await post(root, "/console/calendar/2026-12-25/remove")).is_redirect
    assert "0.0039" in (await root.get("/console/prices/list")).text


async def test_operators_are_added_and_their_password_is_shown_once(db: Database, root: httpx2.AsyncClient) -> None:
    assert (await post(root, "/console/staff", name="Bad Name", role="support")).status_code == 422
    assert (await post(root, "/console/staff", name="sam")).status_code == 422
    assert (await post(root, "/console/staff", name="sam", role=["support", "finance"])).is_redirect
    first, second = [await root.get("/console/staff") for _ in range(2)]
    assert ("data-copy" in first.text, "data-copy" in second.text) == (True, False)
    async with db.read() as session:
        sam = (await session.exec(select(OperatorRow).where(OperatorRow.name == "sam"))).one()
    assert await roles_after(db, root, sam.id, ["reviewer"]) == ["reviewer"]
    assert (await post(root, f"/console/staff/{sam.id}/reset")).is_redirect
    assert (await post(root, f"/console/staff/{sam.id}/disable")).is_redirect
    me = next(row for row in await everybody(db) if row.name == "root")
    assert f"/console/staff/{me.id}/" not in first.text, "oneself is changed under *my sign-in*"
    root.follow_redirects = True
    for act in ("disable", "reset", "roles"):
        assert "不能对自己" in (await post(root, f"/console/staff/{me.id}/{act}", role="admin")).text
    assert [row.name for row in await everybody(db) if row.disabled_at] == ["sam"]


async def everybody(db: Database) -> list[OperatorRow]:
    async with db.read() as session:
        return list(await session.exec(select(OperatorRow)))


async def roles_after(db: Database, root: httpx2.AsyncClient, subject: UUID, roles: list[str]) -> list[str]:
    assert (await post(root, f"/console/staff/{subject}/roles", role=roles)).is_redirect
    return next(row.roles for row in await everybody(db) if row.id == subject)


async def test_a_list_is_exported_with_its_formulas_disarmed(db: Database, root: httpx2.AsyncClient) -> None:
    alice = await author(db)
    async with db.begin() as session:
        account = await session.get(Account, alice.rows.account)
        assert account is not None
        account.name = "=HYPERLINK(1)"
    file = await exported(root, "accounts", "?q=HYPER")
    assert "'=HYPERLINK(1)" in file
    assert "Songda" not in file
    assert await actions(db) == [("list.exported", "list/accounts")]
