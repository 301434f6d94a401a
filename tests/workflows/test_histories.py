"""Processes that are open when a new version is installed go on with it (tests/histories/<Workflow>/<case>.json)."""

import json
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from services.clockwork import STARTS
from tests.kept_histories import HISTORIES, WORKFLOWS, faults, replay, told, without_machine
from worker import sandbox_runner

FILES = sorted(HISTORIES.rglob("*.json"))
NAMES = [workflow._Definition.must_from_class(each).name for each in WORKFLOWS]


def recorded(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(f"{path.parent.name}/{path.stem}", path.read_text())


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
async def test_a_recorded_history_replays(path: Path) -> None:
    """A change that breaks running processes fails here: use `workflow.patched`."""
    await replay(recorded(path))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_recorded_history_holds_nothing_private_and_names_no_machine(path: Path) -> None:
    document = json.loads(path.read_text())
    assert without_machine(document) == document
    assert not faults(told(recorded(path)))
    started = document["events"][0]["workflowExecutionStartedEventAttributes"]
    assert started["workflowType"]["name"] == path.parent.name


@pytest.mark.parametrize("name", NAMES)
def test_every_workflow_of_the_worker_has_a_recorded_history(name: str | None) -> None:
    assert [path for path in FILES if path.parent.name == name]


def test_every_kind_of_process_has_its_workflow() -> None:
    assert sorted(start.workflow for start in STARTS.values()) == sorted(str(name) for name in NAMES)


@workflow.defn(name="TemplateReview", sandboxed=False)
class Changed:
    """A review that begins with a timer is not the recorded one."""

    @workflow.run
    async def run(self, process: Any) -> str:
        await workflow.sleep(1)
        return "changed"


async def test_a_changed_course_is_noticed() -> None:
    """Else the replays above would say nothing."""
    with pytest.raises(NondeterminismError):
        await Replayer(workflows=[Changed], workflow_runner=sandbox_runner()).replay_workflow(
            recorded(HISTORIES / "TemplateReview" / "rejected.json")
        )


@pytest.mark.parametrize(
    "leak",
    [
        "mail to alice@customer.example bounced",
        "SMS to +8613800138000",
        "code for 13800138000 sent",
        "sk_0123456789abcdef",
        "https://hooks.example/x?token=1",
        "<p>Dear",
        "/home/someone/songda/store/db.py",
    ],
)
async def test_a_leak_in_a_payload_is_noticed(leak: str) -> None:
    """Payloads are base64 in the file: what looks there without decoding finds nothing."""
    from temporalio.converter import DataConverter

    history = recorded(HISTORIES / "TemplateReview" / "rejected.json")
    payloads = await DataConverter.default.encode([{"reason": leak}])
    history.events[0].workflow_execution_started_event_attributes.input.payloads.extend(payloads)
    assert leak not in history.to_json()
    assert faults(told(history))
