"""The proofs of signatures for the tests that ask of every route whose it is."""

from typing import Any
from uuid import UUID

from domain.ids import new_id
from store.db import Database
from store.papers import PaperStore, new_key
from tests.paper_samples import picture
from tests.sms_two_world import SMS_OPEN

_DRAFT = "UPDATE sms_signature SET state = 'draft'"
_VERSION_DRAFT = "UPDATE sms_template_version SET state = 'draft'"
_TEXT = {"text": "新的签名", "market": "domestic", "source": "company"}
_TEMPLATE = {"name": "new one", "kind": "notice", "signature": "{sms_signature_id}", "content": "您好，已发货。"}
PROOF = {"file": ("x.png", picture("PNG"), "image/png")}
Key = tuple[str, str]
BODIES: dict[Key, dict[str, Any]] = {
    ("PATCH", "/v1/sms-users/{sms_user_id}"): {"json": {"enabled": False}},
    ("POST", "/portal/sms-users/{sms_user_id}/change"): {"data": {"enabled": "false"}},
    ("PUT", "/v1/sms-signatures/{sms_signature_id}"): {"json": _TEXT},
    ("PUT", "/v1/sms-signatures/{sms_signature_id}/proof"): {"files": PROOF},
    ("POST", "/portal/sms-signatures/{sms_signature_id}/edit"): {"data": _TEXT},
    ("PUT", "/v1/sms-templates/{sms_template_id}"): {"json": _TEMPLATE},
    ("POST", "/v1/sms-templates/{sms_template_id}/preview"): {"json": {"values": {}}},
    ("POST", "/portal/sms-templates/{sms_template_id}/edit"): {"data": _TEMPLATE},
}
_TAKEN_UP = "UPDATE sms_signature SET state = 'submitted', submitted_at = now(), review_id = gen_random_uuid()"
_VERSION_TAKEN_UP = "UPDATE sms_template_version SET state = 'submitted', submitted_at = now()"
_UNUSED = "UPDATE sms_template SET deleted_at = now()"
BEFORE: dict[Key, str] = {
    ("POST", "/v1/sms-users"): SMS_OPEN,
    ("POST", "/portal/sms-users"): SMS_OPEN,
    ("PUT", "/v1/sms-signatures/{sms_signature_id}"): _DRAFT,
    ("PUT", "/v1/sms-signatures/{sms_signature_id}/proof"): _DRAFT,
    ("DELETE", "/v1/sms-signatures/{sms_signature_id}/proof"): _DRAFT,
    ("POST", "/portal/sms-signatures/{sms_signature_id}/edit"): _DRAFT,
    ("POST", "/v1/sms-signatures/{sms_signature_id}/submit"): f"{SMS_OPEN}; {_DRAFT}",
    ("POST", "/portal/sms-signatures/{sms_signature_id}/submit"): f"{SMS_OPEN}; {_DRAFT}",
    ("POST", "/v1/sms-signatures/{sms_signature_id}/withdraw"): _TAKEN_UP,
    ("POST", "/portal/sms-signatures/{sms_signature_id}/withdraw"): _TAKEN_UP,
    ("DELETE", "/v1/sms-signatures/{sms_signature_id}"): _UNUSED,
    ("POST", "/portal/sms-signatures/{sms_signature_id}/delete"): _UNUSED,
    ("POST", "/v1/sms-templates/{sms_template_id}/submit"): f"{SMS_OPEN}; {_VERSION_DRAFT}",
    ("POST", "/portal/sms-templates/{sms_template_id}/submit"): f"{SMS_OPEN}; {_VERSION_DRAFT}",
    ("POST", "/v1/sms-templates/{sms_template_id}/withdraw"): _VERSION_TAKEN_UP,
    ("POST", "/portal/sms-templates/{sms_template_id}/withdraw"): _VERSION_TAKEN_UP,
}
OWN: dict[Key, tuple[dict[str, Any], int, int]] = {
    ("POST", "/v1/sms-users"): ({"json": {"name": "bobs_texts"}}, 201, 201),
    ("POST", "/portal/sms-users"): ({"data": {"name": "bobs_other_texts"}}, 303, 303),
    ("POST", "/v1/sms-signatures"): ({"json": _TEXT}, 201, 201),
    ("POST", "/portal/sms-signatures"): ({"data": _TEXT}, 303, 303),
    ("POST", "/v1/sms-templates"): ({"json": _TEMPLATE}, 201, 404),
    ("POST", "/portal/sms-templates"): ({"data": _TEMPLATE}, 303, 404),
    # Another's signature is none: what is previewed has no signature then.
    ("POST", "/v1/sms-templates/preview"): ({"json": _TEMPLATE}, 200, 200),
    ("POST", "/portal/sms-templates/preview"): ({"data": _TEMPLATE}, 200, 200),
}
QUERIES = {
    "/v1/sms-users": "?cursor={sms_user_id}",
    "/portal/sms-users": "?after={sms_user_id}",
    "/v1/sms-signatures": "?cursor={sms_signature_id}",
    "/portal/sms-signatures": "?after={sms_signature_id}",
    "/v1/sms-templates": "?cursor={sms_template_id}",
    "/portal/sms-templates": "?after={sms_template_id}",
}


async def with_proof(db: Database, papers: PaperStore | None, signature: str) -> None:
    """A proof of this signature, as its upload leaves it."""
    assert papers is not None
    key, paper, data = new_key(), new_id(), picture("PNG")
    await db.pool.execute(
        "INSERT INTO sms_paper (id, account_id, signature_id, storage_key, media_type, size, created_at)"
        " SELECT $1, account_id, id, $3, 'image/png', $4, now() FROM sms_signature WHERE id = $2",
        *(paper, UUID(signature), key, len(data)),
    )
    await db.pool.execute("UPDATE sms_signature SET paper_id = $1 WHERE id = $2", paper, UUID(signature))
    await papers.put(key, data)
