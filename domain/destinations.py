"""How destinations are to be reached: encrypted or not, by their own servers or through a smart host. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address

from domain.addresses import BadAddress, normalise_domain
from domain.errors import Refusal
from domain.lanes import PROVIDERS, RELAY, lane_of
from domain.transport import Login, Tls

SMTP_PORT = 25
MOST_SMART_HOSTS = 5
MOST_USER = 200
MOST_PASSWORD = 500
_HOST_AND_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[^\s:\[\]]{1,255})(?::(?P<port>\d{1,5}))?")
_OWN_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?", re.ASCII)
"""Of one label: a machine of our own network."""


class Match(StrEnum):
    """What a rule is about. Of those that apply, the first kind wins, then the longest pattern."""

    DOMAIN = "domain"
    """The recipient's domain, or one that it is below."""
    MX = "mx"
    """The name of its best mail server, or one that it is below."""
    LANE = "lane"


@dataclass(frozen=True)
class SmartHost:
    """A server that takes mail for others: a name or an IP address."""

    name: str
    port: int = SMTP_PORT

    def __str__(self) -> str:
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"


@dataclass(frozen=True)
class Treatment:
    """How mails reach a destination. Without smart hosts: by its MX."""

    tls: Tls = Tls.OPPORTUNISTIC
    smart_hosts: tuple[SmartHost, ...] = ()
    login: Login | None = None


USUAL = Treatment()


@dataclass(frozen=True)
class Rule:
    match: Match
    pattern: str
    treatment: Treatment


@dataclass(frozen=True)
class Destinations:
    """Every rule that holds now, and what holds where none applies."""

    rules: tuple[Rule, ...] = ()
    otherwise: Treatment = USUAL
    _by_pattern: dict[tuple[Match, str], Rule] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        found = {(rule.match, rule.pattern): rule for rule in self.rules}
        object.__setattr__(self, "_by_pattern", found)  # frozen for everybody else

    def of_domain(self, domain: str) -> Treatment | None:
        """What is known before the DNS is asked: by the rule of the domain, or when no other rule could apply."""
        if not self.rules:
            return self.otherwise
        if rule := self._below(Match.DOMAIN, domain):
            return rule.treatment
        return self.otherwise if all(rule.match is Match.DOMAIN for rule in self.rules) else None

    def of_servers(self, domain: str, servers: Sequence[str]) -> Treatment:
        """`servers`: the names of its mail servers, best first."""
        rule = self.deciding(domain, servers)
        return rule.treatment if rule else self.otherwise

    def deciding(self, domain: str, servers: Sequence[str]) -> Rule | None:
        """The rule that holds for a domain with these servers."""
        by_server = (found for name in servers if (found := self._below(Match.MX, name)))
        lane = self._by_pattern.get((Match.LANE, lane_of(servers)))
        return self._below(Match.DOMAIN, domain) or next(by_server, None) or lane

    def _below(self, match: Match, name: str) -> Rule | None:
        labels = name.lower().rstrip(".").split(".")
        names = (".".join(labels[start:]) for start in range(len(labels)))
        return next((found for each in names if (found := self._by_pattern.get((match, each)))), None)


@dataclass(frozen=True)
class PolicyEntry:
    """A rule as an operator enters it. `password` None: leave what is kept."""

    match: Match
    pattern: str
    tls: Tls
    smart_hosts: tuple[SmartHost, ...] = ()
    user: str = ""
    password: str | None = field(default=None, repr=False)
    note: str = ""


def read_policy(match: str, pattern: str, tls: str, smart_hosts: str) -> PolicyEntry:
    """Raises `policy_match_unknown`, `policy_pattern_malformed`, `policy_tls_unknown`, `smart_host_malformed`."""
    if match not in set(Match):
        raise Refusal("policy_match_unknown", field="match")
    if tls not in set(Tls):
        raise Refusal("policy_tls_unknown", field="tls")
    return PolicyEntry(Match(match), _pattern(Match(match), pattern), Tls(tls), read_smart_hosts(smart_hosts))


def checked_login(tls: Tls, smart_hosts: Sequence[SmartHost], user: str, password: str | None) -> None:
    """Raises `smart_host_login_alone`, `smart_host_login_in_clear`, `text_too_long`."""
    if not user:
        return
    if not smart_hosts:
        raise Refusal("smart_host_login_alone", field="user")
    if not tls.must:
        raise Refusal("smart_host_login_in_clear", field="tls")
    for name, text, limit in (("user", user, MOST_USER), ("password", password or "", MOST_PASSWORD)):
        if len(text) > limit:
            raise Refusal("text_too_long", field=name, limit=limit)


def read_smart_hosts(text: str, field: str = "smart_hosts") -> tuple[SmartHost, ...]:
    """`host:port`, one a line or between commas, in the order to try them; the port is 25 unless said."""
    parts = [part for part in re.split(r"[\s,;，；]+", text.strip()) if part]
    if len(parts) > MOST_SMART_HOSTS:
        raise Refusal("smart_host_malformed", field=field, most=MOST_SMART_HOSTS)
    return tuple(_smart_host(part, field) for part in parts)


def _smart_host(text: str, field: str) -> SmartHost:
    match = _HOST_AND_PORT.fullmatch(text)
    port = int(match["port"] or SMTP_PORT) if match else 0
    name = _host_name(match["host"]) if match else ""
    if not name or not 0 < port < 65_536:
        raise Refusal("smart_host_malformed", field=field, most=MOST_SMART_HOSTS)
    return SmartHost(name, port)


def _host_name(text: str) -> str:
    """An address, or a name in lower case; empty for what is neither."""
    words = text.lower().rstrip(".")
    try:
        return str(ip_address(words.strip("[]")))
    except ValueError:
        pass
    try:
        return words if _OWN_NAME.fullmatch(words) else normalise_domain(words)
    except BadAddress:
        return ""


def _pattern(match: Match, text: str) -> str:
    words = text.strip().strip(".").lower()
    if match is Match.LANE:
        if words not in lanes_with_rules():
            raise Refusal("policy_pattern_malformed", field="pattern")
        return words
    try:
        return normalise_domain(words)
    except BadAddress:
        raise Refusal("policy_pattern_malformed", field="pattern") from None


def lanes_with_rules() -> Iterable[str]:
    """A mail is in the smart hosts' lane because of a rule, so none is about that."""
    return [provider.lane for provider in PROVIDERS if provider.lane != RELAY]
