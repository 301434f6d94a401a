"""The demo's story: one customer and one operator, from registration to the last recipient's outcome.

Each step is a method that returns its evidence, or raises `DemoFailure`. Every step can be repeated after a fault:
it looks before it creates.
"""

import json
import re
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from demo.parties import DemoFailure, Http, Internet, Operator, Places, eventually, words_of
from domain.addresses import domain_of
from domain.errors import Refusal
from domain.recipients import parse_csv
from domain.reviews import Decision, ReviewDecision

Evidence = str
BOUNCES_BY_DESIGN = re.compile(r"(unknown|nouser|full|blocked)(?=$|[-._+\d])", re.IGNORECASE)
"""Magic local parts of the sandbox that refuse for good (sandbox/README.md)."""
_TOKEN = re.compile(r"/confirm\?token=([\w.-]+)")
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


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
    """The newest mail's number when the send was made: what is older is not ours."""
    send: dict[str, Any] = field(default_factory=dict)
    accepted: dict[str, str] = field(default_factory=dict)
    """State of each accepted recipient, by address."""

    @property
    def email(self) -> str:
        return f"founder-{self.tag}@company.example"

    @property
    def domain(self) -> str:
        return f"mail.shop-{self.tag}.example"

    @property
    def api_user(self) -> str:
        return f"shop_{self.tag}"


Watch = Callable[[Counter[str], int], None]
"""Told of outcomes so far and of the number accepted."""


class Story:
    """`steps` in order; call each. `watch` follows the deliveries."""

    def __init__(self, places: Places, material: Material, watch: Watch = lambda counts, total: None) -> None:
        self.customer = Customer()
        self._places = places
        self._material = material
        self._watch = watch
        self._api = Http(places.api)
        self._internet = Internet(places.sandbox)
        self._operator = Operator(places.temporal)

    @property
    def steps(self) -> list[tuple[str, Callable[[], Awaitable[Evidence]]]]:
        return [
            ("Register 注册", self.register),
            ("Confirm the e-mail address 确认邮箱", self.confirm),
            ("Sign in 登录", self.sign_in),
            ("Test send to oneself 测试发送", self.test_send),
            ("Sender domain: publish and verify 发信域名", self.domain),
            ("API user API_USER", self.api_user),
            ("Webhook endpoint WebHook", self.webhook),
            ("Template: rejected with a reason 模板被拒", self.rejected_template),
            ("Template: corrected and approved 模板通过", self.approved_template),
            ("First send: accepted 首次发送", self.send),
            ("Every recipient has an outcome 投递结果", self.deliveries),
            ("Mailboxes: arrived, DKIM pass 收件箱", self.mailboxes),
            ("Webhook: every outcome heard 事件回调", self.events),
            ("Onboarding shows the path 接入流程", self.onboarding),
        ]

    async def close(self) -> None:
        await self._api.close()
        await self._internet.http.close()

    async def register(self) -> Evidence:
        who = self.customer
        body = {"name": who.name, "email": who.email, "password": who.password, "language": "zh"}
        answer = await self._api.json("POST", "/v1/registrations", json=body)
        return str(answer["workflow_id"])

    async def confirm(self) -> Evidence:
        mail = await self._internet.mail(self.customer.email, "确认")
        require(mail["dkim"] == "pass", f"the confirmation mail's DKIM result is {mail['dkim']}")
        token = _TOKEN.search(mail["html"] or mail["text"])
        if token is None:
            raise DemoFailure("the confirmation mail holds no link")
        await self._api.json("POST", "/v1/registrations/confirm", json={"token": token[1]})
        return f"mail to {self.customer.email}, DKIM pass"

    async def sign_in(self) -> Evidence:
        body = {"email": self.customer.email, "password": self.customer.password}
        answer = await self._api.json("POST", "/v1/sessions", json=body)
        self._api.carry(answer["token"])
        return f"session until {answer['expires_at'][:10]}"

    async def test_send(self) -> Evidence:
        """With what came with the account: test API user, test domain, sample template."""
        users = (await self._api.json("GET", "/v1/api-users"))["items"]
        templates = (await self._api.json("GET", "/v1/templates"))["items"]
        user = next(one for one in users if one["is_test"])
        template = next(one for one in templates if one["is_sample"])
        values = dict.fromkeys(template["version"]["variables"], self.customer.name)
        body = {
            "api_user": user["name"], "template": template["invoke_name"],
            "from": f"test@{user['domains'][0]['name']}",
            "recipients": [{"address": self.customer.email, "variables": values}],
        }  # fmt: skip
        sent = await self._api.json("POST", "/v1/sends", json=body, headers=self._once("test"))
        subject = template["version"]["subject"].partition("%")[0].strip()
        mail = await self._internet.mail(self.customer.email, subject)
        require(mail["dkim"] == "pass", f"the test mail's DKIM result is {mail['dkim']}")
        return f"send {sent['id'][:13]}…, arrived, DKIM pass"

    async def domain(self) -> Evidence:
        """Add it, publish every record that the answer names, look until it is usable."""
        name = self.customer.domain
        row, _ = await self._make("/v1/domains", ("name", name), {"name": name})
        self.customer.domain_id = row["id"]
        path = f"/v1/domains/{row['id']}"
        records = (await self._api.json("GET", path))["records"]
        for record in records:
            await self._internet.publish(record["name"], record["type"], record["value"])
        await self._api.send("POST", f"{path}/check")

        async def usable() -> dict[str, Any] | None:
            now: dict[str, Any] = await self._api.json("GET", path)
            return now if now["state"] == "usable" else None

        await eventually(usable, f"{self.customer.domain} to be usable")
        return f"{self.customer.domain}, {len(records)} records published"

    async def api_user(self) -> Evidence:
        """A key that was lost in a fault cannot be had back: then it is reset."""
        who = self.customer
        body = {"name": who.api_user, "kind": "batch", "domain_ids": [who.domain_id]}
        row, made = await self._make("/v1/api-users", ("name", who.api_user), body)
        if not made:
            row = await self._api.json("POST", f"/v1/api-users/{row['id']}/key")
        who.key = row["key"]
        return f"{who.api_user}, key {who.key[:6]}… shown once"

    async def webhook(self) -> Evidence:
        url = f"{self._places.sandbox}/hooks/{self.customer.tag}"
        body = {"url": url, "events": ["request", "deliver", "invalid", "soft_bounce"]}
        row, made = await self._make("/v1/webhooks", ("url", url), body)
        if not made:  # the secret is shown once, and that answer was lost
            row = await self._api.json("POST", f"/v1/webhooks/{row['id']}/secret")
        self.customer.webhook_secret = row["secret"]
        return url

    async def rejected_template(self) -> Evidence:
        """The first version misses something; the operator says what."""
        await self._save_template("<p>TODO</p>")
        version = await self._submitted()
        reason = "正文未完成，请补充内容。The text is unfinished: complete it."
        await self._decide(version, ReviewDecision(Decision.REJECT, reason=reason))
        await self._internet.mail(self.customer.email, "模板")
        return f"{version['workflow_id'][:24]}…: {reason[:9]}"

    async def approved_template(self) -> Evidence:
        await self._save_template(self._material.html)
        version = await self._submitted()
        await self._decide(version, ReviewDecision(Decision.APPROVE))
        return f"version {version['number']}, variables: {', '.join(version['variables']) or 'none'}"

    async def _save_template(self, html: str) -> None:
        content = {"subject": self._material.subject, "html": html, "name": "Demo letter"}
        found = await self._api.send("GET", "/v1/templates/demo-letter")
        if found.status_code == 404:
            body = {**content, "invoke_name": "demo-letter", "kind": "batch"}
            await self._make("/v1/templates", ("invoke_name", "demo-letter"), body)
        elif found.json()["version"]["state"] != "submitted":
            await self._api.json("PUT", "/v1/templates/demo-letter", json=content)

    async def _submitted(self) -> dict[str, Any]:
        """The latest version, submitted."""
        row = await self._api.json("GET", "/v1/templates/demo-letter")
        if row["version"]["state"] == "draft":
            await self._api.send("POST", "/v1/templates/demo-letter/submit")
            row = await self._api.json("GET", "/v1/templates/demo-letter")
        version: dict[str, Any] = row["version"]
        require(version["state"] != "draft", f"version {version['number']} could not be submitted: {findings(row)}")
        return version

    async def _decide(self, version: dict[str, Any], decision: ReviewDecision) -> None:
        """The operator's update in Temporal; then the customer sees the decision."""
        if version["state"] == "submitted":
            await self._operator.decide(version["workflow_id"], decision)
        path = f"/v1/templates/demo-letter/versions/{version['number']}"
        wanted = "approved" if decision.decision is Decision.APPROVE else "rejected"

        async def decided() -> str | None:
            state = str((await self._api.json("GET", path))["state"])
            return state if state in ("approved", "rejected") else None

        state = await eventually(decided, f"version {version['number']} to be decided")
        require(state == wanted, f"version {version['number']} is {state}, not {wanted}")

    async def send(self) -> Evidence:
        """By the API user's key, from the file as it is; bad lines are left out and reported."""
        await self._open_mailboxes()
        self.customer.mails_before = self.customer.mails_before or await self._internet.newest()
        api = Http(self._places.api)
        api.carry(self.customer.key)
        form = {
            "template": "demo-letter", "from": f"hello@{self.customer.domain}", "from_name": self.customer.name,
            "label": "demo", "skip_invalid": "true",
        }  # fmt: skip
        file = {"file": ("recipients.csv", self._material.recipients, "text/csv")}
        try:
            sent = await api.json("POST", "/v1/sends/upload", data=form, files=file, headers=self._once("send"))
        finally:
            await api.close()
        self.customer.send = sent
        left_out = "".join(f"\nline {one['line']}: {one['detail']}" for one in sent["rejections"][:5])
        return f"{sent['accepted']} accepted, {sent['duplicates']} repeated, {sent['rejected']} left out{left_out}"

    async def _open_mailboxes(self) -> None:
        """Domains that the sandbox does not know get their mail at the company's server."""
        known = await self._internet.mail_domains()
        try:
            recipients = parse_csv(self._material.recipients).recipients
        except Refusal:
            return  # the API says what is wrong with the file
        for domain in sorted({domain_of(one.address) for one in recipients} - known):
            await self._internet.publish(domain, "MX", "10 mail.company.example")

    async def deliveries(self) -> Evidence:
        path = f"/v1/sends/{self.customer.send['id']}"

        async def settled() -> Counter[str] | None:
            now = await self._api.json("GET", path)
            counts = Counter(now["outcomes"])
            self._watch(counts, now["recipients"])
            return counts if not counts["queued"] + counts["deferred"] else None

        try:
            counts = await eventually(settled, "every recipient to have an outcome", every=0.3)
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
            page = await self._api.json("GET", f"{path}/messages", params=params)
            for message in page["items"]:
                yield message
            cursor = page["next_cursor"]
            if cursor is None:
                return

    async def mailboxes(self) -> Evidence:
        """What the receivers hold says the same as what Songda says."""
        counts = await self._internet.count(self.customer.mails_before)
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
        wanted = {a for a, state in self.customer.accepted.items() if state in ("delivered", "bounced")}
        heard: set[str] = set()
        seen, after = 0, 0

        async def look() -> bool | None:
            nonlocal after, seen
            for request in await self._internet.caught(self.customer.tag, after):
                after, seen = max(after, request["id"]), seen + 1
                body = self._verified(request)
                if body["type"] in ("deliver", "invalid"):
                    heard.add(body["data"]["recipient"])
            return True if wanted <= heard else None

        await eventually(look, f"events of {len(wanted)} recipients", every=0.3)
        return f"{seen} signed requests, {len(heard & wanted)} recipients"

    def _verified(self, request: dict[str, Any]) -> dict[str, Any]:
        """The event, its signature checked as the customer's receiver does (Standard Webhooks)."""
        secret, headers = self.customer.webhook_secret, dict(request["headers"])
        try:
            Webhook(secret).verify(request["body"], headers)
        except WebhookVerificationError as error:
            raise DemoFailure(f"webhook {headers.get('webhook-id')}: {error}") from error
        event: dict[str, Any] = json.loads(request["body"])
        return event

    async def onboarding(self) -> Evidence:
        """Registered, domain, API user, template and first send are done; certification comes next."""

        async def arrived() -> dict[str, Any] | None:
            now: dict[str, Any] = await self._api.json("GET", "/v1/onboarding")
            return now if now["recorded_stage"] == "certify" else None

        now = await eventually(arrived, "the onboarding process to reach “certify”")
        return f"{now['workflow_id'][:24]}… at “{now['stage']}”"

    async def _make(self, path: str, named: tuple[str, str], body: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """(the row, whether this call made it): a try whose answer was lost may have made it already."""
        if found := await self._find(path, *named):
            return found, False
        answer = await self._api.send("POST", path, json=body)
        if answer.status_code < 400:
            return answer.json(), True
        if found := await self._find(path, *named):
            return found, False
        raise DemoFailure(f"POST {path}: {words_of(answer)}")

    async def _find(self, path: str, name: str, value: str) -> dict[str, Any] | None:
        """A row that an earlier try of this step may have made."""
        items: list[dict[str, Any]] = (await self._api.json("GET", path))["items"]
        return next((one for one in items if one[name] == value), None)

    def _once(self, what: str) -> dict[str, str]:
        return {"Idempotency-Key": f"demo-{self.customer.tag}-{what}"}


def expected(address: str) -> str:
    """What the sandbox's manners make of an address."""
    return "bounced" if BOUNCES_BY_DESIGN.match(address.partition("@")[0]) else "delivered"


def findings(template: dict[str, Any]) -> str:
    """What the lint said of a draft."""
    return "; ".join(one["detail"] for one in template["version"].get("findings", [])[:5]) or "no finding"


def require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise DemoFailure(otherwise)
