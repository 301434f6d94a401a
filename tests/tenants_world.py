"""Two accounts, the first with one of everything that a path can name."""

import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any
from uuid import UUID

import httpx2

from domain.accounts import SignedIn
from domain.campaigns import CampaignNames, NewCampaign
from domain.ids import new_id
from domain.link_tokens import LinkKind, make_token
from domain.operators import OperatorRole
from domain.secrets import Vault
from store import campaigns
from store.columns import now
from store.db import Database
from tests.accounts_world import PAGE, House, csrf_of, house
from tests.operators_world import signed
from tests.paper_samples import picture
from tests.path_rows import Customer
from tests.records_world import recorded
from tests.route_table import Call, Door, calls
from tests.schedules_two import with_tasks
from tests.sms_proofs_two import with_proof
from tests.sms_two_world import names_of, with_sms
from tests.standing import Standing
from web.console.sessions import COOKIE as OPERATOR
from web.sessions import COOKIE as SESSION

ALICE, BOB = "alice@first.example", "bob@second.example"
MEMBER = "m@a.cn"
"""In everybody's lists: an address is no secret of one of them, and may be added to any list."""
HERS = {"subject": "Secret of Alice %name%", "html": "<p>Dear %name%</p>"}


@dataclass
class Two:
    """The first account's objects by the name that paths call them, the second's own, and both browsers."""

    home: House
    alice: SignedIn
    bob: SignedIn
    http: httpx2.AsyncClient
    standing: Standing
    operator: str = ""
    """The token of an operator who may do everything."""
    hers: dict[str, list[str]] = field(default_factory=dict)
    desk: dict[str, list[str]] = field(default_factory=dict)
    """Likewise for operators' paths; these may be anybody's."""
    his: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)

    def cookies(self, door: Door) -> dict[str, str]:
        """What the browser of the first account's member sends, or a visitor's, or an operator's."""
        signed = {Door.MEMBER: {SESSION: self.alice.token}, Door.OPERATOR: {OPERATOR: self.operator}}
        return signed.get(door, {})

    async def look(self, call: Call, path: str) -> httpx2.Response:
        """The page, as the one it is for sees it."""
        self.http.cookies.clear()
        headers = {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies(call.door).items())}
        return await self.http.get(path, headers=headers, follow_redirects=True)

    async def as_(self, who: SignedIn, method: str, path: str, **options: Any) -> httpx2.Response:
        self.http.cookies.clear()
        headers = {"authorization": f"Bearer {who.token}"}
        return await self.http.request(method, path, headers=headers, **options)

    async def made(self, who: SignedIn, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self.as_(who, "POST", path, json=body)
        assert answer.status_code < 300, answer.text
        return dict(answer.json())

    async def page(self, who: SignedIn | None, call: Call, path: str, **options: Any) -> httpx2.Response:
        """As a browser does: cookie, and for changes the token of a page of ours."""
        self.http.cookies.clear()
        if who is not None:
            self.http.cookies.set(SESSION, who.token)
        if call.method != "GET":
            page = await self.http.get("/portal/account" if who else "/login")
            options["data"] = options.get("data", {}) | {"csrf_token": csrf_of(page)}
        return await self.http.request(call.method, path, **options)

    async def ask(self, who: SignedIn, call: Call, path: str, **options: Any) -> httpx2.Response:
        if call.is_page:
            return await self.page(who, call, path, **options)
        return await self.as_(who, call.method, path, **options)

    async def knock(self, call: Call, path: str, cookies: dict[str, str]) -> httpx2.Response:
        """As a browser with these cookies, and for a change with the token of a page that everybody may see."""
        self.http.cookies.clear()
        self.http.cookies.update(cookies)
        if call.method == "GET":
            return await self.http.get(path)
        token = csrf_of(await self.http.get("/console/login" if call.door is Door.OPERATOR else "/login"))
        return await self.http.request(call.method, path, data={"csrf_token": token})

    def filled(self, value: Any, known: dict[str, str] | None = None) -> Any:
        """With these names where a value says `{…}`, or with the first account's."""
        known = known or self.her_names
        if isinstance(value, str):
            return re.sub(r"{(\w+)}", lambda hit: known[hit[1]], value)
        if isinstance(value, dict):
            return {name: self.filled(each, known) for name, each in value.items()}
        return [self.filled(each, known) for each in value] if isinstance(value, list) else value

    @property
    def her_names(self) -> dict[str, str]:
        """One of each of hers."""
        return self.words | {name: ids[0] for name, ids in self.hers.items()}

    def paths(self, call: Call) -> Iterator[str]:
        """The path with her ids, and, where it names several objects, with each of them his in turn."""
        ids = [self.hers[name] for name in call.names]
        if len([name for name in call.names if name in self.his]) > 1:
            ids = [[*each, self.his[name]] for name, each in zip(call.names, ids, strict=True)]
        for chosen in product(*ids):
            if list(chosen) != [self.his.get(name) for name in call.names]:
                yield call.filled(*chosen)

    def her_paths(self, call: Call) -> list[str]:
        """The path with each of hers in turn."""
        return [call.filled(*ids) for ids in product(*(self.hers[name] for name in call.names))]

    def leaks(self, text: str) -> list[str]:
        """What of hers an answer shows."""
        return [value for value in (*self.secrets, ALICE) if value in text]

    @property
    def secrets(self) -> list[str]:
        own = {value for ids in self.hers.values() for value in ids if len(value) > 9}
        return [*own, "Secret of Alice", str(self.alice.caller.account_id), self.words["api_user"]]

    async def stand(self, *apart: UUID) -> dict[str, list[str]]:
        """All rows of everybody; without those that belong to these accounts alone."""
        return await self.standing.rows(*apart)


@contextlib.asynccontextmanager
async def two_accounts(db: Database) -> AsyncIterator[Two]:
    """Both with their kits, furnished."""
    home = await house(db)
    alice, bob = await home.member(ALICE), await home.member(BOB)
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(home.app), base_url="http://songda.test", headers=PAGE
    ) as http:
        standing = await Standing.of(db.pool)
        made = Two(home, alice, bob, http, standing, (await signed(home, "root", OperatorRole.ADMIN)).token)
        await furnish(made)
        yield made


async def furnish(made: Two) -> None:
    alice, bob = made.alice, made.bob
    user = (await made.as_(alice, "GET", "/v1/api-users")).json()["items"][0]
    his_test = (await made.as_(bob, "GET", "/v1/api-users")).json()["items"][0]
    his = await made.made(bob, "/v1/api-users", {"name": "bobs_first", "kind": "batch"})
    domain = await made.made(alice, "/v1/domains", {"name": "mail.first.example"})
    template = await made.made(
        alice, "/v1/templates", HERS | {"invoke_name": "hers", "name": "Hers", "kind": "trigger"}
    )
    hook = await made.made(alice, "/v1/webhooks", {"url": "https://a.example/hook", "events": ["deliver"]})
    sender = {"api_user": user["name"], "template": "sample", "from": f"x@{user['domains'][0]['name']}"}
    recipients = [{"address": ALICE, "variables": {"name": "A"}}]
    send = await made.made(alice, "/v1/sends", sender | {"recipients": recipients})
    messages = (await made.as_(alice, "GET", f"/v1/sends/{send['id']}/messages")).json()["items"]
    sessions = (await made.as_(alice, "GET", "/v1/sessions")).json()["items"]
    invited = await made.made(alice, "/v1/members", {"email": "guest@first.example", "role": "viewer"})
    made.hers = {
        "domain_id": [domain["id"], user["domains"][0]["id"]],
        "api_user_id": [user["id"]],
        "send_id": [send["id"]],
        "message_id": [str(messages[0]["id"])],
        "webhook_id": [hook["id"]],
        "ref": [template["id"], "hers"],
        "session_id": [sessions[0]["id"]],
        "member_id": [invited["id"], str(alice.caller.member_id)],
        "recharge_id": [str(await Customer(made.home.db, alice.caller.account_id).orders())],
        "number": ["1"],
        **mail_links(made.home.base.vault, messages[0]["id"]),
        "suppression_id": [await left_out(made, alice)],
        **await certified(made),
        **await with_members(made, alice),
        **await with_sms(made.home.db, alice.caller.account_id, "Secret of Alice", "+8613800138001"),
        **await with_tasks(made.home.db, alice.caller.account_id, "Secret of Alice"),
    }
    await with_proof(made.home.db, made.home.base.papers, made.hers["sms_signature_id"][0])
    made.hers["campaign_id"] = [await with_campaign(made, alice, made.hers["list_id"][0])]
    made.his = {"api_user_id": his["id"], "domain_id": his_test["domains"][0]["id"]}
    made.words = {"api_user": user["name"], "template": "hers", "domain": user["domains"][0]["name"]}
    made.words |= {"batch_user": user["name"], "batch_template": "hers"}
    made.words |= await names_of(made.home.db, made.hers)
    await recorded(made.home, alice.caller.account_id, "Secret of Alice")
    await harvest(made)


def mail_links(vault: Vault, message: int) -> dict[str, list[str]]:
    """The tokens in that mail."""
    kinds = {"click_token": LinkKind.CLICK, "open_token": LinkKind.OPEN, "unsubscribe_token": LinkKind.UNSUBSCRIBE}
    return {name: [make_token(vault.link_key, kind, message)] for name, kind in kinds.items()}


async def left_out(made: Two, who: SignedIn) -> str:
    """An address that they do not write to."""
    domain = "first.example" if who is made.alice else "third.example"
    await made.made(who, "/v1/suppressions", {"addresses": [f"nobody@{domain}"]})
    return str((await made.as_(who, "GET", "/v1/suppressions")).json()["items"][0]["id"])


async def certified(made: Two) -> dict[str, list[str]]:
    """A draft of hers with a paper."""
    draft = await made.made(made.alice, "/v1/certifications", {"kind": "individual", "website": "alices.example.com"})
    path, files = f"/v1/certifications/{draft['id']}/documents", {"file": ("x.png", picture("PNG"), "image/png")}
    paper = await made.as_(made.alice, "POST", path, data={"part": "id_front"}, files=files)
    return {"certification_id": [draft["id"]], "document_id": [paper.json()["id"]]}


async def with_members(made: Two, who: SignedIn) -> dict[str, list[str]]:
    """A list of theirs with a member, and an import into it that has ended."""
    row = await made.made(who, "/v1/address-lists", {"name": "Secret of Alice" if who is made.alice else "Customers"})
    await made.made(who, f"/v1/address-lists/{row['id']}/members", {"members": [{"address": MEMBER}]})
    imported = new_id()
    await made.home.db.pool.execute(
        "INSERT INTO list_import (id, account_id, list_id, filename, format, size, state, total_bytes, done_bytes,"
        " line, added, updated, repeated, refused, held, failure_params, created_at, finished_at) VALUES"
        " ($1, $2, $3, 'x.csv', 'csv', 20, 'done', 20, 20, 2, 0, 0, 0, 1, false, '{}', now(), now())",
        *(imported, who.caller.account_id, UUID(row["id"])),
    )
    await made.home.db.pool.execute(
        "INSERT INTO list_import_refused VALUES ($1, 2, 'x', 'address_no_at', '{}')", imported
    )
    return {"list_id": [row["id"]], "import_id": [str(imported)], "address": [MEMBER]}


async def with_campaign(made: Two, who: SignedIn, list_id: str) -> str:
    """A campaign of theirs that is over, so that its streams end; it sent nothing."""
    pool, account = made.home.db.pool, who.caller.account_id
    user, domain = await pool.fetchrow(
        "SELECT u.id, b.domain_id FROM api_user u JOIN api_user_domain b ON b.api_user_id = u.id"
        " WHERE u.account_id = $1 LIMIT 1",
        account,
    )
    template, version = await pool.fetchrow(
        "SELECT template_id, id FROM template_version WHERE account_id = $1 ORDER BY created_at DESC LIMIT 1", account
    )
    asked = NewCampaign("Secret of Alice" if who is made.alice else "Autumn", "", "", "x@first.example", (list_id,))
    names = CampaignNames(user, template, version, domain, (UUID(list_id),))
    async with made.home.db.raw() as connection:
        campaign = await campaigns.create(connection, account, asked, names, (now(), "member"))
    await pool.execute("UPDATE campaign SET state = 'finished', finished_at = now() WHERE id = $1", campaign)
    return str(campaign)


async def harvest(made: Two) -> None:
    """The records of starlette-admin's lists: whatever their pages link to."""
    for call in calls():
        if call.admin and call.path.endswith("/list"):
            known = made.desk if call.door is Door.OPERATOR else made.hers
            found = re.findall(r"/detail\?pk=([^\"&]+)", (await made.look(call, call.path)).text)
            site, key = call.path.split("/")[-3:-1]
            if found:
                known[f"{site}_{key}".replace("-", "_")] = list(dict.fromkeys(found))[:2]
