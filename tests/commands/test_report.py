"""`songda report` as an operator's script meets it."""

import datetime as dt
import json
from pathlib import Path

import pytest
from sqlmodel import col, update

from domain.reviews import ReviewState
from domain.working_time import Calendar
from store.columns import now
from store.db import Database
from store.templates import TemplateVersion
from tests.commands.test_books import run
from tests.path_rows import Customer
from tests.test_cli import complaint, songda


async def test_the_report_as_table_and_as_json(db: Database) -> None:
    customer = await Customer(db).registers()
    identity = await customer.writes_template(ReviewState.REJECTED)
    decided = now()
    start = decided - dt.timedelta(minutes=90)
    changed = update(TemplateVersion).where(col(TemplateVersion.template_id) == identity)
    async with db.begin() as session:
        await session.exec(changed.values(submitted_at=start, due_at=start, decided_at=decided))
    ended = await run("report", "--json", "--hours", "00:00-24:00", DATABASE_URL=db.url)
    assert (ended.returncode, ended.stderr) == (0, "")
    queues = {each["queue"]: each for each in json.loads(ended.stdout)["queues"]}
    assert list(queues) == ["templates", "certifications", "exceptions", "sms_templates", "sms_signatures"]
    queue, other, exceptions = queues["templates"], queues["certifications"], queues["exceptions"]
    worked = Calendar.of("00:00-24:00").worked(start, decided).total_seconds()
    assert (queue["queue"], queue["decided"], queue["breaches"]) == ("templates", 1, 1)
    assert queue["median_seconds"] == queue["p95_seconds"] == pytest.approx(worked)
    assert (other["queue"], other["decided"], other["median_seconds"]) == ("certifications", 0, None)
    assert (exceptions["queue"], exceptions["open"], exceptions["unknown"]) == ("exceptions", 0, 0)
    ended = await run("report", "--days", "7", DATABASE_URL=db.url)
    assert ended.returncode == 0 and "last 7 days" in ended.stdout
    assert all(name in ended.stdout for name in ("templates", "certifications", "exceptions", "due time unknown"))


def test_what_it_cannot_do_is_one_line(tmp_path: Path) -> None:
    assert "set DATABASE_URL" in complaint(songda("report", "--data", str(tmp_path)))
    assert "SONGDA_WORKING_HOURS: working hours look like" in complaint(songda("report", SONGDA_WORKING_HOURS="9 to 5"))
