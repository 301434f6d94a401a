"""Mail providers over real SMTP: default manners, magic local parts, scripts."""

from __future__ import annotations

import asyncio
from typing import Any

import aiosmtplib
import pytest

from sandbox.config import SandboxConfig
from sandbox.manners import Action, Rule, magic_rule
from sandbox.parts import Parts
from sandbox.run import running


async def copies(api: Any, to: str) -> int:
    reply = await api.get("/mailbox/count", params={"to": to})
    return int(reply.json()["deliveries"])


async def refusal(send: Any, to: str, provider: str = "qq", **more: Any) -> tuple[int, str]:
    """The code and text a mail was refused with, at RCPT or after the final dot."""
    try:
        await send(to, provider, **more)
    except aiosmtplib.SMTPRecipientsRefused as problem:
        first = problem.recipients[0]
        return first.code, first.message
    except aiosmtplib.SMTPResponseException as problem:
        return problem.code, problem.message
    pytest.fail("the mail was accepted")


async def test_mail_is_accepted_and_kept_as_it_came(send: Any, api: Any, make_letter: Any) -> None:
    raw = make_letter("amy@qq.com").as_bytes().replace(b"\n", b"\r\n") + b"..dots\r\n" + b"x" * 5000 + b"\r\n"
    assert "queued as 1" in await send("Amy@QQ.com", mail=raw)
    stored = await api.get("/mailbox/messages/1/raw")
    assert stored.content == raw
    row = (await api.get("/mailbox/messages")).json()["messages"][0]
    assert row["recipients"] == ["amy@qq.com"]
    assert row["mail_from"] == "bounce@songda.example"
    assert (row["subject"], row["provider"]) == ("你好 hello", "qq")


WORDS = {
    "qq": "Mailbox not found",
    "163": "User not found",
    "sina": "mailbox unavailable",
    "gmail": "does not exist",
    "outlook": "mailbox unavailable",
    "company": "No such user",
}


async def test_unknown_users_are_refused_in_the_providers_words(send: Any) -> None:
    for provider, part in WORDS.items():
        for local in ("unknown", "nouser.7"):
            code, text = await refusal(send, f"{local}@any.example", provider)
            assert (code, text[:6]) == (550, "5.1.1 "), provider
            assert part in text


async def test_greylisting_asks_to_come_back(parts: Parts, send: Any, api: Any) -> None:
    parts.servers.by_name["qq"].manners.replace((Rule("greylist1@*", Action.GREYLIST, seconds=0.2),))
    assert (await refusal(send, "greylist1@qq.com"))[0] == 450
    assert (await refusal(send, "greylist1@qq.com"))[0] == 450, "too early"
    await asyncio.sleep(0.25)
    await send("greylist1@qq.com")
    assert await copies(api, "greylist1@qq.com") == 1
    assert (await refusal(send, "greylist1@qq.com"))[0] == 450, "the next mail is grey-listed again"


async def test_throttling_uses_the_providers_text_for_some_tries(send: Any, api: Any) -> None:
    for _ in range(2):
        assert await refusal(send, "throttle@qq.com") == (550, "Ip frequency limited")
    await send("throttle@qq.com")
    assert await refusal(send, "throttle+1@163.com", "163") == (421, "HL:ICC")
    await send("throttle+1@163.com", "163")
    assert await copies(api, "throttle") == 2


async def test_a_421_ends_the_connection(parts: Parts, client_of: Any) -> None:
    client = client_of("163")
    await client.connect()
    await client.mail("a@songda.example")
    with pytest.raises(aiosmtplib.SMTPRecipientRefused):
        await client.rcpt("throttle@163.com")
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await client.noop()


async def test_full_mailboxes(send: Any) -> None:
    assert (await refusal(send, "full@qq.com"))[0] == 552
    assert (await refusal(send, "fulltemp+1@qq.com"))[0] == 452
    await send("fulltemp+1@qq.com")


async def test_content_is_refused_after_the_final_dot(send: Any, api: Any) -> None:
    assert await refusal(send, "blocked@163.com", "163") == (554, "DT:SPM")
    assert await copies(api, "blocked@163.com") == 0


async def test_drop_keeps_the_mail_and_says_nothing_once_per_message(send: Any, api: Any) -> None:
    for message_id, expected in (("<1@x>", 2), ("<2@x>", 4)):
        with pytest.raises(aiosmtplib.SMTPServerDisconnected):
            await send("drop@qq.com", message_id=message_id)
        await send("drop@qq.com", message_id=message_id)
        assert await copies(api, "drop@qq.com") == expected
    totals = (await api.get("/mailbox/count", params={"to": "drop@qq.com"})).json()
    assert (totals["deliveries"], totals["duplicates"], totals["recipients"]) == (4, 2, 1)
    assert totals["per_recipient"] == [{"recipient": "drop@qq.com", "copies": 4, "messages": 2, "dkim_pass": 0}]


async def test_lost_is_a_drop_without_the_mail(send: Any, api: Any) -> None:
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await send("lost@qq.com")
    assert await copies(api, "lost@qq.com") == 0
    await send("lost@qq.com")
    assert await copies(api, "lost@qq.com") == 1


async def test_hang_outlasts_the_client(send: Any, api: Any) -> None:
    with pytest.raises(aiosmtplib.SMTPTimeoutError):
        await send("hang@qq.com", timeout=0.3)
    assert await copies(api, "hang@qq.com") == 1
    await send("hang@qq.com", timeout=2.0)
    await send("hang+0@qq.com", message_id="<patient@x>")


async def test_a_script_goes_before_the_local_part(send: Any, api: Any) -> None:
    rules = [
        {"match": "unknown@qq.com", "action": "accept"},
        {"match": "vip-*@qq.com", "action": "reply", "text": "451 4.3.2 closed for lunch", "times": 1},
        {"match": "late@*", "action": "reply", "text": "554 5.7.1 not this", "stage": "data"},
    ]
    reply = await api.put("/providers/qq/script", json={"rules": rules})
    assert [rule["action"] for rule in reply.json()["script"]["rules"]] == ["accept", "reply", "reply"]
    await send("unknown@qq.com")
    assert await refusal(send, "vip-1@qq.com") == (451, "4.3.2 closed for lunch")
    await send("vip-1@qq.com")
    assert await refusal(send, "late@qq.com") == (554, "5.7.1 not this")
    await api.put("/providers/qq/script", json={"rules": []})
    await send("late@qq.com")


async def test_a_provider_can_be_down_or_unwelcoming(api: Any, client_of: Any) -> None:
    await api.put("/providers/gmail/script", json={"rules": [{"action": "down"}]})
    with pytest.raises(aiosmtplib.SMTPConnectError, match="EOF"):
        await client_of("gmail").connect()
    rule = {"action": "reply", "stage": "connect", "text": "554 5.7.1 go away"}
    await api.put("/providers/gmail/script", json={"rules": [rule]})
    with pytest.raises(aiosmtplib.SMTPConnectResponseError) as refused:
        await client_of("gmail").connect()
    assert (refused.value.code, refused.value.message) == (554, "5.7.1 go away")


BAD_RULES: list[dict[str, Any]] = [
    {"action": "explode"},
    {"action": "reply", "text": "250 fine"},
    {"action": "reply", "text": "450 a\r\nQUIT"},
    {"action": "drop", "times": 0},
]


async def test_a_bad_script_is_refused_whole(api: Any) -> None:
    good = {"match": "a@qq.com", "action": "unknown"}
    for rule in BAD_RULES:
        reply = await api.put("/providers/qq/script", json={"rules": [good, rule]})
        assert reply.status_code == 422, rule
    listed = (await api.get("/providers")).json()["providers"]
    assert [each["script"]["rules"] for each in listed] == [[]] * 6
    assert (await api.put("/providers/yahoo/script", json={"rules": []})).status_code == 404


async def test_scripts_and_mail_survive_a_restart(config: SandboxConfig, client_of: Any, make_letter: Any) -> None:
    async with running(config) as parts:
        await parts.servers.set_script("qq", (Rule("bob@qq.com", Action.FULL),))
        async with client_of() as client:
            await client.sendmail("a@songda.example", ["amy@qq.com"], make_letter("amy@qq.com").as_bytes())
    async with running(config) as parts:
        async with client_of() as client:
            await client.mail("a@songda.example")
            with pytest.raises(aiosmtplib.SMTPRecipientRefused, match="Mailbox is full"):
                await client.rcpt("bob@qq.com")
            await client.rset()
            await client.sendmail("a@songda.example", ["amy@qq.com"], make_letter("amy@qq.com").as_bytes())
        row = await parts.mailbox.get(2)
        assert row is not None and row["recipients"] == ["amy@qq.com"]


@pytest.mark.parametrize(
    ("address", "action"),
    [
        ("greylist@qq.com", Action.GREYLIST),
        ("Greylist7@qq.com", Action.GREYLIST),
        ("drop-a.b@qq.com", Action.DROP),
        ("full+1+x@qq.com", Action.FULL),
        ("hangzhou@qq.com", None),
        ("dropship@qq.com", None),
        ("fuller@qq.com", None),
        ("my.unknown@qq.com", None),
    ],
)
def test_ordinary_names_are_no_magic(address: str, action: Action | None) -> None:
    rule = magic_rule(address)
    assert (rule.action if rule else None) == action


async def test_many_mails_over_many_connections(parts: Parts, client_of: Any, api: Any, make_letter: Any) -> None:
    async def batch(worker: int) -> None:
        async with client_of("163") as client:
            for number in range(10):
                to = f"user{worker}-{number}@163.com"
                await client.sendmail("a@songda.example", [to], make_letter(to, f"<{to}>").as_bytes())

    await asyncio.gather(*(batch(worker) for worker in range(20)))
    totals = (await api.get("/mailbox/count", params={"limit": 5})).json()
    assert (totals["messages"], totals["recipients"], totals["duplicates"]) == (200, 200, 0)
    assert totals["by_provider"] == {"163": 200}
    assert len(totals["per_recipient"]) == 5
