"""All services of one process, built once by its composition root."""

from dataclasses import dataclass

from domain.audience import ListKind
from services.acceptance import Acceptance
from services.account_desk import AccountDesk
from services.accounts import Accounts
from services.audience import Audience
from services.audience_import import ListImports
from services.billing import Billing
from services.calendar import WorkCalendar
from services.call_rate import CallRate
from services.campaigns import Campaigns
from services.certifications import Certifications
from services.console_home import ConsoleHome
from services.contact import Contact
from services.contacts import Contacts
from services.dashboard import Dashboard
from services.dead_addresses import DeadAddressDesk
from services.destinations import DestinationDesk
from services.domains import Domains
from services.egress import EgressDesk
from services.foundation import Foundation
from services.hashing import Hashing
from services.lanes import LaneDesk, Queues
from services.ledger import Ledger
from services.limits import Limits
from services.members import Members
from services.onboarding import OnboardingGuide
from services.operators import Operators
from services.own_access import OwnAccess
from services.passwords import Passwords
from services.payment_desk import PaymentDesk
from services.phone_codes import PhoneCodes
from services.prices import Prices
from services.proof_of_work import ProofOfWork
from services.registration_desk import RegistrationDesk
from services.registrations import Registrations
from services.reply_desk import ReplyDesk
from services.report_desk import ReportDesk
from services.retry_curves import CurveDesk
from services.review_desk import ReviewDesk
from services.review_report import ReviewReport
from services.scheduled_tasks import ScheduledTasks
from services.senders import Senders
from services.sending import Sending
from services.sessions import Sessions
from services.signals import SignalDesk, Signals
from services.sms_gateways import SmsGatewayDesk
from services.sms_interception_desk import SmsInterceptionDesk
from services.sms_interceptions import SmsInterceptions
from services.sms_keys import SmsKeys
from services.sms_labels import SmsLabels
from services.sms_opt_outs import SmsOptOuts
from services.sms_reads import SmsReads
from services.sms_replies import SmsReplies
from services.sms_review_desk import SmsReviewDesk
from services.sms_sending import SmsSending
from services.sms_signatures import SmsSignatures
from services.sms_templates import SmsTemplates
from services.sms_users import SmsUsers
from services.staff import Staff
from services.suppressions import Suppressions
from services.templates import Templates
from services.tracking import Tracking
from services.unsubscribes import Unsubscribes
from services.webhooks import Webhooks


@dataclass(frozen=True)
class Services:
    foundation: Foundation
    account_desk: AccountDesk
    accounts: Accounts
    audience: Audience
    billing: Billing
    calendar: WorkCalendar
    call_rate: CallRate
    campaigns: Campaigns
    certifications: Certifications
    console_home: ConsoleHome
    contact: Contact
    contact_imports: ListImports
    contacts: Contacts
    dashboard: Dashboard
    dead_address_desk: DeadAddressDesk
    destination_desk: DestinationDesk
    domains: Domains
    egress_desk: EgressDesk
    sms_gateway_desk: SmsGatewayDesk
    lane_desk: LaneDesk
    ledger: Ledger
    list_imports: ListImports
    members: Members
    onboarding: OnboardingGuide
    operators: Operators
    own_access: OwnAccess
    passwords: Passwords
    payment_desk: PaymentDesk
    phone_codes: PhoneCodes
    prices: Prices
    queues: Queues
    registration_desk: RegistrationDesk
    registrations: Registrations
    reply_desk: ReplyDesk
    report_desk: ReportDesk
    review_desk: ReviewDesk
    review_report: ReviewReport
    curve_desk: CurveDesk
    scheduled_tasks: ScheduledTasks
    senders: Senders
    sending: Sending
    sessions: Sessions
    signal_desk: SignalDesk
    signals: Signals
    sms_reads: SmsReads
    sms_interception_desk: SmsInterceptionDesk
    sms_interceptions: SmsInterceptions
    sms_opt_outs: SmsOptOuts
    sms_replies: SmsReplies
    sms: SmsSending
    sms_review_desk: SmsReviewDesk
    sms_signatures: SmsSignatures
    sms_templates: SmsTemplates
    sms_users: SmsUsers
    sms_labels: SmsLabels
    staff: Staff
    suppressions: Suppressions
    templates: Templates
    tracking: Tracking
    unsubscribes: Unsubscribes
    webhooks: Webhooks


def build_services(foundation: Foundation) -> Services:
    """Wire every feature's service to the same foundation."""
    hashing, limits, sms_keys = Hashing(), Limits(foundation), SmsKeys(foundation)
    acceptance = Acceptance(foundation)
    registrations = Registrations(foundation, hashing, limits)
    certifications, sms_signatures = Certifications(foundation, limits), SmsSignatures(foundation, limits)
    sessions = Sessions(foundation, hashing, limits, registrations)
    return Services(
        foundation=foundation,
        account_desk=AccountDesk(foundation),
        accounts=Accounts(foundation, acceptance, sms_keys),
        audience=Audience(foundation),
        billing=Billing(foundation),
        calendar=WorkCalendar(foundation),
        call_rate=CallRate(limits, foundation.policy),
        campaigns=Campaigns(foundation),
        certifications=certifications,
        console_home=ConsoleHome(foundation),
        contact=Contact(foundation, limits),
        contact_imports=ListImports(foundation, ListKind.CONTACTS),
        contacts=Contacts(foundation),
        dashboard=Dashboard(foundation),
        dead_address_desk=DeadAddressDesk(foundation),
        destination_desk=DestinationDesk(foundation),
        domains=Domains(foundation),
        egress_desk=EgressDesk(foundation),
        sms_gateway_desk=SmsGatewayDesk(foundation),
        lane_desk=LaneDesk(foundation),
        ledger=Ledger(foundation),
        list_imports=ListImports(foundation),
        members=Members(foundation, hashing, limits, sessions),
        onboarding=OnboardingGuide(foundation),
        operators=Operators(foundation, hashing, limits),
        own_access=OwnAccess(foundation, hashing, limits),
        passwords=Passwords(foundation, hashing, limits),
        payment_desk=PaymentDesk(foundation),
        phone_codes=PhoneCodes(foundation, limits, ProofOfWork(foundation)),
        prices=Prices(foundation),
        queues=Queues(foundation),
        registration_desk=RegistrationDesk(foundation),
        registrations=registrations,
        reply_desk=ReplyDesk(foundation),
        report_desk=ReportDesk(foundation),
        review_desk=ReviewDesk(foundation, certifications),
        review_report=ReviewReport(foundation),
        curve_desk=CurveDesk(foundation),
        scheduled_tasks=ScheduledTasks(foundation),
        senders=Senders(foundation),
        sending=Sending(foundation, acceptance),
        sessions=sessions,
        signal_desk=SignalDesk(foundation),
        signals=Signals(foundation),
        sms_reads=SmsReads(foundation),
        sms_interception_desk=SmsInterceptionDesk(foundation),
        sms_interceptions=SmsInterceptions(foundation),
        sms_opt_outs=SmsOptOuts(foundation),
        sms_replies=SmsReplies(foundation),
        sms=SmsSending(foundation),
        sms_review_desk=SmsReviewDesk(foundation, sms_signatures),
        sms_signatures=sms_signatures,
        sms_templates=SmsTemplates(foundation),
        sms_users=SmsUsers(foundation, sms_keys),
        sms_labels=SmsLabels(foundation),
        staff=Staff(foundation, hashing),
        suppressions=Suppressions(foundation),
        templates=Templates(foundation),
        tracking=Tracking(foundation),
        unsubscribes=Unsubscribes(foundation),
        webhooks=Webhooks(foundation, limits),
    )
