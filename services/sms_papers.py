"""The proofs of signatures: taken apart, kept under random keys, handed out, forgotten; as the papers of certifications
are (`services/certification_papers.py`)."""

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

from domain.errors import Refusal
from domain.papers import ENDINGS, PaperType
from services.certification_views import ShownPaper
from services.foundation import Foundation
from services.limits import Limit, Limits
from services.paper_process import PaperWorkshop
from store import sms_signatures as rows
from store.columns import now
from store.papers import PaperStore, new_key
from store.sms_signatures import SmsPaper

UPLOADS = Limit("sms-paper-upload", 60, dt.timedelta(hours=1))
UNFINISHED = dt.timedelta(minutes=10)
"""A paper whose bytes did not arrive by then never will."""


class SmsPaperShelf:
    """Rows before bytes when something comes, bytes before rows when it goes: so every file has a row."""

    def __init__(self, base: Foundation, limits: Limits, workshop: PaperWorkshop) -> None:
        self._base = base
        self._limits = limits
        self._workshop = workshop

    async def put(self, account: UUID, signature: UUID, data: bytes) -> SmsPaper:
        """Keep a file, not shown yet (`deleted_at` is set). Raises the refusals of `domain.papers.sanitise`."""
        papers = self._papers
        await self._limits.take((UPLOADS, str(account)))
        paper = await self._workshop.sanitise(data)
        row = SmsPaper(
            account_id=account, signature_id=signature, storage_key=new_key(), media_type=paper.media_type.value,
            size=len(paper.data), deleted_at=now(),
        )  # fmt: skip
        async with self._base.db.begin() as session:
            session.add(row)
        await papers.put(row.storage_key, paper.data)
        return row

    async def get(self, row: SmsPaper) -> ShownPaper:
        """The bytes. Whoever calls has written down that they are seen."""
        media_type = PaperType(row.media_type)
        try:
            data = await self._papers.get(row.storage_key)
        except FileNotFoundError:
            raise Refusal("not_found", what="document") from None
        return ShownPaper(media_type, f"signature-{row.id.hex[-8:]}.{ENDINGS[media_type]}", data)

    async def forget(self, gone: Sequence[SmsPaper]) -> None:
        """Delete bytes, then the rows; and the same for what was cut short earlier."""
        async with self._base.db.read() as session:
            left = await rows.leftovers(session, now() - UNFINISHED)
        for row in {each.id: each for each in (*gone, *left)}.values():
            await self._papers.delete(row.storage_key)
            async with self._base.db.begin() as session:
                await rows.erase(session, [row])

    @property
    def _papers(self) -> PaperStore:
        if self._base.papers is None:
            raise Refusal("papers_not_open")
        return self._base.papers
