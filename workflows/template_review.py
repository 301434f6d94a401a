"""Review of one submitted template version."""

from temporalio import workflow

from domain.ids import Kind, Process
from domain.reviews import ReviewState
from workflows.review_process import ReviewProcess


@workflow.defn(name="TemplateReview")
class TemplateReview(ReviewProcess):
    """`template-review/{version_id}`."""

    kind = Kind.TEMPLATE_REVIEW

    @workflow.run
    async def run(self, process: Process) -> ReviewState:
        return await self.review(process)
