"""The lists of the console."""

from starlette_admin.fields import StringField

from domain.operators import Duty
from store import console_lists as rows
from web.console import words
from web.console.fields import action, coded, detail, fen, linked, micro, moment, notice, number, text, told, yes_no
from web.console.views import ReadList
from web.i18n import mark as _
from web.portal.campaigns import LOOKS
from web.portal.sms_template_words import KINDS as SMS_KINDS
from web.portal.sms_template_words import MARKETS
from web.portal.sms_template_words import SOURCES as SIGNATURE_SOURCES

STANDING = {
    "unknown": _("未知"),
    "overdue": _("已超时"),
    "urgent": _("即将到期"),
    "provisional": _("暂定"),
    "in_time": _("按时"),
}
STANDING_TONES = {
    "unknown": "warning",
    "overdue": "danger",
    "urgent": "warning",
    "provisional": "info",
    "in_time": "success",
}
KINDS = {"trigger": _("触发"), "batch": _("批量"), "individual": _("个人"), "enterprise": _("企业")}
ACCOUNT_STATES = {
    "pending": _("待确认"),
    "active": _("正常"),
    "expired": _("已过期"),
    "closed": _("已关闭"),
}
ORDER_STATES = {"open": _("待付款"), "credited": _("已入账"), "closed": _("已关闭")}
PAYMENT_STATES = {"credited": _("已入账"), "refund_wanted": _("待退款"), "refunded": _("已退款")}
MONEY_TONES = {"credited": "success", "refund_wanted": "warning"}
CAMPAIGN_STATES = {state.value: look.word for state, look in LOOKS.items()}
CAMPAIGN_TONES = {state.value: look.tone for state, look in LOOKS.items()}
NUMBER = StringField("id", label="ID", exclude_from_list=True)


class TemplateQueue(ReadList):
    shows, duty, key, name = rows.TemplateQueueRow, Duty.REVIEW, "template-queue", _("模板审核")
    intro = _("先到期的在前。点击名称查看全部内容并作出决定。")
    fields_default_sort = ("due_at",)
    sortable_field_mapping = rows.due_order(rows.TemplateQueueRow)
    fields = (
        linked("about", _("模板"), "/console/cases/template-review/{}"),
        coded("standing", _("时限"), STANDING, STANDING_TONES), moment("due_at", _("截止时间")),
        text("account", _("客户")), coded("kind", _("类型"), KINDS), number("number", _("版本")),
        moment("submitted_at", _("提交时间")), NUMBER,
    )  # fmt: skip


class SmsTemplateQueue(ReadList):
    shows, duty, key = rows.SmsTemplateQueueRow, Duty.REVIEW, "sms-template-queue"
    name = _("短信模板审核")
    intro = _("先到期的在前。点击名称查看全部内容并作出决定。")
    fields_default_sort = ("due_at",)
    sortable_field_mapping = rows.due_order(rows.SmsTemplateQueueRow)
    fields = (
        linked("about", _("模板"), "/console/cases/sms-template-review/{}"),
        coded("standing", _("时限"), STANDING, STANDING_TONES), moment("due_at", _("截止时间")),
        text("account", _("客户")), coded("kind", _("类型"), SMS_KINDS), coded("market", _("范围"), MARKETS),
        number("number", _("版本")), moment("submitted_at", _("提交时间")), NUMBER,
    )  # fmt: skip


class SmsSignatureQueue(ReadList):
    shows, duty, key = rows.SmsSignatureQueueRow, Duty.REVIEW, "sms-signature-queue"
    name = _("短信签名审核")
    intro = _("先到期的在前。点击名称查看全部内容并作出决定。")
    fields_default_sort = ("due_at",)
    sortable_field_mapping = rows.due_order(rows.SmsSignatureQueueRow)
    fields = (
        linked("about", _("签名"), "/console/cases/sms-signature-review/{}"),
        coded("standing", _("时限"), STANDING, STANDING_TONES), moment("due_at", _("截止时间")),
        text("account", _("客户")), coded("source", _("来源"), SIGNATURE_SOURCES), coded("market", _("范围"), MARKETS),
        moment("submitted_at", _("提交时间")), NUMBER,
    )  # fmt: skip


class ApplicationQueue(ReadList):
    fields_default_sort = ("due_at",)
    fields = (
        linked("account", _("客户"), "/console/cases/certification-review/{}"),
        coded("standing", _("时限"), STANDING, STANDING_TONES), moment("due_at", _("截止时间")),
        coded("kind", _("类型"), KINDS), number("number", _("第几次申请")),
        moment("submitted_at", _("提交时间")), NUMBER,
    )  # fmt: skip


class CertificationQueue(ApplicationQueue):
    shows, duty, key, name = rows.CertificationQueueRow, Duty.REVIEW, "certification-queue", _("认证审核")
    sortable_field_mapping = rows.due_order(rows.CertificationQueueRow)
    intro = _("先到期的在前。点击名称查看全部内容并作出决定。")


class ExceptionQueue(ApplicationQueue):
    shows, duty, key, name = rows.ExceptionQueueRow, Duty.EXCEPTIONS, "exception-queue", _("无网站认证")
    sortable_field_mapping = rows.due_order(rows.ExceptionQueueRow)
    intro = _("没有网站的客户说明了原因，由客服决定。")


class Accounts(ReadList):
    shows, duty, key, name = rows.AccountRow, Duty.ACCOUNTS, "accounts", _("客户账户")
    intro = _("点击名称查看客户，并可调整付费客户的额度。")
    fields_default_sort = (("created_at", True),)
    fields = (
        linked("name", _("名称"), "/console/customers/{}"),
        coded("state", _("状态"), ACCOUNT_STATES, {"active": "success", "pending": "info"}),
        coded("stage", _("接入阶段"), words.STAGES), number("daily_quota", _("每日额度")),
        number("granted_quota", _("调整后的额度")), fen("balance_fen", _("余额")),
        moment("created_at", _("注册时间")), NUMBER,
    )  # fmt: skip


class Campaigns(ReadList):
    shows, duty, key, name = rows.CampaignRow, Duty.ACCOUNTS, "campaigns", _("群发任务")
    intro = _("点击名称在 Temporal 中查看任务的流程，也可以在那里暂停、继续或取消。")
    fields_default_sort = (("created_at", True),)
    fields = (
        linked("name", _("名称"), "/console/processes/campaign/{}"), text("account", _("客户")),
        coded("state", _("状态"), CAMPAIGN_STATES, CAMPAIGN_TONES), text("problem", _("原因")),
        number("recipients", _("收件人数")), moment("created_at", _("创建时间")), moment("start_at", _("何时开始")),
        moment("finished_at", _("结束时间")), NUMBER,
    )  # fmt: skip


class ContactRequests(ReadList):
    shows, duty, key, name = rows.ContactRow, Duty.ACCOUNTS, "contact-requests", _("客户来信")
    intro = _("点击主题阅读全文，处理后标记。")
    fields_default_sort = (("created_at", True),)
    fields = (
        linked("subject", _("主题"), "/console/letters/{}"), text("email", _("邮箱地址")),
        moment("created_at", _("收到时间")), moment("handled_at", _("处理时间")), NUMBER,
    )  # fmt: skip


class Processes(ReadList):
    shows, duty, key, name = rows.ProcessRow, Duty.ACCOUNTS, "processes", _("需要处理的流程")
    intro = _(
        "被外部终止或失败的流程不会自动重启；充值和退款流程会继续运行，但需要有人查看。"
        "请在 Temporal 中查看原因；渠道无法完成的退款在“到账付款”中登记。"
    )
    fields_default_sort = (("created_at", True),)
    fields = (
        linked("id", _("流程"), "/console/processes/{}"), told("kind", _("类型"), words.PROCESSES),
        text("account", _("客户")), told("why", _("原因"), words.ATTENTION | words.STOPPED),
        moment("created_at", _("开始时间")),
    )  # fmt: skip


class Recharges(ReadList):
    shows, duty, key, name = rows.RechargeRow, Duty.MONEY, "recharges", _("充值订单")
    fields_default_sort = (("created_at", True),)
    fields = (
        StringField("id", label="ID"), text("account", _("客户")), fen("amount_fen", _("金额")),
        coded("state", _("状态"), ORDER_STATES, MONEY_TONES), coded("channel", _("支付渠道"), words.CHANNELS),
        moment("created_at", _("创建时间")), moment("credited_at", _("入账时间")), moment("closed_at", _("关闭时间")),
        told("close_reason", _("关闭原因"), words.CLOSED),
    )  # fmt: skip


class Payments(ReadList):
    shows, duty, key, name = rows.PaymentRow, Duty.MONEY, "payments", _("到账付款")
    intro = _("点击流水号查看付款；渠道无法完成的退款在那里登记。")
    fields_default_sort = (("seen_at", True),)
    fields = (
        linked("transaction", _("支付渠道流水号"), "/console/received/{}"), text("account", _("客户")),
        fen("amount_fen", _("金额")),
        coded("state", _("状态"), PAYMENT_STATES, MONEY_TONES), yes_no("late", _("订单关闭后到账")),
        coded("channel", _("支付渠道"), words.CHANNELS), moment("seen_at", _("得知时间")),
        moment("refunded_at", _("退款时间")), told("why", _("原因"), words.BACK),
        text("recharge", _("充值订单")), NUMBER,
    )  # fmt: skip


class RefusedNotices(ReadList):
    shows, duty, key, name = rows.RefusedNoticeRow, Duty.MONEY, "refused-notices", _("被拒付款通知")
    intro = _("这些通知没有通过验证，没有入账。多次出现时请检查支付渠道的配置，或是否有人伪造。")
    fields_default_sort = (("at", True),)
    fields = (
        moment("at", _("时间")), coded("channel", _("支付渠道"), words.CHANNELS),
        notice("reason", _("原因"), words.NOTICES), text("recharge", _("充值订单")), NUMBER,
    )  # fmt: skip


class Prices(ReadList):
    shows, duty, key, name = rows.PriceRow, Duty.MONEY, "prices", _("价格")
    intro = _("价格只增不改：新价格从生效时间起适用，客户自己的价格优先。")
    link = ("/console/prices/new", _("设置价格"))
    fields_default_sort = (("effective_from", True),)
    fields = (
        moment("effective_from", _("生效时间")), coded("item", _("项目"), words.ITEMS), text("account", _("客户")),
        micro("unit_micro", _("单价")), text("set_by", _("设置人")), moment("set_at", _("设置时间")), NUMBER,
    )  # fmt: skip


class Audit(ReadList):
    shows, duty, key, name = rows.AuditRow, Duty.AUDIT, "audit", _("审计记录")
    intro = _("只增不改。可按操作者、动作和客户筛选。")
    fields_default_sort = (("number", True),)
    fields = (
        number("number", _("编号")), moment("at", _("时间")), text("actor", _("操作者")), action("action", _("动作")),
        text("subject", _("对象")), text("account", _("客户")), detail("detail", _("详情")),
        StringField("account_id", label="Account ID", exclude_from_list=True), NUMBER,
    )  # fmt: skip


LISTS: tuple[type[ReadList], ...] = (
    TemplateQueue, SmsTemplateQueue, SmsSignatureQueue, CertificationQueue, ExceptionQueue, Accounts, Campaigns,
    ContactRequests, Processes, Recharges, Payments, RefusedNotices, Prices, Audit,
)  # fmt: skip
