"""The decision: one compare-and-set."""

import asyncio
from uuid import UUID

import pytest
from sqlmodel import col, select

from domain.errors import Refusal
from domain.ids import Kind, new_id, workflow_id
from domain.reviews import Decision, DecisionResult, ReviewState, Ruling
from store import clockwork
from store import templates as rows
from store.audit_log import AuditEntry
from store.clockwork import Clockwork
from store.columns import now
from store.db import Database
from store.templates import TemplateVersion
from tests.template_world import author


async def decide(db: Database, version: UUID, ruling: Ruling) -> DecisionResult:
    async with db.begin() as session:
        return await rows.decide(session, version, ruling, now())


async def test_of_many_deciders_exactly_one_wins_and_the_others_are_told(db: Database) -> None:
    version = (await (await author(db)).submits()).version
    choices = [Ruling(list(Decision)[n % 2], f"operator/{n}", f"reason {n}") for n in range(8)]
    results = await asyncio.gather(*(decide(db, version.id, choice) for choice in choices))
    (winner,) = [n for n, result in enumerate(results) if result.accepted]
    assert {result.state for result in results} == {results[winner].state}
    assert all(f"operator/{winner}" in result.message for result in results if not result.accepted)
    async with db.read() as session:
        row = await session.get(TemplateVersion, version.id)
        entries = list(await session.exec(select(AuditEntry).where(col(AuditEntry.account_id) == version.account_id)))
    assert row is not None and (row.decided_by, row.reason) == (f"operator/{winner}", f"reason {winner}")
    assert [(entry.actor, entry.action) for entry in entries] == [
        (f"operator/{winner}", f"template.{choices[winner].decision.value}")
    ]


async def test_a_stale_row_version_does_not_count(db: Database) -> None:
    version = (await (await author(db)).submits()).version
    result = await decide(db, version.id, Ruling(Decision.APPROVE, "operator/o", row_version=version.row_version - 1))
    assert (result.accepted, result.state) == (False, ReviewState.SUBMITTED)
    assert "Look again" in result.message
    seen = Ruling(Decision.APPROVE, "operator/o", row_version=version.row_version)
    assert (await decide(db, version.id, seen)).accepted


async def test_a_draft_cannot_be_decided(db: Database) -> None:
    version = (await (await author(db)).writes()).version
    result = await decide(db, version.id, Ruling(Decision.APPROVE, "operator/o"))
    assert (result.accepted, result.state) == (False, ReviewState.DRAFT)


async def test_an_unknown_version_is_refused(db: Database) -> None:
    with pytest.raises(Refusal, match="not_found"):
        await decide(db, new_id(), Ruling(Decision.APPROVE, "operator/o"))


async def test_the_decision_wakes_review_and_onboarding(db: Database) -> None:
    alice = await author(db)
    version = (await alice.submits()).version
    names = [workflow_id(Kind.TEMPLATE_REVIEW, version.id), workflow_id(Kind.ONBOARDING, alice.rows.account)]
    async with db.begin() as session:
        if await clockwork.find(session, names[1]) is None:
            await clockwork.enlist(session, Kind.ONBOARDING, alice.rows.account, alice.rows.account)
    await decide(db, version.id, Ruling(Decision.REJECT, "operator/o", "no"))
    async with db.read() as session:
        woken = await session.exec(select(Clockwork.workflow_id).where(col(Clockwork.nudge_wanted)))
        assert set(woken) >= set(names)
