"""Scheduled tasks (定时任务): what is sent when, what happens when it is late, and what a person can decide.

A run is over when everything it sends was accepted; sending itself is the engine's. Of one task one run is open at a
time.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from uuid import UUID

from domain.cadences import Cadence, check_cadence
from domain.campaigns import FIELDS, NewCampaign
from domain.channels import Channel
from domain.errors import Refusal
from domain.ids import Process

MAX_NAME = 100
MAX_REASON = 200
MAX_TASKS = 200
"""Of one account that are not over."""
LEAST_CATCH_UP, MOST_CATCH_UP, CATCH_UP = 10, 24 * 60, 60
"""Minutes. After an outage that was longer than this a run is not made up for."""
LEAST_LATE, LATE = 1, 15
"""Minutes. A run that would begin later than this is late."""
ASKED_FOR = dt.timedelta(hours=24)
"""So long a late run waits for a person's decision; then it is skipped."""
REMIND_AFTER = dt.timedelta(hours=12)
CHUNK = 1_000
"""Contacts that one transaction accepts."""


class TaskState(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    NEEDS_HUMAN = "needs_human"
    """A run cannot go on, or the only time was missed: `reason` says why. Later times still come."""
    ENDED = "ended"
    CANCELLED = "cancelled"


OVER = frozenset({TaskState.ENDED, TaskState.CANCELLED})


class RunState(StrEnum):
    WAITING = "waiting"
    """For its turn: an earlier run of the task is open."""
    ASKED = "asked"
    """It is late, and a person decides."""
    SENDING = "sending"
    BLOCKED = "blocked"
    """It cannot go on as things are: `reason` says why; who mended it lets it go on."""
    DONE = "done"
    SKIPPED = "skipped"
    """Nothing of it was sent."""
    CANCELLED = "cancelled"
    """What was not accepted yet is not sent."""


RUN_OVER = frozenset({RunState.DONE, RunState.SKIPPED, RunState.CANCELLED})


class Overlap(StrEnum):
    """What becomes of a run whose time comes while an earlier one is open."""

    SKIP = "skip"
    BUFFER_ONE = "buffer_one"
    """One waits for its turn, further ones are skipped."""


class Misfire(StrEnum):
    """What becomes of a run that is late."""

    ASK = "ask"
    SKIP = "skip"
    SEND = "send"


class Why(StrEnum):
    """Why a run was skipped, beside the codes of refusals."""

    OVERLAP = "overlap"
    """An earlier run was open."""
    MISSED = "missed"
    """Later than the catch-up window: nothing ran at its time."""
    LATE = "late"
    """By the task's rule."""
    UNANSWERED = "unanswered"
    DECIDED = "decided"
    PAUSED = "paused"
    """The task was paused when its time came."""


class Decision(StrEnum):
    """What a person can say to an open run."""

    SEND = "send"
    """Send it though it is late; go on after what was in the way was mended."""
    SKIP = "skip"
    """Send nothing (more) of it."""


class TaskCommand(StrEnum):
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RUN = "run"
    EDIT = "edit"


_OPEN = frozenset({TaskState.ACTIVE, TaskState.PAUSED, TaskState.NEEDS_HUMAN})
ALLOWED: dict[TaskCommand, frozenset[TaskState]] = {
    TaskCommand.PAUSE: frozenset({TaskState.ACTIVE, TaskState.NEEDS_HUMAN}),
    TaskCommand.RESUME: frozenset({TaskState.PAUSED, TaskState.NEEDS_HUMAN}),
    TaskCommand.CANCEL: _OPEN,
    TaskCommand.RUN: frozenset({TaskState.ACTIVE, TaskState.NEEDS_HUMAN}),
    TaskCommand.EDIT: _OPEN,
}
DECIDABLE: dict[Decision, frozenset[RunState]] = {
    Decision.SEND: frozenset({RunState.ASKED, RunState.BLOCKED}),
    Decision.SKIP: frozenset({RunState.WAITING, RunState.ASKED, RunState.SENDING, RunState.BLOCKED}),
}


def require_allowed(command: TaskCommand, state: str) -> None:
    """Raises the refusal `task_state` when a task in this state cannot do that."""
    if TaskState(state) not in ALLOWED[command]:
        raise Refusal("task_state", command=command.value, state=state)


def decided(decision: Decision, state: str, listed: int) -> RunState:
    """What a run in this state becomes. `listed`: contacts it has gone through. Raises the refusal `run_state`."""
    if RunState(state) not in DECIDABLE[decision]:
        raise Refusal("run_state", command=decision.value, state=state)
    if decision is Decision.SEND:
        return RunState.SENDING
    return RunState.CANCELLED if listed or state == RunState.SENDING else RunState.SKIPPED


@dataclass(frozen=True)
class SmsContent:
    """An SMS template to a contact list; values come from the contacts. `contact_list`: id, number or name."""

    sms_user: str
    template: str
    contact_list: str
    label: str = ""
    tag: str = ""


@dataclass(frozen=True)
class MailContent:
    """What a campaign is made of, each time anew (`domain.campaigns.NewCampaign`)."""

    api_user: str
    template: str
    sender: str
    lists: tuple[str, ...]
    sender_name: str = ""
    reply_to: str = ""
    label: str = ""


@dataclass(frozen=True)
class Rules:
    """What happens besides the plain case; times in minutes."""

    overlap: Overlap = Overlap.BUFFER_ONE
    catch_up: int = CATCH_UP
    late: int = LATE
    misfire: Misfire = Misfire.ASK


@dataclass(frozen=True)
class NewTask:
    """What a customer asks for."""

    name: str
    content: SmsContent | MailContent
    cadence: Cadence
    rules: Rules = Rules()
    idempotency_key: str | None = None

    @property
    def channel(self) -> Channel:
        return Channel.SMS if isinstance(self.content, SmsContent) else Channel.EMAIL


def check_new(asked: NewTask, now: dt.datetime | None) -> None:
    """Raise the first refusal of what is wrong in itself, whatever the rows say. `now` None: its times are kept."""
    if not asked.name.strip() or len(asked.name) > MAX_NAME or not asked.name.strip().isprintable():
        raise Refusal("task_name", field="name", limit=MAX_NAME)
    if now is not None:
        check_cadence(asked.cadence, now)
    rules = asked.rules
    if not LEAST_CATCH_UP <= rules.catch_up <= MOST_CATCH_UP:
        raise Refusal("task_catch_up", field="catch_up_minutes", least=LEAST_CATCH_UP, most=MOST_CATCH_UP)
    if not LEAST_LATE <= rules.late <= rules.catch_up:
        raise Refusal("task_late", field="late_minutes", least=LEAST_LATE, most=rules.catch_up)
    _check_words(asked)
    if isinstance(asked.content, SmsContent):
        for name in ("sms_user", "template", "contact_list"):
            if not getattr(asked.content, name).strip():
                raise Refusal("required", field=name)


def _check_words(asked: NewTask) -> None:
    """What cannot be stored, or breaks lines, names nothing."""
    words = [(name, one) for name, given in asdict(asked.content).items() for one in _each(given)]
    for name, word in [*words, ("Idempotency-Key", asked.idempotency_key or "")]:
        if any(ord(char) < 32 or 0xD800 <= ord(char) <= 0xDFFF for char in word):
            raise Refusal("invalid", field=FIELDS.get(name, name), reason="It contains a control character.")


def _each(given: str | tuple[str, ...]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else given


def campaign_of(name: str, content: MailContent, key: str | None) -> NewCampaign:
    """What a task by mail asks for each time; it begins at once."""
    return NewCampaign(
        name, content.api_user, content.template, content.sender, content.lists, content.sender_name,
        content.reply_to, content.label, idempotency_key=key,
    )  # fmt: skip


def is_late(planned: dt.datetime, now: dt.datetime, minutes: int) -> bool:
    """Whether a run that begins now is late by the task's rule."""
    return now - planned > dt.timedelta(minutes=minutes)


@dataclass(frozen=True)
class Busy:
    """While a run of the task was open; `until` None: it still is."""

    since: dt.datetime
    until: dt.datetime | None

    def covers(self, moment: dt.datetime) -> bool:
        return self.since <= moment and (self.until is None or moment < self.until)


@dataclass(frozen=True)
class Reckoned:
    """What is to be written of times that have passed and that no run stands for: skipped ones with why, and the one
    to be run now."""

    skipped: tuple[tuple[dt.datetime, Why], ...] = ()
    run: dt.datetime | None = None

    @property
    def missed(self) -> dt.datetime | None:
        """The newest, when nothing is made up for it because nothing ran at its time."""
        moment, why = self.skipped[-1] if self.skipped else (None, Why.OVERLAP)
        return moment if self.run is None and why is Why.MISSED else None


def reckon(passed: Sequence[dt.datetime], busy: Sequence[Busy], rules: Rules, now: dt.datetime) -> Reckoned:
    """Of times that passed without a run only the newest is made up for, and that within the catch-up window.

    Whatever was due while an earlier run was open goes by the rule of overlaps.
    """
    skipped = [(each, _why(each, busy)) for each in passed[:-1]]
    if not passed:
        return Reckoned()
    newest = passed[-1]
    overlapped = any(each.covers(newest) for each in busy)
    if overlapped and rules.overlap is Overlap.SKIP:
        return Reckoned((*skipped, (newest, Why.OVERLAP)))
    if now - newest > dt.timedelta(minutes=rules.catch_up) and not overlapped:
        return Reckoned((*skipped, (newest, Why.MISSED)))
    return Reckoned(tuple(skipped), newest)


def _why(moment: dt.datetime, busy: Sequence[Busy]) -> Why:
    return Why.OVERLAP if any(each.covers(moment) for each in busy) else Why.MISSED


@dataclass(frozen=True)
class Fire:
    """A Schedule has started a workflow. `version` is the task's when the Schedule was written.

    `process.subject` names the task; of a run that the rows started (`planned` is None then) it names the run.
    """

    process: Process
    workflow_id: str
    now: dt.datetime
    planned: dt.datetime | None = None
    version: int = 0


@dataclass(frozen=True)
class RunLook:
    """What the workflow reads from the rows. `run` empty: this time needs no run, and the workflow ends."""

    run: str = ""
    state: RunState = RunState.SKIPPED
    channel: Channel = Channel.SMS
    planned: dt.datetime | None = None
    paused: bool = False
    """The task is: an open run begins nothing new."""
    wakes_at: dt.datetime | None = None
    """When to look again if nothing happens."""
    reason: str = ""
    listed: int = 0
    accepted: int = 0
    refused: int = 0

    @property
    def is_over(self) -> bool:
        return self.state in RUN_OVER


@dataclass(frozen=True)
class RunStep:
    """An activity's input: which run, the workflow's own id, its time."""

    process: Process
    run: str
    workflow_id: str
    now: dt.datetime


@dataclass(frozen=True)
class RunOrder:
    """The update `decide`: what a person says to an open run."""

    decision: Decision


@dataclass(frozen=True)
class RunOrderStep:
    step: RunStep
    decision: Decision


@dataclass(frozen=True)
class OrderResult:
    """`refusal` is a code of `domain.refusals`; empty: it was done."""

    state: str
    refusal: str = ""
    text: str = ""


@dataclass(frozen=True)
class RunCounts:
    """How far a run has come. `refused_by`: numbers by the code of their refusal."""

    listed: int = 0
    accepted: int = 0
    refused: int = 0
    refused_by: dict[str, int] = field(default_factory=dict)
    submissions: tuple[UUID, ...] = ()
