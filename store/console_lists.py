"""What the console's lists show: classes mapped on queries, to be read, filtered and sorted, and never written.

Every `id` is text, so that whatever is typed into an address or a filter can be compared with it.
"""

import datetime as dt
from typing import Any, ClassVar

from sqlalchemy import DateTime, String, and_, case, cast, func, literal_column, or_, select
from sqlalchemy.orm import registry
from sqlmodel import col

from domain.reviews import ReviewState
from store.accounts import Account, ContactRequest
from store.audit_log import AuditEntry
from store.billing import Payment, Recharge, RefusedNotice
from store.campaigns import Campaign
from store.certification import Certification
from store.clockwork import Clockwork
from store.ledger import LedgerAccount, Price
from store.onboarding import Onboarding
from store.sending import Submission
from store.sms_signatures import SmsSignature
from store.sms_templates import SmsTemplate, SmsTemplateVersion
from store.templates import Template, TemplateVersion

_READ = registry()
WARN = dt.timedelta(hours=1)
"""Before the due time, a case counts as urgent in the queue's colours."""


class Listed:
    """One row of a list."""

    id: ClassVar[Any]


class QueueRow(Listed):
    """A case that waits for its review."""

    due_at: ClassVar[Any]


class TemplateQueueRow(QueueRow):
    """A template version that waits for its review."""


class SmsTemplateQueueRow(QueueRow):
    """A version of an SMS template that waits."""


class SmsSignatureQueueRow(QueueRow):
    """A signature of SMS that waits; its `id` is its submission's."""


class CertificationQueueRow(QueueRow):
    """A certification that waits, with a website."""


class ExceptionQueueRow(QueueRow):
    """A certification that waits, without one."""


class AccountRow(Listed):
    """A customer with stage, quota and balance."""


class RechargeRow(Listed):
    """An order to recharge."""


class PaymentRow(Listed):
    """Money that arrived."""


class RefusedNoticeRow(Listed):
    """A payment notification that was not believed."""


class PriceRow(Listed):
    """A unit price from a time on, general or for one account."""


class CampaignRow(Listed):
    """A campaign of any customer."""


class ContactRow(Listed):
    """What a visitor wrote to support."""


class ProcessRow(Listed):
    """A process that a person must look at: ended from outside, or in trouble that it waits out."""


class AuditRow(Listed):
    """One entry of the audit log."""


def due_order(shown: type[QueueRow]) -> dict[str, Any]:
    """How a queue is sorted by due time: what has none comes before everything that is due."""
    return {"due_at": func.coalesce(shown.due_at, literal_column("'-infinity'::timestamp"))}


def _text(column: Any, name: str) -> Any:
    return cast(column, String).label(name)


def _when(column: Any, name: str) -> Any:
    """Without its zone, in UTC: what starlette-admin's filters compare with."""
    return func.timezone("UTC", column, type_=DateTime()).label(name)


def _standing(due_at: Any, provisional: Any) -> Any:
    """`unknown` (no due time is stored), `overdue`, `urgent`, `provisional` (that year's calendar was not published) or
    `in_time`."""
    return case(
        (due_at.is_(None), "unknown"),
        (due_at < func.now(), "overdue"),
        (due_at < func.now() + WARN, "urgent"),
        (provisional, "provisional"),
        else_="in_time",
    ).label("standing")


def _templates() -> Any:
    version, due = TemplateVersion, col(TemplateVersion.due_at)
    return (
        select(
            _text(version.id, "id"), col(Template.name).label("about"), _text(Account.name, "account"),
            col(Template.kind).label("kind"), col(version.number).label("number"),
            _when(version.submitted_at, "submitted_at"), _when(due, "due_at"),
            _standing(due, col(version.due_provisional)),
        )
        .join(Template, col(Template.id) == col(version.template_id))
        .join(Account, col(Account.id) == col(version.account_id))
        .where(col(version.state) == ReviewState.SUBMITTED)
    )  # fmt: skip


def _sms_templates() -> Any:
    version, due = SmsTemplateVersion, col(SmsTemplateVersion.due_at)
    return (
        select(
            _text(version.id, "id"), col(SmsTemplate.name).label("about"), _text(Account.name, "account"),
            col(version.kind).label("kind"), col(version.market).label("market"), col(version.number).label("number"),
            _when(version.submitted_at, "submitted_at"), _when(due, "due_at"),
            _standing(due, col(version.due_provisional)),
        )
        .join(SmsTemplate, col(SmsTemplate.id) == col(version.template_id))
        .join(Account, col(Account.id) == col(version.account_id))
        .where(col(version.state) == ReviewState.SUBMITTED)
    )  # fmt: skip


def _sms_signatures() -> Any:
    row, due = SmsSignature, col(SmsSignature.due_at)
    return (
        select(
            _text(row.review_id, "id"), col(row.text).label("about"), _text(Account.name, "account"),
            col(row.source).label("source"), col(row.market).label("market"),
            _when(row.submitted_at, "submitted_at"), _when(due, "due_at"), _standing(due, col(row.due_provisional)),
        )
        .join(Account, col(Account.id) == col(row.account_id))
        .where(col(row.state) == ReviewState.SUBMITTED)
    )  # fmt: skip


def _certifications(exception: bool) -> Any:
    row, due = Certification, col(Certification.due_at)
    return (
        select(
            _text(row.id, "id"), _text(Account.name, "account"), col(row.kind).label("kind"),
            col(row.number).label("number"), _when(row.submitted_at, "submitted_at"), _when(due, "due_at"),
            _standing(due, col(row.due_provisional)),
        )
        .join(Account, col(Account.id) == col(row.account_id))
        .where(col(row.state) == ReviewState.SUBMITTED, col(row.exception) == exception)
    )  # fmt: skip


def _accounts() -> Any:
    purse = and_(col(LedgerAccount.account_id) == col(Account.id), col(LedgerAccount.name) == "prepaid")
    return (
        select(
            _text(Account.id, "id"), col(Account.name).label("name"), col(Account.state).label("state"),
            func.coalesce(col(Onboarding.stage), "").label("stage"), col(Account.daily_quota).label("daily_quota"),
            col(Account.granted_quota).label("granted_quota"),
            func.coalesce(col(LedgerAccount.balance_fen), 0).label("balance_fen"),
            _when(Account.created_at, "created_at"),
        )
        .outerjoin(Onboarding, col(Onboarding.account_id) == col(Account.id))
        .outerjoin(LedgerAccount, purse)
    )  # fmt: skip


def _recharges() -> Any:
    return select(
        _text(Recharge.id, "id"), _text(Account.name, "account"), col(Recharge.channel).label("channel"),
        col(Recharge.amount_fen).label("amount_fen"), col(Recharge.state).label("state"),
        _when(Recharge.created_at, "created_at"), _when(Recharge.credited_at, "credited_at"),
        _when(Recharge.closed_at, "closed_at"), col(Recharge.close_reason).label("close_reason"),
    ).join(Account, col(Account.id) == col(Recharge.account_id))  # fmt: skip


def _payments() -> Any:
    return select(
        _text(Payment.id, "id"), _text(Account.name, "account"), _text(Payment.recharge_id, "recharge"),
        col(Payment.channel).label("channel"), col(Payment.transaction).label("transaction"),
        col(Payment.amount_fen).label("amount_fen"), col(Payment.state).label("state"),
        col(Payment.late).label("late"), _when(Payment.seen_at, "seen_at"),
        _when(Payment.refunded_at, "refunded_at"), col(Payment.why).label("why"),
    ).join(Account, col(Account.id) == col(Payment.account_id))  # fmt: skip


def _refused_notices() -> Any:
    notice = RefusedNotice
    return select(
        _text(notice.id, "id"), _when(notice.at, "at"), col(notice.channel).label("channel"),
        col(notice.reason).label("reason"), _text(notice.recharge_id, "recharge"),
    )  # fmt: skip


def _prices() -> Any:
    return select(
        _text(Price.id, "id"), col(Price.item).label("item"),
        func.coalesce(cast(Account.name, String), "").label("account"), col(Price.unit_micro).label("unit_micro"),
        _when(Price.effective_from, "effective_from"), col(Price.set_by).label("set_by"),
        _when(Price.set_at, "set_at"),
    ).outerjoin(Account, col(Account.id) == col(Price.account_id))  # fmt: skip


def _campaigns() -> Any:
    row = Campaign
    return (
        select(
            _text(row.id, "id"), col(row.name).label("name"), _text(Account.name, "account"),
            col(row.state).label("state"), col(row.problem).label("problem"),
            func.coalesce(col(Submission.recipients), 0).label("recipients"), _when(row.start_at, "start_at"),
            _when(row.created_at, "created_at"), _when(row.finished_at, "finished_at"),
        )
        .join(Account, col(Account.id) == col(row.account_id))
        .outerjoin(Submission, col(Submission.id) == col(row.id))
    )  # fmt: skip


def _contacts() -> Any:
    row = ContactRequest
    return select(
        _text(row.id, "id"), col(row.subject).label("subject"), col(row.email).label("email"),
        _when(row.created_at, "created_at"), _when(row.handled_at, "handled_at"),
    )  # fmt: skip


def _processes() -> Any:
    return (
        select(
            col(Clockwork.workflow_id).label("id"), col(Clockwork.kind).label("kind"),
            _text(Account.name, "account"),
            func.coalesce(col(Clockwork.needs_human), col(Clockwork.attention)).label("why"),
            _when(Clockwork.created_at, "created_at"),
        )
        .outerjoin(Account, col(Account.id) == col(Clockwork.account_id))
        .where(or_(col(Clockwork.needs_human).is_not(None), col(Clockwork.attention).is_not(None)))
    )  # fmt: skip


def _audit() -> Any:
    row = AuditEntry
    return select(
        _text(row.id, "id"), col(row.id).label("number"), _when(row.at, "at"),
        col(row.actor).label("actor"), col(row.action).label("action"), col(row.subject).label("subject"),
        func.coalesce(cast(Account.name, String), "").label("account"), _text(row.account_id, "account_id"),
        func.coalesce(func.nullif(cast(row.detail, String), "{}"), "").label("detail"),
    ).outerjoin(Account, col(Account.id) == col(row.account_id))  # fmt: skip


for _shown, _query in (
    (TemplateQueueRow, _templates()), (SmsTemplateQueueRow, _sms_templates()),
    (SmsSignatureQueueRow, _sms_signatures()), (CertificationQueueRow, _certifications(False)),
    (ExceptionQueueRow, _certifications(True)), (AccountRow, _accounts()), (RechargeRow, _recharges()),
    (PaymentRow, _payments()), (RefusedNoticeRow, _refused_notices()), (PriceRow, _prices()),
    (CampaignRow, _campaigns()), (ContactRow, _contacts()), (ProcessRow, _processes()), (AuditRow, _audit()),
):  # fmt: skip
    _table = _query.subquery(_shown.__name__.lower())
    _READ.map_imperatively(_shown, _table, primary_key=[_table.c.id])
