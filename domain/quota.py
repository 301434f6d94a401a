"""The free daily quota (seed 2.3): it grows with what a customer has completed, up to a ceiling of the platform."""

from domain.onboarding import Fact, Facts

SHARES: dict[Fact, float] = {
    Fact.EMAIL_CONFIRMED: 0.25,
    Fact.DOMAIN_USABLE: 0.25,
    Fact.API_USER_READY: 0.25,
    Fact.TEMPLATE_APPROVED: 0.25,
}
"""What each completed item adds; together they give the whole of it."""


def free_quota(facts: Facts, ceiling: int) -> int:
    """Messages a day for a free account with these facts; `ceiling` is `Policy.free_daily_quota`."""
    return int(ceiling * sum(share for fact, share in SHARES.items() if fact in facts))
