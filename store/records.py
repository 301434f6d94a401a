"""What a customer may read in lists: classes mapped on queries that hold nothing but the columns that are shown.

Every class has `account_id`, whose rows it is, `at`, by which lists are ordered, and `id`. The queries go from the
indexed side (submissions, endpoints, the account) to what hangs on it, so that a page of a list reads a page of rows.
"""

from typing import Any, ClassVar

from sqlalchemy import Select, String, case, cast, func, literal, select
from sqlalchemy.orm import registry
from sqlmodel import col

from domain.channels import Channel
from store.accounts import LoginSession, Member
from store.audit_log import AuditEntry
from store.billing import Recharge
from store.certification import Certification
from store.domains import SenderDomain
from store.ledger import Entry, Journal, LedgerAccount
from store.senders import ApiUser
from store.sending import Message, Submission
from store.templates import Template, TemplateVersion
from store.webhooks import WebhookAttempt, WebhookEndpoint

_READ = registry()


class Record:
    """One row of a list."""

    id: ClassVar[Any]
    account_id: ClassVar[Any]
    at: ClassVar[Any]


class SendRecord(Record):
    """An accepted request to send mail."""


class MessageRecord(Record):
    """One recipient of a request, and what became of the mail."""


class WebhookRecord(Record):
    """One HTTP request to an endpoint."""


class TemplateRecord(Record):
    """A version of a template."""


class DomainRecord(Record):
    """A sender domain."""


class ApiUserRecord(Record):
    """An API user, without its keys."""


class EndpointRecord(Record):
    """A webhook endpoint, without its secret."""


class JournalRecord(Record):
    """A line of the statement: what changed the prepaid money."""


class SignInRecord(Record):
    """A session of a member, ended or not."""

    member_id: ClassVar[Any]


class RechargeRecord(Record):
    """An order to recharge."""


class CertificationRecord(Record):
    """An application for certification, without what was written in it."""


class MemberRecord(Record):
    """A person who signs in, or was invited to."""


class AuditRecord(Record):
    """Who did what in the account."""


def _columns(*columns: Any) -> Select[Any]:
    return select(*columns)


def _sends() -> Select[Any]:
    return (
        _columns(
            Submission.id, Submission.account_id, col(Submission.accepted_at).label("at"),
            col(ApiUser.name).label("api_user"), col(Template.invoke_name).label("template"),
            Submission.kind, Submission.sender, Submission.label, Submission.recipients, Submission.duplicates,
            Submission.is_test,
        )
        .join(ApiUser, col(ApiUser.id) == col(Submission.api_user_id))
        .join(TemplateVersion, col(TemplateVersion.id) == col(Submission.template_version_id))
        .join(Template, col(Template.id) == col(TemplateVersion.template_id))
        .where(col(Submission.channel) == Channel.EMAIL.value)
    )  # fmt: skip


def _messages() -> Select[Any]:
    deferred = (col(Message.state) == "queued") & (col(Message.attempts) > 0)
    return _columns(
        Message.id, Submission.account_id, col(Submission.accepted_at).label("at"), Message.address,
        case((deferred, "deferred"), else_=col(Message.state)).label("outcome"), Message.attempts, Message.finished_at,
        Message.code, Message.enhanced, Message.reason, Message.reply, Message.host, Message.possible_duplicate,
        Message.submission_id, Submission.label,
    ).join(Message, col(Message.submission_id) == col(Submission.id)).where(
        col(Submission.channel) == Channel.EMAIL.value
    )  # fmt: skip


def _webhooks() -> Select[Any]:
    return _columns(
        WebhookAttempt.id, WebhookEndpoint.account_id, WebhookAttempt.at, WebhookEndpoint.url, WebhookAttempt.kind,
        WebhookAttempt.number, WebhookAttempt.status, func.coalesce(col(WebhookAttempt.error), "").label("error"),
        WebhookAttempt.response, WebhookAttempt.milliseconds,
    ).join(WebhookEndpoint, col(WebhookEndpoint.id) == col(WebhookAttempt.endpoint_id))  # fmt: skip


def _templates() -> Select[Any]:
    return (
        _columns(
            TemplateVersion.id, Template.account_id, col(TemplateVersion.created_at).label("at"), Template.invoke_name,
            Template.name, Template.kind, TemplateVersion.number, TemplateVersion.state, TemplateVersion.subject,
            TemplateVersion.submitted_at, TemplateVersion.decided_at, TemplateVersion.reason,
        )
        .join(Template, col(Template.id) == col(TemplateVersion.template_id))
        .where(col(Template.deleted_at).is_(None))
    )  # fmt: skip


def _domains() -> Select[Any]:
    return _columns(
        SenderDomain.id, SenderDomain.account_id, col(SenderDomain.created_at).label("at"), SenderDomain.name,
        SenderDomain.state, func.coalesce(col(SenderDomain.problem), "").label("problem"), SenderDomain.usable_since,
        SenderDomain.checked_at, SenderDomain.is_test,
    ).where(col(SenderDomain.state) != "deleted")  # fmt: skip


def _api_users() -> Select[Any]:
    return _columns(
        ApiUser.id, ApiUser.account_id, col(ApiUser.created_at).label("at"), ApiUser.name, ApiUser.kind,
        ApiUser.is_test, ApiUser.disabled_at,
    )  # fmt: skip


def _endpoints() -> Select[Any]:
    return _columns(
        WebhookEndpoint.id, WebhookEndpoint.account_id, col(WebhookEndpoint.created_at).label("at"),
        WebhookEndpoint.url, WebhookEndpoint.state,
        func.array_to_string(col(WebhookEndpoint.events), " ").label("events"),
        WebhookEndpoint.last_delivered_at, func.coalesce(col(WebhookEndpoint.last_error), "").label("last_error"),
    ).where(col(WebhookEndpoint.deleted_at).is_(None))  # fmt: skip


def _journals() -> Select[Any]:
    return (
        _columns(
            Entry.id, Journal.account_id, Journal.at, Journal.kind, Journal.memo, Entry.amount_fen,
            Entry.balance_after_fen, col(Journal.id).label("journal"),
        )
        .join(Journal, col(Journal.id) == col(Entry.journal_id))
        .join(LedgerAccount, col(LedgerAccount.id) == col(Entry.ledger_account_id))
        .where(col(LedgerAccount.account_id) == col(Journal.account_id), col(LedgerAccount.name) == "prepaid")
    )  # fmt: skip


def _sign_ins() -> Select[Any]:
    return _columns(
        LoginSession.id, LoginSession.account_id, LoginSession.member_id, col(LoginSession.created_at).label("at"),
        LoginSession.client, LoginSession.last_seen_at, LoginSession.expires_at, LoginSession.revoked_at,
    )  # fmt: skip


def _detail() -> Any:
    """What an entry says besides its action, where it is the customer's to read.

    Reasons that operators write for one another are not: a new action is shown without its detail, unless it is here.
    """
    action, detail = col(AuditEntry.action), col(AuditEntry.detail)
    quota = func.concat(func.coalesce(detail["before"].astext, "—"), " → ", detail["quota"].astext)
    shown = case(
        (action == "account.quota_granted", quota),
        (action == "certification.revoke", detail["reason"].astext),  # mailed to the customer as well
        (action == "session.others_ended", detail["count"].astext),
    )  # fmt: skip
    return func.coalesce(shown, "").label("detail")


def _recharges() -> Select[Any]:
    return _columns(
        Recharge.id, Recharge.account_id, col(Recharge.created_at).label("at"), Recharge.channel, Recharge.amount_fen,
        Recharge.state, Recharge.credited_at, Recharge.closed_at,
    )  # fmt: skip


def _certifications() -> Select[Any]:
    return _columns(
        Certification.id, Certification.account_id, col(Certification.created_at).label("at"), Certification.number,
        Certification.kind, Certification.state, Certification.submitted_at, Certification.due_at,
        Certification.decided_at, Certification.valid_until,
    )  # fmt: skip


def _members() -> Select[Any]:
    return _columns(
        Member.id, Member.account_id, col(Member.created_at).label("at"), Member.email, Member.role,
        Member.email_confirmed_at, Member.removed_at,
    )  # fmt: skip


def _audit() -> Select[Any]:
    """Who: a member's address, the name of an API user, `visitor` for who was not signed in, or `platform` for
    operators and processes."""
    member, user = col(AuditEntry.actor).like("member/%"), col(AuditEntry.actor).like("api-user/%")
    return (
        _columns(
            AuditEntry.id, AuditEntry.account_id, AuditEntry.at,
            case(
                (member, func.coalesce(col(Member.email), literal("?"))),
                (user, func.coalesce(col(ApiUser.name), literal("?"))),
                (col(AuditEntry.actor) == "visitor", literal("visitor")),
                else_=literal("platform"),
            ).label("who"),
            AuditEntry.action, AuditEntry.subject, _detail(),
        )
        .outerjoin(
            Member,
            (col(AuditEntry.actor) == literal("member/") + cast(col(Member.id), String))
            & (col(Member.account_id) == col(AuditEntry.account_id)),
        )
        .outerjoin(
            ApiUser,
            (col(AuditEntry.actor) == literal("api-user/") + cast(col(ApiUser.id), String))
            & (col(ApiUser.account_id) == col(AuditEntry.account_id)),
        )
    )  # fmt: skip


def _map(made: type[Record], query: Select[Any]) -> None:
    rows = query.subquery(made.__name__.lower())
    _READ.map_imperatively(made, rows, primary_key=[rows.c.id])


_map(SendRecord, _sends())
_map(MessageRecord, _messages())
_map(WebhookRecord, _webhooks())
_map(TemplateRecord, _templates())
_map(DomainRecord, _domains())
_map(ApiUserRecord, _api_users())
_map(EndpointRecord, _endpoints())
_map(JournalRecord, _journals())
_map(SignInRecord, _sign_ins())
_map(RechargeRecord, _recharges())
_map(CertificationRecord, _certifications())
_map(MemberRecord, _members())
_map(AuditRecord, _audit())
