"""Codes are shown in words: every member of every enum that a page shows, and everything that the audit log notes."""

import ast
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from starlette_admin.i18n import set_locale
from temporalio.client import WorkflowExecutionStatus

from domain.accounts import AccountState, Role
from domain.audience import ImportState
from domain.billing import (
    ASKED,
    Attention,
    Channel,
    CloseReason,
    NoticeFault,
    PaymentState,
    RechargeState,
    RefundReason,
)
from domain.cadences import Repeat
from domain.campaigns import CampaignState, Command
from domain.certification import CertificationKind, CertificationState
from domain.channels import Channel as SendChannel
from domain.corrections import Effect
from domain.destinations import Match
from domain.domain_records import Hint
from domain.domains import DomainState, Purpose, RecordState
from domain.egress import EgressState, Reverse
from domain.ids import Kind
from domain.lanes import LaneState
from domain.ledger import JournalKind
from domain.members import MemberState
from domain.onboarding import Stage, StepState
from domain.reply_rules import ACTIONS
from domain.reports import ReportKind
from domain.retry_curves import CurveClass
from domain.reviews import Decision, ReviewState
from domain.scheduled_tasks import Decision as RunDecision
from domain.scheduled_tasks import Misfire, Overlap, RunState, TaskCommand, TaskState, Why
from domain.senders import SendKind
from domain.sending import MessageState, Reason, Scope
from domain.signals import Level, Rate, Window
from domain.sms import Market, SmsKind
from domain.sms_opt_out import OptOutSource
from domain.sms_results import SmsReason, SmsScope
from domain.sms_signatures import SignatureSource
from domain.suppressions import DEAD, SuppressionReason, SuppressionScope
from domain.transport import Tls
from domain.webhooks import DisabledBy, EndpointState, Event, Failure
from services.inbound import LETTER
from web.console import destinations as console_destinations
from web.console import egress as console_egress
from web.console import lists, reply_rules, reports, retry_curves, words
from web.console.fields import Action, Coded, Notice
from web.i18n import english
from web.portal import (
    audience_imports,
    campaigns,
    domains,
    lanes,
    members,
    onboarding,
    recharges,
    scheduled_tasks,
    sends,
    signals,
    sms_template_words,
    sms_words,
    statement,
    suppressions,
    webhooks,
)
from web.portal.records import words as records

OF_A_DOMAIN = [state for state in DomainState if state is not DomainState.DELETED]
WORDS: list[tuple[Mapping[Any, Any], list[Any]]] = [
    (audience_imports.STATES, [*ImportState]),
    (records.OUTCOMES, [*MessageState, "deferred"]),
    (records.REASONS, [*Reason]),
    (sends.REASONS, [*Reason]),
    (records.KINDS, [*SendKind]),
    (records.REVIEWS, [*ReviewState]),
    (records.DOMAINS, OF_A_DOMAIN),
    (records.PROBLEMS, [*Purpose]),
    (records.ENDPOINTS, [*EndpointState]),
    (records.ERRORS, [*Failure]),
    (records.JOURNALS, [*JournalKind]),
    (records.CHANNELS, [*Channel]),
    (records.RECHARGES, [*RechargeState]),
    (records.CERTIFICATIONS, [*CertificationState]),
    (records.CERTIFICATION_KINDS, [*CertificationKind]),
    (records.ROLES, [*Role]),
    (campaigns.LOOKS, [*CampaignState]),
    (campaigns.DONE, [*Command]),
    (scheduled_tasks.LOOKS, [*TaskState]),
    (scheduled_tasks.RUN_LOOKS, [*RunState]),
    (scheduled_tasks.WHYS, [*Why]),
    (scheduled_tasks.REPEATS, [*Repeat]),
    (scheduled_tasks.OVERLAPS, [*Overlap]),
    (scheduled_tasks.MISFIRES, [*Misfire]),
    (scheduled_tasks.DONE, [*TaskCommand]),
    (scheduled_tasks.DECIDED, [*RunDecision]),
    (scheduled_tasks.CHANNELS, [*SendChannel]),
    (domains.STATES, OF_A_DOMAIN),
    (domains.RECORD_STATES, [*RecordState]),
    (domains.PURPOSES, [*Purpose]),
    (domains.HINTS, [each for each in Hint if each]),
    (members.STATES, [*MemberState]),
    (members.WHAT, [*Role]),
    (lanes.LOOKS, [*LaneState]),
    (console_egress.STATES, [*EgressState]),
    (console_egress.REVERSE, [*Reverse]),
    (console_destinations.MATCHES, [*Match]),
    (console_destinations.TLS, [*Tls]),
    (onboarding.LOOKS, [*StepState]),
    (signals.GRADES, [*Level]),
    (signals.RATES, [*Rate]),
    (signals.WINDOWS, [*Window]),
    (recharges.STATES, [*RechargeState]),
    (recharges.PAYMENTS, [*PaymentState]),
    (recharges.REASONS, [*CloseReason]),
    (recharges.WHY_BACK, [*RefundReason]),
    (statement.CHANNELS, [*Channel]),
    (reports.KINDS, [*ReportKind, LETTER]),
    (reports.EFFECTS, [*Effect]),
    (sms_template_words.KINDS, [*SmsKind]),
    (sms_template_words.MARKETS, [*Market]),
    (sms_template_words.SOURCES, [*SignatureSource]),
    (sms_template_words.STATES, [*ReviewState]),
    (sms_words.REASONS, [*SmsReason]),
    (sms_words.SCOPES, [*SmsScope]),
    (sms_words.SOURCES, [*OptOutSource]),
    (suppressions.REASONS, [*SuppressionReason]),
    (suppressions.HELD, [*SuppressionReason, DEAD]),
    (suppressions.SCOPES, [*SuppressionScope]),
    (webhooks.EVENTS, [*Event]),
    (webhooks.ERRORS, [*Failure]),
    (webhooks.WHY, [*DisabledBy]),
    (lists.KINDS, [*SendKind, *CertificationKind]),
    (lists.ACCOUNT_STATES, [*AccountState]),
    (lists.ORDER_STATES, [*RechargeState]),
    (lists.PAYMENT_STATES, [*PaymentState]),
    (reply_rules.SCOPES, [*Scope]),
    (reply_rules.WHAT_HAPPENS, [*ACTIONS]),
    (retry_curves.CLASSES, [*CurveClass]),
    (words.STAGES, [*Stage]),
    (words.PROCESSES, [*Kind]),
    (words.CHANNELS, [*Channel]),
    (words.CLOSED, [*CloseReason]),
    (words.BACK, [*RefundReason]),
    (words.NOTICES, [*NoticeFault]),
    (words.ATTENTION, [each for each in Attention if each]),
]


@pytest.mark.parametrize(("known", "members_"), WORDS, ids=[type(codes[0]).__name__ for _, codes in WORDS])
def test_every_member_has_words_and_no_word_is_without_a_member(known: Mapping[Any, Any], members_: list[Any]) -> None:
    codes = [each.value if isinstance(each, Enum) else each for each in members_]
    assert {each.value if isinstance(each, Enum) else each for each in known} == set(codes)
    for said in known.values():
        text = said[0] if isinstance(said, tuple) else getattr(said, "word", said)
        assert text in english() or text.isascii(), f"no English for {text}"


def test_whatever_ends_a_process_from_outside_has_words() -> None:
    """As `services.clockwork` notes it."""
    status = WorkflowExecutionStatus
    goes_on = {status.RUNNING, status.COMPLETED, status.CONTINUED_AS_NEW, getattr(status, "PAUSED", None)}
    assert {f"workflow is {each.name}" for each in status if each not in goes_on} == words.STOPPED.keys()


SOURCES = [path for folder in ("services", "store", "activities") for path in Path(folder).rglob("*.py")]
AREAS = {code.partition(".")[0] for code in words.ACTIONS}
SAID_BY_ENUMS: dict[str, list[str]] = {
    "certification.": [Decision.APPROVE, Decision.REJECT, "revoke"],
    "campaign.": [*Command],
    "scheduled_task.": ["create", "pause", "resume", *TaskCommand],
    "scheduled_run.": [*RunDecision],
    "template.": [Decision.APPROVE, Decision.REJECT],
    "sms_template.": [Decision.APPROVE, Decision.REJECT],
    "sms_signature.": [Decision.APPROVE, Decision.REJECT],
    "payment.": [PaymentState.CREDITED, PaymentState.REFUND_WANTED],
    "member.role.": [role for role in Role if role is not Role.OWNER],
}
"""Beginnings of actions, and what the sources put after them."""


def noted() -> Iterator[str]:
    """What the sources may note: each literal of the form `area.what`, and `area.` where they put the rest after it."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and re.fullmatch(r"[a-z_]+\.[a-z_.]*", text):
                yield text


def test_every_audited_action_has_words() -> None:
    found = {code for code in noted() if code.partition(".")[0] in AREAS and not code.endswith(".id")}  # foreign keys
    assert len(found) > 50
    whole = {code for code in found if not code.endswith(".")}
    whole |= {code + rest for code, ends in SAID_BY_ENUMS.items() for rest in ends}
    assert sorted(code for code in whole if code not in words.ACTIONS) == []
    begun = {code for code in found if code.endswith(".")}
    assert sorted(code for code in begun if not any(known.startswith(code) for known in words.ACTIONS)) == []
    assert sorted(text for text in words.ACTIONS.values() if text not in english()) == []


def test_the_consoles_columns_know_beginnings_and_what_the_provider_was_asked() -> None:
    assert words.action("operator.roles.finance+reviewer") == words.ACTIONS["operator.roles."]
    assert words.action("something.new") == "something.new"
    set_locale("zh")
    by_name = {field.name: field for view in lists.LISTS for field in view.fields if isinstance(field, Coded)}
    assert isinstance(by_name["action"], Action) and isinstance(by_name["reason"], Notice)
    assert by_name["reason"].word(ASKED + "amount") == "支付渠道回答查询：金额与订单不符"
    assert by_name["reason"].word("nothing-known") == "nothing-known"
