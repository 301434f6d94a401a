"""The records of an account: each a list, a page per row, and a file."""

from domain.members import Right
from store import records
from web.i18n import mark as _
from web.portal.records import words
from web.portal.records.base import AccountView
from web.portal.records.columns import Fault, Fen, Moment, Number, Text, Word, YesNo


class Sends(AccountView):
    record, key, name = records.SendRecord, "sends", _("发送请求")
    fields = (
        Moment("at", label=_("接受时间")),
        Text("template", label=_("模板")),
        Text("api_user", label="API_USER"),
        Word("kind", label=_("类型"), words=words.KINDS),
        Text("sender", label=_("发件人")),
        Text("label", label=_("标签")),
        Number("recipients", label=_("收件人数")),
        Number("duplicates", label=_("去重")),
        YesNo("is_test", label=_("测试")),
    )
    seeks = ("template", "api_user", "sender", "label")
    choice, link, only_detail = "kind", "/portal/sends/{id}", ("duplicates",)


class Messages(AccountView):
    record, key, name = records.MessageRecord, "messages", _("邮件与结果")
    fields = (
        Moment("at", label=_("接受时间")),
        Text("address", label=_("收件人")),
        Word("outcome", label=_("结果"), words=words.OUTCOMES, tones=words.OUTCOME_TONES),
        Number("code", label=_("应答码"), zero=False),
        Text("enhanced", label=_("增强应答码")),
        Word("reason", label=_("原因"), words=words.REASONS, beside=True),
        Text("reply", label=_("最后的应答")),
        Text("host", label=_("接收服务器")),
        Number("attempts", label=_("尝试次数")),
        Moment("finished_at", label=_("结束时间")),
        YesNo("possible_duplicate", label=_("可能收到两次")),
        Text("label", label=_("标签")),
        Text("submission_id", label=_("发送编号")),
    )
    seeks, choice, link = ("address",), "outcome", "/portal/sends/{submission_id}"
    only_detail = ("enhanced", "reply", "host", "possible_duplicate", "submission_id")


class Templates(AccountView):
    record, key, name = records.TemplateRecord, "template-versions", _("模板版本")
    fields = (
        Moment("at", label=_("创建时间")),
        Text("name", label=_("名称")),
        Text("invoke_name", label=_("调用名称")),
        Word("kind", label=_("类型"), words=words.KINDS),
        Number("number", label=_("版本")),
        Word("state", label=_("状态"), words=words.REVIEWS, tones=words.REVIEW_TONES),
        Text("subject", label=_("主题")),
        Moment("submitted_at", label=_("提交时间")),
        Moment("decided_at", label=_("决定时间")),
        Text("reason", label=_("原因")),
    )
    seeks, choice, link = ("name", "invoke_name", "subject"), "state", "/portal/templates/{invoke_name}"
    only_detail = ("kind", "subject")


class Domains(AccountView):
    record, key, name = records.DomainRecord, "domains", _("发信域名")
    fields = (
        Moment("at", label=_("添加时间")),
        Text("name", label=_("域名")),
        Word("state", label=_("状态"), words=words.DOMAINS, tones=words.DOMAIN_TONES),
        Word("problem", label=_("有问题的记录"), words=words.PROBLEMS),
        Moment("usable_since", label=_("可使用自")),
        Moment("checked_at", label=_("最近检查")),
        YesNo("is_test", label=_("测试")),
    )
    seeks, choice, link = ("name",), "state", "/portal/domains/{id}"


class ApiUsers(AccountView):
    record, key, name = records.ApiUserRecord, "api-users", "API_USER"
    fields = (
        Moment("at", label=_("创建时间")),
        Text("name", label=_("名称")),
        Word("kind", label=_("类型"), words=words.KINDS),
        YesNo("is_test", label=_("测试")),
        Moment("disabled_at", label=_("停用时间")),
    )
    seeks, choice, link = ("name",), "kind", "/portal/api-users/{id}"


class Endpoints(AccountView):
    record, key, name = records.EndpointRecord, "webhooks", "WebHook"
    fields = (
        Moment("at", label=_("创建时间")),
        Text("url", label="URL"),
        Word("state", label=_("状态"), words=words.ENDPOINTS),
        Text("events", label=_("事件")),
        Moment("last_delivered_at", label=_("最近送达")),
        Fault("last_error", label=_("最近错误"), words=words.ERRORS, beside=True),
    )
    seeks, choice, link = ("url",), "state", "/portal/webhooks/{id}"


class WebhookEvents(AccountView):
    record, key, name = records.WebhookRecord, "webhook-events", _("WebHook 推送")
    fields = (
        Moment("at", label=_("时间")),
        Text("url", label="URL"),
        Text("kind", label=_("事件")),
        Number("number", label=_("序号")),
        Number("status", label="HTTP"),
        Fault("error", label=_("错误"), words=words.ERRORS, beside=True),
        Text("response", label=_("应答")),
        Number("milliseconds", label=_("用时（毫秒）")),
    )
    seeks, only_detail = ("url", "kind", "error"), ("response",)


class Journals(AccountView):
    record, key, name, sees = records.JournalRecord, "journals", _("账目"), Right.MONEY
    fields = (
        Moment("at", label=_("时间")),
        Word("kind", label=_("类型"), words=words.JOURNALS),
        Word("memo", label=_("说明"), words=words.CHANNELS),
        Fen("amount_fen", label=_("金额")),
        Fen("balance_after_fen", label=_("余额")),
        Text("journal", label=_("凭证编号")),
    )
    seeks, choice, link, only_detail = ("memo",), "kind", "/portal/statement", ("journal",)


class Recharges(AccountView):
    record, key, name, sees = records.RechargeRecord, "recharges", _("充值订单"), Right.MONEY
    fields = (
        Moment("at", label=_("下单时间")),
        Word("channel", label=_("付款方式"), words=words.CHANNELS),
        Fen("amount_fen", label=_("金额")),
        Word("state", label=_("状态"), words=words.RECHARGES, tones=words.RECHARGE_TONES),
        Moment("credited_at", label=_("到账时间")),
        Moment("closed_at", label=_("关闭时间")),
    )
    choice, link = "state", "/portal/recharges/{id}"


class Certifications(AccountView):
    record, key, name, sees = records.CertificationRecord, "certifications", _("认证申请"), Right.CERTIFY
    fields = (
        Moment("at", label=_("创建时间")),
        Number("number", label=_("第几次申请")),
        Word("kind", label=_("类型"), words=words.CERTIFICATION_KINDS),
        Word("state", label=_("状态"), words=words.CERTIFICATIONS, tones=words.CERTIFICATION_TONES),
        Moment("submitted_at", label=_("提交时间")),
        Moment("due_at", label=_("预计完成")),
        Moment("decided_at", label=_("决定时间")),
    )
    choice, link = "state", "/portal/certification/{id}"


class Members(AccountView):
    record, key, name = records.MemberRecord, "members", _("成员")
    fields = (
        Moment("at", label=_("邀请时间")),
        Text("email", label=_("邮箱地址")),
        Word("role", label=_("角色"), words=words.ROLES),
        Moment("email_confirmed_at", label=_("加入时间")),
        Moment("removed_at", label=_("移除时间")),
    )
    seeks, choice, link = ("email",), "role", "/portal/members"


class SignIns(AccountView):
    record, key, name, personal = records.SignInRecord, "sign-ins", _("我的登录"), True
    fields = (
        Moment("at", label=_("登录时间")),
        Text("client", label=_("设备")),
        Moment("last_seen_at", label=_("最近使用")),
        Moment("revoked_at", label=_("退出时间")),
        Moment("expires_at", label=_("到期时间")),
    )
    seeks, link = ("client",), "/portal/account"


class Audit(AccountView):
    record, key, name = records.AuditRecord, "audit", _("操作记录")
    fields = (
        Moment("at", label=_("时间")),
        Word("who", label=_("操作者"), words=words.PLATFORM),
        Word("action", label=_("操作"), words=words.ACTIONS),
        Text("subject", label=_("对象")),
        Text("detail", label=_("详情")),
    )
    seeks = ("who", "action", "subject")


VIEWS: tuple[type[AccountView], ...] = (
    Messages, Sends, WebhookEvents, Templates, Domains, ApiUsers, Endpoints, Journals, Recharges,
    Certifications, Members, SignIns, Audit,
)  # fmt: skip
"""In the order of the tabs."""
