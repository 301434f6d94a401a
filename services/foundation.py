"""What every service is built on."""

from dataclasses import dataclass

from domain.policy import Policy
from domain.secrets import Vault
from services.clockwork import Clockwork
from store.db import Database


@dataclass(frozen=True)
class Foundation:
    db: Database
    clockwork: Clockwork
    vault: Vault
    policy: Policy
