"""The pages: what a person sees, and what a hostile mail cannot do."""

from __future__ import annotations

from html import escape
from typing import Any

EVIL = '"><script>alert(1)</script>'


async def test_every_page_opens_empty_in_both_languages(api: Any) -> None:
    for path in ("/", "/ui/dns", "/ui/providers", "/ui/hooks", "/ui/hooks/new"):
        page = await api.get(path)
        assert page.status_code == 200, path
        assert "邮箱 <small>Mailbox</small>" in page.text
        assert "script-src 'self'" in page.headers["content-security-policy"]


async def test_the_list_and_its_filter(api: Any, send: Any) -> None:
    await send("amy@qq.com")
    await send("bob@163.com", "163")
    assert "你好 hello" in (await api.get("/")).text
    filtered = (await api.get("/ui/rows", params={"to": "amy"})).text
    assert "amy@qq.com" in filtered
    assert "bob@163.com" not in filtered


async def test_a_hostile_mail_stays_in_its_frame(api: Any, send: Any) -> None:
    html = f"<p title='{EVIL}'>hi</p><script>alert(2)</script>"
    head = f"From: {EVIL}\r\nSubject: {EVIL}\r\nMessage-ID: {EVIL}\r\nContent-Type: text/html\r\n\r\n"
    await send("amy@qq.com", mail=(head + html).encode())
    for view in ("html", "text", "source", "headers", "dkim"):
        page = (await api.get(f"/ui/messages/1?view={view}")).text
        assert "<script>alert" not in page
    page = (await api.get("/ui/messages/1")).text
    assert f'srcdoc="{escape("<base target=_blank>" + html)}' in page.replace("&#34;", "&quot;").replace(
        "&#39;", "&#x27;"
    )
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page
    assert "<script>alert" not in (await api.get("/")).text


async def test_links_in_plain_text_can_be_followed(api: Any, send: Any) -> None:
    await send("amy@qq.com")
    page = (await api.get("/ui/messages/1?view=text")).text
    assert '<a href="https://songda.example/c/1" target="_blank" rel="noopener noreferrer">' in page


async def test_a_person_publishes_and_deletes_records(api: Any) -> None:
    key = "v=DKIM1; k=rsa; p=AAAA\r\nBBBB"
    form = {"name": "sd1._domainkey.shop.example", "type": "TXT", "value": key}
    assert (await api.post("/ui/dns/records", data=form)).status_code == 303
    stored = (await api.get("/dns/shop.example/records")).json()["records"][0]
    assert stored["values"] == ["v=DKIM1; k=rsa; p=AAAABBBB"]
    assert "v=DKIM1; k=rsa; p=AAAABBBB" in (await api.get("/ui/dns")).text
    gone = {"name": stored["name"], "type": "TXT", "value": stored["values"][0]}
    await api.post("/ui/dns/delete", data=gone)
    assert (await api.get("/dns/shop.example/records")).json() == {"records": []}


async def test_a_mistake_is_said_at_the_form_and_nothing_typed_is_lost(api: Any) -> None:
    page = await api.post("/ui/dns/records", data={"name": "shop.example", "type": "A", "value": EVIL})
    assert page.status_code == 422
    assert "is not a A value" in page.text
    assert 'value="shop.example"' in page.text
    assert "<script>alert" not in page.text
    page = await api.post("/ui/providers/qq/rules", data={"action": "reply", "text": "hello"})
    assert page.status_code == 422
    assert "a reply rule needs a 4xx or 5xx SMTP reply" in page.text
    page = await api.post("/ui/hooks/shop/script", data={"status": "many"})
    assert page.status_code == 422


async def test_rules_and_hook_answers_by_form(api: Any) -> None:
    await api.post("/ui/providers/qq/rules", data={"action": "throttle", "match": "vip@qq.com", "times": "3"})
    script = (await api.get("/providers")).json()["providers"][0]["script"]["rules"]
    assert (script[0]["action"], script[0]["times"]) == ("throttle", 3)
    await api.post("/ui/providers/qq/clear")
    assert (await api.get("/providers")).json()["providers"][0]["script"]["rules"] == []
    await api.post("/ui/hooks/shop/script", data={"status": "503", "times": "1"})
    assert (await api.post("/hooks/shop", content=b"x")).status_code == 503
    assert ">503</span>" in (await api.get("/ui/hooks/shop")).text


async def test_other_sites_cannot_change_anything(api: Any) -> None:
    form = {"name": "qq.com", "type": "MX", "value": "10 mx1.qq.com."}
    for origin in ("https://evil.example", "null"):
        reply = await api.post("/ui/dns/delete", data=form, headers={"Origin": origin})
        assert reply.status_code == 403
    assert len((await api.get("/dns/qq.com/records")).json()["records"]) > 0
    own = {"Origin": str(api.base_url).rstrip("/")}
    assert (await api.post("/ui/dns/delete", data=form, headers=own)).status_code == 303
