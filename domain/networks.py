"""IP addresses that others name: which of them are out on the Internet, and which may be connected to (SSRF). Pure."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_CARRIERS = tuple(
    IPv6Network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "fec0::/10")
)
"""IPv6 ranges that carry (or carried) other addresses inside; Python calls some of them global."""
_RELAY = IPv4Network("192.88.99.0/24")


def public(address: Address) -> bool:
    """Whether an address is out on the Internet: not private, loopback, link-local, shared, multicast or a carrier."""
    if address in _RELAY or any(address in carrier for carrier in _CARRIERS):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def plain(text: str) -> Address:
    """An address without its zone, and without the IPv4-mapped dress (`::ffff:127.0.0.1`)."""
    address = ip_address(text.split("%", 1)[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def neighbourhood(text: str) -> str:
    """What is counted as one visitor: of IPv6 the /64, which one customer of a provider has."""
    try:
        address = plain(text)
    except ValueError:
        return text
    return str(address) if address.version == 4 else str(ip_network((address, 64), strict=False))


class Reach:
    """Which addresses may be connected to: those of the Internet, and the networks (CIDR) that an operator allows."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        """Raises `ValueError` for what is no network."""
        self._allowed = tuple(ip_network(text) for text in allowed)

    def permits(self, text: str) -> bool:
        """What is no address is not permitted."""
        try:
            address = plain(text)
        except ValueError:
            return False
        return public(address) or any(address in network for network in self._allowed)
