"""Deliveries by the table and the curves that operators keep: what they change decides the next outcome."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator

from temporalio.testing import ActivityEnvironment

from activities.delivery import DeliveryActivities
from activities.lanes import Lanes
from activities.mail_delivery import Wire
from activities.page_work import PageResult
from activities.rendering import Renderer
from activities.sender_process import SenderProcess
from domain.accounts import SYSTEM_ACCOUNT
from domain.ids import Kind, Process, new_id
from domain.operators import Operator, OperatorRole
from domain.reply_rules import Pattern, Verdict
from domain.retry_curves import CurveClass, CurveKey
from domain.senders import SendKind
from domain.sending import TIME_TO_LIVE, Curve, OutcomeKind, Reason, Scope
from domain.transport import MailHost, MailRoute
from gateways.smtp import SmtpOptions, SmtpTransport
from services.reply_desk import Content, ReplyDesk
from services.reply_rules import LiveReplyRules
from services.reply_seeding import ensure_reply_rules
from services.retry_curves import CurveDesk
from store import pages
from store.db import Database
from tests.patience import until
from tests.sending_world import VAULT, make_customer, submit
from tests.sends_doors import foundation

ROOT = Operator(new_id(), "root", frozenset({OperatorRole.ADMIN}))
SAID = "550 Not today\r\n"
LATER = Content(
    Pattern(provider="mx.picky.test", code="5xx", text="not today"),
    Verdict(Reason.GREYLIST, OutcomeKind.DEFERRED, Scope.RECIPIENT),
)
SCALE = 60.0


class Picky:
    """A mail server that refuses every recipient, over a real socket; and the way to it."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def mail_hosts(self, domain: str) -> MailRoute:
        return MailRoute(domain, (MailHost("mx.picky.test", ("127.0.0.1",)),))


async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mx.picky.test\r\n")
    with contextlib.suppress(ConnectionError):
        while line := await reader.readline():
            verb = line[:4].upper()
            writer.write(SAID.encode() if verb == b"RCPT" else b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
    writer.close()


@contextlib.asynccontextmanager
async def worker(db: Database) -> AsyncIterator[tuple[DeliveryActivities, LiveReplyRules]]:
    """A sender process as `worker.py` makes it, before such a server."""
    await ensure_reply_rules(db)
    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    there = Picky(server.sockets[0].getsockname()[1])
    sender, rules = SenderProcess(db, 8), await LiveReplyRules.open(db)
    transport = SmtpTransport(SmtpOptions(there.port, "out.test", 20), rules.classify)
    wire = Wire(there, transport, Lanes.without_limits(db, sender), 4, SCALE, rules.curve)
    tasks = [asyncio.create_task(sender.run()), asyncio.create_task(rules.run())]
    try:
        yield DeliveryActivities(db, sender, Renderer(db, VAULT, "bounce.test"), wire), rules
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        server.close()


async def deliver(db: Database, work: DeliveryActivities) -> PageResult:
    """One page of whatever is due."""
    await db.pool.execute("UPDATE due SET due_at = now()")
    async with db.raw() as connection:
        claimed = await pages.claim_batch(connection)
    assert claimed is not None
    page = Process(Kind.DELIVERY, str(claimed[0]), str(SYSTEM_ACCOUNT), 1)
    return await ActivityEnvironment().run(work.deliver_page, page)


async def test_an_edit_changes_the_next_outcome_without_a_restart(db: Database) -> None:
    customer = await make_customer(db)
    async with worker(db) as (work, rules):
        await submit(db, customer, ["a@picky.test"])
        assert (await deliver(db, work)).bounced == 1
        await ReplyDesk(await foundation(db)).add(ROOT, LATER)

        async def known() -> bool:
            return rules.classify("mx.picky.test", 550, "Not today").kind is OutcomeKind.DEFERRED

        await until(known)
        await submit(db, customer, ["b@picky.test"])
        assert (await deliver(db, work)).deferred == 1
    rows = await db.pool.fetch("SELECT address, state, reason, code FROM message ORDER BY id")
    assert [tuple(row) for row in rows] == [
        ("a@picky.test", "bounced", "policy.other", 550),
        ("b@picky.test", "queued", "soft.greylist", 550),
    ]


async def test_a_curve_says_when_the_next_try_comes_and_when_there_is_none(db: Database) -> None:
    """Minutes are divided by the stack's scale of time, as everywhere."""
    customer = await make_customer(db)
    key = CurveKey(CurveClass.GREYLIST, SendKind(await db.pool.fetchval("SELECT kind FROM api_user LIMIT 1")))
    curve = Curve((dt.timedelta(minutes=7),), dt.timedelta(minutes=20))
    async with worker(db) as (work, rules):
        base = await foundation(db)
        await ReplyDesk(base).add(ROOT, LATER)
        await CurveDesk(base).set_curve(ROOT, key, curve, 0)

        async def known() -> bool:
            return rules.curve(key.kind, Reason.GREYLIST) == curve

        await until(known)
        await submit(db, customer, ["a@picky.test"])
        assert (await deliver(db, work)).deferred == 1
        wait = await db.pool.fetchval("SELECT due_at - ended_at FROM due CROSS JOIN attempt")
        assert abs(wait - dt.timedelta(seconds=7)) < dt.timedelta(seconds=1)
        await db.pool.execute(
            "UPDATE submission SET accepted_at = now() - interval '15 seconds',"
            " expires_at = now() - interval '15 seconds' + $1::interval",
            TIME_TO_LIVE[key.kind] / SCALE,
        )
        assert (await deliver(db, work)).bounced == 1
    row = await db.pool.fetchrow("SELECT state, reason FROM message")
    assert tuple(row) == ("bounced", "expired")
