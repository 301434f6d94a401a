"""What comes in at the inbound door becomes facts, and facts correct outcomes: one transaction each.

    await inbound.report(raw, messages)     # durable when it returns; the peer's 250 may follow

The message's row is locked first. Whatever happens twice (a peer that repeats its mail, two doors, a second report of
the same) happens once, see `domain.corrections`. A report whose message has no outcome yet waits in its row: `run`
looks again every second.
"""

import asyncio
import hashlib
import itertools
from collections.abc import Sequence

import asyncpg
import structlog

from domain import corrections as rules
from domain import verp
from domain.corrections import Charging, Effect, Facts
from domain.ids import new_id
from domain.reports import Report, ReportKind, read_report
from domain.secrets import Vault
from domain.sending import MessageState, Reason
from domain.signals import Counts
from domain.transport import Classifier
from domain.webhooks import Event, OwedEvent, message_data
from store import corrections, dead_addresses, domains, engagement, reports, signals, suppressions
from store.adjusting import charge_after_all
from store.columns import now
from store.corrections import Step, Subject
from store.db import DATABASE_TROUBLE, Connection, Database
from store.onboarding import nudge_first_senders
from store.reports import NewReport
from store.webhooks import owe_events

log = structlog.get_logger(__name__)

BELOW = "bounce."
"""Below each sender domain this name's MX leads to us (`domain.domain_records`)."""
LETTER = "letter"
LETTER_BYTES = 65_536
"""Kept of a letter to the postmaster."""
LOOK_SECONDS = 1.0
LOOKS_PER_CLEANING = 600
AT_ONCE = 100
PARSED_AT_ONCE = 2
"""Mails that are parsed at once: it is work of the processor, and others must be answered meanwhile."""


class Inbound:
    """`host` is the platform's bounce host; `classify` says what a refusal means, as it does of a server's reply."""

    def __init__(self, db: Database, vault: Vault, host: str, classify: Classifier) -> None:
        self._db = db
        self._host = host.lower()
        self._vault = vault
        self._classify = classify
        self._parsers = asyncio.Semaphore(PARSED_AT_ONCE)

    async def report(self, raw: bytes, messages: Sequence[int]) -> None:
        """A mail to return paths of these messages, or to the address for complaints (none: it must say which)."""
        async with self._parsers:
            report = await asyncio.to_thread(read_report, raw)
        about = messages or self._quoted(report)
        for message in about:
            await self._take(report, _fingerprint(raw, str(message)), message)
        if not about:
            await self._keep(NewReport(report.kind.value, _fingerprint(raw, ""), effect=Effect.NO_MESSAGE))

    async def is_our_host(self, host: str) -> bool:
        """Whether mail to this host name comes to us: the platform's, and `bounce.` of a sender domain."""
        name = host.removeprefix(BELOW)
        if host == self._host or name == host:
            return host == self._host
        async with self._db.read() as session:
            return await domains.is_held(session, name)

    async def letter(self, raw: bytes) -> None:
        """A mail to the postmaster or the abuse desk: kept, sealed, for operators to read."""
        fingerprint = _fingerprint(raw, LETTER)
        sealed = self._vault.seal(raw[:LETTER_BYTES], binding(fingerprint))
        await self._keep(NewReport(LETTER, fingerprint, effect=Effect.LETTER, sealed=sealed))

    def _quoted(self, report: Report) -> list[int]:
        """The message that a complaint quotes by what only its mail has said: return path, else Message-ID.

        Nothing else is believed of a quotation: senders see them in replies, and a bounce buries an address for all.
        """
        if report.kind is not ReportKind.COMPLAINT:
            return []
        key = self._vault.verp_key
        found = [verp.read_return_path(key, path) for path in report.return_paths]
        found += [verp.read_message_id(key, one) for one in report.message_ids]
        return [message for message in found if message is not None][:1]

    async def _keep(self, new: NewReport) -> None:
        async with self._db.raw() as connection:
            await reports.keep(connection, new)

    async def _take(self, report: Report, fingerprint: bytes, message: int) -> None:
        async with self._db.raw() as connection:
            subject = await corrections.lock(connection, message)
            if subject is None:
                lost = NewReport(report.kind.value, fingerprint, effect=Effect.NO_MESSAGE)
                await reports.keep(connection, lost)
                return
            if not await reports.has_room(connection, message):
                return
            facts = Facts.of(report, subject.address)
            new = NewReport(facts.kind.value, fingerprint, subject.id, subject.account_id, facts)
            kept = await reports.keep(connection, new)
            if kept is not None:
                await self._act(connection, subject, facts, kept)

    async def run(self) -> None:
        """Until cancelled."""
        for look in itertools.count():
            try:
                await self.catch_up()
                if look % LOOKS_PER_CLEANING == 0:
                    await self.forget_old()
            except DATABASE_TROUBLE as error:
                log.warning("inbound_waits", error=type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def forget_old(self) -> None:
        """Letters, and what was about no message, after thirty days."""
        gone = AT_ONCE
        while gone == AT_ONCE:
            async with self._db.raw() as connection:
                gone = await reports.forget_old(connection, now() - reports.KEPT, AT_ONCE)

    async def catch_up(self) -> int:
        """Deal with reports that came before the outcome of their message; how many."""
        number, after = 0, 0
        while found := await self._ripe(after):
            for report, message in found:
                try:
                    await self._look_again(report, message)
                except (RuntimeError, asyncpg.IntegrityConstraintViolationError) as error:
                    # Books that are wrong: it waits, the audit names it, and the others go on.
                    log.error("report_refused", report_id=report, error=type(error).__name__)
            number, after = number + len(found), found[-1][0]
        return number

    async def _ripe(self, after: int) -> list[tuple[int, int]]:
        async with self._db.pool.acquire() as connection:
            return await reports.ripe(connection, after, AT_ONCE)

    async def _look_again(self, report: int, message: int) -> None:
        async with self._db.raw() as connection:
            subject = await corrections.lock(connection, message)
            facts = await reports.waiting(connection, report)
            if subject is not None and facts is not None:
                await self._act(connection, subject, facts, report)

    async def _act(self, connection: Connection, subject: Subject, facts: Facts, report: int) -> None:
        """Do what the report makes of the message, which the caller has locked."""
        effect, reason = rules.effect_on(facts, MessageState(subject.state)), ""
        if effect is Effect.COMPLAINED and await reports.has_complained(connection, subject.id):
            effect = Effect.NOTED
        if effect is Effect.COMPLAINED:
            await self._complain(connection, subject, facts)
        elif effect is Effect.CORRECTED:
            reason = await self._correct(connection, subject, facts, report)
        await reports.finish(connection, report, effect, reason)

    async def _complain(self, connection: Connection, subject: Subject, facts: Facts) -> None:
        """The recipient does not want mails of this account."""
        await suppressions.complain(connection, subject.account_id, subject.address, subject.id, now())
        await engagement.complained(connection, subject.id, subject.submission_id, subject.account_id, now())
        await signals.note_of(connection, subject.id, Counts(complained=1))
        data = _data(subject) | {"source": facts.source, "feedback_type": facts.feedback_type}
        await owe_events(connection, [OwedEvent(subject.account_id, Event.REPORT_SPAM, subject.id, now(), data)])

    async def _correct(self, connection: Connection, subject: Subject, facts: Facts, report: int) -> str:
        """Everything that follows from another outcome; its reason."""
        step = self._step(subject, facts)
        correction, charging = new_id(), Charging.NONE
        if subject.state == MessageState.UNKNOWN and subject.costs:
            charging = await charge_after_all(connection, subject.account_id, subject.submission_id, correction)
        at = await corrections.correct(connection, subject, step, report, charging, correction)
        await signals.note_of(connection, subject.id, _counts(subject.state, step), subject.finished_at)
        if rules.proves_dead(facts, step.reason):
            await dead_addresses.learn(connection, [subject.address])
        if step.state is MessageState.DELIVERED:
            await nudge_first_senders(connection, {subject.account_id})
        kind = rules.event_of(step.state, step.reason, facts.is_ours)
        data = _data(subject) | {
            "attempt": subject.attempts, "state": step.state.value, "class": step.reason, "code": step.code,
            "enhanced": step.enhanced, "reply": step.reply, "corrects": subject.state,
        }  # fmt: skip
        await owe_events(connection, [OwedEvent(subject.account_id, kind, subject.id, at, data)])
        return step.reason

    def _step(self, subject: Subject, facts: Facts) -> Step:
        state = rules.FORWARD[facts.kind, MessageState(subject.state)]
        host = facts.host or subject.host
        reason, code = "", facts.code
        if facts.kind is ReportKind.BOUNCE:
            reason, code = rules.bounce_reason(facts, self._classify(host, *facts.reply)), facts.refusal
        return Step(state, reason, code, facts.status, facts.diagnostic, host)


def binding(fingerprint: bytes) -> str:
    """What ties a sealed letter to its row."""
    return f"report/{fingerprint.hex()}"


def _fingerprint(raw: bytes, about: str) -> bytes:
    return hashlib.sha256(about.encode() + b"\0" + raw).digest()


def _data(subject: Subject) -> dict[str, object]:
    """What every event of a message says of it."""
    return message_data(subject.submission_id, subject.id, subject.ordinal, subject.address, subject.label)


def _counts(before: str, step: Step) -> Counts:
    """What the correction adds to what was counted; `unknown` was not counted."""
    taken = Counts(delivered=-1) if before == MessageState.DELIVERED else Counts()
    if step.state is MessageState.DELIVERED:
        return taken + Counts(delivered=1)
    if step.reason == Reason.EXPIRED:
        return taken + Counts(expired=1)
    return taken + (Counts(hard=1) if step.reason.startswith("hard.") else Counts(refused=1))
