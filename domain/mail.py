"""One mail as bytes: headers (RFC 5322, 2047) and a multipart/alternative body (RFC 2046), lines of at most 76."""

import base64
import datetime as dt
import email.header
import email.utils
from dataclasses import dataclass

CRLF = b"\r\n"


@dataclass(frozen=True)
class Letter:
    """Everything that one recipient's mail is made of; addresses are ASCII, texts are filled already."""

    message_id: str
    date: dt.datetime
    sender: str
    sender_name: str
    to: str
    reply_to: str
    subject: str
    html: str
    text: str
    feedback_id: str
    automatic: bool = False
    """Songda's own notices say so (RFC 3834), so that nobody's vacation robot answers them."""


def compose(letter: Letter) -> bytes:
    """The unsigned message with CRLF line ends. Raises `ValueError` when a header value holds a line break."""
    boundary = f"=_songda_{letter.message_id.partition('@')[0]}"
    headers = [
        ("Date", email.utils.format_datetime(letter.date)),
        ("From", mailbox(letter.sender_name, letter.sender)),
        ("To", letter.to),
        ("Subject", encoded(letter.subject, "Subject")),
        ("Message-ID", f"<{letter.message_id}>"),
        ("Feedback-ID", letter.feedback_id),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/alternative;\r\n boundary="{boundary}"'),
    ]
    if letter.reply_to:
        headers.insert(3, ("Reply-To", letter.reply_to))
    if letter.automatic:
        headers.append(("Auto-Submitted", "auto-generated"))
    head = b"".join(_field(name, value) for name, value in headers)
    return head + CRLF + _alternative(letter, boundary)


def _alternative(letter: Letter, boundary: str) -> bytes:
    edge = b"--" + boundary.encode()
    parts = [_part("plain", letter.text), _part("html", letter.html)]
    return b"".join(edge + CRLF + part for part in parts) + edge + b"--" + CRLF


def _part(subtype: str, content: str) -> bytes:
    head = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    lines = base64.encodebytes(content.encode()).replace(b"\n", CRLF)
    return head.encode() + lines


def _field(name: str, value: str) -> bytes:
    bare = value.replace("\r\n ", "")
    if "\r" in bare or "\n" in bare:
        raise ValueError(f"the value of {name} contains a line break")
    return f"{name}: {value}\r\n".encode("ascii")


def encoded(value: str, name: str) -> str:
    """A header value in RFC 2047 encoded-words where it needs them, folded."""
    if any(c in value for c in "\r\n"):
        raise ValueError(f"the value of {name} contains a line break")
    if value.isascii() and len(value) <= 60:
        return value
    return email.header.Header(value, "utf-8", maxlinelen=75, header_name=name).encode(linesep="\r\n")


def mailbox(name: str, address: str) -> str:
    """`Name <address>` with the name quoted or encoded as it needs."""
    if not name:
        return address
    if name.isascii() and len(name) <= 60:
        return email.utils.formataddr((name, address))
    return f"{encoded(name, 'From')} <{address}>"
