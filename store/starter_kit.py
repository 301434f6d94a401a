"""What comes with every account: a test domain, a test API user, an approved sample template (design §6)."""

from uuid import UUID

from sqlmodel import col, select

from domain.accounts import SYSTEM_ACCOUNT
from domain.domains import DomainState
from domain.ids import new_id
from domain.onboarding import Fact
from domain.policy import Policy
from domain.quota import quota
from domain.reviews import ReviewState
from domain.secrets import Vault, new_token
from domain.senders import SendKind
from domain.templates import Content, text_from_html
from store import senders
from store.accounts import set_quota
from store.columns import now
from store.db import Session
from store.domains import SenderDomain
from store.senders import ApiUser
from store.templates import Template, TemplateVersion

SAMPLE_NAME = "sample"
SAMPLE = {
    "zh": Content(
        "%name%，这是一封测试邮件",
        "<p>%name%，您好：</p><p>收到这封邮件，说明测试域名、测试 API_USER 和这个示例模板都可以使用了。</p>"
        "<p>接下来请配置自己的发信域名，创建 API_USER 和邮件模板。</p>",
    ),
    "en": Content(
        "%name%, this is a test mail",
        "<p>Hello %name%,</p><p>this mail shows that your test domain, your test API user and this sample template "
        "work.</p><p>Next, set up a sender domain of your own, an API user and a template.</p>",
    ),
}


async def grant(session: Session, account: UUID, language: str, vault: Vault, policy: Policy) -> None:
    """Create the kit, in the transaction that makes the account active.

    The platform's domain exists (`songda migrate` makes it); without it `LookupError` is raised.
    """
    await set_quota(session, account, quota(frozenset({Fact.EMAIL_CONFIRMED}), 0, None, policy))
    short = account.hex[-10:]
    domain = await _test_domain(session, account, f"{short}.test.{policy.platform_domain}", vault, policy)
    api_user = ApiUser(account_id=account, name=f"test_{short}", kind=SendKind.TRIGGER.value, is_test=True)
    session.add(api_user)
    await session.flush()
    await senders.bind(session, api_user.id, domain.id)
    await _sample(session, account, language)


async def _test_domain(session: Session, account: UUID, name: str, vault: Vault, policy: Policy) -> SenderDomain:
    """Signed by the platform's domain with its own key (`store/contents.py`): nothing more has to be published."""
    parent = await _platform_domain(session, policy.platform_domain)
    identity = new_id()
    private = vault.unseal(parent.dkim_private, f"domain/{parent.id}")
    domain = SenderDomain(
        id=identity,
        account_id=account,
        name=name,
        is_test=True,
        ownership_token=new_token(),
        state=DomainState.USABLE.value,
        announced=DomainState.USABLE.value,
        usable_since=now(),
        dkim_selector=parent.dkim_selector,
        dkim_public=parent.dkim_public,
        dkim_private=vault.seal(private, f"domain/{identity}"),
    )
    session.add(domain)
    await session.flush()
    return domain


async def _platform_domain(session: Session, name: str) -> SenderDomain:
    query = select(SenderDomain).where(
        col(SenderDomain.account_id) == SYSTEM_ACCOUNT,
        col(SenderDomain.name) == name,
        col(SenderDomain.state) != DomainState.DELETED,
    )
    found = (await session.exec(query)).one_or_none()
    if found is None:
        raise LookupError(f"the platform's domain {name} is missing: run `songda migrate`")
    return found


async def _sample(session: Session, account: UUID, language: str) -> None:
    content = SAMPLE[language]
    name = "示例模板" if language == "zh" else "Sample"
    template = Template(
        account_id=account, invoke_name=SAMPLE_NAME, name=name, kind=SendKind.TRIGGER.value, is_sample=True
    )
    session.add(template)
    await session.flush()
    session.add(
        TemplateVersion(
            template_id=template.id,
            account_id=account,
            number=1,
            subject=content.subject,
            html=content.html,
            text=text_from_html(content.html),
            variables=content.variables,
            state=ReviewState.APPROVED.value,
            decided_at=now(),
            decided_by="system",
        )
    )
