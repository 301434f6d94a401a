"""What a sandbox needs to know before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Record:
    """One DNS record set: all values of one type at one name.

    ``values`` are in zone-file form (``"10 mx1.qq.com"`` for MX); TXT may be plain text of any length,
    it is split into strings of 255 bytes. ``ttl`` is in seconds.
    """

    name: str
    type: str
    values: tuple[str, ...]
    ttl: int = 60


@dataclass(frozen=True)
class SandboxConfig:
    """Where the sandbox keeps its file and where it listens.

    DNS (UDP and TCP) and the pages listen on ``host``; each provider's SMTP server listens on its own
    address ``provider_ip_base + N`` and the common ``smtp_port``. ``extra_records`` are published on every
    start, under whatever people edited later. ``time_scale`` divides the pauses between the tries of the pay desk's
    notifications and of the mails that recipients send back.
    """

    data_dir: Path
    web_port: int = 8601
    dns_port: int = 8605
    smtp_port: int = 8606
    provider_ip_base: str = "127.0.1."
    host: str = "127.0.0.1"
    extra_records: tuple[Record, ...] = ()
    time_scale: float = 60.0

    @property
    def pay_keys(self) -> Path:
        """The folder of the pay desk's keys and the merchant's."""
        return self.data_dir / "alipay"


class SandboxError(Exception):
    """A problem the person who runs the sandbox can mend; its text is one line with the way out."""


class PortBusy(SandboxError):
    """An address the sandbox needs cannot be listened on."""

    def __init__(self, what: str, host: str, port: int, reason: str) -> None:
        super().__init__(
            f"sandbox: {what} cannot listen on {host}:{port} ({reason}); stop the other program or choose other ports"
        )
