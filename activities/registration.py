"""What the registration process asks of rows: look, mail the link, confirm for an operator, close."""

import base64
import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.dialects.postgresql import Insert, insert
from sqlmodel import col, select, update
from temporalio import activity

from domain.accounts import LINK_VALID_HOURS, AccountState
from domain.errors import Refusal
from domain.ids import Process
from domain.notices import Notice
from domain.phone_codes import PhoneStage
from domain.policy import Policy
from domain.registration import LINK_VALID, ConfirmationResult, OperatorConfirmation, RegistrationState
from domain.secrets import Vault
from store import accounts, clockwork, phone_codes
from store import registration as rows
from store.audit_log import AuditEntry
from store.db import Database, Session
from store.notices import send_notice

DONE = "The account is active."


@dataclass(frozen=True)
class RegistrationLookRequest:
    """`now` is the workflow's clock."""

    process: Process
    now: dt.datetime


@dataclass(frozen=True)
class RegistrationLook:
    """What the rows say, and how long to wait for a nudge before looking again."""

    state: RegistrationState
    mails_wanted: int = 0
    mails_sent: int = 0
    expires_at: dt.datetime | None = None
    wait_seconds: float = 0.0
    phone: PhoneStage = PhoneStage.NONE
    codes_sent: int = 0


@dataclass(frozen=True)
class MailOrder:
    """Send confirmation mail `number` of this registration."""

    process: Process
    number: int
    now: dt.datetime


@dataclass(frozen=True)
class OperatorOrder:
    """An operator's confirmation, to be carried out."""

    process: Process
    wish: OperatorConfirmation
    now: dt.datetime
    order_id: str
    """The update's id: a repeated activity recognises what it did itself."""


class RegistrationActivities:
    def __init__(self, db: Database, vault: Vault, policy: Policy) -> None:
        self._db = db
        self._vault = vault
        self._policy = policy

    @activity.defn(name="RegistrationActivities.look")
    async def look(self, request: RegistrationLookRequest) -> RegistrationLook:
        """Read the rows; let a registration expire whose time is over. Repeating it changes nothing more."""
        async with self._db.begin() as session:
            await clockwork.require_epoch(session, request.process)
            held = await rows.case(session, UUID(request.process.subject), lock=True)
            if held is None:
                return RegistrationLook(RegistrationState.GONE)
            if held.account.state == AccountState.PENDING and held.row.expires_at <= request.now:
                held.account.state = AccountState.EXPIRED.value
                await phone_codes.forget(session, held.member)
            left = (held.row.expires_at - request.now).total_seconds()
            number = phone_codes.step(held.member, await phone_codes.of_member(session, held.member.id))
            return RegistrationLook(
                state=rows.STATES[AccountState(held.account.state)],
                mails_wanted=held.row.mails_wanted,
                mails_sent=held.row.mails_sent,
                expires_at=held.row.expires_at,
                wait_seconds=max(1.0, left),
                phone=number.stage,
                codes_sent=number.codes_sent,
            )

    @activity.defn(name="RegistrationActivities.send_mail")
    async def send_mail(self, order: MailOrder) -> bool:
        """Mail the link, or the hint that the address has an account. A repeat sends no second mail."""
        account_id = UUID(order.process.subject)
        async with self._db.begin() as session:
            await clockwork.require_epoch(session, order.process)
            held = await rows.case(session, account_id)
            if held is None or held.account.state != AccountState.PENDING:
                return False
            owner = await accounts.confirmed_member(session, held.member.email)
            token = self._token(account_id, order.number, held.member.email)
            if owner is None:
                await session.exec(self._link(held, token, order.now))
        notice, variables = self._hint() if owner else self._confirmation(held, token)
        key = f"registration/{account_id}/{order.number}"
        await send_notice(self._db, notice, held.member.email, held.account.language, variables, key)
        await self._count(account_id, order.number)
        return True

    def _token(self, account: UUID, number: int, email: str) -> str:
        """The same at each try of this activity, so that a repeat mails the link it stored."""
        digest = self._vault.digest(f"confirm-link/{account}/{number}/{email}")
        return "ce_" + base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def _link(self, held: rows.Case, token: str, now: dt.datetime) -> Insert:
        link = accounts.LinkToken(
            member_id=held.member.id, purpose=rows.CONFIRM, email=held.member.email,
            digest=self._vault.digest(token), created_at=now, expires_at=now + LINK_VALID,
        )  # fmt: skip
        return insert(accounts.LinkToken).values(**link.model_dump()).on_conflict_do_nothing()

    def _confirmation(self, held: rows.Case, token: str) -> tuple[Notice, dict[str, str]]:
        return Notice.CONFIRM_EMAIL, {
            "name": held.account.name,
            "platform": self._policy.platform_name,
            "link": f"{self._policy.public_url}/confirm?token={token}",
            "hours": str(LINK_VALID_HOURS),
        }

    def _hint(self) -> tuple[Notice, dict[str, str]]:
        return Notice.ALREADY_REGISTERED, {
            "platform": self._policy.platform_name,
            "link": f"{self._policy.public_url}/login",
            "reset": f"{self._policy.public_url}/forgot",
        }

    async def _count(self, account_id: UUID, number: int) -> None:
        registration = accounts.Registration
        async with self._db.begin() as session:
            await session.exec(
                update(registration)
                .where(col(registration.account_id) == account_id, col(registration.mails_sent) < number)
                .values(mails_sent=number)
            )

    @activity.defn(name="RegistrationActivities.confirm")
    async def confirm(self, order: OperatorOrder) -> ConfirmationResult:
        """Quick registration: compare and set. A repeat of the same order finds what it did."""
        account_id = UUID(order.process.subject)
        by = f"operator/{order.wish.actor.strip()}"
        try:
            async with self._db.begin() as session:
                await clockwork.require_epoch(session, order.process)
                held = await rows.case(session, account_id, lock=True)
                if held is None or held.account.state != AccountState.PENDING:
                    return await _decided_before(session, held, order)
                if order.wish.phone:
                    await phone_codes.vouch(session, held.member, order.now)
                await rows.activate(session, held, by, self._vault, self._policy, order.now)
                session.add(_audited(order, by, account_id))
        except Refusal as refusal:
            return ConfirmationResult(False, RegistrationState.WAITING, f"refused: {refusal.code}")
        return ConfirmationResult(True, RegistrationState.CONFIRMED, DONE)

    @activity.defn(name="RegistrationActivities.close")
    async def close(self, process: Process) -> None:
        """Remember that the process ended by itself."""
        async with self._db.begin() as session:
            await clockwork.stamp_closed(session, process.workflow_id)


def _audited(order: OperatorOrder, by: str, account: UUID) -> AuditEntry:
    """The Temporal UI has no identity: who is named there is a claim, and is recorded as one."""
    return AuditEntry(
        actor=by, action="registration.quick", account_id=account, subject=f"account/{account}",
        detail={"reason": order.wish.reason.strip(), "through": "temporal-update", "order": order.order_id,
                "phone": order.wish.phone},
    )  # fmt: skip


async def _decided_before(session: Session, held: rows.Case | None, order: OperatorOrder) -> ConfirmationResult:
    if held is None:
        return ConfirmationResult(False, RegistrationState.GONE, "There is no such registration.")
    state = rows.STATES[AccountState(held.account.state)]
    if state is not RegistrationState.CONFIRMED:
        return ConfirmationResult(False, state, "The registration has ended; the customer must register again.")
    query = select(AuditEntry.detail).where(col(AuditEntry.subject) == f"account/{held.account.id}")
    mine = any(detail.get("order") == order.order_id for detail in await session.exec(query))
    return ConfirmationResult(mine, state, DONE if mine else "It was confirmed before.")
