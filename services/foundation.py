"""What every service is built on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from domain.billing import PaymentNotice, PayOrder
from domain.policy import Policy
from domain.secrets import Vault
from services.clockwork import Clockwork
from store.db import Database


class PayDesk(Protocol):
    """The payment provider, as far as no network is needed: signing what a browser carries, checking what arrives."""

    def pay_url(self, order: PayOrder) -> str:
        """Where the browser goes to pay; signed."""

    def read_notice(self, form: Mapping[str, str]) -> PaymentNotice:
        """A notification whose signature, application and seller are right. Raises `NoticeRefused`."""


class Papers(Protocol):
    """Private files under random keys, sealed."""

    async def put(self, key: str, data: bytes) -> None:
        """Keep; durable on return."""

    async def get(self, key: str) -> bytes:
        """Raises `FileNotFoundError`."""

    async def delete(self, key: str) -> None:
        """Forget; a missing one is no error."""


@dataclass(frozen=True)
class Foundation:
    db: Database
    clockwork: Clockwork
    vault: Vault
    policy: Policy
    pay_desk: PayDesk | None = None
    """None: online recharge is not set up here."""
    papers: Papers | None = None
    """None: nothing can be uploaded (a process that serves no customers)."""
