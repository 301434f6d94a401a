"""Members of an account and their roles."""

from domain.refusals.wording import register

register(
    "role_forbids",
    403,
    ("您在账户中的角色（{role}）不能执行此操作。", "请联系账户的管理员调整角色（账户设置 → 成员）。"),
    (
        "Your role in this account ({role}) may not do that.",
        "Ask an administrator of the account for another role (Settings → Members).",
    ),
)
