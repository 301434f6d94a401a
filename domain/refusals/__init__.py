"""Every refusal Songda gives, by feature: stable code, HTTP status, and texts in both languages with the next step."""

from domain.refusals import accounts, domains, general, recipients, sending, templates, webhooks
from domain.refusals.wording import REFUSALS, Wording, explain, register

__all__ = [
    "REFUSALS", "Wording", "accounts", "domains", "explain", "general", "recipients", "register", "sending",
    "templates", "webhooks",
]  # fmt: skip
