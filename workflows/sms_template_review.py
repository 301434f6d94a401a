"""Review of one submitted version of an SMS template."""

from temporalio import workflow

from domain.ids import Kind, Process
from domain.reviews import ReviewState
from workflows.review_process import ReviewProcess


@workflow.defn(name="SmsTemplateReview")
class SmsTemplateReview(ReviewProcess):
    """`sms-template-review/{version_id}`."""

    kind = Kind.SMS_TEMPLATE_REVIEW
    channel = "sms"

    @workflow.run
    async def run(self, process: Process) -> ReviewState:
        return await self.review(process)
