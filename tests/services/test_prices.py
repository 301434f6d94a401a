"""The price list: only finance sets prices, never backwards, each one on record; customers see what is theirs."""

import datetime as dt

import pytest

from domain.accounts import Caller, Role
from domain.errors import Refusal
from domain.ids import new_id
from domain.operators import Operator, OperatorRole
from domain.refusals import explain
from services.ledger import Ledger
from services.prices import NewPrice, Prices, parse_unit
from store.columns import now
from store.db import Database
from tests.money_world import make_paying
from tests.sends_doors import foundation

HOUR = dt.timedelta(hours=1)
FINANCE = Operator(new_id(), "mei", frozenset({OperatorRole.FINANCE}))


@pytest.mark.parametrize(
    ("text", "micro"),
    [("0.0045", 4_500), ("¥0.01", 10_000), ("1", 1_000_000), ("0.000001", 1), (" 10.00 ", 10_000_000)],
)
def test_a_unit_price_is_read_exactly(text: str, micro: int) -> None:
    assert parse_unit(text) == micro


@pytest.mark.parametrize("text", ["", "0", "0.0000001", "-1", "1e-3", "0.0045x", "10.01", "1,5"])
def test_what_is_no_unit_price_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="price_malformed") as caught:
        parse_unit(text)
    assert all(explain(caught.value, language)[0] == 422 for language in ("zh", "en"))


async def test_a_price_is_set_from_a_time_on_and_audited(db: Database) -> None:
    prices = Prices(await foundation(db))
    customer = await make_paying(db)
    first = await prices.set_price(FINANCE, NewPrice("0.004"))
    second = await prices.set_price(FINANCE, NewPrice("0.003", customer.account, now() + HOUR))
    assert [(row.id, row.unit_micro, row.account_name) for row in await prices.listed(FINANCE)] == [
        (second, 3_000, "Customer"),
        (first, 4_000, None),
    ]
    noted = await db.pool.fetch("SELECT actor, action, subject, account_id FROM audit_entry ORDER BY id")
    assert [tuple(row) for row in noted] == [
        ("operator/mei", "price.set", f"price/{first}", None),
        ("operator/mei", "price.set", f"price/{second}", customer.account),
    ]


@pytest.mark.parametrize("role", [OperatorRole.REVIEWER, OperatorRole.SUPPORT])
async def test_other_operators_neither_see_nor_set(db: Database, role: OperatorRole) -> None:
    prices, other = Prices(await foundation(db)), Operator(new_id(), "li", frozenset({role}))
    for act in (prices.listed(other), prices.set_price(other, NewPrice("0.001"))):
        with pytest.raises(Refusal, match="duty_forbidden"):
            await act
    assert await db.pool.fetchval("SELECT count(*) FROM price") == 0


@pytest.mark.parametrize(
    ("price", "code"),
    [
        (NewPrice("0.004", None, dt.datetime(2026, 1, 1, tzinfo=dt.UTC)), "price_in_past"),
        (NewPrice("0.004", new_id()), "not_found"),
        (NewPrice("0.004", item="fax"), "not_found"),
        (NewPrice("0.004", item="sms:GB"), "not_found"),
        (NewPrice("0.3", item="sms", country="ZZ"), "price_country"),
        (NewPrice("0.3", item="sms", country="' OR 1"), "price_country"),
        (NewPrice("0.004", country="GB"), "price_country"),
        (NewPrice("free"), "price_malformed"),
    ],
)
async def test_a_bad_price_is_refused_with_nothing_kept(db: Database, price: NewPrice, code: str) -> None:
    with pytest.raises(Refusal, match=code) as caught:
        await Prices(await foundation(db)).set_price(FINANCE, price)
    assert explain(caught.value, "zh")[1] and explain(caught.value, "en")[1]
    assert await db.pool.fetchval("SELECT (SELECT count(*) FROM price) + (SELECT count(*) FROM audit_entry)") == 0


async def test_customers_see_their_price_and_what_is_announced(db: Database) -> None:
    base = await foundation(db)
    mine, theirs = await make_paying(db), await make_paying(db)
    soon = now() + HOUR
    await Prices(base).set_price(FINANCE, NewPrice("0.003", mine.account))
    await Prices(base).set_price(FINANCE, NewPrice("0.006", None, soon))
    ledger = Ledger(base)
    assert [(one.unit_micro, one.begins) for one in await ledger.prices(mine.caller())] == [(3_000, None)]
    assert [(one.unit_micro, one.begins) for one in await ledger.prices(theirs.caller())] == [
        (4_500, None),
        (6_000, soon),
    ]
    assert (await ledger.balance(mine.caller())).unit_micro == 3_000


@pytest.mark.parametrize("role", [Role.DEVELOPER, Role.VIEWER])
async def test_the_statement_needs_the_right_to_see_money(db: Database, role: Role) -> None:
    ledger, customer = Ledger(await foundation(db)), await make_paying(db, 100)
    caller = Caller(customer.account, new_id(), role=role)
    for act in (ledger.statement(caller, None, None, 5), ledger.export(caller), ledger.holds(caller, 5)):
        with pytest.raises(Refusal, match="role_forbids"):
            await act
    with pytest.raises(Refusal, match="forbidden"):
        await ledger.statement(Caller(customer.account, api_user_id=customer.api_user), None, None, 5)
    assert (await ledger.balance(caller)).standing.purse is None


@pytest.mark.parametrize(("country", "item"), [("", "sms"), ("cn", "sms"), (" gb ", "sms:GB"), ("HK", "sms:HK")])
async def test_a_segment_has_a_price_by_country(db: Database, country: str, item: str) -> None:
    """Without one, numbers of another country are refused (`store.sms_accepting`)."""
    prices = Prices(await foundation(db))
    await prices.set_price(FINANCE, NewPrice("0.3", item="sms", country=country))
    assert [(row.item, row.unit_micro) for row in await prices.listed(FINANCE)] == [(item, 300_000)]
