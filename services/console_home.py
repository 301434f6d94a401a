"""The console's first page: what waits, for the duties of whoever looks."""

from domain.operators import Operator
from services.foundation import Foundation
from store import audit_log, console_home
from store.columns import now
from store.console_home import HomeNumbers


class ConsoleHome:
    def __init__(self, base: Foundation) -> None:
        self._base = base

    async def numbers(self, operator: Operator) -> HomeNumbers:
        """Counts only; the page shows those that the operator's duties cover."""
        async with self._base.db.read() as session:
            return await console_home.numbers(session, now())

    async def note_export(self, operator: Operator, name: str) -> None:
        """Write down that a list left the house as a file."""
        async with self._base.db.begin() as session:
            await audit_log.note(session, operator.actor, "list.exported", f"list/{name}")
