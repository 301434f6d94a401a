"""What every service is built on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from domain.billing import PaymentNotice, PayOrder
from domain.policy import Policy
from domain.secrets import Vault
from services.clockwork import Clockwork
from store.db import Database
from store.papers import PaperStore


class PayDesk(Protocol):
    """The payment provider, as far as no network is needed: signing what a browser carries, checking what arrives."""

    def pay_url(self, order: PayOrder) -> str:
        """Where the browser goes to pay; signed."""

    def read_notice(self, form: Mapping[str, str]) -> PaymentNotice:
        """A notification whose signature, application and seller are right. Raises `NoticeRefused`."""


@dataclass(frozen=True)
class Foundation:
    db: Database
    clockwork: Clockwork
    vault: Vault
    policy: Policy
    pay_desk: PayDesk | None = None
    """None: online recharge is not set up here."""
    papers: PaperStore | None = None
    """None: nothing can be uploaded (a process that serves no customers)."""
