"""Lanes as people see them: operators pause, resume and limit them, on record; customers see their own queues."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from domain.accounts import Caller
from domain.errors import Refusal
from domain.ids import new_id
from domain.lanes import LaneState, Limits, read_limits
from domain.operators import Operator, OperatorRole
from domain.refusals import explain
from services import lanes as services
from services.lanes import LaneDesk, Queues
from store import lanes_read
from store.db import Database
from tests.lanes_world import campaign, learn, single_mails, use, with_lanes
from tests.sending_world import make_customer
from tests.sends_doors import foundation

ROOT = Operator(new_id(), "root", frozenset({OperatorRole.ADMIN}))
Act = Callable[[LaneDesk, Operator], Awaitable[object]]
ACTS: list[Act] = [
    lambda desk, who: desk.listed(who),
    lambda desk, who: desk.pause(who, "qq", "why"),
    lambda desk, who: desk.resume(who, "qq"),
    lambda desk, who: desk.set_limits(who, "qq", Limits(), 0),
    lambda desk, who: desk.full_speed(who, "qq"),
]


@pytest.fixture
async def desk(db: Database) -> LaneDesk:
    await with_lanes(db)
    return LaneDesk(await foundation(db))


async def refusal_of(act: Awaitable[object]) -> str:
    with pytest.raises(Refusal) as caught:
        await act
    assert all(all(explain(caught.value, language)[1:]) for language in ("zh", "en"))
    return caught.value.code


async def test_pausing_and_resuming_is_on_record(db: Database, desk: LaneDesk) -> None:
    await desk.pause(ROOT, "qq", " QQ is down ")
    assert await refusal_of(desk.pause(ROOT, "qq", "again")) == "lane_already_paused"
    first = (await desk.listed(ROOT))[0]
    assert (first.lane.name, first.state, first.lane.pause_reason) == ("qq", LaneState.PAUSED, "QQ is down")
    assert first.lane.paused_by == "operator/root"
    await desk.resume(ROOT, "qq")
    assert await refusal_of(desk.resume(ROOT, "qq")) == "lane_not_paused"
    assert {view.state for view in await desk.listed(ROOT)} == {LaneState.NORMAL}
    noted = await db.pool.fetch("SELECT actor, action, subject FROM audit_entry ORDER BY id")
    assert [tuple(row) for row in noted] == [
        ("operator/root", "lane.paused", "lane/qq"),
        ("operator/root", "lane.resumed", "lane/qq"),
    ]


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
async def test_a_pause_has_a_reason(db: Database, desk: LaneDesk, reason: str) -> None:
    assert await refusal_of(desk.pause(ROOT, "qq", reason)) in ("required", "text_too_long")
    assert await db.pool.fetchval("SELECT count(*) FROM lane WHERE paused_at IS NOT NULL") == 0


async def test_limits_are_changed_once_by_whoever_saw_them(db: Database, desk: LaneDesk) -> None:
    await desk.set_limits(ROOT, "qq", Limits(2.5, 10, 4, None, 7), 0)
    assert await refusal_of(desk.set_limits(ROOT, "qq", Limits(), 0)) == "lane_changed_meanwhile"
    row = await db.pool.fetchrow(
        "SELECT rate_per_s, burst, connections, per_site, per_connection, tokens FROM lane WHERE name = 'qq'"
    )
    assert tuple(row) == (2.5, 10, 4, None, 7, 10.0), "and no more tokens than the new burst"
    [said] = await db.pool.fetch("SELECT detail FROM audit_entry WHERE action = 'lane.limits_set'")
    assert [said["detail"][when]["per_connection"] for when in ("before", "after")] == [20, 7]


async def test_full_speed_forgets_the_back_off(db: Database, desk: LaneDesk) -> None:
    await db.pool.execute(
        "UPDATE lane SET pace = 0.25, slow_since = now(), backoff_until = now() + interval '1 hour' WHERE name = 'sina'"
    )
    assert (await desk.listed(ROOT))[0].state is LaneState.SLOW
    await desk.full_speed(ROOT, "sina")
    assert {view.state for view in await desk.listed(ROOT)} == {LaneState.NORMAL}


@pytest.mark.parametrize("act", ACTS[1:])
async def test_there_is_no_such_lane(db: Database, act: Act) -> None:
    assert await refusal_of(act(LaneDesk(await foundation(db)), ROOT)) == "not_found"


@pytest.mark.parametrize("role", [role for role in OperatorRole if role is not OperatorRole.ADMIN])
async def test_only_the_duty_may_see_and_change(db: Database, desk: LaneDesk, role: OperatorRole) -> None:
    who = Operator(new_id(), "li", frozenset({role}))
    assert {await refusal_of(act(desk, who)) for act in ACTS} == {"duty_forbidden"}
    assert await db.pool.fetchval("SELECT count(*) FROM audit_entry") == 0


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        (("x", "20", "", "", ""), "rate"),
        (("0", "20", "", "", ""), "rate"),
        (("-1", "20", "", "", ""), "rate"),
        (("1e3", "20", "", "", ""), "rate"),
        (("٣", "20", "", "", ""), "rate"),
        (("", "", "", "", ""), "burst"),
        (("", "1", "", "", ""), "burst"),
        (("", "2.5", "", "", ""), "burst"),
        (("", "20", "1", "", ""), "connections"),
        (("", "20", "", "1001", ""), "per_site"),
        (("", "20", "", "", "0"), "per_connection"),
        (("", "20", "", "", "10001"), "per_connection"),
        (("", "20", "", "", "2.5"), "per_connection"),
    ],
)
def test_what_is_no_limit_is_said_at_its_field(typed: tuple[str, str, str, str, str], field: str) -> None:
    with pytest.raises(Refusal, match="lane_limit_malformed") as caught:
        read_limits(*typed)
    assert caught.value.field == field
    assert all(explain(caught.value, language)[0] == 422 for language in ("zh", "en"))


def test_blank_is_no_limit() -> None:
    assert read_limits("", "20", " ", "", " ") == Limits(None, 20, None, None, None)
    assert read_limits("1,200", "30", "5", "2", "1") == Limits(20.0, 30, 5, 2, 1)


async def test_operators_see_connections_of_the_living_and_all_that_waits(db: Database, desk: LaneDesk) -> None:
    customer = await make_customer(db)
    await learn(db, qq_com="qq")
    await single_mails(db, customer, "a@qq.com", "b@qq.com", "c@far.example")
    await campaign(db, customer, "qq", unpaged=100, in_page=10, done=4, deferred=3)
    await use(db, "qq", bulk=2, express=1)
    await use(db, "qq", bulk=1, express=0)
    await use(db, "qq", bulk=9, express=9, alive=False)
    found = {view.lane.name: view for view in await desk.listed(ROOT)}
    assert (found["qq"].use.bulk, found["qq"].use.express, found["qq"].use.processes) == (3, 1, 2)
    assert {name: view.waiting for name, view in found.items() if view.waiting} == {"qq": 111, "other": 1}


async def test_customers_see_what_waits_by_api_user_and_provider(db: Database, desk: LaneDesk) -> None:
    customer, stranger = await make_customer(db), await make_customer(db)
    await learn(db, qq_com="qq", tencent_example="qq")
    await single_mails(db, customer, "x@qq.com", in_hand=True)
    await single_mails(db, customer, "a@qq.com", "b@qq.com", "c@tencent.example", "d@far.example")
    await single_mails(db, stranger, "z@qq.com")
    await campaign(db, customer, "sina", unpaged=100, in_page=10, done=4, deferred=3)
    await campaign(db, stranger, "qq", unpaged=7)
    await desk.pause(ROOT, "sina", "Maintenance")
    await db.pool.execute("UPDATE lane SET pace = 0.5, slow_since = now() WHERE name = 'qq'")
    found = await Queues(await foundation(db)).status(customer.caller())
    lines = [(line.api_user, line.lane, line.waiting, line.state, line.reason, line.domains) for line in found.lines]
    user = customer.api_user_name
    assert lines == [
        (user, "sina", 109, LaneState.PAUSED, "Maintenance", ()),
        (user, "qq", 4, LaneState.SLOW, "", ("qq.com", "tencent.example")),
        (user, "other", 1, LaneState.NORMAL, "", ("far.example",)),
    ]
    assert found.waiting == 114
    assert all(line.counted and line.since for line in found.lines)
    assert {news.lane: (news.state, news.reason) for news in found.news} == {
        "qq": (LaneState.SLOW, ""),
        "sina": (LaneState.PAUSED, "Maintenance"),
    }


async def test_what_was_deferred_by_an_old_page_counts_once(db: Database) -> None:
    customer = await make_customer(db)
    await single_mails(db, customer, "a@far.example", "b@far.example", in_hand=True)
    await db.pool.execute(
        "WITH back AS (UPDATE message SET round = round + 1 WHERE address = 'a@far.example' RETURNING id, account_id)"
        " INSERT INTO due (message_id, account_id, due_at) SELECT id, account_id, now() FROM back"
    )
    found = await Queues(await foundation(db)).status(customer.caller())
    assert found.waiting == 2


async def test_what_is_finished_or_not_yet_accepted_does_not_wait(db: Database) -> None:
    customer = await make_customer(db)
    for column in ("held_at = NULL", "finished_at = now()"):
        identifier = await campaign(db, customer, "qq", unpaged=5)
        await db.pool.execute(f"UPDATE campaign SET {column} WHERE id = $1", identifier)
    assert (await Queues(await foundation(db)).status(customer.caller())).lines == ()


async def test_an_api_users_key_sees_its_own_queue(db: Database) -> None:
    customer = await make_customer(db)
    await single_mails(db, customer, "a@far.example")
    queues = Queues(await foundation(db))
    assert (await queues.status(Caller(customer.account, api_user_id=customer.api_user))).waiting == 1
    assert (await queues.status(Caller(customer.account, api_user_id=new_id()))).lines == ()


async def test_more_than_can_be_counted_says_so(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes_read, "MOST_COUNTED", 3)
    monkeypatch.setattr(services, "MOST_COUNTED", 3)
    customer = await make_customer(db)
    await single_mails(db, customer, *(f"p{n}@far.example" for n in range(9)))
    [line] = (await Queues(await foundation(db)).status(customer.caller())).lines
    assert (line.waiting, line.counted) == (3, False)


async def test_a_count_that_takes_too_long_is_broken_off(
    db: Database, desk: LaneDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody holds a table for longer than a look may last."""
    monkeypatch.setattr(services, "LONGEST_LOOK", 1)
    customer, queues = await make_customer(db), Queues(await foundation(db))
    async with db.raw() as connection:
        await connection.execute("LOCK TABLE due IN ACCESS EXCLUSIVE MODE")
        code, views = await asyncio.gather(refusal_of(queues.status(customer.caller())), desk.listed(ROOT))
    assert code == "queue_status_busy"
    assert {view.waiting for view in views} == {None}
