"""Addresses of ours and rules of destinations, as operators keep them: on record, once each, and nobody else's."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from domain.destinations import USUAL, Match, PolicyEntry, SmartHost, Treatment
from domain.egress import EgressEntry, Reverse
from domain.errors import Refusal
from domain.ids import new_id
from domain.operators import Operator, OperatorRole
from domain.refusals import explain
from domain.transport import Login, Tls
from gateways.routes import Routes
from services.destinations import DestinationDesk
from services.egress import EgressDesk
from services.foundation import Outside
from store.db import Database
from tests.dns_world import DnsWorld, dns_world
from tests.sends_doors import foundation

ROOT = Operator(new_id(), "root", frozenset({OperatorRole.ADMIN}))
ONE = EgressEntry("192.0.2.1", "out1.songda.test")
RELAY = PolicyEntry(Match.DOMAIN, "bank.example", Tls.REQUIRED, (SmartHost("relay.test", 587),), "user", "secret")
NOWHERE = new_id()
Act = Callable[[EgressDesk, DestinationDesk, Operator], Awaitable[object]]
ACTS: list[Act] = [
    lambda egress, rules, who: egress.listed(who),
    lambda egress, rules, who: egress.add(who, ONE),
    lambda egress, rules, who: egress.change(who, 9, ONE, 0),
    lambda egress, rules, who: egress.pause(who, 9),
    lambda egress, rules, who: egress.remove(who, 9),
    lambda egress, rules, who: egress.resume(who, 9),
    lambda egress, rules, who: rules.listed(who),
    lambda egress, rules, who: rules.add(who, RELAY),
    lambda egress, rules, who: rules.change(who, NOWHERE, RELAY, 0),
    lambda egress, rules, who: rules.remove(who, NOWHERE),
    lambda egress, rules, who: rules.way(who, "a@bank.example"),
]


@pytest.fixture
async def egress(db: Database) -> EgressDesk:
    return EgressDesk(await foundation(db))


@pytest.fixture
async def rules(db: Database) -> DestinationDesk:
    return DestinationDesk(await foundation(db))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[DnsWorld]:
    async with dns_world(tmp_path) as started:
        yield started


async def asking(db: Database, world: DnsWorld, otherwise: Treatment = USUAL) -> tuple[EgressDesk, DestinationDesk]:
    """Desks that ask the DNS of this world."""
    ways = Outside(world.resolver, lambda found: Routes(world.resolver, lambda: found), otherwise)
    base = replace(await foundation(db), outside=ways)
    return EgressDesk(base), DestinationDesk(base)


async def refusal_of(act: Awaitable[object]) -> str:
    with pytest.raises(Refusal) as caught:
        await act
    assert all(all(explain(caught.value, language)[1:]) for language in ("zh", "en"))
    return caught.value.code


async def noted(db: Database) -> list[tuple[str, str]]:
    rows = await db.pool.fetch("SELECT action, subject FROM audit_entry ORDER BY id")
    return [(row["action"], row["subject"]) for row in rows]


async def test_addresses_are_numbered_in_order_and_on_record(db: Database, egress: EgressDesk) -> None:
    assert await egress.add(ROOT, ONE) == 1
    assert await egress.add(ROOT, replace(ONE, source="192.0.2.2")) == 2
    await egress.pause(ROOT, 1)
    await egress.resume(ROOT, 1)
    await egress.change(ROOT, 2, EgressEntry("192.0.2.3", "out3.songda.test", "mail-1", "", "spare"), 0)
    row = (await egress.listed(ROOT))[1].row
    assert (row.source, row.ehlo_name, row.host, row.note) == ("192.0.2.3", "out3.songda.test", "mail-1", "spare")
    await egress.remove(ROOT, 2)
    acts = ["added", "added", "paused", "resumed", "changed", "removed"]
    assert [action for action, _ in await noted(db)] == [f"egress.{act}" for act in acts]


async def test_an_address_of_a_machine_is_there_once(egress: EgressDesk) -> None:
    await egress.add(ROOT, ONE)
    assert await refusal_of(egress.add(ROOT, ONE)) == "egress_address_taken"
    await egress.add(ROOT, replace(ONE, host="mail-2"))
    assert await refusal_of(egress.change(ROOT, 2, ONE, 0)) == "egress_address_taken"


async def test_what_somebody_else_changed_is_not_overwritten(egress: EgressDesk, rules: DestinationDesk) -> None:
    await egress.add(ROOT, ONE)
    await egress.pause(ROOT, 1)
    assert await refusal_of(egress.change(ROOT, 1, ONE, 0)) == "egress_changed_meanwhile"
    made = await rules.add(ROOT, RELAY)
    await rules.change(ROOT, made, RELAY, 0)
    assert await refusal_of(rules.change(ROOT, made, RELAY, 0)) == "egress_changed_meanwhile"


async def test_a_rule_is_kept_changed_and_removed_on_record(db: Database, rules: DestinationDesk) -> None:
    made = await rules.add(ROOT, RELAY)
    assert await refusal_of(rules.add(ROOT, RELAY)) == "policy_exists"
    before = await db.pool.fetchval("SELECT login_password FROM destination_policy")
    await rules.change(ROOT, made, replace(RELAY, password=None, note="kept"), 0)
    assert await db.pool.fetchval("SELECT login_password FROM destination_policy") == before
    await rules.change(ROOT, made, replace(RELAY, user="", password=None), 1)
    [row] = await rules.listed(ROOT)
    assert (row.login_user, row.login_password, row.smart_hosts) == ("", None, ["relay.test:587"])
    await rules.remove(ROOT, made)
    assert await rules.listed(ROOT) == []
    acts = ["added", "changed", "changed", "removed"]
    assert [action for action, _ in await noted(db)] == [f"destination.{act}" for act in acts]
    details = str(await db.pool.fetch("SELECT detail FROM audit_entry"))
    assert "relay.test:587" in details and "secret" not in details


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"smart_hosts": (SmartHost("mine.test", 587),)},
        {"smart_hosts": (SmartHost("relay.test", 588),)},
        {"smart_hosts": (SmartHost("mine.test", 587), SmartHost("relay.test", 587))},
        {"tls": Tls.REQUIRED},
    ],
    ids=["another host", "another port", "one more", "any certificate"],
)
async def test_a_kept_password_is_told_to_nobody_else(rules: DestinationDesk, elsewhere: dict[str, Any]) -> None:
    """Who changes a rule need not know its password, and must not learn it."""
    made = await rules.add(ROOT, replace(RELAY, tls=Tls.VERIFIED))
    changed = replace(RELAY, tls=Tls.VERIFIED, password=None)
    assert await refusal_of(rules.change(ROOT, made, replace(changed, **elsewhere), 0)) == "required"
    await rules.change(ROOT, made, replace(changed, user="other"), 0)
    await rules.change(ROOT, made, replace(changed, password="secret", **elsewhere), 1)


@pytest.mark.parametrize("role", [role for role in OperatorRole if role is not OperatorRole.ADMIN])
async def test_only_the_duty_may(db: Database, egress: EgressDesk, rules: DestinationDesk, role: OperatorRole) -> None:
    who = Operator(new_id(), "li", frozenset({role}))
    assert {await refusal_of(act(egress, rules, who)) for act in ACTS} == {"duty_forbidden"}
    assert await noted(db) == []


@pytest.mark.parametrize("number", [0, -1, 7, 40_000])
async def test_there_is_no_such_thing(egress: EgressDesk, rules: DestinationDesk, number: int) -> None:
    assert await refusal_of(egress.pause(ROOT, number)) == "not_found"
    assert await refusal_of(egress.change(ROOT, number, ONE, 0)) == "not_found"
    assert await refusal_of(rules.remove(ROOT, NOWHERE)) == "not_found"


async def test_names_that_do_not_agree_are_warned_of(db: Database, world: DnsWorld) -> None:
    egress, _ = await asking(db, world)
    entries = {
        Reverse.GOOD: EgressEntry("192.0.2.1", "out1.songda.test"),
        Reverse.NO_NAME: EgressEntry("192.0.2.2", "out1.songda.test"),
        Reverse.OTHER_NAME: EgressEntry("192.0.2.3", "out1.songda.test"),
        Reverse.NOT_BACK: EgressEntry("192.0.2.4", "out4.songda.test"),
        Reverse.UNKNOWN: EgressEntry("192.0.2.5", "ill.songda.test"),
    }
    for entry in entries.values():
        await egress.add(ROOT, entry)
    await egress.add(ROOT, EgressEntry("10.0.0.1", "out1.songda.test", public="192.0.2.1"))
    await world.put("out1.songda.test", "A", "192.0.2.1")
    await world.put("out4.songda.test", "A", "192.0.2.9")
    for last, name in ((1, "out1"), (3, "other"), (4, "out4")):
        await world.put(f"{last}.2.0.192.in-addr.arpa", "PTR", f"{name}.songda.test.")
    await world.silence("ill.songda.test")
    assert [view.reverse for view in await egress.listed(ROOT)] == [*entries, Reverse.GOOD]


async def test_how_a_recipient_would_be_reached(db: Database, world: DnsWorld) -> None:
    _, rules = await asking(db, world)
    await world.put("bank.example", "MX", "10 mx1.qq.com.")
    await world.put("mx1.qq.com", "A", "192.0.2.1")
    await world.put("relay.test", "A", "10.0.0.1")
    way = await rules.way(ROOT, "Amy@Bank.example")
    assert (way.domain, way.lane, way.rule, way.route.tls) == ("bank.example", "qq", None, Tls.OPPORTUNISTIC)
    await rules.add(ROOT, PolicyEntry(Match.MX, "qq.com", Tls.REQUIRED))
    way = await rules.way(ROOT, "bank.example")
    assert way.rule is not None and (way.rule.pattern, way.route.tls) == ("qq.com", Tls.REQUIRED)
    await rules.add(ROOT, RELAY)
    way = await rules.way(ROOT, "bank.example")
    assert way.rule is not None and way.rule.pattern == "bank.example"
    assert (way.lane, way.route.relay, way.route.hosts[0].name) == ("relay", True, "relay.test")
    gone = await rules.way(ROOT, "gone.example")
    assert gone.route.failure is not None and gone.route.failure.enhanced == "5.1.2"
    assert await refusal_of(rules.way(ROOT, "no address")) == "mail_address_malformed"


async def test_what_holds_for_all_comes_from_the_settings(db: Database, world: DnsWorld) -> None:
    everything = Treatment(Tls.REQUIRED, (SmartHost("10.9.9.9"),), Login("u", "p"))
    _, rules = await asking(db, world, everything)
    assert rules.otherwise == everything
    way = await rules.way(ROOT, "any.example")
    assert (way.lane, way.route.hosts[0].addresses) == ("relay", ("10.9.9.9",))
