"""A mail as a customer hands it over by SMTP: what of it can be sent, or why it cannot (RFC 5322, 2045–2047).

What goes out is compiled anew from an approved template, so a mail is read for its subject, bodies and names only. Its
parts are few: a text, an HTML body, or both in one `multipart/alternative`; anything else is refused, never dropped.
Hostile mails are bounded by size, number of parts and length of fields before the standard library looks at them.
"""

import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from email.quoprimime import header_decode
from email.utils import getaddresses

from domain.custom_headers import kept, may_keep
from domain.errors import SongdaError
from domain.variables import one_line

LARGEST = 4_000_000
"""Bytes: a template has at most 500 KB, and base64 and a second body belong to it."""
MOST_PARTS = 16
LONGEST_XSMTPAPI = 2_000_000
"""Characters of that header, which SendCloud bounds to 1 MB of JSON."""
LONGEST_FIELD = 10_000
"""Of any other field that is read."""
MOST_FIELDS = 100_000
"""Lines that look like one; a style sheet has such lines, too."""
_CHARSETS = {"gb2312": "gb18030", "gbk": "gb18030", "us-ascii": "utf-8", "ascii": "utf-8", "": "utf-8"}
"""Read as more than they say: what customers' programs call so is often more."""
_KNOWN = re.compile(
    r"utf-?8|utf-?16(le|be)?|gb18030|big5(-?hkscs)?|iso-?8859-\d+|latin-?1|windows-\d+|cp\d+|koi8-[ru]"
    r"|shift[_-]jis|euc-(jp|kr|cn)|iso-2022-(jp|kr)|hz-gb-2312"
)
"""No codec that takes its time (idna, punycode)."""
_WORD = re.compile(r"=\?([^?\s]{1,40})\?([bBqQ])\?([^?\s]{0,998})\?=")
_FIELD = re.compile(rb"^[!-9;-~]{1,100}:", re.MULTILINE)
_MIME_FIELD = re.compile(rb"^content-[a-z-]{1,40}[ \t]{0,9}:[^\n]*(?:\n[ \t][^\n]*)*", re.MULTILINE | re.IGNORECASE)
_BETWEEN_WORDS = re.compile(r"(?<=\?=)\s+(?==\?)")


class Unreadable(SongdaError):
    """It cannot be taken; `reply` is what the client is told: code, enhanced code, what to do."""

    def __init__(self, reply: str) -> None:
        super().__init__(reply[:3])
        self.reply = reply


@dataclass(frozen=True)
class SubmittedMail:
    """`html` is empty where there is none, else `text` is not looked at."""

    sender: str
    sender_name: str
    reply_to: str
    subject: str
    html: str
    text: str
    xsmtpapi: str
    """The header's value, folded as it came; empty: there is none."""
    request_id: str
    """The customer's own name of this request (`SC-Request-Id`): a repeat is not sent again."""
    headers: dict[str, str] = field(default_factory=dict)
    """Those of the customer's own that are kept, see `domain.custom_headers`."""


def read_mail(content: bytes) -> SubmittedMail:
    """Raises `Unreadable`."""
    if len(content) > LARGEST:
        raise Unreadable("552 5.3.4 larger than any approved template; attachments are not supported, send a link")
    low = content.lower()
    if low.count(b"multipart/") + low.count(b"message/") > MOST_PARTS:
        raise Unreadable("554 5.6.0 too many nested parts")
    if len(_FIELD.findall(content)) > MOST_FIELDS:
        raise Unreadable("554 5.6.0 too many fields")
    if any(len(found[0]) > LONGEST_FIELD for found in _MIME_FIELD.finditer(content)):
        raise Unreadable("550 5.6.0 a Content-... field is too long")
    try:
        return _read(BytesParser(policy=compat32).parsebytes(content))
    except (RecursionError, ValueError, LookupError, TypeError, AttributeError, HeaderParseError) as bad:
        # What the standard library makes of mails that nobody wrote by hand.
        raise Unreadable("554 5.6.0 the mail cannot be read") from bad


def _read(mail: Message) -> SubmittedMail:
    fields = _fields(mail)
    sender, name = _mailbox(fields, "From")
    if not sender:
        raise Unreadable("550 5.6.0 the mail has no From address")
    html, text = _bodies(mail)
    if not html.strip() and not text.strip():
        raise Unreadable("550 5.6.0 the mail has neither text nor HTML")
    return SubmittedMail(
        sender=sender,
        sender_name=name,
        reply_to=_mailbox(fields, "Reply-To")[0],
        subject=one_line(_decoded(_one(fields, "Subject"))),
        html=html if html.strip() else "",
        text=text,
        xsmtpapi=_unwrapped(_one(fields, "X-SMTPAPI", LONGEST_XSMTPAPI)),
        request_id=_one(fields, "SC-Request-Id").strip(),
        headers=kept((name, _decoded(value)) for name, value in fields if may_keep(name, value)),
    )


def _fields(mail: Message) -> list[tuple[str, str]]:
    """The header as text; bytes that are no ASCII are UTF-8 (RFC 6532)."""
    return [(name, _utf8(str(value))) for name, value in mail.raw_items()]


def _utf8(value: str) -> str:
    return value if value.isascii() else value.encode(errors="surrogateescape").decode(errors="replace")


def _one(fields: list[tuple[str, str]], name: str, longest: int | None = LONGEST_FIELD) -> str:
    """The only field of this name; empty where there is none."""
    found = [value for each, value in fields if each.lower() == name.lower()]
    if len(found) > 1:
        raise Unreadable(f"550 5.6.0 the mail has more than one {name}")
    if found and longest is not None and len(found[0]) > longest:
        raise Unreadable(f"550 5.6.0 {name} is too long")
    return found[0] if found else ""


def _mailbox(fields: list[tuple[str, str]], name: str) -> tuple[str, str]:
    """(address, shown name) of a field with exactly one mailbox, or of none at all."""
    value = _one(fields, name)
    found = [(shown, address) for shown, address in getaddresses([value]) if shown or address]
    if len(found) > 1:
        raise Unreadable(f"550 5.6.0 {name} has more than one address")
    if value.strip() and (not found or "@" not in found[0][1]):
        raise Unreadable(f"550 5.6.0 {name} is not an address")
    return (found[0][1], one_line(_decoded(found[0][0]))) if found else ("", "")


def _decoded(value: str) -> str:
    """Encoded words as text (RFC 2047); folds are undone."""
    flat = re.sub(r"\r?\n(?=[ \t])", "", value)
    if "=?" not in flat:
        return flat
    return "".join(
        said if isinstance(said, str) else _text(said, charset or "us-ascii") for said, charset in decode_header(flat)
    )


def _unwrapped(value: str) -> str:
    """A long value, which Python writes in encoded words: in linear time, which `decode_header` does not take."""
    return _WORD.sub(_word, _BETWEEN_WORDS.sub("", value)) if "=?" in value else value


def _word(found: re.Match[str]) -> str:
    charset, encoding, said = found.groups()
    raw = b64decode(said) if encoding in "bB" else header_decode(said).encode("latin-1")
    return _text(raw, charset)


def _bodies(mail: Message) -> tuple[str, str]:
    """(HTML, plain text)."""
    found: dict[str, str] = {}
    for part in _leaves(mail):
        kind = part.get_content_type()
        named = part.get_filename() is not None or part.get_content_disposition() == "attachment"
        if kind not in ("text/html", "text/plain") or named or kind in found:
            raise Unreadable(
                f"554 5.6.1 attachments and other parts are not supported yet ({kind}): send one text, one HTML body, "
                "or both in multipart/alternative, and put files behind a link"
            )
        payload = part.get_payload(decode=True)
        found[kind] = _text(payload if isinstance(payload, bytes) else b"", part.get_content_charset() or "")
    return found.get("text/html", ""), found.get("text/plain", "")


def _leaves(mail: Message) -> Iterator[Message]:
    parts = mail.get_payload()
    if not isinstance(parts, list) or mail.get_content_type() == "message/rfc822":
        yield mail
        return
    if len(parts) > MOST_PARTS:
        raise Unreadable("554 5.6.0 too many parts")
    for part in parts:
        if isinstance(part, Message):
            yield from _leaves(part)


def _text(raw: bytes, charset: str) -> str:
    name = _CHARSETS.get(charset.lower(), charset.lower())
    if not _KNOWN.fullmatch(name):
        raise Unreadable("554 5.6.3 a charset that is not supported: use UTF-8")
    try:
        return raw.decode(name)
    except (UnicodeDecodeError, LookupError):
        raise Unreadable("554 5.6.3 a text is not in the charset that it names: use UTF-8") from None
