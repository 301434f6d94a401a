"""The daily quota (seed 2.3): a free account's grows with its profile, up to a ceiling; a paying one's is larger."""

from dataclasses import dataclass

from domain.onboarding import Fact, Facts
from domain.policy import Policy

SHARES: dict[Fact, float] = {
    Fact.EMAIL_CONFIRMED: 0.25,
    Fact.DOMAIN_USABLE: 0.25,
    Fact.API_USER_READY: 0.25,
    Fact.TEMPLATE_APPROVED: 0.25,
}
"""What each completed item adds; together they give the whole of it."""


@dataclass(frozen=True)
class Quota:
    """Messages a day. The first `free` of `daily` cost nothing; for a free account both are the same."""

    daily: int
    free: int


def free_quota(facts: Facts, ceiling: int) -> int:
    """Messages a day for a free account with these facts; `ceiling` is `Policy.free_daily_quota`."""
    return int(ceiling * sum(share for fact, share in SHARES.items() if fact in facts))


def quota(facts: Facts, earned: int, granted: int | None, policy: Policy) -> Quota:
    """What an account may send a day.

    `earned` is its free quota so far, which does not shrink again: else a broken DNS record would make mails cost
    money. `granted` is what an operator gave; it counts while the account is a paying one.
    """
    free = min(policy.free_daily_quota, max(earned, free_quota(facts, policy.free_daily_quota)))
    if Fact.PAID not in facts:
        return Quota(free, free)
    return Quota(max(free, policy.paid_daily_quota if granted is None else granted), free)
