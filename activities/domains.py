"""A sender domain's row: looks at the DNS, what they change, and the mails about it."""

from collections.abc import Sequence
from uuid import UUID

from temporalio import activity

from activities.dns import Resolver, look_up
from domain.domain_records import Finding, with_claims
from domain.domains import (
    HOLDING,
    DomainProgress,
    DomainState,
    ExpectedRecord,
    LookRequest,
    Purpose,
    RecordLine,
    RecordState,
    Standing,
    judge,
    shown,
    silent,
    wait_after,
)
from domain.ids import Kind, Process, iso, workflow_id
from domain.notices import Notice
from domain.policy import Policy
from store import clockwork, notices
from store import domains as rows
from store.db import Database, Session
from store.domains import DomainRecord, SenderDomain

_NOTICES = {
    DomainState.USABLE: Notice.DOMAIN_USABLE,
    DomainState.BROKEN: Notice.DOMAIN_BROKEN,
    DomainState.LOST: Notice.DOMAIN_LOST,
}


class DomainActivities:
    """Every method raises `StaleEpoch` when the database was restored after the process began."""

    def __init__(self, db: Database, resolver: Resolver, policy: Policy) -> None:
        self._db = db
        self._resolver = resolver
        self._policy = policy

    @activity.defn(name="DomainActivities.stand")
    async def stand(self, request: LookRequest) -> DomainProgress:
        """Where the domain is by its rows, without a look."""
        async with self._db.read() as session:
            await clockwork.require_epoch(session, request.process)
            row = await session.get(SenderDomain, UUID(request.process.subject))
            if row is None:
                return DomainProgress(DomainState.DELETED, watched=False)
            return _progress(row, await rows.records(session, row.id))

    @activity.defn(name="DomainActivities.look")
    async def look(self, request: LookRequest) -> DomainProgress:
        """Ask the DNS, then keep what it says and what follows from it, in one transaction."""
        domain_id = UUID(request.process.subject)
        async with self._db.read() as session:
            await clockwork.require_epoch(session, request.process)
            row = await session.get(SenderDomain, domain_id)
            expected = [_expected(record) for record in await rows.records(session, domain_id)]
        if row is None or not _watched(row):
            return DomainProgress(DomainState.DELETED, watched=False)
        findings = await look_up(self._resolver, expected)
        async with self._db.begin() as session:
            return await self._settle(session, row, findings, request)

    async def _settle(
        self, session: Session, seen: SenderDomain, findings: Sequence[Finding], request: LookRequest
    ) -> DomainProgress:
        claimants = await rows.lock_claimants(session, seen.name)
        row = next((each for each in claimants if each.id == seen.id), None)
        if row is None:  # deleted while we asked
            return DomainProgress(DomainState.DELETED, watched=False)
        others = [each for each in claimants if each.id != row.id]
        findings = _judged_beside(findings, others)
        await rows.write_findings(session, row.id, findings, request.at)
        found = {finding.purpose: finding.state for finding in findings}
        standing = judge(_standing(row), found, confirms=not request.nudged)
        holder = next((each for each in others if each.state in HOLDING), None)
        if standing.state is DomainState.USABLE and holder is not None:
            await rows.hand_over(session, holder, request.at)
        await self._move(session, row, standing, request)
        self._schedule(row, standing, silent(found), request)
        return _progress(row, await rows.records(session, row.id))

    async def _move(self, session: Session, row: SenderDomain, standing: Standing, request: LookRequest) -> None:
        changed = row.state != standing.state
        row.checks += 1
        row.checked_at = request.at
        row.phase_looks = 1 if changed or request.nudged else row.phase_looks + 1
        row.problem = standing.problem.value if standing.problem else None
        if not changed:
            return
        row.state, row.phase_since = standing.state.value, request.at
        row.usable_since = request.at if standing.state is DomainState.USABLE else None
        await clockwork.want_nudge(session, workflow_id(Kind.ONBOARDING, row.account_id))

    def _schedule(self, row: SenderDomain, standing: Standing, unreachable: bool, request: LookRequest) -> None:
        age = request.at - row.phase_since
        planned = request.at + wait_after(standing, row.phase_looks, age, unreachable, self._policy)
        waiting = row.suspected and standing.suspected and request.nudged
        if not (waiting and row.next_check_at and row.next_check_at > request.at):
            row.next_check_at = planned
        row.suspected = standing.suspected

    @activity.defn(name="DomainActivities.announce")
    async def announce(self, process: Process) -> None:
        """Mail the owner about the present state, once per change; then note that it was done."""
        async with self._db.read() as session:
            await clockwork.require_epoch(session, process)
            row = await session.get(SenderDomain, UUID(process.subject))
            owner = await rows.owner_of(session, row.account_id) if row else None
            records = await rows.records(session, row.id) if row else []
        notice = _NOTICES.get(DomainState(row.state)) if row else None
        if row is None or notice is None:
            return
        if owner is not None:
            key = f"{notice.value}/{row.id}/{iso(row.phase_since)}"
            variables = self._variables(row, records)
            await notices.send_notice(self._db, notice, owner[0], owner[1], variables, key)
        async with self._db.begin() as session:
            await rows.note_announced(session, row.id, row.state)

    def _variables(self, row: SenderDomain, records: Sequence[DomainRecord]) -> dict[str, str]:
        problem = next((record for record in records if record.purpose == row.problem), None)
        return {
            "platform": self._policy.platform_name,
            "domain": shown(row.name),
            "record": f"{problem.type} {problem.name}" if problem else "",
            "link": f"{self._policy.public_url}/portal/domains/{row.id}",
        }

    @activity.defn(name="DomainActivities.close")
    async def close(self, process: Process) -> None:
        """Note that the process ended by itself."""
        async with self._db.begin() as session:
            await clockwork.stamp_closed(session, process.workflow_id)


def _judged_beside(findings: Sequence[Finding], others: Sequence[SenderDomain]) -> list[Finding]:
    holder = next((each.ownership_token for each in others if each.state in HOLDING), None)
    tokens = [each.ownership_token for each in others]
    return [with_claims(f, holder, tokens) if f.purpose is Purpose.OWNERSHIP else f for f in findings]


def _standing(row: SenderDomain) -> Standing:
    return Standing(DomainState(row.state), Purpose(row.problem) if row.problem else None, row.suspected)


def _expected(record: DomainRecord) -> ExpectedRecord:
    return ExpectedRecord(Purpose(record.purpose), record.name, record.type, record.expected)


def _watched(row: SenderDomain) -> bool:
    return not row.is_test and row.state != DomainState.DELETED


def _progress(row: SenderDomain, records: Sequence[DomainRecord]) -> DomainProgress:
    standing = _standing(row)
    by_purpose = {record.purpose: record for record in records}
    lines = [by_purpose[purpose] for purpose in Purpose if purpose in by_purpose]
    return DomainProgress(
        state=standing.state,
        problem=standing.problem,
        suspected=standing.suspected,
        checks=row.checks,
        next_check_at=row.next_check_at,
        unannounced=row.announced != row.state,
        watched=_watched(row),
        records=tuple(RecordLine(Purpose(r.purpose), r.name, RecordState(r.state)) for r in lines),
    )
