"""What pictures of campaigns are of: a list with lines that were refused, and a campaign that is under way.

The customer is the demo's, who can pay. Some subscribers have manners (sandbox/README.md), so that outcomes differ.
"""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx2

from demo.parties import eventually
from demo.story import Customer

SUBSCRIBERS = 3_000
PROVIDERS = ("qq.com", "163.com", "gmail.com", "outlook.com", "sina.com", "company.example")
NAME = "订阅用户 Subscribers"
FILE = "subscribers.csv"
LEFT_OUT = ("former.reader@qq.com", "no-thanks@163.com", "complained@gmail.com")
"""Entered by hand: the campaign leaves them out."""
HARDLY_BEGUN, WELL_UNDER_WAY = 100, 0.35
"""Mails after which recipients react, and the share of settled ones at which the campaign is photographed."""


def address(number: int) -> str:
    """Of one subscriber; every few have a magic local part, and QQ asks for fewer mails."""
    provider = PROVIDERS[number % len(PROVIDERS)]
    manner = {5: "unknown", 11: "greylist"}.get(number % 37, "reader")
    if provider == "qq.com" and number % 5 == 0:
        manner = "throttle"
    return f"{manner}-{number}@{provider}"


def subscribers(variables: Sequence[str]) -> bytes:
    """The CSV file: also addresses that are none, one that comes twice, and some that are left out later."""
    people = [
        *map(address, range(SUBSCRIBERS)),
        *LEFT_OUT,
        "nobody",
        "two@@example.com",
        "no-dot@localhost.",
        address(0),
    ]
    lines = [",".join([who, *(f"{name} {number}" for name in variables)]) for number, who in enumerate(people, 1)]
    return "\n".join([",".join(["email", *variables]), *lines, ""]).encode()


class Newsletter:
    """`http` is signed in as the customer. `names` are what addresses of pictures hold."""

    def __init__(self, http: httpx2.AsyncClient, sandbox: str, who: Customer) -> None:
        self._http = http
        self._sandbox = sandbox
        self._who = who
        self.names: dict[str, str] = {}

    async def send(self) -> None:
        """Fill a list and begin a campaign; returns when some of its recipients have reacted, and many are to come."""
        await self._ask("POST", "/v1/suppressions", json={"addresses": list(LEFT_OUT)})
        made = await self._ask("POST", "/v1/address-lists", json={"name": NAME, "alias": f"news-{self._who.tag}"})
        self.names |= {"list": made["id"], "import": await self._fill(made["id"])}
        asked = {
            "name": "秋季优惠 Autumn sale", "api_user": self._who.api_user, "template": "demo-letter",
            "from": f"news@{self._who.domain}", "from_name": self._who.name, "lists": [made["id"]],
        }  # fmt: skip
        self.names["campaign"] = (await self._ask("POST", "/v1/campaigns", json=asked))["id"]
        await eventually(lambda: self._settled(HARDLY_BEGUN / SUBSCRIBERS), "the campaign to begin")
        await self._react()
        await eventually(lambda: self._settled(WELL_UNDER_WAY), "the campaign to be well under way")

    async def _fill(self, list_id: str) -> str:
        """The import's id, once it has ended."""
        imports, columns = f"/v1/address-lists/{list_id}/imports", self._who.variables
        one = await self._ask("POST", imports, files={"file": (FILE, subscribers(columns), "text/csv")})

        async def ended() -> bool | None:
            return (await self._ask("GET", f"{imports}/{one['id']}"))["finished_at"] and True

        await eventually(ended, "the import to end")
        return str(one["id"])

    async def _settled(self, share: float) -> bool | None:
        """True once so much of the campaign has its outcome; None before."""
        now = await self._ask("GET", f"/v1/campaigns/{self.names['campaign']}")
        return now["progress"] >= share or None

    async def _react(self) -> None:
        """Some recipients look at the picture and follow a link; the last one wonders whether to unsubscribe."""
        async with httpx2.AsyncClient(base_url=self._sandbox, timeout=20, trust_env=False) as sandbox:
            found = (await sandbox.get("/mailbox/messages", params={"to": "reader-", "limit": 30})).json()["messages"]
            for mail in found:
                raw = (await sandbox.get(f"/mailbox/messages/{mail['id']}")).json()
                await self._follow(_links(raw))

    async def _follow(self, links: dict[str, str]) -> None:
        for kind in ("o", "c"):
            if kind in links:
                await self._http.get(urlsplit(links[kind]).path, follow_redirects=False)
        self.names["unsubscribe"] = urlsplit(links.get("u", "")).path or self.names.get("unsubscribe", "")

    async def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = await self._http.request(method, path, **options)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


def _links(mail: dict[str, Any]) -> dict[str, str]:
    """The platform's links in a mail: the first of each kind (`c` click, `o` open, `u` unsubscribe)."""
    written = f"{mail['html']} {mail['raw']} {mail['headers']}"
    return {kind: url for url, kind in reversed(re.findall(r"(https?://[^\s\"'<>]+/t/([cou])/[\w-]{28})", written))}
