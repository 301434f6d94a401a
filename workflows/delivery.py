"""One pass over one batch of small requests; then it closes (design §4.2)."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

from activities.delivery import DeliveryActivities, PageResult
from domain.ids import Process


@workflow.defn(name="Delivery")
class DeliveryWorkflow:
    """`delivery/{page}`: what is deferred goes back to `due` and is batched anew, so nothing stays open for days."""

    @workflow.run
    async def run(self, process: Process) -> PageResult:
        return await workflow.execute_activity_method(
            DeliveryActivities.deliver_page,
            process,
            start_to_close_timeout=timedelta(seconds=60),
            heartbeat_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=20)),
            summary="speak to the recipients' mail servers",
        )
