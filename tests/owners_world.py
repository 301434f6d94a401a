"""Two accounts in the middle of their work: of all that a call can need, only whose it is can be missing."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from domain.accounts import SignedIn
from domain.certification import CertificationKind, Part
from domain.ids import new_id
from domain.members import Role
from services.catalog import build_services
from store.papers import new_key
from tests.accounts_world import HERE, PASSWORD
from tests.certification_world import PERSON
from tests.paper_samples import picture
from tests.pay_world import unasked
from tests.route_cases import BEFORE
from tests.route_table import Call
from tests.schedules_two import with_tasks
from tests.sms_proofs_two import with_proof
from tests.sms_two_world import names_of, with_sms
from tests.tenants_world import Two, left_out, with_members

LETTER = {"subject": "Hello %name%", "html": "<p>Dear %name%</p>", "kind": "trigger"}
OF_LISTS = ("list_id", "import_id", "address")
IN_TEXTS = ("api_user", "template", "domain", "batch_user", "batch_template", "sms_user", "sms_template")
OF_SMS = (
    "sms_user_id", "sms_signature_id", "sms_template_id", "sms_id", "sms_message_id", "contact_list_id", "contact_id",
    "contact_import_id", "sms_interception_id", "sms_reply_id", "sms_opt_out_id", "sms_unblock_id",
    "task_id", "run_id",
)  # fmt: skip
"""Objects that bodies name by their names."""


@dataclass
class Owners:
    """`two`, and the way back to how they were."""

    two: Two
    papers: dict[str, bytes] = field(default_factory=dict)
    """Bytes of the papers, which are not in the database."""

    async def ready(self, call: Call) -> None:
        """So that the owner's call would succeed."""
        if change := BEFORE.get(call.key):
            await self.two.home.db.pool.execute(change)

    async def restore(self) -> None:
        """Everything as `grown` left it."""
        await self.two.standing.restore()
        for key, data in self.papers.items():
            await self.put(key, data)

    async def keep(self) -> None:
        """What `restore` puts back."""
        await self.two.standing.keep()
        papers = self.two.home.base.papers
        assert papers is not None
        stored = "SELECT storage_key FROM document UNION SELECT storage_key FROM sms_paper"
        for (key,) in await self.two.home.db.pool.fetch(stored):
            self.papers[key] = await papers.get(key)

    async def put(self, key: str, data: bytes) -> None:
        papers = self.two.home.base.papers
        assert papers is not None
        await papers.put(key, data)


async def grown(two: Two, folder: Path) -> Owners:
    """Both with a usable domain, an API user and an approved template, a colleague and a complete application."""
    made = Owners(two)
    _can_be_paid(two, folder)
    hers, two.his = await _works(made, two.alice), await _works(made, two.bob)
    two.words = {name: hers[name] for name in IN_TEXTS}
    for name in hers.keys() - two.words.keys():
        known = [each for each in two.hers.get(name, []) if each != hers[name]]
        two.hers[name] = [hers[name], *known]
    await made.keep()
    return made


def _can_be_paid(two: Two, folder: Path) -> None:
    two.home.app.state.services = build_services(replace(two.home.base, pay_desk=unasked(folder)))


async def _works(made: Owners, who: SignedIn) -> dict[str, str]:
    """Their objects, by the names that paths and bodies use."""
    two, pool, word = made.two, made.two.home.db.pool, f"of_{who.caller.account_id.hex[:12]}"
    domain = await two.made(who, "/v1/domains", {"name": f"{word.replace('_', '-')}.example"})
    await pool.execute("UPDATE sender_domain SET state = 'usable' WHERE id::text = $1", domain["id"])
    user = await two.made(who, "/v1/api-users", {"name": word, "kind": "trigger", "domain_ids": [domain["id"]]})
    template = await two.made(who, "/v1/templates", LETTER | {"invoke_name": word, "name": word})
    batch = await _batch(two, who, word, domain["id"])
    await pool.execute(
        "UPDATE template_version SET state = 'approved' WHERE template_id::text = ANY($1)",
        [template["id"], batch["id"]],
    )
    application, paper = await _applied(made, who)
    # Hers are there already: of two lists, each import would be in one, and not be found in the other.
    members = two.hers if who is two.alice else await with_members(two, who)
    texted = two.hers if who is two.alice else await _texts(two, who)
    own = {name: members[name][0] for name in OF_LISTS} | {name: texted[name][0] for name in OF_SMS}
    return own | await names_of(two.home.db, texted) | {
        "domain": domain["name"], "domain_id": domain["id"], "api_user": word, "api_user_id": user["id"],
        "batch_user": f"batch_{word[3:]}", "batch_template": f"batch_{word[3:]}",
        "template": word, "member_id": str(await _colleague(two, who)),
        "certification_id": str(application), "document_id": str(paper),
        "suppression_id": two.hers["suppression_id"][0] if who is two.alice else await left_out(two, who),
    }  # fmt: skip


async def _batch(two: Two, who: SignedIn, word: str, domain_id: str) -> dict[str, Any]:
    """An API user of kind batch, and the template that it may send (given back). Neither is named like the others."""
    name = f"batch_{word[3:]}"
    await two.made(who, "/v1/api-users", {"name": name, "kind": "batch", "domain_ids": [domain_id]})
    return await two.made(who, "/v1/templates", LETTER | {"invoke_name": name, "name": name, "kind": "batch"})


async def _texts(two: Two, who: SignedIn) -> dict[str, list[str]]:
    """His: hers are there already."""
    made = await with_sms(two.home.db, who.caller.account_id, "Customers", "+8613800138002")
    made |= await with_tasks(two.home.db, who.caller.account_id, "Customers")
    await with_proof(two.home.db, two.home.base.papers, made["sms_signature_id"][0])
    return made


async def _colleague(two: Two, who: SignedIn) -> UUID:
    """Somebody who accepted an invitation."""
    address = f"colleague@{who.caller.account_id.hex}.example"
    view = await two.home.services.members.invite(who.caller, address, Role.ADMIN.value)
    await two.home.services.members.accept((await two.home.mails(address))[-1].token, PASSWORD, HERE)
    return view.id


async def _applied(made: Owners, who: SignedIn) -> tuple[UUID, UUID]:
    """A draft that can be submitted as it is, and one of its papers."""
    service, caller = made.two.home.services.certifications, who.caller
    drafts = await service.page(caller, None, 1)
    draft = drafts[0] if drafts else await service.create(caller, CertificationKind.INDIVIDUAL, {})
    view = await service.change(caller, draft.row.id, PERSON)
    papers = [await _paper(made, who, draft.row.id, part) for part in view.missing]
    return draft.row.id, papers[0]


async def _paper(made: Owners, who: SignedIn, application: UUID, part: Part) -> UUID:
    """As the upload leaves it, whose own tests are elsewhere."""
    key, data, identifier = new_key(), picture("PNG"), new_id()
    await made.two.home.db.pool.execute(
        "INSERT INTO document (id, account_id, certification_id, part, storage_key, media_type, size, sha256,"
        " created_at) VALUES ($1, $2, $3, $4, $5, 'image/png', $6, $7, now())",
        *(identifier, who.caller.account_id, application, part.value, key, len(data), b"-"),
    )
    await made.put(key, data)
    return identifier
