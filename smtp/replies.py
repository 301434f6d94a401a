"""What a refusal is in SMTP: 4xx for what passes by itself, 5xx for what does not (RFC 5321 §4.2.1, RFC 3463).

SendCloud's own words where they are known (reference/sendcloud-api.md §4).
"""

from domain.errors import Refusal
from domain.refusals import explain
from domain.xsmtpapi import BadXsmtpapi

AGAIN = "451 4.3.0 trouble here, nothing was accepted or it is not certain: try again later"
"""Of the database: who repeats a mail with `SC-Request-Id` cannot send it twice."""
FREQUENCY = "536 Frequency limited"
REPLIES = {
    "unauthenticated": "535 5.7.8",
    "account_not_active": "550 5.7.1",
    "api_user_disabled": "550 5.7.1",
    "domain_unknown": "553 5.7.1",
    "domain_not_usable": "553 5.7.1",
    "domain_not_bound": "553 5.7.1",
    "content_not_approved": "553 template_validate not match,",
    "quota_exceeded": "452 4.7.1 Request quota exceeded:",
    "test_quota_exceeded": "452 4.7.1 Request quota exceeded:",
    "balance_insufficient": "550 5.7.1",
    "too_many_requests": FREQUENCY,
    "test_only_members": "550 5.7.1",
    "suppressed": "550 5.7.1",
    "recipient_complained": "550 5.7.1",
    "recipient_dead": "550 5.1.1",
    "recipients_all_suppressed": "550 5.7.1",
    "no_recipients": "550 5.1.3",
}
OTHERWISE = "554 5.6.0"
BAD_RECIPIENT = "553 5.1.3"
QUOTES = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "→": ">", "–": "-", "—": "-", "…": "..."})


def of_refusal(refusal: Refusal) -> str:
    """The reply: code, enhanced code, what is wrong and what to do."""
    if refusal.code == "too_many_requests":
        return FREQUENCY
    begin = REPLIES.get(refusal.code) or (BAD_RECIPIENT if _is_of_address(refusal) else OTHERWISE)
    return f"{begin} {words(refusal)}"


def words(refusal: Refusal) -> str:
    """What is wrong and what to do, in ASCII as far as our own words go."""
    _, detail, step = explain(refusal, "en")
    return f"{detail} {step}".translate(QUOTES)


def _is_of_address(refusal: Refusal) -> bool:
    return (refusal.field or "").endswith("].address")


def of_xsmtpapi(bad: BadXsmtpapi) -> str:
    """SendCloud says no more than the first words."""
    what = f" ({bad.value[:60]})" if bad.value and bad.value.isprintable() else ""
    return f"553 xsmtpapi error: it {bad.fault}{what} {bad.detail_en}".rstrip()
