"""Contents are loaded and compiled once, whoever asks; a message gives the same bytes whenever it is rendered."""

import asyncio
import datetime as dt
from dataclasses import replace
from uuid import UUID

import pytest

from activities import rendering
from activities.rendering import Renderer
from domain.ids import new_id
from domain.reviews import ReviewState
from domain.senders import SendKind
from domain.verp import Use, make_token
from store.contents import SubmissionContent
from store.db import Database
from store.pages import PageMessage
from store.templates import TemplateVersion
from tests.sending_world import VAULT, Customer, make_customer, submit

TRACKING = "https://track.test"


def renderer(db: Database) -> Renderer:
    return Renderer(db, VAULT, "bounce.test", TRACKING, "https://songda.test")


def message(submission: UUID, account: UUID, ordinal: int = 0) -> PageMessage:
    expires = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    return PageMessage(7, submission, account, ordinal, "a@qq.com", {"name": "World"}, 0, 0, False, expires)


async def later_version(db: Database, customer: Customer) -> UUID:
    version = new_id()
    async with db.begin() as session:
        first = await session.get(TemplateVersion, customer.version)
        assert first is not None
        session.add(
            TemplateVersion(
                id=version, template_id=first.template_id, account_id=customer.account, number=2, subject="second",
                html="<p>Second %name%</p>", text="", variables=["name"], state=ReviewState.APPROVED.value,
            )
        )  # fmt: skip
    return version


async def test_a_content_is_loaded_once_whoever_asks_at_once(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    customer = await make_customer(db)
    sent = await submit(db, customer, ["a@qq.com"])
    loads = []
    load = rendering.load_content

    async def counted(*arguments: object) -> SubmissionContent:
        loads.append(arguments)
        return await load(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(rendering, "load_content", counted)
    ours = renderer(db)
    contents = await asyncio.gather(*(ours.content(sent.submission_id) for _ in range(20)))
    assert len(loads) == 1 and all(content is contents[0] for content in contents)
    await renderer(db).content(sent.submission_id)
    assert len(loads) == 2


async def test_another_version_is_another_mail_of_the_same_message(db: Database) -> None:
    customer = await make_customer(db)
    sent = await submit(db, customer, ["a@qq.com"])
    second = await later_version(db, customer)
    ours, one = renderer(db), message(sent.submission_id, customer.account)
    mails = [ours.render(one, await ours.content(sent.submission_id, version)) for version in (None, second, None)]
    assert mails[0] == mails[2] != mails[1]
    assert b"\r\nSubject: second\r\n" in mails[1].data and b"\r\nSubject: second\r\n" not in mails[0].data
    ids = [mail.data.partition(b"Message-ID: ")[2].partition(b"\r\n")[0] for mail in mails]
    token = make_token(VAULT.verp_key, one.id, Use.MESSAGE_ID)
    assert ids[0] == ids[1] == f"<{sent.submission_id.hex}.0.{token}@{customer.domain_name}>".encode()


async def test_another_process_makes_the_same_bytes(db: Database) -> None:
    customer = await make_customer(db, kind=SendKind.BATCH)
    sent = await submit(db, customer, ["a@qq.com"])
    one = message(sent.submission_id, customer.account)
    mails = []
    for each in (renderer(db), renderer(db)):
        mails.append(each.render(one, await each.content(sent.submission_id)))
    assert mails[0] == mails[1]
    assert f"List-Unsubscribe: <{TRACKING}/t/u/".encode() in mails[0].data
    assert mails[0].envelope_from == f"b+{make_token(VAULT.verp_key, 7)}@bounce.test"


async def test_a_content_that_was_put_out_of_memory_is_still_rendered(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendering, "CONTENTS_KEPT", 2)
    customer = await make_customer(db)
    sent = [await submit(db, customer, ["a@qq.com"]) for _ in range(4)]
    ours = renderer(db)
    contents = [await ours.content(each.submission_id) for each in sent]
    assert len(ours._kept) == 2
    first = ours.render(message(sent[0].submission_id, customer.account), contents[0])
    assert sent[0].submission_id.hex.encode() in first.data
    assert len(ours._kept) == 2


async def test_large_contents_are_few(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "LARGE", 1)  # compiled in a thread
    monkeypatch.setattr(rendering, "CHARACTERS_KEPT", 80)
    customer = await make_customer(db)
    sent = [await submit(db, customer, ["a@qq.com"]) for _ in range(5)]
    ours = renderer(db)
    for each in sent:
        await ours.content(each.submission_id)
    assert 1 <= len(ours._kept) < 4
    assert ours._size == sum(kept.size for kept in ours._kept.values()) <= 80


async def test_a_content_no_mail_can_be_made_of_says_so_for_each_message(db: Database) -> None:
    customer = await make_customer(db)
    sent = await submit(db, customer, ["a@qq.com"])
    ours = renderer(db)
    content = await ours.content(sent.submission_id)
    broken = replace(content, reply_to="a@x.test\r\nBcc: v@x.test")
    for _ in range(2):
        with pytest.raises(ValueError, match="address"):
            ours.render(message(sent.submission_id, customer.account), broken)
    assert ours.render(message(sent.submission_id, customer.account), content)
