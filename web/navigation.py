"""The portal's menu, in the words of the user guide (seed)."""

from dataclasses import dataclass

from domain.accounts import Role
from domain.members import RIGHTS, Right
from web.i18n import mark as _


@dataclass(frozen=True)
class Entry:
    """`icon` is a Font Awesome name."""

    path: str
    label: str
    icon: str
    changes: Right | None = None
    """Who lacks it may look, but finds the buttons of these pages switched off, and a word why."""
    sees: Right | None = None
    """Who lacks it does not find the entry in the menu."""


@dataclass(frozen=True)
class Section:
    label: str
    entries: tuple[Entry, ...]


PORTAL: tuple[Section, ...] = (
    Section(
        "",
        (
            Entry("/portal/", _("总览"), "gauge-high"),
            Entry("/portal/onboarding", _("接入流程"), "route"),
        ),
    ),
    Section(
        _("发送设置"),
        (
            Entry("/portal/domains", _("发信域名"), "globe", changes=Right.SETTINGS),
            Entry("/portal/api-users", "API_USER", "key", changes=Right.SETTINGS),
            Entry("/portal/webhooks", "WebHook", "bell", changes=Right.SETTINGS),
        ),
    ),
    Section(
        _("发送相关"),
        (
            Entry("/portal/templates", _("模板管理"), "file-lines", changes=Right.TEMPLATES),
            Entry("/portal/test-send", _("测试发送"), "vial", changes=Right.SEND),
            Entry("/portal/sends", _("发送"), "paper-plane", changes=Right.SEND),
            Entry("/portal/campaigns", _("群发任务"), "bullhorn", changes=Right.SEND),
            Entry("/portal/scheduled-tasks", _("定时任务"), "calendar-check", changes=Right.SEND),
            Entry("/portal/suppressions", _("拦截列表"), "user-slash", changes=Right.SEND),
            Entry("/portal/queue-status", _("队列状态"), "traffic-light"),
            Entry("/portal/sending-quality", _("发信质量"), "heart-pulse"),
            Entry("/portal/address-lists", _("地址列表"), "address-book", changes=Right.SEND),
            Entry("/portal/records/", _("记录与导出"), "table-list"),
        ),
    ),
    Section(
        _("短信"),
        (
            Entry("/portal/sms-users", "SMS_USER", "key", changes=Right.SETTINGS),
            Entry("/portal/sms-signatures", _("短信签名"), "signature", changes=Right.TEMPLATES),
            Entry("/portal/sms-templates", _("短信模板"), "comment-sms", changes=Right.TEMPLATES),
            Entry("/portal/contact-lists", _("联系人列表"), "address-card", changes=Right.SEND),
            Entry("/portal/sms-test", _("短信测试发送"), "vial", changes=Right.SEND),
            Entry("/portal/sms-sends", _("短信发送"), "message", changes=Right.SEND),
            Entry("/portal/sms-statistics", _("短信统计"), "chart-column"),
            Entry("/portal/sms-interceptions", _("短信拦截列表"), "phone-slash", changes=Right.SEND),
            Entry("/portal/sms-replies", _("短信回复"), "comment-dots"),
            Entry("/portal/sms-opt-outs", _("退订列表"), "comment-slash", changes=Right.SEND),
            Entry("/portal/sms-hooks", "SMSHook", "bell", changes=Right.SETTINGS),
        ),
    ),
    Section(
        _("账户设置"),
        (
            Entry("/portal/account", _("账户"), "user-gear"),
            Entry("/portal/certification", _("认证"), "id-card", Right.CERTIFY, Right.CERTIFY),
            Entry("/portal/recharges", _("充值"), "wallet", Right.MONEY, Right.MONEY),
            Entry("/portal/statement", _("对账单"), "receipt", Right.MONEY, Right.MONEY),
            Entry("/portal/members", _("成员"), "users", changes=Right.MEMBERS),
            Entry("/portal/records/audit", _("操作记录"), "clock-rotate-left"),
        ),
    ),
)
ROLES = {
    Role.OWNER: _("所有者"),
    Role.ADMIN: _("管理员"),
    Role.DEVELOPER: _("开发者"),
    Role.FINANCE: _("财务"),
    Role.VIEWER: _("查看者"),
}
_ENTRIES = tuple(entry for section in PORTAL for entry in section.entries)


def menu(role: Role | None) -> tuple[Section, ...]:
    """What the menu shows to a member of this role."""
    held = RIGHTS[role] if role else frozenset()
    return tuple(
        Section(section.label, tuple(entry for entry in section.entries if entry.sees is None or entry.sees in held))
        for section in PORTAL
    )


def current(path: str) -> str:
    """The path of the menu entry that `path` belongs to: the longest that begins it."""
    found = _entry(path)
    return found.path if found else ""


def locked(path: str, role: Role | None) -> bool:
    """Whether a member of this role may only look at the pages under this entry."""
    found = _entry(path)
    return role is not None and found is not None and found.changes is not None and found.changes not in RIGHTS[role]


def _entry(path: str) -> Entry | None:
    fitting = [each for each in _ENTRIES if f"{path}/".startswith(each.path.rstrip("/") + "/")]
    return max(fitting, key=lambda each: len(each.path), default=None)
