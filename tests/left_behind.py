"""What a whole run leaves behind where others read: histories, ids, search attributes, memos, logs (design §3)."""

import re
from collections.abc import Awaitable, Callable

import httpx2
from google.protobuf.json_format import MessageToDict
from temporalio.client import Client, WorkflowExecution, WorkflowHistory

from demo.material import load
from demo.scene import Material
from demo.show import DemoResult
from tests.kept_histories import PRIVATE, told, without_machine

RECIPIENTS = ("wanda.recipient@qq.com", "unknown.recipient@gmail.com", "xavier.recipient@company.example")
MATERIAL = Material(
    "\n".join([
        load(None, None).recipients.decode().strip(),
        *(f"{address},Zaphod Beeble,Company,M-2001,City" for address in RECIPIENTS),
    ]).encode(),
    "<html><title>Autumn letter</title><body><p>Dear %name%, the sesame is open.</p></body></html>",
)  # fmt: skip
"""The demo's own recipients, and some whose names are looked for."""
LEAKS = {what: pattern for what, pattern in PRIVATE.items() if "machine" not in what}
"""Logs and live histories may name this machine."""


async def strangers(api: str, result: DemoResult) -> None:
    """Requests that fail, with something private in each: where a careless log would write it down."""
    who = result.customer
    async with httpx2.AsyncClient(base_url=api, trust_env=False, timeout=30) as http:
        asked: list[Callable[[], Awaitable[httpx2.Response]]] = [
            lambda: http.get("/confirm", params={"token": "ce_0123456789abcdefghij"}),
            lambda: http.get("/reset", params={"token": "pr_0123456789abcdefghij"}),
            lambda: http.get(f"/console/cases/template-review/{who.email}"),
            lambda: http.post("/v1/sessions", json={"email": who.email, "password": "wrong " + who.password}),
            lambda: http.post("/v1/sends", content=b"{", headers={"authorization": f"Bearer {who.key}"}),
            lambda: http.get("/v1/sends/x", headers={"authorization": f"Bearer {who.key}x"}),
        ]
        for ask in asked:
            assert (await ask()).status_code < 500


def secrets_of(result: DemoResult, sandbox: str) -> list[str]:
    """What is the customer's own."""
    who = result.customer
    values = [who.email, who.password, who.key, who.webhook_secret, f"{sandbox}/hooks/{who.tag}", who.name]
    values += [who.sms_key, who.sms_hook_secret]
    words = ["Zaphod", "Autumn letter", "sesame", "TODO"]
    assert all(values)
    return [*values, *words, *RECIPIENTS]


async def check_processes(client: Client, private: list[str]) -> set[str]:
    """Looks at each; the kinds that there were."""
    kinds = set()
    async for execution in client.list_workflows():
        kinds.add(execution.id.partition("/")[0])
        assert re.fullmatch(r"[a-z-]+/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", execution.id)
        history = await client.get_workflow_handle(execution.id, run_id=execution.run_id).fetch_history()
        clean = WorkflowHistory.from_json(execution.id, without_machine(history.to_json_dict()))
        assert leaks(told(clean) + about(execution), private) == [], execution.id
    return kinds


def leaks(text: str, private: list[str]) -> list[str]:
    """What is in a text that must not be."""
    return [what for what, pattern in LEAKS.items() if pattern.search(text)] + [v for v in private if v in text]


def about(execution: WorkflowExecution) -> str:
    """Search attributes and memo, decoded."""
    info = execution.raw_info
    attributes = [str(pair.value) for pair in execution.typed_search_attributes]
    memo = [payload.data.decode(errors="replace") for payload in info.memo.fields.values()]
    rest = MessageToDict(info)
    rest.pop("searchAttributes", None)
    return " ".join([*attributes, *memo, str(rest)])
