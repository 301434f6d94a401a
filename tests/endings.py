"""How a test knows that a process rests or has ended. It ends the processes it began, never by terminating them: with a
task in flight that keeps the clock of the time-skipping server locked, and every later test waits for nothing."""

import asyncio
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse
from temporalio.client import Client, WorkflowHandle


async def _described(client: Client, handle: WorkflowHandle[Any, Any]) -> DescribeWorkflowExecutionResponse:
    """Raw: this server keeps a null for an attribute that was unset, which the client cannot decode."""
    execution = WorkflowExecution(workflow_id=handle.id)
    request = DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=execution)
    return await client.workflow_service.describe_workflow_execution(request)


async def has_ended(client: Client, handle: WorkflowHandle[Any, Any]) -> bool:
    """Whether it is closed, however."""
    return (await _described(client, handle)).workflow_execution_info.HasField("close_time")


async def at_rest(client: Client, handle: WorkflowHandle[Any, Any]) -> None:
    """Wait, in real time, until it does nothing and has nothing left to do."""
    quiet = 0
    async with asyncio.timeout(30):
        while quiet < 2:
            await handle.query("progress")  # is answered after whatever the workflow was told before
            quiet = 0 if (await _described(client, handle)).pending_activities else quiet + 1
            await asyncio.sleep(0.01)
