"""What an account can do with its SMS users, and what their keys are good for."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator

import pytest
from sqlmodel import col, select, update

from domain.accounts import Caller, Role
from domain.billing import RechargeState
from domain.certification import CertificationKind
from domain.errors import Refusal
from domain.ids import Kind, new_id, workflow_id
from domain.sms_users import MAX_SMS_USERS
from services.sms_users import IssuedSmsKey, SmsUsers
from store import sms_users as rows
from store.accounts import Account
from store.audit_log import AuditEntry
from store.columns import now
from store.db import Database
from store.sms_users import SmsKey, SmsUser
from tests.dns_world import VAULT
from tests.domain_doors import Doors, doors
from tests.path_rows import Customer
from tests.sms_world import make_sms_customer


@pytest.fixture
async def house(db: Database) -> AsyncIterator[Doors]:
    async with doors(db) as opened:
        yield opened


@pytest.fixture
def users(house: Doors) -> SmsUsers:
    return house.services.sms_users


async def ready(db: Database) -> Caller:
    """A member of an account that is certified as an enterprise and has paid."""
    customer = await Customer(db).registers()
    await customer.confirms()
    await customer.certifies(CertificationKind.ENTERPRISE)
    await customer.orders(RechargeState.CREDITED)
    return Caller(customer.account, member_id=new_id())


async def refusal(action: object) -> Refusal:
    with pytest.raises(Refusal) as refused:
        await action  # type: ignore[misc]
    return refused.value


async def test_the_refusal_names_the_step_that_is_missing(house: Doors, users: SmsUsers) -> None:
    customer = await Customer(house.db).registers()
    caller = Caller(customer.account, member_id=new_id())
    assert (await refusal(users.create(caller, "shop"))).params["step"] == "register"
    await customer.confirms()
    await customer.certifies(CertificationKind.INDIVIDUAL)
    refused = await refusal(users.create(caller, "shop"))
    assert refused.code == "step_missing" and refused.params["step"] == "sms_certify"
    await customer.certifies(CertificationKind.ENTERPRISE, number=2)
    assert (await refusal(users.create(caller, "shop"))).params["step"] == "sms_pay"
    await customer.orders(RechargeState.CREDITED)
    assert (await users.create(caller, "shop")).user.row.name == "shop"


async def test_the_key_is_given_once_and_kept_sealed(house: Doors, users: SmsUsers) -> None:
    caller = await ready(house.db)
    issued = await users.create(caller, "shop")
    async with house.db.read() as session:
        kept = (await session.exec(select(SmsKey))).one()
        noted = (await session.exec(select(AuditEntry).where(col(AuditEntry.action) == "sms_key.created"))).one()
    assert issued.key.startswith("smsk_") and issued.key.startswith(kept.prefix)
    assert issued.key not in repr(kept) and issued.key not in repr(noted)
    assert VAULT.unseal(kept.sealed, f"sms-key/{kept.id}") == issued.key.encode()
    assert await house.wants_nudge(workflow_id(Kind.ONBOARDING, caller.account_id))


async def test_it_signs_and_opens_until_it_is_replaced(house: Doors, users: SmsUsers) -> None:
    caller = await ready(house.db)
    first = await users.create(caller, "shop")
    second = await users.reset_key(caller, first.user.row.id)
    signer = await users.signing_keys("shop")
    assert signer and signer.keys == (second.key, first.key) and not signer.disabled
    assert signer.caller == Caller(caller.account_id, sms_user_id=first.user.row.id)
    assert first.key not in repr(signer)
    assert await house.services.accounts.caller(first.key) == signer.caller
    async with house.db.pool.acquire() as connection:
        later = now() + dt.timedelta(minutes=16)
        holders = await rows.key_holders(connection, [VAULT.digest(k) for k in (first.key, second.key)], later)
    assert [row["digest"] for row in holders] == [VAULT.digest(second.key)]
    third = await users.reset_key(caller, first.user.row.id, at_once=True)
    signer = await users.signing_keys("shop")
    assert signer and signer.keys == (third.key,)
    assert (await refusal(house.services.accounts.caller(first.key))).code == "unauthenticated"


async def test_a_disabled_one_signs_nothing(house: Doors, users: SmsUsers) -> None:
    caller = await ready(house.db)
    issued = await users.create(caller, "shop")
    await users.enable(caller, issued.user.row.id, False)
    signer = await users.signing_keys("shop")
    assert signer and signer.disabled and signer.keys == ()
    assert (await refusal(house.services.accounts.caller(issued.key))).code == "unauthenticated"
    assert (await refusal(users.reset_key(caller, issued.user.row.id))).code == "sms_user_disabled"
    await users.enable(caller, issued.user.row.id, True)
    signer = await users.signing_keys("shop")
    assert signer and signer.keys == (issued.key,)
    async with house.db.begin() as session:
        await session.exec(update(Account).where(col(Account.id) == caller.account_id).values(state="closed"))
    assert await users.signing_keys("shop") is None
    assert (await refusal(house.services.accounts.caller(issued.key))).code == "unauthenticated"


@pytest.mark.parametrize("name", ["nobody", "", "名称", "a\x00b", "\ud800", "x" * 5000])
async def test_nobody_of_that_name(users: SmsUsers, name: str) -> None:
    assert await users.signing_keys(name) is None


async def test_a_key_that_another_master_sealed_signs_nothing(house: Doors, users: SmsUsers) -> None:
    caller = await ready(house.db)
    await users.create(caller, "shop")
    async with house.db.begin() as session:
        await session.exec(update(SmsKey).values(sealed=VAULT.seal(b"other", "sms-key/of-another-row")))
    signer = await users.signing_keys("shop")
    assert signer is not None and signer.keys == ()


async def test_many_names_at_once_each_get_their_own(house: Doors, users: SmsUsers) -> None:
    caller = await ready(house.db)
    issued = [await users.create(caller, f"shop_{n}") for n in range(3)]
    names = [f"shop_{n % 4}" for n in range(40)]
    found = await asyncio.gather(*(users.signing_keys(name) for name in names))
    for name, signer in zip(names, found, strict=True):
        place = int(name[-1])
        assert (signer.keys if signer else None) == ((issued[place].key,) if place < 3 else None)


@pytest.mark.parametrize("name", ["", "ab", "a" * 33, "Shop", "shop-1", "shop 1", "店铺一", "shop\n1", "\x00abc"])
async def test_names_have_a_plain_form(users: SmsUsers, name: str) -> None:
    refused = await refusal(users.create(Caller(new_id(), member_id=new_id()), name))
    assert refused.code in ("required", "sms_user_bad_name") and refused.field == "name"


async def test_names_are_unique_on_the_platform(house: Doors, users: SmsUsers) -> None:
    callers = [await ready(house.db), await ready(house.db)]
    made = await asyncio.gather(*(users.create(c, "shop") for c in (*callers, callers[0])), return_exceptions=True)
    refused = [each for each in made if isinstance(each, Refusal)]
    assert sum(isinstance(each, IssuedSmsKey) for each in made) == 1
    assert {(each.code, each.field) for each in refused} == {("sms_user_name_taken", "name")} and len(refused) == 2


async def test_an_account_has_so_many_enabled_ones(house: Doors, users: SmsUsers) -> None:
    caller = await ready(house.db)
    async with house.db.begin() as session:
        session.add_all([SmsUser(account_id=caller.account_id, name=f"user_{n}") for n in range(MAX_SMS_USERS - 1)])
    made = await asyncio.gather(*(users.create(caller, f"new_{n}") for n in range(3)), return_exceptions=True)
    assert sum(isinstance(each, IssuedSmsKey) for each in made) == 1
    one = (await users.page(caller, limit=1))[0]
    await users.enable(caller, one.row.id, False)
    await users.create(caller, "after")
    assert (await refusal(users.enable(caller, one.row.id, True))).code == "too_many_sms_users"


async def test_another_accounts_is_not_found_and_roles_count(house: Doors, users: SmsUsers) -> None:
    caller, other = await ready(house.db), await ready(house.db)
    theirs = (await users.create(other, "theirs")).user.row.id
    for action in (users.get(caller, theirs), users.enable(caller, theirs, False), users.reset_key(caller, theirs)):
        assert (await refusal(action)).code == "sms_user_not_found"
    assert await users.page(caller) == []
    viewer = Caller(other.account_id, member_id=new_id(), role=Role.VIEWER)
    for action in (users.create(viewer, "mine"), users.enable(viewer, theirs, False), users.reset_key(viewer, theirs)):
        assert (await refusal(action)).code == "role_forbids"


async def test_its_key_opens_nothing_of_v1_but_sms(house: Doors) -> None:
    """Every route of `/v1` that takes a key of any kind, from the application's own table."""
    customer = await make_sms_customer(house.db)
    head = {"Authorization": f"Bearer {customer.key}", "Cookie": ""}
    paths = (await house.http.get("/openapi.json")).json()["paths"]
    asked = 0
    for path, methods in paths.items():
        for method, told in methods.items():
            if not path.startswith("/v1/") or "security" not in told or path.startswith("/v1/sms"):
                continue
            url = path.replace("{", "").replace("}", "")
            answer = await house.http.request(method, url, headers=head, json={})
            assert answer.status_code in (401, 403, 422), f"{method} {path}: {answer.status_code}"
            asked += answer.status_code == 403
    assert asked > 30
