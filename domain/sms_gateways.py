"""Gateways and routes as operators enter them. Pure."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from typing import TypeVar

import phonenumbers

from domain.addresses import BadAddress, normalise_domain
from domain.errors import Refusal
from domain.sms import SmsKind
from domain.sms_carriers import Bind, IdForm
from domain.transport import Tls

MOST_NAME, MOST_SYSTEM_ID, MOST_PASSWORD, MOST_SYSTEM_TYPE = 60, 15, 64, 12
MOST_BINDS, MOST_WINDOW, MOST_RATE, MOST_RANK = 8, 1_000, 100_000, 100
MOST_COST = 100
"""Yuan for a segment."""
TLS = (Tls.NONE, Tls.REQUIRED, Tls.VERIFIED)
"""The weakest first. SMPP begins encrypted or not at all: nothing is offered on the way."""
ANY = ""
"""A route for every other country, or for every kind."""
_NAME_AT_HOME = re.compile(r"[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)
"""Of a host of one's own network (`smsc` in a compose file, a tunnel's end)."""
E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True)
class GatewayEntry:
    """A carrier's gateway as an operator enters it. `password` empty, when one is changed: as it was."""

    name: str
    host: str
    port: int
    system_id: str
    password: str = field(default="", repr=False)
    system_type: str = ""
    tls: Tls = Tls.NONE
    bind: Bind = Bind.TRANSCEIVER
    binds: int = 1
    window: int = 32
    rate_per_s: int | None = None
    source: str = ""
    id_form: IdForm = IdForm.AS_IS
    clock_offset_minutes: int = 480
    enquire_seconds: int = 30


@dataclass(frozen=True)
class RouteEntry:
    """Which gateway takes what, and in which order; `cost_micro` a segment, in millionths of a yuan."""

    gateway: int
    country: str
    kind: str
    rank: int
    cost_micro: int


@dataclass(frozen=True)
class TypedGateway:
    """What the form says."""

    name: str = ""
    host: str = ""
    port: str = ""
    system_id: str = ""
    password: str = field(default="", repr=False)
    system_type: str = ""
    tls: str = "none"
    bind: str = "transceiver"
    binds: str = "1"
    window: str = "32"
    rate_per_s: str = ""
    source: str = ""
    id_form: str = "as_is"
    clock_offset_minutes: str = "480"
    enquire_seconds: str = "30"


def read_gateway(typed: TypedGateway) -> GatewayEntry:
    """Raises `Refusal`: `sms_gateway_text`, `sms_gateway_host`, `sms_gateway_number`, `sms_gateway_choice`,
    `sms_gateway_source`."""
    return GatewayEntry(
        name=_text("name", typed.name, MOST_NAME, 1),
        host=_host(typed.host),
        port=_number("port", typed.port, 1, 65535),
        system_id=_octets("system_id", typed.system_id, MOST_SYSTEM_ID, 1),
        password=_octets("password", typed.password, MOST_PASSWORD, 0),
        system_type=_octets("system_type", typed.system_type, MOST_SYSTEM_TYPE, 0),
        tls=_one_of("tls", typed.tls, Tls, TLS),
        bind=_one_of("bind", typed.bind, Bind),
        binds=_number("binds", typed.binds, 1, MOST_BINDS),
        window=_number("window", typed.window, 1, MOST_WINDOW),
        rate_per_s=_number("rate_per_s", typed.rate_per_s, 1, MOST_RATE) if typed.rate_per_s.strip() else None,
        source=_source(typed.source),
        id_form=_one_of("id_form", typed.id_form, IdForm),
        clock_offset_minutes=_number("clock_offset_minutes", typed.clock_offset_minutes, -720, 840),
        enquire_seconds=_number("enquire_seconds", typed.enquire_seconds, 5, 600),
    )


def read_route(gateway: str, country: str, kind: str, rank: str, cost: str) -> RouteEntry:
    """`cost` in yuan. Raises `Refusal`: `sms_gateway_number`, `sms_route_country`, `sms_gateway_choice`,
    `sms_route_cost`."""
    price = cost.strip() or "0"
    if not re.fullmatch(r"\d{1,3}(\.\d{1,6})?", price, re.ASCII) or float(price) > MOST_COST:
        raise Refusal("sms_route_cost", field="cost", most=MOST_COST)
    return RouteEntry(
        gateway=_number("gateway", gateway, 1, 32_767),
        country=_country(country),
        kind=_one_of("kind", kind, SmsKind).value if kind.strip() else ANY,
        rank=_number("rank", rank, 1, MOST_RANK),
        cost_micro=round(float(price) * 1_000_000),
    )


def _text(name: str, typed: str, most: int, least: int) -> str:
    text = typed.strip()
    if not least <= len(text) <= most or not text.isprintable():
        raise Refusal("sms_gateway_text", field=name, most=most)
    return text


def _octets(name: str, typed: str, most: int, least: int) -> str:
    """What a bind can carry: printable ASCII."""
    if not typed.strip().isascii():
        raise Refusal("sms_gateway_text", field=name, most=most)
    return _text(name, typed, most, least)


def _host(typed: str) -> str:
    text = typed.strip()
    try:
        return str(ip_address(text))
    except ValueError:
        pass
    if _NAME_AT_HOME.fullmatch(text):
        return text.lower()
    try:
        return normalise_domain(text.rstrip("."))
    except BadAddress:
        raise Refusal("sms_gateway_host", field="host") from None


def _number(name: str, typed: str, least: int, most: int) -> int:
    text = typed.strip()
    if not re.fullmatch(r"-?\d{1,6}", text, re.ASCII) or not least <= int(text) <= most:
        raise Refusal("sms_gateway_number", field=name, least=least, most=most)
    return int(text)


def _one_of(name: str, typed: str, kind: type[E], among: tuple[E, ...] = ()) -> E:
    try:
        found = kind(typed.strip())
    except ValueError:
        raise Refusal("sms_gateway_choice", field=name) from None
    if among and found not in among:
        raise Refusal("sms_gateway_choice", field=name)
    return found


def _source(typed: str) -> str:
    """An access number, an international number, or a word of at most 11 characters."""
    text = typed.strip()
    if text and not re.fullmatch(r"\+?\d{1,20}|[A-Za-z0-9 ._-]{1,11}", text, re.ASCII):
        raise Refusal("sms_gateway_source", field="source")
    return text


def _country(typed: str) -> str:
    code = typed.strip().upper()
    if code and code not in phonenumbers.SUPPORTED_REGIONS:
        raise Refusal("sms_route_country", field="country")
    return code
