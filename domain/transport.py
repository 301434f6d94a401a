"""What the sending engine asks of the world: a route to a domain's mail servers, a connection, a dialogue."""

from dataclasses import dataclass
from typing import Protocol

from domain.sending import Outcome


@dataclass(frozen=True)
class MailHost:
    """One receiving server: its name from the MX record and the addresses to try, in order."""

    name: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class MailRoute:
    """Where a domain's mail goes (RFC 5321 §5.1), best server first; or why nowhere.

    `failure` is set when there is no server to try: `BOUNCED` for a null MX or an unknown domain, else `DEFERRED`.
    """

    domain: str
    hosts: tuple[MailHost, ...] = ()
    failure: Outcome | None = None

    @property
    def destination(self) -> str:
        """Domains with the same servers share connections: this names the group."""
        return ",".join(sorted(host.name for host in self.hosts)) or self.domain


@dataclass(frozen=True)
class Mail:
    """One message ready for the wire: signed bytes with CRLF line ends."""

    envelope_from: str
    recipient: str
    data: bytes
    is_utf8: bool = False
    """Whether an address beyond ASCII is in it: then only servers that offer SMTPUTF8 can take it (RFC 6531)."""


class Classifier(Protocol):
    """What a reply with a 4xx or 5xx code means."""

    def __call__(self, host: str, code: int, text: str) -> Outcome:
        """`host` as its MX record names it; `text` is the whole reply without its code."""


class Router(Protocol):
    async def mail_hosts(self, domain: str) -> MailRoute:
        """Never raises for what DNS answers: that is data."""


class Connection(Protocol):
    """An open connection to one receiving server."""

    @property
    def alive(self) -> bool:
        """Whether another dialogue may begin on it."""

    async def deliver(self, mail: Mail) -> Outcome:
        """One dialogue, MAIL to the reply after the final dot. Never raises for what the peer does."""

    async def close(self) -> None: ...


class Transport(Protocol):
    async def connect(self, route: MailRoute) -> "Connection | Outcome":
        """A connection to the best server that answers, or why none did."""
