"""What a whole run leaves behind where others read: histories, ids, search attributes, memos, logs (design §3)."""

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable

import httpx2
from google.protobuf.json_format import MessageToDict
from temporalio.client import Client, WorkflowExecution, WorkflowHistory

from demo.material import load
from demo.scene import Material
from demo.show import DemoResult
from tests.kept_histories import PRIVATE, told, without_machine
from tests.patience import PATIENCE
from tests.phone_world import solved

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
_PHONE = "13712347001"
"""Of a handset of the sandbox that gets what is sent to it."""
_CODE = re.compile(r"\d{6}")
_SIGNED = {"phone": _PHONE, "templateId": "1001", "vars": "{}", "signature": "0" * 32}
_TEXT = {"template": "1001", "recipients": [{"phone": _PHONE, "variables": {"name": "Trillian"}}]}
_TOKEN = {"registration_token": "rt_0123456789abcdefghij"}


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
            lambda: http.get("/smsapi/send", params=_SIGNED | {"smsUser": who.sms_user}),
            lambda: http.post("/smsapi/sendCode", data=_SIGNED | {"smsUser": who.sms_user, "code": "135790"}),
            lambda: http.post("/v1/sms", content=b"{", headers={"authorization": f"Bearer {who.sms_key}"}),
            lambda: http.post("/v1/sms", json=_TEXT, headers={"authorization": f"Bearer {who.sms_key}"}),
            lambda: http.get("/v1/sms/replies", params={"phone": _PHONE, "cursor": _PHONE}),
            lambda: http.get(f"/portal/sms-interceptions?q={_PHONE}"),
            lambda: http.post("/v1/registrations/phone", json={"phone": _PHONE, "proof": "x", **_TOKEN}),
            lambda: http.post("/v1/registrations/phone/confirm", json={"code": "135790", **_TOKEN}),
        ]
        for ask in asked:
            assert (await ask()).status_code < 500


async def newcomer(api: str, sandbox: str) -> list[str]:
    """Somebody registers with a mobile number, mistypes the code of its SMS, and types it; what of that is private."""
    person = {"name": "Ford", "email": "ford@betelgeuse.example", "password": secrets.token_urlsafe(12)}
    async with (
        httpx2.AsyncClient(base_url=api, trust_env=False, timeout=30) as http,
        httpx2.AsyncClient(base_url=sandbox, trust_env=False, timeout=30) as handsets,
    ):
        made = await http.post("/v1/registrations", json=person | {"phone": _PHONE})
        token = made.json()["registration_token"]
        proof = solved((await http.get("/v1/registrations/challenge")).json())
        asked = await http.post("/v1/registrations/phone", json={"registration_token": token, "proof": proof})
        assert asked.status_code == 202, asked.text
        code = await _texted(handsets)
        for typed, status in ((str((int(code) + 1) % 10**6).zfill(6), 422), (code, 200)):
            body = {"registration_token": token, "code": typed}
            answer = await http.post("/v1/registrations/phone/confirm", json=body)
            assert answer.status_code == status, answer.text
    return [*person.values(), token, _PHONE, code]


async def _texted(handsets: httpx2.AsyncClient) -> str:
    """The code on the handset."""
    async with asyncio.timeout(PATIENCE):
        while True:
            texts = (await handsets.get("/handsets/messages", params={"to": _PHONE})).json()["messages"]
            if found := next((code for text in texts if (code := _CODE.search(text["content"]))), None):
                return found[0]
            await asyncio.sleep(0.2)


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
    found = [what for what, pattern in LEAKS.items() if pattern.search(text)]
    return found + [value for value in private if value in text and _stands_there(value, text)]


def _stands_there(value: str, text: str) -> bool:
    """Six digits are part of many a number; by itself, and not the fraction of a second, they are a code."""
    return not _CODE.fullmatch(value) or re.search(rf"(?<![\w.]){value}(?!\w)", text) is not None


def about(execution: WorkflowExecution) -> str:
    """Search attributes and memo, decoded."""
    info = execution.raw_info
    attributes = [str(pair.value) for pair in execution.typed_search_attributes]
    memo = [payload.data.decode(errors="replace") for payload in info.memo.fields.values()]
    rest = MessageToDict(info)
    rest.pop("searchAttributes", None)
    return " ".join([*attributes, *memo, str(rest)])
