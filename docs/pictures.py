"""What the pictures of `pages.md` show: `screenshots.py` makes them, and this list."""

from collections.abc import Sequence
from typing import NamedTuple


class Picture(NamedTuple):
    """`path` is the page's, with `{names}` of the demo's objects; of a process it is the workflow's type."""

    name: str
    path: str
    line: str


PATH = (
    Picture("onboarding", "/portal/onboarding?lang=en", "The path of a new customer: both tracks, live."),
    Picture("onboarding-zh", "/portal/onboarding?lang=zh", "The same in Chinese."),
)
UNDER_WAY = (
    Picture("campaign", "/portal/campaigns/{campaign}?lang=en", "A campaign, live: progress, providers, reactions."),
    Picture("queue-status", "/portal/queue-status", "Where mails wait, by API user and provider; none, green, red."),
    Picture("campaigns", "/portal/campaigns", "Campaigns so far."),
    Picture("campaign-contents", "/portal/campaigns/{campaign}/contents", "Who got which content; another one."),
    Picture("campaign-new", "/portal/campaigns/new", "A new campaign, the first of five steps."),
    Picture("address-lists", "/portal/address-lists", "Address lists, and the form that makes one."),
    Picture("address-list", "/portal/address-lists/{list}", "A list: members, search, export, imports."),
    Picture("import", "/portal/address-lists/{list}/imports/{import}", "An import, and the lines that were refused."),
    Picture("suppressions", "/portal/suppressions", "Whom the account does not write to, why, and until when."),
)
PUBLIC = (
    Picture("home", "/?lang=en", "The front door."),
    Picture("register", "/register", "Registration."),
    Picture("login", "/login", "Sign-in."),
    Picture("contact", "/contact", "A letter to support, open to everybody."),
    Picture(
        "unsubscribe", "{unsubscribe}?lang=en", "The page behind a mail's link to unsubscribe; no script, no cookie."
    ),
    Picture("console-login", "/console/login", "The console's own door: password, then an authenticator's code."),
)
PORTAL = (
    Picture("dashboard", "/portal/?lang=en", "What needs attention, today's sends, quota, balance."),
    Picture("domains", "/portal/domains", "Sender domains."),
    Picture("domain", "/portal/domains/{domain}", "The records to publish, and what was found of each."),
    Picture("api-users", "/portal/api-users", "API users, and the form that makes one."),
    Picture("api-user", "/portal/api-users/{api_user}", "An API user, its domains and its key."),
    Picture("templates", "/portal/templates", "Templates and their reviews."),
    Picture("template", "/portal/templates/demo-letter", "A template under review, rendered."),
    Picture("template-new", "/portal/templates/new", "A new template."),
    Picture("test-send", "/portal/test-send", "A test send to oneself."),
    Picture("sends", "/portal/sends", "Sends so far."),
    Picture("send-new", "/portal/sends/new", "A new send: paste or upload, check, send."),
    Picture("send", "/portal/sends/{send}", "A send with its recipients, live."),
    Picture("records", "/portal/records/messages/list", "Messages and outcomes: search, filter, export."),
    Picture("webhooks", "/portal/webhooks", "Webhook endpoints."),
    Picture("webhook", "/portal/webhooks/{webhook}", "A webhook and its delivery log."),
    Picture("webhook-new", "/portal/webhooks/new", "A new webhook, in one of two formats."),
    Picture("sending-quality", "/portal/sending-quality?lang=en", "What receivers say of one's mail, judged."),
    Picture("certification", "/portal/certification", "Certification, and the applications so far."),
    Picture("application", "/portal/certification/{certification}", "An application, part by part."),
    Picture("recharges", "/portal/recharges", "Recharge online, and the orders so far."),
    Picture("recharge", "/portal/recharges/{recharge}", "A recharge: the provider's signed word is what credits it."),
    Picture("statement", "/portal/statement", "The statement, to the fen."),
    Picture("members", "/portal/members", "Members of the account and their roles."),
    Picture("account", "/portal/account", "Password and sessions."),
    Picture("activity", "/portal/records/audit/list", "Who did what in the account."),
)
SMS = (
    Picture("sms-users", "/portal/sms-users?lang=en", "SMS users, and the form that makes one."),
    Picture("sms-signatures", "/portal/sms-signatures", "Signatures 【】 and their reviews."),
    Picture("sms-templates", "/portal/sms-templates", "Templates of SMS: codes, notices, marketing."),
    Picture("sms-template-new", "/portal/sms-templates/new", "A new template, with preview and segments."),
    Picture("sms-test", "/portal/sms-test", "A test send, quick or with a template; how many are free."),
    Picture("sms-sends", "/portal/sms-sends", "Sends so far."),
    Picture("sms-send", "/portal/sms-sends/{sms}", "A send, number by number, with the carriers' words."),
    Picture("sms-statistics", "/portal/sms-statistics", "Statistics by day and template; how they ended."),
    Picture("contact-lists", "/portal/contact-lists", "Contact lists."),
    Picture("contact-list", "/portal/contact-lists/{contacts}", "Contacts: search, import, export."),
    Picture("scheduled-tasks", "/portal/scheduled-tasks", "Scheduled tasks, and the form that makes one."),
    Picture("scheduled-task", "/portal/scheduled-tasks/{task}", "A task: its next times, its runs."),
    Picture("sms-interceptions", "/portal/sms-interceptions", "The interception list: whom texts do not reach."),
    Picture("sms-replies", "/portal/sms-replies", "What people answered."),
    Picture("sms-opt-outs", "/portal/sms-opt-outs", "Who wants no more marketing."),
)
NARROW_ONES = (
    Picture("onboarding-narrow", "/portal/onboarding?lang=zh", "The path on a phone."),
    Picture("campaign-narrow", "/portal/campaigns/{campaign}?lang=zh", "A campaign on a phone."),
    Picture("sms-send-narrow", "/portal/sms-sends/{sms}?lang=zh", "A send of SMS on a phone."),
    Picture("dashboard-narrow", "/portal/?lang=en", "The dashboard on a phone."),
)
CONSOLE = (
    Picture("console", "/console/?lang=en", "Queues, due times, what is late."),
    Picture("console-certifications", "/console/certification-queue/list", "Applications that wait for a reviewer."),
    Picture("console-templates", "/console/template-queue/list", "Templates that wait for a reviewer."),
    Picture("console-template", "/console/cases/template-review/{version}", "Everything needed to decide on one."),
    Picture("console-certification", "/console/cases/certification-review/{certification}", "A certification."),
    Picture("console-customer", "/console/customers/{account}", "One customer."),
    Picture("console-customers", "/console/accounts/list", "Customers."),
    Picture("console-campaigns", "/console/campaigns/list", "Every customer's campaigns, each with its process."),
    Picture("console-lanes", "/console/lanes", "Lanes: state, limits, what waits; pause, resume, change."),
    Picture("console-sms-gateways", "/console/sms-gateways", "Carriers over SMPP: binds, limits, problems."),
    Picture("console-sms-routes", "/console/sms-routes", "Which carrier takes which number, at which price."),
    Picture(
        "console-sms-interceptions", "/console/sms-interceptions", "Global interceptions, and who asks to lift one."
    ),
    Picture("console-egress", "/console/egress", "The addresses that mails are sent from."),
    Picture("console-destinations", "/console/destinations", "How destinations are reached: encryption, smart hosts."),
    Picture("console-reply-rules", "/console/reply-rules", "What servers' replies mean, with a box to try one."),
    Picture("console-retry-curves", "/console/retry-curves", "When a deferred message is tried again."),
    Picture("console-reports", "/console/reports", "Bounces, complaints and letters that came in."),
    Picture("console-dead-addresses", "/console/dead-addresses", "Addresses that do not exist."),
    Picture("console-quality", "/console/sending-quality", "What receivers say, by customer, address and provider."),
    Picture("console-stuck", "/console/processes/list", "Processes that need somebody."),
    Picture("console-orders", "/console/recharges/list", "Recharge orders."),
    Picture("console-payments", "/console/payments/list", "What arrived, and what goes back."),
    Picture("console-prices", "/console/prices/list", "Prices, with the day they begin."),
    Picture("console-calendar", "/console/calendar", "Working days: the published calendar and exceptions."),
    Picture("console-staff", "/console/staff", "Operators and their roles."),
    Picture("console-me", "/console/me", "An operator's own password, authenticator and recovery codes."),
    Picture("console-audit", "/console/audit/list", "The audit log."),
)
SANDBOX = (
    Picture("mailbox", "/", "The sandbox's mailboxes."),
    Picture("sandbox-handsets", "/ui/handsets", "The sandbox's handsets: what carriers brought them."),
    Picture("sandbox-pay", "/ui/pay", "The sandbox's pay desk, in Alipay's formats."),
)
PROCESSES = (
    Picture("temporal-registration", "Registration", "Registration."),
    Picture("temporal-onboarding", "Onboarding", "Onboarding."),
    Picture("temporal-domain", "DomainVerification", "A sender domain, watched."),
    Picture("temporal-review", "TemplateReview", "The review of a template."),
    Picture("temporal-certification", "CertificationReview", "The review of a certification."),
    Picture("temporal-recharge", "Recharge", "A recharge."),
    Picture("temporal-webhook", "WebhookDelivery", "A webhook endpoint, drained."),
    Picture("temporal-campaign", "Campaign", "A campaign."),
    Picture("temporal-import", "ListImport", "A file that is read into an address list."),
    Picture("temporal-sms-review", "SmsTemplateReview", "The review of an SMS template."),
    Picture("temporal-task", "ScheduledTask", "A run of a scheduled task."),
    Picture("temporal-delivery", "Delivery", "One batch of mails or texts."),
)
SECTIONS: tuple[tuple[str, Sequence[Picture]], ...] = (
    ("On the way", PATH),
    ("For everybody", PUBLIC),
    ("The portal", PORTAL),
    ("Campaigns", UNDER_WAY),
    ("SMS", SMS),
    ("At 390 pixels", NARROW_ONES),
    ("The console", CONSOLE),
    ("The sandbox", SANDBOX),
    ("Processes in the Temporal UI", PROCESSES),
)


def written() -> str:
    """The text of `pages.md`."""
    parts = ["# Pages", "", "Made by `docs/screenshots.py` from a running stack, after the demo.", ""]
    for title, shown in SECTIONS:
        parts += [f"## {title}", ""]
        for each in shown:
            width = ' width="260"' if each in NARROW_ONES else ""
            picture = f'<img src="images/{each.name}.png"{width} alt="{each.line}">' if width else ""
            parts += [each.line, "", picture or f"![{each.line}](images/{each.name}.png)", ""]
    return "\n".join(parts)
