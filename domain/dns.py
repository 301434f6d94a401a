"""What the DNS said: answers to one question."""

from dataclasses import dataclass
from enum import StrEnum


class DnsResult(StrEnum):
    """How a question ended. Only the last two say nothing about the name."""

    FOUND = "found"
    NO_NAME = "no-name"
    """NXDOMAIN: neither this name nor one below it exists (RFC 8020)."""
    NO_DATA = "no-data"
    """The name exists, without records of this type (RFC 2308 §2.2)."""
    TIMEOUT = "timeout"
    SERVER_FAILURE = "server-failure"
    """SERVFAIL, REFUSED, or answers that make no sense."""


UNREACHABLE = frozenset({DnsResult.TIMEOUT, DnsResult.SERVER_FAILURE})


@dataclass(frozen=True)
class DnsAnswer:
    """One answer. `values` by type: TXT its strings joined, MX `10 host`, CNAME `host`, A and AAAA the address.

    Host names are lower-case without the final dot. `ttl` is in seconds.
    """

    result: DnsResult
    values: tuple[str, ...] = ()
    ttl: int = 0

    @property
    def reachable(self) -> bool:
        """Whether the name servers answered, be it with "no"."""
        return self.result not in UNREACHABLE
