"""What an account can do with its sender domains."""

import asyncio
import base64
from collections.abc import AsyncIterator

import pytest
from cryptography.fernet import InvalidToken
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from sqlmodel import col, select

from domain import domains as rules
from domain.domain_records import parse_tags
from domain.domains import DomainState, Purpose
from domain.errors import Refusal
from domain.ids import Kind, new_id, workflow_id
from domain.senders import SendKind
from services.senders import NewApiUser
from store.audit_log import AuditEntry
from store.clockwork import Clockwork
from store.db import Database
from store.domains import SenderDomain
from tests.dns_world import VAULT, make_account
from tests.domain_doors import Doors, doors


@pytest.fixture
async def house(db: Database) -> AsyncIterator[Doors]:
    async with doors(db) as opened:
        yield opened


async def refusal(action: object) -> tuple[str, str | None]:
    with pytest.raises(Refusal) as refused:
        await action  # type: ignore[misc]
    return refused.value.code, refused.value.field


async def actions(house: Doors, subject: str) -> list[str]:
    async with house.db.read() as session:
        found = select(AuditEntry).where(col(AuditEntry.subject) == subject).order_by(col(AuditEntry.id))
        return [entry.action for entry in await session.exec(found)]


async def test_a_new_domain_has_its_own_key_sealed_to_its_row(house: Doors) -> None:
    view = await house.services.domains.add(house.owner, "Mail.Shop.Example")
    row = view.row
    assert (row.name, row.state) == ("mail.shop.example", DomainState.PENDING)
    assert b"PRIVATE KEY" not in row.dkim_private
    private = load_pem_private_key(VAULT.unseal(row.dkim_private, f"domain/{row.id}"), None)
    assert isinstance(private, RSAPrivateKey) and private.key_size == 2048
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    published = next(record for record in view.records if record.purpose == Purpose.DKIM)
    assert base64.b64decode(parse_tags(published.expected)["p"]) == public
    with pytest.raises(InvalidToken):
        VAULT.unseal(row.dkim_private, "domain/another")
    assert await actions(house, f"domain/{row.id}") == ["dkim_key.created"]


async def test_its_process_is_enlisted_with_it(house: Doors) -> None:
    view = await house.services.domains.add(house.owner, "shop.example")
    assert view.workflow_id == workflow_id(Kind.DOMAIN, view.row.id)
    async with house.db.read() as session:
        row = await session.get(Clockwork, view.workflow_id)
        assert row is not None and row.account_id == house.owner.account_id


async def test_a_name_is_taken_once_per_account_and_by_several_accounts(house: Doors) -> None:
    domains = house.services.domains
    added = await asyncio.gather(*(domains.add(house.owner, "shop.example") for _ in range(3)), return_exceptions=True)
    refused = [each for each in added if isinstance(each, Refusal)]
    assert [each.code for each in refused] == ["domain_exists", "domain_exists"]
    other = await make_account(house.db)
    assert (await domains.add(other, "shop.example")).row.state == DomainState.PENDING


async def test_an_account_has_a_limited_number(house: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.domains.MAX_DOMAINS", 2)
    domains = house.services.domains
    first = await domains.add(house.owner, "a.example")
    await domains.add(house.owner, "b.example")
    assert await refusal(domains.add(house.owner, "c.example")) == ("too_many_domains", "name")
    await domains.delete(house.owner, first.row.id)
    await domains.add(house.owner, "c.example")


async def test_another_accounts_domain_does_not_exist(house: Doors) -> None:
    domains, other = house.services.domains, await make_account(house.db)
    mine = (await domains.add(house.owner, "shop.example")).row.id
    for action in (domains.get, domains.check, domains.delete):
        assert await refusal(action(other, mine)) == ("domain_not_found", None)
        assert await refusal(action(house.owner, new_id())) == ("domain_not_found", None)
    assert await domains.page(other) == []


async def test_check_now_nudges_the_process_once_in_ten_seconds(house: Doors) -> None:
    domains = house.services.domains
    view = await domains.add(house.owner, "shop.example")
    await domains.check(house.owner, view.row.id)
    assert await house.wants_nudge(view.workflow_id)
    with pytest.raises(Refusal) as refused:
        await domains.check(house.owner, view.row.id)
    assert refused.value.code == "too_many_requests"
    seconds = refused.value.params["seconds"]
    assert isinstance(seconds, int) and 1 <= seconds <= 10
    assert not await house.wants_nudge(view.workflow_id)
    async with house.db.begin() as session:
        row = await session.get(SenderDomain, view.row.id)
        assert row is not None and row.asked_at is not None
        row.asked_at -= rules.CHECK_NOW_EVERY
    await domains.check(house.owner, view.row.id)
    assert await house.wants_nudge(view.workflow_id)


async def test_a_deleted_domain_is_gone_and_its_name_free(house: Doors) -> None:
    domains = house.services.domains
    view = await domains.add(house.owner, "shop.example")
    await domains.delete(house.owner, view.row.id)
    assert await house.wants_nudge(view.workflow_id)
    assert await house.wants_nudge(workflow_id(Kind.ONBOARDING, house.owner.account_id))
    assert await domains.page(house.owner) == []
    assert await actions(house, f"domain/{view.row.id}") == ["dkim_key.created", "domain.deleted"]
    assert (await domains.add(house.owner, "shop.example")).row.id != view.row.id


async def test_a_domain_in_use_is_kept(house: Doors) -> None:
    domain = await house.usable()
    issued = await house.services.senders.create(house.owner, NewApiUser("shop_1", SendKind.TRIGGER, (domain,)))
    with pytest.raises(Refusal) as refused:
        await house.services.domains.delete(house.owner, domain)
    assert refused.value.code == "domain_in_use" and refused.value.params["users"] == "shop_1"
    await house.services.senders.unbind(house.owner, issued.user.row.id, domain)
    await house.services.domains.delete(house.owner, domain)


async def test_the_test_domain_is_shown_and_stays(house: Doors) -> None:
    domain = await house.usable("t.example")
    async with house.db.begin() as session:
        row = await session.get(SenderDomain, domain)
        assert row is not None
        row.is_test = True
    domains = house.services.domains
    assert [row.id for row in await domains.page(house.owner)] == [domain]
    assert await refusal(domains.delete(house.owner, domain)) == ("domain_is_test", None)
    assert await refusal(domains.check(house.owner, domain)) == ("domain_is_test", None)
