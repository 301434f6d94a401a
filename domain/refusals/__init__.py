"""Every refusal Songda gives, by feature: stable code, HTTP status, and texts in both languages with the next step."""

from domain.refusals import (
    accounts,
    billing,
    calendar,
    certification,
    domains,
    general,
    members,
    operators,
    recipients,
    records,
    sending,
    templates,
    tracking,
    webhooks,
)
from domain.refusals.wording import REFUSALS, Wording, explain, register

__all__ = [
    "REFUSALS", "Wording", "accounts", "billing", "calendar", "certification", "domains", "explain", "general",
    "members", "operators", "recipients", "records", "register", "sending", "templates", "tracking",
    "webhooks",
]  # fmt: skip
