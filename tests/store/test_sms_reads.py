"""What can be read of SMS: always of one account, never of mail."""

import datetime as dt

import pytest

from domain.ids import new_id
from domain.times import SHANGHAI
from store import sms_reads
from store.columns import now
from store.db import Database
from store.sms_reads import Asked
from tests.path_rows import Customer
from tests.sms_past_world import Fate, texted
from tests.sms_world import SmsCustomer, make_sms_customer

LATER = dt.timedelta(minutes=1)


@pytest.fixture
async def alice(db: Database) -> SmsCustomer:
    return await make_sms_customer(db)


async def test_newest_first_in_pages_and_without_mail(db: Database, alice: SmsCustomer) -> None:
    await Customer(db, alice.account).sends()
    sends = [await texted(db, alice, Fate(), at=now() - LATER * n) for n in range(3)]
    async with db.read() as session:
        first = await sms_reads.list_sends(session, alice.account, None, 2)
        rest = await sms_reads.list_sends(session, alice.account, first[-1].id, 2)
    assert [send.id for send in (*first, *rest)] == sends
    assert (first[0].template, first[0].sms_user, first[0].unit_micro) == ("notice", alice.name, None)


async def test_outcomes_messages_and_parts(db: Database, alice: SmsCustomer) -> None:
    send = await texted(
        db, alice, Fate(), Fate(state="sent"), Fate(state="queued", attempts=0), Fate(state="queued"),
        Fate(state="bounced", reason="sms.switched_off", reply="UNDELIV MK:0010"),
    )  # fmt: skip
    async with db.read() as session:
        counted = await sms_reads.count_outcomes(session, alice.account, [send])
        failed = await sms_reads.list_messages(session, alice.account, send, ("bounced", 0, 10))
        later = await sms_reads.list_messages(session, alice.account, send, (None, 3, 10))
    assert counted[send] == {
        "delivered": 1, "sent": 1, "queued": 1, "deferred": 1, "bounced": 1, "dropped": 0, "unknown": 0,
    }  # fmt: skip
    assert [(one.ordinal, one.reply) for one in failed] == [(4, "UNDELIV MK:0010")]
    assert [one.ordinal for one in later] == [3, 4]
    await db.pool.execute(
        "INSERT INTO sms_part (message_id, attempt, part, gateway, smsc_id, submitted_at, state, error)"
        " VALUES ($1, 1, 0, 1, 'x', now(), 'UNDELIV', 'MK:0010')",
        failed[0].id,
    )
    async with db.read() as session:
        found = await sms_reads.find_message(session, alice.account, failed[0].id)
    assert found is not None
    assert [(part.part, part.state, part.error) for part in found[1]] == [(0, "UNDELIV", "MK:0010")]


async def test_nobody_reads_what_is_anothers(db: Database, alice: SmsCustomer) -> None:
    bob = await make_sms_customer(db)
    send = await texted(db, alice, Fate())
    async with db.read() as session:
        (message,) = await sms_reads.list_messages(session, alice.account, send, (None, 0, 10))
        assert await sms_reads.find_send(session, bob.account, send) is None
        assert await sms_reads.list_messages(session, bob.account, send, (None, 0, 10)) == []
        assert await sms_reads.find_message(session, bob.account, message.id) is None
        assert await sms_reads.content_of(session, bob.account, send) is None
        counted = await sms_reads.count_outcomes(session, bob.account, [send])
        assert sum(counted[send].values()) == 0
        asked = Asked(now() - LATER, now() + LATER, names=[(send, 0)])
        assert await sms_reads.status(session, bob.account, asked) == (0, [])
        assert await sms_reads.per_day(session, bob.account, now() - LATER, now() + LATER) == []


async def test_days_are_those_of_shanghai(db: Database, alice: SmsCustomer) -> None:
    midnight = dt.datetime(2026, 11, 24, tzinfo=SHANGHAI)
    await texted(db, alice, Fate(), at=midnight - LATER)
    await texted(db, alice, Fate(submitted=2), Fate(state="bounced", reason="expired"), at=midnight)
    async with db.read() as session:
        found = await sms_reads.per_day(session, alice.account, midnight - LATER, midnight + LATER)
        none = await sms_reads.per_day(session, alice.account, midnight + LATER, midnight + 2 * LATER)
    assert [(one.day.day, one.outcome, one.messages, one.segments) for one in found] == [
        (23, "delivered", 1, 1), (24, "bounced", 1, 1), (24, "delivered", 1, 2),
    ]  # fmt: skip
    assert none == []


async def test_status_by_number_name_and_template(db: Database, alice: SmsCustomer) -> None:
    send = await texted(db, alice, Fate("+8613800138001"), Fate("+8613800138002", "sent"))
    window = now() - LATER, now() + LATER
    async with db.read() as session:

        async def found(**asked: object) -> list[str]:
            total, page = await sms_reads.status(session, alice.account, Asked(*window, **asked))  # type: ignore[arg-type]
            assert total >= len(page)
            return [one.phone[-1] for one in page]

        assert await found() == ["1", "2"]
        assert await found(phones=["+8613800138002"]) == ["2"]
        assert await found(names=[(send, 0), (new_id(), 1)]) == ["1"]
        assert await found(markets=["international"]) == []
        assert await found(template_name="notice", markets=["domestic"]) == ["1", "2"]
        assert await found(template=999) == []
        assert await found(start=1, limit=1) == ["2"]
