"""What an account may send a day (seed 2.3)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.onboarding import Fact
from domain.quota import SHARES, Quota, free_quota, quota
from tests.dns_world import POLICY

PROFILE = frozenset(SHARES)
PAYING = PROFILE | {Fact.CERTIFIED, Fact.PAID}


@pytest.mark.parametrize(("items", "expected"), [(0, 0), (1, 50), (2, 100), (3, 150), (4, 200)])
def test_a_free_account_gains_with_its_profile(items: int, expected: int) -> None:
    held = frozenset(list(SHARES)[:items])
    assert free_quota(held, 200) == expected
    assert quota(held, 0, None, POLICY) == Quota(expected, expected)


@pytest.mark.parametrize(
    ("facts", "earned", "granted", "expected"),
    [
        (PAYING, 0, None, Quota(10_000, 200)),
        (PAYING, 0, 50_000, Quota(50_000, 200)),
        (PAYING, 0, 100, Quota(200, 200)),  # never below what is free
        (PROFILE | {Fact.CERTIFIED}, 0, 50_000, Quota(200, 200)),  # a grant counts for paying accounts only
        (PROFILE - {Fact.DOMAIN_USABLE}, 200, None, Quota(200, 200)),  # earned once
        (PAYING - {Fact.DOMAIN_USABLE}, 200, None, Quota(10_000, 200)),
        (PROFILE, 20_000, None, Quota(200, 200)),  # the platform's ceiling came down
    ],
)
def test_free_and_paying_accounts(facts: frozenset[Fact], earned: int, granted: int | None, expected: Quota) -> None:
    assert quota(facts, earned, granted, POLICY) == expected


@given(st.frozensets(st.sampled_from(Fact)), st.integers(0, 500), st.none() | st.integers(0, 10**6))
def test_free_is_never_more_than_the_ceiling_nor_than_the_whole(
    facts: frozenset[Fact], earned: int, granted: int | None
) -> None:
    found = quota(facts, earned, granted, replace(POLICY, free_daily_quota=200))
    assert 0 <= found.free <= min(200, found.daily)
    assert (found.daily == found.free) or Fact.PAID in facts
