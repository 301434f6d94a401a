"""The table of providers, and the arithmetic of shares."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.lanes import (
    OTHER,
    PROVIDERS,
    Limits,
    Neighbour,
    Seats,
    Stand,
    connections_at,
    lane_of,
    lane_title,
    refill,
    seats,
    slows,
    spare,
)
from domain.reply_rule_seeds import classify


@pytest.mark.parametrize(
    ("hosts", "lane"),
    [
        (["mx1.qq.com", "mx2.qq.com"], "qq"),
        (["mxbiz1.qq.com", "mxbiz2.qq.com"], "qq"),
        (["163mx01.mxmail.netease.com"], "netease"),
        (["qiye163mx02.mxmail.netease.com"], "netease"),
        (["freemx.sinamail.sina.com.cn"], "sina"),
        (["sohumx1.sohu.com"], "sohu"),
        (["mxn.mxhichina.com", "mxw.mxhichina.com"], "aliyun"),
        (["mx2.mail.aliyun.com"], "aliyun"),
        (["mx1.mail.139.com"], "cmcc"),
        (["ASPMX.L.GOOGLE.COM.", "alt1.aspmx.l.google.com."], "gmail"),
        (["smtp.google.com"], "gmail"),
        (["company-com.mail.protection.outlook.com"], "microsoft"),
        (["company-cn.mail.protection.partner.outlook.cn"], "microsoft"),
        (["a-b.mx.microsoft"], "microsoft"),
        (["mta5.am0.yahoodns.net"], "yahoo"),
        (["mx01.mail.icloud.com"], "icloud"),
        (["mx.company.example"], OTHER),
        (["notqq.com", "qq.com.evil.example"], OTHER),
        (["gateway.example", "mx1.qq.com"], "qq"),
        ([], OTHER),
    ],
)
def test_the_mx_decides_the_lane(hosts: list[str], lane: str) -> None:
    assert lane_of(hosts) == lane


def test_every_lane_has_a_name_in_both_languages() -> None:
    assert lane_title("qq", "zh") == "QQ 邮箱、腾讯企业邮"
    assert lane_title("qq", "en") == "QQ Mail, Tencent Exmail"
    assert lane_title("gone", "en") == "gone"
    assert all(provider.zh and provider.en for provider in PROVIDERS)
    assert PROVIDERS[-1].lane == OTHER


@pytest.mark.parametrize(
    ("lane", "messages"),
    [
        ("qq", 20), ("netease", 15), ("aliyun", 15), ("sina", 10), ("sohu", 10), ("cmcc", 10), ("telecom", 10),
        ("microsoft", 50), ("yahoo", 50), ("icloud", 50), ("gmail", 100), (OTHER, 20),
    ],
)  # fmt: skip
def test_how_many_messages_a_connection_starts_with(lane: str, messages: int) -> None:
    assert {provider.lane: provider.limits.per_connection for provider in PROVIDERS}[lane] == messages


def test_no_lane_starts_with_a_cap_that_leaves_campaigns_nothing() -> None:
    caps = [cap for p in PROVIDERS for cap in (p.limits.connections, p.limits.per_site) if cap is not None]
    assert min(caps) >= 2
    assert all(spare(p.limits.burst, p.limits.burst, express=False) >= 1 for p in PROVIDERS)


@pytest.mark.parametrize(
    ("host", "code", "text", "slower"),
    [
        ("mx1.qq.com", 550, "Ip frequency limited", True),
        ("mx1.qq.com", 550, "Connection frequency limited", True),
        ("mx1.qq.com", 550, "Domain frequency limited", False),
        ("mx1.qq.com", 550, "Sender frequency limited", False),
        ("163mx01.mxmail.netease.com", 421, "HL:ICC", True),
        ("mx", 421, "Service not available", True),
        ("mx", 554, "5.7.1 your IP is listed by an rbl", True),
        ("mx", 550, "5.7.1 message content rejected as spam", False),
        ("mx", 450, "greylisted, try again later", False),
        ("mx", 550, "no such user", False),
    ],
)
def test_what_slows_a_lane(host: str, code: int, text: str, slower: bool) -> None:
    """What is about the lane: our address and our connections, not one customer's sender, mail or recipient."""
    assert slows(classify(host, code, text)) is slower


@pytest.mark.parametrize(
    ("pace", "cap", "left"), [(1, 5, 5), (0.5, 5, 3), (1 / 64, 5, 2), (0.5, 2, 2), (0.5, None, None)]
)
def test_a_slower_lane_has_fewer_connections(pace: float, cap: int | None, left: int | None) -> None:
    assert connections_at(pace, cap) == left


def test_a_sandbox_has_the_rates_of_its_clocks() -> None:
    assert Limits(1.0, 20, 5, 2, 15).scaled(60) == Limits(60.0, 1200, 5, 2, 15), "connections have no clock"
    assert Limits(None, 20, 5).scaled(60) == Limits(None, 20, 5)


def test_a_bucket_fills_to_its_brim() -> None:
    assert refill(3.0, 2.0, 1.5, 20) == 6.0
    assert refill(3.0, 1e9, 1.5, 20) == 20.0
    assert refill(3.0, -5.0, 1.5, 20) == 3.0, "a clock that went back takes nothing"


def test_campaigns_leave_the_reserve() -> None:
    assert spare(20, 20, express=False) == 16
    assert spare(4, 20, express=False) == 0
    assert spare(4, 20, express=True) == 4


STANDS = st.builds(Stand, st.integers(0, 6), st.integers(0, 6))


@given(cap=st.integers(2, 12), requests=st.lists(st.tuples(st.integers(0, 3), STANDS, STANDS), max_size=40))
def test_however_processes_ask_a_cap_holds_and_one_place_stays_for_single_mails(
    cap: int, requests: list[tuple[int, Stand, Stand]]
) -> None:
    """Each request: a process, what it uses of what it holds, what it wants on top."""
    known = [Neighbour(Stand()) for _ in range(4)]
    for who, use, more in requests:
        used = Stand(min(use.bulk, known[who].held.bulk), min(use.express, known[who].held.express))
        others = [each for other, each in enumerate(known) if other != who]
        wanted = Stand(used.bulk + more.bulk, used.express + more.express)
        dealt = seats(cap, used, wanted, others)
        known[who] = Neighbour(dealt.held, max(0, wanted.bulk - dealt.held.bulk))
        assert dealt.held.bulk >= used.bulk
        assert dealt.held.express >= used.express
        assert sum(each.held.total for each in known) <= cap
        assert sum(each.held.bulk for each in known) <= cap - 1


@given(cap=st.integers(3, 12), processes=st.integers(2, 5))
def test_who_was_refused_gets_a_fair_part_and_nothing_lies_idle(cap: int, processes: int) -> None:
    """The first took all there is; everybody wants more than there is, and each closes connections when told to."""
    known = [Neighbour(seats(cap, Stand(), Stand(99)).held), *(Neighbour(Stand(), 99) for _ in range(processes - 1))]
    for turn in range(processes * 3):
        who = turn % processes
        others = [each for other, each in enumerate(known) if other != who]
        sink = seats(cap, known[who].held, Stand(99), others).sink
        held = seats(cap, Stand(min(known[who].held.bulk, sink)), Stand(99), others).held
        known[who] = Neighbour(held, 99)
    parts = [each.held.bulk for each in known]
    if processes <= cap - 1:
        assert min(parts) >= (cap - 1) // processes
        assert sum(parts) == cap - 1


def test_a_cap_that_was_lowered_closes_nothing_but_grants_nothing() -> None:
    assert seats(2, Stand(3, 1), Stand(5, 2), [Neighbour(Stand(1))]) == Seats(Stand(3, 1), 0)
    assert seats(None, Stand(3, 1), Stand(5, 2), [Neighbour(Stand(9, 9), 3)]) == Seats(Stand(5, 2), 5)
