"""A campaign as pages and callers see it: its row, its counts, its cost, what recipients did with its mails."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from domain.campaigns import CampaignCounts
from domain.errors import Refusal
from domain.ids import Kind, workflow_id
from domain.tracking import Act
from store import campaign_read, engagement
from store.campaign_read import CampaignRow
from store.db import Session
from store.engagement import Count


def nothing_done() -> dict[Act, Count]:
    """No recipient has done anything."""
    return dict.fromkeys(Act, Count())


@dataclass(frozen=True)
class CampaignView:
    """A campaign and how far it has come; `charged_micro` is its cost so far, in micro-yuan."""

    row: CampaignRow
    counts: CampaignCounts
    charged_micro: int = 0
    engagement: Mapping[Act, Count] = field(default_factory=nothing_done)
    """What recipients did with the mails."""

    @property
    def workflow_id(self) -> str:
        return workflow_id(Kind.CAMPAIGN, self.row.id)

    @property
    def problem(self) -> Refusal | None:
        """What keeps it from beginning."""
        return Refusal(self.row.problem, **self.row.problem_params) if self.row.problem else None

    @property
    def left_out(self) -> int:
        """Members that get no mail."""
        return self.row.duplicates + self.row.suppressed + self.row.incomplete

    @property
    def waiting(self) -> int:
        """Messages without a final outcome."""
        return max(0, self.counts.recipients - self.counts.settled)


async def read(session: Session, account: UUID, campaign: UUID) -> CampaignView | None:
    """All of it but the engagement, in a few queries whose cost does not grow with the recipients."""
    row = await campaign_read.find(session, account, campaign)
    if row is None:
        return None
    counted = await campaign_read.counts(session, campaign)
    return CampaignView(row, counted, await campaign_read.charged_micro(session, campaign))


async def engaged(session: Session, account: UUID, campaign: UUID) -> Mapping[Act, Count]:
    """Opens, clicks, unsubscriptions: reads every act, so not for every second."""
    return (await engagement.counts(session, account, [campaign]))[campaign]
