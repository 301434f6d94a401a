"""Who tries passwords at an SMTP door waits longer each time, and after a while is not heard for a while.

Keys have 256 random bits, so this protects the database and the logs rather than the keys. In memory of one process and
bounded: a crowd of addresses pushes out the oldest.
"""

from collections import OrderedDict
from dataclasses import dataclass

FORGIVEN_AFTER = 600.0
"""Seconds without another failure."""
BAN_AT = 10
"""Failures of one address."""
BAN_SECONDS = 600.0
FIRST_DELAY, LONGEST_DELAY = 0.5, 8.0
KEPT = 10_000


@dataclass
class _Record:
    failures: int = 0
    last: float = 0.0


class Failures:
    """By address and by user; a user's failures delay, and never ban: else anybody could shut a customer out.

    For the same reason who has signed in from an address is heard there for as long as that is remembered, whatever
    neighbours behind the same router do.
    """

    def __init__(self, delay: float = FIRST_DELAY) -> None:
        self._delay = delay
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self._known: OrderedDict[str, None] = OrderedDict()

    def is_banned(self, address: str, user: str, now: float) -> bool:
        """Whether this user is not heard at this address; `now` in seconds of any clock that does not go back."""
        found = self._records.get(address)
        banned = found is not None and found.failures >= BAN_AT and now - found.last < BAN_SECONDS
        return banned and _pair(address, user) not in self._known

    def failed(self, address: str, user: str, now: float) -> float:
        """Note a failure; the seconds to wait before it is told."""
        worst = max(self._count(address, now), self._count(f"user {user[:64]}", now))
        return min(self._delay * 2.0 ** min(worst - 1, 16), LONGEST_DELAY)

    def succeeded(self, address: str, user: str) -> None:
        """The right key: what was mistyped before is forgotten."""
        self._records.pop(address, None)
        self._known[_pair(address, user)] = None
        self._known.move_to_end(_pair(address, user))
        if len(self._known) > KEPT:
            self._known.popitem(last=False)

    def _count(self, name: str, now: float) -> int:
        found = self._records.pop(name, None)
        if found is None or now - found.last >= FORGIVEN_AFTER:
            found = _Record()
        found.failures, found.last = found.failures + 1, now
        self._records[name] = found
        if len(self._records) > KEPT:
            self._records.popitem(last=False)
        return found.failures


def _pair(address: str, user: str) -> str:
    return f"{address} {user[:64]}"
