"""Customers of a bench: an account that has done everything a new customer does, as rows, with money and quota.

Rows instead of the pages, since a bench measures sending; `songda demo` walks the pages.
"""

from dataclasses import dataclass
from uuid import UUID

from bench.letter import SUBJECT, VARIABLES, html
from domain.accounts import AccountState
from domain.billing import PaymentState, RechargeState
from domain.dkim_keys import new_key_pair
from domain.domains import DomainState
from domain.ids import new_id
from domain.ledger import PREPAID, JournalKind, NewJournal
from domain.reviews import ReviewState
from domain.secrets import API_KEY_PREFIX, PREFIX_SHOWN, Vault, new_token
from domain.senders import SendKind
from domain.templates import text_from_html
from store.accounts import Account
from store.columns import now
from store.db import Connection, Database, Session
from store.domains import SenderDomain
from store.ledger import post
from store.senders import ApiKey, ApiUser, ApiUserDomain
from store.templates import Template, TemplateVersion

QUOTA = 10_000_000
MONEY_FEN = 100_000_000
"""A million yuan: nobody of a bench is refused for want of money."""
NEWSLETTER, CODE = "bench-letter", "bench-code"
"""Templates: of batch and of trigger mails."""


@dataclass(frozen=True)
class Customer:
    """`batch_key` and `trigger_key` are its API users' keys."""

    account: UUID
    domain: str
    batch_user: str
    batch_key: str
    trigger_user: str
    trigger_key: str

    @property
    def sender(self) -> str:
        return f"news@{self.domain}"


async def make_customer(db: Database, vault: Vault, tag: str) -> Customer:
    """One usable domain (RSA-2048), a batch and a trigger API user bound to it, an approved template for each."""
    account = new_id()
    domain = f"mail.bench-{tag}.example"
    async with db.begin() as session:
        session.add(_account(account, tag))
        await session.flush()
        domain_id = await _domain(session, vault, account, domain)
        keys = {kind: await _api_user(session, vault, account, kind, domain_id, tag) for kind in SendKind}
        await _template(session, account, SendKind.BATCH, NEWSLETTER, (SUBJECT, html()), VARIABLES)
        code = ("验证码 %code%", "<p>你的验证码是 <strong>%code%</strong>。 Your code.</p>")
        await _template(session, account, SendKind.TRIGGER, CODE, code, ("code",))
    async with db.raw() as connection:
        await recharge(connection, account)
    names = {kind: user_name(kind, tag) for kind in SendKind}
    return Customer(
        account, domain, names[SendKind.BATCH], keys[SendKind.BATCH], names[SendKind.TRIGGER], keys[SendKind.TRIGGER]
    )


def user_name(kind: SendKind, tag: str) -> str:
    return f"bench_{tag}_{kind.value}"


def _account(account: UUID, tag: str) -> Account:
    """Paying: nothing is free."""
    return Account(
        id=account, name=f"Bench {tag}", state=AccountState.ACTIVE.value, language="en", confirmed_at=now(),
        confirmed_by="bench", daily_quota=QUOTA, free_quota=0, granted_quota=QUOTA,
    )  # fmt: skip


async def _domain(session: Session, vault: Vault, account: UUID, name: str) -> UUID:
    identity = new_id()
    private, public = new_key_pair()
    session.add(
        SenderDomain(
            id=identity, account_id=account, name=name, state=DomainState.USABLE.value, usable_since=now(),
            announced=DomainState.USABLE.value, ownership_token=new_token(), dkim_selector="bench",
            dkim_public=public, dkim_private=vault.seal(private, f"domain/{identity}"),
        )
    )  # fmt: skip
    await session.flush()
    return identity


async def _api_user(session: Session, vault: Vault, account: UUID, kind: SendKind, domain: UUID, tag: str) -> str:
    """Its key, which is shown this once."""
    batch = kind is SendKind.BATCH
    user = ApiUser(
        account_id=account, name=user_name(kind, tag), kind=kind.value, track_clicks=batch, track_opens=batch
    )
    session.add(user)
    await session.flush()
    session.add(ApiUserDomain(api_user_id=user.id, domain_id=domain))
    key = new_token(API_KEY_PREFIX)
    digest = vault.digest(key)
    session.add(ApiKey(account_id=account, api_user_id=user.id, prefix=key[:PREFIX_SHOWN], digest=digest))
    return key


async def _template(
    session: Session, account: UUID, kind: SendKind, name: str, content: tuple[str, str], variables: tuple[str, ...]
) -> None:
    template = Template(account_id=account, invoke_name=name, name=name, kind=kind.value)
    session.add(template)
    await session.flush()
    subject, body = content
    session.add(
        TemplateVersion(
            template_id=template.id, account_id=account, number=1, subject=subject, html=body,
            text=text_from_html(body), variables=list(variables), state=ReviewState.APPROVED.value,
            submitted_at=now(), decided_at=now(), decided_by="bench",
        )
    )  # fmt: skip


async def recharge(connection: Connection, account: UUID) -> None:
    """An order, its payment and its journal, as the Recharge process leaves them: the audit finds nothing amiss."""
    order, payment = new_id(), new_id()
    lines = (("clearing:alipay", None, -MONEY_FEN), (PREPAID, account, MONEY_FEN))
    await post(connection, NewJournal(JournalKind.RECHARGE, payment, 0, account, "bench", lines))
    await connection.execute(
        "INSERT INTO recharge (id, account_id, channel, amount_fen, state, created_at, expires_at, credited_at,"
        " close_reason) VALUES ($1, $2, 'alipay', $3, $4, now(), now(), now(), '')",
        *(order, account, MONEY_FEN, RechargeState.CREDITED.value),
    )
    await connection.execute(
        "INSERT INTO payment (id, recharge_id, account_id, channel, transaction, amount_fen, seen_at, late, state,"
        " why) VALUES ($1, $2, $3, 'alipay', $4, $5, now(), false, $6, '')",
        *(payment, order, account, payment.hex, MONEY_FEN, PaymentState.CREDITED.value),
    )
