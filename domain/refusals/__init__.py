"""Every refusal Songda gives, by feature: stable code, HTTP status, and texts in both languages with the next step."""

from domain.refusals import (
    accounts,
    audience,
    billing,
    calendar,
    campaigns,
    certification,
    domains,
    egress,
    general,
    lanes,
    members,
    operators,
    recipients,
    records,
    reply_rules,
    sending,
    sms_sending,
    templates,
    tracking,
    webhooks,
)
from domain.refusals.wording import REFUSALS, Wording, explain, register

__all__ = [
    "REFUSALS", "Wording", "accounts", "audience", "billing", "calendar", "campaigns", "certification", "domains",
    "egress", "explain", "general", "lanes", "members", "operators", "recipients", "records", "register", "reply_rules",
    "sending", "sms_sending", "templates", "tracking", "webhooks",
]  # fmt: skip
