"""The portal's menu, in the words of the user guide (seed)."""

from dataclasses import dataclass

from web.i18n import mark as _


@dataclass(frozen=True)
class Entry:
    """`icon` is a Font Awesome name."""

    path: str
    label: str
    icon: str


@dataclass(frozen=True)
class Section:
    label: str
    entries: tuple[Entry, ...]


PORTAL: tuple[Section, ...] = (
    Section("", (Entry("/portal/", _("接入流程"), "route"),)),
    Section(
        _("发送设置"),
        (
            Entry("/portal/domains", _("发信域名"), "globe"),
            Entry("/portal/api-users", "API_USER", "key"),
            Entry("/portal/webhooks", "WebHook", "bell"),
        ),
    ),
    Section(
        _("发送相关"),
        (
            Entry("/portal/templates", _("模板管理"), "file-lines"),
            Entry("/portal/test-send", _("测试发送"), "vial"),
            Entry("/portal/sends", _("发送"), "paper-plane"),
        ),
    ),
    Section("", (Entry("/portal/account", _("账户设置"), "user-gear"),)),
)


def current(path: str) -> str:
    """The menu entry that `path` belongs to: the longest that begins it."""
    entries = [entry.path for section in PORTAL for entry in section.entries]
    fitting = [entry for entry in entries if path == entry or path.startswith(entry.rstrip("/") + "/")]
    return max(fitting, key=len, default="")
