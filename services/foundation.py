"""What every service is built on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from domain.billing import PaymentNotice, PayOrder
from domain.destinations import Destinations, Treatment
from domain.dns import DnsAnswer
from domain.policy import Policy
from domain.secrets import Vault
from domain.transport import Router
from domain.webhooks import Answer
from services.clockwork import Clockwork
from store.db import Database
from store.papers import PaperStore


class PayDesk(Protocol):
    """The payment provider, as far as no network is needed: signing what a browser carries, checking what arrives."""

    def pay_url(self, order: PayOrder) -> str:
        """Where the browser goes to pay; signed."""

    def read_notice(self, form: Mapping[str, str]) -> PaymentNotice:
        """A notification whose signature, application and seller are right. Raises `NoticeRefused`."""


class Lookup(Protocol):
    """The DNS, where a page shows what it says."""

    async def names(self, address: str) -> DnsAnswer:
        """What an IP address is called (PTR)."""

    async def addresses(self, name: str) -> DnsAnswer:
        """IPv4 and IPv6 addresses of a name."""


@dataclass(frozen=True)
class Outside:
    """How mail would leave, for pages that show it. `otherwise`: where no rule applies."""

    lookup: Lookup
    router: Callable[[Destinations], Router]
    otherwise: Treatment


class UrlTest(Protocol):
    """Asks a URL that a customer names."""

    async def __call__(self, url: str) -> tuple[str, Answer]:
        """The method of the first request that was not answered with 200, else of the last one, and its answer."""


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
    outside: Outside | None = None
    """None: nobody looks (a process without pages)."""
    url_test: UrlTest | None = None
    """Tries a webhook's URL. None: it is not tried (a process that serves no customers)."""
