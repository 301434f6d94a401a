"""What the recipients' side sends back: real SMTP to the server that the sandbox's DNS names."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator, Callable
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from sandbox.config import Record, SandboxConfig
from sandbox.manners import Action, Rule
from sandbox.parts import Parts
from sandbox.run import running
from tests.patience import until

RETURN_PATH = "b+token@bounce.songda.example"


class Door:
    """A mail server that keeps what it is given; ``refusals`` are said first."""

    def __init__(self) -> None:
        self.got: list[Envelope] = []
        self.greeted: list[str] = []
        self.refusals: list[str] = []

    async def handle_RCPT(  # noqa: N802 (aiosmtpd finds its hooks by these names)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refusals:
            return self.refusals.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.got.append(envelope)
        self.greeted.append(session.host_name or "")
        return "250 2.0.0 thank you"

    def mails(self) -> list[EmailMessage]:
        return [
            email.message_from_bytes(each.original_content or b"", policy=email.policy.default) for each in self.got
        ]


@pytest.fixture
async def door(parts: Parts) -> AsyncIterator[Door]:
    """The mail server of the return path, on an address of its own."""
    door = Door()
    host, port = f"{parts.config.provider_ip_base}7", parts.config.smtp_port
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(door, hostname="mx.bounce.songda.example", loop=loop), host, port)
    await parts.zones.publish(Record("bounce.songda.example", "MX", ("10 mx.bounce.songda.example.",)))
    await parts.zones.publish(Record("mx.bounce.songda.example", "A", (host,)))
    yield door
    server.close()


@pytest.fixture
def post(client_of: Callable[..., Any], make_letter: Callable[..., EmailMessage]) -> Callable[..., Any]:
    async def one(to: str, provider: str = "company", mail_from: str = RETURN_PATH) -> None:
        async with client_of(provider) as client:
            await client.sendmail(mail_from, [to], make_letter(to, "<7.1@songda.example>").as_bytes())

    return one


async def arrived(door: Door, count: int = 1) -> list[EmailMessage]:
    async def enough() -> bool:
        return len(door.got) >= count

    await until(enough, 15)
    return door.mails()


def status_of(mail: EmailMessage) -> dict[str, str]:
    part = next(part for part in mail.walk() if part.get_content_type() == "message/delivery-status")
    blocks: Any = part.get_payload()
    return {name.lower(): str(value) for block in blocks for name, value in block.items()}


async def test_a_mail_that_was_taken_is_returned_later(door: Door, post: Any) -> None:
    await post("latebounce+0@company.example")
    (mail,) = await arrived(door)
    assert (door.got[0].mail_from, door.got[0].rcpt_tos) == ("<>", [RETURN_PATH])
    assert door.greeted == ["mail.company.example"]
    assert mail.get_content_type() == "multipart/report"
    status = status_of(mail)
    assert status["final-recipient"] == "rfc822; latebounce+0@company.example"
    assert (status["action"], status["status"]) == ("failed", "5.1.1")
    assert status["diagnostic-code"] == "smtp; 550 5.1.1 No such user here"
    returned = next(part for part in mail.walk() if part.get_content_type() == "message/rfc822").get_payload(0)
    assert isinstance(returned, EmailMessage)
    assert (returned["Return-Path"], returned["Message-ID"]) == (f"<{RETURN_PATH}>", "<7.1@songda.example>")


async def test_a_full_mailbox_warns_before_it_gives_up(door: Door, post: Any) -> None:
    await post("latefull+0@gmail.com", "gmail")
    mails = await arrived(door, 2)
    assert [(status_of(mail)["action"], status_of(mail)["status"]) for mail in mails] == [
        ("delayed", "4.2.2"),
        ("failed", "5.2.2"),
    ]


async def test_sina_writes_for_people_only(door: Door, post: Any) -> None:
    await post("latebounce+0@sina.com", "sina")
    (mail,) = await arrived(door)
    text = mail.get_content()
    assert mail.get_content_type() == "text/plain"
    assert "<latebounce+0@sina.com>:\r\n550 5.1.1 mailbox unavailable" in text
    assert "Message-ID: <7.1@songda.example>" in text.partition("Below this line")[2]


async def test_a_recipient_complains_without_being_named(door: Door, post: Any) -> None:
    await post("complain+0@qq.com", "qq")
    (mail,) = await arrived(door)
    assert door.got[0].mail_from == "feedback@qq.com"
    raw = mail.as_bytes()
    assert b"Feedback-Type: abuse" in raw
    assert RETURN_PATH.encode() in raw
    assert b"Message-ID: <7.1@songda.example>" in raw
    assert b"complain+0@qq.com" not in raw


async def test_outlook_complains_in_its_older_form(door: Door, post: Any) -> None:
    await post("complain+0@outlook.com", "outlook")
    (mail,) = await arrived(door)
    assert mail.get_content_type() == "multipart/mixed"
    assert b"X-HmXmrOriginalRecipient: complain+0@outlook.com" in mail.as_bytes()


async def test_a_vacation_answers_the_return_path_from_nobody(door: Door, post: Any) -> None:
    await post("vacation+0@qq.com", "qq")
    (mail,) = await arrived(door)
    assert (door.got[0].mail_from, door.got[0].rcpt_tos) == ("<>", [RETURN_PATH])
    assert mail["Subject"] == "自动回复：你好 hello"
    assert mail["Auto-Submitted"].startswith("auto-replied")
    assert mail["In-Reply-To"] == "<7.1@songda.example>"


async def test_a_person_answers_the_sender(parts: Parts, door: Door, post: Any) -> None:
    await parts.zones.publish(Record("songda.example", "MX", ("10 mx.bounce.songda.example.",)))
    await post("answer+0@gmail.com", "gmail")
    (mail,) = await arrived(door)
    assert (door.got[0].mail_from, door.got[0].rcpt_tos) == ("answer+0@gmail.com", ["hello@songda.example"])
    assert mail["Subject"] == "Re: 你好 hello"
    assert mail["Auto-Submitted"] is None


async def test_a_person_answers_the_return_path_of_an_author_without_a_mail_server(door: Door, post: Any) -> None:
    await post("answer+0@gmail.com", "gmail")
    await arrived(door)
    assert door.got[0].rcpt_tos == [RETURN_PATH]


async def test_nothing_answers_the_null_sender(parts: Parts, door: Door, post: Any) -> None:
    await post("latebounce+0@company.example", mail_from="")
    await post("latebounce+0@company.example")
    await arrived(door)
    assert await parts.postman.sent(1) == []
    assert len(door.got) == 1


async def test_a_script_makes_anybody_complain_so_many_times(parts: Parts, door: Door, post: Any) -> None:
    rule = Rule("amy@qq.com", Action.COMPLAIN, times=1, seconds=0)
    parts.servers.by_name["qq"].manners.replace((rule,))
    for _ in range(3):
        await post("amy@qq.com", "qq")
    await arrived(door)
    assert [len(await parts.postman.sent(number)) for number in (1, 2, 3)] == [1, 0, 0]


async def test_the_reader_reports_a_mail_as_spam_on_its_page(api: Any, door: Door, post: Any) -> None:
    await post("amy@qq.com", "qq")
    page = (await api.get("/ui/messages/1")).text
    assert "举报垃圾邮件 <small>Report as spam</small>" in page
    assert "发回的邮件" not in page
    reply = await api.post("/ui/messages/1/answers", data={"action": "complain"})
    assert (reply.status_code, reply.headers["location"]) == (303, "/ui/messages/1#answers")
    (mail,) = await arrived(door)
    assert b"Feedback-Type: abuse" in mail.as_bytes()

    async def shown() -> bool:
        return "250 2.0.0 thank you" in (await api.get("/ui/messages/1")).text

    await until(shown, 15)


async def test_an_act_or_a_mail_that_does_not_exist_is_no_crash(api: Any, door: Door, post: Any) -> None:
    await post("amy@qq.com", "qq")
    await post("amy@qq.com", "qq", mail_from="")
    for number, action in ((1, "explode"), (1, "drop"), (99, "complain")):
        assert (await api.post(f"/ui/messages/{number}/answers", data={"action": action})).status_code == 404
    assert (await api.post("/ui/messages/2/answers", data={"action": "complain"})).status_code == 303
    assert "Report as spam" not in (await api.get("/ui/messages/2")).text


async def test_a_refusal_for_now_is_tried_again_and_one_for_good_is_not(parts: Parts, door: Door, post: Any) -> None:
    door.refusals = ["451 4.3.0 not now", "550 5.1.1 never"]
    await post("latebounce+0@company.example")

    async def over() -> bool:
        return (await parts.postman.sent(1))[0]["due_at"] is None

    await until(over, 15)
    sent = (await parts.postman.sent(1))[0]
    assert (sent["tries"], sent["said"], door.got) == (2, "550 5.1.1 never", [])


async def test_only_this_machine_is_written_to(parts: Parts, post: Any) -> None:
    await parts.zones.publish(Record("bounce.songda.example", "A", ("192.0.2.1",)))
    await post("latebounce+0@company.example")

    async def tried() -> Any:
        return [each for each in await parts.postman.sent(1) if each["tries"]]

    assert (await until(tried, 15))[0]["said"] == "no mail server for bounce.songda.example"


async def test_what_is_owed_survives_a_restart(config: SandboxConfig, client_of: Any, make_letter: Any) -> None:
    async with running(config), client_of("company") as client:
        letter = make_letter("latebounce+600@company.example").as_bytes()
        await client.sendmail(RETURN_PATH, ["latebounce+600@company.example"], letter)
    async with running(config) as parts:
        assert [(each["kind"], each["tries"]) for each in await parts.postman.sent(1)] == [("bounce", 0)]


async def test_a_large_mail_is_returned_without_its_body(door: Door, client_of: Any, make_letter: Any) -> None:
    letter = make_letter("latebounce+0@company.example").as_bytes() + b"x" * 60_000
    async with client_of("company") as client:
        await client.sendmail(RETURN_PATH, ["latebounce+0@company.example"], letter)
    (mail,) = await arrived(door)
    assert len(mail.as_bytes()) < 5000
    assert "text/rfc822-headers" in [part.get_content_type() for part in mail.walk()]
