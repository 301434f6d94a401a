"""Counts of what recipients did."""

from domain.ids import new_id
from domain.link_tokens import LinkKind, LinkToken
from domain.tracking import Act
from store.columns import now
from store.db import Database
from store.engagement import Count, SentMail, complained, counts, record


def mail(number: int, submission: object, account: object) -> SentMail:
    return SentMail(number, submission, account, 0, "a@x.example", {}, "", "", "", new_id())  # type: ignore[arg-type]


async def test_messages_are_counted_once_and_acts_each_time(db: Database) -> None:
    account, first, second = new_id(), new_id(), new_id()
    acts = [(1, first, 1), (1, first, 2), (1, first, 1), (2, first, 1), (3, second, 1)]
    async with db.raw() as connection:
        for message, submission, link in acts:
            token = LinkToken(LinkKind.CLICK, message, link)
            await record(connection, mail(message, submission, account), token, now())
        await record(connection, mail(1, first, account), LinkToken(LinkKind.OPEN, 1), now(), times=7)
        await complained(connection, 1, first, account, now())
    async with db.read() as session:
        found = await counts(session, account, [first, second])
        assert found[first] == {
            Act.CLICK: Count(2, 4), Act.OPEN: Count(1, 7), Act.UNSUBSCRIBE: Count(), Act.COMPLAINT: Count(1, 1),
        }  # fmt: skip
        assert found[second][Act.CLICK] == Count(1, 1)
        others = await counts(session, new_id(), [first])
    assert others[first][Act.CLICK] == Count()


async def test_a_count_has_an_end_and_no_error(db: Database) -> None:
    account, submission, token = new_id(), new_id(), LinkToken(LinkKind.OPEN, 1)
    async with db.raw() as connection:
        for _ in range(2):
            await record(connection, mail(1, submission, account), token, now(), times=2**31 - 1)
    assert await db.pool.fetchval("SELECT times FROM engagement") == 2**31 - 1
