"""Contact lists, files and the reading of imports, on a real database and a real folder of documents."""

from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

from temporalio.testing import ActivityEnvironment

from activities.list_import import ListImportActivities
from domain.accounts import Caller
from domain.audience import ImportOrder, ImportProgress, ListKind
from domain.ids import Kind, Process, new_id
from gateways.spreadsheets import Spreadsheets
from services.audience_import import ListImports, Upload
from services.contacts import Contacts
from services.foundation import Foundation
from store.audience_import import ListImport
from store.contacts import ContactList
from store.db import Database
from store.papers import PaperStore
from tests.audience_world import pieces
from tests.path_rows import Customer
from tests.sending_world import VAULT
from tests.sends_doors import foundation


@dataclass
class Mine:
    """One customer with contact lists, and the activities that read files into them."""

    db: Database
    base: Foundation
    caller: Caller
    activities: ListImportActivities

    @property
    def contacts(self) -> Contacts:
        return Contacts(self.base)

    @property
    def imports(self) -> ListImports:
        return ListImports(self.base, ListKind.CONTACTS)

    async def made(self, name: str = "Members") -> ContactList:
        return await self.contacts.create(self.caller, name)

    async def uploaded(self, list_id: UUID, data: bytes, filename: str = "list.csv") -> ListImport:
        return await self.imports.upload(self.caller, list_id, Upload(filename, pieces(data)))

    async def reads(self, row: ListImport, seconds: float = 30.0) -> ImportProgress:
        """One look at the file."""
        order = ImportOrder(Process(Kind.LIST_IMPORT, str(row.id), str(row.account_id), 1), seconds)
        progress: ImportProgress = await ActivityEnvironment().run(self.activities.read, order)
        return progress

    async def imported(self, list_id: UUID, data: bytes, filename: str = "list.csv") -> ListImport:
        """A file that was read to its end."""
        row = await self.uploaded(list_id, data, filename)
        await self.reads(row)
        return await self.imports.get(self.caller, list_id, row.id)

    async def members(self, list_id: UUID) -> dict[str, tuple[str, dict[str, str]]]:
        """Number → name and values."""
        found = (await self.contacts.contacts(self.caller, list_id, limit=20_000)).contacts
        return {each.phone: (each.user_name, each.variables) for each in found}

    async def counted(self, list_id: UUID) -> tuple[int, int]:
        """(what the list says, what is there)."""
        said = await self.db.pool.fetchval("SELECT members FROM contact_list WHERE id = $1", list_id)
        return said, await self.db.pool.fetchval("SELECT count(*) FROM contact WHERE list_id = $1", list_id)


async def contacts_of(db: Database, folder: Path, max_lines: int = 5_000_000) -> Mine:
    """A customer who may send, and no list yet."""
    customer = await Customer(db).registers()
    return mine_of(db, await foundation(db), Caller(customer.account, member_id=new_id()), folder, max_lines)


def mine_of(db: Database, base: Foundation, caller: Caller, folder: Path, max_lines: int = 5_000_000) -> Mine:
    """The same of a customer who is there already."""
    papers = PaperStore.open(folder.as_uri(), VAULT)
    activities = ListImportActivities(db, papers, Spreadsheets(), max_lines)
    return Mine(db, replace(base, papers=papers), caller, activities)


def numbers(count: int, first: int = 0) -> list[str]:
    """Numbers of mainland China."""
    return [f"138{n:08d}" for n in range(first, first + count)]


def csv_of(phones: list[str], code: str = "1") -> bytes:
    """A file of these numbers with a name and one variable."""
    return ("phone,userName,code\n" + "".join(f"{phone},李雷,{code}\n" for phone in phones)).encode()
