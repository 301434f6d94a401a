"""The console's queues: a case without a due time says so and comes first; and the report of each queue."""

import datetime as dt
import re
from dataclasses import replace
from uuid import UUID

import pytest
from sqlmodel import col, update

from domain.operators import OperatorRole
from store.certification import Certification
from store.columns import now
from store.db import Database
from store.templates import TemplateVersion
from tests.accounts_world import House, house
from tests.certification_world import applicant
from tests.operators_world import at_the_console, signed
from tests.template_world import GOOD, author

DAY = dt.timedelta(days=1)


@pytest.fixture
async def there(db: Database) -> House:
    return await house(db)


async def three_templates(db: Database) -> None:
    """One in time, one overdue, and one that was promised nothing."""
    alice = await author(db)
    for name, due in (("later", DAY), ("past", -DAY), ("never", None)):
        await alice.writes(replace(GOOD, subject=name), name)
        view = await alice.templates.submit(alice.caller, name)
        await promised(db, TemplateVersion, view.version.id, None if due is None else now() + due)


async def promised(
    db: Database, table: type[TemplateVersion] | type[Certification], identity: UUID, due: dt.datetime | None
) -> None:
    async with db.begin() as session:
        await session.exec(update(table).where(col(table.id) == identity).values(due_at=due, due_provisional=False))


@pytest.mark.parametrize("query", ["", "?sort=due_at__asc"])
async def test_a_case_without_a_due_time_is_first_and_not_in_time(db: Database, there: House, query: str) -> None:
    await three_templates(db)
    reviewer = await signed(there, "rita")
    async with at_the_console(there, reviewer.token) as client:
        page = await client.get(f"/console/template-queue/list{query}")
        assert re.findall(r'lt">(未知|已超时|按时)</span>', page.text) == ["未知", "已超时", "按时"]
        downwards = await client.get("/console/template-queue/list?sort=due_at__desc")
        assert re.findall(r'lt">(未知|已超时|按时)</span>', downwards.text) == ["按时", "已超时", "未知"]


async def test_an_application_without_a_due_time_says_so(db: Database, there: House) -> None:
    bob = await applicant(db)
    view = await bob.submits()
    reviewer = await signed(there, "rita")
    async with at_the_console(there, reviewer.token) as client:
        await promised(db, Certification, view.row.id, None)
        for path in ("/console/certification-queue/list", f"/console/cases/certification-review/{view.row.id}"):
            assert "未知" in (await client.get(path)).text
        assert "1 个期限未知" in (await client.get("/console/")).text
        await promised(db, Certification, view.row.id, now())
        for path in ("/console/certification-queue/list", f"/console/cases/certification-review/{view.row.id}"):
            assert "未知" not in (await client.get(path)).text


async def test_support_sees_its_own_report(db: Database, there: House) -> None:
    await (await applicant(db)).submits_exception()
    seen = {}
    for role in (OperatorRole.SUPPORT, OperatorRole.REVIEWER, OperatorRole.FINANCE):
        who = await signed(there, role.value, role)
        async with at_the_console(there, who.token) as client:
            page = (await client.get("/console/")).text
        seen[role] = re.findall(r"<tr>\s*<td>([^<]+)</td><td>\d+</td>", page)
    assert seen == {
        OperatorRole.SUPPORT: ["无网站认证"],
        OperatorRole.REVIEWER: ["模板审核", "认证审核", "短信模板审核", "短信签名审核"],
        OperatorRole.FINANCE: [],
    }


async def test_each_queue_shows_its_own_to_those_who_decide(db: Database, there: House) -> None:
    usual, exception = await (await applicant(db)).submits(), await (await applicant(db)).submits_exception()
    queues = {"template-queue": None, "certification-queue": usual.row.id, "exception-queue": exception.row.id}
    seen = {}
    for role in (OperatorRole.SUPPORT, OperatorRole.REVIEWER, OperatorRole.FINANCE):
        who = await signed(there, f"{role.value}-2", role)
        async with at_the_console(there, who.token) as client:
            pages = {name: await client.get(f"/console/{name}/list") for name in queues}
        seen[role] = {name for name, page in pages.items() if page.status_code == 200}
        for name in seen[role]:
            listed = {case for case in (usual.row.id, exception.row.id) if str(case) in pages[name].text}
            assert listed == {queues[name]} - {None}
        assert {page.status_code for page in pages.values()} <= {200, 403}
    assert seen == {
        OperatorRole.SUPPORT: {"exception-queue"},
        OperatorRole.REVIEWER: {"template-queue", "certification-queue"},
        OperatorRole.FINANCE: set(),
    }
