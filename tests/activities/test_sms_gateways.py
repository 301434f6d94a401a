"""What workers know of gateways; long replies whose parts come to several of them; the sandbox's carriers."""

import asyncio
import datetime as dt
from dataclasses import replace

import pytest

from activities.sms_gateways import SmsGatewayRows
from commands.sandbox import ensure_carriers
from domain.secrets import Vault
from domain.sms_carriers import GatewaySight, ReplyPiece
from domain.sms_gateways import GatewayEntry, RouteEntry
from services.sms_gateways import SeededGateway, ensure_gateways
from store.db import Database
from store.sms_gateways import PieceOfAnother

SECRET = "a secret of thirty-two characters"
NOW = dt.datetime(2026, 12, 1, 2, 0, tzinfo=dt.UTC)
MOBILE = SeededGateway(
    GatewayEntry("Mobile", "127.0.1.8", 12006, "songda", "pretend"), (RouteEntry(0, "CN", "code", 1, 35_000),)
)


@pytest.fixture
def vault() -> Vault:
    return Vault(SECRET)


def books(db: Database, vault: Vault) -> tuple[SmsGatewayRows, SmsGatewayRows]:
    return SmsGatewayRows(db, vault, "one"), SmsGatewayRows(db, vault, "two")


def piece(index: int, total: int = 3, reference: int = 7, at: dt.datetime | None = None) -> ReplyPiece:
    where = (1, "+8613800138000", "10690", reference, index, total)
    return ReplyPiece(*where, f"part {index} ", at or dt.datetime.now(dt.UTC))


async def test_the_parts_of_a_reply_come_to_several_processes_at_once(db: Database, vault: Vault) -> None:
    one, two = books(db, vault)
    for reference in range(20):
        pieces = [piece(index, reference=reference) for index in (2, 1, 3)]
        found = await asyncio.gather(*(book.piece(each) for book, each in zip((one, two, one), pieces, strict=True)))
        (whole,) = [each for each in found if each is not None]
        assert whole.reply.content == "part 1 part 2 part 3 ", "exactly one of them has the whole"
        await one.given(whole.key)
    assert await db.pool.fetchval("SELECT count(*) FROM sms_reply_piece") == 0


async def test_a_part_that_is_told_twice_counts_once(db: Database, vault: Vault) -> None:
    one, two = books(db, vault)
    assert await one.piece(piece(1, 2)) is None
    assert await two.piece(piece(1, 2)) is None
    whole = await two.piece(piece(2, 2))
    assert whole is not None and whole.reply.content == "part 1 part 2 "


async def test_two_long_texts_that_a_handset_numbers_alike(db: Database, vault: Vault) -> None:
    one, two = books(db, vault)
    await one.piece(piece(1, at=dt.datetime.now(dt.UTC) - dt.timedelta(minutes=11)))
    other = replace(piece(1), content="another text ")
    with pytest.raises(PieceOfAnother):
        await two.piece(other)  # the carrier says it again
    assert [each.reply.content for each in await one.overdue()] == ["part 1 …"]
    await one.given(other.key)
    assert await two.piece(other) is None
    (row,) = await db.pool.fetch("SELECT content FROM sms_reply_piece")
    assert row["content"] == "another text "


async def test_texts_that_stay_incomplete_are_given_out_once(db: Database, vault: Vault) -> None:
    one, two = books(db, vault)
    await one.piece(piece(1, at=dt.datetime.now(dt.UTC) - dt.timedelta(minutes=11)))
    await one.piece(piece(3))
    await one.piece(piece(2, reference=8))
    found = [*await one.overdue(), *await two.overdue()]
    assert [each.reply.content for each in found] == ["part 1 …part 3 "], "the fresh one waits; the old one is ours"
    await db.pool.execute("UPDATE sms_reply_piece SET given_at = given_at - interval '6 minutes'")
    (again,) = await two.overdue()
    await two.given(again.key)
    assert await one.overdue() == [] and await db.pool.fetchval("SELECT count(*) FROM sms_reply_piece") == 1


async def test_what_processes_have_is_theirs_and_grows_old(db: Database, vault: Vault) -> None:
    one, two = books(db, vault)
    await one.say([GatewaySight(1, 2), GatewaySight(2, 0, "no answer")])
    await two.say([GatewaySight(1, 1)])
    await one.say([GatewaySight(1, 2)])
    rows = await db.pool.fetch("SELECT number, process, bound FROM sms_gateway_sight ORDER BY process, number")
    assert [tuple(row) for row in rows] == [(1, "one", 2), (1, "two", 1)]
    await db.pool.execute("UPDATE sms_gateway_sight SET seen_at = now() - interval '1 hour' WHERE process = 'two'")
    await one.say([GatewaySight(1, 1)])
    assert await db.pool.fetchval("SELECT count(*) FROM sms_gateway_sight") == 1


async def test_a_stacks_carriers_are_entered_once_and_operators_edits_stay(db: Database, vault: Vault) -> None:
    for _ in range(2):
        await ensure_gateways(db, vault, [MOBILE])
    assert await db.pool.fetchval("SELECT count(*) FROM sms_gateway") == 1
    assert await db.pool.fetchval("SELECT count(*) FROM sms_route") == 1
    (config,) = await SmsGatewayRows(db, vault, "one").configs() or []
    assert (config.host, config.port, config.password) == ("127.0.1.8", 12006, "pretend")
    await db.pool.execute('UPDATE sms_gateway SET "window" = 5')
    await db.pool.execute("DELETE FROM sms_route")
    moved = replace(MOBILE, entry=replace(MOBILE.entry, port=13006))
    await ensure_gateways(db, vault, [moved])
    assert tuple(await db.pool.fetchrow('SELECT port, "window" FROM sms_gateway')) == (13006, 5)
    assert await db.pool.fetchval("SELECT count(*) FROM sms_route") == 0, "an operator's decision"
    await db.pool.execute("UPDATE sms_gateway SET state = 'removed'")
    await ensure_gateways(db, vault, [moved])
    assert await SmsGatewayRows(db, vault, "one").configs() == []


async def test_the_sandboxs_carriers_have_their_routes(db: Database, postgres_url: str) -> None:
    await ensure_carriers(postgres_url, SECRET, 12006)
    rows = await db.pool.fetch(
        "SELECT country, kind, g.host FROM sms_route r JOIN sms_gateway g ON g.id = gateway_id"
        " ORDER BY country, kind, rank"
    )
    assert [tuple(row) for row in rows] == [
        ("", "", "127.0.1.9"),
        ("CN", "code", "127.0.1.8"),
        ("CN", "code", "127.0.1.9"),
        ("CN", "marketing", "127.0.1.9"),
        ("CN", "marketing", "127.0.1.8"),
        ("CN", "notice", "127.0.1.8"),
        ("CN", "notice", "127.0.1.9"),
    ]


async def test_a_password_that_cannot_be_read_is_sent_as_none(db: Database, vault: Vault) -> None:
    await ensure_gateways(db, vault, [MOBILE])
    (config,) = await SmsGatewayRows(db, Vault("another secret of enough characters"), "one").configs() or []
    assert config.password == ""
