"""Where each customer is on the path, and what the rows of all features say about it."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlmodel import Field, SQLModel, col, select, update

from domain.accounts import AccountState, Role
from domain.billing import RechargeState
from domain.certification import CertificationKind, CertificationState
from domain.channels import Channel
from domain.domains import DomainState, Purpose
from domain.ids import Kind
from domain.onboarding import Fact, Facts, SmsStage, Stage, Step, missing_step
from domain.onboarding_findings import Application, Fault, Findings, certified_facts
from domain.onboarding_moves import Standing
from domain.reviews import ReviewState
from domain.sending import MessageState
from domain.step_texts import step_refusal
from domain.times import business_day
from store import clockwork
from store.accounts import Account, Member
from store.columns import moment, now
from store.db import Connection, Session


class Onboarding(SQLModel, table=True):
    """The stages are the workflow's word on the path; what a step needs is never stored here but read from its rows."""

    __tablename__ = "onboarding"
    account_id: UUID = Field(foreign_key="account.id", primary_key=True)
    stage: str
    sms_stage: str = SmsStage.CERTIFY.value
    since: dt.datetime = moment(default_factory=now)
    """When the customer came to `stage`."""
    changed: int = 0
    """Raised by each change of either stage, so that a page knows when to redraw."""
    reminded_at: dt.datetime | None = moment(default=None)
    reminders: int = 0
    """Sent during the present stay at `stage`."""
    completed_at: dt.datetime | None = moment(default=None)


@dataclass(frozen=True)
class Situation:
    """One account's row and findings, read together."""

    account_id: UUID
    stage: Stage
    sms_stage: SmsStage
    since: dt.datetime
    changed: int
    reminders: int
    account_state: AccountState
    free_quota: int
    granted_quota: int | None
    findings: Findings

    @property
    def standing(self) -> Standing:
        return Standing(self.stage, self.sms_stage)


_SITUATIONS = text("""
SELECT o.account_id, o.stage, o.sms_stage, o.since, o.changed, o.reminders, a.state AS account_state, a.free_quota,
       a.granted_quota,
       d.domains, d.domains_broken, d.domain_usable, d.fault, u.api_users, u.api_user_ready,
       t.templates, t.templates_in_review, t.templates_rejected, t.template_approved,
       EXISTS (SELECT FROM member m WHERE m.account_id = o.account_id AND m.email_confirmed_at IS NOT NULL
               AND m.removed_at IS NULL)
           AS email_confirmed,
       (SELECT count(*) FROM (SELECT FROM submission s
        WHERE s.account_id = o.account_id AND s.channel = :email AND NOT s.is_test LIMIT 1) one) AS submissions,
       f.first_delivered,
       CASE WHEN f.first_delivered THEN false ELSE EXISTS (
           SELECT FROM submission s CROSS JOIN LATERAL
               (SELECT FROM message m WHERE m.submission_id = s.id AND m.state = :queued LIMIT 1) hit
           WHERE s.account_id = o.account_id AND s.channel = :email AND NOT s.is_test AND s.expires_at > :now)
           END AS in_flight,
       (SELECT count(*) FROM sms_user w WHERE w.account_id = o.account_id AND w.disabled_at IS NULL) AS sms_users,
       st.sms_templates, st.sms_templates_in_review, st.sms_templates_rejected, st.sms_template_approved,
       (SELECT count(*) FROM (SELECT FROM submission s
        WHERE s.account_id = o.account_id AND s.channel = :sms AND NOT s.is_test LIMIT 1) one) AS sms_submissions,
       sf.sms_delivered,
       CASE WHEN sf.sms_delivered THEN false ELSE EXISTS (
           SELECT FROM submission s CROSS JOIN LATERAL
               (SELECT FROM message m WHERE m.submission_id = s.id AND m.state IN (:queued, :sent) LIMIT 1) hit
           WHERE s.account_id = o.account_id AND s.channel = :sms AND NOT s.is_test) END AS sms_in_flight,
       c.applications,
       EXISTS (SELECT FROM recharge r WHERE r.account_id = o.account_id AND r.state = :credited) AS recharged,
       (SELECT r.id FROM recharge r WHERE r.account_id = o.account_id AND r.state = :open AND r.expires_at > :now
        ORDER BY r.created_at DESC LIMIT 1) AS open_order
FROM onboarding o
JOIN account a ON a.id = o.account_id
CROSS JOIN LATERAL (
    SELECT count(*) AS domains, count(*) FILTER (WHERE state IN (:broken, :lost)) AS domains_broken,
           coalesce(bool_or(state = :usable), false) AS domain_usable,
           (jsonb_agg(jsonb_build_array(id, name, problem) ORDER BY state IN (:broken, :lost) DESC, id DESC)
               FILTER (WHERE state <> :usable)) -> 0 AS fault
    FROM sender_domain WHERE account_id = o.account_id AND NOT is_test AND state <> :deleted) d
CROSS JOIN LATERAL (
    SELECT count(*) AS api_users,
           coalesce(bool_or(EXISTS (
               SELECT FROM api_user_domain b JOIN sender_domain s ON s.id = b.domain_id
               WHERE b.api_user_id = api_user.id AND s.account_id = o.account_id
                     AND s.state = :usable AND NOT s.is_test)), false) AS api_user_ready
    FROM api_user WHERE account_id = o.account_id AND NOT is_test AND disabled_at IS NULL) u
CROSS JOIN LATERAL (
    SELECT count(DISTINCT p.id) AS templates,
           count(*) FILTER (WHERE v.state = :submitted) AS templates_in_review,
           count(*) FILTER (WHERE v.state = :rejected) AS templates_rejected,
           coalesce(bool_or(v.state = :approved), false) AS template_approved
    FROM template p LEFT JOIN template_version v ON v.template_id = p.id
    WHERE p.account_id = o.account_id AND NOT p.is_sample AND p.deleted_at IS NULL) t
CROSS JOIN LATERAL (
    SELECT EXISTS (
        SELECT FROM submission s CROSS JOIN LATERAL
            (SELECT FROM message m WHERE m.submission_id = s.id AND m.state = :delivered LIMIT 1) hit
        WHERE s.account_id = o.account_id AND s.channel = :email AND NOT s.is_test) AS first_delivered) f
CROSS JOIN LATERAL (
    SELECT count(DISTINCT p.id) AS sms_templates,
           count(*) FILTER (WHERE v.state = :submitted) AS sms_templates_in_review,
           count(*) FILTER (WHERE v.state = :rejected) AS sms_templates_rejected,
           coalesce(bool_or(v.state = :approved), false) AS sms_template_approved
    FROM sms_template p LEFT JOIN sms_template_version v ON v.template_id = p.id
    WHERE p.account_id = o.account_id AND NOT p.is_builtin AND p.deleted_at IS NULL) st
CROSS JOIN LATERAL (
    SELECT EXISTS (
        SELECT FROM submission s CROSS JOIN LATERAL
            (SELECT FROM message m WHERE m.submission_id = s.id AND m.state = :delivered LIMIT 1) hit
        WHERE s.account_id = o.account_id AND s.channel = :sms AND NOT s.is_test) AS sms_delivered) sf
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_agg(to_jsonb(one)), '[]') AS applications
    FROM (SELECT DISTINCT ON (kind, state)
                 id, kind, state, number, due_at, due_provisional, reason, part_reasons, valid_until
          FROM certification WHERE account_id = o.account_id AND state <> :withdrawn
          -- the newest of each, but of approvals the one that lasts longest
          ORDER BY kind, state, CASE WHEN state = :approved THEN coalesce(valid_until, 'infinity') END DESC, number DESC
         ) one) c
WHERE o.account_id = ANY(:accounts)
""")
_STATES = {
    "usable": DomainState.USABLE.value,
    "broken": DomainState.BROKEN.value,
    "lost": DomainState.LOST.value,
    "deleted": DomainState.DELETED.value,
    "submitted": ReviewState.SUBMITTED.value,
    "rejected": ReviewState.REJECTED.value,
    "approved": ReviewState.APPROVED.value,
    "delivered": MessageState.DELIVERED.value,
    "queued": MessageState.QUEUED.value,
    "sent": MessageState.SENT.value,
    "email": Channel.EMAIL.value,
    "sms": Channel.SMS.value,
    "withdrawn": CertificationState.WITHDRAWN.value,
    "credited": RechargeState.CREDITED.value,
    "open": RechargeState.OPEN.value,
}
"""`approved` is the same word for templates and certifications."""
_READ_FACTS = (
    Fact.EMAIL_CONFIRMED,
    Fact.DOMAIN_USABLE,
    Fact.API_USER_READY,
    Fact.TEMPLATE_APPROVED,
    Fact.FIRST_DELIVERED,
    Fact.SMS_TEMPLATE_APPROVED,
    Fact.SMS_DELIVERED,
)
"""Facts that the query answers as they are; `certified_facts` finds those of certification and payment."""
_COUNTS = (
    "domains",
    "domains_broken",
    "api_users",
    "templates",
    "templates_in_review",
    "templates_rejected",
    "submissions",
    "sms_users",
    "sms_templates",
    "sms_templates_in_review",
    "sms_templates_rejected",
    "sms_submissions",
)


_FIRST_SENDERS = """
UPDATE clockwork c SET nudge_wanted = true FROM onboarding o
WHERE o.account_id = ANY($1::uuid[]) AND o.stage <> ALL($2::text[])
  AND c.workflow_id = 'onboarding/' || o.account_id AND c.closed_at IS NULL
RETURNING o.account_id
"""
_FIRST_TEXTERS = """
UPDATE clockwork c SET nudge_wanted = true FROM onboarding o
WHERE o.account_id = ANY($1::uuid[]) AND o.sms_stage <> $2
  AND c.workflow_id = 'onboarding/' || o.account_id AND c.closed_at IS NULL
RETURNING o.account_id
"""
_SENT_BEFORE = [Stage.CERTIFY.value, Stage.PAY.value, Stage.DONE.value]


async def begin(session: Session, account_id: UUID) -> str:
    """Put a new account on the path, in the transaction that creates it; returns the process's workflow id."""
    session.add(Onboarding(account_id=account_id, stage=Stage.REGISTER.value))
    return await clockwork.enlist(session, Kind.ONBOARDING, account_id, account_id)


async def situations(
    session: Session, accounts: Sequence[UUID], at: dt.datetime | None = None
) -> Mapping[UUID, Situation]:
    """Rows and findings of these accounts, in one query; accounts that are not on the path are left out.

    `at`: the moment for which certifications count (they expire by days of Asia/Shanghai); else now.
    """
    moment = at or now()
    connection = await session.connection()
    answer = await connection.execute(_SITUATIONS, {**_STATES, "accounts": list(accounts), "now": moment})
    return {row["account_id"]: _situation(row, business_day(moment)) for row in answer.mappings()}


async def situation(session: Session, account_id: UUID, at: dt.datetime | None = None) -> Situation | None:
    """The same for one account."""
    return (await situations(session, [account_id], at)).get(account_id)


async def facts(session: Session, account_id: UUID) -> Facts:
    """The facts of one account that hold now; none for an account that is not on the path."""
    found = await situation(session, account_id)
    return found.findings.facts if found else frozenset()


async def require_step(session: Session, account_id: UUID, wanted: Step) -> None:
    """Raise the refusal `step_missing` when something must be finished before `wanted` may be taken."""
    missing = missing_step(await facts(session, account_id), wanted)
    if missing is not None:
        raise step_refusal(missing)


def _situation(row: RowMapping, today: dt.date) -> Situation:
    return Situation(
        account_id=row["account_id"],
        stage=Stage(row["stage"]),
        sms_stage=SmsStage(row["sms_stage"]),
        since=row["since"],
        changed=row["changed"],
        reminders=row["reminders"],
        account_state=AccountState(row["account_state"]),
        free_quota=row["free_quota"],
        granted_quota=row["granted_quota"],
        findings=_findings(row, today),
    )


def _findings(row: RowMapping, today: dt.date) -> Findings:
    held = frozenset(fact for fact in _READ_FACTS if row[fact.value])
    held |= {Fact.SMS_USER_READY} if row["sms_users"] else frozenset()
    applications = tuple(sorted(map(_application, row["applications"]), key=lambda each: (each.number, each.id)))
    return Findings(
        facts=held | certified_facts(applications, row["recharged"], today),
        in_flight=row["in_flight"],
        sms_in_flight=row["sms_in_flight"],
        fault=_fault(row["fault"]),
        applications=applications,
        open_order=row["open_order"],
        **{name: row[name] for name in _COUNTS},
    )


def _fault(found: list[str | None] | None) -> Fault | None:
    """Of `[domain id, its name, the record at fault]`."""
    if not found:
        return None
    identity, name, problem = found
    return Fault(UUID(identity), str(name), Purpose(problem) if problem else None)


def _application(row: Mapping[str, Any]) -> Application:
    """Of a row as JSON, where times are texts."""
    return Application(
        id=UUID(row["id"]),
        kind=CertificationKind(row["kind"]),
        state=CertificationState(row["state"]),
        number=row["number"],
        due_at=dt.datetime.fromisoformat(row["due_at"]) if row["due_at"] else None,
        due_provisional=row["due_provisional"],
        reason=row["reason"] or "",
        part_reasons=row["part_reasons"],
        valid_until=dt.date.fromisoformat(row["valid_until"]) if row["valid_until"] else None,
    )


async def nudge_first_senders(connection: Connection, accounts: set[UUID]) -> set[UUID]:
    """Wake the processes of accounts that just had a delivery and are not yet past their first; those accounts.

    Nobody else is touched, so customers who send every day cost no write here. A process that is a step behind is
    woken too: it may be moving on at this very moment, by facts that it read before this delivery.
    """
    return {row["account_id"] for row in await connection.fetch(_FIRST_SENDERS, list(accounts), _SENT_BEFORE)}


async def nudge_first_texters(connection: Connection, accounts: set[UUID]) -> set[UUID]:
    """The same for the SMS track: accounts of which a receipt just said that an SMS was delivered."""
    return {row["account_id"] for row in await connection.fetch(_FIRST_TEXTERS, list(accounts), SmsStage.DONE.value)}


async def move(session: Session, seen: Situation, to: Standing, at: dt.datetime) -> bool:
    """Compare-and-set from what was seen to `to`; False when someone else moved the row first.

    Only a move on the e-mail track begins a new stay there, with its own reminders.
    """
    values: dict[str, Any] = {"sms_stage": to.sms.value, "changed": seen.changed + 1}
    if to.email is not seen.stage:
        values |= {"stage": to.email.value, "since": at, "reminders": 0, "reminded_at": None}
        values["completed_at"] = at if to.email is Stage.DONE else None
    result = await session.exec(
        update(Onboarding)
        .where(col(Onboarding.account_id) == seen.account_id, col(Onboarding.changed) == seen.changed)
        .values(**values)
    )
    return bool(result.rowcount)


async def stamp_reminder(session: Session, account_id: UUID, changed: int, number: int, at: dt.datetime) -> bool:
    """Count a reminder of this stay; False when it is counted already, or the customer moved on."""
    result = await session.exec(
        update(Onboarding)
        .where(
            col(Onboarding.account_id) == account_id,
            col(Onboarding.changed) == changed,
            col(Onboarding.reminders) < number,
        )
        .values(reminders=number, reminded_at=at)
    )
    return bool(result.rowcount)


async def addressee(session: Session, account_id: UUID) -> tuple[str, str, str] | None:
    """(address, name, language) to write to: the account's owner, or its first member with a confirmed address."""
    row = (
        await session.exec(
            select(Member.email, Account.name, Account.language)
            .join(Account, col(Account.id) == col(Member.account_id))
            .where(col(Member.account_id) == account_id, col(Member.email_confirmed_at).is_not(None))
            .where(col(Member.removed_at).is_(None))
            .order_by(col(Member.role) != Role.OWNER.value, col(Member.created_at))
            .limit(1)
        )
    ).first()
    return (row[0], row[1], row[2]) if row else None
