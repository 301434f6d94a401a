"""Registration as the doors and the process do it, on a real database."""

import asyncio
import datetime as dt

import pytest
from sqlmodel import col, select, update

from domain.accounts import RESENDS_PER_DAY, SYSTEM_ACCOUNT, AccountState, SignedIn
from domain.errors import Refusal
from domain.ids import Kind, workflow_id
from domain.refusals import explain
from domain.registration import RegistrationState
from services.registrations import Form
from services.sessions import Unconfirmed
from store import clockwork
from store.accounts import Account, LinkToken, Member, Registration
from store.audit_log import AuditEntry
from store.columns import now
from store.db import Database
from store.domains import SenderDomain
from store.onboarding import Onboarding
from store.senders import ApiUser, ApiUserDomain
from store.templates import Template, TemplateVersion
from tests.accounts_world import ALICE, BOB, HERE, PASSWORD, House, house
from tests.suppressed_world import HOUR, bury


async def refused(call: object) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await call  # type: ignore[misc]
    return caught.value


async def minutes_later(home: House) -> None:
    """Let the shortest wait between two mails be over."""
    async with home.db.begin() as session:
        await session.exec(update(Registration).values(wanted_at=now() - dt.timedelta(minutes=2)))


async def test_the_link_of_the_mail_makes_an_account_with_its_starter_kit(db: Database) -> None:
    home = await house(db)
    made = await home.register()
    assert made.workflow_id == f"registration/{made.account_id}"
    await home.look(made.account_id)
    [mail] = await home.mails(ALICE)
    assert mail.label == "confirm-email"
    assert mail.variables["link"].startswith("http://songda.test/confirm?token=ce_")

    assert await home.services.registrations.confirm(mail.token) == made.account_id

    async with db.read() as session:
        account = await session.get(Account, made.account_id)
        assert account is not None
        assert (account.state, account.confirmed_by) == (AccountState.ACTIVE, "link")
        own = SenderDomain.account_id == made.account_id
        [domain] = (await session.exec(select(SenderDomain).where(own))).all()
        assert domain.name == f"{made.account_id.hex[-10:]}.test.{home.base.policy.platform_domain}"
        assert (domain.is_test, domain.state) == (True, "usable")
        [user] = (await session.exec(select(ApiUser).where(ApiUser.account_id == made.account_id))).all()
        assert (user.is_test, user.kind) == (True, "trigger")
        assert await session.get(ApiUserDomain, (user.id, domain.id)) is not None
        [template] = (await session.exec(select(Template).where(Template.account_id == made.account_id))).all()
        assert template.is_sample
        [version] = (
            await session.exec(select(TemplateVersion).where(TemplateVersion.template_id == template.id))
        ).all()
        assert (version.state, version.variables, version.decided_by) == ("approved", ["name"], "system")
        assert await session.get(Onboarding, made.account_id) is not None
        assert await clockwork.find(session, workflow_id(Kind.ONBOARDING, made.account_id)) is not None
        process = await clockwork.find(session, made.workflow_id)
        assert process is not None
        assert process.nudge_wanted
        [entry] = (await session.exec(select(AuditEntry).where(AuditEntry.account_id == made.account_id))).all()
        assert entry.action == "registration.confirmed"


async def test_the_test_domain_signs_with_the_platforms_key(db: Database) -> None:
    home = await house(db)
    account = (await home.member()).caller.account_id
    async with db.read() as session:
        platform = (await session.exec(select(SenderDomain).where(SenderDomain.account_id == SYSTEM_ACCOUNT))).one()
        domain = (await session.exec(select(SenderDomain).where(SenderDomain.account_id == account))).one()
    assert domain.dkim_private != platform.dkim_private
    keys = [home.base.vault.unseal(row.dkim_private, f"domain/{row.id}") for row in (domain, platform)]
    assert keys[0] == keys[1]


async def test_confirming_twice_or_at_once_makes_one_account(db: Database) -> None:
    home = await house(db)
    made = await home.register()
    await home.look(made.account_id)
    [mail] = await home.mails(ALICE)
    answers = await asyncio.gather(*(home.services.registrations.confirm(mail.token) for _ in range(4)))
    assert set(answers) == {made.account_id}
    async with db.read() as session:
        users = (await session.exec(select(ApiUser).where(ApiUser.account_id == made.account_id))).all()
    assert len(users) == 1


async def test_a_repeated_mail_activity_sends_one_mail_whose_link_works(db: Database) -> None:
    home = await house(db)
    made = await home.register()
    await home.look(made.account_id)
    async with db.begin() as session:
        await session.exec(update(Registration).values(mails_sent=0))  # as if it died before it counted
    await home.look(made.account_id)
    [mail] = await home.mails(ALICE)
    assert await home.services.registrations.confirm(mail.token) == made.account_id


async def test_only_the_hmac_of_a_link_is_stored_with_the_account(db: Database) -> None:
    home = await house(db)
    made = await home.register()
    await home.look(made.account_id)
    [mail] = await home.mails(ALICE)
    async with db.read() as session:
        [link] = (await session.exec(select(LinkToken))).all()
    assert link.digest == home.base.vault.digest(mail.token)
    assert mail.token.encode() not in link.digest


async def test_a_corrected_address_kills_the_old_link(db: Database) -> None:
    home = await house(db)
    made = await home.register("mistyped@customer.example")
    await home.look(made.account_id)
    waiting = await home.services.registrations.correct(made.handle, ALICE)
    assert waiting.email == ALICE
    await home.look(made.account_id)
    [old] = await home.mails("mistyped@customer.example")
    assert (await refused(home.services.registrations.confirm(old.token))).code == "link_invalid"
    [new] = await home.mails(ALICE)
    assert await home.services.registrations.confirm(new.token) == made.account_id
    async with db.read() as session:
        [member] = (await session.exec(select(Member).where(Member.account_id == made.account_id))).all()
    assert member.email == ALICE


async def test_a_link_mailed_to_the_old_address_after_the_correction_is_dead(db: Database) -> None:
    """The process was about to send when the address changed."""
    home = await house(db)
    made = await home.register("mistyped@customer.example")
    token = home.work._token(made.account_id, 1, "mistyped@customer.example")
    await home.services.registrations.correct(made.handle, ALICE)
    async with db.begin() as session:
        [member] = (await session.exec(select(Member).where(Member.account_id == made.account_id))).all()
        link = LinkToken(
            member_id=member.id, purpose="confirm", email="mistyped@customer.example",
            digest=home.base.vault.digest(token), expires_at=now() + dt.timedelta(hours=1),
        )  # fmt: skip
        session.add(link)
    assert (await refused(home.services.registrations.confirm(token))).code == "link_invalid"


async def test_resending_has_a_shortest_wait_and_a_daily_limit(db: Database) -> None:
    home = await house(db)
    made = await home.register()
    again = home.services.registrations.resend
    early = await refused(again(made.handle))
    assert early.code == "too_many_requests"
    assert 50 <= int(str(early.params["seconds"])) <= 60
    for number in range(RESENDS_PER_DAY):
        await minutes_later(home)
        assert (await again(made.handle)).mails == number + 2
    await minutes_later(home)
    assert (await refused(again(made.handle))).code == "too_many_requests"
    await home.look(made.account_id)
    assert len(await home.mails(ALICE)) == 1, "mails asked for before the process looked are one mail"


async def test_another_mail_to_an_address_without_a_mailbox_is_refused_until_it_may_have_one(db: Database) -> None:
    home = await house(db)
    made = await home.register()
    await minutes_later(home)
    await bury(db, ALICE, now() + HOUR)
    dead = await refused(home.services.registrations.resend(made.handle))
    assert dead.code == "address_dead" and all(explain(dead, language)[1] for language in ("zh", "en"))
    assert (await home.services.registrations.correct(made.handle, BOB)).mails == 2
    await minutes_later(home)
    assert (await home.services.registrations.resend(made.handle)).mails == 3
    await home.services.registrations.correct(made.handle, ALICE)
    await minutes_later(home)
    await db.pool.execute("UPDATE dead_address SET until = now()")
    assert (await home.services.registrations.resend(made.handle)).mails == 5


async def test_the_shortest_wait_is_scaled(db: Database) -> None:
    home = await house(db, time_scale=600)
    made = await home.register()
    await asyncio.sleep(0.15)
    assert (await home.services.registrations.resend(made.handle)).mails == 2


async def test_an_owned_address_gets_a_hint_and_the_form_learns_nothing(db: Database) -> None:
    home = await house(db)
    owner = (await home.member()).caller
    made = await home.register()
    assert made.account_id != owner.account_id
    assert (await home.services.registrations.waiting(made.handle)).email == ALICE
    await home.look(made.account_id)
    assert [mail.label for mail in await home.mails(ALICE)] == ["confirm-email", "already-registered"]
    async with db.read() as session:
        links = (await session.exec(select(LinkToken))).all()
    assert len(links) == 1, "no link for a registration that could not be confirmed"
    corrected = await home.services.registrations.correct(made.handle, BOB)
    assert corrected.email == BOB
    await home.look(made.account_id)
    [mail] = await home.mails(BOB)
    assert await home.services.registrations.confirm(mail.token) == made.account_id


async def test_two_registrations_of_one_address_and_the_mailbox_decides(db: Database) -> None:
    home = await house(db)
    first, second = await home.register(), await home.register(ALICE.upper().replace("CUSTOMER", "customer"))
    await home.look(first.account_id)
    await home.look(second.account_id)
    mails = [mail for mail in await home.mails() if mail.label == "confirm-email"]
    assert await home.services.registrations.confirm(mails[1].token) == second.account_id
    assert (await refused(home.services.registrations.confirm(mails[0].token))).code == "address_in_use"
    async with db.read() as session:
        account = await session.get(Account, first.account_id)
        users = (await session.exec(select(ApiUser).where(ApiUser.account_id == first.account_id))).all()
    assert account is not None
    assert (account.state, list(users)) == (AccountState.PENDING, [])


async def test_an_expired_registration_is_over_and_the_address_is_free(db: Database) -> None:
    home = await house(db)
    made = await home.register()
    await home.look(made.account_id)
    [mail] = await home.mails(ALICE)
    async with db.begin() as session:
        await session.exec(update(Registration).values(expires_at=now() - dt.timedelta(seconds=1)))
    assert (await home.look(made.account_id)).state is RegistrationState.EXPIRED
    assert (await refused(home.services.registrations.confirm(mail.token))).code == "link_invalid"
    assert (await refused(home.services.registrations.waiting(made.handle))).code == "registration_over"
    again = await home.register()
    await home.look(again.account_id)
    token = (await home.mails(ALICE))[-1].token
    assert await home.services.registrations.confirm(token) == again.account_id


async def test_the_right_password_before_confirmation_leads_back_to_the_mail(db: Database) -> None:
    home = await house(db)
    made = await home.register()
    answer = await home.services.sessions.sign_in(ALICE, PASSWORD, HERE)
    assert isinstance(answer, Unconfirmed)
    assert (await home.services.registrations.waiting(answer.handle)).account_id == made.account_id
    assert (await refused(home.services.registrations.waiting(made.handle))).code == "registration_over"
    assert (await refused(home.services.sessions.sign_in(ALICE, "something else", HERE))).code == "sign_in_failed"


@pytest.mark.parametrize(
    ("form", "field", "code"),
    [
        (Form("", ALICE, PASSWORD), "name", "required"),
        (Form("x" * 65, ALICE, PASSWORD), "name", "account_bad_name"),
        (Form("A\x07B", ALICE, PASSWORD), "name", "account_bad_name"),
        (Form("Alice", "alice", PASSWORD), "email", "address_no_at"),
        (Form("Alice", "", PASSWORD), "email", "address_empty"),
        (Form("Alice", ALICE, "short"), "password", "password_too_short"),
        (Form("Alice", ALICE, ALICE), "password", "password_is_address"),
        (Form("Alice", ALICE, "Password123!"), "password", "password_common"),
        (Form("Alice", ALICE, "1234567890"), "password", "password_common"),
        (Form("Alice", ALICE, "x" * 129), "password", "password_too_long"),
        (Form("Alice", ALICE, PASSWORD, "fr"), "language", "invalid"),
    ],
)
async def test_bad_forms_name_their_field_and_leave_nothing(db: Database, form: Form, field: str, code: str) -> None:
    home = await house(db)
    refusal = await refused(home.services.registrations.register(form, HERE))
    assert (refusal.field, refusal.code) == (field, code)
    async with db.read() as session:
        assert not (await session.exec(select(Account).where(col(Account.id) != SYSTEM_ACCOUNT))).all()


async def test_registration_works_while_temporal_is_away(db: Database) -> None:
    home = await house(db)
    made = await home.register()
    async with db.read() as session:
        waiting = await clockwork.unstarted(session)
    assert [process.workflow_id for process in waiting] == [made.workflow_id]


async def test_a_session_begins_only_for_a_confirmed_member(db: Database) -> None:
    home = await house(db)
    signed = await home.member()
    assert isinstance(signed, SignedIn)
    assert (await home.services.accounts.caller(signed.token)) == signed.caller
