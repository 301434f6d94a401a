"""What `/v1/campaigns` takes and gives."""

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.paging import NextCursor
from api.v1.sends_models import Engaged
from domain.campaigns import LIVES_HOURS, MAX_LISTS, CampaignState, DailyHours, LaneCount, NewCampaign
from domain.lanes import lane_title
from domain.money import plain_unit
from domain.refusals import explain
from domain.tracking import Act
from services.campaign_view import CampaignView
from store.campaign_read import CampaignRow, RevisionRow

CAMPAIGN_ID = "0192f0c1-2a4b-7c3d-8e9f-0a1b2c3d4e5f"
_LIST_ID = "0192f0c0-11aa-7b3d-8e9f-0a1b2c3d4e5f"
_MOMENT, _LATER = "2026-11-23T08:00:00Z", "2026-11-23T08:25:00Z"
_CLOCK = r"^([01]\d|2[0-3]):[0-5]\d$"
_EXAMPLE: dict[str, Any] = {
    "name": "Autumn sale",
    "api_user": "shop_batch",
    "template": "autumn_sale",
    "from": "news@mail.example.com",
    "from_name": "Example Shop",
    "reply_to": "service@example.com",
    "label": "autumn-2026",
    "lists": [_LIST_ID, "vip@lists.songda.example"],
    "start_at": "2026-11-23T10:00:00+08:00",
    "hours": {"from": "09:00", "to": "18:00"},
    "lives_hours": 72,
}

Clock = Annotated[str, Field(pattern=_CLOCK)]


class HoursIn(BaseModel):
    """Asia/Shanghai; `to` before `from` goes over midnight."""

    model_config = ConfigDict(extra="forbid")
    since: Clock = Field(alias="from", examples=["09:00"])
    until: Clock = Field(alias="to", examples=["18:00"])

    def hours(self) -> DailyHours:
        return DailyHours(dt.time.fromisoformat(self.since), dt.time.fromisoformat(self.until))


class CampaignIn(BaseModel):
    """A campaign: one template to everybody in some address lists."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})
    name: str = Field(max_length=1000, description="For you; recipients do not see it.")
    api_user: str = Field("", max_length=64, description="Of kind batch. Defaults to the key's own API user.")
    template: str = Field(max_length=64, description="Invoke name of a template of kind batch.")
    sender: str = Field(alias="from", max_length=320, description="A usable domain bound to the API user.")
    from_name: str = ""
    reply_to: str = Field("", max_length=320)
    label: str = ""
    lists: list[Annotated[str, Field(max_length=320)]] = Field(
        description=f"Ids or alias addresses, at most {MAX_LISTS}. Who is in several gets one mail, with the variables"
        " of the first."
    )
    start_at: AwareDatetime | None = Field(None, description="null: now.")
    hours: HoursIn | None = Field(None, description="Send inside these hours of each day only.")
    lives_hours: int = Field(
        LIVES_HOURS, description="From the start of sending: what is still deferred then is given up (1 to 168)."
    )

    def asked(self, key: str | None) -> NewCampaign:
        """As the services understand it."""
        return NewCampaign(
            self.name, self.api_user, self.template, self.sender, tuple(self.lists), self.from_name, self.reply_to,
            self.label, self.start_at, self.hours.hours() if self.hours else None, self.lives_hours, key,
        )  # fmt: skip


class ReviseIn(BaseModel):
    """Which content the unsent messages get."""

    model_config = ConfigDict(extra="forbid")
    version: int | None = Field(
        None, ge=1, le=2**31 - 1, description="An approved version of the template; null: the newest.", examples=[4]
    )


class CampaignCreated(BaseModel):
    """The campaign is durable: it starts at its time, or at once."""

    id: UUID = Field(examples=[CAMPAIGN_ID])
    repeated: bool = Field(description="The answer to an earlier request with the same Idempotency-Key.")
    url: str = Field(examples=[f"/v1/campaigns/{CAMPAIGN_ID}"])


class ListOut(BaseModel):
    """An address list of the campaign."""

    id: UUID = Field(examples=[_LIST_ID])
    alias: str = Field(examples=["vip@lists.songda.example"])
    name: str = Field(examples=["Regular customers"])
    deleted: bool = Field(description="Since the campaign was made.")


class HoursOut(BaseModel):
    """Asia/Shanghai."""

    model_config = ConfigDict(serialize_by_alias=True)
    since: str = Field(serialization_alias="from", examples=["09:00"])
    until: str = Field(serialization_alias="to", examples=["18:00"])


class CampaignProblem(BaseModel):
    """Why it cannot begin; `resume` tries again once that is solved."""

    code: str = Field(examples=["balance_insufficient"])
    detail: str = Field(examples=["The balance does not suffice: ¥45.00 are needed, ¥12.00 available."])
    next_step: str = Field(examples=["Recharge, then resume the campaign."])


class CountsOut(BaseModel):
    """Messages by outcome; `waiting` have no final one yet, and `deferred` of those were tried."""

    recipients: int = Field(examples=[10000])
    delivered: int = Field(examples=[9120])
    bounced: int = Field(examples=[40])
    dropped: int = Field(description="Given up, or cancelled.", examples=[0])
    unknown: int = Field(examples=[1])
    waiting: int = Field(examples=[839])
    deferred: int = Field(examples=[36])


class LeftOut(BaseModel):
    """Members of the lists that get no mail."""

    duplicates: int = Field(description="In several of the lists.", examples=[12])
    suppressed: int = Field(description="Not to be written to.", examples=[7])
    suppressed_by: dict[str, int] = Field(
        description="The same by reason: `complaint`, `unsubscribe`, `manual`, `dead`.",
        examples=[{"unsubscribe": 5, "dead": 2}],
    )
    incomplete: int = Field(description="Without a variable that the template needs.", examples=[3])


class LaneOut(BaseModel):
    """How far it is with one mailbox provider."""

    lane: str = Field(examples=["qq"])
    title: str = Field(examples=["QQ Mail, Tencent Exmail"])
    recipients: int = Field(examples=[5000])
    delivered: int = Field(examples=[4600])
    bounced: int = Field(examples=[20])
    dropped: int = Field(examples=[0])
    deferred: int = Field(examples=[30])

    @classmethod
    def of(cls, lane: LaneCount, language: str) -> "LaneOut":
        return cls(title=lane_title(lane.lane, language), **vars(lane))


class CostOut(BaseModel):
    """What it has cost so far."""

    currency: str = Field(examples=["CNY"])
    charged: str = Field(description="Yuan.", examples=["41.04"])
    charged_micro: int = Field(description="Micro-yuan.", examples=[41040000])


class Links(BaseModel):
    """Where more is told."""

    revisions: str = Field(examples=[f"/v1/campaigns/{CAMPAIGN_ID}/revisions"])
    events: str = Field(examples=[f"/v1/campaigns/{CAMPAIGN_ID}/events"])
    messages: str | None = Field(
        description="Once its lists were copied.", examples=[f"/v1/campaigns/{CAMPAIGN_ID}/messages"]
    )
    export: str | None = Field(examples=[f"/v1/campaigns/{CAMPAIGN_ID}/messages.csv"])


class CampaignOut(BaseModel):
    """One campaign."""

    model_config = ConfigDict(serialize_by_alias=True)

    id: UUID = Field(examples=[CAMPAIGN_ID])
    name: str = Field(examples=["Autumn sale"])
    state: CampaignState = Field(
        description="`scheduled` waits for its time; `preparing` copies the lists; `blocked` cannot begin, see"
        " `problem`; `cancelling` drops what is unsent; `finished` and `cancelled` are the end.",
        examples=["sending"],
    )
    problem: CampaignProblem | None = None
    api_user: str = Field(examples=["shop_batch"])
    template: str = Field(examples=["autumn_sale"])
    template_version: int = Field(description="What is unsent gets this one.", examples=[3])
    revision: int = Field(description="How often the content was revised.", examples=[0])
    sender: str = Field(serialization_alias="from", examples=["news@mail.example.com"])
    from_name: str = Field(examples=["Example Shop"])
    reply_to: str = Field(examples=["service@example.com"])
    label: str = Field(examples=["autumn-2026"])
    lists: list[ListOut]
    start_at: dt.datetime | None = Field(examples=[_MOMENT])
    hours: HoursOut | None
    lives_hours: int = Field(examples=[72])
    created_at: dt.datetime = Field(examples=[_MOMENT])
    began_at: dt.datetime | None = Field(description="When money and quota were held for it.", examples=[_MOMENT])
    expires_at: dt.datetime | None = Field(
        description="Until then deferred messages are tried again.", examples=["2026-11-26T08:00:00Z"]
    )
    finished_at: dt.datetime | None = Field(examples=[_LATER])
    members: int = Field(description="Members of the lists that were looked at.", examples=[10022])
    left_out: LeftOut
    counts: CountsOut
    progress: float = Field(description="Share of messages with a final outcome, 0 to 1.", examples=[0.9161])

    @classmethod
    def of(cls, view: CampaignView, language: str) -> "CampaignOut":
        return cls.model_validate(_summary(view, language))


class CampaignDetail(CampaignOut):
    """One campaign, with how fast it is and what came of it."""

    rate: float = Field(description="Messages settled a second, over the last minute.", examples=[41.7])
    expected_end: dt.datetime | None = Field(
        description="Of the first round, at this rate; deferred messages may take longer.", examples=[_LATER]
    )
    lanes: list[LaneOut] = Field(description="By mailbox provider, most recipients first.")
    cost: CostOut
    opens: Engaged = Field(description="As far as mailboxes show pictures; 0 where the API user does not track opens.")
    clicks: Engaged
    unsubscribes: Engaged
    complaints: Engaged = Field(description="Reported as spam, as far as providers tell.")
    links: Links

    @classmethod
    def of(cls, view: CampaignView, language: str) -> "CampaignDetail":
        counts, done = view.counts, view.engagement
        return cls.model_validate(
            _summary(view, language)
            | {
                "rate": round(counts.rate, 2),
                "expected_end": counts.ends_at,
                "lanes": [LaneOut.of(lane, language) for lane in counts.lanes],
                "cost": _cost(view.charged_micro),
                "opens": Engaged.of(done[Act.OPEN]),
                "clicks": Engaged.of(done[Act.CLICK]),
                "unsubscribes": Engaged.of(done[Act.UNSUBSCRIBE]),
                "complaints": Engaged.of(done[Act.COMPLAINT]),
                "links": _links(view.row),
            }
        )


class CampaignPage(BaseModel):
    items: list[CampaignOut]
    next_cursor: NextCursor = None


class RevisionOut(BaseModel):
    """A content that the campaign had; number 0 is the first."""

    number: int = Field(examples=[1])
    template_version: int = Field(examples=[4])
    created_at: dt.datetime = Field(examples=[_MOMENT])
    sent: int = Field(description="Messages whose last try carried it.", examples=[3120])

    @classmethod
    def of(cls, row: RevisionRow) -> "RevisionOut":
        return cls.model_validate(vars(row))


class RevisionList(BaseModel):
    items: list[RevisionOut]


def _summary(view: CampaignView, language: str) -> dict[str, Any]:
    row, counts = view.row, view.counts
    return {
        **{name: getattr(row, name) for name in _SAME},
        "from_name": row.sender_name,
        "problem": _problem(view, language),
        "lists": [vars(one) for one in row.lists],
        "hours": _hours(row),
        "began_at": row.held_at,
        "expires_at": row.expires_at if row.held_at else None,
        "members": row.listed,
        "left_out": LeftOut(
            duplicates=row.duplicates,
            suppressed=row.suppressed,
            suppressed_by=row.suppressed_by,
            incomplete=row.incomplete,
        ),
        "counts": {name: getattr(counts, name) for name in _COUNTED} | {"waiting": view.waiting},
        "progress": round(counts.settled / counts.recipients, 4) if counts.recipients else float(row.is_over),
    }


_SAME = (
    "id", "name", "state", "api_user", "template", "template_version", "revision", "sender", "reply_to", "label",
    "start_at", "lives_hours", "created_at", "finished_at",
)  # fmt: skip
_COUNTED = ("recipients", "delivered", "bounced", "dropped", "unknown", "deferred")


def _problem(view: CampaignView, language: str) -> CampaignProblem | None:
    if view.problem is None:
        return None
    _, detail, step = explain(view.problem, language)
    return CampaignProblem(code=view.problem.code, detail=detail, next_step=step)


def _hours(row: CampaignRow) -> HoursOut | None:
    if row.hours_from is None or row.hours_to is None:
        return None
    return HoursOut(since=f"{row.hours_from:%H:%M}", until=f"{row.hours_to:%H:%M}")


def _cost(micro: int) -> CostOut:
    return CostOut(currency="CNY", charged=plain_unit(micro), charged_micro=micro)


def _links(row: CampaignRow) -> Mapping[str, str | None]:
    here = f"/v1/campaigns/{row.id}"
    return {
        "revisions": f"{here}/revisions",
        "events": f"{here}/events",
        "messages": f"{here}/messages" if row.recipients else None,
        "export": f"{here}/messages.csv" if row.recipients else None,
    }
