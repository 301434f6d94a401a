"""The classifier's table and the retry curves: seeded, edited on record, and followed by every process."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest

from domain.errors import Refusal
from domain.ids import new_id
from domain.operators import Operator, OperatorRole
from domain.refusals import explain
from domain.reply_rule_seeds import SEEDS
from domain.reply_rules import Pattern, Verdict
from domain.retry_curves import SHIPPED, CurveClass, CurveKey
from domain.senders import SendKind
from domain.sending import Curve, OutcomeKind, Reason, Scope
from services import reply_desk, reply_seeding
from services.reply_desk import Content, ReplyDesk
from services.reply_rules import LOOK_SECONDS, LiveReplyRules
from services.reply_seeding import ensure_reply_rules
from services.retry_curves import CurveDesk
from store.db import Database
from store.reply_rules import ReplyRule
from tests.patience import until
from tests.sends_doors import foundation

ROOT = Operator(new_id(), "root", frozenset({OperatorRole.ADMIN}))
MONEY = Operator(new_id(), "fin", frozenset({OperatorRole.FINANCE}))
MINUTE = dt.timedelta(minutes=1)
REFUSED = Verdict(Reason.REFUSED, OutcomeKind.BOUNCED, Scope.RECIPIENT)
OWN = Content(Pattern(provider="qq", code="5xx", text="frequency limited"), REFUSED, "for a test")
GREY = CurveKey(CurveClass.GREYLIST, SendKind.TRIGGER)
SHORT = Curve((MINUTE,), 60 * MINUTE)
LIMITED = ("mx1.qq.com", 550, "Ip frequency limited")
Act = Callable[[ReplyDesk, CurveDesk, Operator], Awaitable[object]]
ACTS: list[Act] = [
    lambda desk, _, who: desk.listed(who),
    lambda desk, _, who: desk.add(who, OWN),
    lambda desk, _, who: desk.edit(who, new_id(), OWN, 0),
    lambda desk, _, who: desk.move(who, new_id(), 1, 0),
    lambda desk, _, who: desk.enable(who, new_id(), 0, enabled=False),
    lambda desk, _, who: desk.delete(who, new_id(), 0),
    lambda desk, _, who: desk.restore(who, new_id(), 0),
    lambda desk, _, who: desk.restore_all(who),
    lambda desk, _, who: desk.attempt(who, *LIMITED),
    lambda _, curves, who: curves.listed(who),
    lambda _, curves, who: curves.set_curve(who, GREY, SHORT, 0),
    lambda _, curves, who: curves.restore(who, GREY, 0),
]


@pytest.fixture
async def desk(db: Database) -> ReplyDesk:
    await ensure_reply_rules(db)
    return ReplyDesk(await foundation(db))


@pytest.fixture
async def curves(db: Database, desk: ReplyDesk) -> CurveDesk:
    return CurveDesk(await foundation(db))


@pytest.fixture
async def live(db: Database, desk: ReplyDesk) -> AsyncIterator[LiveReplyRules]:
    rules = await LiveReplyRules.open(db)
    task = asyncio.create_task(rules.run())
    yield rules
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def refusal_of(act: Awaitable[object]) -> str:
    with pytest.raises(Refusal) as caught:
        await act
    assert all(all(explain(caught.value, language)[1:]) for language in ("zh", "en"))
    return caught.value.code


async def row_of(desk: ReplyDesk, seed: str = "") -> ReplyRule:
    return next(row for row in await desk.listed(ROOT) if row.seed == seed)


async def order(desk: ReplyDesk) -> list[str]:
    rows = await desk.listed(ROOT)
    assert [row.position for row in rows] == list(range(1, len(rows) + 1))
    return [row.seed or row.note for row in rows]


async def noted(db: Database) -> list[tuple[str, ...]]:
    rows = await db.pool.fetch("SELECT actor, action, subject FROM audit_entry ORDER BY id")
    return [(row["actor"], row["action"], row["subject"]) for row in rows]


async def decider(desk: ReplyDesk, *reply: object) -> str:
    trial = await desk.attempt(ROOT, *reply)  # type: ignore[arg-type]
    return (trial.row.seed or trial.row.note) if trial.row else ""


# What ships.


async def test_the_table_is_filled_once_in_its_order(db: Database, desk: ReplyDesk) -> None:
    assert await order(desk) == [seed.key for seed in SEEDS]
    before = await db.pool.fetch("SELECT * FROM reply_rule ORDER BY id")
    await ensure_reply_rules(db)
    assert await db.pool.fetch("SELECT * FROM reply_rule ORDER BY id") == before
    assert await db.pool.fetchval("SELECT count(*) FROM retry_curve") == len(SHIPPED)


async def test_an_upgrade_keeps_what_operators_did(db: Database, desk: ReplyDesk, curves: CurveDesk) -> None:
    edited, stopped = await row_of(desk, "qq.flood"), await row_of(desk, "qq.content")
    await desk.add(ROOT, OWN, 3)
    await desk.edit(ROOT, edited.id, replace(OWN, note="ours"), edited.row_version)
    await desk.enable(ROOT, stopped.id, stopped.row_version, enabled=False)
    await desk.move(ROOT, (await row_of(desk, "basic.421")).id, 1, 0)
    await curves.set_curve(ROOT, GREY, SHORT, 0)
    was = await order(desk)
    await ensure_reply_rules(db)
    assert await order(desk) == was and was[0] == "basic.421" and was[3] == "for a test"
    assert (await row_of(desk, "qq.flood")).note == "ours" and not (await row_of(desk, "qq.content")).enabled
    assert (await curves.listed(ROOT))[GREY].curve == SHORT


async def test_an_upgrade_brings_what_is_new_and_changed_in_its_place(
    db: Database, desk: ReplyDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched = await row_of(desk, "qq.content")
    await desk.edit(ROOT, touched.id, replace(OWN, note="kept"), touched.row_version)
    new = replace(SEEDS[2], key="qq.new", text="something new")
    changed = replace(SEEDS[0], text="other words")
    seeds = (changed, *SEEDS[1:3], new, *(seed for seed in SEEDS[3:] if seed.key not in ("qq.content", "sina.queue")))
    monkeypatch.setattr(reply_seeding, "SEEDS", seeds)
    monkeypatch.setattr(reply_seeding, "BY_KEY", {seed.key: seed for seed in seeds})
    await ensure_reply_rules(db)
    now = await order(desk)
    assert now[3] == "qq.new" and "sina.queue" not in now
    assert "kept" in now, "what an operator changed of a row that ships no more is theirs"
    assert (await row_of(desk, SEEDS[0].key)).text == "other words"


async def test_before_it_is_filled_what_ships_holds_all_the_same(db: Database) -> None:
    rules = await LiveReplyRules.open(db)
    assert rules.classify(*LIMITED).reason == Reason.RATE_LIMITED
    assert rules.curve("trigger", "soft.greylist") == SHIPPED[GREY]


# Operators.


@pytest.mark.parametrize("act", ACTS)
async def test_only_who_has_the_duty(desk: ReplyDesk, curves: CurveDesk, act: Act) -> None:
    assert await refusal_of(act(desk, curves, MONEY)) == "duty_forbidden"


async def test_every_change_is_on_record(db: Database, desk: ReplyDesk, curves: CurveDesk) -> None:
    await desk.add(ROOT, OWN)
    mine = await row_of(desk)
    await desk.edit(ROOT, mine.id, replace(OWN, note="changed"), 0)
    await desk.move(ROOT, mine.id, 5, 1)
    await desk.enable(ROOT, mine.id, 2, enabled=False)
    await desk.enable(ROOT, mine.id, 3, enabled=True)
    await desk.delete(ROOT, mine.id, 4)
    seed = await row_of(desk, "qq.flood")
    await desk.enable(ROOT, seed.id, 0, enabled=False)
    await desk.restore(ROOT, seed.id, 1)
    await desk.restore_all(ROOT)
    await curves.set_curve(ROOT, GREY, SHORT, 0)
    await curves.restore(ROOT, GREY, 1)
    subject, shipped = f"reply-rule/{mine.id}", f"reply-rule/{seed.id}"
    curve = "retry-curve/soft.greylist/trigger"
    assert await noted(db) == [
        ("operator/root", action, about)
        for action, about in (
            ("reply_rule.added", subject), ("reply_rule.edited", subject), ("reply_rule.moved", subject),
            ("reply_rule.disabled", subject), ("reply_rule.enabled", subject), ("reply_rule.deleted", subject),
            ("reply_rule.disabled", shipped), ("reply_rule.restored", shipped),
            ("reply_rule.all_restored", "reply-rule/all"),
            ("retry_curve.set", curve), ("retry_curve.restored", curve),
        )
    ]  # fmt: skip
    detail = await db.pool.fetchval("SELECT detail FROM audit_entry WHERE action = 'reply_rule.edited'")
    assert detail["before"]["note"] == "for a test" and detail["after"]["note"] == "changed"


async def test_a_stale_page_changes_nothing(db: Database, desk: ReplyDesk, curves: CurveDesk) -> None:
    await desk.add(ROOT, OWN)
    mine = await row_of(desk)
    await desk.edit(ROOT, mine.id, replace(OWN, note="first"), 0)
    acts: list[Awaitable[object]] = [
        desk.edit(ROOT, mine.id, replace(OWN, note="second"), 0),
        desk.move(ROOT, mine.id, 3, 0),
        desk.enable(ROOT, mine.id, 0, enabled=False),
        desk.delete(ROOT, mine.id, 0),
        desk.restore(ROOT, mine.id, 0),
    ]
    assert {await refusal_of(act) for act in acts} == {"reply_rule_changed_meanwhile"}
    assert (await row_of(desk)).note == "first" and await order(desk) == ["first", *(seed.key for seed in SEEDS)]
    await curves.set_curve(ROOT, GREY, SHORT, 0)
    assert await refusal_of(curves.set_curve(ROOT, GREY, SHORT, 0)) == "retry_curve_changed_meanwhile"
    assert await refusal_of(curves.restore(ROOT, GREY, 0)) == "retry_curve_changed_meanwhile"
    assert await refusal_of(desk.edit(ROOT, new_id(), OWN, 0)) == "not_found"


async def test_two_operators_at_once_take_turns(desk: ReplyDesk) -> None:
    await desk.add(ROOT, OWN)
    mine = await row_of(desk)
    acts = [desk.move(ROOT, mine.id, place, 0) for place in (2, 3, 4)]
    done = await asyncio.gather(*acts, *(desk.add(ROOT, OWN) for _ in range(3)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in done) == ["NoneType"] * 4 + ["Refusal"] * 2
    assert len(await order(desk)) == len(SEEDS) + 4


async def test_rows_move_and_the_others_make_room(desk: ReplyDesk) -> None:
    keys = [seed.key for seed in SEEDS]
    row = await row_of(desk, keys[4])
    await desk.move(ROOT, row.id, 2, 0)
    assert (await order(desk))[:6] == [keys[0], keys[4], keys[1], keys[2], keys[3], keys[5]]
    await desk.move(ROOT, row.id, 99_999, 1)
    assert (await order(desk))[-1] == keys[4]


async def test_what_ships_cannot_be_deleted_and_what_does_not_cannot_be_restored(desk: ReplyDesk) -> None:
    await desk.add(ROOT, OWN)
    assert await refusal_of(desk.delete(ROOT, (await row_of(desk, "qq.flood")).id, 0)) == "reply_rule_ships"
    assert await refusal_of(desk.restore(ROOT, (await row_of(desk)).id, 0)) == "reply_rule_own"


async def test_restoring_all_keeps_own_rows_before_what_they_stand_before(desk: ReplyDesk) -> None:
    keys = [seed.key for seed in SEEDS]
    await desk.add(ROOT, replace(OWN, note="at the end"), 99_999)
    await desk.add(ROOT, replace(OWN, note="before the third"), 3)
    flood = await row_of(desk, "qq.flood")
    await desk.edit(ROOT, flood.id, OWN, 0)
    await desk.move(ROOT, (await row_of(desk, "basic.5xx")).id, 1, 0)
    await desk.restore_all(ROOT)
    assert await order(desk) == [*keys[:2], "before the third", *keys[2:], "at the end"]
    assert (await row_of(desk, "qq.flood")).text == flood.text


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (replace(OWN, pattern=Pattern(provider="163")), "reply_rule_provider_unknown"),
        (replace(OWN, pattern=Pattern()), "reply_rule_fits_all"),
        (replace(OWN, note="x" * 201), "text_too_long"),
    ],
)
async def test_a_row_that_cannot_be_used_is_not_kept(desk: ReplyDesk, content: Content, code: str) -> None:
    assert await refusal_of(desk.add(ROOT, content)) == code
    seed = await row_of(desk, "qq.flood")
    assert await refusal_of(desk.edit(ROOT, seed.id, content, 0)) == code
    assert len(await order(desk)) == len(SEEDS)


async def test_the_table_has_an_end(desk: ReplyDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reply_desk, "MAX_RULES", len(SEEDS))
    assert await refusal_of(desk.add(ROOT, OWN)) == "reply_rules_full"


# Trying.


async def test_a_reply_is_tried_on_the_table_as_it_is(desk: ReplyDesk) -> None:
    assert await decider(desk, *LIMITED) == "qq.rate.ip"
    trial = await desk.attempt(ROOT, *LIMITED)
    assert (trial.outcome.reason, trial.outcome.scope) == (Reason.RATE_LIMITED, Scope.ADDRESS)
    assert [each // MINUTE for each in trial.tries[SendKind.TRIGGER]] == [5, 15, 35, 75, 135, 195]
    assert trial.tries[SendKind.BATCH][0] == 15 * MINUTE
    await desk.add(ROOT, OWN)
    assert await decider(desk, *LIMITED) == "for a test"
    assert (await desk.attempt(ROOT, *LIMITED)).tries == {}, "it bounces"
    await desk.enable(ROOT, (await row_of(desk)).id, 0, enabled=False)
    assert await decider(desk, *LIMITED) == "qq.rate.ip"
    assert await refusal_of(desk.attempt(ROOT, "mx", 250, "ok")) == "reply_code_malformed"


# Living processes.


async def test_an_edit_reaches_a_running_process(desk: ReplyDesk, curves: CurveDesk, live: LiveReplyRules) -> None:
    assert LOOK_SECONDS <= 1, "an edit counts within two seconds"
    assert live.classify(*LIMITED).kind is OutcomeKind.DEFERRED
    await desk.add(ROOT, OWN)

    async def bounced() -> bool:
        return live.classify(*LIMITED).kind is OutcomeKind.BOUNCED

    await until(bounced)
    await desk.delete(ROOT, (await row_of(desk)).id, 0)

    async def deferred() -> bool:
        return live.classify(*LIMITED).kind is OutcomeKind.DEFERRED

    await until(deferred)
    await curves.set_curve(ROOT, GREY, SHORT, 0)

    async def shorter() -> bool:
        return live.curve("trigger", "soft.greylist") == SHORT

    await until(shorter)
    assert live.curve("batch", "soft.greylist") == SHIPPED[CurveKey(CurveClass.GREYLIST, SendKind.BATCH)]


async def test_a_look_without_news_reads_one_row(db: Database, live: LiveReplyRules) -> None:
    table = live._rules
    await live.refresh()
    assert live._rules is table


async def test_a_row_that_cannot_be_read_is_left_out(db: Database, desk: ReplyDesk) -> None:
    """Written by hand, or by a version that knows more."""
    await db.pool.execute("UPDATE reply_rule SET provider = '163' WHERE seed = 'qq.rate.ip'")
    await db.pool.execute("UPDATE reply_rule SET reason = 'soft.new' WHERE seed = 'basic.421'")
    await db.pool.execute("UPDATE retry_curve SET kind = 'other' WHERE curve_class = 'block' AND kind = 'batch'")
    rules = await LiveReplyRules.open(db)
    assert rules.classify(*LIMITED).reason == Reason.RATE_LIMITED, "by the row for all servers"
    assert rules.classify("mx", 421, "bye").reason == Reason.CONN
    assert rules.curve("batch", "block.ip") == SHIPPED[CurveKey(CurveClass.BLOCK, SendKind.BATCH)]


async def test_without_the_database_a_process_goes_on_with_what_it_has(postgres_url: str, desk: ReplyDesk) -> None:
    await desk.add(ROOT, OWN)
    own = await Database.open(postgres_url, connections=2)
    rules = await LiveReplyRules.open(own)
    await own.close()
    await rules.refresh()
    assert rules.classify(*LIMITED).kind is OutcomeKind.BOUNCED
    never = await LiveReplyRules.open(own)
    assert never.classify(*LIMITED).kind is OutcomeKind.DEFERRED, "what ships"
