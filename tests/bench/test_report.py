"""What programs and people get of a bench, from canned figures."""

import json
import math
import random
from collections import Counter
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from bench import bare_loop, chaos
from bench.chaos import Settled
from bench.killer import ROLES, Blow, plans
from bench.latency import Waits
from bench.report import Report, machine, percentile, processor, ratio, table
from services.audit import AuditReport
from store.audit import Finding
from supervision.errors import CannotStart

REPORT = Report(
    "campaign",
    {"delivered_per_s": 2950.6, "temporal_events_per_1000": 4.2, "worker_rss_mb": 180.0},
    {"postfix": 700.0, "bare_loop": None},
    {"postfix": 4.215, "bare_loop": None},
    machine(sink="smtp-sink"),
    ("No bare loop.",),
)


def test_the_json_has_exactly_the_promised_keys_on_one_line() -> None:
    text = REPORT.to_json()
    assert "\n" not in text
    whole = json.loads(text)
    assert list(whole) == ["bench", "figures", "baselines", "ratios", "machine"]
    assert whole["figures"]["delivered_per_s"] == 2950.6
    assert whole["ratios"] == {"postfix": 4.215, "bare_loop": None}
    assert whole["machine"]["sink"] == "smtp-sink"
    assert {"cores", "cpu", "memory_mb", "python", "versions"} <= set(whole["machine"])


def test_the_table_names_every_number() -> None:
    drawn = StringIO()
    Console(file=drawn, width=120).print(table(REPORT))
    for word in ("delivered_per_s", "2,950.6", "baseline postfix, per second", "700", "ratio to postfix", "4.215"):
        assert word in drawn.getvalue()


def test_ratios_and_percentiles() -> None:
    assert ratio(2800.0, 700.0) == 4.0
    assert ratio(1.0, None) is None
    values = [float(n) for n in range(100, 0, -1)]
    assert [percentile(values, share) for share in (0.5, 0.99, 1.0)] == [50.0, 99.0, 100.0]
    assert percentile([7.0], 0.5) == 7.0
    assert math.isnan(percentile([], 0.5))


def test_the_processor_is_named_where_linux_tells_it(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Fast One\n")
    assert processor(tmp_path / "cpuinfo") == "Fast One"
    assert processor(tmp_path / "missing")


def test_latency_counts_what_never_arrived_and_writes_valid_json() -> None:
    figures = Waits([10.0, 20.0, 30.0], 1).figures("idle")
    assert figures == {
        "idle_requests": 3, "idle_missing": 1, "idle_p50_ms": 20.0, "idle_p95_ms": 30.0, "idle_p99_ms": 30.0,
        "idle_max_ms": 30.0,
    }  # fmt: skip
    assert "NaN" not in json.dumps(Waits([], 3).figures("loaded"))


def test_the_bare_loops_rate_is_that_of_all_processes_together() -> None:
    loops = [bare_loop.Loop(100, 0, 10.0, 12.0), bare_loop.Loop(100, 0, 10.5, 14.0)]
    assert bare_loop.rate(loops) == 50.0
    with pytest.raises(CannotStart, match="1 mails were not taken"):
        bare_loop.rate([bare_loop.Loop(99, 1, 10.0, 12.0)])


def books(*, findings: int = 0, queued: int = 0) -> AuditReport:
    return AuditReport({"queued": queued}, [Finding("every try is on record", findings, [])], [])


def compared(
    accepted: set[str], copies: dict[str, int], report: AuditReport | None, marked: set[str]
) -> dict[str, object]:
    return chaos.compare(Settled(accepted, Counter(copies), report, marked), [Blow(0.0, "worker", "SIGKILL", 3)], 12)


def test_chaos_with_everything_in_order() -> None:
    figures = compared({"a", "b"}, {"a": 1, "b": 1}, books(), set())
    assert (figures["lost"], figures["duplicates"], figures["books_closed"]) == (0, 0, True)
    assert (figures["max_open_connections"], figures["open_connections_at_kills"]) == (12, 3)
    assert not chaos.failed(figures)
    assert chaos.notes(figures) == ()


def test_chaos_names_what_was_lost_and_what_came_twice() -> None:
    figures = compared({"a", "b", "c"}, {"a": 3, "b": 2, "x": 1}, books(), {"b"})
    assert (figures["lost"], figures["lost_recipients"]) == (1, ["c"])
    assert (figures["duplicates"], figures["duplicate_recipients"]) == (3, {"a": 3, "b": 2})
    assert figures["unmarked_duplicates"] == 1
    assert chaos.failed(figures)
    assert len(chaos.notes(figures)) == 2


@pytest.mark.parametrize("report", [books(findings=1), books(queued=1), None])
def test_chaos_fails_when_the_books_do_not_close(report: AuditReport | None) -> None:
    figures = compared({"a"}, {"a": 1}, report, set())
    assert figures["books_closed"] is False
    assert chaos.failed(figures)


def test_a_seed_says_who_is_struck_and_every_part_has_its_turn() -> None:
    first, again, other = (plans(random.Random(seed), 30) for seed in (7, 7, 8))
    assert first == again != other
    assert len(first) == 30
    assert {plan.role for plan in first[: len(ROLES)]} == set(ROLES)
    assert {plan.stop > 0 for plan in first} == {True, False}
