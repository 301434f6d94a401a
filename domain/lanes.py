"""Lanes: which mailbox provider takes a domain's mail, and how fast it may be spoken to (design §4.7). Pure.

A lane is named by its provider, and a domain belongs to it by its MX, not by its own name: a company's domain at
Tencent is in the lane of qq.com. Everybody else shares the lane `other`, where each site has caps of its own.
"""

import datetime as dt
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from domain.errors import Refusal
from domain.sending import Outcome, OutcomeKind, Reason, Scope

OTHER = "other"
SMS = "sms"
"""Lanes of gateways that take SMS are `sms-1` and so on, by their number."""
RELAY = "relay"
"""Mails that a smart host sends on, whoever they are for."""
USUAL_PER_CONNECTION = 20
"""Messages on one connection to a provider that nothing is known of (reference §1.6)."""
RESERVE = 0.2
"""The part of a lane's tokens that campaigns leave for single mails (design §4.7)."""
KEPT_FOR_EXPRESS = 1
"""Connections of a lane, and of a site of the long tail, that campaigns leave for single mails."""
FEWEST_CONNECTIONS = KEPT_FOR_EXPRESS + 1
"""With fewer there would be none for campaigns."""
SLOWEST = 1 / 64
"""The least pace: what is left of a lane's rate after six halvings."""
BACK_OFF = dt.timedelta(seconds=7.5)
"""Divided by the pace: campaigns wait 15 s after the first refusal, 8 min after the sixth."""
EXPRESS_WAITS_BELOW = 1 / 4
"""From this pace on, single mails wait too, a quarter of what campaigns wait."""
NEWS_AFTER = dt.timedelta(seconds=5)
"""A refusal sooner after the last back-off answers what was already on its way."""
CLEAN_FOR = dt.timedelta(minutes=10)
"""Without refusals: then the pace rises by a tenth (reference §1.6)."""
RECOVERY = 1.1
TRUSTED_FOR = dt.timedelta(days=1)
"""How long the answer of a domain's MX is believed."""


class LaneState(StrEnum):
    """As the customer sees it (seed ⑪): nothing, green, red."""

    NORMAL = "normal"
    SLOW = "slow"
    PAUSED = "paused"


@dataclass(frozen=True)
class Limits:
    """What a lane may do, all workers together. None: no limit.

    `rate_per_s` messages a second with bursts of `burst`; `connections` of the lane; `per_site` to one group of
    servers, for the lane of the long tail; `per_connection` messages, then a connection is closed.
    """

    rate_per_s: float | None = None
    burst: int = 20
    connections: int | None = None
    per_site: int | None = None
    per_connection: int | None = None

    def scaled(self, scale: float) -> "Limits":
        """For a sandbox whose clocks run `scale` times as fast."""
        if self.rate_per_s is None or scale == 1:
            return self
        return replace(self, rate_per_s=self.rate_per_s * scale, burst=math.ceil(self.burst * scale))


MOST_PER_MINUTE = 600_000
MOST_BURST = 100_000
FEWEST_BURST = 2
"""Less would leave campaigns nothing beside the reserve."""
MOST_CONNECTIONS = 1_000
MOST_PER_CONNECTION = 10_000


def read_limits(rate: str, burst: str, connections: str, per_site: str, per_connection: str) -> Limits:
    """Limits as an operator types them: the rate in mails a minute; blank is no limit (the burst cannot be).

    Raises the refusal `lane_limit_malformed` on the field of that name.
    """
    return Limits(
        _number("rate", rate, 0.01, MOST_PER_MINUTE, 60),
        int(_number("burst", burst, FEWEST_BURST, MOST_BURST) or 0),
        _count("connections", connections, FEWEST_CONNECTIONS, MOST_CONNECTIONS),
        _count("per_site", per_site, FEWEST_CONNECTIONS, MOST_CONNECTIONS),
        _count("per_connection", per_connection, 1, MOST_PER_CONNECTION),
    )


def _count(field: str, text: str, least: int, most: int) -> int | None:
    found = _number(field, text, least, most)
    return None if found is None else int(found)


def _number(field: str, text: str, least: float, most: int, share: int = 1) -> float | None:
    words = text.strip().replace(",", "")
    if not words and field != "burst":
        return None
    pattern = r"\d{1,7}(\.\d{1,4})?" if field == "rate" else r"\d{1,7}"
    if not re.fullmatch(pattern, words, re.ASCII) or not least <= float(words) <= most:
        raise Refusal("lane_limit_malformed", field=field, least=f"{least:g}", most=f"{most}")
    return float(words) / share


@dataclass(frozen=True)
class Provider:
    """A mailbox provider: the lane's name, what people call it, the suffixes of its MX hosts, where it starts."""

    lane: str
    zh: str
    en: str
    suffixes: tuple[str, ...]
    limits: Limits


def _per_minute(rate: int, connections: int, burst: int, per_connection: int | None = None) -> Limits:
    """Messages per connection: as many as in a burst, unless said otherwise."""
    return Limits(rate / 60, burst, connections, per_connection=per_connection or burst)


# Where a lane starts; operators change it. Figures: reference §1.6 (connections per address of ours, messages a
# minute, messages per connection: the middle of a range; the burst is the most of it). Providers it does not name start
# like those most like them.
PROVIDERS: tuple[Provider, ...] = (
    Provider("qq", "QQ 邮箱、腾讯企业邮", "QQ Mail, Tencent Exmail", ("qq.com",), _per_minute(60, 5, 20)),
    Provider(
        "netease",
        "网易 163、126、yeah、企业邮",
        "NetEase 163, 126, yeah",
        ("netease.com", "163.com", "126.com", "yeah.net"),
        _per_minute(60, 3, 20, per_connection=15),
    ),
    Provider(
        "sina", "新浪邮箱", "Sina Mail", ("sina.com", "sina.com.cn", "sina.cn", "sina.net"), _per_minute(30, 2, 10)
    ),
    Provider("sohu", "搜狐邮箱", "Sohu Mail", ("sohu.com",), _per_minute(30, 2, 10)),
    Provider(
        "aliyun",
        "阿里邮箱、阿里企业邮",
        "Alibaba Mail",
        ("aliyun.com", "mxhichina.com", "hichina.com", "alibaba-inc.com"),
        _per_minute(60, 3, 20, per_connection=15),
    ),
    Provider("cmcc", "中国移动 139 邮箱", "China Mobile 139 Mail", ("139.com",), _per_minute(30, 2, 10)),
    Provider(
        "telecom", "中国电信 189、21CN 邮箱", "China Telecom 189, 21CN", ("189.cn", "21cn.com"), _per_minute(30, 2, 10)
    ),
    Provider("gmail", "Gmail", "Gmail", ("google.com", "googlemail.com"), _per_minute(600, 10, 100)),
    Provider(
        "microsoft",
        "微软 Outlook、Hotmail、Microsoft 365",
        "Microsoft Outlook, Hotmail, 365",
        ("outlook.com", "outlook.cn", "hotmail.com", "mx.microsoft"),
        _per_minute(300, 10, 50),
    ),
    Provider("yahoo", "雅虎、AOL", "Yahoo, AOL", ("yahoodns.net", "yahoo.com"), _per_minute(300, 5, 50)),
    Provider("icloud", "苹果 iCloud", "Apple iCloud", ("icloud.com", "apple.com"), _per_minute(300, 5, 50)),
    Provider(RELAY, "中继服务器", "Smart hosts", (), Limits(connections=20, per_site=10, per_connection=200)),
    Provider(OTHER, "其他域名", "All other domains", (), Limits(per_site=2, per_connection=USUAL_PER_CONNECTION)),
)
"""No rate for the long tail: its sites know nothing of each other, so each has its cap instead."""
_BY_SUFFIX = {suffix: provider.lane for provider in PROVIDERS for suffix in provider.suffixes}
_NAMES = {provider.lane: provider for provider in PROVIDERS}


def lane_of(mx_hosts: Iterable[str]) -> str:
    """The lane of a domain with these mail servers, best first: the first that a provider is known by decides."""
    for host in mx_hosts:
        labels = host.lower().rstrip(".").split(".")
        for start in range(len(labels)):
            if lane := _BY_SUFFIX.get(".".join(labels[start:])):
                return lane
    return OTHER


def lane_title(lane: str, language: str) -> str:
    """What people call a lane; its name when it is none of ours."""
    provider = _NAMES.get(lane)
    if lane.startswith(SMS):
        return f"{'SMS gateway' if language == 'en' else '短信通道'} {lane.removeprefix(SMS).strip('-')}".strip()
    return lane if provider is None else provider.en if language == "en" else provider.zh


_ABOUT_OTHERS = frozenset({Scope.RECIPIENT, Scope.SENDER, Scope.CONTENT})
"""One mailbox, one customer, one mail: whoever comes next in the lane has nothing to do with it."""


def slows(outcome: Outcome) -> bool:
    """Whether a server asked for fewer mails or connections (RFC 5321 §3.8 for 421), or for none from our address."""
    if outcome.scope in _ABOUT_OTHERS:
        return False
    if outcome.scope == Scope.ADDRESS and outcome.reason == Reason.IP:
        return True
    return outcome.kind is OutcomeKind.DEFERRED and (outcome.reason == Reason.RATE_LIMITED or outcome.code == 421)


def state_of(*, paused: bool, backed_off: bool, pace: float) -> LaneState:
    """What its customers see of a lane."""
    if paused:
        return LaneState.PAUSED
    return LaneState.SLOW if backed_off or pace < 1 else LaneState.NORMAL


def slower(pace: float) -> float:
    """The pace after one more refusal for the rate."""
    return max(SLOWEST, pace / 2)


def connections_at(pace: float, connections: int | None) -> int | None:
    """How many connections a lane may have: who asked for fewer mails gets fewer of both."""
    return None if connections is None else max(min(connections, FEWEST_CONNECTIONS), math.ceil(connections * pace))


def refill(tokens: float, seconds: float, rate: float, burst: int) -> float:
    """Tokens in a lane's bucket after so many seconds."""
    return min(float(burst), tokens + max(0.0, seconds) * rate)


def spare(tokens: float, burst: int, *, express: bool) -> int:
    """Whole tokens that may be leased now: campaigns leave the reserve."""
    return max(0, math.floor(tokens - (0 if express else burst * RESERVE) + 1e-9))


@dataclass(frozen=True)
class Stand:
    """Connections of one process, by urgency, that a cap counts."""

    bulk: int = 0
    express: int = 0

    @property
    def total(self) -> int:
        return self.bulk + self.express


@dataclass(frozen=True)
class Neighbour:
    """What another living process holds of the same cap, and how many connections more it was refused for campaigns."""

    held: Stand
    wanting: int = 0


@dataclass(frozen=True)
class Seats:
    """What a process may hold from now on. Above `sink`, its campaigns give connections back as they close."""

    held: Stand
    sink: int


def seats(cap: int | None, used: Stand, wanted: Stand, others: Sequence[Neighbour] = ()) -> Seats:
    """Deal one process its part of a cap: never fewer than it uses already, and one stays for single mails.

    Who was refused is promised a fair part of what campaigns may hold: nobody else gets it meanwhile.
    """
    if cap is None:
        return Seats(wanted, wanted.bulk)
    elsewhere = Stand(sum(each.held.bulk for each in others), sum(each.held.express for each in others))
    express = max(used.express, min(wanted.express, cap - elsewhere.total - used.bulk))
    fair = max(1, (cap - KEPT_FOR_EXPRESS) // (len(others) + 1))
    promised = sum(max(0, min(each.wanting, fair - each.held.bulk)) for each in others)
    free = min(cap - KEPT_FOR_EXPRESS - elsewhere.bulk, cap - elsewhere.total - express) - promised
    bulk = max(0, min(wanted.bulk, free))
    return Seats(Stand(max(used.bulk, bulk), express), bulk)
