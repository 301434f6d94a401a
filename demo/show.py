"""The demo as it is seen: steps as they happen, a bar for the deliveries, a table at the end."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import httpx2
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from demo.parties import DemoFailure, Places
from demo.scene import Customer, Material, Step
from demo.story import CHAPTERS, Chapter, Story

BeforeStep = Callable[[Step], Awaitable[None]]


@dataclass(frozen=True)
class Done:
    """One step as it went."""

    name: str
    seconds: float
    evidence: str
    passed: bool


@dataclass(frozen=True)
class DemoResult:
    steps: list[Done]
    customer: Customer

    @property
    def passed(self) -> bool:
        return all(step.passed for step in self.steps)


async def _nothing(step: Step) -> None:
    """No observer."""


async def play(
    places: Places,
    material: Material,
    console: Console,
    before_step: BeforeStep = _nothing,
    chapters: Sequence[Chapter] = CHAPTERS,
) -> DemoResult:
    """Every step in order until one fails. `before_step` is for observers that make trouble."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"),
               TimeElapsedColumn())  # fmt: skip
    done: list[Done] = []
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("", total=None, note="")
        story = Story(places, material, lambda counts, total: _advance(progress, bar, counts, total), chapters)
        try:
            for step in story.steps:
                progress.update(bar, description=step.name, total=None, completed=0, note="")
                await before_step(step)
                done.append(await _one(step))
                console.print(_line(done[-1]))
                if not done[-1].passed:
                    break
        finally:
            await story.close()
    return DemoResult(done, story.customer)


async def _one(step: Step) -> Done:
    begun = time.monotonic()
    try:
        evidence, passed = await step.play(), True
    except (TimeoutError, DemoFailure, httpx2.HTTPError) as failure:
        evidence, passed = str(failure) or type(failure).__name__, False
    return Done(step.name, time.monotonic() - begun, evidence, passed)


def _advance(progress: Progress, bar: TaskID, counts: Counter[str], total: int) -> None:
    final = total - counts["queued"] - counts["deferred"]
    note = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    progress.update(bar, total=total, completed=final, note=note)


def _line(step: Done) -> str:
    mark = "[green]✓[/]" if step.passed else "[bold red]✗[/]"
    first, _, rest = step.evidence.partition("\n")
    more = f"\n{escape(rest)}" if rest else ""
    return f"{mark} {escape(step.name)} [dim]{step.seconds:.1f} s[/]  {escape(first)}{more}"


def report(result: DemoResult, places: Places, console: Console) -> None:
    """The tables: steps with their evidence; recipients by outcome; where to look on."""
    steps = Table(title="Songda demo 演示", title_justify="left")
    for heading in ("step 步骤", "seconds 秒", "evidence 证据"):
        steps.add_column(heading, justify="right" if heading.startswith("seconds") else "left")
    for step in result.steps:
        shown = escape(step.evidence.partition("\n")[0])
        steps.add_row(escape(step.name), f"{step.seconds:.1f}", shown if step.passed else f"[bold red]{shown}[/]")
    console.print(steps)
    if result.customer.accepted:
        console.print(_outcomes(result.customer))
    _where(result, places, console)


def _outcomes(customer: Customer) -> Table:
    table = Table(title="Recipients by outcome 收件人结果", title_justify="left")
    table.add_column("outcome 结果")
    table.add_column("recipients 收件人", justify="right")
    table.add_column("for example 例如")
    for state, count in sorted(Counter(customer.accepted.values()).items()):
        examples = [address for address, found in customer.accepted.items() if found == state][:3]
        table.add_row(state, str(count), escape(", ".join(examples)))
    table.add_row("[bold]all 合计[/]", str(len(customer.accepted)), "")
    return table


def _where(result: DemoResult, places: Places, console: Console) -> None:
    table = Table(show_header=False, box=None, padding=(0, 2))
    who = result.customer
    table.add_row("Portal 门户", f"{places.api}/login")
    table.add_row("  sign in with 登录", f"{who.email}  {who.password}")
    table.add_row("Console 控制台", f"{places.api}/console  (songda operators add NAME --role admin)")
    table.add_row("Mailboxes, pay desk 邮箱、收银台", places.sandbox)
    table.add_row("Temporal UI", places.temporal_ui)
    console.print(table)
