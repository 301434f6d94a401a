"""What the members of one account may do (design §6: members of the account with roles)."""

import datetime as dt
from collections.abc import Mapping
from enum import StrEnum

from domain.accounts import Caller, Role
from domain.errors import Refusal

INVITATION_VALID = dt.timedelta(days=7)
MAX_MEMBERS = 50
"""Of one account, open invitations included."""
INVITATIONS_PER_DAY = 30


class MemberState(StrEnum):
    ACTIVE = "active"
    INVITED = "invited"
    EXPIRED = "expired"
    """Invited, but the link was not followed in time: the invitation can be sent again."""


class Right(StrEnum):
    """One kind of change. Looking at things needs none, except where it says so."""

    SEND = "send"
    TEMPLATES = "templates"
    SETTINGS = "settings"
    """Domains, API users and their keys, webhooks and their secrets."""
    MONEY = "money"
    """Recharge; and seeing the statement."""
    CERTIFY = "certify"
    """Hand in certifications; and seeing the papers."""
    MEMBERS = "members"


_ALL = frozenset(Right)
RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.OWNER: _ALL,
    Role.ADMIN: _ALL,
    Role.DEVELOPER: frozenset({Right.SEND, Right.TEMPLATES, Right.SETTINGS}),
    Role.FINANCE: frozenset({Right.MONEY, Right.CERTIFY}),
    Role.VIEWER: frozenset(),
}
API_USER_RIGHTS = frozenset({Right.SEND})
"""What an API user's key may change, besides what each call of `/v1` allows it to read."""
SMS_USER_RIGHTS = frozenset({Right.SEND, Right.TEMPLATES})
"""What an SMS user's key may change; it opens nothing but SMS (`api.callers.SmsCaller`, `/smsapi`)."""


def may(caller: Caller, right: Right) -> bool:
    """Whether the caller has this right."""
    if caller.member_id is not None:
        return right in RIGHTS[caller.role]
    return right in (SMS_USER_RIGHTS if caller.sms_user_id is not None else API_USER_RIGHTS)


def require(caller: Caller, right: Right) -> None:
    """Raise the refusal `role_forbids` (members) or `forbidden` (API users)."""
    if may(caller, right):
        return
    if caller.member_id is None:
        raise Refusal("forbidden")
    raise Refusal("role_forbids", role=caller.role.value, right=right.value)


def grantable(role: str) -> Role:
    """The role that an invitation or a change may give: every one but the owner's, which is handed over."""
    if role not in {each.value for each in Role if each is not Role.OWNER}:
        raise Refusal("role_unknown", field="role", roles=", ".join(each.value for each in Role if each != Role.OWNER))
    return Role(role)
