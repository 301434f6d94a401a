"""Composition root of the Temporal worker: gateways → activities → workers; also runs the relay and reconcile."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
import uvloop
from temporalio.client import Client
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.service import GrpcCompression
from temporalio.worker import FixedSizeSlotSupplier, Worker, WorkerTuner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.campaign_pages import CampaignPages
from activities.campaigns import CampaignActivities
from activities.certification_desk import CertificationDesk
from activities.delivery import DeliveryActivities
from activities.discretion import Discretion
from activities.domains import DomainActivities
from activities.egress import Egress, Place
from activities.lanes import Lanes
from activities.list_import import ListImportActivities
from activities.mail_delivery import Wire
from activities.onboarding import OnboardingActivities
from activities.payment import RechargeActivities, RefundActivities
from activities.recipient_lanes import RecipientLanes
from activities.registration import RegistrationActivities
from activities.rendering import Renderer
from activities.reviews import Desk, ReviewActivities
from activities.runner_slots import RunnerSlots
from activities.scheduled_tasks import ScheduledTaskActivities
from activities.sender_process import SenderProcess
from activities.sms_signature_desk import SmsSignatureDesk
from activities.sms_template_desk import SmsTemplateDesk
from activities.template_desk import TemplateDesk
from activities.webhook_drain import Means
from activities.webhooks import WebhookActivities
from domain.channels import DueLine
from domain.ids import Kind
from domain.networks import Reach
from domain.queues import BULK, CONTROL, EXPRESS, HOOKS, IMPORTS, PROBES
from domain.secrets import Vault
from gateways.alipay import AlipayDesk
from gateways.dns import DnsResolver
from gateways.http import Guard, HttpPoster
from gateways.own_addresses import bind_problem
from gateways.routes import Routes
from gateways.smtp import SmtpOptions, SmtpTransport
from gateways.spreadsheets import Spreadsheets
from services import calm_collector, discreet_logs
from services.beside import background, first_of
from services.clockwork import Clockwork
from services.foundation import Foundation
from services.private_process import keep_private
from services.relay import Relay
from services.reply_rules import LiveReplyRules
from services.settlement import Settlement
from services.signal_folding import SignalFolding
from settings import Settings
from store.db import BY_INDEX, LONGEST_WHILE_SENDING, Database
from store.papers import PaperStore
from worker_sms import SmsTools, sms_tools
from workflows.campaign import CampaignWorkflow
from workflows.certification_review import CertificationReview
from workflows.delivery import DeliveryWorkflow
from workflows.domain_verification import DomainVerification
from workflows.list_import import ListImport
from workflows.onboarding import Onboarding
from workflows.recharge import Recharge
from workflows.refund import Refund
from workflows.registration import Registration
from workflows.scheduled_task import ScheduledTask
from workflows.sms_signature_review import SmsSignatureReview
from workflows.sms_template_review import SmsTemplateReview
from workflows.template_review import TemplateReview
from workflows.webhook_delivery import WebhookDeliveryWorkflow

log = structlog.get_logger(__name__)

CONTROL_WORKFLOWS: list[type] = [
    CampaignWorkflow,
    CertificationReview,
    DomainVerification,
    ListImport,
    SmsSignatureReview,
    SmsTemplateReview,
    TemplateReview,
    WebhookDeliveryWorkflow,
    Registration,
    Onboarding,
    Recharge,
    Refund,
    ScheduledTask,
]
EXPRESS_WORKFLOWS: list[type] = [DeliveryWorkflow]
PAGES_AT_ONCE = {DueLine.MAIL: 8, DueLine.SMS: 4, DueLine.SMS_MARKETING: 2, DueLine.SMS_CODES: 4}
"""With half of them in hand, the others are kept for accounts that did not fill a share of a batch."""
CONNECTIONS = 7 + len(DueLine)
"""To the database, of each driver: each relay keeps one, to listen on."""
RUNNERS_AT_ONCE, RUNNERS_BUSY = 32, 4
"""Of campaigns, in one process; most of them wait for their lane. Of those that do not, so few are enough that one's
first and last messages leave no gap."""
DRAINS_AT_ONCE, PROBES_AT_ONCE = 24, 16
"""Webhook endpoints that are served at once, with up to 32 connections each, and dead ones that are tried."""
IMPORTS_AT_ONCE = 2
"""The others wait for their turn, which comes every few seconds."""


def sandbox_runner() -> SandboxedWorkflowRunner:
    """Workflows stay sandboxed; words and activity references pass through. The Replayer uses the same runner."""
    restrictions = SandboxRestrictions.default.with_passthrough_modules("domain", "activities", "store")
    return SandboxedWorkflowRunner(restrictions=restrictions)


@dataclass(frozen=True)
class Tools:
    """What activities are built from."""

    settings: Settings
    db: Database
    client: Client
    vault: Vault
    resolver: DnsResolver
    sender: SenderProcess
    lanes: Lanes
    egress: Egress
    routes: Routes
    replies: LiveReplyRules
    sms: SmsTools


def control_activities(tools: Tools) -> Sequence[Callable[..., Any]]:
    """Activities of human-paced processes."""
    domains = DomainActivities(tools.db, tools.resolver, tools.settings.policy())
    watching: list[Callable[..., Any]] = [domains.stand, domains.look, domains.announce, domains.close]
    onboarding = OnboardingActivities(tools.db, tools.settings.policy())
    guiding: list[Callable[..., Any]] = [onboarding.look, onboarding.remind, onboarding.close]
    return [
        *watching,
        *guiding,
        *webhook_activities(tools),
        *review_activities(tools),
        *registration_activities(tools),
        *payment_activities(tools),
        *campaign_activities(tools),
        *scheduled_activities(tools),
    ]


def campaign_activities(tools: Tools) -> Sequence[Callable[..., Any]]:
    """Activities of a campaign's process; its sending is on a queue of its own."""
    lanes = RecipientLanes(tools.db, tools.routes)
    campaigns = CampaignActivities(tools.db, lanes, tools.settings.policy())
    return [
        *(campaigns.look, campaigns.prepare, campaigns.cancel, campaigns.finish),
        *(campaigns.command, campaigns.close),
    ]


def scheduled_activities(tools: Tools) -> Sequence[Callable[..., Any]]:
    """Activities of a run of a scheduled task."""
    scheduled = ScheduledTaskActivities(tools.db, tools.settings.policy())
    return [scheduled.open, scheduled.look, scheduled.send, scheduled.decide, scheduled.close]


def registration_activities(tools: Tools) -> Sequence[Callable[..., Any]]:
    """Activities of a new account's registration."""
    registrations = RegistrationActivities(tools.db, tools.vault, tools.settings.policy())
    return [registrations.look, registrations.send_mail, registrations.confirm, registrations.close]


def payment_activities(tools: Tools) -> Sequence[Callable[..., Any]]:
    """Activities of money that comes in and goes back."""
    app = tools.settings.alipay()
    provider = AlipayDesk(app) if app else None
    recharges = RechargeActivities(tools.db, provider, tools.settings.policy())
    refunds = RefundActivities(tools.db, provider, tools.settings.policy())
    return [
        *(recharges.look, recharges.ask, recharges.shut, recharges.announce, recharges.close),
        *(refunds.look, refunds.refund, refunds.announce, refunds.close),
    ]


def review_activities(tools: Tools) -> Sequence[Callable[..., Any]]:
    """Activities of every kind of review; each kind has its desk."""
    desks: dict[Kind, Desk] = {
        Kind.TEMPLATE_REVIEW: TemplateDesk(),
        Kind.CERTIFICATION_REVIEW: CertificationDesk(),
        Kind.SMS_TEMPLATE_REVIEW: SmsTemplateDesk(),
        Kind.SMS_SIGNATURE_REVIEW: SmsSignatureDesk(),
    }
    reviews = ReviewActivities(tools.db, tools.settings.policy(), desks)
    return [reviews.look, reviews.decide, reviews.alert, reviews.announce, reviews.close]


def webhook_activities(tools: Tools) -> Sequence[Callable[..., Any]]:
    """Activities of webhook endpoints."""
    settings = tools.settings
    poster = HttpPoster(Guard(settings.webhook_allowed_networks))
    webhooks = WebhookActivities(Means(tools.db, tools.vault, settings.policy(), poster))
    return [webhooks.drain, webhooks.tell_owner, webhooks.close]


def import_activities(tools: Tools) -> Sequence[Callable[..., Any]]:
    """Activities that read files into address lists. Raises `OSError` when the folder of documents cannot be used."""
    settings = tools.settings
    papers = PaperStore.open(settings.documents_url, tools.vault)
    imports = ListImportActivities(tools.db, papers, Spreadsheets(), settings.list_import_max_lines)
    return [imports.read, imports.close]


def delivery_activities(tools: Tools) -> DeliveryActivities:
    """The sending engine of this process."""
    settings = tools.settings
    options = SmtpOptions(settings.smtp_port, settings.ehlo_name, settings.smtp_timeout)
    transport = SmtpTransport(options, tools.replies.classify, tools.egress.sources)
    wire = Wire(
        *(tools.routes, transport, tools.lanes, settings.slots_per_destination, settings.time_scale),
        tools.replies.curve,
        tools.egress.may_speak,
    )
    policy = settings.policy()
    renderer = Renderer(tools.db, tools.vault, settings.bounce_host, policy.tracking_url, policy.public_url)
    return DeliveryActivities(tools.db, tools.sender, renderer, wire, tools.sms.channel(tools.lanes))


async def connect(settings: Settings) -> Client:
    """A client for loopback: no compression. Serves the SDK's metrics when a port is set for them."""
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        grpc_compression=GrpcCompression.NONE,
        runtime=metered(settings.metrics_port) if settings.metrics_port else None,
    )


def metered(port: int) -> Runtime:
    """A runtime that answers Prometheus on loopback; one per process."""
    metrics = PrometheusConfig(bind_address=f"127.0.0.1:{port}", durations_as_seconds=True, counters_total_suffix=True)
    return Runtime(telemetry=TelemetryConfig(metrics=metrics))


async def make_tools(settings: Settings) -> Tools:
    """Open what the process holds open. Raises when the database or Temporal cannot be reached."""
    db = await Database.open(
        settings.database_url, connections=CONNECTIONS, longest=LONGEST_WHILE_SENDING, planning=BY_INDEX
    )
    sender = SenderProcess(db, settings.sender_slots, settings.sms_slots)
    client, vault = await connect(settings), Vault(settings.secret_key.get_secret_value())
    base = Foundation(db, Clockwork(db, client), vault, settings.policy())
    place = Place(settings.egress_host or socket.gethostname(), settings.ehlo_name, settings.treatment())
    egress = Egress(db, vault, place, bind_problem)
    await egress.look()
    resolver = DnsResolver(
        settings.dns_nameservers,
        reach=Reach(settings.delivery_allowed_networks),
        ourselves=lambda: {*egress.names()} - {settings.bounce_host},  # what comes to that door goes no further
    )
    return Tools(
        settings=settings,
        db=db,
        client=client,
        vault=vault,
        resolver=resolver,
        sender=sender,
        lanes=Lanes(db, sender, settings.time_scale),
        egress=egress,
        routes=Routes(resolver, egress.destinations),
        replies=await LiveReplyRules.open(db),
        sms=sms_tools(settings, base, str(sender.id)),
    )


async def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT, then finish what is in hand: relays first, then pages, the lease, the carriers."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    keep_private()
    discreet_logs.install()
    tools = await make_tools(settings)
    deliveries = delivery_activities(tools)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(tools.db.close)
        carriers = await stack.enter_async_context(background(tools.sms.carriers.run()))
        sender = await stack.enter_async_context(background(tools.sender.run()))
        for worker in workers(tools, deliveries):
            await stack.enter_async_context(worker)
        relays = (relay_of(line, tools, deliveries).run() for line in DueLine)
        clockwork = Clockwork(tools.db, tools.client)
        counting = (Settlement(tools.db).run(), SignalFolding(tools.db).run())
        following = (tools.lanes.run(), tools.egress.run(), tools.replies.run(), tools.sms.routes.run())
        running = (*relays, clockwork.run(), *counting, *following, tools.sms.receipts.run())
        loops = [await stack.enter_async_context(background(loop)) for loop in running]
        calm_collector.calm()
        log.info("worker_ready", sender=str(tools.sender.id))
        await first_of(stop, [carriers, sender, *loops])


def relay_of(line: DueLine, tools: Tools, deliveries: DeliveryActivities) -> Relay:
    """Each line has its own share of pages, so that no line waits for another."""
    most = PAGES_AT_ONCE[line]
    return Relay(
        *(tools.db, tools.client),
        has_room=lambda: deliveries.in_hand[line] < most,
        is_busy=lambda: deliveries.in_hand[line] >= most // 2,
        line=line,
    )


def workers(tools: Tools, deliveries: DeliveryActivities) -> list[Worker]:
    """One worker per queue, on one client: that is what lets the relay's starts be eager."""
    settings: dict[str, Any] = {
        "interceptors": [Discretion()],
        "workflow_runner": sandbox_runner(),
        "graceful_shutdown_timeout": timedelta(seconds=20),
        "max_cached_workflows": 500,
    }
    control = Worker(
        tools.client,
        task_queue=CONTROL,
        workflows=CONTROL_WORKFLOWS,
        activities=control_activities(tools),
        **settings,
    )
    express = Worker(
        tools.client,
        task_queue=EXPRESS,
        workflows=EXPRESS_WORKFLOWS,
        activities=[deliveries.deliver_page],
        max_concurrent_activities=sum(PAGES_AT_ONCE.values()),
        **settings,
    )
    bulk = bulk_worker(tools, deliveries, {name: settings[name] for name in settings if name != "max_cached_workflows"})
    imports = Worker(
        tools.client,
        task_queue=IMPORTS,
        activities=import_activities(tools),
        max_concurrent_activities=IMPORTS_AT_ONCE,
        **settings,
    )
    hooks = hook_workers(tools, settings)
    # A worker without a workflow cannot be made.
    return [control, express, bulk, imports, *hooks] if CONTROL_WORKFLOWS else [express, bulk, imports, *hooks]


def hook_workers(tools: Tools, settings: dict[str, Any]) -> list[Worker]:
    """Webhook endpoints that answer, and those that do not."""
    activities = webhook_activities(tools)
    limits = {HOOKS: DRAINS_AT_ONCE, PROBES: PROBES_AT_ONCE}
    return [
        Worker(tools.client, task_queue=queue, activities=activities, max_concurrent_activities=limit, **settings)
        for queue, limit in limits.items()
    ]


def bulk_worker(tools: Tools, deliveries: DeliveryActivities, settings: dict[str, Any]) -> Worker:
    """The worker of campaigns' pages: it takes on runners as its lanes allow, one by one."""
    pages = CampaignPages(tools.db, deliveries)
    none = FixedSizeSlotSupplier(1)
    tuner = WorkerTuner.create_composite(
        workflow_supplier=none,
        activity_supplier=RunnerSlots(RUNNERS_BUSY, RUNNERS_AT_ONCE, pages.waiting),
        local_activity_supplier=none,
        nexus_supplier=none,
    )
    return Worker(
        tools.client,
        task_queue=BULK,
        activities=[pages.send],
        tuner=tuner,
        max_concurrent_activity_task_polls=1,
        **settings,
    )


def main() -> None:
    uvloop.run(run(Settings()))


if __name__ == "__main__":
    main()
