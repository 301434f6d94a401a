"""What a bench shows while it runs: a bar, always on the error stream; standard output is for the result."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class Screen:
    """`with Screen(console).bars() as screen:` then `screen.step(…)` for each phase."""

    def __init__(self, console: Console) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                   TextColumn("{task.fields[note]}"), TimeElapsedColumn())  # fmt: skip
        self._progress = Progress(*columns, console=console, transient=not console.is_terminal)
        self._bar: TaskID | None = None

    @contextmanager
    def bars(self) -> Iterator["Screen"]:
        """Drawn until the block ends."""
        with self._progress:
            yield self

    def step(self, name: str, total: float | None = None) -> None:
        """The next phase; what was before is done."""
        self.done()
        self._bar = self._progress.add_task(name, total=total, note="")

    def step_total(self, total: float | None) -> None:
        """What the phase amounts to, once that is known."""
        if self._bar is not None:
            self._progress.update(self._bar, total=total)

    def at(self, completed: float, note: str = "") -> None:
        """How far the phase is."""
        if self._bar is not None:
            self._progress.update(self._bar, completed=completed, note=note)

    def done(self) -> None:
        """The phase ended."""
        if self._bar is not None:
            task = self._progress.tasks[self._bar]
            end = task.total if task.total is not None else max(task.completed, 1)
            self._progress.update(self._bar, completed=end, total=end, note="")
            self._bar = None

    def say(self, line: str) -> None:
        """News between the bars."""
        self._progress.console.print(f"[dim]{line}[/]")
