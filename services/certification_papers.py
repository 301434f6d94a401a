"""The papers of applications: taken apart, kept under random keys, handed out, forgotten."""

import datetime as dt
import hashlib
from collections.abc import Sequence

from domain.certification import Part
from domain.errors import Refusal
from domain.papers import ENDINGS, PaperType
from services.certification_views import ShownPaper
from services.foundation import Foundation
from services.limits import Limit, Limits
from services.paper_process import PaperWorkshop
from store import certification as rows
from store.certification import Certification, Document
from store.columns import now
from store.papers import PaperStore, new_key

UPLOADS = Limit("paper-upload", 60, dt.timedelta(hours=1))
UNFINISHED = dt.timedelta(minutes=10)
"""A paper whose bytes did not arrive by then never will."""


class PaperShelf:
    """Rows before bytes when something comes, bytes before rows when it goes: so every file has a row."""

    def __init__(self, base: Foundation, limits: Limits, workshop: PaperWorkshop) -> None:
        self._base = base
        self._limits = limits
        self._workshop = workshop

    async def put(self, row: Certification, part: Part, data: bytes) -> Document:
        """Keep a file, not shown yet (`deleted_at` is set). Raises the refusals of `domain.papers.sanitise`."""
        papers = self._papers
        await self._limits.take((UPLOADS, str(row.account_id)))
        paper = await self._workshop.sanitise(data)
        document = Document(
            account_id=row.account_id, certification_id=row.id, part=part.value, storage_key=new_key(),
            media_type=paper.media_type.value, size=len(paper.data), sha256=hashlib.sha256(paper.data).digest(),
            deleted_at=now(),
        )  # fmt: skip
        async with self._base.db.begin() as session:
            session.add(document)
        await papers.put(document.storage_key, paper.data)
        return document

    async def get(self, row: Document) -> ShownPaper:
        """The bytes. Whoever calls has written down that they are seen."""
        media_type = PaperType(row.media_type)
        try:
            data = await self._papers.get(row.storage_key)
        except FileNotFoundError:
            raise Refusal("not_found", what="document") from None
        return ShownPaper(media_type, f"{row.part}-{row.id.hex[-8:]}.{ENDINGS[media_type]}", data)

    async def forget(self, papers: Sequence[Document]) -> None:
        """Delete bytes that no application keeps, then the rows; and the same for what was cut short earlier."""
        async with self._base.db.read() as session:
            left = await rows.leftovers(session, now() - UNFINISHED)
        for row in {each.id: each for each in (*papers, *left)}.values():
            async with self._base.db.begin() as session:
                if not await rows.is_shared(session, row):
                    await self._papers.delete(row.storage_key)
                await rows.erase(session, [row])

    @property
    def _papers(self) -> PaperStore:
        if self._base.papers is None:
            raise Refusal("papers_not_open")
        return self._base.papers
