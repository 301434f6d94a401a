"""Chapter 4: the same people as an address list, imported in the background from the same file."""

from typing import Any

from demo.parties import DemoFailure, eventually, words_of
from demo.scene import Evidence, Scene, Step, require

NAME = "Demo customers 演示客户"
FILE = "recipients.csv"


class Listing:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.customer = scene.customer

    @property
    def steps(self) -> list[Step]:
        return [
            Step("Address list: created 创建地址列表", self.create),
            Step("Address list: file imported 导入成员", self.fill),
        ]

    async def create(self) -> Evidence:
        body = {"name": NAME, "alias": f"demo-{self.customer.tag}"}
        made, _ = await self._scene.make("/v1/address-lists", ("name", NAME), body)
        self.customer.list_id = made["id"]
        return f"alias address {made['alias']}"

    async def fill(self) -> Evidence:
        """Uploaded once: a try whose answer was lost is found among the imports."""
        one = await self._scene.find(self._imports, "filename", FILE) or await self._upload()
        done = await eventually(lambda: self._ended(one["id"]), "the import to end")
        require(done["state"] == "done", f"the import ended as {done['state']}: {done['failure_detail']}")
        members = (await self._scene.api.json("GET", f"/v1/address-lists/{self.customer.list_id}"))["members"]
        return (
            f"{members} members; {done['added']} added, {done['repeated']} repeated, {done['refused']} refused; "
            f"variables {', '.join(done['columns'])}; {done['workflow_id'][:24]}…"
        )

    @property
    def _imports(self) -> str:
        return f"/v1/address-lists/{self.customer.list_id}/imports"

    async def _upload(self) -> dict[str, Any]:
        files = {"file": (FILE, self._scene.material.recipients, "text/csv")}
        answer = await self._scene.api.send("POST", self._imports, files=files)
        if answer.status_code >= 400:
            raise DemoFailure(f"POST {self._imports}: {words_of(answer)}")
        found: dict[str, Any] = answer.json()
        return found

    async def _ended(self, import_id: str) -> dict[str, Any] | None:
        found: dict[str, Any] = await self._scene.api.json("GET", f"{self._imports}/{import_id}")
        return found if found["finished_at"] else None
