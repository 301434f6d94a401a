"""Review of one submitted template version."""

from temporalio import workflow

from domain.ids import Process
from domain.reviews import ReviewState
from workflows.review_process import ReviewProcess


@workflow.defn(name="TemplateReview")
class TemplateReview(ReviewProcess):
    """`template-review/{version_id}`."""

    @workflow.run
    async def run(self, process: Process) -> ReviewState:
        return await self.review(process)
