"""What an account can do with its API users."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator

import pytest
from sqlmodel import col, select

from domain.domains import DomainState
from domain.errors import Refusal
from domain.ids import Kind, new_id, workflow_id
from domain.senders import SendKind
from services.senders import ApiUserChange, IssuedKey, NewApiUser
from store import senders as rows
from store.audit_log import AuditEntry
from store.columns import now
from store.db import Database
from store.domains import SenderDomain
from store.senders import ApiKey, ApiUser
from tests.dns_world import VAULT, make_account
from tests.domain_doors import Doors, doors

TRIGGER, BATCH = SendKind.TRIGGER, SendKind.BATCH


@pytest.fixture
async def house(db: Database) -> AsyncIterator[Doors]:
    async with doors(db) as opened:
        yield opened


async def refusal(action: object) -> Refusal:
    with pytest.raises(Refusal) as refused:
        await action  # type: ignore[misc]
    return refused.value


async def works(house: Doors, key: str, after: dt.timedelta = dt.timedelta(0)) -> bool:
    async with house.db.pool.acquire() as connection:
        return bool(await rows.key_holders(connection, [VAULT.digest(key)], now() + after))


async def make_test_user(house: Doors) -> IssuedKey:
    issued = await house.services.senders.create(house.owner, NewApiUser("tester_1", TRIGGER))
    async with house.db.begin() as session:
        row = await session.get(ApiUser, issued.user.row.id)
        assert row is not None
        row.is_test = True
    return issued


async def test_the_key_is_given_once_and_kept_as_a_digest(house: Doors) -> None:
    issued = await house.services.senders.create(house.owner, NewApiUser("shop_1", BATCH))
    assert issued.key.startswith("sk_") and len(issued.key) > 40
    assert await works(house, issued.key)
    assert not await works(house, issued.key + "x")
    async with house.db.read() as session:
        kept = (await session.exec(select(ApiKey))).one()
    assert kept.digest == VAULT.digest(issued.key) and issued.key.startswith(kept.prefix)
    assert issued.key not in repr(kept)
    assert await house.wants_nudge(workflow_id(Kind.ONBOARDING, house.owner.account_id))


@pytest.mark.parametrize("name", ["", "ab", "a" * 33, "Shop", "shop-1", "shop 1", "店铺一", "shop\n1"])
async def test_names_have_a_plain_form(house: Doors, name: str) -> None:
    refused = await refusal(house.services.senders.create(house.owner, NewApiUser(name, TRIGGER)))
    assert refused.code in ("required", "api_user_bad_name") and refused.field == "name"


async def test_names_are_unique_on_the_platform(house: Doors) -> None:
    other, senders = await make_account(house.db), house.services.senders
    new = NewApiUser("shop_1", TRIGGER)
    made = await asyncio.gather(
        *(senders.create(caller, new) for caller in (house.owner, other, house.owner)), return_exceptions=True
    )
    refused = [each for each in made if isinstance(each, Refusal)]
    assert len(refused) == 2 and all(isinstance(each, IssuedKey | Refusal) for each in made)
    assert {(each.code, each.field) for each in refused} == {("api_user_name_taken", "name")}


async def test_only_usable_domains_of_the_account_can_be_bound(house: Doors) -> None:
    senders, other = house.services.senders, await make_account(house.db)
    mine = await house.usable("mine.example")
    broken = await house.usable("broken.example")
    await house.state(broken, DomainState.BROKEN, "spf")
    pending = (await house.services.domains.add(house.owner, "pending.example")).row.id
    theirs = (await house.services.domains.add(other, "theirs.example")).row.id
    await house.state(theirs, DomainState.USABLE)
    wanted = {
        broken: ("domain_not_usable", {"domain": "broken.example", "record": "spf"}),
        pending: ("domain_not_usable", {"domain": "pending.example", "record": "ownership"}),
        theirs: ("domain_not_found", {}),
        new_id(): ("domain_not_found", {}),
    }
    for domain, (code, params) in wanted.items():
        refused = await refusal(senders.create(house.owner, NewApiUser("shop_1", TRIGGER, (mine, domain))))
        assert (refused.code, refused.params, refused.field) == (code, params, "domain_ids[1]")
    assert await senders.page(house.owner) == []  # nothing half-done
    issued = await senders.create(house.owner, NewApiUser("shop_1", TRIGGER, (mine,)))
    refused = await refusal(senders.bind(house.owner, issued.user.row.id, pending))
    assert (refused.code, refused.field) == ("domain_not_usable", "domain_id")


async def test_domains_are_bound_and_unbound(house: Doors) -> None:
    senders = house.services.senders
    first, second = await house.usable("a.example"), await house.usable("b.example")
    user = (await senders.create(house.owner, NewApiUser("shop_1", TRIGGER, (first,)))).user.row.id
    for _ in range(2):
        view = await senders.bind(house.owner, user, second)
    assert sorted(each.name for each in view.domains) == ["a.example", "b.example"]
    view = await senders.unbind(house.owner, user, first)
    assert [each.name for each in view.domains] == ["b.example"]
    await house.state(second, DomainState.BROKEN, "dkim")
    (view,) = await senders.page(house.owner)
    assert [(each.name, each.state) for each in view.domains] == [("b.example", "broken")]  # stays bound


async def test_another_accounts_api_user_does_not_exist(house: Doors) -> None:
    senders, other = house.services.senders, await make_account(house.db)
    user = (await senders.create(house.owner, NewApiUser("shop_1", TRIGGER))).user.row.id
    domain = (await house.services.domains.add(other, "theirs.example")).row.id
    await house.state(domain, DomainState.USABLE)
    for action in (
        senders.get(other, user),
        senders.bind(other, user, domain),
        senders.unbind(other, user, domain),
        senders.change(other, user, ApiUserChange(enabled=False)),
        senders.reset_key(other, user),
    ):
        assert (await refusal(action)).code == "api_user_not_found"
    assert await senders.page(other) == []


async def test_after_a_reset_the_old_key_works_fifteen_minutes(house: Doors) -> None:
    senders = house.services.senders
    old = await senders.create(house.owner, NewApiUser("shop_1", TRIGGER))
    user = old.user.row.id
    new = await senders.reset_key(house.owner, user)
    assert new.key != old.key and len(new.user.keys) == 2
    assert await works(house, old.key, dt.timedelta(minutes=14))
    assert not await works(house, old.key, dt.timedelta(minutes=15))
    assert await works(house, new.key, dt.timedelta(days=1000))
    newest = await senders.reset_key(house.owner, user)
    assert not await works(house, old.key, dt.timedelta(minutes=15))  # not prolonged
    last = await senders.reset_key(house.owner, user, at_once=True)
    assert [await works(house, each.key) for each in (old, new, newest, last)] == [False, False, False, True]
    async with house.db.read() as session:
        entries = (await session.exec(select(AuditEntry).order_by(col(AuditEntry.id)))).all()
    assert [entry.action for entry in entries] == ["api_key.created", *["api_key.reset"] * 3]
    assert {entry.actor for entry in entries} == {f"member/{house.owner.member_id}"}


async def test_a_disabled_api_user_is_refused_until_enabled(house: Doors) -> None:
    senders = house.services.senders
    issued = await senders.create(house.owner, NewApiUser("shop_1", TRIGGER))
    user = issued.user.row.id
    await house.wants_nudge(workflow_id(Kind.ONBOARDING, house.owner.account_id))
    view = await senders.change(house.owner, user, ApiUserChange(enabled=False))
    assert view.row.disabled_at is not None and view.row.resend_uncertain
    assert not await works(house, issued.key)
    assert await house.wants_nudge(workflow_id(Kind.ONBOARDING, house.owner.account_id))
    assert (await refusal(senders.reset_key(house.owner, user))).code == "api_user_disabled"
    await senders.change(house.owner, user, ApiUserChange(resend_uncertain=False, enabled=True))
    assert await works(house, issued.key)
    assert not (await senders.get(house.owner, user)).row.resend_uncertain


async def test_enabled_api_users_are_limited(house: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.senders.MAX_API_USERS", 1)
    senders = house.services.senders
    await make_test_user(house)  # does not count
    first = (await senders.create(house.owner, NewApiUser("shop_1", TRIGGER))).user.row.id
    assert (await refusal(senders.create(house.owner, NewApiUser("shop_2", TRIGGER)))).code == "too_many_api_users"
    await senders.change(house.owner, first, ApiUserChange(enabled=False))
    await senders.create(house.owner, NewApiUser("shop_2", TRIGGER))
    back = ApiUserChange(resend_uncertain=False, enabled=True)
    assert (await refusal(senders.change(house.owner, first, back))).code == "too_many_api_users"
    assert (await senders.get(house.owner, first)).row.resend_uncertain  # nothing half-done


async def test_the_test_api_user_keeps_to_the_test_domain(house: Doors) -> None:
    senders = house.services.senders
    domain, other = await house.usable("shop.example"), await house.usable("t.example")
    tester = (await make_test_user(house)).user.row.id
    assert (await refusal(senders.bind(house.owner, tester, domain))).code == "api_user_is_test"
    assert (await refusal(senders.unbind(house.owner, tester, domain))).code == "api_user_is_test"
    async with house.db.begin() as session:
        row = await session.get(SenderDomain, other)
        assert row is not None
        row.is_test = True
    refused = await refusal(senders.create(house.owner, NewApiUser("shop_1", TRIGGER, (other,))))
    assert (refused.code, refused.field) == ("domain_is_test", "domain_ids[0]")
