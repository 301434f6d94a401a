"""Postfix relaying the same mails to the same sink: the baseline that mail people know. See bench/README.md.

An instance of its own: configuration, queue and log in the bench's folder, smtpd on a free loopback port, everything
relayed to the sink. The system's own Postfix, running or not, is not touched.
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.sinks import find
from domain.transport import Mail
from supervision.children import leashed
from supervision.errors import CannotStart
from supervision.ports import LOOPBACK
from supervision.postgres import Owner

INJECTING = 16
"""Connections that hand mails in: more make it slower on two cores."""
PATIENCE = 30.0
LONGEST = 600.0
SENT = b"status=sent"


@dataclass(frozen=True)
class Instance:
    """Where it lives and what it talks to. `connections`: to the sink, as many as Songda may open.

    `settings` go before those of `main_cf`.
    """

    folder: Path
    port: int
    sink_port: int
    connections: int
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.folder / "etc"

    @property
    def log(self) -> Path:
        return self.folder / "maillog"


def missing() -> str | None:
    """Why there can be no such baseline here, or None when there can."""
    if find("postfix") is None:
        return "Postfix is not installed (Debian: apt-get install postfix)."
    if os.geteuid() != 0:
        return "Postfix's master starts as root only."
    return None


def main_cf(instance: Instance) -> Mapping[str, str]:
    """Tuned for this one job: no DNS, no TLS, no limits towards the one destination, no pause at the entrance."""
    return {
        "compatibility_level": "3.6",
        "queue_directory": str(instance.folder / "queue"),
        "data_directory": str(instance.folder / "data"),
        "maillog_file": str(instance.log),
        "maillog_file_prefixes": str(instance.folder),
        "multi_instance_name": "postfix-bench",
        "myhostname": "relay.bench.example",
        "mydestination": "",
        "local_recipient_maps": "",
        "alias_maps": "",
        "alias_database": "",
        "mynetworks": "127.0.0.0/8",
        "inet_interfaces": LOOPBACK,
        "inet_protocols": "ipv4",
        "relayhost": f"[{LOOPBACK}]:{instance.sink_port}",
        "smtpd_recipient_restrictions": "permit_mynetworks, reject",
        "smtpd_relay_restrictions": "permit_mynetworks, reject",
        "smtpd_peername_lookup": "no",
        "smtpd_client_connection_count_limit": "0",
        "smtpd_tls_security_level": "none",
        "smtp_tls_security_level": "none",
        "smtp_dns_support_level": "disabled",
        "disable_dns_lookups": "yes",
        "in_flow_delay": "0",
        "default_process_limit": str(max(100, 2 * instance.connections)),
        "default_destination_concurrency_limit": str(instance.connections),
        "initial_destination_concurrency": str(instance.connections),
        "smtp_connection_cache_destinations": f"[{LOOPBACK}]:{instance.sink_port}",
        "qmgr_message_active_limit": "40000",
        "qmgr_message_recipient_limit": "40000",
        "queue_minfree": "0",
        "enable_original_recipient": "no",
        "biff": "no",
    }


def master_cf(instance: Instance) -> str:
    """The services that relaying needs; nothing is chrooted, since the folder is new and empty."""
    services = [
        f"{LOOPBACK}:{instance.port} inet n - n - - smtpd",
        "cleanup unix n - n - 0 cleanup",
        "qmgr unix n - n 300 1 qmgr",
        "rewrite unix - - n - - trivial-rewrite",
        *(f"{name} unix - - n - 0 bounce" for name in ("bounce", "defer", "trace")),
        *(f"{name} unix - - n - - smtp" for name in ("smtp", "relay")),
        *(f"{name} unix - - n - - error" for name in ("error", "retry")),
        *(f"{name} unix - - n - 1 {name}" for name in ("anvil", "scache")),
        "pickup unix n - n 60 1 pickup",
        "showq unix n - n - - showq",
        "proxymap unix - - n - - proxymap",
        "postlog unix-dgram n - n - 1 postlogd",
    ]
    return "\n".join(services) + "\n"


def configure(instance: Instance) -> None:
    """Write the files; the data folder belongs to Postfix's own user, as it demands."""
    for part in ("etc", "queue", "data"):
        (instance.folder / part).mkdir(parents=True, exist_ok=True)
    instance.folder.chmod(0o755)
    lines = [f"{name} = {value}" for name, value in {**main_cf(instance), **instance.settings}.items()]
    (instance.config / "main.cf").write_text("\n".join(lines) + "\n")
    (instance.config / "master.cf").write_text(master_cf(instance))


def own(instance: Instance) -> None:
    """Raises `CannotStart` when there is no user `postfix`."""
    import pwd

    try:
        user = pwd.getpwnam("postfix")
    except KeyError:
        raise CannotStart("Postfix has no user of its own (`postfix`) here.") from None
    os.chown(instance.folder / "data", user.pw_uid, user.pw_gid)


@asynccontextmanager
async def running(instance: Instance) -> AsyncIterator[None]:
    """The instance takes mail inside the block."""
    await asyncio.to_thread(configure, instance)
    own(instance)
    await _check(instance)
    # Not by `postfix start-fg`: its master leaves our session, and would outlive a bench that is killed.
    command = leashed([await _master(), "-c", str(instance.config), "-d"], signal.SIGTERM, Owner())
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        await _until_it_listens(instance, process)
        yield
    finally:
        await _end(process)


async def _check(instance: Instance) -> None:
    """`postfix check` makes the queue's folders. Raises `CannotStart` with what it objects to."""
    said = await _said(find("postfix") or "postfix", "-c", str(instance.config), "check")
    if "fatal" in said:
        raise CannotStart(f"Postfix refuses its configuration: {said[-500:]}")


async def _master() -> str:
    """Where this system's Postfix keeps its master program."""
    return f"{(await _said(find('postconf') or 'postconf', '-d', '-h', 'daemon_directory')).strip()}/master"


async def _said(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    said, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    return said.decode(errors="replace")


async def _until_it_listens(instance: Instance, process: asyncio.subprocess.Process) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            while process.returncode is None:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection(LOOPBACK, instance.port)
                    writer.close()
                    return
                await asyncio.sleep(0.1)
    except TimeoutError:
        pass
    raise CannotStart(f"Postfix did not start: {await _complaint(instance, process)}")


async def _complaint(instance: Instance, process: asyncio.subprocess.Process) -> str:
    await _end(process)
    said = b"" if process.stderr is None else await process.stderr.read()
    log = instance.log.read_text(errors="replace") if instance.log.exists() else ""
    return (said.decode(errors="replace") + log).strip()[-500:] or "it said nothing"


async def _end(process: asyncio.subprocess.Process) -> None:
    """The master ends its services."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), 10)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def free_port() -> int:
    """One that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


async def relay(instance: Instance, mails: list[Mail], seen: Callable[[int], None]) -> float:
    """Mails per second, from the first mail handed in until the sink has taken the last one.

    `seen` is told how many arrived so far. Raises `CannotStart` when not all of them did.
    """
    async with running(instance):
        sent = SentLines(instance.log)
        began = time.monotonic()
        injecting = asyncio.create_task(inject(mails, instance.port))
        try:
            while sent.look() < len(mails):
                seen(sent.count)
                if injecting.done():
                    injecting.result()
                if time.monotonic() - began > LONGEST:
                    raise CannotStart(f"Postfix relayed {sent.count} of {len(mails)} mails in {LONGEST:.0f} s.")
                await asyncio.sleep(0.05)
            return len(mails) / (time.monotonic() - began)
        finally:
            injecting.cancel()
            await asyncio.gather(injecting, return_exceptions=True)


class SentLines:
    """Counts what the log says was delivered, reading each part once."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._place = 0
        self._rest = b""
        self.count = 0

    def look(self) -> int:
        """The number so far."""
        if self._log.exists():
            with self._log.open("rb") as file:
                file.seek(self._place)
                new = self._rest + file.read()
                self._place = file.tell()
            whole, _, self._rest = new.rpartition(b"\n")
            self.count += whole.count(SENT)
        return self.count


async def inject(mails: list[Mail], port: int, connections: int = INJECTING) -> None:
    """Hand all mails in over so many connections. Raises `CannotStart` when one is refused."""
    queue = deque(mails)
    await asyncio.gather(*(_hand_in(queue, port) for _ in range(connections)))


async def _hand_in(queue: deque[Mail], port: int) -> None:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        await _expect(reader, b"220")
        writer.write(b"EHLO inject.bench.example\r\n")
        await _expect(reader, b"250")
        while queue:
            mail = queue.popleft()
            # Pipelined (RFC 2920): one round trip for the envelope, one for the content.
            writer.write(b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % _envelope(mail))
            for code in (b"250", b"250", b"354"):
                await _expect(reader, code)
            writer.write(mail.data.replace(b"\r\n.", b"\r\n..") + b".\r\n")
            await writer.drain()
            await _expect(reader, b"250")
    finally:
        writer.close()


def _envelope(mail: Mail) -> tuple[bytes, bytes]:
    return mail.envelope_from.encode(), mail.recipient.encode()


async def _expect(reader: asyncio.StreamReader, code: bytes) -> None:
    """One reply, of one line or several."""
    line = await reader.readline()
    while line[3:4] == b"-":
        line = await reader.readline()
    if not line.startswith(code):
        raise CannotStart(f"Postfix answered {line.decode(errors='replace').strip()!r}.")
