"""Review of one submitted certification."""

from temporalio import workflow

from domain.ids import Kind, Process
from domain.reviews import ReviewState
from workflows.review_process import ReviewProcess


@workflow.defn(name="CertificationReview")
class CertificationReview(ReviewProcess):
    """`certification-review/{certification_id}`."""

    kind = Kind.CERTIFICATION_REVIEW

    @workflow.run
    async def run(self, process: Process) -> ReviewState:
        return await self.review(process)
