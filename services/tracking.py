"""What the links of mails do: a click finds its target, clicks and opens are counted and told to webhooks."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from uuid import UUID

import structlog

from domain.errors import Refusal
from domain.link_tokens import LinkKind, LinkToken, read_token
from domain.tracked_links import TrackedLink, target, tracked_links
from domain.tracking import worth_telling
from domain.variables import system_values
from domain.webhooks import Event, OwedEvent
from services.foundation import Foundation
from store import engagement
from store.columns import now
from store.db import DATABASE_TROUBLE, Connection
from store.engagement import SentMail
from store.webhooks import owe_events

LINKS_KEPT = 500
"""Template versions whose links are in memory; what was sent never changes."""
LARGE = 50_000
"""Characters of an HTML text."""
EVENTS = {LinkKind.CLICK: Event.CLICK, LinkKind.OPEN: Event.OPEN}
log = structlog.get_logger(__name__)


class Tracking:
    """Who holds a token may use its link: there is no caller."""

    def __init__(self, base: Foundation) -> None:
        self._base = base
        self._links: OrderedDict[UUID, Sequence[TrackedLink]] = OrderedDict()
        self._tallies = Tallies()

    async def click(self, token: str, *, counted: bool = True) -> str:
        """Where the link leads. Raises `Refusal("link_unknown")`; `DATABASE_TROUBLE` while the rows cannot be read."""
        said = self._read(token, LinkKind.CLICK)
        async with self._base.db.pool.acquire() as connection:
            mail = await self._mail(connection, said)
            url = await self._target(connection, mail, said.link)
        if counted:
            await self._count(mail, said, {"link": said.link, "url": url})
        return url

    async def open(self, token: str) -> None:
        """The mail's picture was asked for. Raises as `click` does."""
        said = self._read(token, LinkKind.OPEN)
        async with self._base.db.pool.acquire() as connection:
            mail = await self._mail(connection, said)
        await self._count(mail, said, {})

    def _read(self, token: str, kind: LinkKind) -> LinkToken:
        said = read_token(self._base.vault.link_key, token)
        if said is None or said.kind is not kind:
            raise Refusal("link_unknown")
        return said

    async def _mail(self, connection: Connection, said: LinkToken) -> SentMail:
        mail = await engagement.sent_mail(connection, said.message_id)
        if mail is None:
            raise Refusal("link_unknown")
        return mail

    async def _target(self, connection: Connection, mail: SentMail, link: int) -> str:
        links = await self._links_of(connection, mail.version_id)
        found = next((each for each in links if each.number == link), None)
        url = target(found, system_values(mail.address, mail.variables, "")) if found else ""
        if not url:  # a variable that is a whole link may have held none
            raise Refusal("link_unknown")
        return url

    async def _links_of(self, connection: Connection, version: UUID) -> Sequence[TrackedLink]:
        found = self._links.get(version)
        if found is None:
            found = self._links[version] = await _read_links(await engagement.html_of(connection, version))
            if len(self._links) > LINKS_KEPT:
                self._links.popitem(last=False)
        self._links.move_to_end(version)
        return found

    async def _count(self, mail: SentMail, said: LinkToken, extra: dict[str, object]) -> None:
        """Whoever clicked is led on, even when this cannot be written now."""

        async def write(times: int) -> None:
            try:
                await self._record(mail, said, extra, times)
            except DATABASE_TROUBLE as error:
                log.warning("engagement_lost", kind=said.kind.value, error=type(error).__name__)

        await self._tallies.add(said, write)

    async def _record(self, mail: SentMail, said: LinkToken, extra: dict[str, object], times: int) -> None:
        at = now()
        async with self._base.db.raw() as connection:
            found = await engagement.record(connection, mail, said, at, times)
            if worth_telling(found.first, found.before, at):
                data = mail.event_data() | extra
                await owe_events(connection, [OwedEvent(mail.account_id, EVENTS[said.kind], mail.id, at, data)])


async def _read_links(html: str) -> Sequence[TrackedLink]:
    """What is large is read beside the event loop: others are served meanwhile."""
    return await asyncio.to_thread(tracked_links, html) if len(html) > LARGE else tracked_links(html)


class Tallies:
    """One write at a time for each token: a flood of one link holds one connection of this process, not all of them.

    What arrives while a write is under way is counted by the next one; it is lost when the process is killed before.
    """

    def __init__(self) -> None:
        self._waiting: dict[LinkToken, int] = {}
        self._rest: set[asyncio.Task[None]] = set()

    async def add(self, token: LinkToken, write: Callable[[int], Awaitable[None]]) -> None:
        """Returns when it is written, or when a write that is under way will be followed by one that counts it."""
        if token in self._waiting:
            self._waiting[token] += 1
            return
        self._waiting[token] = 0
        try:
            await write(1)
        finally:
            if self._waiting[token]:
                self._later(self._write_rest(token, write))
            else:
                del self._waiting[token]

    def _later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._rest.add(task)  # the loop itself keeps no task alive
        task.add_done_callback(self._rest.discard)

    async def _write_rest(self, token: LinkToken, write: Callable[[int], Awaitable[None]]) -> None:
        try:
            while times := self._waiting[token]:
                self._waiting[token] = 0
                await write(times)
        finally:
            del self._waiting[token]
