"""Chapter 10: SMS are sent by SendCloud's own API; carriers report, people reply, and everything adds up to the fen."""

import hmac
import json
import re
import time
from typing import Any
from urllib.parse import parse_qsl

from demo.browser import Browser
from demo.parties import DemoFailure, eventually
from demo.scene import Evidence, Scene, Step, require
from demo.sending import at_stage
from domain.money import MICRO_PER_FEN, show_unit, show_yuan
from domain.sendcloud_signing import sign

PLAIN, EMPTY, OFF, STOPS, EARLY, TWICE = "7001", "9001", "9002", "9033", "9023", "9021"
"""Last digits of numbers: what the sandbox's carriers make of them is in sandbox/README.md."""
ENDS = {
    PLAIN: "delivered", EMPTY: "bounced", OFF: "bounced", STOPS: "delivered", EARLY: "delivered", TWICE: "delivered",
}  # fmt: skip
_SEND = re.compile(r"/portal/sms-sends/([0-9a-f-]{36})")


class Texting:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.customer = scene.customer
        self._ids: list[str] = []
        self._before: dict[str, Any] = {}
        self._test = ""
        self._list: dict[str, Any] = {}

    @property
    def steps(self) -> list[Step]:
        return [
            Step("SMS test send: free 免费测试发送", self.test),
            Step("SMS by SendCloud's API 用 SendCloud 接口发短信", self.send),
            Step("SMS receipts: every number has an outcome 短信回执", self.receipts, looks=True),
            Step("Handsets: each text once 手机", self.handsets, looks=True),
            Step("Interception list: no such number 拦截列表", self.intercepted, looks=True),
            Step("A reply says 退订: no more marketing 短信退订", self.opted_out, looks=True),
            Step("SMSHook: signed events 短信事件", self.events, looks=True),
            Step("Scheduled task to a contact list 定时任务", self.task),
            Step("SMS charged to the fen 短信扣费", self.charged, looks=True),
            Step("Onboarding: SMS is done 短信接入完成", self.onboarding, looks=True),
        ]

    def phone(self, ending: str) -> str:
        """A number of this play: what failed for good in an earlier one is blocked for everybody."""
        return f"139{int(self.customer.tag, 16) % 10_000:04d}{ending}"

    async def test(self) -> Evidence:
        """The quick one, at the portal; it needs no template and costs nothing."""
        self._before = self._before or await self._balance()
        browser = Browser(self._scene.places.api)
        try:
            await browser.sign_in(self.customer.email, self.customer.password)
            fields = {"way": "quick", "quick_phone": self.phone(PLAIN)}
            answer = await browser.submit("/portal/sms-test", "/portal/sms-test", fields)
        finally:
            await browser.close()
        found = _SEND.search(answer.headers.get("location", ""))
        send = found[1] if found else await self._tested()
        if send is None:
            raise DemoFailure(f"POST /portal/sms-test: HTTP {answer.status_code}")
        self._test = send
        return f"{self.phone(PLAIN)[:3]}****{PLAIN}: {(await self._sent(send))['text'][:14]}…"

    async def _tested(self) -> str | None:
        """An earlier try's, whose answer was lost."""
        items = (await self._scene.api.json("GET", "/v1/sms"))["items"]
        return next((str(one["id"]) for one in items if one["is_test"]), None)

    async def send(self) -> Evidence:
        """`/smsapi/sendx`, signed with the SMS user's key as SendCloud's clients do; a repeat counts once."""
        tos = [{"phone": self.phone(end), "vars": {"%name%": "演示", "%order%": f"A-{end}"}} for end in ENDS]
        fields = {
            "smsUser": self.customer.sms_user, "templateId": self.customer.sms_templates["notice"], "msgType": "0",
            "tos": json.dumps(tos), "tag": '{"demo":"' + self.customer.tag + '"}',
            "sendRequestId": f"demo-{self.customer.tag}",
        }  # fmt: skip
        answer = await self._call("sendx", fields)
        require(answer["statusCode"] == 200, f"/smsapi/sendx: {answer['statusCode']} {answer['message']}")
        self._ids = answer["info"]["smsIds"]
        return f"{answer['info']['successCount']} accepted, {self._ids[0].partition('$')[0]}$…"

    async def _call(self, path: str, fields: dict[str, str]) -> dict[str, Any]:
        stamped = fields | {"timestamp": str(int(time.time() * 1000))}
        signature = sign(self.customer.sms_key, stamped, "sha256")
        answer: dict[str, Any] = await self._scene.api.json(
            "POST", f"/smsapi/{path}", data=stamped | {"signature": signature}
        )
        return answer

    async def receipts(self) -> Evidence:
        """Early, twice, or saying why not: what carriers report decides, once."""

        async def reported() -> dict[str, int] | None:
            fields = {"smsUser": self.customer.sms_user, "smsIds": ";".join(self._ids)}
            rows = (await self._call("status/query", fields))["info"]["voList"]
            ended = {row["receiver"][-4:]: row["statusCode"] for row in rows if row["statusCode"]}
            return ended if len(ended) == len(ENDS) else None

        codes = await eventually(reported, "a receipt of every number", every=0.5)
        wrong = [end for end, state in ENDS.items() if (codes[end] == 200) is not (state == "delivered")]
        require(not wrong, f"numbers that ended otherwise than they should: {', '.join(wrong)}")
        require(codes[EMPTY] == 500 and codes[OFF] == 580, f"the codes are {codes[EMPTY]} and {codes[OFF]}")
        delivered = sum(code == 200 for code in codes.values())
        return f"{delivered} delivered, 500 empty number, 580 switched off"

    async def handsets(self) -> Evidence:
        """What the handsets show says the same as what Songda says: one text each, signature in front."""
        for end in (PLAIN, TWICE, EARLY):
            texts = [one["content"] for one in await self._handset(end) if f"A-{end}" in one["content"]]
            require(len(texts) == 1, f"{len(texts)} texts on the handset …{end}, not 1")
        return texts[0]

    async def _handset(self, end: str) -> list[dict[str, Any]]:
        found = await self._scene.internet.http.json("GET", "/handsets/messages", params={"to": self.phone(end)})
        return list(found["messages"])

    async def intercepted(self) -> Evidence:
        """Blocked for everybody for 30 days; a number that was only switched off is listed and blocks nothing."""

        async def listed() -> dict[str, dict[str, Any]] | None:
            items = (await self._scene.api.json("GET", "/v1/sms/interceptions"))["items"]
            found = {one["phone"][-4:]: one for one in items}
            return found if {EMPTY, OFF} <= found.keys() else None

        rows = await eventually(listed, "the failed numbers to be listed")
        require(rows[EMPTY]["scope"] == "global", f"the empty number is blocked {rows[EMPTY]['scope']}")
        require(rows[OFF]["until"] is None, "a handset that was switched off is blocked")
        answer = await self._scene.api.send("POST", "/v1/sms", json=self._to(EMPTY, "notice"))
        require(answer.status_code == 422, f"a text to the empty number: HTTP {answer.status_code}, not 422")
        return f"…{EMPTY} global until {rows[EMPTY]['until'][:10]}; …{OFF} listed only. {answer.json()['detail']}"

    def _to(self, end: str, kind: str) -> dict[str, Any]:
        one = {"phone": self.phone(end), "variables": {"name": "演示", "order": "A-2"}}
        template = self.customer.sms_templates[kind]
        return {"sms_user": self.customer.sms_user, "template": template, "recipients": [one]}

    async def opted_out(self) -> Evidence:
        """The handset's owner answered; from that moment marketing does not reach it, notices still do."""

        async def replied() -> dict[str, Any] | None:
            items = (await self._scene.api.json("GET", "/v1/sms/replies"))["items"]
            return next((one for one in items if one["phone"].endswith(STOPS)), None)

        reply = await eventually(replied, "the reply of the handset")
        require(reply["is_opt_out"], f"“{reply['content']}” did not opt out")
        answer = await self._scene.api.send("POST", "/v1/sms", json=self._to(STOPS, "marketing"))
        require(answer.status_code == 422, f"marketing to who opted out: HTTP {answer.status_code}, not 422")
        return f"“{reply['content']}”: {answer.json()['detail']}"

    async def events(self) -> Evidence:
        """Every event of SMSHook, its signature checked as SendCloud's receivers do."""
        wanted = {"request", "deliver", "delivererror", "reply"}
        heard: set[str] = set()
        after = 0

        async def look() -> bool | None:
            nonlocal after
            for request in await self._scene.internet.caught(self.customer.sms_hook, after):
                after = max(after, request["id"])
                heard.add(self._verified(request)["event"])
            return True if wanted <= heard else None

        await eventually(look, f"the events {', '.join(sorted(wanted))}", every=0.3, moving=lambda: after)
        return ", ".join(sorted(heard))

    def _verified(self, request: dict[str, Any]) -> dict[str, str]:
        form = dict(parse_qsl(request["body"], keep_blank_values=True))
        if "event" not in form:
            return form | {"event": "ping"}
        key = self.customer.sms_hook_secret.encode()
        right = hmac.new(key, f"{form['timestamp']}{form['token']}".encode(), "sha256").hexdigest()
        require(hmac.compare_digest(right, form["signature"]), f"the event {form['event']} is signed wrongly")
        return form

    async def task(self) -> Evidence:
        """Template, contact list, time: it begins by itself, in a process that operators see."""
        fields = {"smsUser": self.customer.sms_user, "contactListName": f"demo {self.customer.tag}"}
        await self._filled(fields)
        task = await self._created(fields)
        asked = {"smsUser": self.customer.sms_user, "taskId": str(task["taskId"])}

        async def done() -> dict[str, Any] | None:
            now: dict[str, Any] = (await self._call("queryContactListTask", asked))["info"]["smsTask"]
            return now if now["endTime"] else None

        ended = await eventually(done, "the scheduled task to end", every=0.5)
        texts = await eventually(lambda: self._arrived("7002"), "its text on the handset", every=0.5)
        said = texts[0]["content"][:16]
        return f"task {ended['taskId']}: {ended['status']}, {ended['memberCount']} contacts; {said}…"

    async def _filled(self, fields: dict[str, str]) -> None:
        """The list and its two contacts; what an earlier try made stays."""
        await self._call("smsContactList/save", fields | {"description": "demo"})
        for end in ("7002", "7003"):
            values = json.dumps({"name": "演示", "order": "B-1"})
            person = fields | {"phone": self.phone(end), "userName": "演示", "vars": values}
            answer = await self._call("smsContactListMember/saveOrUpdate", person)
            require(answer["statusCode"] == 200, f"saveOrUpdate: {answer['statusCode']} {answer['message']}")

    async def _created(self, fields: dict[str, str]) -> dict[str, Any]:
        asked = fields | {
            "taskName": f"demo {self.customer.tag}", "senderName": self.customer.sms_user,
            "templateId": self.customer.sms_templates["notice"],
        }  # fmt: skip
        answer = await self._call("sendContactListTask", asked)
        require(answer["statusCode"] == 200, f"sendContactListTask: {answer['statusCode']} {answer['message']}")
        made: dict[str, Any] = answer["info"]["smsTask"]
        return made

    async def _arrived(self, end: str) -> list[dict[str, Any]] | None:
        return [one for one in await self._handset(end) if "B-1" in one["content"]] or None

    async def _balance(self) -> dict[str, Any]:
        found: dict[str, Any] = await self._scene.api.json("GET", "/v1/balance")
        return found

    async def _sent(self, send: str) -> dict[str, Any]:
        found: dict[str, Any] = await self._scene.api.json("GET", f"/v1/sms/{send}")
        return found

    async def charged(self) -> Evidence:
        """Per segment that a carrier took: delivered or not. The test cost nothing."""

        async def settled() -> dict[str, Any] | None:
            now = await self._balance()
            return now if now["held_micro"] == 0 else None

        after = await eventually(settled, "every hold to be settled")
        sends = (await self._scene.api.json("GET", "/v1/sms"))["items"]
        units = {one["id"]: one["unit_micro"] for one in sends}
        require(units[self._test] is None, "the test send has a price")
        segments = micro = 0
        for send, unit in units.items():
            messages = (await self._scene.api.json("GET", f"/v1/sms/{send}/messages"))["items"]
            taken = sum(one["submitted"] for one in messages)
            segments, micro = segments + taken * bool(unit), micro + taken * (unit or 0)
        fell = self._before["balance_fen"] - after["balance_fen"]
        require(
            abs(fell * MICRO_PER_FEN - micro) < MICRO_PER_FEN, f"the balance fell by {fell} fen, not {show_unit(micro)}"
        )
        return f"{segments} segments = {show_unit(micro)}; balance {show_yuan(after['balance_fen'])}"

    async def onboarding(self) -> Evidence:
        now = await at_stage(self._scene, "done")
        require(now["sms_stage"] == "sms_done", f"the SMS track is at {now['sms_stage']}, not sms_done")
        return "both tracks are done"
