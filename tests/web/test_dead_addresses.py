"""/console/dead-addresses: an operator looks one address up and frees it, on record."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from domain.operators import OperatorRole
from store.columns import now
from store.db import Database
from tests.accounts_world import House, csrf_of, house
from tests.operators_world import at_the_console, signed
from tests.suppressed_world import HOUR, bury

HERE = "/console/dead-addresses"


@pytest.fixture
async def there(db: Database) -> House:
    return await house(db)


@pytest.fixture
async def support(there: House) -> AsyncIterator[httpx2.AsyncClient]:
    made = await signed(there, "sue", OperatorRole.SUPPORT)
    async with at_the_console(there, made.token) as client:
        yield client


async def free(client: httpx2.AsyncClient, **data: str) -> httpx2.Response:
    token = csrf_of(await client.get("/console/me"))
    return await client.post(f"{HERE}/free", data={"csrf_token": token, **data})


async def test_one_is_looked_up_and_freed_on_record(db: Database, support: httpx2.AsyncClient) -> None:
    await bury(db, "li@x.example", now() + HOUR, failures=5)
    await bury(db, "han@x.example", now() - HOUR)
    page = (await support.get(HERE)).text
    assert "共 2 个地址，其中 1 个正在拦截。" in page and "x.example" not in page, "no list of addresses"
    found = (await support.get(f"{HERE}?address=LI@X.example&lang=en")).text
    assert "li@x.example" in found and "held back" in found and ">5<" in found
    assert "over: the next mail is tried" in (await support.get(f"{HERE}?address=han@x.example")).text
    silent = await free(support, address="li@x.example", reason=" ")
    assert silent.status_code == 422 and 'id="e-reason"' in silent.text and "li@x.example" in silent.text
    assert (await free(support, address="li@x.example", reason="he called")).status_code == 303
    assert await db.pool.fetchval("SELECT count(*) FROM dead_address WHERE address = 'li@x.example'") == 0
    entry = await db.pool.fetchrow("SELECT * FROM audit_entry WHERE action = 'dead_address.freed'")
    assert (entry["actor"], entry["detail"]) == ("operator/sue", {"reason": "he called", "failures": 5})
    assert entry["subject"].startswith("dead-address/") and "li@" not in str(dict(entry))


async def test_what_is_not_there_and_what_is_no_address(db: Database, support: httpx2.AsyncClient) -> None:
    for address, code in (("nobody@x.example", 404), ("nobody", 422), ("x" * 1001, 404)):
        asked = await support.get(HERE, params={"address": address})
        assert asked.status_code == code, address
    freed = await free(support, address="nobody@x.example", reason="r")
    assert freed.status_code == 404 and "无效地址库中没有这个地址" in freed.text
    assert await db.pool.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'dead_address.freed'") == 0
