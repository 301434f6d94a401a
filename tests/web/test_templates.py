"""The template pages: what is wrong is said at its place, nothing typed is lost, previews cannot harm."""

import datetime as dt
import re
from collections.abc import AsyncIterator
from html import unescape

import pytest

from domain.accounts import Caller
from domain.reviews import Decision, Ruling
from services.catalog import Services
from services.templates import TemplateView
from store import templates as rows
from store.columns import now
from store.db import Database
from store.templates import TemplateVersion
from tests.sends_doors import Browser, browser

FORM = {"invoke_name": "order", "name": "Order", "kind": "trigger", "subject": "Order %order%", "text": "",
        "html": '<p>Dear %name%, <a href="%link%">go</a></p>'}  # fmt: skip


@pytest.fixture
async def portal(db: Database) -> AsyncIterator[Browser]:
    async with browser(db) as made:
        yield made


def served(portal: Browser) -> Services:
    found: Services = portal.app.state.services
    return found


async def latest(portal: Browser, ref: str = "order") -> TemplateView:
    return await served(portal).templates.get(Caller(portal.customer.account), ref)


async def decide(portal: Browser, decision: Decision, reason: str = "") -> None:
    async with served(portal).foundation.db.begin() as session:
        version = (await latest(portal)).version
        assert (await rows.decide(session, version.id, Ruling(decision, "operator/o", reason), now())).accepted


def said_at(page: str, field: str) -> str:
    found = re.search(rf'id="e-{field}">(.*?)</div>', page, re.DOTALL)
    assert found, f"no message at {field}"
    return unescape(found[1])


async def test_pages_need_a_session(portal: Browser) -> None:
    portal.http.cookies.clear()
    for path in ("", "/new", "/hello", "/hello/edit", "/hello/versions/1", "/hello/versions/1/body"):
        answer = await portal.http.get(f"/portal/templates{path}")
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/login")


async def test_write_submit_and_follow_the_review(portal: Browser) -> None:
    answer = await portal.post("/portal/templates", FORM | {"step": "submit"})
    assert answer.status_code == 303
    page = (await portal.http.get(answer.headers["location"])).text
    assert "已提交审核" in page and "最晚在这个时间给出结果：" in page and 'data-state="submitted"' in page
    view = await latest(portal)
    assert view.workflow_id is not None and view.workflow_id in page
    await decide(portal, Decision.REJECT, "链接须指向 <您的> 网站")
    page = (await portal.http.get(answer.headers["location"])).text
    assert "链接须指向 &lt;您的&gt; 网站" in page
    page = (await portal.http.get(answer.headers["location"] + "/edit")).text
    assert "未通过审核" in page and "Order %order%" in page, "the next version begins with the rejected one"


async def test_the_promised_time_is_shown_and_a_provisional_one_is_called_so(portal: Browser) -> None:
    await portal.post("/portal/templates", FORM | {"step": "submit"})
    view = await latest(portal)
    promised = dt.datetime(2027, 1, 4, 6, 29, tzinfo=dt.UTC)
    for provisional in (True, False):
        async with served(portal).foundation.db.begin() as session:
            version = await session.get_one(TemplateVersion, view.version.id)
            version.due_at, version.due_provisional = promised, provisional
        page = (await portal.http.get(f"/portal/templates/{view.row.id}")).text
        assert "最晚在这个时间给出结果：" in page and "14:29" in page
        assert ("暂定：当年的放假安排尚未公布" in page) is provisional
        assert ("（暂定）" in (await portal.http.get("/portal/templates")).text) is provisional


async def test_a_draft_with_errors_is_saved_and_says_why_it_cannot_be_submitted(portal: Browser) -> None:
    bad = FORM | {"html": "<p>x</p>\r\n<script>1</script>", "step": "submit"}
    answer = await portal.post("/portal/templates", bad)
    assert answer.status_code == 422
    assert "第 2 行" in said_at(answer.text, "html")
    assert "&lt;script&gt;1&lt;/script&gt;" in answer.text
    view = await latest(portal)
    assert (view.version.state, view.version.html) == ("draft", "<p>x</p>\n<script>1</script>")
    assert f'action="/portal/templates/{view.row.id}/edit"' in answer.text
    page = (await portal.http.get(f"/portal/templates/{view.row.id}")).text
    assert "内容检查" in page and "第 2 行" in page


@pytest.mark.parametrize(
    ("change", "field"),
    [({"invoke_name": "a b"}, "invoke_name"), ({"invoke_name": ""}, "invoke_name"), ({"kind": ""}, "kind"),
     ({"invoke_name": "hello"}, "invoke_name"), ({"name": "x" * 65}, "name")],
)  # fmt: skip
async def test_refusals_stand_at_their_field_and_keep_what_was_typed(
    portal: Browser, change: dict[str, str], field: str
) -> None:
    answer = await portal.post("/portal/templates", FORM | change)
    assert answer.status_code in (409, 422)
    assert said_at(answer.text, field)
    assert "Order %order%" in answer.text and "Dear %name%" in answer.text


async def test_an_english_visitor_reads_english(portal: Browser) -> None:
    await portal.post("/portal/templates", FORM)
    await portal.http.get("/portal/templates")  # takes the Chinese message of the Chinese post
    for path in ("", "/new", "/order", "/order/edit"):
        page = (await portal.http.get(f"/portal/templates{path}?lang=en")).text
        main = page.partition("<main")[2].partition("</main>")[0]
        assert main and not re.findall(r"[\u4e00-\u9fff]+", main.replace("你好", ""))


async def test_withdraw_and_delete(portal: Browser) -> None:
    await portal.post("/portal/templates", FORM | {"step": "submit"})
    assert (await portal.post("/portal/templates/order/withdraw", {})).status_code == 303
    again = await portal.post("/portal/templates/order/withdraw", {})
    assert again.status_code == 409 and "没有正在审核的版本" in again.text
    assert (await portal.post("/portal/templates/order/delete", {})).headers["location"] == "/portal/templates"
    assert (await portal.http.get("/portal/templates/order")).status_code == 404


async def test_the_list_shows_states_and_filters(portal: Browser) -> None:
    await portal.post("/portal/templates", FORM | {"step": "submit"})
    page = (await portal.http.get("/portal/templates")).text
    assert ">Order<" in page and ">Hello<" in page
    page = (await portal.http.get("/portal/templates?state=submitted")).text
    assert ">Order<" in page and ">Hello<" not in page
    assert (await portal.http.get("/portal/templates?state=odd")).status_code == 404


async def test_the_preview_frame_is_a_sandbox_and_filled(portal: Browser) -> None:
    await portal.post("/portal/templates", FORM | {"html": FORM["html"] + "<script>alert(1)</script>"})
    page = (await portal.http.get("/portal/templates/order?v.name=%3Ci%3E")).text
    frame = re.search(r'<iframe class="template-frame" sandbox title="[^"]+" src="([^"]+)"', page)
    assert frame is not None
    body = await portal.http.get(unescape(frame[1]))
    assert "Dear &lt;i&gt;," in body.text and 'href="https://example.com/link"' in body.text
    policy = body.headers["content-security-policy"]
    assert policy.startswith("sandbox;") and "default-src 'none'" in policy and "script-src" not in policy
    assert body.headers["x-frame-options"] == "SAMEORIGIN"


async def test_unsaved_content_is_previewed_and_not_kept(portal: Browser) -> None:
    answer = await portal.post("/portal/templates/preview", FORM)
    assert answer.text == '<p>Dear [name], <a href="https://example.com/link">go</a></p>'
    assert answer.headers["content-security-policy"].startswith("sandbox;")
    assert (await portal.http.get("/portal/templates/order")).status_code == 404


async def test_another_accounts_template_is_not_there(portal: Browser, db: Database) -> None:
    async with browser(db) as mallory:
        await portal.post("/portal/templates", FORM)
        view = await latest(portal)
        for path in ("", "/edit", "/versions/1", "/versions/1/body"):
            assert (await mallory.http.get(f"/portal/templates/{view.row.id}{path}")).status_code == 404
        for act in ("edit", "submit", "withdraw", "delete"):
            assert (await mallory.post(f"/portal/templates/{view.row.id}/{act}", FORM)).status_code == 404
