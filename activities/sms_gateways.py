"""The gateways of carriers as a worker knows them: what operators entered, what it has of them, parts of replies."""

import datetime as dt
import time
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import structlog
from cryptography.fernet import InvalidToken

from domain.secrets import Vault
from domain.sms_carriers import (
    Assembled,
    Bind,
    GatewayConfig,
    GatewaySight,
    IdForm,
    ReplyPiece,
    assemble,
)
from domain.transport import Tls
from store import sms_gateways as rows
from store.db import DATABASE_TROUBLE, Database

log = structlog.get_logger(__name__)

SAID_AGAIN = 30.0
"""Seconds after which a process says once more what it has, though nothing changed."""


class SmsGatewayRows:
    """A `domain.sms_carriers.GatewayBook`. `process`: a name that no other process has at the same time."""

    def __init__(self, db: Database, vault: Vault, process: str) -> None:
        self._db = db
        self._vault = vault
        self._process = process
        self._read: dict[object, GatewayConfig] = {}
        """By the version of their row, so that passwords are unsealed once."""
        self._said: Sequence[GatewaySight] | None = None
        self._said_at = 0.0

    async def configs(self) -> Sequence[GatewayConfig] | None:
        """Gateways that are enabled; None while the database is away."""
        try:
            async with self._db.raw() as connection:
                found = await rows.enabled_gateways(connection)
        except DATABASE_TROUBLE as error:
            log.warning("sms_gateways_out_of_touch", error=type(error).__name__)
            return None
        keys = [(row["id"], row["changed_at"]) for row in found]
        self._read = {key: self._read.get(key) or self._config(row) for key, row in zip(keys, found, strict=True)}
        return list(self._read.values())

    def _config(self, row: Any) -> GatewayConfig:
        return GatewayConfig(
            *(row["number"], row["name"], row["host"], row["port"], row["system_id"], self._password(row)),
            system_type=row["system_type"],
            tls=Tls(row["tls"]),
            bind=Bind(row["bind"]),
            binds=row["binds"],
            window=row["window"],
            source=row["source"],
            id_form=IdForm(row["id_form"]),
            clock=dt.timedelta(minutes=row["clock_offset_minutes"]),
            enquire=dt.timedelta(seconds=row["enquire_seconds"]),
        )

    def _password(self, row: Any) -> str:
        """A password that cannot be unsealed is sent as none: the carrier refuses it, and that is seen."""
        try:
            return self._vault.unseal(row["sealed_password"], f"sms-gateway/{row['id']}").decode()
        except InvalidToken:
            log.error("sms_gateway_password_unreadable", gateway=row["number"])
            return ""

    async def say(self, sights: Sequence[GatewaySight]) -> None:
        """Written when it changed, and every half minute."""
        if sights == self._said and time.monotonic() - self._said_at < SAID_AGAIN:
            return
        try:
            async with self._db.raw() as connection:
                await rows.say_seen(connection, self._process, sights)
        except DATABASE_TROUBLE as error:
            log.warning("sms_gateways_out_of_touch", error=type(error).__name__)
            return
        self._said, self._said_at = sights, time.monotonic()

    async def piece(self, piece: ReplyPiece) -> Assembled | None:
        """Raises database trouble: then it is not kept."""
        async with self._db.raw() as connection:
            pieces = await rows.keep_piece(connection, piece)
        return assemble(pieces) if pieces else None

    async def given(self, key: str) -> None:
        """Raises database trouble: then it is given out once more."""
        async with self._db.raw() as connection:
            await rows.drop_pieces(connection, key)

    async def overdue(self) -> Sequence[Assembled]:
        """None while the database is away."""
        try:
            async with self._db.raw() as connection:
                pieces = await rows.take_overdue(connection)
        except DATABASE_TROUBLE as error:
            log.warning("sms_gateways_out_of_touch", error=type(error).__name__)
            return []
        pieces.sort(key=lambda piece: piece.key)
        return [assemble(list(group)) for _, group in groupby(pieces, key=lambda piece: piece.key)]
