"""How activities are tried again while the database or the outside is away: for as long as it takes."""

from datetime import timedelta

from temporalio.common import RetryPolicy

OUTAGES = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    maximum_interval=timedelta(minutes=1),
    non_retryable_error_types=["StaleEpoch"],
)
"""A process that began before the database was restored stands back instead."""
