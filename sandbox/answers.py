"""What a recipient's side writes back: failure and delay reports, complaints, automatic answers, replies.

Each provider in its own way: most send delivery status reports (RFC 3464), Sina a text that only people were meant to
read, Outlook complaints in its older form; the others complain as RFC 5965 says.
"""

from __future__ import annotations

import email.utils
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.header import Header
from email.message import Message
from email.parser import BytesHeaderParser

from sandbox.answer_rows import Answer, Kind
from sandbox.mailbox import readable
from sandbox.manners import Action, Wording

RETURNED_OCTETS = 50_000
"""A larger mail is returned without its body."""


@dataclass(frozen=True)
class Received:
    """A mail as one recipient's provider holds it; ``host`` is the name of its mail server."""

    provider: str
    host: str
    wording: Wording
    mail_from: str
    recipient: str
    raw: bytes
    reaches: Callable[[str], bool] = bool
    """Whether an address has a mail server."""

    @property
    def domain(self) -> str:
        """The recipient's."""
        return self.recipient.rpartition("@")[2]


@dataclass(frozen=True)
class _Part:
    """One part of a report."""

    type: str
    body: bytes
    description: str = ""

    def as_bytes(self) -> bytes:
        lines = [f"Content-Type: {self.type}"]
        lines += [f"Content-Description: {self.description}"] * bool(self.description)
        lines += ["Content-Transfer-Encoding: 8bit"] * (not self.body.isascii())
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


@dataclass(frozen=True)
class _Failure:
    """Why and how: ``reply`` is what the mail server would have said to RCPT."""

    kind: Kind
    action: str
    status: str
    reply: str

    @classmethod
    def of(cls, kind: Kind, reply: str) -> _Failure:
        lines = [line[4:] for line in reply.split("\r\n")]
        status = re.search(r"[245]\.\d\.\d+", reply)
        code = reply[:3]
        action = "failed" if kind is Kind.BOUNCE else "delayed"
        return cls(kind, action, status[0] if status else f"{code[0]}.0.0", " ".join((code, *lines)))


# Subjects and first sentences of the reports, by provider.
_SUBJECTS: Mapping[str, Mapping[Kind, str]] = {
    "qq": {Kind.BOUNCE: "来自 qq.com 的退信", Kind.DELAY: "邮件投递延迟通知"},
    "163": {Kind.BOUNCE: "系统退信 / Systems bounce", Kind.DELAY: "投递延迟 / Delivery delayed"},
    "sina": {Kind.BOUNCE: "failure notice", Kind.DELAY: "Delayed mail (still being retried)"},
    "gmail": {
        Kind.BOUNCE: "Delivery Status Notification (Failure)",
        Kind.DELAY: "Delivery Status Notification (Delay)",
    },
    "outlook": {Kind.BOUNCE: "Undeliverable: your mail", Kind.DELAY: "Delivery delayed: your mail"},
    "company": {
        Kind.BOUNCE: "Undelivered Mail Returned to Sender",
        Kind.DELAY: "Delayed Mail (still being retried)",
    },
}
_CHINESE = frozenset({"qq", "163", "sina"})
_SENTENCES: Mapping[tuple[bool, Kind], str] = {
    (True, Kind.BOUNCE): "很抱歉，您的邮件没能送到下面的收件人：",
    (True, Kind.DELAY): "您的邮件暂时没能送到下面的收件人，系统仍在尝试，您无需处理：",
    (False, Kind.BOUNCE): "Your mail could not be delivered to this recipient:",
    (False, Kind.DELAY): "Your mail has been delayed and is still being retried; no action is required on your part:",
}


def answers_to(mail: Received, action: Action, wait: float) -> list[Answer]:
    """What one recipient's side sends for a mail; nothing ever answers the null sender (RFC 5321 §6.1)."""
    if not mail.mail_from:
        return []
    return _WRITERS[action](mail, wait)


def _late_bounce(mail: Received, wait: float) -> list[Answer]:
    return [_report(mail, _Failure.of(Kind.BOUNCE, mail.wording.unknown), wait)]


def _late_full(mail: Received, wait: float) -> list[Answer]:
    """Server's patience in small: a warning first, the end after as long again."""
    delayed = _report(mail, _Failure.of(Kind.DELAY, mail.wording.fulltemp), wait)
    return [delayed, _report(mail, _Failure.of(Kind.BOUNCE, mail.wording.full), 2 * wait)]


def _report(mail: Received, failure: _Failure, wait: float) -> Answer:
    write = _notice if mail.provider == "sina" and failure.kind is Kind.BOUNCE else _status_report
    return Answer(failure.kind, "", mail.mail_from, write(mail, failure), wait)


def _status_report(mail: Received, failure: _Failure) -> bytes:
    words = f"{_SENTENCES[mail.provider in _CHINESE, failure.kind]}\r\n\r\n<{mail.recipient}>: {failure.reply}\r\n"
    address_type = "rfc822" if mail.recipient.isascii() else "utf-8"
    status = (
        f"Reporting-MTA: dns; {mail.host}\r\nArrival-Date: {email.utils.formatdate()}\r\n\r\n"
        f"Final-Recipient: {address_type}; {mail.recipient}\r\nAction: {failure.action}\r\nStatus: {failure.status}\r\n"
        f"Diagnostic-Code: smtp; {failure.reply}\r\n"
    )
    status_type = "delivery-status" if mail.recipient.isascii() else "global-delivery-status"
    parts = (
        _Part("text/plain; charset=utf-8", words.encode(), "Notification"),
        _Part(f"message/{status_type}", status.encode(), "Delivery report"),
        _returned(mail),
    )
    return _multipart(_report_head(mail, failure), "report; report-type=delivery-status", parts)


def _notice(mail: Received, failure: _Failure) -> bytes:
    """In qmail's manner: a text, with a copy of the mail behind it."""
    words = (
        f"Hi. This is the deliver program at {mail.host}.\r\nYour mail did not get to this address.\r\n\r\n"
        f"<{mail.recipient}>:\r\n{failure.reply}\r\n\r\n--- Below this line is a copy of the message.\r\n\r\n"
    )
    head = _head(_report_head(mail, failure) | {"Content-Type": "text/plain; charset=utf-8"})
    return head + words.encode() + _returned(mail).body


def _report_head(mail: Received, failure: _Failure) -> dict[str, str]:
    return {
        "From": f"Mail Delivery System <MAILER-DAEMON@{mail.host}>",
        "To": f"<{mail.mail_from}>",
        "Subject": _SUBJECTS[mail.provider][failure.kind],
        "Auto-Submitted": "auto-replied",
    }


def _complain(mail: Received, wait: float) -> list[Answer]:
    write = _older_complaint if mail.provider == "outlook" else _complaint
    sender = f"feedback@{mail.domain}"
    return [Answer(Kind.COMPLAINT, sender, mail.mail_from, write(mail, sender), wait)]


def _complaint(mail: Received, sender: str) -> bytes:
    """RFC 5965; without the recipient's address, as most loops do."""
    fields = (
        "Feedback-Type: abuse\r\nUser-Agent: Songda-Sandbox/1\r\nVersion: 1\r\n"
        f"Original-Mail-From: <{mail.mail_from}>\r\nArrival-Date: {email.utils.formatdate()}\r\n"
        f"Reporting-MTA: dns; {mail.host}\r\n"
    )
    words = "A recipient reported this mail as spam. 收件人举报了这封邮件。\r\n"
    parts = (
        _Part("text/plain; charset=utf-8", words.encode()),
        _Part("message/feedback-report", fields.encode()),
        _Part("message/rfc822", _redacted(mail.raw)),
    )
    return _multipart(_complaint_head(mail, sender), "report; report-type=feedback-report", parts)


def _older_complaint(mail: Received, sender: str) -> bytes:
    """Hotmail's: only the mail, with a field that names the recipient."""
    named = f"X-HmXmrOriginalRecipient: {mail.recipient}\r\n".encode()
    return _multipart(_complaint_head(mail, sender), "mixed", (_Part("message/rfc822", named + mail.raw),))


def _complaint_head(mail: Received, sender: str) -> dict[str, str]:
    subject = f"complaint about message from {mail.mail_from.rpartition('@')[2]}"
    return {"From": f"<{sender}>", "To": f"<{mail.mail_from}>", "Subject": subject}


def _vacation(mail: Received, wait: float) -> list[Answer]:
    """To the return path, from the null sender (RFC 3834 §3.3, §4)."""
    is_chinese = mail.provider in _CHINESE
    prefix = "自动回复：" if is_chinese else "Automatic reply: "
    words = "我正在休假，回来后再回复您。" if is_chinese else "I am out of the office and will answer when I am back."
    head = _answer_head(mail, mail.mail_from, prefix) | {"Auto-Submitted": "auto-replied (vacation)"}
    return [Answer(Kind.VACATION, "", mail.mail_from, _text(head, words), wait)]


def _reply(mail: Received, wait: float) -> list[Answer]:
    """To the author; to the return path when nobody takes the author's mail, so that replies can be tried."""
    fields = _fields(mail.raw)
    author = email.utils.parseaddr(str(fields.get("Reply-To") or fields.get("From") or ""))[1]
    to = author if author and mail.reaches(author) else mail.mail_from
    words = "谢谢，收到了。请问还有现货吗？" if mail.provider in _CHINESE else "Thank you. Is it still in stock?"
    return [Answer(Kind.REPLY, mail.recipient, to, _text(_answer_head(mail, to, "Re: "), words), wait)]


def _answer_head(mail: Received, to: str, prefix: str) -> dict[str, str]:
    fields = _fields(mail.raw)
    message_id = str(fields.get("Message-ID") or "").strip()
    threads = {"In-Reply-To": message_id, "References": message_id} if message_id else {}
    subject = f"{prefix}{readable(fields.get('Subject'))}"
    return {"From": f"<{mail.recipient}>", "To": f"<{to}>", "Subject": subject[:200]} | threads


_WRITERS: Mapping[Action, Callable[[Received, float], list[Answer]]] = {
    Action.LATEBOUNCE: _late_bounce,
    Action.LATEFULL: _late_full,
    Action.COMPLAIN: _complain,
    Action.VACATION: _vacation,
    Action.ANSWER: _reply,
}


def _returned(mail: Received) -> _Part:
    """The mail as its last server had it, with the return path on top."""
    whole = f"Return-Path: <{mail.mail_from}>\r\n".encode() + mail.raw
    if len(whole) <= RETURNED_OCTETS:
        return _Part("message/rfc822", whole, "Undelivered mail")
    return _Part("text/rfc822-headers", whole[: _header_end(whole)], "Undelivered mail's header")


def _redacted(raw: bytes) -> bytes:
    """Without the recipient's address in its header (RFC 6650 §5.2)."""
    end = _header_end(raw)
    return re.sub(rb"(?im)^To:[^\r\n]*", b"To: redacted", raw[:end]) + raw[end:]


def _header_end(raw: bytes) -> int:
    end = raw.find(b"\r\n\r\n")
    return len(raw) if end < 0 else end + 2


def _fields(raw: bytes) -> Message:
    return BytesHeaderParser().parsebytes(raw[: _header_end(raw)])


def _text(head: Mapping[str, str], words: str) -> bytes:
    return _head({**head, "Content-Type": "text/plain; charset=utf-8"}) + words.encode() + b"\r\n"


def _multipart(head: Mapping[str, str], kind: str, parts: tuple[_Part, ...]) -> bytes:
    boundary = email.utils.make_msgid().strip("<>").partition("@")[0]
    lines = b"".join(b"--%b\r\n%b\r\n" % (boundary.encode(), part.as_bytes()) for part in parts)
    return (
        _head({**head, "Content-Type": f'multipart/{kind}; boundary="{boundary}"'})
        + lines
        + f"--{boundary}--\r\n".encode()
    )


def _head(fields: Mapping[str, str]) -> bytes:
    host = fields["From"].rpartition("@")[2].rstrip(">")
    common = {
        "Date": email.utils.formatdate(),
        "Message-ID": email.utils.make_msgid(domain=host),
        "MIME-Version": "1.0",
    }
    lines = [f"{name}: {_encoded(name, value)}\r\n" for name, value in {**fields, **common}.items()]
    return "".join(lines).encode() + b"\r\n"


def _encoded(name: str, value: str) -> str:
    """Encoded words for a subject beyond ASCII; nothing that a stranger wrote ends a line."""
    flat = " ".join(value.split())
    return (
        flat if flat.isascii() or name != "Subject" else Header(flat, "utf-8", header_name=name).encode(linesep="\r\n")
    )
