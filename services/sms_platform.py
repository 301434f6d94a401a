"""The platform's own SMS: its user, signatures and templates; and the templates it makes for customers' `sendCode`.

Run by `songda migrate`, each time, as `services/platform.py` is; changes what differs and nothing else.
"""

from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from domain.accounts import SYSTEM_ACCOUNT
from domain.errors import Refusal
from domain.reviews import ReviewState
from domain.sms import Market, SmsKind
from domain.sms_notices import CODE_CONTENT, CODE_TEMPLATE, SYSTEM_SMS_USER, TEXTS, SmsText, signature_of
from domain.sms_signatures import bare
from domain.sms_text import variables_in
from store.columns import now
from store.db import Session
from store.sms_signatures import SmsSignature, by_text, find
from store.sms_templates import SmsTemplate, SmsTemplateVersion, versions
from store.sms_users import SmsUser


async def ensure_sms_platform(session: Session, platform: str) -> None:
    """The system account's SMS user, a signature for each market, and every text of `domain/sms_notices.py`."""
    found = (await session.exec(select(SmsUser).where(col(SmsUser.name) == SYSTEM_SMS_USER))).first()
    if found is None:
        session.add(SmsUser(account_id=SYSTEM_ACCOUNT, name=SYSTEM_SMS_USER))
    signatures = {market: await _ensure_signature(session, platform, market) for market in Market}
    for told in TEXTS:
        await _ensure_template(session, told, signatures[told.market])


async def _ensure_signature(session: Session, platform: str, market: Market) -> SmsSignature:
    name = signature_of(platform, market)
    row = await by_text(session, SYSTEM_ACCOUNT, name, market.value)
    if row is None:
        row = SmsSignature(
            account_id=SYSTEM_ACCOUNT, text=name, market=market.value, source="company", is_builtin=True,
            state=ReviewState.APPROVED.value, decided_at=now(), decided_by="system",
        )  # fmt: skip
        session.add(row)
        await session.flush()
    return row


async def _ensure_template(session: Session, told: SmsText, signature: SmsSignature) -> None:
    """The newest version says what the texts say; older versions stay for the messages sent with them."""
    row = await _builtin(session, SYSTEM_ACCOUNT, told.name)
    newest = next(iter(await versions(session, row.id)), None)
    if newest is None or (newest.content, newest.signature_id) != (told.content, signature.id):
        number = newest.number + 1 if newest else 1
        session.add(_approved(row, number, told.kind, signature, told.content))


async def ensure_code_template(session: Session, signature: SmsSignature) -> SmsTemplateVersion:
    """The approved version that a customer's `sendCode` sends with this signature; `%code%` is its variable.

    Made at its first use, under a lock of the signature's: two at once make one. Raises `not_found` for a signature
    that is not approved, or deleted.
    """
    if signature.state != ReviewState.APPROVED or signature.deleted_at is not None:
        raise Refusal("not_found", field="signature", what="SMS signature")
    content = CODE_CONTENT[Market(signature.market)]
    name = f"{CODE_TEMPLATE}-{signature.number}"
    if found := await _current(session, signature, name, content):
        return found
    await session.exec(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 7))").bindparams(name=name))  # type: ignore[call-overload]
    if found := await _current(session, signature, name, content):
        return found
    row = await _builtin(session, signature.account_id, name)
    newest = next(iter(await versions(session, row.id)), None)
    made = _approved(row, newest.number + 1 if newest else 1, SmsKind.CODE, signature, content)
    session.add(made)
    await session.flush()
    return made


async def code_template(session: Session, account: UUID, number: str = "", name: str = "") -> SmsTemplateVersion:
    """`ensure_code_template` for the signature of this number, else of this text (reference §7.3: signId wins).

    Raises `not_found` when the account has no such signature that is approved.
    """
    signature = await find(session, account, number) if number else await by_text(session, account, bare(name))
    if signature is None:
        raise Refusal("not_found", field="signature", what="SMS signature")
    return await ensure_code_template(session, signature)


async def _current(session: Session, signature: SmsSignature, name: str, content: str) -> SmsTemplateVersion | None:
    version = SmsTemplateVersion
    query = (
        select(version)
        .join(SmsTemplate, col(SmsTemplate.id) == col(version.template_id))
        .where(col(SmsTemplate.account_id) == signature.account_id, col(SmsTemplate.name) == name)
        .where(col(SmsTemplate.deleted_at).is_(None), col(SmsTemplate.is_builtin).is_(True))
        .where(col(version.signature_id) == signature.id, col(version.content) == content)
        .where(col(version.state) == ReviewState.APPROVED.value)
    )
    return (await session.exec(query.order_by(col(version.number).desc()).limit(1))).one_or_none()


async def _builtin(session: Session, account: UUID, name: str) -> SmsTemplate:
    query = select(SmsTemplate).where(col(SmsTemplate.account_id) == account, col(SmsTemplate.name) == name)
    found = (await session.exec(query.where(col(SmsTemplate.deleted_at).is_(None)))).first()
    if found is None:
        found = SmsTemplate(account_id=account, name=name, is_builtin=True)
        session.add(found)
        await session.flush()
    return found


def _approved(
    row: SmsTemplate, number: int, kind: SmsKind, signature: SmsSignature, content: str
) -> SmsTemplateVersion:
    return SmsTemplateVersion(
        template_id=row.id, account_id=row.account_id, number=number, kind=kind.value, market=signature.market,
        signature_id=signature.id, content=content, variables=list(variables_in(content)),
        state=ReviewState.APPROVED.value, decided_at=now(), decided_by="system",
    )  # fmt: skip
