"""Chapter 3: the first send, as large as the free quota allows, followed to each recipient's outcome."""

from typing import Any

import httpx2

from demo.outcomes import Outcomes
from demo.parties import DemoFailure, Http, eventually, words_of
from demo.scene import Evidence, Scene, Step, require
from domain.addresses import domain_of
from domain.errors import Refusal
from domain.recipients import ParsedRecipients, parse_csv
from domain.refusals import explain


class Sending:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.customer = scene.customer
        self._outcomes = Outcomes(scene)

    @property
    def steps(self) -> list[Step]:
        return [
            Step("First send: accepted 首次发送", self.send),
            Step("Every recipient has an outcome 投递结果", self._outcomes.deliveries),
            Step("Mailboxes: arrived, DKIM pass 收件箱", self._outcomes.mailboxes, looks=True),
            Step("Webhook: every outcome heard 事件回调", self._outcomes.events, looks=True),
            Step("Onboarding: certification comes next 接入流程", self.onboarding, looks=True),
        ]

    async def send(self) -> Evidence:
        """The file as it is; when the free quota is too small for it, as many of its recipients as fit."""
        await at_stage(self._scene, "send")  # with the approved template the free quota has grown to its whole
        parsed = await self._open_mailboxes()
        self.customer.mails_before = self.customer.mails_before or await self._scene.internet.newest()
        answer = await self._upload()
        if parsed is not None and answer.status_code == 429 and answer.json()["code"] == "quota_exceeded":
            return await self._send_what_fits(parsed)
        if answer.status_code >= 400:
            raise DemoFailure(f"POST /v1/sends/upload: {words_of(answer)}")
        self.customer.send = sent = answer.json()
        left_out = "".join(f"\nline {one['line']}: {one['detail']}" for one in sent["rejections"][:5])
        return f"{sent['accepted']} accepted, {sent['duplicates']} repeated, {sent['rejected']} left out{left_out}"

    async def _upload(self) -> httpx2.Response:
        """By the API user's key; bad lines are left out and reported."""
        form = {**envelope(self._scene, "demo"), "skip_invalid": "true"}
        file = {"file": ("recipients.csv", self._scene.material.recipients, "text/csv")}
        api = Http(self._scene.places.api)
        api.carry(self.customer.key)
        try:
            return await api.send("POST", "/v1/sends/upload", data=form, files=file, headers=self._scene.once("send"))
        finally:
            await api.close()

    async def _send_what_fits(self, parsed: ParsedRecipients) -> Evidence:
        """The others are kept for the paid send."""
        quota = (await self._scene.api.json("GET", "/v1/balance"))["free_quota"]
        people = [{"address": one.address, "variables": dict(one.variables)} for one in parsed.recipients]
        first, rest = people[: quota["limit"]], people[quota["limit"] :]
        self.customer.send = sent = await send_json(self._scene, first, "free")
        self.customer.rest = rest
        return (
            f"{sent['accepted']} accepted: the free quota is {quota['limit']} a day; the other {len(rest)} follow "
            f"with the paid send; {parsed.duplicates} repeated, {len(parsed.problems)} left out{_named(parsed)}"
        )

    async def _open_mailboxes(self) -> ParsedRecipients | None:
        """Domains that the sandbox does not know get their mail at the company's server."""
        known = await self._scene.internet.mail_domains()
        try:
            parsed = parse_csv(self._scene.material.recipients)
        except Refusal:
            return None  # the API says what is wrong with the file
        for domain in sorted({domain_of(one.address) for one in parsed.recipients} - known):
            await self._scene.internet.publish(domain, "MX", "10 mail.company.example")
        return parsed

    async def onboarding(self) -> Evidence:
        """Registered, domain, API user, template and first send are done."""
        now = await at_stage(self._scene, "certify")
        text = next(step["missing"]["text"] for step in now["email"] if step["step"] == "certify")
        return f"{now['workflow_id'][:24]}… at “{now['stage']}”: {text}"


def _named(parsed: ParsedRecipients) -> str:
    """The first lines that were left out, each with what is wrong."""
    return "".join(f"\nline {one.line}: {explain(one.refusal(), 'en')[1]}" for one in parsed.problems[:5])


def envelope(scene: Scene, label: str) -> dict[str, str]:
    """Template, sender and label of a send."""
    return {
        "template": "demo-letter", "from": f"hello@{scene.customer.domain}", "from_name": scene.customer.name,
        "label": label,
    }  # fmt: skip


async def send_json(scene: Scene, people: list[dict[str, Any]], what: str) -> dict[str, Any]:
    """One request by the API user's key; a repeat answers what the first try did."""
    api = Http(scene.places.api)
    api.carry(scene.customer.key)
    body = {**envelope(scene, what), "recipients": people, "skip_invalid": True}
    try:
        sent: dict[str, Any] = await api.json("POST", "/v1/sends", json=body, headers=scene.once(what))
    finally:
        await api.close()
    return sent


async def at_stage(scene: Scene, stage: str) -> dict[str, Any]:
    """The path, once the onboarding process has written this stage."""
    latest: dict[str, Any] = {}

    async def arrived() -> dict[str, Any] | None:
        nonlocal latest
        latest = await scene.api.json("GET", "/v1/onboarding")
        return latest if latest["recorded_stage"] == stage else None

    try:
        now = await eventually(arrived, f"the onboarding process to reach “{stage}”")
    except DemoFailure as failure:
        raise DemoFailure(f"{failure}; it is at “{latest.get('recorded_stage')}”") from failure
    require(now["stage"] == stage, f"the facts say “{now['stage']}”, not “{stage}”")
    return now
