"""The console's menu: what each operator's duties show."""

from domain.operators import Duty, Operator, OperatorRole
from web.i18n import mark as _


class Item:
    """One page. `duty` None: for everybody who is signed in."""

    def __init__(self, path: str, label: str, icon: str, duty: Duty | None = None) -> None:
        self.path, self.label, self.icon, self.duty = path, label, icon, duty


SECTIONS: tuple[tuple[str, tuple[Item, ...]], ...] = (
    ("", (Item("/console/", _("工作台"), "gauge-high"),)),
    (
        _("审核"),
        (
            Item("/console/template-queue/list", _("模板审核"), "file-lines", Duty.REVIEW),
            Item("/console/sms-signature-queue/list", _("短信签名审核"), "signature", Duty.REVIEW),
            Item("/console/sms-template-queue/list", _("短信模板审核"), "comment-sms", Duty.REVIEW),
            Item("/console/certification-queue/list", _("认证审核"), "id-card", Duty.REVIEW),
            Item("/console/exception-queue/list", _("无网站认证"), "hand", Duty.EXCEPTIONS),
        ),
    ),
    (
        _("客户服务"),
        (
            Item("/console/accounts/list", _("客户账户"), "building", Duty.ACCOUNTS),
            Item("/console/campaigns/list", _("群发任务"), "bullhorn", Duty.ACCOUNTS),
            Item("/console/sending-quality", _("发信质量"), "heart-pulse", Duty.ACCOUNTS),
            Item("/console/reports", _("退信与投诉"), "reply-all", Duty.ACCOUNTS),
            Item("/console/contact-requests/list", _("客户来信"), "envelope", Duty.ACCOUNTS),
            Item("/console/sms-interceptions", _("短信拦截"), "phone-slash", Duty.ACCOUNTS),
            Item("/console/processes/list", _("需要处理的流程"), "triangle-exclamation", Duty.ACCOUNTS),
        ),
    ),
    (
        _("资金"),
        (
            Item("/console/recharges/list", _("充值订单"), "wallet", Duty.MONEY),
            Item("/console/payments/list", _("到账付款"), "receipt", Duty.MONEY),
            Item("/console/refused-notices/list", _("被拒付款通知"), "ban", Duty.MONEY),
            Item("/console/prices/list", _("价格"), "tags", Duty.MONEY),
        ),
    ),
    (
        _("平台"),
        (
            Item("/console/lanes", _("发送通道"), "traffic-light", Duty.LANES),
            Item("/console/egress", _("出口地址"), "arrow-up-right-from-square", Duty.LANES),
            Item("/console/sms-gateways", _("短信网关"), "tower-cell", Duty.LANES),
            Item("/console/sms-routes", _("短信路由"), "shuffle", Duty.LANES),
            Item("/console/destinations", _("投递规则"), "route", Duty.LANES),
            Item("/console/reply-rules", _("回复规则"), "reply", Duty.LANES),
            Item("/console/retry-curves", _("重试间隔"), "rotate", Duty.LANES),
            Item("/console/dead-addresses", _("无效地址库"), "user-xmark", Duty.ACCOUNTS),
            Item("/console/calendar", _("工作日历"), "calendar-days", Duty.CALENDAR),
            Item("/console/staff", _("操作员"), "users-gear", Duty.OPERATORS),
            Item("/console/audit/list", _("审计记录"), "clock-rotate-left", Duty.AUDIT),
        ),
    ),
)
ROLES = {
    OperatorRole.REVIEWER: _("审核员"),
    OperatorRole.FINANCE: _("平台财务"),
    OperatorRole.SUPPORT: _("客服"),
    OperatorRole.ADMIN: _("平台管理员"),
}


def menu_of(operator: Operator | None) -> list[tuple[str, list[Item]]]:
    """(heading, pages) that this operator may see; headings without a page are left out."""
    if operator is None:
        return []
    seen = [(label, [i for i in items if i.duty is None or operator.may(i.duty)]) for label, items in SECTIONS]
    return [(label, items) for label, items in seen if items]


def current(path: str) -> str:
    """The path of the entry that `path` belongs to."""
    items = [item.path for _label, entries in SECTIONS for item in entries]
    key = path.split("/")[2] if path.count("/") >= 2 else ""
    stems = {item.split("/")[2]: item for item in items if item != "/console/"}
    belongs = {
        "template-review": "template-queue",
        "certification-review": "certification-queue",
        "sms-template-review": "sms-template-queue",
        "sms-signature-review": "sms-signature-queue",
    }
    if key == "cases":
        key = belongs.get(path.split("/")[3] if path.count("/") >= 3 else "", "")
    key = {"customers": "accounts", "received": "payments"}.get(key, key)
    return stems.get(key, "/console/" if path == "/console/" else "")
