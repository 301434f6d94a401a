"""Who takes part in the demo, each through the interface that a real one would use: HTTP, DNS, mailbox, Temporal."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import httpx2
from temporalio.client import Client, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError

from domain.reviews import DecisionResult, ReviewDecision

PATIENCE = 120.0
"""Longest wait for anything, in seconds: long enough for a killed part to come back."""


RPC_TIMEOUT = timedelta(seconds=10)
T = TypeVar("T")


class DemoFailure(Exception):
    """A step did not end as it should; the text says what was seen and what was expected."""


@dataclass(frozen=True)
class Places:
    """Where the parts of the stack are reached; `data` is its folder, which `songda operators` needs.

    `submission` is `host:port` of the SMTP door.
    """

    api: str
    submission: str
    sandbox: str
    temporal: str
    temporal_ui: str
    data: str


def _still() -> object:
    """Nothing that moves."""
    return None


async def eventually(
    look: Callable[[], Awaitable[T | None]], what: str, every: float = 0.15, moving: Callable[[], object] = _still
) -> T:
    """What `look` returns once it returns something. As long as `moving()` changes, patience begins anew."""
    end, mark = time.monotonic() + PATIENCE, moving()
    while True:
        found = await look()
        if found is not None:
            return found
        if moving() != mark:
            end, mark = time.monotonic() + PATIENCE, moving()
        if time.monotonic() > end:
            raise DemoFailure(f"waited {PATIENCE:.0f} s in vain for {what}")
        await asyncio.sleep(every)


class Http:
    """JSON over HTTP; waits for a server that is away or being restarted, as a careful client does."""

    def __init__(self, base: str, headers: dict[str, str] | None = None) -> None:
        self._client = httpx2.AsyncClient(base_url=base, headers=headers, timeout=20, trust_env=False)

    async def close(self) -> None:
        await self._client.aclose()

    def carry(self, token: str) -> None:
        """Be this caller from now on."""
        self._client.headers["Authorization"] = f"Bearer {token}"

    async def send(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """The answer, whatever it says; transport faults, 429 and 5xx are tried again."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                answer = await self._client.request(method, path, **options)
                if answer.status_code < 500:
                    return answer
                trouble = f"HTTP {answer.status_code}"
            except httpx2.TransportError as error:
                trouble = type(error).__name__
            if time.monotonic() > end:
                raise DemoFailure(f"{method} {path}: {trouble} for {PATIENCE:.0f} s")
            await asyncio.sleep(0.3)

    async def json(self, method: str, path: str, **options: Any) -> Any:
        """The answer's document. Raises `DemoFailure` with the problem's own words when it is a refusal."""
        answer = await self.send(method, path, **options)
        if answer.status_code >= 400:
            raise DemoFailure(f"{method} {path}: {words_of(answer)}")
        return answer.json() if answer.content else None


def words_of(answer: httpx2.Response) -> str:
    """A problem document in a line."""
    if "json" not in answer.headers.get("content-type", ""):
        return f"HTTP {answer.status_code}"
    body = answer.json()
    field = f"{body['field']}: " if body.get("field") else ""
    more = "".join(f"\n  {one['field']}: {one['detail']}" for one in body.get("errors", [])[:5])
    return f"{field}{body.get('detail', body)} {body.get('next_step', '')}{more}"


class Internet:
    """The sandbox: DNS zones, mailboxes, the webhook catcher."""

    def __init__(self, base: str) -> None:
        self.http = Http(base)

    async def publish(self, name: str, type_: str, value: str) -> None:
        """Add one record, as a customer does at their DNS provider."""
        await self.http.json("PUT", "/dns/records", json={"name": name, "type": type_, "values": [value], "ttl": 5})

    async def mail_domains(self) -> set[str]:
        """Domains that have a mailbox provider already."""
        answer = await self.http.json("GET", "/providers")
        return {domain for provider in answer["providers"] for domain in provider["domains"]}

    async def mails(self, to: str) -> list[dict[str, Any]]:
        """Mails in one mailbox, newest first."""
        answer = await self.http.json("GET", "/mailbox/messages", params={"to": to, "limit": 50})
        return list(answer["messages"])

    async def mail(self, to: str, subject: str) -> dict[str, Any]:
        """Wait for a mail whose subject contains `subject` and whose signature was checked."""

        async def look() -> dict[str, Any] | None:
            for found in await self.mails(to):
                if subject in found["subject"] and found["dkim"] is not None:
                    whole: dict[str, Any] = await self.http.json("GET", f"/mailbox/messages/{found['id']}")
                    return whole
            return None

        return await eventually(look, f"a mail “{subject}” to {to}")

    async def newest(self) -> int:
        """The number of the newest mail in any mailbox."""
        mails = (await self.http.json("GET", "/mailbox/messages", params={"limit": 1}))["messages"]
        return int(mails[0]["id"]) if mails else 0

    async def count(self, after: int) -> dict[str, Any]:
        """Copies per recipient of the mails after number `after`, once every signature was checked."""

        async def look() -> dict[str, Any] | None:
            counts: dict[str, Any] = await self.http.json(
                "GET", "/mailbox/count", params={"limit": 1_000_000, "after": after}
            )
            return counts if not counts["by_dkim"].get("pending") else None

        return await eventually(look, "the mailboxes to verify every signature")

    async def caught(self, hook: str, after: int) -> list[dict[str, Any]]:
        """Webhook requests that arrived."""
        answer = await self.http.json("GET", f"/hooks/{hook}/requests", params={"after": after, "limit": 1000})
        return list(answer["requests"])


class PayDesk:
    """The sandbox's pay desk, as the buyer uses it."""

    def __init__(self, base: str) -> None:
        self.http = Http(base)

    async def open(self, pay_url: str) -> None:
        """Follow the merchant's link, whose signature the pay desk checks."""
        answer = await self.http.send("GET", pay_url)
        if answer.status_code != 303:
            raise DemoFailure(f"the pay desk answered HTTP {answer.status_code} to the order's link")

    async def pay(self, number: str, manner: str) -> None:
        """Pay the order; a try whose answer was lost has paid it already."""
        if (await self.http.json("GET", f"/alipay/orders/{number}"))["status"] != "TRADE_SUCCESS":
            await self.http.json("POST", f"/alipay/orders/{number}/pay", json={"manner": manner})


class Operator:
    """A reviewer at the Temporal UI: sends the same update that the page's form sends."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._client: Client | None = None

    async def decide(self, workflow_id: str, decision: ReviewDecision) -> DecisionResult:
        """One decision; waits for a server or worker that is away. The update id makes a repeat harmless."""

        async def attempt() -> DecisionResult | None:
            try:
                if self._client is None:
                    self._client = await Client.connect(self._address)
                handle = self._client.get_workflow_handle(workflow_id)
                return await handle.execute_update(
                    "decide", decision, id=f"demo-{decision.decision.value}", result_type=DecisionResult,
                    rpc_timeout=RPC_TIMEOUT,
                )  # fmt: skip
            except (RPCError, RuntimeError, TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
                return None

        return await eventually(attempt, f"the decision on {workflow_id}", every=0.5)
