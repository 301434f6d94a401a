"""Composed and signed mails, read back by the standard library and verified by dkimpy."""

import base64
import datetime as dt
import email
import email.message
import email.policy

import dkim as dkimpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import dkim
from domain.dkim_keys import new_key_pair
from domain.mail import Letter, compose

PRIVATE, PUBLIC = new_key_pair()
KEY = dkim.load_key("customer.example", "s1", PRIVATE)
LETTER = Letter(
    message_id="abc.0@customer.example", date=dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC),
    sender="news@customer.example", sender_name="送达，客户", to="a@x.test", reply_to="help@customer.example",
    subject="您好 " * 30, html="<p>你好</p>\n.\n", text=".dot\n\n\ntext  \n", feedback_id="a:b:c:songda",
)  # fmt: skip


def changed(**values: object) -> Letter:
    return Letter(**{**LETTER.__dict__, **values})


def record(name: bytes, timeout: int = 5) -> bytes:
    assert name == b"s1._domainkey.customer.example."
    return b"v=DKIM1; k=rsa; p=" + PUBLIC.encode()


def verified(message: bytes) -> bool:
    return bool(dkimpy.verify(message, dnsfunc=record))


def part(parsed: email.message.EmailMessage, subtype: str) -> object:
    body = parsed.get_body((subtype,))
    assert body is not None
    return body.get_content()


def test_a_composed_mail_reads_back_as_written() -> None:
    parsed = email.message_from_bytes(compose(LETTER), policy=email.policy.default)
    assert parsed["Subject"] == LETTER.subject
    assert parsed["From"].addresses[0].display_name == LETTER.sender_name
    assert parsed["Reply-To"] == LETTER.reply_to
    assert part(parsed, "html") == LETTER.html
    assert part(parsed, "plain") == LETTER.text
    assert not parsed.defects


def test_lines_are_short_and_end_in_crlf() -> None:
    raw = dkim.sign(compose(LETTER), KEY, 1_790_000_000)
    assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r")
    assert max(len(line) for line in raw.split(b"\r\n")) <= 100
    assert raw.isascii()


def test_dkimpy_verifies_and_every_change_breaks_the_signature() -> None:
    signed = dkim.sign(compose(LETTER), KEY, 1_790_000_000)
    assert verified(signed)
    for old, new in ((b"To: a@", b"To: b@"), (b"Feedback-ID: a", b"Feedback-ID: z"), (b"PHA+", b"PGI+")):
        assert old in signed
        assert not verified(signed.replace(old, new))
    assert not verified(b"From: evil@x.test\r\n" + signed)  # From is over-signed


@settings(max_examples=60, deadline=None)
@given(
    subject=st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=200), html=st.text(max_size=500)
)
def test_any_text_is_signed_verifiably(subject: str, html: str) -> None:
    clean = subject.replace("\u2028", "").replace("\u2029", "")
    html = html.encode(errors="replace").decode()
    assert verified(dkim.sign(compose(changed(subject=clean, html=html)), KEY, 1))


@pytest.mark.parametrize("field", ["subject", "sender_name", "to", "reply_to", "feedback_id"])
def test_a_line_break_never_makes_a_header(field: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        compose(changed(**{field: "x\r\nBcc: victim@x.test"}))


def test_relaxed_body_follows_the_rfc() -> None:
    assert dkim.relaxed_body(b" C \r\nD \t E\r\n\r\n\r\n") == b" C\r\nD E\r\n"
    assert dkim.relaxed_body(b"\r\n\r\n") == b""
    assert len(base64.b64decode(PUBLIC)) == 294
