"""Late runs, overlaps and decisions of scheduled tasks."""

import datetime as dt

import pytest

from domain.cadences import Cadence, Repeat
from domain.errors import Refusal
from domain.scheduled_tasks import (
    Busy,
    Decision,
    NewTask,
    Overlap,
    Reckoned,
    Rules,
    RunState,
    SmsContent,
    TaskCommand,
    TaskState,
    Why,
    check_new,
    decided,
    is_late,
    reckon,
    require_allowed,
)

NOW = dt.datetime(2026, 12, 1, 4, 0, tzinfo=dt.UTC)
SKIP, BUFFER = Rules(Overlap.SKIP), Rules(Overlap.BUFFER_ONE)


def ago(minutes: int) -> dt.datetime:
    return NOW - dt.timedelta(minutes=minutes)


def test_only_the_newest_is_made_up_for() -> None:
    found = reckon([ago(150), ago(90), ago(30)], [], BUFFER, NOW)
    assert found == Reckoned(((ago(150), Why.MISSED), (ago(90), Why.MISSED)), ago(30))


def test_nothing_older_than_the_window() -> None:
    assert reckon([ago(61)], [], BUFFER, NOW) == Reckoned(((ago(61), Why.MISSED),))
    assert reckon([ago(60)], [], BUFFER, NOW).run == ago(60)
    assert reckon([], [], BUFFER, NOW) == Reckoned()


def test_overlaps_go_by_the_rule() -> None:
    busy = [Busy(ago(200), ago(20))]
    assert reckon([ago(120), ago(60)], busy, SKIP, NOW) == Reckoned(((ago(120), Why.OVERLAP), (ago(60), Why.OVERLAP)))
    assert reckon([ago(180), ago(120)], busy, BUFFER, NOW) == Reckoned(((ago(180), Why.OVERLAP),), ago(120))
    assert reckon([ago(10)], [Busy(ago(200), None)], SKIP, NOW).run is None


def test_late() -> None:
    assert not is_late(ago(15), NOW, 15) and is_late(ago(15) - dt.timedelta(seconds=1), NOW, 15)


@pytest.mark.parametrize(
    ("decision", "state", "listed", "to"),
    [
        (Decision.SEND, RunState.ASKED, 0, RunState.SENDING),
        (Decision.SEND, RunState.BLOCKED, 7, RunState.SENDING),
        (Decision.SKIP, RunState.ASKED, 0, RunState.SKIPPED),
        (Decision.SKIP, RunState.BLOCKED, 0, RunState.SKIPPED),
        (Decision.SKIP, RunState.BLOCKED, 7, RunState.CANCELLED),
        (Decision.SKIP, RunState.SENDING, 0, RunState.CANCELLED),
    ],
)
def test_decisions(decision: Decision, state: RunState, listed: int, to: RunState) -> None:
    assert decided(decision, state, listed) is to


@pytest.mark.parametrize("state", [RunState.DONE, RunState.SKIPPED, RunState.CANCELLED])
@pytest.mark.parametrize("decision", list(Decision))
def test_what_is_over_is_not_decided(decision: Decision, state: RunState) -> None:
    with pytest.raises(Refusal, match="run_state"):
        decided(decision, state, 0)


def test_what_is_over_is_not_commanded() -> None:
    for command in TaskCommand:
        for state in (TaskState.ENDED, TaskState.CANCELLED):
            with pytest.raises(Refusal, match="task_state"):
                require_allowed(command, state)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": " "}, ("task_name", "name")),
        ({"name": "a\nb"}, ("task_name", "name")),
        ({"rules": Rules(catch_up=5)}, ("task_catch_up", "catch_up_minutes")),
        ({"rules": Rules(late=61)}, ("task_late", "late_minutes")),
        ({"content": SmsContent("u", "t", " ")}, ("required", "contact_list")),
    ],
)
def test_refused(changes: dict[str, object], expected: tuple[str, str]) -> None:
    values: dict[str, object] = {
        "name": "Task",
        "content": SmsContent("u", "t", "l"),
        "cadence": Cadence(Repeat.DAILY, time=dt.time(9)),
    }
    with pytest.raises(Refusal) as error:
        check_new(NewTask(**values | changes), NOW)  # type: ignore[arg-type]
    assert (error.value.code, error.value.field) == expected
