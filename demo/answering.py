"""Chapter 8: mails handed over by SMTP, and what the world answers later: a bounce and a complaint."""

import json
from base64 import b64encode
from email.message import EmailMessage
from typing import Any

import aiosmtplib

from demo.outcomes import Outcomes
from demo.parties import DemoFailure, eventually
from demo.scene import Evidence, Scene, Step, require
from domain.sendcloud import submission_of

BOUNCES, COMPLAINS, TAKES = "latebounce@gmail.com", "complain@qq.com", "zhang.san@163.com"
"""Magic local parts of the sandbox (sandbox/README.md), and somebody who is content."""


class Answering:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.customer = scene.customer
        self._outcomes = Outcomes(scene)
        self._send = ""

    @property
    def steps(self) -> list[Step]:
        return [
            Step("SMTP submission: queued 用 SMTP 提交", self.submit),
            Step("A bounce comes later: corrected 退信更正结果", self.bounce, looks=True),
            Step("A complaint: never again 投诉后停发", self.complaint, looks=True),
            Step("Webhook: both heard 事件回调", self.events, looks=True),
        ]

    async def submit(self) -> Evidence:
        """As any SMTP client does it: the letter with its variables, and the values in X-SMTPAPI."""
        reply = await eventually(self._hand_over, "the SMTP door to take the mail", every=0.5)
        send = submission_of(reply.split("#")[1]) if reply.count("#") == 2 else None
        if send is None:
            raise DemoFailure(f"the door answered {reply}")
        self._send = str(send)
        return f"250 {reply}"

    async def _hand_over(self) -> str | None:
        host, _, port = self._scene.places.submission.partition(":")
        client = aiosmtplib.SMTP(hostname=host, port=int(port), timeout=20, start_tls=None)
        try:
            await client.connect()
            await client.login(self.customer.api_user, self.customer.key)
            _, reply = await client.send_message(self._mail())
            await client.quit()
        except aiosmtplib.SMTPResponseException as refusal:
            if refusal.code >= 500:
                raise DemoFailure(f"the SMTP door says {refusal.code} {refusal.message}") from None
            return None
        except (aiosmtplib.SMTPException, OSError):
            return None
        finally:
            client.close()
        return reply

    def _mail(self) -> EmailMessage:
        to = [BOUNCES, COMPLAINS, TAKES]
        values = {f"%{name}%": ["演示"] * len(to) for name in self.customer.variables}
        mail = EmailMessage()
        mail["From"] = f"hello@{self.customer.domain}"
        mail["To"] = TAKES
        mail["Subject"] = self._scene.material.subject
        mail["X-SMTPAPI"] = b64encode(json.dumps({"to": to, "sub": values}).encode()).decode()
        mail.set_content(self._scene.material.html, subtype="html")
        return mail

    async def bounce(self) -> Evidence:
        """Delivered, said the receiver's server; minutes later it says that there is no such mailbox."""
        message = await eventually(lambda: self._message(BOUNCES, "bounced"), "the late bounce to arrive", every=0.3)
        return f"{BOUNCES}: delivered, then bounced, {message['reason']}"

    async def _message(self, address: str, outcome: str) -> dict[str, Any] | None:
        items = (await self._scene.api.json("GET", f"/v1/sends/{self._send}/messages"))["items"]
        return next((one for one in items if one["address"] == address and one["outcome"] == outcome), None)

    async def complaint(self) -> Evidence:
        """The recipient pressed "spam": the feedback loop says so, and the address is suppressed."""
        entry = await eventually(self._suppressed, "the complaint to arrive", every=0.3)
        require(entry["reason"] == "complaint", f"{COMPLAINS} is suppressed for {entry['reason']}")
        return f"{COMPLAINS} gets nothing from this account until {entry['until'][:10]}"

    async def _suppressed(self) -> dict[str, Any] | None:
        items = (await self._scene.api.json("GET", "/v1/suppressions"))["items"]
        return next((one for one in items if one["address"] == COMPLAINS), None)

    async def events(self) -> Evidence:
        await self._outcomes.hear({"invalid"}, {BOUNCES})
        await self._outcomes.hear({"report_spam"}, {COMPLAINS})
        return "invalid, report_spam"
