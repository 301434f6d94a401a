"""Certification over /v1: the contract, what is masked, what is refused, how a paper is served."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from domain.reviews import Decision
from store.db import Database
from tests.accounts_world import House, house
from tests.certification_world import COMPANY, PERSON, SECRETS, WHY, Applicant, at_the_door
from tests.paper_samples import GIF_SCRIPT, archive, noise, pdf, picture

PATH = "/v1/certifications"


@pytest.fixture
async def home(db: Database) -> House:
    return await house(db)


@pytest.fixture
async def door(home: House) -> AsyncIterator[tuple[httpx2.AsyncClient, Applicant]]:
    signed = await home.member()
    async with home.browser(authorization=f"Bearer {signed.token}") as client:
        yield client, at_the_door(home, signed)


async def uploaded(client: httpx2.AsyncClient, place: str, part: str, data: bytes, name: str = "x.png") -> Any:
    files = {"file": (name, data, "image/png")}
    return await client.post(f"{place}/documents", data={"part": part}, files=files)


async def complete(client: httpx2.AsyncClient) -> str:
    """The path of a complete draft."""
    made = await client.post(PATH, json={"kind": "individual", **PERSON})
    assert made.status_code == 201, made.text
    for part in ("id_front", "id_back", "icp_screenshot"):
        assert (await uploaded(client, made.headers["location"], part, picture())).status_code == 201
    return str(made.headers["location"])


async def test_from_a_draft_to_a_corrected_draft(door: tuple[httpx2.AsyncClient, Applicant]) -> None:
    client, alice = door
    place = await complete(client)
    changed = (await client.patch(place, json={"valid_until": "2099-01-01", "website": "shop.example.com"})).json()
    assert changed["parts"]["website"] == "https://shop.example.com"
    assert (changed["missing"], changed["warnings"], changed["valid_until"]) == ([], [], "2099-01-01")
    sent = await client.post(f"{place}/submit")
    assert (sent.status_code, sent.json()["state"]) == (202, "submitted")
    assert sent.json()["workflow_id"] == f"certification-review/{sent.json()['id']}"
    assert sent.json()["due_at"] > sent.json()["submitted_at"]
    view = (await alice.service.page(alice.caller, None, 1))[0]
    await alice.is_decided(view, Decision.REJECT, "See below.", id_front="Too dark.")
    told = (await client.get(place)).json()
    assert (told["state"], told["reason"], told["part_reasons"]) == (
        "rejected",
        "See below.",
        {"id_front": "Too dark."},
    )
    draft = await client.post(f"{place}/correct")
    assert (draft.status_code, draft.json()["missing"], draft.json()["corrects"]) == (201, ["id_front"], told["id"])
    listed = (await client.get(PATH)).json()["items"]
    assert [each["number"] for each in listed] == [2, 1]
    assert (await client.post(f"{draft.headers['location']}/withdraw")).json()["state"] == "withdrawn"
    everything = str([changed, sent.json(), told, draft.json(), listed])
    assert not any(secret in everything for secret in SECRETS)
    assert "1101**********002X" in everything


async def test_an_exception_is_marked(door: tuple[httpx2.AsyncClient, Applicant]) -> None:
    client, _ = door
    parts = {**COMPANY, "website": "", "icp_number": "", "no_website_reason": WHY}
    made = (await client.post(PATH, json={"kind": "enterprise", **parts})).json()
    assert (made["exception"], made["missing"]) == (True, ["licence"])


async def test_refusals_name_the_part_and_the_next_step(door: tuple[httpx2.AsyncClient, Applicant]) -> None:
    client, _ = door
    wrong = await client.post(PATH, json={"kind": "individual", "id_number": "110105194912310021"})
    assert (wrong.status_code, wrong.json()["code"], wrong.json()["field"]) == (
        422,
        "id_number_check_digit",
        "id_number",
    )
    assert wrong.json()["next_step"]
    assert "110105194912310021" not in wrong.text
    unknown = await client.post(PATH, json={"kind": "individual", "uscc": COMPANY["uscc"]})
    assert unknown.json()["code"] == "certification_unknown_part"
    place = (await client.post(PATH, json={"kind": "individual"})).headers["location"]
    lacking = await client.post(f"{place}/submit")
    assert (lacking.json()["code"], lacking.json()["field"]) == ("certification_incomplete", "name")
    assert (await client.post(PATH, json={"kind": "enterprise"})).json()["code"] == "certification_draft_exists"


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 422, "paper_empty"),
        (GIF_SCRIPT, 422, "paper_bad_type"),
        (noise() + archive(), 422, "paper_polyglot"),
        (noise()[:-400], 422, "paper_damaged"),
        (b"\xff\xd8\xff" + b"\0" * (10 * 2**20), 413, "paper_too_large"),
    ],
    ids=["empty", "gif and script", "jpeg and zip", "truncated", "large"],
)
async def test_bad_uploads(door: tuple[httpx2.AsyncClient, Applicant], data: bytes, status: int, code: str) -> None:
    client, _ = door
    place = (await client.post(PATH, json={"kind": "individual"})).headers["location"]
    answer = await uploaded(client, place, "id_front", data)
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (status, code, "file")
    assert (await client.get(place)).json()["documents"] == []


async def test_a_huge_upload_is_refused_while_it_arrives(door: tuple[httpx2.AsyncClient, Applicant]) -> None:
    client, _ = door
    place = (await client.post(PATH, json={"kind": "individual"})).headers["location"]
    answer = await uploaded(client, place, "id_front", b"\xff\xd8\xff" + b"\0" * (13 * 2**20))
    assert (answer.status_code, answer.json()["code"]) == (413, "http_error")


async def test_a_paper_is_a_download_that_can_do_nothing(door: tuple[httpx2.AsyncClient, Applicant]) -> None:
    client, alice = door
    place = (await client.post(PATH, json={"kind": "enterprise"})).headers["location"]
    kept = (await uploaded(client, place, "licence", pdf(), "<b>.html")).json()
    assert (kept["part"], kept["media_type"]) == ("licence", "application/pdf")
    answer = await client.get(f"{place}/documents/{kept['id']}")
    assert answer.content.startswith(b"%PDF")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == f'attachment; filename="licence-{kept["id"][-8:]}.pdf"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert len(await alice.audit("certification.paper_viewed")) == 1
    assert (await client.delete(f"{place}/documents/{kept['id']}")).status_code == 204
    assert (await client.get(f"{place}/documents/{kept['id']}")).status_code == 404
