"""What the sending of SMS reads: texts' parts by template version, and which gateways take what. asyncpg."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.sms import Market
from domain.sms_carriers import GatewayState
from domain.sms_text import compose
from store.db import Connection

_TEXT = """
SELECT g.text AS signature, v.content, v.signature_last, v.market FROM sms_template_version v
JOIN sms_signature g ON g.id = v.signature_id WHERE v.id = $1
"""
_ROUTES = f"""
SELECT r.country, r.kind, r.rank, g.number, r.cost_micro FROM sms_route r JOIN sms_gateway g ON g.id = r.gateway_id
WHERE g.state = '{GatewayState.ENABLED}' ORDER BY r.rank, r.kind = '', g.number
"""  # noqa: S608 - a constant of ours
# An operator's limits are in the lane's row; here it is only made sure that there is one.
_LANES = f"""
INSERT INTO lane (name, rate_per_s, burst, tokens, tokens_at, pace, row_version, paused_by, pause_reason)
SELECT 'sms-' || number, rate_per_s, greatest(2, coalesce(rate_per_s, 100)), greatest(2, coalesce(rate_per_s, 100)),
    now(), 1, 0, '', ''
FROM sms_gateway WHERE state = '{GatewayState.ENABLED}' ON CONFLICT DO NOTHING
"""  # noqa: S608 - a constant of ours


@dataclass(frozen=True)
class SmsContent:
    """What a text is made of, besides its values."""

    signature: str
    content: str
    signature_last: bool
    market: Market

    @property
    def text(self) -> str:
        """Its variables still open."""
        return compose(self.signature, self.content, self.signature_last, self.market)


@dataclass(frozen=True)
class RouteRow:
    """A gateway that takes texts of a kind to a country; empty: of every kind, to every country without its own."""

    country: str
    kind: str
    rank: int
    number: int
    cost_micro: int = 0


def in_order(rows: Sequence[RouteRow], country: str, kind: str) -> list[RouteRow]:
    """Which are asked, the first to be asked first: routes of the country itself, else those of every country; each
    gateway once, where it stands first."""
    fitting = [row for row in rows if row.kind in (kind, "")]
    first: dict[int, RouteRow] = {}
    for row in [row for row in fitting if row.country == country] or [row for row in fitting if not row.country]:
        first.setdefault(row.number, row)
    return list(first.values())


def lane_of(gateway: int) -> str:
    """The lane that keeps a gateway's rate."""
    return f"sms-{gateway}"


async def load_content(connection: Connection, version: UUID) -> SmsContent:
    """Raises `LookupError` when there is no such version."""
    row = await connection.fetchrow(_TEXT, version)
    if row is None:
        raise LookupError(str(version))
    return SmsContent(row["signature"], row["content"], row["signature_last"], Market(row["market"]))


async def read_routes(connection: Connection) -> list[RouteRow]:
    """Of gateways that are enabled, in the order in which they are asked."""
    return [RouteRow(**dict(row)) for row in await connection.fetch(_ROUTES)]


async def ensure_lanes(connection: Connection) -> None:
    """Every enabled gateway has a lane."""
    await connection.execute(_LANES)
