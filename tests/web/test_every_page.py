"""Every page of the route table in a real browser, wide in Chinese and on a phone in English: no grave finding of axe
(on the phone), nothing wider than the window, no complaint.

A new page is here by itself. It needs a line in `tests/tenants_world.py` when its path names a new kind of object, and
one in `queries` when it shows nothing without a query.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from services.reply_seeding import ensure_reply_rules
from store.db import Database
from tests.accounts_world import HERE
from tests.browsing import PHONE, WIDE, Chrome, on_a_port
from tests.lanes_world import with_lanes
from tests.path_rows import Customer
from tests.route_cases import STREAMS
from tests.route_table import Call, Door, calls
from tests.tenants_world import ALICE, Two, two_accounts
from web import navigation

GRAVE = {"serious", "critical"}
RULES = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "iframes": False,  # customers' own HTML
    "preload": False,  # the style sheets once more, for no rule of these
}


class Nowhere(Call):
    """An address outside of everything, as a visitor sees it."""

    door = Door.VISITOR


ASTRAY = (Nowhere("GET", "/nothing/here"), Call("GET", "/portal/domains/00000000-0000-7000-8000-000000000000"))
"""What an address that leads nowhere shows."""
UNFINISHED = {"/console/enrol": 401}
"""Pages in the middle of something, which send whoever comes from nowhere back to its beginning."""
ELSEWHERE = {
    "/console/processes/{kind}/{subject}", "/t/c/{click_token}", "/t/o/{open_token}",
    "/console/cases/sms-signature-review/{subject}/proof",
}  # fmt: skip
"""They lead to the Temporal UI, and wherever a link of a mail does; a picture and a file are no pages."""
PAGES = [
    call
    for call in calls()
    if call.method == "GET" and call.is_page and call.key not in STREAMS and call.path not in ELSEWHERE
    and not (call.admin and call.names and call.door is Door.OPERATOR)  # the console's lists lead to pages of our own
]  # fmt: skip


@dataclass
class Walker:
    """Windows on the application, wide and narrow for each kind of visitor, and what their consoles complained of."""

    base: str
    two: Two
    queries: dict[str, str]
    cases: dict[str, str]
    """What is under review, by kind of case."""
    windows: dict[Door, list[Page]] = field(default_factory=dict)
    """The wide one first. Each document on the phone brings axe along: Chromium compiles that half megabyte with less
    work than `evaluate`."""
    menus: set[Door] = field(default_factory=set)
    """Whose menu axe has seen: it is on every wide page, and the phone hides it."""
    complaints: list[str] = field(default_factory=list)

    def path(self, call: Call) -> str:
        case = self.cases.get("".join(call.path.split("/")[3:4]), "")
        known = {name: ids[0] for name, ids in (self.two.hers | self.two.desk).items()} | {"subject": case}
        unknown = set(call.names) - known.keys()
        assert not unknown, f"say in `furnish` what {unknown} of the first account is"
        return call.filled(*(known[name] for name in call.names)) + self.queries.get(call.path, "")

    async def is_page(self, call: Call, path: str) -> bool:
        """Not a fragment, a file or JSON; and it can be seen."""
        answer = await self.two.look(call, path)
        wanted = 404 if call in ASTRAY else UNFINISHED.get(call.path, 200)
        assert answer.status_code == wanted, f"{path}: {answer.status_code} {answer.text[:300]}"
        entry = navigation.current(answer.url.path)
        if "<html" in answer.text and entry and wanted == 200:
            assert f'href="{entry}" aria-current="page"' in answer.text, "the menu does not say where one is"
        return "<html" in answer.text

    async def open(self, chrome: Chrome, door: Door) -> None:
        """Both windows of that door's visitor."""
        for width, language in (WIDE, PHONE):
            context = await chrome.new_context(viewport={"width": width, "height": 900})
            cookies = self.two.cookies(door) | {"lang": language}
            await context.add_cookies([{"name": n, "value": v, "url": self.base} for n, v in cookies.items()])
            if (width, language) == PHONE:
                await context.add_init_script(Axe().axe_script)
            page = await context.new_page()
            page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
            page.on("pageerror", lambda error: self.complaints.append(str(error)))
            self.windows.setdefault(door, []).append(page)


async def links(two: Two) -> dict[str, str]:
    """Queries of pages that are reached by a link in a mail."""
    await two.home.services.passwords.ask_reset(ALICE, HERE)
    mails = {"/reset": ALICE, "/invitation": "guest@first.example"}
    chosen = {"/console/lanes": "?lane=qq", "/console/retry-curves": "?curve=soft.full/batch"}
    return chosen | {path: f"?token={(await two.home.mails(to))[-1].token}" for path, to in mails.items()}


async def under_review(two: Two) -> dict[str, str]:
    """One of each kind waits for the operator, and a letter and a refund; by kind of case."""
    version = await two.made(two.alice, "/v1/templates/hers/submit", {})
    letter = await two.home.services.contact.ask(ALICE, "No mail", "Where is it?", HERE)
    certification = two.hers["certification_id"][0]
    await two.home.db.pool.execute(
        "UPDATE certification SET state = 'submitted', submitted_at = now() WHERE id::text = $1", certification
    )
    payment = await Customer(two.home.db, two.alice.caller.account_id).pays_twice()
    two.desk |= {
        "letter_id": [str(letter)],
        "account_id": [str(two.alice.caller.account_id)],
        "payment_id": [str(payment)],
        "rule_id": [str(await two.home.db.pool.fetchval("SELECT id FROM reply_rule WHERE seed = 'qq.flood'"))],
    }
    return {
        "template-review": str(version["workflow_id"]).partition("/")[2],
        "certification-review": certification,
        "sms-template-review": await two.home.db.pool.fetchval(
            "UPDATE sms_template_version v SET state = 'submitted', submitted_at = now() FROM sms_template t"
            " WHERE t.id = v.template_id AND t.id::text = $1 RETURNING v.id::text", two.hers["sms_template_id"][0],
        ),
        "sms-signature-review": await two.home.db.pool.fetchval(
            "UPDATE sms_signature SET state = 'submitted', submitted_at = now(), review_id = gen_random_uuid()"
            " WHERE id::text = $1 RETURNING review_id::text",
            two.hers["sms_signature_id"][0],
        ),
    }  # fmt: skip


TROUBLES = (
    "UPDATE message SET state = 'bounced', attempts = 1, reason = 'hard.invalid_mailbox', code = 550, reply = 'no'",
    "INSERT INTO attempt (message_id, number, started_at, ended_at, kind, reason, code, enhanced, reply, host)"
    " SELECT id, 1, now(), now(), 'bounced', reason, code, '', reply, 'mx.example' FROM message",
    "UPDATE webhook_attempt SET error = 'timeout', status = NULL",
    "UPDATE webhook_endpoint SET last_error = 'http_500'",
    "UPDATE sender_domain SET state = 'broken', problem = 'dkim' WHERE NOT is_test",
    "UPDATE clockwork SET needs_human = 'workflow is TERMINATED' WHERE kind = 'webhook'",
    "UPDATE recharge SET state = 'closed', close_reason = 'timeout', closed_at = now() WHERE state = 'open'",
    "UPDATE lane SET paused_at = now(), pause_reason = 'Until noon' WHERE name = 'qq'",
    "UPDATE lane SET pace = 0.5, slow_since = now(), backoff_at = now()",
    "INSERT INTO refused_notice (id, channel, at, reason, digest)"
    " VALUES (gen_random_uuid(), 'alipay', now(), 'query-amount', '')",
)
"""What makes pages say why something went wrong."""


@pytest.fixture(scope="module")
async def walker(postgres_url: str, chrome: Chrome) -> AsyncIterator[Walker]:
    db = await Database.open(postgres_url, connections=5)
    async with two_accounts(db) as two, on_a_port(two.home.app) as base:
        await ensure_reply_rules(db)
        queries, cases = await links(two), await under_review(two)
        await with_lanes(db)
        for trouble in TROUBLES:
            await db.pool.execute(trouble)
        made = Walker(base, two, queries, cases)
        for door in Door:
            await made.open(chrome, door)
        yield made
        for windows in made.windows.values():
            for window in windows:
                await window.context.close()
    await db.close()


async def overflow(page: Page) -> int:
    """How many pixels the page is wider than its window."""
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return max(int(wide), 0)


async def findings(page: Page) -> list[str]:
    """What axe finds grave, with the elements and what to do about them."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(Axe().axe_script)
    violations = await page.evaluate("async rules => (await axe.run(rules)).violations", RULES)
    return [
        f"{each['id']} ({each['impact']}): {node['html'][:200]}: {node['failureSummary']}"
        for each in violations
        for node in each["nodes"][:3]
        if each["impact"] in GRAVE
    ]


async def seen(page: Page, address: str, closely: bool = True) -> dict[str, list[str] | int]:
    """What is wrong with a page in this window; `closely`: axe looks, too."""
    await page.goto(address)
    return {"axe": await findings(page) if closely else [], "too wide by": await overflow(page)}


@pytest.mark.browser
@pytest.mark.parametrize("call", [*PAGES, *ASTRAY], ids=str)
async def test_a_page_can_be_used_by_everybody(walker: Walker, call: Call) -> None:
    """In both windows at once, which takes little longer than in one."""
    path = walker.path(call)
    if not await walker.is_page(call, path):
        return
    walker.complaints.clear()
    (wide, phone), address = walker.windows[call.door], walker.base + path
    menu = call.door not in walker.menus
    walker.menus.add(call.door)
    found = await asyncio.gather(seen(wide, address, closely=menu), seen(phone, address))
    assert list(found) == [{"axe": [], "too wide by": 0}] * 2
    assert [text for text in walker.complaints if not re.search("404|401", text)] == []
