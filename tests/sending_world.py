"""A small world for tests of the sending engine: one account that may send, and servers that answer as told."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from domain.accounts import AccountState, Caller
from domain.dkim_keys import new_key_pair
from domain.domains import DomainState
from domain.ids import new_id
from domain.reviews import ReviewState
from domain.secrets import Vault
from domain.senders import SendKind
from domain.sending import Accepted, Outcome, OutcomeKind, Recipient, SendRequest
from domain.transport import Mail, MailHost, MailRoute
from store.accepting import accept
from store.accounts import Account
from store.columns import now
from store.db import Database
from store.domains import SenderDomain
from store.senders import ApiUser, ApiUserDomain
from store.templates import Template, TemplateVersion

VAULT = Vault("a test's master secret, 32 characters and more")


@dataclass
class Customer:
    """An account with one usable domain, one bound API user and one approved template."""

    account: UUID
    api_user: UUID
    domain: UUID
    version: UUID

    @property
    def domain_name(self) -> str:
        return f"n{self.account.hex[-12:]}.customer.example"

    @property
    def api_user_name(self) -> str:
        return f"u_{self.account.hex[-12:]}"

    def caller(self) -> Caller:
        return Caller(self.account)


async def make_customer(
    db: Database, *, quota: int = 1000, free: int | None = None, kind: SendKind = SendKind.TRIGGER
) -> Customer:
    """Insert the rows; the template is `hello` with the variable `name`, the API user is named by the account.

    `free` of the quota cost nothing; all of it, unless told.
    """
    account, user, domain, template, version = (new_id() for _ in range(5))
    customer = Customer(account, user, domain, version)
    private, public = new_key_pair()
    async with db.begin() as session:
        state = AccountState.ACTIVE.value
        free_quota = quota if free is None else free
        session.add(Account(id=account, name="Customer", state=state, daily_quota=quota, free_quota=free_quota))
        session.add(
            SenderDomain(
                id=domain,
                account_id=account,
                name=customer.domain_name,
                state=DomainState.USABLE.value,
                ownership_token="t",
                dkim_selector="s1",
                dkim_public=public,
                dkim_private=VAULT.seal(private, f"domain/{domain}"),
            )
        )
        session.add(ApiUser(id=user, account_id=account, name=customer.api_user_name, kind=kind.value))
        await session.flush()
        session.add(ApiUserDomain(api_user_id=user, domain_id=domain))
        session.add(Template(id=template, account_id=account, invoke_name="hello", name="Hello", kind=kind.value))
        await session.flush()
        session.add(
            TemplateVersion(
                id=version,
                template_id=template,
                account_id=account,
                number=1,
                subject="你好 %name%",
                html="<p>Hello %name%</p>",
                text="Hello %name%",
                variables=["name"],
                state=ReviewState.APPROVED.value,
            )
        )
    return customer


def request(customer: Customer, addresses: list[str], **changes: object) -> SendRequest:
    """A good request to these addresses."""
    values: dict[str, object] = {
        "api_user": customer.api_user_name,
        "template": "hello",
        "sender": f"hello@{customer.domain_name}",
        "recipients": tuple(Recipient(address, {"name": "World"}) for address in addresses),
    }
    return SendRequest(**{**values, **changes})  # type: ignore[arg-type]


async def submit(db: Database, customer: Customer, addresses: list[str], **changes: object) -> Accepted:
    """Accept a good request."""
    async with db.raw() as connection:
        return await accept(connection, customer.caller(), request(customer, addresses, **changes), now())


DELIVERED = Outcome(OutcomeKind.DELIVERED, code=250, text="queued", host="mx.test")


@dataclass
class FakeServers:
    """Stands for routing and SMTP where a test is about the engine; `answer` decides each dialogue."""

    answer: Callable[[Mail], Outcome] = lambda mail: DELIVERED
    delay: float = 0.0
    seen: list[str] = field(default_factory=list)
    gate: asyncio.Event | None = None

    async def mail_hosts(self, domain: str) -> MailRoute:
        return MailRoute(domain, (MailHost(f"mx.{domain}", ("127.0.0.1",)),))

    async def connect(self, route: MailRoute) -> "FakeConnection":
        return FakeConnection(self)


@dataclass
class FakeConnection:
    servers: FakeServers
    alive: bool = True

    async def deliver(self, mail: Mail) -> Outcome:
        self.servers.seen.append(mail.recipient)
        if self.servers.gate is not None:
            await self.servers.gate.wait()
        await asyncio.sleep(self.servers.delay)
        return self.servers.answer(mail)

    async def close(self) -> None:
        self.alive = False
