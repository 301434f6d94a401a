"""Operators and the console."""

from domain.refusals.wording import register

register(
    "duty_forbidden",
    403,
    ("您的角色不包含此职责（{duty}）。", "请联系管理员。"),
    ("Your roles do not include this duty ({duty}).", "Ask an administrator of the platform."),
)
