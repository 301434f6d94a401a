"""A customer's mail with links, as its recipient meets it: rows, tokens, and a client without cookies."""

import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import httpx2

from activities.rendering import Renderer
from domain.link_tokens import LETTERS, LinkKind, make_token
from domain.senders import SendKind
from domain.webhooks import EndpointState, Event
from services.catalog import build_services
from store.campaigns import CampaignRevision
from store.columns import now
from store.db import Database
from store.sending import Message, Submission
from store.templates import TemplateVersion
from store.webhooks import WebhookEndpoint
from tests.accounts_world import House, house
from tests.sending_world import VAULT, Customer, make_customer

HTML = (
    '<p><a href="https://shop.example/p?id=%id%&amp;x=1">A</a> <a href="mailto:help@shop.example">B</a>'
    ' <a href="%link%">C</a> <a href="https://shop.example/%name%">D</a></p>'
)
"""Tracked are A (1), C (2) and D (3)."""
VALUES = {"id": "a&b", "link": "https://other.example/?q=1", "name": "李雷"}


@dataclass
class MailLinks:
    home: House
    customer: Customer
    http: httpx2.AsyncClient = field(repr=False)
    endpoint: Any = None

    @property
    def db(self) -> Database:
        return self.home.db

    async def message(self, address: str = "Li.Lei@qq.com", values: dict[str, str] | None = None) -> int:
        """One that was sent: its id."""
        submission = Submission(
            account_id=self.customer.account, api_user_id=self.customer.api_user,
            template_version_id=self.customer.version, domain_id=self.customer.domain, kind="batch",
            sender=f"news@{self.customer.domain_name}", sender_name="Shop <b>", label="may", recipients=1,
            expires_at=now() + dt.timedelta(days=1),
        )  # fmt: skip
        message = Message(
            submission_id=submission.id, account_id=self.customer.account, ordinal=0, address=address,
            variables=VALUES if values is None else values,
        )  # fmt: skip
        async with self.db.begin() as session:
            session.add_all([submission, message])
            await session.flush()
            assert message.id is not None
            return message.id

    async def rendered(self, message: int) -> bytes:
        """That mail as the worker sends it."""
        row = await self.db.pool.fetchrow("SELECT * FROM message WHERE id = $1", message)
        renderer = Renderer(self.db, VAULT, "bounce.test", self.home.base.policy.tracking_url)
        content = await renderer.content(row["submission_id"])
        given = SimpleNamespace(**{name: row[name] for name in ("id", "ordinal", "address", "variables")})
        return renderer.render(given, content).data

    async def revised(self, message: int, html: str) -> None:
        """This message got the content of revision 1 of its campaign."""
        old = await self.db.pool.fetchrow("SELECT * FROM template_version WHERE id = $1", self.customer.version)
        submission = await self.db.pool.fetchval("UPDATE message SET revision = 1 RETURNING submission_id")
        version = TemplateVersion(
            template_id=old["template_id"], account_id=self.customer.account, number=2, subject="s", html=html, text="t"
        )
        async with self.db.begin() as session:
            session.add(version)
            session.add(
                CampaignRevision(
                    campaign_id=submission, number=1, template_version_id=version.id, created_by="member/x"
                )
            )

    async def listen(self) -> None:
        """A webhook endpoint that hears everything."""
        self.endpoint = WebhookEndpoint(
            account_id=self.customer.account, url="http://hooks.example/", secret=b"-", events=[*Event],
            state=EndpointState.ENABLED.value,
        )  # fmt: skip
        async with self.db.begin() as session:
            session.add(self.endpoint)

    async def told(self) -> list[tuple[str, dict[str, Any]]]:
        """The events that the endpoint is owed."""
        rows = await self.db.pool.fetch("SELECT kind, data FROM webhook_event ORDER BY id")
        return [(row["kind"], row["data"]) for row in rows]

    async def engaged(self) -> dict[tuple[str, int], int]:
        """How often what was done: {(kind, link): times}."""
        rows = await self.db.pool.fetch("SELECT kind, link, times FROM engagement ORDER BY kind, link")
        return {(row["kind"], row["link"]): row["times"] for row in rows}

    async def suppressed(self) -> list[tuple[str, str, int | None]]:
        """(address, reason, message) of the account's."""
        rows = await self.db.pool.fetch(
            "SELECT address, reason, message_id FROM suppression WHERE account_id = $1 ORDER BY address",
            self.customer.account,
        )
        return [tuple(row) for row in rows]

    @contextlib.asynccontextmanager
    async def without_database(self) -> AsyncIterator[None]:
        """The application as it is while nothing answers."""
        lost = await Database.open(self.db.url, connections=1)
        await lost.close()
        state = self.home.app.state
        state.services = build_services(replace(self.home.base, db=lost))
        try:
            yield
        finally:
            state.services = self.home.services


def link(kind: LinkKind, message: int, number: int = 0) -> str:
    """The path of a link in that mail."""
    return f"/t/{LETTERS[kind]}/{make_token(VAULT.link_key, kind, message, number)}"


@contextlib.asynccontextmanager
async def mail_links(db: Database) -> AsyncIterator[MailLinks]:
    """The whole application, and a batch customer whose template is `HTML`."""
    home = await house(db)
    customer = await make_customer(db, kind=SendKind.BATCH)
    await db.pool.execute("UPDATE template_version SET html = $1 WHERE id = $2", HTML, customer.version)
    transport = httpx2.ASGITransport(home.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://songda.test") as http:
        yield MailLinks(home, customer, http)
