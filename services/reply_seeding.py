"""The classifier's table and the retry curves as they ship, put beside what operators made of them.

Run by `songda migrate`, each time: adds what is new, brings up to date what no operator touched, and changes nothing
else. A row that ships can be disabled, not deleted, so none comes back by itself.
"""

from collections.abc import Sequence

from domain.reply_rule_seeds import SEEDS, Seed
from domain.retry_curves import SHIPPED, CurveKey, minutes
from domain.sending import Curve
from store import reply_rules as rows
from store.columns import now
from store.db import Database, Session
from store.reply_rules import ReplyRule, RetryCurve

BY_KEY = {seed.key: seed for seed in SEEDS}


async def ensure_reply_rules(db: Database) -> None:
    """As the module says."""
    async with db.begin() as session:
        await rows.raise_edition(session)
        rows.number(await _with_seeds(session))
        await _with_curves(session)


async def _with_seeds(session: Session) -> list[ReplyRule]:
    """The table in its order, each new seed behind the one that it follows."""
    table = [row for row in await rows.every_rule(session) if not await _gone(session, row)]
    for row in table:
        if row.seed and not row.edited:
            put_back(row, BY_KEY[row.seed])
    known = {row.seed for row in table}
    follows = ""
    for seed in SEEDS:
        if seed.key not in known:
            row = as_shipped(seed)
            session.add(row)
            table.insert(_place(table, follows), row)
        follows = seed.key
    return table


async def _gone(session: Session, row: ReplyRule) -> bool:
    """Whether it no longer ships and goes; what an operator changed of it becomes their own."""
    if not row.seed or row.seed in BY_KEY:
        return False
    if row.edited:
        row.seed = ""
        return False
    await session.delete(row)
    return True


def _place(table: Sequence[ReplyRule], follows: str) -> int:
    """Behind the seed of this key; the first seed of all in front of whatever ships."""
    behind = (at + 1 for at, row in enumerate(table) if follows and row.seed == follows)
    return next(behind, next((at for at, row in enumerate(table) if row.seed), len(table)))


def as_shipped(seed: Seed) -> ReplyRule:
    """A new row."""
    row = ReplyRule(position=0, reason="", action="", scope="", seed=seed.key, changed_by="system")
    put_back(row, seed)
    return row


def put_back(row: ReplyRule, seed: Seed) -> None:
    """What it says, and that it is looked at; not its place."""
    row.take(seed.pattern, seed.verdict, seed.source)
    row.enabled, row.edited = True, False


async def _with_curves(session: Session) -> None:
    known = {(row.curve_class, row.kind): row for row in await rows.every_curve(session)}
    for key, curve in SHIPPED.items():
        row = known.get((key.curve_class.value, key.kind.value))
        if row is None:
            session.add(curve_as_shipped(key, curve))
        elif not row.edited:
            put_curve_back(row, curve)


def curve_as_shipped(key: CurveKey, curve: Curve) -> RetryCurve:
    """A new row."""
    row = RetryCurve(
        curve_class=key.curve_class.value, kind=key.kind.value, waits=[], give_up_after=0, changed_by="system",
        changed_at=now(),
    )  # fmt: skip
    put_curve_back(row, curve)
    return row


def put_curve_back(row: RetryCurve, curve: Curve) -> None:
    """What it says."""
    row.waits, row.give_up_after = minutes(curve)
    row.edited = False
