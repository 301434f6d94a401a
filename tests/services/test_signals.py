"""Sending quality as customers and operators read it: their own, or everybody's, the worst first."""

import csv
import datetime as dt
import io
from uuid import UUID

import pytest

from domain.errors import Refusal
from domain.ids import new_id
from domain.operators import Operator, OperatorRole
from domain.signals import By, Counts, Level, Rate, Window
from domain.times import SHANGHAI
from services.signal_folding import SignalFolding
from services.signals import EXPORT_COLUMNS, SignalDesk, Signals
from store import signals
from store.db import Database
from store.signals import Signal
from tests.sending_world import Customer, make_customer
from tests.sends_doors import foundation

HOUR = dt.timedelta(hours=1)
SUPPORT = Operator(new_id(), "ming", frozenset({OperatorRole.SUPPORT}))


async def heard(db: Database, customer: Customer, lane: str, egress: int = 0, ago: int = 0, **counts: int) -> None:
    """`ago` in hours."""
    at = dt.datetime.now(dt.UTC) - ago * HOUR
    async with db.raw() as connection:
        signal = Signal(customer.account, customer.domain, egress, lane, Counts(**counts), at)
        await signals.note(connection, [signal])
    await SignalFolding(db).fold_all()


async def test_a_customer_sees_its_own_by_provider_domain_and_day(db: Database) -> None:
    mine, theirs = await make_customer(db), await make_customer(db)
    await heard(db, mine, "qq", delivered=200, hard=20)
    await heard(db, mine, "netease", delivered=500, complained=1)
    await heard(db, mine, "netease", ago=24 * 8, delivered=1000)
    await heard(db, theirs, "qq", delivered=900, complained=90)
    report = await Signals(await foundation(db)).report(mine.caller(), Window.WEEK)
    assert report.quality.counts == Counts(delivered=700, hard=20, complained=1)
    found = [(line.key, line.name, line.quality.level) for line in report.lines[By.PROVIDER]]
    assert found == [("qq", "", Level.WATCH), ("netease", "", Level.GOOD)]
    [domain] = report.lines[By.DOMAIN]
    assert (domain.key, domain.name) == (str(mine.domain), mine.domain_name)
    days = report.lines[By.TIME]
    assert len(days) == 7 and [day.quality.counts.delivered for day in days] == [0] * 6 + [700]


async def test_windows(db: Database) -> None:
    customer = await make_customer(db)
    for ago, number in ((0, 1), (23, 10), (30, 100), (24 * 20, 1000), (24 * 40, 10_000)):
        await heard(db, customer, "qq", ago=ago, delivered=number)
    service = Signals(await foundation(db))
    found = {window: (await service.report(customer.caller(), window)).quality.counts.delivered for window in Window}
    assert found == {Window.DAY: 11, Window.WEEK: 111, Window.MONTH: 1111}
    hours = (await service.report(customer.caller(), Window.DAY)).lines[By.TIME]
    assert len(hours) == 24 and (hours[0].quality.counts.delivered, hours[-1].quality.counts.delivered) == (10, 1)


async def test_rolled_up_days_are_read_like_their_hours(db: Database) -> None:
    customer = await make_customer(db)
    for ago in (24 * 5, 24 * 5 + 1):
        await heard(db, customer, "qq", ago=ago, delivered=5)
    service = Signals(await foundation(db))
    before = await service.report(customer.caller(), Window.WEEK)
    assert await SignalFolding(db).roll_up_all() == 2
    assert await service.report(customer.caller(), Window.WEEK) == before
    assert before.quality.counts.delivered == 10


async def test_what_is_the_platforms_is_not_told(db: Database) -> None:
    customer = await make_customer(db)
    for by in (By.ACCOUNT, By.EGRESS):
        with pytest.raises(Refusal, match="forbidden"):
            await Signals(await foundation(db)).report(customer.caller(), Window.DAY, [by])


async def test_the_file_has_every_line(db: Database) -> None:
    customer = await make_customer(db)
    await heard(db, customer, "qq", delivered=199, hard=1)
    data = await Signals(await foundation(db)).export(customer.caller(), Window.DAY, By.PROVIDER)
    head, line = csv.reader(io.StringIO(data.decode("utf-8-sig")))
    assert head == list(EXPORT_COLUMNS)
    found = dict(zip(head, line, strict=True))
    assert (found["key"], found["level"], found["hard"], found["hard_rate"]) == ("qq", "good", "1", "0.005000")
    assert found["complained_rate"] == "0.000000" and found["deferred_rate"] == "0.000000"
    times = await Signals(await foundation(db)).export(customer.caller(), Window.WEEK, By.TIME)
    assert len(times.splitlines()) == 8


async def test_operators_see_everybody_the_worst_first(db: Database) -> None:
    fine, loud, small = [await make_customer(db) for _ in range(3)]
    await heard(db, fine, "qq", egress=1, delivered=1000)
    await heard(db, loud, "gmail", egress=2, delivered=1000, complained=5, deferred=900)
    await heard(db, small, "qq", egress=2, delivered=1, hard=9)
    desk = SignalDesk(await foundation(db))
    found = await desk.show(SUPPORT, Window.WEEK)
    assert [UUID(line.key) for line in found.report.lines[By.ACCOUNT]] == [loud.account, fine.account, small.account]
    assert found.report.lines[By.ACCOUNT][0].name == "Customer"
    assert [line.key for line in found.report.lines[By.EGRESS]] == [2, 1]
    assert {key: quality.counts.settled for key, quality in found.matrix.items()} == {
        (1, "qq"): 1000, (2, "gmail"): 1000, (2, "qq"): 10,
    }  # fmt: skip
    one = await desk.show(SUPPORT, Window.WEEK, loud.account)
    assert one.account is not None and one.account.name == "Customer" and set(one.matrix) == {(2, "gmail")}
    assert one.report.quality.worst == (Rate.COMPLAINED, Rate.DEFERRED) and By.ACCOUNT not in one.report.lines


async def test_an_operators_file_is_on_record_and_strangers_get_none(db: Database) -> None:
    customer = await make_customer(db)
    await heard(db, customer, "qq", delivered=5)
    desk = SignalDesk(await foundation(db))
    assert str(customer.account).encode() in await desk.export(SUPPORT, Window.DAY, By.ACCOUNT)
    [noted] = await db.pool.fetch("SELECT actor, action, subject FROM audit_entry ORDER BY id DESC LIMIT 1")
    assert tuple(noted) == ("operator/ming", "list.exported", "list/signals-account")
    with pytest.raises(Refusal, match="not_found"):
        await desk.show(SUPPORT, Window.DAY, new_id())
    with pytest.raises(Refusal, match="not_found"):
        await desk.export(SUPPORT, Window.DAY, By.DOMAIN, new_id())
    with pytest.raises(Refusal, match="duty_forbidden"):
        await desk.show(Operator(new_id(), "x", frozenset()), Window.DAY)


async def test_today_is_shanghais(db: Database) -> None:
    customer = await make_customer(db)
    await heard(db, customer, "qq", delivered=1)
    report = await Signals(await foundation(db)).report(customer.caller(), Window.WEEK)
    assert report.lines[By.TIME][-1].key == dt.datetime.now(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
