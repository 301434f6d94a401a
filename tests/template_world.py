"""A customer with the templates service, on a real database; Temporal is the test's, or named and never spoken to."""

from dataclasses import dataclass, replace

from temporalio.client import Client

from domain.accounts import Caller
from domain.senders import SendKind
from domain.templates import Content
from services.clockwork import Clockwork
from services.foundation import Foundation
from services.templates import TemplateDraft, Templates, TemplateView
from settings import Settings
from store.db import Database
from tests.path_rows import Customer
from tests.sending_world import VAULT

SECRET = "a test's master secret, 32 characters and more"
GOOD = Content("Order %order%", '<p>Dear %name%, <a href="%link%">track it</a></p>')
BAD = replace(GOOD, html="<p>x</p>\n<script>1</script>")


@dataclass
class Author:
    """One account and what it does with templates."""

    rows: Customer
    base: Foundation

    @property
    def caller(self) -> Caller:
        return Caller(self.rows.account, member_id=self.rows.account)

    @property
    def templates(self) -> Templates:
        return Templates(self.base)

    async def writes(self, content: Content = GOOD, invoke_name: str = "order") -> TemplateView:
        return await self.templates.create(self.caller, TemplateDraft(invoke_name, content, "Order", SendKind.TRIGGER))

    async def edits(self, content: Content = GOOD, ref: str = "order") -> TemplateView:
        return await self.templates.edit(self.caller, ref, TemplateDraft("", content))

    async def submits(self, content: Content = GOOD) -> TemplateView:
        """A new template, sent to review."""
        view = await self.writes(content)
        return await self.templates.submit(self.caller, view.row.invoke_name)


async def foundation(db: Database, client: Client | None = None) -> Foundation:
    settings = Settings(secret_key=SECRET)
    client = client or await Client.connect("127.0.0.1:1", lazy=True)
    return Foundation(db, Clockwork(db, client), VAULT, settings.policy())


async def author(db: Database, client: Client | None = None, language: str = "en") -> Author:
    """A confirmed customer."""
    rows = await Customer(db).registers(language=language)
    await rows.confirms()
    return Author(rows, await foundation(db, client))
