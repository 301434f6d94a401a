"""`/v1/onboarding` over HTTP: once, and live by server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

import httpx2
import pytest

from domain.billing import RechargeState
from domain.certification import CertificationState
from domain.domains import DomainState, Purpose
from domain.reviews import ReviewState
from services.live_feed import LiveFeed
from services.onboarding import OnboardingGuide
from store.db import Database
from store.onboarding import Situation
from tests.accounts_world import BOB, House
from tests.onboarding_world import Traveller, client, travelling


@pytest.fixture
async def alice_and_house(db: Database) -> AsyncIterator[tuple[Traveller, House]]:
    async with travelling(db) as pair:
        yield pair


@pytest.fixture
def alice(alice_and_house: tuple[Traveller, House]) -> Traveller:
    return alice_and_house[0]


async def path(alice: Traveller, **headers: str) -> dict[str, Any]:
    async with client(alice, **headers) as http:
        answer = await http.get("/v1/onboarding")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_the_path_of_a_new_customer(alice: Traveller) -> None:
    found = await path(alice)
    assert found["workflow_id"] == f"onboarding/{alice.account}"
    assert found["stage"] == "domain"
    assert [(step["step"], step["state"]) for step in found["email"]] == [
        ("register", "done"),
        ("domain", "current"),
        ("api_user", "locked"),
        ("template", "available"),
        ("send", "locked"),
        ("certify", "available"),
        ("pay", "locked"),
    ]
    assert [(step["step"], step["state"]) for step in found["sms"]] == [
        ("sms_certify", "current"),
        ("sms_pay", "locked"),
        ("sms_user", "locked"),
        ("sms_template", "locked"),
        ("sms_send", "locked"),
    ]
    domain, api_user = found["email"][1], found["email"][2]
    assert domain["missing"] == {"code": "no_domain", "text": "There is no sender domain yet."}
    assert domain["link"] == "http://songda.test/portal/domains"
    assert (api_user["missing"], api_user["link"]) == (None, None)
    assert all(step["hints"] for step in found["email"] + found["sms"])


async def test_it_speaks_chinese_on_request(alice: Traveller) -> None:
    found = await path(alice, **{"accept-language": "zh-CN"})
    assert found["email"][1]["name"] == "配置发信域名"
    assert found["email"][1]["missing"]["text"] == "还没有发信域名。"


async def test_it_follows_the_rows_while_no_process_runs(alice: Traveller) -> None:
    domain = await alice.adds_domain()
    await alice.adds_api_user(domain)
    await alice.writes_template(ReviewState.SUBMITTED)
    found = await path(alice)
    assert (found["stage"], found["email"][3]["missing"]["code"]) == ("template", "template_in_review")
    assert found["recorded_stage"] == "register"
    await alice.domain_becomes(domain, DomainState.BROKEN)
    found = await path(alice)
    assert (found["stage"], found["email"][1]["missing"]["code"]) == ("domain", "domain_record_broken")
    await alice.domain_becomes(domain, DomainState.BROKEN, Purpose.SPF)
    broken = (await path(alice))["email"][1]
    assert "SPF record" in broken["missing"]["text"], "it names the record"
    assert broken["link"] == f"http://songda.test/portal/domains/{domain}"


async def test_both_tracks_to_their_ends(alice: Traveller) -> None:
    await alice.sends_first()
    application = await alice.applies(CertificationState.REJECTED)
    await alice.application_becomes(application, CertificationState.REJECTED, reason="The licence is blurred.")
    found = await path(alice)
    assert (found["stage"], found["sms_stage"]) == ("certify", "sms_certify")
    assert found["email"][5]["missing"] == {
        "code": "certification_rejected",
        "text": "The certification was rejected: The licence is blurred. Correct only those parts and submit it again.",
    }
    assert found["email"][5]["link"] == "http://songda.test/portal/certification"
    await alice.certifies(number=2)
    order = await alice.orders()
    found = await path(alice)
    assert (found["stage"], found["sms_stage"], found["email"][6]["missing"]["code"]) == (
        "pay", "sms_pay", "recharge_waits",
    )  # fmt: skip
    assert found["email"][6]["link"] == f"http://songda.test/portal/recharges/{order}"
    await alice.orders(RechargeState.CREDITED)
    found = await path(alice)
    assert (found["stage"], found["sms_stage"]) == ("done", "sms_user")
    assert (found["recorded_stage"], found["recorded_sms_stage"]) == ("register", "sms_certify"), "no process runs here"
    assert {step["state"] for step in found["email"]} == {"done"}
    assert [step["state"] for step in found["sms"]] == ["done", "done", "current", "locked", "locked"]


async def test_strangers_are_refused(alice: Traveller) -> None:
    async with httpx2.AsyncClient(base_url=alice.base, timeout=30) as http:
        for route in ("/v1/onboarding", "/v1/onboarding/events"):
            answer = await http.get(route)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


class Stream:
    """The events of one connection, as they come."""

    def __init__(self, answer: httpx2.Response) -> None:
        self._lines = answer.aiter_lines()

    async def next(self) -> tuple[dict[str, str], dict[str, Any]]:
        """(the fields of the next event, its data)."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(30):
            async for line in self._lines:
                if line and not line.startswith(":"):
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif fields:
                    return fields, json.loads(fields["data"])
        raise AssertionError("the stream ended")


async def test_events_tell_each_change(alice: Traveller) -> None:
    async with client(alice) as http, http.stream("GET", "/v1/onboarding/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        stream = Stream(answer)
        fields, first = await stream.next()
        assert (fields["event"], fields["retry"], first["stage"]) == ("path", "2000", "domain")
        domain = await alice.adds_domain(DomainState.PENDING)
        assert (await stream.next())[1]["email"][1]["missing"]["code"] == "domain_waits_for_dns"
        await alice.domain_becomes(domain, DomainState.USABLE)
        assert (await stream.next())[1]["stage"] == "api_user"
        await alice.domain_becomes(domain, DomainState.BROKEN)
        assert (await stream.next())[1]["stage"] == "domain"


def feed_of(house: House) -> LiveFeed[UUID, Situation]:
    guide: OnboardingGuide = house.services.onboarding
    return guide._feed


async def test_one_reader_serves_all_and_reads_only_who_listens(
    alice_and_house: tuple[Traveller, House], monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, made = alice_and_house
    bob = await made.member(BOB)
    feed, looks = feed_of(made), []
    look = feed._look

    async def counted(accounts: frozenset[UUID]) -> Mapping[UUID, Situation]:
        looks.append(accounts)
        return await look(accounts)

    monkeypatch.setattr(feed, "_look", counted)
    assert feed.followed == frozenset()
    async with client(alice) as http:
        async with (
            http.stream("GET", "/v1/onboarding/events") as one,
            http.stream("GET", "/v1/onboarding/events") as two,
        ):
            streams = Stream(one), Stream(two)
            for stream in streams:
                await stream.next()
            looks.clear()
            await alice.adds_domain()
            for stream in streams:
                assert (await stream.next())[1]["stage"] == "api_user"
            assert len(looks) <= 3, "two listeners, one reader"
            assert set(looks) == {frozenset({alice.account})}, "Bob is not listened to"
        async with asyncio.timeout(30):
            while feed.followed:
                await asyncio.sleep(0.05)
    assert bob.caller.account_id != alice.account
    async with asyncio.timeout(30):
        while feed._reader and not feed._reader.done():
            await asyncio.sleep(0.05)
    looks.clear()
    await asyncio.sleep(1.2)
    assert looks == [], "nobody listens, nobody reads"


async def test_the_stream_survives_a_database_that_is_away(
    alice_and_house: tuple[Traveller, House], monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, made = alice_and_house
    feed = feed_of(made)
    look, failures = feed._look, [OSError("refused"), OSError("refused")]

    async def shaky(accounts: frozenset[UUID]) -> Mapping[UUID, Situation]:
        if failures:
            raise failures.pop()
        return await look(accounts)

    monkeypatch.setattr(feed, "_look", shaky)
    async with client(alice) as http, http.stream("GET", "/v1/onboarding/events") as answer:
        assert (await Stream(answer).next())[1]["stage"] == "domain"
    assert failures == []


async def test_a_stream_ends_after_its_time(alice_and_house: tuple[Traveller, House]) -> None:
    """So that a revoked session stops listening."""
    alice, made = alice_and_house
    caller = await made.services.accounts.caller(alice.token)
    seen = [path async for path in made.services.onboarding.watch(caller, seconds=0.5)]
    assert [path.stage.value for path in seen] == ["domain"]
