"""What `/v1/scheduled-tasks` takes and gives."""

import datetime as dt
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.paging import NextCursor
from domain.cadences import DEFAULT_ZONE, Cadence, Repeat, Upcoming, read_moment
from domain.campaigns import MAX_LISTS
from domain.channels import Channel
from domain.errors import Refusal
from domain.refusals import REFUSALS, explain
from domain.scheduled_tasks import (
    CATCH_UP,
    LATE,
    MAX_REASON,
    Decision,
    MailContent,
    Misfire,
    NewTask,
    Overlap,
    Rules,
    RunState,
    SmsContent,
    TaskState,
)
from services.scheduled_tasks import TaskView, Values
from store.columns import now

TASK_ID, RUN_ID = "0192f0d1-2a4b-7c3d-8e9f-0a1b2c3d4e5f", "0192f0d2-2a4b-7c3d-8e9f-0a1b2c3d4e5f"
_MOMENT, _LATER = "2026-12-02T01:00:00Z", "2026-12-03T01:00:00Z"
_CLOCK = r"^([01]\d|2[0-3]):[0-5]\d$"
_SMS: dict[str, Any] = {"sms_user": "shop_sms", "template": "1001", "contact_list": "1001", "label": "autumn"}
_SCHEDULE: dict[str, Any] = {"repeat": "weekly", "time": "09:30", "weekdays": [1, 4], "time_zone": DEFAULT_ZONE}
_EXAMPLE: dict[str, Any] = {"name": "Monday reminder", "sms": _SMS, "schedule": _SCHEDULE}
_EDIT = _EXAMPLE | {"version": 1}


class SmsIn(BaseModel):
    """An SMS template to a contact list; the values of its variables come from the contacts."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_SMS]})
    sms_user: str = Field(max_length=64)
    template: str = Field(max_length=64, description="Number, id or name; its newest approved version at the time.")
    contact_list: str = Field(max_length=100, description="Id, number or name.")
    label: str = Field("", max_length=64)
    tag: str = Field("", max_length=128, description="Yours; webhooks repeat it.")


class EmailIn(BaseModel):
    """A campaign, made anew each time: see `POST /v1/campaigns`."""

    model_config = ConfigDict(extra="forbid")
    api_user: str = Field(max_length=64, examples=["shop_batch"])
    template: str = Field(max_length=64, examples=["autumn_sale"])
    sender: str = Field(alias="from", max_length=320, examples=["news@mail.example.com"])
    lists: list[Annotated[str, Field(max_length=320)]] = Field(
        description=f"Ids or alias addresses, at most {MAX_LISTS}.", examples=[["vip@lists.songda.example"]]
    )
    from_name: str = Field("", examples=["Example Shop"])
    reply_to: str = Field("", max_length=320, examples=["service@example.com"])
    label: str = Field("", examples=["autumn-2026"])


class ScheduleIn(BaseModel):
    """When: once `at` a time, or daily, weekly or monthly at `time`, or by five `cron` fields (at most hourly)."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_SCHEDULE]})
    repeat: Repeat
    time_zone: str = Field(DEFAULT_ZONE, max_length=60, description="IANA name.")
    at: str = Field("", max_length=40, description="RFC 3339, or a local time of the zone: 2026-12-31 09:00.")
    time: Annotated[str, Field(pattern=_CLOCK)] | None = None
    weekdays: list[int] = Field(default_factory=list, max_length=7, description="1 Monday to 7 Sunday.")
    days: list[int] = Field(default_factory=list, max_length=31, description="Days of the month.")
    cron: str = Field("", max_length=200, examples=["30 9 * * 1-5"])
    starts_at: str = Field("", max_length=40)
    ends_at: str = Field("", max_length=40)

    def cadence(self) -> Cadence:
        """Raises `Refusal` for a time that does not exist, or exists twice."""
        moments = {
            name: read_moment(text, self.time_zone, name) if (text := getattr(self, name)) else None
            for name in ("at", "starts_at", "ends_at")
        }
        time = dt.time.fromisoformat(self.time) if self.time else None
        return Cadence(
            self.repeat, self.time_zone, moments["at"], time, tuple(self.weekdays), tuple(self.days), self.cron,
            moments["starts_at"], moments["ends_at"],
        )  # fmt: skip


class RulesIn(BaseModel):
    """What happens besides the plain case."""

    model_config = ConfigDict(extra="forbid")
    overlap: Overlap = Field(
        Overlap.BUFFER_ONE, description="A run's time comes while an earlier one is open: wait (one), or be skipped."
    )
    catch_up_minutes: int = Field(CATCH_UP, description="After a longer outage a time is not made up for (10 to 1440).")
    late_minutes: int = Field(LATE, description="A run that would begin later than this is late.")
    if_late: Misfire = Field(Misfire.ASK, description="ask waits for a person's decision for 24 hours.")

    def rules(self) -> Rules:
        return Rules(self.overlap, self.catch_up_minutes, self.late_minutes, self.if_late)


class TaskIn(BaseModel):
    """A scheduled task: either `sms` or `email`, and when."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})
    name: str = Field(max_length=1000)
    sms: SmsIn | None = None
    email: EmailIn | None = None
    schedule: ScheduleIn
    rules: RulesIn = Field(default_factory=RulesIn)

    def asked(self, key: str | None = None) -> NewTask:
        """As the services understand it. Raises `Refusal`."""
        return NewTask(self.name, self._content(), self.schedule.cadence(), self.rules.rules(), key)

    def _content(self) -> SmsContent | MailContent:
        if (self.sms is None) == (self.email is None):
            raise Refusal("task_content", field="sms")
        if self.sms is not None:
            return SmsContent(**self.sms.model_dump())
        mail = self.email
        assert mail is not None  # noqa: S101 - one of both
        return MailContent(
            mail.api_user, mail.template, mail.sender, tuple(mail.lists), mail.from_name, mail.reply_to, mail.label
        )


class TaskEdit(TaskIn):
    """The whole task as it shall be; `version` is the one that was read."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EDIT]})
    version: int = Field(ge=1, le=2**31 - 1)


class PauseIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    reason: str = Field(
        "", max_length=2_000, description=f"For your colleagues, up to {MAX_REASON} characters.",
        examples=["stock-taking"],
    )  # fmt: skip


class DecideIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    decision: Decision = Field(description="send: send a late run, go on with a blocked one. skip: nothing (more).")


class TaskCreated(BaseModel):
    """Durable; its Schedule in Temporal follows within about a second."""

    id: UUID = Field(examples=[TASK_ID])
    number: int = Field(examples=[1001])
    repeated: bool = Field(description="The answer to an earlier request with the same Idempotency-Key.")
    url: str = Field(examples=[f"/v1/scheduled-tasks/{TASK_ID}"])


class PreviewOut(BaseModel):
    """The next times, and the days on which a clock change leaves the time out."""

    times: list[dt.datetime] = Field(examples=[[_MOMENT, _LATER]])
    left_out: list[dt.date] = Field(examples=[[]])

    @classmethod
    def of(cls, found: Upcoming) -> "PreviewOut":
        return cls(times=list(found.times), left_out=list(found.left_out))


class WhyOut(BaseModel):
    """A code, and for refusals what to do."""

    code: str = Field(examples=["balance_insufficient"])
    detail: str = Field(examples=["The balance does not suffice: ¥45.00 are needed, ¥12.00 available."])
    next_step: str = Field(examples=["Recharge, then resume."])

    @classmethod
    def of(cls, code: str, params: dict[str, Any], language: str) -> "WhyOut | None":
        if not code:
            return None
        if code not in REFUSALS:
            return cls(code=code, detail="", next_step="")
        _, detail, step = explain(Refusal(code, **params), language)
        return cls(code=code, detail=detail, next_step=step)


class RunOut(BaseModel):
    """One time of the task. A run is over when everything was accepted; messages are in the submissions, a mail's in
    its campaign."""

    id: UUID = Field(examples=[RUN_ID])
    planned_at: dt.datetime = Field(examples=[_MOMENT])
    by_hand: bool
    state: RunState
    reason: WhyOut | None
    recorded_at: dt.datetime = Field(examples=[_MOMENT])
    started_at: dt.datetime | None = Field(examples=[_MOMENT])
    expires_at: dt.datetime | None = Field(description="Until when it can be decided.", examples=[None])
    ended_at: dt.datetime | None = Field(examples=[_MOMENT])
    sends_at: dt.datetime | None = Field(description="Marketing outside its hours: when they begin.", examples=[None])
    listed: int = Field(description="Contacts gone through.", examples=[1200])
    accepted: int = Field(examples=[1190])
    refused: int = Field(examples=[10])
    refused_by: dict[str, int] = Field(examples=[{"sms_opted_out": 10}])
    submissions: list[UUID] = Field(examples=[[]])
    campaign_id: UUID | None = Field(examples=[None])
    decided_by: str = Field(examples=[""])

    @classmethod
    def of(cls, run: Values, language: str) -> "RunOut":
        reason = WhyOut.of(run["reason"], run["reason_params"], language)
        return cls(**{name: run[name] for name in cls.model_fields if name != "reason"}, reason=reason)


class RunPage(BaseModel):
    items: list[RunOut]
    next_cursor: NextCursor = None


class TaskOut(BaseModel):
    id: UUID = Field(examples=[TASK_ID])
    number: int = Field(examples=[1001])
    name: str = Field(examples=["Monday reminder"])
    channel: Channel
    content: dict[str, Any] = Field(examples=[_SMS])
    schedule: dict[str, Any] = Field(examples=[_SCHEDULE])
    rules: RulesIn
    state: TaskState
    reason: str = Field(description="Why it is paused, in your words; `temporal-ui`: by an operator.", examples=[""])
    problem: WhyOut | None = Field(description="What a person must mend.")
    version: int = Field(examples=[1])
    next_times: list[dt.datetime] = Field(examples=[[_MOMENT, _LATER]])
    run: RunOut | None = Field(description="The open or the newest one.")
    created_at: dt.datetime = Field(examples=[_MOMENT])
    schedule_id: str = Field(description="In Temporal, for support.", examples=[f"schedule/{TASK_ID}"])

    @classmethod
    def of(cls, view: TaskView, language: str) -> "TaskOut":
        row, rules = view.row, view.rules
        is_problem = view.state is TaskState.NEEDS_HUMAN
        return cls(
            **{name: row[name] for name in ("id", "number", "name", "channel", "content", "version", "created_at")},
            schedule=shown_schedule(view.cadence), state=view.state,
            rules=RulesIn(
                overlap=rules.overlap, catch_up_minutes=rules.catch_up, late_minutes=rules.late, if_late=rules.misfire
            ),
            reason="" if is_problem else row["reason"],
            problem=WhyOut.of(row["reason"], row["reason_params"], language) if is_problem else None,
            next_times=list(view.upcoming(now()).times),
            run=RunOut.of(view.run, language) if view.run else None, schedule_id=f"schedule/{view.id}",
        )  # fmt: skip


class TaskPage(BaseModel):
    items: list[TaskOut]
    next_cursor: NextCursor = None


def shown_schedule(cadence: Cadence) -> dict[str, Any]:
    """As `ScheduleIn` takes it, without what is empty."""
    known: dict[str, Any] = {
        "repeat": cadence.repeat.value, "time_zone": cadence.zone, "at": cadence.at and cadence.at.isoformat(),
        "time": cadence.time and cadence.time.isoformat("minutes"), "weekdays": list(cadence.weekdays),
        "days": list(cadence.days), "cron": cadence.cron,
        "starts_at": cadence.starts_at and cadence.starts_at.isoformat(),
        "ends_at": cadence.ends_at and cadence.ends_at.isoformat(),
    }  # fmt: skip
    return {name: value for name, value in known.items() if value}
