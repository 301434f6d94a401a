"""Lists, files and the reading of imports, on a real database and a real folder of documents."""

import contextlib
import io
import zipfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from temporalio.testing import ActivityEnvironment

from activities.list_import import ListImportActivities
from domain.accounts import Caller
from domain.audience import ImportOrder, ImportProgress
from domain.ids import Kind, Process, new_id
from gateways.spreadsheets import Spreadsheets
from services.audience import Audience
from services.audience_import import ListImports, Upload
from services.foundation import Foundation
from store.audience import AddressList
from store.audience_import import ListImport
from store.db import Database
from store.papers import PaperStore
from tests.path_rows import Customer
from tests.sending_world import VAULT
from tests.sends_doors import foundation


async def pieces(data: bytes, size: int = 60_000) -> AsyncIterator[bytes]:
    """Bytes as they arrive."""
    for at in range(0, len(data), size):
        yield data[at : at + size]


@dataclass
class Lists:
    """One customer with lists, and the activities that read files into them."""

    db: Database
    base: Foundation
    caller: Caller
    activities: ListImportActivities

    @property
    def audience(self) -> Audience:
        return Audience(self.base)

    @property
    def imports(self) -> ListImports:
        return ListImports(self.base)

    async def made(self, name: str = "Customers") -> AddressList:
        return await self.audience.create(self.caller, name)

    async def uploaded(self, list_id: UUID, data: bytes, filename: str = "list.csv") -> ListImport:
        return await self.imports.upload(self.caller, list_id, Upload(filename, pieces(data)))

    def process(self, row: ListImport) -> Process:
        return Process(Kind.LIST_IMPORT, str(row.id), str(row.account_id), 1)

    async def reads(self, row: ListImport, seconds: float = 30.0) -> ImportProgress:
        """One look at the file."""
        order = ImportOrder(self.process(row), seconds)
        progress: ImportProgress = await ActivityEnvironment().run(self.activities.read, order)
        return progress

    async def imported(self, list_id: UUID, data: bytes, filename: str = "list.csv") -> ListImport:
        """A file that was read to its end."""
        row = await self.uploaded(list_id, data, filename)
        await self.reads(row)
        return await self.imports.get(self.caller, list_id, row.id)

    async def members(self, list_id: UUID) -> dict[str, dict[str, str]]:
        """Address → variables."""
        found = await self.audience.members(self.caller, list_id, limit=10_000)
        return {each.address: each.variables for each in found.members}

    async def counted(self, list_id: UUID) -> tuple[int, int]:
        """(what the list says, what is there)."""
        said = await self.db.pool.fetchval("SELECT members FROM address_list WHERE id = $1", list_id)
        return said, await self.db.pool.fetchval("SELECT count(*) FROM list_member WHERE list_id = $1", list_id)


async def lists(db: Database, folder: Path, max_lines: int = 5_000_000) -> Lists:
    """A customer who may send, and no list yet."""
    customer = await Customer(db).registers()
    caller = Caller(customer.account, member_id=new_id())
    return lists_of(db, await foundation(db), caller, folder, max_lines)


def lists_of(db: Database, base: Foundation, caller: Caller, folder: Path, max_lines: int = 5_000_000) -> Lists:
    """The same of a customer who is there already."""
    papers = PaperStore.open(folder.as_uri(), VAULT)
    activities = ListImportActivities(db, papers, Spreadsheets(), max_lines)
    return Lists(db, replace(base, papers=papers), caller, activities)


def csv_of(addresses: Sequence[str], extra: str = "x") -> bytes:
    """A file of these addresses with one variable."""
    return ("email,name\n" + "".join(f"{address},{extra}\n" for address in addresses)).encode()


_NS = "http://schemas.openxmlformats.org"
_KIND = "application/vnd.openxmlformats"
_BOOK: dict[str, str] = {
    "[Content_Types].xml": f'''<Types xmlns="{_NS}/package/2006/content-types">
<Default Extension="rels" ContentType="{_KIND}-package.relationships+xml"/>
<Default Extension="xml" ContentType="application/xml"/>
<Override PartName="/xl/workbook.xml" ContentType="{_KIND}-officedocument.spreadsheetml.sheet.main+xml"/>
</Types>''',
    "_rels/.rels": f'''<Relationships xmlns="{_NS}/package/2006/relationships"><Relationship Id="r1"
Type="{_NS}/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>''',
    "xl/workbook.xml": f'''<workbook xmlns="{_NS}/spreadsheetml/2006/main"
xmlns:r="{_NS}/officeDocument/2006/relationships"><sheets>
<sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>''',
    "xl/_rels/workbook.xml.rels": f'''<Relationships xmlns="{_NS}/package/2006/relationships"><Relationship Id="r1"
Type="{_NS}/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>''',
}  # fmt: skip


def workbook(rows: Sequence[Sequence[str | float]]) -> bytes:
    """An Excel workbook of one sheet, written by hand (ECMA-376 part 1 §18.3)."""

    def cell(value: str | float, place: str) -> str:
        if isinstance(value, str):
            return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'
        return f'<c r="{place}"><v>{value}</v></c>'

    sheet = "".join(
        f'<row r="{at}">' + "".join(cell(value, f"{chr(65 + n)}{at}") for n, value in enumerate(row)) + "</row>"
        for at, row in enumerate(rows, 1)
        if row
    )
    parts = _BOOK | {
        "xl/worksheets/sheet1.xml":
        f'<worksheet xmlns="{_NS}/spreadsheetml/2006/main"><sheetData>{sheet}</sheetData></worksheet>'
    }  # fmt: skip
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return out.getvalue()


@contextlib.asynccontextmanager
async def frozen(db: Database, list_id: UUID) -> AsyncIterator[None]:
    """As a campaign does while it copies the list."""
    async with db.raw() as connection:
        await connection.execute("SELECT FROM address_list WHERE id = $1 FOR UPDATE", list_id)
        await connection.execute("INSERT INTO list_freeze (list_id, campaign_id) VALUES ($1, $2)", list_id, new_id())
    try:
        yield
    finally:
        await db.pool.execute("DELETE FROM list_freeze WHERE list_id = $1", list_id)
