"""Names of sender domains, and what a look makes of one."""

import datetime as dt
from dataclasses import replace

import pytest

from domain.domains import (
    DomainState,
    Purpose,
    RecordState,
    Standing,
    host_label,
    judge,
    normalise,
    shown,
    wait_after,
)
from domain.errors import Refusal
from domain.refusals import explain
from tests.dns_world import POLICY

OK, MISSING, WRONG = RecordState.OK, RecordState.MISSING, RecordState.WRONG
CLAIMED, SILENT = RecordState.CLAIMED, RecordState.UNREACHABLE
USABLE, BROKEN = DomainState.USABLE, DomainState.BROKEN


def found(ownership: RecordState = OK, spf: RecordState = OK, dkim: RecordState = OK) -> dict[Purpose, RecordState]:
    advice = dict.fromkeys((Purpose.DMARC, Purpose.MX, Purpose.TRACKING), MISSING)
    return {Purpose.OWNERSHIP: ownership, Purpose.SPF: spf, Purpose.DKIM: dkim, **advice}


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Mail.Shop.Example", "mail.shop.example"),
        ("  shop.com.cn. ", "shop.com.cn"),
        ("例子.中国", "xn--fsqu00a.xn--fiqs8s"),
        ("Bücher.example", "xn--bcher-kva.example"),
        ("ｓｈｏｐ。example", "shop.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("shop.github.io", "shop.github.io"),
    ],
)
def test_names_are_kept_in_lower_case_ascii(typed: str, name: str) -> None:
    assert normalise(typed, POLICY) == name


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("", "required"),
        (" . ", "required"),
        ("https://shop.example/", "domain_not_a_name"),
        ("me@shop.example", "domain_not_a_name"),
        ("shop_1.example", "domain_not_a_name"),
        ("-shop.example", "domain_not_a_name"),
        ("shop..example", "domain_not_a_name"),
        ("192.0.2.1", "domain_not_a_name"),
        ("2001:db8::1", "domain_not_a_name"),
        ("1.2.3", "domain_not_a_name"),
        ("x" * 64 + ".example", "domain_not_a_name"),
        ("xn--a.example", "domain_not_a_name"),
        (".".join(["a" * 50] * 5) + ".example", "domain_not_a_name"),
        ("localhost", "domain_is_public_suffix"),
        ("com.cn", "domain_is_public_suffix"),
        ("github.io", "domain_is_public_suffix"),
        ("mail.songda.example", "domain_of_platform"),
        ("t1.mail.songda.example", "domain_of_platform"),
        ("bounce.songda.example", "domain_of_platform"),
    ],
)
def test_names_that_nobody_can_send_from_are_refused(typed: str, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        normalise(typed, POLICY)
    assert (refused.value.code, refused.value.field) == (code, "name")
    for language in ("zh", "en"):
        assert all(explain(refused.value, language)[1:])


def test_record_names_as_dns_providers_want_them() -> None:
    assert host_label("_dmarc.mail.shop.com.cn", "mail.shop.com.cn") == "_dmarc.mail"
    assert host_label("shop.com.cn", "shop.com.cn") == "@"
    assert host_label("mail.shop.com.cn", "mail.shop.com.cn") == "mail"


def test_names_are_shown_as_people_write_them() -> None:
    assert shown("xn--fsqu00a.xn--fiqs8s") == "例子.中国"
    assert shown("xn--a.example") == "xn--a.example"


@pytest.mark.parametrize("fault", [MISSING, WRONG])
@pytest.mark.parametrize("purpose", [Purpose.OWNERSHIP, Purpose.SPF, Purpose.DKIM])
def test_each_needed_record_is_needed_and_named(purpose: Purpose, fault: RecordState) -> None:
    records = found() | {purpose: fault}
    assert judge(Standing(DomainState.PENDING), records) == Standing(DomainState.PENDING, purpose)
    assert judge(Standing(USABLE), records) == Standing(USABLE, suspected=True)
    assert judge(Standing(USABLE, suspected=True), records) == Standing(BROKEN, purpose)


def test_advice_does_not_hold_a_domain_back() -> None:
    assert judge(Standing(DomainState.PENDING), found()) == Standing(USABLE)


@pytest.mark.parametrize("before", [DomainState.PENDING, BROKEN, DomainState.LOST])
def test_a_domain_heals_once_all_is_there(before: DomainState) -> None:
    assert judge(Standing(before, Purpose.SPF), found()) == Standing(USABLE)
    assert judge(Standing(before, Purpose.SPF), found(dkim=MISSING)).state is before


@pytest.mark.parametrize("state", [s for s in DomainState if s is not DomainState.DELETED])
@pytest.mark.parametrize("suspected", [False, True])
def test_silent_name_servers_change_nothing(state: DomainState, suspected: bool) -> None:
    before = Standing(state, Purpose.DKIM, suspected)
    assert judge(before, found(SILENT, SILENT, SILENT)) == before
    assert judge(before, found(spf=SILENT)) == before


def test_silence_of_one_record_does_not_hide_the_fault_of_another() -> None:
    records = found(spf=SILENT, dkim=MISSING)
    assert judge(Standing(USABLE, suspected=True), records) == Standing(BROKEN, Purpose.DKIM)


def test_a_look_that_came_early_confirms_nothing_but_may_dismiss() -> None:
    suspect = Standing(USABLE, suspected=True)
    assert judge(suspect, found(spf=MISSING), confirms=False) == suspect
    assert judge(suspect, found(), confirms=False) == Standing(USABLE)


def test_another_accounts_token_takes_a_domain_away() -> None:
    claimed = found(ownership=CLAIMED)
    assert judge(Standing(USABLE, suspected=True), claimed) == Standing(DomainState.LOST, Purpose.OWNERSHIP)
    assert judge(Standing(BROKEN, Purpose.SPF), claimed) == Standing(DomainState.LOST, Purpose.OWNERSHIP)
    assert judge(Standing(DomainState.PENDING), claimed) == Standing(DomainState.PENDING, Purpose.OWNERSHIP)


def test_a_lost_domain_does_not_come_back_half() -> None:
    """Broken would hold the name against the account that has it now."""
    lost = Standing(DomainState.LOST, Purpose.OWNERSHIP)
    assert judge(lost, found(ownership=MISSING)).state is DomainState.LOST
    assert judge(lost, found(spf=MISSING)) == Standing(DomainState.LOST, Purpose.SPF)


def waits(standing: Standing, unreachable: bool = False) -> list[float]:
    """Minutes between the looks of the first days."""
    age, result = dt.timedelta(0), []
    for looks in range(1, 80):
        wait = wait_after(standing, looks, age, unreachable, POLICY)
        age += wait
        result.append(wait.total_seconds() / 60)
    return result


@pytest.mark.parametrize("state", [DomainState.PENDING, BROKEN, DomainState.LOST])
def test_waits_grow_from_a_minute_to_a_day(state: DomainState) -> None:
    found_waits = waits(Standing(state, Purpose.SPF))
    assert found_waits[:5] == [1, 5, 30, 60, 60]
    assert found_waits.count(60) == 72
    assert found_waits[-4:] == [1440, 1440, 1440, 1440]


def test_a_usable_domain_is_looked_at_daily_and_sooner_in_doubt() -> None:
    assert set(waits(Standing(USABLE))) == {1440}
    assert set(waits(Standing(USABLE), unreachable=True)) == {30}
    assert set(waits(Standing(USABLE, suspected=True))) == {2}


def test_the_sandbox_shortens_waits_but_never_below_a_second() -> None:
    fast = replace(POLICY, time_scale=600.0)
    pending = Standing(DomainState.PENDING)
    assert wait_after(pending, 1, dt.timedelta(0), False, fast) == dt.timedelta(seconds=1)
    assert wait_after(pending, 3, dt.timedelta(0), False, fast) == dt.timedelta(seconds=3)
    assert wait_after(pending, 9, dt.timedelta(minutes=8), False, fast) == dt.timedelta(seconds=144)
