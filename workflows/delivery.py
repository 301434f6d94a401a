"""One pass over one batch of small requests; then it closes (design §4.2)."""

from datetime import timedelta

from temporalio import workflow

from activities.delivery import DeliveryActivities
from activities.page_work import PageResult
from domain.ids import Process
from workflows.outages import OUTAGES


@workflow.defn(name="Delivery")
class DeliveryWorkflow:
    """`delivery/{page}`: what is deferred goes back to `due` and is batched anew, so nothing stays open for days."""

    @workflow.run
    async def run(self, process: Process) -> PageResult:
        workflow.set_current_details(
            "One pass over one page of messages; rows hold every fact, so it can be repeated at any moment.\n\n"
            f"- page `{process.subject}`: table `page`; who is being spoken to: table `slot`\n"
            "- the result counts this attempt only; `songda audit` compares all of them"
        )
        return await workflow.execute_activity_method(
            DeliveryActivities.deliver_page,
            process,
            start_to_close_timeout=timedelta(seconds=60),
            heartbeat_timeout=timedelta(seconds=10),
            retry_policy=OUTAGES,
            summary="speak to the recipients' mail servers",
        )
