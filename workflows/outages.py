"""How activities are tried again while a worker, the database or the outside is away: for as long as it takes."""

from datetime import timedelta

from temporalio.common import RetryPolicy

OUTAGES = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    maximum_interval=timedelta(seconds=20),
    non_retryable_error_types=["StaleEpoch"],
)
"""A process that began before the database was restored stands back instead."""
BRIEF = timedelta(seconds=10)
"""For an activity of one transaction. It takes milliseconds, so after this long its worker is gone."""
OUTWARD = timedelta(seconds=30)
"""For an activity that asks somebody else; its gateway gives up earlier."""
