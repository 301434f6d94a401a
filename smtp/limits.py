"""What an SMTP door has room for: connections (altogether, of one address, of one user) and bytes of mails in flight.

Kept in memory of one process: these bound what the process holds, and a restart closes every connection anyway.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from domain.networks import neighbourhood

CONNECTIONS = 500
PER_ADDRESS = 50
BYTES = 64_000_000
"""Of mails that were received and not answered; each is copied once or twice while it is read."""


MOST_OF_ONE = 3 / 4
"""Of that room, for the mails of one address or one user: the others must be heard, too."""


class Dismissable(Protocol):
    def dismiss(self) -> None:
        """The door closes: end now, or once the mail under way was answered."""


class Connections:
    """Open connections by where they come from and, once signed in, by whose they are."""

    def __init__(self, total: int = CONNECTIONS, per_address: int = PER_ADDRESS) -> None:
        self._total = total
        self._per_address = per_address
        self._open: dict[Dismissable, list[str]] = {}
        self._count: Counter[str] = Counter()
        self._none_left = asyncio.Event()
        self._none_left.set()

    def __len__(self) -> int:
        return len(self._open)

    def enter(self, connection: Dismissable, address: str) -> bool:
        """Count a new connection; False: there are too many."""
        place = neighbourhood(address)
        if len(self._open) >= self._total or self._count[place] >= self._per_address:
            return False
        self._open[connection] = []
        self._none_left.clear()
        self._note(connection, place)
        return True

    def claim(self, connection: Dismissable, user: str, most: int) -> bool:
        """Count an open connection for a user; False: the user has too many."""
        if connection not in self._open or self._count[user] >= most:
            return False
        self._note(connection, user)
        return True

    def owner(self, connection: Dismissable) -> str:
        """Whom an open connection is counted for: its user once signed in, else its address."""
        return self._open.get(connection, [""])[-1]

    def leave(self, connection: Dismissable) -> None:
        """Forget it; again is harmless."""
        for name in self._open.pop(connection, ()):
            self._count[name] -= 1
            if not self._count[name]:
                del self._count[name]
        if not self._open:
            self._none_left.set()

    async def end(self, seconds: float) -> None:
        """Dismiss all, and wait so long for those that are in the midst of a mail."""
        for connection in list(self._open):
            connection.dismiss()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._none_left.wait()

    def _note(self, connection: Dismissable, name: str) -> None:
        self._open[connection].append(name)
        self._count[name] += 1


class Memory:
    """Bytes that all mails in flight may take together."""

    def __init__(self, most: int = BYTES) -> None:
        self.left = most
        self._most_of_one = int(most * MOST_OF_ONE)
        self._of: Counter[str] = Counter()

    @contextlib.contextmanager
    def share(self, owner: str) -> Iterator["Share"]:
        """What one mail takes; given back at the end."""
        taken = Share(self, owner)
        try:
            yield taken
        finally:
            self.take(owner, -taken.size)

    def has_room(self, owner: str, size: int) -> bool:
        return size <= self.left and self._of[owner] + size <= self._most_of_one

    def take(self, owner: str, size: int) -> None:
        self.left -= size
        self._of[owner] += size
        if not self._of[owner]:
            del self._of[owner]


@dataclass
class Share:
    memory: Memory
    owner: str
    size: int = 0

    def grow(self, size: int) -> bool:
        """Take so many bytes more; False: there is no room for them."""
        if not self.memory.has_room(self.owner, size):
            return False
        self.memory.take(self.owner, size)
        self.size += size
        return True


@dataclass(frozen=True)
class Room:
    """What one door's process has room for."""

    connections: Connections = field(default_factory=Connections)
    memory: Memory = field(default_factory=Memory)
