"""Campaigns: what they are, when they may send, and what can be asked of them (design §4.3, seed 2.3, 3.4)."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from domain.errors import Refusal
from domain.ids import Process
from domain.times import SHANGHAI
from domain.whole_text import UNSTORABLE

MAX_LISTS = 20
MAX_NAME = 100
MAX_AHEAD = dt.timedelta(days=366)
LIVES_HOURS = 72
"""From the start of sending until what is still deferred is given up, unless the customer says otherwise."""
LEAST_LIFE_HOURS, MOST_LIFE_HOURS = 1, 168
LEAST_HOURS_A_DAY = dt.timedelta(minutes=30)
RUNNERS = 8
"""Activities of one campaign that send at once, over all its lanes; each lane has at least one."""


class CampaignState(StrEnum):
    SCHEDULED = "scheduled"
    """Waits for its time."""
    PREPARING = "preparing"
    """The lists are being copied, then money and quota are held."""
    SENDING = "sending"
    PAUSED = "paused"
    BLOCKED = "blocked"
    """It cannot begin as things are: `problem` says why; resume tries again."""
    CANCELLING = "cancelling"
    """What is unsent is being dropped."""
    FINISHED = "finished"
    CANCELLED = "cancelled"


OVER = frozenset({CampaignState.FINISHED, CampaignState.CANCELLED})


class Command(StrEnum):
    """What customers and operators can ask of a campaign."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    REVISE = "revise"


_PAUSABLE = frozenset({CampaignState.SCHEDULED, CampaignState.PREPARING, CampaignState.SENDING})
_RESUMABLE = frozenset({CampaignState.PAUSED, CampaignState.BLOCKED})
_ENDED = frozenset({*OVER, CampaignState.CANCELLING})
ALLOWED: dict[Command, frozenset[CampaignState]] = {
    Command.PAUSE: _PAUSABLE,
    Command.RESUME: _RESUMABLE,
    Command.CANCEL: frozenset(CampaignState) - _ENDED,
    Command.REVISE: frozenset(CampaignState) - _ENDED,
}


def require_allowed(command: Command, state: str) -> None:
    """Raises the refusal `campaign_state` when a campaign in this state cannot do that."""
    if CampaignState(state) not in ALLOWED[command]:
        raise Refusal("campaign_state", command=command.value, state=state)


@dataclass(frozen=True)
class DailyHours:
    """Inside these hours of a day (Asia/Shanghai) a campaign sends; `until` before `since` goes over midnight.

    The same hour twice is the whole day.
    """

    since: dt.time
    until: dt.time

    def contains(self, at: dt.datetime) -> bool:
        if self.since == self.until:
            return True
        clock = at.astimezone(SHANGHAI).time()
        if self.since <= self.until:
            return self.since <= clock < self.until
        return clock >= self.since or clock < self.until

    def next_opening(self, at: dt.datetime) -> dt.datetime:
        """`at` itself inside the hours, else when they begin next."""
        if self.contains(at):
            return at
        local = at.astimezone(SHANGHAI)
        opening = dt.datetime.combine(local.date(), self.since, SHANGHAI)
        return opening if opening > local else opening + dt.timedelta(days=1)

    def length(self) -> dt.timedelta:
        """Of one day's stretch."""
        day = dt.date(2000, 1, 1)
        stretch = dt.datetime.combine(day, self.until) - dt.datetime.combine(day, self.since)
        return stretch if stretch > dt.timedelta() else stretch + dt.timedelta(days=1)


@dataclass(frozen=True)
class NewCampaign:
    """What a customer asks for. `lists` are ids or alias addresses; `start_at` None means now."""

    name: str
    api_user: str
    template: str
    sender: str
    lists: tuple[str, ...]
    sender_name: str = ""
    reply_to: str = ""
    label: str = ""
    start_at: dt.datetime | None = None
    hours: DailyHours | None = None
    lives_hours: int = LIVES_HOURS
    idempotency_key: str | None = None


def check_new(asked: NewCampaign, now: dt.datetime) -> None:
    """Raise the first refusal of what is wrong in itself, whatever the rows say."""
    if not asked.name.strip() or len(asked.name) > MAX_NAME or any(ord(c) < 32 for c in asked.name):
        raise Refusal("campaign_name", field="name", limit=MAX_NAME)
    _check_storable(asked)
    if not asked.lists:
        raise Refusal("campaign_no_lists", field="lists")
    if len(asked.lists) > MAX_LISTS:
        raise Refusal("campaign_too_many_lists", field="lists", limit=MAX_LISTS, asked=len(asked.lists))
    if not LEAST_LIFE_HOURS <= asked.lives_hours <= MOST_LIFE_HOURS:
        raise Refusal("campaign_life", field="lives_hours", least=LEAST_LIFE_HOURS, most=MOST_LIFE_HOURS)
    if asked.start_at is not None and asked.start_at > now + MAX_AHEAD:
        raise Refusal("campaign_too_far_ahead", field="start_at", days=MAX_AHEAD.days)
    if asked.hours is not None and asked.hours.length() < LEAST_HOURS_A_DAY:
        raise Refusal("campaign_hours_short", field="hours", minutes=LEAST_HOURS_A_DAY.seconds // 60)


FIELDS = {"sender": "from", "sender_name": "from_name", "idempotency_key": "Idempotency-Key"}
"""What callers call them."""
_WORDS = ("name", "api_user", "template", "sender", "sender_name", "reply_to", "label", "idempotency_key")


def _check_storable(asked: NewCampaign) -> None:
    """What no row can hold names nothing."""
    words = [(name, getattr(asked, name) or "") for name in _WORDS]
    words += [(f"lists[{place}]", alias) for place, alias in enumerate(asked.lists)]
    for name, word in words:
        if UNSTORABLE.search(word):
            raise Refusal("invalid", field=FIELDS.get(name, name), reason="It contains U+0000 or half a character.")


@dataclass(frozen=True)
class LaneWork:
    """One lane of a campaign, and how many runners may work on it at once.

    `waiting`: messages that wait there, now or for a later round. `begun`: runners whose page is open, and who must
    go on with it.
    """

    lane: str
    runners: int
    waiting: int = 0
    begun: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class LaneLeft:
    """What is left in a lane: messages that wait, and the runners whose page is open."""

    lane: str
    waiting: int
    begun: list[int]


def share_runners(lanes: Sequence[LaneLeft]) -> list[LaneWork]:
    """Runners by lane, in proportion to what waits there; at least one each."""
    total = max(1, sum(lane.waiting for lane in lanes))
    return [
        LaneWork(each.lane, max(1, round(RUNNERS * each.waiting / total)), each.waiting, each.begun) for each in lanes
    ]


@dataclass(frozen=True)
class CampaignLook:
    """What the workflow reads from the rows."""

    state: CampaignState
    start_at: dt.datetime | None = None
    rests_until: dt.datetime | None = None
    """Outside its daily hours: when they begin next."""
    lanes: list[LaneWork] = field(default_factory=list)
    """Where something is left to send, now or later."""
    problem: str = ""
    recipients: int = 0
    settled: int = 0
    revision: int = 0


@dataclass(frozen=True)
class CampaignLookRequest:
    process: Process
    now: dt.datetime


@dataclass(frozen=True)
class RunnerShare:
    """One runner of one lane."""

    process: Process
    lane: str
    runner: int


@dataclass(frozen=True)
class RunnerResult:
    """What became of one stretch of sending.

    `waits_seconds`: nothing can be sent before that; None: go on at once. `ready`: messages of the lane that are not
    in a page and could be sent now. `begun`: the lane's runners whose page is open. `stopped`: the campaign is no
    longer sending (paused, cancelled, outside its hours).
    """

    tried: int = 0
    delivered: int = 0
    waits_seconds: float | None = None
    ready: int = 0
    begun: list[int] = field(default_factory=list)
    over: bool = False
    """Nothing is left in the lane, now or later."""
    stopped: bool = False


@dataclass(frozen=True)
class CampaignStep:
    """An activity's input: which process, and the workflow's time."""

    process: Process
    now: dt.datetime


@dataclass(frozen=True)
class CampaignOrder:
    """An update of the workflow: what is asked. `version` is a template version's number, for revise."""

    version: int | None = None


@dataclass(frozen=True)
class CommandStep:
    process: Process
    command: Command
    version: int | None = None


@dataclass(frozen=True)
class CommandResult:
    """`refusal` is a code of `domain.refusals`; empty: it was done."""

    state: str
    refusal: str = ""
    text: str = ""


@dataclass(frozen=True)
class CampaignProgress:
    """The answer of the workflow's query `progress`: counts are as of its last look; rows know better."""

    state: CampaignState
    recipients: int
    settled: int
    revision: int
    rests_until: dt.datetime | None
    problem: str
    runners: int


@dataclass(frozen=True)
class LaneCount:
    """How far a campaign has come with one mailbox provider."""

    lane: str
    recipients: int
    delivered: int
    bounced: int
    dropped: int
    deferred: int


@dataclass(frozen=True)
class CampaignCounts:
    """How far a campaign has come. `rate` is messages settled per second lately; `ends_at` follows from it."""

    recipients: int = 0
    delivered: int = 0
    bounced: int = 0
    dropped: int = 0
    unknown: int = 0
    deferred: int = 0
    """Tried at least once, and waiting for the next try."""
    rate: float = 0.0
    ends_at: dt.datetime | None = None
    lanes: tuple[LaneCount, ...] = ()

    @property
    def settled(self) -> int:
        return self.delivered + self.bounced + self.dropped + self.unknown


@dataclass(frozen=True)
class CampaignNames:
    """Ids behind the names in a request."""

    api_user: UUID
    template: UUID
    version: UUID
    domain: UUID
    lists: tuple[UUID, ...]
