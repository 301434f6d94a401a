"""Every refusal Songda gives, by feature: stable code, HTTP status, and texts in both languages with the next step."""

from domain.refusals import (
    accounts,
    audience,
    billing,
    calendar,
    campaigns,
    certification,
    contacts,
    domains,
    egress,
    general,
    lanes,
    members,
    operators,
    phone_codes,
    recipients,
    records,
    reply_rules,
    scheduled_tasks,
    sending,
    sms_gateways,
    sms_hooks,
    sms_reading,
    sms_sending,
    sms_templates,
    templates,
    tracking,
    webhooks,
)
from domain.refusals.wording import REFUSALS, Wording, explain, register

__all__ = [
    "REFUSALS", "Wording", "accounts", "audience", "billing", "calendar", "campaigns", "certification", "contacts",
    "domains", "egress", "explain", "general", "lanes", "members", "operators", "phone_codes", "recipients", "records",
    "register", "reply_rules", "scheduled_tasks", "sending", "sms_gateways", "sms_hooks", "sms_reading", "sms_sending",
    "sms_templates", "templates", "tracking", "webhooks",
]  # fmt: skip
