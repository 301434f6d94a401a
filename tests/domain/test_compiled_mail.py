"""Compiled mails, read back by the standard library, verified by dkimpy and OpenDKIM, with links that are ours."""

import base64
import datetime as dt
import email
import email.message
import email.policy
import html as stdlib_html
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import dkim as dkimpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from domain.accounts import SYSTEM_ACCOUNT
from domain.compiled_mail import House
from domain.link_tokens import LinkKind, LinkToken, read_token
from domain.tracked_links import target, tracked_links
from domain.verp import Use, make_token, read_return_path
from tests.domain.test_templates import EVERY_PLACE, NASTY
from tests.mail_world import CONTENT, HOUSE, PUBLIC, TRACKING_URL, Somebody, mail

LINKS = """<html><body><p>%name%</p><a href="https://shop.example/?a=1&amp;n=%name%">1</a>
<a href="mailto:x@y.example">m</a><a href="%link%">2</a><a href="#top">t</a><a href=https://b.example>3</a>
<a href="https://songda.example/help">ours</a><a href="%%user_defined_unsubscribe_link%%">u</a></body></html>"""
TEXTS = st.text(max_size=120) | NASTY


def parsed(data: bytes) -> email.message.EmailMessage:
    return email.message_from_bytes(data, policy=email.policy.default)


def part(data: bytes, subtype: str) -> str:
    body = parsed(data).get_body((subtype,))
    assert body is not None
    return str(body.get_content())


def hrefs(data: bytes) -> list[str]:
    return [node.attributes["href"] or "" for node in LexborHTMLParser(part(data, "html")).css("a")]


def token(url: str, letter: str) -> LinkToken | None:
    start = f"{TRACKING_URL}/t/{letter}/"
    assert url.startswith(start), url
    return read_token(HOUSE.link_key, url.removeprefix(start))


def public_key(name: bytes, timeout: int = 5) -> bytes:
    assert name == b"s1._domainkey.customer.example."
    return b"v=DKIM1; k=rsa; p=" + PUBLIC.encode()


def dkimpy_verifies(data: bytes) -> bool:
    return bool(dkimpy.verify(data, dnsfunc=public_key))


@pytest.fixture(scope="module")
def opendkim(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes], bool]:
    """Whether OpenDKIM's milter, run once over a mail, finds a good signature; required in CI, like Chromium."""
    program = shutil.which("opendkim", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("OpenDKIM is missing: `make opendkim` installs it.")
    folder = tmp_path_factory.mktemp("opendkim")
    (folder / "keys").write_text(f"s1._domainkey.customer.example v=DKIM1; k=rsa; p={PUBLIC}\n")
    (folder / "conf").write_text(f"Mode v\nTestPublicKeys {folder}/keys\nSyslog no\nLogWhy yes\n")

    def verifies(data: bytes) -> bool:
        file = folder / "mail"
        file.write_bytes(data)
        command = [program, "-x", str(folder / "conf"), "-t", str(file), "-vv"]
        said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        return "dkim=pass" in said.stdout + said.stderr

    return verifies


def test_a_mail_reads_back_as_written() -> None:
    read = parsed(mail().data)
    assert read["Subject"] == CONTENT.subject.replace("%name%", "World")
    assert read["From"].addresses[0].display_name == CONTENT.sender_name
    assert (read["To"], read["Reply-To"]) == ("a@x.test", CONTENT.reply_to)
    assert read["Date"].datetime == CONTENT.accepted_at
    token = make_token(HOUSE.verp_key, 1, Use.MESSAGE_ID)
    assert read["Message-ID"] == f"<{CONTENT.submission_id.hex}.0.{token}@customer.example>"
    assert part(mail().data, "html") == CONTENT.html.replace("%name%", "World")
    assert part(mail().data, "plain") == CONTENT.text.replace("%name%", "World")
    assert not read.defects and not any(each.defects for each in read.walk())


def test_a_missing_text_part_is_made_of_the_html_and_keeps_its_links() -> None:
    made = part(mail(text="", html=LINKS, track_clicks=True).data, "plain")
    assert "World" in made and "(https://shop.example/?a=1&n=World)" in made and "<" not in made


@settings(max_examples=100, deadline=None)
@given(lengths=st.lists(st.integers(0, 400), min_size=1, max_size=6), value=st.text("xé<", max_size=9))
def test_long_and_short_pieces_fit_together(lengths: list[int], value: str) -> None:
    """Long literals are encoded beforehand, each for where it may begin; every line of base64 stands for itself."""
    text = "a" + "%name%".join("0123456789é"[: 1 + length % 11] * (length // 5) for length in lengths)
    data = mail(Somebody(variables={"name": value}), html=f"<p>{text}</p>", text=text).data
    assert part(data, "plain") == text.replace("%name%", value)
    assert part(data, "html") == f"<p>{text}</p>".replace("%name%", stdlib_html.escape(value))
    lines = data.split(b"base64\r\n\r\n")[1].split(b"\r\n--")[0].split(b"\r\n")
    assert b"".join(base64.b64decode(line) for line in lines) == text.replace("%name%", value).encode()
    assert max(map(len, lines)) <= 76 and (all(lines) or lines == [b""])


@pytest.mark.parametrize(
    "content",
    [
        {"html": "<p>%name%</p>", "text": "plain"},
        {"html": "<p>all the same</p>", "text": "%name%"},
        {"html": "<p>all the same</p>", "text": "plain", "subject": "same"},
        {"html": "", "text": ""},
        {"html": LINKS, "track_clicks": True, "track_opens": True},
        {"kind": "trigger", "reply_to": "", "sender_name": ""},
        {"account_id": SYSTEM_ACCOUNT, "kind": "trigger"},
        {"subject": "", "sender_name": "a" * 200, "domain_name": "例子.example"},
    ],
)
def test_both_verifiers_agree_whatever_differs(content: dict[str, Any], opendkim: Callable[[bytes], bool]) -> None:
    data = mail(**content).data
    assert dkimpy_verifies(data)
    assert opendkim(data)
    assert max(map(len, data.split(b"\r\n"))) <= 100
    assert data.isascii() and data.count(b"\n") == data.count(b"\r\n") == data.count(b"\r")


def test_every_change_breaks_the_signature(opendkim: Callable[[bytes], bool]) -> None:
    data = mail(html="<p>你好 %name%</p>").data
    changes = [
        (b"To: a@", b"To: b@"), (b"Feedback-ID: 0", b"Feedback-ID: z"), (b"PHA+", b"PGI+"),
        (b"One-Click", b"Two-Click"), (b"/t/u/A", b"/t/u/B"), (b"utf-8", b"UTF-8"), (b"boundary=", b"Boundary="),
    ]  # fmt: skip
    for old, new in changes:
        assert old in data
        assert not dkimpy_verifies(data.replace(old, new, 1)), old
    assert not opendkim(data.replace(b"PHA+", b"PGI+"))
    assert not opendkim(data.replace(b"To: a@", b"To: b@"))


@pytest.mark.parametrize("name", ["From", "To", "Cc", "Subject", "Date", "Message-ID", "Reply-To", "Content-Type"])
def test_a_second_field_breaks_the_signature(name: str, opendkim: Callable[[bytes], bool]) -> None:
    data = mail(reply_to="").data
    assert not dkimpy_verifies(name.encode() + b": evil@x.test\r\n" + data)
    if name == "From":
        assert not opendkim(b"From: evil@x.test\r\n" + data)


def test_the_same_message_gives_the_same_bytes() -> None:
    assert mail(html=LINKS, track_clicks=True) == mail(html=LINKS, track_clicks=True)
    assert mail(Somebody(ordinal=1, id=2)).data != mail().data


@settings(max_examples=120, deadline=None)
@given(value=TEXTS, name=TEXTS, subject=TEXTS)
def test_no_value_adds_a_header_or_breaks_a_line(value: str, name: str, subject: str) -> None:
    somebody = Somebody(variables={"name": value, "a": value, "recipient": value})
    data = mail(somebody, subject=subject + " %name%", sender_name=name, html=EVERY_PLACE, track_clicks=True).data
    head, _, _ = data.partition(b"\r\n\r\n")
    assert re.findall(rb"(?m)^([A-Za-z-]+):", head) == [
        b"DKIM-Signature", b"Date", b"From", b"Reply-To", b"List-Unsubscribe-Post", b"Feedback-ID", b"MIME-Version",
        b"Content-Type", b"To", b"Subject", b"Message-ID", b"List-Unsubscribe",
    ]  # fmt: skip
    assert all(re.match(rb"[A-Za-z-]+: |[A-Za-z-]+:\Z| \S", line) for line in head.split(b"\r\n"))
    assert data.isascii() and data.count(b"\n") == data.count(b"\r\n") == data.count(b"\r")
    assert max(map(len, data.split(b"\r\n"))) <= 100
    assert len(parsed(data).get_payload()) == 2
    assert dkimpy_verifies(data)


@settings(max_examples=150, deadline=None)
@given(address=TEXTS | st.from_regex(r"[^\r]{0,9}@[^\r]{0,9}[\r\n]{0,2}", fullmatch=True), which=st.integers(0, 2))
def test_no_address_adds_a_header_or_a_line(address: str, which: int) -> None:
    """It is refused, or stands in its field as it is."""
    try:
        made = (
            lambda: mail(Somebody(address)),
            lambda: mail(reply_to=address),
            lambda: mail(sender=address),
        )[which]()
    except ValueError:
        return
    head = made.data.partition(b"\r\n\r\n")[0]
    assert len(re.findall(rb"(?m)^[A-Za-z-]+:", head)) == 12 - (which == 1 and not address)
    assert head.count(b"\n") == head.count(b"\r\n") == head.count(b"\r")


@pytest.mark.parametrize("field", ["reply_to", "sender"])
def test_an_address_that_is_none_is_refused(field: str) -> None:
    for bad in ("a@x.test\r\nBcc: v@x.test", "a@x.test, v@x.test", "x\x00@y.test", "a@-.例"):
        with pytest.raises(ValueError, match=r"address|@"):
            mail(**{field: bad})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="address"):
        mail(Somebody("a@x.test\r\nBcc: v@x.test"))


def test_one_click_unsubscribing_is_offered_signed_and_unfolded() -> None:
    data = mail(Somebody(id=77)).data
    found = re.search(rb"\r\nList-Unsubscribe:(?:\r\n)? <(\S+)>\r\n", data)
    assert found and token(found[1].decode(), "u") == LinkToken(LinkKind.UNSUBSCRIBE, 77)
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in data
    names = re.search(rb" h=([^;]+);", data)
    assert names and {b"list-unsubscribe", b"list-unsubscribe-post"} <= set(re.split(rb":\s*", names[1]))


@pytest.mark.parametrize(
    "changes", [{"kind": "trigger"}, {"account_id": SYSTEM_ACCOUNT}, {"house": House("bounce.test", b"v" * 32)}]
)
def test_what_nobody_subscribed_to_offers_no_unsubscribing(changes: dict[str, Any]) -> None:
    assert b"List-Unsubscribe" not in mail(**changes).data


def test_links_lead_through_the_platform_and_the_numbers_are_those_of_the_redirect() -> None:
    values = {"name": "a&b", "link": "https://c.example/?x=1&y=2"}
    got = hrefs(mail(Somebody(id=9, variables=values), html=LINKS, track_clicks=True).data)
    numbered = {link.number: target(link, values) for link in tracked_links(LINKS)}
    assert numbered[1] == "https://shop.example/?a=1&n=a%26b" and numbered[2] == values["link"]
    assert [token(got[place], "c") for place in (0, 2, 4)] == [LinkToken(LinkKind.CLICK, 9, n) for n in (1, 2, 3)]
    assert (got[1], got[3], got[5]) == ("mailto:x@y.example", "#top", "https://songda.example/help")
    assert token(got[6], "u") == LinkToken(LinkKind.UNSUBSCRIBE, 9)


@pytest.mark.parametrize(
    ("value", "href"),
    [
        ("mailto:b@c.example", "mailto:b@c.example"),
        ("javascript:alert(1)", "#"),
        ("https://SONGDA.example/t/u/x", "https://SONGDA.example/t/u/x"),
        (f"{TRACKING_URL}/t/c/x", f"{TRACKING_URL}/t/c/x"),
    ],
)
def test_a_whole_link_that_is_not_of_the_web_or_is_ours_stays(value: str, href: str) -> None:
    somebody = Somebody(variables={"name": "n", "link": value})
    assert hrefs(mail(somebody, html=LINKS, track_clicks=True).data)[2] == href


def test_switched_off_nothing_is_rewritten_and_no_picture_added() -> None:
    values = {"name": "n", "link": "https://c.example"}
    data = mail(Somebody(variables=values), html=LINKS).data
    assert hrefs(data)[:5] == [
        "https://shop.example/?a=1&n=n", "mailto:x@y.example", "https://c.example", "#top", "https://b.example"
    ]  # fmt: skip
    assert "<img" not in part(data, "html")


def test_a_picture_tells_of_opening() -> None:
    html = part(mail(Somebody(id=5), html=LINKS, track_opens=True).data, "html")
    picture = re.search(r'<img src="([^"]+)"[^>]*></body>', html)
    assert picture and token(picture[1], "o") == LinkToken(LinkKind.OPEN, 5)
    assert "/t/c/" not in html


def test_the_system_fills_its_own_variables() -> None:
    text = "%recipient% %%user_defined_unsubscribe_link%%"
    data = mail(
        Somebody("b@x.test", {"name": "n", "user_defined_unsubscribe_link": "https://evil.test"}), text=text
    ).data
    address, url = part(data, "plain").split()
    assert address == "b@x.test" and token(url, "u") == LinkToken(LinkKind.UNSUBSCRIBE, 1)


def test_a_trigger_mail_may_have_the_link_in_its_text() -> None:
    url = part(mail(kind="trigger", text="%user_defined_unsubscribe_link%").data, "plain")
    assert token(url, "u") == LinkToken(LinkKind.UNSUBSCRIBE, 1)


def test_only_addresses_beyond_ascii_need_smtputf8() -> None:
    made = mail(Somebody("用户@例子.example"))
    assert made.is_utf8 and made.recipient == "用户@xn--fsqu00a.example"
    assert "\r\nTo: 用户@xn--fsqu00a.example\r\n".encode() in made.data
    assert dkimpy_verifies(made.data)
    plain = mail(Somebody("a@例子.example"), sender="news@例子.example")
    assert not plain.is_utf8 and plain.recipient == "a@xn--fsqu00a.example" and plain.data.isascii()
    assert mail(sender="客服@customer.example").is_utf8


def test_the_envelope_sender_names_the_message() -> None:
    sender = mail(Somebody(id=42), house=House("弹回.example", b"v" * 32)).envelope_from
    assert sender.endswith("@xn--zbs57q.example") and read_return_path(b"v" * 32, sender) == 42


def test_dates_are_of_the_acceptance_in_any_zone() -> None:
    zone = dt.timezone(dt.timedelta(hours=8))
    assert (
        b"\r\nDate: Mon, 23 Nov 2026 16:00:00 +0800\r\n" in mail(accepted_at=CONTENT.accepted_at.astimezone(zone)).data
    )


def test_fields_of_the_customers_own_are_in_the_mail_and_signed() -> None:
    own = {"SC-Custom-Order": "4711", "References": " ".join(f"<{n}@a-long-name.example>" for n in range(9)),
           "SC-Custom-" + "x" * 30: "你好" * 200 + "\r\nBcc: a@b.test"}  # fmt: skip
    data = mail(headers=own).data
    found = parsed(data)
    assert dkimpy_verifies(data)
    assert {name: " ".join(str(found[name]).split()) for name in own} == {
        name: " ".join(value.split()) for name, value in own.items()
    }
    assert found["Bcc"] is None
    assert b"sc-custom-order" in data.partition(b"bh=")[0]
