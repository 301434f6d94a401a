"""A submission's mails: everything they have in common is made once, and each recipient's is filled and signed.

    compiled = compile_mail(content, house)      # once per content: parsing, text part, header fields, boundary
    compiled.mail(message, key)                  # per message: values, base64, one signature

The same message gives the same bytes at every try: Message-ID, Date, boundary and signature follow from the arguments.
"""

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Protocol
from uuid import UUID

from domain import dkim, verp
from domain.accounts import SYSTEM_ACCOUNT
from domain.link_tokens import LinkKind, link_url, make_token
from domain.mail import canonical, domain_on_the_wire, field, mailbox, on_the_wire, unstructured, uri
from domain.mail_body import CompiledBody, Tracking, compile_body
from domain.senders import SendKind
from domain.transport import Mail
from domain.variables import SYSTEM_VARIABLES, FillableText, compile_text, system_values


@dataclass(frozen=True)
class MailContent:
    """What a submission's mails are made of; the same for all of them."""

    submission_id: UUID
    account_id: UUID
    kind: str
    sender: str
    sender_name: str
    reply_to: str
    accepted_at: dt.datetime
    subject: str
    html: str
    text: str
    """Empty: made of the HTML."""
    domain_name: str
    """Of the sender; in Message-IDs."""
    track_clicks: bool
    track_opens: bool
    headers: Mapping[str, str]
    """Fields of the customer's own (`domain.custom_headers`)."""


@dataclass(frozen=True)
class House:
    """What all mails of an installation have in common.

    `tracking_url` is where links to the platform lead, without a slash at its end; when it is empty, mails hold none.
    `own_urls` are other beginnings of the platform's URLs, which are never tracked.
    """

    bounce_host: str
    verp_key: bytes
    """Of return paths (`domain.verp`)."""
    tracking_url: str = ""
    link_key: bytes = b""
    own_urls: tuple[str, ...] = ()


class Recipient(Protocol):
    """The part of a message that its mail depends on."""

    @property
    def id(self) -> int: ...
    @property
    def ordinal(self) -> int: ...
    @property
    def address(self) -> str: ...
    @property
    def variables(self) -> Mapping[str, str]: ...


@dataclass(frozen=True)
class _OwnLinks:
    """The platform's links in the mail of one message."""

    house: House
    message: int

    def click(self, number: int) -> str:
        return self._link(LinkKind.CLICK, number)

    def open(self) -> str:
        return self._link(LinkKind.OPEN)

    def unsubscribe(self) -> str:
        return self._link(LinkKind.UNSUBSCRIBE)

    def _link(self, kind: LinkKind, number: int = 0) -> str:
        if not self.house.tracking_url:
            return ""
        return link_url(self.house.tracking_url, kind, make_token(self.house.link_key, kind, self.message, number))


@dataclass(frozen=True)
class _Fields:
    """Header fields as they are sent and as they are signed."""

    raw: bytes
    canonical: bytes
    names: tuple[str, ...]

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> "_Fields":
        lines = [field(name, value) for name, value in fields.items()]
        return cls(b"".join(lines), b"".join(map(canonical, lines)), tuple(fields))


@dataclass(frozen=True)
class CompiledMail:
    """One content, ready for its recipients."""

    house: House
    body: CompiledBody
    common: _Fields
    subject: FillableText
    id_prefix: str
    id_domain: str
    bounce_host: str
    signed: dkim.SignedNames
    signed_at: int
    knows_system: bool
    """Whether the content has a variable that the system fills."""
    one_click: bool
    """Whether the mails can be unsubscribed from by a button of the mail program (RFC 8058)."""
    is_utf8: bool
    """Whether a sender's address is beyond ASCII (RFC 6532)."""

    def mail(self, message: Recipient, key: dkim.SigningKey) -> Mail:
        """One recipient's mail, signed. Raises `ValueError` when the address cannot stand in a header."""
        links = _OwnLinks(self.house, message.id)
        address = on_the_wire(message.address)
        unsubscribe = links.unsubscribe() if self.one_click or self.knows_system else ""
        values = message.variables
        if self.knows_system:
            values = system_values(message.address, values, unsubscribe)
        own, own_canonical = self._own_fields(message, values, unsubscribe)
        body = self.body.fill(values, links)
        fields = self.common.canonical + own_canonical
        signature = dkim.signature(key, self.signed, self.signed_at, hashlib.sha256(body).digest(), fields)
        data = b"%b%b%b\r\n%b" % (signature, self.common.raw, own, body)
        sender = verp.return_path(verp.make_token(self.house.verp_key, message.id), self.bounce_host)
        return Mail(sender, address, data, self.is_utf8 or not address.isascii())

    def _own_fields(self, message: Recipient, values: Mapping[str, str], unsubscribe: str) -> tuple[bytes, bytes]:
        """This recipient's fields in the order of `OWN_NAMES`, as they are sent and as they are signed.

        The Message-ID carries a token, too: complaints quote it, and it must not be possible to make up another's.
        """
        address = on_the_wire(message.address)
        subject = field("Subject", unstructured(self.subject.fill(values), "Subject"))
        token = verp.make_token(self.house.verp_key, message.id, verp.Use.MESSAGE_ID)
        message_id = f"<{self.id_prefix}.{message.ordinal}.{token}@{self.id_domain}>"
        raw = b"To: %b\r\n%bMessage-ID: %b\r\n" % (address.encode(), subject, message_id.encode())
        signed = b"to:%b\r\n%bmessage-id:%b\r\n" % (address.encode(), canonical(subject), message_id.encode())
        if self.one_click:
            raw += field("List-Unsubscribe", uri(unsubscribe, "List-Unsubscribe"))
            signed += f"list-unsubscribe:<{unsubscribe}>\r\n".encode()
        return raw, signed


OWN_NAMES = ("To", "Subject", "Message-ID")


def compile_mail(content: MailContent, house: House) -> CompiledMail:
    """Prepare a content. Raises `ValueError` when the sender's addresses cannot stand in a header."""
    one_click = content.kind == SendKind.BATCH and content.account_id != SYSTEM_ACCOUNT and bool(house.tracking_url)
    body = compile_body(content.html, content.text, _tracking(content, house))
    common = _Fields.of(_common_fields(content, body.boundary, one_click))
    own_names = (*OWN_NAMES, "List-Unsubscribe") if one_click else OWN_NAMES
    subject = compile_text(content.subject)
    return CompiledMail(
        house=house,
        body=body,
        common=common,
        subject=subject,
        id_prefix=content.submission_id.hex,
        id_domain=domain_on_the_wire(content.domain_name),
        bounce_host=domain_on_the_wire(house.bounce_host),
        signed=dkim.signed_names([*common.names, *own_names]),
        signed_at=int(content.accepted_at.timestamp()),
        knows_system=not SYSTEM_VARIABLES.isdisjoint(body.variables.union(subject.places)),
        one_click=one_click,
        is_utf8=not common.raw.isascii(),
    )


def _tracking(content: MailContent, house: House) -> Tracking:
    if not house.tracking_url:
        return Tracking()
    own = tuple(f"{url.lower()}/" for url in (house.tracking_url, *house.own_urls))
    return Tracking(content.track_clicks, content.track_opens, own)


def _common_fields(content: MailContent, boundary: str, one_click: bool) -> dict[str, str]:
    fields = {
        "Date": format_datetime(content.accepted_at),
        "From": mailbox(content.sender_name, on_the_wire(content.sender)),
    }
    if content.reply_to:
        fields["Reply-To"] = on_the_wire(content.reply_to)
    fields |= {name: unstructured(value, name) for name, value in content.headers.items()}
    if one_click:
        fields["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    fields["Feedback-ID"] = f"{content.submission_id.hex[:16]}:{content.account_id.hex}:{content.kind}:songda"
    fields["MIME-Version"] = "1.0"
    fields["Content-Type"] = f'multipart/alternative;\r\n boundary="{boundary}"'
    if content.account_id == SYSTEM_ACCOUNT:
        # So that nobody's vacation robot answers the platform's own notices (RFC 3834 §5).
        fields["Auto-Submitted"] = "auto-generated"
    return fields
