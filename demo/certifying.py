"""Chapter 5: the company is certified: handed in, one part rejected in the console, that part corrected, approved."""

from typing import Any

from demo.papers import IDENTITY, company_code, filing, licence
from demo.parties import DemoFailure, eventually, words_of
from demo.scene import Evidence, Scene, Step, require
from demo.sending import at_stage

OBJECTION = "营业执照照片太小，看不清。The picture of the licence is too small to be read."
ICP = "鄂ICP备2026012345号-1"


class Certifying:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.customer = scene.customer
        self._reviewer = scene.reviewer

    @property
    def steps(self) -> list[Step]:
        return [
            Step("Payment is refused before certification 未认证不能充值", self.too_early, looks=True),
            Step("Certification: handed in 提交企业认证", self.hand_in),
            Step("Console: an operator signs in 运营人员登录", self.sign_in),
            Step("Certification: one part rejected 一项被驳回", self.rejected),
            Step("Certification: that part corrected, approved 修改后通过", self.approved),
            Step("Onboarding: payment comes next 接入流程", self.onboarding, looks=True),
        ]

    async def too_early(self) -> Evidence:
        """The path is enforced: the refusal names the step that is missing, and where to take it."""
        answer = await self._scene.api.send("POST", "/v1/recharges", json={"amount": "100.00"})
        problem = answer.json()
        require(answer.status_code == 409, f"POST /v1/recharges answered {answer.status_code}, not 409")
        require(problem["code"] == "step_missing", f"the refusal is {problem['code']}, not step_missing")
        return f"{problem['detail']} {problem['next_step']}"

    async def hand_in(self) -> Evidence:
        row = await self._newest("draft", "submitted")
        if row is None:
            parts = {"kind": "enterprise", **self._parts()}
            answer = await self._scene.api.send("POST", "/v1/certifications", json=parts)
            row = await self._newest("draft")  # also when the answer to an earlier try was lost
            if row is None:
                raise DemoFailure(f"POST /v1/certifications: {words_of(answer)}")
        if row["state"] == "draft":
            code = company_code(self.customer.tag)
            await self._upload(row["id"], "licence", "licence.png", licence(code, legible=False))
            await self._upload(row["id"], "icp_screenshot", "filing.pdf", filing(ICP))
            row = await self._submit(row["id"])
        row = await eventually(self._promised, "the review process to say when the decision is due")
        return f"due {row['due_at'][:16].replace('T', ' ')} UTC, in working time; numbers masked: {self._masked(row)}"

    async def _promised(self) -> dict[str, Any] | None:
        row = await self._newest("submitted")
        return row if row and row["due_at"] else None

    def _parts(self) -> dict[str, str]:
        """What is typed into the form."""
        return {
            "name": "青木商店演示有限公司",
            "uscc": company_code(self.customer.tag),
            "contact_name": "演示经办人",
            "id_number": IDENTITY,
            "website": f"https://www.shop-{self.customer.tag}.example",
            "icp_number": ICP,
            "valid_until": "2036-12-31",
        }

    def _masked(self, row: dict[str, Any]) -> str:
        shown = str(row["parts"]["id_number"])
        require(IDENTITY not in str(row), "the identity number is answered in full")
        return shown

    async def sign_in(self) -> Evidence:
        """With password and authenticator; a second name when the answer to the first try was lost."""
        try:
            await self._reviewer.sign_in(f"demo-{self.customer.tag}")
        except DemoFailure:
            await self._reviewer.sign_in(f"demo-{self.customer.tag}-b")
        return f"{self._reviewer.name}, role reviewer, password and one-time code"

    async def rejected(self) -> Evidence:
        """The operator looks at every paper (each view is written down) and objects to one part."""
        row = await self._decided("reject", {"licence": OBJECTION})
        require(row["state"] == "rejected", f"the certification is {row['state']}, not rejected")
        require(row["part_reasons"] == {"licence": OBJECTION}, f"the reasons are {row['part_reasons']}")
        await self._scene.internet.mail(self.customer.email, "认证")
        return f"licence: {OBJECTION[:13]}"

    async def approved(self) -> Evidence:
        """What was not objected to stays; only the licence is handed in again."""
        row = await self._newest("draft", "submitted")
        if row is None:
            first = await self._newest("rejected")
            if first is None:
                raise DemoFailure("there is no rejected certification to correct")
            answer = await self._scene.api.send("POST", f"/v1/certifications/{first['id']}/correct")
            row = await self._newest("draft")  # also when the answer to an earlier try was lost
            if row is None:
                raise DemoFailure(f"the correction: {words_of(answer)}")
        if row["state"] == "draft":
            kept = sorted(row["parts"]) + [paper["part"] for paper in row["documents"] if paper["part"] != "licence"]
            require(len(kept) == len(self._parts()) + 1, f"the correction kept {', '.join(kept)}")
            await self._upload(row["id"], "licence", "licence.png", licence(company_code(self.customer.tag), True))
            await self._submit(row["id"])
        row = await self._decided("approve", {})
        require(row["state"] == "approved", f"the certification is {row['state']}, not approved")
        return f"{len(self._parts()) + 1} parts kept, the licence handed in again; valid until {row['valid_until']}"

    async def onboarding(self) -> Evidence:
        """Certified as a company: both tracks wait for a recharge."""
        now = await at_stage(self._scene, "pay")
        require(now["sms_stage"] == "sms_pay", f"the SMS track is at {now['sms_stage']}, not sms_pay")
        return f"e-mail track at “{now['stage']}”, SMS track at “{now['sms_stage']}”"

    async def _newest(self, *states: str) -> dict[str, Any] | None:
        items = (await self._scene.api.json("GET", "/v1/certifications"))["items"]
        return next((one for one in items if one["state"] in states), None)

    async def _upload(self, certification: str, part: str, name: str, data: bytes) -> None:
        """In place of an earlier one of the same part."""
        path, file = f"/v1/certifications/{certification}/documents", {"file": (name, data)}
        await self._scene.api.json("POST", path, data={"part": part}, files=file)

    async def _submit(self, certification: str) -> dict[str, Any]:
        path = f"/v1/certifications/{certification}"
        await self._scene.api.send("POST", f"{path}/submit")
        row: dict[str, Any] = await self._scene.api.json("GET", path)
        require(row["state"] == "submitted", f"the certification is {row['state']}; it lacks {row['missing']}")
        return row

    async def _decided(self, decision: str, parts: dict[str, str]) -> dict[str, Any]:
        """The operator sees the papers and decides; then the customer sees the decision."""
        row = await self._newest("submitted")
        if row is not None:
            papers = await self._reviewer.see(row["id"])
            require(papers == len(row["documents"]), f"the console shows {papers} papers of {len(row['documents'])}")
            await self._reviewer.decide(row["id"], decision, parts)

        async def decided() -> dict[str, Any] | None:
            return await self._newest("approved", "rejected") if await self._newest("submitted") is None else None

        return await eventually(decided, "the certification to be decided")
