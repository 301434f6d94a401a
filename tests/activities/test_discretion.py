"""Failures of activities on their way into a history."""

from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.discretion import Discretion
from domain.errors import LeaseLost, StaleEpoch
from domain.ids import Kind, workflow_id


class Failing(ActivityInboundInterceptor):
    def __init__(self, error: BaseException) -> None:
        self._error = error

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 - Temporal's name
        raise self._error


async def passed_on(error: BaseException) -> ApplicationError:
    translation = Discretion().intercept_activity(Failing(error))
    with pytest.raises(ApplicationError) as failure:
        await translation.execute_activity(ExecuteActivityInput(lambda: None, [], None, {}))
    assert failure.value.__cause__ is None, "the history would hold the cause, too"
    return failure.value


async def test_an_error_that_is_not_ours_keeps_its_type_and_place_only() -> None:
    failure = await passed_on(ValueError("no such recipient: alice@customer.example"))
    assert failure.type == "ValueError"
    assert failure.message.startswith("ValueError at ") and "alice" not in failure.message


@pytest.mark.parametrize("error", [StaleEpoch(workflow_id(Kind.DOMAIN, "1")), LeaseLost("1")])
async def test_what_we_raise_on_purpose_keeps_its_words(error: Exception) -> None:
    """Retry policies know it by its type."""
    failure = await passed_on(error)
    assert (failure.type, failure.message) == (type(error).__name__, str(error))


async def test_what_was_made_for_temporal_passes() -> None:
    made = ApplicationError("closed", type="closed", non_retryable=True)
    assert await passed_on(made) is made
