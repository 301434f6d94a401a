"""Addresses that we send from: which of them speaks on a connection, and what an operator may enter. Pure."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address

from domain.addresses import BadAddress, normalise_domain
from domain.dns import DnsAnswer
from domain.errors import Refusal
from domain.lanes import OTHER, lane_of
from domain.transport import MailRoute

MOST_NUMBERS = 32_767
MOST_NOTE = 200
HOST_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")


class EgressState(StrEnum):
    """A paused address begins no new connection. A removed one never does again; messages still remember its number."""

    ACTIVE = "active"
    PAUSED = "paused"
    REMOVED = "removed"


@dataclass(frozen=True)
class Source:
    """What a connection of ours comes from. `address` empty: the system chooses; then `number` is 0."""

    number: int
    address: str
    ehlo_name: str

    def reaches(self, server: str) -> bool:
        """Whether a server at this address is of its family (IPv4, IPv6)."""
        return not self.address or (":" in self.address) == (":" in server)


def source_for(route: MailRoute, server: str, sources: Sequence[Source], turn: int) -> Source | None:
    """Which of our addresses speaks to a server, or None: none is of its family.

    Large providers hear them in turn. A site of the long tail always hears the same one, as long as that is there: a
    server that greylists knows us by it when we come again (reference §1.5).
    """
    fitting = [source for source in sources if source.reaches(server)]
    if len(fitting) < 2:
        return fitting[0] if fitting else None
    if route.relay or lane_of(host.name for host in route.hosts) != OTHER:
        return fitting[turn % len(fitting)]
    return max(fitting, key=lambda source: _weight(source, route.destination))


def _weight(source: Source, destination: str) -> bytes:
    """The highest wins (rendezvous hashing): one address more or less moves only the sites that it takes or leaves."""
    return hashlib.blake2b(f"{source.number} {destination}".encode(), digest_size=8).digest()


@dataclass(frozen=True)
class EgressEntry:
    """An address as an operator enters it.

    `host` names the machine that it belongs to; empty: every one that has it. `public` is what the Internet sees, where
    a router translates; empty: `source`.
    """

    source: str
    ehlo_name: str
    host: str = ""
    public: str = ""
    note: str = ""

    @property
    def seen_as(self) -> str:
        return self.public or self.source


class Reverse(StrEnum):
    """Whether an address is called as it says it is (FCrDNS): large receivers refuse mail where it is not."""

    GOOD = "good"
    NO_NAME = "no-name"
    """No PTR record."""
    OTHER_NAME = "other-name"
    """Its PTR record says something else than it says itself."""
    NOT_BACK = "not-back"
    """The name does not lead to the address."""
    UNKNOWN = "unknown"
    """The DNS did not answer in time."""


def judge(entry: EgressEntry, names: DnsAnswer, addresses: DnsAnswer) -> Reverse:
    """`names` of the address as the Internet sees it, `addresses` of the EHLO name."""
    if not names.reachable or not addresses.reachable:
        return Reverse.UNKNOWN
    if not names.values:
        return Reverse.NO_NAME
    if entry.ehlo_name not in names.values:
        return Reverse.OTHER_NAME
    forward = {ip_address(each) for each in addresses.values}
    return Reverse.GOOD if ip_address(entry.seen_as) in forward else Reverse.NOT_BACK


def read_entry(source: str, ehlo_name: str, host: str = "", public: str = "", note: str = "") -> EgressEntry:
    """Raises `egress_address_malformed`, `egress_name_malformed`, `egress_host_malformed`, `text_too_long`."""
    if len(note.strip()) > MOST_NOTE:
        raise Refusal("text_too_long", field="note", limit=MOST_NOTE)
    if host.strip() and not HOST_NAME.fullmatch(host.strip()):
        raise Refusal("egress_host_malformed", field="host")
    return EgressEntry(
        _address("source", source),
        _name(ehlo_name),
        host.strip(),
        _address("public", public) if public.strip() else "",
        note.replace("\0", "").strip(),
    )


def _address(field: str, text: str) -> str:
    try:
        address = ip_address(text.strip())
    except ValueError:
        raise Refusal("egress_address_malformed", field=field) from None
    if address.is_unspecified or address.is_multicast or getattr(address, "scope_id", None):
        raise Refusal("egress_address_malformed", field=field)
    return str(address)


def _name(text: str) -> str:
    try:
        return normalise_domain(text.strip().rstrip("."))
    except BadAddress:
        raise Refusal("egress_name_malformed", field="ehlo_name") from None
