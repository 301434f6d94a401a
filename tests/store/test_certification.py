"""Decisions on rows: of several deciders exactly one counts, and an exception needs an operator."""

import asyncio
import datetime as dt
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, update

from domain.certification import CertificationKind, CertificationState
from domain.errors import Refusal
from domain.ids import Kind, workflow_id
from domain.reviews import Decision, DecisionResult, ReviewState, Ruling
from domain.working_time import Due
from store import certification as rows
from store.audit_log import AuditEntry
from store.certification import Certification, Document
from store.clockwork import Clockwork
from store.columns import now
from store.db import Database
from tests.path_rows import Customer

APPROVE = Ruling(Decision.APPROVE, "operator/rita")
TODAY = dt.date(2026, 11, 23)
DAY = dt.timedelta(days=1)
NOON = dt.datetime(2026, 11, 23, 4, tzinfo=dt.UTC)


async def submitted(db: Database, **changes: Any) -> Certification:
    """A customer's submitted application, with its process and the onboarding's."""
    customer = await Customer(db).registers()
    row = Certification(account_id=customer.account, kind="individual", **changes)
    async with db.begin() as session:
        session.add(row)
        await session.flush()
        await rows.submit(session, row, now())
    return row


async def decided(db: Database, row: Certification, ruling: Ruling) -> DecisionResult:
    async with db.begin() as session:
        return await rows.decide(session, row.id, ruling, NOON)


async def stored(db: Database, row: Certification) -> Certification:
    async with db.read() as session:
        found = await session.get(Certification, row.id)
    assert found is not None
    return found


async def nudged(db: Database, kind: Kind, subject: UUID) -> bool:
    async with db.read() as session:
        found = await session.get(Clockwork, workflow_id(kind, subject))
    assert found is not None
    return found.nudge_wanted


async def test_of_many_deciders_exactly_one_counts(db: Database) -> None:
    row = await submitted(db)
    reject = Ruling(Decision.REJECT, "temporal-ui", "No.", 0, {"name": "Not as on the card."})
    results = await asyncio.gather(*(decided(db, row, each) for each in (APPROVE, reject) * 5))
    counted = [each for each in results if each.accepted]
    assert len(counted) == 1
    assert {each.state for each in results} == {counted[0].state}
    assert all("already" in each.message for each in results if not each.accepted)
    now_row = await stored(db, row)
    assert now_row.row_version == 3
    assert bool(now_row.part_reasons) == (now_row.state == CertificationState.REJECTED)
    async with db.pool.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM audit_entry WHERE account_id = $1", row.account_id) == 1


async def test_a_decision_is_audited_and_wakes_review_and_onboarding(db: Database) -> None:
    row = await submitted(db)
    assert (await decided(db, row, APPROVE)).state is ReviewState.APPROVED
    async with db.read() as session:
        entry = await session.get(AuditEntry, (await _last_entry(db)))
    assert entry is not None
    assert (entry.actor, entry.action) == ("operator/rita", "certification.approve")
    assert (entry.subject, entry.account_id) == (f"certification/{row.id}", row.account_id)
    assert await nudged(db, Kind.CERTIFICATION_REVIEW, row.id)
    assert await nudged(db, Kind.ONBOARDING, row.account_id)


async def _last_entry(db: Database) -> int:
    return int(await db.pool.fetchval("SELECT max(id) FROM audit_entry"))


async def test_a_stale_page_does_not_decide(db: Database) -> None:
    row = await submitted(db)
    stale = await decided(db, row, Ruling(Decision.APPROVE, "operator/rita", "", 1))
    assert (stale.accepted, stale.state) == (False, ReviewState.SUBMITTED)
    assert "2 is current" in stale.message
    assert (await decided(db, row, Ruling(Decision.APPROVE, "operator/rita", "", 2))).accepted


async def test_an_exception_is_not_decided_without_an_operator(db: Database) -> None:
    row = await submitted(db, exception=True)
    for decision in Decision:
        result = await decided(db, row, Ruling(decision, "temporal-ui", "Because."))
        assert (result.accepted, result.state) == (False, ReviewState.SUBMITTED)
        assert "signed in" in result.message
    assert (await decided(db, row, APPROVE)).accepted


async def test_an_expired_document_is_not_approved(db: Database) -> None:
    row = await submitted(db, valid_until=TODAY - dt.timedelta(days=1))
    result = await decided(db, row, APPROVE)
    assert (result.accepted, result.state) == (False, ReviewState.SUBMITTED)
    assert (await decided(db, row, Ruling(Decision.REJECT, "operator/rita", "Expired."))).accepted


async def test_a_part_that_it_does_not_have_is_refused(db: Database) -> None:
    row = await submitted(db)
    with pytest.raises(Refusal, match="certification_unknown_part"):
        await decided(db, row, Ruling(Decision.REJECT, "operator/rita", "", 0, {"licence": "Too dark."}))
    assert (await stored(db, row)).state == CertificationState.SUBMITTED


async def test_withdrawing_and_deciding_at_once_leaves_one_of_them(db: Database) -> None:
    row = await submitted(db)

    async def withdraw() -> bool:
        async with db.begin() as session:
            return await rows.withdraw(session, await stored(db, row))

    gone, result = await asyncio.gather(withdraw(), decided(db, row, APPROVE))
    assert gone != result.accepted
    assert (await stored(db, row)).state == ("withdrawn" if gone else "approved")


async def test_revoking_takes_back_only_what_is_approved(db: Database) -> None:
    row = await submitted(db)
    async with db.begin() as session:
        assert not await rows.revoke(session, await stored(db, row), "operator/rita", "Forged.", NOON)
    await decided(db, row, APPROVE)
    async with db.begin() as session:
        assert await rows.revoke(session, await stored(db, row), "operator/roger", "Forged.", NOON + DAY)
    gone = await stored(db, row)
    assert gone.state == CertificationState.REVOKED
    assert (gone.decided_by, gone.decided_at) == ("operator/rita", NOON), "what was decided then stays"
    assert (gone.revoked_by, gone.revoked_at, gone.reason) == ("operator/roger", NOON + DAY, "Forged.")
    late = await decided(db, row, APPROVE)
    assert (late.accepted, late.state) == (False, ReviewState.APPROVED), "the review's own outcome stays"


async def test_a_promise_is_not_changed(db: Database) -> None:
    row = await submitted(db)
    for hour, provisional in ((1, True), (2, False)):
        async with db.begin() as session:
            await rows.set_due(session, row.id, Due(NOON + dt.timedelta(hours=hour), provisional))
    found = await stored(db, row)
    assert (found.due_at, found.due_provisional) == (NOON + dt.timedelta(hours=1), True)


async def test_what_is_held_ends_with_its_day(db: Database) -> None:
    row = await submitted(db, valid_until=TODAY)
    await decided(db, row, APPROVE)
    async with db.read() as session:
        assert [one.kind for one in await rows.held(session, row.account_id, TODAY)] == [CertificationKind.INDIVIDUAL]
        assert await rows.held(session, row.account_id, TODAY + dt.timedelta(days=1)) == []


async def test_a_shared_file_is_known_to_be_shared(db: Database) -> None:
    row = await submitted(db)
    papers = [
        Document(
            account_id=row.account_id,
            certification_id=row.id,
            part="id_front",
            storage_key=key,
            media_type="image/png",
            size=1,
            sha256=b"",
            deleted_at=gone,
        )
        for key, gone in (("a", None), ("a", NOON), ("b", NOON))
    ]
    async with db.begin() as session:
        session.add_all(papers)
    async with db.begin() as session:
        assert [await rows.is_shared(session, each) for each in papers] == [False, True, False]
        assert len(await rows.documents(session, row.id)) == 1
        assert {each.id for each in await rows.leftovers(session, NOON + dt.timedelta(seconds=1))} == {
            each.id for each in papers[1:]
        }
        assert await rows.leftovers(session, NOON) == []
        await session.exec(update(Document).where(col(Document.id) == papers[0].id).values(deleted_at=NOON))
        assert not await rows.is_shared(session, papers[1])
