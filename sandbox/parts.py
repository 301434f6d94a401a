"""The running parts of a sandbox, as its HTTP routes see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from sandbox.config import SandboxConfig
from sandbox.handsets import Handsets, Smscs
from sandbox.hooks import HookCatcher
from sandbox.mailbox import Mailbox
from sandbox.pay_desk import PayDesk
from sandbox.postman import Postman
from sandbox.providers import MailServers
from sandbox.zones import Zones


@dataclass(frozen=True)
class Parts:
    """Everything one sandbox is made of."""

    config: SandboxConfig
    zones: Zones
    mailbox: Mailbox
    servers: MailServers
    postman: Postman
    hooks: HookCatcher
    pay_desk: PayDesk
    handsets: Handsets
    smscs: Smscs


def of_request(request: Request) -> Parts:
    """The parts of the app this request came to."""
    parts: Parts = request.app.state.parts
    return parts


PartsOf = Annotated[Parts, Depends(of_request)]
