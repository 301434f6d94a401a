"""The machine of `test_sending_machine` with SMS: nothing is ever sent twice, and receipts come whenever they like.

A receipt may come before the commit that records its part, twice, from two processes at once, or never; of a dialogue
that broke it is the only word. A carrier may take the first part of a long text and refuse the second, or fall silent.
72 hours may pass at any moment, and what was counted may be settled: a receipt that comes later corrects outcome and
books. After every step each queued message is in one place, no number was texted twice, and what is counted as charged
is what is recorded as taken; at the end, what is recorded is what carriers took.
"""

import datetime as dt
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test

from domain.channels import DueLine
from domain.sending import MessageState, Outcome, OutcomeKind
from domain.sms import SmsKind
from domain.sms_outcomes import reference_of, settle_sms
from domain.sms_transport import Receipt, Submitted
from store import audit, leases, settling, sms_receipts, sms_sweeping
from store.columns import now
from store.db import Database
from store.dialogues import Ended, Intent
from store.pages import PageMessage
from tests.sending_model import HELD, SCALE, Line, Step, misplaced
from tests.sms_engine_world import accept_sms, new_phones
from tests.sms_world import SmsCustomer, add_template, make_sms_customer
from tests.store.test_sending_machine import (
    PLANS,
    ROWS,
    Act,
    House,
    SendingMachine,
    customers,
    kinds,
    pick,
    plans,
    some_step,
    taking,
    talking,
)

OF_SMS = ("sms_part", "sms_receipt", "sms_uncertain", "sms_correction", "sms_recent", "sms_interception", "tally",
          "hold", "slot", "sender", "due", "page", "attempt", "message", "submission", "clockwork")  # fmt: skip
hearing = st.tuples(st.just("hear"), pick, st.sampled_from(("DELIVRD", "DELIVRD", "UNDELIV", "ENROUTE")), st.booleans())
sms_acts = st.one_of(
    *(talking, talking, talking, taking, hearing, hearing),
    st.tuples(st.just("commit"), pick, pick, plans, st.booleans()),
    st.tuples(st.just("commit_again")),
    st.tuples(st.just("speak"), pick, kinds, st.booleans()),
    st.tuples(st.just("close"), pick, pick),
    st.tuples(st.just("lease"), pick, st.sampled_from(("crash", "stall", "renew", "leave")), st.booleans()),
    st.tuples(st.just("sweep"), pick),
    st.tuples(st.just("overdue"), pick),
    st.tuples(st.just("at_once"), some_step, some_step),
    st.tuples(st.just("hear_at_once"), pick, pick, some_step),
)


class SmsHouse(House):
    rows = (*OF_SMS, *(table for table in ROWS if table not in OF_SMS))

    async def _open(self, url: str) -> Any:
        db = await Database.open(url, connections=4)
        made = [await make_sms_customer(db) for _ in range(2)]
        for customer in made:
            await add_template(db, customer, SmsKind.NOTICE, "请注意：" + "今天的通知很长。" * 12, name="long")
        return db, made

    async def empty(self) -> None:
        await super().empty()
        await self.eye.execute(FORGET_CHARGES)


@pytest.fixture(scope="module")
def sms_house(postgres_url: str) -> Iterator[SmsHouse]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leases, "LEASE", dt.timedelta(hours=1))
        opened = SmsHouse(postgres_url)
        yield opened
        opened.close()


class SmsMachine(SendingMachine):
    house: ClassVar[SmsHouse]

    def __init__(self) -> None:
        super().__init__()
        self.sending.line = DueLine.SMS
        self.spoken: list[Receipt] = []
        """Receipts of what carriers took, which may come from now on."""
        self.in_part: set[int] = set()
        """Messages of which a carrier took the first part, and no more."""

    @initialize(count=st.integers(2, 6), customer=customers, without=st.sampled_from(PLANS))
    def begin(self, count: int, customer: int, without: str) -> None:
        self.sending.without = without
        self.accept(customer, count)
        self.do(self.sending.claim(8))
        self.do(self.sending.take(self.processes[0], self.open_pages()[0]))

    def accept(self, customer: int, count: int) -> None:
        who: SmsCustomer = self.house.customers[customer]  # type: ignore[assignment]
        template = "long" if count % 2 else "notice"
        self.run(accept_sms(self.house.db, who, *new_phones(count), template=template))
        self.accepted += count

    @rule(act=sms_acts)
    def happens(self, act: Act) -> None:
        name, *arguments = act
        getattr(self, name)(*arguments)

    def end_of(self, intent: Intent, kind: OutcomeKind, *, resend: bool, spoken: bool = True) -> Ended:
        """A carrier that takes a text gives ids; the engine's own rule says what becomes of it."""
        message, at = intent.message, now()
        ids = ids_of(message) if kind is OutcomeKind.DELIVERED else ids_of(message)[: spoken and breaks_off(message)]
        outcome = Outcome(kind, text="ESME", host="carrier", egress=1 if spoken else 0)
        end = settle_sms(Submitted(outcome, ids), message.attempts, message.expires_at, at, SCALE)
        return Ended(intent, end.outcome, end.state, end.next_at, at, at, spoken, "sms-1", end.ids)

    def resends(self, line: Line) -> bool:
        return False

    def speak(self, which: int, kind: OutcomeKind, arrived: bool) -> None:
        before = self.outside.received.copy()
        lines = [line for process in self.processes for line in process.lines.values() if line.ended is None]
        super().speak(which, kind, arrived)
        for line in lines:
            message = line.intent.message
            if self.outside.received[message.id] > before[message.id]:
                self._took(line, message.segments)
            elif line.ended is not None and line.ended.outcome.kind is not OutcomeKind.DROPPED and breaks_off(message):
                self._took(line, 1)
                self.outside.received[message.id] += 1
                self.in_part.add(message.id)

    def _took(self, line: Line, parts: int) -> None:
        message = line.intent.message
        reference = reference_of(message.id)
        self.spoken += [Receipt(1, one, message.address, "", reference=reference) for one in ids_of(message)[:parts]]

    def _say_all(self, process: Any) -> None:
        if process.unanswered:
            self.do(self.sending.commit(process, process.unanswered))
        for line in process.lines.values():
            if line.ended is None:
                self._took(line, line.intent.message.segments)
        super()._say_all(process)

    def hear(self, which: int, state: str, twice: bool) -> None:
        if self.spoken:
            for _ in range(1 + twice):
                self.do(self._hearing(which, state))

    def _hearing(self, which: int, state: str) -> Step:
        found = self.spoken[which % len(self.spoken)]
        said = Receipt(1, found.smsc_id, found.phone, state, reference=found.reference)
        return Step(lambda connection: sms_receipts.take(connection, [said], now()))

    def hear_at_once(self, which: int, other: int, step: tuple[str, int, int]) -> None:
        """Two receipts, or a receipt and whatever else, in transactions that overlap."""
        if not self.spoken:
            return
        second = self._beside(*step) or self._hearing(other, "DELIVRD")
        self.run(self.sending.both(self._hearing(which, "DELIVRD"), second))
        self._register()

    def _beside(self, name: str, which: int, what: int) -> Step | None:
        if name in ("commit", "settle"):
            return self._some_step(name, which, what)
        return self._some_overdue(which) if name in ("expire", "renew") else None

    def overdue(self, which: int) -> None:
        self.do(self._some_overdue(which))

    def _some_overdue(self, which: int) -> Step:
        """72 hours are over for all that waits for a receipt; or a customer's counted segments are settled."""
        late = now() + 8 * DAY
        match which % 4:
            case 0:
                return Step(lambda connection: sms_sweeping.expire(connection, now(), late, 999))
            case 1:
                return Step(lambda connection: sms_sweeping.give_up(connection, now(), late, 999))
        account = self.house.customers[which % 2].account
        return Step(lambda connection: settling.settle_account(connection, account))

    def sweep(self, which: int) -> None:
        long_ago, soon = now() - dt.timedelta(days=1), now() + dt.timedelta(days=1)
        if which % 2:
            for receipt in self.run(sms_sweeping.asking(self.house.eye, soon, 99)):
                self.do(self._matching(receipt))
        else:
            look = sms_sweeping.Look(long_ago, 0, 100)
            self.do(Step(lambda connection: sms_sweeping.match_parked(connection, look)))

    def steer(self, state: str) -> None:
        """There are no campaigns."""

    def _some_claim(self, what: int) -> Step:
        return self.sending.claim(3)

    def take(self, which: int, source: str, what: int, hurry: str) -> None:
        super().take(which, "relay" if source == "campaign" else source, what, hurry)

    # --- what must hold ------------------------------------------------------------------------------------------

    @invariant()
    def every_message_is_in_one_place(self) -> None:
        rows = self.run(self.house.eye.fetch(HELD))
        assert len(rows) == self.accepted
        assert not (lost := [dict(row) for row in rows if misplaced(row)]), lost
        for row in rows:
            received = self.outside.received[row["id"]]
            assert received <= 1, ("texted twice", dict(row))
            assert not row["possible_duplicate"]
            assert truly(row, received), (dict(row), received)
        self._the_living_know_their_slots(rows)
        self.run(self._charged_is_what_was_taken())

    async def _charged_is_what_was_taken(self) -> None:
        wrong = await self.house.eye.fetch(CHARGED)
        assert not wrong, [dict(row) for row in wrong]

    def _drain(self) -> None:
        super()._drain()
        for n in range(len(self.spoken)):
            self.hear(n, "DELIVRD", False)
        late = now() + dt.timedelta(days=8)
        for step in (
            lambda connection: sms_sweeping.match_parked(connection, sms_sweeping.Look(late - 99 * DAY, 0, 999)),
            *[self._uncertain] * (len(self.spoken) + 1),
            lambda connection: sms_sweeping.expire(connection, now(), late, 999),
            lambda connection: sms_sweeping.give_up(connection, now(), late, 999),
        ):
            self.do(Step(step))

    async def _uncertain(self, connection: Any) -> None:
        for receipt in await sms_sweeping.asking(connection, now() + DAY, 999):
            await sms_sweeping.match_uncertain(connection, receipt, now())

    def _matching(self, receipt: int) -> Step:
        return Step(lambda connection: sms_sweeping.match_uncertain(connection, receipt, now()))

    async def _books_are_closed(self) -> None:
        async with self.house.db.raw() as connection:
            findings = await audit.check(connection, now())
            left = await connection.fetchval("SELECT count(*) FROM message WHERE state IN ('queued', 'sent')")
            rows = await connection.fetch("SELECT id, state, submitted FROM message")
        assert left == 0
        taken = Counter(int(said.smsc_id.partition("-")[0]) for said in self.spoken)
        for row in rows:
            assert row["submitted"] == taken[row["id"]], dict(row)
            if row["state"] not in ("delivered", "bounced"):  # whoever got it, of that a receipt came
                assert row["id"] in self.in_part or not self.outside.received[row["id"]], dict(row)
        wrong = [finding for finding in findings if finding.count and finding.name != "no settlement stays behind"]
        assert not wrong, wrong


def ids_of(message: PageMessage) -> tuple[str, ...]:
    """Of its parts, as the carrier gives them."""
    return tuple(f"{message.id}-{part}" for part in range(message.segments))


def breaks_off(message: PageMessage) -> bool:
    """Of these a carrier takes the first part, whatever it says of the second."""
    return message.segments > 1 and message.ordinal % 2 == 1


DAY = dt.timedelta(days=1)
FORGET_CHARGES = """
SET session_replication_role = replica;
DELETE FROM entry WHERE journal_id IN (SELECT id FROM journal WHERE kind IN ('charge', 'adjustment'));
DELETE FROM journal WHERE kind IN ('charge', 'adjustment');
SET session_replication_role = DEFAULT;
UPDATE ledger_account l SET held_micro = 0, carry_micro = 0,
    balance_fen = (SELECT coalesce(sum(amount_fen), 0) FROM entry e WHERE e.ledger_account_id = l.id)
WHERE name = 'prepaid'
"""
CHARGED = """
SELECT s.id, t.sent, m.submitted FROM submission s
CROSS JOIN LATERAL (
    SELECT coalesce((SELECT sum(t.sent) FROM tally t WHERE t.submission_id = s.id), 0)
         + coalesce((SELECT sum(h.sent) FROM hold h WHERE h.submission_id = s.id), 0) AS sent) t
CROSS JOIN LATERAL (
    SELECT coalesce(sum(m.submitted) FILTER (WHERE NOT (m.state = 'sent' AND m.reason = 'uncertain')), 0) AS submitted
    FROM message m WHERE m.submission_id = s.id) m
WHERE t.sent <> m.submitted
"""


def truly(row: Any, received: int) -> bool:
    """Whether the row's state can be true, by what the number received."""
    match row["state"]:
        case MessageState.DELIVERED:
            return received == 1
        case MessageState.SENT | MessageState.UNKNOWN if row["reason"] == "uncertain":
            return True
        case MessageState.SENT:
            return received == 1
        case MessageState.QUEUED if row["slots"]:
            return True
        case MessageState.BOUNCED if row["submitted"]:
            return received == 1
    return received == 0


@pytest.mark.timeout(400)
def test_any_interleaving_texts_nobody_twice(sms_house: SmsHouse) -> None:
    SmsMachine.house = sms_house
    run_state_machine_as_test(
        SmsMachine,
        settings=settings(
            max_examples=int(os.environ.get("SONGDA_EXAMPLES", "25")),
            stateful_step_count=30,
            deadline=None,
            derandomize=bool(os.environ.get("CI")),
            phases=(Phase.generate, Phase.shrink),
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
