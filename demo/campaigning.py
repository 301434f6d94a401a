"""Chapter 7: a campaign to the imported list, watched to its end, and one recipient who unsubscribes with one click."""

import re
from collections import Counter
from typing import Any

import httpx2

from demo.outcomes import Outcomes
from demo.parties import DemoFailure, eventually
from demo.scene import Evidence, Scene, Step, require
from demo.sending import envelope

OVER = ("finished", "cancelled", "blocked")
OUTCOMES = ("delivered", "bounced", "deferred")
_LINK = re.compile(r"^List-Unsubscribe: <(https?://[^>]+)>", re.MULTILINE | re.IGNORECASE)


class Campaigning:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.customer = scene.customer
        self._outcomes = Outcomes(scene)
        self._campaign = ""
        self._moved: tuple[object, ...] = ()

    @property
    def steps(self) -> list[Step]:
        return [
            Step("Campaign: created for the list 群发任务", self.create),
            Step("Campaign: every recipient has an outcome 群发结果", self.end, looks=True),
            Step("Campaign: one click unsubscribes 一键退订", self.unsubscribe),
        ]

    async def create(self) -> Evidence:
        body = {
            **envelope(self._scene, "campaign"),
            "name": "Demo campaign",
            "api_user": self.customer.api_user,
            "lists": [self.customer.list_id],
        }
        headers = self._scene.once("campaign")
        made = await self._scene.api.json("POST", "/v1/campaigns", json=body, headers=headers)
        self._campaign = made["id"]
        self.customer.send = {"id": made["id"]}
        return f"campaign/{made['id'][:13]}… to the list {self.customer.list_id[:13]}…"

    async def end(self) -> Evidence:
        """All that the list holds, later rounds included; the counts and the messages tell the same."""
        done = await eventually(self._over, "the campaign to end", every=0.3, moving=lambda: self._moved)
        require(done["state"] == "finished", f"the campaign is {done['state']}: {done.get('problem')}")
        told = await self._outcomes.deliveries()
        return f"{told} of {done['counts']['recipients']}; ¥{done['cost']['charged']}; {len(done['lanes'])} lanes"

    async def _over(self) -> dict[str, Any] | None:
        now: dict[str, Any] = await self._scene.api.json("GET", f"/v1/campaigns/{self._campaign}")
        counts = now["counts"]
        self._moved = (now["state"], *counts.values())
        self._scene.watch(Counter({name: counts[name] for name in OUTCOMES}), counts["recipients"])
        return now if now["state"] in OVER else None

    async def unsubscribe(self) -> Evidence:
        """As a mail program does it (RFC 8058): a POST to the signed link in the mail's head."""
        reader = min(address for address, state in self.customer.accepted.items() if state == "delivered")
        newest = (await self._scene.internet.mails(reader))[0]
        source = (await self._scene.internet.http.send("GET", f"/mailbox/messages/{newest['id']}/raw")).text
        link = _LINK.search(source)
        if link is None:
            raise DemoFailure("the mail has no List-Unsubscribe")
        async with httpx2.AsyncClient(trust_env=False) as http:
            answer = await http.post(link[1], data={"List-Unsubscribe": "One-Click"})
        require(answer.status_code == 200, f"the one-click link answered HTTP {answer.status_code}")
        items = (await self._scene.api.json("GET", "/v1/suppressions"))["items"]
        require(any(one["address"] == reader for one in items), f"{reader} is not in the list of suppressions")
        return f"{reader} gets no batch mail any more"
