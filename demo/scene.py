"""What every chapter of the demo shares: the customer, the material, the parties, and how a step says it failed."""

import re
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from demo.browser import Reviewer
from demo.parties import DemoFailure, Http, Internet, Operator, PayDesk, Places, words_of

Evidence = str
Watch = Callable[[Counter[str], int], None]
"""Told of outcomes so far and of the number accepted."""
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Step:
    """`play` returns the evidence, or raises `DemoFailure`. `looks`: it changes nothing, it only compares."""

    name: str
    play: Callable[[], Awaitable[Evidence]]
    looks: bool = False


@dataclass(frozen=True)
class Material:
    """What is sent to whom: a CSV file's bytes and an HTML page."""

    recipients: bytes
    html: str

    @property
    def subject(self) -> str:
        title = _TITLE.search(self.html)
        return (
            " ".join(title[1].split())[:200]
            if title and title[1].strip()
            else "A letter from the demo 一封来自演示的信"
        )


@dataclass
class Customer:
    """What the customer knows after each step."""

    name: str = "演示客户 Demo Customer"
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    tag: str = field(default_factory=lambda: secrets.token_hex(4))
    domain_id: str = ""
    key: str = ""
    webhook_secret: str = ""
    mails_before: int = 0
    """The newest mail's number when the first send was made: what is older is not ours."""
    list_id: str = ""
    """The address list that holds the same people as the file."""
    variables: list[str] = field(default_factory=list)
    """Of the approved template."""
    send: dict[str, Any] = field(default_factory=dict)
    """The send that is looked at now."""
    accepted: dict[str, str] = field(default_factory=dict)
    """State of each accepted recipient, by address."""
    sms_key: str = ""
    sms_signature: str = ""
    """Its number."""
    sms_templates: dict[str, str] = field(default_factory=dict)
    """Numbers, by kind."""
    sms_hook_secret: str = ""
    rest: list[dict[str, Any]] = field(default_factory=list)
    """Recipients that did not fit the free quota: they come with the paid send."""

    @property
    def email(self) -> str:
        return f"founder-{self.tag}@company.example"

    @property
    def domain(self) -> str:
        return f"mail.shop-{self.tag}.example"

    @property
    def api_user(self) -> str:
        return f"shop_{self.tag}"

    @property
    def sms_user(self) -> str:
        return f"shop_sms_{self.tag}"

    @property
    def sms_hook(self) -> str:
        return f"{self.tag}-sms"


@dataclass
class Scene:
    """One play: `api` is the customer's, by their session; `operator` decides in the Temporal UI, `reviewer` in the
    console."""

    places: Places
    material: Material
    customer: Customer
    api: Http
    internet: Internet
    operator: Operator
    reviewer: Reviewer
    pay_desk: PayDesk
    watch: Watch

    async def close(self) -> None:
        await self.api.close()
        await self.internet.http.close()
        await self.reviewer.close()
        await self.pay_desk.http.close()

    async def make(self, path: str, named: tuple[str, str], body: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """(the row, whether this call made it): a try whose answer was lost may have made it already."""
        if found := await self.find(path, *named):
            return found, False
        answer = await self.api.send("POST", path, json=body)
        if answer.status_code < 400:
            return answer.json(), True
        if found := await self.find(path, *named):
            return found, False
        raise DemoFailure(f"POST {path}: {words_of(answer)}")

    async def find(self, path: str, name: str, value: str) -> dict[str, Any] | None:
        """A row that an earlier try of this step may have made."""
        items: list[dict[str, Any]] = (await self.api.json("GET", path))["items"]
        return next((one for one in items if one[name] == value), None)

    def once(self, what: str) -> dict[str, str]:
        """The header that makes a repeat of a send harmless."""
        return {"Idempotency-Key": f"demo-{self.customer.tag}-{what}"}


def require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise DemoFailure(otherwise)
