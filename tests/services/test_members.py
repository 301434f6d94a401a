"""Members: invitations, roles, removal, ownership; what each may not do, and what races come to."""

import asyncio
import datetime as dt
from uuid import UUID

import pytest
from sqlmodel import col, select, update

from domain.accounts import Caller, Role, SignedIn
from domain.errors import Refusal
from domain.members import INVITATION_VALID, INVITATIONS_PER_DAY, MAX_MEMBERS, MemberState
from services.members import MemberView
from store.accounts import LinkToken, Member
from store.audit_log import AuditEntry
from store.columns import now
from store.db import Database
from tests.accounts_world import ALICE, BOB, HERE, PASSWORD, House, house

CAROL = "carol@customer.example"
HERS = "a password of Carol's own"


async def refused(call: object) -> str:
    with pytest.raises(Refusal) as caught:
        await call  # type: ignore[misc]
    return caught.value.code


async def invited(home: House, by: SignedIn, role: Role = Role.DEVELOPER, email: str = CAROL) -> tuple[MemberView, str]:
    """(the invited person, the token of the mail)."""
    made = await home.services.members.invite(by.caller, email, role.value)
    return made, (await home.mails(email))[-1].token


async def joined(home: House, by: SignedIn, role: Role = Role.DEVELOPER, email: str = CAROL) -> SignedIn:
    _, token = await invited(home, by, role, email)
    return await home.services.members.accept(token, HERS, HERE)


async def roles(home: House, caller: Caller) -> dict[str, str]:
    return {each.email: each.role.value for each in await home.services.members.listed(caller)}


async def test_an_invitation_is_mailed_accepted_once_and_signs_in(db: Database) -> None:
    home = await house(db)
    alice = await home.member()
    made, token = await invited(home, alice)
    assert (made.state, made.role) == (MemberState.INVITED, Role.DEVELOPER)
    mail = (await home.mails(CAROL))[-1]
    assert (mail.label, mail.variables["inviter"], mail.variables["account"]) == ("invitation", ALICE, "Alice & Co")
    assert mail.variables["link"].startswith("http://songda.test/invitation?token=iv_")
    known = await home.services.members.invitation(token)
    assert known is not None and (known.email, known.role) == (CAROL, Role.DEVELOPER)
    carol = await home.services.members.accept(token, HERS, HERE)
    assert (carol.caller.account_id, carol.caller.role) == (alice.caller.account_id, Role.DEVELOPER)
    assert (await home.services.accounts.caller(carol.token)).role is Role.DEVELOPER
    assert await refused(home.services.members.accept(token, HERS, HERE)) == "link_invalid"
    assert await home.services.members.invitation(token) is None
    again = await home.services.sessions.sign_in(CAROL, HERS, HERE)
    assert isinstance(again, SignedIn) and again.caller.account_id == alice.caller.account_id
    states = {each.email: each.state for each in await home.services.members.listed(alice.caller)}
    assert states == {ALICE: MemberState.ACTIVE, CAROL: MemberState.ACTIVE}


async def test_one_link_makes_one_session_however_often_it_is_pressed(db: Database) -> None:
    home = await house(db)
    _, token = await invited(home, await home.member())
    accept = home.services.members.accept
    answers = await asyncio.gather(*(accept(token, HERS, HERE) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(answer, SignedIn) for answer in answers) == 1
    assert {answer.code for answer in answers if isinstance(answer, Refusal)} == {"link_invalid"}


async def test_a_link_ends_with_time_resending_and_withdrawal(db: Database) -> None:
    home = await house(db)
    alice = await home.member()
    made, first = await invited(home, alice)
    again = await home.services.members.resend(alice.caller, made.id)
    second = (await home.mails(CAROL))[-1].token
    assert second != first and await refused(home.services.members.accept(first, HERS, HERE)) == "link_invalid"
    async with db.begin() as session:
        await session.exec(update(LinkToken).values(expires_at=now() - dt.timedelta(seconds=1)))
    assert await refused(home.services.members.accept(second, HERS, HERE)) == "link_invalid"
    assert (await home.services.members.get(alice.caller, made.id)).state is MemberState.EXPIRED
    await home.services.members.resend(alice.caller, made.id)
    third = (await home.mails(CAROL))[-1].token
    await home.services.members.remove(alice.caller, made.id)
    assert await refused(home.services.members.accept(third, HERS, HERE)) == "link_invalid"
    assert again.invited_until is not None
    assert dt.timedelta(days=6) < again.invited_until - now() <= INVITATION_VALID
    assert await roles(home, alice.caller) == {ALICE: "owner"}


async def test_who_is_invited_disturbs_neither_registration_nor_sign_in(db: Database) -> None:
    """The same address registers for itself, asks for a password, and signs in elsewhere: the invitation waits."""
    home = await house(db)
    alice = await home.member()
    _, token = await invited(home, alice, email=BOB)
    assert await refused(home.services.sessions.sign_in(BOB, "", HERE)) == "sign_in_failed"
    await home.services.passwords.ask_reset(BOB, HERE)
    assert [mail.label for mail in await home.mails(BOB)] == ["invitation"]
    bob = await home.member(BOB)
    assert bob.caller.account_id != alice.caller.account_id and bob.caller.role is Role.OWNER
    assert await refused(home.services.members.accept(token, HERS, HERE)) == "address_in_use"
    assert (await home.services.accounts.profile(bob.caller)).email == BOB


async def test_addresses_that_cannot_be_invited(db: Database) -> None:
    home = await house(db)
    alice = await home.member()
    invite = home.services.members.invite
    assert await refused(invite(alice.caller, ALICE, "viewer")) == "member_exists"
    await invited(home, alice)
    assert await refused(invite(alice.caller, CAROL.upper(), "viewer")) == "invitation_open"
    assert await refused(invite(alice.caller, "dora@x.example", "owner")) == "role_unknown"
    assert await refused(invite(alice.caller, "no address", "viewer")) == "address_no_at"


async def test_inviting_does_not_tell_who_has_an_account(db: Database) -> None:
    """Whoever reads the mailbox learns it from the link; the inviting account sees an invitation that stays open."""
    home = await house(db)
    alice, bob = await home.member(), await home.member(BOB)
    known, token = await invited(home, alice, email=BOB)
    unknown, _ = await invited(home, alice, email="nobody@x.example")
    assert (known.state, known.role) == (unknown.state, unknown.role) == (MemberState.INVITED, Role.DEVELOPER)
    assert await refused(home.services.members.accept(token, HERS, HERE)) == "address_in_use"
    assert (await home.services.accounts.caller(bob.token)).account_id == bob.caller.account_id
    again = [await _resent(home, alice, each.id) for each in (known, unknown)]
    assert again == ["", ""]


async def test_every_try_to_invite_is_counted(db: Database) -> None:
    home = await house(db)
    alice = await home.member()
    invite = home.services.members.invite
    assert [await refused(invite(alice.caller, ALICE, "viewer")) for _ in range(6)] == (
        ["member_exists"] * 5 + ["too_many_requests"]
    )


async def test_limits_of_members_and_of_mails(db: Database) -> None:
    home = await house(db)
    alice = await home.member()
    for _ in range(MAX_MEMBERS - 1):
        async with db.begin() as session:
            session.add(Member(account_id=alice.caller.account_id, email="x@x.example", password_hash=""))
    assert await refused(home.services.members.invite(alice.caller, CAROL, "viewer")) == "too_many_members"
    async with db.begin() as session:
        await session.exec(update(Member).where(col(Member.email) == "x@x.example").values(removed_at=now()))
    made, _ = await invited(home, alice)
    codes = [await _resent(home, alice, made.id) for _ in range(6)]
    assert codes == [""] * 3 + ["too_many_requests"] * 3, f"five a day to one address, of {INVITATIONS_PER_DAY}"


async def _resent(home: House, by: SignedIn, member: UUID) -> str:
    try:
        await home.services.members.resend(by.caller, member)
    except Refusal as refusal:
        return refusal.code
    return ""


async def test_a_role_changes_at_once_and_the_owner_stays(db: Database) -> None:
    home = await house(db)
    alice = await home.member()
    carol = await joined(home, alice, Role.ADMIN)
    members, own = home.services.members, carol.caller.member_id
    assert alice.caller.member_id and own
    for call in (
        members.change_role(carol.caller, alice.caller.member_id, "viewer"),
        members.remove(carol.caller, alice.caller.member_id),
    ):
        assert await refused(call) == "owner_stays"
    assert await refused(members.change_role(carol.caller, own, "owner")) == "role_unknown"
    await members.change_role(alice.caller, own, "viewer")
    now_is = await home.services.accounts.caller(carol.token)
    assert now_is.role is Role.VIEWER
    assert await refused(members.invite(now_is, "dora@x.example", "viewer")) == "role_forbids"


async def test_a_removed_member_is_out_at_once_and_can_be_invited_anew(db: Database) -> None:
    home = await house(db)
    alice = await home.member()
    carol = await joined(home, alice)
    assert carol.caller.member_id
    await home.services.members.remove(alice.caller, carol.caller.member_id)
    assert await refused(home.services.accounts.caller(carol.token)) == "unauthenticated"
    assert await refused(home.services.sessions.sign_in(CAROL, HERS, HERE)) == "sign_in_failed"
    assert await refused(home.services.members.remove(alice.caller, carol.caller.member_id)) == "not_found"
    back = await joined(home, alice, Role.FINANCE)
    assert (await home.services.accounts.caller(back.token)).role is Role.FINANCE
    assert await roles(home, alice.caller) == {ALICE: "owner", CAROL: "finance"}


async def test_no_session_begins_during_the_removal(db: Database) -> None:
    home = await house(db)
    alice = await home.member()
    carol = await joined(home, alice)
    async with db.read() as session:
        row = (await session.exec(select(Member).where(col(Member.email) == CAROL))).one()
    await home.services.members.remove(alice.caller, row.id)
    assert await refused(home.services.sessions.begin(row, HERE)) == "sign_in_failed"
    assert carol.caller.member_id == row.id


async def test_ownership_is_handed_over_with_the_password_and_there_is_always_one_owner(db: Database) -> None:
    home = await house(db)
    alice = await home.member()
    carol, dora = await joined(home, alice, Role.VIEWER), await joined(home, alice, Role.ADMIN, "dora@x.example")
    hand_over = home.services.members.hand_over
    assert carol.caller.member_id and dora.caller.member_id and alice.caller.member_id
    assert await refused(hand_over(alice.caller, carol.caller.member_id, "wrong password")) == "password_wrong"
    assert await refused(hand_over(dora.caller, carol.caller.member_id, HERS)) == "not_owner"
    guest, _ = await invited(home, alice, email="guest@x.example")
    assert await refused(hand_over(alice.caller, guest.id, PASSWORD)) == "member_not_active"
    heirs = (carol.caller.member_id, dora.caller.member_id)
    answers = await asyncio.gather(*(hand_over(alice.caller, heir, PASSWORD) for heir in heirs), return_exceptions=True)
    assert [answer.code for answer in answers if isinstance(answer, Refusal)] == ["not_owner"]
    found = list((await roles(home, alice.caller)).values())
    assert (found.count("owner"), (await home.services.accounts.caller(alice.token)).role) == (1, Role.ADMIN)


async def test_everything_is_in_the_audit_log(db: Database) -> None:
    home = await house(db)
    alice = await home.member()
    made, _ = await invited(home, alice, email="guest@x.example")
    await home.services.members.resend(alice.caller, made.id)
    await home.services.members.remove(alice.caller, made.id)
    carol = await joined(home, alice)
    assert carol.caller.member_id
    await home.services.members.change_role(alice.caller, carol.caller.member_id, "admin")
    await home.services.members.hand_over(alice.caller, carol.caller.member_id, PASSWORD)
    owner = await home.services.accounts.caller(carol.token)
    await home.services.members.change_role(owner, alice.caller.member_id or made.id, "viewer")
    async with db.read() as session:
        query = select(AuditEntry).where(col(AuditEntry.action).like("member.%")).order_by(col(AuditEntry.id))
        entries = (await session.exec(query)).all()
    assert [entry.action for entry in entries] == [
        "member.invited", "member.invited_again", "member.invitation_withdrawn", "member.invited", "member.joined",
        "member.role.admin", "member.ownership_received", "member.role.viewer",
    ]  # fmt: skip
    assert {entry.account_id for entry in entries} == {alice.caller.account_id}
    assert "@" not in "".join(entry.subject + entry.actor for entry in entries)


async def test_another_accounts_members_are_not_there(db: Database) -> None:
    home = await house(db)
    alice, bob = await home.member(), await home.member(BOB)
    made, _ = await invited(home, alice)
    members = home.services.members
    for call in (
        members.get(bob.caller, made.id), members.resend(bob.caller, made.id), members.remove(bob.caller, made.id),
        members.change_role(bob.caller, made.id, "viewer"), members.hand_over(bob.caller, made.id, PASSWORD),
    ):  # fmt: skip
        assert await refused(call) == "not_found"
    assert await roles(home, bob.caller) == {BOB: "owner"}
