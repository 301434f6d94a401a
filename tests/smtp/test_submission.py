"""Submission as programs speak it: sign-in, replies in SendCloud's words, what becomes of a mail."""

import json
import smtplib
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from domain.sendcloud import submission_of
from domain.senders import SendKind
from smtp.submission import Login
from store.db import Database
from tests.submission_world import Talk, World, in_base64, submission


@pytest.fixture
async def world(db: Database, tmp_path: Path) -> AsyncIterator[World]:
    async with submission(db, tmp_path) as made:
        yield made


@pytest.fixture
async def plain(db: Database, tmp_path: Path) -> AsyncIterator[World]:
    """Where passwords are taken without TLS."""
    async with submission(db, tmp_path, plain_login=True) as made:
        yield made


def queued(reply: str) -> str:
    """The messageId, taken apart as SendCloud's samples do."""
    begin, name, end = reply.split("#")
    assert (begin, end) == ("250 ", "Queued")
    return name


async def test_a_mail_is_durable_when_its_id_is_said(world: World) -> None:
    reply = await world.send(world.mail())
    row = await world.db.pool.fetchrow("SELECT id, sender, label FROM submission")
    assert row is not None
    assert (submission_of(queued(reply)), row["sender"], row["label"]) == (row["id"], world.sender, "")
    assert await world.messages() == [("li.lei@qq.com", {"name": "李雷"})]
    assert await world.db.pool.fetchval("SELECT count(*) FROM due") == 1


async def test_the_dialogue_is_that_of_sendcloud(plain: World) -> None:
    async with plain.talk() as talk:
        said = (await talk.say("EHLO me")).split("\n")
        assert [line[4:] for line in said[1:]] == [
            "PIPELINING", "SIZE 16000000", "8BITMIME", "SMTPUTF8", "STARTTLS", "AUTH LOGIN PLAIN",
        ]  # fmt: skip
        assert {line[:4] for line in said[:-1]} == {"250-"}
        assert said[-1][:4] == "250 "
        assert await talk.say(f"AUTH LOGIN {in_base64(plain.user)}") == "334 UGFzc3dvcmQ6"
        assert await talk.say(in_base64(plain.key)) == "235 Authentication successful"
        assert await talk.say("MAIL FROM:<anybody@else.where> SIZE=500 BODY=8BITMIME") == (
            "250 sender <anybody@else.where> OK"
        )
        assert await talk.say("RCPT TO:<li.lei@QQ.com>") == "250 recipient <li.lei@QQ.com> OK"
        assert await talk.say("DATA") == "354 go ahead, make my day"
        await talk.put(plain.raw() + b".\r\n")
        queued(await talk.reply())
        assert (await talk.say("QUIT"))[:3] == "221"
    assert await plain.messages() == [("li.lei@qq.com", {"name": "World"})]


@pytest.mark.parametrize("form", ["LOGIN-two", "LOGIN-one", "PLAIN-two", "PLAIN-one", "login"])
async def test_every_form_of_signing_in(plain: World, form: str) -> None:
    user, key = in_base64(plain.user), in_base64(plain.key)
    lines = {
        "LOGIN-two": ["AUTH LOGIN", user, key], "LOGIN-one": [f"AUTH LOGIN {user}", key],
        "PLAIN-two": ["AUTH PLAIN", plain.plain()], "PLAIN-one": [f"AUTH PLAIN {plain.plain()}"],
        "login": ["auth login", user, key],
    }[form]  # fmt: skip
    async with plain.talk() as talk:
        await talk.say("EHLO me")
        replies = [await talk.say(line) for line in lines]
        assert [reply[:4] for reply in replies] == ["334 "] * (len(lines) - 1) + ["235 "]
        assert (await talk.say("AUTH LOGIN"))[:3] == "503"


async def test_keys_are_not_taken_without_tls(world: World) -> None:
    async with world.talk() as talk:
        assert "AUTH" not in await talk.say("EHLO me")
        assert (await talk.say(f"AUTH PLAIN {world.plain()}"))[:3] == "538"
        for command in ("MAIL FROM:<a@b.test>", "RCPT TO:<a@b.test>", "DATA", "VRFY a@b.test"):
            assert "530 5.7.0 Authentication required: STARTTLS first, then AUTH" in await talk.say(command)
    assert await world.count() == 0


@pytest.mark.parametrize("who", ["user", "key", "both", "another", "empty"])
async def test_who_is_not_known_is_told_nothing_else(plain: World, who: str) -> None:
    wrong = {
        "user": plain.plain(user="nobody"), "key": plain.plain(key="sk_wrong"), "both": in_base64("\0a\0b"),
        "another": plain.plain(user=plain.user.upper()), "empty": in_base64("\0\0"),
    }[who]  # fmt: skip
    async with plain.talk() as talk:
        await talk.say("EHLO me")
        reply = await talk.say(f"AUTH PLAIN {wrong}")
        assert reply == "535 5.7.8 Authentication failed: the user is an API user, the password its API key"
        assert (await talk.say("MAIL FROM:<a@b.test>"))[:3] == "530"
        assert (await talk.say(f"AUTH PLAIN {wrong}"))[:3] == "535"
        assert (await talk.say(f"AUTH PLAIN {wrong}"))[:3] == "535"
        assert await talk.rest() == []  # the third time ends it


@pytest.mark.parametrize("said", ["AUTH", "AUTH PLAIN ***", "AUTH PLAIN YQ==", "AUTH CRAM-MD5", "AUTH LOGIN a b c"])
async def test_a_sign_in_that_makes_no_sense_is_an_error_and_the_dialogue_goes_on(plain: World, said: str) -> None:
    async with plain.talk() as talk:
        await talk.say("EHLO me")
        assert (await talk.say(said))[:2] == "50"
        assert (await talk.say(f"AUTH PLAIN {plain.plain()}"))[:3] == "235"


async def test_an_address_that_tries_many_keys_is_not_heard_for_a_while(plain: World) -> None:
    for _ in range(5):
        async with plain.talk() as talk:
            await talk.say("EHLO me")
            for _ in range(2):
                await talk.say(f"AUTH PLAIN {plain.plain(key='sk_wrong')}")
    async with plain.talk() as talk:
        await talk.say("EHLO me")
        assert (await talk.say(f"AUTH PLAIN {plain.plain()}"))[:9] == "421 4.7.0"
        assert await talk.rest() == []


async def test_a_neighbour_who_tries_keys_does_not_shut_out_who_has_signed_in_from_here(plain: World) -> None:
    """Behind one router, or a program whose key was revoked beside others that work."""
    async with plain.signed_in(tls=False) as talk:
        await talk.say("QUIT")
    for _ in range(5):
        async with plain.talk() as talk:
            await talk.say("EHLO me")
            for _ in range(2):
                await talk.say(f"AUTH PLAIN {plain.plain(user='neighbour', key='sk_wrong')}")
    async with plain.talk() as talk:
        await talk.say("EHLO me")
        assert (await talk.say(f"AUTH PLAIN {plain.plain(user='neighbour')}"))[:9] == "421 4.7.0"
    assert await plain.send(plain.mail())


def test_a_key_is_not_in_what_is_written_of_a_login() -> None:
    assert "sk_secret" not in repr(Login("user", "sk_secret", ""))


async def test_a_key_ends_with_the_next_mail_of_an_open_connection(plain: World) -> None:
    async with plain.signed_in(tls=False) as talk:
        assert await _one_mail(plain, talk) == "250"
        await plain.db.pool.execute("UPDATE api_key SET revoked_at = now()")
        assert await _one_mail(plain, talk) == "535"
    assert await plain.count() == 1


async def _one_mail(world: World, talk: Talk) -> str:
    return (await talk.mail(world.raw()))[:3]


async def test_the_label_stands_behind_the_name(plain: World) -> None:
    async with plain.talk() as talk:
        await talk.say("EHLO me")
        assert (await talk.say(f"AUTH PLAIN {plain.plain(user=plain.user + '#spring')}"))[:3] == "235"
        assert await _one_mail(plain, talk) == "250"
    assert await plain.db.pool.fetchval("SELECT label FROM submission") == "spring"


async def test_a_program_may_send_many_mails_on_one_connection(world: World) -> None:
    def work(client: smtplib.SMTP) -> None:
        for n in range(5):
            client.send_message(world.mail(), to_addrs=[f"p{n}@x.test", "also@x.test"])

    await world.use(work)
    assert await world.count() == 5
    assert len(await world.messages()) == 10


async def test_commands_may_come_all_at_once(plain: World) -> None:
    async with plain.talk() as talk:
        mail = b"MAIL FROM:<a@b.test>\r\nRCPT TO:<li.lei@qq.com>\r\nDATA\r\n" + plain.raw() + b".\r\n"
        await talk.put(f"EHLO me\r\nAUTH PLAIN {plain.plain()}\r\n".encode() + mail * 3 + b"QUIT\r\n")
        codes = [reply[:3] for reply in await talk.rest()]
    assert codes == ["250", "235", *["250", "250", "354", "250"] * 3, "221"]
    assert await plain.count() == 3


async def test_recipients_of_the_envelope_get_a_message_each(world: World) -> None:
    mail = world.mail(To="all@x.test", Cc="boss@x.test", Bcc="secret@x.test")
    queued(await world.send(mail, "a@x.test", "b@x.test", "a@X.test"))
    assert [address for address, _ in await world.messages()] == ["a@x.test", "b@x.test"]


async def test_a_mail_has_a_hundred_recipients_and_the_next_waits(world: World) -> None:
    def work(client: smtplib.SMTP) -> list[int]:
        client.mail(world.sender)
        codes = [client.rcpt(f"p{n}@x.test")[0] for n in range(101)]
        return [*codes, client.data(world.mail().as_bytes())[0]]

    assert await world.use(work) == [250] * 100 + [452, 250]
    assert len(await world.messages()) == 100


@pytest.mark.parametrize("address", ["no-at", "a@", "a b@x.test", "a@x..test", "a\x01@x.test", "@x.test"])
async def test_what_is_no_address_is_refused_at_once(plain: World, address: str) -> None:
    async with plain.signed_in(tls=False) as talk:
        await talk.say("MAIL FROM:<a@b.test>")
        assert (await talk.say(f"RCPT TO:<{address}>"))[:2] == "55"
        assert (await talk.say("DATA"))[:3] == "503"


XSMTPAPI = {"to": ["a@x.test", "b@x.test"], "sub": {"%who%": ["Ann", "Bob"]}}


def header(said: object, width: int = 60) -> str:
    packed = b64encode(json.dumps(said).encode()).decode()
    return "\r\n ".join(packed[at : at + width] for at in range(0, len(packed), width))


def personal(world: World, value: str) -> bytes:
    """A mail for whoever the header says, who are `%who%`."""
    return world.raw(f"X-SMTPAPI: {value}").replace(b" World\r\n", b" %who%\r\n").replace(b"World", b"%who%")


@pytest.mark.parametrize("value", [header(XSMTPAPI), header(XSMTPAPI, 7), json.dumps(XSMTPAPI)])
async def test_xsmtpapi_names_who_is_written_to(world: World, value: str) -> None:
    queued(await world.send(personal(world, value), "ignored@x.test"))
    assert await world.messages() == [("a@x.test", {"name": "Ann"}), ("b@x.test", {"name": "Bob"})]


async def test_xsmtpapi_without_to_is_for_those_of_the_envelope(world: World) -> None:
    queued(await world.send(personal(world, header({"to": None, "pubsub": {"who": "Eve"}})), "a@x.test", "b@x.test"))
    assert await world.messages() == [("a@x.test", {"name": "Eve"}), ("b@x.test", {"name": "Eve"})]


@pytest.mark.parametrize(
    "said", ["!!!", "{]", "[]", header([1]), header({"to": []}), header({"to": [f"p{n}@x.test" for n in range(101)]}),
             header({"sub": {"%a%": [1]}}), header({"to": ["a@x.test"], "sub": {"%a%": []}}), "=" * 9, "/" * 50],
)  # fmt: skip
async def test_xsmtpapi_that_cannot_be_followed_is_an_error(world: World, said: str) -> None:
    assert (await world.refused(world.raw(f"X-SMTPAPI: {said}"))).startswith("553 xsmtpapi error")


async def test_only_domains_of_the_api_user_can_be_from(world: World) -> None:
    for sender in ("hi@elsewhere.example", f"hi@sub.{world.customer.domain_name}"):
        reply = await world.refused(world.mail(From=sender))
        assert reply.startswith("553 5.7.1 ")
        assert "sender domain" in reply


@pytest.mark.parametrize("said", ["", "Group: a@b.test, c@d.test;", "a@b.test, c@d.test", "nobody"])
async def test_from_is_one_address(world: World, said: str) -> None:
    raw = world.raw().replace(f"From: {world.sender}\r\n".encode(), f"From: {said}\r\n".encode() if said else b"")
    assert (await world.refused(raw))[:3] == "550"
    assert (await world.refused(world.raw(f"From: {world.sender}")))[:3] == "550"  # two fields


async def test_content_must_be_that_of_a_template(world: World) -> None:
    for other in (
        world.raw().replace(b"<p>Hello", b"<p>Buy now,"),
        world.raw("X: y").replace(b"text/html", b"text/plain"),
    ):
        assert (await world.refused(other)).startswith("553 template_validate not match, ")


async def test_what_cannot_be_sent_is_refused_never_dropped(world: World) -> None:
    mail = world.mail()
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="bill.pdf")
    reply = await world.refused(mail)
    assert reply.startswith("554 5.6.1 ")
    assert "application/pdf" in reply


async def test_quota_that_is_used_up_is_there_tomorrow(world: World) -> None:
    await world.db.pool.execute("UPDATE account SET daily_quota = 1")
    assert (await world.refused(world.mail(), "a@x.test", "b@x.test")).startswith("452 4.7.1 Request quota exceeded")


async def test_who_must_not_be_written_to_is_refused(db: Database, tmp_path: Path) -> None:
    async with submission(db, tmp_path, kind=SendKind.BATCH) as world:
        await db.pool.execute(
            "INSERT INTO suppression (account_id, address, reason, created_at) VALUES ($1, $2, 'manual', now())",
            world.customer.account, "gone@x.test",
        )  # fmt: skip
        assert (await world.refused(world.mail(), "gone@x.test"))[:9] == "550 5.7.1"
        queued(await world.send(world.mail(), "gone@x.test", "here@x.test"))
        assert [address for address, _ in await world.messages()] == ["here@x.test"]


async def test_a_named_request_that_is_repeated_is_not_sent_again(world: World) -> None:
    first = await world.send(world.raw("SC-Request-Id: order-1"))
    assert await world.send(world.raw("SC-Request-Id: order-1")) == first
    assert await world.count() == 1
    assert (await world.send(world.raw("SC-Request-Id: order-1"), "another@x.test"))[:3] == "554"
    assert (await world.send(world.raw("SC-Request-Id: order-2"))) != first


async def test_while_the_database_is_away_the_client_shall_come_again(world: World) -> None:
    await world.db.pool.execute("ALTER TABLE submission RENAME TO submission_away")
    try:
        reply = await world.send(world.mail())
    finally:
        await world.db.pool.execute("ALTER TABLE submission_away RENAME TO submission")
    assert reply.startswith("451 4.3.0 ")
    queued(await world.send(world.mail()))


async def test_headers_of_the_customers_own_are_kept_and_no_others(world: World) -> None:
    mine = {
        "SC_Custom_Order": "4711",
        "References": "<a@b.test>",
        "X_Mailer": "theirs",
        "List_Unsubscribe": "<http://x>",
    }
    queued(await world.send(world.mail(**mine, Message_ID="<theirs@x.test>", Return_Path="<x@y.test>")))
    named = await world.send(world.raw("SC-Custom-A: =?utf-8?b?5L2g?=", "SC-Request-Id: 1", f"SC-Custom-{'n' * 31}: x"))
    kept = [row["headers"] for row in await world.db.pool.fetch("SELECT headers FROM submission ORDER BY id")]
    assert kept == [{"SC-Custom-Order": "4711", "References": "<a@b.test>"}, {"SC-Custom-A": "你"}]
    assert await world.send(world.raw("SC-Custom-A: =?utf-8?b?5L2g?=", "SC-Request-Id: 1")) == named
    assert (await world.send(world.raw("SC-Custom-A: other", "SC-Request-Id: 1")))[:3] == "554"
