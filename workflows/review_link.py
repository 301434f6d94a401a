"""The reviewer's link to the content. Its token opens the content to whoever holds it, so it enters no history.

A workflow cannot know the secret, and what an activity returns is recorded for good. So the worker lends workflows a
function: what it answers is shown in the current details, which are a query's answer, and is written nowhere.
"""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from temporalio import workflow
from temporalio.worker import Interceptor, WorkflowInboundInterceptor, WorkflowInterceptorClassInput

from domain.ids import Process
from domain.reviews import preview_token
from domain.secrets import Vault

NAME = "songda_review_link"


class ReviewLinks(Interceptor):
    """Give it to the worker that runs reviews."""

    def __init__(self, vault: Vault, public_url: str) -> None:
        self._vault = vault
        self._public_url = public_url

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002 - Temporal's name
    ) -> type[WorkflowInboundInterceptor] | None:
        """No interceptor, only the function."""
        input.unsafe_extern_functions[NAME] = self._link
        return None

    def _link(self, process: Process, until: datetime) -> str:
        token = preview_token(self._vault, process.kind, UUID(process.subject), until)
        return f"{self._public_url}/review-preview/{token}"


def review_link(process: Process, until: datetime) -> str:
    """Called by workflows. Empty where no worker lends the function: in a replay of a recorded history."""
    make: Callable[[Process, datetime], str] | None = workflow.extern_functions().get(NAME)
    return make(process, until) if make else ""
