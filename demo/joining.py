"""Chapter 1: from registration to a webhook: everything that must stand before a letter is written."""

import re
from typing import Any

from demo.parties import DemoFailure, eventually
from demo.scene import Evidence, Scene, Step, require

_TOKEN = re.compile(r"/confirm\?token=([\w.-]+)")


class Joining:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.customer = scene.customer

    @property
    def steps(self) -> list[Step]:
        return [
            Step("Register 注册", self.register),
            Step("Confirm the e-mail address 确认邮箱", self.confirm),
            Step("Sign in 登录", self.sign_in),
            Step("Test send to oneself 测试发送", self.test_send),
            Step("Sender domain: publish and verify 发信域名", self.domain),
            Step("API user API_USER", self.api_user),
            Step("Webhook endpoint WebHook", self.webhook),
        ]

    async def register(self) -> Evidence:
        who = self.customer
        body = {"name": who.name, "email": who.email, "password": who.password, "language": "zh"}
        answer = await self._scene.api.json("POST", "/v1/registrations", json=body)
        return str(answer["workflow_id"])

    async def confirm(self) -> Evidence:
        mail = await self._scene.internet.mail(self.customer.email, "确认")
        require(mail["dkim"] == "pass", f"the confirmation mail's DKIM result is {mail['dkim']}")
        token = _TOKEN.search(mail["html"] or mail["text"])
        if token is None:
            raise DemoFailure("the confirmation mail holds no link")
        await self._scene.api.json("POST", "/v1/registrations/confirm", json={"token": token[1]})
        return f"mail to {self.customer.email}, DKIM pass"

    async def sign_in(self) -> Evidence:
        body = {"email": self.customer.email, "password": self.customer.password}
        answer = await self._scene.api.json("POST", "/v1/sessions", json=body)
        self._scene.api.carry(answer["token"])
        return f"session until {answer['expires_at'][:10]}"

    async def test_send(self) -> Evidence:
        """With what came with the account: test API user, test domain, sample template."""
        users = (await self._scene.api.json("GET", "/v1/api-users"))["items"]
        templates = (await self._scene.api.json("GET", "/v1/templates"))["items"]
        user = next(one for one in users if one["is_test"])
        template = next(one for one in templates if one["is_sample"])
        values = dict.fromkeys(template["version"]["variables"], self.customer.name)
        body = {
            "api_user": user["name"], "template": template["invoke_name"],
            "from": f"test@{user['domains'][0]['name']}",
            "recipients": [{"address": self.customer.email, "variables": values}],
        }  # fmt: skip
        sent = await self._scene.api.json("POST", "/v1/sends", json=body, headers=self._scene.once("test"))
        subject = template["version"]["subject"].partition("%")[0].strip()
        mail = await self._scene.internet.mail(self.customer.email, subject)
        require(mail["dkim"] == "pass", f"the test mail's DKIM result is {mail['dkim']}")
        return f"send {sent['id'][:13]}…, arrived, DKIM pass"

    async def domain(self) -> Evidence:
        """Add it, publish every record that the answer names, look until it is usable."""
        name = self.customer.domain
        row, _ = await self._scene.make("/v1/domains", ("name", name), {"name": name})
        self.customer.domain_id = row["id"]
        path = f"/v1/domains/{row['id']}"
        records = (await self._scene.api.json("GET", path))["records"]
        for record in records:
            await self._scene.internet.publish(record["name"], record["type"], record["value"])
        await self._scene.api.send("POST", f"{path}/check")

        async def usable() -> dict[str, Any] | None:
            now: dict[str, Any] = await self._scene.api.json("GET", path)
            return now if now["state"] == "usable" else None

        await eventually(usable, f"{self.customer.domain} to be usable")
        return f"{self.customer.domain}, {len(records)} records published"

    async def api_user(self) -> Evidence:
        """A key that was lost in a fault cannot be had back: then it is reset."""
        who = self.customer
        body = {"name": who.api_user, "kind": "batch", "domain_ids": [who.domain_id]}
        row, made = await self._scene.make("/v1/api-users", ("name", who.api_user), body)
        if not made:
            row = await self._scene.api.json("POST", f"/v1/api-users/{row['id']}/key")
        who.key = row["key"]
        return f"{who.api_user}, key {who.key[:6]}… shown once"

    async def webhook(self) -> Evidence:
        url = f"{self._scene.places.sandbox}/hooks/{self.customer.tag}"
        body = {"url": url, "events": ["request", "deliver", "invalid", "soft_bounce", "report_spam"]}
        row, made = await self._scene.make("/v1/webhooks", ("url", url), body)
        if not made:  # the secret is shown once, and that answer was lost
            row = await self._scene.api.json("POST", f"/v1/webhooks/{row['id']}/secret")
        self.customer.webhook_secret = row["secret"]
        return url
