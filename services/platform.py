"""The platform as its own customer: the system account, its domain and API user, the templates of its mails.

Run by `songda migrate`, each time; changes what differs and nothing else.
"""

from uuid import UUID

from sqlmodel import col, select

from domain.accounts import SYSTEM_ACCOUNT, AccountState
from domain.dkim_keys import new_key_pair
from domain.domains import DomainState
from domain.ids import new_id
from domain.notices import TEXTS, Notice, NoticeText, frame, invoke_name
from domain.policy import Policy
from domain.reviews import ReviewState
from domain.secrets import Vault, new_token
from domain.senders import SendKind
from domain.templates import Content, text_from_html
from services.sms_platform import ensure_sms_platform
from store.accounts import Account
from store.columns import now
from store.db import Database, Session
from store.domains import SenderDomain
from store.notices import SYSTEM_API_USER
from store.senders import ApiUser, ApiUserDomain
from store.templates import Template, TemplateVersion

SELECTOR = "songda1"


async def ensure_platform(db: Database, vault: Vault, policy: Policy) -> SenderDomain:
    """Make the system account what the settings and the texts say; returns the platform's sender domain."""
    async with db.begin() as session:
        await _ensure_account(session, policy)
        domain = await _ensure_domain(session, vault, policy.platform_domain)
        await _ensure_api_user(session, domain.id)
        for (notice, language), text in TEXTS.items():
            await _ensure_notice(session, notice, language, text)
        await ensure_sms_platform(session, policy.platform_name)
    return domain


async def _ensure_account(session: Session, policy: Policy) -> None:
    account = await session.get(Account, SYSTEM_ACCOUNT)
    if account is None:
        account = Account(id=SYSTEM_ACCOUNT, name=policy.platform_name, confirmed_at=now(), confirmed_by="system")
        session.add(account)
    account.name, account.state = policy.platform_name, AccountState.ACTIVE.value
    await session.flush()


async def _ensure_domain(session: Session, vault: Vault, name: str) -> SenderDomain:
    """The operator publishes its records himself (`songda migrate --records-file` writes them), so it is usable."""
    wanted = select(SenderDomain).where(col(SenderDomain.account_id) == SYSTEM_ACCOUNT, col(SenderDomain.name) == name)
    domain = (await session.exec(wanted)).first()
    if domain is not None:
        return domain
    identity = new_id()
    private, public = new_key_pair()
    domain = SenderDomain(
        id=identity,
        account_id=SYSTEM_ACCOUNT,
        name=name,
        state=DomainState.USABLE.value,
        usable_since=now(),
        ownership_token=new_token(),
        dkim_selector=SELECTOR,
        dkim_public=public,
        dkim_private=vault.seal(private, f"domain/{identity}"),
    )
    session.add(domain)
    await session.flush()
    return domain


async def _ensure_api_user(session: Session, domain: UUID) -> None:
    found = (await session.exec(select(ApiUser).where(col(ApiUser.name) == SYSTEM_API_USER))).first()
    if found is None:
        found = ApiUser(account_id=SYSTEM_ACCOUNT, name=SYSTEM_API_USER, kind=SendKind.TRIGGER.value)
        session.add(found)
        await session.flush()
    if await session.get(ApiUserDomain, (found.id, domain)) is None:
        session.add(ApiUserDomain(api_user_id=found.id, domain_id=domain))


async def _ensure_notice(session: Session, notice: Notice, language: str, text: NoticeText) -> None:
    """The newest version says what `domain/notices.py` says; older versions stay for the mails sent with them."""
    template = await _notice_template(session, notice, language)
    content = Content(text.subject, frame(text, language), "")
    newest = (
        await session.exec(
            select(TemplateVersion)
            .where(col(TemplateVersion.template_id) == template.id)
            .order_by(col(TemplateVersion.number).desc())
            .limit(1)
        )
    ).first()
    if newest is not None and (newest.subject, newest.html) == (content.subject, content.html):
        return
    session.add(
        TemplateVersion(
            template_id=template.id,
            account_id=SYSTEM_ACCOUNT,
            number=(newest.number if newest else 0) + 1,
            subject=content.subject,
            html=content.html,
            text=text_from_html(content.html),
            variables=content.variables,
            state=ReviewState.APPROVED.value,
            decided_at=now(),
            decided_by="system",
        )
    )


async def _notice_template(session: Session, notice: Notice, language: str) -> Template:
    name = invoke_name(notice, language)
    wanted = select(Template).where(col(Template.account_id) == SYSTEM_ACCOUNT, col(Template.invoke_name) == name)
    found = (await session.exec(wanted)).first()
    if found is None:
        found = Template(account_id=SYSTEM_ACCOUNT, invoke_name=name, name=name, kind=SendKind.TRIGGER.value)
        session.add(found)
        await session.flush()
    return found
