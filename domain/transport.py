"""What the sending engine asks of the world: a route to a domain's mail servers, a connection, a dialogue."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from domain.sending import Outcome


class Tls(StrEnum):
    """How a connection must be encrypted before it speaks of a mail (RFC 3207)."""

    NONE = "none"
    OPPORTUNISTIC = "opportunistic"
    """When the server offers it and it works; with whatever certificate."""
    REQUIRED = "required"
    """Encrypted, with whatever certificate: protects from who only listens."""
    VERIFIED = "verified"
    """Encrypted, with a certificate that a known authority issued for the server's name."""

    @property
    def must(self) -> bool:
        """Whether nothing is sent without encryption."""
        return self in (Tls.REQUIRED, Tls.VERIFIED)


@dataclass(frozen=True)
class Login:
    """What a smart host asks of us (RFC 4954)."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class MailHost:
    """One receiving server: its name from the MX record and the addresses to try, in order.

    `port` None: where mail servers listen.
    """

    name: str
    addresses: tuple[str, ...]
    port: int | None = None


@dataclass(frozen=True)
class MailRoute:
    """Where a domain's mail goes (RFC 5321 §5.1), best server first; or why nowhere.

    `failure` is set when there is no server to try: `BOUNCED` for a null MX or an unknown domain, else `DEFERRED`.
    `relay`: the hosts are a smart host's, which sends on; they ask for `login`, where it is set.
    """

    domain: str
    hosts: tuple[MailHost, ...] = ()
    failure: Outcome | None = None
    tls: Tls = Tls.OPPORTUNISTIC
    relay: bool = False
    login: Login | None = None

    @property
    def destination(self) -> str:
        """Domains with the same servers are one site: this names the group."""
        return ",".join(sorted(host.name for host in self.hosts)) or self.domain

    @property
    def connection(self) -> "tuple[str, Tls, Login | None, bool, frozenset[tuple[str, int | None]]]":
        """Domains for which this is the same share connections: a relay is no MX, though it may have its name."""
        ports = frozenset((host.name, host.port) for host in self.hosts)
        return self.destination, self.tls, self.login, self.relay, ports


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
