"""The whole application on a real database, without a worker: its mails are rows that a test reads."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID

import httpx2
from fastapi import FastAPI
from obstore.store import MemoryStore
from sqlmodel import col, select
from temporalio.client import Client

from activities.registration import MailOrder, RegistrationActivities, RegistrationLook, RegistrationLookRequest
from api.app import create_app
from domain.accounts import SYSTEM_ACCOUNT, SignedIn
from domain.ids import Kind, Process
from domain.secrets import Vault
from domain.visitors import Visitor
from services.catalog import Services, build_services
from services.clockwork import Clockwork
from services.foundation import Foundation
from services.registrations import Form, Registered
from settings import Settings
from store.columns import now
from store.db import Database
from store.papers import PaperStore
from store.sending import Message, Submission
from tests.lent_apps import lent_app
from tests.platform_rows import have_platform

SECRET = "a test's master secret, 32 characters and more"
PASSWORD = "four unrelated words here"
HERE = Visitor("192.0.2.1", "Firefox · Linux")
ALICE = "alice@customer.example"
BOB = "bob@customer.example"
PAGE = {"sec-fetch-site": "same-origin"}


@dataclass(frozen=True)
class Mail:
    """One notice that was accepted for delivery."""

    label: str
    to: str
    variables: dict[str, str]

    @property
    def token(self) -> str:
        return self.variables["link"].partition("token=")[2]


@dataclass
class House:
    db: Database
    base: Foundation
    services: Services
    app: FastAPI = field(repr=False)

    @property
    def work(self) -> RegistrationActivities:
        return RegistrationActivities(self.db, self.base.vault, self.base.policy)

    async def register(self, email: str = ALICE, password: str = PASSWORD) -> Registered:
        return await self.services.registrations.register(Form("Alice & Co", email, password, "en"), HERE)

    async def look(self, account: UUID) -> RegistrationLook:
        """What the process does after a nudge: look, and mail what is wanted."""
        process = Process(Kind.REGISTRATION, str(account), str(account), 1)
        seen = await self.work.look(RegistrationLookRequest(process, now()))
        if seen.mails_wanted > seen.mails_sent:
            await self.work.send_mail(MailOrder(process, seen.mails_wanted, now()))
        return seen

    async def mails(self, to: str | None = None) -> list[Mail]:
        """The platform's mails, oldest first."""
        query = (
            select(Submission.label, Message.address, Message.variables)
            .join(Message, col(Message.submission_id) == col(Submission.id))
            .where(col(Submission.account_id) == SYSTEM_ACCOUNT)
            .order_by(col(Message.id))
        )
        async with self.db.read() as session:
            found = [Mail(label, to_, dict(values)) for label, to_, values in await session.exec(query)]
        return [mail for mail in found if to is None or mail.to == to]

    async def member(self, email: str = ALICE) -> SignedIn:
        """A confirmed member, signed in."""
        made = await self.register(email)
        await self.look(made.account_id)
        await self.services.registrations.confirm((await self.mails(email))[-1].token)
        signed = await self.services.sessions.sign_in(email, PASSWORD, HERE)
        assert isinstance(signed, SignedIn)
        return signed

    @contextlib.asynccontextmanager
    async def browser(self, **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
        """A client that keeps cookies and follows redirects, as a browser's own pages do."""
        transport = httpx2.ASGITransport(self.app)
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://songda.test", headers=PAGE | headers, follow_redirects=True
        ) as client:
            yield client


async def house(db: Database, client: Client | None = None, **changes: object) -> House:
    """Temporal is named but never spoken to, unless a client is given."""
    settings = Settings.model_validate({"secret_key": SECRET, "public_url": "http://songda.test", **changes})
    vault = Vault(SECRET)
    await have_platform(db, vault, settings.policy())
    client = client or await Client.connect("127.0.0.1:1", lazy=True)
    papers = PaperStore(MemoryStore(), vault)
    base = Foundation(db, Clockwork(db, client), vault, settings.policy(), papers=papers)
    app = lent_app(db, settings, lambda: create_app(settings))
    app.state.services = build_services(base)
    return House(db, base, app.state.services, app)


def csrf_of(page: httpx2.Response) -> str:
    """The token in a page."""
    return page.text.partition('name="csrf-token" content="')[2].partition('"')[0]


async def submit(client: httpx2.AsyncClient, path: str, at: str = "", **values: str) -> httpx2.Response:
    """Open the page `at` (or `path` itself), fill its form in, and post it."""
    token = csrf_of(await client.get(at or path))
    return await client.post(path, data={"csrf_token": token, **values})
