"""What those who watch campaigns read (`services.live_feed`)."""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias
from uuid import UUID

from domain.tracking import Act
from services.campaign_view import CampaignView, engaged, read
from store.db import Database
from store.engagement import Count

COUNT_EVERY = 15.0
"""Seconds between two counts of opens and clicks, which read every one of them."""
Watched: TypeAlias = tuple[UUID, UUID]
"""Account and campaign."""


class WatchedCampaigns:
    """Reads campaigns; remembers how often the watched ones were opened and clicked."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._counted: dict[Watched, tuple[float, Mapping[Act, Count]]] = {}

    async def look(self, watched: frozenset[Watched]) -> dict[Watched, CampaignView]:
        """Those of them that there are."""
        self._counted = {each: counted for each, counted in self._counted.items() if each in watched}
        views = {each: await self._view(each) for each in watched}
        return {each: view for each, view in views.items() if view is not None}

    async def _view(self, watched: Watched) -> CampaignView | None:
        async with self._db.read() as session:
            view = await read(session, *watched)
            if view is None:
                return None
            at, counted = self._counted.get(watched, (0.0, {}))
            if not counted or view.row.is_over or time.monotonic() - at > COUNT_EVERY:
                counted = await engaged(session, *watched)
                self._counted[watched] = time.monotonic(), counted
        return replace(view, engagement=counted)
