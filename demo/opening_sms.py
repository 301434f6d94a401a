"""Chapter 9: SMS is opened: an SMS user, a signature, templates, each refused before its turn and reviewed."""

from typing import Any

from demo.parties import DemoFailure, eventually, words_of
from demo.scene import Evidence, Scene, Step, require
from domain.reviews import Decision, ReviewDecision

OBJECTION = "请写明是谁的订单。Say whose order it is."
TEXTS = {
    "notice": ("demo-notice", "您好%name%，您在青木商店的订单%order%已发货。"),
    "marketing": ("demo-marketing", "青木商店秋季新品八折，欢迎选购。拒收请回复R"),
}
"""By kind: the template's name and its text."""
FIRST_TRY = "您的订单%order%已发货。"


class OpeningSms:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.customer = scene.customer

    @property
    def steps(self) -> list[Step]:
        return [
            Step("SMS is refused before its user 未建 SMS_USER 不能发短信", self.too_early, looks=True),
            Step("SMS user and its key 创建 SMS_USER", self.user),
            Step("SMS signature: approved 短信签名", self.signature),
            Step("SMS template: rejected with a reason 短信模板被拒", self.rejected),
            Step("SMS templates: approved within the hour 短信模板通过", self.approved),
            Step("SMSHook 短信事件回调", self.hook),
        ]

    async def too_early(self) -> Evidence:
        """Certified and paid; the refusal names the step that comes next."""
        body = {"sms_user": "nobody", "template": "1", "recipients": [{"phone": "13800138000"}]}
        answer = await self._scene.api.send("POST", "/v1/sms", json=body)
        problem = answer.json()
        require(answer.status_code == 409, f"POST /v1/sms answered {answer.status_code}, not 409")
        require(problem["code"] == "step_missing", f"the refusal is {problem['code']}, not step_missing")
        return f"{problem['detail']} {problem['next_step']}"

    async def user(self) -> Evidence:
        who = self.customer
        row, made = await self._scene.make("/v1/sms-users", ("name", who.sms_user), {"name": who.sms_user})
        if not made:  # the key is shown once, and that answer was lost
            row = await self._scene.api.json("POST", f"/v1/sms-users/{row['id']}/key")
        who.sms_key = row["key"]
        return f"{who.sms_user}, key {who.sms_key[:8]}… shown once"

    async def signature(self) -> Evidence:
        """A company's own name, which its certification proves."""
        body = {"text": "青木商店", "source": "company", "note": "公司简称"}
        row, _ = await self._scene.make("/v1/sms-signatures", ("text", "青木商店"), body)
        path = f"/v1/sms-signatures/{row['id']}"
        await self._submitted(path, lambda seen: seen)
        row = await self._decided(path, lambda seen: seen, ReviewDecision(Decision.APPROVE))
        self.customer.sms_signature = str(row["number"])
        return f"【{row['text']}】 no. {row['number']}, {row['state']}"

    async def rejected(self) -> Evidence:
        """The first text misses something; the operator says what, in the Temporal UI."""
        path = await self._saved("notice", FIRST_TRY)
        version = (await self._submitted(path, _version))["workflow_id"]
        row = await self._decided(path, _version, ReviewDecision(Decision.REJECT, reason=OBJECTION))
        require(row["state"] == "rejected", f"the template is {row['state']}, not rejected")
        await self._scene.internet.mail(self.customer.email, "短信模板")
        return f"{version[:28]}…: {OBJECTION[:9]}"

    async def approved(self) -> Evidence:
        for kind, (_, content) in TEXTS.items():
            path = await self._saved(kind, content)
            await self._submitted(path, _version)
            row = await self._decided(path, _version, ReviewDecision(Decision.APPROVE))
            require(row["state"] == "approved", f"the template {kind} is {row['state']}, not approved")
            found = await self._scene.api.json("GET", path)
            self.customer.sms_templates[kind] = str(found["number"])
        due = row["due_at"][:16].replace("T", " ")
        return f"templates {', '.join(self.customer.sms_templates.values())}; the last was due {due} UTC"

    async def hook(self) -> Evidence:
        """SendCloud's own form, at an endpoint of its own."""
        url = f"{self._scene.places.sandbox}/hooks/{self.customer.sms_hook}"
        events = ["sms_request", "sms_deliver", "sms_delivererror", "sms_reply"]
        body = {"url": url, "events": events, "format": "sendcloud"}
        row, made = await self._scene.make("/v1/webhooks", ("url", url), body)
        if not made:
            row = await self._scene.api.json("POST", f"/v1/webhooks/{row['id']}/secret")
        self.customer.sms_hook_secret = row["secret"]
        return url

    async def _saved(self, kind: str, content: str) -> str:
        """The template's path, its latest text being this one."""
        name = TEXTS[kind][0]
        body = {"name": name, "kind": kind, "signature": self.customer.sms_signature, "content": content}
        row, made = await self._scene.make("/v1/sms-templates", ("name", name), body)
        path = f"/v1/sms-templates/{row['id']}"
        latest = _version(row)
        if not made and latest["content"] != content and latest["state"] != "submitted":
            await self._scene.api.json("PUT", path, json=body)
        return path

    async def _submitted(self, path: str, of: Any) -> dict[str, Any]:
        """What waits for its review, or was decided already."""
        if of(await self._scene.api.json("GET", path))["state"] == "draft":
            answer = await self._scene.api.send("POST", f"{path}/submit")
            row: dict[str, Any] = of(await self._scene.api.json("GET", path))
            if row["state"] == "draft":
                raise DemoFailure(f"POST {path}/submit: {words_of(answer)}")
        found: dict[str, Any] = of(await self._scene.api.json("GET", path))
        return found

    async def _decided(self, path: str, of: Any, decision: ReviewDecision) -> dict[str, Any]:
        """The operator's update in Temporal; then the customer sees the decision."""
        row = of(await self._scene.api.json("GET", path))
        if row["state"] == "submitted":
            await self._scene.operator.decide(row["workflow_id"], decision)

        async def decided() -> dict[str, Any] | None:
            now: dict[str, Any] = of(await self._scene.api.json("GET", path))
            return now if now["state"] in ("approved", "rejected") else None

        return await eventually(decided, f"{path} to be decided")


def _version(template: dict[str, Any]) -> dict[str, Any]:
    """The latest version of a template as `/v1` shows it."""
    version: dict[str, Any] = template["version"]
    return version
