"""The ports of one stack, all derived from one number, so that two stacks can share a machine."""

import contextlib
import random
import socket
from dataclasses import dataclass

import psutil

from supervision.errors import CannotStart

DEFAULT_BASE = 8600
LOOPBACK = "127.0.0.1"
PROVIDER_NETWORK = "127.0.1."
PROVIDERS = 6
"""Each mailbox provider of the sandbox has a loopback address of its own, `127.0.1.N`."""
INBOUND_ADDRESS = f"{PROVIDER_NETWORK}{PROVIDERS + 1}"
"""Where the pretend Internet finds our own mail server."""
CARRIERS = (PROVIDERS + 2, PROVIDERS + 3)
"""The sandbox's phone carriers have loopback addresses, too, and the providers' port."""


@dataclass(frozen=True)
class Ports:
    """Offsets from the base."""

    base: int = DEFAULT_BASE

    def __post_init__(self) -> None:
        if not 1024 <= self.base <= 65525:
            raise CannotStart(f"--port-base {self.base}: choose a number from 1024 to 65525.")

    api = property(lambda self: self.base)
    sandbox = property(lambda self: self.base + 1)
    temporal = property(lambda self: self.base + 2)
    temporal_ui = property(lambda self: self.base + 3)
    postgres = property(lambda self: self.base + 4)
    dns = property(lambda self: self.base + 5)
    providers = property(lambda self: self.base + 6)
    metrics = property(lambda self: self.base + 7)
    submission = property(lambda self: self.base + 8)
    inbound = providers
    """At `INBOUND_ADDRESS`: one port is the pretend Internet's port 25."""
    temporal_http = property(lambda self: self.base + 9)


@dataclass(frozen=True)
class Listener:
    """One address somebody of the stack listens on."""

    purpose: str
    host: str
    port: int
    kind: socket.SocketKind = socket.SOCK_STREAM

    def is_free(self) -> bool:
        """Whether we could listen there now."""
        with socket.socket(socket.AF_INET, self.kind) as probe:
            if self.kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.host, self.port))
            except OSError:
                return False
            return True


def listeners(ports: Ports, sandbox: bool) -> list[Listener]:
    """Everything the stack will listen on."""
    own = [
        Listener("API and pages", LOOPBACK, ports.api),
        Listener("Temporal", LOOPBACK, ports.temporal),
        Listener("Temporal UI", LOOPBACK, ports.temporal_ui),
        Listener("PostgreSQL", LOOPBACK, ports.postgres),
        Listener("worker metrics", LOOPBACK, ports.metrics),
        Listener("SMTP submission", LOOPBACK, ports.submission),
        Listener("inbound SMTP", INBOUND_ADDRESS, ports.inbound),
        Listener("Temporal HTTP", LOOPBACK, ports.temporal_http),
    ]
    return own + (sandbox_listeners(ports) if sandbox else [])


def sandbox_listeners(ports: Ports) -> list[Listener]:
    """Pages, DNS on both transports, one SMTP server per provider, one SMPP server per carrier."""
    providers = [
        Listener("a mailbox provider", f"{PROVIDER_NETWORK}{number}", ports.providers)
        for number in range(1, PROVIDERS + 1)
    ]
    carriers = [Listener("a phone carrier", f"{PROVIDER_NETWORK}{number}", ports.providers) for number in CARRIERS]
    return [
        Listener("sandbox pages", LOOPBACK, ports.sandbox),
        Listener("sandbox DNS", LOOPBACK, ports.dns, socket.SOCK_DGRAM),
        Listener("sandbox DNS", LOOPBACK, ports.dns),
        *providers,
        *carriers,
    ]


def check_free(ports: Ports, sandbox: bool) -> None:
    """Raises `CannotStart` naming the first busy port, who has it, and the way out."""
    for listener in listeners(ports, sandbox):
        if not listener.is_free():
            raise CannotStart(
                f"Port {listener.port} ({listener.purpose}) is in use{who_listens(listener.port)}: "
                f"stop that program, or move all ports with --port-base {ports.base + 100}."
            )


def who_listens(port: int) -> str:
    """` by NAME (pid N)`, as far as the system tells us."""
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("inet"):
            if connection.laddr and connection.laddr.port == port and connection.pid and not connection.raddr:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return ""


def listens_on(pid: int, port: int) -> bool:
    """Whether that process listens on the port, on any address."""
    with contextlib.suppress(psutil.Error):
        sockets = psutil.Process(pid).net_connections("tcp")
        return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in sockets)
    return False


def free_base(sandbox: bool = True) -> int:
    """A base whose ports are all free just now, below the range that systems give to outgoing connections."""
    for candidate in random.sample(range(12000, 32000, 10), 200):
        if all(listener.is_free() for listener in listeners(Ports(candidate), sandbox)):
            return candidate
    raise CannotStart("No ten free ports in a row between 12000 and 32000: name some with --port-base N.")
