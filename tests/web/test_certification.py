"""/portal/certification in a browser's requests: the form, what it keeps, the review's words, downloads."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest

from domain.accounts import Role
from domain.certification import CertificationState
from domain.reviews import Decision
from store.db import Database
from tests.accounts_world import csrf_of, house, submit
from tests.certification_world import COMPANY, PERSON, SECRETS, WHY, Applicant, at_the_door
from tests.paper_samples import archive, noise, pdf, picture

HOME = "/portal/certification"


@dataclass
class Visitor:
    """A signed-in browser."""

    client: httpx2.AsyncClient
    alice: Applicant

    async def begins(self, kind: str = "individual") -> str:
        page = await submit(self.client, HOME, kind=kind)
        return str(page.url.path)

    async def sends(self, place: str, files: dict[str, bytes], step: str = "save", **values: str) -> httpx2.Response:
        token = csrf_of(await self.client.get(place))
        given = {name: (f"{name}.jpg", data, "image/jpeg") for name, data in files.items()}
        form = {"csrf_token": token, "site": "yes", "step": step, **values}
        return await self.client.post(place, data=form, files=given or {"none": ("", b"")})

    async def row_of(self, place: str) -> str:
        return (await self.alice.service.page(self.alice.caller, None, 1))[0].row.state


@pytest.fixture
async def visitor(db: Database) -> AsyncIterator[Visitor]:
    home = await house(db)
    signed = await home.member()
    async with home.browser(**{"accept-language": "en"}) as client:
        client.cookies.set("songda_session", signed.token)
        yield Visitor(client, at_the_door(home, signed))


def text_of(page: httpx2.Response) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.text).split())


CARD = {"id_front": noise(), "id_back": noise(), "icp_screenshot": picture("PNG")}


async def test_a_person_is_certified_by_one_form(visitor: Visitor) -> None:
    start = await visitor.client.get(HOME)
    assert "Begin the individual certification" in text_of(start)
    place = await visitor.begins()
    page = await visitor.sends(place, CARD, "submit", **PERSON)
    assert "Submitted for review." in text_of(page)
    assert "1101**********002X" in page.text
    assert not any(secret in page.text for secret in SECRETS)
    view = (await visitor.alice.service.page(visitor.alice.caller, None, 1))[0]
    assert view.state is CertificationState.SUBMITTED
    await visitor.alice.is_decided(view)
    assert "The certification is approved" in text_of(await visitor.client.get(place))
    over = await visitor.client.get(HOME)
    assert 'data-held="individual"' in over.text
    assert 'value="individual"' not in over.text, "held without end: nothing to begin"


async def test_what_was_right_is_kept_and_hidden_parts_stay_when_left_empty(visitor: Visitor) -> None:
    place = await visitor.begins("enterprise")
    page = await visitor.sends(place, {"licence": pdf()}, **COMPANY | {"icp_number": "nonsense"})
    assert page.status_code == 422
    assert "This is no ICP filing number." in text_of(page)
    assert 'value="nonsense"' in page.text
    page = await visitor.sends(place, {"licence": pdf()}, **COMPANY)
    assert "The draft is saved." in text_of(page)
    assert 'data-paper="licence"' in page.text
    assert "9111**********341L" in page.text
    assert not any(secret in page.text for secret in SECRETS)
    kept = {name: COMPANY[name] for name in ("name", "website", "icp_number", "valid_until")}
    await visitor.sends(place, {}, **kept, uscc="", contact_name="", id_number="")
    view = (await visitor.alice.service.page(visitor.alice.caller, None, 1))[0]
    assert [part.value for part in view.missing] == ["icp_screenshot"]


async def test_a_bad_file_is_told_at_its_field_and_the_rest_is_saved(visitor: Visitor) -> None:
    place = await visitor.begins()
    page = await visitor.sends(place, {"id_front": noise() + archive()}, **PERSON)
    assert page.status_code == 422
    assert re.search(r'id="e-id_front">The file is ZIP at the same time', page.text)
    view = (await visitor.alice.service.page(visitor.alice.caller, None, 1))[0]
    assert (view.documents, len(view.typed)) == ([], 5)


async def test_long_term_is_a_choice_and_an_empty_date_is_none(visitor: Visitor) -> None:
    place = await visitor.begins()
    page = await visitor.sends(place, CARD, "submit", **PERSON | {"valid_until": ""})
    assert page.status_code == 422
    assert "Still missing: Valid until" in text_of(page)
    assert chosen(page) is False
    page = await visitor.sends(place, {}, long_term="yes", **PERSON | {"valid_until": ""})
    assert chosen(page) is True
    page = await visitor.sends(place, {}, **PERSON | {"valid_until": "2001-01-01"})
    assert (page.status_code, chosen(page)) == (422, False), "what was typed now, not what is stored"
    assert "The document expired on 2001-01-01." in text_of(page)
    page = await visitor.sends(place, {}, "submit", long_term="yes", **PERSON | {"valid_until": "2001-01-01"})
    assert "Valid until Long-term, without end" in text_of(page)


def chosen(page: httpx2.Response) -> bool:
    (box,) = re.findall(r'<input[^>]* name="long_term"[^>]*>', page.text)
    return " checked" in box


async def test_without_a_website_the_other_side_is_taken_back(visitor: Visitor) -> None:
    place = await visitor.begins()
    await visitor.sends(place, {}, **PERSON)
    both = PERSON | {"site": "no", "no_website_reason": WHY}
    page = await visitor.sends(place, {key: CARD[key] for key in ("id_front", "id_back")}, "submit", **both)
    assert "Support decides on applications without a website." in text_of(page)
    view = (await visitor.alice.service.page(visitor.alice.caller, None, 1))[0]
    assert view.row.exception


async def test_an_incomplete_one_says_what_is_missing(visitor: Visitor) -> None:
    place = await visitor.begins()
    page = await visitor.sends(place, {}, "submit", name="张三丰")
    assert page.status_code == 422
    assert "Still missing: Identity number, Valid until, Identity card" in text_of(page)


async def test_a_rejection_is_shown_part_by_part_and_corrected(visitor: Visitor) -> None:
    place = await visitor.begins()
    await visitor.sends(place, CARD, "submit", **PERSON)
    view = (await visitor.alice.service.page(visitor.alice.caller, None, 1))[0]
    await visitor.alice.is_decided(view, Decision.REJECT, "Nearly.", id_front="Too dark <b>.")
    page = await visitor.client.get(place)
    assert "Too dark &lt;b&gt;." in page.text
    draft = await submit(visitor.client, f"{place}/correct", place)
    assert "What was not objected to is kept" in text_of(draft)
    assert "The reviewer: Too dark &lt;b&gt;." in draft.text
    assert 'data-paper="id_back"' in draft.text
    assert 'data-paper="id_front"' not in draft.text
    gone = await submit(visitor.client, f"{draft.url.path}/withdraw", str(draft.url.path))
    assert "This draft was dropped" in text_of(gone)
    again = await submit(visitor.client, f"{place}/withdraw", place)
    assert "cannot be withdrawn" in text_of(again)


async def test_a_paper_is_downloaded_and_deleted(visitor: Visitor) -> None:
    place = await visitor.begins()
    page = await visitor.sends(place, {"id_front": noise()}, name="张三丰")
    (link,) = re.findall(rf'href="({place}/documents/[^"]+)"', page.text)
    answer = await visitor.client.get(link)
    assert answer.headers["content-disposition"].startswith('attachment; filename="id_front-')
    assert "sandbox" in answer.headers["content-security-policy"]
    assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-store", "nosniff")
    page = await submit(visitor.client, f"{link}/delete", place)
    assert 'data-paper="id_front"' not in page.text
    assert (await visitor.client.get(link)).status_code == 404


async def test_a_viewer_finds_no_paper_and_no_button(visitor: Visitor) -> None:
    place = await visitor.begins()
    page = await visitor.sends(place, {"id_front": noise()}, name="张三丰")
    (link,) = re.findall(rf'href="({place}/documents/[^"]+)"', page.text)
    await visitor.alice.base.db.pool.execute("UPDATE member SET role = $1", Role.VIEWER.value)
    assert (await visitor.client.get(link)).status_code == 403
    assert (await visitor.sends(place, {}, name="王五")).status_code == 403
    assert re.search(r'name="step" value="submit" disabled', (await visitor.client.get(place)).text)
