"""What became of a send, seen from each side: Songda's answer, the receivers' mailboxes, the customer's endpoint."""

import json
import re
from collections import Counter
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from demo.parties import DemoFailure, eventually
from demo.scene import Evidence, Scene, require

BOUNCES_BY_DESIGN = re.compile(r"(unknown|nouser|full|blocked)(?=$|[-._+\d])", re.IGNORECASE)
"""Magic local parts of the sandbox that refuse for good (sandbox/README.md)."""


class Outcomes:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.customer = scene.customer

    async def deliveries(self) -> Evidence:
        path = f"/v1/sends/{self.customer.send['id']}"

        counts: Counter[str] = Counter()

        async def settled() -> Counter[str] | None:
            nonlocal counts
            now = await self._scene.api.json("GET", path)
            counts = Counter(now["outcomes"])
            self._scene.watch(counts, now["recipients"])
            return counts if not counts["queued"] + counts["deferred"] else None

        try:
            what = "every recipient to have an outcome"
            counts = await eventually(settled, what, every=0.3, moving=lambda: sorted(counts.items()))
        except DemoFailure as failure:
            raise DemoFailure(f"{failure}: {await self._unsettled(path)}") from failure
        async for message in self._messages(path):
            self.customer.accepted[message["address"]] = message["outcome"]
        wrong = [a for a, state in self.customer.accepted.items() if state != expected(a)]
        require(not wrong, f"{len(wrong)} ended otherwise than they should: {', '.join(sorted(wrong)[:5])}")
        return ", ".join(f"{count} {state}" for state, count in counts.items() if count)

    async def _unsettled(self, path: str) -> str:
        """Who still waits, and for what."""
        waiting = [m async for m in self._messages(path) if m["outcome"] in ("queued", "deferred")]
        named = ", ".join(f"{m['address']} ({m['reply'] or 'not tried yet'})" for m in waiting[:5])
        return f"{len(waiting)} still wait: {named}"

    async def _messages(self, path: str) -> Any:
        cursor: str | None = None
        while True:
            params = {"limit": 500, **({"cursor": cursor} if cursor else {})}
            page = await self._scene.api.json("GET", f"{path}/messages", params=params)
            for message in page["items"]:
                yield message
            cursor = page["next_cursor"]
            if cursor is None:
                return

    async def mailboxes(self) -> Evidence:
        """What the receivers hold says the same as what Songda says."""
        counts = await self._scene.internet.count(self.customer.mails_before)
        held = {one["recipient"]: one for one in counts["per_recipient"]}
        delivered = [a for a, state in self.customer.accepted.items() if state == "delivered"]
        lacking = [a for a in delivered if not held.get(a, {}).get("dkim_pass")]
        require(not lacking, f"delivered but not in the mailbox with a DKIM pass: {', '.join(sorted(lacking)[:5])}")
        bounced = [a for a, state in self.customer.accepted.items() if state == "bounced"]
        present = [a for a in bounced if held.get(a)]
        require(not present, f"bounced but in the mailbox: {', '.join(sorted(present)[:5])}")
        twice = sum(held[a]["copies"] > 1 for a in delivered)
        return f"{len(delivered)} mailboxes, DKIM pass in all" + (f", {twice} with a second copy" if twice else "")

    async def events(self) -> Evidence:
        """Each accepted recipient's final event reached the customer's endpoint."""
        ended = {a for a, state in self.customer.accepted.items() if state in ("delivered", "bounced")}
        seen, heard = await self.hear({"deliver", "invalid"}, ended)
        return f"{seen} signed requests, {heard} recipients"

    async def hear(self, kinds: set[str], wanted: set[str]) -> tuple[int, int]:
        """Wait until the endpoint got an event of these kinds for each recipient; (requests, recipients)."""
        heard: set[str] = set()
        seen, after = 0, 0

        async def look() -> bool | None:
            nonlocal after, seen
            for request in await self._scene.internet.caught(self.customer.tag, after):
                after, seen = max(after, request["id"]), seen + 1
                body = self._verified(request)
                if body["type"] in kinds:
                    heard.add(body["data"]["recipient"])
            return True if wanted <= heard else None

        await eventually(look, f"events of {len(wanted)} recipients", every=0.3, moving=lambda: seen)
        return seen, len(heard & wanted)

    def _verified(self, request: dict[str, Any]) -> dict[str, Any]:
        """The event, its signature checked as the customer's receiver does (Standard Webhooks)."""
        secret, headers = self.customer.webhook_secret, dict(request["headers"])
        try:
            Webhook(secret).verify(request["body"], headers)
        except WebhookVerificationError as error:
            raise DemoFailure(f"webhook {headers.get('webhook-id')}: {error}") from error
        event: dict[str, Any] = json.loads(request["body"])
        return event


def expected(address: str) -> str:
    """What the sandbox's manners make of an address."""
    return "bounced" if BOUNCES_BY_DESIGN.match(address.partition("@")[0]) else "delivered"
