"""The pages of sender domains and API users."""

import html
import re
from collections.abc import AsyncIterator

import pytest

from domain.domain_records import Finding, Hint
from domain.domains import DomainState, Purpose, RecordState
from domain.ids import new_id
from store.columns import now
from store.db import Database
from store.domains import write_findings
from tests.domain_doors import Doors, doors


@pytest.fixture
async def house(db: Database) -> AsyncIterator[Doors]:
    async with doors(db, "zh") as opened:
        yield opened


async def test_a_domain_is_added_and_its_records_shown(house: Doors) -> None:
    added = await house.post("/portal/domains", name="Mail.Shop.example")
    assert added.status_code == 303
    page = (await house.http.get(added.headers["location"])).text
    (row,) = await house.services.domains.page(house.owner)
    view = await house.services.domains.get(house.owner, row.id)
    text = html.unescape(page)
    for record in view.records:
        assert f'data-copy="{record.name}"' in text and f'data-copy="{record.expected}"' in text
    assert 'data-copy="_dmarc.mail"' in text  # as forms of DNS providers want it
    assert "等待解析" in text and view.workflow_id in text
    assert "mail.shop.example" in (await house.http.get("/portal/domains")).text


async def test_a_bad_name_is_answered_at_its_field(house: Doors) -> None:
    answer = await house.post("/portal/domains", name="com.cn")
    assert answer.status_code == 422
    assert 'value="com.cn"' in answer.text and "公共后缀" in answer.text and 'id="e-name"' in answer.text


async def test_what_was_found_is_shown_live_with_what_to_do(house: Doors) -> None:
    view = await house.services.domains.add(house.owner, "shop.example")
    found = Finding(Purpose.SPF, RecordState.WRONG, ("v=spf1 mx -all", "<script>"), Hint.INCLUDE_MISSING)
    async with house.db.begin() as session:
        await write_findings(session, view.row.id, [found], now())
    live = html.unescape((await house.http.get(f"/portal/domains/{view.row.id}/live")).text)
    assert "不一致" in live and "v=spf1 mx -all" in live
    assert 'data-copy="v=spf1 include:spf.songda.example mx -all"' in live
    raw = (await house.http.get(f"/portal/domains/{view.row.id}/live")).text
    assert "<script>" not in raw and "<html" not in raw


@pytest.mark.parametrize("state", [s for s in DomainState if s is not DomainState.DELETED])
@pytest.mark.parametrize("language", ["zh", "en"])
async def test_every_state_has_a_page(house: Doors, state: DomainState, language: str) -> None:
    domain = await house.usable()
    await house.state(domain, state, None if state is DomainState.USABLE else "dkim")
    for path in ("/portal/domains", f"/portal/domains/{domain}", "/portal/api-users"):
        page = await house.http.get(path, params={"lang": language})
        assert page.status_code == 200
        if language == "en":
            body = re.sub(r'lang="zh".*?</a>', "", page.text, flags=re.DOTALL)
            assert not re.findall(r"[\u4e00-\u9fff]+", body)


@pytest.mark.parametrize("hint", [h for h in Hint if h])
async def test_every_hint_has_words(house: Doors, hint: Hint) -> None:
    view = await house.services.domains.add(house.owner, "shop.example")
    async with house.db.begin() as session:
        await write_findings(session, view.row.id, [Finding(Purpose.SPF, RecordState.WRONG, (), hint)], now())
    assert (await house.http.get(f"/portal/domains/{view.row.id}")).status_code == 200


async def test_check_and_delete_say_how_it_went(house: Doors) -> None:
    view = await house.services.domains.add(house.owner, "shop.example")
    here = f"/portal/domains/{view.row.id}"
    for said in ("正在检查解析", "操作过于频繁"):
        assert (await house.post(f"{here}/check")).headers["location"] == here
        assert said in (await house.http.get(here)).text
    assert (await house.post(f"{here}/delete")).headers["location"] == "/portal/domains"
    assert (await house.http.get(here)).status_code == 404


async def test_an_api_user_shows_its_key_once(house: Doors) -> None:
    domain = await house.usable()
    made = await house.post("/portal/api-users", name="shop_1", kind="trigger", resend="on", domains=[str(domain)])
    assert made.status_code == 303
    once = await house.http.get(made.headers["location"])
    key = re.search(r'data-copy="(sk_[^"]+)"', once.text)
    assert once.status_code == 200 and once.headers["cache-control"] == "no-store" and key
    again = await house.http.get(made.headers["location"])
    assert again.status_code == 303 and again.headers["location"] == made.headers["location"].removesuffix("/key")
    (view,) = await house.services.senders.page(house.owner)
    assert view.row.resend_uncertain and [each.id for each in view.domains] == [domain]
    here = f"/portal/api-users/{view.row.id}"
    for path in ("/portal/api-users", here):
        page = await house.http.get(path)
        assert key[1] not in page.text and key[1][:10] in page.text
    reset = await house.http.get((await house.post(f"{here}/key")).headers["location"])
    assert "15 分钟" in reset.text and re.search(r'data-copy="sk_[^"]+"', reset.text)


async def test_an_api_user_is_changed_on_its_page(house: Doors) -> None:
    domain = await house.usable()
    await house.post("/portal/api-users", name="shop_1", kind="batch")
    (view,) = await house.services.senders.page(house.owner)
    here = f"/portal/api-users/{view.row.id}"
    await house.post(f"{here}/bind", domain=str(domain))
    await house.post(f"{here}/change", resend="on")
    view = await house.services.senders.get(house.owner, view.row.id)
    assert view.row.resend_uncertain and len(view.domains) == 1
    await house.post(f"{here}/unbind", domain=str(domain))
    await house.post(f"{here}/change", enabled="false")
    view = await house.services.senders.get(house.owner, view.row.id)
    assert view.row.resend_uncertain and view.row.disabled_at and not view.domains
    unknown = await house.post(f"{here}/bind", domain=str(new_id()))
    assert unknown.headers["location"] == here and "没有这个发信域名" in (await house.http.get(here)).text
    assert (await house.post(f"{here}/bind", domain="nonsense")).status_code == 404


async def test_tracking_is_switched_on_the_api_users_page(house: Doors) -> None:
    await house.post("/portal/api-users", name="shop_1", kind="batch")
    (view,) = await house.services.senders.page(house.owner)
    here = f"/portal/api-users/{view.row.id}"

    async def switched_on() -> list[str]:
        page = (await house.http.get(here)).text
        return re.findall(r'type="checkbox" name="(\w+)" checked', page)

    assert await switched_on() == ["track_clicks", "track_opens"]
    await house.post(f"{here}/change", track_clicks="on", resend="on")
    assert await switched_on() == ["resend", "track_clicks"]
    view = await house.services.senders.get(house.owner, view.row.id)
    assert (view.row.track_clicks, view.row.track_opens) == (True, False)


async def test_a_refused_api_user_keeps_what_was_typed(house: Doors) -> None:
    domain = await house.usable()
    await house.state(domain, DomainState.BROKEN, "spf")
    answer = await house.post("/portal/api-users", name="shop_1", kind="batch", domains=[str(domain)])
    assert answer.status_code >= 400 and "shop.example" in answer.text and 'value="shop_1"' in answer.text
    assert (await house.post("/portal/api-users", name="x", kind="batch")).status_code == 422
    assert (await house.post("/portal/api-users", name="shop_1", kind="")).status_code == 422
    assert await house.services.senders.page(house.owner) == []


async def test_others_see_nothing(house: Doors) -> None:
    for path in ("domains", "api-users"):
        assert (await house.http.get(f"/portal/{path}/{new_id()}")).status_code == 404
    house.http.cookies.clear()
    assert (await house.http.get("/portal/domains")).headers["location"].startswith("/login")
