"""Chapter 2: a template, rejected with a reason in the Temporal UI, corrected, approved."""

from typing import Any

from demo.parties import eventually
from demo.scene import Evidence, Scene, Step, require
from domain.reviews import Decision, ReviewDecision


class Writing:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.customer = scene.customer

    @property
    def steps(self) -> list[Step]:
        return [
            Step("Template: rejected with a reason 模板被拒", self.rejected_template),
            Step("Template: corrected and approved 模板通过", self.approved_template),
        ]

    async def rejected_template(self) -> Evidence:
        """The first version misses something; the operator says what."""
        await self._save_template("<p>TODO</p>")
        version = await self._submitted()
        reason = "正文未完成，请补充内容。The text is unfinished: complete it."
        await self._decide(version, ReviewDecision(Decision.REJECT, reason=reason))
        await self._scene.internet.mail(self.customer.email, "模板")
        return f"{version['workflow_id'][:24]}…: {reason[:9]}"

    async def approved_template(self) -> Evidence:
        await self._save_template(self._scene.material.html)
        version = await self._submitted()
        await self._decide(version, ReviewDecision(Decision.APPROVE))
        self.customer.variables = version["variables"]
        return f"version {version['number']}, variables: {', '.join(version['variables']) or 'none'}"

    async def _save_template(self, html: str) -> None:
        content = {"subject": self._scene.material.subject, "html": html, "name": "Demo letter"}
        found = await self._scene.api.send("GET", "/v1/templates/demo-letter")
        if found.status_code == 404:
            body = {**content, "invoke_name": "demo-letter", "kind": "batch"}
            await self._scene.make("/v1/templates", ("invoke_name", "demo-letter"), body)
        elif found.json()["version"]["state"] != "submitted":
            await self._scene.api.json("PUT", "/v1/templates/demo-letter", json=content)

    async def _submitted(self) -> dict[str, Any]:
        """The latest version, submitted."""
        row = await self._scene.api.json("GET", "/v1/templates/demo-letter")
        if row["version"]["state"] == "draft":
            await self._scene.api.send("POST", "/v1/templates/demo-letter/submit")
            row = await self._scene.api.json("GET", "/v1/templates/demo-letter")
        version: dict[str, Any] = row["version"]
        require(version["state"] != "draft", f"version {version['number']} could not be submitted: {findings(row)}")
        return version

    async def _decide(self, version: dict[str, Any], decision: ReviewDecision) -> None:
        """The operator's update in Temporal; then the customer sees the decision."""
        if version["state"] == "submitted":
            await self._scene.operator.decide(version["workflow_id"], decision)
        path = f"/v1/templates/demo-letter/versions/{version['number']}"
        wanted = "approved" if decision.decision is Decision.APPROVE else "rejected"

        async def decided() -> str | None:
            state = str((await self._scene.api.json("GET", path))["state"])
            return state if state in ("approved", "rejected") else None

        state = await eventually(decided, f"version {version['number']} to be decided")
        require(state == wanted, f"version {version['number']} is {state}, not {wanted}")


def findings(template: dict[str, Any]) -> str:
    """What the lint said of a draft."""
    return "; ".join(one["detail"] for one in template["version"].get("findings", [])[:5]) or "no finding"
