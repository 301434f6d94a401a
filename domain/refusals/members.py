"""Members of an account and their roles."""

from domain.refusals.wording import register

register(
    "role_forbids",
    403,
    ("您在账户中的角色（{role}）不能执行此操作。", "请联系账户的管理员调整角色（账户设置 → 成员）。"),
    (
        "Your role in this account ({role}) may not do that.",
        "Ask an administrator of the account for another role (Account settings → Members).",
    ),
)
register(
    "role_unknown",
    422,
    ("没有这个角色，或不能直接授予。", "请选择：{roles}。所有权只能由所有者转让。"),
    (
        "There is no such role, or it cannot be given.",
        "Choose one of {roles}. Ownership is handed over by the owner.",
    ),
)
register(
    "member_exists",
    409,
    ("这个邮箱已是本账户的成员。", "可以直接修改该成员的角色。"),
    ("This address is a member of the account already.", "Change the member's role instead."),
)
register(
    "invitation_open",
    409,
    ("已向这个邮箱发出邀请。", "可以重新发送邀请，或先撤回它。"),
    ("This address has been invited already.", "Send the invitation again, or withdraw it first."),
)
register(
    "too_many_members",
    409,
    ("成员（含未接受的邀请）已达上限 {limit} 个。", "请先移除不再需要的成员或邀请。"),
    ("There are {limit} members and invitations, the most possible.", "Remove those that are not needed first."),
)
register(
    "owner_stays",
    409,
    ("所有者不能被移除或改变角色。", "请先由所有者把所有权转让给其他成员。"),
    ("The owner can neither be removed nor given another role.", "Let the owner hand the ownership over first."),
)
register(
    "member_not_active",
    409,
    ("该成员还没有接受邀请。", "请等对方接受邀请后再试。"),
    ("This member has not accepted the invitation yet.", "Try again when it is accepted."),
)
register(
    "member_active",
    409,
    ("该成员已接受邀请。", "无需重新发送。"),
    ("This member has accepted the invitation.", "There is nothing to send again."),
)
register(
    "not_owner",
    403,
    ("只有所有者可以转让所有权。", "请联系账户的所有者。"),
    ("Only the owner can hand the ownership over.", "Ask the owner of the account."),
)
