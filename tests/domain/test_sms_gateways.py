"""Gateways and routes as operators type them."""

from dataclasses import replace

import pytest

from domain.errors import Refusal
from domain.sms_gateways import TypedGateway, read_gateway, read_route

TYPED = TypedGateway("Mobile", "127.0.0.1", "2775", "songda", "hush-hush")


@pytest.mark.parametrize(
    ("typed", "host"),
    [
        (" smpp.Carrier.example. ", "smpp.carrier.example"),
        ("127.0.0.1", "127.0.0.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("localhost", "localhost"),
        ("SMSC-1", "smsc-1"),
        ("中国移动.cn", "xn--fiq02ib9d179b.cn"),
    ],
)
def test_hosts(typed: str, host: str) -> None:
    assert read_gateway(replace(TYPED, host=typed)).host == host


@pytest.mark.parametrize("typed", ["", "a b", "smsc-", "1.2.3", "[::1]", "smpp://a.cn", "a.cn:2775", "a" * 64, "a\0b"])
def test_what_is_no_host(typed: str) -> None:
    with pytest.raises(Refusal, match="sms_gateway_host"):
        read_gateway(replace(TYPED, host=typed))


def test_a_password_is_shown_nowhere() -> None:
    assert "hush" not in repr(TYPED) + repr(read_gateway(TYPED))


@pytest.mark.parametrize(("typed", "cost"), [("", 0), ("  ", 0), ("0.035", 35_000), (" 100 ", 100_000_000)])
def test_costs(typed: str, cost: int) -> None:
    assert read_route("1", "", "", "1", typed).cost_micro == cost


@pytest.mark.parametrize("typed", ["100.01", "-1", "1e3", "0.0000001", "１", "nan", "1."])
def test_what_is_no_cost(typed: str) -> None:
    with pytest.raises(Refusal, match="sms_route_cost"):
        read_route("1", "", "", "1", typed)
