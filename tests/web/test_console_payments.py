"""Finance at the console: a payment, the end of a refund that nobody makes, and processes that ask for a person."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import httpx2
import pytest

from domain.operators import OperatorRole
from store.db import Database
from tests.accounts_world import House, house, submit
from tests.operators_world import at_the_console, signed
from tests.path_rows import Customer


@dataclass
class Office:
    """Somebody of finance before a browser, and a payment that has to go back."""

    db: Database
    client: httpx2.AsyncClient
    payment: UUID

    @property
    def page(self) -> str:
        return f"/console/received/{self.payment}"

    async def record(self, reason: str) -> httpx2.Response:
        return await submit(self.client, f"{self.page}/refunded", "/console/me", reason=reason)

    async def state(self) -> str:
        return str(await self.db.pool.fetchval("SELECT state FROM payment WHERE id = $1", self.payment))


@pytest.fixture
async def there(db: Database) -> House:
    return await house(db)


@pytest.fixture
async def office(db: Database, there: House) -> AsyncIterator[Office]:
    customer = await Customer(db).registers()
    await customer.confirms()
    made = await signed(there, "fin", OperatorRole.FINANCE)
    async with at_the_console(there, made.token) as client:
        yield Office(db, client, await customer.pays_twice())


def words(page: httpx2.Response) -> str:
    """What a reader sees."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.text))


async def test_the_list_leads_to_the_payment_and_the_payment_to_its_process(office: Office) -> None:
    assert office.page in (await office.client.get("/console/payments/list?lang=en")).text
    page = await office.client.get(f"{office.page}?lang=en")
    assert "To be refunded" in page.text and "the order was paid twice" in page.text
    assert f"/namespaces/default/workflows/refund%2F{office.payment}" in page.text
    assert "payment.refund_wanted" in page.text
    assert "登记退款完成" in (await office.client.get(f"{office.page}?lang=zh")).text


async def test_a_refund_is_recorded_once_with_its_reason(office: Office) -> None:
    for reason in ("", "x" * 501):
        refused = await office.record(reason)
        assert (refused.status_code, 'id="e-reason"' in refused.text) == (422, True)
    assert await office.state() == "refund_wanted"
    done = await office.record("bank <4711>")
    assert (done.status_code, done.headers["location"]) == (303, office.page)
    assert await office.state() == "refunded"
    page = await office.client.get(f"{office.page}?lang=en")
    assert "operator/fin" in page.text and "bank &lt;4711&gt;" in page.text
    assert "<textarea" not in page.text, "there is nothing left to record"
    late = await office.record("a stale page")
    assert late.status_code == 409 and "does not wait for a refund" in late.text
    assert await office.db.pool.fetchval("SELECT count(*) FROM journal WHERE kind = 'refund'") == 1


async def test_while_the_provider_may_be_doing_it_the_page_says_wait(office: Office) -> None:
    await office.db.pool.execute("UPDATE payment SET asked_at = now() WHERE id = $1", office.payment)
    await office.client.get("/console/?lang=en")
    refused = await office.record("bank transfer")
    assert (refused.status_code, "bank transfer" in refused.text) == (409, True)
    assert await office.state() == "refund_wanted"


async def test_a_credited_payment_has_nothing_to_record(office: Office) -> None:
    credited = await office.db.pool.fetchval("SELECT id FROM payment WHERE state = 'credited'")
    page = await office.client.get(f"/console/received/{credited}")
    assert page.status_code == 200
    assert "<textarea" not in page.text and "/workflows/" not in page.text


@pytest.mark.parametrize(
    ("attention", "shown"),
    [("provider_silent", "no credible answer"), ("provider_refused", "does not fit the order")],
)
async def test_what_asks_for_a_person_is_in_the_queue_of_stuck_processes(
    office: Office, attention: str, shown: str
) -> None:
    """Also while it goes on by itself."""
    process = f"refund/{office.payment}"
    empty = await office.client.get("/console/processes/list?lang=en")
    assert process not in empty.text
    assert 'href="/console/processes/list"' in empty.text
    await office.db.pool.execute("UPDATE clockwork SET attention = $2 WHERE workflow_id = $1", process, attention)
    listed = await office.client.get("/console/processes/list?lang=en")
    assert process in listed.text and shown in listed.text
    assert shown in (await office.client.get(f"{office.page}?lang=en")).text
    assert "Stuck processes 1" in words(await office.client.get("/console/?lang=en"))


async def test_a_process_that_was_ended_from_outside_says_so_first(office: Office) -> None:
    process = f"refund/{office.payment}"
    await office.db.pool.execute(
        "UPDATE clockwork SET attention = 'provider_silent', needs_human = 'workflow is TERMINATED'"
        " WHERE workflow_id = $1",
        process,
    )
    listed = await office.client.get("/console/processes/list?lang=en")
    assert "The process was terminated <span" in listed.text and "no credible answer" not in listed.text
    assert "workflow is TERMINATED</span>" in listed.text and "Refund <span" in listed.text
