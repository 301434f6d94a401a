"""/console/calendar over HTTP: an administrator sets days, confirms a year, and takes it back."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from domain.operators import OperatorRole
from domain.times import business_day
from domain.working_time import Calendar, is_published
from store.columns import now
from store.db import Database
from tests.accounts_world import House, csrf_of, house
from tests.operators_world import at_the_console, signed

TODAY = business_day(now())
UNPUBLISHED = next(year for year in range(TODAY.year, TODAY.year + 3) if not is_published(year))


@pytest.fixture
async def there(db: Database) -> House:
    return await house(db)


@pytest.fixture
async def admin(there: House) -> AsyncIterator[httpx2.AsyncClient]:
    who = await signed(there, "root", OperatorRole.ADMIN)
    async with at_the_console(there, who.token) as client:
        client.headers["x-csrf-token"] = csrf_of(await client.get("/console/me"))
        yield client


async def shown(client: httpx2.AsyncClient) -> str:
    answer = await client.get("/console/calendar?lang=en")
    assert answer.status_code == 200
    return answer.text


async def test_a_day_is_set_and_left_to_the_published_calendar_again(there: House, admin: httpx2.AsyncClient) -> None:
    form = {"day": str(TODAY), "works": "no", "note": "Typhoon <3"}
    assert (await admin.post("/console/calendar", data=form)).status_code == 303
    page = await shown(admin)
    assert "Typhoon &lt;3" in page and "operator/root" in page
    assert (await admin.post(f"/console/calendar/{TODAY}/remove")).status_code == 303
    assert "Typhoon" not in await shown(admin)
    again = await admin.post(f"/console/calendar/{TODAY}/remove")
    assert again.status_code in (303, 404)


@pytest.mark.parametrize(
    ("day", "works"), [("", "yes"), ("2026-02-30", "yes"), ("2001-01-01", "no"), ("x", ""), ("2026-12-24", "")]
)
async def test_what_cannot_be_set_is_said_at_its_field(admin: httpx2.AsyncClient, day: str, works: str) -> None:
    answer = await admin.post("/console/calendar", data={"day": day, "works": works, "note": "kept"})
    assert answer.status_code == 422
    assert 'id="e-day"' in answer.text or 'id="e-works"' in answer.text
    assert 'value="kept"' in answer.text


async def test_a_year_is_confirmed_where_the_gap_is_shown(admin: httpx2.AsyncClient) -> None:
    """From November on the page offers it; the address works all year."""
    act = f"/console/calendar/years/{UNPUBLISHED}/confirm"
    gap = await admin.get("/console/calendar")
    assert (act in gap.text) is (Calendar(()).unknown_day(TODAY) is not None)
    assert (await admin.post(act)).status_code == 303
    page = await shown(admin)
    assert act not in page and f"Operators confirmed that the calendar of {UNPUBLISHED} is complete." in page
    assert (await admin.post(f"/console/calendar/years/{UNPUBLISHED}/doubt")).status_code == 303
    assert "Operators confirmed" not in await shown(admin)
    for year in (2020, 99_999_999_999, -1, 0, -(10**20)):
        for verb in ("doubt", "confirm"):
            answer = await admin.post(f"/console/calendar/years/{year}/{verb}")
            assert answer.status_code in (303, 409), f"{year} {verb}"
