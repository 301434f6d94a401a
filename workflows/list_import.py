"""A file that is read into an address list. The row holds how far it has come; this asks for more, again and again.

Each look at the file lasts some seconds, so that the imports of many customers take turns; while a campaign copies the
list, the import waits for it.
"""

import contextlib
from datetime import timedelta

from temporalio import workflow

from activities.list_import import ListImportActivities
from domain.audience import ImportOrder, ImportProgress, ImportState
from domain.ids import Process
from domain.queues import IMPORTS
from workflows import visibility
from workflows.outages import BRIEF, OUTAGES

SLICE = 10.0
"""Seconds that one activity reads on."""
HELD_WAIT = timedelta(seconds=5)
"""Between two looks at a list that a campaign is copying, which takes seconds."""
LOOKS_PER_RUN = 300


@workflow.defn(name="ListImport")
class ListImport:
    """`list-import/{id}`. Signal `nudge` has it look at once, also when it waits for a campaign."""

    def __init__(self) -> None:
        self._nudged = False
        self._progress = ImportProgress(ImportState.WAITING)

    @workflow.signal(description="Something changed: look at the row now")
    def nudge(self) -> None:
        self._nudged = True

    @workflow.query(description="State, and how many lines were read, added, updated, repeated and refused")
    def progress(self) -> ImportProgress:
        return self._progress

    @workflow.run
    async def run(self, process: Process) -> ImportProgress:
        looks = 0
        while not self._progress.ended:
            if looks >= LOOKS_PER_RUN:
                workflow.continue_as_new(process)
            self._nudged = False
            self._show()
            await self._read(process)
            looks += 1
            if self._progress.held:
                await self._wait()
        await self._close(process)
        return self._progress

    async def _read(self, process: Process) -> None:
        self._progress = await workflow.execute_activity_method(
            ListImportActivities.read,
            ImportOrder(process, SLICE),
            task_queue=IMPORTS,
            start_to_close_timeout=timedelta(minutes=10),
            heartbeat_timeout=timedelta(seconds=20),
            retry_policy=OUTAGES,
            summary="read on from the checkpoint",
        )

    async def _wait(self) -> None:
        self._show()
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._nudged, timeout=HELD_WAIT, timeout_summary="a campaign copies the list"
            )

    async def _close(self, process: Process) -> None:
        await workflow.execute_activity_method(
            ListImportActivities.close,
            process,
            task_queue=IMPORTS,
            start_to_close_timeout=BRIEF * 6,
            retry_policy=OUTAGES,
            summary="forget the file",
        )
        self._show()

    def _show(self) -> None:
        visibility.show("held" if self._progress.held else self._progress.state.value, _details(self._progress))


def _details(progress: ImportProgress) -> str:
    """Markdown: counts only."""
    of = "" if progress.total_lines is None else f" of {progress.total_lines}"
    lines = [
        f"**{progress.state.value}**: {progress.lines}{of} lines read.",
        "",
        f"- added {progress.added}, updated {progress.updated}, repeated in the file {progress.repeated}",
        f"- refused {progress.refused}: the customer downloads them with their reasons",
    ]
    if progress.held:
        lines.append("- waits: a campaign is copying this list. The signal `nudge` looks at once.")
    if progress.ended:
        lines.append("- nothing is left to do here")
    return "\n".join(lines)
