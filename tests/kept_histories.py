"""Recorded histories: how suites keep one, and what every one of them must satisfy.

`SONGDA_RECORD_HISTORIES=1 make test` writes the cases that are missing. Those that are there stay: they stand for
processes that are open when a new version is installed. After an incompatible change that is guarded by
`workflow.patched`, give the new course a new case name.
"""

import base64
import json
import os
import re
import socket
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHandle, WorkflowHistory
from temporalio.worker import Replayer

from worker import CONTROL_WORKFLOWS, EXPRESS_WORKFLOWS, sandbox_runner

HISTORIES = Path(__file__).parent / "histories"
RECORDING = bool(os.environ.get("SONGDA_RECORD_HISTORIES"))
WORKFLOWS = [*CONTROL_WORKFLOWS, *EXPRESS_WORKFLOWS]
_OF_THE_MACHINE = {"identity": "worker", "stackTrace": "", "binaryChecksum": "", "buildId": "", "hostName": ""}
PRIVATE = {
    "an e-mail address": re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+"),
    "a phone number": re.compile(r"\+[1-9]\d{9,13}\b|(?<![\w.+-])(?:(?:00)?86-?)?1[3-9]\d{9}(?![\w.])"),
    "a key or token": re.compile(r"\b(sk|smsk|st|ce|pr|rt|iv|whsec)_[\w-]{12}"),
    "a query or a token in a URL": re.compile(r"https?://[^\s\"\\]*(\?|token|hooks)"),
    "markup": re.compile(r"<(p|a|html|body|table|div)\b", re.IGNORECASE),
    "a private key": re.compile(r"PRIVATE KEY|\bMII[A-Za-z0-9+/]{20}"),
    "a path of a machine": re.compile(r"/(home|root|work|tmp|usr|Users)/"),
    "the machine's name": re.compile(rf"@{re.escape(socket.gethostname())}\b"),
}
"""What may be in no history, whatever the test was about."""


def told(history: WorkflowHistory) -> str:
    """All that a history says. In Temporal's own JSON payloads are base64, and looking there finds nothing."""
    return json.dumps(_opened(json.loads(history.to_json())), ensure_ascii=False)


def _opened(node: Any) -> Any:
    """The same document with the payloads decoded."""
    if isinstance(node, list):
        return [_opened(each) for each in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("data"), str) and "metadata" in node:
        return base64.b64decode(node["data"]).decode(errors="replace")
    return {name: _opened(value) for name, value in node.items()}


def faults(text: str, *private: str) -> list[str]:
    """What is in a history's text that must not be."""
    found = [f"{what}: {hit[0]}" for what, pattern in PRIVATE.items() if (hit := pattern.search(text))]
    return found + [f"private: {value}" for value in private if value in text]


def without_machine(node: Any) -> Any:
    """The document without what names the machine that recorded it."""
    if isinstance(node, list):
        return [without_machine(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {name: _OF_THE_MACHINE.get(name, without_machine(value)) for name, value in node.items()}


async def replay(history: WorkflowHistory) -> None:
    """Raises when today's code would do otherwise."""
    await Replayer(workflows=WORKFLOWS, workflow_runner=sandbox_runner()).replay_workflow(history)


async def keep(handle: WorkflowHandle[Any, Any], case: str, *private: str) -> None:
    """The history so far replays and holds nothing private; it is written down when that is wanted."""
    history = await handle.fetch_history()
    await replay(history)
    document = without_machine(json.loads(history.to_json()))
    clean = WorkflowHistory.from_json(history.workflow_id, document)
    assert not faults(told(clean), *private)
    started = history.events[0].workflow_execution_started_event_attributes
    path = HISTORIES / started.workflow_type.name / f"{case}.json"
    if RECORDING and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
