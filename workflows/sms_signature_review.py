"""Review of one submission of a signature."""

from temporalio import workflow

from domain.ids import Kind, Process
from domain.reviews import ReviewState
from workflows.review_process import ReviewProcess


@workflow.defn(name="SmsSignatureReview")
class SmsSignatureReview(ReviewProcess):
    """`sms-signature-review/{review_id}`: a signature that is submitted again has another one."""

    kind = Kind.SMS_SIGNATURE_REVIEW
    channel = "sms"

    @workflow.run
    async def run(self, process: Process) -> ReviewState:
        return await self.review(process)
