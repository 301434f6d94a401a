"""Ports: derived, checked, moved."""

import socket

import pytest

from supervision.errors import CannotStart
from supervision.ports import Listener, Ports, check_free, free_base, listeners


def test_every_listener_moves_with_the_base() -> None:
    first = {(each.host, each.port, each.kind) for each in listeners(Ports(12000), sandbox=True)}
    second = {(each.host, each.port, each.kind) for each in listeners(Ports(12010), sandbox=True)}
    assert not first & second
    assert {port for _, port, _ in first} <= set(range(12000, 12010))


@pytest.mark.parametrize("base", [80, 65530, -1])
def test_impossible_bases_are_refused(base: int) -> None:
    with pytest.raises(CannotStart, match=f"--port-base {base}"):
        Ports(base)


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_busy_port_is_named_with_the_way_out(kind: socket.SocketKind) -> None:
    base = free_base()
    check_free(Ports(base), sandbox=True)
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", base + 5))
        if kind == socket.SOCK_STREAM:
            other.listen()
        with pytest.raises(CannotStart, match=rf"Port {base + 5} \(sandbox DNS\) is in use.*--port-base"):
            check_free(Ports(base), sandbox=True)
        check_free(Ports(base), sandbox=False)


def test_a_provider_on_another_loopback_address_counts() -> None:
    base = free_base()
    with socket.socket() as other:
        other.bind(("127.0.1.3", base + 6))
        other.listen()
        assert not Listener("a mailbox provider", "127.0.1.3", base + 6).is_free()
        with pytest.raises(CannotStart, match="mailbox provider"):
            check_free(Ports(base), sandbox=True)
