"""The pages of sending: what is wrong is said at its place, what was typed is kept, results appear by themselves."""

import re
from collections.abc import AsyncIterator
from html import unescape

import pytest

from domain.sending import Outcome, OutcomeKind
from domain.transport import Mail
from store.db import Database
from tests.reports_world import dsn, inbound
from tests.sending_world import DELIVERED, FakeServers, make_customer
from tests.sends_doors import Browser, browser, deliver_once


@pytest.fixture
async def portal(db: Database) -> AsyncIterator[Browser]:
    async with browser(db) as made:
        yield made


async def sent(db: Database) -> list[str]:
    return [row["address"] for row in await db.pool.fetch("SELECT address FROM message ORDER BY id")]


def error_at(page: str, field: str) -> str:
    """The message at a field of the form."""
    found = re.search(rf'id="e-{field}">(.*?)</div>', page, re.DOTALL)
    assert found, f"no message at {field}"
    return unescape(found[1])


def alert(page: str) -> str:
    return unescape(" ".join(re.findall(r'alert alert-danger" role="alert">(.*?)</div>', page, re.DOTALL)))


async def test_pages_need_a_session(portal: Browser) -> None:
    portal.http.cookies.clear()
    for path in ("/portal/sends", "/portal/sends/new", "/portal/test-send"):
        answer = await portal.http.get(path)
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/login")


async def test_a_pasted_list_is_sent(portal: Browser, db: Database) -> None:
    answer = await portal.post("/portal/sends/new", portal.fields())
    assert answer.status_code == 303, answer.text
    page = (await portal.http.get(answer.headers["location"])).text
    assert "已接受 1 个收件人" in page
    assert "a@qq.com" in page
    assert "a@qq.com" not in (await portal.http.get("/portal/sends")).text
    assert await sent(db) == ["a@qq.com"]


async def test_a_form_that_is_posted_twice_sends_once(portal: Browser, db: Database) -> None:
    first = await portal.post("/portal/sends/new", portal.fields())
    second = await portal.post("/portal/sends/new", portal.fields())
    assert first.headers["location"] == second.headers["location"]
    changed = await portal.post("/portal/sends/new", portal.fields(recipients="email,name\nb@qq.com,Bob\n"))
    assert changed.status_code == 409
    assert alert(changed.text)
    token = re.search(r'name="form" value="([^"]+)"', changed.text)
    assert token and token[1] != "token-1"
    again = portal.fields(recipients="email,name\nb@qq.com,Bob\n", form=token[1])
    assert (await portal.post("/portal/sends/new", again)).status_code == 303
    assert await sent(db) == ["a@qq.com", "b@qq.com"]


async def test_an_uploaded_file_is_sent(portal: Browser, db: Database) -> None:
    data = "邮箱,name\r\na@qq.com,李雷\r\n".encode("gb18030")
    answer = await portal.post("/portal/sends/new", portal.fields(recipients=""), data)
    assert answer.status_code == 303, answer.text
    assert await db.pool.fetchval("SELECT variables FROM message") == {"name": "李雷"}


BROKEN = "email,name\na@qq.com,Ann\nbroken,Bob\nc@d.ee\n"


@pytest.mark.parametrize("upload", [False, True])
async def test_problems_are_shown_at_their_lines_before_anything_is_sent(
    portal: Browser, db: Database, upload: bool
) -> None:
    fields = portal.fields(recipients="" if upload else BROKEN, label="spring")
    page = (await portal.post("/portal/sends/new", fields, BROKEN.encode() if upload else None)).text
    rows = re.findall(r"<tr><td>(\d+)</td><td[^>]*>(.*?)</td><td>(.*?)</td></tr>", page)
    assert rows == [("3", "broken", "邮箱地址里缺少 @。"), ("4", "c@d.ee", "应有 2 列，实际有 1 列。")]
    assert 'value="spring"' in page and "broken,Bob" in page, "what was typed or uploaded is kept"
    assert await sent(db) == []
    answer = await portal.post("/portal/sends/new", portal.fields(recipients=BROKEN, skip_invalid="1"))
    one = (await portal.http.get(answer.headers["location"])).text
    assert "跳过 2" in one and "应有 2 列，实际有 1 列。" in one
    assert await sent(db) == ["a@qq.com"]


async def test_the_check_shows_the_first_mail_and_sends_nothing(portal: Browser, db: Database) -> None:
    fields = portal.fields(
        step="check", recipients="email,name,a+b\na@qq.com,<b>Ann</b>,x\nA@qq.com,2,y\na@QQ.com,3,z\n"
    )
    page = (await portal.post("/portal/sends/new", fields)).text
    assert "你好 &lt;b&gt;Ann&lt;/b&gt;" in page and "Hello &lt;b&gt;Ann&lt;/b&gt;" in page
    assert "列名“a+b”不能用作模板变量" in page
    counts = re.findall(r'datagrid-content">(.*?)</div>', page)
    assert counts == ["2", "0", "1", "email", "utf-8"]
    assert await sent(db) == []


async def test_a_variable_without_a_column_is_named(portal: Browser, db: Database) -> None:
    page = (await portal.post("/portal/sends/new", portal.fields(step="check", recipients="a@qq.com"))).text
    assert "<code>%name%</code>" in page
    refused = await portal.post("/portal/sends/new", portal.fields(recipients="a@qq.com"))
    assert "%name%" in error_at(refused.text, "recipients")
    assert await sent(db) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"api_user": ""}, "api_user"),
        ({"api_user": "nobody"}, "api_user"),
        ({"template": ""}, "template"),
        ({"template": "none"}, "template"),
        ({"from": ""}, "from"),
        ({"from": "a@elsewhere.example"}, "from"),
        ({"reply_to": "broken"}, "reply_to"),
        ({"label": "x" * 60}, "label"),
        ({"recipients": " \n"}, "recipients"),
        ({"recipients": "name\nAnn\n"}, "recipients"),
        ({"recipients": "email,name\n\na@b.cc," + "长" * 6000}, "recipients"),
    ],
)
@pytest.mark.parametrize("language", ["zh", "en"])
async def test_refusals_are_shown_at_their_field(
    portal: Browser, db: Database, changes: dict[str, str], field: str, language: str
) -> None:
    portal.http.cookies.set("lang", language)
    answer = await portal.post("/portal/sends/new", portal.fields(**{"from_name": "Kept & shown"} | changes))
    assert 400 <= answer.status_code < 500
    message = error_at(answer.text, field)
    assert bool(re.search("[\u4e00-\u9fff]", message)) == (language == "zh"), message
    assert 'value="Kept &amp; shown"' in answer.text
    assert await sent(db) == []


async def test_a_bad_file_is_refused_at_the_file(portal: Browser) -> None:
    answer = await portal.post("/portal/sends/new", portal.fields(recipients=""), b"PK\x03\x04 workbook")
    assert "CSV UTF-8" in error_at(answer.text, "file")


async def test_a_large_file_must_be_chosen_again(portal: Browser) -> None:
    data = "email,name\n" + "".join(f"user{n}@example.com,n{n}\n" for n in range(60_000))
    page = (await portal.post("/portal/sends/new", portal.fields(recipients="", step="check"), data.encode())).text
    assert "浏览器不会保留已选择的文件" in page
    assert len(page) < 100_000


def answer_by_name(mail: Mail) -> Outcome:
    if mail.recipient.startswith("grey"):
        return Outcome(OutcomeKind.DEFERRED, "soft.greylist", 450, "4.7.1", "try <again> later", "mx.test")
    return DELIVERED


async def test_a_send_shows_outcomes_attempts_and_progress(portal: Browser, db: Database) -> None:
    fields = portal.fields(recipients="email,name\ngrey@a.test,G\nfine@a.test,F\n")
    path = (await portal.post("/portal/sends/new", fields)).headers["location"]
    progress = (await portal.http.get(f"{path}/progress")).json()
    assert (progress["finished"], progress["percent"]) == (False, 0)
    await deliver_once(db, FakeServers(answer_by_name))
    progress = (await portal.http.get(f"{path}/progress")).json()
    assert (progress["finished"], progress["percent"]) == (False, 50)
    assert [(p["outcome"], p["count"], p["x"], p["width"]) for p in progress["parts"][:2]] == [
        ("delivered", 1, 0.0, 50.0),
        ("deferred", 1, 50.0, 50.0),
    ]
    page = (await portal.http.get(path)).text
    assert "450 4.7.1 try &lt;again&gt; later" in page
    assert len(re.findall(r"对方要求稍后再试（灰名单） <span [^>]+>soft\.greylist</span>", page)) == 2
    english = (await portal.http.get(f"{path}?lang=en")).text
    assert "The server asks to try again later (greylisting) <span" in english
    only = (await portal.http.get(f"{path}?state=delivered")).text
    assert "fine@a.test" in only and "grey@a.test" not in only
    export = await portal.http.get(f"{path}/messages.csv")
    assert export.content.decode("utf-8-sig").count("\r\n") == 3


async def test_another_accounts_send_is_not_found(portal: Browser, db: Database) -> None:
    path = (await portal.post("/portal/sends/new", portal.fields())).headers["location"]
    bob = await make_customer(db)
    await db.pool.execute("UPDATE submission SET account_id = $1", bob.account)
    for page in (path, f"{path}/progress", f"{path}/messages.csv"):
        assert (await portal.http.get(page)).status_code == 404


async def test_a_test_mail_goes_to_oneself(portal: Browser, db: Database) -> None:
    page = (await portal.http.get("/portal/test-send")).text
    assert f'value="{portal.email}"' in page and 'name="var_name"' in page
    assert f'value="test@{portal.customer.domain_name}"' in page
    fields = portal.fields(var_name="Alice")
    answer = await portal.post("/portal/test-send", fields | {"to": "victim@elsewhere.example"})
    assert answer.status_code == 303, answer.text
    rows = await db.pool.fetch("SELECT address, variables FROM message")
    assert [tuple(row) for row in rows] == [(portal.email, {"name": "Alice"})]


async def test_a_test_user_is_limited_by_day(portal: Browser, db: Database) -> None:
    await db.pool.execute("UPDATE api_user SET is_test = true")
    for number in range(10):
        answer = await portal.post("/portal/test-send", portal.fields(var_name="A", form=str(number)))
        assert answer.status_code == 303
    page = (await portal.http.get("/portal/test-send")).text
    assert "每天免费发送 10 封" in page and "今天还可发送 0 封" in page
    refused = await portal.post("/portal/test-send", portal.fields(var_name="Kept", form="11"))
    assert refused.status_code == 429
    assert "10" in error_at(refused.text, "to") and 'value="Kept"' in refused.text


async def test_an_unconfirmed_member_is_told_to_confirm(portal: Browser, db: Database) -> None:
    await db.pool.execute("UPDATE member SET email_confirmed_at = NULL")
    refused = await portal.post("/portal/test-send", portal.fields(var_name="A"))
    assert refused.status_code == 409
    assert "确认链接" in error_at(refused.text, "to")
    assert await sent(db) == []


async def test_kinds_must_agree(portal: Browser, db: Database) -> None:
    await db.pool.execute("UPDATE template SET kind = 'batch'")
    for path in ("/portal/test-send", "/portal/sends/new"):
        refused = await portal.post(path, portal.fields(var_name="A"))
        assert error_at(refused.text, "template")
    assert await sent(db) == []


async def test_without_api_user_or_template_the_page_says_what_to_do(portal: Browser, db: Database) -> None:
    await db.pool.execute("UPDATE template_version SET state = 'submitted'")
    for path in ("/portal/test-send", "/portal/sends/new"):
        assert 'href="/portal/templates"' in (await portal.http.get(path)).text
    await db.pool.execute("UPDATE api_user SET disabled_at = now()")
    for path in ("/portal/test-send", "/portal/sends/new"):
        assert "还没有可用的 API_USER" in (await portal.http.get(path)).text


async def test_the_pages_are_complete_in_english(portal: Browser) -> None:
    portal.http.cookies.set("lang", "en")
    path = (await portal.post("/portal/sends/new", portal.fields(label="x"))).headers["location"]
    check = portal.fields(step="check", recipients=BROKEN)
    paths = ("/portal/sends", "/portal/sends/new", path, "/portal/test-send")
    pages = [(await portal.http.get(one)).text for one in paths]
    pages.append((await portal.post("/portal/sends/new", check)).text)
    for page in pages:
        main = page[page.index("<main") : page.index("</main")]
        chinese = set(re.findall("[\u4e00-\u9fff]+", main)) - {"你好", "李雷"}
        assert not chinese, chinese


async def test_the_page_of_a_send_counts_opens_and_clicks(portal: Browser, db: Database) -> None:
    here = (await portal.post("/portal/sends/new", portal.fields())).headers["location"]
    assert (await portal.http.get(here)).text.count("0 封，共 0 次") == 2
    await db.pool.execute(
        "INSERT INTO engagement (message_id, kind, link, submission_id, account_id, first_at, last_at, times)"
        " SELECT id, d.kind, 0, submission_id, account_id, now(), now(), d.times"
        " FROM message, (VALUES ('open', 3), ('click', 2)) AS d (kind, times)"
    )
    page = (await portal.http.get(here)).text
    assert "1 封，共 3 次" in page and "1 封，共 2 次" in page


async def test_a_correction_stands_below_the_try_that_it_corrects(portal: Browser, db: Database) -> None:
    await portal.post("/portal/sends/new", portal.fields(recipients="email,name\na@a.test,A"))
    await deliver_once(db, FakeServers())
    message, send = await db.pool.fetchrow("SELECT id, submission_id FROM message")
    await inbound(db).report(dsn("a@a.test"), [message])
    page = (await portal.http.get(f"/portal/sends/{send}")).text
    history = unescape(re.sub(r"<[^>]+>", " ", page.partition('class="sends-tries"')[2].partition("</ol>")[0]))
    assert [word in history for word in ("已送达", "queued", "由收到的报告更正", "no such user")] == [True] * 4
    assert history.index("queued") < history.index("由收到的报告更正") < history.index("no such user")
    assert "1 次 · 有更正" in unescape(page)
    portal.http.cookies.set("lang", "en")
    assert "corrected by a report" in (await portal.http.get(f"/portal/sends/{send}")).text
