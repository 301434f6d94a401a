"""Signing in, brute force, sessions, passwords, keys: services on a real database."""

import asyncio
import datetime as dt
import time
from dataclasses import replace

import pytest
from sqlmodel import col, select, update

from domain.accounts import AccountState, SignedIn
from domain.errors import Refusal
from domain.secrets import API_KEY_PREFIX, new_token
from services import limits as limits_module
from services.hashing import Cost
from services.limits import Limit
from services.passwords import LEAST_SECONDS
from services.sessions import TRIES_HERE, TRIES_PER_ADDRESS
from store.accounts import Account, ContactRequest, LinkToken, LoginSession, Member
from store.audit_log import AuditEntry
from store.columns import now
from store.db import Database
from store.senders import ApiKey, ApiUser
from store.throttles import ThrottleHit
from tests.accounts_world import ALICE, BOB, HERE, PASSWORD, House, house

ELSEWHERE = replace(HERE, ip="198.51.100.7", client="Chrome · Windows")
NEW_PASSWORD = "another set of words"


async def refused(call: object) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await call  # type: ignore[misc]
    return caught.value


async def signed_in(home: House, password: str = PASSWORD) -> SignedIn:
    made = await home.services.sessions.sign_in(ALICE, password, ELSEWHERE)
    assert isinstance(made, SignedIn)
    return made


async def test_an_address_and_a_password_are_wrong_alike(db: Database) -> None:
    home = await house(db)
    await home.member()
    sign_in = home.services.sessions.sign_in
    wrong = [await refused(sign_in(email, "not the password", HERE)) for email in (ALICE, BOB, "no address", "")]
    assert {(refusal.code, refusal.field) for refusal in wrong} == {("sign_in_failed", None)}


async def test_an_ipv6_network_guesses_as_one_visitor(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner has an address for each guess."""
    monkeypatch.setattr("services.sessions.TRIES_PER_IP", Limit("sign-in-ip", 2, dt.timedelta(minutes=15)))
    home = await house(db)
    places = [replace(HERE, ip=ip) for ip in ("2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1")]
    tries = [
        await refused(home.services.sessions.sign_in(f"n{n}@x.example", "a wrong guess", here))
        for n, here in enumerate(places)
    ]
    failed = "sign_in_failed"
    assert [refusal.code for refusal in tries] == [failed, failed, "too_many_requests", failed]


async def test_an_unknown_address_costs_a_hash_too(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: the same work is done for both."""
    home = await house(db)
    await home.member()
    hashing = home.services.sessions._hashing
    asked: list[str] = []
    real = hashing._hash.verify

    def watched(password: str, stored: str) -> bool:
        asked.append(stored)
        return real(password, stored)

    monkeypatch.setattr(hashing._hash, "verify", watched)
    for email in (ALICE, BOB):
        await refused(home.services.sessions.sign_in(email, "not the password", HERE))
    assert len(asked) == 2
    assert all(stored.startswith("$argon2id$") for stored in asked)


async def test_a_password_of_megabytes_is_not_looked_at(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its normal form alone would keep the process busy, for strangers and before anything is counted."""
    home = await house(db)
    await home.member()
    lengths: list[int] = []

    def watched(form: str, text: str) -> str:
        lengths.append(len(text))
        return text

    monkeypatch.setattr("domain.passwords.unicodedata.normalize", watched)
    huge = PASSWORD + "\u0301" * 2**20
    assert (await refused(home.services.sessions.sign_in(ALICE, huge, HERE))).code == "sign_in_failed"
    assert (await refused(home.register(BOB, huge))).code == "password_too_long"
    assert max(lengths) <= 1000


async def test_guessing_is_stopped_even_in_parallel_and_the_owner_elsewhere_is_not(db: Database) -> None:
    home = await house(db)
    await home.member()
    await home.services.sessions.sign_in(ALICE, PASSWORD, HERE)
    tries = [home.services.sessions.sign_in(ALICE, f"guess number {n}", HERE) for n in range(TRIES_HERE.count + 5)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    codes = [answer.code for answer in answers if isinstance(answer, Refusal)]
    assert codes.count("sign_in_failed") == TRIES_HERE.count
    assert codes.count("too_many_requests") == 5
    late = await refused(home.services.sessions.sign_in(ALICE, PASSWORD, HERE))
    assert late.code == "too_many_requests"
    assert 0 < int(str(late.params["seconds"])) <= 900
    assert await signed_in(home)


async def test_many_visitors_together_are_limited_per_address(db: Database) -> None:
    home = await house(db)
    limit = limits_module.Limit(TRIES_PER_ADDRESS.name, TRIES_PER_ADDRESS.count, TRIES_PER_ADDRESS.window)
    for _ in range(TRIES_PER_ADDRESS.count):
        await home.services.sessions._limits.take((limit, ALICE))
    assert (await refused(home.services.sessions.sign_in(ALICE, PASSWORD, ELSEWHERE))).code == "too_many_requests"


async def test_a_window_slides_and_old_hits_are_swept(db: Database) -> None:
    home = await house(db)
    counter = home.services.sessions._limits
    limit = limits_module.Limit("test", 1, dt.timedelta(minutes=1))
    await counter.take((limit, "x"))
    assert (await refused(counter.take((limit, "x")))).code == "too_many_requests"
    async with db.begin() as session:
        await session.exec(update(ThrottleHit).values(at=now() - dt.timedelta(days=2)))
    counter._swept = now() - dt.timedelta(hours=1)
    await counter.take((limit, "y"))
    async with db.read() as session:
        [hit] = (await session.exec(select(ThrottleHit))).all()
    assert hit.key == counter._key(limit, "y")
    assert hit.key != b"y", "an HMAC, not the subject"
    await counter.take((limit, "x"))


async def test_each_sign_in_makes_a_new_session_and_ends_the_browsers_former_one(db: Database) -> None:
    home = await house(db)
    first = await home.member()
    second = await home.services.sessions.sign_in(ALICE, PASSWORD, HERE, former=first.token)
    assert isinstance(second, SignedIn)
    assert second.token != first.token
    assert (await refused(home.services.accounts.caller(first.token))).code == "unauthenticated"
    assert (await home.services.accounts.caller(second.token)).member_id == first.caller.member_id
    async with db.read() as session:
        stored = [row.digest for row in await session.exec(select(LoginSession))]
    assert home.base.vault.digest(second.token) in stored


async def test_sessions_are_listed_and_revoked_by_their_owner_only(db: Database) -> None:
    home = await house(db)
    first = await home.member()
    second = await signed_in(home)
    bob = await home.member(BOB)
    rows = await home.services.sessions.listed(first.caller)
    assert {(row.id, row.client) for row in rows} == {
        (first.session_id, "Firefox · Linux"), (second.session_id, "Chrome · Windows"),
    }  # fmt: skip
    foreign = await refused(home.services.sessions.revoke(bob.caller, second.session_id))
    assert foreign.code == "not_found"
    await home.services.sessions.revoke(first.caller, second.session_id)
    assert (await refused(home.services.accounts.caller(second.token))).code == "unauthenticated"
    third = await signed_in(home)
    assert await home.services.sessions.revoke_others(first.caller) == 1
    assert (await refused(home.services.accounts.caller(third.token))).code == "unauthenticated"
    assert await home.services.accounts.caller(first.token)
    await home.services.sessions.sign_out(first.token)
    await home.services.sessions.sign_out(first.token)
    assert (await refused(home.services.accounts.caller(first.token))).code == "unauthenticated"


@pytest.mark.parametrize("token", ["", "st_", "st_nonsense", "sk_nonsense", "xx_nonsense"])
async def test_nonsense_is_nobody(db: Database, token: str) -> None:
    home = await house(db)
    assert (await refused(home.services.accounts.caller(token))).code == "unauthenticated"


async def test_an_expired_session_and_a_closed_account_are_nobody(db: Database) -> None:
    home = await house(db)
    signed = await home.member()
    async with db.begin() as session:
        closing = update(Account).where(col(Account.id) == signed.caller.account_id)
        await session.exec(closing.values(state=AccountState.CLOSED))
    assert (await refused(home.services.accounts.caller(signed.token))).code == "unauthenticated"
    async with db.begin() as session:
        await session.exec(update(Account).values(state=AccountState.ACTIVE))
        await session.exec(update(LoginSession).values(expires_at=now() - dt.timedelta(seconds=1)))
    assert (await refused(home.services.accounts.caller(signed.token))).code == "unauthenticated"


async def test_use_of_a_session_is_remembered_by_the_minute(db: Database) -> None:
    home = await house(db)
    signed = await home.member()
    long_ago = now() - dt.timedelta(hours=1)
    async with db.begin() as session:
        await session.exec(update(LoginSession).values(last_seen_at=long_ago))
    await home.services.accounts.caller(signed.token)
    [row] = await home.services.sessions.listed(signed.caller)
    assert row.last_seen_at > long_ago


async def test_an_api_users_key_is_a_caller_without_a_member(db: Database) -> None:
    home = await house(db)
    signed = await home.member()
    account, key = signed.caller.account_id, new_token(API_KEY_PREFIX)
    async with db.begin() as session:
        [user] = (await session.exec(select(ApiUser).where(ApiUser.account_id == account))).all()
        digest = home.base.vault.digest(key)
        session.add(ApiKey(account_id=account, api_user_id=user.id, prefix=key[:10], digest=digest))
    caller = await home.services.accounts.caller(key)
    assert (caller.account_id, caller.api_user_id, caller.member_id) == (account, user.id, None)
    for call in (home.services.accounts.profile(caller), home.services.sessions.listed(caller)):
        assert (await refused(call)).code == "forbidden"
    async with db.begin() as session:
        await session.exec(update(ApiUser).values(disabled_at=now()))
    assert (await refused(home.services.accounts.caller(key))).code == "unauthenticated"


async def test_a_changed_password_ends_other_sessions_and_is_told_and_recorded(db: Database) -> None:
    home = await house(db)
    first = await home.member()
    second = await signed_in(home)
    change = home.services.passwords.change
    wrong = await refused(change(first.caller, "not the password", NEW_PASSWORD))
    assert (wrong.code, wrong.field) == ("password_wrong", "current")
    weak = await refused(change(first.caller, PASSWORD, "short"))
    assert (weak.code, weak.field) == ("password_too_short", "new")
    await change(first.caller, PASSWORD, NEW_PASSWORD)
    assert await home.services.accounts.caller(first.token)
    assert (await refused(home.services.accounts.caller(second.token))).code == "unauthenticated"
    assert (await refused(home.services.sessions.sign_in(ALICE, PASSWORD, HERE))).code == "sign_in_failed"
    assert await signed_in(home, NEW_PASSWORD)
    assert (await home.mails(ALICE))[-1].label == "password-changed"
    async with db.read() as session:
        actions = [row.action for row in await session.exec(select(AuditEntry))]
    assert "password.changed" in actions


async def test_a_sign_in_in_flight_does_not_outlive_a_reset(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old password was right when it was looked at; the reset came before there was a session."""
    home = await house(db)
    await home.member()
    await home.services.passwords.ask_reset(ALICE, HERE)
    token, hashing = (await home.mails(ALICE))[-1].token, home.services.sessions._hashing
    real = hashing.matches

    async def meanwhile(password: str, stored: str | None) -> bool:
        right = await real(password, stored)
        await home.services.passwords.reset(token, NEW_PASSWORD, HERE)
        return right

    monkeypatch.setattr(hashing, "matches", meanwhile)
    assert (await refused(home.services.sessions.sign_in(ALICE, PASSWORD, ELSEWHERE))).code == "sign_in_failed"
    async with db.read() as session:
        living = select(LoginSession).where(col(LoginSession.revoked_at).is_(None))
        assert list(await session.exec(living)) == []


async def test_a_reset_link_works_once_and_ends_every_session(db: Database) -> None:
    home = await house(db)
    signed = await home.member()
    await home.services.passwords.ask_reset(ALICE.upper(), HERE)
    mail = (await home.mails())[-1]
    assert (mail.label, mail.to) == ("reset-password", ALICE)
    weak = await refused(home.services.passwords.reset(mail.token, ALICE, HERE))
    assert weak.code == "password_is_address"
    await home.services.passwords.reset(mail.token, NEW_PASSWORD, HERE)
    assert (await refused(home.services.accounts.caller(signed.token))).code == "unauthenticated"
    assert await signed_in(home, NEW_PASSWORD)
    again = await refused(home.services.passwords.reset(mail.token, "yet another few words", HERE))
    assert again.code == "link_invalid"
    assert not await home.services.passwords.reset_possible(mail.token)


async def test_reset_links_at_once_count_once(db: Database) -> None:
    home = await house(db)
    await home.member()
    await home.services.passwords.ask_reset(ALICE, HERE)
    token = (await home.mails(ALICE))[-1].token
    tries = [home.services.passwords.reset(token, f"{NEW_PASSWORD} {n}", HERE) for n in range(3)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert [type(answer) for answer in answers].count(type(None)) == 1


async def test_a_newer_reset_link_kills_the_older(db: Database) -> None:
    home = await house(db)
    await home.member()
    for _ in range(2):
        await home.services.passwords.ask_reset(ALICE, HERE)
    older, newer = [mail.token for mail in await home.mails(ALICE) if mail.label == "reset-password"]
    assert (await refused(home.services.passwords.reset(older, NEW_PASSWORD, HERE))).code == "link_invalid"
    await home.services.passwords.reset(newer, NEW_PASSWORD, HERE)


async def test_an_expired_reset_link_and_a_confirmation_link_reset_nothing(db: Database) -> None:
    home = await house(db)
    await home.member()
    confirmation = (await home.mails(ALICE))[0].token
    assert (await refused(home.services.passwords.reset(confirmation, NEW_PASSWORD, HERE))).code == "link_invalid"
    await home.services.passwords.ask_reset(ALICE, HERE)
    async with db.begin() as session:
        await session.exec(update(LinkToken).values(expires_at=now() - dt.timedelta(seconds=1)))
    token = (await home.mails(ALICE))[-1].token
    assert (await refused(home.services.passwords.reset(token, NEW_PASSWORD, HERE))).code == "link_invalid"


async def test_asking_for_a_reset_tells_nothing_about_the_address(db: Database) -> None:
    home = await house(db)
    await home.member()
    await home.register("waiting@customer.example")
    before = len(await home.mails())
    for email in (BOB, "waiting@customer.example"):
        began = time.monotonic()
        await home.services.passwords.ask_reset(email, HERE)
        assert time.monotonic() - began >= LEAST_SECONDS
    assert len(await home.mails()) == before
    for email in (BOB, ALICE):  # both addresses have the same limit
        for _ in range(5 - (email == BOB)):
            await home.services.passwords.ask_reset(email, ELSEWHERE)
        assert (await refused(home.services.passwords.ask_reset(email, ELSEWHERE))).code == "too_many_requests"


async def test_password_hashes_are_argon2id(db: Database, monkeypatch: pytest.MonkeyPatch, real_cost: Cost) -> None:
    monkeypatch.setattr("services.hashing.COST", real_cost)
    home = await house(db)
    await home.member()
    async with db.read() as session:
        [member] = (await session.exec(select(Member))).all()
    assert member.password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_the_contact_form_keeps_and_mails(db: Database) -> None:
    home = await house(db)
    number = await home.services.contact.ask(ALICE, "No  mail", "It does not\narrive. 👍" * 100, HERE)
    async with db.read() as session:
        row = await session.get(ContactRequest, number)
    assert row is not None
    assert (row.email, row.subject) == (ALICE, "No mail")
    [mail] = await home.mails(home.base.policy.support_email)
    assert mail.variables["number"] == str(number)
    longest = await home.services.contact.ask(ALICE, "👍" * 100, "👍" * 3_500, HERE)
    assert longest
    for subject, body, field in (("", "x", "subject"), ("x", " ", "body"), ("x" * 101, "x", "subject")):
        assert (await refused(home.services.contact.ask(ALICE, subject, body, HERE))).field == field
    for _ in range(3):
        await home.services.contact.ask(ALICE, "x", "x", HERE)
    assert (await refused(home.services.contact.ask(ALICE, "x", "x", HERE))).code == "too_many_requests"
